//! Cases of InfoCon: its networks, its codebook, losses and training, labels, and the policy on
//! discovered key states.

pub mod codebook;
pub mod cotpc;
pub mod discriminative;
pub mod encoder;
pub mod generative;
pub mod model;
pub mod schedules;
pub mod segmentation;
#[cfg(test)]
mod tests;
pub mod time_sphere;
pub mod training;

use super::case::Case;

/// Errors of single precision: forward passes to 2e-5, gradients to 1e-4, weights after steps of
/// an optimiser, which amplifies them, to 1e-4.
pub fn tolerance(key: &str) -> f64 {
    if key.contains("grad") { 1e-4 } else { 2e-5 }
}

/// Files of training: losses, gradients, and weights that an optimiser left (keys without a
/// step).
pub fn training_tolerance(key: &str) -> f64 {
    if key.starts_with("out/step") {
        tolerance(key)
    } else {
        1e-4
    }
}

/// The family's cases.
pub const CASES: &[Case] = &[
    Case {
        pattern: "01_encoder*",
        compute: encoder::compute,
        tolerance,
    },
    Case {
        pattern: "02_time_sphere*",
        compute: time_sphere::compute,
        tolerance,
    },
    Case {
        pattern: "03_codebook*",
        compute: codebook::compute,
        tolerance,
    },
    Case {
        pattern: "03b_codebook*",
        compute: codebook::compute,
        tolerance,
    },
    Case {
        pattern: "03c_codebook*",
        compute: codebook::compute,
        tolerance,
    },
    Case {
        pattern: "04_codebook_ema*",
        compute: codebook::compute_movement,
        tolerance,
    },
    Case {
        pattern: "05_generative*",
        compute: generative::compute,
        tolerance,
    },
    Case {
        pattern: "06_discriminative*",
        compute: discriminative::compute,
        tolerance,
    },
    Case {
        pattern: "06b_discriminative*",
        compute: discriminative::compute,
        tolerance,
    },
    Case {
        pattern: "07_train_*",
        compute: training::compute,
        tolerance: training_tolerance,
    },
    Case {
        pattern: "08_train_*",
        compute: training::compute,
        tolerance: training_tolerance,
    },
    Case {
        pattern: "09_train_*",
        compute: training::compute,
        tolerance: training_tolerance,
    },
    Case {
        pattern: "10_train_*",
        compute: training::compute,
        tolerance: training_tolerance,
    },
    Case {
        pattern: "11_schedules*",
        compute: schedules::compute,
        tolerance,
    },
    Case {
        pattern: "12_segmentation*",
        compute: segmentation::compute,
        tolerance,
    },
    Case {
        pattern: "20_cotpc*",
        compute: cotpc::compute,
        tolerance,
    },
    Case {
        pattern: "21_cotpc*",
        compute: cotpc::compute_rollout,
        tolerance,
    },
    Case {
        pattern: "22_cotpc_train*",
        compute: cotpc::compute_training,
        tolerance: training_tolerance,
    },
    Case {
        pattern: "23_cotpc*",
        compute: cotpc::compute,
        tolerance,
    },
];
