//! Training the shadow copy.

use cerebellum_messages::Verdict;
use cerebellum_policies::error::LearnError;
use cerebellum_policies::online::ExperienceBatch;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::LearnerCore;
use crate::inference::seed::{Stream, derive};
use crate::learner::step::{Did, MicroStep, Wait};

impl LearnerCore {
    pub(super) fn update(&mut self) -> MicroStep {
        let needed = u64::from(self.config.update.first_windows.max(1));
        let windows = self.replay.count(&self.replay.training(), self.length);
        if windows < needed {
            return MicroStep::wait(Wait::Experience { windows, needed });
        }
        // A candidate is a known number of updates away from the last one.
        if self.credit < 1.0 || self.updates_since_nomination >= self.config.update.per_candidate {
            return MicroStep::wait(Wait::Fresh);
        }
        let Some(objective) = self.mixer.choose().cloned() else {
            return MicroStep::wait(Wait::Broken);
        };
        self.credit -= 1.0;
        let attempt = self.attempts;
        self.attempts += 1;
        let mut rng = ChaCha8Rng::seed_from_u64(derive(self.seed, Stream::Sample, attempt));
        let batch = ExperienceBatch {
            moments: self
                .replay
                .sample(self.length, self.config.update.batch, &mut rng)
                .into_iter()
                .filter_map(|window| self.replay.experience(window, objective.lookahead))
                .collect(),
            seed: derive(self.seed, Stream::Update, attempt),
        };
        match self.model.step(&batch, &objective.id) {
            Ok(step) if step.loss.is_finite() && step.grad_norm.is_finite() => {
                self.stats.updates += 1;
                self.updates_since_nomination += 1;
                self.refused_in_a_row = 0;
                let name = objective.id.0;
                self.stats.last_losses.insert(name.clone(), step.loss);
                let mut report = self.report(name, Verdict::None);
                report.loss = step.loss;
                report.grad_norm = step.grad_norm;
                MicroStep {
                    did: Did::Update,
                    report: Some(report),
                }
            }
            Ok(_) => self.refused(&LearnError::NonFinite {
                what: "loss or gradient",
                objective: objective.id.0,
            }),
            Err(error) => self.refused(&error),
        }
    }

    pub(super) fn refused(&mut self, error: &LearnError) -> MicroStep {
        self.stats.refused += 1;
        self.stats.last_error = error.to_string();
        self.refused_in_a_row += 1;
        if self.refused_in_a_row >= self.config.update.refusals.max(1) {
            self.restore_shadow();
        }
        MicroStep::did(Did::Refuse)
    }
}
