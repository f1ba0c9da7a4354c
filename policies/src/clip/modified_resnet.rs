//! CLIP's residual image tower: a stem of three convolutions, means instead of strides, attention
//! pooling.

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation::relu};

use super::attention_pool::AttentionPool;
use crate::error::PolicyError;
use crate::nn::BatchNorm;
use crate::nn::resnet::Conv;

/// A bottleneck block has this many times more channels outside than inside.
const EXPANSION: usize = 4;

/// The stages and the stem shrink an image by this factor.
const SHRINK: usize = 32;

/// Sizes of a [`ModifiedResNet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModifiedResNetConfig {
    /// Blocks per stage.
    pub layers: [usize; 4],
    /// Channels after the stem; even.
    pub width: usize,
    /// Heads of the pooling; divide the `32 * width` channels of the last map.
    pub heads: usize,
    /// Side of an image [pixels]; a multiple of 32.
    pub resolution: usize,
    /// Numbers of an embedding.
    pub output: usize,
}

impl ModifiedResNetConfig {
    /// RN50.
    pub const fn rn50() -> Self {
        Self {
            layers: [3, 4, 6, 3],
            width: 64,
            heads: 32,
            resolution: 224,
            output: 1024,
        }
    }

    /// What is wrong, if anything.
    pub fn problem(&self) -> Option<String> {
        let Self {
            width,
            heads,
            resolution,
            output,
            ..
        } = *self;
        if width < 2 || !width.is_multiple_of(2) || output == 0 {
            return Some(format!("widths of {width} and {output}"));
        }
        if heads == 0 || !(8 * EXPANSION * width).is_multiple_of(heads) {
            return Some(format!("a width of {width} cannot have {heads} heads"));
        }
        (resolution == 0 || !resolution.is_multiple_of(SHRINK))
            .then(|| format!("a resolution of {resolution} is no multiple of {SHRINK}"))
    }
}

/// Mean over squares of `side` pixels, `[batch, height, width, channels]`; what does not fill a
/// square is dropped.
fn mean_squares(map: Tensor<4>, side: usize) -> Tensor<4> {
    if side == 1 {
        return map;
    }
    let [batch, height, width, channels] = map.dims();
    let (rows, columns) = (height / side, width / side);
    map.narrow(1, 0, rows * side)
        .narrow(2, 0, columns * side)
        .reshape([batch, rows, side, columns, side, channels])
        .mean_dims(&[2, 4])
        .reshape([batch, rows, columns, channels])
}

/// 1x1, 3x3 and 1x1 convolution with a shortcut. A stride is a mean over squares after the second
/// convolution, and before the shortcut's.
#[derive(Module, Debug)]
pub struct Bottleneck {
    /// 1x1.
    pub conv1: Conv,
    /// Norm after it.
    pub bn1: BatchNorm,
    /// 3x3.
    pub conv2: Conv,
    /// Norm after it.
    pub bn2: BatchNorm,
    /// 1x1.
    pub conv3: Conv,
    /// Norm after it.
    pub bn3: BatchNorm,
    /// 1x1 convolution and norm of the shortcut, where the shape changes.
    pub downsample: Option<(Conv, BatchNorm)>,
    /// Side of the squares.
    pub stride: usize,
}

