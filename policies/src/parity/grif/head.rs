//! `policy_head`: variants of the head, each in a folder of its own.

use std::collections::BTreeSet;

use burn::tensor::Device;

use crate::grif::head::{HeadConfig, PolicyHead, StdKind};
use crate::grif::keys::KEYS;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::with_weights;
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let (encoding, actions) = (
        file.tensor::<2>("in/x", device)?,
        file.tensor::<2>("in/actions", device)?,
    );
    let runs = file.keys_under("out/").filter_map(|key| {
        let (variant, rest) = key.split_once('/')?;
        let (temperature, _) = rest.split_once('/')?;
        Some((variant.to_owned(), temperature.to_owned()))
    });
    for (variant, name) in runs.collect::<BTreeSet<_>>() {
        let head = head(file, &variant, device)?;
        let number = name.strip_prefix("temp").and_then(|text| text.parse().ok());
        let Some(temperature) = number else {
            return Err(ParityError::Config(format!("a run called `{name}`")));
        };
        let output = head.forward(encoding.clone(), temperature, None);
        let start = format!("out/{variant}/{name}");
        outputs.put(format!("{start}/mode"), output.mode());
        outputs.put(format!("{start}/std"), output.std());
        outputs.put(
            format!("{start}/log_prob"),
            output.log_prob(actions.clone()),
        );
    }
    Ok(outputs)
}

fn head(file: &GoldenFile, variant: &str, device: &Device) -> Result<PolicyHead, ParityError> {
    let actions = file.count("/action_dim")?;
    let config = HeadConfig {
        hidden: file.counts("/hidden_dims")?,
        actions,
        std: match variant {
            "fixed_std" => StdKind::Fixed(fixed(file, actions)?),
            "learned_std" => StdKind::Learned,
            _ => StdKind::OfState,
        },
        tanh: variant == "tanh",
        dropout: 0.0,
    };
    if let Some(problem) = config.problem() {
        return Err(ParityError::Config(problem));
    }
    let head = PolicyHead::new(&config, file.count("/in_dim")?, device);
    with_weights(head, file, &format!("{variant}/"), &KEYS)
}

/// The fixed deviations are an option that the file only shows in what came of it at temperature
/// one.
fn fixed(file: &GoldenFile, actions: usize) -> Result<Vec<f32>, ParityError> {
    let mut std = file.values("out/fixed_std/temp1.0/std")?;
    std.truncate(actions);
    Ok(std)
}
