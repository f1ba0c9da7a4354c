//! From a foreign state dict to the tensors of one of our modules, key by key.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use super::state::StateDict;
use crate::checkpoint::file::Tensors;
use crate::checkpoint::{KeyMap, TensorSpec};
use crate::error::CheckpointError;
use crate::policy::Weights;

/// What happens to a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It becomes the tensor of this name.
    Mapped {
        /// Our name.
        ours: String,
        /// Whether rows and columns change places.
        transposed: bool,
    },
    /// The file does not have it; it becomes the tensor of this name, computed from others that are
    /// left out.
    Computed {
        /// Our name.
        ours: String,
        /// From what.
        from: String,
    },
    /// It is left out.
    Ignored {
        /// Why.
        why: String,
    },
    /// The module needs it and the file does not have it.
    Missing,
    /// The file has it and nothing is known of it.
    Unknown,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLine {
    /// The authors' name; ours for a missing key whose name there is not known.
    pub key: String,
    /// Type of its numbers in the file.
    pub dtype: Dtype,
    /// Shape in the file; the shape that is needed for a missing key.
    pub shape: Vec<usize>,
    /// What happens to it.
    pub fate: Fate,
}

/// All keys, those of the file in its order, then missing ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyReport {
    /// The keys.
    pub lines: Vec<KeyLine>,
}

impl KeyReport {
    /// How many keys are mapped, ignored, missing and unknown.
    pub fn counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for line in &self.lines {
            counts[match line.fate {
                Fate::Mapped { .. } | Fate::Computed { .. } => 0,
                Fate::Ignored { .. } => 1,
                Fate::Missing => 2,
                Fate::Unknown => 3,
            }] += 1;
        }
        counts
    }

    /// The first key for which the file cannot be used.
    pub fn problem(&self, origin: &Path) -> Option<CheckpointError> {
        let path = origin.to_owned();
        let bad = |fate: &Fate| self.lines.iter().find(|line| line.fate == *fate);
        if let Some(line) = bad(&Fate::Missing) {
            return Some(CheckpointError::MissingKey {
                path,
                key: line.key.clone(),
                expected: line.shape.clone(),
            });
        }
        bad(&Fate::Unknown).map(|line| CheckpointError::UnknownKey {
            path,
            key: line.key.clone(),
        })
    }
}

impl fmt::Display for KeyReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            let KeyLine {
                key, dtype, shape, ..
            } = line;
            match &line.fate {
                Fate::Mapped { ours, .. } if ours == key => {
                    writeln!(out, "mapped   {key} {dtype} {shape:?}")?;
                }
                Fate::Mapped { ours, .. } => {
                    writeln!(out, "mapped   {key} {dtype} {shape:?} -> {ours}")?;
                }
                Fate::Computed { ours, from } => {
                    writeln!(out, "computed {ours} {shape:?} from {from}")?;
                }
                Fate::Ignored { why } => {
                    writeln!(out, "ignored  {key} {dtype} {shape:?}: {why}")?;
                }
                Fate::Missing => writeln!(out, "MISSING  {key} {shape:?}")?,
                Fate::Unknown => writeln!(out, "UNKNOWN  {key} {dtype} {shape:?}")?,
            }
        }
        let [mapped, ignored, missing, unknown] = self.counts();
        write!(
            out,
            "{mapped} keys mapped, {ignored} ignored, {missing} missing, {unknown} unknown"
        )
    }
}

/// How the keys of a family's files become ours.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    /// Names.
    pub keys: &'a KeyMap,
    /// Beginnings of keys that are left out unless the module has them, and why.
    pub ignored: &'a [(&'static str, &'static str)],
    /// Tensors of the module.
    pub specs: &'a [TensorSpec],
}

