//! The policy at its seam.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use cerebellum_messages::{Goal, GoalKind, GoalSpec, Observation, Stamp, Tick};

use super::fixtures::{goal, observation, package, package_of, shown_goal};
use super::goal_encoder::GoalEncoderConfig;
use super::{Mdt, MdtConfig, MdtPolicy, Shortcuts, WarmStart};
use crate::checkpoint::package::Network;
use crate::checkpoint::{PolicyPackage, collect};
use crate::error::{CheckpointError, PolicyError};
use crate::nn::kernels::Precision;
use crate::policy::{PlanBudget, Policy as _, WeightTensor, Weights};
use crate::training::tests::{Letters, tiny};

fn policy() -> MdtPolicy {
    MdtPolicy::new(&package(), Arc::new(Letters(8)), &Device::flex()).unwrap()
}

const BUDGET: PlanBudget = PlanBudget {
    deadline: None,
    max_steps: 10,
    seed: 11,
};

#[test]
fn plans_copy_their_inputs_and_repeat() {
    let mut policy = policy();
    policy.reset(&goal(9, "push")).unwrap();
    let plan = policy.plan(&observation(4), BUDGET).unwrap();
    let chunk = &plan.chunk;
    assert_eq!((chunk.stamp, chunk.observed), (Stamp(7), Tick(42)));
    assert_eq!(
        (chunk.goal_id, chunk.generation, chunk.denoise_steps),
        (9, 5, 10)
    );
    assert_eq!(chunk.horizon(), policy.spec().horizon);
    let names = plan.latents.iter().map(|latent| latent.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["goal", "context"]);
    assert_eq!(plan.latents[1].shape, [4, 16]);

    let again = policy.plan(&observation(4), BUDGET).unwrap();
    assert_eq!(again.chunk.actions, chunk.actions);
    let seed = PlanBudget { seed: 12, ..BUDGET };
    let other = policy.plan(&observation(4), seed).unwrap();
    assert_ne!(other.chunk.actions, chunk.actions);
    let moved = policy.plan(&observation(14), BUDGET).unwrap();
    assert_ne!(moved.chunk.actions, chunk.actions);
}

#[test]
fn budgets_are_kept() {
    let mut policy = policy();
    policy.reset(&goal(1, "push")).unwrap();
    let few = PlanBudget {
        max_steps: 3,
        ..BUDGET
    };
    assert_eq!(
        policy
            .plan(&observation(4), few)
            .unwrap()
            .chunk
            .denoise_steps,
        3
    );
    let late = PlanBudget {
        deadline: Some(Instant::now()),
        ..BUDGET
    };
    let plan = policy.plan(&observation(4), late).unwrap();
    assert_eq!(plan.chunk.denoise_steps, 1);
    assert!(plan.chunk.actions.iter().all(|value| value.is_finite()));
    let none = PlanBudget {
        max_steps: 0,
        ..BUDGET
    };
    assert_eq!(
        policy
            .plan(&observation(4), none)
            .unwrap()
            .chunk
            .denoise_steps,
        1
    );
}

#[test]
fn refusals_say_what_is_wrong() {
    let mut policy = policy();
    let plan = policy.plan(&observation(4), BUDGET);
    assert!(matches!(plan, Err(PolicyError::NoGoal)));
    let state = Goal {
        id: 1,
        spec: GoalSpec::State { values: vec![1.0] },
    };
    let refusal = policy.reset(&state);
    assert!(matches!(
        refusal,
        Err(PolicyError::GoalKind {
            found: GoalKind::State,
            ..
        })
    ));

    policy.reset(&goal(1, "push")).unwrap();
    let mut blind = observation(4);
    blind.frames.pop();
    let plan = policy.plan(&blind, BUDGET);
    assert!(matches!(plan, Err(PolicyError::MissingInput { .. })));
    let mut wide = observation(4);
    wide.frames[0].width = 25;
    assert!(matches!(
        policy.plan(&wide, BUDGET),
        Err(PolicyError::InputShape { .. })
    ));
    let mut lost = observation(4);
    lost.tcp = None;
    assert!(matches!(
        policy.plan(&lost, BUDGET),
        Err(PolicyError::MissingInput { .. })
    ));
    let mut broken = observation(4);
    broken.joints.position[2] = f64::NAN;
    assert!(matches!(
        policy.plan(&broken, BUDGET),
        Err(PolicyError::InputShape { .. })
    ));
    let mut armless = observation(4);
    armless.joints.names.truncate(3);
    assert!(matches!(
        policy.plan(&armless, BUDGET),
        Err(PolicyError::MissingInput { .. })
    ));
}

#[test]
fn another_sentence_encoder_is_refused() {
    let mut package = package();
    package.language = "words".into();
    let policy = MdtPolicy::new(&package, Arc::new(Letters(8)), &Device::flex());
    assert!(matches!(policy.err(), Some(PolicyError::InputShape { .. })));
    package.language = "letters".into();
    let policy = MdtPolicy::new(&package, Arc::new(Letters(9)), &Device::flex());
    assert!(matches!(policy.err(), Some(PolicyError::InputShape { .. })));
}

