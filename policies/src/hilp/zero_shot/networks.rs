//! Layers and networks of the zero-shot variant.
//!
//! Field names follow the authors' state dictionaries; sequences are tuples, so that the keys are
//! their places.

use burn::module::{Initializer, Module, Param};
use burn::nn::{Linear, Relu, Tanh};
use burn::tensor::{Device, Tensor, activation::tanh};

use crate::nn::LayerNorm;

/// Linear, layer norm, tanh, linear, ReLU.
pub type Embedding = (Linear, LayerNorm, Tanh, Linear, Relu);
/// Linear, ReLU, linear.
pub type Head = (Linear, Relu, Linear);
/// Linear, layer norm, tanh, linear, ReLU, linear.
pub type FeatureNet = (Linear, LayerNorm, Tanh, Linear, Relu, Linear);

/// A linear layer with orthogonal weights and zero bias.
pub fn orthogonal(input: usize, output: usize, device: &Device) -> Linear {
    Linear {
        weight: Initializer::Orthogonal { gain: 1.0 }.init([input, output], device),
        bias: Some(Initializer::Zeros.init([output], device)),
    }
}

/// An [`Embedding`] from `input` over `hidden` to `output` numbers.
pub fn embedding([input, hidden, output]: [usize; 3], device: &Device) -> Embedding {
    (
        orthogonal(input, hidden, device),
        LayerNorm::new(hidden, true, device),
        Tanh::new(),
        orthogonal(hidden, output, device),
        Relu::new(),
    )
}

/// A [`Head`] from `input` over `hidden` to `output` numbers.
pub fn head([input, hidden, output]: [usize; 3], device: &Device) -> Head {
    (
        orthogonal(input, hidden, device),
        Relu::new(),
        orthogonal(hidden, output, device),
    )
}

/// A [`FeatureNet`] from `input` over `hidden` twice to `output` numbers.
pub fn feature_net([input, hidden, output]: [usize; 3], device: &Device) -> FeatureNet {
    let (first, norm, activation, second, relu) = embedding([input, hidden, hidden], device);
    let last = orthogonal(hidden, output, device);
    (first, norm, activation, second, relu, last)
}

fn normed(norm: &LayerNorm, rows: Tensor<2>) -> Tensor<2> {
    let [batch, width] = rows.dims();
    norm.forward(rows.unsqueeze_dim(1)).reshape([batch, width])
}

/// Runs an [`Embedding`] on `[batch, input]`.
pub fn embed((first, norm, _, second, relu): &Embedding, input: Tensor<2>) -> Tensor<2> {
    relu.forward(second.forward(tanh(normed(norm, first.forward(input)))))
}

/// Runs a [`Head`] on `[batch, input]`.
pub fn run_head((first, relu, second): &Head, input: Tensor<2>) -> Tensor<2> {
    second.forward(relu.forward(first.forward(input)))
}

/// Runs a [`FeatureNet`] on `[batch, input]`.
pub fn run_features(
    (first, norm, _, second, relu, last): &FeatureNet,
    input: Tensor<2>,
) -> Tensor<2> {
    let hidden = relu.forward(second.forward(tanh(normed(norm, first.forward(input)))));
    last.forward(hidden)
}

/// Smallest squared length that is divided by.
const SMALLEST_SQUARE: f32 = 1e-24;

/// Rows brought to the length √width.
pub fn on_sphere(rows: Tensor<2>) -> Tensor<2> {
    let [_, width] = rows.dims();
    let squares = rows.clone().square().sum_dim(1);
    // Bounded before the root, whose gradient at zero is infinite.
    rows / squares.clamp_min(SMALLEST_SQUARE).sqrt() * (width as f64).sqrt()
}

