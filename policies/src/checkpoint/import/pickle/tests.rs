//! Pickles built by hand: what they hold, and what they must not do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use proptest::prelude::*;

use super::super::blob::Blob;
use super::super::error::FormatError;
use super::super::flatten::flatten;
use super::super::input::Input;
use super::super::tree::{Id, Tree, Value};
use super::read;

fn parse(bytes: &[u8]) -> Result<(Tree, Id), FormatError> {
    let blob = Blob::memory(Path::new("file"), bytes.to_vec());
    let mut tree = Tree::new("file".into(), bytes.len() as u64, '/');
    let root = read(&mut tree, &mut Input::new(blob.whole()), &mut |_, _| {
        Err(FormatError::invalid("persistent"))
    })?;
    Ok((tree, root))
}

fn root(bytes: &[u8]) -> Value {
    let (tree, root) = parse(bytes).unwrap();
    tree.get(root).clone()
}

#[test]
fn numbers_and_texts_of_all_protocols() {
    let int = |bytes| match root(bytes) {
        Value::Int(number) => number,
        other => panic!("{other:?}"),
    };
    assert_eq!(int(b"I-12\n."), -12);
    assert_eq!(int(b"L99L\n."), 99);
    assert_eq!(int(b"K\xff."), 255);
    assert_eq!(int(b"M\x01\x02."), 513);
    assert_eq!(int(b"J\xff\xff\xff\xff."), -1);
    assert_eq!(int(b"\x8a\x00."), 0);
    assert_eq!(int(b"\x8a\x01\xff."), -1);
    assert_eq!(int(b"\x8a\x02\xff\x00."), 255);
    assert_eq!(
        int(b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\xff."),
        i64::MIN
    );
    assert!(matches!(
        root(b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00."),
        Value::Long(_)
    ));
    assert!(matches!(root(b"I01\n."), Value::Bool(true)));
    assert!(matches!(root(b"F2.5\n."), Value::Float(2.5)));
    assert!(matches!(root(b"G@\x04\0\0\0\0\0\0."), Value::Float(2.5)));
    let text = |bytes| match root(bytes) {
        Value::Text(text) => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(text(b"Va\\u00e9\xe9\n."), "aéé");
    assert_eq!(text(b"S'it\\'s\\n\\x41'\n."), "it's\nA");
    assert_eq!(text(b"X\x02\0\0\0\xc3\xa9."), "é");
    assert_eq!(text(b"\x8c\x01x."), "x");
    assert!(matches!(root(b"U\x02\xff\xfe."), Value::Bytes(_)));
}

#[test]
fn lists_may_hold_themselves() {
    // a = []; a.append(a)
    let (tree, root) = parse(b"]q\0h\0a.").unwrap();
    assert_eq!(tree.list(root), Some(&[root][..]));
    assert!(flatten(&tree, root).unwrap().state.is_empty());
}

#[test]
fn code_is_refused_by_name_and_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let proof = folder.path().join("proof");
    let shell = format!("touch {}", proof.display());
    let short = |text: &str| [&[0x8c, text.len() as u8], text.as_bytes()].concat();
    let programs: Vec<(&str, Vec<u8>)> = vec![
        (
            "os.system",
            format!("cos\nsystem\n(S'{shell}'\ntR.").into_bytes(),
        ),
        (
            "posix.system",
            format!("cposix\nsystem\n(V{shell}\ntR.").into_bytes(),
        ),
        ("builtins.eval", b"cbuiltins\neval\n(S'1'\ntR.".to_vec()),
        (
            "builtins.exec",
            b"\x80\x02}X\x01\0\0\0acbuiltins\nexec\nX\x01\0\0\x001\x85Rs.".to_vec(),
        ),
        (
            "subprocess.Popen",
            [
                b"\x80\x04".to_vec(),
                short("subprocess"),
                short("Popen"),
                b"\x93)R.".to_vec(),
            ]
            .concat(),
        ),
        (
            "os.system",
            format!("(S'{shell}'\nios\nsystem\n.").into_bytes(),
        ),
        ("os.path.join", b"cos.path\njoin\n.".to_vec()),
        ("torch.hub.load", b"ctorch.hub\nload\n)R.".to_vec()),
        (
            "collections.OrderedDict.__init__.__globals__",
            b"ccollections\nOrderedDict.__init__.__globals__\n.".to_vec(),
        ),
    ];
    for (name, program) in programs {
        match parse(&program) {
            Err(FormatError::Code(global)) => assert_eq!(global, name),
            other => panic!("{name}: {:?}", other.map(|(_, root)| root)),
        }
    }
    assert!(!proof.exists());
}

#[test]
fn unknown_functions_stay_data_until_tensors_are_needed_of_them() {
    // {"path": pathlib.PosixPath("a"), "n": 1}
    let (tree, root) = parse(
        b"\x80\x02}(X\x04\0\0\0pathcpathlib\nPosixPath\nX\x01\0\0\0a\x85RX\x01\0\0\0nK\x01u.",
    )
    .unwrap();
    let flat = flatten(&tree, root).unwrap();
    assert_eq!(
        flat.skipped,
        [("path".to_owned(), "pathlib.PosixPath".to_owned())]
    );
    assert_eq!(flat.state.len(), 1);
    // {"w": other.make(array)}
    let array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85C\x01btR";
    let state = b"(K\x01K\x01\x85cnumpy\ndtype\nX\x02\0\0\0u1\x85R\x89C\x01\x07tb";
    let program = [
        &b"\x80\x03}X\x01\0\0\0wcother\nmake\n"[..],
        array,
        state,
        b"\x85Rs.",
    ]
    .concat();
    let (tree, root) = parse(&program).unwrap();
    let error = flatten(&tree, root).unwrap_err();
    assert!(error.to_string().contains("other.make"), "{error}");
}

#[test]
fn lists_of_lists_are_not_multiplied_out() {
    // Forty levels, each holding the one below twice: 2^40 entries if it were copied.
    let mut program = b"]q\0".to_vec();
    for level in 0..40u8 {
        program.extend([b']', b'q', level + 1, b'h', level, b'a', b'h', level, b'a']);
    }
    program.push(b'.');
    let (tree, root) = parse(&program).unwrap();
    assert!(tree.len() < 100);
    assert!(matches!(
        flatten(&tree, root),
        Err(FormatError::Limit { .. })
    ));
}

#[test]
fn deep_nesting_is_refused_without_a_deep_stack() {
    let mut program = vec![b']'; 1_000_000];
    program.extend(vec![b'a'; 999_999]);
    program.push(b'.');
    let (tree, root) = parse(&program).unwrap();
    assert!(matches!(
        flatten(&tree, root),
        Err(FormatError::Limit { .. })
    ));
}

#[test]
fn claimed_lengths_are_checked_before_memory_is_spent() {
    for program in [
        &b"X\xff\xff\xff\x7fabc"[..],
        b"B\xff\xff\xff\xffabc",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc",
        b"\x8b\xff\xff\xff\x7fabc",
        b"\x95\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"U\xffabc",
    ] {
        assert!(matches!(parse(program), Err(FormatError::Truncated(_))));
    }
    // A text that is made into bytes again and again.
    let mut program = b"\x80\x02X\x40\0\0\0".to_vec();
    program.extend([b'a'; 64]);
    program.extend(b"q\0");
    for _ in 0..100 {
        program.extend(b"0c_codecs\nencode\nh\0\x85R");
    }
    program.push(b'.');
    assert!(matches!(parse(&program), Err(FormatError::Limit { .. })));
}

#[test]
fn broken_programs_are_errors() {
    for program in [
        &b"."[..],
        b"0.",
        b"t.",
        b"1.",
        b"(.",
        b"h\x05.",
        b"}K\x01s.",
        b"}(K\x01u.",
        b"K\x01K\x02a.",
        b"NNR.",
        b"N)b.",
        b"\x80\x06N.",
        b"\x97.",
        b"\x82\x01.",
        b"Q.",
        b"P1\n.",
        b"NN\x93.",
        b"\xc1",
        b"Ix\n.",
        b"Fx\n.",
        b"S'a\n.",
        b"cnumpy\ndtype\n)R.",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"ctorch._utils\n_rebuild_tensor_v2\n(NK\0))tR.",
        b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nN)NtR.",
    ] {
        assert!(parse(program).is_err(), "{program:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok((tree, root)) = parse(&bytes) {
            drop(flatten(&tree, root));
        }
    }

    /// Programs made of real operations reach further than random bytes.
    #[test]
    fn any_operations_are_read_or_refused(
        codes in prop::collection::vec(prop::sample::select(&b"]}()tsaeuldbRQ012NK\x81\x85\x86\x87\x88\x8f\x90\x91\x93\x94h"[..]), 0..40)
    ) {
        let mut program = b"ccollections\nOrderedDict\nq\0cnumpy\ndtype\nctorch._utils\n_rebuild_tensor_v2\n".to_vec();
        for code in codes {
            program.push(code);
            if matches!(code, b'K' | b'h') {
                program.push(0);
            }
        }
        program.push(b'.');
        if let Ok((tree, root)) = parse(&program) {
            drop(flatten(&tree, root));
        }
    }
}