fn changed(weights: &Weights, key: &str, change: impl FnOnce(&mut WeightTensor)) -> Weights {
    let mut tensors = (*weights.tensors).clone();
    change(tensors.get_mut(key).unwrap());
    Weights {
        tensors: Arc::new(tensors),
        generation: weights.generation + 1,
    }
}

const KEY: &str = "model.inner_model.action_pred.bias";

#[test]
fn weights_are_swapped_whole_or_not_at_all() {
    let mut policy = policy();
    policy.reset(&goal(1, "push")).unwrap();
    let before = policy.plan(&observation(4), BUDGET).unwrap().chunk;
    let old = policy.weights();

    let mut fewer = (*old.tensors).clone();
    fewer.remove(KEY);
    let mut more = (*old.tensors).clone();
    more.insert("stranger".into(), fewer.values().next().unwrap().clone());
    let bad = [
        Weights {
            tensors: Arc::new(fewer),
            generation: 6,
        },
        Weights {
            tensors: Arc::new(more),
            generation: 6,
        },
        changed(&old, KEY, |tensor| tensor.shape = vec![7, 1]),
        changed(&old, KEY, |tensor| tensor.values[0] = f32::NAN),
    ];
    let errors = bad.map(|weights| match policy.load(&weights) {
        Err(PolicyError::Checkpoint(error)) => error,
        other => panic!("{other:?}"),
    });
    assert!(matches!(&errors[0], CheckpointError::MissingKey { key, .. } if key == KEY));
    assert!(matches!(&errors[1], CheckpointError::UnknownKey { key, .. } if key == "stranger"));
    assert!(matches!(&errors[2], CheckpointError::Shape { key, .. } if key == KEY));
    assert!(matches!(&errors[3], CheckpointError::NonFinite { key, .. } if key == KEY));
    assert_eq!(policy.plan(&observation(4), BUDGET).unwrap().chunk, before);

    let new = changed(&old, KEY, |tensor| tensor.values[0] += 1.0);
    policy.load(&new).unwrap();
    let after = policy.plan(&observation(4), BUDGET).unwrap().chunk;
    assert_eq!(after.generation, 6);
    assert_ne!(after.actions, before.actions);
    assert_eq!(policy.weights(), new);
}

#[test]
fn an_overflow_is_not_a_plan() {
    let mut policy = policy();
    policy.reset(&goal(1, "push")).unwrap();
    let key = "model.inner_model.action_emb.weight";
    let huge = changed(&policy.weights(), key, |tensor| {
        tensor.values.fill(f32::MAX);
    });
    policy.load(&huge).unwrap();
    let plan = policy.plan(&observation(4), BUDGET);
    assert!(matches!(
        plan,
        Err(PolicyError::NonFinite { generation: 6, .. })
    ));
}

#[test]
fn goals_are_told_or_shown() {
    let mut policy = policy();
    assert_eq!(policy.spec().goals, [GoalKind::Language, GoalKind::Image]);
    let mut plan = |goal: &Goal| {
        policy.reset(goal).unwrap();
        policy.plan(&observation(4), BUDGET).unwrap().chunk.actions
    };
    let told = plan(&goal(1, "push"));
    let shown = plan(&shown_goal(2, 14));
    assert_ne!(told, shown);
    assert_ne!(shown, plan(&shown_goal(3, 2)));
    assert_eq!(told, plan(&goal(4, "push")));
    assert_eq!(shown, plan(&shown_goal(5, 14)));

    let mut strange = shown_goal(6, 14);
    frame_of(&mut strange).camera = "wrist".into();
    let refused = policy.reset(&strange);
    assert!(matches!(
        refused,
        Err(PolicyError::GoalContent { id: 6, .. })
    ));
    frame_of(&mut strange).camera = "front".into();
    frame_of(&mut strange).width = 23;
    let refused = policy.reset(&strange);
    assert!(matches!(refused, Err(PolicyError::InputShape { .. })));
}

fn frame_of(goal: &mut Goal) -> &mut cerebellum_messages::Frame {
    match &mut goal.spec {
        GoalSpec::Image { frame } => frame,
        _ => panic!("not a picture"),
    }
}

#[test]
fn a_shown_goal_follows_the_weights() {
    let mut policy = policy();
    policy.reset(&shown_goal(1, 14)).unwrap();
    let before = policy.plan(&observation(4), BUDGET).unwrap().chunk.actions;
    let mut tensors = (*policy.weights().tensors).clone();
    for (key, tensor) in &mut tensors {
        if key.starts_with("goal_encoder.") {
            tensor.values.iter_mut().for_each(|value| *value *= 1.5);
        }
    }
    let weights = Weights {
        tensors: Arc::new(tensors),
        generation: 6,
    };
    policy.load(&weights).unwrap();
    let after = policy.plan(&observation(4), BUDGET).unwrap().chunk.actions;
    assert_ne!(before, after);
    policy.reset(&shown_goal(2, 14)).unwrap();
    let again = policy.plan(&observation(4), BUDGET).unwrap().chunk.actions;
    assert_eq!(after, again);
}

