//! Demonstrations by the scripted experts.

use cerebellum_kinematics::TcpServo;
use cerebellum_messages::Observation;
use rand_chacha::ChaCha8Rng;

use crate::expert::{Phase, drive};
use crate::random::{Stream, chance, generator, normal};
use crate::{Episode, EpisodeConfig, Expert, Outcome, SimError};

/// Disturbance of the executed actions, so that demonstrations hold recoveries. The recorded
/// actions stay those of the expert: execute noisy, label clean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Disturbance {
    /// Standard deviation of noise on each tick, in units of the action.
    pub jitter: f64,
    /// Probability per tick that a push begins.
    pub push_chance: f64,
    /// Ticks that a push lasts.
    pub push_ticks: u32,
    /// Standard deviation of a push, in units of the action.
    pub push_strength: f64,
}

impl Disturbance {
    /// The expert undisturbed.
    pub const NONE: Self = Self {
        jitter: 0.0,
        push_chance: 0.0,
        push_ticks: 0,
        push_strength: 0.0,
    };
    /// Enough for a policy to see how to come back.
    pub const MILD: Self = Self {
        jitter: 0.06,
        push_chance: 0.03,
        push_ticks: 5,
        push_strength: 0.5,
    };
}

/// One tick of a demonstration.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What the robot sensed before it acted.
    pub observation: Observation,
    /// What the expert wanted to do; see [`Expert::act`].
    pub action: [f32; 7],
    /// The part of the task that it belongs to; see [`Expert::phase`].
    pub phase: Phase,
}

/// One attempt of an expert.
#[derive(Clone, Debug, PartialEq)]
pub struct Demonstration {
    /// What the episode was made of.
    pub config: EpisodeConfig,
    /// What a person would have said.
    pub instruction: String,
    /// How it ended.
    pub outcome: Outcome,
    /// One step per tick.
    pub steps: Vec<Step>,
    /// What was sensed at the end; the picture of the goal reached.
    pub last: Observation,
}

/// Lets the expert do the task of `config` through the same servo that a policy acts through.
///
/// # Errors
/// The episode cannot be set up, or the physics diverged.
pub fn demonstrate(
    config: &EpisodeConfig,
    disturbance: &Disturbance,
) -> Result<Demonstration, SimError> {
    let mut episode = Episode::new(config)?;
    let mut servo = TcpServo::new(episode.robot().clone());
    servo.reset(episode.commanded());
    let rng = generator(config.task, config.split, config.seed, Stream::Disturbance);
    let mut noise = Noise {
        disturbance: *disturbance,
        rng,
        push: [0.0; 6],
        left: 0,
    };
    let mut steps = Vec::new();
    while !episode.outcome().is_over() {
        let observation = episode.observe()?;
        let (action, phase) = (Expert.act(&episode), Expert.phase(&episode));
        let executed = noise.disturb(&action);
        let step = drive(&mut servo, executed);
        steps.push(Step {
            observation,
            action,
            phase,
        });
        episode.step(&step.joints)?;
    }
    Ok(Demonstration {
        config: config.clone(),
        instruction: episode.instruction().to_owned(),
        outcome: episode.outcome(),
        steps,
        last: episode.observe()?,
    })
}

struct Noise {
    disturbance: Disturbance,
    rng: ChaCha8Rng,
    push: [f64; 6],
    left: u32,
}

impl Noise {
    /// The action with noise; the gripper is left alone.
    fn disturb(&mut self, action: &[f32; 7]) -> [f64; 7] {
        let mut executed = action.map(f64::from);
        if self.disturbance == Disturbance::NONE {
            return executed;
        }
        if self.left == 0 && chance(&mut self.rng, self.disturbance.push_chance) {
            self.left = self.disturbance.push_ticks;
            for value in &mut self.push {
                *value = self.disturbance.push_strength * normal(&mut self.rng);
            }
        }
        let pushed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        for (value, push) in executed.iter_mut().zip(self.push) {
            let jitter = self.disturbance.jitter * normal(&mut self.rng);
            let push = if pushed { push } else { 0.0 };
            *value = (*value + jitter + push).clamp(-1.0, 1.0);
        }
        executed
    }
}
