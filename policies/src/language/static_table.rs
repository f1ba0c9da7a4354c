//! Static token embeddings, mean-pooled.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use half::f16;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use tokenizers::Tokenizer;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

use super::encoder::SentenceEncoder;
use super::text::{self, MAX_TOKENS, TextError};
use crate::error::{CheckpointError, PolicyError};

/// The table that is part of the program; `assets/language/card.md` says where it comes from.
const EMBEDDED: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../assets/language/minilm_static.safetensors"
));

const UNKNOWN: &str = "[UNK]";

/// How much of a table's digest goes into its name.
const DIGEST_CHARS: usize = 8;

/// A mean that is shorter than this has no direction.
const LEAST_NORM: f32 = 1e-6;

/// WordPiece tokens (lower case, accents stripped), each with a fixed vector.
///
/// A sentence's vector is the mean of the rows of its known tokens, scaled to norm `sqrt(dim)`, so
/// that its components have about unit variance; the cosine of two sentences is their dot product
/// divided by `dim`. Unknown tokens are left out of the mean.
///
/// Its name ends in a digest of the file, so that a policy trained with one table is not run with
/// another.
pub struct StaticTable {
    name: String,
    dim: usize,
    tokenizer: Tokenizer,
    unknown: u32,
    rows: Vec<f16>,
}

impl StaticTable {
    /// The table that is part of the program, read once.
    ///
    /// # Errors
    /// Only if the program was built with a damaged table.
    pub fn embedded() -> Result<Arc<Self>, CheckpointError> {
        static TABLE: OnceLock<Arc<StaticTable>> = OnceLock::new();
        if let Some(table) = TABLE.get() {
            return Ok(table.clone());
        }
        let table = Arc::new(Self::parse(EMBEDDED, Path::new("the built-in table"))?);
        Ok(TABLE.get_or_init(|| table).clone())
    }

