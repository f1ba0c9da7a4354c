//! The whole policy: `policy_forward*`, `losses_*`, `update3*`.

use burn::tensor::{Device, Tensor};
use serde_json::Value;

use super::alignment::flags;
use super::gcbc::put_branch;
use super::options::{TaskShape, alignment, head, mlp, optimizer, resnet};
use super::towers::{text, tokens, vision};
use crate::checkpoint::specs;
use crate::grif::config::{GrifConfig, Modality};
use crate::grif::dropout::KeepMasks;
use crate::grif::keys::KEYS;
use crate::grif::loss::{Batch, JointLoss, joint_loss};
use crate::grif::model::{Grif, Learning, Scene};
use crate::grif::optimizer::Optimizer;
use crate::grif::task_encoder::{Picture, TaskEncoderConfig, TaskInput, TowerOptions};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{flat_tensors, put_gradients, put_tensors, put_weights, with_weights};
use crate::parity::outputs::Outputs;
use crate::training::AdamW;
use crate::training::gradients::GradientSet;

const MODALITIES: [(Modality, &str); 2] =
    [(Modality::Image, "image"), (Modality::Language, "language")];

/// `policy_forward*`: both kinds of task, one after the other.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn forward(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let batch = batch(file, "in", device)?;
    let policy = policy(file, &batch, device)?;
    for (modality, name) in MODALITIES {
        let task = match modality {
            Modality::Image => &batch.goals,
            Modality::Language => &batch.sentences,
        };
        let (Some(task), Some(_)) = (task, policy.config().task_encoder(modality)) else {
            continue;
        };
        let task = policy.task(&batch.scene, task, modality)?;
        let output = policy.act(&batch.scene, task, 1.0, Learning::default())?;
        let at = |key: &str| format!("out/{name}/{key}");
        outputs.put(at("task"), output.task.flat());
        outputs.put(at("encoding"), output.encoding);
        outputs.put(at("mean"), output.actions.mean.clone());
        outputs.put(at("mode"), output.actions.mode());
        outputs.put(at("action_argmax"), output.actions.mode());
        outputs.put(at("std"), output.actions.std());
        let density = output.actions.log_prob(batch.actions.clone());
        outputs.put(at("log_prob"), density);
    }
    Ok(outputs)
}

/// `losses_*`: the joint loss, its parts and its gradients.
///
/// # Errors
/// As [`forward`].
pub fn losses(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let device = &device.clone().autodiff();
    let batch = batch(file, "in", device)?;
    let policy = policy(file, &batch, device)?;
    let masks = dropout(file, &policy, device)?;
    let loss = joint_loss(&policy, &batch, masks.as_ref())?;
    outputs.put("out/total_loss", loss.total.clone());
    put_info(&mut outputs, "out/info", &policy, &loss);
    let gradients = loss.total.backward();
    put_gradients(
        &mut outputs,
        &policy,
        gradients,
        file,
        ("out/grad/", ""),
        &KEYS,
    );
    Ok(outputs)
}

/// `update3*`: updates in a row, each on a batch of its own.
///
/// # Errors
/// As [`forward`].
pub fn updates(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let device = &device.clone().autodiff();
    let mut policy = policy(file, &batch(file, "in/step0", device)?, device)?;
    let mut optimizer = Optimizer::new(optimizer(&file.config()["agent_kwargs"])?);
    for step in 0.. {
        if !file.has(&format!("in/step{step}/actions")) {
            break;
        }
        let rate = optimizer.learning_rate();
        outputs.put_vector(format!("out/step{step}/lr_actor"), &[rate]);
        let batch = batch(file, &format!("in/step{step}"), device)?;
        let loss = joint_loss(&policy, &batch, None)?;
        let start = format!("out/step{}", step + 1);
        put_info(&mut outputs, &format!("{start}/info"), &policy, &loss);
        let gradients = GradientSet::take(&policy, loss.total.backward(), |_| true);
        policy = optimizer.step(policy, gradients, Grif::is_pretrained);
        let under = format!("{start}/params/");
        put_weights(&mut outputs, &policy, file, &under, &KEYS);
    }
    for (name, adam) in [
        ("actor", &optimizer.fresh),
        ("encoder", &optimizer.pretrained),
    ] {
        put_moments(&mut outputs, file, &policy, (name, adam));
        let count = optimizer.steps() as f64;
        outputs.put_vector(format!("out/final/{name}/count"), &[count]);
    }
    Ok(outputs)
}

