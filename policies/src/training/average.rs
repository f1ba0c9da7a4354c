//! Moving average of weights.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::checkpoint::tree::Path;
use crate::host;
use crate::nn::kernels::in_place;
use crate::policy::{WeightTensor, Weights};

/// Decay of an [`Average`]: at step `k` (from 1), `1 - k^(-power)`, at most `max`. The defaults are
/// what the authors' training of MDT does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AverageConfig {
    /// Exponent of the warm-up.
    pub power: f32,
    /// Greatest decay.
    pub max: f32,
}

impl Default for AverageConfig {
    fn default() -> Self {
        Self {
            power: 2.0 / 3.0,
            max: 0.9999,
        }
    }
}

impl AverageConfig {
    /// Decay at step `k`, counted from 1.
    pub fn decay(&self, k: u64) -> f32 {
        let k = k.max(1) as f64;
        (1.0 - k.powf(-f64::from(self.power))).clamp(0.0, f64::from(self.max)) as f32
    }
}

/// The average of a module's tensors.
#[derive(Clone, Debug)]
pub struct Average {
    tensors: BTreeMap<String, (Vec<usize>, Tensor<1>)>,
}

struct Walker<F> {
    path: Path,
    each: F,
}

impl<F: FnMut(String, Vec<usize>, Tensor<1>)> ModuleVisitor for Walker<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let tensor = if tensor.is_autodiff() {
            tensor.inner()
        } else {
            tensor
        };
        let count = shape.iter().product::<usize>();
        (self.each)(self.path.key(), shape, tensor.reshape([count]));
    }
}

/// Calls `each` with path, shape and flat values of every tensor of a module, outside any graph.
pub(super) fn walk<M: Module>(module: &M, each: impl FnMut(String, Vec<usize>, Tensor<1>)) {
    module.visit(&mut Walker {
        path: Path::default(),
        each,
    });
}

/// `average + (tensor - average) * rate`: in this form a tensor that does not learn stays the same to
/// the bit.
fn follow(average: Tensor<1>, tensor: Tensor<1>, rate: f32) -> Tensor<1> {
    let done = in_place([average], [&tensor], |[average], [tensor]| {
        for (average, tensor) in average.iter_mut().zip(tensor) {
            *average += (tensor - *average) * rate;
        }
    });
    match done {
        Ok([average]) => average,
        Err([average]) => average.clone() + (tensor - average) * rate,
    }
}

impl Average {
    /// Equal to the module.
    pub fn of<M: Module>(module: &M) -> Self {
        let mut tensors = BTreeMap::new();
        walk(module, |key, shape, tensor| {
            tensors.insert(key, (shape, tensor));
        });
        Self { tensors }
    }

    /// `average <- decay * average + (1 - decay) * module`.
    pub fn update<M: Module>(&mut self, module: &M, decay: f32) {
        walk(module, |key, shape, tensor| {
            let next = match self.tensors.remove(&key) {
                Some((_, average)) => follow(average, tensor, 1.0 - decay),
                None => tensor,
            };
            self.tensors.insert(key, (shape, next));
        });
    }

    /// A copy on the CPU.
    pub fn weights(&self, generation: u64) -> Weights {
        let tensors = self
            .tensors
            .iter()
            .map(|(key, (shape, tensor))| {
                let weights = WeightTensor {
                    shape: shape.clone(),
                    values: host::values(tensor.clone()),
                };
                (key.clone(), weights)
            })
            .collect();
        Weights {
            tensors: Arc::new(tensors),
            generation,
        }
    }

    /// Equal to `weights`.
    pub fn from_weights(weights: &Weights, device: &Device) -> Self {
        let device = device.clone().inner();
        let tensors = weights
            .tensors
            .iter()
            .map(|(key, tensor)| {
                let count = tensor.values.len();
                let data = TensorData::new(tensor.values.clone(), [count]);
                let flat = Tensor::from_data(data, &device);
                (key.clone(), (tensor.shape.clone(), flat))
            })
            .collect();
        Self { tensors }
    }
}
