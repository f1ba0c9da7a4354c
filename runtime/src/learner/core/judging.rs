//! Judging candidates.

use std::ops::Range;

use cerebellum_policies::error::LearnError;
use cerebellum_policies::policy::Weights;

use super::{LearnerCore, Phase};
use crate::inference::seed::{Stream, derive};
use crate::learner::gate::{Judgement, Rejection, judge};
use crate::learner::probes::Probes;
use crate::learner::rollback::Trigger;
use crate::learner::step::{Did, MicroStep};
use crate::learner::trial::{Side, Trial};
use crate::learner::weights::first_non_finite;

impl LearnerCore {
    pub(super) fn may_nominate(&self) -> bool {
        self.updates_since_nomination >= self.config.update.per_candidate
            && self.replay.next_number() >= self.nominate_from
            && !self.monitor.watching()
    }

    pub(super) fn nominate(&mut self) -> MicroStep {
        self.updates_since_nomination = 0;
        self.nominate_from = self.replay.next_number() + u64::from(self.config.gate.fresh_ticks);
        let candidate = self.model.snapshot();
        if let Some(key) = first_non_finite(&candidate) {
            let reason = format!("tensor `{key}` of the candidate is not finite");
            return self.reject_unseen(Rejection::NonFinite, reason);
        }
        let mut trial = self.trial(candidate, &self.replay.held_back());
        if let Some(first) = self.mixer.followed().first().cloned() {
            if self.probes.is_none() {
                let count = self.config.gate.probes;
                self.probes = Probes::choose(&self.replay, &first.spec, self.length, count);
            }
            if let Some(probes) = &self.probes {
                // One seed for all trials: what generation 0 does is remembered.
                let seed = derive(self.seed, Stream::Evaluation, u64::MAX);
                trial.probe(first.spec.id, probes, seed);
            }
        }
        trial.begin();
        self.phase = Phase::Judge(Box::new(trial));
        MicroStep::did(Did::Nominate)
    }

    /// A comparison of `candidate` with the generation in force on windows of `part`.
    pub(super) fn trial(&mut self, candidate: Weights, part: &Range<u64>) -> Trial {
        let gate = &self.config.gate;
        let windows = self.replay.spread(part, self.length, gate.windows);
        let mut trial = Trial::new(
            self.generations.base().clone(),
            self.generations.in_force().clone(),
            candidate,
            gate.evaluation_batch,
        );
        let seed = derive(self.seed, Stream::Evaluation, self.trials);
        self.trials += 1;
        for objective in self.mixer.followed() {
            let moments = windows
                .iter()
                .filter_map(|window| self.replay.experience(*window, objective.spec.lookahead))
                .collect();
            trial.compare(objective.spec.id.clone(), objective.share, moments, seed);
        }
        trial
    }

    pub(super) fn evaluate(&mut self, mut trial: Box<Trial>) -> MicroStep {
        match trial.step(self.model.as_ref()) {
            Ok(()) => {
                let (done, total) = trial.progress();
                self.phase = Phase::Judge(trial);
                MicroStep::did(Did::Evaluate { done, total })
            }
            Err((side, error)) => {
                self.stats.last_error = error.to_string();
                let rejection = match (side, &error) {
                    (Side::Reference, LearnError::NonFinite { .. }) => {
                        Rejection::ReferenceNonFinite
                    }
                    (_, LearnError::NonFinite { .. }) => Rejection::NonFinite,
                    _ => Rejection::NotEvaluated,
                };
                self.reject_unseen(rejection, error.to_string())
            }
        }
    }

    /// Rejects a candidate for which there is no evidence.
    pub(super) fn reject_unseen(&mut self, rejection: Rejection, reason: String) -> MicroStep {
        self.conclude(Judgement::without_evidence(rejection, reason), None)
    }

    pub(super) fn decide(&mut self, trial: &Trial) -> MicroStep {
        if let (Some(probes), Some(actions)) = (&mut self.probes, trial.base_actions())
            && probes.base.is_none()
        {
            probes.base = Some(actions.clone());
        }
        let judgement = judge(&self.config.gate, &trial.evidence(&self.metric));
        self.conclude(judgement, Some(trial.candidate()))
    }

    pub(super) fn conclude(
        &mut self,
        judgement: Judgement,
        candidate: Option<&Weights>,
    ) -> MicroStep {
        self.stats.candidates += 1;
        match (judgement.rejection, candidate) {
            (None, Some(candidate)) => self.accept(candidate, &judgement),
            (rejection, _) => self.reject(rejection.unwrap_or(Rejection::NotEvaluated)),
        }
        let mut report = self.report("gate".to_owned(), judgement.verdict());
        report.reference_loss = judgement.reference_loss as f32;
        report.candidate_loss = judgement.candidate_loss as f32;
        report.action_shift = judgement.shift.map_or(f32::NAN, |shift| shift.max);
        MicroStep {
            did: Did::Judge(Box::new(judgement)),
            report: Some(report),
        }
    }

    pub(super) fn accept(&mut self, candidate: &Weights, judgement: &Judgement) {
        let parent = self.generation();
        let stamp = self.stamp();
        let (weights, stored) =
            self.generations
                .accept(candidate.clone(), judgement, stamp, self.stats.updates);
        self.note_storage(stored);
        self.stats.accepted += 1;
        self.rejected_in_a_row = 0;
        let now = self.replay.next_number();
        self.monitor.published(weights.generation, parent, now);
        self.slot.publish(weights);
    }

    pub(super) fn reject(&mut self, rejection: Rejection) {
        *self.stats.rejected.entry(rejection).or_default() += 1;
        self.rejected_in_a_row += 1;
        match rejection {
            Rejection::NotBetter
            | Rejection::Regression
            | Rejection::TooFewWindows
            | Rejection::NotEvaluated => {
                if self.rejected_in_a_row > self.config.update.patience {
                    self.restore_shadow();
                }
            }
            Rejection::Shift | Rejection::Drift | Rejection::NonFinite => self.restore_shadow(),
            Rejection::ReferenceNonFinite => {
                let reason = "held-back losses are not finite".to_owned();
                self.monitor.trigger(Trigger::NonFinite(reason));
                self.restore_shadow();
            }
        }
    }
}
