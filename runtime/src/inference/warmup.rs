//! Plans before the first plan.
//!
//! The first plans on a device compile kernels, tune them and fill memory pools: they may take a
//! hundred times as long as the later ones. They are made here with a synthetic observation of the
//! right size, so that the first plan of the robot is not one of them.

use std::time::{Duration, Instant};

use cerebellum_messages::{
    Frame, Goal, GoalKind, GoalSpec, JointState, Observation, Stamp, TcpPose, Tick,
};
use cerebellum_policies::policy::PolicySpec;

use super::core::InferenceCore;

/// What the synthetic observation cannot take from the policy's specification.
#[derive(Clone, Debug, Default)]
pub struct WarmupInputs {
    /// Joint state of the robot's shape, at rest.
    pub joints: JointState,
    /// Tool pose at those joints.
    pub tcp: Option<TcpPose>,
    /// A goal that the policy takes. Without one, a sentence, a grey picture or the first concept
    /// is used; policies that take none of these are not warmed up.
    pub goal: Option<Goal>,
}

/// How the warm-up went.
#[derive(Clone, Debug, PartialEq)]
pub struct WarmupReport {
    /// Plans made.
    pub plans: u32,
    /// Time of the first.
    pub first: Duration,
    /// Time of the last.
    pub last: Duration,
    /// Why there were fewer than asked for.
    pub stopped_by: Option<String>,
}

/// Makes `plans` plans that are not delivered. Weights, statistics and the prediction of latency
/// are left as they are; no goal is in force afterwards.
///
/// `between` is called before each plan: the thread's sign of life.
pub fn warm_up(
    core: &mut InferenceCore,
    inputs: &WarmupInputs,
    plans: u32,
    max_steps: u32,
    mut between: impl FnMut(),
) -> WarmupReport {
    let mut report = WarmupReport {
        plans: 0,
        first: Duration::ZERO,
        last: Duration::ZERO,
        stopped_by: None,
    };
    let observation = synthetic_observation(core.spec(), inputs);
    let Some(goal) = inputs.goal.clone().or_else(|| synthetic_goal(core.spec())) else {
        report.stopped_by = Some("no goal can be made up for this policy".to_owned());
        return report;
    };
    for _ in 0..plans {
        between();
        let begun = Instant::now();
        if let Err(fault) = core.rehearse(&goal, &observation, max_steps) {
            report.stopped_by = Some(fault.to_string());
            break;
        }
        report.last = begun.elapsed();
        if report.plans == 0 {
            report.first = report.last;
        }
        report.plans += 1;
    }
    report
}

/// An observation of the size that the policy asks for: grey images, the given joints.
pub fn synthetic_observation(spec: &PolicySpec, inputs: &WarmupInputs) -> Observation {
    let mut frames: Vec<_> = spec
        .cameras
        .iter()
        .map(|camera| grey(&camera.name, camera.width, camera.height))
        .collect();
    frames.sort_by(|a, b| a.camera.cmp(&b.camera));
    Observation {
        tick: Tick::default(),
        stamp: Stamp::default(),
        frames,
        joints: inputs.joints.clone(),
        tcp: inputs.tcp,
        world: vec![0.0; spec.world],
    }
}

fn synthetic_goal(spec: &PolicySpec) -> Option<Goal> {
    spec.goals.iter().find_map(|kind| {
        let spec = match kind {
            GoalKind::Language => GoalSpec::Language {
                text: "hold still".to_owned(),
            },
            GoalKind::Image => {
                let camera = spec.cameras.first()?;
                GoalSpec::Image {
                    frame: grey(&camera.name, camera.width, camera.height),
                }
            }
            GoalKind::Concept => GoalSpec::Concept { ids: vec![0] },
            // Their widths are the policy's own affair.
            GoalKind::State | GoalKind::Reward => return None,
        };
        Some(Goal { id: 0, spec })
    })
}

fn grey(camera: &str, width: u32, height: u32) -> Frame {
    Frame {
        camera: camera.to_owned(),
        stamp: Stamp::default(),
        width,
        height,
        data: vec![127; Frame::expected_len(width, height)].into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::testing::{LinearPolicy, PANICS, goal, observation, spec};
    use super::super::{InferenceConfig, PlanLimit, WeightSlot};
    use super::*;

    fn core(gain: f32) -> InferenceCore {
        let policy = Box::new(LinearPolicy::new(gain));
        InferenceCore::new(policy, WeightSlot::new(), 3, &InferenceConfig::default())
    }

    #[test]
    fn the_synthetic_observation_has_the_promised_sizes() {
        let made_up = synthetic_observation(&spec(), &WarmupInputs::default());
        let cameras: Vec<_> = made_up
            .frames
            .iter()
            .map(|frame| frame.camera.as_str())
            .collect();
        assert_eq!(cameras, ["front", "wrist"]);
        assert!(made_up.frames.iter().all(|frame| frame.data.len() == 36));
    }

    #[test]
    fn a_warm_up_leaves_no_trace() {
        let limit = PlanLimit {
            deadline: None,
            max_steps: 2,
        };
        let mut cold = core(1.0);
        let mut warm = core(1.0);
        let mut turns = 0;
        let report = warm_up(&mut warm, &WarmupInputs::default(), 4, 2, || turns += 1);
        assert_eq!((report.plans, turns, report.stopped_by), (4, 4, None));
        assert!(
            warm.on_observation(&observation(1), limit).is_err(),
            "no goal is left"
        );
        for core in [&mut cold, &mut warm] {
            core.on_goal(&goal(1)).unwrap();
        }
        let plan = |core: &mut InferenceCore| core.on_observation(&observation(1), limit).unwrap();
        assert_eq!(plan(&mut cold).chunk, plan(&mut warm).chunk);
        assert_eq!(warm.stats().plans, 1);
    }

    #[test]
    fn a_policy_that_fails_says_so() {
        let report = warm_up(&mut core(PANICS), &WarmupInputs::default(), 4, 2, || ());
        assert_eq!(report.plans, 0);
        assert!(report.stopped_by.unwrap().contains("told to panic"));
    }
}
