//! The codebook: which concept a key belongs to.
//!
//! Every concept is a prototype on the time sphere ([`super::time_sphere`]). A key belongs to the
//! prototype with the greatest cosine, times the prototype's radius. Prototypes are not learned by
//! gradients: after every assignment they move towards the keys that they were given
//! ([`super::prototypes`]). The networks behind see the hard choice and learn through the soft one.

use burn::module::{Initializer, Module, Param};
use burn::nn::{Embedding, EmbeddingConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::config::InfoConConfig;
use super::prototypes::{Movement, Prototypes};
use super::time_sphere::TimeSphere;
use crate::host;
use crate::nn::norm::unit;

/// Bounds of stored radii at the start of every batch.
const RADIUS: (f32, f32) = (0.1, 0.999);

/// Least length of a vector that is brought to unit length.
const SHORTEST: f64 = 1e-12;

/// Prototypes, their radii and the parameters of their scores.
#[derive(Module, Debug)]
pub struct Codebook {
    /// Features of the prototypes, `[concepts, key_dim]`.
    pub keys: Embedding,
    /// Their times, `[concepts, 1]`.
    pub t_keys: Embedding,
    /// Their radii, `[concepts, 1]`.
    pub r_keys: Embedding,
    /// Parameters of their scores, `[concepts, parts * parameter_dim]`.
    pub vparams: Embedding,
    /// Parts of the parameters.
    pub parts: usize,
    /// Temperature of the weights.
    pub temperature: f64,
    /// See [`TimeSphere`].
    pub time_rate: f64,
    /// Whether radii are used.
    pub radius: bool,
    /// See [`Movement`].
    pub ema_decay: f64,
    /// See [`Movement`].
    pub ema_averaged: bool,
}

/// Keys of steps with what belongs to which concept.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// Keys on the sphere, `[batch, steps, key_dim + 1]`.
    pub points: Tensor<3>,
    /// Scores of all concepts, `[batch, steps, concepts]`.
    pub scores: Tensor<3>,
    /// The best concept of every step, row-major.
    pub nearest: Vec<usize>,
    /// The concept that counts: the best one, unless others were drawn or asked for.
    pub concepts: Vec<usize>,
}

/// What the other networks read of an assignment.
#[derive(Clone, Debug)]
pub struct Quantised {
    /// Scores by the moved prototypes, `[batch, steps, concepts]`.
    pub scores: Tensor<3>,
    /// Logarithms of the concepts' weights, `[batch, steps, concepts]`.
    pub log_weights: Tensor<3>,
    /// That of the step's own concept, `[batch, steps]`.
    pub log_own_weight: Tensor<2>,
    /// One over one more than the number of steps of the same concept, `[batch, steps]`: rare
    /// concepts count as much as common ones.
    pub rarity: Tensor<2>,
    /// The own prototype times its radius, `[batch, steps, key_dim + 1]`; gradients of the weighted
    /// mean of all.
    pub keys: Tensor<3>,
    /// Weighted mean of all concepts' parameters, `[batch, steps, parts * parameter_dim]`.
    pub soft_parameters: Tensor<3>,
    /// The own concept's parameters; gradients of the weighted mean.
    pub parameters: Tensor<3>,
}

impl Codebook {
    /// Random unit features, times in order, radii just below one.
    pub fn new(config: &InfoConConfig, device: &Device) -> Self {
        let concepts = config.concepts;
        let bound = 1.0 / concepts as f64;
        let uniform = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        let table = |width: usize, initializer: Initializer| {
            EmbeddingConfig::new(concepts, width)
                .with_initializer(initializer)
                .init(device)
        };
        let mut keys = table(config.key_dim, uniform.clone());
        keys.weight = keys.weight.map(|weight| unit(weight, SHORTEST));
        let mut t_keys = table(
            1,
            Initializer::Uniform {
                min: 0.0,
                max: bound,
            },
        );
        let order = (0..concepts).map(|index| index as f32 / concepts as f32);
        let order = TensorData::new(order.collect::<Vec<_>>(), [concepts, 1]);
        t_keys.weight = t_keys.weight.map(|times| {
            let order = Tensor::from_data(order, &times.device());
            times + order
        });
        Self {
            keys,
            t_keys,
            r_keys: table(
                1,
                Initializer::Constant {
                    value: f64::from(RADIUS.1),
                },
            ),
            vparams: table(config.parameters(), uniform),
            parts: config.score_layers,
            temperature: config.temperature,
            time_rate: config.time_rate,
            radius: config.radius,
            ema_decay: config.ema_decay,
            ema_averaged: config.ema_averaged,
        }
    }

