//! Cleaning of texts before they are split, as CLIP does it: the repairs of the `ftfy` library (R.
//! Speer, 2019) at its defaults, HTML references twice, blanks joined.
//!
//! Of `ftfy` 6 everything is here but for the repair of wrongly decoded text, of which only the
//! most common kind is: UTF-8 that was read as Windows-1252 or Latin-1 ([`super::mojibake`] says
//! what precisely). Texts without such damage come out the same.

use tokenizers::NormalizedString;

use super::{html, mojibake, signs};

/// A text as CLIP splits it, but for its capital letters.
pub fn clean(text: &str) -> String {
    let text = unescape(&repair(text));
    let words = text.split_whitespace().collect::<Vec<_>>();
    words.join(" ")
}

/// HTML references replaced, and those that appear by that.
pub fn unescape(text: &str) -> String {
    html::unescape(&html::unescape(text))
}

/// What `ftfy` repairs, line by line.
pub fn repair(text: &str) -> String {
    // From the first tag on, references are taken for source code.
    let mut is_markup = false;
    let lines = text.split_inclusive('\n').map(|line| {
        is_markup |= line.contains('<');
        repair_line(line, !is_markup)
    });
    lines.collect()
}

/// Repairs one after the other until nothing changes.
fn repair_line(line: &str, references: bool) -> String {
    // Every round makes the text shorter or simpler; the bound is for peace of mind.
    const MOST_ROUNDS: usize = 64;
    let mut text = line.to_owned();
    for _ in 0..MOST_ROUNDS {
        let mut next = if references {
            html::unescape_whole(&text)
        } else {
            text.clone()
        };
        next = mojibake::repair(&next);
        next = signs::simplify(&next);
        next = signs::without_terminal_escapes(&next);
        next.retain(|c| !signs::is_control(c));
        let mut composed = NormalizedString::from(next);
        composed.nfc();
        let next = composed.get().to_owned();
        if next == text {
            break;
        }
        text = next;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn blanks_are_joined() {
        assert_eq!(clean("  a\t b\u{a0}c\r\nd  "), "a b c d");
        assert_eq!(clean(""), "");
    }

    #[test]
    fn references_are_replaced() {
        assert_eq!(
            clean("&amp;amp; &lt;b&gt; &quot;x&quot; &#233; &eacute"),
            "& <b> \"x\" é é"
        );
        assert_eq!(clean("P&EACUTE;REZ"), "PÉREZ");
    }

    #[test]
    fn damage_is_repaired_in_layers() {
        assert_eq!(clean("schÃ¶n"), "schön");
        assert_eq!(clean("schÃƒÂ¶n"), "schön");
        assert_eq!(clean("itâ€™s"), "it's");
        assert_eq!(clean("l’humanitÃ©"), "l'humanité");
        assert_eq!(clean("naïve café ½ ÀÉÎÕÜ ß"), "naïve café ½ ÀÉÎÕÜ ß");
    }
}