/// Moments under the authors' keys. Tensors that never had a gradient have none: zero there.
fn put_moments(
    outputs: &mut Outputs,
    file: &GoldenFile,
    policy: &Grif,
    (name, adam): (&str, &AdamW),
) {
    let (state, specs) = (adam.state(), specs(policy));
    for (theirs, ours) in [("mu", "first/"), ("nu", "second/")] {
        let mut moments = flat_tensors(&state, ours);
        for spec in &specs {
            let zeros = || vec![0.0; spec.shape.iter().product::<usize>()];
            moments.entry(spec.key.clone()).or_insert_with(zeros);
        }
        let under = format!("out/final/{name}/{theirs}/");
        put_tensors(outputs, file, &under, &KEYS, &specs, &moments);
    }
}

fn put_info(outputs: &mut Outputs, start: &str, policy: &Grif, loss: &JointLoss) {
    for (modality, info) in &loss.branches {
        let name = MODALITIES.iter().find(|(other, _)| other == modality);
        let name = name.map_or("", |(_, name)| name);
        put_branch(outputs, &format!("{start}/{name}"), *info);
    }
    let start = format!("{start}/image_language");
    if let Some(value) = loss.alignment {
        outputs.put_vector(format!("{start}/alignment_loss"), &[value]);
        let weight = policy.config().alignment.weight;
        let unscaled = f64::from(value) / weight;
        outputs.put_vector(format!("{start}/alignment_loss_unscaled"), &[unscaled]);
    }
    if let Some(contrast) = loss.contrast {
        for (name, value) in [
            ("class1_logits", contrast.image_log_probability),
            ("class2_logits", contrast.sentence_log_probability),
            ("class1_accuracy", contrast.image_accuracy),
            ("class2_accuracy", contrast.sentence_accuracy),
        ] {
            outputs.put_vector(format!("{start}/{name}"), &[value]);
        }
    }
    outputs.put(format!("{start}/temp"), policy.temperature.val());
}

/// Dropout masks of a file. Those of both modalities are the same.
fn dropout(
    file: &GoldenFile,
    policy: &Grif,
    device: &Device,
) -> Result<Option<KeepMasks<2>>, ParityError> {
    let layers = (0..policy.head.widths().len())
        .map(|layer| format!("in/dropout_keep/image/layer{layer}"))
        .filter(|key| file.has(key))
        .map(|key| file.tensor::<2>(&key, device))
        .collect::<Result<Vec<_>, _>>()?;
    let keep = 1.0 - policy.head.dropout();
    Ok((!layers.is_empty()).then(|| KeepMasks::new(layers, keep)))
}

fn picture(file: &GoldenFile, start: &str, device: &Device) -> Result<Picture, ParityError> {
    let image = file.tensor::<4>(&format!("{start}/image"), device)?;
    let raw = format!("{start}/unprocessed_image");
    Ok(if file.has(&raw) {
        Picture {
            bytes: file.tensor::<4>(&raw, device)?,
            normal: Some(image),
        }
    } else {
        Picture {
            bytes: image,
            normal: None,
        }
    })
}

fn batch(file: &GoldenFile, start: &str, device: &Device) -> Result<Batch, ParityError> {
    let at = |key: &str| format!("{start}/{key}");
    let matrix = |key: &str| -> Result<Option<Tensor<2>>, ParityError> {
        let key = at(key);
        file.has(&key)
            .then(|| file.tensor::<2>(&key, device))
            .transpose()
    };
    let sentences = if let Some(rows) = matrix("goals/text_embed")? {
        Some(TaskInput::Embedding(rows))
    } else if file.has(&at("goals/language/input_ids")) {
        Some(TaskInput::Tokens(tokens(
            file,
            &at("goals/language/input_ids"),
        )?))
    } else {
        matrix("goals/language")?.map(TaskInput::Vector)
    };
    let goals = match matrix("goals/image_embed")? {
        Some(rows) => TaskInput::Embedding(rows),
        None => TaskInput::Image(file.tensor::<4>(&at("goals/image"), device)?),
    };
    Ok(Batch {
        scene: Scene {
            now: picture(file, &at("observations"), device)?,
            first: picture(file, &at("initial_obs"), device)?,
            proprioception: matrix("observations/proprio")?,
        },
        goals: Some(goals),
        sentences,
        labelled: flags(file, &at("goals/language_mask"))?,
        actions: file.tensor::<2>(&at("actions"), device)?,
        action_weights: file.values(&at("bc_mask"))?,
        blocked: matrix("inter_dataset_mask")?,
    })
}

