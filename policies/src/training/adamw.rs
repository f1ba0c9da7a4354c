//! AdamW (Loshchilov and Hutter, arXiv 1711.05101) with its state under the tensors' own names, so
//! that a run can be stopped and resumed.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::gradients::GradientSet;
use crate::checkpoint::file::Tensors;
use crate::checkpoint::tree::Path;
use crate::host;
use crate::nn::kernels::in_place;
use crate::policy::WeightTensor;

/// Constants of [`AdamW`]. The defaults are those of MDT.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamWConfig {
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled weight decay, on every tensor that has a gradient.
    pub weight_decay: f32,
    /// Whether only matrices of linear layers decay: no biases, norms and tables.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub decay_linear_only: bool,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.9,
            epsilon: 1e-8,
            weight_decay: 0.05,
            decay_linear_only: false,
        }
    }
}

#[derive(Clone, Debug)]
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
    steps: u32,
}

/// The optimiser.
#[derive(Clone, Debug, Default)]
pub struct AdamW {
    /// Constants.
    pub config: AdamWConfig,
    moments: BTreeMap<String, Moments>,
}

struct Stepper<'a> {
    path: Path,
    optimiser: &'a mut AdamW,
    gradients: GradientSet,
    learning_rate: f32,
}

impl ModuleMapper for Stepper<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let key = self.path.key();
        let Some(grad) = self.gradients.by_key.remove(&key) else {
            return param;
        };
        let learning_rate = self.learning_rate;
        let decays = !self.optimiser.config.decay_linear_only || self.path.is_linear();
        let optimiser = &mut *self.optimiser;
        param.map(|tensor| {
            let require_grad = tensor.is_require_grad();
            let autodiff = tensor.is_autodiff();
            let shape = tensor.dims();
            let flat = if autodiff { tensor.inner() } else { tensor };
            let count = grad.dims()[0];
            let updated = optimiser
                .update(key, flat.reshape([count]), grad, learning_rate, decays)
                .reshape(shape);
            if autodiff {
                Tensor::from_inner(updated).set_require_grad(require_grad)
            } else {
                updated
            }
        })
    }
}

impl AdamW {
    /// An optimiser without history.
    pub const fn new(config: AdamWConfig) -> Self {
        Self {
            config,
            moments: BTreeMap::new(),
        }
    }

    /// One step. Tensors without a gradient stay as they are.
    pub fn step<M: Module>(&mut self, module: M, gradients: GradientSet, learning_rate: f32) -> M {
        module.map(&mut Stepper {
            path: Path::default(),
            optimiser: self,
            gradients,
            learning_rate,
        })
    }

    fn update(
        &mut self,
        key: String,
        tensor: Tensor<1>,
        grad: Tensor<1>,
        learning_rate: f32,
        decays: bool,
    ) -> Tensor<1> {
        let AdamWConfig {
            beta_1,
            beta_2,
            epsilon,
            weight_decay,
            ..
        } = self.config;
        let weight_decay = if decays { weight_decay } else { 0.0 };
        let moments = self.moments.remove(&key).unwrap_or_else(|| Moments {
            first: grad.zeros_like(),
            second: grad.zeros_like(),
            steps: 0,
        });
        let steps = moments.steps + 1;
        let correction_1 = 1.0 - f64::from(beta_1).powf(f64::from(steps));
        let correction_2 = 1.0 - f64::from(beta_2).powf(f64::from(steps));
        let step = AdamWStep {
            beta_1,
            beta_2,
            epsilon,
            correction_2: correction_2 as f32,
            rate: (f64::from(learning_rate) / correction_1) as f32,
            kept: 1.0 - learning_rate * weight_decay,
        };
        let [tensor, first, second] = step.apply([tensor, moments.first, moments.second], grad);
        self.moments.insert(
            key,
            Moments {
                first,
                second,
                steps,
            },
        );
        tensor
    }

