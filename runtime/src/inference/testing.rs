//! A policy small enough to know every number it must give, with faults on demand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cerebellum_messages::{
    ActionChunk, ActionSpace, Frame, Goal, GoalKind, GoalSpec, JointState, LatentSample,
    Observation, Stamp, Tick,
};
use cerebellum_policies::error::{CheckpointError, PolicyError};
use cerebellum_policies::policy::{
    CameraSpec, Plan, PlanBudget, Policy, PolicySpec, WeightTensor, Weights,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

pub(crate) const HORIZON: usize = 8;
pub(crate) const DIM: usize = 7;

/// Gain of weights that make the policy panic.
pub(crate) const PANICS: f32 = 1e6;
/// Gain of weights that make it give half an action.
pub(crate) const MALFORMED: f32 = 2e6;
/// Gain of weights that it refuses to load.
pub(crate) const REFUSED: f32 = 3e6;
/// Gain of weights that make it panic while loading.
pub(crate) const PANICS_ON_LOAD: f32 = 4e6;

/// Every action is `gain * first joint + noise`, noise of the plan's seed in [0, 0.001).
pub(crate) struct LinearPolicy {
    spec: PolicySpec,
    gain: f32,
    generation: u64,
    goal: Option<Goal>,
    /// Time that a plan takes.
    pub(crate) delay: Duration,
    /// Resets so far, readable from outside.
    pub(crate) resets: Arc<std::sync::atomic::AtomicU32>,
}

impl LinearPolicy {
    pub(crate) fn new(gain: f32) -> Self {
        Self {
            spec: spec(),
            gain,
            generation: 0,
            goal: None,
            delay: Duration::ZERO,
            resets: Arc::default(),
        }
    }
}

pub(crate) fn spec() -> PolicySpec {
    PolicySpec {
        name: "linear".to_owned(),
        family: "linear".to_owned(),
        cameras: ["wrist", "front"]
            .map(|name| CameraSpec {
                name: name.to_owned(),
                width: 4,
                height: 3,
            })
            .to_vec(),
        proprioception: true,
        world: 0,
        goals: vec![GoalKind::Language],
        action_space: ActionSpace::TcpDelta,
        action_dim: DIM,
        horizon: HORIZON,
        rate_hz: 20.0,
        translation_scale: 0.02,
        rotation_scale: 0.1,
    }
}

pub(crate) fn weights(generation: u64, gain: f32) -> Weights {
    let tensor = WeightTensor {
        shape: vec![1],
        values: vec![gain],
    };
    Weights {
        tensors: Arc::new(BTreeMap::from([("gain".to_owned(), tensor)])),
        generation,
    }
}

pub(crate) fn goal(id: u64) -> Goal {
    Goal {
        id,
        spec: GoalSpec::Language {
            text: "push the red cube".to_owned(),
        },
    }
}

pub(crate) fn observation(tick: u64) -> Observation {
    let frame = |camera: &str| Frame {
        camera: camera.to_owned(),
        stamp: Stamp(tick as i64),
        width: 4,
        height: 3,
        data: vec![tick as u8; 36].into(),
    };
    Observation {
        tick: Tick(tick),
        stamp: Stamp(tick as i64 * 50_000_000),
        frames: vec![frame("front"), frame("wrist")],
        joints: JointState {
            names: vec!["joint1".to_owned()],
            position: vec![(tick as f64 * 0.1).sin()],
            ..JointState::default()
        },
        tcp: None,
        world: Vec::new(),
    }
}

impl Policy for LinearPolicy {
    fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    fn reset(&mut self, goal: &Goal) -> Result<(), PolicyError> {
        self.resets
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if goal.kind() != GoalKind::Language {
            return Err(PolicyError::GoalKind {
                policy: self.spec.name.clone(),
                accepted: self.spec.goals.clone(),
                found: goal.kind(),
            });
        }
        self.goal = Some(goal.clone());
        Ok(())
    }

    fn plan(&mut self, observation: &Observation, budget: PlanBudget) -> Result<Plan, PolicyError> {
        let goal = self.goal.as_ref().ok_or(PolicyError::NoGoal)?;
        for camera in &self.spec.cameras {
            let frame = observation.frame(&camera.name);
            if frame
                .is_none_or(|frame| (frame.width, frame.height) != (camera.width, camera.height))
            {
                return Err(PolicyError::MissingInput {
                    what: camera.name.clone(),
                    needed: "front and wrist".to_owned(),
                });
            }
        }
        assert!(self.gain != PANICS, "told to panic");
        std::thread::sleep(self.delay);
        let joint = observation.joints.position.first().copied().unwrap_or(0.0) as f32;
        let mut rng = ChaCha8Rng::seed_from_u64(budget.seed);
        let count = if self.gain == MALFORMED {
            HORIZON * DIM - 3
        } else {
            HORIZON * DIM
        };
        let actions = (0..count)
            .map(|_| self.gain * joint + rng.random_range(0.0..0.001))
            .collect();
        let latent = |name: &str, value: f32| LatentSample {
            stamp: observation.stamp,
            tick: observation.tick,
            generation: self.generation,
            name: name.to_owned(),
            shape: vec![1],
            values: vec![value],
        };
        Ok(Plan {
            chunk: ActionChunk {
                stamp: observation.stamp,
                observed: observation.tick,
                goal_id: goal.id,
                generation: self.generation,
                denoise_steps: budget.max_steps,
                space: ActionSpace::TcpDelta,
                action_dim: DIM as u32,
                actions,
            },
            latents: vec![latent("gain", self.gain), latent("broken", f32::NAN)],
            encode: Duration::from_micros(3),
            refine: Duration::from_micros(5),
        })
    }

    fn load(&mut self, weights: &Weights) -> Result<(), PolicyError> {
        let gain = weights
            .tensors
            .get("gain")
            .and_then(|tensor| tensor.values.first().copied())
            .filter(|gain| *gain != REFUSED)
            .ok_or_else(|| CheckpointError::MissingKey {
                path: "memory".into(),
                key: "gain".to_owned(),
                expected: vec![1],
            })?;
        self.gain = gain;
        assert!(gain != PANICS_ON_LOAD, "told to panic on load");
        self.generation = weights.generation;
        Ok(())
    }

    fn weights(&self) -> Weights {
        weights(self.generation, self.gain)
    }
}
