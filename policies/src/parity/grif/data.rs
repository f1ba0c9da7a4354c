//! `data_*`: what happens to demonstrations before a batch is made of them. On the host.

use std::collections::BTreeSet;

use burn::tensor::Device;
use serde_json::Value;

use crate::grif::data::actions::{ActionStatistics, binarize_gripper, reached_actions};
use crate::grif::data::augment::{AugmentConfig, AugmentDraws, AugmentOp, change};
use crate::grif::data::bicubic::resize;
use crate::grif::data::goals::{GoalConfig, GoalDraws};
use crate::parity::error::ParityError;
use crate::parity::golden::{GoldenFile, GoldenTensor};
use crate::parity::outputs::Outputs;

fn runs(file: &GoldenFile) -> BTreeSet<String> {
    file.keys_under("out/")
        .filter_map(|key| key.split_once('/'))
        .map(|(run, _)| run.to_owned())
        .collect()
}

fn numbers(file: &GoldenFile, pointer: &str) -> Result<Vec<f32>, ParityError> {
    let list = file.list(pointer)?.iter();
    let numbers = list.map(|value| value.as_f64().unwrap_or(f64::NAN) as f32);
    Ok(numbers.collect())
}

fn rows(tensor: &GoldenTensor) -> Vec<Vec<f32>> {
    let width = tensor.shape.last().copied().unwrap_or(1).max(1);
    let rows = tensor.values.chunks_exact(width);
    rows.map(|row| row.iter().map(|&value| value as f32).collect())
        .collect()
}

/// `data_actions`: gripper, reached motion, normal numbers.
///
/// # Errors
/// If the file's configuration or inputs do not fit.
pub fn actions(file: &GoldenFile, _: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let statistics = ActionStatistics {
        mean: numbers(file, "/mean")?,
        std: numbers(file, "/std")?,
    };
    for run in runs(file) {
        let input = |name: &str| file.get(&format!("in/{run}/{name}")).map(rows);
        let commanded = input("actions")?;
        let reached = reached_actions(&commanded, &input("proprio")?, &input("next_proprio")?);
        let last = |row: &Vec<f32>| row.last().copied().unwrap_or_default();
        let gripper = binarize_gripper(&commanded.iter().map(last).collect::<Vec<_>>());
        outputs.put_vector(format!("out/{run}/binarized_gripper"), &gripper);
        let width = statistics.mean.len();
        let normal = reached.into_iter().flat_map(|mut row| {
            statistics.normalize(&mut row);
            row
        });
        let normal = normal.collect::<Vec<_>>();
        let shape = [normal.len() / width.max(1), width];
        outputs.put_values(format!("out/{run}/actions"), &shape, &normal);
    }
    Ok(outputs)
}

/// `data_goals`: hindsight goals of a trajectory.
///
/// # Errors
/// If an input is missing.
pub fn goals(file: &GoldenFile, _: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    for run in runs(file) {
        let input = |name: &str| file.values(&format!("in/{run}/{name}"));
        let [reached, last, keep_sentence] = input("reach_last_keep")?[..] else {
            return Err(ParityError::Config("shares of goals are not three".into()));
        };
        let config = GoalConfig {
            reached,
            last,
            keep_sentence,
        };
        let sentence = input("language")?.first().copied().unwrap_or(-1.0);
        let (future, reach) = (input("u_future")?, input("u_reached")?);
        let (end, keep) = (input("u_last_if_unlabeled")?, input("u_keep_if_labeled")?);
        let length = future.len();
        let choices = (0..length).map(|at| {
            let draws = GoalDraws {
                future: future[at],
                reached: reach[at],
                last: end[at],
                keep: keep[at],
            };
            config.choose(draws, at, length, sentence >= 0.0)
        });
        let choices = choices.collect::<Vec<_>>();
        let put = |outputs: &mut Outputs, name: &str, values: Vec<f64>| {
            outputs.put_vector(format!("out/{run}/{name}"), &values);
        };
        let frames = choices.iter().map(|choice| choice.transition as f64 + 1.0);
        put(&mut outputs, "goal_next_frame", frames.collect());
        let sentences = choices.iter().map(|choice| match choice.keeps_sentence {
            true => f64::from(sentence),
            false => -1.0,
        });
        put(&mut outputs, "goal_language", sentences.collect());
        let rewards = choices
            .iter()
            .map(|choice| if choice.reached { 0.0 } else { -1.0 });
        put(&mut outputs, "rewards", rewards.collect());
        put(&mut outputs, "initial_frame", vec![0.0; length]);
    }
    Ok(outputs)
}

