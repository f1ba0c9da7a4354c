//! Sampling a chunk from a context: shared by inference and by the learner's evaluation.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::config::DiffusionConfig;
use super::denoiser::{Denoiser, Tokens};
use super::loss::normals;
use super::model::{Inputs, Mdt};
use crate::diffusion::Step;
use crate::diffusion::sampler::{Denoise, Noise};
use crate::error::PolicyError;
use crate::nn::KeyValue;
use crate::nn::decoder::BlockNoise;

/// Everything that depends on the weights and the number of steps but not on the observation:
/// noise levels and what every block needs of them.
#[derive(Clone, Debug)]
pub struct Ladder {
    steps: usize,
    levels: Vec<f64>,
    /// By the bits of the level. Besides the schedule's levels, those between them that a sampler
    /// asked for; for a given schedule these are always the same.
    rungs: BTreeMap<u64, Rung>,
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
        let mut ladder = Self {
            steps,
            levels: levels(config, steps),
            rungs: BTreeMap::new(),
        };
        for level in ladder.levels.clone() {
            if level > 0.0 {
                ladder.rung(denoiser, level, device);
            }
        }
        ladder
    }

    fn rung(&mut self, denoiser: &Denoiser, level: f64, device: &Device) -> &Rung {
        self.rungs.entry(level.to_bits()).or_insert_with(|| {
            let level = Tensor::from_data(TensorData::new(vec![level as f32], [1]), device);
            let embedded = denoiser.embed_sigma(level);
            Rung {
                blocks: denoiser.block_noise(&embedded),
                embedded,
            }
        })
    }
}

/// Noise levels of `steps` denoising steps, greatest first, and the level at which they end.
pub fn levels(config: &DiffusionConfig, steps: usize) -> Vec<f64> {
    let range = [config.sigma_min, config.sigma_max];
    let sampler = config.sampler.start(steps);
    sampler.levels(config.schedule, steps, range)
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
    let output = denoiser.policy_context(tokens, None);
    Encoded {
        context: Context::Fixed(denoiser.project(&output)),
        output: Some(output),
    }
}

/// Ladders by number of steps and (the bits of) the greatest level.
#[derive(Clone, Debug, Default)]
pub struct Ladders {
    known: BTreeMap<(usize, u64), Ladder>,
}

