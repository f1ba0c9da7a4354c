//! `20_` to `23_cotpc*`: the policy's forward passes, losses, training and acting.

use burn::tensor::{Device, Tensor};

use super::model::{KEYS, whole};
use super::training::origin;
use crate::infocon::Windows;
use crate::infocon::cotpc::loss::{CotBatch, losses_of};
use crate::infocon::cotpc::network::CotPrediction;
use crate::infocon::cotpc::{CotLearner, CotLearnerConfig, Cotpc, CotpcConfig, Rollout};
use crate::infocon::learner::RateSchedule;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{put_gradient_set, put_weights, with_weights};
use crate::parity::outputs::Outputs;
use crate::training::AdamWConfig;

/// Sizes and options of a file's configuration.
///
/// # Errors
/// If one is missing or they do not go together.
pub fn config(file: &GoldenFile) -> Result<CotpcConfig, ParityError> {
    let count = |key: &str| file.count(&format!("/{key}"));
    let kind = file.text("/model_type")?;
    let (actions, queries) = match kind.as_str() {
        "s" => (false, false),
        "s+a" => (true, false),
        "s+cot" => (false, true),
        "s+a+cot" => (true, true),
        other => {
            let reason = format!("`model_type` is `{other}`, which is not built here");
            return Err(ParityError::Config(reason));
        }
    };
    let key_state_layers = if queries {
        predictors(file)?
    } else {
        Vec::new()
    };
    let config = CotpcConfig {
        state_dim: count("state_dim")?,
        action_dim: count("action_dim")?,
        width: count("n_embd")?,
        heads: count("n_head")?,
        layers: count("n_layer")?,
        context: count("context_length")?,
        max_timestep: count("max_timestep")?,
        hidden: count("mlp_hidden")?,
        actions,
        key_states: if queries { count("n_keys")? } else { 0 },
        key_state_layers,
        key_state_hidden: if queries { count("cot_decoder")? } else { 0 },
    };
    config.check()?;
    Ok(config)
}

/// The blocks that key states are predicted from, one digit each.
fn predictors(file: &GoldenFile) -> Result<Vec<usize>, ParityError> {
    let digits = file.text("/key_state_loss")?;
    let layer = |digit: char| digit.to_digit(10).map(|digit| digit as usize);
    let layers = digits.chars().map(layer).collect::<Option<_>>();
    layers.ok_or_else(|| {
        ParityError::Config(format!("`key_state_loss` is `{digits}`, expected digits"))
    })
}

fn network(file: &GoldenFile, device: &Device) -> Result<(Cotpc, CotpcConfig), ParityError> {
    let config = config(file)?;
    let network = with_weights(Cotpc::new(&config, device)?, file, "", KEYS)?;
    Ok((network, config))
}

/// A number beside the configuration.
fn remark(file: &GoldenFile, pointer: &str) -> Result<f64, ParityError> {
    let found = [file.extra(), file.config()].into_iter();
    let mut found = found.filter_map(|json| json.pointer(pointer)?.as_f64());
    found.next().ok_or_else(|| {
        ParityError::Config(format!("`{pointer}` is missing beside the configuration"))
    })
}

fn windows(
    file: &GoldenFile,
    [states, actions, starts]: [&str; 3],
    config: &CotpcConfig,
    device: &Device,
) -> Result<Windows, ParityError> {
    let states = file.tensor(states, device)?;
    let actions = Some(file.tensor(actions, device)?);
    Ok(config.windows(states, actions, whole(file, starts)?)?)
}

/// A forward pass as in training, with losses if the file has key states.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let (network, config) = network(file, device)?;
    let names = ["in/states", "in/actions", "in/timesteps"];
    let windows = windows(file, names, &config, device)?;
    let horizon = match config.key_states {
        0 => Vec::new(),
        _ => whole(file, "in/r_tokens")?,
    };
    let found = network.forward(&windows, &horizon);
    let mut outputs = Outputs::default();
    put_prediction(&mut outputs, &found);
    let drawn = horizon.iter().map(|&token| token as f64);
    outputs.put_vector("out/r_tokens", &drawn.collect::<Vec<_>>());
    if file.has("in/key_states") {
        let batch = CotBatch {
            windows,
            lengths: whole(file, "in/lengths")?,
            key_states: file.tensor("in/key_states", device)?,
            key_mask: file.tensor("in/key_mask", device)?,
            horizon,
        };
        let losses = losses_of(&found, &batch, remark(file, "/key_state_coeff")?);
        outputs.put("out/l_action", losses.actions);
        outputs.put("out/l_key", losses.key_states);
        outputs.put("out/l_total", losses.total);
    }
    Ok(outputs)
}

fn put_prediction(outputs: &mut Outputs, found: &CotPrediction) {
    outputs.put("out/action_pred", found.actions.clone());
    for (index, predicted) in found.key_states.iter().enumerate() {
        if index == 0 {
            outputs.put("out/key_state_pred", predicted.clone());
        }
        outputs.put(format!("out/key_state_pred_{index}"), predicted.clone());
    }
}

