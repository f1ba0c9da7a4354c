//! Episodes side by side: the worlds step in parallel, the networks see all of them at once.

use cerebellum_kinematics::TcpServo;
use cerebellum_policies::hilp::inputs::tracked_state;
use cerebellum_policies::hilp::pilot::StatePilot;
use cerebellum_policies::hilp::planning::Midpoints;
use cerebellum_policies::mdt::Statistics;
use cerebellum_policies::training::order::stream;
use cerebellum_sim::{
    Disturbance, Episode, EpisodeConfig, Outcome, ROTATION_SCALE, Split, TRANSLATION_SCALE, Task,
    demonstrate,
};
use glam::DVec3;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::rewards::Reward;
use crate::report::TaskTally;

/// Ticks in which a reward is earned.
const EARNING_TICKS: usize = 120;
/// Numbers of an action.
const ACTION: usize = 7;

/// How the policy is prompted.
pub enum Way<'a> {
    /// With the trial's own goal, over midpoints if there are any.
    Goals(Option<&'a Midpoints>),
    /// With one normalised goal.
    Best(Vec<f32>),
    /// With a skill.
    Skill(Vec<f32>),
    /// Not at all: random actions, from a seed.
    Random(u64),
}

/// One episode.
pub struct Trial {
    episode: Episode,
    servo: TcpServo,
    /// Normalised.
    goal: Vec<f32>,
    /// Not normalised.
    state: Vec<f32>,
}

fn config(task: Task, seed: u64) -> EpisodeConfig {
    EpisodeConfig::new(task, Split::Eval, seed)
        .blind()
        .tracked()
}

impl Trial {
    fn new(episode: Episode, goal: Vec<f32>) -> anyhow::Result<Self> {
        let mut servo = TcpServo::new(episode.robot().clone());
        servo.reset(episode.commanded());
        let mut trial = Self {
            episode,
            servo,
            goal,
            state: Vec::new(),
        };
        trial.look()?;
        Ok(trial)
    }

    /// Episodes of a task, each towards where an expert ended it.
    ///
    /// # Errors
    /// If a world cannot be set up.
    pub fn towards_goals(
        task: Task,
        count: u64,
        statistics: &Statistics,
    ) -> anyhow::Result<Vec<Self>> {
        let trials = (0..count).into_par_iter().map(|seed| {
            let config = config(task, seed);
            let last = demonstrate(&config, &Disturbance::NONE)?.last;
            let mut goal = Vec::new();
            statistics.normalise(&tracked_state(&last)?, &mut goal);
            Self::new(Episode::new(&config)?, goal)
        });
        trials.collect()
    }

    /// Episodes without an end.
    ///
    /// # Errors
    /// If a world cannot be set up.
    pub fn endless(task: Task, count: u64, way: &Way<'_>) -> anyhow::Result<Vec<Self>> {
        let trials = (0..count).into_par_iter().map(|seed| {
            let goal = match way {
                Way::Best(goal) => goal.clone(),
                _ => Vec::new(),
            };
            Self::new(Episode::endless(&config(task, seed))?, goal)
        });
        trials.collect()
    }

    fn look(&mut self) -> anyhow::Result<()> {
        self.state = tracked_state(&self.episode.observe()?)?;
        Ok(())
    }

    fn act(&mut self, action: &[f32; ACTION]) -> anyhow::Result<()> {
        let [x, y, z, u, v, w, gripper] = action.map(f64::from);
        let step = self.servo.advance(
            DVec3::new(x, y, z) * TRANSLATION_SCALE,
            DVec3::new(u, v, w) * ROTATION_SCALE,
            gripper > 0.0,
        );
        self.episode.step(&step.joints)?;
        self.look()
    }
}

/// The actions of all trials.
fn actions(
    trials: &[Trial],
    pilot: &StatePilot,
    statistics: &Statistics,
    way: &Way<'_>,
    rng: &mut ChaCha8Rng,
) -> Vec<f32> {
    let mut states = Vec::new();
    for trial in trials {
        statistics.normalise(&trial.state, &mut states);
    }
    let goals = || trials.iter().flat_map(|trial| &trial.goal).copied();
    let towards = |midpoints| {
        let phi = pilot.phi(&goals().collect::<Vec<_>>());
        pilot.act(&states, &phi, midpoints)
    };
    match way {
        Way::Goals(midpoints) => towards(*midpoints),
        Way::Best(_) => towards(None),
        Way::Skill(skill) => pilot.act_along(&states, skill.repeat(trials.len())),
        Way::Random(_) => {
            let count = ACTION * trials.len();
            (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
        }
    }
}

fn advance(trials: &mut [Trial], actions: &[f32]) -> anyhow::Result<()> {
    let (actions, _) = actions.as_chunks::<ACTION>();
    let pairs = trials.par_iter_mut().zip(actions.par_iter());
    pairs.try_for_each(|(trial, action)| trial.act(action))
}

fn random(way: &Way<'_>) -> ChaCha8Rng {
    stream(
        match way {
            Way::Random(seed) => *seed,
            _ => 0,
        },
        0,
    )
}

/// Episodes that succeed.
///
/// # Errors
/// If a world diverges.
pub fn reach(
    mut trials: Vec<Trial>,
    pilot: &StatePilot,
    statistics: &Statistics,
    way: &Way<'_>,
) -> anyhow::Result<TaskTally> {
    let mut tally = TaskTally::default();
    let mut rng = random(way);
    while !trials.is_empty() {
        let actions = actions(&trials, pilot, statistics, way, &mut rng);
        advance(&mut trials, &actions)?;
        trials.retain(|trial| {
            let outcome = trial.episode.outcome();
            if outcome.is_over() {
                tally.add(outcome == Outcome::Succeeded);
            }
            !outcome.is_over()
        });
    }
    Ok(tally)
}

/// Mean reward per tick, and its standard error over the episodes.
///
/// # Errors
/// If a world diverges.
pub fn earn(
    mut trials: Vec<Trial>,
    pilot: &StatePilot,
    statistics: &Statistics,
    way: &Way<'_>,
    reward: Reward,
) -> anyhow::Result<[f64; 2]> {
    let mut earned = vec![0.0; trials.len()];
    let mut rng = random(way);
    for _ in 0..EARNING_TICKS {
        let actions = actions(&trials, pilot, statistics, way, &mut rng);
        advance(&mut trials, &actions)?;
        for (earned, trial) in earned.iter_mut().zip(&trials) {
            *earned += f64::from(reward.of(&trial.state)) / EARNING_TICKS as f64;
        }
    }
    let count = earned.len().max(1) as f64;
    let mean = earned.iter().sum::<f64>() / count;
    let squares = earned.iter().map(|value| (value - mean).powi(2));
    let variance = squares.sum::<f64>() / (count - 1.0).max(1.0);
    Ok([mean, (variance / count).sqrt()])
}
