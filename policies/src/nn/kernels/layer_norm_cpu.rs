//! Layer norm on the CPU, one sample at a time.

use pulp::NullaryFnOnce;
use rayon::prelude::*;

use super::lanes::{dot, for_chunks, sum_pairs, widest};

/// Sizes.
#[derive(Clone, Copy, Debug)]
pub struct LayerShape {
    /// Tokens of a sample.
    pub tokens: usize,
    /// Numbers of a token.
    pub width: usize,
    /// Whether every sample has its own scale and shift.
    pub per_sample: bool,
    /// Added to the variance.
    pub epsilon: f32,
}

/// Mean and reciprocal spread of a token.
#[inline(always)]
fn moments(token: &[f32], epsilon: f32) -> (f32, f32) {
    let count = token.len() as f32;
    let mean = sum_pairs(token, token, |value, _| value) / count;
    let squares = sum_pairs(token, token, |value, _| (value - mean) * (value - mean));
    (mean, (squares / count + epsilon).sqrt().recip())
}

/// `norm(input) * scale + shift` of tokens as wide as the affine.
pub fn normalise(input: &[f32], scale: &[f32], shift: &[f32], epsilon: f32, output: &mut [f32]) {
    let width = scale.len().max(1);
    let tokens = output
        .chunks_exact_mut(width)
        .zip(input.chunks_exact(width));
    widest(|| {
        for (output, token) in tokens {
            let (mean, recip) = moments(token, epsilon);
            for (((output, value), scale), shift) in
                output.iter_mut().zip(token).zip(scale).zip(shift)
            {
                *output = (value - mean) * recip * scale + shift;
            }
        }
    });
}

impl LayerShape {
    const fn sample(&self) -> usize {
        self.tokens * self.width
    }

    fn row<'a>(&self, affine: &'a [f32], sample: usize) -> &'a [f32] {
        let start = if self.per_sample {
            sample * self.width
        } else {
            0
        };
        &affine[start..start + self.width]
    }

    /// `norm(input) * scale + shift`.
    pub fn forward(&self, input: &[f32], scale: &[f32], shift: &[f32]) -> Vec<f32> {
        let len = self.sample();
        let mut output = vec![0.0; input.len()];
        for_chunks(&mut output, len, |index, output| {
            let (scale, shift) = (self.row(scale, index), self.row(shift, index));
            normalise(&input[index * len..], scale, shift, self.epsilon, output);
        });
        output
    }

    /// Gradients of the input, and of scale and shift per sample, from `grad`.
    pub fn backward(
        &self,
        grad: &[f32],
        input: &[f32],
        scale: &[f32],
    ) -> (Vec<f32>, Vec<Vec<f32>>, Vec<Vec<f32>>) {
        let len = self.sample();
        let mut result = vec![0.0; input.len()];
        let affine = result
            .par_chunks_exact_mut(len)
            .zip(input.par_chunks_exact(len))
            .zip(grad.par_chunks_exact(len))
            .enumerate()
            .map(|(index, ((result, input), grad))| {
                let scale = self.row(scale, index);
                let mut scales = vec![0.0; self.width];
                let mut shifts = vec![0.0; self.width];
                widest(BackwardTokens {
                    epsilon: self.epsilon,
                    scale,
                    input,
                    grad,
                    result,
                    scales: &mut scales,
                    shifts: &mut shifts,
                });
                (scales, shifts)
            })
            .collect::<Vec<_>>();
        let (scales, shifts) = affine.into_iter().unzip();
        (result, scales, shifts)
    }
}

/// The backward pass of one sample's tokens.
struct BackwardTokens<'a> {
    epsilon: f32,
    scale: &'a [f32],
    input: &'a [f32],
    grad: &'a [f32],
    result: &'a mut [f32],
    /// Sums over the tokens, like `shifts`.
    scales: &'a mut [f32],
    shifts: &'a mut [f32],
}

impl NullaryFnOnce for BackwardTokens<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            epsilon,
            scale,
            input,
            grad,
            result,
            scales,
            shifts,
        } = self;
        let width = scale.len();
        let mut scaled = vec![0.0; width];
        let tokens = result
            .chunks_exact_mut(width)
            .zip(input.chunks_exact(width))
            .zip(grad.chunks_exact(width));
        for ((result, token), grad) in tokens {
            let (mean, recip) = moments(token, epsilon);
            // The normalised token waits in `result`.
            for (normal, value) in result.iter_mut().zip(token) {
                *normal = (value - mean) * recip;
            }
            for (((scales, shifts), normal), grad) in
                scales.iter_mut().zip(&mut *shifts).zip(&*result).zip(grad)
            {
                *scales += grad * normal;
                *shifts += grad;
            }
            for ((scaled, grad), scale) in scaled.iter_mut().zip(grad).zip(scale) {
                *scaled = grad * scale;
            }
            let count = width as f32;
            let first = sum_pairs(&scaled, &scaled, |value, _| value) / count;
            let second = dot(&scaled, result) / count;
            for (normal, scaled) in result.iter_mut().zip(&scaled) {
                *normal = recip * (scaled - first - *normal * second);
            }
        }
    }
}
