//! The CPU's operations against burn's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::conv::{ConvShape, composed, on_cpu};
use super::norm::{self, Affine};
use crate::golden::{close, vec};
use crate::mdt::loss::normals;

fn random<const D: usize>(dims: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let count = dims.iter().product();
    let values = normals(count, &mut ChaCha8Rng::seed_from_u64(seed));
    Tensor::<D>::from_data(TensorData::new(values, dims), device).require_grad()
}

#[test]
fn convolution_and_gradients() {
    let device = Device::flex().autodiff();
    for (size, kernel, stride, padding, channels, out_channels) in [
        ([9, 9], 3, 1, 1, 4, 6),
        ([10, 7], 3, 2, 1, 5, 3),
        ([12, 12], 5, 2, 2, 3, 8),
        ([11, 11], 7, 2, 3, 3, 4),
        ([6, 6], 1, 1, 0, 8, 4),
        ([7, 5], 1, 2, 0, 4, 8),
        ([3, 3], 5, 1, 2, 2, 2),
    ] {
        let [height, width] = size;
        let shape = ConvShape {
            batch: 3,
            height,
            width,
            channels,
            out_channels,
            kernel,
            stride,
            padding,
        };
        let images = random([3, height, width, channels], 1, &device);
        let weights = random([out_channels, channels, kernel, kernel], 2, &device);
        let both = [
            on_cpu(&images, &weights, shape).unwrap(),
            composed(images.clone(), weights.clone(), shape),
        ];
        let probe = random(both[0].dims(), 3, &device);
        let [ours, theirs] = both.map(|out| {
            let grads = (out.clone() * probe.clone()).sum().backward();
            [
                vec(out),
                vec(images.grad(&grads).unwrap()),
                vec(weights.grad(&grads).unwrap()),
            ]
        });
        for (name, (got, want)) in ["out", "images", "kernel"]
            .iter()
            .zip(ours.iter().zip(&theirs))
        {
            close(name, got, want, 2e-6);
        }
    }
}

#[test]
fn norm_and_gradients() {
    let device = Device::flex().autodiff();
    // More rows than images: the first images are there twice.
    for (groups, rows, with_shortcut, cut) in [
        (1, 1, false, true),
        (2, 1, true, true),
        (4, 3, true, true),
        (2, 3, false, false),
        (2, 5, true, true),
        (4, 6, false, true),
    ] {
        let images = random([3, 5, 4, 8], 1, &device);
        let scale = random([rows, 8], 2, &device);
        let shift = random([rows, 8], 3, &device);
        let shortcut = with_shortcut.then(|| random([3, 5, 4, 8], 4, &device));
        let affine = Affine {
            scale: scale.clone(),
            shift: shift.clone(),
        };
        let both = [
            norm::on_cpu(&images, groups, &affine, shortcut.as_ref(), cut).unwrap(),
            norm::composed(images.clone(), groups, affine, shortcut.clone(), cut),
        ];
        let probe = random([rows.max(3), 5, 4, 8], 5, &device);
        let [ours, theirs] = both.map(|out| {
            let grads = (out.clone() * probe.clone()).sum().backward();
            let mut all = vec![
                vec(out),
                vec(images.grad(&grads).unwrap()),
                vec(scale.grad(&grads).unwrap()),
                vec(shift.grad(&grads).unwrap()),
            ];
            all.extend(
                shortcut
                    .as_ref()
                    .map(|shortcut| vec(shortcut.grad(&grads).unwrap())),
            );
            all
        });
        for (index, (got, want)) in ours.iter().zip(&theirs).enumerate() {
            close(&format!("part {index}"), got, want, 5e-6);
        }
    }
}

#[test]
fn without_autodiff_the_values_are_the_same() {
    let device = Device::flex();
    let images = random([2, 8, 8, 3], 1, &device.clone().autodiff());
    let weights = random([4, 3, 3, 3], 2, &device.autodiff());
    let tracked = super::conv2d(images.clone(), weights.clone(), 2, 1);
    let plain = super::conv2d(images.inner(), weights.inner(), 2, 1);
    assert!(!plain.is_autodiff());
    assert_eq!(vec(tracked), vec(plain));
}

/// Gradients of `inputs` under a random probe of `out`, and `out` itself.
fn everything<const D: usize>(out: Tensor<D>, inputs: &[&Tensor<3>]) -> Vec<Vec<f32>> {
    let probe = random(out.dims(), 9, &out.device());
    let grads = (out.clone() * probe).sum().backward();
    let grads = inputs.iter().map(|input| vec(input.grad(&grads).unwrap()));
    std::iter::once(vec(out)).chain(grads).collect()
}

fn same(ours: &[Vec<f32>], theirs: &[Vec<f32>]) {
    assert_eq!(ours.len(), theirs.len());
    for (index, (got, want)) in ours.iter().zip(theirs).enumerate() {
        close(&format!("part {index}"), got, want, 5e-6);
    }
}

