//! Steps that remove more noise than needed and add fresh noise.

/// How a step from one noise level to a lower one is split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// Level to which noise is removed.
    pub down: f64,
    /// Deviation of the noise that is then added.
    pub up: f64,
}

impl Split {
    /// The split whose result has level `next`, with `eta` of the greatest possible fresh noise
    /// (1: ancestral sampling, 0: none).
    pub fn new(sigma: f64, next: f64, eta: f64) -> Self {
        let most = next * ((sigma * sigma - next * next).max(0.0)).sqrt() / sigma;
        let up = (eta * most).min(next);
        Self {
            down: (next * next - up * up).max(0.0).sqrt(),
            up,
        }
    }
}
