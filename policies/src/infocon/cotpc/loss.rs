//! What the policy is trained on: actions, and the key states of the whole demonstration.

use burn::tensor::{Device, Tensor, TensorData};

use super::network::{CotPrediction, Cotpc};
use crate::infocon::error::InfoConError;
use crate::infocon::losses::step_errors;
use crate::infocon::window::Windows;

/// Windows with the key states of the demonstrations that they are from.
#[derive(Clone, Debug)]
pub struct CotBatch {
    /// States and all their actions.
    pub windows: Windows,
    /// Steps of every window before its padding.
    pub lengths: Vec<usize>,
    /// Key states, `[batch, key_states, state_dim]`; anything where there is none.
    pub key_states: Tensor<3>,
    /// One where there is a key state, else zero, `[batch, key_states]`.
    pub key_mask: Tensor<2>,
    /// The last token of the history that the queries see, per window, see [`draw_horizon`].
    pub horizon: Vec<usize>,
}

/// The losses of a batch, one number each.
#[derive(Clone, Debug)]
pub struct CotLosses {
    /// What is minimised.
    pub total: Tensor<1>,
    /// Of actions.
    pub actions: Tensor<1>,
    /// Of key states; zero without any.
    pub key_states: Tensor<1>,
}

/// The token of step `step` in windows of `kinds` tokens per step: what a horizon drawn uniformly
/// from the steps of a window means.
pub const fn draw_horizon(step: usize, kinds: usize) -> usize {
    step * kinds
}

/// Key states of a demonstration, `key_states * state_dim` numbers, and one where there is one.
/// `steps` are the labels' key steps, ordered by concept ([`crate::infocon::segments::key_steps`]);
/// `states` are the demonstration's, `state_dim` numbers each.
pub fn key_state_targets(
    states: &[f32],
    state_dim: usize,
    steps: &[Option<usize>],
) -> (Vec<f32>, Vec<f32>) {
    let at = |step: usize| states.get(step * state_dim..(step + 1) * state_dim);
    let mut targets = Vec::with_capacity(steps.len() * state_dim);
    let mut mask = Vec::with_capacity(steps.len());
    for step in steps {
        match step.and_then(at) {
            Some(state) => {
                targets.extend_from_slice(state);
                mask.push(1.0);
            }
            None => {
                targets.resize(targets.len() + state_dim, 0.0);
                mask.push(0.0);
            }
        }
    }
    (targets, mask)
}

impl CotBatch {
    /// Key states and mask from [`key_state_targets`] of several demonstrations.
    ///
    /// # Errors
    /// If the demonstrations differ in their number of key states.
    pub fn stack_targets(
        targets: &[(Vec<f32>, Vec<f32>)],
        state_dim: usize,
        device: &Device,
    ) -> Result<(Tensor<3>, Tensor<2>), InfoConError> {
        let rows = targets.len();
        let keys = targets.first().map_or(0, |(_, mask)| mask.len());
        let fits = |(states, mask): &(Vec<f32>, Vec<f32>)| {
            mask.len() == keys && states.len() == keys * state_dim
        };
        if !targets.iter().all(fits) {
            let expected = format!("{keys} of {state_dim} numbers in every demonstration");
            return Err(InfoConError::input("key states", rows, expected));
        }
        let states = targets.iter().flat_map(|(states, _)| states).copied();
        let states = TensorData::new(states.collect::<Vec<_>>(), [rows, keys, state_dim]);
        let mask = targets.iter().flat_map(|(_, mask)| mask).copied();
        let mask = TensorData::new(mask.collect::<Vec<_>>(), [rows, keys]);
        Ok((
            Tensor::from_data(states, device),
            Tensor::from_data(mask, device),
        ))
    }

