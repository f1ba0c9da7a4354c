//! Cases of MDT: the denoiser and its variants, samplers, schedules, image encoder, foresight.

pub mod denoiser;
pub mod foresight;
pub mod image_encoder;
pub mod images;
pub mod network;
pub mod samplers;
pub mod schedules;
pub mod trace;

use super::case::{Case, Tolerances};

/// What a port in single precision should reach.
pub const TOLERANCES: Tolerances = Tolerances {
    forward: 2e-5,
    gradient: 1e-4,
};

fn tolerance(key: &str) -> f64 {
    TOLERANCES.of(key)
}

/// The family's cases.
pub const CASES: &[Case] = &[
    Case {
        pattern: "mdt_core",
        compute: denoiser::compute,
        tolerance,
    },
    Case {
        pattern: "mdt_variant_*",
        compute: denoiser::compute,
        tolerance,
    },
    Case {
        pattern: "mdtv_core",
        compute: denoiser::compute,
        tolerance,
    },
    Case {
        pattern: "mdtv_variant_*",
        compute: denoiser::compute,
        tolerance,
    },
    Case {
        pattern: "mdtv_samplers",
        compute: samplers::compute,
        tolerance: samplers::tolerance,
    },
    Case {
        pattern: "mdt_samplers",
        compute: samplers::compute,
        tolerance: samplers::tolerance,
    },
    Case {
        pattern: "sigma_schedules",
        compute: schedules::compute,
        tolerance,
    },
    Case {
        pattern: "resnet_tiny",
        compute: image_encoder::compute,
        tolerance,
    },
    Case {
        pattern: "mgf*",
        compute: foresight::compute,
        tolerance,
    },
    Case {
        pattern: "image_transforms",
        compute: images::compute,
        tolerance: images::tolerance,
    },
];
