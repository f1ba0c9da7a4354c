//! Which weights have proved themselves, and which to fall back on.

use cerebellum_policies::policy::Weights;

/// Good weights kept: the ones in force and the ones before them.
const KEPT: usize = 2;

/// Weights in force, and the good ones behind them.
///
/// New weights are on trial for a number of plans. A fault on trial condemns them at once; good
/// weights are given up only after several faults in a row, as the input may be to blame.
#[derive(Debug)]
pub(super) struct Trust {
    /// Oldest first; never empty.
    good: Vec<Weights>,
    trial: Option<Trial>,
    faults_in_a_row: u32,
    probation_plans: u32,
    fault_limit: u32,
}

#[derive(Debug)]
struct Trial {
    weights: Weights,
    plans_left: u32,
}

impl Trust {
    pub(super) fn new(initial: Weights, probation_plans: u32, fault_limit: u32) -> Self {
        Self {
            good: vec![initial],
            trial: None,
            faults_in_a_row: 0,
            probation_plans,
            fault_limit: fault_limit.max(1),
        }
    }

    /// Generation in force.
    pub(super) fn generation(&self) -> u64 {
        self.in_force().map_or(0, |weights| weights.generation)
    }

    /// Whether `weights` are those in force.
    pub(super) fn holds(&self, weights: &Weights) -> bool {
        self.in_force().is_some_and(|held| {
            held.generation == weights.generation
                && std::sync::Arc::ptr_eq(&held.tensors, &weights.tensors)
        })
    }

    pub(super) fn in_force(&self) -> Option<&Weights> {
        self.trial
            .as_ref()
            .map(|trial| &trial.weights)
            .or(self.good.last())
    }

    /// New weights were loaded.
    pub(super) fn begin_trial(&mut self, weights: Weights) {
        self.faults_in_a_row = 0;
        self.trial = Some(Trial {
            weights,
            plans_left: self.probation_plans,
        });
        self.promote();
    }

    /// A plan succeeded.
    pub(super) fn succeeded(&mut self) {
        self.faults_in_a_row = 0;
        if let Some(trial) = &mut self.trial {
            trial.plans_left = trial.plans_left.saturating_sub(1);
        }
        self.promote();
    }

    fn promote(&mut self) {
        if let Some(trial) = self.trial.take_if(|trial| trial.plans_left == 0) {
            self.good.push(trial.weights);
            let surplus = self.good.len().saturating_sub(KEPT);
            self.good.drain(..surplus);
        }
    }

    /// A plan failed by the fault of the weights: the weights to put in force instead, if those
    /// in force are to be given up.
    pub(super) fn faulted(&mut self) -> Option<Weights> {
        self.faults_in_a_row = self.faults_in_a_row.saturating_add(1);
        if self.trial.take().is_none() {
            if self.faults_in_a_row < self.fault_limit || self.good.len() < 2 {
                return None;
            }
            self.good.pop();
        }
        self.faults_in_a_row = 0;
        self.good.last().cloned()
    }
}
