//! Losses of the skill policy: implicit Q-learning with advantage-weighted regression (section 5
//! of the paper; Kostrikov et al., arXiv 2110.06169; Peng et al., arXiv 1910.00177).
//!
//! With z behind every observation:
//! - value: expectile regression of V(s, z) on the smaller slow critic;
//! - critic: Q(s, z, a) towards r + γ V(s′, z), r the progress of φ along z, with no end of
//!   episodes;
//! - actor: log-likelihood of the data's actions, weighted by exp(β · advantage), at most 100.

use burn::module::Module;
use burn::tensor::Tensor;

use super::Batch;
use super::config::SkillConfig;
use super::networks::{Actor, Trunk};
use crate::hilp::expectile::weights;
use crate::hilp::observations::Observations;
use crate::hilp::representation::members;
use crate::hilp::statistics::{Numbers, advantages, host, median};

/// Greatest weight of a sample in the actor's loss.
const GREATEST_WEIGHT: f32 = 100.0;

/// The three losses and what they were made of; all tensors but the losses are `[batch]`.
#[derive(Clone, Debug)]
pub struct SkillLosses {
    /// Loss of V(s, z), `[1]`.
    pub value_loss: Tensor<1>,
    /// Loss of Q(s, z, a), `[1]`.
    pub critic_loss: Tensor<1>,
    /// Loss of the actor, `[1]`.
    pub actor_loss: Tensor<1>,
    /// V(s, z).
    pub value: Tensor<1>,
    /// Smaller slow critic minus V(s, z).
    pub advantage: Tensor<1>,
    /// What the critics learn.
    pub critic_target: Tensor<1>,
    /// Weight of each sample in the actor's loss.
    pub weight: Tensor<1>,
    /// log π(a | s, z) of the data's actions.
    pub log_density: Tensor<1>,
    /// Mean squared difference of the actor's mean and the data's actions.
    pub squared_error: Tensor<1>,
}

/// The networks that learn skills, or how to reach goals.
#[derive(Clone, Copy, Debug)]
pub struct SkillNetworks<'a> {
    /// V(s, z), one member.
    pub value: &'a Trunk,
    /// Q(s, z, a), two members.
    pub critic: &'a Trunk,
    /// Slow copy of it.
    pub target_critic: &'a Trunk,
    /// π(a | s, z).
    pub actor: &'a Actor,
}

/// The losses of a batch for `skills`, `[batch, skill_dim]`, and `rewards`, `[batch]`. Returns go
/// on after every step, or where `goes_on`, `[batch]`, is 1 and not 0.
///
/// Where one network learns from another, the other one's current weights are taken and get no
/// gradient, so that the three losses do not mix.
pub fn losses(
    networks: SkillNetworks<'_>,
    config: &SkillConfig,
    batch: &Batch,
    skills: &Tensor<2>,
    rewards: Tensor<1>,
    goes_on: Option<Tensor<1>>,
) -> SkillLosses {
    let with_skill = |observations: &Observations| observations.clone().with(skills.clone());
    let with_action = || with_skill(&batch.observations).with(batch.actions.clone());

    let value = first(networks.value.scalars(with_skill(&batch.observations)));
    let [target_1, target_2] = members(networks.target_critic.valid().scalars(with_action()));
    let target = target_1.min_pair(target_2);
    let advantage = target.clone() - value.clone().inner();
    let weight = weights(advantage.clone(), config.skill_expectile);
    let value_loss = (weight * (target - value.clone()).square()).mean();

    let next = with_skill(&batch.next_observations);
    let next_value = first(networks.value.valid().scalars(next));
    let next_value = match goes_on {
        Some(goes_on) => next_value * goes_on,
        None => next_value,
    };
    let critic_target = rewards + next_value * config.skill_discount;
    let [critic_1, critic_2] = members(networks.critic.scalars(with_action()));
    let miss = |critic: Tensor<1>| (critic - critic_target.clone()).square();
    let critic_loss = (miss(critic_1) + miss(critic_2)).mean();

    let sharp = advantage.clone() * config.skill_temperature;
    let weight = sharp.exp().clamp_max(GREATEST_WEIGHT);
    let policy = networks
        .actor
        .forward(batch.observations.clone(), skills.clone(), 1.0);
    let log_density = policy.log_density(batch.actions.clone());
    let difference = policy.mean.inner() - batch.actions.clone();
    SkillLosses {
        value_loss,
        critic_loss,
        actor_loss: -(weight.clone() * log_density.clone()).mean(),
        value: value.inner(),
        advantage,
        critic_target,
        weight,
        log_density: log_density.inner(),
        squared_error: difference.square().mean_dim(1).squeeze_dim(1),
    }
}

/// The only member's row.
fn first(values: Tensor<2>) -> Tensor<1> {
    let [_, batch] = values.dims();
    values.narrow(0, 0, 1).reshape([batch])
}

impl SkillLosses {
    /// The sum of all three, `[1]`.
    pub fn total(&self) -> Tensor<1> {
        self.value_loss.clone() + self.critic_loss.clone() + self.actor_loss.clone()
    }

    /// Puts losses and statistics under the authors' names.
    pub fn report(&self, numbers: &mut Numbers) {
        let advantage = host(self.advantage.clone());
        let values = host(self.value.clone());
        advantages(numbers, "skill_value", &values, &advantage);
        numbers.put_range("skill_critic/q", &host(self.critic_target.clone()));
        numbers.put("skill_actor/adv_median", &[median(&advantage)]);
        numbers.put("skill_actor/adv", &advantage);
        for (name, tensor) in [
            ("skill_value/value_loss", &self.value_loss),
            ("skill_critic/critic_loss", &self.critic_loss),
            ("skill_actor/actor_loss", &self.actor_loss),
            ("skill_actor/bc_log_probs", &self.log_density),
            ("skill_actor/mse", &self.squared_error),
        ] {
            numbers.put(name, &host(tensor.clone()));
        }
    }
}
