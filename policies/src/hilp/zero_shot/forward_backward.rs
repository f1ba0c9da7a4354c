//! Forward-backward representations (Touati and Ollivier, arXiv 2103.07945), which HILP was compared
//! with: F(s, a, z)·B(s′) is the density of the states that the policy of z visits.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::agent::{Draws, UpdateReport, norms};
use super::learners::{diagonal, mean_where, off_diagonal, products};
use super::linear_algebra::{apply, gram, pseudo_inverse};
use super::networks::{
    Actor, FeatureNet, Sizes, Successor, dot, feature_net, on_sphere, run_features,
};
use super::noise::Noise;
use crate::error::LearnError;
use crate::hilp::goal_conditioned::agent::ADAM;
use crate::hilp::statistics::{Numbers, host};
use crate::training::AdamW;
use crate::training::gradients::GradientSet;
use crate::training::target::follow;

/// Constants of the losses. The defaults are the authors'.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForwardBackwardConfig {
    /// Learning rate of Adam.
    pub learning_rate: f32,
    /// Factor of the learning rate for B.
    pub backward_rate_factor: f32,
    /// Share of the new weights in the slow copies, per update.
    pub target_rate: f32,
    /// Weight of the orthonormality of B.
    pub orthonormality: f32,
    /// Weight of the critics' loss; `None` for no such loss.
    pub q_loss: Option<f32>,
    /// Whether B is brought to the length √z.
    pub norm_z: bool,
    /// The actor's noise.
    pub noise: Noise,
}

impl Default for ForwardBackwardConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-4,
            backward_rate_factor: 1.0,
            target_rate: 0.01,
            orthonormality: 1.0,
            q_loss: None,
            norm_z: true,
            noise: Noise {
                deviation: 0.2,
                clip: 0.3,
            },
        }
    }
}

/// B(s).
#[derive(Module, Debug)]
pub struct Backward {
    /// The layers.
    pub b: FeatureNet,
}

/// All networks.
#[derive(Module, Debug)]
pub struct ForwardBackward {
    /// π(s, z).
    pub actor: Actor,
    /// F(s, a, z), two estimates.
    pub forward_net: Successor,
    /// Slow copy of it.
    pub forward_target_net: Successor,
    /// B(s).
    pub backward_net: Backward,
    /// Slow copy of it.
    pub backward_target_net: Backward,
}

impl ForwardBackward {
    /// Fresh networks; `hidden` numbers in the layers of B.
    pub fn new(sizes: &Sizes, hidden: usize, device: &Device) -> Self {
        let forward_net = Successor::new(sizes, sizes.skill, device);
        let b = feature_net([sizes.observation, hidden, sizes.skill], device);
        let backward_net = Backward { b };
        Self {
            actor: Actor::new(sizes, device),
            forward_target_net: forward_net.clone(),
            forward_net,
            backward_target_net: backward_net.clone(),
            backward_net,
        }
    }
}

/// States and actions to learn from.
#[derive(Clone, Debug)]
pub struct StateBatch {
    /// s, `[batch, width]`.
    pub states: Tensor<2>,
    /// s′, `[batch, width]`.
    pub next: Tensor<2>,
    /// Goals, `[batch, width]`.
    pub goals: Tensor<2>,
    /// a, `[batch, action]`.
    pub actions: Tensor<2>,
    /// Discount of what follows, `[batch]`.
    pub discounts: Tensor<1>,
}

/// A learner of both representations.
#[derive(Clone, Debug)]
pub struct ForwardBackwardAgent {
    config: ForwardBackwardConfig,
    networks: ForwardBackward,
    optimiser: AdamW,
}

impl ForwardBackwardAgent {
    /// A learner that starts from `networks`, which must be on a device with gradients.
    pub const fn new(config: ForwardBackwardConfig, networks: ForwardBackward) -> Self {
        Self {
            config,
            networks,
            optimiser: AdamW::new(ADAM),
        }
    }

    /// The networks.
    pub const fn networks(&self) -> &ForwardBackward {
        &self.networks
    }

    /// The optimiser, for its state.
    pub const fn optimiser(&self) -> &AdamW {
        &self.optimiser
    }

    fn backward(&self, network: &Backward, states: Tensor<2>) -> Tensor<2> {
        let features = run_features(&network.b, states);
        if self.config.norm_z {
            on_sphere(features)
        } else {
            features
        }
    }

