//! The objective of the representation (section 4.2 of the paper): V(s, g) = −‖φ(s) − φ(g)‖ learns
//! the number of steps from s to g by expectile regression on its own targets.
//!
//! Two members learn beside each other. As in the authors' code, the sign that picks the expectile
//! comes from the slow copies alone (the smaller member for the next state, the mean for this one),
//! and each member then regresses on its own slow copy.

use burn::tensor::Tensor;

use super::expectile::weights;
use super::statistics::{Numbers, advantages, host};

/// Smallest squared distance, so that its root has a gradient.
const SMALLEST_SQUARE: f32 = 1e-6;

/// V(s, g) per member and row, `[members, batch]`, from φ of both, `[members, batch, dim]`
/// (equation 3). At least 1e-3 in absolute value, with no gradient there.
pub fn value(state: Tensor<3>, goal: Tensor<3>) -> Tensor<2> {
    let squares = (state - goal).square().sum_dim(2);
    let [members, batch, _] = squares.dims();
    let distance = squares.clamp_min(SMALLEST_SQUARE).sqrt();
    -distance.reshape([members, batch])
}

/// Values that the loss compares, each `[2, batch]`.
#[derive(Clone, Debug)]
pub struct Values {
    /// V(s, g) of the networks that learn.
    pub online: Tensor<2>,
    /// V(s, g) of the slow copies.
    pub target: Tensor<2>,
    /// V(s', g) of the slow copies.
    pub target_next: Tensor<2>,
}

/// The loss and what it was made of.
#[derive(Clone, Debug)]
pub struct RepresentationLoss {
    /// Sum over both members of the mean over the batch, `[1]`.
    pub loss: Tensor<1>,
    /// The same per row, whose mean the loss is, `[batch]`.
    pub per_row: Tensor<1>,
    /// Mean value of both members, `[batch]`.
    pub value: Tensor<1>,
    /// Advantage that picks the expectile, `[batch]`.
    pub advantage: Tensor<1>,
}

/// The loss of a batch. `reached` is 1 where the goal is the state itself and 0 elsewhere, `[batch]`:
/// there the return ends at 0, elsewhere every step costs 1.
pub fn loss(
    values: Values,
    reached: Tensor<1>,
    discount: f32,
    expectile: f32,
) -> RepresentationLoss {
    over_steps(values, reached, discount, 1, expectile)
}

/// As [`loss`], where s' lies `steps` steps after s, none of which costs less than 1.
pub fn over_steps(
    values: Values,
    reached: Tensor<1>,
    discount: f32,
    steps: u32,
    expectile: f32,
) -> RepresentationLoss {
    // 1 + γ + … over the steps, and the discount after them.
    let cost = (0..steps).fold(0.0, |cost, _| 1.0 + discount * cost);
    let discount = (0..steps).fold(1.0, |product, _| product * discount);
    let [first, second] = members(values.online);
    let [target_1, target_2] = members(values.target);
    let [next_1, next_2] = members(values.target_next);
    let reward = (reached.clone() - 1.0) * cost;
    let discount = (reached * -1.0 + 1.0) * discount;
    let backup = |next: Tensor<1>| reward.clone() + discount.clone() * next;
    let next = next_1.clone().min_pair(next_2.clone());
    let advantage = backup(next) - (target_1 + target_2) / 2.0;
    let weight = weights(advantage.clone(), expectile);
    let regress =
        |value: Tensor<1>, next: Tensor<1>| weight.clone() * (backup(next) - value).square();
    let misses = [
        regress(first.clone(), next_1),
        regress(second.clone(), next_2),
    ];
    let [miss_1, miss_2] = misses.clone();
    let [loss_1, loss_2] = misses.map(Tensor::mean);
    RepresentationLoss {
        loss: loss_1 + loss_2,
        per_row: miss_1 + miss_2,
        value: (first + second) / 2.0,
        advantage,
    }
}

/// The rows of a tensor of two members.
pub fn members(both: Tensor<2>) -> [Tensor<1>; 2] {
    let [_, batch] = both.dims();
    [0, 1].map(|member| both.clone().narrow(0, member, 1).reshape([batch]))
}

impl RepresentationLoss {
    /// Puts `value_loss` and the statistics of values and advantages under `name`.
    pub fn report(&self, name: &str, numbers: &mut Numbers) {
        numbers.put(format!("{name}/value_loss"), &host(self.loss.clone()));
        advantages(
            numbers,
            name,
            &host(self.value.clone()),
            &host(self.advantage.clone()),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{close, vec};
    use burn::tensor::Device;

    #[test]
    fn the_value_is_the_negative_distance_and_never_zero() {
        let device = Device::flex();
        let state = Tensor::from_floats([[[0.0, 0.0], [1.0, 1.0]]], &device);
        let goal = Tensor::from_floats([[[3.0, 4.0], [1.0, 1.0]]], &device);
        close("value", &vec(value(state, goal)), &[-5.0, -1e-3], 1e-7);
    }

    #[test]
    fn the_loss_by_hand() {
        let device = Device::flex();
        // Row 0: on the way. Row 1: at the goal.
        let values = Values {
            online: Tensor::from_floats([[-3.0, -1.0], [-5.0, 0.0]], &device),
            target: Tensor::from_floats([[-4.0, 0.0], [-4.0, 0.0]], &device),
            target_next: Tensor::from_floats([[-2.0, -7.0], [-3.0, -7.0]], &device),
        };
        let reached = Tensor::from_floats([0.0, 1.0], &device);
        let got = loss(values, reached, 0.5, 0.9);
        // Row 0: -1 + 0.5 * -3 + 4 = 1.5; row 1: 0 - 0 = 0.
        close("advantage", &vec(got.advantage.clone()), &[1.5, 0.0], 1e-6);
        // Member 1: 0.9 * ((-2 + 3)^2, 1^2) / 2; member 2: 0.9 * ((-2.5 + 5)^2, 0) / 2.
        let want = 0.9 * (1.0 + 1.0) / 2.0 + 0.9 * 6.25 / 2.0;
        close("loss", &vec(got.loss.clone()), &[want], 1e-6);
        close(
            "rows",
            &[vec(got.per_row.clone()).iter().sum::<f32>() / 2.0],
            &[want],
            1e-6,
        );
        let mut numbers = Numbers::default();
        got.report("value", &mut numbers);
        assert_eq!(numbers.get("value/accept_prob"), Some(1.0));
        assert_eq!(numbers.get("value/v_mean"), Some(-2.25));
    }

    #[test]
    fn several_steps_cost_more_and_are_discounted_more() {
        let device = Device::flex();
        let both = |value: f32| Tensor::from_floats([[value], [value]], &device);
        let values = Values {
            online: both(0.0),
            target: both(0.0),
            target_next: both(-8.0),
        };
        let reached = Tensor::from_floats([0.0], &device);
        let got = over_steps(values, reached, 0.5, 3, 0.9);
        // -(1 + 1/2 + 1/4) - 8 / 8 = -2.75 is behind: weight 0.1 for each member.
        close("advantage", &vec(got.advantage), &[-2.75], 1e-6);
        close("rows", &vec(got.per_row), &[2.0 * 0.1 * 2.75 * 2.75], 1e-5);
    }
}
