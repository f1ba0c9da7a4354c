//! From the authors' state dictionaries to our modules.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::file::Tensors;
use super::layout::Layout;
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
    /// Layers of the file that are one layer here.
    pub joined: &'static [Joined],
    /// Who wrote the file.
    pub layout: Layout,
}

/// Layers that are side by side in one of ours.
#[derive(Clone, Copy, Debug)]
pub struct Joined {
    /// Parts of their keys, after all renames, in order.
    pub parts: &'static [&'static str],
    /// What stands for each of them here.
    pub whole: &'static str,
}

/// Where a foreign tensor lies in ours: part `index` of `count` along the last axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

impl Part {
    /// All of a tensor.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// The part of a tensor as if it were a tensor of its own; `None` if it does not divide.
    pub fn spec(self, whole: &TensorSpec) -> Option<TensorSpec> {
        let mut part = whole.clone();
        let last = part.shape.last_mut()?;
        if !last.is_multiple_of(self.count.max(1)) {
            return None;
        }
        *last /= self.count.max(1);
        Some(part)
    }

    /// The numbers of the part.
    pub fn of<T: Copy>(self, values: &[T], whole: &TensorSpec) -> Vec<T> {
        let last = whole.shape.last().copied().unwrap_or(1).max(1);
        let width = last / self.count.max(1);
        let rows = values.chunks_exact(last);
        rows.flat_map(|row| row[self.index * width..][..width].to_vec())
            .collect()
    }
}

impl KeyMap {
    /// Keys of the authors' MDT agent.
    pub const MDT: Self = Self {
        renames: &[
            ("adaLN_zero", "ada_ln"),
            // The towers of CLIP that goals pass.
            ("language_goal.clip_rn50.", "text_encoder."),
            ("visual_goal.clip_model.visual.", "goal_encoder.clip."),
            (".in_proj_weight", ".in_proj.weight"),
            (".in_proj_bias", ".in_proj.bias"),
        ],
        ignored: &[
            // Fixed tables that are computed here.
            "gen_img.decoder_pe",
            // Goals of golden files are encoded already.
            "language_goal.",
            "visual_goal.",
            // Only training aligns goals.
            "logit_scale",
            "clip_proj.",
            // Never read by the authors' network.
            "model.inner_model.proprio_emb.",
        ],
        joined: &[],
        layout: Layout::Torch,
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
        joined: &[],
        layout: Layout::Torch,
    };

    /// Our name of a foreign key.
    pub fn rename(&self, key: &str) -> String {
        self.renames
            .iter()
            .fold(self.layout.dotted(key), |key, (theirs, ours)| {
                key.replace(theirs, ours)
            })
    }

    /// The foreign name of one of our keys: [`KeyMap::rename`] backwards.
    pub fn foreign(&self, key: &str) -> String {
        let renames = self.renames.iter().rev();
        renames.fold(key.to_owned(), |key, (theirs, ours)| {
            key.replace(ours, theirs)
        })
    }

