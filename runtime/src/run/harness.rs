//! Which episode is next, who won, and what to do when the world goes away: a pure state machine.
//!
//! The harness asks a world for episodes one after the other and counts outcomes. Requests are
//! repeated until the world answers, and an episode whose world falls silent is asked for again, so
//! that either side may be restarted.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use cerebellum_messages::{
    ClockKind, EpisodePhase, EpisodeRequest, EpisodeStatus, Goal, GoalSpec, Stamp,
};

use crate::report::TaskTally;

/// How often an unanswered request is repeated.
pub const REPEAT: Duration = Duration::from_millis(500);
/// After this long without a status the world counts as gone and the episode is asked for again.
pub const SILENCE: Duration = Duration::from_secs(3);

/// What the harness wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum HarnessEvent {
    /// The world began the episode: this is the robot's goal now.
    Began {
        /// The goal.
        goal: Goal,
        /// World time at which the episode began.
        stamp: Stamp,
    },
    /// The episode ended.
    Ended {
        /// Task name.
        task: String,
        /// Whether the task was achieved.
        success: bool,
        /// World ticks that it took.
        ticks: u64,
    },
    /// The world refuses the request: a mistake of the caller, so the run cannot go on.
    Refused(String),
    /// The world fell silent in the middle of an episode; it will be asked for again.
    WorldLost,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Harness {
    waiting: VecDeque<EpisodeRequest>,
    current: Option<Current>,
    tallies: BTreeMap<String, TaskTally>,
    total: usize,
}

#[derive(Debug)]
struct Current {
    request: EpisodeRequest,
    began: bool,
    last_sent: Option<Duration>,
    last_heard: Option<Duration>,
}

impl Harness {
    /// Takes the episodes to run, in order.
    pub fn new(requests: impl IntoIterator<Item = EpisodeRequest>) -> Self {
        let waiting: VecDeque<_> = requests.into_iter().collect();
        let total = waiting.len();
        Self {
            waiting,
            current: None,
            tallies: BTreeMap::new(),
            total,
        }
    }

    /// Tasks in turn, seeds counted up from `seed`, numbered from `first`.
    pub fn round_robin(
        tasks: &[String],
        episodes: usize,
        seed: u64,
        first: u64,
        split: &str,
        shift: &str,
        clock: ClockKind,
    ) -> Vec<EpisodeRequest> {
        tasks
            .iter()
            .cycle()
            .take(if tasks.is_empty() { 0 } else { episodes })
            .zip(0u64..)
            .map(|(task, index)| EpisodeRequest {
                episode: first + index,
                task: task.clone(),
                seed: seed.wrapping_add(index),
                split: split.to_owned(),
                shift: shift.to_owned(),
                clock,
            })
            .collect()
    }

    /// Whether all episodes have ended.
    pub fn finished(&self) -> bool {
        self.waiting.is_empty() && self.current.is_none()
    }

    /// Episodes ended and episodes in all.
    pub fn progress(&self) -> (usize, usize) {
        (
            self.total - self.waiting.len() - usize::from(self.current.is_some()),
            self.total,
        )
    }

    /// Outcomes so far, by task.
    pub const fn tallies(&self) -> &BTreeMap<String, TaskTally> {
        &self.tallies
    }

    /// The request to send now, if any. `now` is time since an arbitrary origin.
    pub fn poll(&mut self, now: Duration) -> (Option<EpisodeRequest>, Option<HarnessEvent>) {
        if self.current.is_none() {
            self.current = self.waiting.pop_front().map(|request| Current {
                request,
                began: false,
                last_sent: None,
                last_heard: None,
            });
        }
        let Some(current) = &mut self.current else {
            return (None, None);
        };
        let mut event = None;
        if current.began {
            let silent = current
                .last_heard
                .is_none_or(|heard| now.saturating_sub(heard) > SILENCE);
            if !silent {
                return (None, None);
            }
            current.began = false;
            current.last_sent = None;
            event = Some(HarnessEvent::WorldLost);
        }
        let due = current
            .last_sent
            .is_none_or(|sent| now.saturating_sub(sent) >= REPEAT);
        if due {
            current.last_sent = Some(now);
            return (Some(current.request.clone()), event);
        }
        (None, event)
    }

