//! Voltron's language model, DistilBERT (Sanh et al., arXiv 1910.01108), and the constant that MDT-V
//! needs of it.

use std::path::Path;

use burn::module::{Initializer, Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, Linear};
use burn::tensor::{Device, Tensor, TensorData};

use crate::checkpoint::file::Tensors;
use crate::checkpoint::{KeyMap, Layout, apply, specs};
use crate::error::{CheckpointError, PolicyError};
use crate::nn::attention::{attend_biased, key_bias};
use crate::nn::kernels::gelu;
use crate::nn::linear::{dense, linear};
use crate::policy::WeightTensor;

/// Keys of the language model.
pub const KEYS: KeyMap = KeyMap {
    renames: &[("LayerNorm", "layer_norm")],
    ignored: &[],
    joined: &[],
    layout: Layout::Torch,
};

/// Token that begins a sentence.
pub const START: u32 = 101;

/// Sizes of a [`DistilBert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistilBertConfig {
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Most tokens of a sentence.
    pub positions: usize,
    /// Width; a multiple of `heads`.
    pub width: usize,
    /// Heads.
    pub heads: usize,
    /// Blocks.
    pub layers: usize,
    /// Hidden width of the feed-forward blocks.
    pub hidden: usize,
}

impl DistilBertConfig {
    /// `distilbert-base-uncased`.
    pub const fn base() -> Self {
        Self {
            vocabulary: 30_522,
            positions: 512,
            width: 768,
            heads: 12,
            layers: 6,
            hidden: 3072,
        }
    }

    /// What is wrong, if anything.
    pub fn problem(&self) -> Option<String> {
        let Self { width, heads, .. } = *self;
        if heads == 0 || width == 0 || !width.is_multiple_of(heads) {
            return Some(format!("a width of {width} cannot have {heads} heads"));
        }
        [self.vocabulary, self.positions, self.hidden]
            .contains(&0)
            .then(|| "a size of zero".into())
    }
}

/// Layer norm with the epsilon of this model, 1e-12.
#[derive(Module, Debug)]
pub struct FineLayerNorm {
    /// Gain, `[width]`.
    pub weight: Param<Tensor<1>>,
    /// Offset, `[width]`.
    pub bias: Param<Tensor<1>>,
}

impl FineLayerNorm {
    fn new(width: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([width], device),
            bias: Initializer::Zeros.init([width], device),
        }
    }

    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let centred = input.clone() - input.mean_dim(2);
        let variance = centred.clone().square().mean_dim(2);
        centred / (variance + 1e-12).sqrt() * self.weight.val().unsqueeze()
            + self.bias.val().unsqueeze()
    }
}

/// Tokens and places to vectors.
#[derive(Module, Debug)]
pub struct Embeddings {
    /// Vectors of tokens.
    pub word_embeddings: Embedding,
    /// Vectors of places.
    pub position_embeddings: Embedding,
    /// Norm of their sum; key `LayerNorm` in the authors' files.
    pub layer_norm: FineLayerNorm,
}

/// Attention with separate projections.
#[derive(Module, Debug)]
pub struct SelfAttention {
    /// Query projection.
    pub q_lin: Linear,
    /// Key projection.
    pub k_lin: Linear,
    /// Value projection.
    pub v_lin: Linear,
    /// Output projection.
    pub out_lin: Linear,
}

/// Two layers with GELU (exact) between.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// Up projection.
    pub lin1: Linear,
    /// Down projection.
    pub lin2: Linear,
}

/// A block whose norms come after its branches.
#[derive(Module, Debug)]
pub struct Block {
    /// Attention.
    pub attention: SelfAttention,
    /// Norm after it.
    pub sa_layer_norm: FineLayerNorm,
    /// Feed-forward branch.
    pub ffn: FeedForward,
    /// Norm after it.
    pub output_layer_norm: FineLayerNorm,
}

