//! Rules by which overlapping chunks become one action.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use cerebellum_messages::{ActionSpace, TCP_DELTA_DIM, Tick};

use super::chunk::{Action, FixedChunk, MAX_ACTION_DIM, MAX_HORIZON};

/// Which chunks speak at a tick, and how loudly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum BlendRule {
    /// The chunk of the newest observation alone.
    Latest,
    /// The newest chunk, faded in linearly from what was executed before it.
    CrossFade {
        /// Ticks of the fade.
        ticks: u32,
    },
    /// All chunks that cover the tick, with weights `exp(-decay * k)`, where `k` is how many ticks
    /// newer a chunk's observation is than the oldest one's. A new chunk enters gently. With a
    /// chunk at every tick this is the temporal ensembling of ACT (Zhao et al. 2023, algorithm 2,
    /// decay 0.01).
    EnsembleOldest {
        /// Decay per tick, 0 (plain mean) or more.
        decay: f64,
    },
    /// As before, with `k` counted from the newest observation backwards: the newest chunk speaks
    /// loudest, and new information acts at once.
    EnsembleNewest {
        /// Decay per tick, 0 (plain mean) or more.
        decay: f64,
    },
}

impl Default for BlendRule {
    fn default() -> Self {
        Self::EnsembleNewest { decay: 0.2 }
    }
}

/// How the gripper's number is blended where it means open or closed: a mean of open and closed is
/// neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GripperRule {
    /// The newest chunk decides.
    #[default]
    Newest,
    /// The weighted majority of chunks decides, the newest one if they are split evenly.
    Vote,
}

/// A chunk in the schedule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub chunk: FixedChunk,
    /// The tick at which it was first the newest; none if it never was.
    pub adopted: Option<Tick>,
}

/// A rule made ready for use: weights in a table, so that a tick computes no exponential.
#[derive(Clone, Debug)]
pub(super) struct Blender {
    rule: BlendRule,
    gripper: GripperRule,
    /// `exp(-decay * k)`.
    weights: [f64; MAX_HORIZON],
}

/// An action and the number of chunks that it was made of.
pub(super) struct Blended {
    pub action: Action,
    pub contributors: u32,
}

/// The place of the number that means open or closed.
pub(super) fn gripper_index(space: ActionSpace) -> Option<usize> {
    match space {
        ActionSpace::TcpDelta => Some(TCP_DELTA_DIM - 1),
        ActionSpace::JointPosition => None, // there it is a width, which can be averaged
    }
}

impl Blender {
    /// A decay that is negative or not finite counts as zero.
    pub fn new(rule: BlendRule, gripper: GripperRule) -> Self {
        let decay = match rule {
            BlendRule::EnsembleOldest { decay } | BlendRule::EnsembleNewest { decay } => {
                if decay.is_finite() {
                    decay.max(0.0)
                } else {
                    0.0
                }
            }
            BlendRule::Latest | BlendRule::CrossFade { .. } => 0.0,
        };
        let mut weights = [0.0; MAX_HORIZON];
        for (ticks, weight) in weights.iter_mut().enumerate() {
            *weight = (-decay * ticks as f64).exp();
        }
        Self {
            rule,
            gripper,
            weights,
        }
    }

    /// The action of `tick`. `slots` are sorted by observation, oldest first; those that do not
    /// cover the tick are silent. None if all are.
    pub fn blend(&self, slots: &[Slot], tick: Tick) -> Option<Blended> {
        let mut covering = slots.iter().filter(|slot| slot.chunk.at(tick).is_some());
        let newest = covering.next_back()?;
        let oldest = covering.next().unwrap_or(newest);
        let newest_action = newest.chunk.at(tick)?;
        let gripper = gripper_index(newest.chunk.space);

        let mut sum = [0.0_f64; MAX_ACTION_DIM];
        let mut total = 0.0_f64;
        let mut contributors = 0;
        for slot in slots {
            let Some(action) = slot.chunk.at(tick) else {
                continue;
            };
            let weight = match self.rule {
                BlendRule::Latest => f64::from(u8::from(std::ptr::eq(slot, newest))),
                BlendRule::CrossFade { ticks } => {
                    // Everything older fades out by the same amount; the first has nothing to
                    // fade from.
                    let weight = match fade(slot, tick, ticks) {
                        weight if weight > 0.0 && total == 0.0 => 1.0,
                        weight => weight,
                    };
                    for number in &mut sum {
                        *number *= 1.0 - weight;
                    }
                    total *= 1.0 - weight;
                    if total == 0.0 {
                        contributors = 0;
                    }
                    weight
                }
                BlendRule::EnsembleOldest { .. } => self.weight(
                    slot.chunk
                        .source
                        .observed
                        .since(oldest.chunk.source.observed),
                ),
                BlendRule::EnsembleNewest { .. } => self.weight(
                    newest
                        .chunk
                        .source
                        .observed
                        .since(slot.chunk.source.observed),
                ),
            };
            if weight <= 0.0 {
                continue;
            }
            contributors += 1;
            total += weight;
            for (index, (sum, &number)) in sum.iter_mut().zip(action).enumerate() {
                let number = if gripper == Some(index) {
                    vote(number)
                } else {
                    f64::from(number)
                };
                *sum += weight * number;
            }
        }
        if total <= 0.0 {
            return None;
        }
        let mut action = sum.map(|sum| (sum / total) as f32);
        if let Some(index) = gripper {
            let undecided = action[index] == 0.0;
            if undecided || self.gripper == GripperRule::Newest {
                action[index] = newest_action[index];
            }
        }
        Some(Blended {
            action,
            contributors,
        })
    }

    fn weight(&self, ticks: u64) -> f64 {
        usize::try_from(ticks)
            .ok()
            .and_then(|ticks| self.weights.get(ticks))
            .copied()
            .unwrap_or(0.0)
    }
}

/// How far a chunk has faded in, 0 to 1.
fn fade(slot: &Slot, tick: Tick, ticks: u32) -> f64 {
    slot.adopted.map_or(0.0, |adopted| {
        let done = tick.since(adopted) + 1;
        (done as f64 / (f64::from(ticks) + 1.0)).min(1.0)
    })
}

fn vote(number: f32) -> f64 {
    if number > 0.0 { 1.0 } else { -1.0 }
}
