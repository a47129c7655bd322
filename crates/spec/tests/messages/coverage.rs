//! Every code of this crate has a message in a snapshot, and there are many of them.

use std::collections::BTreeSet;
use std::path::Path;

fn texts(folder: &Path, extension: &str, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, extension, all);
        } else if path.extension().is_some_and(|e| e == extension) {
            all.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Codes of the form `TS-P000`, after `before`.
fn codes(text: &str, before: &str) -> BTreeSet<String> {
    let start = format!("{before}TS-P");
    text.match_indices(&start)
        .map(|(at, _)| text[at + before.len()..].chars().take(7).collect())
        .collect()
}

#[test]
fn every_code_is_shown_in_a_snapshot() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut source, mut shown) = (String::new(), String::new());
    texts(&root.join("src"), "rs", &mut source);
    texts(&root.join("tests"), "snap", &mut shown);
    let raised = codes(&source, "\"");
    let shown_codes = &codes(&shown, "error[") | &codes(&shown, "warning[");
    let unseen: Vec<&String> = raised.difference(&shown_codes).collect();
    assert!(unseen.is_empty(), "no snapshot shows {unseen:?}");
    let messages = shown.matches("error[TS-P").count();
    assert!(messages >= 60, "only {messages} messages");
}
