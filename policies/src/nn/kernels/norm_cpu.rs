//! Group norm of channels-last images on the CPU, fused with what follows it in a residual block.

use pulp::NullaryFnOnce;
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
    /// The first so many images have a second scale and shift: their outputs follow those of all
    /// images.
    pub again: usize,
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
    fn row<'a>(&self, affine: &'a [f32], row: usize) -> &'a [f32] {
        let start = if self.per_image {
            row * self.channels
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

    /// `relu(norm(images) * scale + shift + shortcut)`, and what the backward pass needs.
    pub fn forward(
        &self,
        images: &[f32],
        scale: &[f32],
        shift: &[f32],
        shortcut: Option<&[f32]>,
    ) -> (Vec<f32>, Moments) {
        let len = self.image_len();
        let count = images.len() / len.max(1);
        let mut out = vec![0.0; (count + self.again) * len];
        let (first, second) = out.split_at_mut(images.len());
        let mut seconds = second.chunks_exact_mut(len);
        let outs = first
            .chunks_exact_mut(len)
            .map(|out| (out, seconds.next()))
            .collect::<Vec<_>>();
        let one = |(index, (out, second)): (usize, (&mut [f32], Option<&mut [f32]>))| {
            let image = &images[index * len..][..len];
            let shortcut = shortcut.map(|shortcut| &shortcut[index * len..][..len]);
            let moments = widest(MomentsOf { shape: self, image });
            let write = |row: usize, out: &mut [f32]| {
                widest(ForwardImage {
                    shape: self,
                    image,
                    moments: &moments,
                    scale: self.row(scale, row),
                    shift: self.row(shift, row),
                    shortcut,
                    out,
                });
            };
            write(index, out);
            if let Some(second) = second {
                write(count + index, second);
            }
            moments
        };
        let moments = if count == 1 {
            outs.into_iter().enumerate().map(one).collect::<Vec<_>>()
        } else {
            outs.into_par_iter().enumerate().map(one).collect()
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
        let count = images.len() / len.max(1);
        let mut result = vec![0.0; images.len()];
        // Gradient after the ReLU, which is also that of the shortcut.
        let mut masked = vec![0.0; if shortcut { images.len() } else { 0 }];
        let mut kept = masked.chunks_exact_mut(len);
        let places = result
            .chunks_exact_mut(len)
            .map(|result| (result, kept.next()))
            .collect::<Vec<_>>();
        let scratch = || [(); 3].map(|()| vec![0.0; len]);
        let affine = places
            .into_par_iter()
            .enumerate()
            .map_init(scratch, |[own, more, other], (index, (result, kept))| {
                let image = &images[index * len..][..len];
                let one = |row: usize, masked: &mut [f32], result: &mut [f32]| {
                    let [grad, out] = [grad, out].map(|all| &all[row * len..][..len]);
                    widest(BackwardImage {
                        shape: self,
                        index,
                        image,
                        grad,
                        out,
                        scale: self.row(scale, row),
                        moments,
                        masked,
                        result,
                    })
                };
                let masked = kept.unwrap_or(own);
                let first = one(index, masked, result);
                let second = (index < self.again).then(|| {
                    let second = one(count + index, more, other);
                    add(result, other);
                    add(masked, more);
                    second
                });
                (first, second)
            })
            .collect::<Vec<_>>();
        let (first, second): (Vec<_>, Vec<_>) = affine.into_iter().unzip();
        let rows = first.into_iter().chain(second.into_iter().flatten());
        let (scales, shifts): (Vec<_>, Vec<_>) = rows.unzip();
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
}

/// Mean and reciprocal spread per group of one image.
struct MomentsOf<'a> {
    shape: &'a NormShape,
    image: &'a [f32],
}

impl NullaryFnOnce for MomentsOf<'_> {
    type Output = (Vec<f32>, Vec<f32>);

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self { shape, image } = self;
        let count = (shape.pixels * shape.group_len()) as f32;
        let mut sums = vec![0.0; shape.channels];
        for pixel in image.chunks_exact(shape.channels) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += value;
            }
        }
        let mean = shape
            .grouped(&sums)
            .iter()
            .map(|sum| sum / count)
            .collect::<Vec<_>>();
        let centre = shape.spread(&mean).collect::<Vec<_>>();
        sums.fill(0.0);
        for pixel in image.chunks_exact(shape.channels) {
            for ((sum, value), centre) in sums.iter_mut().zip(pixel).zip(&centre) {
                let off = value - centre;
                *sum += off * off;
            }
        }
        let recip = shape
            .grouped(&sums)
            .iter()
            .map(|sum| (sum / count + EPSILON).sqrt().recip())
            .collect();
        (mean, recip)
    }
}