    /// Takes a status from the world. Statuses of other episodes are late or of another asker.
    pub fn on_status(&mut self, status: &EpisodeStatus, now: Duration) -> Option<HarnessEvent> {
        let current = self
            .current
            .as_mut()
            .filter(|current| current.request.episode == status.episode)?;
        current.last_heard = Some(now);
        match status.phase {
            EpisodePhase::Running => {
                (!std::mem::replace(&mut current.began, true)).then(|| HarnessEvent::Began {
                    goal: Goal {
                        id: status.episode,
                        spec: GoalSpec::Language {
                            text: status.instruction.clone(),
                        },
                    },
                    stamp: status.stamp,
                })
            }
            EpisodePhase::Refused => Some(HarnessEvent::Refused(status.detail.clone())),
            // An end without a begin belongs to an earlier life of the same number: wait for the new begin.
            EpisodePhase::Succeeded | EpisodePhase::Failed if !current.began => None,
            EpisodePhase::Succeeded | EpisodePhase::Failed => {
                let success = status.phase == EpisodePhase::Succeeded;
                let task = current.request.task.clone();
                self.tallies.entry(task.clone()).or_default().add(success);
                self.current = None;
                Some(HarnessEvent::Ended {
                    task,
                    success,
                    ticks: status.ticks,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn status(episode: u64, phase: EpisodePhase) -> EpisodeStatus {
        EpisodeStatus {
            stamp: Stamp(0),
            episode,
            task: "push".into(),
            instruction: "push the red block".into(),
            phase,
            ticks: 7,
            detail: String::new(),
        }
    }

    fn harness(episodes: usize) -> Harness {
        let tasks = ["push".to_owned(), "stack".to_owned()];
        Harness::new(Harness::round_robin(
            &tasks,
            episodes,
            5,
            100,
            "eval",
            "",
            ClockKind::RealTime,
        ))
    }

    #[test]
    fn requests_are_repeated_until_answered_then_counted() {
        let mut harness = harness(2);
        let at = Duration::from_millis;
        assert_eq!(harness.poll(at(0)).0.unwrap().episode, 100);
        assert!(harness.poll(at(100)).0.is_none());
        assert_eq!(harness.poll(at(500)).0.unwrap().seed, 5);
        let Some(HarnessEvent::Began { goal, .. }) =
            harness.on_status(&status(100, EpisodePhase::Running), at(600))
        else {
            panic!("no goal")
        };
        assert_eq!(goal.id, 100);
        assert!(
            harness
                .on_status(&status(100, EpisodePhase::Running), at(700))
                .is_none(),
            "begins once"
        );
        assert!(harness.poll(at(1500)).0.is_none());
        let end = harness.on_status(&status(100, EpisodePhase::Succeeded), at(1600));
        assert!(matches!(
            end,
            Some(HarnessEvent::Ended {
                success: true,
                ticks: 7,
                ..
            })
        ));
        assert_eq!(harness.poll(at(1601)).0.unwrap().task, "stack");
        assert_eq!(harness.progress(), (1, 2));
        assert!(!harness.finished());
    }

    #[test]
    fn a_silent_world_is_asked_again() {
        let mut harness = harness(1);
        let at = Duration::from_millis;
        harness.poll(at(0));
        harness.on_status(&status(100, EpisodePhase::Running), at(10));
        let (request, event) = harness.poll(at(4000));
        assert_eq!(event, Some(HarnessEvent::WorldLost));
        assert_eq!(request.unwrap().episode, 100);
        assert!(
            harness
                .on_status(&status(100, EpisodePhase::Failed), at(4010))
                .is_none(),
            "an old end"
        );
        assert!(
            harness
                .on_status(&status(100, EpisodePhase::Running), at(4020))
                .is_some()
        );
        harness.on_status(&status(100, EpisodePhase::Failed), at(4100));
        assert!(harness.finished());
        assert_eq!(
            harness.tallies()["push"],
            TaskTally {
                episodes: 1,
                successes: 0
            }
        );
    }

    #[test]
    fn statuses_of_other_askers_are_ignored() {
        let mut harness = harness(1);
        harness.poll(Duration::ZERO);
        assert!(
            harness
                .on_status(&status(3, EpisodePhase::Running), Duration::ZERO)
                .is_none()
        );
    }
}
