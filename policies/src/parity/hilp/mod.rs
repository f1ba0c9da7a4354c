//! Cases of HILP: both variants' networks, losses, updates, samplers and prompts.

pub mod dataset;
pub mod encoder;
pub mod goals;
pub mod plan;
pub mod skill_forward;
pub mod skill_learning;
pub mod skill_setup;
pub mod zero_shot_encoder;
pub mod zero_shot_forward;
pub mod zero_shot_learners;
pub mod zero_shot_learning;
pub mod zero_shot_replay;
pub mod zero_shot_setup;

use super::case::Case;

/// Forward passes and samplers, losses and gradients, and weights after updates.
fn tolerance(key: &str) -> f64 {
    let learned = ["/grad/", "/info/", "/elem/", "/opt/", "/adam_"];
    if learned.iter().any(|part| key.contains(part)) || key.ends_with("loss") {
        1e-4
    } else {
        2e-5
    }
}

const fn case(pattern: &'static str, compute: super::case::Compute) -> Case {
    Case {
        pattern,
        compute,
        tolerance,
    }
}

/// The family's cases.
pub const CASES: &[Case] = &[
    case("gcrl_dataset_aug", dataset::compute),
    case("gcrl_encoder_*", encoder::compute),
    case("gcrl_goal_sampler", goals::compute),
    case("gcrl_plan", plan::compute),
    case("gcrl_state_forward*", skill_forward::compute),
    case("gcrl_pixel_forward*", skill_forward::compute),
    case("gcrl_state_losses*", skill_learning::losses),
    case("gcrl_pixel_losses*", skill_learning::losses),
    case("gcrl_state_update3*", skill_learning::updates),
    case("gcrl_pixel_update3*", skill_learning::updates),
    case("zsrl_encoder_*", zero_shot_encoder::compute),
    case("zsrl_forward*", zero_shot_forward::compute),
    case("zsrl_pixel_forward*", zero_shot_forward::compute),
    case("zsrl_feature_learners", zero_shot_learners::compute),
    case("zsrl_replay", zero_shot_replay::compute),
    case("zsrl_update_*", zero_shot_learning::successor),
    case("zsrl_pixel_update*", zero_shot_learning::successor),
    case("zsrl_fb_update*", zero_shot_learning::forward_backward),
    case("zsrl_gctd3_update*", zero_shot_learning::goal_td3),
];
