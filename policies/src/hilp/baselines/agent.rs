//! One update at a time.

use burn::tensor::Tensor;

use super::config::BaselineConfig;
use super::networks::{Critics, Networks};
use crate::error::LearnError;
use crate::hilp::goal_conditioned::agent::ADAM;
use crate::hilp::goal_conditioned::skill_losses::{self, SkillNetworks};
use crate::hilp::goal_conditioned::{Batch, UpdateReport};
use crate::hilp::observations::Observations;
use crate::hilp::statistics::{Numbers, host};
use crate::training::AdamW;
use crate::training::gradients::GradientSet;
use crate::training::target::follow;

/// A learner of a policy that reads its goal.
#[derive(Clone, Debug)]
pub struct BaselineAgent {
    config: BaselineConfig,
    networks: Networks,
    optimiser: AdamW,
}

impl BaselineAgent {
    /// A learner that starts from `networks`, which must be on a device with gradients.
    pub const fn new(config: BaselineConfig, networks: Networks) -> Self {
        Self::resume(config, networks, AdamW::new(ADAM))
    }

    /// A learner that goes on from the networks and the optimiser of another one.
    pub const fn resume(config: BaselineConfig, networks: Networks, optimiser: AdamW) -> Self {
        Self {
            config,
            networks,
            optimiser,
        }
    }

    /// The networks.
    pub const fn networks(&self) -> &Networks {
        &self.networks
    }

    /// Changes the learning rate of the updates to come.
    pub const fn set_learning_rate(&mut self, rate: f32) {
        self.config.learning_rate = rate;
    }

    /// The optimiser, for its state.
    pub const fn optimiser(&self) -> &AdamW {
        &self.optimiser
    }

    /// One update: the slow copy moves towards the weights as they were before, then one step of
    /// Adam on the sum of all losses.
    ///
    /// # Errors
    /// If the batch has other shapes than the networks take, or a loss is not finite; nothing has
    /// changed then.
    pub fn update(&mut self, batch: &Batch) -> Result<UpdateReport, LearnError> {
        let Observations::States(goals) = batch.goals.clone() else {
            return Err(LearnError::Batch("goals must be states".into()));
        };
        let config = self.config.skills();
        if let Some(problem) = batch.problem(&config, &goals) {
            return Err(LearnError::Batch(problem));
        }
        let mut numbers = Numbers::default();
        let total = match &self.networks.critics {
            Some(critics) => {
                let networks = SkillNetworks {
                    value: &critics.value,
                    critic: &critics.critic,
                    target_critic: &critics.target_critic,
                    actor: &self.networks.actor,
                };
                // The return ends where the goal is reached.
                let rewards = batch.reached.clone() - 1.0;
                let goes_on = -rewards.clone();
                let losses =
                    skill_losses::losses(networks, &config, batch, &goals, rewards, Some(goes_on));
                losses.report(&mut numbers);
                losses.total()
            }
            None => cloning_loss(&self.networks, batch, goals, &mut numbers),
        };
        if let Some(name) = numbers.not_finite() {
            return Err(LearnError::NonFinite {
                what: "a loss",
                objective: format!("baseline of hilp ({name})"),
            });
        }
        let gradients = GradientSet::take(&self.networks, total.backward(), |_| true);
        let slow = self.networks.critics.clone().map(|critics| {
            let rate = self.config.target_rate;
            follow(critics.target_critic, &critics.critic, rate)
        });
        let rate = self.config.learning_rate;
        let stepped = self.optimiser.step(self.networks.clone(), gradients, rate);
        self.networks = Networks {
            critics: stepped.critics.zip(slow).map(|(critics, slow)| Critics {
                target_critic: slow,
                ..critics
            }),
            ..stepped
        };
        Ok(UpdateReport { numbers })
    }
}

/// −log π(a | s, g), `[1]`.
fn cloning_loss(
    networks: &Networks,
    batch: &Batch,
    goals: Tensor<2>,
    numbers: &mut Numbers,
) -> Tensor<1> {
    let policy = networks
        .actor
        .forward(batch.observations.clone(), goals, 1.0);
    let loss = -policy.log_density(batch.actions.clone()).mean();
    let error = (policy.mean.inner() - batch.actions.clone())
        .square()
        .mean();
    numbers.put("skill_actor/actor_loss", &host(loss.clone().inner()));
    numbers.put("skill_actor/mse", &host(error));
    loss
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use burn::module::Module as _;
    use burn::tensor::Device;

    use super::super::Method;
    use super::*;
    use crate::golden::vec;
    use crate::hilp::ObservationShape;
    use crate::training::order::stream;
    use rand::RngExt as _;

    /// On a line, one step of at most one towards anywhere; the goal is where it leads or beyond.
    fn batch(seed: u64) -> Batch {
        let device = Device::flex();
        let mut rng = stream(seed, 0);
        let (mut here, mut next, mut goal, mut action) = (vec![], vec![], vec![], vec![]);
        for _ in 0..64 {
            let place = rng.random_range(-1.0..1.0f32);
            let way = rng.random_range(-0.5..0.5f32);
            here.push(place);
            next.push(place + way);
            action.push(way);
            goal.push(place + way * rng.random_range(1.0..3.0f32));
        }
        let states = |values: &[f32]| Observations::states(values, 1, &device);
        Batch {
            observations: states(&here),
            next_observations: states(&next),
            goals: states(&goal),
            actions: Tensor::<1>::from_floats(action.as_slice(), &device).reshape([64, 1]),
            reached: Tensor::zeros([64], &device),
        }
    }

    #[test]
    fn both_learn_to_step_towards_the_goal() {
        for method in [Method::BehaviourCloning, Method::ImplicitQ] {
            let device = Device::flex().autodiff();
            device.seed(4);
            let config = BaselineConfig {
                method,
                observation: ObservationShape::State { width: 1 },
                action_dim: 1,
                value_hidden: vec![16],
                actor_hidden: vec![32],
                learning_rate: 1e-2,
                temperature: 1.0,
                ..BaselineConfig::default()
            };
            let networks = Networks::new(&config, &device);
            let mut agent = BaselineAgent::new(config, networks);
            for seed in 0..60 {
                agent.update(&batch(seed)).unwrap();
            }
            let acting = agent.networks().acting().valid();
            let device = Device::flex();
            let here = Observations::states(&[0.0, 0.0], 1, &device);
            let goals = Tensor::from_floats([[0.5], [-0.5]], &device);
            let actions = vec(acting.act(here, goals));
            assert!(actions[0] > 0.05 && actions[1] < -0.05, "{actions:?}");
        }
    }

    #[test]
    fn goals_of_another_width_are_refused() {
        let device = Device::flex().autodiff();
        let config = BaselineConfig {
            actor_hidden: vec![4],
            ..BaselineConfig::default()
        };
        let networks = Networks::new(&config, &device);
        let refusal = BaselineAgent::new(config, networks).update(&batch(0));
        assert!(matches!(refusal, Err(LearnError::Batch(_))));
    }
}