/// Writes the output of one image.
struct ForwardImage<'a> {
    shape: &'a NormShape,
    image: &'a [f32],
    moments: &'a (Vec<f32>, Vec<f32>),
    scale: &'a [f32],
    shift: &'a [f32],
    shortcut: Option<&'a [f32]>,
    out: &'a mut [f32],
}

impl NullaryFnOnce for ForwardImage<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            shape,
            image,
            moments: (mean, recip),
            scale,
            shift,
            shortcut,
            out,
        } = self;
        // One multiply-add per number: x * gain + offset.
        let gain = shape
            .spread(recip)
            .zip(scale)
            .map(|(recip, scale)| recip * scale)
            .collect::<Vec<_>>();
        let offset = shape
            .spread(mean)
            .zip(&gain)
            .zip(shift)
            .map(|((mean, gain), shift)| shift - mean * gain)
            .collect::<Vec<_>>();
        let scaled = |value: f32, gain: f32, offset: f32| value * gain + offset;
        let least = if shape.relu { 0.0 } else { f32::NEG_INFINITY };
        let pixels = out
            .chunks_exact_mut(shape.channels)
            .zip(image.chunks_exact(shape.channels));
        match shortcut {
            Some(shortcut) => {
                for ((out, pixel), shortcut) in pixels.zip(shortcut.chunks_exact(shape.channels)) {
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
    }
}

/// Writes the gradient of one image, and of its shortcut into `masked`; returns those of its scale
/// and shift.
struct BackwardImage<'a> {
    shape: &'a NormShape,
    /// Of the image; its moments lie there.
    index: usize,
    image: &'a [f32],
    grad: &'a [f32],
    out: &'a [f32],
    scale: &'a [f32],
    moments: &'a Moments,
    masked: &'a mut [f32],
    result: &'a mut [f32],
}

impl NullaryFnOnce for BackwardImage<'_> {
    type Output = (Vec<f32>, Vec<f32>);

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self {
            shape,
            index,
            image,
            grad,
            out,
            scale,
            moments,
            masked,
            result,
        } = self;
        shape.mask(masked, grad, out);
        let grad = &*masked;
        let groups = index * shape.groups..(index + 1) * shape.groups;
        let recip = shape
            .spread(&moments.recip[groups.clone()])
            .collect::<Vec<_>>();
        let mean = shape.spread(&moments.mean[groups]).collect::<Vec<_>>();
        // Per channel: sum of g, and of g times the normalised value.
        let mut plain = vec![0.0; shape.channels];
        let mut weighted = vec![0.0; shape.channels];
        for (pixel, grad) in image
            .chunks_exact(shape.channels)
            .zip(grad.chunks_exact(shape.channels))
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
        let count = (shape.pixels * shape.group_len()) as f32;
        let over_group = |sums: &[f32]| {
            let scaled = sums.iter().zip(scale).map(|(sum, scale)| sum * scale);
            let groups = shape.grouped(&scaled.collect::<Vec<_>>());
            shape
                .spread(&groups)
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
        let constant = (0..shape.channels)
            .map(|c| -recip[c] * first[c] - from_value[c] * mean[c])
            .collect::<Vec<_>>();
        for ((result, pixel), grad) in result
            .chunks_exact_mut(shape.channels)
            .zip(image.chunks_exact(shape.channels))
            .zip(grad.chunks_exact(shape.channels))
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

/// `to += from`.
fn add(to: &mut [f32], from: &[f32]) {
    widest(|| {
        for (to, from) in to.iter_mut().zip(from) {
            *to += from;
        }
    });
}
