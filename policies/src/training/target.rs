//! Slow copies of networks, which losses regress on (Polyak averaging).

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use super::average::walk;
use crate::checkpoint::tree::Path;

/// `target <- rate * online + (1 - rate) * target`, tensor by tensor. Tensors that `online` lacks
/// stay as they are.
pub fn follow<M: Module>(target: M, online: &M, rate: f32) -> M {
    let mut tensors = BTreeMap::new();
    walk(online, |key, _, tensor| {
        tensors.insert(key, tensor);
    });
    target.map(&mut Follower {
        path: Path::default(),
        online: tensors,
        rate,
    })
}

struct Follower {
    path: Path,
    online: BTreeMap<String, Tensor<1>>,
    rate: f32,
}

impl ModuleMapper for Follower {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(online) = self.online.remove(&self.path.key()) else {
            return param;
        };
        let rate = self.rate;
        param.map(|tensor| {
            let require_grad = tensor.is_require_grad();
            let autodiff = tensor.is_autodiff();
            let shape = tensor.dims();
            let updated = online.reshape(shape) * rate + tensor.inner() * (1.0 - rate);
            if autodiff {
                updated.autodiff().set_require_grad(require_grad)
            } else {
                updated
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use burn::nn::Linear;
    use burn::tensor::Device;

    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn a_share_of_the_new_weights_is_taken() {
        for device in [Device::flex(), Device::flex().autodiff()] {
            let layer = |weight: f32, bias: f32| Linear {
                weight: Param::from_data([[weight]], &device),
                bias: Some(Param::from_data([bias], &device)),
            };
            let target = follow(layer(1.0, 0.0), &layer(3.0, 4.0), 0.25);
            close("weight", &vec(target.weight.val()), &[1.5], 1e-6);
            close("bias", &vec(target.bias.unwrap().val()), &[1.0], 1e-6);
        }
    }
}
