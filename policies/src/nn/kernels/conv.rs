//! Convolution of channels-last images.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::{Flex, flex::FlexTensor};
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;

use super::conv_tiles::Filter;
use super::flex::{plain, primitive, tracked, with_values};
use super::record::record;

/// Sizes of a convolution with a square kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Images.
    pub batch: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Stride.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: usize,
}

impl ConvShape {
    fn of(images: &Tensor<4>, kernel: &Tensor<4>, stride: usize, padding: usize) -> Self {
        let [batch, height, width, channels] = images.dims();
        let [out_channels, _, side, _] = kernel.dims();
        Self {
            batch,
            height,
            width,
            channels,
            out_channels,
            kernel: side,
            stride,
            padding,
        }
    }
    fn out(&self, size: usize) -> usize {
        (size + 2 * self.padding)
            .checked_sub(self.kernel)
            .map_or(0, |room| room / self.stride.max(1) + 1)
    }
    /// Rows of the output.
    pub fn out_height(&self) -> usize {
        self.out(self.height)
    }
    /// Columns of the output.
    pub fn out_width(&self) -> usize {
        self.out(self.width)
    }
    /// Numbers in a patch.
    pub const fn patch(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }
    const fn images(&self) -> [usize; 4] {
        [self.batch, self.height, self.width, self.channels]
    }
    fn output(&self) -> [usize; 4] {
        [
            self.batch,
            self.out_height(),
            self.out_width(),
            self.out_channels,
        ]
    }
}

/// `images` (`[batch, height, width, in]`) convolved with `kernel` (`[out, in, side, side]`) to
/// `[batch, .., .., out]`.
pub fn conv2d(images: Tensor<4>, kernel: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    let shape = ConvShape::of(&images, &kernel, stride, padding);
    on_cpu(&images, &kernel, shape).unwrap_or_else(|| composed(images, kernel, shape))
}

/// [`conv2d`], but where no gradients are taken the kernel is kept as the inner loops read it for the
/// next call.
pub fn conv2d_kept(
    images: Tensor<4>,
    kernel: Tensor<4>,
    stride: usize,
    padding: usize,
    kept: &KeptFilter,
) -> Tensor<4> {
    kept.conv2d(&images, &kernel, stride, padding)
        .unwrap_or_else(|| conv2d(images, kernel, stride, padding))
}

/// A kernel as the inner loops read it, and the one that it was made of, which therefore cannot change
/// in its place.
#[derive(Debug, Default)]
pub struct KeptFilter(Mutex<Option<(FlexTensor, Arc<Filter>)>>);

impl Clone for KeptFilter {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.lock().clone()))
    }
}

impl KeptFilter {
    fn lock(&self) -> MutexGuard<'_, Option<(FlexTensor, Arc<Filter>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn conv2d(
        &self,
        images: &Tensor<4>,
        kernel: &Tensor<4>,
        stride: usize,
        padding: usize,
    ) -> Option<Tensor<4>> {
        if images.is_autodiff() || kernel.is_autodiff() {
            return None;
        }
        let shape = ConvShape::of(images, kernel, stride, padding);
        let (images, kernel) = (plain(images)?, plain(kernel)?);
        let filter = self.filter(&kernel, shape);
        let output = with_values(&images, |images| shape.forward(images, &filter));
        let output = primitive(output, &shape.output());
        Some(Tensor::from_primitive::<Flex>(output))
    }

    fn filter(&self, kernel: &FlexTensor, shape: ConvShape) -> Arc<Filter> {
        let mut kept = self.lock();
        if let Some((of, filter)) = &*kept
            && Arc::ptr_eq(&of.data_arc(), &kernel.data_arc())
            && of.layout() == kernel.layout()
        {
            return filter.clone();
        }
        let filter = Arc::new(with_values(kernel, |kernel| shape.filter(kernel)));
        *kept = Some((kernel.clone(), filter.clone()));
        filter
    }
}

/// The same out of burn's operations.
pub(super) fn composed(images: Tensor<4>, kernel: Tensor<4>, shape: ConvShape) -> Tensor<4> {
    burn::tensor::module::conv2d(
        images.permute([0, 3, 1, 2]),
        kernel,
        None,
        ConvOptions::new([shape.stride; 2], [shape.padding; 2], [1, 1], 1),
    )
    .permute([0, 2, 3, 1])
}

/// `None` if the tensors are not on the CPU.
pub(super) fn on_cpu(
    images: &Tensor<4>,
    kernel: &Tensor<4>,
    shape: ConvShape,
) -> Option<Tensor<4>> {
    if !images.is_autodiff() && !kernel.is_autodiff() {
        let (images, kernel) = (plain(images)?, plain(kernel)?);
        return Some(Tensor::from_primitive::<Flex>(run(&images, &kernel, shape)));
    }
    let (images, kernel) = (tracked(images)?, tracked(kernel)?);
    let nodes = [images.node(), kernel.node()];
    let (images, kernel) = (images.into_primitive(), kernel.into_primitive());
    let output = run(&images, &kernel, shape);
    let state = (images, kernel, shape);
    Some(record(nodes, ConvBackward, state, output))
}

fn run(images: &FlexTensor, kernel: &FlexTensor, shape: ConvShape) -> FlexTensor {
    let filter = with_values(kernel, |kernel| shape.filter(kernel));
    let output = with_values(images, |images| shape.forward(images, &filter));
    primitive(output, &shape.output())
}

#[derive(Debug)]
struct ConvBackward;

impl Backward<Flex, 2> for ConvBackward {
    type State = (FlexTensor, FlexTensor, ConvShape);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [images_node, kernel_node] = ops.parents;
        let (images, kernel, shape) = ops.state;
        let grad = grads.consume::<Flex>(&ops.node);
        with_values(&grad, |grad| {
            if let Some(node) = images_node {
                let value = with_values(&kernel, |kernel| shape.backward_images(grad, kernel));
                grads.register::<Flex>(node.id, primitive(value, &shape.images()));
            }
            if let Some(node) = kernel_node {
                let value = with_values(&images, |images| shape.backward_kernel(images, grad));
                let dims = kernel.layout().shape().to_vec();
                grads.register::<Flex>(node.id, primitive(value, &dims));
            }
        });
    }
}
