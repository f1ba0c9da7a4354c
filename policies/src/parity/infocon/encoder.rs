//! `01_encoder_forward`: keys of whole windows, of their beginnings, and without actions.

use burn::tensor::Device;

use super::model::{config, part, windows};
use crate::infocon::Windows;
use crate::infocon::key_net::KeyNet;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let config = config(file)?;
    let network = part(KeyNet::new(&config, device), file, "key_net.")?;
    let mut outputs = Outputs::default();
    let whole = windows(
        file,
        ["in/states", "in/actions", "in/timesteps"],
        &config,
        device,
    )?;
    run(&network, &whole, "", &mut outputs);
    let embedded = network.state_encoder.forward(whole.states());
    outputs.put("out/state_embedding", embedded);
    if let Some(actions) = whole.actions() {
        let embedded = network.action_encoder.forward(actions.clone());
        outputs.put("out/action_embedding", embedded);
    }

    let starts = super::model::whole(file, "in/timesteps")?;
    let aimless = Windows::new(whole.states(), None, starts.clone(), &config)?;
    run(&network, &aimless, "_no_actions", &mut outputs);
    // Beginnings of any length that the file has.
    for end in file.keys_under("out/key_soft_T") {
        let Ok(steps) = end.parse::<usize>() else {
            continue;
        };
        let states = whole.states();
        let states = states.narrow(1, 0, steps.min(config.context));
        let beginning = Windows::new(states, whole.actions().cloned(), starts.clone(), &config)?;
        run(&network, &beginning, &format!("_T{end}"), &mut outputs);
    }
    Ok(outputs)
}

fn run(network: &KeyNet, windows: &Windows, end: &str, outputs: &mut Outputs) {
    let [states, actions] = network.features(windows);
    let keys = network.key_predictor.forward(states);
    outputs.put(format!("out/key_soft{end}"), keys);
    if let Some(next) = network.next_states(actions) {
        outputs.put(format!("out/state_trans{end}"), next);
    }
}
