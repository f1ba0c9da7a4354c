//! Successor features of a Hilbert representation, and the actor that maximises them: networks,
//! optimiser and targets together, one update at a time, offline or online.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use rand::{Rng, RngExt};

use super::config::ZeroShotConfig;
use super::encoder::{self, ImageEncoder, shifted};
use super::networks::{Actor, HilbertFeatures, Sizes, Successor, dot};
use super::noise::Noise;
use super::prompt::{added, from_features};
use crate::error::LearnError;
use crate::hilp::goal_conditioned::agent::ADAM;
use crate::hilp::representation::{self, RepresentationLoss, Values, value};
use crate::hilp::skills::draw_tensor;
use crate::hilp::statistics::{Numbers, host};
use crate::hilp::{ObservationShape, Observations};
use crate::mdt::loss::normals;
use crate::training::AdamW;
use crate::training::gradients::GradientSet;
use crate::training::target::follow;

/// States closer than this are the goal.
const SAME_STATE: f32 = 1e-6;

/// All networks.
#[derive(Module, Debug)]
pub struct Networks {
    /// Image encoder, shared by all.
    pub encoder: Option<ImageEncoder>,
    /// π(s, z).
    pub actor: Actor,
    /// Successor features.
    pub successor_net: Successor,
    /// Slow copy of them.
    pub successor_target_net: Successor,
    /// φ.
    pub feature_learner: HilbertFeatures,
}

impl Networks {
    /// Fresh networks. Check the configuration with [`ZeroShotConfig::problem`] first.
    pub fn new(config: &ZeroShotConfig, device: &burn::tensor::Device) -> Self {
        let (encoder, observation) = match config.observation {
            ObservationShape::State { width } => (None, width),
            ObservationShape::Image {
                width, channels, ..
            } => {
                let network = ImageEncoder::new(channels, width, device);
                (Some(network), encoder::features(width))
            }
        };
        let sizes = Sizes {
            observation,
            action: config.action_dim,
            skill: config.z_dim,
            hidden: config.hidden_dim,
            feature: config.feature_dim,
            trunk: config.add_trunk,
        };
        let phi = [observation, config.phi_hidden_dim, config.phi_dim()];
        let successor_net = Successor::new(&sizes, config.z_dim, device);
        Self {
            encoder,
            actor: Actor::new(&sizes, device),
            successor_target_net: successor_net.clone(),
            successor_net,
            feature_learner: HilbertFeatures::new(phi, config.z_dim, device),
        }
    }

    /// What the other networks read: states as they are, images encoded, `[batch, width]`.
    pub fn encode(&self, observations: Observations) -> Tensor<2> {
        encode(&self.encoder, observations)
    }

    /// What acting needs of them.
    pub fn acting(&self) -> Acting {
        Acting {
            encoder: self.encoder.clone(),
            actor: self.actor.clone(),
            feature_learner: self.feature_learner.clone(),
        }
    }
}

/// What acting needs: encoder, actor and φ.
#[derive(Module, Debug)]
pub struct Acting {
    /// Image encoder.
    pub encoder: Option<ImageEncoder>,
    /// π(s, z).
    pub actor: Actor,
    /// φ.
    pub feature_learner: HilbertFeatures,
}

impl Acting {
    /// Fresh networks.
    pub fn new(config: &ZeroShotConfig, device: &burn::tensor::Device) -> Self {
        Networks::new(config, device).acting()
    }

    /// What the other networks read: states as they are, images encoded, `[batch, width]`.
    pub fn encode(&self, observations: Observations) -> Tensor<2> {
        encode(&self.encoder, observations)
    }
}

fn encode(encoder: &Option<ImageEncoder>, observations: Observations) -> Tensor<2> {
    match (observations, encoder) {
        (Observations::States(states), _) => states,
        (Observations::Images(images), Some(encoder)) => encoder.forward(images),
        (Observations::Images(images), None) => images.flatten(1, 3),
    }
}

/// Transitions to learn from, all with the same number of rows, on a device without gradients.
#[derive(Clone, Debug)]
pub struct Batch {
    /// s.
    pub observations: Observations,
    /// s′.
    pub next_observations: Observations,
    /// Goals for the representation ([`super::replay`]).
    pub goals: Observations,
    /// a, `[batch, action]`.
    pub actions: Tensor<2>,
    /// Discount of what follows, `[batch]`: 0 at an end.
    pub discounts: Tensor<1>,
}

/// Random numbers of an update.
#[derive(Clone, Debug)]
pub struct Draws {
    /// Skills, `[batch, z]`.
    pub skills: Tensor<2>,
    /// Unit normal numbers for the next action, `[batch, action]`.
    pub next_noise: Tensor<2>,
    /// Unit normal numbers for the actor's action, `[batch, action]`.
    pub actor_noise: Tensor<2>,
}

