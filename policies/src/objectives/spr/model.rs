//! The model: encoder, value head, transition model, projections and the target's copies.

use burn::module::Module;
use burn::nn::{Linear, Relu};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::config::{PredictionKind, ProjectionKind, SprConfig};
use super::head::QHead;
use super::loss::distance;
use super::projection::{Rows, through};
use super::transition::{Transition, renormalized};
use crate::nn::{BiasConv, BiasConvShape, linear_default};
use crate::training::target::follow;

/// Three convolutions, each with ReLU behind it.
#[derive(Module, Debug)]
pub struct Encoder {
    /// The layers.
    pub conv: (BiasConv, Relu, BiasConv, Relu, BiasConv),
}

impl Encoder {
    /// Fresh layers.
    pub fn new(config: &SprConfig, device: &Device) -> Self {
        let layer = |input, output, kernel, stride| {
            let shape = BiasConvShape {
                input,
                output,
                kernel,
                stride,
                padding: 0,
            };
            BiasConv::new(&shape, device)
        };
        let [first, second, third] = config.encoder;
        Self {
            conv: (
                layer(config.channels, first, 8, 4),
                Relu::new(),
                layer(first, second, 4, 2),
                Relu::new(),
                layer(second, third, 3, 1),
            ),
        }
    }

    /// `[batch, height, width, channels]` in 0 … 1 to latents, channels last.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let (first, relu, second, _, third) = &self.conv;
        let hidden = relu.forward(first.forward(images));
        let hidden = relu.forward(second.forward(hidden));
        relu.forward(third.forward(hidden))
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct Spr {
    /// Encoder of the policy.
    pub conv: Encoder,
    /// Value head of the policy.
    pub head: QHead,
    /// Transition model.
    pub dynamics_model: Transition,
    /// Encoder of the targets.
    pub target_encoder: Encoder,
    /// Head of the targets, if it projects.
    pub target_head: Option<QHead>,
    /// Global projection of its own.
    pub global_classifier: Option<Rows>,
    /// The targets'.
    pub global_target_classifier: Option<Rows>,
    /// Global prediction.
    pub global_final_classifier: Option<Rows>,
    /// Projection of every pixel.
    pub local_classifier: Option<Linear>,
    /// The targets'.
    pub local_target_classifier: Option<Linear>,
    /// Prediction of every pixel.
    pub local_final_classifier: Option<Linear>,
}

/// Observations of a sequence, images `[batch, height, width, channels]` in 0 … 1.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// What the policy sees first, augmented.
    pub first: Tensor<4>,
    /// What the targets are made of, from the first observation on, each augmented by itself.
    pub targets: Vec<Tensor<4>>,
    /// Actions that led to each of them, per row; the first ones play no part.
    pub actions: Vec<Vec<usize>>,
}

/// What a pass through the model gave.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Latents, the encoded one first, each `[batch, rows, columns, channels]`.
    pub latents: Vec<Tensor<4>>,
    /// Logarithms of the return's probabilities, `[batch, actions, atoms]`.
    pub log_probabilities: Tensor<3>,
    /// Logarithms of the rewards' probabilities at every latent, `[batch, 3]` each.
    pub log_rewards: Vec<Tensor<2>>,
    /// Latents of the targets, as `latents`.
    pub target_latents: Vec<Tensor<4>>,
    /// Distances between both, `[latents, batch]`.
    pub distances: Tensor<2>,
}

impl Spr {
    /// Fresh networks. Check the configuration with [`SprConfig::problem`] first.
    pub fn new(config: &SprConfig, device: &Device) -> Self {
        let conv = Encoder::new(config, device);
        let head = QHead::new(config, device);
        let shares = config.global
            && matches!(
                config.projection,
                ProjectionKind::HeadHidden | ProjectionKind::HeadOutput
            );
        let channels = config.encoder[2];
        let local = |wanted: bool| {
            (config.local && wanted).then(|| linear_default(channels, channels, device))
        };
        let global_classifier = Rows::projection(config, device);
        let local_classifier = local(config.projection == ProjectionKind::Bilinear);
        Self {
            dynamics_model: Transition::new(config, device),
            target_encoder: conv.clone(),
            target_head: shares.then(|| head.clone()),
            global_target_classifier: global_classifier.clone(),
            global_classifier,
            global_final_classifier: Rows::prediction(config, device),
            local_target_classifier: local_classifier.clone(),
            local_classifier,
            local_final_classifier: local(config.prediction == PredictionKind::Linear),
            conv,
            head,
        }
    }

    /// The encoder's latents, as everything behind it reads them.
    pub fn encode(&self, images: Tensor<4>, config: &SprConfig) -> Tensor<4> {
        encode(&self.conv, images, config)
    }

