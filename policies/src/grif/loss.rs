//! The joint loss: behaviour cloning through image goals on all data and through sentences on the
//! labelled data, plus the alignment of the two.
//!
//! `L = L_image + L_language + L_align`, with
//! `L_m = Σ_i w_i (-log π_m(a_i)) / Σ_i w_i`, where `w_i` is 1 for samples that have a task of the
//! kind `m` and actions to copy. A branch for which a batch has no sample is left out, where the
//! authors' division by zero would destroy all weights.

use burn::tensor::Tensor;

use super::alignment::{Contrast, Usable};
use super::cloning::{BranchInfo, branch};
use super::config::Modality;
use super::dropout::KeepMasks;
use super::model::{Grif, Learning, Scene};
use super::task_encoder::TaskInput;
use crate::error::PolicyError;
use crate::host;

/// Samples to learn from.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What was seen.
    pub scene: Scene,
    /// Goal images.
    pub goals: Option<TaskInput>,
    /// Sentences; anything for samples without one.
    pub sentences: Option<TaskInput>,
    /// Which samples have a sentence.
    pub labelled: Vec<bool>,
    /// Normalised actions, `[batch, numbers]`.
    pub actions: Tensor<2>,
    /// Weight of each sample's actions; 0 for videos without any.
    pub action_weights: Vec<f32>,
    /// Ones for pairs of samples that must not be told apart, `[batch, batch]`.
    pub blocked: Option<Tensor<2>>,
}

/// The loss and its parts.
#[derive(Clone, Debug)]
pub struct JointLoss {
    /// The sum, `[1]`; zero if the batch has nothing to learn.
    pub total: Tensor<1>,
    /// Numbers of the branches that had samples.
    pub branches: Vec<(Modality, BranchInfo)>,
    /// Weighted alignment loss, if there were pairs to align.
    pub alignment: Option<f32>,
    /// Numbers of its contrast.
    pub contrast: Option<Contrast>,
    /// Representations of image pairs and of sentences, `[batch, numbers]` each, if the policy has
    /// both.
    pub representations: Option<[Tensor<2>; 2]>,
}

/// The loss of a batch; see the [module](self). Both branches share the dropout masks.
///
/// # Errors
/// If an input does not fit the policy.
pub fn joint_loss(
    policy: &Grif,
    batch: &Batch,
    dropout: Option<&KeepMasks<2>>,
) -> Result<JointLoss, PolicyError> {
    let rows = batch.labelled.len();
    let all = vec![true; rows];
    let unlabelled = batch.labelled.iter().map(|labelled| !labelled);
    let unlabelled = unlabelled.collect::<Vec<_>>();
    let mut total = Tensor::<1>::zeros([1], &batch.actions.device());
    let mut numbers = Vec::new();
    let mut outputs = Vec::new();
    for (modality, task, mask) in [
        (Modality::Image, &batch.goals, &all),
        (Modality::Language, &batch.sentences, &batch.labelled),
    ] {
        let (Some(task), Some(_)) = (task, policy.config().task_encoder(modality)) else {
            continue;
        };
        let representation = policy.task(&batch.scene, task, modality)?;
        let learning = Learning {
            dropout,
            // The authors' count of masks lets this act on the image branch alone.
            frozen: (policy.config().freeze_unlabelled && modality == Modality::Image)
                .then_some(&unlabelled[..]),
        };
        let output = policy.act(&batch.scene, representation, 1.0, learning)?;
        let weights = mask.iter().zip(&batch.action_weights);
        let weights = weights.map(|(&used, weight)| if used { *weight } else { 0.0 });
        if let Some((loss, row)) = branch(&output.actions, &batch.actions, weights.collect()) {
            total = total + loss;
            numbers.push((modality, row));
        }
        outputs.push(output.task.flat());
    }
    let mut alignment = None;
    let representations = <[Tensor<2>; 2]>::try_from(outputs).ok();
    if let Some([images, sentences]) = &representations {
        let usable = Usable {
            images: &all,
            sentences: &batch.labelled,
        };
        alignment = policy.config().alignment.loss(
            images.clone(),
            sentences.clone(),
            policy.temperature.val(),
            &usable,
            batch.blocked.clone(),
        );
        if let Some(found) = &alignment {
            total = total + found.loss.clone();
        }
    }
    let scalar = |tensor: &Tensor<1>| {
        host::values(tensor.clone())
            .first()
            .copied()
            .unwrap_or(f32::NAN)
    };
    Ok(JointLoss {
        total,
        branches: numbers
            .into_iter()
            .map(|(modality, row)| (modality, BranchInfo::read(row)))
            .collect(),
        alignment: alignment.as_ref().map(|found| scalar(&found.loss)),
        contrast: alignment.and_then(|found| found.contrast),
        representations,
    })
}
