//! The diffusion loss of actions.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, RngExt};

use super::config::DiffusionConfig;
use super::denoiser::{Denoiser, Tokens};
use crate::nn::attention::repeat_interleave;

/// Noise for the actions of a batch: `draws` per sample, those of one sample in a row.
#[derive(Clone, Debug)]
pub struct ActionNoise {
    /// Noise levels, `[batch * draws]`.
    pub sigma: Vec<f32>,
    /// Unit normal noise, `[batch * draws, horizon, action_dim]`.
    pub noise: Vec<f32>,
    /// Draws per sample.
    pub draws: usize,
}

impl ActionNoise {
    /// Draws for `batch` samples of `numbers` action numbers each. Levels of one sample are
    /// stratified over the density, so that few draws cover it.
    pub fn draw(
        config: &DiffusionConfig,
        batch: usize,
        draws: usize,
        numbers: usize,
        rng: &mut impl Rng,
    ) -> Self {
        let range = config.range();
        let sigma = (0..batch * draws)
            .map(|i| {
                let u = ((i % draws) as f64 + rng.random::<f64>()) / draws as f64;
                config.density.quantile(u, range) as f32
            })
            .collect();
        Self {
            sigma,
            noise: normals(batch * draws * numbers, rng),
            draws,
        }
    }
}

/// `count` unit normal numbers (Box and Muller).
pub fn normals(count: usize, rng: &mut impl Rng) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let angle = std::f64::consts::TAU * rng.random::<f64>();
        values.push((radius * angle.cos()) as f32);
        values.push((radius * angle.sin()) as f32);
    }
    values.truncate(count);
    values
}

/// The loss and what else the forward pass gave.
#[derive(Clone, Debug)]
pub struct ActionLoss {
    /// Loss per sample, averaged over its noise draws: `[batch]`.
    pub per_sample: Tensor<1>,
    /// The context, `[batch, tokens, width]`; of each sample's first draw, if it depends on the
    /// noise level.
    pub context: Tensor<3>,
    /// Embedded noise level of each sample's first draw, `[batch, 1, width]`.
    pub noise: Tensor<3>,
}

/// `|F(c_in x, s) - (a - c_skip x) / c_out|²` with `x = a + s n`, averaged over horizon, action
/// numbers and draws. `actions` is `[batch, horizon, action_dim]`.
///
/// The observation is encoded once for all draws, unless the network puts the noise level into the
/// encoder.
pub fn action_loss(
    denoiser: &Denoiser,
    config: &DiffusionConfig,
    tokens: Tokens,
    actions: Tensor<3>,
    noise: &ActionNoise,
) -> ActionLoss {
    let device = actions.device();
    let draws = noise.draws;
    let [batch, horizon, width] = actions.dims();
    let rows = batch * draws;

    let level = vector(&noise.sigma, &device);
    let embedded = denoiser.embed_sigma(level.clone());
    let (context, projected) = if denoiser.context_has_noise() {
        let tokens = tokens.repeat_interleave(draws);
        let context = denoiser.policy_context(tokens, Some(&embedded));
        let projected = denoiser.project(&context);
        (first_of(context, draws), projected)
    } else {
        let context = denoiser.policy_context(tokens, None);
        // The decoder's rows of one sample share its keys and values.
        let projected = denoiser.project(&context);
        (context, projected)
    };

    let sigma = level.reshape([rows, 1, 1]);
    let scalings = config.preconditioning().scalings(&sigma);
    let unit = Tensor::<3>::from_data(
        TensorData::new(noise.noise.clone(), [rows, horizon, width]),
        &device,
    );
    let clean = repeat_interleave(actions, draws);
    let noisy = clean.clone() + unit * sigma;
    let target = (clean - noisy.clone() * scalings.c_skip) / scalings.c_out;
    let output = denoiser.decode(
        noisy * scalings.c_in,
        &denoiser.block_noise(&embedded),
        &projected,
    );
    let per_sample = (output - target)
        .square()
        .reshape([batch, draws * horizon * width])
        .mean_dim(1)
        .reshape([batch]);
    ActionLoss {
        per_sample,
        context,
        noise: first_of(embedded, draws),
    }
}

/// The first of every `draws` rows.
fn first_of(rows: Tensor<3>, draws: usize) -> Tensor<3> {
    let [count, tokens, width] = rows.dims();
    let batch = count / draws;
    rows.reshape([batch, draws, tokens * width])
        .narrow(1, 0, 1)
        .reshape([batch, tokens, width])
}

fn vector(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}
