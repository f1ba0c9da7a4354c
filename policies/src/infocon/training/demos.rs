//! Demonstrations of one task: states, actions, and the true parts of the task where they are known.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, RngExt as _};

use crate::infocon::batch::DiscoveryBatch;
use crate::infocon::config::InfoConConfig;
use crate::infocon::cotpc::CotpcConfig;
use crate::infocon::cotpc::loss::{CotBatch, draw_horizon, key_state_targets};
use crate::infocon::error::InfoConError;
use crate::infocon::labelling::{Demonstration, Protocol, label};
use crate::infocon::model::InfoCon;
use crate::infocon::segments::{key_steps, steady};
use crate::infocon::window::Windows;
use crate::mdt::Statistics;

/// Ticks that a part of a task lasts at least: shorter ones belong to what is before them.
pub const LEAST_TICKS: usize = 3;

/// One demonstration.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// States, `state_dim` numbers each: one more than there are actions.
    pub states: Vec<f32>,
    /// Actions, `action_dim` numbers each.
    pub actions: Vec<f32>,
    /// The true part of the task that every action belongs to, or nothing.
    pub phases: Vec<usize>,
}

/// What the key states of a policy are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guidance {
    /// Where discovered concepts end.
    Discovered,
    /// Where the true parts of the task end.
    True,
    /// Nothing: plain behaviour cloning.
    Nothing,
}

/// Demonstrations, their states normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct Demos {
    state_dim: usize,
    action_dim: usize,
    episodes: Vec<Episode>,
    statistics: Statistics,
}

/// Key states per demonstration and their masks.
pub type Targets = Vec<(Vec<f32>, Vec<f32>)>;

impl Demos {
    /// From raw states. The action that is learned in a state is the one `delay` ticks later: what a
    /// robot can still do about it. With `statistics` of others, states are normalised by those.
    ///
    /// # Errors
    /// If there is no demonstration, or numbers do not fit together or are not finite.
    pub fn new(
        mut episodes: Vec<Episode>,
        state_dim: usize,
        action_dim: usize,
        delay: usize,
        statistics: Option<Statistics>,
    ) -> Result<Self, InfoConError> {
        if episodes.is_empty() || state_dim == 0 || action_dim == 0 {
            let found = (episodes.len(), state_dim, action_dim);
            let what = "numbers of demonstrations, of a state and of an action";
            return Err(InfoConError::input(what, found, "at least 1 each"));
        }
        for episode in &mut episodes {
            let steps = episode.actions.len() / action_dim;
            let fits = steps > 0
                && episode.actions.len() == steps * action_dim
                && episode.states.len() == (steps + 1) * state_dim
                && (episode.phases.is_empty() || episode.phases.len() == steps);
            let numbers = || episode.states.iter().chain(&episode.actions);
            if !fits || numbers().any(|value| !value.is_finite()) {
                let found = (
                    episode.states.len(),
                    episode.actions.len(),
                    episode.phases.len(),
                );
                let expected = format!(
                    "finite, one more of {state_dim} than of {action_dim}, a phase per action or none"
                );
                let what = "numbers of states, actions and phases";
                return Err(InfoConError::input(what, found, expected));
            }
            let late = (0..steps).flat_map(|step| {
                let step = (step + delay).min(steps - 1);
                &episode.actions[step * action_dim..(step + 1) * action_dim]
            });
            episode.actions = late.copied().collect();
            episode.phases = steady(&episode.phases, LEAST_TICKS);
        }
        let statistics = statistics.unwrap_or_else(|| {
            let states = episodes.iter().flat_map(|episode| &episode.states);
            Statistics::of(states.copied(), state_dim)
        });
        for episode in &mut episodes {
            let mut states = Vec::with_capacity(episode.states.len());
            for state in episode.states.chunks_exact(state_dim) {
                statistics.normalise(state, &mut states);
            }
            episode.states = states;
        }
        Ok(Self {
            state_dim,
            action_dim,
            episodes,
            statistics,
        })
    }

    /// The demonstrations, their states normalised.
    pub fn episodes(&self) -> &[Episode] {
        &self.episodes
    }

    /// What states are normalised by.
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Numbers of a state and of an action.
    pub const fn widths(&self) -> [usize; 2] {
        [self.state_dim, self.action_dim]
    }

    /// Actions of a demonstration.
    pub fn steps(&self, episode: &Episode) -> usize {
        episode.actions.len() / self.action_dim
    }

    /// Actions of the longest demonstration.
    pub fn longest(&self) -> usize {
        let steps = self.episodes.iter().map(|episode| self.steps(episode));
        steps.max().unwrap_or(0)
    }

    /// Actions of a demonstration of middle length.
    pub fn usual(&self) -> usize {
        let steps = self.episodes.iter().map(|episode| self.steps(episode));
        let mut steps = steps.collect::<Vec<_>>();
        steps.sort_unstable();
        steps.get(steps.len() / 2).copied().unwrap_or(1)
    }

    /// True parts of the task that occur, in their order.
    pub fn phases(&self) -> Vec<usize> {
        let phases = self.episodes.iter().flat_map(|episode| &episode.phases);
        let mut phases = phases.copied().collect::<Vec<_>>();
        phases.sort_unstable();
        phases.dedup();
        phases
    }