/// Sizes of an [`Actor`] or [`Successor`].
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Numbers of an observation, after the image encoder if there is one.
    pub observation: usize,
    /// Numbers of an action.
    pub action: usize,
    /// Numbers of a skill (or of a goal).
    pub skill: usize,
    /// Hidden layers.
    pub hidden: usize,
    /// What each of the two inputs becomes.
    pub feature: usize,
    /// Whether a layer joins them.
    pub trunk: bool,
}

impl Sizes {
    fn trunk(&self, device: &Device) -> Option<(Linear, Relu)> {
        self.trunk.then(|| {
            let layer = orthogonal(2 * self.feature, self.hidden, device);
            (layer, Relu::new())
        })
    }

    fn joined(&self) -> usize {
        if self.trunk {
            self.hidden
        } else {
            2 * self.feature
        }
    }
}

fn join(trunk: &Option<(Linear, Relu)>, first: Tensor<2>, second: Tensor<2>) -> Tensor<2> {
    let both = Tensor::cat(vec![first, second], 1);
    match trunk {
        Some((layer, relu)) => relu.forward(layer.forward(both)),
        None => both,
    }
}

/// π(s, z): the mean of the actions; the noise around it is a constant of the agent.
#[derive(Module, Debug)]
pub struct Actor {
    /// Reads s.
    pub obs_net: Embedding,
    /// Reads s and z.
    pub obs_z_net: Embedding,
    /// Joins both.
    pub trunk: Option<(Linear, Relu)>,
    /// From both to the action.
    pub policy: Head,
}

impl Actor {
    /// Fresh layers.
    pub fn new(sizes: &Sizes, device: &Device) -> Self {
        let Sizes {
            observation,
            action,
            skill,
            hidden,
            feature,
            ..
        } = *sizes;
        Self {
            obs_net: embedding([observation, hidden, feature], device),
            obs_z_net: embedding([observation + skill, hidden, feature], device),
            trunk: sizes.trunk(device),
            policy: head([sizes.joined(), hidden, action], device),
        }
    }

    /// Mean action in −1 … 1, `[batch, action]`.
    pub fn forward(&self, observations: Tensor<2>, skills: Tensor<2>) -> Tensor<2> {
        let both = Tensor::cat(vec![observations.clone(), skills], 1);
        let hidden = join(
            &self.trunk,
            embed(&self.obs_net, observations),
            embed(&self.obs_z_net, both),
        );
        tanh(run_head(&self.policy, hidden))
    }
}

/// Two estimates of the discounted sum of features under the policy of a skill.
#[derive(Module, Debug)]
pub struct Successor {
    /// Reads s and a.
    pub obs_action_net: Embedding,
    /// Reads s and z.
    pub obs_z_net: Embedding,
    /// Joins both.
    pub trunk: Option<(Linear, Relu)>,
    /// First estimate.
    pub f1: Head,
    /// Second estimate.
    pub f2: Head,
}

impl Successor {
    /// Fresh layers with `output` numbers per estimate.
    pub fn new(sizes: &Sizes, output: usize, device: &Device) -> Self {
        let Sizes {
            observation,
            action,
            skill,
            hidden,
            feature,
            ..
        } = *sizes;
        let estimate = || head([sizes.joined(), hidden, output], device);
        Self {
            obs_action_net: embedding([observation + action, hidden, feature], device),
            obs_z_net: embedding([observation + skill, hidden, feature], device),
            trunk: sizes.trunk(device),
            f1: estimate(),
            f2: estimate(),
        }
    }

    /// Both estimates, `[batch, output]` each.
    pub fn forward(
        &self,
        observations: Tensor<2>,
        skills: Tensor<2>,
        actions: Tensor<2>,
    ) -> [Tensor<2>; 2] {
        let with_action = Tensor::cat(vec![observations.clone(), actions], 1);
        let with_skill = Tensor::cat(vec![observations, skills], 1);
        let hidden = join(
            &self.trunk,
            embed(&self.obs_action_net, with_action),
            embed(&self.obs_z_net, with_skill),
        );
        [
            run_head(&self.f1, hidden.clone()),
            run_head(&self.f2, hidden),
        ]
    }
}