impl Ladders {
    /// The ladder of `steps` steps, computed at its first use.
    pub fn get(
        &mut self,
        denoiser: &Denoiser,
        config: &DiffusionConfig,
        steps: usize,
        device: &Device,
    ) -> &mut Ladder {
        self.known
            .entry((steps, config.sigma_max.to_bits()))
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

/// Unit normal noise from seeds, one per row: drawn on the CPU, so that it is the same on every
/// device.
#[derive(Clone, Debug)]
pub struct SeededNoise {
    rows: Vec<ChaCha8Rng>,
    shape: [usize; 2],
    device: Device,
}

impl SeededNoise {
    /// For chunks of shape `[horizon, action_dim]`.
    pub fn new(seeds: &[u64], shape: [usize; 2], device: &Device) -> Self {
        Self {
            rows: seeds
                .iter()
                .map(|&seed| ChaCha8Rng::seed_from_u64(seed))
                .collect(),
            shape,
            device: device.clone(),
        }
    }

    /// The next draw, `[seeds, horizon, action_dim]`.
    pub fn draw(&mut self) -> Tensor<3> {
        let [horizon, width] = self.shape;
        let rows = self.rows.iter_mut();
        let values = rows
            .flat_map(|rng| normals(horizon * width, rng))
            .collect::<Vec<_>>();
        let shape = [self.rows.len(), horizon, width];
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }
}

/// How a chunk is sampled.
#[derive(Clone, Debug)]
pub struct Descent {
    /// Where all noise comes from.
    pub noise: SeededNoise,
    /// Guess of the clean actions, `[batch, horizon, action_dim]`, to which the first noise is
    /// added; zeros if there is none.
    pub guess: Option<Tensor<3>>,
    /// When the chunk must be ready.
    pub deadline: Option<Instant>,
}

impl Descent {
    /// From nothing but noise, and without haste.
    pub const fn new(noise: SeededNoise) -> Self {
        Self {
            noise,
            guess: None,
            deadline: None,
        }
    }

    /// Noisy actions at the greatest level of `config`.
    pub fn begin(&mut self, config: &DiffusionConfig) -> Tensor<3> {
        let noise = self.noise.draw() * config.sigma_max;
        match &self.guess {
            Some(guess) => guess.clone() + noise,
            None => noise,
        }
    }
}

/// [`sample_from`] with seeded noise.
///
/// # Errors
/// As [`sample_from`].
pub fn sample(
    denoiser: &Denoiser,
    config: &DiffusionConfig,
    ladder: &mut Ladder,
    context: &Context,
    mut descent: Descent,
) -> Result<Sampled, PolicyError> {
    let noisy = descent.begin(config);
    let deadline = descent.deadline;
    let mut later = || descent.noise.draw();
    let noise = (noisy, &mut later as &mut Noise<'_>);
    sample_from(denoiser, config, ladder, context, noise, deadline)
}

/// Goes down the ladder from `noisy` actions at its greatest level; `later` is what the sampler
/// draws on the way. Stops early when the next step would likely end after `deadline`;
/// the first step is always done. A sampler that was stopped gives its last estimate of the clean
/// actions.
///
/// # Errors
/// If the device fails while a deadline is kept.
pub fn sample_from(
    denoiser: &Denoiser,
    config: &DiffusionConfig,
    ladder: &mut Ladder,
    context: &Context,
    (noisy, later): (Tensor<3>, &mut Noise<'_>),
    deadline: Option<Instant>,
) -> Result<Sampled, PolicyError> {
    let preconditioning = config.preconditioning();
    let device = noisy.device();
    let (steps, levels) = (ladder.steps, ladder.levels.clone());
    let mut denoise = |noisy: &Tensor<3>, level: f64| {
        let rung = ladder.rung(denoiser, level, &device);
        let scalings = preconditioning.at(level);
        let input = noisy.clone() * scalings.c_in;
        let output = match context {
            Context::Fixed(context) => denoiser.decode(input, &rung.blocks, context),
            Context::PerLevel(tokens) => {
                let batch = input.dims()[0];
                let noise = rung.embedded.clone().repeat_dim(0, batch);
                let context = denoiser.policy_context(tokens.clone(), Some(&noise));
                denoiser.decode(input, &rung.blocks, &denoiser.project(&context))
            }
        };
        output * scalings.c_out + noisy.clone() * scalings.c_skip
    };
    descend(
        config,
        (steps, &levels),
        &mut denoise,
        (noisy, later),
        deadline,
    )
}

/// [`sample_from`] with any estimate of the clean actions, along `levels` in so many steps.
///
/// # Errors
/// If the device fails while a deadline is kept.
pub fn descend(
    config: &DiffusionConfig,
    (count, levels): (usize, &[f64]),
    denoise: &mut Denoise<'_>,
    (noisy, later): (Tensor<3>, &mut Noise<'_>),
    deadline: Option<Instant>,
) -> Result<Sampled, PolicyError> {
    let device = noisy.device();
    let mut sampler = config.sampler.start(count);
    let mut actions = noisy;
    let mut steps = 0;
    let mut slowest = Duration::ZERO;
    let last = levels.len().saturating_sub(1);
    let mut clean = None;
    for index in 0..last {
        let begun = Instant::now();
        if steps > 0 && deadline.is_some_and(|deadline| begun + slowest > deadline) {
            break;
        }
        let step = Step { levels, index };
        let progress = sampler.step(actions, step, denoise, later);
        actions = progress.state;
        clean = Some(progress.clean);
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
    if let Some(clean) = clean.filter(|_| (steps as usize) < last) {
        actions = clean;
    }
    Ok(Sampled { actions, steps })
}
