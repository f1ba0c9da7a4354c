//! Reading tensors back from their device: the only way in which this crate does it.
//!
//! On a GPU, burn 0.22.1's `into_data` does not read. It notes where the values lie, and they are
//! copied when somebody first looks at them (`burn-cubecl`, `ops/base.rs`: `read_lazy_async`). That
//! note does not count as an owner of the buffer, so an operation on a clone of the tensor, made in
//! the meantime, takes the buffer for its own and writes its result into it: the bytes that are read
//! in the end are another tensor's. Here the values are copied before the function returns.

use burn::tensor::{Tensor, TensorData};

/// The values of a tensor, row-major, as they are now.
///
/// If the device fails, all of them are NaN, which no check for finite values lets pass, and the
/// reason is logged.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let count = tensor.shape().num_elements();
    tensor.try_into_vec_as::<f32>().unwrap_or_else(|error| {
        tracing::error!(%error, "a tensor could not be read back from its device");
        vec![f32::NAN; count]
    })
}

/// [`values`] with their shape.
pub fn data<const D: usize>(tensor: Tensor<D>) -> TensorData {
    let shape = tensor.dims();
    TensorData::new(values(tensor), shape)
}