    /// The tensors that `specs` name, in PyTorch's layout and under the foreign names: the way back
    /// from [`KeyMap::import`] for maps without joined layers. What was ignored there is not made up.
    ///
    /// # Errors
    /// If a key is missing or a tensor has not as many numbers as its shape says.
    pub fn export(
        &self,
        weights: &Weights,
        specs: &[TensorSpec],
        origin: &Path,
    ) -> Result<Tensors, CheckpointError> {
        let export = |spec: &TensorSpec| {
            let tensor = weights.tensors.get(&spec.key);
            let tensor = tensor.ok_or_else(|| CheckpointError::MissingKey {
                path: origin.to_owned(),
                key: spec.key.clone(),
                expected: spec.shape.clone(),
            })?;
            let values = self.layout.to_theirs(&tensor.values, spec);
            let values = values.ok_or_else(|| CheckpointError::Shape {
                path: origin.to_owned(),
                key: spec.key.clone(),
                expected: spec.shape.clone(),
                found: tensor.shape.clone(),
            })?;
            let shape = self.layout.shape_there(spec);
            let tensor = WeightTensor { shape, values };
            Ok((self.foreign(&spec.key), tensor))
        };
        specs.iter().map(export).collect()
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

    /// The foreign name of one of our keys, if renaming can be undone.
    pub fn theirs(&self, ours: &str) -> Option<String> {
        let theirs = self.foreign(ours);
        (self.rename(&theirs) == ours).then_some(theirs)
    }

    /// Our name of a foreign key, and which part of our tensor it is.
    pub fn locate(&self, key: &str) -> (String, Part) {
        let name = self.rename(key);
        for joined in self.joined {
            for (index, part) in joined.parts.iter().enumerate() {
                if name.contains(part) {
                    let count = joined.parts.len();
                    return (name.replace(part, joined.whole), Part { index, count });
                }
            }
        }
        (name, Part::WHOLE)
    }

    /// The tensors that `specs` name, from the file's layout to ours. Tensors of the file that the
    /// module does not have stay in the result and are refused when it is applied, except ignored
    /// ones.
    ///
    /// # Errors
    /// If a key is missing or a tensor's rank is not that of its layer.
    pub fn import(
        &self,
        tensors: &Tensors,
        specs: &[TensorSpec],
        origin: &Path,
    ) -> Result<Weights, CheckpointError> {
        let mut found = BTreeMap::<String, Vec<(Part, &WeightTensor)>>::new();
        let used = tensors.iter().filter(|(key, _)| !self.ignores(key));
        for (key, tensor) in used {
            let (name, part) = self.locate(key);
            found.entry(name).or_default().push((part, tensor));
        }
        let mut renamed = BTreeMap::new();
        for spec in specs {
            let parts = found.remove(&spec.key).unwrap_or_default();
            let count = parts.first().map_or(1, |(part, _)| part.count);
            let mut pieces = Vec::with_capacity(count);
            for index in 0..count {
                let place = Part { index, count };
                let piece = parts.iter().find(|(part, _)| *part == place);
                let (_, tensor) = piece.ok_or_else(|| CheckpointError::MissingKey {
                    path: origin.to_owned(),
                    key: spec.key.clone(),
                    expected: spec.shape.clone(),
                })?;
                let piece = place
                    .spec(spec)
                    .and_then(|spec| self.layout.to_ours(tensor, &spec));
                pieces.push(piece.ok_or_else(|| CheckpointError::Shape {
                    path: origin.to_owned(),
                    key: spec.key.clone(),
                    expected: self.layout.shape_there(spec),
                    found: tensor.shape.clone(),
                })?);
            }
            renamed.insert(spec.key.clone(), side_by_side(pieces));
        }
        for (name, parts) in found {
            if let Some((_, tensor)) = parts.into_iter().next() {
                renamed.insert(name, tensor.clone());
            }
        }
        Ok(Weights {
            tensors: Arc::new(renamed),
            generation: 0,
        })
    }
}

/// Tensors of the same rank joined along the last axis.
fn side_by_side(mut pieces: Vec<WeightTensor>) -> WeightTensor {
    if pieces.len() == 1
        && let Some(piece) = pieces.pop()
    {
        return piece;
    }
    let width = |piece: &WeightTensor| piece.shape.last().copied().unwrap_or(1).max(1);
    let mut shape = pieces
        .first()
        .map_or_else(Vec::new, |piece| piece.shape.clone());
    if let Some(last) = shape.last_mut() {
        *last = pieces.iter().map(width).sum();
    }
    let rows = pieces
        .iter()
        .map(|piece| piece.values.len() / width(piece))
        .min()
        .unwrap_or_default();
    let values = (0..rows).flat_map(|row| {
        pieces
            .iter()
            .flat_map(move |piece| &piece.values[row * width(piece)..][..width(piece)])
    });
    WeightTensor {
        values: values.copied().collect(),
        shape,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const KEYS: KeyMap = KeyMap {
        renames: &[],
        ignored: &[],
        joined: &[Joined {
            parts: &[".q.", ".k."],
            whole: ".qk.",
        }],
        layout: Layout::Flax,
    };

    #[test]
    fn parts_are_joined_and_taken_apart() {
        let tensor = |values: [f32; 4]| WeightTensor {
            shape: vec![2, 2],
            values: values.to_vec(),
        };
        let tensors = Tensors::from([
            ("a/k/kernel".to_owned(), tensor([5.0, 6.0, 7.0, 8.0])),
            ("a/q/kernel".to_owned(), tensor([1.0, 2.0, 3.0, 4.0])),
        ]);
        let spec = TensorSpec {
            key: "a.qk.weight".into(),
            shape: vec![2, 4],
            linear: true,
        };
        let origin = Path::new("file");
        let weights = KEYS
            .import(&tensors, std::slice::from_ref(&spec), origin)
            .unwrap();
        let joined = &weights.tensors["a.qk.weight"];
        assert_eq!(joined.shape, [2, 4]);
        assert_eq!(joined.values, [1.0, 2.0, 5.0, 6.0, 3.0, 4.0, 7.0, 8.0]);
        let (name, part) = KEYS.locate("a/k/kernel");
        assert_eq!(name, spec.key);
        assert_eq!(part.of(&joined.values, &spec), [5.0, 6.0, 7.0, 8.0]);
        assert_eq!(part.spec(&spec).unwrap().shape, [2, 2]);
    }

    #[test]
    fn a_missing_part_is_named() {
        let tensors = Tensors::from([(
            "a/q/kernel".to_owned(),
            WeightTensor {
                shape: vec![1, 1],
                values: vec![1.0],
            },
        )]);
        let spec = TensorSpec {
            key: "a.qk.weight".into(),
            shape: vec![1, 2],
            linear: true,
        };
        let error = KEYS.import(&tensors, &[spec], Path::new("file"));
        assert!(matches!(error, Err(CheckpointError::MissingKey { .. })));
    }
}
