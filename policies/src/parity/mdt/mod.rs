//! Cases of MDT and MDT-V: the denoiser and its variants, alignment, whole agents, samplers, schedules,
//! towers, image encoder, foresight.

pub mod agent;
pub mod alignment;
pub mod clip;
pub mod clip_tokenizer;
pub mod denoiser;
pub mod foresight;
pub mod image_encoder;
pub mod images;
pub mod network;
pub mod perceiver;
pub mod samplers;
pub mod schedules;
pub mod trace;
pub mod voltron;

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
        pattern: "mdt_cla",
        compute: alignment::compute,
        tolerance,
    },
    Case {
        pattern: "mdtv_cla",
        compute: alignment::compute,
        tolerance,
    },
    Case {
        pattern: "mdt_agent_infer",
        compute: agent::infer::compute,
        tolerance: samplers::tolerance,
    },
    Case {
        pattern: "mdt_agent_train",
        compute: agent::train::compute,
        tolerance,
    },
    Case {
        pattern: "mdtv_agent_infer",
        compute: agent::infer::compute,
        tolerance: samplers::tolerance,
    },
    Case {
        pattern: "mdtv_agent_train",
        compute: agent::train::compute,
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
        pattern: "perceiver*",
        compute: perceiver::compute,
        tolerance,
    },
    Case {
        pattern: "distilbert_null",
        compute: voltron::language_model,
        tolerance,
    },
    Case {
        pattern: "voltron_vcond",
        compute: voltron::vcond,
        tolerance,
    },
    Case {
        pattern: "clip_text",
        compute: clip::text,
        tolerance,
    },
    Case {
        pattern: "clip_vit",
        compute: clip::vision_transformer,
        tolerance,
    },
    Case {
        pattern: "clip_modified_resnet",
        compute: clip::modified_resnet,
        tolerance,
    },
    Case {
        pattern: "clip_bpe_cases",
        compute: clip_tokenizer::compute,
        tolerance: clip_tokenizer::tolerance,
    },
    Case {
        pattern: "image_transforms",
        compute: images::compute,
        tolerance: images::tolerance,
    },
];
