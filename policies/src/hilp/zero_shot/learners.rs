//! Other features that HILP was compared with (Touati, Rapin and Ollivier, arXiv 2209.14935, and
//! the works named below), learned from the same transitions.

use burn::module::Module;
use burn::nn::{Linear, Relu};
use burn::tensor::{Bool, Device, Tensor, activation::tanh};

use super::networks::{FeatureNet, feature_net, on_sphere, orthogonal, run_features};
use crate::training::target::follow;

/// Linear, ReLU, linear, ReLU, linear.
pub type PlainNet = (Linear, Relu, Linear, Relu, Linear);
/// Share of the new weights in the slow copies, per update.
const TARGET_RATE: f32 = 0.01;

/// A way to learn features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learner {
    /// Layers as they were drawn.
    Random,
    /// Eigenfunctions of the graph Laplacian: neighbours close, features orthonormal.
    Laplacian,
    /// State against a later state.
    Contrastive,
    /// The same with the two sides exchanged.
    ContrastiveNext,
    /// Inverse dynamics (Pathak et al., arXiv 1705.05363).
    InverseDynamics,
    /// Prediction of the next state.
    ForwardDynamics,
    /// Prediction of the next state's own features.
    LatentDynamics,
    /// Reconstruction.
    Autoencoder,
    /// Low-rank successor measure, of states.
    SuccessorRank,
    /// The same with the two sides exchanged.
    SuccessorRankNext,
    /// Low-rank transition matrix.
    TransitionRank,
}

impl Learner {
    /// All of them with the authors' names.
    pub const NAMES: [(&'static str, Self); 11] = [
        ("random", Self::Random),
        ("lap", Self::Laplacian),
        ("contrastive", Self::Contrastive),
        ("contrastivev2", Self::ContrastiveNext),
        ("icm", Self::InverseDynamics),
        ("transition", Self::ForwardDynamics),
        ("latent", Self::LatentDynamics),
        ("autoencoder", Self::Autoencoder),
        ("svd_sr", Self::SuccessorRank),
        ("svd_srv2", Self::SuccessorRankNext),
        ("svd_p", Self::TransitionRank),
    ];
}

/// Sizes of a [`BaselineFeatures`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerSizes {
    /// Numbers of an observation.
    pub observation: usize,
    /// Numbers of an action.
    pub action: usize,
    /// Hidden layers.
    pub hidden: usize,
    /// Features.
    pub features: usize,
}

/// Transitions, each `[batch, …]`.
#[derive(Clone, Debug)]
pub struct Transition {
    /// s.
    pub observation: Tensor<2>,
    /// a.
    pub action: Tensor<2>,
    /// s′.
    pub next: Tensor<2>,
    /// A later state of the same episode.
    pub future: Tensor<2>,
}

/// Features and whatever network their learner needs.
#[derive(Module, Debug)]
pub struct BaselineFeatures {
    /// The features, before they are brought to a sphere.
    pub feature_net: FeatureNet,
    /// The other side of a product, not brought to a sphere.
    pub mu_net: Option<FeatureNet>,
    /// Slow copy of the features.
    pub target_feature_net: Option<FeatureNet>,
    /// Slow copy of the other side.
    pub target_mu_net: Option<FeatureNet>,
    /// From two features to the action between them.
    pub inverse_dynamic_net: Option<PlainNet>,
    /// From features and action to what comes next.
    pub forward_dynamic_net: Option<PlainNet>,
    /// From features to the state.
    pub decoder: Option<PlainNet>,
}

impl BaselineFeatures {
    /// Fresh layers for a learner.
    pub fn new(learner: Learner, sizes: &LearnerSizes, device: &Device) -> Self {
        let LearnerSizes {
            observation,
            action,
            hidden,
            features,
        } = *sizes;
        let deep = |input| feature_net([input, hidden, features], device);
        let plain = |input, output| {
            (
                orthogonal(input, hidden, device),
                Relu::new(),
                orthogonal(hidden, hidden, device),
                Relu::new(),
                orthogonal(hidden, output, device),
            )
        };
        let feature_net = deep(observation);
        let slow = matches!(
            learner,
            Learner::LatentDynamics | Learner::SuccessorRank | Learner::SuccessorRankNext
        );
        let mu_net = match learner {
            Learner::Contrastive
            | Learner::ContrastiveNext
            | Learner::SuccessorRank
            | Learner::SuccessorRankNext => Some(deep(observation)),
            Learner::TransitionRank => Some(deep(observation + action)),
            _ => None,
        };
        Self {
            target_feature_net: slow.then(|| feature_net.clone()),
            target_mu_net: mu_net.clone().filter(|_| slow),
            inverse_dynamic_net: (learner == Learner::InverseDynamics)
                .then(|| plain(2 * features, action)),
            forward_dynamic_net: match learner {
                Learner::ForwardDynamics => Some(plain(features + action, observation)),
                Learner::LatentDynamics => Some(plain(features + action, features)),
                _ => None,
            },
            decoder: (learner == Learner::Autoencoder).then(|| plain(features, observation)),
            feature_net,
            mu_net,
        }
    }