    /// Number of concepts.
    pub fn concepts(&self) -> usize {
        self.keys.weight.val().dims()[0]
    }

    /// Where times lie on the sphere.
    pub const fn sphere(&self) -> TimeSphere {
        TimeSphere {
            rate: self.time_rate,
        }
    }

    /// The prototypes in force.
    pub fn prototypes(&self) -> Prototypes {
        let (keys, times) = (numbers(&self.keys), numbers(&self.t_keys));
        Prototypes::new(self.sphere(), &keys, &times)
    }

    /// With other prototypes.
    #[must_use]
    pub fn with_prototypes(mut self, prototypes: &Prototypes) -> Self {
        self.keys.weight = replaced(self.keys.weight, prototypes.features());
        self.t_keys.weight = replaced(self.t_keys.weight, prototypes.times());
        self
    }

    /// With concepts renumbered: number `i` is what was `order[i]`
    /// ([`Matching`](super::matching::Matching)).
    #[must_use]
    pub fn renumbered(mut self, order: &[usize]) -> Self {
        let rows = |param: Param<Tensor<2>>| {
            param.map(|old| {
                let rows = indices(order, &old.device());
                let require_grad = old.is_require_grad();
                old.detach().select(0, rows).set_require_grad(require_grad)
            })
        };
        self.keys.weight = rows(self.keys.weight);
        self.t_keys.weight = rows(self.t_keys.weight);
        self.r_keys.weight = rows(self.r_keys.weight);
        self.vparams.weight = rows(self.vparams.weight);
        self
    }

    /// Stored radii back in their bounds, as at the start of every batch.
    #[must_use]
    pub fn with_bounded_radii(mut self) -> Self {
        let radii = numbers(&self.r_keys);
        let bounded = radii.iter().map(|radius| radius.clamp(RADIUS.0, RADIUS.1));
        self.r_keys.weight = replaced(self.r_keys.weight, bounded.collect());
        self
    }

    /// Radii in force, `[concepts, 1]`: stored ones cut to 0 to 1, or ones.
    pub fn radii(&self) -> Tensor<2> {
        let stored = self.r_keys.weight.val();
        if self.radius {
            stored.clamp(0.0, 1.0)
        } else {
            stored.detach().ones_like()
        }
    }

    /// Keys (`[batch, steps, key_dim]`, any length) at their times (row-major) on the sphere.
    pub fn points(&self, keys: Tensor<3>, times: &[f32]) -> Tensor<3> {
        self.sphere().embed(unit(keys, SHORTEST), times)
    }

    /// Cosines with all prototypes, times their radii: `[batch, steps, concepts]`.
    pub fn scores(&self, points: Tensor<3>, prototypes: &Prototypes) -> Tensor<3> {
        let [batch, steps, width] = points.dims();
        let places = places(prototypes, &points.device());
        let cosines = points
            .reshape([batch * steps, width])
            .matmul(places.transpose());
        let scores = cosines * self.radii().transpose();
        scores.reshape([batch, steps, prototypes.len()])
    }

    /// The concept of every step by the given prototypes.
    pub fn assign(&self, keys: Tensor<3>, times: &[f32], prototypes: &Prototypes) -> Assignment {
        let points = self.points(keys, times);
        let scores = self.scores(points.clone(), prototypes);
        let best = host::values(scores.clone().detach().argmax(2).float());
        let nearest = best.into_iter().map(|index| index as usize);
        let nearest = nearest.collect::<Vec<_>>();
        Assignment {
            points,
            scores,
            concepts: nearest.clone(),
            nearest,
        }
    }

    /// Draws every step's concept among the best one and those numbered next to it, by their weights
    /// under the moved prototypes (an option of the authors' code, off in their scripts). `draws` are
    /// uniform numbers from 0 to 1, one per step.
    #[must_use]
    pub fn drawn(&self, assignment: Assignment, moved: &Prototypes, draws: &[f32]) -> Assignment {
        let count = moved.len();
        let scores = host::values(self.scores(assignment.points.clone(), moved).detach());
        let rows = scores.chunks_exact(count.max(1)).zip(&assignment.nearest);
        let concepts = rows.zip(draws).map(|((scores, &best), &draw)| {
            let (first, end) = (best.saturating_sub(1), (best + 2).min(count));
            let scores = scores.get(first..end).unwrap_or_default();
            first + draw_by_score(scores, self.temperature, draw)
        });
        Assignment {
            concepts: concepts.collect(),
            ..assignment
        }
    }

