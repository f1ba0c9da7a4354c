//! Signs that stand for others: ligatures, wide forms, curled quotes, line ends, control characters.

use tokenizers::NormalizedString;

/// A text with plain signs.
pub fn simplify(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            // A C1 control character is what Windows has at its place.
            '\u{80}'..='\u{9f}' => plain.push(super::mojibake::windows(sign as u8)),
            'Ĳ' => plain.push_str("IJ"),
            'ĳ' => plain.push_str("ij"),
            // An n with a modifier apostrophe, which is a quote further below.
            'ŉ' => plain.push_str("'n"),
            'Ǳ' => plain.push_str("DZ"),
            'ǲ' => plain.push_str("Dz"),
            'ǳ' => plain.push_str("dz"),
            'Ǆ' => plain.push_str("DŽ"),
            'ǅ' => plain.push_str("Dž"),
            'ǆ' => plain.push_str("dž"),
            'Ǉ' => plain.push_str("LJ"),
            'ǈ' => plain.push_str("Lj"),
            'ǉ' => plain.push_str("lj"),
            'Ǌ' => plain.push_str("NJ"),
            'ǋ' => plain.push_str("Nj"),
            'ǌ' => plain.push_str("nj"),
            'ﬀ' => plain.push_str("ff"),
            'ﬁ' => plain.push_str("fi"),
            'ﬂ' => plain.push_str("fl"),
            'ﬃ' => plain.push_str("ffi"),
            'ﬄ' => plain.push_str("ffl"),
            'ﬅ' => plain.push_str("ſt"),
            'ﬆ' => plain.push_str("st"),
            '\u{3000}' => plain.push(' '),
            '\u{ff01}'..='\u{ffef}' => {
                let mut narrow = NormalizedString::from(sign.to_string());
                narrow.nfkc();
                plain.push_str(narrow.get());
            }
            '\u{2bc}' | '\u{2018}'..='\u{201b}' => plain.push('\''),
            '\u{201c}'..='\u{201f}' => plain.push('"'),
            '\r' => {
                signs.next_if_eq(&'\n');
                plain.push('\n');
            }
            '\u{2028}' | '\u{2029}' => plain.push('\n'),
            other => plain.push(other),
        }
    }
    plain
}

/// A text without the sequences that color a terminal: escape, bracket, digits and semicolons, a
/// letter.
pub fn without_terminal_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        let (before, after) = rest.split_at(at);
        plain.push_str(before);
        let body =
            after["\u{1b}[".len()..].trim_start_matches(|c: char| c == ';' || c.is_ascii_digit());
        match body.strip_prefix(|c: char| c.is_ascii_alphabetic()) {
            Some(next) => rest = next,
            None => {
                plain.push_str("\u{1b}[");
                rest = &after["\u{1b}[".len()..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// Control characters that are neither blanks nor steer the look of a script.
pub const fn is_control(sign: char) -> bool {
    matches!(sign,
        '\0'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}'
        | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_become_plain() {
        assert_eq!(simplify("ﬁne ﬂuﬃeﬆ Ĳ"), "fine fluffiest IJ");
        assert_eq!(simplify("ＬＯＵＤ　Ｕﾀｰﾝ"), "LOUD Uターン");
        assert_eq!(simplify("“a” ‘b’ ʼ"), "\"a\" 'b' '");
        assert_eq!(simplify("a\r\nb\rc\u{2028}d"), "a\nb\nc\nd");
        assert_eq!(simplify("\u{85}"), "…");
    }

    #[test]
    fn terminal_colors_are_dropped() {
        assert_eq!(
            without_terminal_escapes("\u{1b}[36;44mblue\u{1b}[0m"),
            "blue"
        );
        assert_eq!(without_terminal_escapes("\u{1b}[;"), "\u{1b}[;");
    }
}
