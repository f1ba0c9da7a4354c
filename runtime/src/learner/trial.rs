//! Gathers the evidence of a judgement, one small evaluation at a time.

use std::collections::VecDeque;

use cerebellum_policies::error::LearnError;
use cerebellum_policies::online::{Experience, ExperienceBatch, ObjectiveId, OnlineModel};
use cerebellum_policies::policy::Weights;

use super::gate::{Evidence, Losses};
use super::probes::Probes;
use super::shift::{ActionMetric, ShiftMeter};

/// Whose losses and actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The generation trained offline.
    Base,
    /// The generation in force.
    Reference,
    /// What is compared with it.
    Candidate,
}

/// Moments in order of time, and what each side makes of them.
struct Set {
    objective: ObjectiveId,
    share: f64,
    moments: Vec<Experience>,
    /// Equal for all sides: the same masks and noise.
    seed: u64,
    base: Gathered,
    reference: Gathered,
    candidate: Gathered,
}

#[derive(Default)]
struct Gathered {
    losses: Vec<f32>,
    actions: Vec<Vec<f32>>,
}

struct Job {
    side: Side,
    set: usize,
    from: usize,
}

/// A comparison of two sets of weights that is under way.
pub(super) struct Trial {
    base: Weights,
    reference: Weights,
    candidate: Weights,
    sets: Vec<Set>,
    /// Index of the set of probe moments, if actions are compared too.
    probes: Option<usize>,
    /// Moments per evaluation.
    batch: usize,
    jobs: VecDeque<Job>,
    total: usize,
}

impl Trial {
    pub(super) fn new(base: Weights, reference: Weights, candidate: Weights, batch: u32) -> Self {
        Self {
            base,
            reference,
            candidate,
            sets: Vec::new(),
            probes: None,
            batch: batch.max(1) as usize,
            jobs: VecDeque::new(),
            total: 0,
        }
    }

    /// Adds moments on which losses (and actions) are compared.
    pub(super) fn compare(
        &mut self,
        objective: ObjectiveId,
        share: f64,
        moments: Vec<Experience>,
        seed: u64,
    ) {
        self.sets.push(Set {
            objective,
            share,
            moments,
            seed,
            base: Gathered::default(),
            reference: Gathered::default(),
            candidate: Gathered::default(),
        });
    }

    /// Adds the probe moments, on which actions are compared with generation 0 too.
    pub(super) fn probe(&mut self, objective: ObjectiveId, probes: &Probes, seed: u64) {
        self.probes = Some(self.sets.len());
        self.compare(objective, 0.0, probes.moments.clone(), seed);
        if let (Some(actions), Some(set)) = (&probes.base, self.sets.last_mut()) {
            set.base.actions.clone_from(actions);
        }
    }

    /// Ends the preparation. All work with one side's weights comes in a row, so that a model may
    /// keep them loaded.
    pub(super) fn begin(&mut self) {
        for side in [Side::Base, Side::Reference, Side::Candidate] {
            for (index, set) in self.sets.iter().enumerate() {
                let needed = side != Side::Base
                    || (self.probes == Some(index)
                        && set.base.actions.is_empty()
                        && self.reference.generation != 0);
                if !needed {
                    continue;
                }
                let starts = (0..set.moments.len()).step_by(self.batch);
                self.jobs.extend(starts.map(|from| Job {
                    side,
                    set: index,
                    from,
                }));
            }
        }
        self.total = self.jobs.len();
    }

    /// Does one evaluation. An error says with whose weights it came.
    pub(super) fn step(&mut self, model: &dyn OnlineModel) -> Result<(), (Side, LearnError)> {
        let Some(job) = self.jobs.pop_front() else {
            return Ok(());
        };
        let weights = match job.side {
            Side::Base => &self.base,
            Side::Reference => &self.reference,
            Side::Candidate => &self.candidate,
        };
        let Some(set) = self.sets.get_mut(job.set) else {
            return Ok(());
        };
        let moments: Vec<_> = set
            .moments
            .iter()
            .skip(job.from)
            .take(self.batch)
            .cloned()
            .collect();
        let expected = moments.len();
        let batch = ExperienceBatch {
            moments,
            seed: set.seed.wrapping_add(job.from as u64),
        };
        let report = model
            .evaluate(weights, &batch, &set.objective)
            .map_err(|error| (job.side, error))?;
        if report.losses.len() != expected || report.actions.len() != expected {
            let reason = format!(
                "an evaluation of {expected} moments gave {} losses and {} plans",
                report.losses.len(),
                report.actions.len()
            );
            return Err((job.side, LearnError::Batch(reason)));
        }
        let gathered = match job.side {
            Side::Base => &mut set.base,
            Side::Reference => &mut set.reference,
            Side::Candidate => &mut set.candidate,
        };
        gathered.losses.extend(report.losses);
        gathered.actions.extend(report.actions);
        Ok(())
    }

    /// Whether all evaluations are done.
    pub(super) fn finished(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Evaluations done and to be done in all.
    pub(super) fn progress(&self) -> (usize, usize) {
        (self.total - self.jobs.len(), self.total)
    }

    pub(super) const fn candidate(&self) -> &Weights {
        &self.candidate
    }

    /// The losses of both sides, without the probe moments.
    pub(super) fn losses(&self) -> Vec<Losses> {
        self.sets
            .iter()
            .enumerate()
            .filter(|(index, _)| self.probes != Some(*index))
            .map(|(_, set)| Losses {
                objective: set.objective.0.clone(),
                weight: set.share,
                reference: set.reference.losses.clone(),
                candidate: set.candidate.losses.clone(),
            })
            .collect()
    }

    /// All that was found.
    pub(super) fn evidence(&self, metric: &ActionMetric) -> Evidence {
        let mut shift = ShiftMeter::new(metric);
        for set in &self.sets {
            compare_all(&mut shift, &set.reference.actions, &set.candidate.actions);
        }
        let mut drift = ShiftMeter::new(metric);
        if let Some((base, set)) = self.base_actions().zip(self.probe_set()) {
            compare_all(&mut drift, base, &set.candidate.actions);
        }
        Evidence {
            losses: self.losses(),
            shift: shift.shift(),
            drift: drift.shift(),
        }
    }

    /// What generation 0 does in the probe moments.
    pub(super) fn base_actions(&self) -> Option<&Vec<Vec<f32>>> {
        let set = self.probe_set()?;
        Some(if self.reference.generation == 0 {
            &set.reference.actions
        } else {
            &set.base.actions
        })
    }

    fn probe_set(&self) -> Option<&Set> {
        self.sets.get(self.probes?)
    }
}

fn compare_all(meter: &mut ShiftMeter<'_>, before: &[Vec<f32>], after: &[Vec<f32>]) {
    for (before, after) in before.iter().zip(after) {
        meter.compare(before, after);
    }
}
