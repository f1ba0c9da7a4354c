//! The policy and its learner at their seams.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use cerebellum_messages::{Goal, GoalKind, GoalSpec, Stamp, Tick};

use super::config::{InputConfig, MidpointConfig};
use super::goal_conditioned::SkillConfig;
use super::inputs::side_by_side;
use super::online::{DISTANCE, HilpOnlineConfig};
use super::variant::{Acting, VariantConfig};
use super::zero_shot::{FeatureKind, ZeroShotConfig};
use super::{HilpConfig, HilpOnline, HilpPolicy};
use crate::checkpoint::package::{CANDIDATES, Network};
use crate::checkpoint::{Card, PolicyPackage, collect};
use crate::error::{CheckpointError, LearnError, PolicyError};
use crate::golden::close;
use crate::mdt::Statistics;
use crate::mdt::fixtures::{goal, observation};
use crate::mdt::inputs::proprioception;
use crate::nn::ImpalaConfig;
use crate::online::{Experience, ExperienceBatch, ObjectiveId, OnlineModel as _};
use crate::policy::{PlanBudget, Policy as _, WeightTensor, Weights};

const BUDGET: PlanBudget = PlanBudget {
    deadline: None,
    max_steps: 10,
    seed: 11,
};

fn see() -> InputConfig {
    InputConfig::Cameras {
        names: vec!["front".into(), "wrist".into()],
        size: 24,
    }
}

fn skills(inputs: &InputConfig) -> VariantConfig {
    let sees = *inputs != InputConfig::Proprioception;
    VariantConfig::GoalConditioned(SkillConfig {
        observation: inputs.shape(),
        encoder: ImpalaConfig::named("impala_debug").filter(|_| sees),
        action_dim: 7,
        skill_dim: 4,
        value_hidden: vec![12],
        actor_hidden: vec![12],
        ..SkillConfig::default()
    })
}

fn successors(inputs: &InputConfig) -> VariantConfig {
    VariantConfig::ZeroShot(ZeroShotConfig {
        observation: inputs.shape(),
        action_dim: 7,
        z_dim: 4,
        hidden_dim: 8,
        feature_dim: 6,
        phi_hidden_dim: 8,
        ..ZeroShotConfig::default()
    })
}

fn package(inputs: InputConfig, network: VariantConfig) -> PolicyPackage {
    let device = Device::flex();
    device.seed(3);
    let config = HilpConfig {
        name: "hilp-small".into(),
        midpoints: Some(MidpointConfig {
            candidates: 6,
            nearest: 2,
            recursions: 3,
        }),
        horizon: 3,
        rate_hz: 20.0,
        translation_scale: 0.02,
        rotation_scale: 0.1,
        inputs,
        network,
    };
    assert_eq!(config.problem(), None);
    let numbers = 6 * config.inputs.shape().len();
    let candidates = (0..numbers).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0);
    PolicyPackage {
        weights: collect(&Acting::new(&config.network, &device), 5),
        network: Network::Hilp {
            statistics: Statistics::identity(config.inputs.statistics()),
            candidates: Arc::new(candidates.collect()),
            config: Box::new(config),
        },
        language: String::new(),
        card: Card::default(),
    }
}