    /// The features of states, `[batch, features]`, √features long.
    pub fn features(&self, observations: Tensor<2>) -> Tensor<2> {
        spherical(&self.feature_net, observations)
    }

    /// The loss of a batch, `[1]`; `None` if the learner needs none, or these are another one's
    /// networks.
    pub fn loss(&self, learner: Learner, batch: &Transition) -> Option<Tensor<1>> {
        let phi = |states: &Tensor<2>| self.features(states.clone());
        let mu = |states: &Tensor<2>| {
            let net = self.mu_net.as_ref()?;
            Some(run_features(net, states.clone()))
        };
        let with_action = |rows: Tensor<2>| Tensor::cat(vec![rows, batch.action.clone()], 1);
        let Transition {
            observation,
            action,
            next,
            future,
        } = batch;
        Some(match learner {
            Learner::Random => return None,
            Learner::Laplacian => {
                let here = phi(observation);
                (here.clone() - phi(next)).square().mean() + orthonormality(here)
            }
            Learner::Contrastive => contrastive(phi(observation), mu(future)?),
            Learner::ContrastiveNext => contrastive(mu(observation)?, phi(future)),
            Learner::InverseDynamics => {
                let both = Tensor::cat(vec![phi(observation), phi(next)], 1);
                let guess = tanh(run_plain(self.inverse_dynamic_net.as_ref()?, both));
                (action.clone() - guess).square().mean()
            }
            Learner::ForwardDynamics => {
                let net = self.forward_dynamic_net.as_ref()?;
                let guess = run_plain(net, with_action(phi(observation)));
                (guess - next.clone()).square().mean()
            }
            Learner::LatentDynamics => {
                let net = self.forward_dynamic_net.as_ref()?;
                let guess = run_plain(net, with_action(phi(observation)));
                let slow = self.target_feature_net.as_ref()?.valid();
                (guess - spherical(&slow, next.clone())).square().mean()
            }
            Learner::Autoencoder => {
                let guess = run_plain(self.decoder.as_ref()?, phi(observation));
                (guess - observation.clone()).square().mean()
            }
            Learner::SuccessorRank => {
                let here = phi(observation);
                let measure = products(here.clone(), mu(next)?);
                let slow = self.slow_measure(next, next, false)? * 0.99;
                successor(measure, slow) + orthonormality(here)
            }
            Learner::SuccessorRankNext => {
                let there = phi(next);
                let measure = products(mu(observation)?, there.clone());
                let slow = self.slow_measure(next, next, true)? * 0.98;
                successor(measure, slow) + orthonormality(there)
            }
            Learner::TransitionRank => {
                let there = phi(next);
                let matrix = products(mu(&with_action(observation.clone()))?, there.clone());
                let off = off_diagonal(&matrix);
                let loss = mean_where(matrix.clone().square(), off) - diagonal(matrix).mean() * 2.0;
                loss + orthonormality(there)
            }
        })
    }

    /// Products of the slow copies; `swapped` puts the other side first.
    fn slow_measure(
        &self,
        features: &Tensor<2>,
        others: &Tensor<2>,
        swapped: bool,
    ) -> Option<Tensor<2>> {
        let features = spherical(&self.target_feature_net.as_ref()?.valid(), features.clone());
        let others = run_features(&self.target_mu_net.as_ref()?.valid(), others.clone());
        Some(if swapped {
            products(others, features)
        } else {
            products(features, others)
        })
    }

    /// The slow copies after an update; the authors move them when the loss has been formed, before
    /// the step.
    #[must_use]
    pub fn with_targets_moved(mut self) -> Self {
        if let Some(slow) = self.target_feature_net.take() {
            self.target_feature_net = Some(follow(slow, &self.feature_net, TARGET_RATE));
        }
        if let (Some(slow), Some(mu)) = (self.target_mu_net.take(), &self.mu_net) {
            self.target_mu_net = Some(follow(slow, mu, TARGET_RATE));
        }
        self
    }
}

