//! Labels: the concept of every step of whole demonstrations.

use burn::tensor::{Device, Tensor, TensorData};

use super::config::InfoConConfig;
use super::error::InfoConError;
use super::model::InfoCon;
use super::segments::key_steps;
use super::window::Windows;

/// Windows that are encoded at once.
const BATCH: usize = 64;

/// A demonstration.
#[derive(Clone, Copy, Debug)]
pub struct Demonstration<'a> {
    /// States, `state_dim` numbers each: one more than there are actions.
    pub states: &'a [f32],
    /// Actions, `action_dim` numbers each.
    pub actions: &'a [f32],
}

/// How steps are labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// As the authors' script does it: every action of the history stands one step late (the first
    /// one twice), and the last step has no label. Else as in training, with labels for all steps
    /// that have an action.
    pub delayed: bool,
    /// Whether prototypes' radii count. The authors' script leaves them out.
    pub radius: bool,
}

impl Protocol {
    /// The authors' script.
    pub const AUTHORS: Self = Self {
        delayed: true,
        radius: false,
    };
    /// What was trained.
    pub const TRAINED: Self = Self {
        delayed: false,
        radius: true,
    };
}

/// Labels of a demonstration.
#[derive(Clone, Debug)]
pub struct Labels {
    /// The concept of every labelled step.
    pub concepts: Vec<usize>,
    /// The key that it was found by, `[1, steps, key_dim]`.
    pub keys: Tensor<3>,
    /// Per concept the last step of its last run; the state after the last action for the concept
    /// that the demonstration ends in.
    pub key_steps: Vec<Option<usize>>,
}

/// Labels a demonstration: every step from the newest `context` states up to it, as at run time.
///
/// # Errors
/// If the sizes do not fit, there is no step to label, or the demonstration is longer than the
/// model's position table.
pub fn label(
    model: &InfoCon,
    config: &InfoConConfig,
    demonstration: Demonstration<'_>,
    protocol: Protocol,
    device: &Device,
) -> Result<Labels, InfoConError> {
    let Demonstration { states, actions } = demonstration;
    let (state_dim, action_dim) = (config.state_dim, config.action_dim);
    let acted = actions.len() / action_dim;
    let seen = states.len() / state_dim;
    if acted * action_dim != actions.len() || seen * state_dim != states.len() || seen != acted + 1
    {
        let found = (states.len(), actions.len());
        let expected = format!("one more of {state_dim} than of {action_dim}");
        return Err(InfoConError::input(
            "numbers of states and actions",
            found,
            expected,
        ));
    }
    let steps = if protocol.delayed {
        acted.saturating_sub(1)
    } else {
        acted
    };
    if steps == 0 {
        let expected = "enough for one label".to_owned();
        return Err(InfoConError::input("number of actions", acted, expected));
    }
    let history = |step: usize| {
        let step = if protocol.delayed {
            step.saturating_sub(1)
        } else {
            step
        };
        &actions[step * action_dim..(step + 1) * action_dim]
    };
    let windows = |newest: std::ops::Range<usize>, len: usize| {
        let rows = newest.len();
        let starts = newest.map(|newest| newest + 1 - len).collect::<Vec<_>>();
        let of_states = starts.iter().flat_map(|start| {
            let numbers = start * state_dim..(start + len) * state_dim;
            states[numbers].iter().copied()
        });
        let of_actions = starts
            .iter()
            .flat_map(|&start| (start..start + len - 1).flat_map(history).copied());
        let tensor = |values: Vec<f32>, shape| -> Tensor<3> {
            Tensor::from_data(TensorData::new(values, shape), device)
        };
        let states = tensor(of_states.collect(), [rows, len, state_dim]);
        let actions = (len > 1).then(|| tensor(of_actions.collect(), [rows, len - 1, action_dim]));
        Windows::new(states, actions, starts, config)
    };

    // The encoder is causal: one pass labels all steps that the first window covers.
    let first = steps.min(config.context);
    let mut keys = vec![model.key_net.keys(&windows(first - 1..first, first)?)];
    let mut next = first;
    while next < steps {
        let end = steps.min(next + BATCH);
        let found = model.key_net.keys(&windows(next..end, config.context)?);
        let newest = found.narrow(1, config.context - 1, 1);
        keys.push(newest.reshape([1, end - next, config.key_dim]));
        next = end;
    }
    let keys = Tensor::cat(keys, 1);
    let times = (0..steps).map(|step| step as f32 / seen as f32);
    let mut book = model.key_book.clone();
    book.radius &= protocol.radius;
    let times = times.collect::<Vec<_>>();
    let concepts = book
        .assign(keys.clone(), &times, &book.prototypes())
        .concepts;
    Ok(Labels {
        key_steps: key_steps(&concepts, config.concepts, acted),
        concepts,
        keys,
    })
}
