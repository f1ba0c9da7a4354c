//! The discriminative goal: a small network per concept that scores how complete it is in a state.
//!
//! A concept's parameters are not weights themselves; a hyper-network makes the weights of affine
//! maps from them. The score's gradient with respect to the state says which way completion lies and
//! is what actions are predicted from, so that learning needs derivatives of that gradient. Here the
//! gradient is written out in operations that are themselves differentiable: one backward pass
//! through it gives the second order, exactly, for any depth and with or without shortcuts.
//!
//! Generated matrices are sums of few fixed ones with generated weights, `M = sum_l c_l A_l`. They
//! are never formed: `h M` is the weighted sum of the products `h A_l`.

use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};

use crate::nn::norm::length;

/// Least length in the cosine.
const SHORTEST: f64 = 1e-8;

/// The hyper-network's layers, borrowed from where the authors' files hold them.
#[derive(Clone, Copy, Debug)]
pub struct HyperScore<'a> {
    /// States to hidden features.
    pub encoder: &'a Linear,
    /// Part `i` of the parameters to the code of generated map `i`, without bias.
    pub codes: &'a [Linear],
    /// Codes to matrix (row-major) and offset, without bias; shared by all maps.
    pub maps: &'a Linear,
    /// The last part of the parameters to the direction of completion, without bias.
    pub direction: &'a Linear,
    /// Whether every second map adds what went into the one before it.
    pub skip: bool,
    /// Temperature of the score.
    pub temperature: f64,
}

/// Scores of states under concepts.
#[derive(Clone, Debug)]
pub struct Score {
    /// Cosine over temperature, `[rows, 1]`: the score before the sigmoid.
    pub logit: Tensor<2>,
    /// Hidden features of the states, `[rows, width]`.
    pub hidden: Tensor<2>,
    direction: Tensor<2>,
    layers: Vec<Layer>,
}

/// What the backward pass needs of one generated map.
#[derive(Clone, Debug)]
struct Layer {
    /// `[rows or 1, codes]`.
    code: Tensor<2>,
    /// Where its output passed the rectifier; `None` without one.
    open: Option<Tensor<2>>,
    /// Whether the shortcut ends here.
    joins: bool,
}

impl Score {
    /// In 0 to 1, `[rows, 1]`: trained towards 0 inside the concept's segment and 1 elsewhere.
    pub fn probability(&self) -> Tensor<2> {
        sigmoid(self.logit.clone())
    }
}

impl HyperScore<'_> {
    /// Scores states, `[rows, state_dim]`, under parameters, `[rows or 1, parts * parameter_dim]`.
    pub fn score(&self, states: Tensor<2>, parameters: Tensor<2>) -> Score {
        let parts = self.codes.len() + 1;
        let [_, all] = parameters.dims();
        let part = |index: usize| {
            let width = all / parts;
            parameters.clone().narrow(1, index * width, width)
        };
        let mut hidden = self.encoder.forward(states);
        let mut remembered = hidden.clone();
        let mut layers = Vec::with_capacity(self.codes.len());
        let (matrices, offsets) = self.generators(hidden.dims()[1]);
        for (index, generator) in self.codes.iter().enumerate() {
            let code = generator.forward(part(index));
            let mut next = mapped(hidden, &code, &matrices) + code.clone().matmul(offsets.clone());
            let joins = self.skip && index % 2 == 1;
            if joins {
                next = next + remembered.clone();
            }
            let open = (index + 1 < self.codes.len())
                .then(|| next.clone().detach().greater_scalar(0.0).float());
            hidden = match open {
                Some(_) => relu(next),
                None => next,
            };
            if joins {
                remembered = hidden.clone();
            }
            layers.push(Layer { code, open, joins });
        }
        let direction = self.direction.forward(part(self.codes.len()));
        let cosine = cosine(&hidden, &direction);
        Score {
            logit: cosine / self.temperature,
            hidden,
            direction,
            layers,
        }
    }

    /// Gradient of the score with respect to its state, `[rows, state_dim]`, differentiable itself.
    pub fn gradient(&self, score: &Score) -> Tensor<2> {
        let [_, width] = score.hidden.dims();
        let (matrices, _) = self.generators(width);
        let probability = score.probability();
        let slope = probability.clone() * (-probability + 1.0) / self.temperature;
        let mut grad = slope * cosine_gradient(&score.hidden, &score.direction);
        // Gradient of what a shortcut further up remembered of this place.
        let mut remembered: Option<Tensor<2>> = None;
        for layer in score.layers.iter().rev() {
            if layer.joins
                && let Some(more) = remembered.take()
            {
                grad = grad + more;
            }
            if let Some(open) = &layer.open {
                grad = grad * open.clone();
            }
            if layer.joins {
                remembered = Some(grad.clone());
            }
            grad = mapped_back(grad, &layer.code, &matrices);
        }
        if let Some(more) = remembered {
            grad = grad + more;
        }
        grad.matmul(self.encoder.weight.val().transpose())
    }

    /// All fixed matrices side by side, `[width, codes * width]`, and all offsets, `[codes, width]`.
    fn generators(&self, width: usize) -> (Tensor<2>, Tensor<2>) {
        let weight = self.maps.weight.val();
        let [codes, _] = weight.dims();
        let matrices: Tensor<3> = weight
            .clone()
            .narrow(1, 0, width * width)
            .reshape([codes, width, width]);
        let matrices = matrices.swap_dims(0, 1).reshape([width, codes * width]);
        (matrices, weight.narrow(1, width * width, width))
    }
}

/// `h M` of every row: `[rows, width]`.
fn mapped(hidden: Tensor<2>, code: &Tensor<2>, matrices: &Tensor<2>) -> Tensor<2> {
    let [rows, width] = hidden.dims();
    let [_, codes] = code.dims();
    let products: Tensor<3> = hidden
        .matmul(matrices.clone())
        .reshape([rows, codes, width]);
    let weights: Tensor<3> = code.clone().unsqueeze_dim(2);
    (products * weights).sum_dim(1).reshape([rows, width])
}

/// `g Mᵀ` of every row: `[rows, width]`.
fn mapped_back(grad: Tensor<2>, code: &Tensor<2>, matrices: &Tensor<2>) -> Tensor<2> {
    let [rows, width] = grad.dims();
    let [_, codes] = code.dims();
    let weights: Tensor<3> = code.clone().unsqueeze_dim(2);
    let spread = weights * grad.unsqueeze_dim::<3>(1);
    spread
        .reshape([rows, codes * width])
        .matmul(matrices.clone().transpose())
}

/// Cosine of every row with its direction, `[rows, 1]`.
fn cosine(hidden: &Tensor<2>, direction: &Tensor<2>) -> Tensor<2> {
    let product = (hidden.clone() * direction.clone()).sum_dim(1);
    product / (length(hidden.clone(), SHORTEST) * length(direction.clone(), SHORTEST))
}

/// Gradient of the cosine with respect to the row: `m / (|m| |h|) - cos h / |h|²`.
fn cosine_gradient(hidden: &Tensor<2>, direction: &Tensor<2>) -> Tensor<2> {
    let of_hidden = length(hidden.clone(), SHORTEST);
    let of_direction = length(direction.clone(), SHORTEST);
    let along = hidden.clone() * cosine(hidden, direction) / of_hidden.clone();
    (direction.clone() / of_direction - along) / of_hidden
}
