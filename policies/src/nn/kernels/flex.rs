//! Between tensors and slices of the CPU backend.

use burn::backend::{Autodiff, Flex, flex::FlexTensor};
use burn::tensor::{Tensor, TensorData};

/// The CPU backend with automatic differentiation.
pub type Tracked = Autodiff<Flex>;

/// The tracked primitive of a tensor on the CPU; `None` on another device or with another
/// checkpointing strategy. A tensor without autodiff becomes a constant.
pub fn tracked<const D: usize>(
    tensor: &Tensor<D>,
) -> Option<<Tracked as burn::backend::BackendTypes>::FloatTensorPrimitive> {
    let tensor = tensor.clone();
    let tensor = if tensor.is_autodiff() {
        tensor
    } else {
        tensor.autodiff()
    };
    tensor.try_into_primitive::<Tracked>().ok()
}

/// The primitive of a tensor on the CPU without autodiff.
pub fn plain<const D: usize>(tensor: &Tensor<D>) -> Option<FlexTensor> {
    tensor.clone().try_into_primitive::<Flex>().ok()
}

/// A row-major tensor from values.
pub fn primitive(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}

/// A row-major tensor of the shape of another.
pub fn like(values: Vec<f32>, other: &FlexTensor) -> FlexTensor {
    primitive(values, &other.layout().shape().to_vec())
}

/// The values of a tensor, row-major.
pub fn values(tensor: FlexTensor) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().unwrap_or_default()
}

/// Runs `f` on the values of a tensor, row-major, copying only if they are not so already.
pub fn with_values<R>(tensor: &FlexTensor, f: impl FnOnce(&[f32]) -> R) -> R {
    match tensor.as_slice::<f32>() {
        Some(values) => f(values),
        None => f(&values(tensor.to_contiguous())),
    }
}
