//! Character references of HTML.

use std::collections::HashMap;
use std::sync::OnceLock;

/// Names of the HTML standard with their characters' code points, one a line.
const TABLE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../assets/language/clip-bpe/html5_entities.tsv"
));

/// No name is longer.
const MOST_CHARS: usize = 32;

/// `ftfy` looks at whole references up to this length only.
const MOST_WHOLE: usize = 24;

type Names = HashMap<&'static str, String>;

/// Characters by name; most names end in a semicolon, some old ones also go without.
fn names() -> &'static Names {
    static NAMES: OnceLock<Names> = OnceLock::new();
    NAMES.get_or_init(|| {
        let lines = TABLE.lines().filter_map(|line| line.split_once('\t'));
        lines
            .map(|(name, codes)| {
                let codes = codes.split(' ').filter_map(|code| {
                    let code = u32::from_str_radix(code, 16).ok()?;
                    char::from_u32(code)
                });
                (name, codes.collect())
            })
            .collect()
    })
}

/// Replaces references as the standard says: numbers, names, and old names without a semicolon even
/// in front of other letters.
pub fn unescape(text: &str) -> String {
    replace(text, |rest| {
        if let Some(number) = rest.strip_prefix('#') {
            let (code, len) = number_of(number)?;
            let len = len + usize::from(number[len..].starts_with(';'));
            return Some((character(code), 1 + len));
        }
        let end = rest
            .char_indices()
            .take(MOST_CHARS)
            .find(|&(_, c)| matches!(c, '\t' | '\n' | '\u{c}' | ' ' | '<' | '&' | '#' | ';'));
        let end = match end {
            Some((at, ';')) => at + 1,
            Some((at, _)) => at,
            None => rest
                .char_indices()
                .nth(MOST_CHARS)
                .map_or(rest.len(), |(at, c)| at + usize::from(c == ';')),
        };
        let name = &rest[..end];
        let starts = name.char_indices().map(|(at, _)| at).skip(2);
        let mut ends = starts.chain([name.len()]).collect::<Vec<_>>();
        ends.reverse();
        ends.into_iter()
            .find_map(|end| Some((names().get(&name[..end])?.clone(), end)))
    })
}

/// Replaces only references that end in a semicolon, and also such names in capitals that are no
/// names themselves.
pub fn unescape_whole(text: &str) -> String {
    replace(text, |rest| {
        let end = rest.find(';')?;
        let name = &rest[..=end];
        if let Some(number) = name.strip_prefix('#') {
            let (code, len) = number_of(number)?;
            return (len + 1 == number.len()).then(|| (character(code), name.len()));
        }
        if end > MOST_WHOLE || !name[..end].chars().all(|c| c.is_ascii_alphanumeric()) {
            return None;
        }
        if let Some(found) = names().get(name) {
            return Some((found.clone(), name.len()));
        }
        let lower = name.to_ascii_lowercase();
        let is_capital = name == name.to_ascii_uppercase();
        let found = names().get(lower.as_str()).filter(|_| is_capital)?;
        // A capital name whose beginning is a name without semicolon is left to the standard.
        let starts = (2..name.len()).any(|end| names().contains_key(&name[..end]));
        (!starts).then(|| (found.to_uppercase(), name.len()))
    })
}

/// Calls `find` with what follows every `&`, for a replacement and the bytes that it takes up.
fn replace(text: &str, find: impl Fn(&str) -> Option<(String, usize)>) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, after) = rest.split_at(at);
        replaced.push_str(before);
        rest = &after[1..];
        match find(rest) {
            Some((characters, len)) => {
                replaced.push_str(&characters);
                rest = &rest[len..];
            }
            None => replaced.push('&'),
        }
    }
    replaced.push_str(rest);
    replaced
}

/// A decimal or, after an `x`, hexadecimal number and the bytes that it takes up.
fn number_of(text: &str) -> Option<(u32, usize)> {
    let hex = text.strip_prefix(['x', 'X']);
    let (digits, radix) = hex.map_or((text, 10), |digits| (digits, 16));
    let len = digits
        .find(|c: char| !c.is_digit(radix))
        .unwrap_or(digits.len());
    if len == 0 {
        return None;
    }
    let code = u32::from_str_radix(&digits[..len], radix).unwrap_or(u32::MAX);
    Some((code, text.len() - digits.len() + len))
}

/// The character of a number; none for what is no character.
fn character(code: u32) -> String {
    match code {
        0x0d => "\r".into(),
        // C1 control characters mean what Windows has at their place.
        0x80..=0x9f => super::mojibake::windows(code as u8).to_string(),
        0x01..=0x08 | 0x0b | 0x0e..=0x1f | 0x7f | 0xfdd0..=0xfdef => String::new(),
        code if code & 0xfffe == 0xfffe && code <= 0x10_ffff => String::new(),
        code => char::from_u32(code)
            .filter(|&c| c != '\0')
            .unwrap_or('\u{fffd}')
            .to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_lack_their_semicolon() {
        assert_eq!(unescape("&amp &notit; &nope; &"), "& ¬it; &nope; &");
        assert_eq!(unescape_whole("&amp &notit; &amp;"), "&amp &notit; &");
    }

    #[test]
    fn numbers_are_characters() {
        assert_eq!(
            unescape("&#65;&#x42&#128;&#0;&#1;&#xD800;&#99999999999;"),
            "AB€\u{fffd}\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn the_table_is_whole() {
        assert_eq!(names().len(), 2231);
        assert_eq!(names()["eacute;"], "é");
    }
}
