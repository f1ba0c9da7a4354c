//! One step of training: shards of a batch side by side, then optimiser and moving average.

use burn::module::Module;
use rand::Rng;

use super::adamw::AdamW;
use super::average::Average;
use super::batch::Batch;
use super::config::TrainConfig;
use super::gradients::GradientSet;
use super::step::{Step, batch_loss};
use crate::mdt::{Mdt, MdtConfig};

/// What a run changes.
pub(super) struct Learner {
    pub(super) model: Mdt,
    pub(super) optimiser: AdamW,
    pub(super) average: Average,
}

/// What one shard of a batch gives.
pub(super) type Shard = (GradientSet, Step);

/// Calls `work` with the number of every shard, side by side.
///
/// Every shard has a pool for the operations inside, with its share of the threads: what it does is
/// too short for waking others of it all the time. Shards in one pool would get stuck: a pool's thread
/// that waits takes up other work, and would come back to the tape that it holds. For the same reason
/// every shard has its own leaves.
pub(super) fn side_by_side<E: Send>(
    shards: usize,
    work: impl Fn(usize) -> Result<Shard, E> + Sync,
) -> Vec<Result<Shard, E>> {
    if shards == 1 {
        return vec![work(0)];
    }
    let work = &work;
    let each = (rayon::current_num_threads() / shards).max(1);
    std::thread::scope(|scope| {
        let threads = (0..shards)
            .map(|shard| scope.spawn(move || in_pool(each, || work(shard))))
            .collect::<Vec<_>>();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Ok(Step::failed())))
            .collect()
    })
}

/// Calls `work` in a new pool; in this thread if there are none to be had.
fn in_pool<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

impl Learner {
    /// Begins with `model`.
    pub(super) fn new(model: Mdt, train: &TrainConfig) -> Self {
        Self {
            average: Average::of(&model),
            optimiser: AdamW::new(train.adamw),
            model,
        }
    }

    /// Loss and gradients of a shard, when `progress` in [0, 1] of the training is done.
    pub(super) fn shard(
        &self,
        network: &MdtConfig,
        train: &TrainConfig,
        (batch, progress): (Batch, f64),
        rng: &mut impl Rng,
    ) -> Shard {
        let device = batch.actions.device();
        let model = self.model.clone().fork(&device);
        let (loss, step) = batch_loss(&model, network, train, (batch, progress), rng);
        let gradients = GradientSet::take(&model, loss.backward(), |_| true);
        (gradients, step)
    }

    /// Step `number` (from 1) down the mean gradient of all shards; `None`, and nothing has changed,
    /// if something is not finite.
    pub(super) fn step(
        &mut self,
        shards: Vec<Shard>,
        train: &TrainConfig,
        learning_rate: f32,
        number: u64,
    ) -> Option<Step> {
        let share = 1.0 / shards.len() as f32;
        let mut step = Step::default();
        let mut sum = GradientSet::default();
        for (gradients, shard) in shards {
            sum = sum.plus(gradients);
            step.losses = step.losses.plus(shard.losses, share);
        }
        step.grad_norm = sum.norm() * share;
        if !step.losses.total.is_finite() || !step.grad_norm.is_finite() {
            return None;
        }
        let factor = match train.clip {
            Some(most) if step.grad_norm > most => share * most / step.grad_norm,
            _ => share,
        };
        let gradients = sum.scaled(factor);
        self.model = self
            .optimiser
            .step(self.model.clone(), gradients, learning_rate);
        let decay = train.average.decay(number);
        self.average.update(&self.model, decay);
        Some(step)
    }
}
