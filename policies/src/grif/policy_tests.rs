//! The policy at its seam.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use burn::tensor::Device;
use cerebellum_messages::{Goal, GoalKind, GoalSpec};

use super::config::GrifConfig;
use super::data::actions::ActionStatistics;
use super::task_encoder::TaskEncoderConfig;
use super::{Grif, GrifPolicy, GrifPolicyConfig};
use crate::checkpoint::package::Network;
use crate::checkpoint::{Card, PolicyPackage, collect};
use crate::error::PolicyError;
use crate::mdt::Statistics;
use crate::mdt::config::TABLETOP_PROPRIOCEPTION;
use crate::mdt::fixtures::{goal, observation, shown_goal};
use crate::policy::{Plan, PlanBudget, Policy as _, Weights};
use crate::training::tests::Letters;

/// Two actions at once for pictures of 24 pixels, of which three are handed out.
pub fn tiny() -> GrifPolicyConfig {
    let mut network = GrifConfig::tabletop(8, 2);
    network.encoder.side = 24;
    if let Some(TaskEncoderConfig::ResNet(images)) = &mut network.image_task {
        images.side = 24;
    }
    GrifPolicyConfig {
        name: "grif-tiny".into(),
        cameras: ["front", "wrist"].map(String::from).to_vec(),
        network,
        actions: ActionStatistics {
            mean: vec![0.0; 7],
            std: vec![0.5; 7],
        },
        chunk: 2,
        horizon: 3,
        instructions: ["push", "pick up", "press"].map(String::from).to_vec(),
        rate_hz: 20.0,
        translation_scale: 0.02,
        rotation_scale: 0.1,
    }
}

fn package() -> PolicyPackage {
    let device = Device::flex();
    device.seed(5);
    let config = tiny();
    PolicyPackage {
        weights: collect(&Grif::new(&config.network, &device), 3),
        network: Network::Grif {
            config: Box::new(config),
            statistics: Statistics::identity(TABLETOP_PROPRIOCEPTION),
        },
        language: "letters".into(),
        card: Card::default(),
    }
}

fn policy() -> GrifPolicy {
    GrifPolicy::new(&package(), Arc::new(Letters(8)), &Device::flex()).unwrap()
}

fn plan(policy: &mut GrifPolicy, column: usize) -> Plan {
    let budget = PlanBudget {
        deadline: None,
        max_steps: 1,
        seed: 0,
    };
    policy.plan(&observation(column), budget).unwrap()
}

#[test]
fn told_and_shown_goals_are_planned_for() {
    let mut policy = policy();
    assert_eq!(policy.spec().goals, [GoalKind::Language, GoalKind::Image]);
    let mut actions = |goal: &Goal| {
        policy.reset(goal).unwrap();
        let plan = plan(&mut policy, 4);
        assert_eq!((plan.chunk.goal_id, plan.chunk.generation), (goal.id, 3));
        plan.chunk.actions
    };
    let told = actions(&goal(1, "push"));
    assert_eq!(told.len(), 3 * 7);
    assert_eq!(told[7..14], told[14..], "the last action is repeated");
    assert!(told.iter().all(|value| value.abs() <= 1.0));
    assert_ne!(told, actions(&goal(2, "press")));
    let shown = actions(&shown_goal(3, 14));
    assert_ne!(told, shown);
    assert_ne!(shown, actions(&shown_goal(4, 2)));
    assert_eq!(told, actions(&goal(5, "push")));
}

#[test]
fn the_change_seen_is_compared_with_instructions() {
    let mut policy = policy();
    policy.reset(&goal(1, "push")).unwrap();
    let latent = |plan: Plan, name: &str| {
        let mut latents = plan.latents.into_iter();
        latents.find(|latent| latent.name == name).unwrap().values
    };
    let first = latent(plan(&mut policy, 4), "alignment");
    assert_eq!(first.len(), 3);
    assert!(first.iter().all(|cosine| cosine.abs() <= 1.0 + 1e-5));
    let task = latent(plan(&mut policy, 4), "task");
    let later = plan(&mut policy, 9);
    // The task stays that of the first picture, the change goes on.
    assert_eq!(latent(later.clone(), "task"), task);
    assert_ne!(latent(later, "alignment"), first);
}

#[test]
fn new_weights_mean_new_representations() {
    let mut policy = policy();
    policy.reset(&shown_goal(1, 14)).unwrap();
    let before = plan(&mut policy, 4).chunk;
    let mut tensors = (*policy.weights().tensors).clone();
    for (key, tensor) in &mut tensors {
        if key.starts_with("image_task.") {
            tensor.values.iter_mut().for_each(|value| *value *= -1.5);
        }
    }
    let weights = Weights {
        tensors: Arc::new(tensors),
        generation: 8,
    };
    policy.load(&weights).unwrap();
    let after = plan(&mut policy, 4).chunk;
    assert_eq!(after.generation, 8);
    assert_ne!(before.actions, after.actions);
    assert!(policy.load(&Weights::default()).is_err());
    assert_eq!(plan(&mut policy, 4).chunk.actions, after.actions);
}

#[test]
fn packages_come_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    let package = package();
    package.save(folder.path()).unwrap();
    let loaded = PolicyPackage::load(folder.path()).unwrap();
    assert_eq!(loaded.network, package.network);
    assert_eq!(loaded.weights.tensors, package.weights.tensors);
}

#[test]
fn refusals_say_what_is_wrong() {
    let mut policy = policy();
    let budget = PlanBudget {
        deadline: None,
        max_steps: 1,
        seed: 0,
    };
    let nothing = policy.plan(&observation(4), budget);
    assert!(matches!(nothing, Err(PolicyError::NoGoal)));
    let mut strange = shown_goal(1, 3);
    if let GoalSpec::Image { frame } = &mut strange.spec {
        frame.camera = "wrist".into();
    }
    let refused = policy.reset(&strange);
    assert!(matches!(refused, Err(PolicyError::GoalContent { .. })));
    let state = Goal {
        id: 2,
        spec: GoalSpec::State { values: vec![0.0] },
    };
    let refused = policy.reset(&state);
    assert!(matches!(refused, Err(PolicyError::GoalKind { .. })));
    for text in ["", "   ", &"push ".repeat(10_000)] {
        // Whatever an encoder makes of it, nothing panics.
        policy.reset(&goal(3, text)).ok();
    }
    let narrow = GrifPolicy::new(&package(), Arc::new(Letters(9)), &Device::flex());
    assert!(matches!(
        narrow.map(|_| ()),
        Err(PolicyError::InputShape { .. })
    ));
}

#[test]
fn sizes_that_do_not_go_together_are_refused() {
    assert!(tiny().problem().is_none());
    let one_camera = GrifPolicyConfig {
        cameras: vec!["front".into()],
        ..tiny()
    };
    let short = GrifPolicyConfig {
        horizon: 1,
        ..tiny()
    };
    let many = GrifPolicyConfig { chunk: 3, ..tiny() };
    let flat = GrifPolicyConfig {
        actions: ActionStatistics {
            mean: vec![0.0; 7],
            std: vec![0.0; 7],
        },
        ..tiny()
    };
    for config in [one_camera, short, many, flat] {
        assert!(config.problem().is_some());
    }
}
