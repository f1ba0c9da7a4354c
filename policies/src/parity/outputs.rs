//! What a case computed.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};

use crate::host;

/// Tensors by the key of the golden tensor that they are compared with.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    by_key: BTreeMap<String, TensorData>,
}

impl Outputs {
    /// Reads a tensor back from its device.
    pub fn put<const D: usize>(&mut self, key: impl Into<String>, tensor: Tensor<D>) {
        self.by_key.insert(key.into(), host::data(tensor));
    }

    /// Values that were computed on the host.
    pub fn put_values<T: Copy + Into<f64>>(
        &mut self,
        key: impl Into<String>,
        shape: &[usize],
        values: &[T],
    ) {
        let values = values.iter().map(|&value| value.into());
        let data = TensorData::new(values.collect::<Vec<f64>>(), shape.to_vec());
        self.by_key.insert(key.into(), data);
    }

    /// A vector that was computed on the host.
    pub fn put_vector<T: Copy + Into<f64>>(&mut self, key: impl Into<String>, values: &[T]) {
        self.put_values(key, &[values.len()], values);
    }

    /// What was computed for a key.
    pub fn get(&self, key: &str) -> Option<&TensorData> {
        self.by_key.get(key)
    }
}
