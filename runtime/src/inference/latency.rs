//! How long plans took, and how long the next may take.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

/// The newest durations of something, with quantiles.
///
/// Old values leave as new ones come, so that one slow start does not bias a whole run. Quantiles
/// are by nearest rank: the smallest kept value with at least the asked share at or below it.
#[derive(Clone, Debug)]
pub struct LatencyWindow {
    values: VecDeque<Duration>,
    capacity: usize,
    count: u64,
    longest: Duration,
}

impl LatencyWindow {
    /// Keeps the newest `capacity` values (at least one).
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            values: VecDeque::with_capacity(capacity),
            capacity,
            count: 0,
            longest: Duration::ZERO,
        }
    }

    /// Adds a value.
    pub fn push(&mut self, value: Duration) {
        if self.values.len() == self.capacity {
            self.values.pop_front();
        }
        self.values.push_back(value);
        self.count += 1;
        self.longest = self.longest.max(value);
    }

    /// The quantile `q` in [0, 1] of the kept values; `None` if there are none.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let mut sorted: Vec<_> = self.values.iter().copied().collect();
        sorted.sort_unstable();
        let rank = (q.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied()
    }

    /// Forgets the kept values; the totals stay.
    pub fn clear(&mut self) {
        self.values.clear();
    }

    /// Number of kept values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no kept values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The figures for a report.
    pub fn summary(&self) -> LatencySummary {
        let ms = |value: Option<Duration>| value.unwrap_or_default().as_secs_f64() * 1e3;
        LatencySummary {
            count: self.count,
            p50_ms: ms(self.quantile(0.5)),
            p95_ms: ms(self.quantile(0.95)),
            p99_ms: ms(self.quantile(0.99)),
            longest_ms: ms(Some(self.longest)),
        }
    }
}

/// Figures of a [`LatencyWindow`]: quantiles of the newest values, count and maximum of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LatencySummary {
    /// Values so far.
    pub count: u64,
    /// Median of the newest values [ms].
    pub p50_ms: f64,
    /// 95th percentile of the newest values [ms].
    pub p95_ms: f64,
    /// 99th percentile of the newest values [ms].
    pub p99_ms: f64,
    /// Longest of all values [ms].
    pub longest_ms: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let mut window = LatencyWindow::new(10);
        assert_eq!(window.quantile(0.5), None);
        for value in 1..=10 {
            window.push(ms(value));
        }
        assert_eq!(window.quantile(0.0), Some(ms(1)));
        assert_eq!(window.quantile(0.5), Some(ms(5)));
        assert_eq!(window.quantile(0.91), Some(ms(10)));
        assert_eq!(window.quantile(1.0), Some(ms(10)));
    }

    #[test]
    fn a_spike_leaves_the_window_but_not_the_totals() {
        let mut window = LatencyWindow::new(4);
        window.push(ms(900));
        for _ in 0..4 {
            window.push(ms(20));
        }
        assert_eq!(window.quantile(1.0), Some(ms(20)));
        let summary = window.summary();
        assert_eq!((summary.count, summary.longest_ms), (5, 900.0));
    }
}
