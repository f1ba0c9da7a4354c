//! Batches of discovery.

use super::error::InfoConError;
use super::window::Windows;

/// Windows to learn from.
#[derive(Clone, Debug)]
pub struct DiscoveryBatch {
    /// States and all their actions.
    pub windows: Windows,
    /// Time of every step, row-major: its index over the number of the trajectory's actions.
    pub times: Vec<f32>,
    /// Steps of every window before its padding.
    pub lengths: Vec<usize>,
    /// Uniform numbers from 0 to 1, one per step, by which concepts are drawn
    /// ([`Codebook::drawn`](super::codebook::Codebook::drawn)); `None` for the nearest ones, as in the authors' scripts.
    pub draws: Option<Vec<f32>>,
}

impl DiscoveryBatch {
    /// Whether times and lengths fit the windows.
    ///
    /// # Errors
    /// If they do not, or an action is missing.
    pub fn check(&self) -> Result<(), InfoConError> {
        let [batch, steps] = self.windows.shape();
        if self.times.len() != batch * steps {
            let expected = format!("{batch} x {steps}");
            let found = self.times.len();
            return Err(InfoConError::input("number of times", found, expected));
        }
        if let Some(draws) = self
            .draws
            .as_ref()
            .filter(|draws| draws.len() != batch * steps)
        {
            let expected = format!("{batch} x {steps}");
            return Err(InfoConError::input(
                "number of draws",
                draws.len(),
                expected,
            ));
        }
        if self.lengths.len() != batch || self.lengths.iter().any(|&length| length > steps) {
            let expected = format!("{batch} numbers up to {steps}");
            return Err(InfoConError::input("lengths", &self.lengths, expected));
        }
        match self.windows.actions() {
            Some(actions) if actions.dims()[1] >= steps => Ok(()),
            actions => {
                let found = actions.map_or(0, |actions| actions.dims()[1]);
                let expected = format!("{steps}, one per state");
                Err(InfoConError::input("actions per window", found, expected))
            }
        }
    }
}