/// `data_augment`: each change alone, the crop, and all in order.
///
/// # Errors
/// If the file's configuration or inputs do not fit.
pub fn augment(file: &GoldenFile, _: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let order = serde_json::from_value(Value::from(file.list("/order")?.to_vec()))
        .map_err(|error| ParityError::Config(format!("`/order`: {error}")))?;
    let config = AugmentConfig {
        order,
        ..AugmentConfig::default()
    };
    let image = file.get("in/image")?;
    let &[_, width, _] = image.shape.as_slice() else {
        return Err(ParityError::Config("`in/image` is no image".into()));
    };
    let bytes = image.values.iter().map(|&v| v as u8).collect::<Vec<_>>();
    let unit = bytes.iter().map(|&byte| f32::from(byte) / 255.0);
    let unit = unit.collect::<Vec<_>>();
    for run in runs(file) {
        let draw = |name: &str| -> Result<f32, ParityError> {
            let values = file.values(&format!("in/{run}/{name}"))?;
            Ok(values.first().copied().unwrap_or_default())
        };
        let draws = AugmentDraws {
            scale: draw("crop_scale")?,
            log_ratio: draw("crop_log_ratio")?,
            top: draw("crop_top")?,
            left: draw("crop_left")?,
            brightness: draw("brightness")?,
            contrast: draw("contrast")?,
            saturation: draw("saturation")?,
            hue: draw("hue")?,
        };
        for (name, op) in [
            ("after_crop", AugmentOp::RandomResizedCrop),
            ("only_brightness", AugmentOp::RandomBrightness),
            ("only_contrast", AugmentOp::RandomContrast),
            ("only_saturation", AugmentOp::RandomSaturation),
            ("only_hue", AugmentOp::RandomHue),
        ] {
            let changed = change(&unit, width, op, &draws);
            outputs.put_values(format!("out/{run}/{name}"), &image.shape, &changed);
        }
        let full = config.apply(&bytes, width, &draws);
        outputs.put_values(format!("out/{run}/full"), &image.shape, &full);
    }
    Ok(outputs)
}

/// `data_clip_preprocess`: an image as the image towers read it.
///
/// # Errors
/// If the file's configuration or inputs do not fit.
pub fn preprocess(file: &GoldenFile, _: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let image = file.get("in/image")?;
    let &[height, width, channels] = image.shape.as_slice() else {
        return Err(ParityError::Config("`in/image` is no image".into()));
    };
    let (means, stds) = (numbers(file, "/means")?, numbers(file, "/stds")?);
    let values = file.values("in/image")?;
    for (key, expected) in file.expected() {
        let Some(rest) = key.strip_prefix("out/image_") else {
            continue;
        };
        let Some(side) = rest.split('_').next().and_then(|text| text.parse().ok()) else {
            continue;
        };
        let mut normal = resize(&values, channels, (height, width), (side, side));
        for (index, value) in normal.iter_mut().enumerate() {
            let channel = index % channels;
            *value = (*value / 255.0 - means[channel]) / stds[channel];
        }
        let pixels = normal.chunks_exact(channels.max(1));
        if rest.ends_with("_mean") {
            let sums = pixels.fold(vec![0.0; channels], |mut sums: Vec<f64>, pixel| {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += f64::from(*value);
                }
                sums
            });
            let means = sums.iter().map(|sum| sum / (side * side) as f64);
            outputs.put_vector(key, &means.collect::<Vec<_>>());
        } else {
            let stored = expected.shape.first().copied().unwrap_or(1).max(1);
            let step = side / stored;
            let kept = pixels.enumerate().filter(|(index, _)| {
                (index / side).is_multiple_of(step) && (index % side).is_multiple_of(step)
            });
            let kept = kept.flat_map(|(_, pixel)| pixel.to_vec());
            outputs.put_values(key, &expected.shape, &kept.collect::<Vec<_>>());
        }
    }
    Ok(outputs)
}

/// Bytes are cut, not rounded: a difference in the last digit can move one by a whole level.
pub fn tolerance(key: &str) -> f64 {
    if key.ends_with("/full") {
        1.0 / 200.0
    } else {
        super::TOLERANCES.forward
    }
}
