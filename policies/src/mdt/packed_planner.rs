//! Planning with the packed denoiser: the policy's own way on the CPU.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};

use super::config::DiffusionConfig;
use super::denoiser::Denoiser;
use super::model::{Inputs, Mdt};
use super::packed::{PackedContext, PackedDenoiser, PackedNoise};
use super::planning::{Descent, Sampled, descend, levels};
use crate::diffusion::sampler::Noise;
use crate::error::PolicyError;
use crate::host;
use crate::nn::kernels::Precision;

/// A network's denoiser, packed, and what its blocks need of the noise levels met so far. Made anew
/// when the weights change.
#[derive(Debug)]
pub struct PackedPlanner {
    denoiser: PackedDenoiser,
    /// By the bits of the level.
    noise: BTreeMap<u64, PackedNoise>,
}

impl PackedPlanner {
    /// `None` if the network is not on the CPU, or the noise level enters otherwise than through
    /// adaptive norms.
    pub fn new(network: &Denoiser, precision: Precision) -> Option<Self> {
        Some(Self {
            denoiser: PackedDenoiser::new(network, precision)?,
            noise: BTreeMap::new(),
        })
    }

    /// Encodes one observation: the encoder's output, `[1, tokens, width]`, and what the decoder
    /// attends to.
    pub fn encode(&mut self, model: &Mdt, inputs: &Inputs) -> (Tensor<3>, PackedContext) {
        let tokens = Mdt::tokens(inputs, model.views(inputs));
        let network = model.denoiser();
        let head = network.policy_head(tokens.head.clone());
        let embedded = network.embed(tokens, head, None);
        let (shape, device) = (embedded.dims(), embedded.device());
        let (output, context) = self.project(&host::values(embedded));
        let output = Tensor::from_data(TensorData::new(output, shape), &device);
        (output, context)
    }

    /// The encoder's output of embedded tokens, `[tokens, width]` both, and what the decoder attends
    /// to.
    pub fn project(&mut self, tokens: &[f32]) -> (Vec<f32>, PackedContext) {
        let output = self.denoiser.encode(tokens);
        let context = self.denoiser.project(&output);
        (output, context)
    }

    /// Samples a chunk in `steps` steps; see [`super::planning::sample_from`]. `network` is what was
    /// packed.
    ///
    /// # Errors
    /// If the device fails while a deadline is kept.
    pub fn sample(
        &mut self,
        network: &Denoiser,
        config: &DiffusionConfig,
        steps: usize,
        context: &PackedContext,
        mut descent: Descent,
    ) -> Result<Sampled, PolicyError> {
        let noisy = descent.begin(config);
        let deadline = descent.deadline;
        let mut later = || descent.noise.draw();
        let noise = (noisy, &mut later as &mut Noise<'_>);
        self.descend(Some(network), (config, steps), context, noise, deadline)
    }

    /// Samples a chunk from `noisy` actions, `[1, horizon, action_dim]`, with a sampler that draws
    /// no noise of its own and asks for no levels but the schedule's. These were prepared, so that
    /// the network that was packed is not needed any more.
    ///
    /// # Errors
    /// As [`PackedPlanner::sample`].
    pub fn sample_prepared(
        &mut self,
        (config, steps): (&DiffusionConfig, usize),
        context: &PackedContext,
        noisy: Tensor<3>,
    ) -> Result<Sampled, PolicyError> {
        let zeros = noisy.zeros_like();
        let mut later = || zeros.clone();
        let noise = (noisy, &mut later as &mut Noise<'_>);
        self.descend(None, (config, steps), context, noise, None)
    }

    fn descend(
        &mut self,
        network: Option<&Denoiser>,
        (config, steps): (&DiffusionConfig, usize),
        context: &PackedContext,
        noise: (Tensor<3>, &mut Noise<'_>),
        deadline: Option<Instant>,
    ) -> Result<Sampled, PolicyError> {
        let preconditioning = config.preconditioning();
        let mut denoise = |noisy: &Tensor<3>, level: f64| {
            let (shape, device) = (noisy.dims(), noisy.device());
            let noisy = host::values(noisy.clone());
            let scalings = preconditioning.at(level);
            let scaled = noisy
                .iter()
                .map(|value| value * scalings.c_in as f32)
                .collect::<Vec<_>>();
            let mut clean = vec![f32::NAN; noisy.len()];
            if let Some(network) = network {
                self.prepare(network, level, &device);
            }
            if let Some(noise) = self.noise.get(&level.to_bits()) {
                self.denoiser.decode(&scaled, noise, context, &mut clean);
            }
            for (clean, noisy) in clean.iter_mut().zip(&noisy) {
                *clean = *clean * scalings.c_out as f32 + noisy * scalings.c_skip as f32;
            }
            Tensor::from_data(TensorData::new(clean, shape), &device)
        };
        let levels = levels(config, steps);
        descend(config, (steps, &levels), &mut denoise, noise, deadline)
    }

    /// Computes what the blocks need of a level, if it is not known yet.
    pub fn prepare(&mut self, network: &Denoiser, level: f64, device: &Device) {
        let key = level.to_bits();
        if self.noise.contains_key(&key) {
            return;
        }
        let level = Tensor::from_data(TensorData::new(vec![level as f32], [1]), device);
        let blocks = network.block_noise(&network.embed_sigma(level));
        if let Some(noise) = self.denoiser.noise(&blocks) {
            self.noise.insert(key, noise);
        }
    }

    /// Bytes of weights that one step reads.
    pub fn bytes_per_step(&self) -> usize {
        self.denoiser.bytes_per_step()
    }
}
