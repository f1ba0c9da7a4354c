//! Reading the reference numbers that the tests compare with.
//!
//! The files under `tests/golden` were made by running the authors' code with random weights.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use crate::checkpoint::file::Tensors;
use crate::policy::WeightTensor;

/// One file.
pub struct Golden {
    /// Tensors, converted to f32.
    pub tensors: Tensors,
    /// Metadata of the header.
    pub metadata: BTreeMap<String, String>,
}

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

impl Golden {
    pub fn open(name: &str) -> Self {
        let bytes = std::fs::read(path(name)).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap_or_default();
        let tensors = file
            .iter()
            .map(|(key, view)| {
                let bytes = view.data();
                let values = match view.dtype() {
                    Dtype::F32 => bytes
                        .chunks_exact(4)
                        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
                        .collect(),
                    Dtype::F64 => bytes
                        .chunks_exact(8)
                        .map(|b| f64::from_le_bytes(b.try_into().unwrap()) as f32)
                        .collect(),
                    Dtype::I64 => bytes
                        .chunks_exact(8)
                        .map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f32)
                        .collect(),
                    Dtype::I32 => bytes
                        .chunks_exact(4)
                        .map(|b| i32::from_le_bytes(b.try_into().unwrap()) as f32)
                        .collect(),
                    Dtype::U8 => bytes.iter().map(|&b| f32::from(b)).collect(),
                    other => panic!("{key}: {other:?}"),
                };
                let shape = view.shape().to_vec();
                (key.to_owned(), WeightTensor { shape, values })
            })
            .collect();
        Self {
            tensors,
            metadata: metadata.into_iter().collect(),
        }
    }

    pub fn get(&self, key: &str) -> &WeightTensor {
        self.tensors
            .get(key)
            .unwrap_or_else(|| panic!("no `{key}` in the file"))
    }

    pub fn values(&self, key: &str) -> &[f32] {
        &self.get(key).values
    }

    pub fn tensor<const D: usize>(&self, key: &str, device: &Device) -> Tensor<D> {
        let tensor = self.get(key);
        Tensor::from_data(
            TensorData::new(tensor.values.clone(), tensor.shape.clone()),
            device,
        )
    }

    pub fn config(&self) -> serde_json::Value {
        serde_json::from_str(&self.metadata["config"]).unwrap()
    }

    /// Weights whose key starts with `params/` and `prefix`, without either.
    pub fn params(&self, prefix: &str) -> Tensors {
        let start = format!("params/{prefix}");
        self.tensors
            .iter()
            .filter_map(|(key, tensor)| {
                Some((key.strip_prefix(&start)?.to_owned(), tensor.clone()))
            })
            .collect()
    }

    /// Asserts `|got - want| <= tolerance * (1 + max |want|)` for the tensor `key`.
    pub fn check(&self, key: &str, got: &[f32], tolerance: f32) {
        close(key, got, self.values(key), tolerance);
    }

    pub fn check_tensor<const D: usize>(&self, key: &str, got: Tensor<D>, tolerance: f32) {
        self.check(key, &vec(got), tolerance);
    }
}

pub fn vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    crate::host::values(tensor)
}

pub fn close(name: &str, got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len(), "{name}: number of values");
    let scale = 1.0 + want.iter().fold(0f32, |most, value| most.max(value.abs()));
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (got - want).abs();
        assert!(
            error <= tolerance * scale,
            "{name}[{index}]: got {got}, want {want} (error {error:e}, scale {scale})"
        );
    }
}
