//! `sigma_schedules`: noise levels, their densities, and the scalings of the denoiser.

use burn::tensor::Device;

use crate::diffusion::ancestral::Split;
use crate::diffusion::density::NoiseRange;
use crate::diffusion::schedules::{cosine_beta, iddpm, variance_exploding, variance_preserving};
use crate::diffusion::{Density, Preconditioning, Schedule, densities};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    for index in 0..file.list("/sets")?.len() {
        levels(file, index, &mut outputs)?;
    }
    let range = range(file)?;
    let one = Schedule::Exponential.sigmas(1, range.sigma_min, range.sigma_max);
    outputs.put_vector("out/exponential_n1", &one);
    drawn(file, range, &mut outputs)?;
    scalings(file, device, &mut outputs)?;

    let (from, to) = (file.get("in/anc_from")?, file.get("in/anc_to")?);
    let splits = from.values.iter().zip(&to.values);
    let splits = splits.map(|(&from, &to)| Split::new(from, to, 1.0));
    let splits = splits.collect::<Vec<_>>();
    let part = |part: fn(&Split) -> f64| splits.iter().map(part).collect::<Vec<_>>();
    outputs.put_vector("out/anc_down", &part(|split| split.down));
    outputs.put_vector("out/anc_up", &part(|split| split.up));
    Ok(outputs)
}

fn levels(file: &GoldenFile, index: usize, outputs: &mut Outputs) -> Result<(), ParityError> {
    let at = |key: &str| format!("/sets/{index}/{key}");
    let steps = file.count(&at("n"))?;
    let (least, most) = (
        file.number(&at("sigma_min"))?,
        file.number(&at("sigma_max"))?,
    );
    let tag = file.text(&at("tag"))?;
    for (name, levels) in [
        (
            "exponential",
            Schedule::Exponential.sigmas(steps, least, most),
        ),
        ("karras", Schedule::Karras.sigmas(steps, least, most)),
        ("linear", Schedule::Linear.sigmas(steps, least, most)),
        ("vp", variance_preserving(steps)),
        ("ve", variance_exploding(steps, least, most)),
        ("iddpm", iddpm(steps, least, most)),
        ("cosine_beta", cosine_beta(steps)),
    ] {
        outputs.put_vector(format!("out/{tag}/{name}"), &levels);
    }
    Ok(())
}

fn range(file: &GoldenFile) -> Result<NoiseRange, ParityError> {
    Ok(NoiseRange {
        sigma_min: file.number("/density/sigma_min")?,
        sigma_max: file.number("/density/sigma_max")?,
        sigma_data: file.number("/density/sigma_data")?,
    })
}

/// Noise levels from given uniform and normal draws.
fn drawn(file: &GoldenFile, range: NoiseRange, outputs: &mut Outputs) -> Result<(), ParityError> {
    let single = &file.get("in/u_f32")?.values;
    let double = &file.get("in/u_f64")?.values;
    let normal = &file.get("in/z")?.values;
    let [mean, deviation] = ["0", "1"].map(|i| file.number(&format!("/density/lognormal/{i}")));
    let (mean, deviation) = (mean?, deviation?);
    let [peak, below, above] =
        ["0", "1", "2"].map(|i| file.number(&format!("/density/split_lognormal/{i}")));
    let (peak, below, above) = (peak?, below?, above?);
    let each = |draws: &[f64], rule: &dyn Fn(f64) -> f64| {
        draws.iter().map(|&draw| rule(draw)).collect::<Vec<_>>()
    };
    let both = single.iter().zip(normal);
    let split = both.map(|(&u, &z)| densities::split_lognormal(u, z, peak, below, above));
    for (name, levels) in [
        (
            "loglogistic",
            each(double, &|u| Density::LogLogistic.quantile(u, range)),
        ),
        (
            "loguniform",
            each(single, &|u| Density::LogUniform.quantile(u, range)),
        ),
        ("uniform", each(single, &|u| densities::uniform(u, range))),
        (
            "v_diffusion",
            each(single, &|u| densities::v_diffusion(u, range)),
        ),
        (
            "lognormal",
            each(normal, &|z| densities::lognormal(z, mean, deviation)),
        ),
        ("split_lognormal", split.collect()),
    ] {
        outputs.put_vector(format!("out/density/{name}"), &levels);
    }
    Ok(())
}

/// The denoiser's scalings, on the device, for every `sigma_data` that the file expects.
fn scalings(file: &GoldenFile, device: &Device, outputs: &mut Outputs) -> Result<(), ParityError> {
    let sigma = file.tensor::<1>("in/sigma", device)?;
    for name in file.keys_under("out/precond/") {
        let Some(text) = name.strip_suffix("/c_in") else {
            continue;
        };
        let Ok(sigma_data) = text.parse() else {
            let reason = format!("`out/precond/{text}` is not named by a number");
            return Err(ParityError::Config(reason));
        };
        let scalings = Preconditioning { sigma_data }.scalings(&sigma);
        let start = format!("out/precond/{text}");
        outputs.put(format!("{start}/c_skip"), scalings.c_skip);
        outputs.put(format!("{start}/c_out"), scalings.c_out);
        outputs.put(format!("{start}/c_in"), scalings.c_in);
    }
    Ok(())
}
