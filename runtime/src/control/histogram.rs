//! A histogram that one thread fills and any thread reads, without lock or allocation.
//!
//! Buckets are log-linear: exact up to 64, then 64 to each doubling, so that a value is known to
//! better than 1.6 %. The range is fixed when the program is compiled, so recording is an index
//! computation and a relaxed store.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

/// Binary digits kept of each value.
const PRECISION: u32 = 6;
/// Buckets per doubling.
const PER_OCTAVE: usize = 1 << PRECISION;
/// Doublings above the exact part: values up to 2^40 (18 minutes, in nanoseconds).
const OCTAVES: usize = 34;
/// All buckets.
const BUCKETS: usize = PER_OCTAVE * (OCTAVES + 1);

/// The bucket of a value; too large ones share the last.
const fn bucket(value: u64) -> usize {
    if value < PER_OCTAVE as u64 {
        return value as usize;
    }
    let shift = value.ilog2() - PRECISION;
    let within = (value >> shift) as usize - PER_OCTAVE;
    let index = PER_OCTAVE * (shift as usize + 1) + within;
    if index < BUCKETS { index } else { BUCKETS - 1 }
}

/// The largest value of a bucket.
const fn upper(bucket: usize) -> u64 {
    if bucket < PER_OCTAVE {
        return bucket as u64;
    }
    let shift = bucket / PER_OCTAVE - 1;
    let within = (bucket % PER_OCTAVE + PER_OCTAVE) as u64;
    ((within + 1) << shift) - 1
}

/// See the module. One writer; concurrent writers would lose counts, nothing worse.
#[derive(Debug)]
pub struct Histogram {
    buckets: Box<[AtomicU64]>,
    count: AtomicU64,
    sum: AtomicU64,
    least: AtomicU64,
    most: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            least: AtomicU64::new(u64::MAX),
            most: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Adds a value. Neither allocates nor blocks.
    pub fn record(&self, value: u64) {
        if let Some(slot) = self.buckets.get(bucket(value)) {
            bump(slot, 1);
        }
        bump(&self.count, 1);
        bump(&self.sum, value);
        if value < self.least.load(Relaxed) {
            self.least.store(value, Relaxed);
        }
        if value > self.most.load(Relaxed) {
            self.most.store(value, Relaxed);
        }
    }

    /// What was recorded so far. Values recorded while this runs may be in it or not.
    pub fn snapshot(&self) -> HistogramSnapshot {
        HistogramSnapshot {
            buckets: self.buckets.iter().map(|slot| slot.load(Relaxed)).collect(),
            sum: self.sum.load(Relaxed),
            least: self.least.load(Relaxed),
            most: self.most.load(Relaxed),
        }
    }
}

/// Only one thread writes, so a load and a store do, which is cheaper than an atomic addition.
fn bump(slot: &AtomicU64, more: u64) {
    slot.store(slot.load(Relaxed).saturating_add(more), Relaxed);
}

/// The content of a [`Histogram`] at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramSnapshot {
    buckets: Vec<u64>,
    sum: u64,
    least: u64,
    most: u64,
}

impl HistogramSnapshot {
    /// Number of values.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
    /// Smallest value; zero if there is none.
    pub fn min(&self) -> u64 {
        if self.count() == 0 { 0 } else { self.least }
    }
    /// Largest value; zero if there is none.
    pub const fn max(&self) -> u64 {
        self.most
    }
    /// Mean; zero if there is no value.
    pub fn mean(&self) -> f64 {
        match self.count() {
            0 => 0.0,
            count => self.sum as f64 / count as f64,
        }
    }
    /// The value below or at which the share `quantile` (0 to 1) of all values lies, at most 1.6 %
    /// too high and never above the largest; zero if there is no value.
    pub fn quantile(&self, quantile: f64) -> u64 {
        let count = self.count();
        let rank = ((quantile.clamp(0.0, 1.0) * count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, slot) in self.buckets.iter().enumerate() {
            seen += slot;
            if seen >= rank {
                // The last bucket has no upper end.
                let end = if index + 1 == self.buckets.len() {
                    self.most
                } else {
                    upper(index)
                };
                return end.min(self.most);
            }
        }
        self.most
    }
    /// The usual figures.
    pub fn figures(&self) -> Figures {
        Figures {
            count: self.count(),
            mean: self.mean(),
            p50: self.quantile(0.5),
            p90: self.quantile(0.9),
            p99: self.quantile(0.99),
            p999: self.quantile(0.999),
            max: self.max(),
        }
    }
}

/// The usual figures of a distribution, in the unit of what was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Number of values.
    pub count: u64,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: u64,
    /// 90 % lie at or below.
    pub p90: u64,
    /// 99 % lie at or below.
    pub p99: u64,
    /// 99.9 % lie at or below.
    pub p999: u64,
    /// Largest.
    pub max: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_bucket_ends_where_the_next_begins() {
        for index in 0..BUCKETS - 1 {
            assert_eq!(bucket(upper(index)), index);
            assert_eq!(bucket(upper(index) + 1), index + 1);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn an_empty_one_has_figures_too() {
        assert_eq!(
            Histogram::default().snapshot().figures(),
            Figures::default()
        );
        assert_eq!(Histogram::default().snapshot().min(), 0);
    }

    proptest! {
        #[test]
        fn quantiles_agree_with_sorting(
            mut values in prop::collection::vec(0u64..1 << 40, 1..200),
            quantile in 0.0f64..=1.0,
        ) {
            let histogram = Histogram::default();
            for &value in &values {
                histogram.record(value);
            }
            values.sort_unstable();
            let rank = ((quantile * values.len() as f64).ceil() as usize).max(1);
            let exact = values[rank - 1];
            let snapshot = histogram.snapshot();
            let found = snapshot.quantile(quantile);
            prop_assert!(found >= exact && found as f64 <= exact as f64 * (1.0 + 1.0 / 64.0) + 1.0);
            prop_assert_eq!(snapshot.count(), values.len() as u64);
            prop_assert_eq!(snapshot.min(), values[0]);
            prop_assert_eq!(snapshot.max(), values[values.len() - 1]);
        }
    }
}
