//! The authors' full-size networks with random weights, as benchmarks run them.

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::config::{DenoiserConfig, MdtConfig};
use super::denoiser::Denoiser;
use super::loss::normals;
use super::packed::{PackedContext, PackedDenoiser};
use super::packed_sampler::{PackedLadder, sample};
use crate::checkpoint::collect;
use crate::checkpoint::file::Tensors;
use crate::nn::{Perceiver, PerceiverConfig, ResNet, ResNetConfig};
use crate::policy::WeightTensor;
use crate::voltron::{VCond, VCondConfig};

/// Which of the authors' two agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// Two ResNet-18, model width 512.
    Mdt,
    /// Voltron and a perceiver, model width 384.
    MdtV,
}

impl Agent {
    fn denoiser(self) -> DenoiserConfig {
        match self {
            Self::Mdt => MdtConfig::paper().denoiser,
            Self::MdtV => MdtConfig::paper_v().denoiser,
        }
    }

    /// Tokens of the encoder: the goal's and the views'.
    const fn tokens(self) -> usize {
        match self {
            Self::Mdt => 3,
            Self::MdtV => 4,
        }
    }
}

/// One agent's denoiser on the CPU, and a chunk to plan.
pub struct ChunkCase {
    packed: PackedDenoiser,
    ladder: PackedLadder,
    context: PackedContext,
    config: DenoiserConfig,
    sigma_data: f64,
    tokens: Vec<f32>,
    start: Vec<f32>,
}

impl ChunkCase {
    /// Random weights. If `exported`, also the tensors for others to compute the same from: weights
    /// under our keys and the case under `case.`. `None` only if the network cannot be packed.
    pub fn new(agent: Agent, seed: u64, exported: bool) -> Option<(Self, Option<Tensors>)> {
        let device = Device::flex();
        device.seed(seed);
        let config = agent.denoiser();
        let diffusion = MdtConfig::paper().diffusion;
        let network = Denoiser::new(&config, &device);
        let mut packed = PackedDenoiser::new(&network)?;
        let steps = diffusion.steps;
        let ladder = PackedLadder::new(&network, &packed, &diffusion, steps, &device)?;
        let tensors = exported.then(|| collect(&network, 0).tensors);
        drop(network);

        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let tokens = normals(agent.tokens() * config.width, &mut rng);
        let start = normals(config.horizon * config.action_dim, &mut rng);
        let scale = diffusion.sigma_max as f32;
        let start = start.iter().map(|value| value * scale).collect::<Vec<_>>();
        let output = packed.encode(&tokens);
        let context = packed.project(&output);
        let mut case = Self {
            packed,
            ladder,
            context,
            sigma_data: diffusion.sigma_data,
            tokens,
            start: start.clone(),
            config,
        };
        let tensors = tensors.map(|weights| {
            let actions = vec![1, case.config.horizon, case.config.action_dim];
            let width = vec![1, agent.tokens(), case.config.width];
            let mut tensors = (*weights).clone();
            for (name, shape, values) in [
                ("start", actions.clone(), start),
                ("context", width, output),
                ("chunk", actions, case.chunk()),
            ] {
                tensors.insert(format!("case.{name}"), WeightTensor { shape, values });
            }
            tensors
        });
        Some((case, tensors))
    }

    /// Plans the chunk: all denoising steps, from a given context.
    pub fn chunk(&mut self) -> Vec<f32> {
        sample(&mut self.packed, &self.ladder, &self.context, &self.start)
    }

    /// The encoder and the projection of keys and values.
    pub fn encode(&mut self) {
        let output = self.packed.encode(&self.tokens);
        self.context = self.packed.project(&output);
    }

    /// Bytes of weights that one denoising step reads.
    pub fn bytes_per_step(&self) -> usize {
        self.packed.bytes_per_step()
    }

    /// What others need beside the tensors, as JSON.
    pub fn description(&self) -> String {
        serde_json::json!({
            "heads": self.config.heads,
            "layers": self.config.decoder_layers,
            "sigma_data": self.sigma_data,
            "sigmas": self.ladder.sigmas(),
        })
        .to_string()
    }
}

/// One agent's image encoders on the CPU, and one observation.
pub enum ImageCase {
    /// MDT's.
    Cameras(Vec<(ResNet, Tensor<4>)>),
    /// MDT-V's.
    Latents(VCond, Perceiver, Tensor<4>),
}

impl ImageCase {
    /// Random weights and images.
    pub fn new(agent: Agent) -> Self {
        let device = Device::flex();
        let images = |count: usize, side: usize| {
            let normal = Distribution::Normal(0.0, 1.0);
            Tensor::random([count, side, side, 3], normal, &device)
        };
        match agent {
            Agent::Mdt => {
                let camera = |side: usize| {
                    let encoder = ResNet::new(&ResNetConfig::resnet18(), 512, 512, &device);
                    (encoder, images(1, side))
                };
                Self::Cameras(vec![camera(224), camera(84)])
            }
            Agent::MdtV => Self::Latents(
                VCond::new(&VCondConfig::small(), &device),
                Perceiver::new(&PerceiverConfig::mdt_v(), &device),
                images(2, VCondConfig::small().resolution),
            ),
        }
    }

    /// Encodes both cameras' images.
    pub fn encode(&self) -> Vec<TensorData> {
        match self {
            Self::Cameras(cameras) => cameras
                .iter()
                .map(|(encoder, images)| encoder.forward(images.clone(), None).into_data())
                .collect(),
            Self::Latents(encoder, perceiver, images) => {
                let tokens = encoder.forward(images.clone());
                let [views, count, width] = tokens.dims();
                let tokens = tokens.reshape([1, 1, views * count, width]);
                vec![perceiver.forward(tokens, None).into_data()]
            }
        }
    }
}