fn spherical(net: &FeatureNet, rows: Tensor<2>) -> Tensor<2> {
    on_sphere(run_features(net, rows))
}

fn run_plain((first, relu, second, _, third): &PlainNet, rows: Tensor<2>) -> Tensor<2> {
    let hidden = relu.forward(first.forward(rows));
    third.forward(relu.forward(second.forward(hidden)))
}

/// All pairs of rows, `[batch, batch]`.
pub fn products(left: Tensor<2>, right: Tensor<2>) -> Tensor<2> {
    left.matmul(right.transpose())
}

/// Products of rows with themselves near one, of different rows near zero (Wu et al., arXiv
/// 1810.04586): the mean square of the others minus twice the mean of the own.
pub fn orthonormality(rows: Tensor<2>) -> Tensor<1> {
    let products = products(rows.clone(), rows);
    let off = off_diagonal(&products);
    mean_where(products.clone().square(), off) - diagonal(products).mean() * 2.0
}

fn successor(measure: Tensor<2>, slow: Tensor<2>) -> Tensor<1> {
    let off = off_diagonal(&measure);
    mean_where((measure.clone() - slow).square(), off) - diagonal(measure).mean() * 2.0
}

/// Own pairs against all others, directions only.
fn contrastive(left: Tensor<2>, right: Tensor<2>) -> Tensor<1> {
    let unit = |rows: Tensor<2>| {
        let norms = rows.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
        rows / norms
    };
    let logits = products(unit(left), unit(right));
    let off = off_diagonal(&logits);
    let others = (logits.clone().exp() * off).sum_dim(1).log();
    let [batch, _] = others.dims();
    (others.reshape([batch]) - diagonal(logits)).mean()
}

/// Ones beside the diagonal, zeros on it.
pub fn off_diagonal(matrix: &Tensor<2>) -> Tensor<2> {
    let [rows, _] = matrix.dims();
    let device = matrix.device().inner();
    let diagonal = Tensor::<2, Bool>::diag_mask([rows, rows], 0, &device);
    diagonal.float()
}

/// The diagonal, `[rows]`.
pub fn diagonal(matrix: Tensor<2>) -> Tensor<1> {
    let on = off_diagonal(&matrix) * -1.0 + 1.0;
    let [rows, _] = matrix.dims();
    (matrix * on).sum_dim(1).reshape([rows])
}

/// The mean of the entries where `weights` are one.
pub fn mean_where(matrix: Tensor<2>, weights: Tensor<2>) -> Tensor<1> {
    let count = weights.clone().sum();
    (matrix * weights).sum() / count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn orthonormal_rows_by_hand() {
        let device = Device::flex();
        let rows = Tensor::<2>::from_floats([[1.0, 0.0], [3.0, 1.0]], &device);
        // Products: own 1 and 10, other 3.
        close("loss", &vec(orthonormality(rows)), &[9.0 - 11.0], 1e-6);
    }

    #[test]
    fn a_contrast_by_hand() {
        let device = Device::flex();
        let rows = Tensor::<2>::from_floats([[2.0, 0.0], [0.0, 3.0]], &device);
        // Own pairs 1, others 0.
        close("loss", &vec(contrastive(rows.clone(), rows)), &[-1.0], 1e-6);
    }

    #[test]
    fn every_learner_has_what_its_loss_needs() {
        let device = Device::flex().autodiff();
        let sizes = LearnerSizes {
            observation: 3,
            action: 2,
            hidden: 5,
            features: 4,
        };
        let rows = |width| Tensor::ones([6, width], &Device::flex());
        let batch = Transition {
            observation: rows(3),
            action: rows(2),
            next: rows(3) * 2.0,
            future: rows(3) * 3.0,
        };
        for (name, learner) in Learner::NAMES {
            let features = BaselineFeatures::new(learner, &sizes, &device);
            let loss = features.loss(learner, &batch);
            assert_eq!(loss.is_none(), learner == Learner::Random, "{name}");
            assert_eq!(
                features.with_targets_moved().features(rows(3)).dims(),
                [6, 4]
            );
        }
        let random = BaselineFeatures::new(Learner::Random, &sizes, &device);
        assert!(random.loss(Learner::Autoencoder, &batch).is_none());
    }
}
