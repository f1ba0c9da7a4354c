//! The tokenizer against the authors' own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use serde_json::Value;

use super::{ClipTokenizer, Overflow};
use crate::error::CheckpointError;
use crate::language::TextError;

fn ids(value: &Value) -> Vec<u32> {
    let list = value.as_array().unwrap();
    list.iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

#[test]
fn every_text_has_the_authors_ids() {
    let tokenizer = ClipTokenizer::embedded().unwrap();
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/golden/mdt/clip_bpe_cases.json"
    );
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(golden["vocab_size"], tokenizer.len());
    assert_eq!(golden["sot"], tokenizer.start());
    assert_eq!(golden["eot"], tokenizer.end());
    for case in golden["cases"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        assert_eq!(tokenizer.encode(text), ids(&case["ids"]), "{text:?}");
        let strict = tokenizer.encode_within(text, 77, Overflow::Refuse);
        let refused = matches!(strict, Err(TextError::TooManyTokens { most: 77, .. }));
        assert_eq!(case["too_long_error"], refused, "{text:?}");
        if case["padded77_truncate"].is_array() {
            let cut = tokenizer.encode_within(text, 77, Overflow::Truncate);
            assert_eq!(cut.unwrap(), ids(&case["padded77_truncate"]), "{text:?}");
        }
    }
}

#[test]
fn special_tokens_are_read_inside_signs_only_where_the_pattern_starts() {
    let tokenizer = ClipTokenizer::embedded().unwrap();
    let [start, end] = [tokenizer.start(), tokenizer.end()];
    assert_eq!(tokenizer.encode("<|endoftext|>"), [start, end, end]);
    // The exclamation mark begins a run of signs that takes the bracket with it.
    assert!(tokenizer.encode("!<|endoftext|>").len() > 4);
}

#[test]
fn damaged_vocabularies_are_refused() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write as _;

    let pack = |text: &str| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let parse = |bytes: &[u8]| ClipTokenizer::parse(bytes, Path::new("vocabulary"));
    assert!(parse(&pack("#version\ni n\nt h\n")).is_ok());
    for bytes in [
        b"no archive".to_vec(),
        pack("#version\ni n g\n"),
        pack("#version\nth e\n"),
        pack("#version\ni n\nin g\nn g\ni ng\n"),
    ] {
        let refused = parse(&bytes);
        assert!(matches!(
            refused.err(),
            Some(CheckpointError::Format { .. })
        ));
    }
}