#[test]
fn gelu_and_gradient() {
    let device = Device::flex().autodiff();
    let input = random([2, 30, 40], 1, &device) * 3.0;
    let input = Tensor::<3>::from_inner(input.inner()).require_grad();
    let ours = everything(super::gelu(input.clone()), &[&input]);
    let theirs = everything(burn::tensor::activation::gelu(input.clone()), &[&input]);
    same(&ours, &theirs);
}

#[test]
fn swish_gate_and_gradient() {
    let device = Device::flex().autodiff();
    let input = random([2, 30, 40], 1, &device) * 3.0;
    let input = Tensor::<3>::from_inner(input.inner()).require_grad();
    let ours = everything(super::swish::on_cpu(&input).unwrap(), &[&input]);
    let theirs = everything(super::swish::composed(input.clone()), &[&input]);
    same(&ours, &theirs);
}

#[test]
fn kept_kernels_are_made_anew_when_they_change() {
    let device = Device::flex().autodiff();
    let images = random([2, 8, 8, 3], 1, &device).inner();
    let kept = super::KeptFilter::default();
    for seed in [2, 3] {
        let kernel = random([4, 3, 3, 3], seed, &device).inner();
        let plain = vec(super::conv2d(images.clone(), kernel.clone(), 2, 1));
        for kept in [&kept, &kept, &kept.clone()] {
            let output = super::conv2d_kept(images.clone(), kernel.clone(), 2, 1, kept);
            assert_eq!(vec(output), plain);
        }
    }
}

#[test]
fn layer_norm_and_gradients() {
    let device = Device::flex().autodiff();
    for rows in [1, 3] {
        let input = random([3, 5, 24], 1, &device);
        let scale = random([rows, 1, 24], 2, &device);
        let shift = random([rows, 1, 24], 3, &device);
        let affine = || Affine {
            scale: scale.clone().reshape([rows, 24]),
            shift: shift.clone().reshape([rows, 24]),
        };
        let inputs = [&input, &scale, &shift];
        let fused = super::layer_norm::on_cpu(&input, &affine(), 1e-6).unwrap();
        let composed = super::layer_norm::composed(input.clone(), affine(), 1e-6);
        same(&everything(fused, &inputs), &everything(composed, &inputs));
    }
}

#[test]
fn gated_residual_and_gradients() {
    let device = Device::flex().autodiff();
    for rows in [1, 3] {
        let trunk = random([3, 5, 24], 1, &device);
        let branch = random([3, 5, 24], 2, &device);
        let gate = random([rows, 1, 24], 3, &device);
        let inputs = [&trunk, &branch, &gate];
        let fused = super::residual::on_cpu(&trunk, &branch, &gate).unwrap();
        let composed = trunk.clone() + branch.clone() * gate.clone();
        same(&everything(fused, &inputs), &everything(composed, &inputs));
    }
}

#[test]
fn attention_and_gradients() {
    use super::Sight;
    use crate::nn::attention::{composed, repeat_interleave};
    let device = Device::flex().autodiff();
    // Three samples of five queries; the last sees more than there is.
    let first = Sight::First([1, 3, 3, 4, 5, 2, 2, 2, 5, 1, 5, 5, 4, 3, 9].into());
    for (heads, sight) in [
        (1, Sight::All),
        (2, Sight::Causal),
        (3, Sight::Causal),
        (2, first),
    ] {
        let width = 24;
        let rows = random([3, 5, 3 * width], 1, &device);
        let fused = super::attend_self(&rows, heads, sight.clone()).unwrap();
        let part = |i: usize| rows.clone().narrow(2, i * width, width);
        let parts = [part(0), part(1), part(2)];
        let theirs = composed(parts, heads, sight.clone(), None);
        same(&everything(fused, &[&rows]), &everything(theirs, &[&rows]));
        if matches!(sight, Sight::First(_)) {
            continue;
        }

        let query = random([4, 5, width], 2, &device);
        let context = random([2, 3, 2 * width], 3, &device);
        let fused = super::attend_cross(&query, &context, heads, sight.clone()).unwrap();
        let wide = repeat_interleave(context.clone(), 2);
        let key = wide.clone().narrow(2, 0, width);
        let value = wide.narrow(2, width, width);
        let theirs = composed([query.clone(), key, value], heads, sight, None);
        let inputs = [&query, &context];
        same(&everything(fused, &inputs), &everything(theirs, &inputs));
    }
}

#[test]
fn exponential() {
    for i in -8700..=8800 {
        let x = i as f32 / 100.0;
        let (got, want) = (f64::from(super::lanes::exp(x)), f64::from(x).exp());
        assert!((got - want).abs() <= 4e-7 * want, "{x}: {got} {want}");
    }
    assert_eq!(
        super::lanes::exp(f32::NEG_INFINITY),
        super::lanes::exp(-87.0)
    );
}
