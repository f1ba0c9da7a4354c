//! CLIP's text tower.

use burn::module::{Initializer, Module, Param};
use burn::nn::{Embedding, EmbeddingConfig};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::transformer::{Transformer, TransformerConfig};
use crate::error::PolicyError;
use crate::nn::LayerNorm;

/// Sizes of a [`TextTower`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextConfig {
    /// Tokens of the vocabulary; the last one ends a text.
    pub vocabulary: usize,
    /// Most tokens of a text, with those of start and end.
    pub context: usize,
    /// The transformer; causal.
    pub transformer: TransformerConfig,
    /// Numbers of an embedding.
    pub output: usize,
}

impl TextConfig {
    /// The text tower of ViT-B/32 and ViT-B/16.
    pub const fn base() -> Self {
        Self {
            vocabulary: 49_408,
            context: 77,
            transformer: TransformerConfig {
                width: 512,
                heads: 8,
                layers: 12,
                hidden: 2048,
                causal: true,
            },
            output: 512,
        }
    }

    /// What is wrong, if anything.
    pub fn problem(&self) -> Option<String> {
        if self.vocabulary == 0 || self.context == 0 || self.output == 0 {
            return Some("a size of zero".into());
        }
        self.transformer.problem()
    }
}

/// Tokens to a vector.
#[derive(Module, Debug)]
pub struct TextTower {
    /// Vectors of tokens.
    pub token_embedding: Embedding,
    /// Vectors of places, `[context, width]`.
    pub positional_embedding: Param<Tensor<2>>,
    /// The transformer.
    pub transformer: Transformer,
    /// Final norm.
    pub ln_final: LayerNorm,
    /// `[width, output]`.
    pub text_projection: Param<Tensor<2>>,
}

impl TextTower {
    /// Fresh weights.
    pub fn new(config: &TextConfig, device: &Device) -> Self {
        let width = config.transformer.width;
        let normal = |std: f64| Initializer::Normal { mean: 0.0, std };
        let projection = normal((width as f64).sqrt().recip());
        Self {
            token_embedding: EmbeddingConfig::new(config.vocabulary, width)
                .with_initializer(normal(0.02))
                .init(device),
            positional_embedding: normal(0.01).init([config.context, width], device),
            transformer: Transformer::new(config.transformer, device),
            ln_final: LayerNorm::new(width, true, device),
            text_projection: projection.init([width, config.output], device),
        }
    }

    /// Hidden states after the final norm, `[texts, tokens, width]`, of texts of equally many tokens.
    ///
    /// # Errors
    /// If the texts are not equally long, empty, longer than the context, or hold an unknown token.
    pub fn hidden(&self, texts: &[Vec<u32>]) -> Result<Tensor<3>, PolicyError> {
        let tokens = self.embedded(texts)?;
        Ok(self.ln_final.forward(self.transformer.forward(tokens)))
    }

    /// As [`TextTower::hidden`], with `hidden_score` (about -1e4 in Hugging Face's Flax models, where
    /// it is added and not minus infinity) for keys that come later or are not `used`: what padded
    /// places hold then depends on it.
    ///
    /// # Errors
    /// As [`TextTower::hidden`].
    pub fn hidden_masked(
        &self,
        texts: &[Vec<u32>],
        used: &[Vec<bool>],
        hidden_score: f32,
    ) -> Result<Tensor<3>, PolicyError> {
        let tokens = self.embedded(texts)?;
        let [rows, len, _] = tokens.dims();
        let bias = used.iter().flat_map(|used| {
            (0..len).flat_map(move |query| {
                (0..len).map(move |key| {
                    let seen = key <= query && used.get(key).copied().unwrap_or_default();
                    if seen { 0.0 } else { hidden_score }
                })
            })
        });
        let bias = TensorData::new(bias.collect::<Vec<f32>>(), [rows, 1, len, len]);
        let bias = Tensor::from_data(bias, &tokens.device());
        let hidden = self.transformer.forward_biased(tokens, &bias);
        Ok(self.ln_final.forward(hidden))
    }

