//! The learner as a state machine of small steps.
//!
//! ```text
//!             enough windows                 k updates, fresh windows
//! ┌─────────┐ ─────────────► ┌──────────┐ ─────────────────────────► ┌─────────┐
//! │ waiting │                │ updating │                            │ judging │
//! └─────────┘ ◄───────────── └──────────┘ ◄───── accepted (published) └─────────┘
//!             no new                             or rejected
//!             experience
//! ```
//!
//! Each call of [`LearnerCore::micro_step`] does one thing: one optimizer step, one evaluation of
//! a few moments, or one decision. The learner's thread calls it when there is slack; lockstep
//! calls it a fixed number of times per tick. What it does depends on its inputs, its seed and
//! their order only, so that equal runs learn equal weights.

use cerebellum_messages::{LearnerReport, Stamp, Verdict};
use cerebellum_policies::error::LearnError;
use cerebellum_policies::online::{ExperienceBatch, OnlineModel};
use cerebellum_policies::policy::{PolicySpec, Weights};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::config::LearnerConfig;
use super::error::LearnerError;
use super::gate::{Judgement, Rejection, judge};
use super::generations::Generations;
use super::mixer::Mixer;
use super::probes::Probes;
use super::record::Record;
use super::replay::Replay;
use super::rollback::{Monitor, Trigger};
use super::shift::ActionMetric;
use super::stats::LearnerStats;
use super::store::{WeightStore, first_non_finite};
use super::trial::Trial;
use crate::inference::WeightSlot;
use crate::inference::seed::{Stream, derive};

/// What a micro-step did.
#[derive(Clone, Debug, PartialEq)]
pub struct MicroStep {
    /// What it did.
    pub did: Did,
    /// What to tell others.
    pub report: Option<LearnerReport>,
}

/// What a micro-step did.
#[derive(Clone, Debug, PartialEq)]
pub enum Did {
    /// Nothing: there is nothing to do until something arrives.
    Wait(Wait),
    /// One update of the shadow copy.
    Update,
    /// The model refused an update.
    Refuse,
    /// Took the shadow copy's weights as a candidate.
    Nominate,
    /// One evaluation.
    Evaluate {
        /// Evaluations done for this judgement.
        done: usize,
        /// Evaluations needed for it.
        total: usize,
    },
    /// Judged a candidate.
    Judge(Box<Judgement>),
    /// Took a generation back.
    TakeBack {
        /// The generation that was in force.
        from: u64,
        /// The one in force now.
        to: u64,
        /// Why.
        trigger: Trigger,
    },
}

/// Why there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Too few windows to train on.
    Experience {
        /// Windows there are.
        windows: u64,
        /// Windows needed.
        needed: u64,
    },
    /// As many updates were made as the experience so far allows, or a candidate is ready and
    /// waits for fresh windows or for the proof of the generation before it.
    Fresh,
    /// A generation is pinned.
    Pinned,
    /// The model failed; see [`LearnerStats::last_error`].
    Broken,
}

/// Kinds of micro-steps, by cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// An optimizer step.
    Update,
    /// An evaluation.
    Evaluate,
    /// Moving weights and deciding.
    Manage,
}

enum Phase {
    Train,
    Judge(Box<Trial>),
    Check(Box<Trial>),
}

/// Learns from records and publishes what passed the gate.
pub struct LearnerCore {
    model: Box<dyn OnlineModel>,
    config: LearnerConfig,
    metric: ActionMetric,
    replay: Replay,
    mixer: Mixer,
    generations: Generations,
    monitor: Monitor,
    slot: WeightSlot,
    probes: Option<Probes>,
    phase: Phase,
    stats: LearnerStats,
    seed: u64,
    /// Records in a window.
    length: u32,
    /// Updates tried, refused ones included: the index of their seeds.
    attempts: u64,
    trials: u64,
    /// Updates that the experience so far still allows.
    credit: f64,
    updates_since_nomination: u32,
    rejected_in_a_row: u32,
    refused_in_a_row: u32,
    /// Record number before which nothing is nominated.
    nominate_from: u64,
    broken: bool,
}

