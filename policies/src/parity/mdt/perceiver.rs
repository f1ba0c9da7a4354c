//! `perceiver`, `perceiver_time`: the resampler of MDT-V.

use burn::tensor::{Device, Tensor};

use crate::checkpoint::KeyMap;
use crate::nn::perceiver::FeedForwardActivation;
use crate::nn::{Perceiver, PerceiverConfig};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{put_gradients, with_weights};
use crate::parity::outputs::Outputs;

const PREFIX: &str = "perceiver.";

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let network = resampler(file, device)?;
    let tokens = file.tensor::<4>("in/x", device)?;
    outputs.put("out/y", network.forward(tokens, None));
    if file.has("in/x_time") {
        let tokens = file.tensor::<4>("in/x_time", device)?;
        outputs.put("out/y_time", network.forward(tokens.clone(), None));
        let marked = file.tensor::<2>("in/time_mask", device)?;
        let masked = network.forward(tokens, Some(marked));
        outputs.put("out/y_time_masked", masked);
    }

    let device = &device.clone().autodiff();
    let network = resampler(file, device)?;
    let tokens = file.tensor::<4>("in/x", device)?.require_grad();
    let probe = file.tensor::<3>("in/probe", device)?;
    let sum: Tensor<1> = (network.forward(tokens.clone(), None) * probe).sum();
    let mut grads = sum.backward();
    if let Some(grad) = tokens.grad_remove(&mut grads) {
        outputs.put("out/grad/in/x", grad);
    }
    let keys = ("out/grad/", PREFIX);
    put_gradients(&mut outputs, &network, grads, file, keys, &KeyMap::MDT);
    Ok(outputs)
}

fn resampler(file: &GoldenFile, device: &Device) -> Result<Perceiver, ParityError> {
    let config = PerceiverConfig {
        width: file.count("/dim")?,
        layers: file.count("/depth")?,
        heads: file.count("/heads")?,
        head_width: file.count("/dim_head")?,
        latents: file.count("/num_latents")?,
        frames: file.count("/num_time_embeds")?,
        mlp_ratio: file.count("/ff_mult")?,
        activation: match file.text("/activation")?.as_str() {
            "gelu" => FeedForwardActivation::Gelu,
            "sqrelu" => FeedForwardActivation::SquaredRelu,
            other => return Err(ParityError::Config(format!("activation `{other}`"))),
        },
    };
    if let Some(problem) = config.problem() {
        return Err(ParityError::Config(problem));
    }
    with_weights(Perceiver::new(&config, device), file, PREFIX, &KeyMap::MDT)
}
