//! Sequences of interleaved tokens with positions.

use burn::module::Param;
use burn::tensor::{Int, Tensor};

use super::window::Windows;
use crate::nn::ReluMlp;

/// Tokens of several kinds, each `[batch, steps, width]`, step by step: `[batch, steps * kinds,
/// width]`.
pub fn interleave(kinds: Vec<Tensor<3>>) -> Tensor<3> {
    let [batch, steps, width] = kinds.first().map_or([0; 3], Tensor::dims);
    let tokens = steps * kinds.len();
    Tensor::stack::<4>(kinds, 2).reshape([batch, tokens, width])
}

/// The tokens of one of `kinds` kinds: `[batch, steps * kinds, width] -> [batch, steps, width]`.
pub fn of_kind(tokens: Tensor<3>, kind: usize, kinds: usize) -> Tensor<3> {
    let [batch, count, width] = tokens.dims();
    let steps = count / kinds;
    tokens
        .reshape([batch, steps, kinds, width])
        .narrow(2, kind, 1)
        .reshape([batch, steps, width])
}

/// One token per step, `[batch, steps, width]`: the action taken in it, zeros for the last step,
/// whose action is what is asked for. All zeros if the windows have no actions.
pub fn action_tokens(encoder: &ReluMlp, windows: &Windows, width: usize) -> Tensor<3> {
    let [batch, steps] = windows.shape();
    let device = windows.device();
    match windows.past_actions() {
        Some(actions) => {
            let open = Tensor::zeros([batch, 1, width], &device);
            Tensor::cat(vec![encoder.forward(actions), open], 1)
        }
        None => Tensor::zeros([batch, steps, width], &device),
    }
}

/// Positions of `steps` steps of `kinds` tokens, `[batch, steps * kinds, width]`: the row of the
/// window's start in the `global` table plus the row of the step in the `local` one. Tokens of a
/// step share both.
pub fn positions(
    global: &Param<Tensor<3>>,
    local: &Param<Tensor<3>>,
    starts: Tensor<1, Int>,
    steps: usize,
    kinds: usize,
) -> Tensor<3> {
    let [_, rows, width] = global.val().dims();
    let start: Tensor<3> = global
        .val()
        .reshape([rows, width])
        .select(0, starts)
        .unsqueeze_dim(1);
    let local: Tensor<4> = local.val().narrow(1, 0, steps).unsqueeze_dim(2);
    local
        .repeat_dim(2, kinds)
        .reshape([1, steps * kinds, width])
        + start
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn tokens_are_taken_apart_as_they_were_put_together() {
        let device = Device::flex();
        let kind = |values: [f32; 4]| -> Tensor<3> {
            Tensor::from_data(TensorData::new(values.to_vec(), [1, 2, 2]), &device)
        };
        let (a, b) = (kind([1.0, 2.0, 3.0, 4.0]), kind([5.0, 6.0, 7.0, 8.0]));
        let tokens = interleave(vec![a.clone(), b.clone()]);
        let values = tokens.to_data().iter::<f32>().collect::<Vec<_>>();
        assert_eq!(values, [1.0, 2.0, 5.0, 6.0, 3.0, 4.0, 7.0, 8.0]);
        assert_eq!(of_kind(tokens.clone(), 0, 2).to_data(), a.to_data());
        assert_eq!(of_kind(tokens, 1, 2).to_data(), b.to_data());
    }

    #[test]
    fn a_window_has_one_global_position_and_a_step_one_local() {
        let device = Device::flex();
        let table = |rows: usize, scale: f32| -> Param<Tensor<3>> {
            let values = (0..rows).map(|row| row as f32 * scale).collect::<Vec<_>>();
            Param::from_tensor(Tensor::from_data(
                TensorData::new(values, [1, rows, 1]),
                &device,
            ))
        };
        let starts = Tensor::from_data(TensorData::new(vec![3i64, 0], [2]), &device);
        let found = positions(&table(4, 10.0), &table(3, 1.0), starts, 2, 2);
        let found = found.to_data().iter::<f32>().collect::<Vec<_>>();
        assert_eq!(found, [30.0, 30.0, 31.0, 31.0, 0.0, 0.0, 1.0, 1.0]);
    }
}
