//! `image_transforms`: resizing, normalising and shifting of images.

use burn::tensor::Device;

use super::TOLERANCES;
use crate::images::{Normaliser, resize};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;
use crate::training::augment::Augmentation;

/// Bytes may differ by one count from another resampler, and what is computed from them by as much.
pub fn tolerance(key: &str) -> f64 {
    /// One count and not two, where the brightest byte is at least 199.
    const ONE_COUNT: f64 = 1.0 / 200.0;
    /// A count after normalising is up to 0.015, where the largest value is between 1.5 and 2.2.
    const ONE_COUNT_NORMALISED: f64 = 0.0065;
    if key.starts_with("out/u8_resized_") {
        ONE_COUNT
    } else if key.starts_with("out/normalized_") {
        ONE_COUNT_NORMALISED
    } else {
        TOLERANCES.of(key)
    }
}

/// All outputs of a file.
///
/// # Errors
/// If the file's inputs do not fit.
pub fn compute(file: &GoldenFile, _device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    for name in file.keys_under("in/u8_") {
        resized(file, name, &mut outputs)?;
    }
    for name in file.keys_under("in/shift_img_") {
        shifted(file, name, &mut outputs)?;
    }
    Ok(outputs)
}

fn resized(file: &GoldenFile, name: &str, outputs: &mut Outputs) -> Result<(), ParityError> {
    let from = side(file, &format!("in/u8_{name}"))?;
    let to = side(file, &format!("out/f32_resized_{name}"))?;
    let image = file.values(&format!("in/u8_{name}"))?;
    // The reference keeps channels apart: plane by plane.
    let planes = image
        .chunks_exact(from * from)
        .flat_map(|plane| resize(plane, 1, from, to))
        .collect::<Vec<_>>();
    let shape = [planes.len() / (3 * to * to), 3, to, to];
    let unit = planes.iter().map(|value| value / 255.0);
    let unit = unit.collect::<Vec<_>>();
    outputs.put_values(format!("out/f32_resized_{name}"), &shape, &unit);
    let bytes = planes
        .iter()
        .map(|value| value.round().clamp(0.0, 255.0) as u8);
    let bytes = bytes.collect::<Vec<_>>();
    outputs.put_values(format!("out/u8_resized_{name}"), &shape, &bytes);
    let normal = bytes
        .chunks_exact(3 * to * to)
        .flat_map(|image| normalised(image, to * to))
        .collect::<Vec<_>>();
    outputs.put_values(format!("out/normalized_{name}"), &shape, &normal);
    Ok(())
}

/// Our normaliser takes interleaved channels; the planes are woven and parted again.
fn normalised(planes: &[u8], area: usize) -> Vec<f32> {
    let woven = (0..area).flat_map(|pixel| [0, 1, 2].map(|c| planes[c * area + pixel]));
    let mut values = Vec::with_capacity(3 * area);
    Normaliser::default().apply(&woven.collect::<Vec<_>>(), &mut values);
    (0..3)
        .flat_map(|channel| values.iter().skip(channel).step_by(3).copied())
        .collect()
}

/// The shift by given offsets. Our augmentation moves bytes, the reference's images are floats: it is
/// run on an image of pixel numbers, which says where every pixel comes from.
fn shifted(file: &GoldenFile, name: &str, outputs: &mut Outputs) -> Result<(), ParityError> {
    let key = format!("in/shift_img_{name}");
    let size = side(file, &key)?;
    let shape = file.get(&key)?.shape.clone();
    let images = file.values(&key)?;
    let offsets = file.get(&format!("in/shift_xy_{name}"))?.values.clone();
    let pad = file.list("/cases")?.iter().find_map(|case| {
        let number = case["shift"].as_u64()?.to_string();
        (number == name).then(|| case["pad"].as_i64())?
    });
    let pad = pad.ok_or_else(|| ParityError::Config(format!("no pad of shift {name}")))?;
    let numbers = (0..size * size)
        .flat_map(|pixel| [(pixel >> 16) as u8, (pixel >> 8) as u8, pixel as u8])
        .collect::<Vec<_>>();
    let area = size * size;
    let mut moved = Vec::<f32>::with_capacity(images.len());
    for (image, offset) in images.chunks_exact(3 * area).zip(offsets.chunks_exact(2)) {
        let shift = Augmentation {
            offset: [offset[0] as i32 - pad as i32, offset[1] as i32 - pad as i32],
            ..Augmentation::NONE
        };
        let sources = shift.apply(&numbers, size);
        let (sources, _) = sources.as_chunks::<3>();
        for plane in image.chunks_exact(area) {
            moved.extend(sources.iter().filter_map(|&[high, middle, low]| {
                let source = u32::from_be_bytes([0, high, middle, low]);
                plane.get(source as usize)
            }));
        }
    }
    outputs.put_values(format!("out/shift_{name}"), &shape, &moved);
    Ok(())
}

/// Side of the square images of a tensor `[batch, 3, side, side]`.
fn side(file: &GoldenFile, key: &str) -> Result<usize, ParityError> {
    match file.get(key)?.shape.as_slice() {
        &[_, 3, height, width] if height == width && height > 0 && height < 4096 => Ok(height),
        shape => Err(ParityError::Tensor {
            key: key.to_owned(),
            reason: format!("has shape {shape:?}, expected square images of three channels"),
        }),
    }
}
