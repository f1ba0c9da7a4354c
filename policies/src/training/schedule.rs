//! Learning rate over a run.

use serde::{Deserialize, Serialize};

/// A rule for the learning rate, as a function of the step counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LearningRate {
    /// The same at every step.
    Constant {
        /// The rate.
        rate: f32,
    },
    /// Linear warm-up from 0, then half a cosine down to `last`.
    Cosine {
        /// Greatest rate.
        peak: f32,
        /// Rate at the end.
        last: f32,
        /// Steps of warm-up.
        warm_up: u64,
    },
    /// The authors' schedule of GRIF: `peak * step / warm_up`, so that the very first step changes
    /// nothing, then half a cosine down to 0 at `total`, whatever the length of the run.
    WarmupCosine {
        /// Greatest rate.
        peak: f32,
        /// Steps of warm-up.
        warm_up: u64,
        /// Step at which the rate is 0, counted from the beginning of the warm-up.
        total: u64,
    },
    /// The authors' schedule of MDT: warm-up, constant, half a cosine down. As there, the very first
    /// step runs at `peak` and the ramp starts at the second.
    TriStage {
        /// Greatest rate.
        peak: f32,
        /// Steps of the whole schedule.
        total: u64,
        /// Its phases.
        #[serde(default)]
        shape: TriStage,
    },
}

/// Phases of [`LearningRate::TriStage`]; the authors' by default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TriStage {
    /// Share of the steps that the rate rises.
    pub warm_up: f64,
    /// Share of the steps that it is constant.
    pub hold: f64,
    /// Share of the steps that it falls.
    pub decay: f64,
    /// Rate at the beginning, as a share of the greatest.
    pub first: f32,
    /// Rate at the end, as a share of the greatest.
    pub last: f32,
}

impl Default for TriStage {
    fn default() -> Self {
        Self {
            warm_up: 0.02,
            hold: 0.08,
            decay: 0.9,
            first: 0.1,
            last: 1e-6,
        }
    }
}

impl LearningRate {
    /// The rate at `step` of a run of `steps` steps.
    pub fn at(&self, step: u64, steps: u64) -> f32 {
        match *self {
            Self::Constant { rate } => rate,
            Self::Cosine {
                peak,
                last,
                warm_up,
            } => {
                if step < warm_up {
                    return peak * (step + 1) as f32 / warm_up as f32;
                }
                let rest = steps.saturating_sub(warm_up).max(1);
                cosine(peak, last, (step - warm_up) as f64 / rest as f64)
            }
            Self::WarmupCosine {
                peak,
                warm_up,
                total,
            } => {
                if step < warm_up {
                    return (f64::from(peak) * step as f64 / warm_up as f64) as f32;
                }
                let rest = total.saturating_sub(warm_up).max(1);
                cosine(peak, 0.0, (step - warm_up) as f64 / rest as f64)
            }
            Self::TriStage { peak, total, shape } => tri_stage(peak, total, shape, step),
        }
    }
}

fn cosine(from: f32, to: f32, progress: f64) -> f32 {
    let share = (1.0 + (std::f64::consts::PI * progress.clamp(0.0, 1.0)).cos()) / 2.0;
    (f64::from(to) + f64::from(from - to) * share) as f32
}

fn tri_stage(peak: f32, total: u64, shape: TriStage, step: u64) -> f32 {
    let Some(step) = step.checked_sub(1) else {
        return peak;
    };
    let warm_up = (total as f64 * shape.warm_up) as u64;
    let hold = (total as f64 * shape.hold) as u64;
    let decay = (total as f64 * shape.decay) as u64;
    if step < warm_up {
        let first = shape.first * peak;
        return first + (peak - first) * step as f32 / warm_up as f32;
    }
    let step = step - warm_up;
    if step < hold {
        return peak;
    }
    cosine(
        peak,
        peak * shape.last,
        (step - hold) as f64 / decay.max(1) as f64,
    )
}