/// Acting with given actions.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute_rollout(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let (network, config) = network(file, device)?;
    let states = file.get("in/states")?;
    let &[rows, steps, _] = states.shape.as_slice() else {
        return Err(ParityError::Config(
            "`in/states` has not three axes".to_owned(),
        ));
    };
    let starts = whole(file, "in/window_start")?;
    let (states, actions) = (file.values("in/states")?, file.values("in/actions")?);
    let mut decided = [Vec::new(), Vec::new()];
    let mut slid = true;
    for row in 0..rows {
        let mut rollout = Rollout::new(config.clone());
        for step in 0..steps {
            let index = row * steps + step;
            let of = |values: &[f32], index: usize, width: usize| {
                values
                    .get(index * width..(index + 1) * width)
                    .map(<[f32]>::to_vec)
            };
            let state = of(&states, index, config.state_dim).unwrap_or_default();
            let action = match step {
                0 => None,
                _ => of(&actions, index - 1, config.action_dim),
            };
            rollout.push(action.as_deref(), &state)?;
            slid &= starts
                .get(step)
                .is_none_or(|&start| start == rollout.history().start());
            let decision = rollout.decide(&network, device)?;
            decided[0].extend(decision.action);
            decided[1].extend(decision.key_states);
        }
    }
    if !slid {
        let reason = "`in/window_start` is not where windows of the context start".to_owned();
        return Err(ParityError::Config(reason));
    }
    let mut outputs = Outputs::default();
    let shape = [rows, steps, config.action_dim];
    outputs.put_values("out/action", &shape, &decided[0]);
    let shape = [rows, steps, config.key_states, config.state_dim];
    outputs.put_values("out/key_state_pred", &shape, &decided[1]);
    Ok(outputs)
}

/// Training steps, or the weights that they leave.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit, or the file of steps that it belongs
/// to is not beside it.
pub fn compute_training(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let device = &device.clone().autodiff();
    let mut outputs = Outputs::default();
    match origin(file)? {
        Some((steps, count)) => {
            let learner = run(&steps, device, Some(count), &mut Outputs::default())?;
            put_weights(&mut outputs, learner.network(), file, "out/", KEYS);
        }
        None => {
            run(file, device, None, &mut outputs)?;
        }
    }
    Ok(outputs)
}

fn run(
    file: &GoldenFile,
    device: &Device,
    count: Option<usize>,
    outputs: &mut Outputs,
) -> Result<CotLearner, ParityError> {
    let (network, config) = network(file, device)?;
    let mut learner = CotLearner::new(network, settings(file)?);
    let mut step = 0;
    while file.has(&format!("in/step{step}/s")) && count.is_none_or(|count| step < count) {
        let key = |name: &str| format!("in/step{step}/{name}");
        let queries = config.key_states > 0;
        let zero = |shape: [usize; 2]| Tensor::<2>::zeros(shape, device);
        let batch = CotBatch {
            windows: windows(file, [&key("s"), &key("a"), &key("t")], &config, device)?,
            lengths: whole(file, &key("lengths"))?,
            key_states: if queries {
                file.tensor(&key("k"), device)?
            } else {
                zero([1, 1]).unsqueeze()
            },
            key_mask: if queries {
                file.tensor(&key("km"), device)?
            } else {
                zero([1, 1])
            },
            horizon: if queries {
                whole(file, &key("r_tokens"))?
            } else {
                Vec::new()
            },
        };
        let before = learner.network().clone();
        let done = learner.step(&batch)?;
        let start = format!("out/step{step}/");
        let under = (format!("{start}grad/"), "");
        put_gradient_set(
            outputs,
            &before,
            &done.gradients,
            file,
            (&under.0, under.1),
            KEYS,
        );
        outputs.put(format!("{start}l_action"), done.losses.actions);
        outputs.put(format!("{start}l_key"), done.losses.key_states);
        outputs.put(format!("{start}l_total"), done.losses.total);
        step += 1;
    }
    match count.filter(|&count| step < count) {
        Some(missing) => Err(ParityError::Config(format!(
            "the file of steps has {step} steps, {missing} are needed"
        ))),
        None => Ok(learner),
    }
}

fn settings(file: &GoldenFile) -> Result<CotLearnerConfig, ParityError> {
    let number = |key: &str| remark(file, &format!("/train/{key}"));
    Ok(CotLearnerConfig {
        key_state_weight: number("key_state_coeff")?,
        learning_rate: number("init_lr")?,
        schedule: schedule(file)?,
        adam: AdamWConfig {
            beta_1: number("beta1")? as f32,
            beta_2: number("beta2")? as f32,
            epsilon: 1e-8,
            weight_decay: number("weight_decay")? as f32,
            decay_linear_only: true,
        },
    })
}

/// `warmup 2, t_max 8`.
fn schedule(file: &GoldenFile) -> Result<RateSchedule, ParityError> {
    let text = file.extra()["schedule"].as_str().unwrap_or_default();
    let value = |name: &str| {
        let mut words = text
            .split([' ', ',', '=', ':'])
            .filter(|word| !word.is_empty());
        words.find(|word| *word == name)?;
        words.next()?.parse::<u64>().ok()
    };
    match (value("warmup"), value("t_max")) {
        (Some(warm_up), Some(total)) => Ok(RateSchedule::WarmCosine { warm_up, total }),
        _ => Err(ParityError::Config(format!(
            "`schedule` is `{text}`, expected `warmup N, t_max M`"
        ))),
    }
}
