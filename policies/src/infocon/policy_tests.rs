use std::path::Path;

use burn::tensor::Device;
use cerebellum_messages::{Goal, GoalSpec, Observation, Tick};

use super::cotpc::CotpcConfig;
use super::{InfoConConfig, InfoConNetworks, InfoConPolicy, InfoConPolicyConfig};
use crate::checkpoint::package::Network;
use crate::checkpoint::{Card, PolicyPackage, collect};
use crate::error::PolicyError;
use crate::mdt::Statistics;
use crate::mdt::fixtures;
use crate::policy::{PlanBudget, Policy};

const BUDGET: PlanBudget = PlanBudget {
    deadline: None,
    max_steps: 1,
    seed: 0,
};

fn config() -> InfoConPolicyConfig {
    let discovery = InfoConConfig {
        width: 8,
        heads: 2,
        hidden: 4,
        context: 3,
        key_layers: 1,
        reconstruction_layers: 1,
        future_layers: 1,
        key_dim: 4,
        parameter_dim: 4,
        concepts: 3,
        ..InfoConConfig::published(19, 7, 10)
    };
    InfoConPolicyConfig {
        name: "test".into(),
        task: "pick_up".into(),
        world: 2,
        policy: CotpcConfig {
            width: 8,
            heads: 2,
            layers: 1,
            hidden: 4,
            context: 3,
            key_states: 3,
            key_state_hidden: 4,
            ..CotpcConfig::published(19, 7, 10)
        },
        discovery,
        expected_steps: 8,
        order: vec![2, 0],
        delay: 1,
        horizon: 2,
        rate_hz: 20.0,
        translation_scale: 0.02,
        rotation_scale: 0.1,
    }
}

fn package() -> Result<PolicyPackage, PolicyError> {
    let config = config();
    let networks = InfoConNetworks::new(&config, &Device::flex());
    let networks = networks.map_err(super::policy::unusable)?;
    Ok(PolicyPackage {
        network: Network::InfoCon {
            config: Box::new(config),
            statistics: Statistics::identity(19),
        },
        language: String::new(),
        weights: collect(&networks, 3),
        card: Card::default(),
    })
}

fn observation(tick: u64) -> Observation {
    Observation {
        tick: Tick(tick),
        world: vec![0.1, tick as f32],
        ..fixtures::observation(0)
    }
}

fn concepts(id: u64, ids: &[u32]) -> Goal {
    Goal {
        id,
        spec: GoalSpec::Concept { ids: ids.to_vec() },
    }
}

#[test]
fn a_package_comes_back_as_it_was() -> Result<(), PolicyError> {
    let folder = std::env::temp_dir().join(format!("cerebellum-concepts-{}", std::process::id()));
    let package = package()?;
    package.save(&folder)?;
    assert_eq!(PolicyPackage::load(&folder)?, package);
    std::fs::remove_dir_all(&folder).ok();
    Ok(())
}

#[test]
fn the_task_and_its_concepts_are_goals() -> Result<(), PolicyError> {
    let mut policy = InfoConPolicy::new(&package()?, &Device::flex())?;
    assert!(matches!(
        policy.plan(&observation(0), BUDGET),
        Err(PolicyError::NoGoal)
    ));
    for (goal, states) in [(concepts(1, &[2, 0]), true), (concepts(2, &[1]), false)] {
        policy.reset(&goal)?;
        let mut last: Option<Vec<f32>> = None;
        for tick in 0..6 {
            let plan = policy.plan(&observation(tick), BUDGET)?;
            assert_eq!((plan.chunk.goal_id, plan.chunk.generation), (goal.id, 3));
            assert_eq!(plan.chunk.actions.len(), 14);
            let (before, decided) = plan.chunk.actions.split_at(7);
            assert_eq!(before, last.as_deref().unwrap_or(decided));
            last = Some(decided.to_vec());
            let names = plan.latents.iter().map(|latent| latent.name.as_str());
            let names = names.collect::<Vec<_>>();
            assert_eq!(names.contains(&"key_states"), states);
            assert!(names.contains(&"concept") && names.contains(&"concept/completion"));
        }
    }
    Ok(())
}

/// Planning twice at a tick is planning once, a new episode begins anew, and equal weights change
/// nothing.
#[test]
fn the_history_is_that_of_the_episode() -> Result<(), PolicyError> {
    let mut policy = InfoConPolicy::new(&package()?, &Device::flex())?;
    let goal = concepts(1, &[2, 0]);
    policy.reset(&goal)?;
    let first = policy.plan(&observation(0), BUDGET)?.chunk;
    assert_eq!(policy.plan(&observation(0), BUDGET)?.chunk, first);
    let second = policy.plan(&observation(1), BUDGET)?.chunk;
    let weights = policy.weights();
    policy.load(&weights)?;
    assert_eq!(policy.plan(&observation(1), BUDGET)?.chunk, second);
    assert_eq!(policy.plan(&observation(0), BUDGET)?.chunk, first);
    policy.reset(&goal)?;
    assert_eq!(policy.plan(&observation(0), BUDGET)?.chunk, first);
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() -> Result<(), PolicyError> {
    let mut policy = InfoConPolicy::new(&package()?, &Device::flex())?;
    let told = GoalSpec::Language {
        text: "lift".into(),
    };
    let told = policy.reset(&Goal { id: 1, spec: told });
    assert!(matches!(told, Err(PolicyError::GoalKind { .. })));
    let beyond = policy.reset(&concepts(1, &[3]));
    assert!(matches!(beyond, Err(PolicyError::GoalContent { .. })));
    policy.reset(&concepts(1, &[2, 0]))?;
    let blind = Observation {
        world: Vec::new(),
        ..observation(0)
    };
    let blind = policy.plan(&blind, BUDGET);
    assert!(matches!(blind, Err(PolicyError::MissingInput { .. })));
    for world in [vec![0.0], vec![0.0, f32::NAN]] {
        let bad = Observation {
            world,
            ..observation(0)
        };
        let bad = policy.plan(&bad, BUDGET);
        assert!(matches!(bad, Err(PolicyError::InputShape { .. })));
    }
    let mut weights = policy.weights();
    weights.tensors = std::sync::Arc::default();
    assert!(policy.load(&weights).is_err());
    let bad = InfoConPolicyConfig {
        order: vec![7],
        ..config()
    };
    assert!(bad.problem().is_some_and(|text| text.contains("order")));
    assert!(config().problem().is_none());
    assert!(PolicyPackage::load(Path::new("/nowhere")).is_err());
    Ok(())
}