impl LearnerCore {
    /// A learner for `model`, which publishes to `slot`. `seed` is the run's.
    ///
    /// The model's present weights are generation 0. If the configured folder holds a later good
    /// generation that grew from them, the model continues from it and it is published at once.
    /// `joint_bounds` matter to policies in joint space only.
    ///
    /// # Errors
    /// If the configuration is out of range, names an objective that the model does not have, or
    /// the folder cannot be used.
    pub fn new(
        model: Box<dyn OnlineModel>,
        spec: &PolicySpec,
        joint_bounds: &[(f64, f64)],
        config: LearnerConfig,
        store: Box<dyn WeightStore>,
        slot: WeightSlot,
        seed: u64,
    ) -> Result<Self, LearnerError> {
        config.validate()?;
        let mixer = Mixer::new(&config.mixer, &model.objectives())?;
        let generations = Generations::open(&config.generations, model.snapshot(), store)?;
        let lookahead = mixer
            .followed()
            .iter()
            .map(|objective| objective.spec.lookahead)
            .max()
            .unwrap_or(0);
        let mut core = Self {
            metric: ActionMetric::new(spec.action_space, spec.action_dim, joint_bounds),
            replay: Replay::new(config.replay.clone()),
            monitor: Monitor::new(config.rollback.clone()),
            length: config.update.window.max(lookahead.saturating_add(1)),
            model,
            config,
            mixer,
            generations,
            slot,
            probes: None,
            phase: Phase::Train,
            stats: LearnerStats::default(),
            seed,
            attempts: 0,
            trials: 0,
            credit: 0.0,
            updates_since_nomination: 0,
            rejected_in_a_row: 0,
            refused_in_a_row: 0,
            nominate_from: 0,
            broken: false,
        };
        core.resume();
        Ok(core)
    }

    /// Continues from the generation in force, or the newest before it that the model takes.
    fn resume(&mut self) {
        while self.generation() != 0 {
            match self.model.restore(self.generations.in_force()) {
                Ok(()) => {
                    self.slot.publish(self.generations.in_force().clone());
                    break;
                }
                Err(error) => {
                    self.stats.last_error = error.to_string();
                    let stored = self.generations.take_back(&error.to_string());
                    self.note_storage(stored.map_or(Ok(()), |(_, stored)| stored));
                }
            }
        }
    }

    /// Takes a record of experience.
    pub fn record(&mut self, record: Record) {
        if self.replay.push(record) {
            let most = f64::from(self.config.update.per_candidate);
            let per_tick = self.config.update.max_per_tick;
            self.credit = (self.credit + per_tick).min(most.max(per_tick));
        }
    }

    /// Inference could not use a generation.
    pub fn condemn(&mut self, generation: u64, reason: &str) {
        if generation == self.generation() && generation != 0 {
            self.monitor.trigger(Trigger::Fault(reason.to_owned()));
        }
    }

    /// The robot jumped where a chunk of this generation was spliced in.
    pub fn splice_alarm(&mut self, generation: u64) {
        self.monitor
            .splice_alarm(generation, self.replay.next_number());
    }

    /// Takes the generation in force back at the next micro-step.
    pub fn take_back(&mut self) {
        self.monitor.trigger(Trigger::Operator);
    }

    /// Puts a generation in force and keeps it there.
    ///
    /// # Errors
    /// If it is not kept or damaged, the model refuses it, or the disk does.
    pub fn pin(&mut self, generation: u64) -> Result<(), LearnerError> {
        let weights = self.generations.pin(generation)?;
        self.monitor.stop();
        self.model.restore(&weights)?;
        self.slot.publish(weights);
        self.restart();
        Ok(())
    }