    /// One update: both representations, then the actor against the new F, then the slow copies.
    ///
    /// # Errors
    /// If a loss is not finite; nothing has changed then.
    pub fn update_with(
        &mut self,
        batch: &StateBatch,
        draws: &Draws,
    ) -> Result<UpdateReport, LearnError> {
        let mut numbers = Numbers::default();
        let loss = self.loss(batch, draws, &mut numbers);
        let gradients = GradientSet::take(&self.networks, loss.backward(), |_| true);
        let (backward, forward) = gradients.clone().split("backward_net.");
        let rate = self.config.learning_rate;
        let mut optimiser = self.optimiser.clone();
        let mut stepped = optimiser.step(self.networks.clone(), forward, rate);
        let backward_rate = rate * self.config.backward_rate_factor;
        stepped = optimiser.step(stepped, backward, backward_rate);

        let loss = self.actor_loss(&stepped, batch, draws, &mut numbers);
        let (actor, _) = GradientSet::take(&stepped, loss.backward(), |_| true).split("actor.");
        numbers.put("fb_opt_lr", &[rate]);
        if let Some(name) = numbers.not_finite() {
            return Err(LearnError::NonFinite {
                what: "a loss or a statistic",
                objective: format!("forward-backward ({name})"),
            });
        }
        stepped = optimiser.step(stepped, actor, rate);
        let rate = self.config.target_rate;
        let (forward, backward) = (&stepped.forward_net, &stepped.backward_net);
        stepped.forward_target_net = follow(stepped.forward_target_net, forward, rate);
        stepped.backward_target_net = follow(stepped.backward_target_net, backward, rate);
        self.networks = stepped;
        self.optimiser = optimiser;
        Ok(UpdateReport { numbers, gradients })
    }

    fn loss(&self, batch: &StateBatch, draws: &Draws, numbers: &mut Numbers) -> Tensor<1> {
        let frozen = self.networks.valid();
        let skills = draws.skills.clone();
        let mean = frozen.actor.forward(batch.next.clone(), skills.clone());
        let action = self.config.noise.around(mean, draws.next_noise.clone());
        let next = batch.next.clone();
        let slow = frozen
            .forward_target_net
            .forward(next, skills.clone(), action);
        let slow_backward = self.backward(&frozen.backward_target_net, batch.next.clone());
        let measure = |forward: &Tensor<2>| products(forward.clone(), slow_backward.clone());
        let slow_measure = measure(&slow[0]).min_pair(measure(&slow[1]));

        let (states, actions) = (batch.states.clone(), batch.actions.clone());
        let forward = self
            .networks
            .forward_net
            .forward(states, skills.clone(), actions);
        let backward = self.backward(&self.networks.backward_net, batch.next.clone());
        let measures = forward.clone().map(|f| products(f, backward.clone()));
        let off = off_diagonal(&slow_measure);
        let discounts: Tensor<2> = batch.discounts.clone().unsqueeze_dim(1);
        let wanted = discounts * slow_measure.clone();
        let [first, second] = measures
            .clone()
            .map(|measure| mean_where((measure - wanted.clone()).square(), off.clone()) * 0.5);
        let off_loss = first + second;
        let [first, second] = measures.clone().map(|measure| -diagonal(measure).mean());
        let diagonal_loss = first + second;

        let covariance = products(backward.clone(), backward.clone());
        let own = diagonal(covariance.clone()).mean() * -2.0;
        let others = mean_where(covariance.square(), off);
        let orthonormality = own.clone() + others.clone();
        let mut loss = off_loss.clone() + diagonal_loss.clone();
        if let Some(weight) = self.config.q_loss {
            let q_loss = self.q_loss(batch, &skills, slow, forward.clone(), &backward);
            numbers.put("q_loss", &host(q_loss.clone()));
            loss = loss + q_loss * weight;
        }
        loss = loss + orthonormality.clone() * self.config.orthonormality;

        let [f, _] = forward;
        let [m, _] = measures;
        for (name, tensor) in [
            ("fb_loss", loss.clone()),
            ("fb_diag", diagonal_loss),
            ("fb_offdiag", off_loss),
            ("orth_loss", orthonormality),
            ("orth_loss_diag", own),
            ("orth_loss_offdiag", others),
            ("B_norm", norms(backward.clone())),
            ("z_norm", norms(skills)),
            ("target_M", slow_measure.flatten(0, 1)),
            ("M1", m.flatten(0, 1)),
            ("F1", f.flatten(0, 1)),
            ("B", backward.clone().flatten(0, 1)),
        ] {
            numbers.put(name, &host(tensor));
        }
        report_orthonormality(backward, numbers);
        loss
    }

