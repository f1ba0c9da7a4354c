//! `mdt_samplers`, `mdtv_samplers`: from noise to actions by the samplers of the reference.

use burn::tensor::{Device, Tensor};
use serde_json::Value;

use super::TOLERANCES;
use super::network::{diffusion, network, tokens};
use crate::diffusion::samplers::{Churn, SamplerKind};
use crate::diffusion::{Preconditioning, Schedule, Step};
use crate::mdt::denoiser::{Denoiser, Tokens};
use crate::nn::KeyValue;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// Errors grow over the steps of a sampler.
pub fn tolerance(key: &str) -> f64 {
    TOLERANCES.of(key).max(2e-4)
}

/// All outputs of all runs.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let network = network(file, device)?;
    let rule = diffusion(file)?.preconditioning();
    let unit = file.tensor::<3>("in/x_unit", device)?;
    for index in 0..file.list("/runs")?.len() {
        let at = |key: &str| format!("/runs/{index}/{key}");
        let tag = file.text(&at("tag"))?;
        let range = [
            file.number(&at("sigma_min"))?,
            file.number(&at("sigma_max"))?,
        ];
        let steps = file.count(&at("n"))?;
        let kind = kind(&file.text(&at("sampler"))?, &file.config()["runs"][index])?;
        let sampler = kind.start(steps);
        // Their levels are rounded to single precision.
        let levels = match kind {
            SamplerKind::DpmFast => sampler.levels(Schedule::Exponential, steps, range),
            _ => file.get(&format!("in/{tag}/sigmas"))?.values.clone(),
        };
        let goal = file.text(&at("goal"))?;
        let run = Run {
            model: Model::new(&network, rule, tokens(file, &goal, device)?),
            noise: noise(file, &tag, device)?,
            levels,
        };
        run.sample(kind, steps, unit.clone() * range[1], &tag, &mut outputs)?;
    }
    Ok(outputs)
}

/// The sampler that the authors call so, with the arguments of a run.
pub(super) fn kind(name: &str, run: &Value) -> Result<SamplerKind, ParityError> {
    let number = |key: &str, default: f64| run["kwargs"][key].as_f64().unwrap_or(default);
    let churn = Churn {
        amount: number("s_churn", 0.0),
        least: number("s_tmin", 0.0),
        greatest: run["kwargs"]["s_tmax"].as_f64(),
        noise: run["kwargs"]["s_noise"].as_f64(),
    };
    let (eta, noise) = (number("eta", 1.0), number("s_noise", 1.0));
    Ok(match name {
        "ddim" => SamplerKind::Ddim,
        "euler" => SamplerKind::Euler(churn),
        "heun" => SamplerKind::Heun(churn),
        "dpm" => SamplerKind::Dpm2(churn),
        "ancestral" => SamplerKind::Dpm2Ancestral { eta },
        "euler_ancestral" => SamplerKind::EulerAncestral { eta },
        "lms" => SamplerKind::Lms {
            order: number("order", 4.0) as usize,
        },
        "dpm_fast" => SamplerKind::DpmFast,
        "dpmpp_2m" | "dpmpp_2_with_lms" => SamplerKind::DpmPp2m,
        "dpmpp_2s" => SamplerKind::DpmPp2s,
        "dpmpp_2s_ancestral" => SamplerKind::DpmPp2sAncestral { eta, noise },
        "dpmpp_2m_sde" => SamplerKind::DpmPpSde {
            eta,
            noise,
            middle: number("r", 0.5),
        },
        other => {
            let reason = format!("there is no sampler `{other}`");
            return Err(ParityError::Config(reason));
        }
    })
}

/// Draws of a run, in the order in which they are used.
fn noise(file: &GoldenFile, tag: &str, device: &Device) -> Result<Vec<Tensor<3>>, ParityError> {
    let key = format!("in/{tag}/noise");
    if !file.has(&key) {
        return Ok(Vec::new());
    }
    let all = file.tensor::<4>(&key, device)?;
    let [count, batch, horizon, width] = all.dims();
    let draw = |index| all.clone().narrow(0, index, 1);
    Ok((0..count)
        .map(|index| draw(index).reshape([batch, horizon, width]))
        .collect())
}

/// The denoiser with its context.
struct Model<'a> {
    network: &'a Denoiser,
    rule: Preconditioning,
    tokens: Tokens,
    context: Option<Vec<KeyValue>>,
}

impl<'a> Model<'a> {
    fn new(network: &'a Denoiser, rule: Preconditioning, tokens: Tokens) -> Self {
        let fixed = !network.context_has_noise();
        let context = fixed.then(|| {
            let context = network.policy_context(tokens.clone(), None);
            network.project(&context)
        });
        Self {
            network,
            rule,
            tokens,
            context,
        }
    }

    /// The estimate of the clean actions.
    fn denoise(&self, state: &Tensor<3>, sigma: f64) -> Tensor<3> {
        let [batch, ..] = state.dims();
        let level = Tensor::<1>::full([batch], sigma as f32, &state.device());
        let noise = self.network.embed_sigma(level);
        let factors = self.rule.at(sigma);
        let input = state.clone() * factors.c_in;
        let blocks = self.network.block_noise(&noise);
        let output = match &self.context {
            Some(context) => self.network.decode(input, &blocks, context),
            None => {
                let tokens = self.tokens.clone();
                let context = self.network.policy_context(tokens, Some(&noise));
                let context = self.network.project(&context);
                self.network.decode(input, &blocks, &context)
            }
        };
        output * factors.c_out + state.clone() * factors.c_skip
    }
}

/// One run of a sampler.
struct Run<'a> {
    model: Model<'a>,
    noise: Vec<Tensor<3>>,
    levels: Vec<f64>,
}

impl Run<'_> {
    /// States and estimates after every step, and the last state.
    fn sample(
        self,
        kind: SamplerKind,
        steps: usize,
        start: Tensor<3>,
        tag: &str,
        outputs: &mut Outputs,
    ) -> Result<(), ParityError> {
        let mut sampler = kind.start(steps);
        let mut denoise = |state: &Tensor<3>, sigma: f64| self.model.denoise(state, sigma);
        let mut given = self.noise.into_iter();
        let mut lacking = false;
        let zeros = start.zeros_like();
        let mut noise = || {
            given.next().unwrap_or_else(|| {
                lacking = true;
                zeros.clone()
            })
        };
        let mut state = start;
        let (mut states, mut estimates) = (Vec::new(), Vec::new());
        for index in 0..self.levels.len().saturating_sub(1) {
            let step = Step {
                levels: &self.levels,
                index,
            };
            let progress = sampler.step(state, step, &mut denoise, &mut noise);
            state = progress.state;
            states.push(state.clone().unsqueeze_dim::<4>(0));
            estimates.push(progress.clean.unsqueeze_dim::<4>(0));
        }
        if lacking {
            let reason = format!("run `{tag}` has fewer draws than its sampler uses");
            return Err(ParityError::Config(reason));
        }
        outputs.put(format!("out/{tag}/final"), state);
        if !states.is_empty() {
            outputs.put(format!("out/{tag}/x_after_step"), Tensor::cat(states, 0));
            outputs.put(format!("out/{tag}/denoised"), Tensor::cat(estimates, 0));
        }
        Ok(())
    }
}