impl Bottleneck {
    fn new(input: usize, inner: usize, stride: usize, device: &Device) -> Self {
        let output = EXPANSION * inner;
        Self {
            conv1: Conv::new(input, inner, 1, 1, device),
            bn1: BatchNorm::new(inner, device),
            conv2: Conv::new(inner, inner, 3, 1, device),
            bn2: BatchNorm::new(inner, device),
            conv3: Conv::new(inner, output, 1, 1, device),
            bn3: BatchNorm::new(output, device),
            downsample: (stride != 1 || input != output).then(|| {
                (
                    Conv::new(input, output, 1, 1, device),
                    BatchNorm::new(output, device),
                )
            }),
            stride,
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.downsample {
            Some((conv, norm)) => {
                norm.forward(conv.forward(mean_squares(input.clone(), self.stride)))
            }
            None => input.clone(),
        };
        let hidden = relu(self.bn1.forward(self.conv1.forward(input)));
        let hidden = relu(self.bn2.forward(self.conv2.forward(hidden)));
        let hidden = mean_squares(hidden, self.stride);
        relu(self.bn3.forward(self.conv3.forward(hidden)) + shortcut)
    }
}

/// Images to vectors.
#[derive(Module, Debug)]
pub struct ModifiedResNet {
    /// 3x3, stride 2.
    pub conv1: Conv,
    /// Norm after it.
    pub bn1: BatchNorm,
    /// 3x3.
    pub conv2: Conv,
    /// Norm after it.
    pub bn2: BatchNorm,
    /// 3x3.
    pub conv3: Conv,
    /// Norm after it.
    pub bn3: BatchNorm,
    /// First stage.
    pub layer1: Vec<Bottleneck>,
    /// Second stage; halves the sides.
    pub layer2: Vec<Bottleneck>,
    /// Third stage; halves the sides.
    pub layer3: Vec<Bottleneck>,
    /// Fourth stage; halves the sides.
    pub layer4: Vec<Bottleneck>,
    /// Map to vector.
    pub attnpool: AttentionPool,
}

impl ModifiedResNet {
    /// Fresh weights.
    pub fn new(config: &ModifiedResNetConfig, device: &Device) -> Self {
        let width = config.width;
        let mut channels = width;
        let mut stage = |index: usize| {
            let inner = width << index;
            let blocks = (0..config.layers[index]).map(|block| {
                let stride = if block == 0 && index > 0 { 2 } else { 1 };
                let built = Bottleneck::new(channels, inner, stride, device);
                channels = EXPANSION * inner;
                built
            });
            blocks.collect::<Vec<_>>()
        };
        let [layer1, layer2, layer3, layer4] = [stage(0), stage(1), stage(2), stage(3)];
        Self {
            conv1: Conv::new(3, width / 2, 3, 2, device),
            bn1: BatchNorm::new(width / 2, device),
            conv2: Conv::new(width / 2, width / 2, 3, 1, device),
            bn2: BatchNorm::new(width / 2, device),
            conv3: Conv::new(width / 2, width, 3, 1, device),
            bn3: BatchNorm::new(width, device),
            layer1,
            layer2,
            layer3,
            layer4,
            attnpool: AttentionPool::new(
                config.resolution / SHRINK,
                [channels, config.output],
                config.heads,
                device,
            ),
        }
    }

    /// The maps of the stem: after each of its convolutions, and after the mean that ends it.
    pub fn stem(&self, images: Tensor<4>) -> [Tensor<4>; 4] {
        let first = relu(self.bn1.forward(self.conv1.forward(images)));
        let second = relu(self.bn2.forward(self.conv2.forward(first.clone())));
        let third = relu(self.bn3.forward(self.conv3.forward(second.clone())));
        let last = mean_squares(third.clone(), 2);
        [first, second, third, last]
    }

    /// The stages.
    pub const fn stages(&self) -> [&Vec<Bottleneck>; 4] {
        [&self.layer1, &self.layer2, &self.layer3, &self.layer4]
    }

    /// One stage.
    pub fn stage(stage: &[Bottleneck], input: Tensor<4>) -> Tensor<4> {
        stage
            .iter()
            .fold(input, |hidden, block| block.forward(hidden))
    }

    /// Side of the images [pixels].
    pub fn resolution(&self) -> usize {
        (self.attnpool.positional_embedding.dims()[0] - 1).isqrt() * SHRINK
    }

    /// Embeddings `[batch, output]`, not normalised, of normalised images `[batch, side, side, 3]`.
    ///
    /// # Errors
    /// If the images are of another size.
    pub fn forward(&self, images: Tensor<4>) -> Result<Tensor<2>, PolicyError> {
        let [_, height, width, channels] = images.dims();
        let side = self.resolution();
        if (height, width, channels) != (side, side, 3) {
            return Err(PolicyError::InputShape {
                what: "an image".into(),
                expected: format!("{side}x{side} pixels of 3 channels"),
                found: format!("{width}x{height} pixels of {channels} channels"),
                advice: "resize images to the tower's resolution".into(),
            });
        }
        let [.., map] = self.stem(images);
        let stages = self.stages().into_iter();
        let map = stages.fold(map, |map, stage| Self::stage(stage, map));
        Ok(self.attnpool.forward(map))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::mean_squares;
    use crate::Device;

    #[test]
    fn means_are_taken_over_whole_squares() {
        let values = (0..9).map(|i| i as f32).collect::<Vec<_>>();
        let map = burn::tensor::Tensor::<4>::from_data(
            TensorData::new(values, [1, 3, 3, 1]),
            &Device::flex(),
        );
        let mean = mean_squares(map, 2).into_data();
        assert_eq!(mean.as_slice::<f32>().ok(), Some(&[2.0f32][..]));
    }
}
