//! The authors' full-size networks with random weights, as benchmarks run them.

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::config::{DenoiserConfig, DiffusionConfig, MdtConfig};
use super::denoiser::Denoiser;
use super::loss::normals;
use super::packed::PackedContext;
use super::packed_planner::PackedPlanner;
use super::planning::levels;
use crate::checkpoint::collect;
use crate::checkpoint::file::Tensors;
use crate::error::PolicyError;
use crate::host;
use crate::nn::kernels::Precision;
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

/// How a chunk is planned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Way {
    /// How exactly the weights are kept.
    pub precision: Precision,
    /// Denoising steps.
    pub steps: usize,
    /// Greatest noise level; the authors' if `None`.
    pub sigma_max: Option<f64>,
}

/// One agent's denoiser on the CPU, and a chunk to plan.
pub struct ChunkCase {
    planner: PackedPlanner,
    context: PackedContext,
    config: DenoiserConfig,
    diffusion: DiffusionConfig,
    tokens: Vec<f32>,
    start: Tensor<3>,
}

impl ChunkCase {
    /// Random weights. If `exported`, also the tensors for others to compute the same from: weights
    /// under our keys and the case under `case.`. `None` only if the network cannot be packed.
    ///
    /// # Errors
    /// If the device fails.
    pub fn new(
        agent: Agent,
        way: Way,
        seed: u64,
        exported: bool,
    ) -> Result<Option<(Self, Option<Tensors>)>, PolicyError> {
        let device = Device::flex();
        device.seed(seed);
        let config = agent.denoiser();
        let paper = MdtConfig::paper().diffusion;
        let diffusion = DiffusionConfig {
            steps: way.steps,
            sigma_max: way.sigma_max.unwrap_or(paper.sigma_max),
            ..paper
        };
        let network = Denoiser::new(&config, &device);
        let Some(mut planner) = PackedPlanner::new(&network, way.precision) else {
            return Ok(None);
        };
        for level in levels(&diffusion, diffusion.steps) {
            if level > 0.0 {
                planner.prepare(&network, level, &device);
            }
        }
        let weights = exported.then(|| collect(&network, 0).tensors);
        drop(network);

        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let tokens = normals(agent.tokens() * config.width, &mut rng);
        let start = normals(config.horizon * config.action_dim, &mut rng);
        let shape = [1, config.horizon, config.action_dim];
        let start = Tensor::from_data(TensorData::new(start, shape), &device) * diffusion.sigma_max;
        let (output, context) = planner.project(&tokens);
        let mut case = Self {
            planner,
            context,
            diffusion,
            tokens,
            start,
            config,
        };
        let tensors = match weights {
            Some(weights) => {
                let width = vec![1, agent.tokens(), case.config.width];
                let mut tensors = (*weights).clone();
                for (name, shape, values) in [
                    ("start", shape.to_vec(), host::values(case.start.clone())),
                    ("context", width, output),
                    ("chunk", shape.to_vec(), case.chunk()?),
                ] {
                    tensors.insert(format!("case.{name}"), WeightTensor { shape, values });
                }
                Some(tensors)
            }
            None => None,
        };
        Ok(Some((case, tensors)))
    }

    /// Plans the chunk: all denoising steps, from a given context.
    ///
    /// # Errors
    /// If the device fails.
    pub fn chunk(&mut self) -> Result<Vec<f32>, PolicyError> {
        let (config, start) = (&self.diffusion, self.start.clone());
        let way = (config, config.steps);
        let sampled = self.planner.sample_prepared(way, &self.context, start)?;
        Ok(host::values(sampled.actions))
    }

    /// The encoder and the projection of keys and values.
    pub fn encode(&mut self) {
        (_, self.context) = self.planner.project(&self.tokens);
    }

    /// Bytes of weights that one denoising step reads.
    pub fn bytes_per_step(&self) -> usize {
        self.planner.bytes_per_step()
    }

    /// What others need beside the tensors, as JSON.
    pub fn description(&self) -> String {
        serde_json::json!({
            "heads": self.config.heads,
            "layers": self.config.decoder_layers,
            "sigma_data": self.diffusion.sigma_data,
            "sigmas": levels(&self.diffusion, self.diffusion.steps),
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