    /// Logarithms of the return's probabilities, `[batch, actions, atoms]`, from latents.
    pub fn log_probabilities(&self, latents: Tensor<4>, config: &SprConfig) -> Tensor<3> {
        let shape = [config.actions, config.atoms];
        log_softmax(self.head.logits(flat(latents), shape), 2)
    }

    /// Encodes, predicts and compares; afterwards the targets' copies have followed, by the weights
    /// as they are, and running statistics have moved.
    pub fn train_forward(&mut self, sequence: &Sequence, config: &SprConfig) -> Pass {
        let latent = self.encode(sequence.first.clone(), config);
        let log_probabilities = self.log_probabilities(latent.clone(), config);
        let steps = sequence.actions.len().min(config.jumps + 1);
        let actions = &sequence.actions[..steps];
        let (latents, log_rewards) = self.dynamics_model.rollout(latent, actions);
        let slow = self.target_encoder.valid();
        let targets = sequence.targets.iter().take(latents.len());
        let target_latents = targets
            .map(|images| encode(&slow, images.clone(), config))
            .collect::<Vec<_>>();
        let distances = self.distances(&latents, &target_latents, config);
        self.follow(config);
        Pass {
            latents,
            log_probabilities,
            log_rewards,
            target_latents,
            distances,
        }
    }

    fn distances(
        &mut self,
        latents: &[Tensor<4>],
        targets: &[Tensor<4>],
        config: &SprConfig,
    ) -> Tensor<2> {
        let batch = latents.first().map_or(0, |latent| latent.dims()[0]);
        let (steps, both) = (latents.len(), Tensor::cat(latents.to_vec(), 0));
        let targets = Tensor::cat(targets.to_vec(), 0);
        let mut parts = Vec::new();
        if config.local {
            parts.push(self.local(both.clone(), targets.clone()));
        }
        if config.global {
            parts.push(self.global(flat(both), flat(targets), config));
        }
        let count = parts.len().max(1) as f32;
        let sum = Tensor::<1>::stack::<2>(parts, 0).sum_dim(0);
        sum.reshape([steps, batch]) / count
    }

    fn global(&mut self, latents: Tensor<2>, targets: Tensor<2>, config: &SprConfig) -> Tensor<1> {
        let hidden = config.head_hidden;
        let output = [config.actions, config.atoms];
        let by_head = |head: &QHead, rows: Tensor<2>| match config.projection {
            ProjectionKind::HeadHidden => head.hidden(&rows, hidden),
            ProjectionKind::HeadOutput => head.logits(rows, output).flatten(1, 2),
            _ => rows,
        };
        let projected = by_head(&self.head, latents);
        let projected = through(&mut self.global_classifier, projected);
        let predicted = through(&mut self.global_final_classifier, projected);
        let mut actual = targets;
        if let Some(head) = &self.target_head {
            actual = by_head(&head.valid(), actual);
        }
        let actual = through(&mut self.global_target_classifier, actual).detach();
        distance(predicted.unsqueeze(), actual.unsqueeze())
    }

    fn local(&self, latents: Tensor<4>, targets: Tensor<4>) -> Tensor<1> {
        let cells = |map: Tensor<4>| {
            let [rows, height, width, channels] = map.dims();
            map.reshape([rows, height * width, channels])
                .swap_dims(0, 1)
        };
        let run = |layer: &Option<Linear>, vectors: Tensor<3>| match layer {
            Some(layer) => layer.forward(vectors),
            None => vectors,
        };
        let predicted = run(&self.local_classifier, cells(latents));
        let predicted = run(&self.local_final_classifier, predicted);
        let actual = run(&self.local_target_classifier, cells(targets)).detach();
        distance(predicted, actual)
    }

    /// Moves the targets' copies. Those of bilinear projections stay where they began.
    fn follow(&mut self, config: &SprConfig) {
        let rate = config.target_rate;
        self.target_encoder = follow(self.target_encoder.clone(), &self.conv, rate);
        if let Some(head) = self.target_head.take() {
            self.target_head = Some(follow(head, &self.head, rate));
        }
        if config.projection == ProjectionKind::Bilinear {
            return;
        }
        if let (Some(target), Some(online)) =
            (&self.global_target_classifier, &self.global_classifier)
        {
            self.global_target_classifier = Some(follow(target.clone(), online, rate));
        }
    }

    /// With fresh noise in the head.
    #[must_use]
    pub fn draw(mut self, rng: &mut impl Rng) -> Self {
        self.head = self.head.draw(rng);
        self
    }
}

/// Latents of images, as everything behind the encoder reads them.
pub fn encode(encoder: &Encoder, images: Tensor<4>, config: &SprConfig) -> Tensor<4> {
    let latents = encoder.forward(images);
    if config.renormalize {
        renormalized(latents)
    } else {
        latents
    }
}

/// Latents as rows in the order channels, rows, columns.
fn flat(latents: Tensor<4>) -> Tensor<2> {
    latents.permute([0, 3, 1, 2]).flatten(1, 3)
}
