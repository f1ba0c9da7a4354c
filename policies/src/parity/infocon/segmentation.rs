//! `12_segmentation`: labels of whole demonstrations, by the authors' script and as trained, their
//! key states, and one padded batch.

use burn::tensor::Device;

use super::model::{config, part, put_concepts, whole};
use crate::infocon::codebook::Codebook;
use crate::infocon::key_net::KeyNet;
use crate::infocon::objective::key_states;
use crate::infocon::segments::human_intuition;
use crate::infocon::{Demonstration, InfoCon, InfoConConfig, Protocol, Windows, label};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let config = config(file)?;
    // The file has the networks that labels need.
    let mut model = InfoCon::new(&config, device)?;
    model.key_net = part(KeyNet::new(&config, device), file, "key_net.")?;
    model.key_book = part(Codebook::new(&config, device), file, "key_book.")?;
    let mut outputs = Outputs::default();
    let mut scores = Vec::new();
    let mut index = 0;
    while file.has(&format!("in/obs_{index}")) {
        scores.push(demonstration(file, &model, &config, index, &mut outputs)?);
        index += 1;
    }
    let his = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
    outputs.put_values("out/his", &[], &[his]);
    padded(file, &model, &config, &mut outputs)?;
    Ok(outputs)
}

/// Labels of one demonstration; its score against the key state that the file names and its end.
fn demonstration(
    file: &GoldenFile,
    model: &InfoCon,
    config: &InfoConConfig,
    index: usize,
    outputs: &mut Outputs,
) -> Result<f64, ParityError> {
    let states = file.values(&format!("in/obs_{index}"))?;
    let actions = file.values(&format!("in/actions_{index}"))?;
    let device = model.key_net.global_pos_emb.val().device();
    let demonstration = Demonstration {
        states: &states,
        actions: &actions,
    };
    let run = |protocol| label(model, config, demonstration, protocol, &device);
    let put = |outputs: &mut Outputs, key: &str, concepts: &[usize]| {
        let shape = [concepts.len()];
        put_concepts(outputs, format!("out/{key}_{index}"), concepts, &shape);
    };

    let authors = run(Protocol::AUTHORS)?;
    put(outputs, "labels_reference", &authors.concepts);
    let [_, steps, width] = authors.keys.dims();
    let keys = authors.keys.reshape([steps, width]);
    outputs.put(format!("out/key_soft_last_reference_{index}"), keys);
    let key_steps = authors.key_steps.iter();
    let numbers = key_steps.map(|step| step.map_or(-1.0, |step| step as f64));
    let numbers = numbers.collect::<Vec<_>>();
    outputs.put_vector(format!("out/key_state_step_{index}"), &numbers);

    let aligned = run(Protocol {
        delayed: false,
        radius: false,
    })?;
    put(outputs, "labels_aligned", &aligned.concepts);
    let [_, steps, width] = aligned.keys.dims();
    let keys = aligned.keys.reshape([steps, width]);
    outputs.put(format!("out/key_soft_last_aligned_{index}"), keys);
    let trained = run(Protocol::TRAINED)?;
    put(outputs, "labels_aligned_use_r", &trained.concepts);

    let found = authors.key_steps.iter().flatten().copied();
    let human = file.get(&format!("in/gt_first_true_{index}"))?;
    let human = human.values.iter().filter(|&&step| step >= 0.0);
    let human = human.map(|&step| step as usize);
    let human = human.chain([actions.len() / config.action_dim]);
    let found = found.collect::<Vec<_>>();
    let human = human.collect::<Vec<_>>();
    Ok(human_intuition(&found, &human).unwrap_or(0.0))
}

/// One batch of windows from the start of trajectories, some of them padded.
fn padded(
    file: &GoldenFile,
    model: &InfoCon,
    config: &InfoConConfig,
    outputs: &mut Outputs,
) -> Result<(), ParityError> {
    let device = model.key_net.global_pos_emb.val().device();
    let states = file.tensor::<3>("in/pad_states", &device)?;
    let actions = Some(file.tensor("in/pad_actions", &device)?);
    let [rows, steps, _] = states.dims();
    let starts = match file.has("in/pad_timesteps") {
        true => whole(file, "in/pad_timesteps")?,
        false => vec![0; rows],
    };
    let windows = Windows::new(states, actions, starts, config)?;
    // By the model of the authors' labels, which leaves radii out.
    let mut book = model.key_book.clone();
    book.radius &= Protocol::AUTHORS.radius;
    let keys = model.key_net.keys(&windows);
    let times = file.values("in/pad_unified_t")?;
    let concepts = book.assign(keys, &times, &book.prototypes()).concepts;
    put_concepts(
        outputs,
        "out/pad_indices".to_owned(),
        &concepts,
        &[rows, steps],
    );
    let (target, closed) = key_states(&windows, &concepts);
    outputs.put("out/pad_key_state_target", target);
    outputs.put("out/pad_not_last_segment", closed);
    Ok(())
}
