//! The Gaussian error linear unit, exact form: `x (1 + erf(x / sqrt 2)) / 2`.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::module::Module;
use burn::tensor::Tensor;

use super::flex::{like, plain, tracked, with_values};
use super::lanes::{exp, for_chunks, widest};
use super::record::record;

/// Numbers per parallel piece.
const PIECE: usize = 32 * 1024;

/// `[..] -> [..]`.
pub fn gelu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    on_cpu(&input).unwrap_or_else(|| composed(input))
}

/// The same out of burn's operations. Not burn's own `gelu`: on a GPU its gradient is that of the
/// approximation by `tanh`, which is off by up to 1e-3.
pub(super) fn composed<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    let below = (input.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0;
    input * below * 0.5
}

/// [`gelu`] as a module, so that it can stand in a tuple.
#[derive(Module, Debug)]
pub struct Gelu;

impl Gelu {
    /// `[..] -> [..]`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        gelu(input)
    }
}

fn on_cpu<const D: usize>(input: &Tensor<D>) -> Option<Tensor<D>> {
    if !input.is_autodiff() {
        return Some(Tensor::from_primitive::<Flex>(run(&plain(input)?)));
    }
    let input = tracked(input)?;
    let node = input.node();
    let input = input.into_primitive();
    let output = run(&input);
    Some(record([node], GeluBackward, input, output))
}

fn run(input: &FlexTensor) -> FlexTensor {
    let output = with_values(input, |input| map(input, |x| x * probability(x).0));
    like(output, input)
}

/// The same on numbers of the host, in their place.
pub fn gelu_in_place(values: &mut [f32]) {
    widest(|| {
        for value in values {
            *value *= probability(*value).0;
        }
    });
}

fn map(input: &[f32], f: impl Fn(f32) -> f32 + Sync + Send) -> Vec<f32> {
    let mut output = vec![0.0; input.len()];
    for_chunks(&mut output, PIECE, |index, output| {
        let input = &input[index * PIECE..];
        widest(|| {
            for (output, input) in output.iter_mut().zip(input) {
                *output = f(*input);
            }
        });
    });
    output
}

/// Distribution function and density of the unit normal at `x`; error below 1e-7 (Abramowitz and
/// Stegun, 7.1.26, of which the density is a by-product).
#[inline(always)]
fn probability(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let bell = exp(-z * z);
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let series = 1.061_405_4;
    let series = series * t - 1.453_152;
    let series = series * t + 1.421_413_8;
    let series = series * t - 0.284_496_74;
    let series = series * t + 0.254_829_6;
    let tail = 0.5 * series * t * bell;
    let below = if x < 0.0 { tail } else { 1.0 - tail };
    (below, bell * 0.398_942_3)
}

#[derive(Debug)]
struct GeluBackward;

impl Backward<Flex, 1> for GeluBackward {
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let [node] = ops.parents;
        let Some(node) = node else { return };
        let input = ops.state;
        let value = with_values(&input, |input| {
            with_values(&grad, |grad| {
                let mut result = vec![0.0; input.len()];
                for_chunks(&mut result, PIECE, |index, result| {
                    let start = index * PIECE;
                    let (input, grad) = (&input[start..], &grad[start..]);
                    widest(|| {
                        for ((result, x), grad) in result.iter_mut().zip(input).zip(grad) {
                            let (below, density) = probability(*x);
                            *result = grad * (below + x * density);
                        }
                    });
                });
                result
            })
        });
        grads.register::<Flex>(node.id, like(value, &input));
    }
}
