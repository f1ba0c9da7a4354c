#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// What the script that made the table computed for a sentence.
#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
    /// Unit length.
    vector: Vec<f32>,
}

fn table() -> Arc<StaticTable> {
    StaticTable::embedded().unwrap()
}

fn likeness(one: &str, other: &str) -> f32 {
    let table = table();
    let (one, other) = (table.encode(one).unwrap(), table.encode(other).unwrap());
    one.iter().zip(&other).map(|(a, b)| a * b).sum::<f32>() / table.dim() as f32
}

fn refusal(text: &str) -> TextError {
    match table().encode(text) {
        Err(PolicyError::Text(error)) => error,
        other => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn vectors_are_those_of_the_script() {
    let cases = include_str!("../../tests/golden/language/sentences.json");
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    assert_eq!(cases.len(), 20);
    let table = table();
    let scale = (table.dim() as f32).sqrt();
    for case in cases {
        assert_eq!(table.tokens(&case.text).unwrap(), case.ids, "{}", case.text);
        let vector = table.encode(&case.text).unwrap();
        assert_eq!(vector.len(), table.dim());
        for (got, want) in vector.iter().zip(&case.vector) {
            assert!(
                (got - want * scale).abs() < 2e-5,
                "{}: {got} {}",
                case.text,
                want * scale
            );
        }
        let square = vector.iter().map(|v| v * v).sum::<f32>() / table.dim() as f32;
        assert!((square - 1.0).abs() < 1e-4, "{}: {square}", case.text);
    }
}

#[test]
fn paraphrases_are_nearer_than_other_instructions() {
    for (text, paraphrase, other) in [
        (
            "pick up the red block",
            "grab the red cube",
            "pick up the blue block",
        ),
        (
            "open the drawer",
            "pull the drawer open",
            "close the drawer",
        ),
        ("close the drawer", "shut the drawer", "open the drawer"),
        (
            "push the block to the left",
            "slide the cube leftwards",
            "push the block to the right",
        ),
        ("press the button", "push the button", "push the block"),
        ("turn the lever", "rotate the handle", "insert the peg"),
        (
            "put the block in the tray",
            "place the cube inside the tray",
            "put the block on the plate",
        ),
    ] {
        let (near, far) = (likeness(text, paraphrase), likeness(text, other));
        assert!(
            near > far + 0.05,
            "{text}: {paraphrase} {near}, {other} {far}"
        );
    }
}

#[test]
fn case_blanks_and_accents_do_not_matter() {
    for other in [
        "PICK UP the Red Block",
        "  pick\tup\r\nthe   red block ",
        "píck up the réd block",
    ] {
        assert!(likeness("pick up the red block", other) > 0.9999, "{other}");
    }
}

#[test]
fn text_without_content_is_refused() {
    for text in ["", " ", "\n\t \r\n", "\u{3000}"] {
        assert_eq!(refusal(text), TextError::Empty, "{text:?}");
    }
    for text in ["螺絲", "🙂🙂", "привет"] {
        let unknown = TextError::Unknown {
            encoder: table().name().to_owned(),
        };
        assert_eq!(refusal(text), unknown, "{text:?}");
    }
}

#[test]
fn control_characters_are_refused_where_they_are() {
    assert_eq!(
        refusal("stop\0"),
        TextError::ControlCharacter { code: 0, at: 4 }
    );
    assert_eq!(
        refusal("é\u{1b}[31m"),
        TextError::ControlCharacter { code: 0x1b, at: 2 }
    );
}

#[test]
fn long_text_is_refused() {
    assert_eq!(
        refusal(&"a ".repeat(513)),
        TextError::TooManyTokens {
            tokens: 513,
            most: 512
        }
    );
    assert_eq!(
        refusal(&"x".repeat(4097)),
        TextError::TooLong { bytes: 4097 }
    );
    assert!(table().encode(&"a ".repeat(512)).is_ok());
    // One word of more than a hundred letters is one unknown token.
    assert!(matches!(
        refusal(&"x".repeat(101)),
        TextError::Unknown { .. }
    ));
}

#[test]
fn damaged_tables_are_refused() {
    let path = Path::new("table.safetensors");
    for bytes in [
        &EMBEDDED[..0],
        &EMBEDDED[..7],
        &EMBEDDED[..1000],
        &EMBEDDED[..EMBEDDED.len() - 1],
    ] {
        assert!(matches!(
            StaticTable::parse(bytes, path),
            Err(CheckpointError::Format { .. })
        ));
    }
    let make = |table: &[f32], shape: Vec<usize>, vocab: &str| {
        let table = table
            .iter()
            .flat_map(|&v| f16::from_f32(v).to_le_bytes())
            .collect::<Vec<_>>();
        let views = [
            ("table", TensorView::new(Dtype::F16, shape, &table).unwrap()),
            (
                "vocab",
                TensorView::new(Dtype::U8, vec![vocab.len()], vocab.as_bytes()).unwrap(),
            ),
        ];
        StaticTable::parse(&safetensors::serialize(views, None).unwrap(), path)
    };
    let small = make(&[0.0, 0.0, 3.0, 4.0, 0.0, 0.0], vec![3, 2], "[UNK]\ngo\nno").unwrap();
    let named = small.name().strip_prefix("static_table-").unwrap();
    assert!(named.len() == 8 && named != table().name().rsplit('-').next().unwrap());
    let vector = small.encode("go").unwrap();
    assert!((vector[0] - 0.6 * 2f32.sqrt()).abs() < 1e-6);
    assert!(matches!(
        small.encode("no"),
        Err(PolicyError::Text(TextError::NoDirection { .. }))
    ));
    assert!(
        make(&[0.0; 6], vec![3, 2], "[UNK]\ngo").is_err(),
        "too few tokens"
    );
    assert!(
        make(&[0.0; 6], vec![3, 2], "[UNK]\ngo\ngo").is_err(),
        "a token twice"
    );
    assert!(
        make(&[0.0; 4], vec![2, 2], "stop\ngo").is_err(),
        "no unknown token"
    );
    assert!(
        make(&[0.0; 4], vec![4], "[UNK]\ngo").is_err(),
        "not a matrix"
    );
    assert!(matches!(
        make(&[f32::NAN; 4], vec![2, 2], "[UNK]\ngo"),
        Err(CheckpointError::NonFinite { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_gives_a_finite_vector_or_an_error(text in any::<String>()) {
        if let Ok(vector) = table().encode(&text) {
            prop_assert!(vector.iter().all(|value| value.is_finite()));
        }
    }
}
