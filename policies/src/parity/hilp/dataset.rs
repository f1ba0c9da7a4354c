//! `gcrl_dataset_aug`: preparation of datasets, crops of images.

use burn::tensor::Device;

use crate::hilp::goal_conditioned::crop::CropConfig;
use crate::hilp::goal_conditioned::dataset::Transitions;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If an input is missing or of the wrong size.
pub fn compute(file: &GoldenFile, _: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let transitions = transitions(file)?;
    let kitchen = transitions.clone().drop_terminals();
    put(&mut outputs, "antmaze", &transitions.split_at_jumps());
    put(&mut outputs, "kitchen", &kitchen);
    crops(file, &mut outputs)?;
    Ok(outputs)
}

fn transitions(file: &GoldenFile) -> Result<Transitions, ParityError> {
    let width = |key: &str| {
        let shape = &file.get(key)?.shape;
        Ok::<_, ParityError>(shape.get(1).copied().unwrap_or_default())
    };
    let ends = &file.get("in/terminals")?.values;
    let transitions = Transitions {
        observation_dim: width("in/observations")?,
        action_dim: width("in/actions")?,
        observations: file.values("in/observations")?,
        next_observations: file.values("in/next_observations")?,
        actions: file.values("in/actions")?,
        rewards: file.values("in/rewards")?,
        ends: ends.iter().map(|&end| end > 0.0).collect(),
    };
    match transitions.problem() {
        Some(problem) => Err(ParityError::Config(problem)),
        None => Ok(transitions),
    }
}

fn put(outputs: &mut Outputs, rule: &str, data: &Transitions) {
    let rows = data.rows();
    for (name, width, values) in [
        ("observations", data.observation_dim, &data.observations),
        (
            "next_observations",
            data.observation_dim,
            &data.next_observations,
        ),
        ("actions", data.action_dim, &data.actions),
    ] {
        outputs.put_values(format!("out/{rule}/{name}"), &[rows, width], values);
    }
    outputs.put_vector(format!("out/{rule}/rewards"), &data.rewards);
    let ends = data.ends.iter().map(|&end| f32::from(u8::from(end)));
    let ends = ends.collect::<Vec<_>>();
    let masks = ends.iter().map(|end| 1.0 - end).collect::<Vec<_>>();
    for (name, values) in [
        ("traj_ends", &ends),
        ("dones_float", &ends),
        ("masks", &masks),
    ] {
        outputs.put_vector(format!("out/{rule}/{name}"), values);
    }
}

fn crops(file: &GoldenFile, outputs: &mut Outputs) -> Result<(), ParityError> {
    let images = file.get("in/crop_images")?;
    let offsets = &file.get("in/crop_from")?.values;
    let [_, height, width, channels] = images.shape[..] else {
        return Err(ParityError::Tensor {
            key: "in/crop_images".to_owned(),
            reason: format!("has shape {:?}, expected images", images.shape),
        });
    };
    let bytes = images.values.iter().map(|&value| value as u8);
    let bytes = bytes.collect::<Vec<_>>();
    let config = CropConfig::default();
    let rows = bytes.chunks_exact(height * width * channels);
    let cropped = rows
        .zip(offsets.as_chunks::<3>().0)
        .flat_map(|(image, offset)| {
            let offset = [offset[0] as usize, offset[1] as usize];
            config.crop(image, [height, width], offset)
        });
    let cropped = cropped.collect::<Vec<_>>();
    outputs.put_values("out/cropped", &images.shape, &cropped);
    Ok(())
}
