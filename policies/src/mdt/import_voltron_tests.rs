//! MDT-V with its frozen networks, from the authors' layout to a plan and back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use cerebellum_messages::{Goal, GoalKind, GoalSpec};
use safetensors::tensor::Dtype;
use serde_json::json;

use super::config::{MdtConfig, ObservationInput, VoltronConfig};
use super::fixtures::{goal, in_authors_names, observation_of, shrink};
use super::goal_encoder::GoalEncoderConfig;
use super::{MdtPolicy, import};
use crate::checkpoint::import::record::{IGNORED, ImportRecord};
use crate::checkpoint::import::transfer::Fate;
use crate::checkpoint::import::{Entry, StateDict, WeightsChoice, export, open, open_weights};
use crate::checkpoint::{PolicyPackage, specs};
use crate::clip::{TextConfig, TransformerConfig, VisionTransformerConfig};
use crate::error::{CheckpointError, PolicyError};
use crate::nn::PerceiverConfig;
use crate::policy::{PlanBudget, Policy as _};
use crate::training::tests::Letters;
use crate::voltron::{DistilBert, DistilBertConfig, VCondConfig, language};

const SIDE: usize = 16;
const BLOCK: &str = "img_encoder.vcond.language_block";
const VCOND: &str = "img_encoder.vcond.";

/// The authors' network with other numbers.
fn small() -> MdtConfig {
    let mut config = MdtConfig::paper_v();
    config.static_camera.size = SIDE;
    let tower = |causal| TransformerConfig {
        width: 8,
        heads: 1,
        layers: 2,
        hidden: 12,
        causal,
    };
    config.text_encoder = Some(TextConfig {
        context: 16,
        transformer: tower(true),
        output: 20,
        ..TextConfig::base()
    });
    config.goal_encoder = Some(GoalEncoderConfig::Clip(VisionTransformerConfig {
        resolution: SIDE,
        patch: 8,
        channels: 3,
        transformer: tower(false),
        output: 20,
    }));
    config.voltron = Some(VoltronConfig {
        encoder: VCondConfig {
            resolution: SIDE,
            patch: 8,
            width: 12,
            heads: 1,
            layers: 2,
            mlp_ratio: 2,
            language_tokens: 20,
        },
        perceiver: PerceiverConfig {
            width: 12,
            layers: 2,
            heads: 8,
            head_width: 4,
            latents: 2,
            mlp_ratio: 3,
            ..PerceiverConfig::mdt_v()
        },
    });
    shrink(&mut config);
    config.denoiser.observation = ObservationInput::Latents { count: 2 };
    config
}

fn budget() -> PlanBudget {
    PlanBudget {
        deadline: None,
        max_steps: 10,
        seed: 1,
    }
}

/// Some numbers, other ones for every tensor.
fn entry(key: &str, shape: &[usize]) -> Entry {
    let count = shape.iter().product::<usize>();
    let seed = key
        .bytes()
        .fold(7usize, |sum, byte| sum * 31 % 1009 + usize::from(byte));
    let values = (0..count).map(|i| ((i * 37 + seed) % 101) as f32 / 500.0 - 0.1);
    let bytes = values.flat_map(f32::to_le_bytes).collect();
    Entry::memory(Path::new("made"), Dtype::F32, shape.to_vec(), bytes)
}

