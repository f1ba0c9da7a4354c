//! Segments: runs of steps of the same concept, and the states that they end in.

/// Where the segments of a window end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// The last step of every step's run of equal concepts.
    pub ends: Vec<usize>,
    /// Whether that end was seen: false in the last run, which the window may have cut.
    pub closed: Vec<bool>,
}

impl Segments {
    /// Of one window's concepts, in order. Padding counts as steps, as in the authors' code.
    pub fn of(concepts: &[usize]) -> Self {
        let mut ends = vec![0; concepts.len()];
        let mut closed = vec![false; concepts.len()];
        let mut end = concepts.len().saturating_sub(1);
        let mut seen = false;
        for step in (0..concepts.len()).rev() {
            if concepts
                .get(step + 1)
                .is_some_and(|next| *next != concepts[step])
            {
                (end, seen) = (step, true);
            }
            (ends[step], closed[step]) = (end, seen);
        }
        Self { ends, closed }
    }
}

/// Where concepts end in a labelled trajectory: per concept the last step of its last run, or
/// `None` if it does not occur. The run in which the trajectory ends has `last`.
pub fn key_steps(labels: &[usize], concepts: usize, last: usize) -> Vec<Option<usize>> {
    let mut steps = vec![None; concepts];
    for (step, pair) in labels.windows(2).enumerate() {
        if let [label, next] = pair
            && label != next
            && let Some(found) = steps.get_mut(*label)
        {
            *found = Some(step);
        }
    }
    if let Some(found) = labels.last().and_then(|&label| steps.get_mut(label)) {
        *found = Some(last);
    }
    steps
}

/// Labels without runs shorter than `least` steps: those take the label before them, and at the
/// beginning that of the first run that is long enough.
pub fn steady(labels: &[usize], least: usize) -> Vec<usize> {
    let mut kept = None;
    let mut steady = Vec::with_capacity(labels.len());
    for run in labels.chunk_by(|a, b| a == b) {
        if run.len() >= least {
            if kept.is_none() {
                steady.fill(run[0]);
            }
            kept = Some(run[0]);
        }
        steady.resize(steady.len() + run.len(), kept.unwrap_or(run[0]));
    }
    steady
}

/// Steps at which a labelled trajectory changes its label: the last one of every run but the last.
pub fn boundaries(labels: &[usize]) -> Vec<usize> {
    let pairs = labels.windows(2).enumerate();
    let changes = pairs.filter(|(_, pair)| pair[0] != pair[1]);
    changes.map(|(step, _)| step).collect()
}

/// Human intuition score of one trajectory: for every key step that a human named, how much later
/// the nearest later found key step is; if all are earlier, how much earlier the last one is, as a
/// negative number. Lower is closer. `None` if nothing was found.
pub fn human_intuition(found: &[usize], human: &[usize]) -> Option<f64> {
    let distance = |&human: &usize| {
        let distances = || found.iter().map(|&step| step as f64 - human as f64);
        let later = distances().filter(|&distance| distance >= 0.0);
        later.reduce(f64::min).or(distances().reduce(f64::max))
    };
    human.iter().map(distance).sum()
}

/// Precision, recall and their harmonic mean of found boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreement {
    /// Found boundaries that are true ones.
    pub precision: f64,
    /// True boundaries that were found.
    pub recall: f64,
    /// Harmonic mean; 0 if nothing agrees, 1 if neither side has any.
    pub f1: f64,
}

