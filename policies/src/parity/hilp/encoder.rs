//! `gcrl_encoder_*`: the image encoder alone.

use burn::tensor::{Device, Tensor};

use super::skill_setup::{encoder, with_weights};
use crate::nn::Impala;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let config = encoder(&file.text("/encoder")?)?;
    let images = file.tensor::<4>("in/x", device)?;
    let [batch, _, _, channels] = images.dims();
    let network = with_weights(Impala::new(&config, channels, device), file)?;
    let mut hidden = images.clone() / 255.0;
    for (index, stack) in network.stacks.iter().enumerate() {
        hidden = stack.forward(hidden);
        outputs.put(format!("out/stack_blocks_{index}"), hidden.clone());
    }
    outputs.put("out/features", network.forward(images.clone()));
    if batch > 0 {
        let single: Tensor<2> = network.forward(images.narrow(0, 0, 1));
        outputs.put("out/single", single.squeeze_dim::<1>(0));
    }
    Ok(outputs)
}
