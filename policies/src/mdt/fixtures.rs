//! A small policy and observations for tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use burn::tensor::Device;
use cerebellum_messages::{Frame, Goal, GoalSpec, JointState, Observation, Stamp, TcpPose, Tick};

use super::{Mdt, Statistics, import};
use crate::checkpoint::import::StateDict;
use crate::checkpoint::package::Network;
use crate::checkpoint::{Card, PolicyPackage, collect};
use crate::mdt::config::{DenoiserConfig, ForesightConfig, MdtConfig, TABLETOP_PROPRIOCEPTION};
use crate::training::tests::tiny;

/// Fresh weights of the small network.
pub fn package() -> PolicyPackage {
    package_of(tiny())
}

/// Fresh weights of a small network.
pub fn package_of(config: MdtConfig) -> PolicyPackage {
    let device = Device::flex();
    device.seed(3);
    PolicyPackage {
        weights: collect(&Mdt::new(&config, &device), 5),
        network: Network::Mdt {
            config: Box::new(config),
            statistics: Statistics::identity(TABLETOP_PROPRIOCEPTION),
        },
        language: "letters".into(),
        card: Card::default(),
    }
}

/// An observation of the small network, with a bright square at `column` of its pictures.
pub fn observation(column: usize) -> Observation {
    observation_of(24, column)
}

/// An observation whose pictures have `size` rows and columns and a bright square at `column`.
pub fn observation_of(size: usize, column: usize) -> Observation {
    let mut pixels = vec![20u8; size * size * 3];
    for row in 8..12 {
        for x in column..column + 4 {
            pixels[(row * size + x) * 3..][..3].fill(255);
        }
    }
    let frame = |camera: &str| Frame {
        camera: camera.into(),
        stamp: Stamp(7),
        width: size as u32,
        height: size as u32,
        data: pixels.clone().into(),
    };
    let names = (1..=7)
        .map(|i| format!("joint{i}"))
        .chain(["gripper".into()]);
    Observation {
        tick: Tick(42),
        stamp: Stamp(7),
        frames: vec![frame("front"), frame("wrist")],
        joints: JointState {
            names: names.collect(),
            position: vec![0.1; 8],
            ..JointState::default()
        },
        tcp: Some(TcpPose {
            position: [0.4, 0.0, 0.2],
            orientation: [0.0, 0.0, 0.0, 1.0],
        }),
        world: Vec::new(),
    }
}

/// An instruction.
pub fn goal(id: u64, text: &str) -> Goal {
    Goal {
        id,
        spec: GoalSpec::Language { text: text.into() },
    }
}

/// A picture of the wanted outcome: what [`observation`] shows.
pub fn shown_goal(id: u64, column: usize) -> Goal {
    let frame = observation(column).frames.swap_remove(0);
    Goal {
        id,
        spec: GoalSpec::Image { frame },
    }
}

/// Makes the authors' transformer and foresight small.
pub fn shrink(config: &mut MdtConfig) {
    let denoiser = config.denoiser.clone();
    config.denoiser = DenoiserConfig {
        width: 16,
        heads: 8,
        encoder_layers: 1,
        decoder_layers: 2,
        observation_dim: 12,
        goal_dim: 20,
        horizon: 4,
        ..denoiser
    };
    config.foresight = Some(ForesightConfig {
        resolution: 8,
        patch: 4,
        width: 8,
        layers: 1,
        ..config.foresight.clone().unwrap()
    });
}

/// Fresh weights of a configuration under the authors' names.
pub fn in_authors_names(config: &MdtConfig) -> StateDict {
    let device = Device::flex();
    device.seed(11);
    let weights = collect(&Mdt::new(config, &device), 0);
    let made = Path::new("made");
    import::record(config, &weights, made)
        .undo(&weights.tensors, &StateDict::default(), made)
        .unwrap()
}
