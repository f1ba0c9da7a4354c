//! Sampling a chunk with the packed denoiser: DDIM on numbers of the host.

use burn::tensor::{Device, Tensor, TensorData};

use super::config::DiffusionConfig;
use super::denoiser::Denoiser;
use super::packed::{PackedContext, PackedDenoiser, PackedNoise};
use crate::diffusion::Preconditioning;

/// Noise levels of a number of steps, and what the blocks need of them.
#[derive(Clone, Debug)]
pub struct PackedLadder {
    sigmas: Vec<f64>,
    rungs: Vec<PackedNoise>,
    preconditioning: Preconditioning,
}

impl PackedLadder {
    /// For `steps` denoising steps. `None` if the noise level enters otherwise than through
    /// adaptive norms.
    pub fn new(
        denoiser: &Denoiser,
        packed: &PackedDenoiser,
        config: &DiffusionConfig,
        steps: usize,
        device: &Device,
    ) -> Option<Self> {
        let sigmas = config
            .schedule
            .sigmas(steps, config.sigma_min, config.sigma_max);
        let rung = |sigma: &f64| {
            let level = TensorData::new(vec![*sigma as f32], [1]);
            let embedded = denoiser.embed_sigma(Tensor::from_data(level, device));
            packed.noise(&denoiser.block_noise(&embedded))
        };
        Some(Self {
            rungs: sigmas.iter().take(steps).map(rung).collect::<Option<_>>()?,
            sigmas,
            preconditioning: config.preconditioning(),
        })
    }

    /// Noise levels, the last one 0.
    pub fn sigmas(&self) -> &[f64] {
        &self.sigmas
    }
}

/// The estimate of the clean actions, `[horizon, action_dim]`, after all steps of the ladder from
/// `start`, noise of its first level.
pub fn sample(
    denoiser: &mut PackedDenoiser,
    ladder: &PackedLadder,
    context: &PackedContext,
    start: &[f32],
) -> Vec<f32> {
    let mut state = start.to_vec();
    let mut scaled = vec![0.0; start.len()];
    let mut output = vec![0.0; start.len()];
    for (levels, noise) in ladder.sigmas.windows(2).zip(&ladder.rungs) {
        let &[sigma, next] = levels else { break };
        let scalings = ladder.preconditioning.at(sigma);
        for (scaled, value) in scaled.iter_mut().zip(&state) {
            *scaled = value * scalings.c_in as f32;
        }
        denoiser.decode(&scaled, noise, context, &mut output);
        let keep = (next / sigma) as f32;
        for (value, output) in state.iter_mut().zip(&output) {
            let clean = output * scalings.c_out as f32 + *value * scalings.c_skip as f32;
            *value = keep * *value + (1.0 - keep) * clean;
        }
    }
    state
}
