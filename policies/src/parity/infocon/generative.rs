//! `05_generative_goal`: key states, their prediction, and reconstruction.

use burn::tensor::Device;

use super::model::{KEYS, config, part, whole, windows};
use crate::infocon::future_net::FutureNet;
use crate::infocon::losses::step_errors;
use crate::infocon::objective::key_states;
use crate::infocon::rec_net::RecNet;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::put_gradient_set;
use crate::parity::outputs::Outputs;
use crate::training::gradients::GradientSet;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let device = &device.clone().autodiff();
    let config = config(file)?;
    let future_net = part(FutureNet::new(&config, device), file, "future_net.")?;
    let rec_net = part(RecNet::new(&config, device), file, "rec_net.")?;
    let mut outputs = Outputs::default();
    let names = ["in/states", "in/actions", "in/timesteps"];
    let windows = windows(file, names, &config, device)?;
    let lengths = whole(file, "in/lengths")?;

    let (target, closed) = key_states(&windows, &whole(file, "in/indices")?);
    outputs.put("out/key_state_target", target.clone());
    outputs.put("out/not_last_segment", closed.clone());
    if file.has("in/indices_model") {
        let (target, closed) = key_states(&windows, &whole(file, "in/indices_model")?);
        outputs.put("out/key_state_target_model_idx", target);
        outputs.put("out/not_last_segment_model_idx", closed);
    }

    let keys = file.tensor::<3>("in/key_hard", device)?.require_grad();
    let future = future_net.forward(&windows, keys.clone());
    outputs.put("out/future_pred", future.clone());
    let future = step_errors(future, target, &lengths);
    outputs.put("out/l_future_masked", future.clone());
    let future = (future * closed).mean();
    outputs.put("out/l_future", future.clone());

    let states = rec_net.forward(keys.clone());
    outputs.put("out/state_rec", states.clone());
    let errors = step_errors(states, windows.states(), &lengths);
    outputs.put("out/l_rec_masked", errors.clone());
    let reconstruction = errors.mean();
    outputs.put("out/l_rec", reconstruction.clone());

    let mut grads = (future + reconstruction).backward();
    if let Some(grad) = keys.grad_remove(&mut grads) {
        outputs.put("out/grad_key_hard", grad);
    }
    // Both networks share one backward pass.
    let both = (future_net, rec_net);
    let set = GradientSet::take(&both, grads, |_| true);
    for (index, prefix) in ["future_net.", "rec_net."].into_iter().enumerate() {
        let start = format!("{index}.");
        let own = set.by_key.iter();
        let own =
            own.filter_map(|(key, grad)| Some((key.strip_prefix(&start)?.into(), grad.clone())));
        let own = GradientSet {
            by_key: own.collect(),
        };
        let under = ("out/grad/", prefix);
        match index {
            0 => put_gradient_set(&mut outputs, &both.0, &own, file, under, KEYS),
            _ => put_gradient_set(&mut outputs, &both.1, &own, file, under, KEYS),
        }
    }
    Ok(outputs)
}
