//! Hashes the sources and the locked dependencies that the program is built from, for the identity of runs: a fixed program is
//! another run. The hash depends on the files and on their paths within the repository, not on folder, machine or time.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Folders of a crate that are no part of the program.
const NOT_BUILT: [&str; 3] = ["tests", "examples", "benches"];

/// By kind of what is learned: beginnings of the paths of the files that learn and apply it, beside [`LEARNED_BY_ALL`]. What an
/// earlier program learned is learned again where one of them has changed.
const LEARNED_BY: [(&str, &[&str]); 8] = [
    (
        "SUPERVISED",
        &[
            "crates/model/src/churn",
            "crates/model/src/cluster/preparation.rs",
            "crates/pipeline/src/scores/supervised",
            "crates/pipeline/src/scores/churned.rs",
            "crates/pipeline/src/scores/population.rs",
        ],
    ),
    (
        "CLV",
        &[
            "crates/model/src/btyd",
            "crates/model/src/laplace.rs",
            "crates/model/src/spend",
            "crates/pipeline/src/scores/clv",
        ],
    ),
    (
        "CONTRACTUAL",
        &[
            "crates/model/src/contractual",
            "crates/pipeline/src/scores/contractual",
        ],
    ),
    (
        "HEALTH",
        &[
            "crates/model/src/health",
            "crates/pipeline/src/scores/health",
        ],
    ),
    (
        "KMEANS",
        &[
            "crates/model/src/cluster",
            "crates/segments/src/cluster_evidence.rs",
            "crates/segments/src/clusters.rs",
            "crates/segments/src/kinds/kmeans.rs",
        ],
    ),
    (
        "RFM_GRID",
        &[
            "crates/segments/src/edges.rs",
            "crates/segments/src/rank.rs",
            "crates/segments/src/score.rs",
            "crates/segments/src/kinds/rfm_grid.rs",
        ],
    ),
    (
        "QUANTILE",
        &[
            "crates/segments/src/rank.rs",
            "crates/segments/src/kinds/quantile.rs",
        ],
    ),
    ("ATTRIBUTE", &["crates/segments/src/kinds/attribute.rs"]),
];

/// What everything that is learned depends on: what features mean, and the numerical methods.
const LEARNED_BY_ALL: [&str; 7] = [
    "Cargo.lock",
    "crates/expr/src",
    "crates/features/src",
    "crates/model/src/matrix.rs",
    "crates/model/src/metrics",
    "crates/model/src/optimise.rs",
    "crates/model/src/special.rs",
];

fn main() -> std::io::Result<()> {
    // Relative to the crate, in which cargo runs this: a build folder may serve several clones.
    let root = Path::new("../..");
    let mut files = vec![root.join("Cargo.toml"), root.join("Cargo.lock")];
    for entry in fs::read_dir(root.join("crates"))? {
        let folder = entry?.path();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if !NOT_BUILT.iter().any(|name| path.ends_with(name)) && !is_hidden(&path) {
                println!("cargo::rerun-if-changed={}", path.display());
                collect(path, &mut files)?;
            }
        }
    }
    for file in &files[..2] {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    let mut named: Vec<(String, PathBuf)> = files
        .into_iter()
        .map(|file| (relative(&file, root), file))
        .collect();
    named.sort();
    println!(
        "cargo::rustc-env=TESSERA_SOURCES_SHA256={}",
        hash_of(&named, |_| true)?
    );
    for (kind, own) in LEARNED_BY {
        let begins = |name: &str, paths: &[&str]| paths.iter().any(|path| name.starts_with(path));
        for path in own.iter().chain(&LEARNED_BY_ALL) {
            if !named.iter().any(|(name, _)| name.starts_with(path)) {
                let message = format!("{kind}: no source begins with {path}");
                return Err(std::io::Error::other(message));
            }
        }
        let wanted = |name: &str| begins(name, own) || begins(name, &LEARNED_BY_ALL);
        println!(
            "cargo::rustc-env=TESSERA_LEARNS_{kind}={}",
            hash_of(&named, wanted)?
        );
    }
    Ok(())
}

/// sha256 over names and contents of the wanted files.
fn hash_of(named: &[(String, PathBuf)], wanted: impl Fn(&str) -> bool) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    for (name, file) in named.iter().filter(|(name, _)| wanted(name)) {
        let content = fs::read(file)?;
        hash.update(format!("{name}\n{}\n", content.len()));
        hash.update(&content);
    }
    let digits = hash.finalize();
    Ok(digits.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// All files at or below a path.
fn collect(path: PathBuf, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        files.push(path);
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if !is_hidden(&path) {
            collect(path, files)?;
        }
    }
    Ok(())
}

/// Files of editors and tools.
fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name.ends_with('~')
}

/// A path within the repository, with `/` on every system.
fn relative(file: &Path, root: &Path) -> String {
    let parts = file.strip_prefix(root).unwrap_or(file).components();
    let parts: Vec<String> = parts
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    parts.join("/")
}
