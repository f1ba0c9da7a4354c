//! One step of the optimiser: two groups of tensors with rates of their own.

use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::checkpoint::file::Tensors;
use crate::training::gradients::GradientSet;
use crate::training::{AdamW, AdamWConfig, LearningRate};

/// Rates and decay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerConfig {
    /// Greatest rate.
    pub learning_rate: f32,
    /// The rate of pre-trained tensors as a share of it.
    pub pretrained_share: f32,
    /// Steps of warm-up, the first of which changes nothing.
    pub warm_up: u64,
    /// Step at which the rate has come down to zero.
    pub decay: u64,
    /// Decoupled weight decay, on every tensor.
    pub weight_decay: f32,
}

impl OptimizerConfig {
    /// The authors' training of the policy.
    pub const fn policy() -> Self {
        Self {
            learning_rate: 3e-4,
            pretrained_share: 0.1,
            warm_up: 2_000,
            decay: 2_000_000,
            weight_decay: 0.0,
        }
    }

    /// The authors' contrastive fine-tuning of CLIP.
    pub const fn contrastive() -> Self {
        Self {
            learning_rate: 3e-5,
            pretrained_share: 1.0,
            weight_decay: 1e-4,
            ..Self::policy()
        }
    }

    fn schedule(&self, share: f32) -> LearningRate {
        LearningRate::WarmupCosine {
            peak: self.learning_rate * share,
            warm_up: self.warm_up,
            total: self.decay,
        }
    }
}

/// Beginnings of the keys of both groups' moments.
const FRESH: &str = "fresh/";
const PRETRAINED: &str = "pretrained/";

/// Adam for both groups.
#[derive(Clone, Debug)]
pub struct Optimizer {
    /// Of tensors that start from nothing.
    pub fresh: AdamW,
    /// Of pre-trained tensors.
    pub pretrained: AdamW,
    config: OptimizerConfig,
    step: u64,
}

impl Optimizer {
    /// Without history.
    pub const fn new(config: OptimizerConfig) -> Self {
        let adam = AdamWConfig {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: config.weight_decay,
            decay_linear_only: false,
        };
        Self {
            fresh: AdamW::new(adam),
            pretrained: AdamW::new(adam),
            config,
            step: 0,
        }
    }

    /// After `step` steps that left `state` ([`Optimizer::state`]) behind.
    pub fn resume(config: OptimizerConfig, step: u64, state: &Tensors, device: &Device) -> Self {
        let mut optimizer = Self::new(config);
        let part = |start: &str| {
            let tensors = state.iter().filter_map(|(key, tensor)| {
                let key = key.strip_prefix(start)?;
                Some((key.to_owned(), tensor.clone()))
            });
            tensors.collect::<Tensors>()
        };
        let adam = optimizer.fresh.config;
        optimizer.fresh = AdamW::from_state(adam, &part(FRESH), device);
        optimizer.pretrained = AdamW::from_state(adam, &part(PRETRAINED), device);
        optimizer.step = step;
        optimizer
    }

    /// Moments of both groups.
    pub fn state(&self) -> Tensors {
        let parts = [(FRESH, &self.fresh), (PRETRAINED, &self.pretrained)];
        let parts = parts.into_iter().flat_map(|(start, adam)| {
            let tensors = adam.state().into_iter();
            tensors.map(move |(key, tensor)| (format!("{start}{key}"), tensor))
        });
        parts.collect()
    }

    /// Steps taken.
    pub const fn steps(&self) -> u64 {
        self.step
    }

    /// Rate of the next step for tensors that start from nothing.
    pub fn learning_rate(&self) -> f32 {
        self.config.schedule(1.0).at(self.step, 0)
    }

    /// The module after one step; `is_pretrained` names the slower group by path.
    pub fn step<M: Module>(
        &mut self,
        module: M,
        gradients: GradientSet,
        is_pretrained: impl Fn(&str) -> bool,
    ) -> M {
        let (pretrained, fresh) = gradients.partition(is_pretrained);
        let share = self.config.pretrained_share;
        let slow = self.config.schedule(share).at(self.step, 0);
        let module = self.fresh.step(module, fresh, self.learning_rate());
        let module = self.pretrained.step(module, pretrained, slow);
        self.step += 1;
        module
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::collections::BTreeMap;

    use burn::module::{Initializer, Param};
    use burn::tensor::{Device, Tensor};

    use super::*;
    use crate::golden::vec;

    #[derive(Module, Debug)]
    struct Two {
        old: Param<Tensor<1>>,
        new: Param<Tensor<1>>,
    }

    #[test]
    fn groups_have_rates_of_their_own_and_the_first_step_changes_nothing() {
        let device = Device::flex();
        let one = || Initializer::Ones.init([1], &device);
        let mut module = Two {
            old: one(),
            new: one(),
        };
        let gradients = || GradientSet {
            by_key: ["old", "new"]
                .map(|key| (key.to_owned(), Tensor::<1>::ones([1], &device)))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
        };
        let mut optimizer = Optimizer::new(OptimizerConfig {
            learning_rate: 0.1,
            pretrained_share: 0.5,
            warm_up: 1,
            decay: 1_000_000,
            weight_decay: 0.0,
        });
        module = optimizer.step(module, gradients(), |key| key == "old");
        assert_eq!(
            (vec(module.old.val()), vec(module.new.val())),
            (vec![1.0], vec![1.0])
        );
        module = optimizer.step(module, gradients(), |key| key == "old");
        assert!((vec(module.new.val())[0] - 0.9).abs() < 1e-5);
        assert!((vec(module.old.val())[0] - 0.95).abs() < 1e-5);
        assert_eq!(optimizer.steps(), 2);
    }
}
