//! Rewards that nobody trained for.

use cerebellum_policies::mdt::Statistics;
use cerebellum_sim::Task;

/// Where the numbers of [`cerebellum_policies::hilp::inputs::tracked_state`] stand.
const TOOL: usize = 0;
const THING: usize = 17;
const SHARE: usize = THING + 9;
const BLOCK: usize = THING + 10;
const DRAWER: usize = THING + 11;
/// Where the hand, and where the block, should be (m).
const PLACE: [f32; 3] = [0.45, 0.15, 0.20];
const REGION: [f32; 2] = [0.58, 0.0];
/// Distance at which nothing is earned any more (m).
const FAR: f32 = 0.20;
/// Height of a block that lies on the table, and how much higher earns most (m).
const LYING: f32 = 0.02;
const LIFT: f32 = 0.10;

/// A reward of states, 0 … 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reward {
    /// The hand is at a place in the air.
    HandAtPlace,
    /// The block is lifted.
    BlockLifted,
    /// The block is at a place on the table.
    BlockMoved,
    /// The drawer is open.
    DrawerOpen,
}

impl Reward {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::HandAtPlace,
        Self::BlockLifted,
        Self::BlockMoved,
        Self::DrawerOpen,
    ];

    /// Name for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HandAtPlace => "hand_at_place",
            Self::BlockLifted => "block_lifted",
            Self::BlockMoved => "block_moved",
            Self::DrawerOpen => "drawer_open",
        }
    }

    /// Whose things stand on the table when it is earned.
    pub const fn scene(self) -> Task {
        match self {
            Self::HandAtPlace | Self::BlockLifted => Task::PickUp,
            Self::BlockMoved => Task::Push,
            Self::DrawerOpen => Task::OpenDrawer,
        }
    }

    /// The reward of a state that is not normalised.
    pub fn of(self, state: &[f32]) -> f32 {
        let at = |index: usize| state.get(index).copied().unwrap_or(0.0);
        let near = |place: &[f32], first: usize| {
            let way = place.iter().zip(first..);
            let squares = way.map(|(place, index)| (place - at(index)).powi(2));
            (1.0 - squares.sum::<f32>().sqrt() / FAR).max(0.0)
        };
        match self {
            Self::HandAtPlace => near(&PLACE, TOOL),
            Self::BlockLifted => ((at(THING + 2) - LYING) / LIFT).clamp(0.0, 1.0),
            Self::BlockMoved => near(&REGION, THING),
            Self::DrawerOpen => at(SHARE).clamp(0.0, 1.0),
        }
    }

    /// Number that is 1 in the states on which the reward is sampled: those with its thing.
    const fn kind(self) -> Option<usize> {
        match self {
            Self::HandAtPlace => None,
            Self::BlockLifted | Self::BlockMoved => Some(BLOCK),
            Self::DrawerOpen => Some(DRAWER),
        }
    }

    /// Those of some normalised states, row-major, that have its thing, and their rewards.
    pub fn label(self, samples: &[f32], statistics: &Statistics) -> (Vec<f32>, Vec<f32>) {
        let (mean, std) = (
            &statistics.proprioception_mean,
            &statistics.proprioception_std,
        );
        let (mut states, mut rewards) = (Vec::new(), Vec::new());
        for row in samples.chunks_exact(mean.len().max(1)) {
            let raw = row.iter().zip(mean.iter().zip(std));
            let raw = raw.map(|(value, (mean, std))| value * std + mean);
            let raw = raw.collect::<Vec<_>>();
            if self.kind().is_none_or(|kind| raw[kind] > 0.5) {
                states.extend_from_slice(row);
                rewards.push(self.of(&raw));
            }
        }
        (states, rewards)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(changes: &[(usize, f32)]) -> Vec<f32> {
        let mut state = vec![0.0; 35];
        for &(index, value) in changes {
            state[index] = value;
        }
        state
    }

    #[test]
    fn rewards_by_hand() {
        let hand = state(&[(0, 0.45), (1, 0.15), (2, 0.10)]);
        assert!((Reward::HandAtPlace.of(&hand) - 0.5).abs() < 1e-6);
        let block = state(&[(THING, 0.58), (THING + 1, 0.05), (THING + 2, 0.07)]);
        assert!((Reward::BlockLifted.of(&block) - 0.5).abs() < 1e-6);
        assert!((Reward::BlockMoved.of(&block) - 0.75).abs() < 1e-6);
        assert!((Reward::DrawerOpen.of(&state(&[(SHARE, 0.4)])) - 0.4).abs() < 1e-6);
    }

    #[test]
    fn only_states_with_the_thing_are_labelled() {
        let statistics = Statistics {
            proprioception_mean: vec![0.5; 35],
            proprioception_std: vec![0.5; 35],
        };
        let drawer = state(&[(DRAWER, 1.0), (SHARE, 1.0)]);
        let samples = [drawer.clone(), vec![-1.0; 35]].concat();
        let (states, rewards) = Reward::DrawerOpen.label(&samples, &statistics);
        assert_eq!((states, rewards), (drawer, vec![1.0]));
        assert_eq!(Reward::HandAtPlace.label(&samples, &statistics).1.len(), 2);
    }
}
