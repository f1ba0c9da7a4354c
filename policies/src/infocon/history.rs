//! The newest part of an episode, as much as a context holds.

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

    /// The states, `state_dim` numbers each.
    pub fn states(&self) -> &[f32] {
        &self.states
    }

    /// The actions between them, `action_dim` numbers each.
    pub fn actions(&self) -> &[f32] {
        &self.actions
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
        assert_eq!(history.states(), [2.0, 2.5, 3.0, 3.5, 4.0, 4.5]);
        assert_eq!(history.actions(), [30.0, 40.0]);
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
        assert_eq!((history.len(), history.actions().len()), (1, 0));
        Ok(())
    }
}
