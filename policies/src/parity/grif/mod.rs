//! Cases of GRIF.

pub mod agent;
pub mod alignment;
pub mod data;
pub mod gcbc;
pub mod head;
pub mod options;
pub mod pretrain;
pub mod resnet;
pub mod towers;

use super::case::{Case, Tolerances};

/// What a port in single precision should reach.
pub const TOLERANCES: Tolerances = Tolerances {
    forward: 5e-5,
    gradient: 2e-4,
};

fn tolerance(key: &str) -> f64 {
    TOLERANCES.of(key)
}

/// What is left of single precision after a step of Adam, which divides by small numbers.
fn tolerance_of_updates(key: &str) -> f64 {
    // The same number added to all scores of a query changes nothing: the true gradient of a key's
    // bias is zero, and Adam makes whole steps of the rounding that is left of it.
    let noise = key.contains("/params/") && key.ends_with("/k_proj/bias");
    tolerance(key).max(if noise { 1e-2 } else { 1e-4 })
}

/// The family's cases.
pub const CASES: &[Case] = &[
    Case {
        pattern: "resnet18_*",
        compute: resnet::compute,
        tolerance,
    },
    Case {
        pattern: "resnet34_*",
        compute: resnet::compute,
        tolerance,
    },
    Case {
        pattern: "resnet50_*",
        compute: resnet::compute,
        tolerance,
    },
    Case {
        pattern: "resnet_fuse_*",
        compute: resnet::compute,
        tolerance,
    },
    Case {
        pattern: "resnet_pool_*",
        compute: resnet::compute,
        tolerance,
    },
    Case {
        pattern: "policy_head",
        compute: head::compute,
        tolerance,
    },
    Case {
        pattern: "alignment_loss",
        compute: alignment::compute,
        tolerance: alignment::tolerance,
    },
    Case {
        pattern: "data_actions",
        compute: data::actions,
        tolerance,
    },
    Case {
        pattern: "data_goals",
        compute: data::goals,
        tolerance,
    },
    Case {
        pattern: "data_augment",
        compute: data::augment,
        tolerance: data::tolerance,
    },
    Case {
        pattern: "data_clip_preprocess",
        compute: data::preprocess,
        tolerance,
    },
    Case {
        pattern: "gcbc_*",
        compute: gcbc::compute,
        tolerance: tolerance_of_updates,
    },
    Case {
        pattern: "clip_two_image",
        compute: towers::compute,
        tolerance,
    },
    Case {
        pattern: "contrastive_pretrain",
        compute: pretrain::compute,
        tolerance: tolerance_of_updates,
    },
    Case {
        pattern: "policy_forward*",
        compute: agent::forward,
        tolerance,
    },
    Case {
        pattern: "losses_*",
        compute: agent::losses,
        tolerance,
    },
    Case {
        pattern: "update3*",
        compute: agent::updates,
        tolerance: tolerance_of_updates,
    },
];