    /// The state as tensors: `first/<key>`, `second/<key>` and `steps/<key>`.
    pub fn state(&self) -> Tensors {
        let values = |tensor: &Tensor<1>| WeightTensor {
            shape: tensor.dims().to_vec(),
            values: host::values(tensor.clone()),
        };
        let mut state = Tensors::new();
        for (key, moments) in &self.moments {
            state.insert(format!("first/{key}"), values(&moments.first));
            state.insert(format!("second/{key}"), values(&moments.second));
            state.insert(
                format!("steps/{key}"),
                WeightTensor {
                    shape: vec![1],
                    // Exact below 2^24 steps.
                    values: vec![moments.steps as f32],
                },
            );
        }
        state
    }

    /// An optimiser that goes on from [`AdamW::state`]. Keys that do not belong are skipped.
    pub fn from_state(config: AdamWConfig, state: &Tensors, device: &Device) -> Self {
        let device = device.clone().inner();
        let tensor = |part: &str, key: &str| -> Option<Tensor<1>> {
            let tensor = state.get(&format!("{part}/{key}"))?;
            let count = tensor.values.len();
            Some(Tensor::from_data(
                TensorData::new(tensor.values.clone(), [count]),
                &device,
            ))
        };
        let moments = state
            .iter()
            .filter_map(|(name, steps)| {
                let key = name.strip_prefix("steps/")?;
                Some((
                    key.to_owned(),
                    Moments {
                        first: tensor("first", key)?,
                        second: tensor("second", key)?,
                        steps: steps.values.first().copied().unwrap_or_default() as u32,
                    },
                ))
            })
            .collect();
        Self { config, moments }
    }
}

/// Constants of one step of one tensor.
#[derive(Clone, Copy)]
struct AdamWStep {
    beta_1: f32,
    beta_2: f32,
    epsilon: f32,
    /// Divides the second moment.
    correction_2: f32,
    /// Learning rate over the first moment's correction.
    rate: f32,
    /// Factor of the tensor.
    kept: f32,
}

impl AdamWStep {
    /// Tensor, first and second moment after the step.
    fn apply(self, all: [Tensor<1>; 3], grad: Tensor<1>) -> [Tensor<1>; 3] {
        let done = in_place(all, [&grad], |[tensor, first, second], [grad]| {
            let numbers = tensor.iter_mut().zip(first).zip(second).zip(grad);
            for (((tensor, first), second), grad) in numbers {
                *first = *first * self.beta_1 + grad * (1.0 - self.beta_1);
                *second = *second * self.beta_2 + grad * grad * (1.0 - self.beta_2);
                let root = (*second / self.correction_2).sqrt() + self.epsilon;
                *tensor = *tensor * self.kept - *first / root * self.rate;
            }
        });
        done.unwrap_or_else(|all| self.composed(all, grad))
    }

    /// The same out of burn's operations.
    fn composed(self, [tensor, first, second]: [Tensor<1>; 3], grad: Tensor<1>) -> [Tensor<1>; 3] {
        let first = first * self.beta_1 + grad.clone() * (1.0 - self.beta_1);
        let second = second * self.beta_2 + grad.square() * (1.0 - self.beta_2);
        let root = (second.clone() / self.correction_2).sqrt() + self.epsilon;
        let step = first.clone() / root * self.rate;
        [tensor * self.kept - step, first, second]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn one_pass_does_what_the_composed_operations_do() {
        let device = Device::flex();
        let random = || Tensor::<1>::random([100], Distribution::Uniform(0.1, 1.0), &device);
        let all = [random(), random(), random()];
        let grad = random() - 0.5;
        let step = AdamWStep {
            beta_1: 0.9,
            beta_2: 0.95,
            epsilon: 1e-3,
            correction_2: 0.3,
            rate: 0.1,
            kept: 0.99,
        };
        let ours = step.apply(all.clone(), grad.clone());
        for (ours, theirs) in ours.into_iter().zip(step.composed(all, grad)) {
            close("step", &vec(ours), &vec(theirs), 1e-6);
        }
    }
}
