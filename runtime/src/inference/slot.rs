//! Where the learner leaves weights for the inference thread.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use cerebellum_policies::policy::Weights;

/// Holds the weights published last, until they are taken. Clones share the slot.
///
/// "Last" means by time of publication, not by number: taking a bad generation back publishes an
/// older number. Neither side waits for the other; weights that are replaced before they were
/// taken are dropped, which is what "newest" means.
#[derive(Clone, Debug, Default)]
pub struct WeightSlot(Arc<ArcSwapOption<Weights>>);

impl WeightSlot {
    /// An empty slot.
    pub fn new() -> Self {
        Self::default()
    }
    /// Leaves weights, in place of any that were not taken yet.
    pub fn publish(&self, weights: Weights) {
        self.0.store(Some(Arc::new(weights)));
    }
    /// Takes the weights, leaving the slot empty.
    pub fn take(&self) -> Option<Weights> {
        // The tensors are behind an `Arc`: this clones a handle and a number.
        self.0.swap(None).map(|weights| (*weights).clone())
    }
    /// Generation of the weights that wait, if any do.
    pub fn waiting(&self) -> Option<u64> {
        self.0.load().as_ref().map(|weights| weights.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_published_is_taken_once() {
        let slot = WeightSlot::new();
        assert_eq!(slot.take(), None);
        for generation in [3, 4, 2] {
            slot.clone().publish(Weights {
                generation,
                ..Weights::default()
            });
        }
        assert_eq!(slot.waiting(), Some(2));
        assert_eq!(slot.take().map(|weights| weights.generation), Some(2));
        assert_eq!(slot.take(), None);
    }
}