    /// Reads a table from a file that `policies/scripts/distill_sentence_table.py` wrote.
    ///
    /// # Errors
    /// If the file cannot be read or is not such a table.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path).map_err(|source| CheckpointError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&bytes, path)
    }

    /// As [`StaticTable::open`], from memory; `origin` names the source in errors.
    ///
    /// # Errors
    /// If the bytes are damaged, a tensor is missing or of the wrong type or shape, the vocabulary
    /// does not fit the table, or a value is not finite.
    pub fn parse(bytes: &[u8], origin: &Path) -> Result<Self, CheckpointError> {
        let damaged = |reason: String| CheckpointError::Format {
            path: origin.to_owned(),
            reason,
        };
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| damaged(format!("not a whole safetensors file ({error})")))?;
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|error| damaged(error.to_string()))?;
        let table = tensor(&file, origin, "table", Dtype::F16)?;
        let vocabulary = tensor(&file, origin, "vocab", Dtype::U8)?;
        let &[tokens, dim] = table.shape() else {
            return Err(damaged(format!(
                "`table` has shape {:?}, expected [tokens, dim]",
                table.shape()
            )));
        };
        let vocabulary = WordPiece::read_bytes(vocabulary.data())
            .map_err(|error| damaged(format!("`vocab` is not text: {error}")))?;
        if vocabulary.len() != tokens || dim == 0 {
            return Err(damaged(format!(
                "`table` has shape [{tokens}, {dim}] and `vocab` {} different tokens: they do not belong together",
                vocabulary.len()
            )));
        }
        let unknown = *vocabulary
            .get(UNKNOWN)
            .ok_or_else(|| damaged(format!("`vocab` has no `{UNKNOWN}`")))?;
        let (chunks, _) = table.data().as_chunks::<2>();
        let rows = chunks
            .iter()
            .map(|&b| f16::from_le_bytes(b))
            .collect::<Vec<_>>();
        if rows.iter().any(|value| !value.is_finite()) {
            return Err(CheckpointError::NonFinite {
                path: origin.to_owned(),
                key: "table".to_owned(),
            });
        }
        let model = WordPiece::builder()
            .vocab(vocabulary)
            .unk_token(UNKNOWN.to_owned())
            .build()
            .map_err(|error| damaged(error.to_string()))?;
        let mut tokenizer = Tokenizer::new(model);
        tokenizer
            .with_normalizer(Some(BertNormalizer::new(true, true, Some(true), true)))
            .map_err(|error| damaged(error.to_string()))?
            .with_pre_tokenizer(Some(BertPreTokenizer));
        let named = header.metadata().as_ref().and_then(|meta| meta.get("name"));
        let name = named.map_or("static_table", String::as_str);
        let digest = blake3::hash(bytes).to_hex();
        Ok(Self {
            name: format!("{name}-{}", &digest[..DIGEST_CHARS]),
            dim,
            tokenizer,
            unknown,
            rows,
        })
    }

    /// Ids of the known tokens of a text, in order; they index the rows of the table.
    ///
    /// # Errors
    /// As [`SentenceEncoder::encode`].
    pub fn tokens(&self, text: &str) -> Result<Vec<u32>, TextError> {
        text::check(text)?;
        let encoding =
            self.tokenizer
                .encode_fast(text, false)
                .map_err(|error| TextError::Tokenizer {
                    reason: error.to_string(),
                })?;
        let tokens = encoding.get_ids();
        if tokens.len() > MAX_TOKENS {
            return Err(TextError::TooManyTokens {
                most: MAX_TOKENS,
                tokens: tokens.len(),
            });
        }
        let known = tokens.iter().copied().filter(|&id| id != self.unknown);
        let known = known.collect::<Vec<_>>();
        if known.is_empty() {
            return Err(TextError::Unknown {
                encoder: self.name.clone(),
            });
        }
        Ok(known)
    }

    /// Sum of the rows of `tokens`, scaled to norm `sqrt(dim)`: the scale of the mean cancels.
    fn pool(&self, tokens: &[u32]) -> Result<Vec<f32>, TextError> {
        let mut sum = vec![0f32; self.dim];
        for &token in tokens {
            let start = token as usize * self.dim;
            let row = self.rows.get(start..start + self.dim).unwrap_or_default();
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum += value.to_f32();
            }
        }
        let norm = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
        if norm < LEAST_NORM * tokens.len() as f32 {
            return Err(TextError::NoDirection {
                encoder: self.name.clone(),
            });
        }
        let scale = (self.dim as f32).sqrt() / norm;
        for value in &mut sum {
            *value *= scale;
        }
        Ok(sum)
    }
}

impl SentenceEncoder for StaticTable {
    fn dim(&self) -> usize {
        self.dim
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn encode(&self, text: &str) -> Result<Vec<f32>, PolicyError> {
        let tokens = self.tokens(text)?;
        Ok(self.pool(&tokens)?)
    }
}

impl std::fmt::Debug for StaticTable {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("StaticTable")
            .field("name", &self.name)
            .field("dim", &self.dim)
            .field("tokens", &(self.rows.len() / self.dim))
            .finish_non_exhaustive()
    }
}

fn tensor<'a>(
    file: &SafeTensors<'a>,
    origin: &Path,
    key: &str,
    dtype: Dtype,
) -> Result<TensorView<'a>, CheckpointError> {
    let view = file.tensor(key).map_err(|_| CheckpointError::Format {
        path: origin.to_owned(),
        reason: format!("tensor `{key}` is missing: this is not a sentence table"),
    })?;
    if view.dtype() != dtype {
        return Err(CheckpointError::Format {
            path: origin.to_owned(),
            reason: format!(
                "tensor `{key}` is of type {:?}, expected {dtype:?}",
                view.dtype()
            ),
        });
    }
    Ok(view)
}

#[cfg(test)]
#[path = "static_table_tests.rs"]
mod tests;
