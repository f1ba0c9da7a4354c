//! The denoiser of one planner on the CPU: what [`super::denoiser::Denoiser`] computes, for one
//! sample, from weights that were packed once and in memory that is reserved once.
//!
//! A chunk of ten actions makes every product one of ten rows, whose time is that of reading the
//! weights. Nothing that a chunk needs only once is read in a step: keys and values of the context
//! and everything that depends on the noise level are computed before.

use burn::nn::Linear;

use super::denoiser::Denoiser;
use crate::host::values;
use crate::nn::attention::{Attention, Sight};
use crate::nn::decoder::{BlockNoise, DecoderBlock};
use crate::nn::encoder::EncoderBlock;
use crate::nn::kernels::{
    AttentionShape, LAYER_NORM_EPSILON, Layout, Packed, Part, Precision, Scratch, gelu_in_place,
    normalise, plain,
};
use crate::nn::mlp::{Mlp, Projection};
use crate::nn::{KeyValue, LayerNorm};

/// Linear layers on the same input, outputs side by side.
fn pack(layers: &[&Linear], precision: Precision) -> Packed {
    let parts = layers
        .iter()
        .map(|layer| {
            let [_, outputs] = layer.weight.dims();
            let offset = layer.bias.as_ref().map(|bias| values(bias.val()));
            (outputs, values(layer.weight.val()), offset)
        })
        .collect::<Vec<_>>();
    let inputs = layers.first().map_or(0, |layer| layer.weight.dims()[0]);
    let parts = parts
        .iter()
        .map(|(outputs, weight, offset)| Part {
            outputs: *outputs,
            weight,
            offset: offset.as_deref(),
        })
        .collect::<Vec<_>>();
    Packed::new(inputs, &parts, precision)
}

/// Gain and offset of a norm.
#[derive(Clone, Debug)]
struct Affine {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Affine {
    fn of(norm: &LayerNorm) -> Self {
        let scale = values(norm.weight.val());
        let shift = match &norm.bias {
            Some(bias) => values(bias.val()),
            None => vec![0.0; scale.len()],
        };
        Self { scale, shift }
    }

    /// This norm followed by another scale and shift.
    fn modulated(&self, scale: &[f32], shift: &[f32]) -> Self {
        let own = self.shift.iter().zip(scale);
        Self {
            shift: own.zip(shift).map(|((own, s), b)| own * s + b).collect(),
            scale: self.scale.iter().zip(scale).map(|(a, b)| a * b).collect(),
        }
    }
}

/// Attention of a few tokens over themselves.
#[derive(Debug)]
struct SelfAttention {
    qkv: Packed,
    proj: Packed,
    heads: usize,
    causal: bool,
}

impl SelfAttention {
    fn of(attention: &Attention, precision: Precision) -> Self {
        Self {
            qkv: pack(
                &[&attention.query, &attention.key, &attention.value],
                precision,
            ),
            proj: pack(&[&attention.c_proj], precision),
            heads: attention.heads,
            causal: attention.causal,
        }
    }

    /// Of `work.normal` into `work.branch`.
    fn run(&self, work: &mut Work) {
        let width = self.proj.outputs();
        let tokens = work.normal.len() / width;
        let at = Layout {
            query_row: 3 * width,
            key_row: 3 * width,
            key_start: width,
        };
        let shape = AttentionShape {
            batch: 1,
            share: 1,
            queries: tokens,
            keys: tokens,
            heads: self.heads,
            width,
            sight: Sight::causal(self.causal),
        };
        work.wide.resize(tokens * 3 * width, 0.0);
        self.qkv
            .product(&work.normal, &mut work.wide, &mut work.scratch);
        work.mixed.resize(tokens * width, 0.0);
        shape.mix(
            &work.wide,
            &work.wide,
            at,
            &mut work.mixed,
            &mut work.weights,
        );
        self.proj
            .product(&work.mixed, &mut work.branch, &mut work.scratch);
    }
}

/// Two layers with GELU between.
#[derive(Debug)]
struct FeedForward {
    up: Packed,
    down: Packed,
}

impl FeedForward {
    fn of(mlp: &Mlp, precision: Precision) -> Self {
        Self {
            up: pack(&[&mlp.c_fc], precision),
            down: pack(&[&mlp.c_proj], precision),
        }
    }

