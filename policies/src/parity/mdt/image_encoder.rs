//! `resnet_tiny`: the image encoder with reduced widths.

use burn::tensor::{Device, Tensor};

use crate::checkpoint::KeyMap;
use crate::nn::{Pooling, ResNet, ResNetConfig, Stem};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{put_gradients, with_weights};
use crate::parity::outputs::Outputs;

const PREFIX: &str = "static_resnet.";

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let network = encoder(file, device)?;
    for name in file.keys_under("in/img_") {
        // The image with a time axis is the first one again.
        if file.get(&format!("in/img_{name}"))?.shape.len() == 5 {
            let images = file.tensor::<5>(&format!("in/img_{name}"), device)?;
            let [batch, time, channels, height, width] = images.dims();
            let images = images.reshape([batch * time, channels, height, width]);
            let vectors = network.forward(channels_last(images), None);
            let [_, output] = vectors.dims();
            let vectors = vectors.reshape([batch, time, output]);
            outputs.put(format!("out/img_{name}"), vectors);
            continue;
        }
        let images = file.tensor::<4>(&format!("in/img_{name}"), device)?;
        stages(&network, &format!("out/img_{name}"), images, &mut outputs);
    }

    let device = &device.clone().autodiff();
    let network = encoder(file, device)?;
    let probe = file.tensor::<2>("in/probe_last", device)?;
    for name in file.keys_under("out/grad/in/") {
        let images = file.tensor::<4>(&format!("in/{name}"), device)?;
        let images = images.require_grad();
        let vectors = network.forward(channels_last(images.clone()), None);
        let mut grads = (vectors * probe.clone()).sum().backward();
        if let Some(grad) = images.grad_remove(&mut grads) {
            outputs.put(format!("out/grad/in/{name}"), grad);
        }
        let keys = ("out/grad/", PREFIX);
        put_gradients(&mut outputs, &network, grads, file, keys, &KeyMap::MDT);
    }
    Ok(outputs)
}

/// Layers of the authors' sequence that are kept: 1 the first norm, 3 the maximum, 4 to 7 the stages.
/// Their ReLU works in place, so that what was kept of the norm has passed it too.
fn stages(network: &ResNet, start: &str, images: Tensor<4>, outputs: &mut Outputs) {
    let images = channels_last(images);
    let (convolution, norm, ..) = &network.backbone;
    let normal = norm.forward(convolution.forward(images.clone()), true);
    outputs.put(format!("{start}/after_1"), channels_first(normal));
    let mut hidden = network.stem(images.clone());
    outputs.put(format!("{start}/after_3"), channels_first(hidden.clone()));
    for (index, stage) in network.stages().into_iter().enumerate() {
        hidden = ResNet::stage(stage, hidden, None);
        let key = format!("{start}/after_{}", index + 4);
        outputs.put(key, channels_first(hidden.clone()));
    }
    let vectors = network.forward(images, None);
    outputs.put(format!("{start}/embedding"), vectors);
}

fn encoder(file: &GoldenFile, device: &Device) -> Result<ResNet, ParityError> {
    let widths = file.counts("/widths")?;
    let blocks = file.counts("/blocks_per_stage")?;
    let kernel = file.get(&format!("params/{PREFIX}backbone.0.weight"))?;
    let config = ResNetConfig {
        stem: Stem {
            channels: kernel.shape.first().copied().unwrap_or_default(),
            ..ResNetConfig::resnet18().stem
        },
        widths,
        blocks,
        pooling: Pooling::Average,
        ..ResNetConfig::resnet18()
    };
    if let Some(problem) = config.problem() {
        return Err(ParityError::Config(problem));
    }
    // The goal's width plays no part without modulation by it.
    let network = ResNet::new(&config, 1, file.count("/latent_dim")?, device);
    with_weights(network, file, PREFIX, &KeyMap::MDT)
}

fn channels_last(images: Tensor<4>) -> Tensor<4> {
    images.permute([0, 2, 3, 1])
}

fn channels_first(map: Tensor<4>) -> Tensor<4> {
    map.permute([0, 3, 1, 2])
}
