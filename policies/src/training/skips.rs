//! Steps that are skipped because something was not finite.

use super::trainer::TrainError;

/// Consecutive steps that may be skipped before a run counts as diverged.
const MOST: u32 = 50;

/// Steps skipped in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Skips(u32);

impl Skips {
    /// A step was made.
    pub(crate) const fn made(&mut self) {
        self.0 = 0;
    }

    /// Step number `step` was skipped.
    ///
    /// # Errors
    /// If too many were in a row.
    pub(crate) const fn skipped(&mut self, step: u64) -> Result<(), TrainError> {
        self.0 += 1;
        if self.0 >= MOST {
            return Err(TrainError::Diverged {
                step,
                steps: self.0,
            });
        }
        Ok(())
    }
}
