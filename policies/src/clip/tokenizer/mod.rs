//! CLIP's tokenizer: byte-level pairs of lower-case words.
//!
//! A text is cleaned ([`clean`]), lower-cased, split into words, numbers one digit at a time and
//! runs of other signs; the bytes of every piece are joined pair by pair in the order in which the
//! pairs were learned, the last one marked as the end of its word.
//!
//! The joining is the [`tokenizers`] crate's. It may join a later pair before an earlier one where
//! two different pairs make the same token or a pair was learned before its parts; the vocabulary
//! has neither, which is checked when it is read, so that the result is that of CLIP's own loop.

pub mod clean;
mod html;
mod mojibake;
mod signs;

use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use flate2::read::GzDecoder;
use regex::Regex;
use tokenizers::Model as _;
use tokenizers::models::bpe::{BPE, Merges, Vocab};

use crate::error::CheckpointError;
use crate::language::TextError;

/// The vocabulary that is part of the program; the card beside it says where it comes from.
const EMBEDDED: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../assets/language/clip-bpe/bpe_simple_vocab_16e6.txt.gz"
));

/// Pairs that CLIP uses; the file has more.
const MERGES: usize = 49_152 - 256 - 2;

/// No vocabulary of this kind is larger when unpacked [bytes].
const MOST_BYTES: u64 = 16 << 20;

/// Marks the last token of a word.
const END_OF_WORD: &str = "</w>";

/// Start and end of a text, which may also be written in it.
const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// Pieces of a cleaned text; what lies between them is blank.
const PIECES: &str = r"(?i)<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// What to do with a text of more tokens than fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Refuse it, as CLIP does unless told otherwise.
    #[default]
    Refuse,
    /// Leave out what is too much; the end token stays.
    Truncate,
}

/// Text to token ids.
pub struct ClipTokenizer {
    model: BPE,
    pieces: Regex,
    letters: [char; 256],
    start: u32,
    end: u32,
}

impl ClipTokenizer {
    /// The vocabulary that is part of the program, read once.
    ///
    /// # Errors
    /// Only if the program was built with a damaged vocabulary.
    pub fn embedded() -> Result<Arc<Self>, CheckpointError> {
        static TOKENIZER: OnceLock<Arc<ClipTokenizer>> = OnceLock::new();
        if let Some(tokenizer) = TOKENIZER.get() {
            return Ok(tokenizer.clone());
        }
        let origin = Path::new("the built-in vocabulary");
        let tokenizer = Arc::new(Self::parse(EMBEDDED, origin)?);
        Ok(TOKENIZER.get_or_init(|| tokenizer).clone())
    }

    /// Reads a packed list of pairs: a line of remarks, then one pair a line, first learned first.
    /// `origin` names the source in errors.
    ///
    /// # Errors
    /// If the bytes are no such list, a pair is incomplete, or the pairs are out of order.
    pub fn parse(packed: &[u8], origin: &Path) -> Result<Self, CheckpointError> {
        let damaged = |reason: String| CheckpointError::Format {
            path: origin.to_owned(),
            reason,
        };
        let mut text = String::new();
        GzDecoder::new(packed)
            .take(MOST_BYTES)
            .read_to_string(&mut text)
            .map_err(|error| damaged(format!("not a packed text ({error})")))?;
        let merges = text
            .lines()
            .skip(1)
            .take(MERGES)
            .map(
                |line| match line.split_whitespace().collect::<Vec<_>>()[..] {
                    [first, second] => Ok((first.to_owned(), second.to_owned())),
                    _ => Err(damaged(format!("`{line}` is no pair of tokens"))),
                },
            )
            .collect::<Result<Merges, _>>()?;
        let letters = letters();
        let vocab = vocabulary(&letters, &merges).map_err(damaged)?;
        let (start, end) = (vocab[START], vocab[END]);
        let model = BPE::builder()
            .vocab_and_merges(vocab, merges)
            .end_of_word_suffix(END_OF_WORD.to_owned())
            .build()
            .map_err(|error| damaged(error.to_string()))?;
        Ok(Self {
            model,
            pieces: Regex::new(PIECES).map_err(|error| damaged(error.to_string()))?,
            letters,
            start,
            end,
        })
    }

    /// Tokens of the vocabulary.
    pub fn len(&self) -> usize {
        self.model.get_vocab_size()
    }

    /// Whether the vocabulary is empty, which it never is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The token before a text.
    pub const fn start(&self) -> u32 {
        self.start
    }

    /// The token after a text; the greatest of all.
    pub const fn end(&self) -> u32 {
        self.end
    }

    /// Ids of a text of any length, with those of start and end.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let text = clean::clean(text).to_lowercase();
        let mut ids = vec![self.start];
        for piece in self.pieces.find_iter(&text) {
            match piece.as_str() {
                START => ids.push(self.start),
                END => ids.push(self.end),
                piece => {
                    let word = piece.bytes().map(|byte| self.letters[byte as usize]);
                    let word = word.collect::<String>();
                    // Every byte has a token, so that nothing is unknown to the model.
                    let tokens = self.model.tokenize(&word).unwrap_or_default();
                    ids.extend(tokens.iter().map(|token| token.id));
                }
            }
        }
        ids.push(self.end);
        ids
    }

    /// Ids of a text that must fit into `context` tokens, not padded.
    ///
    /// # Errors
    /// [`TextError::TooManyTokens`] if it does not fit and may not be cut.
    pub fn encode_within(
        &self,
        text: &str,
        context: usize,
        overflow: Overflow,
    ) -> Result<Vec<u32>, TextError> {
        let mut ids = self.encode(text);
        if ids.len() > context {
            if overflow == Overflow::Refuse || context == 0 {
                return Err(TextError::TooManyTokens {
                    tokens: ids.len(),
                    most: context,
                });
            }
            ids.truncate(context);
            ids[context - 1] = self.end;
        }
        Ok(ids)
    }
}

/// A letter for every byte: itself where it is a sign that can be seen, else one of the letters from
/// U+0100 on, in the order of the bytes.
fn letters() -> [char; 256] {
    let mut spare = 0x100;
    std::array::from_fn(|byte| {
        let seen = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let code = if seen {
            byte as u32
        } else {
            spare += 1;
            spare - 1
        };
        char::from_u32(code).unwrap_or_default()
    })
}

/// Ids: bytes, bytes that end a word, joined pairs, start and end. The bytes that are letters
/// themselves come before the others.
fn vocabulary(letters: &[char; 256], merges: &Merges) -> Result<Vocab, String> {
    let mut singles = letters.map(u32::from);
    singles.sort_unstable();
    let singles = singles
        .iter()
        .filter_map(|&code| char::from_u32(code))
        .map(String::from)
        .collect::<Vec<_>>();
    let ends = singles
        .iter()
        .map(|single| format!("{single}{END_OF_WORD}"));
    let mut vocab = Vocab::default();
    for token in singles.iter().cloned().chain(ends) {
        let id = vocab.len() as u32;
        vocab.insert(token, id);
    }
    for (first, second) in merges {
        if !vocab.contains_key(first) || !vocab.contains_key(second) {
            return Err(format!(
                "the pair `{first} {second}` comes before its parts"
            ));
        }
        let id = vocab.len() as u32;
        if vocab.insert(format!("{first}{second}"), id).is_some() {
            return Err(format!("two pairs make `{first}{second}`"));
        }
    }
    for token in [START, END] {
        let id = vocab.len() as u32;
        vocab.insert(token.to_owned(), id);
    }
    Ok(vocab)
}

#[cfg(test)]
mod tests;
