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

mod judging;
mod training;
mod watching;

use cerebellum_messages::{LearnerReport, Stamp, Verdict};
use cerebellum_policies::online::OnlineModel;
use cerebellum_policies::policy::PolicySpec;

use super::config::LearnerConfig;
use super::error::LearnerError;
use super::generations::Generations;
use super::mixer::Mixer;
use super::probes::Probes;
use super::record::Record;
use super::replay::Replay;
use super::rollback::{Monitor, Trigger};
use super::shift::ActionMetric;
use super::spill::Spill;
use super::stats::LearnerStats;
use super::step::{Did, MicroStep, StepKind, Wait};
use super::trial::Trial;
use crate::inference::WeightSlot;

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
    spill: Option<Spill>,
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
    findings: Vec<String>,
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
        slot: WeightSlot,
        seed: u64,
    ) -> Result<Self, LearnerError> {
        config.validate()?;
        let mixer = Mixer::new(&config.mixer, &model.objectives())?;
        let generations = Generations::open(&config.generations, model.snapshot())?;
        let lookahead = mixer
            .followed()
            .iter()
            .map(|objective| objective.spec.lookahead)
            .max()
            .unwrap_or(0);
        let mut replay = Replay::new(config.replay.clone());
        let mut findings = Vec::new();
        let spill = match &config.replay.folder {
            Some(folder) => {
                let folder = folder.join(folder_name(spec));
                Some(Spill::open(&folder, &mut replay, &mut findings)?)
            }
            None => None,
        };
        let mut core = Self {
            metric: ActionMetric::new(spec.action_space, spec.action_dim, joint_bounds),
            replay,
            spill,
            findings,
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

    /// What was found damaged at start, for a person.
    pub fn findings(&self) -> impl Iterator<Item = &str> {
        let generations = self.generations.findings().iter();
        generations.chain(&self.findings).map(String::as_str)
    }

    /// Writes what is still in memory only: the end of an orderly run.
    pub fn finish(&mut self) {
        self.replay.close();
        while self.spill_due() {
            self.store();
        }
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
            _ if self.monitor.triggered() || self.spill_due() => StepKind::Manage,
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
        if self.spill_due() {
            self.store();
            return MicroStep::did(Did::Store);
        }
        if self.generations.pinned().is_some() {
            return MicroStep::wait(Wait::Pinned);
        }
        match std::mem::replace(&mut self.phase, Phase::Train) {
            Phase::Judge(trial) if trial.finished() => self.decide(&trial),
            Phase::Check(trial) if trial.finished() => self.end_check(&trial),
            Phase::Judge(trial) => self.evaluate(trial),
            Phase::Check(trial) => self.evaluate_check(trial),
            Phase::Train if self.check_due() => self.begin_check(),
            Phase::Train if self.may_nominate() => self.nominate(),
            Phase::Train => self.update(),
        }
    }

    fn spill_due(&self) -> bool {
        let spill = self.spill.as_ref();
        spill.is_some_and(|spill| spill.due(&self.replay))
    }

    fn store(&mut self) {
        if let Some(spill) = &mut self.spill {
            let stored = spill.store(&self.replay);
            self.note_storage(stored);
        }
    }

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

/// Experience of one policy is of no use to another with other actions.
fn folder_name(spec: &PolicySpec) -> String {
    let name: String = spec
        .name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    format!("{name}-{}", spec.action_dim)
}

#[cfg(test)]
mod tests;
