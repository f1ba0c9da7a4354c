//! The fixed moments on which actions of all generations are compared.

use cerebellum_policies::online::{Experience, ObjectiveSpec};

use super::replay::Replay;

/// Moments chosen once per run, and what generation 0 does in them.
///
/// They are spread over the first experience that may be trained on and never change afterwards,
/// so that a drift over many generations is measured with one yardstick.
pub(super) struct Probes {
    pub(super) moments: Vec<Experience>,
    /// Plans of generation 0, one per moment, once they were made.
    pub(super) base: Option<Vec<Vec<f32>>>,
}

impl Probes {
    /// Chooses at most `count` moments; `None` if there are no windows yet.
    pub(super) fn choose(
        replay: &Replay,
        objective: &ObjectiveSpec,
        length: u32,
        count: u32,
    ) -> Option<Self> {
        let moments: Vec<_> = replay
            .spread(&replay.training(), length, count)
            .into_iter()
            .filter_map(|window| replay.experience(window, objective.lookahead))
            .collect();
        (!moments.is_empty()).then_some(Self {
            moments,
            base: None,
        })
    }
}