    /// Where the prototypes are after an assignment.
    #[must_use]
    pub fn moved(&self, prototypes: &Prototypes, assignment: &Assignment) -> Prototypes {
        let radii = host::values(self.radii().detach());
        let points = host::values(assignment.points.clone().detach());
        let how = Movement {
            decay: self.ema_decay,
            averaged: self.ema_averaged,
        };
        prototypes.moved(&points, &assignment.nearest, &radii, how)
    }

    /// Weights, keys and parameters of an assignment, by the moved prototypes.
    pub fn quantise(&self, assignment: &Assignment, moved: &Prototypes) -> Quantised {
        let [batch, steps, width] = assignment.points.dims();
        let device = assignment.points.device();
        let rows = batch * steps;
        let own = indices(&assignment.concepts, &device);

        let scores = self.scores(assignment.points.clone(), moved);
        let log_weights = log_softmax(scores.clone() / self.temperature, 2);
        let log_own_weight = log_weights
            .clone()
            .gather(2, own.clone().reshape([batch, steps, 1]))
            .reshape([batch, steps]);
        let weights = log_weights.clone().exp().reshape([rows, moved.len()]);

        let places = places(moved, &device) * self.radii().detach();
        let soft = unit(weights.clone().matmul(places.clone()), SHORTEST);
        let keys = straight_through(places.select(0, own.clone()), soft);

        let parameters = self.unit_parts(self.vparams.weight.val().detach());
        let soft = self.unit_parts(weights.matmul(parameters.clone()));
        let [_, parameter_width] = parameters.dims();
        let hard = straight_through(parameters.select(0, own), soft.clone());
        Quantised {
            scores,
            log_weights,
            log_own_weight,
            rarity: rarity(&assignment.nearest, [batch, steps], &device),
            keys: keys.reshape([batch, steps, width]),
            soft_parameters: soft.reshape([batch, steps, parameter_width]),
            parameters: hard.reshape([batch, steps, parameter_width]),
        }
    }

    /// Parameters of one concept, `[1, parts * parameter_dim]`, with gradients.
    pub fn parameters_of(&self, concept: usize) -> Tensor<2> {
        self.unit_parts(self.vparams.weight.val().narrow(0, concept, 1))
    }

    /// Every part of the parameters at unit length; `[rows, parts * parameter_dim]`.
    fn unit_parts(&self, parameters: Tensor<2>) -> Tensor<2> {
        let [rows, width] = parameters.dims();
        let parts: Tensor<3> = parameters.reshape([rows, self.parts, width / self.parts]);
        unit(parts, SHORTEST).reshape([rows, width])
    }
}

/// The index that a uniform number from 0 to 1 falls on, where every index has a part of the line as
/// long as its weight `exp(score / temperature)`.
pub(super) fn draw_by_score(scores: &[f32], temperature: f64, draw: f32) -> usize {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |&score: &f32| (f64::from(score - most) / temperature).exp();
    let total = scores.iter().map(weight).sum::<f64>();
    let mut left = f64::from(draw) * total;
    for (index, score) in scores.iter().enumerate() {
        left -= weight(score);
        if left < 0.0 {
            return index;
        }
    }
    scores.len().saturating_sub(1)
}

/// The value of `hard` with the gradient of `soft`.
fn straight_through(hard: Tensor<2>, soft: Tensor<2>) -> Tensor<2> {
    soft.clone() + (hard - soft).detach()
}

fn places(prototypes: &Prototypes, device: &Device) -> Tensor<2> {
    let points = prototypes.points();
    let width = points.len() / prototypes.len().max(1);
    Tensor::from_data(TensorData::new(points, [prototypes.len(), width]), device)
}

fn indices(concepts: &[usize], device: &Device) -> Tensor<1, Int> {
    let values = concepts.iter().map(|&concept| concept as i64);
    let values = TensorData::new(values.collect::<Vec<_>>(), [concepts.len()]);
    Tensor::from_data(values, device)
}

fn rarity(concepts: &[usize], shape: [usize; 2], device: &Device) -> Tensor<2> {
    let most = concepts.iter().max().map_or(0, |most| most + 1);
    let mut counts = vec![0usize; most];
    for &concept in concepts {
        counts[concept] += 1;
    }
    let weights = concepts
        .iter()
        .map(|&concept| 1.0 / (1 + counts[concept]) as f32);
    Tensor::from_data(TensorData::new(weights.collect::<Vec<_>>(), shape), device)
}

pub(super) fn numbers(table: &Embedding) -> Vec<f32> {
    host::values(table.weight.val().detach())
}

pub(super) fn replaced(param: Param<Tensor<2>>, values: Vec<f32>) -> Param<Tensor<2>> {
    param.map(|old| {
        let data = TensorData::new(values, old.dims());
        Tensor::from_data(data, &old.device()).set_require_grad(old.is_require_grad())
    })
}