/// How well found boundaries agree with true ones: a pair agrees if it is at most `tolerance` steps
/// apart, and every boundary belongs to one pair at most.
pub fn agreement(found: &[usize], truth: &[usize], tolerance: usize) -> Agreement {
    let sorted = |steps: &[usize]| {
        let mut steps = steps.to_vec();
        steps.sort_unstable();
        steps
    };
    let (found, truth) = (sorted(found), sorted(truth));
    // In order: whichever side is behind and cannot be met any more is passed over.
    let (mut f, mut t, mut pairs) = (0, 0, 0usize);
    while let (Some(&a), Some(&b)) = (found.get(f), truth.get(t)) {
        if a.abs_diff(b) <= tolerance {
            (f, t, pairs) = (f + 1, t + 1, pairs + 1);
        } else if a < b {
            f += 1;
        } else {
            t += 1;
        }
    }
    let share = |of: usize| match of {
        0 => f64::from(found.is_empty() && truth.is_empty()),
        of => pairs as f64 / of as f64,
    };
    let (precision, recall) = (share(found.len()), share(truth.len()));
    let f1 = if precision + recall > 0.0 {
        2.0 * precision * recall / (precision + recall)
    } else {
        0.0
    };
    Agreement {
        precision,
        recall,
        f1,
    }
}

/// How often every concept (columns) occurs in every part of a trajectory's time (rows, as many as
/// concepts): the table that the authors watch in training.
pub fn usage(labels: &[usize], times: &[f32], concepts: usize) -> Vec<Vec<usize>> {
    let mut table = vec![vec![0; concepts]; concepts];
    for (&label, &time) in labels.iter().zip(times) {
        let row = (f64::from(time) * concepts as f64) as usize;
        let cell = table
            .get_mut(row.min(concepts.saturating_sub(1)))
            .and_then(|row| row.get_mut(label));
        if let Some(cell) = cell {
            *cell += 1;
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_run_is_open() {
        let segments = Segments::of(&[3, 3, 1, 1, 1, 3]);
        assert_eq!(segments.ends, [1, 1, 4, 4, 4, 5]);
        assert_eq!(segments.closed, [true, true, true, true, true, false]);
        let one = Segments::of(&[2, 2]);
        assert_eq!((one.ends, one.closed), (vec![1, 1], vec![false, false]));
        assert!(Segments::of(&[]).ends.is_empty());
    }

    #[test]
    fn a_concept_that_comes_back_has_its_last_end() {
        let steps = key_steps(&[0, 0, 2, 0, 1, 1], 4, 6);
        assert_eq!(steps, [Some(3), Some(6), Some(2), None]);
        assert_eq!(key_steps(&[], 2, 5), [None, None]);
    }

    #[test]
    fn boundaries_agree_in_pairs() {
        let all = agreement(&[10, 21], &[12, 20], 5);
        assert_eq!((all.precision, all.recall, all.f1), (1.0, 1.0, 1.0));
        // Two found near one true: one pair.
        let half = agreement(&[10, 11], &[10], 5);
        assert_eq!((half.precision, half.recall), (0.5, 1.0));
        assert!((half.f1 - 2.0 / 3.0).abs() < 1e-12);
        // The first of the found ones must not take what the second needs.
        assert_eq!(agreement(&[1, 6], &[6, 11], 5).recall, 1.0);
        assert_eq!(agreement(&[], &[3], 5).f1, 0.0);
        assert_eq!(agreement(&[], &[], 5).f1, 1.0);
    }

    #[test]
    fn short_runs_belong_to_what_is_before_them() {
        assert_eq!(steady(&[1, 1, 2, 1, 1, 3, 3], 2), [1, 1, 1, 1, 1, 3, 3]);
        assert_eq!(steady(&[5, 1, 1], 2), [1, 1, 1]);
        assert_eq!(steady(&[4, 2], 2), [4, 2], "nothing lasts");
        assert_eq!(boundaries(&[1, 1, 2, 2, 2, 0]), [1, 4]);
        assert!(boundaries(&[]).is_empty());
    }

    #[test]
    fn usage_counts_by_time_and_concept() {
        let table = usage(&[0, 0, 1, 1], &[0.0, 0.4, 0.6, 1.0], 2);
        assert_eq!(table, [[2, 0], [0, 2]]);
    }

    #[test]
    fn intuition_counts_the_nearest_later_step() {
        assert_eq!(human_intuition(&[6, 8, 14], &[10, 14]), Some(4.0));
        assert_eq!(human_intuition(&[3, 5], &[9]), Some(-4.0));
        assert_eq!(human_intuition(&[], &[9]), None);
        assert_eq!(human_intuition(&[3], &[]), Some(0.0));
    }
}