    /// Of `work.normal` into `work.branch`.
    fn run(&self, work: &mut Work) {
        let tokens = work.normal.len() / self.down.outputs();
        work.wide.resize(tokens * self.up.outputs(), 0.0);
        self.up
            .product(&work.normal, &mut work.wide, &mut work.scratch);
        gelu_in_place(&mut work.wide);
        self.down
            .product(&work.wide, &mut work.branch, &mut work.scratch);
    }
}

#[derive(Debug)]
struct Encoding {
    ln_1: Affine,
    attention: SelfAttention,
    ln_2: Affine,
    mlp: FeedForward,
}

impl Encoding {
    fn of(block: &EncoderBlock, precision: Precision) -> Self {
        Self {
            ln_1: Affine::of(&block.ln_1),
            attention: SelfAttention::of(&block.attn, precision),
            ln_2: Affine::of(&block.ln_2),
            mlp: FeedForward::of(&block.mlp, precision),
        }
    }
}

#[derive(Debug)]
struct Decoding {
    ln_1: Affine,
    attention: SelfAttention,
    ln3: Affine,
    query: Packed,
    key_value: Packed,
    cross_proj: Packed,
    heads: usize,
    causal: bool,
    ln_2: Affine,
    mlp: FeedForward,
}

impl Decoding {
    fn of(block: &DecoderBlock, precision: Precision) -> Self {
        let cross = &block.cross_att;
        Self {
            ln_1: Affine::of(&block.ln_1),
            attention: SelfAttention::of(&block.attn, precision),
            ln3: Affine::of(&block.ln3),
            query: pack(&[&cross.query], precision),
            key_value: pack(&[&cross.key, &cross.value], precision),
            cross_proj: pack(&[&cross.c_proj], precision),
            heads: cross.heads,
            causal: cross.causal,
            ln_2: Affine::of(&block.ln_2),
            mlp: FeedForward::of(&block.mlp, precision),
        }
    }

    /// Attention of `work.normal` over keys and values into `work.branch`.
    fn attend(&self, context: &[f32], work: &mut Work) {
        let width = self.cross_proj.outputs();
        let tokens = work.normal.len() / width;
        let at = Layout {
            query_row: width,
            key_row: 2 * width,
            key_start: 0,
        };
        let shape = AttentionShape {
            batch: 1,
            share: 1,
            queries: tokens,
            keys: context.len() / (2 * width),
            heads: self.heads,
            width,
            sight: Sight::causal(self.causal),
        };
        work.wide.resize(tokens * width, 0.0);
        self.query
            .product(&work.normal, &mut work.wide, &mut work.scratch);
        work.mixed.resize(tokens * width, 0.0);
        shape.mix(&work.wide, context, at, &mut work.mixed, &mut work.weights);
        self.cross_proj
            .product(&work.mixed, &mut work.branch, &mut work.scratch);
    }
}

/// Memory for one pass.
#[derive(Debug, Default)]
struct Work {
    hidden: Vec<f32>,
    normal: Vec<f32>,
    wide: Vec<f32>,
    mixed: Vec<f32>,
    branch: Vec<f32>,
    weights: Vec<f32>,
    scratch: Scratch,
}

impl Work {
    /// Room for branches as large as the hidden state.
    fn begin(&mut self) {
        self.normal.resize(self.hidden.len(), 0.0);
        self.branch.resize(self.hidden.len(), 0.0);
    }

    fn norm(&mut self, affine: &Affine) {
        normalise(
            &self.hidden,
            &affine.scale,
            &affine.shift,
            LAYER_NORM_EPSILON,
            &mut self.normal,
        );
    }

    /// `hidden += branch`, the branch multiplied by `gate` if there is one.
    fn add(&mut self, gate: Option<&[f32]>) {
        match gate {
            Some(gate) => {
                let width = gate.len().max(1);
                let rows = self.hidden.chunks_exact_mut(width);
                for (hidden, branch) in rows.zip(self.branch.chunks_exact(width)) {
                    for ((hidden, branch), gate) in hidden.iter_mut().zip(branch).zip(gate) {
                        *hidden += branch * gate;
                    }
                }
            }
            None => {
                for (hidden, branch) in self.hidden.iter_mut().zip(&self.branch) {
                    *hidden += branch;
                }
            }
        }
    }
}

/// What the blocks need of one noise level.
#[derive(Clone, Debug)]
pub struct PackedNoise {
    blocks: Vec<Modulation>,
}

#[derive(Clone, Debug)]
struct Modulation {
    attention: Affine,
    attention_gate: Vec<f32>,
    mlp: Affine,
    mlp_gate: Vec<f32>,
}

/// Keys and values of one context for every block.
#[derive(Clone, Debug)]
pub struct PackedContext {
    blocks: Vec<Vec<f32>>,
}

/// The denoiser, packed.
#[derive(Debug)]
pub struct PackedDenoiser {
    encoder: Vec<Encoding>,
    encoder_norm: Affine,
    decoder: Vec<Decoding>,
    decoder_norm: Affine,
    embed: Packed,
    positions: Option<Vec<f32>>,
    predict: Vec<Packed>,
    work: Work,
}

impl PackedDenoiser {
    /// Packs the weights, those of the matrices with `precision`. `None` if they are not on the CPU,
    /// or the noise level enters otherwise than through adaptive norms.
    pub fn new(denoiser: &Denoiser, precision: Precision) -> Option<Self> {
        plain(&denoiser.action_emb.weight.val())?;
        if denoiser
            .decoder
            .blocks
            .iter()
            .any(|block| block.ada_ln.is_none())
        {
            return None;
        }
        let predict = match &denoiser.action_pred {
            Projection::Linear(layer) => vec![pack(&[layer], precision)],
            Projection::Mlp((first, _, second)) => {
                vec![pack(&[first], precision), pack(&[second], precision)]
            }
        };
        let positions = denoiser.action_positions.as_ref();
        Some(Self {
            encoder: (denoiser.encoder.blocks.iter())
                .map(|block| Encoding::of(block, precision))
                .collect(),
            encoder_norm: Affine::of(&denoiser.encoder.ln),
            decoder: (denoiser.decoder.blocks.iter())
                .map(|block| Decoding::of(block, precision))
                .collect(),
            decoder_norm: Affine::of(&denoiser.decoder.ln),
            embed: pack(&[&denoiser.action_emb], precision),
            positions: positions.map(|positions| values(positions.val())),
            predict,
            work: Work::default(),
        })
    }

