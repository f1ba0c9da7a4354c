//! One golden file in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use super::error::ParityError;
use crate::checkpoint::file::Tensors;
use crate::policy::WeightTensor;

/// Files of this ending list the arrays of a checkpoint: every tensor is expected.
const EXPECTED_END: &str = ".expected";

/// One tensor of a golden file. f64 holds every stored type exactly, 64-bit integers up to 2^53.
#[derive(Clone, Debug, PartialEq)]
pub struct GoldenTensor {
    /// Shape; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f64>,
}

/// Tensors, configuration and name of a golden file.
#[derive(Clone, Debug)]
pub struct GoldenFile {
    path: PathBuf,
    stem: String,
    tensors: BTreeMap<String, GoldenTensor>,
    config: Value,
    extra: Value,
}

impl GoldenFile {
    /// Reads a file. One of JSON is its own configuration, and every number, list of numbers and
    /// switch in it is expected, but for those below a key that ends in `config`:
    /// `{"cases": [{"ids": [1, 2]}]}` expects `out/cases/0/ids`.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, holds a tensor of an unknown type, or its metadata is not
    /// JSON.
    pub fn open(path: &Path) -> Result<Self, ParityError> {
        let bytes = std::fs::read(path).map_err(|source| ParityError::Io {
            path: path.to_owned(),
            source,
        })?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if path.extension().is_some_and(|end| end == "json") {
            let config = serde_json::from_slice::<Value>(&bytes)
                .map_err(|error| ParityError::Damaged(error.to_string()))?;
            let mut tensors = BTreeMap::new();
            expect(&config, "out", &mut tensors);
            return Ok(Self {
                path: path.to_owned(),
                stem: stem.into_owned(),
                tensors,
                config,
                extra: Value::Null,
            });
        }
        let file = SafeTensors::deserialize(&bytes)
            .map_err(|error| ParityError::Damaged(error.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes)
            .map_err(|error| ParityError::Damaged(error.to_string()))?;
        let json = |key: &str| match header.metadata().as_ref().and_then(|meta| meta.get(key)) {
            Some(text) => serde_json::from_str(text)
                .map_err(|error| ParityError::Config(format!("metadata `{key}`: {error}"))),
            None => Ok(Value::Null),
        };
        let tensors = file
            .iter()
            .map(|(key, view)| Ok((key.to_owned(), decode(key, &view)?)))
            .collect::<Result<_, ParityError>>()?;
        Ok(Self {
            path: path.to_owned(),
            stem: stem.into_owned(),
            tensors,
            config: json("config")?,
            extra: json("extra")?,
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name without folder and ending: what a case is recognised by.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// The configuration of the reference run.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// Remarks of the reference run beside its configuration.
    pub fn extra(&self) -> &Value {
        &self.extra
    }

    /// What the reference computed: all tensors under `out/`, by key.
    pub fn expected(&self) -> impl Iterator<Item = (&str, &GoldenTensor)> {
        let all = self.stem.ends_with(EXPECTED_END);
        let tensors = self.tensors.iter();
        tensors.filter_map(move |(key, tensor)| {
            (all || key.starts_with("out/")).then_some((key.as_str(), tensor))
        })
    }

    /// Keys that start with `prefix`, without it.
    pub fn keys_under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.tensors
            .keys()
            .filter_map(move |key| key.strip_prefix(prefix))
    }

    /// Whether the file has a tensor.
    pub fn has(&self, key: &str) -> bool {
        self.tensors.contains_key(key)
    }

    /// Whether an expected tensor is a parameter that the metadata names under
    /// `noisy_after_optimizer`: its true gradient is zero, so that after an optimizer step it holds
    /// amplified rounding noise, which nothing can reproduce.
    pub fn is_noisy(&self, key: &str) -> bool {
        let listed = [&self.extra, &self.config]
            .into_iter()
            .filter_map(|json| json["noisy_after_optimizer"].as_array())
            .flatten()
            .filter_map(Value::as_str);
        let parameter_of = |name: &str| {
            key.strip_suffix(name)
                .is_some_and(|rest| rest.ends_with('/') && !rest.contains("grad/"))
        };
        listed.into_iter().any(parameter_of)
    }

    /// A tensor.
    ///
    /// # Errors
    /// If it is missing.
    pub fn get(&self, key: &str) -> Result<&GoldenTensor, ParityError> {
        self.tensors
            .get(key)
            .ok_or_else(|| ParityError::MissingTensor(key.to_owned()))
    }

    /// The value of a scalar tensor.
    ///
    /// # Errors
    /// If it is missing or has no or several values.
    pub fn number_of(&self, key: &str) -> Result<f64, ParityError> {
        match self.get(key)?.values[..] {
            [value] => Ok(value),
            _ => Err(ParityError::Tensor {
                key: key.to_owned(),
                reason: "is no scalar".to_owned(),
            }),
        }
    }

    /// Values of a tensor as f32.
    ///
    /// # Errors
    /// If it is missing.
    pub fn values(&self, key: &str) -> Result<Vec<f32>, ParityError> {
        Ok(self.get(key)?.values.iter().map(|&v| v as f32).collect())
    }

    /// A tensor on a device.
    ///
    /// # Errors
    /// If it is missing or not of rank `D`.
    pub fn tensor<const D: usize>(
        &self,
        key: &str,
        device: &Device,
    ) -> Result<Tensor<D>, ParityError> {
        let shape = &self.get(key)?.shape;
        let shape: [usize; D] = shape
            .as_slice()
            .try_into()
            .map_err(|_| ParityError::Tensor {
                key: key.to_owned(),
                reason: format!("has shape {shape:?}, expected {D} axes"),
            })?;
        let data = TensorData::new(self.values(key)?, shape);
        Ok(Tensor::from_data(data, device))
    }

    /// A tensor with all axes after the first joined into one: `[rows, rest]`.
    ///
    /// # Errors
    /// If it is missing or a scalar.
    pub fn rows(&self, key: &str, device: &Device) -> Result<Tensor<2>, ParityError> {
        let tensor = self.get(key)?;
        let &[rows, ..] = tensor.shape.as_slice() else {
            return Err(ParityError::Tensor {
                key: key.to_owned(),
                reason: "is a scalar, expected rows".to_owned(),
            });
        };
        let width = tensor.values.len() / rows.max(1);
        let data = TensorData::new(self.values(key)?, [rows, width]);
        Ok(Tensor::from_data(data, device))
    }

    /// Weights whose key starts with `params/` and `prefix`, without either.
    pub fn params(&self, prefix: &str) -> Tensors {
        self.tensors_under(&format!("params/{prefix}"))
    }

    /// Tensors whose key starts with `start`, without it.
    pub fn tensors_under(&self, start: &str) -> Tensors {
        let with = |(key, tensor): (&String, &GoldenTensor)| {
            let tensor = WeightTensor {
                shape: tensor.shape.clone(),
                values: tensor.values.iter().map(|&v| v as f32).collect(),
            };
            Some((key.strip_prefix(start)?.to_owned(), tensor))
        };
        self.tensors.iter().filter_map(with).collect()
    }

    /// A whole number of the configuration, by JSON pointer (`/inner_model/n_heads`).
    ///
    /// # Errors
    /// If it is missing or not a whole number from 0.
    pub fn count(&self, pointer: &str) -> Result<usize, ParityError> {
        self.option(pointer, Value::as_u64).and_then(sane)
    }

    /// A number of the configuration.
    ///
    /// # Errors
    /// If it is missing or not a number.
    pub fn number(&self, pointer: &str) -> Result<f64, ParityError> {
        self.option(pointer, Value::as_f64)
    }

    /// A switch of the configuration.
    ///
    /// # Errors
    /// If it is missing or not a switch.
    pub fn flag(&self, pointer: &str) -> Result<bool, ParityError> {
        self.option(pointer, Value::as_bool)
    }

    /// A switch of the configuration that may be written as a number.
    ///
    /// # Errors
    /// If it is missing or neither.
    pub fn switch(&self, pointer: &str) -> Result<bool, ParityError> {
        self.option(pointer, |value| {
            let number = || value.as_f64().map(|number| number != 0.0);
            value.as_bool().or_else(number)
        })
    }

    /// A word of the configuration.
    ///
    /// # Errors
    /// If it is missing or no text.
    pub fn text(&self, pointer: &str) -> Result<String, ParityError> {
        self.option(pointer, |value| value.as_str().map(str::to_owned))
    }

    /// Whole numbers of the configuration.
    ///
    /// # Errors
    /// If they are missing or not all whole numbers.
    pub fn counts(&self, pointer: &str) -> Result<Vec<usize>, ParityError> {
        self.option(pointer, |value| {
            value.as_array()?.iter().map(Value::as_u64).collect()
        })
        .and_then(|numbers: Vec<u64>| numbers.into_iter().map(sane).collect())
    }

    /// A list of the configuration.
    ///
    /// # Errors
    /// If it is missing or no list.
    pub fn list(&self, pointer: &str) -> Result<&[Value], ParityError> {
        self.config
            .pointer(pointer)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .ok_or_else(|| ParityError::Config(format!("`{pointer}` is missing or no list")))
    }

    fn option<T>(
        &self,
        pointer: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, ParityError> {
        self.config.pointer(pointer).and_then(read).ok_or_else(|| {
            ParityError::Config(format!("`{pointer}` is missing or of another type"))
        })
    }
}

/// Collects the numbers of a JSON value as tensors below `key`.
fn expect(value: &Value, key: &str, tensors: &mut BTreeMap<String, GoldenTensor>) {
    let mut put = |shape: Vec<usize>, values: Vec<f64>| {
        tensors.insert(key.to_owned(), GoldenTensor { shape, values });
    };
    match value {
        Value::Bool(switch) => put(Vec::new(), vec![f64::from(u8::from(*switch))]),
        Value::Number(number) => put(Vec::new(), number.as_f64().into_iter().collect()),
        Value::Array(list) => {
            let numbers = list.iter().map(Value::as_f64).collect::<Option<Vec<_>>>();
            match numbers {
                Some(numbers) => put(vec![numbers.len()], numbers),
                None => {
                    for (index, value) in list.iter().enumerate() {
                        expect(value, &format!("{key}/{index}"), tensors);
                    }
                }
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter().filter(|(name, _)| !name.ends_with("config")) {
                expect(value, &format!("{key}/{name}"), tensors);
            }
        }
        Value::Null | Value::String(_) => {}
    }
}

/// Sizes beyond any network are refused before anything is allocated for them.
fn sane(number: u64) -> Result<usize, ParityError> {
    const MOST: usize = 1 << 20;
    match usize::try_from(number) {
        Ok(size) if size <= MOST => Ok(size),
        _ => Err(ParityError::Config(format!("a size of {number}"))),
    }
}

/// Numbers of any stored type.
///
/// # Errors
/// If the type is unknown.
pub(super) fn decode(key: &str, view: &TensorView<'_>) -> Result<GoldenTensor, ParityError> {
    fn read<const N: usize>(bytes: &[u8], from: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        let (chunks, _) = bytes.as_chunks::<N>();
        chunks.iter().map(|chunk| from(*chunk)).collect()
    }
    let bytes = view.data();
    let values = match view.dtype() {
        Dtype::F32 => read(bytes, |b| f64::from(f32::from_le_bytes(b))),
        Dtype::F64 => read(bytes, f64::from_le_bytes),
        Dtype::F16 => read(bytes, |b| half::f16::from_le_bytes(b).to_f64()),
        Dtype::BF16 => read(bytes, |b| half::bf16::from_le_bytes(b).to_f64()),
        Dtype::I64 => read(bytes, |b| i64::from_le_bytes(b) as f64),
        Dtype::U64 => read(bytes, |b| u64::from_le_bytes(b) as f64),
        Dtype::I32 => read(bytes, |b| f64::from(i32::from_le_bytes(b))),
        Dtype::U32 => read(bytes, |b| f64::from(u32::from_le_bytes(b))),
        Dtype::I16 => read(bytes, |b| f64::from(i16::from_le_bytes(b))),
        Dtype::U16 => read(bytes, |b| f64::from(u16::from_le_bytes(b))),
        Dtype::I8 => read(bytes, |b: [u8; 1]| f64::from(i8::from_le_bytes(b))),
        Dtype::U8 | Dtype::BOOL => read(bytes, |[b]: [u8; 1]| f64::from(b)),
        other => {
            return Err(ParityError::Tensor {
                key: key.to_owned(),
                reason: format!("is of type {other:?}, which is not compared"),
            });
        }
    };
    Ok(GoldenTensor {
        shape: view.shape().to_vec(),
        values,
    })
}
