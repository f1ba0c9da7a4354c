//! `clip_bpe_cases`: texts to token ids.

use burn::tensor::Device;

use crate::clip::ClipTokenizer;
use crate::clip::tokenizer::{Overflow, clean};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// Tokens of a text with the default call.
const CONTEXT: usize = 77;

/// Ids are equal or not.
pub const fn tolerance(_: &str) -> f64 {
    0.0
}

/// All outputs of a file.
///
/// # Errors
/// If the file lists no texts.
pub fn compute(file: &GoldenFile, _: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let tokenizer = ClipTokenizer::embedded()?;
    for (name, number) in [
        ("vocab_size", tokenizer.len()),
        ("sot", tokenizer.start() as usize),
        ("eot", tokenizer.end() as usize),
    ] {
        outputs.put_values(format!("out/{name}"), &[], &[number as f64]);
    }
    for (index, case) in file.list("/cases")?.iter().enumerate() {
        let text = case["text"].as_str().ok_or_else(|| {
            ParityError::Config(format!("`/cases/{index}/text` is missing or no text"))
        })?;
        let start = format!("out/cases/{index}");
        let ids = tokenizer.encode(text);
        outputs.put_vector(format!("{start}/ids"), &ids);
        let strict = tokenizer.encode_within(text, CONTEXT, Overflow::Refuse);
        if let Ok(mut cut) = tokenizer.encode_within(text, CONTEXT, Overflow::Truncate) {
            cut.resize(CONTEXT, 0);
            outputs.put_vector(format!("{start}/padded77_truncate"), &cut);
        }
        for (name, number) in [
            ("n", ids.len()),
            ("too_long_error", usize::from(strict.is_err())),
            ("ftfy_changes", usize::from(clean::repair(text) != text)),
            ("html_changes", usize::from(clean::unescape(text) != text)),
        ] {
            outputs.put_values(format!("{start}/{name}"), &[], &[number as f64]);
        }
    }
    Ok(outputs)
}