/// The HILP representation: two φ with slow copies.
#[derive(Module, Debug)]
pub struct HilbertFeatures {
    /// First φ, the one that is used elsewhere.
    pub phi1: FeatureNet,
    /// Second φ.
    pub phi2: FeatureNet,
    /// Slow copy of the first.
    pub target_phi1: FeatureNet,
    /// Slow copy of the second.
    pub target_phi2: FeatureNet,
    /// A network that the authors' code holds and never uses; here so that their files come back
    /// whole.
    pub feature_net: FeatureNet,
    /// Slow mean of φ of the states seen, `[φ]`: subtracted from the features.
    pub running_mean: Param<Tensor<1>>,
    /// Slow standard deviation, `[φ]`; kept but not used.
    pub running_std: Param<Tensor<1>>,
}

impl HilbertFeatures {
    /// Fresh layers: numbers of an observation, of hidden layers and of φ, and numbers of a skill.
    /// As in the authors' code the slow copies do not start equal to their originals.
    pub fn new(sizes: [usize; 3], skill: usize, device: &Device) -> Self {
        let net = || feature_net(sizes, device);
        let [input, hidden, width] = sizes;
        Self {
            phi1: net(),
            phi2: net(),
            target_phi1: net(),
            target_phi2: net(),
            feature_net: feature_net([input, hidden, skill], device),
            running_mean: Initializer::Zeros.init([width], device),
            running_std: Initializer::Ones.init([width], device),
        }
    }

    /// φ of both members, `[2, batch, φ]`.
    pub fn both(&self, observations: Tensor<2>) -> Tensor<3> {
        pair(&self.phi1, &self.phi2, observations)
    }

    /// φ of both slow copies, `[2, batch, φ]`.
    pub fn both_slow(&self, observations: Tensor<2>) -> Tensor<3> {
        pair(&self.target_phi1, &self.target_phi2, observations)
    }

    /// What is used elsewhere: φ of the first member minus the slow mean, `[batch, φ]`.
    pub fn features(&self, observations: Tensor<2>) -> Tensor<2> {
        run_features(&self.phi1, observations) - self.running_mean.val().unsqueeze()
    }
}

fn pair(first: &FeatureNet, second: &FeatureNet, observations: Tensor<2>) -> Tensor<3> {
    let members = [
        run_features(first, observations.clone()),
        run_features(second, observations),
    ];
    Tensor::stack(members.to_vec(), 0)
}

/// Products of rows, `[batch]`.
pub fn dot(left: Tensor<2>, right: Tensor<2>) -> Tensor<1> {
    let [batch, _] = left.dims();
    (left * right).sum_dim(1).reshape([batch])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{close, vec};

    #[test]
    fn the_sphere_has_the_root_of_its_dimension_as_radius() {
        let device = Device::flex();
        let rows = on_sphere(Tensor::from_floats([[3.0, 4.0], [0.0, 0.0]], &device));
        let root = 2f32.sqrt();
        close(
            "rows",
            &vec(rows),
            &[0.6 * root, 0.8 * root, 0.0, 0.0],
            1e-6,
        );
    }

    #[test]
    fn shapes_with_and_without_a_trunk() {
        let device = Device::flex();
        for trunk in [false, true] {
            let sizes = Sizes {
                observation: 3,
                action: 2,
                skill: 4,
                hidden: 6,
                feature: 5,
                trunk,
            };
            let rows = |width| Tensor::zeros([7, width], &device);
            let action = Actor::new(&sizes, &device).forward(rows(3), rows(4));
            assert_eq!(action.dims(), [7, 2]);
            let successor = Successor::new(&sizes, 4, &device);
            let both = successor.forward(rows(3), rows(4), rows(2));
            assert!(both.iter().all(|estimate| estimate.dims() == [7, 4]));
        }
    }
}
