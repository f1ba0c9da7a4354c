//! What the replay buffer is fed with.

use std::sync::Arc;

use cerebellum_messages::{Goal, Observation};

/// One tick of experience: what was seen, what was done about it, and what for.
#[derive(Clone, Debug)]
pub struct Record {
    /// What was seen.
    pub observation: Arc<Observation>,
    /// The action executed at the observation's tick, in the policy's action space, as it was
    /// after blending and before the safety limits.
    pub action: Arc<[f32]>,
    /// The goal in force.
    pub goal: Arc<Goal>,
    /// The episode: windows never reach from one into another.
    pub episode: u64,
}

/// Bytes that a record takes besides its arrays and images: the structures themselves.
const OVERHEAD: usize = 256;

impl Record {
    /// Bytes that this record adds to one that it follows: images that both share count once.
    pub fn bytes_after(&self, previous: Option<&Record>) -> usize {
        let joints = &self.observation.joints;
        let numbers = joints.position.len() + joints.velocity.len() + joints.effort.len();
        let names: usize = joints.names.iter().map(|name| name.len() + 24).sum();
        let images: usize = self
            .observation
            .frames
            .iter()
            .map(|frame| {
                let shared = previous
                    .and_then(|previous| previous.observation.frame(&frame.camera))
                    .is_some_and(|before| Arc::ptr_eq(&before.data, &frame.data));
                let pixels = if shared { 0 } else { frame.data.len() };
                pixels + frame.camera.len() + size_of_val(frame)
            })
            .sum();
        OVERHEAD + numbers * 8 + names + images + self.action.len() * 4
    }

    /// Whether `self` is the tick after `previous` in the same episode, for the same goal.
    pub fn continues(&self, previous: &Record) -> bool {
        previous.observation.tick.0.checked_add(1) == Some(self.observation.tick.0)
            && self.episode == previous.episode
            && self.goal.id == previous.goal.id
            && self.action.len() == previous.action.len()
    }
}
