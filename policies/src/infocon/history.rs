//! The newest part of an episode, as much as a context holds.

use burn::tensor::{Device, Tensor, TensorData};

use super::error::InfoConError;

/// States and the actions between them.
#[derive(Clone, Debug)]
pub struct History {
    state_dim: usize,
    action_dim: usize,
    context: usize,
    states: Vec<f32>,
    actions: Vec<f32>,
    start: usize,
}

impl History {
    /// An episode that has not begun: `context` states are kept.
    pub const fn new(state_dim: usize, action_dim: usize, context: usize) -> Self {
        Self {
            state_dim,
            action_dim,
            context,
            states: Vec::new(),
            actions: Vec::new(),
            start: 0,
        }
    }

    /// The step of the episode of the oldest state that is kept.
    pub const fn start(&self) -> usize {
        self.start
    }

    /// States that are kept.
    pub fn len(&self) -> usize {
        self.states.len() / self.state_dim.max(1)
    }

    /// Whether no state was seen yet.
    pub const fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// The states, `[1, len, state_dim]`, and the actions between them, `[1, len - 1, action_dim]`
    /// (`None` up to the first).
    ///
    /// # Errors
    /// If no state was seen yet.
    pub fn tensors(&self, device: &Device) -> Result<(Tensor<3>, Option<Tensor<3>>), InfoConError> {
        if self.is_empty() {
            return Err(InfoConError::input("number of states", 0, "at least 1"));
        }
        let tensor = |values: &[f32], rows: usize, width: usize| -> Tensor<3> {
            Tensor::from_data(TensorData::new(values.to_vec(), [1, rows, width]), device)
        };
        let steps = self.len();
        let actions = (steps > 1).then(|| tensor(&self.actions, steps - 1, self.action_dim));
        Ok((tensor(&self.states, steps, self.state_dim), actions))
    }

    /// [`History::start`] in a position table of so many rows: episodes longer than any in training
    /// keep the last position.
    pub fn position(&self, max_timestep: usize) -> usize {
        self.start.min(max_timestep.saturating_sub(1))
    }

    /// Takes the next state, and the action that led to it (`None` for the first).
    ///
    /// # Errors
    /// If a width does not fit, or an action is missing or too many.
    pub fn push(&mut self, action: Option<&[f32]>, state: &[f32]) -> Result<(), InfoConError> {
        let (state_dim, action_dim) = (self.state_dim, self.action_dim);
        if state.len() != state_dim {
            let expected = state_dim.to_string();
            return Err(InfoConError::input(
                "numbers of a state",
                state.len(),
                expected,
            ));
        }
        match action {
            Some(action) if !self.is_empty() && action.len() == action_dim => {
                self.actions.extend_from_slice(action);
            }
            None if self.is_empty() => (),
            action => {
                let expected = if self.is_empty() {
                    "none before the first state".to_owned()
                } else {
                    format!("{action_dim} between two states")
                };
                let found = action.map_or(0, <[f32]>::len);
                return Err(InfoConError::input("numbers of an action", found, expected));
            }
        }
        self.states.extend_from_slice(state);
        if self.len() > self.context {
            self.states.drain(..state_dim);
            self.actions.drain(..action_dim);
            self.start += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() -> Result<(), InfoConError> {
        let mut history = History::new(2, 1, 3);
        history.push(None, &[0.0, 0.5])?;
        for step in 1..5u8 {
            let step = f32::from(step);
            history.push(Some(&[step * 10.0]), &[step, step + 0.5])?;
        }
        assert_eq!((history.len(), history.start()), (3, 2));
        let (states, actions) = history.tensors(&Device::flex())?;
        let states = crate::host::values(states);
        assert_eq!(states, [2.0, 2.5, 3.0, 3.5, 4.0, 4.5]);
        let actions = actions.map(crate::host::values);
        assert_eq!(actions, Some(vec![30.0, 40.0]));
        assert_eq!((history.position(9), history.position(2)), (2, 1));
        Ok(())
    }

    #[test]
    fn wrong_inputs_are_refused_and_leave_it_as_it_was() -> Result<(), InfoConError> {
        let mut history = History::new(2, 1, 3);
        assert!(history.push(Some(&[1.0]), &[0.0, 0.0]).is_err());
        assert!(history.push(None, &[0.0]).is_err());
        history.push(None, &[0.0, 0.0])?;
        assert!(history.push(None, &[0.0, 0.0]).is_err());
        assert!(history.push(Some(&[1.0, 2.0]), &[0.0, 0.0]).is_err());
        assert_eq!((history.len(), history.actions.len()), (1, 0));
        Ok(())
    }
}
