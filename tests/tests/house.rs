//! Rules of the house that no lint knows.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use cerebellum_tests::root;

/// Most lines of a source file: one idea fits into fewer.
const MOST_LINES: usize = 600;

/// A README says what a newcomer needs first, in fewer lines than this.
const MOST_README: usize = 60;

/// All files below a folder whose name ends so, but for what cargo and git keep.
fn sources(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !(name.starts_with('.') || name == "target") {
                sources(&path, end, found);
            }
        } else if name.ends_with(end) {
            found.push(path);
        }
    }
}

#[test]
fn no_source_file_is_long() {
    let mut found = Vec::new();
    sources(&root(), ".rs", &mut found);
    assert!(found.len() > 100, "the sources are here");
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        let generated = text.lines().take(3).any(|line| line.contains("@generated"));
        let lines = text.lines().count();
        assert!(
            generated || lines <= MOST_LINES,
            "{} has {lines} lines, at most {MOST_LINES} are allowed: split it by idea, or mark a \
             table that a program wrote with `@generated` in its first lines",
            path.display()
        );
    }
}

#[test]
fn no_readme_is_long() {
    let mut found = Vec::new();
    sources(&root(), "README.md", &mut found);
    assert!(found.len() > 5, "the READMEs are here");
    for path in found {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(
            lines < MOST_README,
            "{} has {lines} lines, fewer than {MOST_README} are allowed: move the detail to the \
             documentation of the code",
            path.display()
        );
    }
}
