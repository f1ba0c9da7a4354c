//! `02_time_sphere`: features at their times on the sphere, and back.

use burn::tensor::Device;

use super::model::config;
use crate::host;
use crate::infocon::time_sphere::TimeSphere;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let sphere = TimeSphere {
        rate: config(file)?.time_rate,
    };
    let mut outputs = Outputs::default();
    let features = file.tensor::<3>("in/feature", device)?;
    let [rows, steps, width] = features.dims();
    let embedded = sphere.embed(features, &file.values("in/unified_t")?);
    let points = host::values(embedded.clone());
    let points = points.into_iter().map(f64::from).collect::<Vec<_>>();
    outputs.put("out/embedded", embedded);
    let split = points
        .chunks_exact(width + 1)
        .map(|point| sphere.split(point));
    let (times, features): (Vec<_>, Vec<_>) = split.unzip();
    let logits = times.iter().map(|time| (time / (1.0 - time)).ln());
    outputs.put_values("out/t_logit", &[rows, steps], &logits.collect::<Vec<_>>());
    outputs.put_values("out/t_back", &[rows, steps], &times);
    outputs.put_values(
        "out/feature_back",
        &[rows, steps, width],
        &features.concat(),
    );
    Ok(outputs)
}
