//! What the robot remembers: recent experience, bounded in bytes.
//!
//! Records are kept in *segments*: runs of consecutive ticks of one episode towards one goal.
//! Windows (an anchor, what follows it and the actions between) lie inside one segment. When the
//! byte bound is reached, whole segments leave, oldest first.
//!
//! Every record has a number, counting all records ever taken. With `n` the next number and `h`
//! the size of the held-back set, records `[n − h, n)` are for judging candidates and no training
//! window touches them; records below are for training. A record is first held back, then trained
//! on, never the reverse, so whatever a candidate is judged on is newer than anything it has seen.
//!
//! Training windows are a mixture of recent ones and ones drawn evenly from all that is
//! remembered: the first follow the present situation, the second keep older ones from being
//! forgotten.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;

use cerebellum_policies::online::Experience;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{refuse, within};
use super::error::LearnerError;
use super::record::Record;

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayConfig {
    /// Most bytes of experience, images included. 256 MiB by default, which is about four minutes
    /// of two 96 x 96 cameras at 20 Hz.
    pub max_bytes: usize,
    /// Longest segment in ticks: the grain in which old experience leaves. 256 by default.
    pub segment_ticks: u32,
    /// Newest ticks that are held back to judge candidates on. 400 by default.
    pub held_back_ticks: u32,
    /// Newest training windows that count as recent. 1200 by default.
    pub recent_ticks: u32,
    /// Share of each batch that is drawn from the recent windows, in [0, 1]. 0.5 by default.
    pub recent_share: f64,
    /// Folder that holds what the buffer holds, so that experience survives a power cut; each
    /// policy gets its own folder inside. It is written at the pace of the cameras. None by
    /// default.
    pub folder: Option<PathBuf>,
}

impl Default for ReplayConfig {
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            segment_ticks: 256,
            held_back_ticks: 400,
            recent_ticks: 1200,
            recent_share: 0.5,
            folder: None,
        }
    }
}

impl ReplayConfig {
    pub(super) fn validate(&self) -> Result<(), LearnerError> {
        within("replay.recent_share", self.recent_share, 0.0, 1.0)?;
        if self.segment_ticks < 2 {
            return Err(refuse("replay.segment_ticks", "must be at least 2"));
        }
        Ok(())
    }
}

/// Counts of a [`Replay`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReplayStats {
    /// Records taken so far.
    pub recorded: u64,
    /// Records that left because the buffer was full.
    pub dropped: u64,
    /// Records refused: larger than the bound, without an action, or with one that is not finite.
    pub refused: u64,
    /// Records held.
    pub held: u64,
    /// Segments held.
    pub segments: u64,
    /// Bytes held.
    pub bytes: u64,
}

/// A window of experience, by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// Number of its first record, the anchor.
    pub first: u64,
    /// Records in it.
    pub length: u32,
}

/// The buffer.
#[derive(Debug)]
pub struct Replay {
    config: ReplayConfig,
    /// Oldest first; the numbers of their records are consecutive across segments.
    segments: VecDeque<Segment>,
    next: u64,
    /// Records before this number are never held back: they come from an earlier run.
    sealed: u64,
    /// The newest segment does not grow any more.
    closed: bool,
    bytes: usize,
    stats: ReplayStats,
}

#[derive(Debug)]
struct Segment {
    /// Number of the first record.
    first: u64,
    bytes: usize,
    records: Vec<Record>,
}

impl Replay {
    /// An empty buffer.
    pub fn new(config: ReplayConfig) -> Self {
        Self {
            config,
            segments: VecDeque::new(),
            next: 0,
            sealed: 0,
            closed: false,
            bytes: 0,
            stats: ReplayStats::default(),
        }
    }

    /// Takes a record. Returns whether it was taken; a refused one is counted.
    pub fn push(&mut self, record: Record) -> bool {
        let largest = record.bytes_after(None);
        let usable = !record.action.is_empty() && record.action.iter().all(|a| a.is_finite());
        if !usable || largest > self.config.max_bytes {
            self.stats.refused += 1;
            return false;
        }
        while self.bytes + largest > self.config.max_bytes {
            let Some(oldest) = self.segments.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes;
            self.stats.dropped += oldest.records.len() as u64;
        }
        // Four segments at least, so that making room never empties the buffer.
        let full = (self.config.max_bytes / 4).max(1);
        let limit = self.config.segment_ticks as usize;
        match self.segments.back_mut() {
            Some(open)
                if !self.closed
                    && open.records.len() < limit
                    && open.bytes < full
                    && open
                        .records
                        .last()
                        .is_some_and(|last| record.continues(last)) =>
            {
                let bytes = record.bytes_after(open.records.last());
                open.bytes += bytes;
                self.bytes += bytes;
                open.records.push(record);
            }
            _ => {
                self.bytes += largest;
                self.segments.push_back(Segment {
                    first: self.next,
                    bytes: largest,
                    records: vec![record],
                });
            }
        }
        self.closed = false;
        self.next += 1;
        true
    }

