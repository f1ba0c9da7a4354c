//! Networks, optimiser and targets together: one update at a time, offline or online.

use burn::module::Module;
use burn::tensor::Tensor;
use rand::Rng;

use super::config::SkillConfig;
use super::networks::Networks;
use super::skill_losses::{self, SkillLosses, SkillNetworks};
use crate::error::LearnError;
use crate::hilp::observations::Observations;
use crate::hilp::representation::{self, RepresentationLoss, Values, value};
use crate::hilp::skills::{draw_tensor, intrinsic_reward};
use crate::hilp::statistics::{Numbers, host, range};
use crate::training::gradients::GradientSet;
use crate::training::target::follow;
use crate::training::{AdamW, AdamWConfig};

/// Adam as the authors use it.
pub const ADAM: AdamWConfig = AdamWConfig {
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-8,
    weight_decay: 0.0,
    decay_linear_only: false,
};

/// Transitions to learn from, all with the same number of rows, on a device without gradients.
#[derive(Clone, Debug)]
pub struct Batch {
    /// s.
    pub observations: Observations,
    /// s′.
    pub next_observations: Observations,
    /// Goals for the representation ([`super::goals`]).
    pub goals: Observations,
    /// a, `[batch, action]`.
    pub actions: Tensor<2>,
    /// 1 where the goal is the row's own state, else 0: `[batch]`.
    pub reached: Tensor<1>,
}

impl Batch {
    pub(in crate::hilp) fn problem(
        &self,
        config: &SkillConfig,
        skills: &Tensor<2>,
    ) -> Option<String> {
        let rows = self.observations.len();
        let lengths = [
            ("next observations", self.next_observations.len()),
            ("goals", self.goals.len()),
            ("actions", self.actions.dims()[0]),
            ("reached", self.reached.dims()[0]),
            ("skills", skills.dims()[0]),
        ];
        if let Some((name, found)) = lengths.into_iter().find(|(_, length)| *length != rows) {
            return Some(format!("{found} {name} beside {rows} observations"));
        }
        let widths = [
            ("actions", self.actions.dims()[1], config.action_dim),
            ("skills", skills.dims()[1], config.skill_dim),
        ];
        if let Some((name, found, expected)) = widths.into_iter().find(|(_, a, b)| a != b) {
            return Some(format!("{name} of {found} numbers, expected {expected}"));
        }
        let all = [&self.observations, &self.next_observations, &self.goals];
        let shaped = all.iter().all(|rows| rows.fits(config.observation));
        let expected = config.observation;
        (rows == 0 || !shaped).then(|| format!("observations must be rows of {expected:?}"))
    }
}

/// All losses of a batch.
#[derive(Clone, Debug)]
pub struct Losses {
    /// Loss of φ.
    pub representation: RepresentationLoss,
    /// Progress of φ along each row's skill, `[batch]`.
    pub rewards: Tensor<1>,
    /// Losses of the skill policy.
    pub skills: SkillLosses,
}

impl Losses {
    /// What is minimised, `[1]`: the sum.
    pub fn total(&self) -> Tensor<1> {
        self.representation.loss.clone() + self.skills.total()
    }

    /// Losses and statistics under the authors' names.
    pub fn report(&self) -> Numbers {
        let mut numbers = Numbers::default();
        self.representation.report("value", &mut numbers);
        self.skills.report(&mut numbers);
        numbers
    }
}

/// The losses of a batch for `skills`, `[batch, skill_dim]`.
///
/// # Errors
/// If the batch has other shapes than the networks take.
pub fn losses(
    networks: &Networks,
    config: &SkillConfig,
    batch: &Batch,
    skills: &Tensor<2>,
) -> Result<Losses, LearnError> {
    if let Some(problem) = batch.problem(config, skills) {
        return Err(LearnError::Batch(problem));
    }
    let phi = networks.value.forward(batch.observations.clone());
    let online = value(phi.clone(), networks.value.forward(batch.goals.clone()));
    let slow = networks.target_value.valid();
    let goal = slow.forward(batch.goals.clone());
    let slow_value = |rows: &Observations| value(slow.forward(rows.clone()), goal.clone());
    let values = Values {
        online,
        target: slow_value(&batch.observations),
        target_next: slow_value(&batch.next_observations),
    };
    let reached = batch.reached.clone();
    let (discount, expectile) = (config.discount, config.expectile);
    let representation = representation::loss(values, reached, discount, expectile);

    let [_, rows, width] = phi.dims();
    let phi = phi.inner().narrow(0, 0, 1).reshape([rows, width]);
    let next_phi = networks.value.valid().phi(batch.next_observations.clone());
    let rewards = intrinsic_reward(phi, next_phi, skills.clone());
    let parts = SkillNetworks {
        value: &networks.skill_value,
        critic: &networks.skill_critic,
        target_critic: &networks.skill_target_critic,
        actor: &networks.skill_actor,
    };
    let skills = skill_losses::losses(parts, config, batch, skills, rewards.clone(), None);
    Ok(Losses {
        representation,
        rewards,
        skills,
    })
}

