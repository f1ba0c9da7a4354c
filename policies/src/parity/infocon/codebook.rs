//! `03*_codebook_assign*`, `04_codebook_ema*`: assignment, movement of prototypes, weights, radii.

use burn::tensor::Device;

use super::model::{config, part, put_concepts};
use crate::infocon::codebook::Codebook;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::put_gradients;
use crate::parity::outputs::Outputs;

/// All outputs of a file with one assignment.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let device = &device.clone().autodiff();
    let config = config(file)?;
    let book = part(Codebook::new(&config, device), file, "key_book.")?;
    let mut outputs = Outputs::default();
    let keys = file.tensor::<3>("in/key_soft", device)?.require_grad();
    let [rows, steps, width] = keys.dims();
    let times = file.values("in/unified_t")?;
    let before = book.prototypes();
    let assignment = book.assign(keys.clone(), &times, &before);
    let after = book.moved(&before, &assignment);
    let found = book.quantise(&assignment, &after);

    let concepts = config.concepts;
    outputs.put_values(
        "out/prototypes_before",
        &[concepts, width + 1],
        &before.points(),
    );
    outputs.put_values(
        "out/prototypes_after",
        &[concepts, width + 1],
        &after.points(),
    );
    outputs.put_values("out/keys_after", &[concepts, width], &after.features());
    outputs.put_values("out/t_keys_after", &[concepts, 1], &after.times());
    let shape = [rows, steps];
    put_concepts(
        &mut outputs,
        "out/indices".to_owned(),
        &assignment.concepts,
        &shape,
    );
    outputs.put("out/key_soft_time_emb", assignment.points);
    outputs.put("out/scores_before_update", assignment.scores);
    outputs.put("out/scores_after_update", found.scores);
    outputs.put("out/weights", found.log_weights.exp());
    outputs.put("out/w_max", found.log_own_weight.clone().exp());
    outputs.put("out/w_cnt", found.rarity);
    outputs.put("out/key_hard", found.keys.clone());
    outputs.put("out/vparams_soft", found.soft_parameters);
    outputs.put("out/vparams_hard", found.parameters.clone());

    let weighted = found.keys * file.tensor("in/coef_key_hard", device)?;
    let parameters = found.parameters * file.tensor("in/coef_vparams_hard", device)?;
    let logarithms = found.log_own_weight * file.tensor("in/coef_log_w_max", device)?;
    let objective = weighted.sum() + parameters.sum() + logarithms.sum();
    outputs.put("out/objective", objective.clone());
    let mut grads = objective.backward();
    if let Some(grad) = keys.grad_remove(&mut grads) {
        outputs.put("out/grad_key_soft", grad);
    }
    if let Some(grad) = book.r_keys.weight.val().grad(&grads) {
        outputs.put("out/grad_r_keys", grad);
    }
    let start = ("out/grad/", "key_book.");
    put_gradients(&mut outputs, &book, grads, file, start, super::model::KEYS);
    Ok(outputs)
}

/// All outputs of a file with successive movements.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute_movement(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let config = config(file)?;
    let mut book = part(Codebook::new(&config, device), file, "key_book.")?;
    let mut outputs = Outputs::default();
    let mut round = 0;
    while file.has(&format!("in/key_soft_{round}")) {
        let keys = file.tensor::<3>(&format!("in/key_soft_{round}"), device)?;
        let [rows, steps, width] = keys.dims();
        let times = file.values(&format!("in/unified_t_{round}"))?;
        let before = book.prototypes();
        let assignment = book.assign(keys, &times, &before);
        let after = book.moved(&before, &assignment);
        book = book.with_prototypes(&after);
        let found = &assignment.concepts;
        put_concepts(
            &mut outputs,
            format!("out/indices_{round}"),
            found,
            &[rows, steps],
        );
        let shape = [config.concepts, width];
        outputs.put_values(format!("out/keys_{round}"), &shape, &after.features());
        let times = after.times();
        outputs.put_values(format!("out/t_keys_{round}"), &[config.concepts, 1], &times);
        round += 1;
    }
    let raw = file.tensor::<2>("in/r_raw", device)?;
    book.r_keys.weight = book.r_keys.weight.map(|_| raw);
    book.radius = true;
    outputs.put("out/r_effective", book.radii());
    let bounded = book.with_bounded_radii();
    outputs.put("out/r_after_clip", bounded.r_keys.weight.val());
    Ok(outputs)
}
