//! Which action belongs to which tick.
//!
//! A chunk says from the observation of which tick it was planned, so its action for tick `now` has
//! the index `now - observed`. The index is counted, never estimated from how long planning took:
//! it is exact, and a replay of the same arrivals gives the same actions bit for bit.

use cerebellum_messages::{ActionSpace, Tick};

use super::blend::{BlendRule, Blender, GripperRule, Slot, gripper_index};
use super::chunk::{Action, FixedChunk, Source};
use super::counters::{Counter, Counters};

/// What became of a chunk that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is in the schedule.
    Accepted,
    /// All of its actions belong to the past.
    Expired,
    /// Its observation belongs to a tick that has not come.
    Future,
    /// It was planned for another goal.
    OtherGoal,
    /// It holds a number that is not finite.
    NonFinite,
    /// Its actions are not the kind that is executed.
    Mismatched,
    /// Its generation of weights was withdrawn.
    Withdrawn,
}

/// The action of a tick and its origin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scheduled {
    /// The action.
    pub action: Action,
    /// The newest chunk in it.
    pub source: Source,
    /// How many chunks it was blended from.
    pub contributors: u32,
    /// Set at the first tick of a newer chunk.
    pub splice: Option<Splice>,
}

/// The passing of execution to a newer chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Splice {
    /// Index of the first action executed: the ticks between observation and execution.
    pub index: u64,
    /// Largest difference, over the numbers of an action but the gripper's, between what is
    /// executed and what would have been executed without the newer chunk; none if the older ones
    /// had nothing left.
    pub jump: Option<f32>,
}

/// What a schedule is made for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScheduleConfig {
    /// Rule for overlapping chunks.
    pub blend: BlendRule,
    /// Rule for the gripper.
    pub gripper: GripperRule,
    /// Most chunks kept, at least 1.
    pub slots: usize,
    /// Action space executed.
    pub space: ActionSpace,
    /// Width of the actions executed.
    pub dim: usize,
}

/// The chunks in force. Memory is taken when it is made and never after.
#[derive(Debug)]
pub struct Schedule {
    config: ScheduleConfig,
    blender: Blender,
    /// Sorted by observation, oldest first.
    slots: Vec<Slot>,
    goal_id: u64,
    withdrawn: Option<u64>,
}

impl Schedule {
    /// An empty schedule without a goal (goal id 0).
    pub fn new(config: ScheduleConfig) -> Self {
        Self {
            config,
            blender: Blender::new(config.blend, config.gripper),
            slots: Vec::with_capacity(config.slots.max(1)),
            goal_id: 0,
            withdrawn: None,
        }
    }

    /// An empty schedule of the same configuration.
    pub(super) fn another(&self) -> Self {
        Self::new(self.config)
    }

    /// Takes over the state of another schedule of the same configuration. Never takes memory.
    pub(super) fn mirror(&mut self, other: &Self) {
        self.slots.clear();
        let room = self.slots.capacity();
        self.slots.extend(other.slots.iter().take(room));
        self.goal_id = other.goal_id;
        self.withdrawn = other.withdrawn;
    }

    /// Takes a new goal: chunks for any other are dropped. Whether it differs from the last one.
    pub fn set_goal(&mut self, goal_id: u64, counters: &mut Counters) -> bool {
        if goal_id == self.goal_id {
            return false;
        }
        self.goal_id = goal_id;
        counters.add(Counter::ChunksOtherGoal, self.slots.len() as u64);
        self.slots.clear();
        true
    }

    /// Drops what a generation of weights planned, and what it may still send.
    pub fn withdraw(&mut self, generation: Option<u64>, counters: &mut Counters) {
        if generation == self.withdrawn {
            return;
        }
        self.withdrawn = generation;
        let before = self.slots.len();
        self.slots
            .retain(|slot| Some(slot.chunk.source.generation) != generation);
        counters.add(Counter::ChunksWithdrawn, (before - self.slots.len()) as u64);
    }

    /// Drops all chunks.
    pub fn clear(&mut self) {
        self.slots.clear();
    }

