//! What flows between the denoiser's blocks.

use burn::tensor::Tensor;

use crate::mdt::denoiser::{Denoiser, Tokens};
use crate::parity::outputs::Outputs;

/// The encoder's blocks one by one: `<start>/enc_block_<i>`.
///
/// The whole encoder is compared through [`Denoiser::context`]; this shows where it goes astray.
pub fn encoder(
    outputs: &mut Outputs,
    start: &str,
    network: &Denoiser,
    tokens: Tokens,
    noise: &Tensor<3>,
) {
    let head = network.policy_head(tokens.head.clone());
    let mut hidden = network.embed(tokens, head, Some(noise));
    for (index, block) in network.encoder.blocks.iter().enumerate() {
        hidden = block.forward(hidden);
        outputs.put(format!("{start}/enc_block_{index}"), hidden.clone());
    }
}

/// The decoder's blocks one by one, `<start>/dec_block_<i>`, and its final norm, `<start>/dec_ln`.
pub fn decoder(
    outputs: &mut Outputs,
    start: &str,
    network: &Denoiser,
    actions: Tensor<3>,
    noise: &Tensor<3>,
    context: &Tensor<3>,
) {
    let mut hidden = network.action_emb.forward(actions);
    let noise = network.block_noise(noise);
    let context = network.project(context);
    let blocks = network.decoder.blocks.iter();
    for (index, ((block, noise), context)) in blocks.zip(&noise).zip(&context).enumerate() {
        hidden = block.forward(hidden, noise, context);
        outputs.put(format!("{start}/dec_block_{index}"), hidden.clone());
    }
    let normal = network.decoder.ln.forward(hidden);
    outputs.put(format!("{start}/dec_ln"), normal);
}