    /// Ends the newest segment: the next record begins another.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Says that all records so far may have been trained on: none of them is held back.
    pub fn seal(&mut self) {
        self.sealed = self.next;
    }

    /// Number of the oldest record that is held.
    pub fn oldest_number(&self) -> u64 {
        self.segments
            .front()
            .map_or(self.next, |oldest| oldest.first)
    }

    /// The oldest segment that does not grow any more among those that begin at record `from` or
    /// later: its first number and its records.
    pub fn finished_from(&self, from: u64) -> Option<(u64, &[Record])> {
        let growing = usize::from(!self.closed);
        let finished = self.segments.len().saturating_sub(growing);
        self.segments
            .iter()
            .take(finished)
            .find(|segment| segment.first >= from)
            .map(|segment| (segment.first, segment.records.as_slice()))
    }

    /// Number of the next record.
    pub const fn next_number(&self) -> u64 {
        self.next
    }

    /// Numbers of the records that may be trained on.
    pub fn training(&self) -> Range<u64> {
        0..self.held_back().start
    }

    /// Numbers of the records that are held back.
    pub fn held_back(&self) -> Range<u64> {
        let newest = u64::from(self.config.held_back_ticks);
        self.next.saturating_sub(newest).max(self.sealed)..self.next
    }

    /// The newest record.
    pub fn newest(&self) -> Option<&Record> {
        self.segments
            .back()
            .and_then(|segment| segment.records.last())
    }

    /// Number of windows of `length` records that lie wholly in `part`.
    pub fn count(&self, part: &Range<u64>, length: u32) -> u64 {
        self.spans(part, length).map(|(_, count)| count).sum()
    }

    /// Draws `batch` training windows: the configured share from the recent ones, the rest evenly
    /// from all. Empty if there are none.
    pub fn sample(&self, length: u32, batch: u32, rng: &mut ChaCha8Rng) -> Vec<Window> {
        let spans: Vec<_> = self.spans(&self.training(), length).collect();
        let total: u64 = spans.iter().map(|(_, count)| count).sum();
        if total == 0 {
            return Vec::new();
        }
        let recent = (f64::from(batch) * self.config.recent_share).round() as u32;
        let oldest_recent = total.saturating_sub(u64::from(self.config.recent_ticks.max(1)));
        (0..batch)
            .filter_map(|index| {
                let low = if index < recent { oldest_recent } else { 0 };
                nth(&spans, rng.random_range(low..total), length)
            })
            .collect()
    }

    /// At most `most` windows of `part`, spread evenly over it, in order of time.
    pub fn spread(&self, part: &Range<u64>, length: u32, most: u32) -> Vec<Window> {
        let spans: Vec<_> = self.spans(part, length).collect();
        let total: u64 = spans.iter().map(|(_, count)| count).sum();
        let picked = u64::from(most).min(total);
        (0..picked)
            .filter_map(|index| nth(&spans, (index * total + total / 2) / picked, length))
            .collect()
    }

    /// The experience of a window, if it is still held. `lookahead` is at most its length minus
    /// one, else it is cut to that.
    pub fn experience(&self, window: Window, lookahead: u32) -> Option<Experience> {
        let index = self
            .segments
            .partition_point(|segment| segment.first <= window.first)
            .checked_sub(1)?;
        let segment = self.segments.get(index)?;
        let start = usize::try_from(window.first - segment.first).ok()?;
        let records = segment
            .records
            .get(start..start.checked_add(window.length as usize)?)?;
        let anchor = records.first()?;
        let future = records.get(lookahead as usize).or(records.last())?;
        Some(Experience {
            observation: (*anchor.observation).clone(),
            future: (*future.observation).clone(),
            actions: records
                .iter()
                .flat_map(|record| record.action.iter().copied())
                .collect(),
            goal: (*anchor.goal).clone(),
        })
    }

    /// Counts so far.
    pub fn stats(&self) -> ReplayStats {
        ReplayStats {
            recorded: self.next,
            held: self.next - self.oldest_number(),
            segments: self.segments.len() as u64,
            bytes: self.bytes as u64,
            ..self.stats
        }
    }

    /// Per segment with windows in `part`: number of the first anchor and count of anchors.
    fn spans(&self, part: &Range<u64>, length: u32) -> impl Iterator<Item = (u64, u64)> {
        let Range { start, end } = *part;
        let length = u64::from(length.max(1));
        self.segments.iter().filter_map(move |segment| {
            let low = segment.first.max(start);
            let high = (segment.first + segment.records.len() as u64).min(end);
            let count = (high.saturating_sub(low) + 1).saturating_sub(length);
            (count > 0).then_some((low, count))
        })
    }
}

/// Window `index` of those that `spans` list.
fn nth(spans: &[(u64, u64)], mut index: u64, length: u32) -> Option<Window> {
    for &(first, count) in spans {
        if index < count {
            return Some(Window {
                first: first + index,
                length: length.max(1),
            });
        }
        index -= count;
    }
    None
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
