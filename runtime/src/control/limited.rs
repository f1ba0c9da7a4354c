//! Names for the limits at work.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of reasons for which a command is not what was asked for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct LimitKinds(u8);

impl LimitKinds {
    /// None: the command is what was asked for.
    pub const NONE: Self = Self(0);
    /// A joint's range.
    pub const POSITION: Self = Self(1);
    /// A joint's speed.
    pub const VELOCITY: Self = Self(1 << 1);
    /// A joint's acceleration.
    pub const ACCELERATION: Self = Self(1 << 2);
    /// The border of the workspace.
    pub const WORKSPACE: Self = Self(1 << 3);
    /// A number that is not finite was asked for.
    pub const NON_FINITE: Self = Self(1 << 4);

    const NAMES: [(Self, &'static str); 5] = [
        (Self::POSITION, "position"),
        (Self::VELOCITY, "velocity"),
        (Self::ACCELERATION, "acceleration"),
        (Self::WORKSPACE, "workspace"),
        (Self::NON_FINITE, "non_finite"),
    ];

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// As bits, in the order of the constants.
    pub const fn bits(self) -> u8 {
        self.0
    }
    /// Names of what is in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .filter(move |(kind, _)| self.contains(*kind))
            .map(|(_, name)| name)
    }
}

impl BitOr for LimitKinds {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
impl BitOrAssign for LimitKinds {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
impl fmt::Debug for LimitKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