impl Block {
    fn forward(&self, input: Tensor<3>, heads: usize, bias: &Tensor<4>) -> Tensor<3> {
        let attention = &self.attention;
        let parts = [&attention.q_lin, &attention.k_lin, &attention.v_lin];
        let parts = parts.map(|layer| dense(layer, input.clone()));
        let mixed = attend_biased(parts, heads, Some(bias.clone()), None);
        let mixed = dense(&attention.out_lin, mixed) + input;
        let attended = self.sa_layer_norm.forward(mixed);
        let fed = dense(
            &self.ffn.lin2,
            gelu(dense(&self.ffn.lin1, attended.clone())),
        );
        self.output_layer_norm.forward(fed + attended)
    }
}

/// The blocks, under their key.
#[derive(Module, Debug)]
pub struct Blocks {
    /// Blocks.
    pub layer: Vec<Block>,
}

/// The language model, frozen.
#[derive(Module, Debug)]
pub struct DistilBert {
    /// Tokens and places.
    pub embeddings: Embeddings,
    /// Blocks.
    pub transformer: Blocks,
    heads: usize,
}

impl DistilBert {
    /// Fresh weights.
    pub fn new(config: &DistilBertConfig, device: &Device) -> Self {
        let width = config.width;
        let square = || linear(width, width, true, device);
        let block = |_| Block {
            attention: SelfAttention {
                q_lin: square(),
                k_lin: square(),
                v_lin: square(),
                out_lin: square(),
            },
            sa_layer_norm: FineLayerNorm::new(width, device),
            ffn: FeedForward {
                lin1: linear(width, config.hidden, true, device),
                lin2: linear(config.hidden, width, true, device),
            },
            output_layer_norm: FineLayerNorm::new(width, device),
        };
        Self {
            embeddings: Embeddings {
                word_embeddings: EmbeddingConfig::new(config.vocabulary, width).init(device),
                position_embeddings: EmbeddingConfig::new(config.positions, width).init(device),
                layer_norm: FineLayerNorm::new(width, device),
            },
            transformer: Blocks {
                layer: (0..config.layers).map(block).collect(),
            },
            heads: config.heads,
        }
    }

    /// Last hidden states, `[sentences, tokens, width]`, of `sentences` of equally many tokens, of
    /// which only those are attended to that `seen` has a switch for.
    ///
    /// # Errors
    /// If the sentences are empty, longer than the model reads or of unequal length, or hold an
    /// unknown token.
    pub fn forward(
        &self,
        sentences: &[Vec<u32>],
        seen: &[Vec<bool>],
    ) -> Result<Tensor<3>, PolicyError> {
        let [vocabulary, width] = self.embeddings.word_embeddings.weight.dims();
        let [positions, _] = self.embeddings.position_embeddings.weight.dims();
        let len = sentences.first().map_or(0, Vec::len);
        let unequal = sentences.iter().any(|ids| ids.len() != len)
            || seen.len() != sentences.len()
            || seen.iter().any(|seen| seen.len() != len);
        let ids = sentences.iter().flatten().copied().collect::<Vec<_>>();
        let unknown = ids.iter().find(|&&id| id as usize >= vocabulary);
        if len == 0 || len > positions || unequal || unknown.is_some() {
            return Err(PolicyError::InputShape {
                what: "sentences of the language model".into(),
                expected: format!("1 to {positions} tokens below {vocabulary}, equally many"),
                found: format!("{len} tokens, unknown {unknown:?}, unequal {unequal}"),
                advice: "use the tokenizer of this model and pad sentences".into(),
            });
        }
        let device = self.embeddings.word_embeddings.weight.device();
        let ids = ids.iter().map(|&id| id as i32).collect::<Vec<_>>();
        let ids = Tensor::from_data(TensorData::new(ids, [sentences.len() * len]), &device);
        let words = self.embeddings.word_embeddings.weight.val().select(0, ids);
        let places = self.embeddings.position_embeddings.weight.val();
        let tokens =
            words.reshape([sentences.len(), len, width]) + places.narrow(0, 0, len).unsqueeze();
        let bias = key_bias(&seen.concat(), sentences.len(), &device);
        let start = self.embeddings.layer_norm.forward(tokens);
        let blocks = self.transformer.layer.iter();
        Ok(blocks.fold(start, |hidden, block| {
            block.forward(hidden, self.heads, &bias)
        }))
    }

