//! Between a module and [`Weights`]: tensors by dotted path.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use crate::error::CheckpointError;
use crate::host;
use crate::policy::{WeightTensor, Weights};

/// One tensor that a module holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Dotted path.
    pub key: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Whether it is the matrix of a linear layer, which PyTorch holds transposed.
    pub linear: bool,
}

/// Follows a traversal. Enum variants do not count as a level.
#[derive(Default)]
pub(crate) struct Path {
    levels: Vec<Level>,
}

struct Level {
    name: Option<String>,
    of_linear: bool,
}

impl Path {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        self.levels.push(Level {
            name: (!container.starts_with("Enum:")).then(|| name.to_owned()),
            of_linear: container == "Struct:Linear" && name == "weight",
        });
    }
    pub(crate) fn exit(&mut self) {
        self.levels.pop();
    }
    pub(crate) fn key(&self) -> String {
        let names = self.levels.iter().filter_map(|level| level.name.as_deref());
        names.collect::<Vec<_>>().join(".")
    }
    pub(crate) fn is_linear(&self) -> bool {
        self.levels.last().is_some_and(|level| level.of_linear)
    }
}

#[derive(Default)]
struct SpecVisitor {
    path: Path,
    specs: Vec<TensorSpec>,
}

impl ModuleVisitor for SpecVisitor {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.specs.push(TensorSpec {
            key: self.path.key(),
            shape: param.lazy_shape().to_vec(),
            linear: self.path.is_linear(),
        });
    }
}

/// All tensors of a module, in its order.
pub fn specs<M: Module>(module: &M) -> Vec<TensorSpec> {
    let mut visitor = SpecVisitor::default();
    module.visit(&mut visitor);
    visitor.specs
}

#[derive(Default)]
struct Collector {
    path: Path,
    tensors: BTreeMap<String, WeightTensor>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let weights = WeightTensor {
            shape: tensor.dims().to_vec(),
            values: host::values(tensor),
        };
        self.tensors.insert(self.path.key(), weights);
    }
}

/// Copies a module's tensors.
pub fn collect<M: Module>(module: &M, generation: u64) -> Weights {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    Weights {
        tensors: Arc::new(collector.tensors),
        generation,
    }
}

struct Applier<'a> {
    path: Path,
    tensors: &'a BTreeMap<String, WeightTensor>,
}

impl ModuleMapper for Applier<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(tensor) = self.tensors.get(&self.path.key()) else {
            return param;
        };
        let data = TensorData::new(tensor.values.clone(), tensor.shape.clone());
        let device = param.lazy_device();
        let id = param.id;
        param.transform_for_load(Tensor::from_data(data, &device), id)
    }
}

/// The module with the given tensors instead of its own.
///
/// # Errors
/// If a key is missing or unknown, a shape differs or a value is not finite; `origin` names the
/// source in the message. The module is consumed only on success of the checks, so clone it before
/// if it must survive.
pub fn apply<M: Module>(
    module: M,
    weights: &Weights,
    origin: &FilePath,
) -> Result<M, CheckpointError> {
    check(&specs(&module), weights, origin)?;
    Ok(module.map(&mut Applier {
        path: Path::default(),
        tensors: &weights.tensors,
    }))
}

/// Whether `weights` are exactly the tensors of `specs`, all finite.
///
/// # Errors
/// As [`apply`].
pub fn check(
    specs: &[TensorSpec],
    weights: &Weights,
    origin: &FilePath,
) -> Result<(), CheckpointError> {
    let path = || origin.to_path_buf();
    for spec in specs {
        let Some(tensor) = weights.tensors.get(&spec.key) else {
            return Err(CheckpointError::MissingKey {
                path: path(),
                key: spec.key.clone(),
                expected: spec.shape.clone(),
            });
        };
        let count = spec.shape.iter().product::<usize>();
        if tensor.shape != spec.shape || tensor.values.len() != count {
            return Err(CheckpointError::Shape {
                path: path(),
                key: spec.key.clone(),
                expected: spec.shape.clone(),
                found: tensor.shape.clone(),
            });
        }
        if tensor.values.iter().any(|value| !value.is_finite()) {
            return Err(CheckpointError::NonFinite {
                path: path(),
                key: spec.key.clone(),
            });
        }
    }
    let known = specs
        .iter()
        .map(|spec| spec.key.as_str())
        .collect::<BTreeSet<_>>();
    match weights
        .tensors
        .keys()
        .find(|key| !known.contains(key.as_str()))
    {
        Some(key) => Err(CheckpointError::UnknownKey {
            path: path(),
            key: key.clone(),
        }),
        None => Ok(()),
    }
}
