//! Sampling a chunk from a context: shared by inference and by the learner's evaluation.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::config::DiffusionConfig;
use super::denoiser::{Denoiser, GoalHead, Tokens};
use super::loss::normals;
use super::model::{Inputs, Mdt};
use crate::diffusion::{Ddim, Sampler};
use crate::error::PolicyError;
use crate::nn::KeyValue;
use crate::nn::decoder::BlockNoise;

/// Everything that depends on the weights and the number of steps but not on the observation:
/// noise levels and what every block needs of them.
#[derive(Clone, Debug)]
pub struct Ladder {
    sigmas: Vec<f64>,
    rungs: Vec<Rung>,
}

#[derive(Clone, Debug)]
struct Rung {
    embedded: Tensor<3>,
    blocks: Vec<BlockNoise>,
}

impl Ladder {
    /// For `steps` denoising steps.
    pub fn new(
        denoiser: &Denoiser,
        config: &DiffusionConfig,
        steps: usize,
        device: &Device,
    ) -> Self {
        let sigmas = config
            .schedule
            .sigmas(steps, config.sigma_min, config.sigma_max);
        let rungs = sigmas
            .iter()
            .take(steps)
            .map(|&sigma| {
                let level = Tensor::from_data(TensorData::new(vec![sigma as f32], [1]), device);
                let embedded = denoiser.embed_sigma(level);
                Rung {
                    blocks: denoiser.block_noise(&embedded),
                    embedded,
                }
            })
            .collect();
        Self { sigmas, rungs }
    }
}

/// What the decoder attends to.
#[derive(Clone, Debug)]
pub enum Context {
    /// Keys and values per block, the same at every noise level.
    Fixed(Vec<KeyValue>),
    /// Encoder inputs of a network whose encoder reads the noise level.
    PerLevel(Tokens),
}

/// An encoded batch of observations.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// For the decoder.
    pub context: Context,
    /// The encoder's output, `[batch, tokens, width]`, where it does not depend on the noise level.
    pub output: Option<Tensor<3>>,
}

/// Encodes images, goal and proprioception.
pub fn encode(model: &Mdt, inputs: &Inputs) -> Encoded {
    let denoiser = model.denoiser();
    let tokens = Mdt::tokens(inputs, model.views(inputs));
    if denoiser.context_has_noise() {
        return Encoded {
            context: Context::PerLevel(tokens),
            output: None,
        };
    }
    let output = denoiser.context(tokens, GoalHead::Goal, None);
    Encoded {
        context: Context::Fixed(denoiser.project(&output)),
        output: Some(output),
    }
}

/// Ladders by number of steps.
#[derive(Clone, Debug, Default)]
pub struct Ladders {
    by_steps: BTreeMap<usize, Ladder>,
}

impl Ladders {
    /// The ladder of `steps` steps, computed at its first use.
    pub fn get(
        &mut self,
        denoiser: &Denoiser,
        config: &DiffusionConfig,
        steps: usize,
        device: &Device,
    ) -> &Ladder {
        self.by_steps
            .entry(steps)
            .or_insert_with(|| Ladder::new(denoiser, config, steps, device))
    }
}

/// A sampled chunk.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// Clean actions, `[batch, horizon, action_dim]`.
    pub actions: Tensor<3>,
    /// Steps done.
    pub steps: u32,
}

/// Starting noise `sigma_max * n` with `n` from a seed: drawn on the CPU, so that it is the same on
/// every device. One seed per row.
pub fn starting_noise(
    seeds: &[u64],
    sigma_max: f64,
    [horizon, width]: [usize; 2],
    device: &Device,
) -> Tensor<3> {
    let values = seeds
        .iter()
        .flat_map(|&seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            normals(horizon * width, &mut rng)
        })
        .map(|value| value * sigma_max as f32)
        .collect::<Vec<_>>();
    Tensor::from_data(
        TensorData::new(values, [seeds.len(), horizon, width]),
        device,
    )
}

/// Goes down the ladder. Stops early when the next step would likely end after `deadline`; the
/// first step is always done. The result is the last estimate of the clean actions.
///
/// # Errors
/// If the device fails while a deadline is kept.
pub fn sample(
    denoiser: &Denoiser,
    config: &DiffusionConfig,
    ladder: &Ladder,
    context: &Context,
    start: Tensor<3>,
    deadline: Option<Instant>,
) -> Result<Sampled, PolicyError> {
    let preconditioning = config.preconditioning();
    let device = start.device();
    let mut state = start.clone();
    let mut clean = start;
    let mut steps = 0;
    let mut slowest = Duration::ZERO;
    for (levels, rung) in ladder.sigmas.windows(2).zip(&ladder.rungs) {
        let &[sigma, next] = levels else { break };
        let begun = Instant::now();
        if steps > 0 && deadline.is_some_and(|deadline| begun + slowest > deadline) {
            break;
        }
        let mut denoise = |noisy: &Tensor<3>, sigma: f64| {
            let scalings = preconditioning.at(sigma);
            let input = noisy.clone() * scalings.c_in;
            let output = match context {
                Context::Fixed(context) => denoiser.decode(input, &rung.blocks, context),
                Context::PerLevel(tokens) => {
                    let batch = input.dims()[0];
                    let noise = rung.embedded.clone().repeat_dim(0, batch);
                    let context = denoiser.context(tokens.clone(), GoalHead::Goal, Some(&noise));
                    denoiser.decode(input, &rung.blocks, &denoiser.project(&context))
                }
            };
            Ok::<_, PolicyError>(output * scalings.c_out + noisy.clone() * scalings.c_skip)
        };
        let progress = Ddim.step(state, sigma, next, &mut denoise)?;
        state = progress.state;
        clean = progress.clean;
        steps += 1;
        if deadline.is_some() {
            // Work on a GPU is only queued so far.
            device.sync().map_err(|error| PolicyError::Device {
                device: format!("{device:?}"),
                reason: error.to_string(),
            })?;
            slowest = slowest.max(begun.elapsed());
        }
    }
    Ok(Sampled {
        actions: clean,
        steps,
    })
}
