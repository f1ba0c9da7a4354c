//! How well a policy does on demonstrations that it did not learn from.

use super::augment::AugmentConfig;
use super::batch::{Batcher, Extras};
use super::config::TrainConfig;
use super::order::{Draw, Order, stream};
use crate::host;
use crate::mdt::Mdt;
use crate::mdt::loss::{ActionNoise, action_loss};
use crate::mdt::model::Inputs;

/// Batches that are judged.
const BATCHES: u64 = 4;

/// Diffusion loss on held-out moments, with told or shown goals: always the same moments with the
/// same noise. `None` if goals are to be shown to a network that does not take them, or a picture
/// cannot be read.
pub(super) fn validate(
    model: &Mdt,
    batcher: Batcher<'_>,
    train: &TrainConfig,
    shown: bool,
) -> Option<f32> {
    if shown && model.goal_encoder.is_none() {
        return None;
    }
    let batcher = Batcher {
        augment: AugmentConfig {
            shift: 0,
            jitter: 0.0,
        },
        ..batcher
    };
    let network = batcher.config;
    let device = model.denoiser().pos_emb.val().device();
    let mut order = Order::new(0..batcher.dataset.len(), 0);
    let d = &network.denoiser;
    let mut total = 0.0;
    for index in 0..BATCHES {
        let mut rng = stream(0, index);
        let moments = order.batch(index, train.batch);
        let count = moments.len();
        let draw = if shown {
            Draw {
                told: Vec::new(),
                shown: moments,
            }
        } else {
            Draw {
                told: moments,
                shown: Vec::new(),
            }
        };
        let batch = batcher
            .batch(&draw, Extras::default(), &mut rng, &device)
            .ok()?;
        let goal = match (&model.goal_encoder, &batch.shown) {
            (Some(encoder), Some(shown)) => {
                encoder.forward(batch.inputs.static_images.clone(), shown.images.clone())
            }
            _ => batch.inputs.goal.clone(),
        };
        let inputs = Inputs {
            goal,
            ..batch.inputs
        };
        let numbers = d.horizon * d.action_dim;
        let noise = ActionNoise::draw(
            &network.diffusion,
            count,
            train.noise_draws,
            numbers,
            &mut rng,
        );
        let tokens = Mdt::tokens(&inputs, model.views(&inputs));
        let diffusion = &network.diffusion;
        let loss = action_loss(model.denoiser(), diffusion, tokens, batch.actions, &noise);
        total += host::values(loss.per_sample.mean()).first()?;
    }
    Some(total / BATCHES as f32)
}