fn policy(file: &GoldenFile, batch: &Batch, device: &Device) -> Result<Grif, ParityError> {
    let config = config(file, batch)?;
    if let Some(problem) = config.problem() {
        return Err(ParityError::Config(problem));
    }
    with_weights(Grif::new(&config, device), file, "", &KEYS)
}

/// The policy that a file's configuration describes.
fn config(file: &GoldenFile, batch: &Batch) -> Result<GrifConfig, ParityError> {
    let agent = &file.config()["agent_kwargs"];
    let flag = |key: &str, default: bool| agent[key].as_bool().unwrap_or(default);
    let [_, side, _, channels] = batch.scene.now.bytes.dims();
    let image_task = task_encoder(file, batch, "image")?;
    let language_task = task_encoder(file, batch, "language")?;
    let early_fusion = flag("early_fusion", true);
    let width = image_task.width().or(language_task.width());
    let shape = match (early_fusion, width) {
        (false, _) => TaskShape::None,
        (true, Some(width)) => TaskShape::Vector(width),
        (true, None) => TaskShape::Maps,
    };
    let images = if flag("early_fuse_initial_obs", false) {
        2
    } else {
        1
    };
    let bottleneck = "params/encoders_actor_0/Bottleneck";
    let name = match file.config()["encoder"].as_str() {
        Some(name) => name,
        None if file.keys_under(bottleneck).next().is_some() => "resnetv1-50-bridge",
        None => "resnetv1-34-bridge",
    };
    let options = &file.config()["encoder_kwargs"];
    let proprioception = match (&batch.scene.proprioception, flag("use_proprio", false)) {
        (Some(rows), true) => rows.dims()[1],
        _ => 0,
    };
    Ok(GrifConfig {
        encoder: resnet(name, options, shape, (side, images * channels))?,
        image_task: Some(image_task),
        language_task: Some(language_task),
        share_encoders: flag("share_encoders", false),
        head: head(agent, file.count("/action_dim")?)?,
        early_fusion,
        early_fuse_initial: images == 2,
        no_initial: flag("no_initial", false),
        proprioception,
        alignment: alignment(agent)?,
        freeze_unlabelled: flag("freeze_task_B", false),
    })
}

/// The encoder of one kind of task: a tower of CLIP, or what the configuration names.
fn task_encoder(
    file: &GoldenFile,
    batch: &Batch,
    modality: &str,
) -> Result<TaskEncoderConfig, ParityError> {
    let clip = &file.config()["clip"];
    let options = &file.config()["task_kw"][modality];
    let default = match modality {
        "image" => "clip_vision_with_projection",
        _ => "clip_text_with_projection",
    };
    let name = file.config()["task_arch"][modality]
        .as_str()
        .unwrap_or(default);
    match name {
        "clip_vision_with_projection" => Ok(TaskEncoderConfig::ClipImages(
            vision(clip)?,
            tower_options(options, false)?,
        )),
        "clip_text_with_projection" => Ok(TaskEncoderConfig::ClipText(
            text(clip)?,
            tower_options(options, true)?,
        )),
        "muse" => Ok(TaskEncoderConfig::Vector(file.count("/lang_dim")?)),
        _ => {
            let [_, side, _, channels] = batch.scene.first.bytes.dims();
            let shape = match (modality, &batch.goals, &batch.sentences) {
                ("image", Some(TaskInput::Image(goal)), _) => TaskShape::Image(goal.dims()[3]),
                ("language", _, Some(TaskInput::Vector(rows))) => TaskShape::Vector(rows.dims()[1]),
                _ => TaskShape::None,
            };
            let network = resnet(name, options, shape, (side, channels))?;
            Ok(TaskEncoderConfig::ResNet(network))
        }
    }
}

/// Options of a tower; without any, those of `GRIF`: the text is frozen, both have unit length.
fn tower_options(options: &Value, frozen: bool) -> Result<TowerOptions, ParityError> {
    let given = options.is_object();
    let flag = |key: &str, default: bool| {
        let default = default && !given;
        options[key].as_bool().unwrap_or(default)
    };
    Ok(TowerOptions {
        freeze_encoder: flag("freeze_encoder", frozen),
        freeze_projection: flag("freeze_projection", frozen),
        normalize: flag("normalize", true),
        mlp: mlp(&options["mlp_kwargs"])?,
    })
}
