//! The generations of a policy: which is in force, which came before, which were taken back.
//!
//! Generation 0 is what was trained offline. Numbers only grow: after a generation was taken back,
//! the next accepted one gets a new number and names the generation it grew from as its parent.

use cerebellum_messages::Stamp;
use cerebellum_policies::policy::Weights;
use serde::{Deserialize, Serialize};

use super::archive::Archive;
use super::config::GenerationsConfig;
use super::error::LearnerError;
use super::gate::Judgement;
use super::shift::Shift;

/// What is thought of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may be used.
    Good,
    /// It was taken back.
    TakenBack,
    /// Its file is not what was written.
    Damaged,
}

/// Where a generation comes from and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerationRecord {
    /// Its number, from 1.
    pub generation: u64,
    /// The generation in force when it was accepted.
    pub parent: u64,
    /// When it was accepted, on the robot's clock.
    pub stamp: Stamp,
    /// Learner updates of that run until then.
    pub update: u64,
    /// What is thought of it.
    pub standing: Standing,
    /// Why: the numbers of its acceptance, or what it did later.
    pub reason: String,
    /// Held-back loss of its parent.
    pub parent_loss: f64,
    /// Its own held-back loss.
    pub loss: f64,
    /// Probability of such a gain by chance.
    pub p: f64,
    /// Change of actions against its parent.
    pub shift: Option<Shift>,
    /// Change of actions against generation 0.
    pub drift: Option<Shift>,
}

/// What must be known besides the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) in_force: u64,
    pub(super) pinned: Option<u64>,
    pub(super) next: u64,
}

/// All generations of a policy.
pub struct Generations {
    base: Weights,
    /// Oldest first, generation 0 not included.
    entries: Vec<Entry>,
    in_force: Weights,
    state: State,
    keep: usize,
    history: usize,
    archive: Option<Archive>,
    findings: Vec<String>,
}

struct Entry {
    record: GenerationRecord,
    /// Kept in memory where there is no archive.
    weights: Option<Weights>,
}

impl Generations {
    /// Opens the generations that grew from `base` (generation 0) and puts the last good one in
    /// force. What is damaged is passed over and said in [`Generations::findings`].
    ///
    /// # Errors
    /// If the folder cannot be read or written.
    pub fn open(config: &GenerationsConfig, base: Weights) -> Result<Self, LearnerError> {
        let base = Weights {
            generation: 0,
            ..base
        };
        let mut generations = Self {
            in_force: base.clone(),
            base,
            entries: Vec::new(),
            state: State {
                next: 1,
                ..State::default()
            },
            keep: config.keep as usize,
            history: config.history as usize,
            archive: None,
            findings: Vec::new(),
        };
        if let Some(folder) = &config.folder {
            let (archive, inventory) = Archive::open(folder, &generations.base)?;
            generations.archive = Some(archive);
            generations.findings = inventory.findings;
            generations.entries = inventory
                .records
                .into_iter()
                .map(|record| Entry {
                    record,
                    weights: None,
                })
                .collect();
            generations.recover(inventory.state)?;
        }
        Ok(generations)
    }

    fn recover(&mut self, state: Option<State>) -> Result<(), LearnerError> {
        let newest = self
            .entries
            .last()
            .map_or(0, |entry| entry.record.generation);
        let wanted = match state {
            Some(state) => state.pinned.unwrap_or(state.in_force),
            None => self.good().last().unwrap_or(0),
        };
        self.state = State {
            in_force: 0,
            pinned: state.and_then(|state| state.pinned),
            next: state.map_or(1, |state| state.next).max(newest + 1),
        };
        if wanted == 0 {
            return Ok(());
        }
        let mut order: Vec<u64> = self
            .good()
            .filter(|generation| *generation < wanted)
            .collect();
        order.reverse();
        // The power may have gone between taking a generation back and saying what follows it.
        let pinned = self.state.pinned == Some(wanted);
        if pinned || self.good().any(|generation| generation == wanted) {
            order.insert(0, wanted);
        }
        self.in_force = self.first_usable(&order);
        self.state.in_force = self.in_force.generation;
        if self.state.in_force != wanted {
            self.findings.push(format!(
                "generation {wanted} cannot be used: generation {} is in force instead",
                self.state.in_force
            ));
        }
        self.write_state()
    }