impl Transfer<'_> {
    /// Says for every key what happens to it. Only names count here.
    pub fn plan<'k>(&self, keys: impl Iterator<Item = (&'k str, Dtype, &'k [usize])>) -> KeyReport {
        let mut wanted = self
            .specs
            .iter()
            .map(|spec| (spec.key.as_str(), spec))
            .collect::<BTreeMap<_, _>>();
        let mut lines = keys
            .map(|(key, dtype, shape)| {
                let ours = self.keys.rename(key);
                let fate = match (self.why_ignored(key), wanted.get(ours.as_str())) {
                    (_, Some(spec)) => Fate::Mapped {
                        transposed: spec.linear,
                        ours: ours.clone(),
                    },
                    (Some(why), None) => Fate::Ignored {
                        why: why.to_owned(),
                    },
                    (None, None) => Fate::Unknown,
                };
                if matches!(fate, Fate::Mapped { .. }) {
                    wanted.remove(ours.as_str());
                }
                KeyLine {
                    key: key.to_owned(),
                    dtype,
                    shape: shape.to_vec(),
                    fate,
                }
            })
            .collect::<Vec<_>>();
        let missing = self
            .specs
            .iter()
            .filter(|spec| wanted.contains_key(spec.key.as_str()));
        lines.extend(missing.map(|spec| {
            KeyLine {
                key: self
                    .keys
                    .theirs(&spec.key)
                    .unwrap_or_else(|| spec.key.clone()),
                dtype: Dtype::F32,
                shape: shape_there(spec),
                fate: Fate::Missing,
            }
        }));
        KeyReport { lines }
    }

    /// As [`Transfer::plan`], of a state dict.
    pub fn plan_state(&self, state: &StateDict) -> KeyReport {
        self.plan(
            state
                .iter()
                .map(|(key, entry)| (key, entry.dtype, entry.shape.as_slice())),
        )
    }

    fn why_ignored(&self, key: &str) -> Option<&'static str> {
        let mut listed = self.ignored.iter();
        let own = listed.find(|(start, _)| key.starts_with(start));
        own.map(|(_, why)| *why).or_else(|| {
            let known = self.keys.ignores(key);
            known.then_some("not read by the network")
        })
    }

    /// Reads the mapped tensors of a file whose plan has no problem; `computed` are the others that
    /// the module has, under the authors' names and in their layout.
    ///
    /// # Errors
    /// If a tensor has another shape, is no float, or holds a value that is not finite. The message
    /// has the authors' name.
    pub fn read(
        &self,
        state: &StateDict,
        report: &KeyReport,
        computed: Tensors,
        origin: &Path,
    ) -> Result<Weights, CheckpointError> {
        if let Some(problem) = report.problem(origin) {
            return Err(problem);
        }
        let path = || origin.to_owned();
        let specs = self
            .specs
            .iter()
            .map(|spec| (spec.key.as_str(), spec))
            .collect::<BTreeMap<_, _>>();
        let mut tensors = computed;
        for line in &report.lines {
            let Fate::Mapped { ours, .. } = &line.fate else {
                continue;
            };
            let (Some(entry), Some(spec)) = (state.get(&line.key), specs.get(ours.as_str())) else {
                continue;
            };
            let expected = shape_there(spec);
            // A number may come as a vector of one.
            let same = entry.shape == expected || entry.shape.is_empty() && expected == [1];
            if !same {
                return Err(CheckpointError::Shape {
                    path: path(),
                    key: line.key.clone(),
                    expected,
                    found: entry.shape.clone(),
                });
            }
            let floats = entry.floats().map_err(|error| error.at(origin))?;
            let mut tensor = floats.ok_or_else(|| CheckpointError::Format {
                path: path(),
                reason: format!(
                    "tensor `{}` is of type {}, expected floats",
                    line.key, entry.dtype
                ),
            })?;
            if tensor.values.iter().any(|value| !value.is_finite()) {
                return Err(CheckpointError::NonFinite {
                    path: path(),
                    key: line.key.clone(),
                });
            }
            tensor.shape = expected;
            tensors.insert(line.key.clone(), tensor);
        }
        let plain = KeyMap {
            ignored: &[],
            ..*self.keys
        };
        plain.import(&tensors, self.specs, origin)
    }
}

/// Shape of one of our tensors in the authors' layout.
fn shape_there(spec: &TensorSpec) -> Vec<usize> {
    if spec.linear {
        spec.shape.iter().rev().copied().collect()
    } else {
        spec.shape.clone()
    }
}
