//! Colors that instructions name.

/// A color of a block, a peg or a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Color {
    /// Red.
    Red,
    /// Green.
    Green,
    /// Blue.
    Blue,
    /// Yellow.
    Yellow,
    /// Orange.
    Orange,
    /// Purple.
    Purple,
}

impl Color {
    /// All colors, in a fixed order.
    pub const ALL: [Self; 6] = [
        Self::Red,
        Self::Green,
        Self::Blue,
        Self::Yellow,
        Self::Orange,
        Self::Purple,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Yellow => "yellow",
            Self::Orange => "orange",
            Self::Purple => "purple",
        }
    }

    /// Linear red, green and blue, each in 0..=1.
    pub const fn linear(self) -> [f32; 3] {
        match self {
            Self::Red => [0.70, 0.02, 0.03],
            Self::Green => [0.03, 0.42, 0.08],
            Self::Blue => [0.03, 0.10, 0.66],
            Self::Yellow => [0.86, 0.76, 0.05],
            Self::Orange => [0.86, 0.22, 0.01],
            Self::Purple => [0.28, 0.04, 0.42],
        }
    }
}
