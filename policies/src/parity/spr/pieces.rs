//! `04_pieces`: augmentation, norms, distances, noise and reward classes by themselves.

use burn::tensor::{Device, Tensor};

use super::setup::{channels_first, whole};
use crate::checkpoint::{KeyMap, Layout};
use crate::objectives::spr::augment::Augmentation;
use crate::objectives::spr::categorical::to_categorical;
use crate::objectives::spr::loss::distance;
use crate::objectives::spr::noisy::NoisyLinear;
use crate::objectives::spr::transition::renormalized;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::with_weights;
use crate::parity::outputs::Outputs;

const KEYS: KeyMap = KeyMap {
    renames: &[],
    ignored: &[],
    joined: &[],
    layout: Layout::Torch,
};

/// All outputs of a file.
///
/// # Errors
/// If the file's weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let out = &mut outputs;
    let channels_last = |key: &str| {
        let images = file.tensor::<4>(key, device)?;
        Ok::<_, ParityError>(images.permute([0, 2, 3, 1]))
    };
    let offsets = whole(file, "in/shift_offset_yx")?;
    let augmentation = Augmentation {
        offsets: offsets
            .iter()
            .filter_map(|offset| offset.as_slice().try_into().ok())
            .collect(),
        brightness: file.values("in/intensity_normal")?,
    };
    let moved = augmentation.shift(channels_last("in/image")?);
    out.put("out/shifted", channels_first(moved.clone()));
    let bright = augmentation.brighten(moved);
    out.put("out/shifted_intensity", channels_first(bright));

    let latents = renormalized(channels_last("in/latent")?);
    out.put("out/renormalized", channels_first(latents));

    let vectors = |key: &str| Ok::<_, ParityError>(file.tensor::<4>(key, device)?.flatten(1, 2));
    let distances = distance(vectors("in/spr_x1")?, vectors("in/spr_x2")?);
    let shape = &file.get("in/spr_x1")?.shape;
    if let &[_, steps, batch, _] = shape.as_slice() {
        let distances: Tensor<2> = distances.reshape([steps, batch]);
        out.put("out/spr_loss", distances);
    }

    let weights = file.get("params/noisy.weight_mu")?.shape.clone();
    if let [output, input] = weights[..] {
        let layer = NoisyLinear::new(input, output, device);
        let layer = with_weights(layer, file, "noisy.", &KEYS)?;
        let rows = file.tensor::<2>("in/noisy_in", device)?;
        out.put("out/noisy_out_mean", layer.forward(rows.clone(), false));
        out.put("out/noisy_out_noise", layer.forward(rows, true));
    }

    let rewards = file.values("in/reward_value")?;
    let classes = to_categorical(&rewards, 1);
    let shape = [rewards.len(), 3];
    out.put_values("out/to_categorical_limit1", &shape, &classes);
    Ok(outputs)
}
