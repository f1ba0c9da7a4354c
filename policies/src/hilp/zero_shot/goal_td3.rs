//! Goal-conditioned TD3, which HILP was compared with (Fujimoto et al., arXiv 1802.09477), as its
//! authors wrote it: the critics give a vector as wide as the goal, of which the mean counts, and
//! nothing is delayed.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::agent::UpdateReport;
use super::forward_backward::StateBatch;
use super::networks::{Actor, Sizes, Successor};
use super::noise::Noise;
use crate::error::LearnError;
use crate::hilp::goal_conditioned::agent::ADAM;
use crate::hilp::statistics::{Numbers, host};
use crate::training::AdamW;
use crate::training::gradients::GradientSet;
use crate::training::target::follow;

/// States closer than this are the goal.
const SAME_STATE: f32 = 1e-6;

/// Constants of the losses. The defaults are the authors'.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoalTd3Config {
    /// Learning rate of Adam.
    pub learning_rate: f32,
    /// Share of the new weights in the slow critic, per update.
    pub target_rate: f32,
    /// The actor's noise.
    pub noise: Noise,
}

impl Default for GoalTd3Config {
    fn default() -> Self {
        Self {
            learning_rate: 1e-4,
            target_rate: 0.01,
            noise: Noise {
                deviation: 0.2,
                clip: 0.3,
            },
        }
    }
}

/// All networks. Goals are states.
#[derive(Module, Debug)]
pub struct GoalTd3 {
    /// π(s, g).
    pub actor: Actor,
    /// Q(s, g, a), two estimates.
    pub critic: Successor,
    /// Slow copy of it.
    pub critic_target: Successor,
}

impl GoalTd3 {
    /// Fresh networks.
    pub fn new(sizes: &Sizes, device: &Device) -> Self {
        let critic = Successor::new(sizes, sizes.skill, device);
        Self {
            actor: Actor::new(sizes, device),
            critic_target: critic.clone(),
            critic,
        }
    }
}

/// A learner of goals.
#[derive(Clone, Debug)]
pub struct GoalTd3Agent {
    config: GoalTd3Config,
    networks: GoalTd3,
    optimiser: AdamW,
}

impl GoalTd3Agent {
    /// A learner that starts from `networks`, which must be on a device with gradients.
    pub const fn new(config: GoalTd3Config, networks: GoalTd3) -> Self {
        Self {
            config,
            networks,
            optimiser: AdamW::new(ADAM),
        }
    }

    /// The networks.
    pub const fn networks(&self) -> &GoalTd3 {
        &self.networks
    }

    /// The optimiser, for its state.
    pub const fn optimiser(&self) -> &AdamW {
        &self.optimiser
    }

    /// One update with unit normal numbers for the next action and for the actor's,
    /// `[batch, action]` each: critics, then the actor, then the slow critic.
    ///
    /// # Errors
    /// If a loss is not finite; nothing has changed then.
    pub fn update_with(
        &mut self,
        batch: &StateBatch,
        next_noise: Tensor<2>,
        actor_noise: Tensor<2>,
    ) -> Result<UpdateReport, LearnError> {
        let mut numbers = Numbers::default();
        let loss = self.critic_loss(batch, next_noise, &mut numbers);
        let gradients = GradientSet::take(&self.networks, loss.backward(), |_| true);
        let rate = self.config.learning_rate;
        let mut optimiser = self.optimiser.clone();
        let mut stepped = optimiser.step(self.networks.clone(), gradients.clone(), rate);
        let loss = self.actor_loss(&stepped, batch, actor_noise, &mut numbers);
        let (actor, _) = GradientSet::take(&stepped, loss.backward(), |_| true).split("actor.");
        if let Some(name) = numbers.not_finite() {
            return Err(LearnError::NonFinite {
                what: "a loss or a statistic",
                objective: format!("goal-conditioned TD3 ({name})"),
            });
        }
        stepped = optimiser.step(stepped, actor.clone(), rate);
        let rate = self.config.target_rate;
        stepped.critic_target = follow(stepped.critic_target, &stepped.critic, rate);
        self.networks = stepped;
        self.optimiser = optimiser;
        let gradients = gradients.plus(actor);
        Ok(UpdateReport { numbers, gradients })
    }

    fn critic_loss(
        &self,
        batch: &StateBatch,
        noise: Tensor<2>,
        numbers: &mut Numbers,
    ) -> Tensor<1> {
        let frozen = self.networks.valid();
        let (next, goals) = (batch.next.clone(), batch.goals.clone());
        let mean = frozen.actor.forward(next.clone(), goals.clone());
        let action = self.config.noise.around(mean, noise);
        let [first, second] = frozen.critic_target.forward(next, goals.clone(), action);
        let following = first.min_pair(second);
        let distance = (batch.states.clone() - goals.clone()).square();
        let reached = distance.sum_dim(1).sqrt().lower_elem(SAME_STATE).float();
        let discounts: Tensor<2> = batch.discounts.clone().unsqueeze_dim(1);
        let onwards = reached.clone() * -1.0 + 1.0;
        let target = discounts * onwards * following + (reached - 1.0);

        let (states, actions) = (batch.states.clone(), batch.actions.clone());
        let estimates = self.networks.critic.forward(states, goals, actions);
        for (name, tensor) in [
            ("critic_target_q", &target),
            ("critic_q1", &estimates[0]),
            ("critic_q2", &estimates[1]),
        ] {
            numbers.put(name, &host(tensor.clone()));
        }
        let [first, second] = estimates.map(|estimate| (estimate - target.clone()).square().mean());
        let loss = first + second;
        numbers.put("critic_loss", &host(loss.clone()));
        loss
    }

    fn actor_loss(
        &self,
        networks: &GoalTd3,
        batch: &StateBatch,
        normals: Tensor<2>,
        numbers: &mut Numbers,
    ) -> Tensor<1> {
        let (states, goals) = (batch.states.clone(), batch.goals.clone());
        let mean = networks.actor.forward(states.clone(), goals.clone());
        let [_, width] = mean.dims();
        let noise = self.config.noise;
        let action = noise.around(mean.clone(), normals);
        let density = noise.log_density(mean.inner(), action.clone().inner());
        let [first, second] = networks.critic.forward(states, goals, action);
        let loss = -first.min_pair(second).mean();
        numbers.put("actor_loss", &host(loss.clone()));
        numbers.put("actor_logprob", &host(density));
        numbers.put("actor_ent", &[noise.entropy() * width as f32]);
        numbers.put("stdev", &[noise.deviation]);
        loss
    }
}
