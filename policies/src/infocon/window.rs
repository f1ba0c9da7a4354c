//! Windows of trajectories, as the networks read them.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::config::InfoConConfig;
use super::error::InfoConError;

/// Equally long pieces of trajectories.
#[derive(Clone, Debug)]
pub struct Windows {
    states: Tensor<3>,
    actions: Option<Tensor<3>>,
    starts: Vec<usize>,
}

impl Windows {
    /// States (`[batch, steps, state_dim]`), the actions taken in them (`[batch, at least steps - 1,
    /// action_dim]`, or none), and the step of the trajectory at which each window starts.
    ///
    /// # Errors
    /// If a shape does not fit the model, a window is longer than its context, or a start lies
    /// outside its position table.
    pub fn new(
        states: Tensor<3>,
        actions: Option<Tensor<3>>,
        starts: Vec<usize>,
        config: &InfoConConfig,
    ) -> Result<Self, InfoConError> {
        let limits = Limits {
            state_dim: config.state_dim,
            action_dim: config.action_dim,
            context: config.context,
            max_timestep: config.max_timestep,
        };
        Self::within(states, actions, starts, limits)
    }

    pub(super) fn within(
        states: Tensor<3>,
        actions: Option<Tensor<3>>,
        starts: Vec<usize>,
        limits: Limits,
    ) -> Result<Self, InfoConError> {
        let dims = states.dims();
        let [batch, steps, width] = dims;
        if batch == 0 || steps == 0 || steps > limits.context || width != limits.state_dim {
            let (context, state_dim) = (limits.context, limits.state_dim);
            return Err(InfoConError::input(
                "shape of states",
                dims,
                format!("[batch, 1 to {context}, {state_dim}]"),
            ));
        }
        if let Some(actions) = &actions {
            let [rows, given, width] = actions.dims();
            if rows != batch || given + 1 < steps || width != limits.action_dim {
                let (least, action_dim) = (steps - 1, limits.action_dim);
                return Err(InfoConError::input(
                    "shape of actions",
                    actions.dims(),
                    format!("[{batch}, at least {least}, {action_dim}]"),
                ));
            }
        }
        if starts.len() != batch {
            let expected = format!("{batch}, one per window");
            return Err(InfoConError::input(
                "number of window starts",
                starts.len(),
                expected,
            ));
        }
        if let Some(start) = starts.iter().find(|&&start| start >= limits.max_timestep) {
            let expected = format!("less than `max_timestep` = {}", limits.max_timestep);
            return Err(InfoConError::input("start of a window", *start, expected));
        }
        Ok(Self {
            states,
            actions,
            starts,
        })
    }

    /// `[batch, steps, state_dim]`.
    pub fn states(&self) -> Tensor<3> {
        self.states.clone()
    }

    /// `[batch, at least steps - 1, action_dim]`.
    pub fn actions(&self) -> Option<&Tensor<3>> {
        self.actions.as_ref()
    }

    /// The first `steps - 1` actions, those whose result is seen; `None` if there are none.
    pub fn past_actions(&self) -> Option<Tensor<3>> {
        let [_, steps, _] = self.states.dims();
        let actions = self.actions.as_ref().filter(|_| steps > 1)?;
        Some(actions.clone().narrow(1, 0, steps - 1))
    }

    /// `[batch]`.
    pub fn starts(&self) -> Tensor<1, Int> {
        let starts = self.starts.iter().map(|&start| start as i64);
        let starts = TensorData::new(starts.collect::<Vec<_>>(), [self.starts.len()]);
        Tensor::from_data(starts, &self.states.device())
    }

    /// Windows and steps per window.
    pub fn shape(&self) -> [usize; 2] {
        let [batch, steps, _] = self.states.dims();
        [batch, steps]
    }

    /// Where the tensors are.
    pub fn device(&self) -> Device {
        self.states.device()
    }
}

/// What windows must keep to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) state_dim: usize,
    pub(super) action_dim: usize,
    pub(super) context: usize,
    pub(super) max_timestep: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(
        states: [usize; 3],
        actions: Option<[usize; 3]>,
        starts: &[usize],
    ) -> Result<Windows, InfoConError> {
        let device = Device::flex();
        let config = InfoConConfig {
            context: 4,
            ..InfoConConfig::published(2, 3, 9)
        };
        Windows::new(
            Tensor::zeros(states, &device),
            actions.map(|shape| Tensor::zeros(shape, &device)),
            starts.to_vec(),
            &config,
        )
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(window([1, 4, 2], Some([1, 3, 3]), &[8]).is_ok());
        assert!(
            window([1, 5, 2], None, &[0]).is_err(),
            "longer than the context"
        );
        assert!(window([1, 0, 2], None, &[0]).is_err(), "empty");
        assert!(window([1, 4, 3], None, &[0]).is_err(), "width of states");
        assert!(window([1, 4, 2], Some([1, 2, 3]), &[0]).is_err(), "actions");
        assert!(window([1, 4, 2], None, &[9]).is_err(), "start");
        assert!(window([1, 4, 2], None, &[]).is_err(), "number of starts");
    }

    #[test]
    fn a_single_state_has_no_past() {
        let windows = window([1, 1, 2], Some([1, 1, 3]), &[0]);
        assert!(windows.is_ok_and(|windows| windows.past_actions().is_none()));
    }
}
