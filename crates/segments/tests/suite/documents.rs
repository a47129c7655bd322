//! The page of the kinds is that of their descriptions, and its examples are pipeline files.

use std::path::Path;

use tessera_segments::{KINDS, markdown};

use crate::customer_base::written;

#[test]
fn the_page_is_that_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemes.md");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == markdown(),
        "docs/schemes.md is not what the program would write; regenerate it:\n\n    \
         cargo run --release -p tessera-cli -- schema --schemes > docs/schemes.md\n"
    );
}

#[test]
fn every_example_can_be_read_and_states_what_is_needed() {
    for kind in KINDS {
        let read = written(kind.syntax.name, kind.example);
        assert_eq!(read.name(), kind.syntax.name);
    }
}

#[test]
fn every_description_says_what_a_reader_looks_for() {
    for kind in KINDS {
        let name = kind.syntax.name;
        assert!(!kind.words.is_empty(), "{name}");
        for (key, _, help) in kind.syntax.described() {
            let ends = help.ends_with('.');
            assert!(help.len() > 10 && ends, "{name}: {key}: {help}");
        }
    }
}