    /// Hidden states `[1, tokens, width]` of a sentence without words.
    ///
    /// # Errors
    /// As [`DistilBert::forward`].
    pub fn nothing(&self, tokens: usize) -> Result<Tensor<3>, PolicyError> {
        let mut sentence = vec![0; tokens];
        let mut seen = vec![false; tokens];
        if let (Some(first), Some(is_seen)) = (sentence.first_mut(), seen.first_mut()) {
            (*first, *is_seen) = (START, true);
        }
        self.forward(&[sentence], &[seen])
    }
}

/// Keys that [`bake`] replaces.
const BAKED: [&str; 4] = ["lm.", "lang2encoder.", "lang_token", "language_block"];

/// Keys of tensors that MDT-V never reads.
const UNUSED: [&str; 6] = [
    "mask_token",
    "decoder_pe",
    "encoder2decoder.",
    "decoder_blocks.",
    "decoder_norm.",
    "decoder_prediction.",
];

/// Tensors under `img_encoder.vcond.` of the authors' files as [`super::VCond`] holds them (but in
/// PyTorch's layout): the twenty tokens of a sentence without words in place of the language model
/// and its projection, and nothing that is not read. `hidden` are the language model's states,
/// `[tokens, width]`, or `None` to compute them from the model in the file, which is then
/// DistilBERT with heads of 64.
///
/// # Errors
/// If a tensor is missing, unknown or of another shape.
pub fn bake(
    tensors: &Tensors,
    hidden: Option<Tensor<2>>,
    tokens: usize,
    origin: &Path,
    device: &Device,
) -> Result<Tensors, PolicyError> {
    let hidden = match hidden {
        Some(hidden) => hidden,
        None => {
            let states = language_model(tensors, origin, device)?.nothing(tokens)?;
            let [_, tokens, width] = states.dims();
            states.reshape([tokens, width])
        }
    };
    let matrix = |key: &str, axes: usize| {
        let tensor = tensors.get(key).ok_or_else(|| missing(origin, key, axes))?;
        if tensor.shape.len() == axes {
            Ok(tensor)
        } else {
            Err(CheckpointError::Shape {
                path: origin.to_owned(),
                key: key.to_owned(),
                expected: vec![0; axes],
                found: tensor.shape.clone(),
            })
        }
    };
    let weight = on::<2>(matrix("lang2encoder.weight", 2)?, device);
    let bias = on::<1>(matrix("lang2encoder.bias", 1)?, device);
    let token = on::<3>(matrix("lang_token", 3)?, device);
    let [width, states] = weight.dims();
    if hidden.dims()[1] != states || bias.dims() != [width] || token.dims() != [1, 1, width] {
        return Err(CheckpointError::Shape {
            path: origin.to_owned(),
            key: "lang2encoder.weight".into(),
            expected: vec![token.dims()[2], hidden.dims()[1]],
            found: vec![width, states],
        }
        .into());
    }
    let block = hidden.matmul(weight.transpose()) + bias.unsqueeze();
    let block = block.unsqueeze_dim::<3>(0) + token;
    let data = block.into_data();
    let baked = WeightTensor {
        shape: data.shape().to_vec(),
        values: data.as_slice::<f32>().unwrap_or_default().to_vec(),
    };
    let kept = tensors.iter().filter(|(key, _)| {
        let starts = BAKED.iter().chain(&UNUSED);
        !starts.into_iter().any(|start| key.starts_with(start))
    });
    let mut result = kept
        .map(|(key, tensor)| (key.clone(), tensor.clone()))
        .collect::<Tensors>();
    result.insert("language_block".into(), baked);
    Ok(result)
}

