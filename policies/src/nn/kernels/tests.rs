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
    for (groups, per_image, with_shortcut, cut) in [
        (1, false, false, true),
        (2, false, true, true),
        (4, true, true, true),
        (2, true, false, false),
    ] {
        let images = random([3, 5, 4, 8], 1, &device);
        let rows = if per_image { 3 } else { 1 };
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
        let probe = random([3, 5, 4, 8], 5, &device);
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