    /// Ends a pin: learning goes on from the pinned generation.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn unpin(&mut self) -> Result<(), LearnerError> {
        self.generations.unpin()
    }

    /// Generation in force.
    pub const fn generation(&self) -> u64 {
        self.generations.in_force().generation
    }

    /// The generations.
    pub const fn generations(&self) -> &Generations {
        &self.generations
    }

    /// The replay buffer.
    pub const fn replay(&self) -> &Replay {
        &self.replay
    }

    /// Counts so far.
    pub fn stats(&self) -> LearnerStats {
        LearnerStats {
            generation: self.generation(),
            replay: self.replay.stats(),
            ..self.stats.clone()
        }
    }

    /// What the next micro-step will be, so that its cost can be foreseen.
    pub fn next_kind(&self) -> StepKind {
        match &self.phase {
            _ if self.monitor.triggered() => StepKind::Manage,
            Phase::Judge(trial) | Phase::Check(trial) if trial.finished() => StepKind::Manage,
            Phase::Judge(_) | Phase::Check(_) => StepKind::Evaluate,
            Phase::Train if self.may_nominate() || self.check_due() => StepKind::Manage,
            Phase::Train => StepKind::Update,
        }
    }

    /// Does one small piece of work.
    pub fn micro_step(&mut self) -> MicroStep {
        if self.broken {
            return MicroStep::wait(Wait::Broken);
        }
        if let Some(trigger) = self.monitor.take_trigger()
            && self.generation() != 0
        {
            return self.roll_back(trigger);
        }
        if self.generations.pinned().is_some() {
            return MicroStep::wait(Wait::Pinned);
        }
        match std::mem::replace(&mut self.phase, Phase::Train) {
            Phase::Judge(trial) if trial.finished() => self.decide(&trial),
            Phase::Check(trial) if trial.finished() => {
                let blocks = self.config.gate.blocks;
                let now = self.replay.next_number();
                self.monitor.checked(&trial.losses(), blocks, now);
                MicroStep::did(Did::Evaluate {
                    done: trial.progress().1,
                    total: trial.progress().1,
                })
            }
            Phase::Judge(trial) => self.evaluate(trial, Phase::Judge),
            Phase::Check(trial) => self.evaluate(trial, Phase::Check),
            Phase::Train if self.check_due() => self.begin_check(),
            Phase::Train if self.may_nominate() => self.nominate(),
            Phase::Train => self.update(),
        }
    }

    // --- training ---

    fn update(&mut self) -> MicroStep {
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

    fn refused(&mut self, error: &LearnError) -> MicroStep {
        self.stats.refused += 1;
        self.stats.last_error = error.to_string();
        self.refused_in_a_row += 1;
        if self.refused_in_a_row >= self.config.update.refusals.max(1) {
            self.restore_shadow();
        }
        MicroStep::did(Did::Refuse)
    }

    // --- judging ---

    fn may_nominate(&self) -> bool {
        self.updates_since_nomination >= self.config.update.per_candidate
            && self.replay.next_number() >= self.nominate_from
            && !self.monitor.watching()
    }

    fn nominate(&mut self) -> MicroStep {
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
    fn trial(&mut self, candidate: Weights, part: &std::ops::Range<u64>) -> Trial {
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

    fn evaluate(&mut self, mut trial: Box<Trial>, phase: fn(Box<Trial>) -> Phase) -> MicroStep {
        match trial.step(self.model.as_ref()) {
            Ok(()) => {
                let (done, total) = trial.progress();
                self.phase = phase(trial);
                MicroStep::did(Did::Evaluate { done, total })
            }
            Err(error) => {
                let rejection = match error {
                    LearnError::NonFinite { .. } => Rejection::NonFinite,
                    _ => Rejection::NotEvaluated,
                };
                self.stats.last_error = error.to_string();
                if matches!(phase(trial), Phase::Judge(_)) {
                    self.reject_unseen(rejection, error.to_string())
                } else {
                    let now = self.replay.next_number();
                    self.monitor.checked(&[], self.config.gate.blocks, now);
                    MicroStep::did(Did::Refuse)
                }
            }
        }
    }

    /// Rejects a candidate for which there is no evidence.
    fn reject_unseen(&mut self, rejection: Rejection, reason: String) -> MicroStep {
        self.conclude(Judgement::without_evidence(rejection, reason), None)
    }

    fn decide(&mut self, trial: &Trial) -> MicroStep {
        if let (Some(probes), Some(actions)) = (&mut self.probes, trial.base_actions())
            && probes.base.is_none()
        {
            probes.base = Some(actions.clone());
        }
        let judgement = judge(&self.config.gate, &trial.evidence(&self.metric));
        self.conclude(judgement, Some(trial.candidate()))
    }

    fn conclude(&mut self, judgement: Judgement, candidate: Option<&Weights>) -> MicroStep {
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

    fn accept(&mut self, candidate: &Weights, judgement: &Judgement) {
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

    fn reject(&mut self, rejection: Rejection) {
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

    // --- watching ---

    fn check_due(&self) -> bool {
        self.monitor.check_due(self.replay.next_number()).is_some()
    }

    fn begin_check(&mut self) -> MicroStep {
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

    fn roll_back(&mut self, trigger: Trigger) -> MicroStep {
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

    // --- common ---

    /// The shadow copy starts again from the generation in force.
    fn restore_shadow(&mut self) {
        self.stats.restored += 1;
        self.rejected_in_a_row = 0;
        self.refused_in_a_row = 0;
        self.updates_since_nomination = 0;
        if let Err(error) = self.model.restore(self.generations.in_force()) {
            self.stats.last_error = error.to_string();
            self.broken = true;
        }
    }

    fn restart(&mut self) {
        self.phase = Phase::Train;
        self.updates_since_nomination = 0;
        self.rejected_in_a_row = 0;
        self.refused_in_a_row = 0;
    }

    fn note_storage(&mut self, stored: Result<(), LearnerError>) {
        if let Err(error) = stored {
            self.stats.storage_errors += 1;
            self.stats.last_error = error.to_string();
        }
    }

    fn stamp(&self) -> Stamp {
        self.replay
            .newest()
            .map(|record| record.observation.stamp)
            .unwrap_or_default()
    }

    fn report(&self, objective: String, verdict: Verdict) -> LearnerReport {
        LearnerReport {
            stamp: self.stamp(),
            update: self.stats.updates,
            generation: self.generation(),
            objective,
            loss: f32::NAN,
            grad_norm: f32::NAN,
            reference_loss: f32::NAN,
            candidate_loss: f32::NAN,
            action_shift: f32::NAN,
            verdict,
        }
    }
}

impl MicroStep {
    const fn did(did: Did) -> Self {
        Self { did, report: None }
    }
    const fn wait(wait: Wait) -> Self {
        Self::did(Did::Wait(wait))
    }
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
