//! `gcbc_*`: the goal-image baseline over three updates.

use burn::tensor::Device;

use super::options::{TaskShape, head, optimizer, resnet};
use crate::grif::cloning::{BranchInfo, branch};
use crate::grif::gcbc::{Gcbc, GcbcConfig, GoalFusion};
use crate::grif::keys::KEYS;
use crate::grif::optimizer::Optimizer;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{put_weights, with_weights};
use crate::parity::outputs::Outputs;
use crate::training::gradients::GradientSet;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let device = &device.clone().autodiff();
    let options = &file.config()["agent_kwargs"];
    let now = file.tensor::<4>("in/observations/image", device)?;
    let goal = file.tensor::<4>("in/goals/image", device)?;
    let actions = file.tensor::<2>("in/actions", device)?;
    let proprioception = match options["use_proprio"].as_bool() {
        Some(true) => Some(file.tensor::<2>("in/observations/proprio", device)?),
        _ => None,
    };
    let [_, side, _, channels] = now.dims();
    let config = GcbcConfig {
        encoder: resnet(
            &file.text("/encoder")?,
            &file.config()["encoder_kwargs"],
            TaskShape::None,
            (side, channels),
        )?,
        fusion: match (
            options["early_goal_concat"].as_bool().unwrap_or(false),
            options["shared_goal_encoder"].as_bool().unwrap_or(true),
        ) {
            (true, _) => GoalFusion::EarlyConcat,
            (false, true) => GoalFusion::LateShared,
            (false, false) => GoalFusion::LateSeparate,
        },
        proprioception: proprioception.as_ref().map_or(0, |rows| rows.dims()[1]),
        head: head(options, actions.dims()[1])?,
    };
    if let Some(problem) = config.problem() {
        return Err(ParityError::Config(problem));
    }
    let mut policy = with_weights(Gcbc::new(&config, device), file, "", &KEYS)?;
    let forward =
        |policy: &Gcbc| policy.forward(now.clone(), goal.clone(), proprioception.clone(), None);
    outputs.put("out/action", forward(&policy)?.mode());

    let mut optimizer = Optimizer::new(optimizer(options)?);
    for step in 1..=3 {
        let rate = optimizer.learning_rate();
        let weights = vec![1.0; actions.dims()[0]];
        let Some((loss, numbers)) = branch(&forward(&policy)?, &actions, weights) else {
            return Err(ParityError::Config("a batch of no samples".into()));
        };
        let start = format!("out/step{step}");
        put_branch(
            &mut outputs,
            &format!("{start}/info"),
            BranchInfo::read(numbers),
        );
        outputs.put_vector(format!("{start}/info/lr"), &[rate]);
        let gradients = GradientSet::take(&policy, loss.backward(), |_| true);
        policy = optimizer.step(policy, gradients, |_| false);
        let under = format!("{start}/params/");
        put_weights(&mut outputs, &policy, file, &under, &KEYS);
    }
    Ok(outputs)
}

/// The numbers of a branch under the authors' names.
pub fn put_branch(outputs: &mut Outputs, start: &str, info: BranchInfo) {
    for (name, value) in [
        ("actor_loss", info.actor_loss),
        ("mse", info.mse),
        ("log_probs", info.log_probs),
        ("pi_actions", info.pi_actions),
        ("mean_std", info.mean_std),
        ("max_std", info.max_std),
    ] {
        outputs.put_vector(format!("{start}/{name}"), &[value]);
    }
}