    /// Critics F·z against the reward that z stands for.
    fn q_loss(
        &self,
        batch: &StateBatch,
        skills: &Tensor<2>,
        slow: [Tensor<2>; 2],
        forward: [Tensor<2>; 2],
        backward: &Tensor<2>,
    ) -> Tensor<1> {
        let [first, second] = slow.map(|forward| dot(forward, skills.clone()));
        let next = first.min_pair(second);
        let reward = implicit_reward(backward.clone().inner(), skills.clone());
        let target = reward + batch.discounts.clone() * next;
        let [first, second] = forward.map(|forward| {
            let worth = dot(forward, skills.clone());
            (worth - target.clone()).square().mean()
        });
        first + second
    }

    fn actor_loss(
        &self,
        networks: &ForwardBackward,
        batch: &StateBatch,
        draws: &Draws,
        numbers: &mut Numbers,
    ) -> Tensor<1> {
        let (states, skills) = (batch.states.clone(), draws.skills.clone());
        let mean = networks.actor.forward(states.clone(), skills.clone());
        let noise = self.config.noise;
        let action = noise.around(mean.clone(), draws.actor_noise.clone());
        let density = noise.log_density(mean.inner(), action.clone().inner());
        let estimates = networks.forward_net.forward(states, skills.clone(), action);
        let [first, second] = estimates.map(|forward| dot(forward, skills.clone()));
        let worth = first.min_pair(second).mean();
        numbers.put("q", &host(worth.clone()));
        numbers.put("actor_logprob", &host(density));
        let loss = -worth;
        numbers.put("actor_loss", &host(loss.clone()));
        loss
    }
}

/// `B (BᵀB / batch)⁻¹ z` per row: the reward that a skill stands for, `[batch]`.
fn implicit_reward(backward: Tensor<2>, skills: Tensor<2>) -> Tensor<1> {
    let device = backward.device();
    let [rows, width] = backward.dims();
    let values = host(backward);
    let mean = gram(&values, width);
    let mean = mean.iter().map(|sum| sum / rows.max(1) as f64);
    let inverse = pseudo_inverse(&mean.collect::<Vec<_>>(), width, 0.0);
    let skills = host(skills);
    let pairs = values.chunks_exact(width).zip(skills.chunks_exact(width));
    let rewards = pairs.map(|(row, skill)| {
        let row = row.iter().map(|&value| f64::from(value));
        let row = apply(&inverse, &row.collect::<Vec<_>>());
        let products = row.iter().zip(skill).map(|(a, &b)| a * f64::from(b));
        products.sum::<f64>() as f32
    });
    Tensor::from_floats(rewards.collect::<Vec<_>>().as_slice(), &device)
}

/// How far the mean of outer products is from the identity.
fn report_orthonormality(backward: Tensor<2>, numbers: &mut Numbers) {
    let [rows, width] = backward.dims();
    let mut difference = gram(&host(backward.inner()), width);
    for (index, value) in difference.iter_mut().enumerate() {
        *value /= rows.max(1) as f64;
        if index % (width + 1) == 0 {
            *value -= 1.0;
        }
    }
    let most = difference
        .iter()
        .fold(0f64, |most, value| most.max(value.abs()));
    let squares = difference.iter().map(|value| value * value).sum::<f64>();
    numbers.put("orth_linf", &[most as f32]);
    numbers.put("orth_l2", &[(squares / width.max(1) as f64).sqrt() as f32]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn a_skill_stands_for_a_reward() {
        let device = Device::flex();
        // The mean of outer products is diag(2, 1/2).
        let backward = Tensor::from_floats([[2.0, 0.0], [0.0, 1.0]], &device);
        let skills = Tensor::from_floats([[1.0, 5.0], [1.0, 5.0]], &device);
        close(
            "reward",
            &vec(implicit_reward(backward, skills)),
            &[1.0, 10.0],
            1e-5,
        );
    }

    #[test]
    fn orthonormal_rows_are_no_distance_from_the_identity() {
        let device = Device::flex();
        let root = 2f32.sqrt();
        let mut numbers = Numbers::default();
        let rows = Tensor::from_floats([[root, 0.0], [0.0, root]], &device);
        report_orthonormality(rows, &mut numbers);
        assert!(numbers.get("orth_linf").is_some_and(|most| most < 1e-6));
    }
}
