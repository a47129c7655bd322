//! Dependencies between the crates are those that ARCHITECTURE.md allows.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::program::root;

/// Crates that each crate may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("spec", &[]),
    ("expr", &["spec"]),
    ("engine", &["expr", "spec"]),
    ("ingest", &["expr", "spec"]),
    ("features", &["expr", "spec"]),
    ("model", &["spec"]),
    ("segments", &["model", "expr", "spec"]),
    ("history", &[]),
    ("snapshot", &["spec"]),
    ("report", &["snapshot", "spec"]),
    ("demo", &[]),
    (
        "pipeline",
        &[
            "ingest", "features", "engine", "model", "segments", "history", "snapshot", "report",
            "expr", "spec",
        ],
    ),
    ("cli", &["pipeline", "snapshot", "spec", "demo"]),
];

/// Libraries that only one crate may use.
const HOMES: &[(&str, &str)] = &[
    ("polars", "engine"),
    ("polars-arrow", "engine"),
    ("smartcore", "model"),
    ("sqlparser", "expr"),
    ("clap", "cli"),
];

#[test]
fn crates_use_only_what_their_layer_may() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"]
            .as_str()
            .unwrap()
            .trim_start_matches("tessera-")
            .to_owned();
        let dependencies = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|d| d["kind"].is_null());
        used.insert(
            name,
            dependencies
                .map(|d| d["name"].as_str().unwrap().to_owned())
                .collect(),
        );
    }
    let listed: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        used.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        listed,
        "every crate has its line"
    );
    for (name, allowed) in ALLOWED {
        for dependency in &used[*name] {
            if let Some(inner) = dependency.strip_prefix("tessera-") {
                assert!(allowed.contains(&inner), "{name} may not use {inner}");
            }
            if let Some((_, home)) = HOMES.iter().find(|(library, _)| library == dependency) {
                assert_eq!(home, name, "only {home} may name {dependency}");
            }
        }
    }
}

#[test]
fn no_file_is_named_for_being_miscellaneous() {
    let mut folders = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let banned = [
                "mod.rs",
                "utils.rs",
                "util.rs",
                "helpers.rs",
                "helper.rs",
                "common.rs",
                "misc.rs",
                "shared.rs",
            ];
            assert!(!banned.contains(&name.as_str()), "{}", path.display());
        }
    }
}

/// Every `crates/….rs` that ARCHITECTURE.md names exists and defines the names that follow it.
#[test]
fn the_document_names_files_and_what_is_in_them() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let quoted: Vec<&str> = text.split('`').collect();
    let mut named = 0;
    for at in (1..quoted.len()).step_by(2) {
        if !quoted[at].starts_with("crates/") {
            continue;
        }
        let file = std::fs::read_to_string(root().join(quoted[at]));
        let file = file.unwrap_or_else(|error| panic!("{}: {error}", quoted[at]));
        named += 1;
        // Between the file and a name in it there is only a space or a line break.
        let follows = quoted.get(at + 1).is_some_and(|gap| gap.trim().is_empty());
        let Some(name) = quoted.get(at + 2).filter(|_| follows) else {
            continue;
        };
        let defined = ["fn ", "struct ", "enum ", "const ", "trait "]
            .iter()
            .any(|kind| {
                let definition = format!("{kind}{name}");
                file.match_indices(&definition).any(|(at, _)| {
                    let next = file[at + definition.len()..].chars().next();
                    !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
                })
            });
        assert!(defined, "{} defines no `{name}`", quoted[at]);
    }
    assert!(named > 20, "{named}");
}
