//! Cases of SPR: rollouts, losses with every projection, whole updates, pieces.

pub mod losses;
pub mod pieces;
pub mod rollout;
pub mod setup;
pub mod training;

use super::case::{Case, Compute, Tolerances};

/// What a port in single precision should reach.
const TOLERANCES: Tolerances = Tolerances {
    forward: 5e-5,
    gradient: 1e-4,
};

fn tolerance(key: &str) -> f64 {
    TOLERANCES.of(key)
}

const fn case(pattern: &'static str, compute: Compute) -> Case {
    Case {
        pattern,
        compute,
        tolerance,
    }
}

/// The family's cases.
pub const CASES: &[Case] = &[
    case("01_transition_rollout", rollout::compute),
    case("01b_transition_rollout*", rollout::compute),
    case("02_spr_loss*", losses::compute),
    case("02b_spr_loss*", losses::compute),
    case("02c_spr_loss*", losses::compute),
    case("02d_spr_loss*", losses::compute),
    case("02e_spr_loss*", losses::compute),
    case("03_full_train3", training::compute),
    case("04_pieces", pieces::compute),
];