    /// The first of `order` whose weights can be had, else generation 0. Those that cannot are
    /// marked.
    fn first_usable(&mut self, order: &[u64]) -> Weights {
        for generation in order {
            match self.weights(*generation) {
                Ok(weights) => return weights,
                // Given up earlier to save space: nothing is wrong with it.
                Err(LearnerError::UnknownGeneration { .. }) => {}
                Err(error) => {
                    self.findings.push(error.to_string());
                    if let Err(error) =
                        self.mark(*generation, Standing::Damaged, &error.to_string())
                    {
                        self.findings.push(error.to_string());
                    }
                }
            }
        }
        self.base.clone()
    }

    /// What was found wrong with the archive so far, for a person.
    pub fn findings(&self) -> &[String] {
        &self.findings
    }

    /// The weights in force.
    pub const fn in_force(&self) -> &Weights {
        &self.in_force
    }

    /// Generation 0.
    pub const fn base(&self) -> &Weights {
        &self.base
    }

    /// The generation that is pinned, if one is.
    pub const fn pinned(&self) -> Option<u64> {
        self.state.pinned
    }

    /// All records, oldest first; generation 0 has none.
    pub fn records(&self) -> impl Iterator<Item = &GenerationRecord> {
        self.entries.iter().map(|entry| &entry.record)
    }

    /// The record of a generation.
    pub fn record(&self, generation: u64) -> Option<&GenerationRecord> {
        self.records()
            .find(|record| record.generation == generation)
    }

