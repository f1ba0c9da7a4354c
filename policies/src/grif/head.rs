//! The policy head: encoding to a distribution of actions.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::distribution::ActionDistribution;
use super::dropout::KeepMasks;
use super::mlp::{Mlp, MlpConfig, linear_glorot};
use crate::nn::Activation;

/// Where the standard deviation comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdKind {
    /// These numbers, one per action number.
    Fixed(Vec<f32>),
    /// Learned numbers, the same for every observation.
    Learned,
    /// A layer of its own.
    OfState,
}

/// Shape of a [`PolicyHead`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadConfig {
    /// Numbers of the hidden layers, each with swish.
    pub hidden: Vec<usize>,
    /// Numbers of an action.
    pub actions: usize,
    /// Standard deviation.
    pub std: StdKind,
    /// Whether actions are squashed by tanh.
    pub tanh: bool,
    /// Share of the hidden numbers that training drops.
    pub dropout: f64,
}

/// Bounds of the logarithm of the standard deviation.
const LOG_STD: (f64, f64) = (-20.0, 2.0);

impl HeadConfig {
    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        if self.actions == 0 {
            return Some("actions of no numbers".into());
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Some(format!("a dropout of {}", self.dropout));
        }
        if let StdKind::Fixed(std) = &self.std
            && (std.len() != self.actions || std.iter().any(|std| std.is_nan() || *std <= 0.0))
        {
            return Some(format!(
                "standard deviations {std:?} for {} action numbers: each must be above 0",
                self.actions
            ));
        }
        self.mlp().problem()
    }

    fn mlp(&self) -> MlpConfig {
        MlpConfig {
            hidden: self.hidden.clone(),
            activation: Activation::Swish,
            activate_final: true,
        }
    }
}

/// The head.
#[derive(Module, Debug)]
pub struct PolicyHead {
    /// Hidden layers.
    pub mlp: Mlp,
    /// Mean, and logarithm of the standard deviation if it depends on the state.
    pub dense: Vec<Linear>,
    /// Logarithm of the standard deviation if it is learned, `[action]`.
    pub log_stds: Option<Param<Tensor<1>>>,
    #[module(skip)]
    config: HeadConfig,
}

impl PolicyHead {
    /// Glorot-uniform weights, those of the last layers a tenth as large.
    pub fn new(config: &HeadConfig, input: usize, device: &Device) -> Self {
        let width = config.hidden.last().copied().unwrap_or(input);
        let layers = if config.std == StdKind::OfState { 2 } else { 1 };
        let last = |_| linear_glorot(width, config.actions, 0.1, device);
        Self {
            mlp: Mlp::new(&config.mlp(), input, device),
            dense: (0..layers).map(last).collect(),
            log_stds: (config.std == StdKind::Learned)
                .then(|| Initializer::Zeros.init([config.actions], device)),
            config: config.clone(),
        }
    }

    /// `[batch, input]` to a distribution. The temperature divides the logarithm of the standard
    /// deviation, so that a deviation of one is not changed by it.
    pub fn forward(
        &self,
        encoding: Tensor<2>,
        temperature: f64,
        dropout: Option<&KeepMasks<2>>,
    ) -> ActionDistribution {
        let hidden = self.mlp.forward(encoding, dropout);
        let output = |index: usize| self.dense[index].forward(hidden.clone());
        let mean = output(0);
        let log_std = match (&self.config.std, &self.log_stds) {
            (StdKind::Fixed(std), _) => {
                let logs = std.iter().map(|std| std.ln()).collect::<Vec<_>>();
                let data = TensorData::new(logs, [1, std.len()]);
                Tensor::from_data(data, &mean.device())
            }
            (_, Some(logs)) => logs.val().unsqueeze(),
            _ => output(1),
        };
        let log_std = log_std.clamp(LOG_STD.0, LOG_STD.1) / temperature;
        let shape = mean.dims();
        ActionDistribution {
            mean,
            log_std: log_std.expand(shape),
            squash: self.config.tanh,
        }
    }

    /// Widths of the layers that dropout follows.
    pub fn widths(&self) -> &[usize] {
        &self.config.hidden
    }

    /// Share of the hidden numbers that training drops.
    pub const fn dropout(&self) -> f64 {
        self.config.dropout
    }
}
