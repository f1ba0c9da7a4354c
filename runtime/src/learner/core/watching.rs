//! Watching the generation in force, and taking it back.

use cerebellum_messages::Verdict;
use cerebellum_policies::error::LearnError;

use super::{LearnerCore, Phase};
use crate::learner::rollback::Trigger;
use crate::learner::step::{Did, MicroStep, Wait};
use crate::learner::trial::{Side, Trial};

impl LearnerCore {
    pub(super) fn check_due(&self) -> bool {
        self.monitor.check_due(self.replay.next_number()).is_some()
    }

    pub(super) fn begin_check(&mut self) -> MicroStep {
        let now = self.replay.next_number();
        let Some((parent, part)) = self.monitor.check_due(now) else {
            return MicroStep::wait(Wait::Fresh);
        };
        match self.generations.weights(parent) {
            Ok(parent) => {
                let mut trial = self.trial(parent, &part);
                trial.begin();
                self.phase = Phase::Check(Box::new(trial));
                MicroStep::did(Did::Nominate)
            }
            Err(error) => {
                // Without its parent there is nothing to compare with.
                self.stats.last_error = error.to_string();
                self.monitor.stop();
                MicroStep::did(Did::Refuse)
            }
        }
    }

    pub(super) fn evaluate_check(&mut self, mut trial: Box<Trial>) -> MicroStep {
        match trial.step(self.model.as_ref()) {
            Ok(()) => {
                let (done, total) = trial.progress();
                self.phase = Phase::Check(trial);
                MicroStep::did(Did::Evaluate { done, total })
            }
            Err((side, error)) => {
                self.stats.last_error = error.to_string();
                if matches!(
                    (side, &error),
                    (Side::Reference, LearnError::NonFinite { .. })
                ) {
                    self.monitor.trigger(Trigger::NonFinite(error.to_string()));
                } else {
                    // The check said nothing about the generation in force.
                    self.monitor.put_off(self.replay.next_number());
                }
                MicroStep::did(Did::Refuse)
            }
        }
    }

    pub(super) fn end_check(&mut self, trial: &Trial) -> MicroStep {
        let now = self.replay.next_number();
        let blocks = self.config.gate.blocks;
        self.monitor.checked(&trial.losses(), blocks, now);
        let (done, total) = trial.progress();
        MicroStep::did(Did::Evaluate { done, total })
    }

    pub(super) fn roll_back(&mut self, trigger: Trigger) -> MicroStep {
        let from = self.generation();
        let Some((weights, stored)) = self.generations.take_back(&trigger.to_string()) else {
            return MicroStep::wait(Wait::Fresh);
        };
        self.note_storage(stored);
        self.monitor.stop();
        self.stats.taken_back += 1;
        let to = weights.generation;
        self.slot.publish(weights);
        self.restore_shadow();
        self.restart();
        self.nominate_from = self.replay.next_number() + u64::from(self.config.rollback.rest_ticks);
        MicroStep {
            did: Did::TakeBack { from, to, trigger },
            report: Some(self.report("gate".to_owned(), Verdict::RolledBack)),
        }
    }
}
