//! UTF-8 that was read as Windows-1252 or Latin-1, and put right again.
//!
//! A repair is made where signs that were single bytes in those encodings make up a valid UTF-8
//! sequence and are no text in themselves:
//!
//! - three or four of them in a row that make one character (`â€™`, `ðŸ¤–`), or
//! - two that begin with `Â` or `Ã` (`Ã©`, `Â°`), or
//! - at least two pairs in a row that begin with any other byte (`Ð¿Ñ€` for Cyrillic, Greek, ...), or
//! - one such pair whose second sign no text has behind a letter (`Å¼`), or which is a quote with
//!   another letter behind it (`Å‚o`).
//!
//! Layers of the same damage come off one by one, by repeated calls.
//!
//! Not covered, unlike in `ftfy`: other wrong encodings (Windows-1250, 1251, 1253, 1254 and 1257,
//! Latin-2, MacRoman, code page 437), sequences that lost bytes (a no-break space that became a
//! blank, signs that became U+FFFD or a question mark), surrogates as UTF-8 (CESU-8), and its
//! statistical judgement of doubtful pairs, for which the rules above are stricter or laxer.

/// The character that Windows-1252 has for a byte from 0x80 to 0x9f; what it leaves open stays the
/// control character.
pub const fn windows(byte: u8) -> char {
    const SIGNS: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => SIGNS[(byte - 0x80) as usize],
        other => other as char,
    }
}

/// The byte of a character in Windows-1252, or Latin-1 where that has none.
fn byte(sign: char) -> Option<u8> {
    match u8::try_from(u32::from(sign)) {
        Ok(byte) => Some(byte),
        Err(_) => (0x80..=0x9f).find(|&byte| windows(byte) == sign),
    }
}

/// One character hidden in a run of signs.
struct Hidden {
    character: char,
    /// Signs that it takes up.
    signs: usize,
    /// Whether the signs are no text for certain.
    certain: bool,
}

/// The character whose UTF-8 bytes the first signs are.
fn hidden(signs: &[char]) -> Option<Hidden> {
    let first = byte(*signs.first()?)?;
    let len = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let bytes = signs.get(..len)?.iter().map(|&sign| byte(sign));
    let bytes = bytes.collect::<Option<Vec<_>>>()?;
    let character = std::str::from_utf8(&bytes).ok()?.chars().next()?;
    Some(Hidden {
        character,
        signs: len,
        certain: len > 2 || matches!(first, 0xc2 | 0xc3),
    })
}

/// Whether a sign is odd between a letter and what is `behind` it.
fn is_odd(sign: char, behind: Option<&char>) -> bool {
    match sign {
        '\u{80}'..='\u{9f}'
        | '¤'
        | '¦'
        | '¨'
        | '¬'
        | '¯'
        | '¸'
        | 'ª'
        | 'º'
        | '±'
        | '²'
        | '³'
        | '¹'
        | '¼'
        | '½'
        | '¾'
        | 'µ'
        | '¶'
        | '§'
        | 'ƒ'
        | 'ˆ'
        | '˜'
        | '†'
        | '‡'
        | '‰' => true,
        '¡' | '«' | '¿' | '©' | '®' | '»' | '‘' | '‚' | '“' | '”' | '„' | '•' | '‹' | '›' | '™' => {
            behind.is_some_and(|sign| sign.is_alphanumeric())
        }
        _ => false,
    }
}

/// A text with one layer of damage taken off.
pub fn repair(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let signs = text.chars().collect::<Vec<_>>();
    let mut repaired = String::with_capacity(text.len());
    let mut at = 0;
    while at < signs.len() {
        let (mut run, mut next) = (Vec::new(), at);
        while let Some(found) = hidden(&signs[next..]) {
            next += found.signs;
            run.push(found);
        }
        let certain = run.iter().any(|found| found.certain) || run.len() > 1;
        if !run.is_empty() && (certain || is_odd(signs[at + 1], signs.get(next))) {
            repaired.extend(run.iter().map(|found| found.character));
            at = next;
        } else {
            repaired.push(signs[at]);
            at += 1;
        }
    }
    repaired
}

#[cfg(test)]
mod tests {
    use super::repair;

    fn damaged(text: &str) -> String {
        text.bytes().map(super::windows).collect()
    }

    #[test]
    fn damage_is_undone() {
        for text in [
            "schön",
            "l’humanité",
            "Привет, мир",
            "日本語",
            "🤖",
            "żółć",
            "20 °C",
        ] {
            assert_eq!(repair(&damaged(text)), text);
        }
    }

    #[test]
    fn sound_text_stays() {
        for text in [
            "ÀÉÎÕÜ ß",
            "É« ist",
            "“quotes” — …",
            "½ ¾ ² ³",
            "naïve",
            "Ñandú",
            "日本",
        ] {
            assert_eq!(repair(text), text);
        }
    }
}
