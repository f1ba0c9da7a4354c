//! Planning with the packed denoiser: the policy's own way on the CPU.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};

use super::config::DiffusionConfig;
use super::model::{Inputs, Mdt};
use super::packed::{PackedContext, PackedDenoiser, PackedNoise};
use super::planning::{Sampled, SeededNoise, descend, levels};
use crate::error::PolicyError;
use crate::host;

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
    pub fn new(model: &Mdt) -> Option<Self> {
        Some(Self {
            denoiser: PackedDenoiser::new(model.denoiser())?,
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
        let output = self.denoiser.encode(&host::values(embedded));
        let context = self.denoiser.project(&output);
        let output = Tensor::from_data(TensorData::new(output, shape), &device);
        (output, context)
    }

    /// Samples a chunk in `steps` steps; see [`super::planning::sample_from`].
    ///
    /// # Errors
    /// If the device fails while a deadline is kept.
    pub fn sample(
        &mut self,
        model: &Mdt,
        config: &DiffusionConfig,
        steps: usize,
        context: &PackedContext,
        mut noise: SeededNoise,
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
            self.prepare(model, level, &device);
            if let Some(noise) = self.noise.get(&level.to_bits()) {
                self.denoiser.decode(&scaled, noise, context, &mut clean);
            }
            for (clean, noisy) in clean.iter_mut().zip(&noisy) {
                *clean = *clean * scalings.c_out as f32 + noisy * scalings.c_skip as f32;
            }
            Tensor::from_data(TensorData::new(clean, shape), &device)
        };
        let unit = noise.draw();
        let levels = levels(config, steps);
        let mut later = || noise.draw();
        descend(
            config,
            (steps, &levels),
            &mut denoise,
            (unit, &mut later),
            deadline,
        )
    }

    /// Computes what the blocks need of a level at its first use.
    fn prepare(&mut self, model: &Mdt, level: f64, device: &Device) {
        let key = level.to_bits();
        if self.noise.contains_key(&key) {
            return;
        }
        let level = Tensor::from_data(TensorData::new(vec![level as f32], [1]), device);
        let network = model.denoiser();
        let blocks = network.block_noise(&network.embed_sigma(level));
        if let Some(noise) = self.denoiser.noise(&blocks) {
            self.noise.insert(key, noise);
        }
    }
}
