//! Group norm of channels-last images on the CPU, fused with what follows it in a residual block.

use rayon::prelude::*;

use super::conv_cpu::sum;
use super::lanes::widest;

/// Sizes.
#[derive(Clone, Copy, Debug)]
pub struct NormShape {
    /// Pixels of an image.
    pub pixels: usize,
    /// Channels.
    pub channels: usize,
    /// Groups of channels.
    pub groups: usize,
    /// Whether every image has its own scale and shift.
    pub per_image: bool,
    /// Whether negative results become zero.
    pub relu: bool,
}

const EPSILON: f32 = 1e-5;

/// What the backward pass needs: mean and reciprocal spread per image and group.
#[derive(Clone, Debug)]
pub struct Moments {
    mean: Vec<f32>,
    recip: Vec<f32>,
}

/// Gradients of all inputs.
pub struct NormGradients {
    pub images: Vec<f32>,
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
    pub shortcut: Option<Vec<f32>>,
}

impl NormShape {
    pub const fn image_len(&self) -> usize {
        self.pixels * self.channels
    }
    fn group_len(&self) -> usize {
        self.channels / self.groups
    }
    fn row<'a>(&self, affine: &'a [f32], image: usize) -> &'a [f32] {
        let start = if self.per_image {
            image * self.channels
        } else {
            0
        };
        &affine[start..start + self.channels]
    }

    /// Sums per group of sums per channel.
    #[inline(always)]
    fn grouped(&self, channels: &[f32]) -> Vec<f32> {
        channels
            .chunks_exact(self.group_len())
            .map(|group| group.iter().sum())
            .collect()
    }

    #[inline(always)]
    fn spread<'a>(&self, groups: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        let len = self.group_len();
        groups
            .iter()
            .flat_map(move |&value| std::iter::repeat_n(value, len))
    }

    #[inline(always)]
    fn moments(&self, image: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let count = (self.pixels * self.group_len()) as f32;
        let mut sums = vec![0.0; self.channels];
        for pixel in image.chunks_exact(self.channels) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += value;
            }
        }
        let mean = self
            .grouped(&sums)
            .iter()
            .map(|sum| sum / count)
            .collect::<Vec<_>>();
        let centre = self.spread(&mean).collect::<Vec<_>>();
        sums.fill(0.0);
        for pixel in image.chunks_exact(self.channels) {
            for ((sum, value), centre) in sums.iter_mut().zip(pixel).zip(&centre) {
                let off = value - centre;
                *sum += off * off;
            }
        }
        let recip = self
            .grouped(&sums)
            .iter()
            .map(|sum| (sum / count + EPSILON).sqrt().recip())
            .collect();
        (mean, recip)
    }

    /// `relu(norm(images) * scale + shift + shortcut)`, and what the backward pass needs.
    pub fn forward(
        &self,
        images: &[f32],
        scale: &[f32],
        shift: &[f32],
        shortcut: Option<&[f32]>,
    ) -> (Vec<f32>, Moments) {
        let len = self.image_len();
        let mut out = vec![0.0; images.len()];
        let one = |index: usize, out: &mut [f32]| {
            let image = &images[index * len..][..len];
            let shortcut = shortcut.map(|shortcut| &shortcut[index * len..][..len]);
            let (scale, shift) = (self.row(scale, index), self.row(shift, index));
            widest(|| self.forward_image(image, scale, shift, shortcut, out))
        };
        let moments = if images.len() == len {
            vec![one(0, &mut out)]
        } else {
            out.par_chunks_exact_mut(len)
                .enumerate()
                .map(|(index, out)| one(index, out))
                .collect::<Vec<_>>()
        };
        let (mean, recip): (Vec<_>, Vec<_>) = moments.into_iter().unzip();
        (
            out,
            Moments {
                mean: mean.concat(),
                recip: recip.concat(),
            },
        )
    }

    #[inline(always)]
    fn forward_image(
        &self,
        image: &[f32],
        scale: &[f32],
        shift: &[f32],
        shortcut: Option<&[f32]>,
        out: &mut [f32],
    ) -> (Vec<f32>, Vec<f32>) {
        let (mean, recip) = self.moments(image);
        // One multiply-add per number: x * gain + offset.
        let gain = self
            .spread(&recip)
            .zip(scale)
            .map(|(recip, scale)| recip * scale)
            .collect::<Vec<_>>();
        let offset = self
            .spread(&mean)
            .zip(&gain)
            .zip(shift)
            .map(|((mean, gain), shift)| shift - mean * gain)
            .collect::<Vec<_>>();
        let scaled = |value: f32, gain: f32, offset: f32| value * gain + offset;
        let least = if self.relu { 0.0 } else { f32::NEG_INFINITY };
        let pixels = out
            .chunks_exact_mut(self.channels)
            .zip(image.chunks_exact(self.channels));
        match shortcut {
            Some(shortcut) => {
                for ((out, pixel), shortcut) in pixels.zip(shortcut.chunks_exact(self.channels)) {
                    let pairs = out.iter_mut().zip(pixel).zip(shortcut);
                    for ((((out, value), shortcut), gain), offset) in pairs.zip(&gain).zip(&offset)
                    {
                        *out = (scaled(*value, *gain, *offset) + shortcut).max(least);
                    }
                }
            }
            None => {
                for (out, pixel) in pixels {
                    for (((out, value), gain), offset) in
                        out.iter_mut().zip(pixel).zip(&gain).zip(&offset)
                    {
                        *out = scaled(*value, *gain, *offset).max(least);
                    }
                }
            }
        }
        (mean, recip)
    }

    /// Gradients from `grad`, that of the output `out`.
    pub fn backward(
        &self,
        grad: &[f32],
        images: &[f32],
        out: &[f32],
        scale: &[f32],
        moments: &Moments,
        shortcut: bool,
    ) -> NormGradients {
        let len = self.image_len();
        let mut result = vec![0.0; images.len()];
        // Gradient after the ReLU, which is also that of the shortcut.
        let mut masked = vec![0.0; images.len()];
        let affine = result
            .par_chunks_exact_mut(len)
            .zip(masked.par_chunks_exact_mut(len))
            .zip(images.par_chunks_exact(len))
            .zip(grad.par_chunks_exact(len))
            .zip(out.par_chunks_exact(len))
            .enumerate()
            .map(|(index, ((((result, masked), image), grad), out))| {
                widest(|| {
                    self.mask(masked, grad, out);
                    self.backward_image(index, result, image, masked, scale, moments)
                })
            })
            .collect::<Vec<_>>();
        let (scales, shifts): (Vec<_>, Vec<_>) = affine.into_iter().unzip();
        let join = |parts: Vec<Vec<f32>>| {
            if self.per_image {
                parts.concat()
            } else {
                sum(parts, self.channels)
            }
        };
        NormGradients {
            images: result,
            scale: join(scales),
            shift: join(shifts),
            shortcut: shortcut.then_some(masked),
        }
    }

    /// The gradient where the output is not cut off.
    #[inline(always)]
    fn mask(&self, masked: &mut [f32], grad: &[f32], out: &[f32]) {
        if !self.relu {
            masked.copy_from_slice(grad);
            return;
        }
        for ((masked, grad), out) in masked.iter_mut().zip(grad).zip(out) {
            *masked = if *out > 0.0 { *grad } else { 0.0 };
        }
    }

    /// Writes the gradient of one image and returns those of its scale and shift.
    #[inline(always)]
    fn backward_image(
        &self,
        index: usize,
        result: &mut [f32],
        image: &[f32],
        grad: &[f32],
        scale: &[f32],
        moments: &Moments,
    ) -> (Vec<f32>, Vec<f32>) {
        let groups = index * self.groups..(index + 1) * self.groups;
        let recip = self
            .spread(&moments.recip[groups.clone()])
            .collect::<Vec<_>>();
        let mean = self.spread(&moments.mean[groups]).collect::<Vec<_>>();
        // Per channel: sum of g, and of g times the normalised value.
        let mut plain = vec![0.0; self.channels];
        let mut weighted = vec![0.0; self.channels];
        for (pixel, grad) in image
            .chunks_exact(self.channels)
            .zip(grad.chunks_exact(self.channels))
        {
            for ((((plain, weighted), value), grad), mean) in plain
                .iter_mut()
                .zip(&mut weighted)
                .zip(pixel)
                .zip(grad)
                .zip(&mean)
            {
                *plain += grad;
                *weighted += grad * (value - mean);
            }
        }
        for (weighted, recip) in weighted.iter_mut().zip(&recip) {
            *weighted *= recip;
        }
        let scale = self.row(scale, index);
        let count = (self.pixels * self.group_len()) as f32;
        let over_group = |sums: &[f32]| {
            let scaled = sums.iter().zip(scale).map(|(sum, scale)| sum * scale);
            let groups = self.grouped(&scaled.collect::<Vec<_>>());
            self.spread(&groups)
                .map(|sum| sum / count)
                .collect::<Vec<_>>()
        };
        let (first, second) = (over_group(&plain), over_group(&weighted));
        // dx = recip * (g * scale - first - xhat * second), as a g + b x + c.
        let from_grad = recip
            .iter()
            .zip(scale)
            .map(|(r, s)| r * s)
            .collect::<Vec<_>>();
        let from_value = recip
            .iter()
            .zip(&second)
            .map(|(r, second)| -r * r * second)
            .collect::<Vec<_>>();
        let constant = (0..self.channels)
            .map(|c| -recip[c] * first[c] - from_value[c] * mean[c])
            .collect::<Vec<_>>();
        for ((result, pixel), grad) in result
            .chunks_exact_mut(self.channels)
            .zip(image.chunks_exact(self.channels))
            .zip(grad.chunks_exact(self.channels))
        {
            for (((((result, value), grad), a), b), c) in result
                .iter_mut()
                .zip(pixel)
                .zip(grad)
                .zip(&from_grad)
                .zip(&from_value)
                .zip(&constant)
            {
                *result = grad * a + value * b + c;
            }
        }
        (weighted, plain)
    }
}
