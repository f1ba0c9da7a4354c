//! `zsrl_feature_learners`: features, losses and gradients of the learners compared with.

use burn::tensor::Device;

use crate::checkpoint::specs;
use crate::hilp::zero_shot::import::KEYS;
use crate::hilp::zero_shot::learners::{BaselineFeatures, Learner, LearnerSizes, Transition};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{flat, put_gradients, put_tensors, with_weights};
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let out = &mut outputs;
    let sizes = LearnerSizes {
        observation: file.count("/obs_dim")?,
        action: file.count("/action_dim")?,
        hidden: file.count("/hidden_dim")?,
        features: file.count("/z_dim")?,
    };
    let batch = Transition {
        observation: file.tensor("in/obs", device)?,
        action: file.tensor("in/action", device)?,
        next: file.tensor("in/next_obs", device)?,
        future: file.tensor("in/future_obs", device)?,
    };
    for (name, learner) in Learner::NAMES {
        let prefix = format!("{name}/");
        if file.params(&prefix).is_empty() {
            continue;
        }
        let features = BaselineFeatures::new(learner, &sizes, &device.clone().autodiff());
        let features = with_weights(features, file, &prefix, &KEYS)?;
        let own = features.features(batch.observation.clone());
        out.put(format!("out/{name}/feature"), own);
        if let Some(loss) = features.loss(learner, &batch) {
            out.put(format!("out/{name}/loss"), loss.clone());
            let place = format!("out/{name}/grad/");
            put_gradients(out, &features, loss.backward(), file, (&place, ""), &KEYS);
        }
        let moved = features.with_targets_moved();
        let place = format!("out/{name}/target_after/");
        put_tensors(out, file, &place, &KEYS, &specs(&moved), &flat(&moved));
    }
    Ok(outputs)
}
