//! What counts as an instruction.

/// Most bytes of an instruction.
pub const MAX_BYTES: usize = 4096;

/// Most tokens of an instruction.
pub const MAX_TOKENS: usize = 512;

/// Why a text cannot be used as an instruction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Nothing, or blanks only.
    #[error("the instruction is empty: say what to do")]
    Empty,
    /// More than [`MAX_BYTES`].
    #[error("the instruction has {bytes} bytes, at most {MAX_BYTES} are read: shorten it")]
    TooLong {
        /// Its size.
        bytes: usize,
    },
    /// More tokens than the encoder reads ([`MAX_TOKENS`] in general).
    #[error("the instruction has {tokens} tokens, at most {most} are read: shorten it")]
    TooManyTokens {
        /// Its size.
        tokens: usize,
        /// What is read.
        most: usize,
    },
    /// A control character other than tab, line feed and carriage return, which count as blanks.
    #[error(
        "the instruction has the control character U+{code:04X} at byte {at}: is it text at all?"
    )]
    ControlCharacter {
        /// Code point.
        code: u32,
        /// Where, in bytes from the start.
        at: usize,
    },
    /// None of the words is known, not even in pieces.
    #[error(
        "the encoder `{encoder}` knows no word of the instruction: say it in the language that the encoder was made for"
    )]
    Unknown {
        /// Name of the encoder.
        encoder: String,
    },
    /// The tokens cancel out, so that no direction is left.
    #[error("the encoder `{encoder}` finds no meaning in the instruction: say it in other words")]
    NoDirection {
        /// Name of the encoder.
        encoder: String,
    },
    /// The tokenizer gave up.
    #[error("the instruction cannot be split into tokens: {reason}")]
    Tokenizer {
        /// What it said.
        reason: String,
    },
}

/// Refuses what no encoder should see.
///
/// # Errors
/// [`TextError::TooLong`], [`TextError::ControlCharacter`] or [`TextError::Empty`].
pub fn check(text: &str) -> Result<(), TextError> {
    if text.len() > MAX_BYTES {
        return Err(TextError::TooLong { bytes: text.len() });
    }
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    if let Some((at, c)) = text.char_indices().find(|&(_, c)| control(c)) {
        return Err(TextError::ControlCharacter {
            code: u32::from(c),
            at,
        });
    }
    if text.trim().is_empty() {
        return Err(TextError::Empty);
    }
    Ok(())
}