    /// Takes up a chunk, or drops and counts it.
    pub fn insert(&mut self, chunk: &FixedChunk, now: Tick, counters: &mut Counters) -> Arrival {
        let arrival = self.judge(chunk, now);
        counters.count(match arrival {
            Arrival::Accepted => Counter::ChunksAccepted,
            Arrival::Expired => Counter::ChunksExpired,
            Arrival::Future => Counter::ChunksFuture,
            Arrival::OtherGoal => Counter::ChunksOtherGoal,
            Arrival::NonFinite => Counter::ChunksNonFinite,
            Arrival::Mismatched => Counter::ChunksMismatched,
            Arrival::Withdrawn => Counter::ChunksWithdrawn,
        });
        if arrival == Arrival::Accepted {
            self.expire(now);
            if self.slots.len() >= self.config.slots.max(1) {
                self.slots.remove(0);
                counters.count(Counter::ChunksEvicted);
            }
            let observed = chunk.source.observed;
            let place = self
                .slots
                .partition_point(|slot| slot.chunk.source.observed <= observed);
            let chunk = *chunk;
            self.slots.insert(
                place,
                Slot {
                    chunk,
                    adopted: None,
                },
            );
        }
        arrival
    }

    fn judge(&self, chunk: &FixedChunk, now: Tick) -> Arrival {
        if chunk.source.goal_id != self.goal_id || self.goal_id == 0 {
            Arrival::OtherGoal
        } else if Some(chunk.source.generation) == self.withdrawn {
            Arrival::Withdrawn
        } else if chunk.space != self.config.space || chunk.dim() != self.config.dim {
            Arrival::Mismatched
        } else if !chunk.is_finite() {
            Arrival::NonFinite
        } else if chunk.source.observed > now {
            Arrival::Future
        } else if chunk.is_over(now) {
            Arrival::Expired
        } else {
            Arrival::Accepted
        }
    }

    /// Forgets chunks that are over; not counted, this is how a chunk ends.
    pub fn expire(&mut self, now: Tick) {
        self.slots.retain(|slot| !slot.chunk.is_over(now));
    }

    /// The action of tick `now`; none if no chunk covers it.
    pub fn next(&mut self, now: Tick, counters: &mut Counters) -> Option<Scheduled> {
        self.expire(now);
        let covers = |slot: &Slot| slot.chunk.at(now).is_some();
        let newest = self.slots.iter().rposition(covers)?;
        let (older, rest) = self.slots.split_at_mut_checked(newest)?;
        let newest = rest.first_mut()?;
        let source = newest.chunk.source;
        let first = newest.adopted.is_none();
        if first {
            newest.adopted = Some(now);
        }
        let before = if first {
            self.blender.blend(older, now)
        } else {
            None
        };
        let blended = self.blender.blend(&self.slots, now)?;
        let splice = first.then(|| {
            counters.count(Counter::Splices);
            let gripper = gripper_index(self.config.space);
            Splice {
                index: now.since(source.observed),
                jump: before.map(|before| difference(&before.action, &blended.action, gripper)),
            }
        });
        Some(Scheduled {
            action: blended.action,
            source,
            contributors: blended.contributors,
            splice,
        })
    }

    /// Ticks from `now` on, this one included, that the chunks cover.
    pub fn remaining(&self, now: Tick) -> u64 {
        let end = |slot: &Slot| {
            slot.chunk
                .source
                .observed
                .0
                .saturating_add(slot.chunk.horizon() as u64)
        };
        let last = self.slots.iter().map(end).max().unwrap_or(0);
        last.saturating_sub(now.0)
    }

    /// Chunks held.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no chunk.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

fn difference(a: &Action, b: &Action, except: Option<usize>) -> f32 {
    a.iter()
        .zip(b)
        .enumerate()
        .filter(|(index, _)| Some(*index) != except)
        .fold(0.0, |most, (_, (a, b))| most.max((a - b).abs()))
}

#[cfg(test)]
mod tests;