    /// What the blocks need of one noise level. `None` if it is not for adaptive norms.
    pub fn noise(&self, blocks: &[BlockNoise]) -> Option<PackedNoise> {
        let blocks = self.decoder.iter().zip(blocks).map(|(block, noise)| {
            let BlockNoise::Modulated(modulated) = noise else {
                return None;
            };
            let [shift_1, scale_1, gate_1, shift_2, scale_2, gate_2] =
                modulated.parts.clone().map(values);
            Some(Modulation {
                attention: block.ln_1.modulated(&scale_1, &shift_1),
                attention_gate: gate_1,
                mlp: block.ln_2.modulated(&scale_2, &shift_2),
                mlp_gate: gate_2,
            })
        });
        Some(PackedNoise {
            blocks: blocks.collect::<Option<_>>()?,
        })
    }

    /// The encoder's output of embedded tokens, `[tokens, width]`.
    pub fn encode(&mut self, tokens: &[f32]) -> Vec<f32> {
        let work = &mut self.work;
        work.hidden.clear();
        work.hidden.extend_from_slice(tokens);
        work.begin();
        for block in &self.encoder {
            work.norm(&block.ln_1);
            block.attention.run(work);
            work.add(None);
            work.norm(&block.ln_2);
            block.mlp.run(work);
            work.add(None);
        }
        work.norm(&self.encoder_norm);
        work.normal.clone()
    }

    /// Keys and values of an encoder's output, `[tokens, width]`.
    pub fn project(&mut self, output: &[f32]) -> PackedContext {
        let scratch = &mut self.work.scratch;
        let blocks = self.decoder.iter().map(|block| {
            let width = block.cross_proj.outputs();
            let mut projected = vec![0.0; output.len() / width * 2 * width];
            block.key_value.product(output, &mut projected, scratch);
            projected
        });
        PackedContext {
            blocks: blocks.collect(),
        }
    }

    /// From scaled noisy actions, `[horizon, action_dim]`, to the network's output of that shape.
    pub fn decode(
        &mut self,
        actions: &[f32],
        noise: &PackedNoise,
        context: &PackedContext,
        out: &mut [f32],
    ) {
        let work = &mut self.work;
        let width = self.decoder_norm.scale.len();
        let action_dim = self.predict.last().map_or(1, Packed::outputs);
        let horizon = actions.len() / action_dim.max(1);
        work.hidden.resize(horizon * width, 0.0);
        self.embed
            .product(actions, &mut work.hidden, &mut work.scratch);
        if let Some(positions) = &self.positions {
            for (hidden, position) in work.hidden.iter_mut().zip(positions) {
                *hidden += position;
            }
        }
        work.begin();
        let levels = noise.blocks.iter().zip(&context.blocks);
        for (block, (noise, context)) in self.decoder.iter().zip(levels) {
            work.norm(&noise.attention);
            block.attention.run(work);
            work.add(Some(&noise.attention_gate));
            work.norm(&block.ln3);
            block.attend(context, work);
            work.add(None);
            work.norm(&noise.mlp);
            block.mlp.run(work);
            work.add(Some(&noise.mlp_gate));
        }
        work.norm(&self.decoder_norm);
        match self.predict.as_slice() {
            [layer] => layer.product(&work.normal, out, &mut work.scratch),
            [first, second] => {
                work.wide.resize(horizon * first.outputs(), 0.0);
                first.product(&work.normal, &mut work.wide, &mut work.scratch);
                gelu_in_place(&mut work.wide);
                second.product(&work.wide, out, &mut work.scratch);
            }
            _ => {}
        }
    }

    /// Bytes of weights that one step reads.
    pub fn bytes_per_step(&self) -> usize {
        let blocks = self.decoder.iter().map(|block| {
            let own = [&block.attention.qkv, &block.attention.proj];
            let cross = [&block.query, &block.cross_proj];
            let mlp = [&block.mlp.up, &block.mlp.down];
            let all = own.into_iter().chain(cross).chain(mlp);
            all.map(Packed::bytes).sum::<usize>()
        });
        blocks.sum::<usize>()
            + self.embed.bytes()
            + self.predict.iter().map(Packed::bytes).sum::<usize>()
    }
}

impl PackedContext {
    /// From keys and values that the network itself has projected.
    pub fn of(blocks: &[KeyValue]) -> Self {
        Self {
            blocks: blocks.iter().map(|block| values(block.0.clone())).collect(),
        }
    }
}