/// What the authors' agent of [`small`] would save: with the language model in place of its answer.
fn authors() -> StateDict {
    let ours = in_authors_names(&small());
    let device = Device::flex();
    let mut state = StateDict::default();
    for (key, tensor) in ours.iter().filter(|(key, _)| *key != BLOCK) {
        state.insert(key.to_owned(), tensor.clone()).unwrap();
    }
    let model = DistilBertConfig {
        vocabulary: 102,
        positions: 24,
        width: 64,
        heads: 1,
        layers: 1,
        hidden: 8,
    };
    let mut more = specs(&DistilBert::new(&model, &device))
        .into_iter()
        .map(|spec| {
            let key = language::KEYS.theirs(&spec.key).unwrap();
            let mut shape = spec.shape;
            if spec.linear {
                shape.reverse();
            }
            (format!("{VCOND}lm.{key}"), shape)
        })
        .collect::<Vec<_>>();
    let own = [
        ("img_encoder.vcond.lang2encoder.weight", vec![12, 64]),
        ("img_encoder.vcond.lang2encoder.bias", vec![12]),
        ("img_encoder.vcond.lang_token", vec![1, 1, 12]),
        ("img_encoder.vcond.mask_token", vec![1, 1, 4]),
        ("img_encoder.vcond.decoder_pe", vec![1, 4, 4]),
        ("gen_img.decoder_pe", vec![1, 4, 8]),
        ("clip_proj.latent_proj.latents", vec![1, 16]),
        ("logit_scale", vec![]),
        ("visual_goal.clip_model.text_projection", vec![3, 3]),
        ("language_goal.clip_rn50.visual.proj", vec![3, 3]),
    ];
    more.extend(own.map(|(key, shape)| (key.to_owned(), shape)));
    for (key, shape) in more {
        let made = entry(&key, &shape);
        state.insert(key, made).unwrap();
    }
    state
}

/// Imports a state dict into `folder`, with the tensors that the policy does not use if `kept`.
fn imported(state: &StateDict, folder: &Path, kept: bool) -> Result<ImportRecord, CheckpointError> {
    let file = folder.join("theirs.safetensors");
    state.write_safetensors(&file, HashMap::new()).unwrap();
    let checkpoint = open_weights(&file, WeightsChoice::Best)?;
    let settings = json!({"perceiver_heads": 8, "img_gen": {"resolution": 8}});
    let config = import::config(&checkpoint.state, &settings, &file)?;
    let report = import::plan(&checkpoint.state, &config);
    let (package, record) = import::package(&checkpoint, config, report, &file)?;
    package.save(folder)?;
    record.save(folder)?;
    if kept {
        let ignored = record.ignored(&checkpoint.state, &file)?;
        ignored.write_safetensors(&folder.join(IGNORED), HashMap::new())?;
    }
    Ok(record)
}

fn contents(state: &StateDict) -> Vec<(String, Dtype, Vec<usize>, Vec<u8>)> {
    let mut all = state
        .iter()
        .map(|(key, entry)| {
            let bytes = entry.read().unwrap();
            (key.to_owned(), entry.dtype, entry.shape.clone(), bytes)
        })
        .collect::<Vec<_>>();
    all.sort();
    all
}

#[test]
fn every_published_key_is_mapped_or_ignored_for_a_reason() {
    let keys = include_str!("../../tests/checkpoints/mdt_v_keys.json");
    let keys = serde_json::from_str::<HashMap<String, Vec<usize>>>(keys).unwrap();
    assert_eq!(keys.len(), 1264);
    let mut config = MdtConfig::paper_v();
    config.text_encoder = Some(TextConfig::base());
    config.goal_encoder = Some(GoalEncoderConfig::Clip(VisionTransformerConfig::base(16)));
    assert_eq!(config.problem(), None);
    import::with_transfer(&config, |transfer| {
        let all = keys.iter();
        let report = transfer.plan(all.map(|(key, shape)| (key.as_str(), Dtype::F32, &shape[..])));
        let [mapped, ignored, missing, unknown] = report.counts();
        // The constant is computed.
        assert_eq!((missing, unknown), (1, 0), "{report}");
        assert_eq!(mapped, transfer.specs.len() - 1);
        assert_eq!(mapped + ignored, keys.len());
        for line in &report.lines {
            match &line.fate {
                Fate::Mapped { ours, transposed } => {
                    let mut specs = transfer.specs.iter();
                    let spec = specs.find(|spec| spec.key == *ours).unwrap();
                    let mut shape = spec.shape.clone();
                    if *transposed {
                        shape.reverse();
                    }
                    let number = line.shape.is_empty() && shape == [1];
                    assert!(number || line.shape == shape, "{}", line.key);
                }
                Fate::Missing => assert_eq!(line.key, BLOCK),
                Fate::Ignored { why } => assert!(!why.is_empty()),
                other => panic!("{}: {other:?}", line.key),
            }
        }
    });
}

