//! `11_schedules`: learning rates and weights of losses over a run.

use burn::tensor::Device;

use crate::infocon::schedules::{confidence, future_weight, masked_share, warm_cosine};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// The run of the authors' scripts.
const WARM_UP: usize = 1_000;
const TOTAL: usize = 1_616_101;

/// All outputs of a file.
///
/// # Errors
/// If an input is missing.
pub fn compute(file: &GoldenFile, _: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let warm_up = file.count("/t_warmup").unwrap_or(WARM_UP) as u64;
    let total = file.count("/t_max").unwrap_or(TOTAL) as u64;
    let steps = super::model::whole(file, "in/iteration")?;
    let rates = steps
        .iter()
        .map(|&step| warm_cosine(step as u64, warm_up, total));
    outputs.put_vector("out/lr_multiplier", &rates.collect::<Vec<_>>());
    let progress = &file.get("in/progress")?.values;
    for (key, rule) in [
        ("coe_future", future_weight as fn(f64) -> f64),
        ("enough_threshold", confidence),
        ("decay_mask_rate", masked_share),
    ] {
        let values = progress.iter().map(|&progress| rule(progress));
        outputs.put_vector(format!("out/{key}"), &values.collect::<Vec<_>>());
    }
    Ok(outputs)
}
