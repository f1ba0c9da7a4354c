//! Counts of everything that arrived, left or was lost, by name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Prefix of the names of counters of things that were lost.
pub const DROPPED: &str = "dropped.";

/// One count. Cheap to clone; adding is one atomic operation without ordering.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }
    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }
    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A set of named counters. Clones share the set.
///
/// Names are `received.<topic>`, `sent.<topic>`, and `dropped.<queue>.<why>` for each thing that
/// was lost and the reason, so that a report can list every loss without knowing the queues.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Mutex<BTreeMap<String, Counter>>>);

impl Counters {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The counter of that name, made at zero on first use.
    pub fn counter(&self, name: &str) -> Counter {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = counters.get(name) {
            return counter.clone();
        }
        counters.entry(name.to_owned()).or_default().clone()
    }

    /// The counter `dropped.<queue>.<why>`.
    pub fn dropped(&self, queue: &str, why: &str) -> Counter {
        self.counter(&format!("{DROPPED}{queue}.{why}"))
    }

    /// All counts by name, zeros included.
    pub fn snapshot(&self) -> BTreeMap<String, u64> {
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counters
            .iter()
            .map(|(name, counter)| (name.clone(), counter.get()))
            .collect()
    }

    /// Those counts of lost things (names that begin with [`DROPPED`]) that are not zero.
    pub fn losses(&self) -> BTreeMap<String, u64> {
        let mut counts = self.snapshot();
        counts.retain(|name, count| name.starts_with(DROPPED) && *count > 0);
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_share_a_count() {
        let counters = Counters::new();
        counters.counter("received.clock").increment();
        counters.clone().counter("received.clock").add(2);
        assert_eq!(counters.snapshot().get("received.clock"), Some(&3));
    }

    #[test]
    fn losses_list_only_what_was_lost() {
        let counters = Counters::new();
        counters.counter("received.clock").increment();
        counters.dropped("goal", "full").add(4);
        counters.dropped("goal", "decode");
        let losses: Vec<_> = counters.losses().into_iter().collect();
        assert_eq!(losses, [("dropped.goal.full".to_owned(), 4)]);
    }
}