    fn check(&self, network: &Cotpc) -> Result<(), InfoConError> {
        let [batch, steps] = self.windows.shape();
        if self.lengths.len() != batch || self.lengths.iter().any(|&length| length > steps) {
            let expected = format!("{batch} numbers up to {steps}");
            return Err(InfoConError::input("lengths", &self.lengths, expected));
        }
        let given = self
            .windows
            .actions()
            .map_or(0, |actions| actions.dims()[1]);
        if given < steps {
            let expected = format!("{steps}, one per state");
            return Err(InfoConError::input("actions per window", given, expected));
        }
        let queries = network.queries();
        if queries == 0 {
            return Ok(());
        }
        if self.horizon.len() != batch {
            let expected = format!("{batch}, one per window");
            let found = self.horizon.len();
            return Err(InfoConError::input("number of horizons", found, expected));
        }
        let [_, _, state_dim] = self.windows.states().dims();
        if self.key_states.dims() != [batch, queries, state_dim]
            || self.key_mask.dims() != [batch, queries]
        {
            let found = (self.key_states.dims(), self.key_mask.dims());
            let expected = format!("[{batch}, {queries}, {state_dim}] and [{batch}, {queries}]");
            let what = "shapes of key states and their mask";
            return Err(InfoConError::input(what, found, expected));
        }
        Ok(())
    }
}

/// Losses of a batch; `weight` is that of key states.
///
/// # Errors
/// If the batch does not fit the network.
pub fn losses(network: &Cotpc, batch: &CotBatch, weight: f64) -> Result<CotLosses, InfoConError> {
    batch.check(network)?;
    let found = network.forward(&batch.windows, &batch.horizon);
    Ok(losses_of(&found, batch, weight))
}

/// Losses of predictions that were made before.
pub fn losses_of(found: &CotPrediction, batch: &CotBatch, weight: f64) -> CotLosses {
    let [_, steps] = batch.windows.shape();
    let target = batch.windows.actions().map_or_else(
        || found.actions.zeros_like(),
        |actions| actions.clone().narrow(1, 0, steps),
    );
    let actions = step_errors(found.actions.clone(), target, &batch.lengths).mean();
    let mask: Tensor<3> = batch.key_mask.clone().unsqueeze_dim(2);
    let errors = found.key_states.iter().map(|predicted| {
        let difference = predicted.clone() - batch.key_states.clone();
        (difference * mask.clone()).square().mean()
    });
    let predictors = found.key_states.len().max(1) as f64;
    let key_states = errors
        .reduce(|sum, error| sum + error)
        .map_or_else(|| actions.zeros_like(), |sum| sum / predictors);
    CotLosses {
        total: actions.clone() + key_states.clone() * weight,
        actions,
        key_states,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_states_are_ordered_by_concept_and_missing_ones_masked() {
        let states = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5];
        let (targets, mask) = key_state_targets(&states, 2, &[Some(2), None, Some(0), Some(9)]);
        assert_eq!(targets, [2.0, 2.5, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0]);
        assert_eq!(mask, [1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn masked_key_states_are_averaged_over_as_without_error() -> Result<(), InfoConError> {
        let device = Device::flex();
        let tensor = |values: &[f32], shape: [usize; 3]| -> Tensor<3> {
            Tensor::from_data(TensorData::new(values.to_vec(), shape), &device)
        };
        let config = crate::infocon::InfoConConfig::published(1, 1, 9);
        let windows = Windows::new(
            tensor(&[0.0], [1, 1, 1]),
            Some(tensor(&[3.0], [1, 1, 1])),
            vec![0],
            &config,
        )?;
        let batch = CotBatch {
            windows,
            lengths: vec![1],
            key_states: tensor(&[1.0, 5.0], [1, 2, 1]),
            key_mask: Tensor::from_data(TensorData::new(vec![1.0f32, 0.0], [1, 2]), &device),
            horizon: vec![0],
        };
        let found = CotPrediction {
            actions: tensor(&[1.0], [1, 1, 1]),
            key_states: vec![
                tensor(&[3.0, 0.0], [1, 2, 1]),
                tensor(&[1.0, 0.0], [1, 2, 1]),
            ],
        };
        let losses = losses_of(&found, &batch, 0.1);
        let number = |tensor: Tensor<1>| tensor.into_data().iter::<f32>().next();
        assert_eq!(number(losses.actions), Some(4.0));
        // Errors 4 and 0, masked; over two key states and two predictors.
        assert_eq!(number(losses.key_states), Some(1.0));
        assert_eq!(number(losses.total), Some(4.1));
        Ok(())
    }
}
