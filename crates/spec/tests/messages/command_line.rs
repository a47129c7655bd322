//! Files that cannot be read.

use crate::syntax;
use std::path::Path;

#[test]
fn a_file_that_is_not_there() {
    let found = tessera_spec::load(Path::new("no/such/pipeline.toml"), &[], &syntax()).unwrap_err();
    assert_told!(found.render(false));
}

#[test]
fn a_file_that_is_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.parquet");
    std::fs::write(&path, b"PAR1\xff\xfe\x00").unwrap();
    let found = tessera_spec::load(&path, &[], &syntax()).unwrap_err();
    let text = found
        .render(false)
        .replace(&folder.path().display().to_string(), "FOLDER");
    assert_told!(text);
}

#[test]
fn a_file_in_another_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.toml");
    let told = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let found = tessera_spec::load(&path, &[], &syntax()).unwrap_err();
        let text = found.render(false);
        text.replace(&folder.path().display().to_string(), "FOLDER")
    };
    let mut latin = b"spec_version = 1\nname = \"gr".to_vec();
    latin.extend([0xf6, 0xdf]);
    latin.extend(b"er\"\n");
    let wide: Vec<u8> = "\u{feff}name = \"shop\"\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_told!([told(&latin), told(&wide)].join("\n"));
}

#[test]
fn a_loaded_file_keeps_its_text_for_later_messages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("good.toml");
    std::fs::write(&path, super::GOOD).unwrap();
    let loaded = tessera_spec::load(&path, &[], &syntax()).unwrap();
    assert_eq!(loaded.text, super::GOOD);
    assert_eq!(loaded.file_name, path.display().to_string());
    assert!(loaded.warnings.is_empty());
}