/// The language model under `lm.`, sizes as those of its tensors.
fn language_model(
    tensors: &Tensors,
    origin: &Path,
    device: &Device,
) -> Result<DistilBert, PolicyError> {
    const HEAD: usize = 64;
    let own = tensors
        .iter()
        .filter_map(|(key, tensor)| Some((key.strip_prefix("lm.")?.to_owned(), tensor.clone())))
        .collect::<Tensors>();
    let shape = |key: &str| match own.get(key).map(|tensor| tensor.shape.as_slice()) {
        Some(&[rows, columns]) => Ok([rows, columns]),
        _ => Err(missing(origin, &format!("lm.{key}"), 2)),
    };
    let [vocabulary, width] = shape("embeddings.word_embeddings.weight")?;
    let [positions, _] = shape("embeddings.position_embeddings.weight")?;
    let [hidden, _] = shape("transformer.layer.0.ffn.lin1.weight")?;
    let layers = own.keys().filter(|key| key.ends_with(".ffn.lin1.weight"));
    let config = DistilBertConfig {
        vocabulary,
        positions,
        width,
        heads: (width / HEAD).max(1),
        layers: layers.count(),
        hidden,
    };
    if let Some(problem) = config.problem() {
        return Err(CheckpointError::Format {
            path: origin.to_owned(),
            reason: format!("language model: {problem}"),
        }
        .into());
    }
    let model = DistilBert::new(&config, device);
    let weights = KEYS.import(&own, &specs(&model), origin)?;
    Ok(apply(model, &weights, origin)?)
}

fn on<const D: usize>(tensor: &WeightTensor, device: &Device) -> Tensor<D> {
    let data = TensorData::new(tensor.values.clone(), tensor.shape.clone());
    Tensor::from_data(data, device)
}

fn missing(origin: &Path, key: &str, axes: usize) -> CheckpointError {
    CheckpointError::MissingKey {
        path: origin.to_owned(),
        key: key.to_owned(),
        expected: vec![0; axes],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn tensor(shape: &[usize], values: &[f32]) -> WeightTensor {
        WeightTensor {
            shape: shape.to_vec(),
            values: values.to_vec(),
        }
    }

    fn tensors() -> Tensors {
        [
            ("lang2encoder.weight", tensor(&[1, 2], &[2.0, 3.0])),
            ("lang2encoder.bias", tensor(&[1], &[0.5])),
            ("lang_token", tensor(&[1, 1, 1], &[10.0])),
            ("mask_token", tensor(&[1], &[0.0])),
            ("img_token", tensor(&[1, 1, 1], &[7.0])),
        ]
        .into_iter()
        .map(|(key, tensor)| (key.to_owned(), tensor))
        .collect()
    }

    fn baked(tensors: &Tensors) -> Result<Tensors, PolicyError> {
        let device = Device::flex();
        let hidden = TensorData::new(vec![1.0f32, 0.0, 1.0, 1.0], [2, 2]);
        let hidden = Tensor::<2>::from_data(hidden, &device);
        bake(tensors, Some(hidden), 2, Path::new("file"), &device)
    }

    #[test]
    fn the_sentence_becomes_a_constant() {
        let result = baked(&tensors()).unwrap();
        // 2 * 1 + 3 * 0 + 0.5 + 10 and 2 + 3 + 0.5 + 10.
        assert_eq!(result["language_block"], tensor(&[1, 2, 1], &[12.5, 15.5]));
        let keys = result.keys().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(keys, ["img_token", "language_block"]);
    }

    #[test]
    fn incomplete_files_are_refused() {
        let mut incomplete = tensors();
        incomplete.remove("lang_token");
        let error = baked(&incomplete).unwrap_err();
        let missing = PolicyError::Checkpoint(CheckpointError::MissingKey {
            path: "file".into(),
            key: "lang_token".into(),
            expected: vec![0; 3],
        });
        assert_eq!(error.to_string(), missing.to_string());
        let mut wrong = tensors();
        wrong.insert("lang2encoder.bias".into(), tensor(&[2], &[0.0, 0.0]));
        assert!(baked(&wrong).is_err());
        // Without states the language model itself is needed.
        let device = Device::flex();
        assert!(bake(&tensors(), None, 2, Path::new("file"), &device).is_err());
    }

    #[test]
    fn unusable_sentences_are_refused() {
        let config = DistilBertConfig {
            vocabulary: 200,
            positions: 4,
            width: 8,
            heads: 2,
            layers: 1,
            hidden: 16,
        };
        let model = DistilBert::new(&config, &Device::flex());
        assert_eq!(model.nothing(4).unwrap().dims(), [1, 4, 8]);
        assert!(model.nothing(0).is_err() && model.nothing(5).is_err());
        assert!(model.forward(&[vec![200]], &[vec![true]]).is_err());
        assert!(model.forward(&[vec![1, 2]], &[vec![true]]).is_err());
    }
}
