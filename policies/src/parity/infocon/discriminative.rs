//! `06*_discriminative*`: scores, their gradients with respect to states, actions from them, and
//! gradients of both losses, for which the former are differentiated once more.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::model::{KEYS, config, part, per_step, whole, windows};
use crate::infocon::codebook::Codebook;
use crate::infocon::losses::{against, next_turn, step_errors};
use crate::infocon::objective::{classified, key_states};
use crate::infocon::sa_net::ScoreActionNet;
use crate::nn::norm::unit;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::put_gradients;
use crate::parity::outputs::Outputs;

/// The part of the model that is in the files, under the files' own keys.
#[derive(Module, Debug)]
struct Part {
    key_book: Codebook,
    sa_net: ScoreActionNet,
}

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let device = &device.clone().autodiff();
    let config = config(file)?;
    let fresh = Part {
        key_book: Codebook::new(&config, device),
        sa_net: ScoreActionNet::new(&config, device),
    };
    let model = part(fresh, file, "")?;
    let mut outputs = Outputs::default();
    let names = ["in/states", "in/actions", "in/timesteps"];
    let windows = windows(file, names, &config, device)?;
    let [rows, steps] = windows.shape();
    let concepts = whole(file, "in/indices")?;
    let (target, _) = key_states(&windows, &concepts);
    outputs.put("out/key_state_target", target.clone());

    let parameters = file.tensor::<3>("in/keys", device)?.require_grad();
    let found = model
        .sa_net
        .forward(&windows, parameters.clone(), Some(target));
    let hidden = unit(found.score.hidden.clone(), 1e-12);
    outputs.put(
        "out/score",
        per_step(found.score.probability(), [rows, steps]),
    );
    outputs.put(
        "out/hidden_unit",
        hidden.reshape([rows, steps, config.width]),
    );
    outputs.put("out/grad_state", found.gradient);
    outputs.put("out/action_pred", found.actions.clone());

    let actions: Tensor<3> = file.tensor("in/actions", device)?;
    let actions = actions.narrow(1, 0, steps);
    let errors = step_errors(found.actions, actions, &whole(file, "in/lengths")?);
    outputs.put("out/l_action_masked", errors.clone());
    let loss = errors.mean();
    outputs.put("out/l_action", loss.clone());
    let mut grads = loss.backward();
    if let Some(grad) = parameters.grad_remove(&mut grads) {
        outputs.put("out/grad_action_loss_wrt_keys", grad);
    }
    put_gradients(
        &mut outputs,
        &model,
        grads,
        file,
        ("out/grad_l_action/", ""),
        KEYS,
    );

    // Where the round had come is no input of the file; it is one before the concept that was next.
    let given = whole(file, "out/turn_concept")?
        .first()
        .copied()
        .unwrap_or(0);
    let last = (given + config.concepts).saturating_sub(1) % config.concepts;
    let Some(turn) = next_turn(last, config.concepts, &concepts) else {
        return Err(ParityError::Config("the file has no steps".to_owned()));
    };
    outputs.put_values("out/turn_concept", &[], &[turn as f64]);
    let (score, logit) = classified(&model.sa_net, &model.key_book, &windows, &concepts, turn);
    outputs.put("out/reward_i", score);
    let loss = against(logit).mean();
    outputs.put("out/l_reward_i", loss.clone());
    let grads = loss.backward();
    put_gradients(
        &mut outputs,
        &model,
        grads,
        file,
        ("out/grad_l_reward_i/", ""),
        KEYS,
    );
    Ok(outputs)
}
