//! Hashes the sources and the locked dependencies that the program is built from, for the identity of runs: a fixed program is
//! another run; and each of them alone, for what is learned. The hash depends on the files and on their paths within the repository, not on folder, machine or time.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Folders of a crate that are no part of the program.
const NOT_BUILT: [&str; 3] = ["tests", "examples", "benches"];

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
        hash_of(&named)?
    );
    let mut table = String::from(
        "/// Path within the repository, and sha256, by path.\nconst SOURCES: &[(&str, &str)] = &[\n",
    );
    for (name, file) in &named {
        let digest = digits(&Sha256::digest(fs::read(file)?));
        table.push_str(&format!("    ({name:?}, \"{digest}\"),\n"));
    }
    table.push_str("];\n");
    let folder = std::env::var("OUT_DIR").map_err(std::io::Error::other)?;
    fs::write(Path::new(&folder).join("sources.rs"), table)?;
    Ok(())
}

/// sha256 over names and contents of the files.
fn hash_of(named: &[(String, PathBuf)]) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    for (name, file) in named {
        let content = fs::read(file)?;
        hash.update(format!("{name}\n{}\n", content.len()));
        hash.update(&content);
    }
    Ok(digits(&hash.finalize()))
}

fn digits(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
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
