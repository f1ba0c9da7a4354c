//! `03_full_train3`: updates of value and representation together.

use burn::tensor::Device;

use super::losses::ends;
use super::setup::{config, images, numbers, put, sequence, whole, with_weights};
use crate::checkpoint::specs;
use crate::objectives::spr::Spr;
use crate::objectives::spr::categorical::{Step, Support};
use crate::objectives::spr::config::SprConfig;
use crate::objectives::spr::learner::{LearnerConfig, ReplayBatch, SprLearner};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::flat;
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let spr = config(file)?;
    let model = Spr::new(&spr, &device.clone().autodiff());
    let model = with_weights(model, file, &spr, "")?;
    let number = |key: &str| Ok::<_, ParityError>(file.number(key)? as f32);
    let learner_config = LearnerConfig {
        learning_rate: number("/lr")?,
        epsilon: number("/adam_eps")?,
        clip: number("/clip")?,
        prediction_weight: number("/model_spr_weight")?,
        discount: number("/discount")?,
        steps: file.count("/n_step")?,
        support: Support {
            least: number("/V_min")?,
            most: number("/V_max")?,
            atoms: spr.atoms,
        },
    };
    let mut learner = SprLearner::new(model, spr.clone(), learner_config);
    let mut step = 0;
    while file.has(&format!("in/step{step}/action")) {
        let start = format!("in/step{step}/");
        let batch = batch(file, &start, &spr, learner_config.steps, device)?;
        let report = learner.update(&batch)?;
        let place = format!("out/step{step}/");
        for (name, value) in report.numbers.iter() {
            outputs.put_values(format!("{place}{name}"), &[], &[value]);
        }
        outputs.put_vector(format!("{place}td_kl"), &report.divergence);
        let model = learner.model();
        let after = format!("{place}after/");
        let tensors = (&specs(model)[..], &flat(model));
        put(&mut outputs, file, &after, &spr, tensors);
        step += 1;
    }
    Ok(outputs)
}

fn batch(
    file: &GoldenFile,
    start: &str,
    spr: &SprConfig,
    steps: usize,
    device: &Device,
) -> Result<ReplayBatch, ParityError> {
    let key = |name: &str| format!("{start}{name}");
    let images = images(file, &key("observation"), device)?;
    let actions = whole(file, &key("action"))?;
    let later = images.get(steps).cloned();
    let later = later.ok_or_else(|| ParityError::Config("too few observations".into()))?;
    let row = |name: &str, row: usize| {
        let rows = numbers(file, &key(name))?;
        let row = rows.into_iter().nth(row);
        row.ok_or_else(|| ParityError::Config(format!("`{name}` has too few steps")))
    };
    let (returns, ended) = (row("return_n", 0)?, row("done_n", 0)?);
    let taken = row("action", 1)?;
    let rows = taken.iter().zip(returns).zip(ended);
    let rows = rows.map(|((&action, reward), ended)| Step {
        action: action as usize,
        reward: reward as f32,
        ended: ended > 0.0,
    });
    let rewards = numbers(file, &key("reward"))?.into_iter();
    let rewards = rewards.take(spr.jumps + 1);
    let single = |row: Vec<f64>| row.into_iter().map(|value| value as f32).collect();
    Ok(ReplayBatch {
        sequence: sequence(spr, &images, actions)?,
        later: [later.clone(), later],
        steps: rows.collect(),
        rewards: rewards.map(single).collect(),
        ends: ends(file, &key("done"))?,
        weights: file.values(&key("is_weights"))?,
    })
}