/// What an update did.
#[derive(Clone, Debug)]
pub struct UpdateReport {
    /// Losses before the step, statistics, and the gradient's size, under the authors' names.
    pub numbers: Numbers,
}

/// A learner of skills.
#[derive(Clone, Debug)]
pub struct SkillAgent {
    config: SkillConfig,
    networks: Networks,
    optimiser: AdamW,
}

impl SkillAgent {
    /// A learner that starts from `networks`, which must be on a device with gradients.
    pub const fn new(config: SkillConfig, networks: Networks) -> Self {
        Self {
            config,
            networks,
            optimiser: AdamW::new(ADAM),
        }
    }

    /// A learner that goes on from the networks and the optimiser of another one.
    pub const fn resume(config: SkillConfig, networks: Networks, optimiser: AdamW) -> Self {
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

    /// Sizes and constants.
    pub const fn config(&self) -> &SkillConfig {
        &self.config
    }

    /// Changes the learning rate of the updates to come.
    pub const fn set_learning_rate(&mut self, rate: f32) {
        self.config.learning_rate = rate;
    }

    /// The optimiser, for its state.
    pub const fn optimiser(&self) -> &AdamW {
        &self.optimiser
    }

    /// One update with freshly drawn skills of length one.
    ///
    /// # Errors
    /// As [`SkillAgent::update_with`].
    pub fn update(
        &mut self,
        batch: &Batch,
        rng: &mut impl Rng,
    ) -> Result<UpdateReport, LearnError> {
        let shape = [batch.observations.len(), self.config.skill_dim];
        let skills = draw_tensor(shape, 1.0, rng, &batch.actions.device());
        self.update_with(batch, &skills)
    }

    /// One update with the given skills, `[batch, skill_dim]`: the slow copies move towards the
    /// weights as they were before, then one step of Adam on the sum of all losses.
    ///
    /// # Errors
    /// If the batch has other shapes than the networks take, or a loss or the gradient is not
    /// finite; nothing has changed then.
    pub fn update_with(
        &mut self,
        batch: &Batch,
        skills: &Tensor<2>,
    ) -> Result<UpdateReport, LearnError> {
        let losses = losses(&self.networks, &self.config, batch, skills)?;
        let mut numbers = losses.report();
        let gradients = losses.total().backward();
        let gradients = GradientSet::take(&self.networks, gradients, |_| true);
        report_gradients(&gradients, &mut numbers);
        if let Some(name) = numbers.not_finite() {
            return Err(LearnError::NonFinite {
                what: "a loss or the gradient",
                objective: format!("hilp ({name})"),
            });
        }
        let rate = self.config.target_rate;
        let old = self.networks.clone();
        let value = follow(old.target_value, &old.value, rate);
        let critic = follow(old.skill_target_critic, &old.skill_critic, rate);
        let rate = self.config.learning_rate;
        let stepped = self.optimiser.step(self.networks.clone(), gradients, rate);
        self.networks = Networks {
            target_value: value,
            skill_target_critic: critic,
            ..stepped
        };
        Ok(UpdateReport { numbers })
    }
}

/// Greatest and smallest number of all gradients, and the norm. The slow copies' are zero.
fn report_gradients(gradients: &GradientSet, numbers: &mut Numbers) {
    let (mut least, mut most, mut squares) = (0f32, 0f32, 0f64);
    for gradient in gradients.by_key.values() {
        let values = host(gradient.clone());
        let (low, high) = range(&values);
        least = least.min(low);
        most = most.max(high);
        squares += values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
    }
    numbers.put("grad/max", &[most]);
    numbers.put("grad/min", &[least]);
    numbers.put("grad/norm", &[squares.sqrt() as f32]);
}
