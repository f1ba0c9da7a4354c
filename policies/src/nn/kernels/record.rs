//! Putting an operation of ours on burn's tape.

use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::ops::{Backward, NodeGuard, OpsKind};
use burn::backend::{Flex, flex::FlexTensor};
use burn::tensor::Tensor;

use super::flex::Tracked;

/// The output as a tensor whose gradient flows to `nodes` by `rule`, which gets `state`.
pub fn record<const N: usize, const D: usize, R, S>(
    nodes: [NodeGuard; N],
    rule: R,
    state: S,
    output: FlexTensor,
) -> Tensor<D>
where
    R: Backward<Flex, N, State = S>,
    S: Clone + Send + std::fmt::Debug + 'static,
{
    let prepared = rule
        .prepare::<NoCheckpointing>(nodes)
        .compute_bound()
        .stateful();
    let output = match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(state, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Tensor::from_primitive::<Tracked>(output)
}