    /// Concepts of every step of every demonstration, by a trained model.
    ///
    /// # Errors
    /// As [`label`].
    pub fn labels(
        &self,
        model: &InfoCon,
        config: &InfoConConfig,
        device: &Device,
    ) -> Result<Vec<Vec<usize>>, InfoConError> {
        let labels = self.episodes.iter().map(|episode| {
            let demonstration = Demonstration {
                states: &episode.states,
                actions: &episode.actions,
            };
            let labels = label(model, config, demonstration, Protocol::TRAINED, device)?;
            Ok(labels.concepts)
        });
        labels.collect()
    }

    /// Key states by labels (below `concepts`) of every step.
    pub fn targets(&self, labels: &[Vec<usize>], concepts: usize) -> Targets {
        let pairs = self.episodes.iter().zip(labels);
        let targets = pairs.map(|(episode, labels)| {
            let steps = key_steps(labels, concepts, self.steps(episode));
            key_state_targets(&episode.states, self.state_dim, &steps)
        });
        targets.collect()
    }

    /// The true parts as labels that count up from 0.
    pub fn true_labels(&self) -> Vec<Vec<usize>> {
        let known = self.phases();
        let labels = self.episodes.iter().map(|episode| {
            let labels = episode.phases.iter();
            let labels = labels.filter_map(|phase| known.binary_search(phase).ok());
            labels.collect()
        });
        labels.collect()
    }

    /// Windows to discover from, as long as the shortest of their demonstrations and the context
    /// allow, from random steps on: none is padded.
    ///
    /// # Errors
    /// If the sizes are not the model's.
    pub fn discovery_batch(
        &self,
        config: &InfoConConfig,
        count: usize,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Result<DiscoveryBatch, InfoConError> {
        let chosen = self.draw(count, rng);
        let shortest = chosen
            .iter()
            .map(|&index| self.steps(&self.episodes[index]));
        let steps = shortest.min().unwrap_or(1).min(config.context);
        let (mut times, mut starts) = (Vec::new(), Vec::new());
        for &index in &chosen {
            let length = self.steps(&self.episodes[index]);
            let start = rng.random_range(0..=length - steps);
            starts.push(start);
            times.extend((start..start + steps).map(|step| step as f32 / length as f32));
        }
        let (states, actions, lengths) = self.rows(&chosen, &starts, steps, device);
        Ok(DiscoveryBatch {
            windows: Windows::new(states, Some(actions), starts, config)?,
            times,
            lengths,
            draws: None,
        })
    }

    /// Windows to learn the policy from, from random steps on; shorter ones are padded.
    ///
    /// # Errors
    /// If the sizes are not the policy's.
    pub fn policy_batch(
        &self,
        config: &CotpcConfig,
        targets: &Targets,
        count: usize,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Result<CotBatch, InfoConError> {
        let chosen = self.draw(count, rng);
        let steps = self.longest().min(config.context);
        let starts = chosen.iter().map(|&index| {
            let length = self.steps(&self.episodes[index]);
            rng.random_range(0..=length.saturating_sub(steps))
        });
        let starts = starts.collect::<Vec<_>>();
        let horizon = chosen.iter().map(|_| {
            let step = rng.random_range(0..config.context);
            draw_horizon(step, config.kinds())
        });
        let horizon = horizon.collect();
        let (states, actions, lengths) = self.rows(&chosen, &starts, steps, device);
        let targets = chosen.iter().map(|&index| match targets.get(index) {
            Some(targets) => targets.clone(),
            None => (Vec::new(), Vec::new()),
        });
        let targets = targets.collect::<Vec<_>>();
        let (key_states, key_mask) = CotBatch::stack_targets(&targets, self.state_dim, device)?;
        Ok(CotBatch {
            windows: config.windows(states, Some(actions), starts)?,
            lengths,
            key_states,
            key_mask,
            horizon,
        })
    }

    fn draw(&self, count: usize, rng: &mut impl Rng) -> Vec<usize> {
        let all = self.episodes.len();
        (0..count).map(|_| rng.random_range(0..all)).collect()
    }

    /// States and actions from given steps on, zeros where a demonstration is over, and how many
    /// steps there are.
    fn rows(
        &self,
        chosen: &[usize],
        starts: &[usize],
        steps: usize,
        device: &Device,
    ) -> (Tensor<3>, Tensor<3>, Vec<usize>) {
        let (state_dim, action_dim) = (self.state_dim, self.action_dim);
        let (mut states, mut actions, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for (row, (&index, &start)) in chosen.iter().zip(starts).enumerate() {
            let episode = &self.episodes[index];
            let end = (start + steps).min(self.steps(episode));
            states.extend_from_slice(&episode.states[start * state_dim..end * state_dim]);
            actions.extend_from_slice(&episode.actions[start * action_dim..end * action_dim]);
            states.resize((row + 1) * steps * state_dim, 0.0);
            actions.resize((row + 1) * steps * action_dim, 0.0);
            lengths.push(end - start);
        }
        let rows = chosen.len();
        let tensor = |values, width| -> Tensor<3> {
            Tensor::from_data(TensorData::new(values, [rows, steps, width]), device)
        };
        (
            tensor(states, state_dim),
            tensor(actions, action_dim),
            lengths,
        )
    }
}
