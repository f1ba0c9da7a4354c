//! `zsrl_replay`: transitions and goals of given random draws.

use burn::tensor::Device;

use crate::hilp::zero_shot::replay::{ReplayDraw, ReplayGoals, ReplayRows};
use crate::parity::error::ParityError;
use crate::parity::golden::{GoldenFile, GoldenTensor};
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If an input is missing or of the wrong size.
pub fn compute(file: &GoldenFile, _: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let goals = ReplayGoals {
        random: file.number_of("in/p_randomgoal")?,
        current: file.number_of("in/p_currgoal")?,
        future: file.number("/future")?,
    };
    let length = file.count("/length")?;
    let draws = draws(file)?;
    let rows = draws.iter().map(|draw| goals.rows(draw, length));
    let rows = rows.collect::<Vec<_>>();

    let of_state = |rows: &ReplayRows| (rows.episode, rows.state);
    let of_next = |rows: &ReplayRows| (rows.episode, rows.next);
    let of_goal = |rows: &ReplayRows| rows.goal;
    let storage = |name: &str| file.get(&format!("in/storage/{name}"));
    let mut put = |name: &str, (width, values): (usize, Vec<f64>)| {
        outputs.put_values(format!("out/{name}"), &[rows.len(), width], &values);
    };
    let states = storage("observation")?;
    put("obs", picked(states, &rows, of_state)?);
    put("next_obs", picked(states, &rows, of_next)?);
    put("future_obs", picked(states, &rows, of_goal)?);
    put("action", picked(storage("action")?, &rows, of_next)?);
    put("reward", picked(storage("reward")?, &rows, of_next)?);
    let discount = file.number("/discount")?;
    let (width, discounts) = picked(storage("discount")?, &rows, of_next)?;
    let discounts = discounts.iter().map(|stored| stored * discount).collect();
    put("discount", (width, discounts));
    Ok(outputs)
}

fn draws(file: &GoldenFile) -> Result<Vec<ReplayDraw>, ParityError> {
    let numbers = |name: &str| {
        let tensor = file.get(&format!("in/draw/{name}"))?;
        Ok::<_, ParityError>(&tensor.values)
    };
    let count = numbers("episode")?.len();
    let whole = |name: &str| {
        let values = numbers(name)?.iter().map(|&value| value as usize);
        Ok::<_, ParityError>(values.collect::<Vec<_>>())
    };
    let episodes = whole("episode")?;
    let (steps, ahead) = (whole("step_minus1")?, whole("geometric")?);
    let (elsewhere, else_steps) = (whole("random_episode")?, whole("random_step_minus1")?);
    let (current, random) = (numbers("u_curr")?, numbers("u_random")?);
    let draw = |row: usize| {
        Some(ReplayDraw {
            episode: *episodes.get(row)?,
            step: steps.get(row)? + 1,
            ahead: *ahead.get(row)?,
            current: *current.get(row)?,
            random: *random.get(row)?,
            elsewhere: (*elsewhere.get(row)?, else_steps.get(row)? + 1),
        })
    };
    let draws = (0..count).map(draw).collect::<Option<_>>();
    draws.ok_or_else(|| ParityError::Config("draws of different numbers".into()))
}

/// Rows of an episode's storage, `[episodes, rows, width]`: the width and the values.
fn picked(
    storage: &GoldenTensor,
    rows: &[ReplayRows],
    of: impl Fn(&ReplayRows) -> (usize, usize),
) -> Result<(usize, Vec<f64>), ParityError> {
    let [_, length, width] = storage.shape[..] else {
        return Err(ParityError::Config("storage without rows".into()));
    };
    let pick = |rows: &ReplayRows| {
        let (episode, row) = of(rows);
        let start = (episode * length + row) * width;
        storage.values.get(start..start + width)
    };
    let picked = rows.iter().map(pick).collect::<Option<Vec<_>>>();
    let picked = picked.ok_or_else(|| ParityError::Config("a row beyond the storage".into()))?;
    Ok((width, picked.concat()))
}