/// What an update did.
#[derive(Clone, Debug)]
pub struct UpdateReport {
    /// Losses before the step and statistics, under the authors' names.
    pub numbers: Numbers,
    /// Gradients that were applied, by tensor.
    pub gradients: GradientSet,
}

/// A learner of skills.
#[derive(Clone, Debug)]
pub struct SuccessorAgent {
    config: ZeroShotConfig,
    networks: Networks,
    optimiser: AdamW,
}

impl SuccessorAgent {
    /// A learner that starts from `networks`, which must be on a device with gradients.
    pub const fn new(config: ZeroShotConfig, networks: Networks) -> Self {
        Self {
            config,
            networks,
            optimiser: AdamW::new(ADAM),
        }
    }

    /// A learner that goes on from the networks and the optimiser of another one.
    pub const fn resume(config: ZeroShotConfig, networks: Networks, optimiser: AdamW) -> Self {
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

    /// The optimiser, for its state.
    pub const fn optimiser(&self) -> &AdamW {
        &self.optimiser
    }

    /// The actor's noise.
    pub const fn noise(&self) -> Noise {
        Noise {
            deviation: self.config.noise,
            clip: self.config.noise_clip,
        }
    }

    /// One update with fresh draws: images are moved, part of the skills is made of the batch's own
    /// states ([`mixed`]).
    ///
    /// # Errors
    /// As [`SuccessorAgent::update_with`].
    pub fn update(&mut self, batch: Batch, rng: &mut impl Rng) -> Result<UpdateReport, LearnError> {
        self.check(&batch)?;
        let device = batch.actions.device();
        let [rows, actions] = batch.actions.dims();
        let batch = moved(batch, rng);
        let width = self.config.z_dim;
        let radius = (width as f32).sqrt();
        let skills = draw_tensor([rows, width], radius, rng, &device);
        let uniforms = (0..rows).map(|_| rng.random::<f32>()).collect::<Vec<_>>();
        let mut order = (0..rows).collect::<Vec<_>>();
        for last in (1..rows).rev() {
            order.swap(last, rng.random_range(0..=last));
        }
        let skills = mixed(
            self.features(&batch),
            skills,
            &order,
            &uniforms,
            self.config.mix_ratio,
        );
        let mut noise = || {
            let numbers = normals(rows * actions, rng);
            Tensor::from_data(TensorData::new(numbers, [rows, actions]), &device)
        };
        let draws = Draws {
            skills,
            next_noise: noise(),
            actor_noise: noise(),
        };
        self.update_with(&batch, &draws)
    }

    /// What successor features add up, per row of a batch, `[batch, z]`.
    pub fn features(&self, batch: &Batch) -> Tensor<2> {
        let networks = self.networks.valid();
        let features = |rows: &Observations| {
            let encoded = networks.encode(rows.clone());
            networks.feature_learner.features(encoded)
        };
        let (state, next) = (&batch.observations, &batch.next_observations);
        added(self.config.features, features(state), features(next))
    }

    fn check(&self, batch: &Batch) -> Result<(), LearnError> {
        let [rows, width] = batch.actions.dims();
        let all = [&batch.observations, &batch.next_observations, &batch.goals];
        let shape = self.config.observation;
        let fits = all
            .iter()
            .all(|part| part.fits(shape) && part.len() == rows);
        if fits && rows > 0 && width == self.config.action_dim && batch.discounts.dims()[0] == rows
        {
            return Ok(());
        }
        Err(LearnError::Batch(format!(
            "{rows} actions of {width} numbers with {} observations, expected actions of {} and \
             observations of {shape:?}",
            batch.observations.len(),
            self.config.action_dim
        )))
    }

    /// One update with the given draws. The slow φ and the mean of φ move first, by the weights as
    /// they were; φ, successor features and encoder take a step; then the actor does, against the
    /// new successor features; and the slow ones follow.
    ///
    /// # Errors
    /// If the batch has other shapes than the networks take, or a loss is not finite; nothing has
    /// changed then.
    pub fn update_with(
        &mut self,
        batch: &Batch,
        draws: &Draws,
    ) -> Result<UpdateReport, LearnError> {
        self.check(batch)?;
        let networks = &self.networks;
        let state = networks.encode(batch.observations.clone());
        let next = networks.encode(batch.next_observations.clone()).inner();
        let goal = networks.encode(batch.goals.clone());
        let plain = state.clone().inner();
        let mut numbers = Numbers::default();

        let (distance, phi) = self.distance_loss(state.clone(), next.clone(), goal);
        distance.report("hilp", &mut numbers);
        numbers.put("phi_loss", &host(distance.loss.clone()));
        let critic = self.successor_loss(state, next, batch, draws, &mut numbers);
        let total = distance.loss + critic;
        let features = &networks.feature_learner;
        let mut learned = features.clone();
        let rate = self.config.phi_target_rate;
        learned.target_phi1 = follow(learned.target_phi1, &features.phi1, rate);
        learned.target_phi2 = follow(learned.target_phi2, &features.phi2, rate);
        let rate = self.config.mean_rate;
        learned.running_mean = blend(learned.running_mean, phi.clone().mean_dim(0), rate);
        let spread = phi.var(0).sqrt();
        learned.running_std = blend(learned.running_std, spread, rate);

        let gradients = GradientSet::take(networks, total.backward(), |_| true);
        let (features, others) = gradients.clone().split("feature_learner.");
        let rate = self.config.learning_rate;
        let mut optimiser = self.optimiser.clone();
        let mut stepped = optimiser.step(networks.clone(), others, rate);
        let feature_rate = rate * self.config.feature_rate_factor;
        stepped.feature_learner = learned;
        stepped = optimiser.step(stepped, features, feature_rate);

        let loss = self.actor_loss(&stepped, plain, draws, &mut numbers);
        let (actor, _) = GradientSet::take(&stepped, loss.backward(), |_| true).split("actor.");
        numbers.put("sf_opt_lr", &[rate]);
        if let Some(name) = numbers.not_finite() {
            return Err(LearnError::NonFinite {
                what: "a loss or a statistic",
                objective: format!("hilp ({name})"),
            });
        }
        stepped = optimiser.step(stepped, actor.clone(), rate);
        stepped.successor_target_net = follow(
            stepped.successor_target_net,
            &stepped.successor_net,
            self.config.target_rate,
        );
        self.networks = stepped;
        self.optimiser = optimiser;
        let gradients = gradients.plus(actor);
        Ok(UpdateReport { numbers, gradients })
    }

    /// The loss of φ, and φ of the states, `[batch, φ]`, without gradient.
    fn distance_loss(
        &self,
        state: Tensor<2>,
        next: Tensor<2>,
        goal: Tensor<2>,
    ) -> (RepresentationLoss, Tensor<2>) {
        let features = &self.networks.feature_learner;
        let (plain, plain_goal) = (state.clone().inner(), goal.clone().inner());
        let slow = features.valid();
        let slow_goal = slow.both_slow(plain_goal.clone());
        let slow_value = |rows| value(slow.both_slow(rows), slow_goal.clone());
        let phi = features.both(state);
        let values = Values {
            online: value(phi.clone(), features.both(goal)),
            target: slow_value(plain.clone()),
            target_next: slow_value(next),
        };
        let [rows, _] = plain.dims();
        let distance = (plain - plain_goal).square().sum_dim(1).sqrt();
        let reached = distance.lower_elem(SAME_STATE).float().reshape([rows]);
        let (discount, expectile) = (
            self.config.distance_discount,
            self.config.distance_expectile,
        );
        let loss = representation::loss(values, reached, discount, expectile);
        let [_, _, width] = phi.dims();
        let phi = phi.inner().narrow(0, 0, 1).reshape([rows, width]);
        (loss, phi)
    }

    /// The loss of the successor features.
    fn successor_loss(
        &self,
        state: Tensor<2>,
        next: Tensor<2>,
        batch: &Batch,
        draws: &Draws,
        numbers: &mut Numbers,
    ) -> Tensor<1> {
        let frozen = self.networks.valid();
        let skills = draws.skills.clone();
        let features = |rows: Tensor<2>| frozen.feature_learner.features(rows);
        let (here, there) = (features(state.clone().inner()), features(next.clone()));
        let added = added(self.config.features, here, there);
        let mean = frozen.actor.forward(next.clone(), skills.clone());
        let action = self.noise().around(mean, draws.next_noise.clone());
        let slow = frozen
            .successor_target_net
            .forward(next, skills.clone(), action);
        let following = smaller(slow, &skills);
        let discounts = batch.discounts.clone().unsqueeze_dim(1);
        let target = added.clone() + discounts * following;

        let successor = &self.networks.successor_net;
        let estimates = successor.forward(state, skills.clone(), batch.actions.clone());
        numbers.put("F1", &host(estimates[0].clone()));
        numbers.put("target_F", &host(target.clone()));
        numbers.put("phi", &host(added.clone()));
        numbers.put("phi_norm", &host(norms(added)));
        numbers.put("z_norm", &host(norms(skills.clone())));
        let [first, second] = estimates.map(|estimate| {
            if self.config.q_loss {
                let target = dot(target.clone(), skills.clone());
                (dot(estimate, skills.clone()) - target).square().mean()
            } else {
                (estimate - target.clone()).square().mean()
            }
        });
        let loss = first + second;
        numbers.put("sf_loss", &host(loss.clone()));
        loss
    }

    /// The loss of the actor: what its actions are worth, negative.
    fn actor_loss(
        &self,
        networks: &Networks,
        state: Tensor<2>,
        draws: &Draws,
        numbers: &mut Numbers,
    ) -> Tensor<1> {
        let skills = draws.skills.clone();
        let mean = networks.actor.forward(state.clone(), skills.clone());
        let noise = self.noise();
        let action = noise.around(mean.clone(), draws.actor_noise.clone());
        let density = noise.log_density(mean.inner(), action.clone().inner());
        let estimates = networks
            .successor_net
            .forward(state, skills.clone(), action);
        let [first, second] = estimates.map(|estimate| dot(estimate, skills.clone()));
        let loss = -first.min_pair(second).mean();
        numbers.put("actor_loss", &host(loss.clone()));
        numbers.put("actor_logprob", &host(density));
        loss
    }
}

/// Per row, the estimate that is worth less under the row's skill; the second one at a tie.
pub(super) fn smaller([first, second]: [Tensor<2>; 2], skills: &Tensor<2>) -> Tensor<2> {
    let worth = |estimate: &Tensor<2>| dot(estimate.clone(), skills.clone());
    let first_is_smaller = worth(&first).lower(worth(&second));
    let shape = first.dims();
    let mask = first_is_smaller.unsqueeze_dim::<2>(1).expand(shape);
    second.mask_where(mask, first)
}

/// Lengths of rows, `[batch]`.
pub(super) fn norms(rows: Tensor<2>) -> Tensor<1> {
    dot(rows.clone(), rows).sqrt()
}

/// Skills of which a share is replaced: where a row's uniform number is below `ratio`, by the skill
/// that rewards the features of another row, the one at its place in `order`.
pub fn mixed(
    features: Tensor<2>,
    skills: Tensor<2>,
    order: &[usize],
    uniforms: &[f32],
    ratio: f32,
) -> Tensor<2> {
    let device = features.device();
    let order = order.iter().map(|&row| row as i32).collect::<Vec<_>>();
    let order = Tensor::<1, burn::tensor::Int>::from_ints(order.as_slice(), &device);
    let made = from_features(features.select(0, order));
    let taken = uniforms
        .iter()
        .map(|&uniform| f32::from(u8::from(uniform < ratio)));
    let taken = taken.collect::<Vec<_>>();
    let shape = skills.dims();
    let taken = Tensor::<1>::from_floats(taken.as_slice(), &device);
    let mask = taken.greater_elem(0.5).unsqueeze_dim::<2>(1).expand(shape);
    skills.mask_where(mask, made)
}

/// The batch with its images moved, each kind of observation by its own offsets.
fn moved(batch: Batch, rng: &mut impl Rng) -> Batch {
    let mut each = |rows: Observations| match rows {
        Observations::Images(images) => {
            let [count, _, width, _] = images.dims();
            let most = 2 * encoder::shift_padding(width);
            let mut offset = || rng.random_range(0..=most);
            let offsets = (0..count).map(|_| [offset(), offset()]);
            Observations::Images(shifted(images, &offsets.collect::<Vec<_>>()))
        }
        states @ Observations::States(_) => states,
    };
    Batch {
        observations: each(batch.observations),
        next_observations: each(batch.next_observations),
        goals: each(batch.goals),
        ..batch
    }
}

/// `old + rate * (new - old)`, for a parameter that is no weight.
fn blend(old: Param<Tensor<1>>, new: Tensor<2>, rate: f32) -> Param<Tensor<1>> {
    old.map(|old| {
        let autodiff = old.is_autodiff();
        let width = old.dims();
        let blended = old.inner() * (1.0 - rate) + new.inner().reshape(width) * rate;
        if autodiff {
            blended.autodiff()
        } else {
            blended
        }
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::golden::vec;

    #[test]
    fn the_estimate_that_is_worth_less_is_taken() {
        let device = Device::flex();
        let rows = |values: [[f32; 2]; 2]| Tensor::<2>::from_floats(values, &device);
        let skills = rows([[1.0, 0.0], [1.0, 0.0]]);
        let pair = [
            rows([[1.0, 7.0], [2.0, 7.0]]),
            rows([[2.0, 8.0], [2.0, 8.0]]),
        ];
        assert_eq!(vec(smaller(pair, &skills)), [1.0, 7.0, 2.0, 8.0]);
    }

    #[test]
    fn only_the_drawn_rows_get_another_skill() {
        let device = Device::flex();
        let features = Tensor::from_floats([[1.0, 0.0], [0.0, 1.0]], &device);
        let skills = Tensor::from_floats([[5.0, 5.0], [6.0, 6.0]], &device);
        let got = vec(mixed(features, skills, &[1, 0], &[0.4, 0.5], 0.5));
        crate::golden::close("skills", &got, &[0.0, 2f32.sqrt(), 6.0, 6.0], 1e-6);
    }
}
