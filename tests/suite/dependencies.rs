//! Dependencies: each is used by a source file, comes from the registry, and has a licence compatible with the project's.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::root;

/// Licences (SPDX) that allow the program to be distributed under its own licence, with at most a notice.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "bzip2-1.0.6",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Dependencies that only enable features of other dependencies: the reason is in the workspace manifest.
const UNNAMED: &[&str] = &["argmin-math"];

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Cargo's metadata of the packages that this platform builds.
fn metadata() -> Value {
    let version = run("rustc", &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--offline",
        "--filter-platform",
        host.unwrap(),
    ];
    serde_json::from_str(&run(env!("CARGO"), &arguments)).unwrap()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Whether a source file uses a crate: at the beginning of a path, or in an import.
fn names(source: &str, krate: &str) -> bool {
    source.match_indices(krate).any(|(at, _)| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let before = source[..at].chars().next_back();
        let after = &source[at + krate.len()..];
        !before.is_some_and(is_part) && (after.starts_with("::") || after.starts_with(" as "))
    })
}

#[test]
fn every_dependency_is_named_by_a_source_of_its_crate() {
    let metadata = metadata();
    let mut unnamed = Vec::new();
    let packages = metadata["packages"].as_array().unwrap();
    for package in packages.iter().filter(|p| p["source"].is_null()) {
        let folder = Path::new(text(package, "manifest_path")).parent().unwrap();
        let mut of_crate = String::new();
        sources(folder, &mut of_crate);
        let name = text(package, "name");
        if name == "tessera-cli" {
            sources(&root().join("tests"), &mut of_crate);
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            let known = dependency["rename"].as_str();
            let known = known.unwrap_or(text(dependency, "name"));
            let named = names(&of_crate, &known.replace('-', "_"));
            if !named && !UNNAMED.contains(&known) {
                unnamed.push(format!("{name}: {known}"));
            }
        }
    }
    assert!(unnamed.is_empty(), "no source names {unnamed:?}");
}

/// Whether an SPDX expression can be met with licences of the list; `/` is an old spelling of `OR`.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let padded = expression.replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = padded.split_whitespace().collect();
    let mut at = 0;
    let allowed = any(&tokens, &mut at);
    assert_eq!(at, tokens.len(), "{expression}");
    allowed
}

fn any(tokens: &[&str], at: &mut usize) -> bool {
    let mut met = all(tokens, at);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all(tokens, at);
    }
    met
}

fn all(tokens: &[&str], at: &mut usize) -> bool {
    let mut met = one(tokens, at);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(tokens, at);
    }
    met
}

fn one(tokens: &[&str], at: &mut usize) -> bool {
    *at += 1;
    if tokens[*at - 1] == "(" {
        let met = any(tokens, at);
        assert_eq!(tokens[*at], ")");
        *at += 1;
        return met;
    }
    let mut licence = tokens[*at - 1].to_owned();
    if tokens.get(*at) == Some(&"WITH") {
        licence = format!("{licence} WITH {}", tokens[*at + 1]);
        *at += 2;
    }
    LICENCES.contains(&licence.as_str())
}

#[test]
fn packages_come_from_the_registry_under_licences_that_go_with_ours() {
    assert!(is_allowed("MIT OR GPL-3.0") && !is_allowed("MIT AND GPL-3.0"));
    assert!(is_allowed("(GPL-3.0/Zlib) AND ISC"));
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages.iter().filter(|p| !p["source"].is_null()) {
        let name = text(package, "name");
        let from = text(package, "source");
        assert!(
            from.starts_with("registry+https://github.com/rust-lang/crates.io-index"),
            "{name} comes from {from}"
        );
        let licence = text(package, "license");
        assert!(is_allowed(licence), "{name} is under `{licence}`");
    }
}
