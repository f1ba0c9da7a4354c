//! Which weights of a training state: PyTorch Lightning's `.ckpt` and the usual dictionaries.

use super::error::FormatError;
use super::flatten::{Flat, flatten};
use super::state::StateDict;
use super::tree::{Id, Tree};

/// Which of a file's weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightsChoice {
    /// Averaged weights if the file has them, else those of the last step.
    #[default]
    Best,
    /// Averaged over training (exponential moving average).
    Averaged,
    /// Of the last step.
    Raw,
}

/// Keys under which training loops save a state dict.
const STATE_DICTS: [&str; 4] = ["state_dict", "model_state_dict", "model", "net"];

/// The weights, and in words which they are. Files that are no training state give everything.
///
/// # Errors
/// If averaged weights are asked for and missing, or do not fit the state dict.
pub fn choose(tree: &Tree, root: Id, choice: WeightsChoice) -> Result<(Flat, String), FormatError> {
    let found = STATE_DICTS
        .iter()
        .find_map(|key| tree.entry(root, key).map(|id| (*key, id)));
    let averages = averages(tree, root);
    let Some((key, state)) = found else {
        return match choice {
            WeightsChoice::Averaged => Err(no_averages()),
            _ => Ok((flatten(tree, root)?, String::new())),
        };
    };
    let mut flat = flatten(tree, state)?;
    match (choice, averages) {
        (WeightsChoice::Raw, _) | (WeightsChoice::Best, None) => {
            Ok((flat, format!("`{key}` (weights of the last step)")))
        }
        (WeightsChoice::Averaged, None) => Err(no_averages()),
        (_, Some(averages)) => {
            flat.state = paired(&flat.state, &flatten(tree, averages)?.state)?;
            Ok((
                flat,
                "`ema_weights` (weights averaged over training)".to_owned(),
            ))
        }
    }
}

fn no_averages() -> FormatError {
    FormatError::invalid(
        "it holds no averaged weights (`callbacks` -> `EMA` -> `ema_weights`): take the raw ones",
    )
}

/// `callbacks` -> `EMA` -> `ema_weights`.
fn averages(tree: &Tree, root: Id) -> Option<Id> {
    let callbacks = tree.entry(root, "callbacks")?;
    tree.items(callbacks)?.iter().find_map(|&(name, callback)| {
        // Lightning appends the callback's settings to its name.
        let is_average = tree.text(name).is_some_and(|name| name.starts_with("EMA"));
        let weights = tree.entry(callback, "ema_weights")?;
        (is_average && tree.list(weights).is_some_and(|list| !list.is_empty())).then_some(weights)
    })
}

/// Averages are a bare list in the order of the state dict: pairs them with its names.
fn paired(state: &StateDict, averages: &StateDict) -> Result<StateDict, FormatError> {
    if state.len() != averages.len() {
        return Err(FormatError::invalid(format!(
            "it holds {} averaged weights for the {} tensors of its state dict: which belong together is not known",
            averages.len(),
            state.len()
        )));
    }
    let mut paired = StateDict::default();
    for ((key, raw), (_, average)) in state.iter().zip(averages.iter()) {
        if raw.shape != average.shape {
            return Err(FormatError::invalid(format!(
                "averaged weights of `{key}` have shape {:?}, expected {:?}: the list is in another order than the state dict",
                average.shape, raw.shape
            )));
        }
        paired.insert(key.to_owned(), average.clone())?;
    }
    Ok(paired)
}
