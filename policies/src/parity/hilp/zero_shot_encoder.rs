//! `zsrl_encoder_*`: the image encoder and the shift of images.

use burn::tensor::{Device, Tensor};

use super::zero_shot_setup::pixels;
use crate::hilp::zero_shot::encoder::{ImageEncoder, shift_padding, shifted};
use crate::hilp::zero_shot::import::KEYS;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::with_weights;
use crate::parity::outputs::Outputs;

/// Rows of the moved images that the files hold.
const ROWS: usize = 4;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let (channels, size) = (file.count("/channels")?, file.count("/wh")?);
    let padding = file.number_of("in/pad")?;
    if padding != shift_padding(size) as f64 {
        let ours = shift_padding(size);
        let reason = format!("images of {size} are padded by {padding}, here by {ours}");
        return Err(ParityError::Config(reason));
    }
    let encoder = ImageEncoder::new(channels, size, device);
    let encoder = with_weights(encoder, file, "", &KEYS)?;
    let images = file.tensor::<4>("in/x", device)?.permute([0, 2, 3, 1]);
    outputs.put("out/features", encoder.forward(images.clone()));

    let offsets = pixels(file, "in/shift")?;
    let moved = shifted(images, &offsets).permute([0, 3, 1, 2]);
    let rows = moved.dims()[2].min(ROWS);
    let mean: Tensor<4> = moved.clone().mean_dim(2).mean_dim(3);
    let [batch, channels, ..] = mean.dims();
    outputs.put("out/shifted_mean", mean.reshape([batch, channels]));
    outputs.put("out/shifted_first4rows", moved.narrow(2, 0, rows));
    Ok(outputs)
}