fn all() -> [PolicyPackage; 4] {
    [InputConfig::Proprioception, see()]
        .map(|inputs| {
            [skills(&inputs), successors(&inputs)].map(|network| package(inputs.clone(), network))
        })
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

/// A goal of the kind that a policy is sent somewhere with.
fn wanted(kind: GoalKind, column: usize) -> Goal {
    let seen = observation(column);
    let spec = match kind {
        GoalKind::Image => GoalSpec::Image {
            frame: side_by_side(&[&seen.frames[0], &seen.frames[1]]).unwrap(),
        },
        _ => {
            let mut values = proprioception(&seen.joints, &seen.tcp.unwrap()).unwrap();
            values[0] += 0.01 * column as f32;
            GoalSpec::State { values }
        }
    };
    Goal { id: 9, spec }
}

fn policy(package: &PolicyPackage) -> HilpPolicy {
    HilpPolicy::new(package, &Device::flex()).unwrap()
}

#[test]
fn plans_of_every_kind_copy_their_inputs_and_repeat() {
    for package in all() {
        let mut policy = policy(&package);
        let kind = policy.spec().goals[0];
        policy.reset(&wanted(kind, 12)).unwrap();
        let plan = policy.plan(&observation(4), BUDGET).unwrap();
        let chunk = &plan.chunk;
        assert_eq!((chunk.stamp, chunk.observed), (Stamp(7), Tick(42)));
        assert_eq!((chunk.goal_id, chunk.generation), (9, 5));
        assert_eq!((chunk.horizon(), chunk.denoise_steps), (3, 3));
        assert_eq!(chunk.action(0), chunk.action(2));
        assert_eq!(chunk.validate(), Ok(()));
        let names = plan.latents.iter().map(|latent| latent.name.as_str());
        let names = names.collect::<Vec<_>>();
        assert_eq!(names, ["phi", "goal", "distance", "midpoint", "skill"]);
        assert_eq!(plan.latents[0].shape, [4]);
        assert_eq!(plan.latents[2].shape, [1]);
        let again = policy.plan(&observation(4), BUDGET).unwrap();
        assert_eq!(again.chunk.actions, chunk.actions);

        // Another goal, without a new policy.
        policy.reset(&wanted(kind, 1)).unwrap();
        let other = policy.plan(&observation(4), BUDGET).unwrap();
        assert_ne!(other.latents[1].values, plan.latents[1].values);
        assert_ne!(other.latents[2].values, plan.latents[2].values);
    }
}

#[test]
fn skills_have_the_length_that_training_drew() {
    for (package, length) in all().iter().zip([1.0, 2.0, 1.0, 2.0]) {
        let mut policy = policy(package);
        let kind = policy.spec().goals[0];
        policy.reset(&wanted(kind, 12)).unwrap();
        let plan = policy.plan(&observation(4), BUDGET).unwrap();
        let skill = &plan.latents.last().unwrap().values;
        let norm = skill.iter().map(|value| value * value).sum::<f32>().sqrt();
        close("length", &[norm], &[length], 1e-5);
    }
}

#[test]
fn budgets_bound_the_midpoints() {
    let mut policy = policy(&all()[0]);
    policy.reset(&wanted(GoalKind::State, 12)).unwrap();
    let midpoints = |policy: &mut HilpPolicy, budget| {
        let plan = policy.plan(&observation(4), budget).unwrap();
        plan.chunk.denoise_steps
    };
    let few = PlanBudget {
        max_steps: 1,
        ..BUDGET
    };
    assert_eq!(midpoints(&mut policy, few), 1);
    let late = PlanBudget {
        deadline: Some(Instant::now()),
        ..BUDGET
    };
    assert_eq!(midpoints(&mut policy, late), 0);
}

#[test]
fn at_the_goal_the_plan_is_still_a_plan() {
    let mut policy = policy(&all()[0]);
    policy.reset(&wanted(GoalKind::State, 0)).unwrap();
    let straight = PlanBudget {
        max_steps: 0,
        ..BUDGET
    };
    let plan = policy.plan(&observation(4), straight).unwrap();
    assert_eq!(plan.latents[2].values, [0.0]);
    assert!(plan.chunk.actions.iter().all(|value| value.is_finite()));
}

#[test]
fn rewards_give_the_direction_in_which_they_grow() {
    let packages = all();
    let mut policy = policy(&packages[1]);
    assert_eq!(policy.spec().goals, [GoalKind::State, GoalKind::Reward]);
    let states = (0..40 * 17).map(|i| ((i * 53) % 97) as f32 / 48.0 - 1.0);
    let states = states.collect::<Vec<_>>();
    // Rewards that are a linear function of φ: the prompt must find it.
    let device = Device::flex();
    let fresh = Acting::new(&successors(&InputConfig::Proprioception), &device);
    let origin = std::path::Path::new("test");
    let acting = crate::checkpoint::apply(fresh, &packages[1].weights, origin).unwrap();
    let phi = acting.phi(super::Observations::states(&states, 17, &device));
    let phi = super::statistics::host(phi);
    let direction = [0.6, -1.0, 0.2, 0.4];
    let rewards = phi
        .chunks_exact(4)
        .map(|phi| phi.iter().zip(direction).map(|(a, b)| a * b).sum::<f32>());
    let goal = |states, rewards| Goal {
        id: 4,
        spec: GoalSpec::Reward { states, rewards },
    };
    policy
        .reset(&goal(states.clone(), rewards.collect()))
        .unwrap();
    let plan = policy.plan(&observation(4), BUDGET).unwrap();
    assert_eq!((plan.chunk.goal_id, plan.chunk.denoise_steps), (4, 0));
    let names = plan.latents.iter().map(|latent| latent.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["phi", "skill"]);
    let length = direction.iter().map(|v| v * v).sum::<f32>().sqrt();
    let want = direction.map(|value| value * 2.0 / length);
    close("skill", &plan.latents[1].values, &want, 1e-2);

    let content = |refusal| matches!(refusal, Err(PolicyError::GoalContent { id: 4, .. }));
    assert!(content(policy.reset(&goal(states.clone(), vec![0.0; 40]))));
    assert!(content(policy.reset(&goal(vec![0.0; 80], vec![1.0; 40]))));
}

#[test]
fn refusals_say_what_is_wrong() {
    let [by_state, _, by_picture, _] = all();
    let mut policy_of_states = policy(&by_state);
    let plan = policy_of_states.plan(&observation(4), BUDGET);
    assert!(matches!(plan, Err(PolicyError::NoGoal)));
    let refusal = policy_of_states.reset(&goal(1, "push"));
    assert!(matches!(refusal, Err(PolicyError::GoalKind { .. })));
    let short = Goal {
        id: 3,
        spec: GoalSpec::State {
            values: vec![0.0; 16],
        },
    };
    let refusal = policy_of_states.reset(&short).unwrap_err().to_string();
    assert!(refusal.contains("16 numbers, expected 17"), "{refusal}");
    policy_of_states.reset(&wanted(GoalKind::State, 1)).unwrap();
    let mut lost = observation(4);
    lost.tcp = None;
    let plan = policy_of_states.plan(&lost, BUDGET);
    assert!(matches!(plan, Err(PolicyError::MissingInput { .. })));
    let mut broken = observation(4);
    broken.joints.position[0] = f64::NAN;
    let plan = policy_of_states.plan(&broken, BUDGET);
    assert!(matches!(plan, Err(PolicyError::InputShape { .. })));

    let mut policy_of_pictures = policy(&by_picture);
    assert_eq!(policy_of_pictures.spec().goals, [GoalKind::Image]);
    let one = Goal {
        id: 3,
        spec: GoalSpec::Image {
            frame: observation(4).frames.remove(0),
        },
    };
    let refusal = policy_of_pictures.reset(&one).unwrap_err().to_string();
    assert!(refusal.contains("front+wrist"), "{refusal}");
    policy_of_pictures
        .reset(&wanted(GoalKind::Image, 1))
        .unwrap();
    let mut blind = observation(4);
    blind.frames.pop();
    let plan = policy_of_pictures.plan(&blind, BUDGET);
    assert!(matches!(plan, Err(PolicyError::MissingInput { .. })));
    let mut wide = observation(4);
    wide.frames[0].width = 25;
    let plan = policy_of_pictures.plan(&wide, BUDGET);
    assert!(matches!(plan, Err(PolicyError::InputShape { .. })));

    let concat = VariantConfig::ZeroShot(ZeroShotConfig {
        features: FeatureKind::Concat,
        observation: InputConfig::Proprioception.shape(),
        action_dim: 7,
        ..ZeroShotConfig::default()
    });
    assert!(!concat.reaches_goals() && !concat.takes_rewards());
}

#[test]
fn packages_come_back_whole() {
    for package in all() {
        let folder = tempfile::tempdir().unwrap();
        package.save(folder.path()).unwrap();
        assert_eq!(PolicyPackage::load(folder.path()).unwrap(), package);
        std::fs::remove_file(folder.path().join(CANDIDATES)).unwrap();
        let refusal = PolicyPackage::load(folder.path());
        assert!(matches!(refusal, Err(CheckpointError::Io { .. })));
    }
}

#[test]
fn new_weights_move_the_goal_too_and_bad_ones_change_nothing() {
    let package = all()[0].clone();
    let mut policy = policy(&package);
    policy.reset(&wanted(GoalKind::State, 12)).unwrap();
    let before = policy.plan(&observation(4), BUDGET).unwrap();
    let mut broken = package.weights.clone();
    Arc::make_mut(&mut broken.tensors).remove("skill_actor.log_stds");
    assert!(policy.load(&broken).is_err());
    let same = policy.plan(&observation(4), BUDGET).unwrap();
    assert_eq!(before.chunk.actions, same.chunk.actions);
    let tensors = package.weights.tensors.iter().map(|(key, tensor)| {
        let values = tensor.values.iter().map(|value| value * 1.5).collect();
        let shape = tensor.shape.clone();
        (key.clone(), WeightTensor { shape, values })
    });
    let moved = Weights {
        tensors: Arc::new(tensors.collect()),
        generation: 6,
    };
    policy.load(&moved).unwrap();
    assert_eq!(policy.weights(), moved);
    let after = policy.plan(&observation(4), BUDGET).unwrap();
    assert_eq!(after.chunk.generation, 6);
    assert_ne!(after.latents[1].values, before.latents[1].values);
}

fn experience(kind: GoalKind) -> ExperienceBatch {
    let moment = |index: usize| {
        let mut observation = observation(2 * index);
        let mut future = crate::mdt::fixtures::observation(2 * index + 1);
        for (seen, steps) in [(&mut observation, 0.0), (&mut future, 1.0)] {
            let moved = 0.05 * index as f64 + 0.02 * steps;
            seen.tcp.as_mut().unwrap().position[0] += moved;
            seen.joints.position[0] += moved;
        }
        Experience {
            observation,
            future,
            actions: vec![0.5; 35],
            goal: wanted(kind, 3),
        }
    };
    ExperienceBatch {
        moments: (0..6).map(moment).collect(),
        seed: 5,
    }
}

#[test]
fn learning_lowers_the_loss_and_moves_only_phi() {
    for package in all() {
        let config = HilpOnlineConfig {
            learning_rate: 3e-3,
            average_decay: 0.0,
            ..HilpOnlineConfig::default()
        };
        let device = Device::flex();
        let mut learner = HilpOnline::new(&package, config, &device).unwrap();
        let [objective] = &learner.objectives()[..] else {
            panic!("one objective");
        };
        assert_eq!(
            (objective.id.0.as_str(), objective.lookahead),
            (DISTANCE, 5)
        );
        let objective = objective.id.clone();
        let batch = experience(policy(&package).spec().goals[0]);
        let judge = |learner: &HilpOnline, weights: &Weights| {
            learner.evaluate(weights, &batch, &objective).unwrap()
        };
        let before = judge(&learner, &package.weights);
        assert_eq!(before, judge(&learner, &package.weights));
        assert_eq!((before.losses.len(), before.actions.len()), (6, 6));
        assert_eq!(before.actions[0].len(), 3 * 7);
        for _ in 0..30 {
            let report = learner.step(&batch, &objective).unwrap();
            assert!(report.loss.is_finite() && report.grad_norm > 0.0);
        }
        let learned = learner.snapshot();
        let sum = |losses: &[f32]| losses.iter().sum::<f32>();
        let after = judge(&learner, &learned);
        let old = judge(&learner, &package.weights);
        assert!(sum(&after.losses) < sum(&old.losses));
        for (key, tensor) in learned.tensors.iter() {
            let moves = key.starts_with("value.") || key.starts_with("feature_learner.phi");
            assert!(moves || *tensor == package.weights.tensors[key], "{key}");
        }
        assert_ne!(learned.tensors, package.weights.tensors);
        learner.restore(&package.weights).unwrap();
        assert_eq!(learner.snapshot(), package.weights);
        assert_eq!(judge(&learner, &package.weights), before);
    }
}

#[test]
fn batches_that_cannot_be_learned_from_are_refused() {
    let package = all()[0].clone();
    let config = HilpOnlineConfig::default();
    let mut learner = HilpOnline::new(&package, config, &Device::flex()).unwrap();
    let objective = ObjectiveId(DISTANCE.into());
    let empty = learner.step(&ExperienceBatch::default(), &objective);
    assert!(matches!(empty, Err(LearnError::Batch(_))));
    let batch = experience(GoalKind::State);
    let other = learner.step(&batch, &ObjectiveId("mgf".into()));
    assert!(matches!(other, Err(LearnError::UnknownObjective { .. })));
    let mut lost = batch;
    lost.moments[2].future.tcp = None;
    let lost = learner.step(&lost, &objective);
    assert!(matches!(
        lost,
        Err(LearnError::Policy(PolicyError::MissingInput { .. }))
    ));
}