#[test]
fn import_and_export_change_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let state = authors();
    let record = imported(&state, folder.path(), true).unwrap();
    let [_, _, missing, unknown] = record.keys.counts();
    assert_eq!((missing, unknown), (0, 0), "{}", record.keys);
    let exported = export(folder.path()).unwrap();
    assert!(contents(&exported) == contents(&state));
}

#[test]
fn without_the_language_model_its_answer_is_exported() {
    let first = tempfile::tempdir().unwrap();
    imported(&authors(), first.path(), false).unwrap();
    let exported = export(first.path()).unwrap();
    assert!(exported.get(BLOCK).is_some());
    let second = tempfile::tempdir().unwrap();
    let record = imported(&exported, second.path(), false).unwrap();
    assert_eq!(record.keys.counts()[1..], [0, 0, 0]);
    let load = |folder: &Path| PolicyPackage::load(folder).unwrap();
    let [first, second] = [first.path(), second.path()].map(load);
    assert!(first.weights.tensors == second.weights.tensors);
}

#[test]
fn a_part_of_the_language_model_that_is_missing_is_named() {
    let key = "img_encoder.vcond.lang2encoder.bias";
    let mut state = StateDict::default();
    for (name, tensor) in authors().iter().filter(|(name, _)| *name != key) {
        state.insert(name.to_owned(), tensor.clone()).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let error = imported(&state, folder.path(), false).unwrap_err();
    assert!(error.to_string().contains("lang2encoder.bias"), "{error}");
}

#[test]
fn an_imported_agent_plans_from_a_sentence_and_from_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    imported(&authors(), folder.path(), false).unwrap();
    let package = PolicyPackage::load(folder.path()).unwrap();
    let json = serde_json::to_value(&package.network).unwrap();
    let config = serde_json::from_value::<MdtConfig>(json["config"].clone()).unwrap();
    assert_eq!(config, small());
    assert_eq!(config.goals(), [GoalKind::Language, GoalKind::Image]);

    // The sentence encoder from outside fits in nothing: it is not asked.
    let outside = Arc::new(Letters(3));
    let mut policy = MdtPolicy::new(&package, outside, &Device::flex()).unwrap();
    let mut observation = observation_of(SIDE, 4);
    observation.frames[0].camera = config.static_camera.name.clone();
    let mut gripper = observation_of(config.gripper_camera.size, 9).frames[1].clone();
    gripper.camera = config.gripper_camera.name.clone();
    observation.frames[1] = gripper;
    let mut picture = observation_of(SIDE, 8).frames[0].clone();
    picture.camera = config.static_camera.name.clone();
    let shown = Goal {
        spec: GoalSpec::Image { frame: picture },
        ..goal(3, "")
    };
    let mut chunks = Vec::new();
    for goal in [
        goal(1, "open the drawer"),
        goal(2, "push the button"),
        shown,
    ] {
        policy.reset(&goal).unwrap();
        let plan = policy.plan(&observation, budget()).unwrap();
        assert_eq!(plan.chunk.actions.len(), 4 * 7);
        assert!(plan.chunk.actions.iter().all(|value| value.is_finite()));
        chunks.push(plan.chunk.actions);
    }
    assert!(chunks[0] != chunks[1] && chunks[1] != chunks[2]);

    // CLIP's texts end at its context: too long a sentence is refused, not cut.
    let long = policy.reset(&goal(4, &"open the drawer ".repeat(9)));
    assert!(matches!(long, Err(PolicyError::Text(_))), "{long:?}");
}

#[test]
fn towers_that_do_not_fit_are_problems() {
    let mut config = small();
    config.static_camera.size = 2 * SIDE;
    assert!(config.problem().unwrap().starts_with("goal_encoder"));
    let mut config = small();
    config.text_encoder.as_mut().unwrap().output = 3;
    assert!(config.problem().unwrap().starts_with("text_encoder"));
}

#[test]
fn files_open_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.safetensors");
    let state = authors();
    state.write_safetensors(&path, HashMap::new()).unwrap();
    assert!(contents(&open(&path).unwrap().state) == contents(&state));
}