#[test]
fn packages_without_image_goals_take_instructions_only() {
    let package = package();
    let Network::Mdt { config, statistics } = package.network else {
        panic!("not an MDT");
    };
    let mut json = serde_json::to_value(&*config).unwrap();
    let fields = json.as_object_mut().unwrap();
    fields.remove("goal_encoder");
    fields.remove("alignment");
    let config: MdtConfig = serde_json::from_value(json).unwrap();
    let device = Device::flex();
    let package = PolicyPackage {
        weights: collect(&Mdt::new(&config, &device), 0),
        network: Network::Mdt {
            config: Box::new(config),
            statistics,
        },
        ..package
    };
    let mut policy = MdtPolicy::new(&package, Arc::new(Letters(8)), &device).unwrap();
    assert_eq!(policy.spec().goals, [GoalKind::Language]);
    assert!(matches!(
        policy.reset(&shown_goal(1, 3)),
        Err(PolicyError::GoalKind { .. })
    ));
}

#[test]
fn a_change_is_of_what_is_seen_and_an_outcome_is_not() {
    let goal_at = |policy: &mut MdtPolicy, tick| {
        let latents = policy.plan(&observation(tick), BUDGET).unwrap().latents;
        let goal = latents.into_iter().find(|latent| latent.name == "goal");
        goal.unwrap().values
    };
    for sees_present in [true, false] {
        let mut config = tiny();
        if let Some(GoalEncoderConfig::Change(network)) = config.goal_encoder.clone() {
            config.goal_encoder = Some(match sees_present {
                true => GoalEncoderConfig::Change(network),
                false => GoalEncoderConfig::Residual(network),
            });
        }
        let package = package_of(config);
        let mut policy = MdtPolicy::new(&package, Arc::new(Letters(8)), &Device::flex()).unwrap();
        policy.reset(&shown_goal(1, 14)).unwrap();
        let [first, second] = [4, 5].map(|tick| goal_at(&mut policy, tick));
        assert_eq!(first != second, sees_present);
        policy.reset(&goal(2, "push")).unwrap();
        let [first, second] = [4, 5].map(|tick| goal_at(&mut policy, tick));
        assert_eq!(first, second);
    }
}

#[test]
fn warm_plans_go_on_from_the_last_one() {
    let warm = |level: f64| {
        let shortcuts = Shortcuts {
            warm_start: Some(WarmStart { level, steps: 2 }),
            ..Shortcuts::default()
        };
        policy().with_shortcuts(shortcuts)
    };
    let at = |tick: u64| Observation {
        tick: Tick(tick),
        ..observation(4)
    };
    let mut cold = policy();
    let mut policy = warm(0.002).unwrap();
    for policy in [&mut cold, &mut policy] {
        policy.reset(&goal(1, "push")).unwrap();
    }
    let first = policy.plan(&at(42), BUDGET).unwrap().chunk;
    assert_eq!(first, cold.plan(&at(42), BUDGET).unwrap().chunk);
    let second = policy.plan(&at(44), BUDGET).unwrap().chunk;
    assert_eq!(second.denoise_steps, 2);
    // So little noise hides nothing of the guess.
    let width = second.action_dim as usize;
    let known = second.actions.iter().zip(&first.actions[2 * width..]);
    assert!(known.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 0.02);
    // Gaps, steps back and other goals begin cold.
    for tick in [44 + 10, 3] {
        let next = policy.plan(&at(tick), BUDGET).unwrap().chunk;
        assert_eq!(next.denoise_steps, 10, "{tick}");
    }
    policy.plan(&at(4), BUDGET).unwrap();
    policy.reset(&goal(2, "push")).unwrap();
    let next = policy.plan(&at(5), BUDGET).unwrap().chunk;
    assert_eq!(next.denoise_steps, 10);
    let refused = warm(1e6).map(|_| ());
    assert!(matches!(refused, Err(PolicyError::Setting { .. })));
}

#[test]
fn brief_weights_plan_nearly_the_same() {
    let shortcuts = Shortcuts {
        precision: Precision::Brief,
        ..Shortcuts::default()
    };
    let mut brief = policy().with_shortcuts(shortcuts).unwrap();
    let mut single = policy();
    let plans = [&mut brief, &mut single].map(|policy| {
        policy.reset(&goal(1, "push")).unwrap();
        policy.plan(&observation(4), BUDGET).unwrap().chunk.actions
    });
    assert_ne!(plans[0], plans[1]);
    let pairs = plans[0].iter().zip(&plans[1]);
    assert!(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 0.05);
    // New weights are packed as briefly.
    let weights = brief.weights();
    brief.load(&weights).unwrap();
    let again = brief.plan(&observation(4), BUDGET).unwrap().chunk.actions;
    assert_eq!(again, plans[0]);
}
