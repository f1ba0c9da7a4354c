//! From the authors' state dictionaries to our modules.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::file::Tensors;
use super::tree::TensorSpec;
use crate::error::CheckpointError;
use crate::policy::{WeightTensor, Weights};

/// How the keys of a foreign file become ours.
#[derive(Clone, Copy, Debug)]
pub struct KeyMap {
    /// Parts of keys that are called otherwise here: (theirs, ours).
    pub renames: &'static [(&'static str, &'static str)],
    /// Beginnings of keys of tensors that the model does not use; with `*` before them, endings.
    pub ignored: &'static [&'static str],
}

impl KeyMap {
    /// Keys of the authors' MDT agent.
    pub const MDT: Self = Self {
        renames: &[("adaLN_zero", "ada_ln")],
        ignored: &[
            // Fixed tables that are computed here.
            "gen_img.decoder_pe",
            // Goals are encoded by a policy's own sentence encoder.
            "language_goal.",
            "visual_goal.",
            "logit_scale",
            // Never read by the authors' network.
            "model.inner_model.proprio_emb.",
        ],
    };

    /// Keys of the authors' InfoCon and CoTPC models.
    pub const INFOCON: Self = Self {
        renames: &[
            (".ln1.", ".ln_1."),
            (".ln2.", ".ln_2."),
            (".attn.proj.", ".attn.c_proj."),
            (".mlp.0.", ".mlp.c_fc."),
            (".mlp.2.", ".mlp.c_proj."),
            // Their activations count as layers.
            ("net.2.", "net.1."),
            ("net.4.", "net.2."),
        ],
        ignored: &[
            // Constants.
            "*.attn.mask",
            "key_book.t_base",
            "key_book.arange",
            "key_book.not_same",
            "key_book.mask_adj",
        ],
    };

    /// Our name of a foreign key.
    pub fn rename(&self, key: &str) -> String {
        self.renames
            .iter()
            .fold(key.to_owned(), |key, (theirs, ours)| {
                key.replace(theirs, ours)
            })
    }

    /// Whether a foreign tensor is left out.
    pub fn ignores(&self, key: &str) -> bool {
        self.ignored
            .iter()
            .any(|part| match part.strip_prefix('*') {
                Some(end) => key.ends_with(end),
                None => key.starts_with(part),
            })
    }

    /// The tensors that `specs` name, from PyTorch's layout to ours: matrices of linear layers are
    /// transposed from (out, in) to (in, out). Tensors of the file that the module does not have
    /// stay in the result and are refused when it is applied, except ignored ones.
    ///
    /// # Errors
    /// If a key is missing or a linear layer's tensor is not a matrix.
    pub fn import(
        &self,
        tensors: &Tensors,
        specs: &[TensorSpec],
        origin: &Path,
    ) -> Result<Weights, CheckpointError> {
        let mut renamed = tensors
            .iter()
            .filter(|(key, _)| !self.ignores(key))
            .map(|(key, tensor)| (self.rename(key), tensor.clone()))
            .collect::<BTreeMap<_, _>>();
        for spec in specs {
            let tensor = renamed
                .get_mut(&spec.key)
                .ok_or_else(|| CheckpointError::MissingKey {
                    path: origin.to_owned(),
                    key: spec.key.clone(),
                    expected: spec.shape.clone(),
                })?;
            if spec.linear {
                *tensor = transposed(tensor).ok_or_else(|| CheckpointError::Shape {
                    path: origin.to_owned(),
                    key: spec.key.clone(),
                    expected: spec.shape.iter().rev().copied().collect(),
                    found: tensor.shape.clone(),
                })?;
            }
        }
        Ok(Weights {
            tensors: Arc::new(renamed),
            generation: 0,
        })
    }
}

/// A matrix transposed; `None` if the tensor is none.
pub fn transposed(tensor: &WeightTensor) -> Option<WeightTensor> {
    let &[rows, columns] = tensor.shape.as_slice() else {
        return None;
    };
    if tensor.values.len() != rows * columns {
        return None;
    }
    let values = (0..columns)
        .flat_map(|column| (0..rows).map(move |row| tensor.values[row * columns + column]))
        .collect();
    Some(WeightTensor {
        shape: vec![columns, rows],
        values,
    })
}
