//! Which demonstrations may be used with their instruction.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;

use super::episode::Episode;
use super::order::stream;

/// Stream of random numbers for the choice: between those of steps and of epochs.
const STREAM: u64 = 1 << 62;

/// The demonstrations of which the instruction may be used: `share` of all, but at least one.
///
/// Drawn by `seed` and dealt evenly over the tasks, so that few labels reach as many tasks as they
/// can. The numbers are ascending.
pub fn labelled(episodes: &[Episode], share: f32, seed: u64) -> Vec<usize> {
    let count = (f64::from(share) * episodes.len() as f64).floor() as usize;
    let count = count.clamp(1, episodes.len().max(1));
    let mut order = (0..episodes.len()).collect::<Vec<_>>();
    order.shuffle(&mut stream(seed, STREAM));
    let mut by_task = BTreeMap::<&str, Vec<usize>>::new();
    for index in order {
        by_task
            .entry(&episodes[index].task)
            .or_default()
            .push(index);
    }
    let rounds = by_task.values().map(Vec::len).max().unwrap_or(0);
    let mut chosen = (0..rounds)
        .flat_map(|round| {
            by_task
                .values()
                .filter_map(move |of_task| of_task.get(round))
        })
        .copied()
        .take(count)
        .collect::<Vec<_>>();
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::DemoDataset;
    use crate::training::tests::demonstrations;

    #[test]
    fn few_labels_reach_every_task() {
        let mut trajectories = demonstrations(40, 16);
        for (index, trajectory) in trajectories.iter_mut().enumerate() {
            trajectory.task = if index < 36 { "push" } else { "press" }.into();
        }
        let data = DemoDataset::new(trajectories);
        let chosen = labelled(data.episodes(), 0.1, 7);
        assert_eq!(chosen.len(), 4);
        assert_eq!(chosen.iter().filter(|&&index| index >= 36).count(), 2);
        assert!(chosen.is_sorted());
        assert_eq!(chosen, labelled(data.episodes(), 0.1, 7));
        assert_ne!(chosen, labelled(data.episodes(), 0.1, 8));
        assert_eq!(labelled(data.episodes(), 1.0, 7).len(), 40);
        assert_eq!(labelled(data.episodes(), 0.001, 7).len(), 1);
        assert!(labelled(&[], 0.5, 7).is_empty());
    }
}
