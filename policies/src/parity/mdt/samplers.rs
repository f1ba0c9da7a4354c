//! `mdt_samplers`: from noise to actions by the samplers of the reference.

use burn::tensor::{Device, Tensor};

use super::TOLERANCES;
use super::network::{diffusion, network, tokens};
use crate::diffusion::{Ddim, Preconditioning, Sampler};
use crate::mdt::denoiser::{Denoiser, GoalHead, Tokens};
use crate::nn::KeyValue;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// Errors grow over the steps of a sampler.
pub fn tolerance(key: &str) -> f64 {
    TOLERANCES.of(key).max(2e-4)
}

/// All outputs of the runs whose sampler exists here.
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
        if file.text(&at("sampler"))? != "ddim" {
            continue;
        }
        let start = unit.clone() * file.number(&at("sigma_max"))?;
        let kind = file.text(&at("goal"))?;
        let model = Model::new(&network, rule, tokens(file, &kind, device)?);
        let sigmas = &file.get(&format!("in/{tag}/sigmas"))?.values;
        ddim(&model, &tag, sigmas, start, &mut outputs)?;
    }
    Ok(outputs)
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
            let context = network.context(tokens.clone(), GoalHead::Goal, None);
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
                let context = self.network.context(tokens, GoalHead::Goal, Some(&noise));
                let context = self.network.project(&context);
                self.network.decode(input, &blocks, &context)
            }
        };
        output * factors.c_out + state.clone() * factors.c_skip
    }
}

/// States and estimates after every step, and the last state.
fn ddim(
    model: &Model<'_>,
    tag: &str,
    sigmas: &[f64],
    start: Tensor<3>,
    outputs: &mut Outputs,
) -> Result<(), ParityError> {
    let mut denoise =
        |state: &Tensor<3>, sigma: f64| Ok::<_, ParityError>(model.denoise(state, sigma));
    let mut state = start;
    let (mut states, mut estimates) = (Vec::new(), Vec::new());
    for levels in sigmas.windows(2) {
        let &[sigma, next] = levels else { break };
        let progress = Ddim.step(state, sigma, next, &mut denoise)?;
        state = progress.state;
        states.push(state.clone().unsqueeze_dim::<4>(0));
        estimates.push(progress.clean.unsqueeze_dim::<4>(0));
    }
    outputs.put(format!("out/{tag}/final"), state);
    if !states.is_empty() {
        outputs.put(format!("out/{tag}/x_after_step"), Tensor::cat(states, 0));
        outputs.put(format!("out/{tag}/denoised"), Tensor::cat(estimates, 0));
    }
    Ok(())
}
