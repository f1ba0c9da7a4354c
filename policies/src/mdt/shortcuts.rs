//! What makes planning cheaper at a price that is to be measured.

use super::config::DiffusionConfig;
use crate::error::PolicyError;
use crate::nn::kernels::Precision;

/// Shortcuts of planning; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shortcuts {
    /// How exactly the denoiser's matrices are kept, where it is packed (on the CPU, with adaptive
    /// norms); elsewhere it changes nothing.
    pub precision: Precision,
    /// Whether a plan goes on from the last one.
    pub warm_start: Option<WarmStart>,
}

/// A plan that begins with the last plan of the same goal, moved on by the ticks since, made noisy
/// again up to a middle level, instead of with pure noise: most of the next chunk is known already.
/// The first plan of a goal, and one after a gap of a whole chunk, take all steps from pure noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmStart {
    /// Noise level to begin at, above `sigma_min` and below `sigma_max` of the network's diffusion.
    pub level: f64,
    /// Denoising steps from there, at least one.
    pub steps: usize,
}

impl Shortcuts {
    /// Checks the numbers against a network's diffusion.
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn check(&self, diffusion: &DiffusionConfig) -> Result<(), PolicyError> {
        let refuse = |name: &str, reason: String| {
            Err(PolicyError::Setting {
                name: name.into(),
                reason,
            })
        };
        let Some(warm) = self.warm_start else {
            return Ok(());
        };
        let (least, most) = (diffusion.sigma_min, diffusion.sigma_max);
        if !(warm.level > least && warm.level < most) {
            let reason = format!("{} lies outside of {least} to {most}", warm.level);
            return refuse("warm_start.level", reason);
        }
        if warm.steps == 0 {
            return refuse("warm_start.steps", "at least one step is needed".into());
        }
        Ok(())
    }
}

impl WarmStart {
    /// The diffusion of a plan that begins warm.
    pub fn diffusion(&self, network: &DiffusionConfig) -> DiffusionConfig {
        DiffusionConfig {
            sigma_max: self.level,
            steps: self.steps,
            ..network.clone()
        }
    }
}

/// A chunk `[horizon, width]` moved on by `ticks`; its last action stands where nothing is known.
/// `None` if nothing of it is left.
pub fn moved_on(actions: &[f32], width: usize, ticks: usize) -> Option<Vec<f32>> {
    let last = actions.len().checked_sub(width)?;
    let done = ticks.checked_mul(width)?;
    if done > last {
        return None;
    }
    let mut moved = actions[done..].to_vec();
    while moved.len() < actions.len() {
        moved.extend_from_slice(&actions[last..]);
    }
    Some(moved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdt::MdtConfig;

    #[test]
    fn what_is_left_of_a_chunk_by_hand() {
        let chunk = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(moved_on(&chunk, 2, 0).as_deref(), Some(&chunk[..]));
        let expected = [3.0, 4.0, 5.0, 6.0, 5.0, 6.0];
        assert_eq!(moved_on(&chunk, 2, 1).as_deref(), Some(&expected[..]));
        let expected = [5.0, 6.0, 5.0, 6.0, 5.0, 6.0];
        assert_eq!(moved_on(&chunk, 2, 2).as_deref(), Some(&expected[..]));
        assert_eq!(moved_on(&chunk, 2, 3), None);
        assert_eq!(moved_on(&chunk, 2, usize::MAX), None);
        assert_eq!(moved_on(&[], 2, 0), None);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let diffusion = MdtConfig::paper().diffusion;
        let check = |level: f64, steps: usize| {
            let warm_start = Some(WarmStart { level, steps });
            let shortcuts = Shortcuts {
                warm_start,
                ..Shortcuts::default()
            };
            shortcuts.check(&diffusion).is_ok()
        };
        assert!(check(0.5, 3));
        assert!(!check(0.5, 0));
        for level in [0.0, -1.0, diffusion.sigma_max, f64::NAN, f64::INFINITY] {
            assert!(!check(level, 3), "{level}");
        }
        assert!(Shortcuts::default().check(&diffusion).is_ok());
    }
}