    /// Weights of a generation: from memory or, checked, from disk.
    ///
    /// # Errors
    /// If they are not kept, or damaged.
    pub fn weights(&self, generation: u64) -> Result<Weights, LearnerError> {
        if generation == 0 {
            return Ok(self.base.clone());
        }
        if generation == self.in_force.generation {
            return Ok(self.in_force.clone());
        }
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.record.generation == generation);
        match (entry, &self.archive) {
            (Some(entry), None) => entry.weights.clone(),
            (Some(_), Some(archive)) if archive.has_weights(generation) => {
                return archive.load(generation, &self.base);
            }
            _ => None,
        }
        .ok_or_else(|| LearnerError::UnknownGeneration {
            generation,
            known: self.kept(),
        })
    }

    /// Makes `weights` the next generation and puts it in force.
    ///
    /// The second value says why it could not be kept on disk, if it could not: it is in force
    /// until the process ends then.
    pub fn accept(
        &mut self,
        weights: Weights,
        judgement: &Judgement,
        stamp: Stamp,
        update: u64,
    ) -> (Weights, Result<(), LearnerError>) {
        let record = GenerationRecord {
            generation: self.state.next,
            parent: self.in_force.generation,
            stamp,
            update,
            standing: Standing::Good,
            reason: judgement.reason.clone(),
            parent_loss: judgement.reference_loss,
            loss: judgement.candidate_loss,
            p: judgement.p,
            shift: judgement.shift,
            drift: judgement.drift,
        };
        self.state.next += 1;
        self.state.in_force = record.generation;
        self.in_force = Weights {
            generation: record.generation,
            ..weights
        };
        let saved = match &self.archive {
            Some(archive) => archive.save(&record, &self.in_force),
            None => Ok(()),
        };
        self.entries.push(Entry {
            record,
            weights: self.archive.is_none().then(|| self.in_force.clone()),
        });
        let saved = saved
            .and_then(|()| self.write_state())
            .and_then(|()| self.prune());
        (self.in_force.clone(), saved)
    }

    /// Takes the generation in force back and puts its nearest good ancestor in force. Generation
    /// 0 cannot be taken back: `None` then.
    ///
    /// The second value says why the disk does not know yet, if it does not.
    pub fn take_back(&mut self, reason: &str) -> Option<(Weights, Result<(), LearnerError>)> {
        let bad = self.in_force.generation;
        if bad == 0 {
            return None;
        }
        let marked = self.mark(bad, Standing::TakenBack, reason);
        let ancestors = self.ancestors(bad);
        self.in_force = self.first_usable(&ancestors);
        self.state.in_force = self.in_force.generation;
        if self.state.pinned == Some(bad) {
            self.state.pinned = None;
        }
        let written = self.write_state();
        Some((self.in_force.clone(), marked.and(written)))
    }

    /// Puts a generation in force and keeps it there: nothing is published until
    /// [`Generations::unpin`].
    ///
    /// # Errors
    /// If it is not kept, or damaged, or the disk refuses.
    pub fn pin(&mut self, generation: u64) -> Result<Weights, LearnerError> {
        self.in_force = self.weights(generation)?;
        self.state.in_force = generation;
        self.state.pinned = Some(generation);
        self.write_state()?;
        Ok(self.in_force.clone())
    }

    /// Ends a pin; the generation stays in force until the next is accepted.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn unpin(&mut self) -> Result<(), LearnerError> {
        self.state.pinned = None;
        self.write_state()
    }

    /// Good generations, oldest first, generation 0 not included.
    fn good(&self) -> impl Iterator<Item = u64> {
        self.records()
            .filter(|record| record.standing == Standing::Good)
            .map(|record| record.generation)
    }

    /// Good ancestors, nearest first, generation 0 not included.
    fn ancestors(&self, of: u64) -> Vec<u64> {
        let mut ancestors = Vec::new();
        let mut next = self.record(of).map_or(0, |record| record.parent);
        while let Some(record) = self.record(next) {
            if record.standing == Standing::Good {
                ancestors.push(next);
            }
            // Parents are older: the chain ends.
            if record.parent >= next {
                break;
            }
            next = record.parent;
        }
        ancestors
    }

    fn mark(
        &mut self,
        generation: u64,
        standing: Standing,
        reason: &str,
    ) -> Result<(), LearnerError> {
        let Some(entry) = self
            .entries
            .iter_mut()
            .find(|entry| entry.record.generation == generation)
        else {
            return Ok(());
        };
        entry.record.standing = standing;
        entry.record.reason = reason.to_owned();
        match &self.archive {
            Some(archive) => archive.update(&entry.record),
            None => Ok(()),
        }
    }

    /// Generations whose weights can be asked for.
    fn kept(&self) -> Vec<u64> {
        let kept = self.entries.iter().filter(|entry| {
            let generation = entry.record.generation;
            entry.weights.is_some()
                || self
                    .archive
                    .as_ref()
                    .is_some_and(|archive| archive.has_weights(generation))
        });
        std::iter::once(0)
            .chain(kept.map(|entry| entry.record.generation))
            .collect()
    }

    /// Gives up the weights of all but the newest good generations, and the oldest records.
    fn prune(&mut self) -> Result<(), LearnerError> {
        let mut keep: Vec<u64> = self.good().collect();
        keep.drain(..keep.len().saturating_sub(self.keep));
        keep.push(self.in_force.generation);
        keep.extend(self.ancestors(self.in_force.generation).first());
        keep.extend(self.state.pinned);
        for entry in &mut self.entries {
            if keep.contains(&entry.record.generation) {
                continue;
            }
            entry.weights = None;
            if let Some(archive) = &self.archive {
                archive.remove_weights(entry.record.generation)?;
            }
        }
        let mut surplus = self.entries.len().saturating_sub(self.history);
        let mut index = 0;
        while surplus > 0 && index < self.entries.len() {
            let Some(entry) = self.entries.get(index) else {
                break;
            };
            if keep.contains(&entry.record.generation) {
                index += 1;
                continue;
            }
            if let Some(archive) = &self.archive {
                archive.remove_record(entry.record.generation)?;
            }
            self.entries.remove(index);
            surplus -= 1;
        }
        Ok(())
    }

    fn write_state(&self) -> Result<(), LearnerError> {
        match &self.archive {
            Some(archive) => archive.write_state(&self.state),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "generations_tests.rs"]
mod tests;
