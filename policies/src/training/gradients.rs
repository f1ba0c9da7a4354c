//! Gradients of a module by dotted path.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use crate::checkpoint::tree::Path;
use crate::host;
use crate::nn::kernels::square_sum;

/// One flat gradient per tensor that has one. Tensors outside the graph have none and are left
/// alone by the optimiser.
#[derive(Clone, Debug, Default)]
pub struct GradientSet {
    /// By dotted path.
    pub by_key: BTreeMap<String, Tensor<1>>,
}

struct Taker<'a, F> {
    path: Path,
    grads: &'a mut Gradients,
    wanted: F,
    set: GradientSet,
}

impl<F: Fn(&str) -> bool> ModuleVisitor for Taker<'_, F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let key = self.path.key();
        if !(self.wanted)(&key) {
            return;
        }
        if let Some(grad) = param.val().grad_remove(self.grads) {
            let count = grad.shape().num_elements();
            self.set.by_key.insert(key, grad.reshape([count]));
        }
    }
}

impl GradientSet {
    /// Takes the gradients of `module`'s tensors whose path is `wanted`.
    pub fn take<M: Module>(
        module: &M,
        mut grads: Gradients,
        wanted: impl Fn(&str) -> bool,
    ) -> Self {
        let mut taker = Taker {
            path: Path::default(),
            grads: &mut grads,
            wanted,
            set: Self::default(),
        };
        module.visit(&mut taker);
        taker.set
    }

    /// Euclidean norm over all tensors; NaN or infinite if any number is.
    pub fn norm(&self) -> f32 {
        let sums = self.by_key.values().map(square_sum);
        if let Some(sums) = sums.collect::<Option<Vec<_>>>() {
            return sums.into_iter().sum::<f64>().sqrt() as f32;
        }
        let squares = self
            .by_key
            .values()
            .map(|grad| grad.clone().square().sum())
            .collect::<Vec<_>>();
        if squares.is_empty() {
            return 0.0;
        }
        // One read from the device for all tensors.
        let squares = host::values(Tensor::cat(squares, 0));
        squares.into_iter().map(f64::from).sum::<f64>().sqrt() as f32
    }

    /// The sum with another set.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        for (key, grad) in other.by_key {
            let sum = match self.by_key.remove(&key) {
                Some(own) => own + grad,
                None => grad,
            };
            self.by_key.insert(key, sum);
        }
        self
    }

    /// The gradients whose path starts with `prefix`, and the others.
    #[must_use]
    pub fn split(self, prefix: &str) -> (Self, Self) {
        self.partition(|key| key.starts_with(prefix))
    }

    /// The gradients whose path is `wanted`, and the others.
    #[must_use]
    pub fn partition(self, wanted: impl Fn(&str) -> bool) -> (Self, Self) {
        let (first, second) = self.by_key.into_iter().partition(|(key, _)| wanted(key));
        (Self { by_key: first }, Self { by_key: second })
    }

    /// All gradients times `factor`.
    #[must_use]
    pub fn scaled(self, factor: f32) -> Self {
        Self {
            by_key: self
                .by_key
                .into_iter()
                .map(|(key, grad)| (key, grad * factor))
                .collect(),
        }
    }
}