    /// Vectors of tokens and their places, `[texts, tokens, width]`.
    fn embedded(&self, texts: &[Vec<u32>]) -> Result<Tensor<3>, PolicyError> {
        let [context, width] = self.positional_embedding.dims();
        let [vocabulary, _] = self.token_embedding.weight.dims();
        let len = texts.first().map_or(0, Vec::len);
        let problem = |expected: String, found: String| PolicyError::InputShape {
            what: "tokens of a text".into(),
            expected,
            found,
            advice: "use the tokenizer of this tower and cut long texts".into(),
        };
        if len == 0 || len > context || texts.iter().any(|text| text.len() != len) {
            let lengths = texts.iter().map(Vec::len).collect::<Vec<_>>();
            return Err(problem(
                format!("equally many, 1 to {context}"),
                format!("{lengths:?}"),
            ));
        }
        let ids = texts.iter().flatten().map(|&id| id as i32);
        let ids = ids.collect::<Vec<_>>();
        if let Some(id) = ids.iter().find(|&&id| id < 0 || id as usize >= vocabulary) {
            return Err(problem(
                format!("ids below {vocabulary}"),
                format!("id {id}"),
            ));
        }
        let device = self.token_embedding.weight.device();
        let ids = Tensor::from_data(TensorData::new(ids, [texts.len() * len]), &device);
        let tokens = self.token_embedding.weight.val().select(0, ids);
        let places = self.positional_embedding.val().narrow(0, 0, len);
        Ok(tokens.reshape([texts.len(), len, width]) + places.unsqueeze())
    }

    /// Embeddings of texts, `[texts, output]`, not normalised: [`TextTower::pooled`], projected.
    ///
    /// # Errors
    /// As [`TextTower::pooled`].
    pub fn forward(&self, texts: &[Vec<u32>]) -> Result<Tensor<2>, PolicyError> {
        Ok(self.pooled(texts)?.matmul(self.text_projection.val()))
    }

    /// The hidden states at the first of the greatest token (the end of the text), `[texts, width]`.
    /// Texts may be padded behind it.
    ///
    /// Tokens behind the end cannot be seen from it, and are left out of the computation.
    ///
    /// # Errors
    /// As [`TextTower::hidden`], except that texts may differ in length.
    pub fn pooled(&self, texts: &[Vec<u32>]) -> Result<Tensor<2>, PolicyError> {
        let ends = texts.iter().map(|text| end(text)).collect::<Vec<_>>();
        let len = match ends.iter().max() {
            Some(end) if !texts.iter().any(Vec::is_empty) => end + 1,
            _ => 0,
        };
        let cut = texts.iter().map(|text| {
            let mut text = text.clone();
            text.resize(len, 0);
            text
        });
        let hidden = self.hidden(&cut.collect::<Vec<_>>())?;
        let [rows, len, width] = hidden.dims();
        let device = hidden.device();
        let at = ends.iter().enumerate().map(|(row, end)| row * len + end);
        let at = at.map(|index| index as i32).collect::<Vec<_>>();
        let at = Tensor::from_data(TensorData::new(at, [rows]), &device);
        Ok(hidden.reshape([rows * len, width]).select(0, at))
    }
}

/// Where the greatest token stands first.
fn end(text: &[u32]) -> usize {
    let greatest = text.iter().max();
    text.iter()
        .position(|id| Some(id) == greatest)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn tower() -> TextTower {
        let config = TextConfig {
            vocabulary: 10,
            context: 6,
            transformer: TransformerConfig {
                width: 8,
                heads: 2,
                layers: 2,
                hidden: 32,
                causal: true,
            },
            output: 3,
        };
        TextTower::new(&config, &Device::flex())
    }

    #[test]
    fn padding_and_company_do_not_matter() {
        let tower = tower();
        let alone = tower.forward(&[vec![8, 1, 9]]).unwrap().into_data();
        let both = [vec![8, 1, 9, 0, 0, 0], vec![8, 1, 2, 3, 9, 0]];
        let both = tower.forward(&both).unwrap().narrow(0, 0, 1).into_data();
        let (alone, both) = (alone.as_slice::<f32>(), both.as_slice::<f32>());
        let pairs = alone.unwrap().iter().zip(both.unwrap());
        assert!(pairs.clone().count() == 3 && pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn unusable_tokens_are_refused() {
        let tower = tower();
        for texts in [
            vec![],
            vec![vec![]],
            vec![vec![10]],
            vec![vec![u32::MAX]],
            vec![vec![1, 1, 1, 1, 1, 1, 9]],
        ] {
            let result = tower.forward(&texts);
            assert!(
                matches!(result, Err(PolicyError::InputShape { .. })),
                "{texts:?}"
            );
        }
    }
}
