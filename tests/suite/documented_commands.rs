//! Every command of README, docs and `--help` is run as written, in a folder other than the store's.
//!
//! A fresh machine is simulated by a folder with the repository's pipelines and, beside it, the public data, as in a clone; and by
//! a `PATH` with the built program as `tessera` and the DuckDB shell of the oracle's Python. `cargo` is replaced by a script that
//! starts the built program for `cargo run`, because a build within a test would wait for the build that runs the test. The
//! command for the tests is compared with the last line of `.ci/run`.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::oracle::python;
use crate::program::{bounded, public_data, root, run, tessera};

/// Texts whose commands are run, within the repository.
const DOCUMENTS: [&str; 15] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "data/README.md",
    "docs/backfill.md",
    "docs/data.md",
    "docs/diff.md",
    "docs/explain.md",
    "docs/export.md",
    "docs/expressions.md",
    "docs/gc.md",
    "docs/init.md",
    "docs/operating.md",
    "docs/plan.md",
    "docs/scores.md",
];

/// The README's command for the tests.
const TESTS: &str = "cargo test --release --workspace";

const CARGO: &str = r#"#!/bin/sh
case "$*" in
    "run --release -p tessera-cli -- "*) shift 5; exec tessera "$@" ;;
    "test --release --workspace" | "build --release -p tessera-cli") exit 0 ;;
    metadata) exit 0 ;;
    "install --path crates/cli") test -f crates/cli/Cargo.toml ;;
    *) echo "cargo $*: not known to the test" >&2; exit 1 ;;
esac
"#;

/// A clone as the README assumes it, without build output.
struct Clone {
    _dir: tempfile::TempDir,
    folder: PathBuf,
    path: String,
}

impl Clone {
    fn new(python: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("tessera");
        let bin = dir.path().join("bin");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir(folder.join("schema")).unwrap();
        for name in ["pipelines", "crates", "justfile"] {
            symlink(root().join(name), folder.join(name)).unwrap();
        }
        let shared = root().join("../shared");
        if shared.exists() {
            symlink(shared.canonicalize().unwrap(), dir.path().join("shared")).unwrap();
        }
        symlink(tessera().get_program(), bin.join("tessera")).unwrap();
        std::fs::write(bin.join("cargo"), CARGO).unwrap();
        std::fs::set_permissions(bin.join("cargo"), std::fs::Permissions::from_mode(0o755))
            .unwrap();
        let python = python.parent().unwrap().display();
        let path = format!("{}:{python}:/usr/bin:/bin", bin.display());
        Self {
            _dir: dir,
            folder,
            path,
        }
    }

    /// Runs a shell command in the clone.
    fn shell(&self, line: &str) -> Output {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-ec", line])
            .current_dir(&self.folder)
            .env("PATH", &self.path)
            .env_remove("TESSERA_LOG");
        bounded(&mut command)
    }

    #[track_caller]
    fn succeeds(&self, line: &str) -> String {
        let output = self.shell(line);
        assert!(
            output.status.success(),
            "{line}\n{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// The lines of the `sh` blocks of a text.
fn block_lines(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside && !line.trim().is_empty() {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// Commands within sentences: inline code that begins with the name of a program.
fn inline_commands(text: &str) -> Vec<String> {
    let mut inside_block = false;
    let mut commands = Vec::new();
    let mut prose = String::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside_block = !inside_block;
        } else if !inside_block {
            prose.push_str(line);
            prose.push(' ');
        }
    }
    for (number, part) in prose.split('`').enumerate() {
        let program = part.split(' ').next().unwrap_or_default();
        let known = ["tessera", "cargo", "duckdb", "just"].contains(&program);
        if number % 2 == 1 && known && part.contains(' ') {
            commands.push(part.to_owned());
        }
    }
    commands
}

/// Whether a reader puts values into the command, such as the name of a file for `FILE`.
fn takes_values(command: &str) -> bool {
    command
        .split([' ', '='])
        .any(|word| word == "…" || (word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase())))
}

#[test]
fn every_command_of_the_readme_works_in_its_order() {
    let Some(python) = python() else { return };
    let clone = Clone::new(&python);
    let lines = block_lines(&document("README.md"));
    assert!(lines.len() >= 10, "{lines:?}");
    let mut queried = 0;
    for line in &lines {
        let said = clone.succeeds(line);
        if line.starts_with("duckdb") {
            assert!(said.contains("Champions"), "{line}\n{said}");
            queried += 1;
        }
    }
    assert!(queried > 0);
    assert!(lines.iter().any(|line| line.starts_with(TESTS)));
    let gate = document(".ci/run");
    assert!(
        gate.lines().any(|line| line == TESTS),
        ".ci/run must run the README's command for the tests"
    );
    // The views work in any folder, and after the store was moved and repaired.
    let store = clone.folder.join("data/store/demo");
    let query = |store: &Path| {
        let views = store.join("views/duckdb.sql");
        clone.succeeds(&format!(
            "cd / && duckdb -csv -init \"{}\" -c 'select count(*) from customers' 2>/dev/null",
            views.display()
        ))
    };
    let counted = query(&store);
    let moved = clone.folder.join("moved, isn't it");
    std::fs::rename(&store, &moved).unwrap();
    run(&["repair", moved.to_str().unwrap()], 0);
    assert_eq!(query(&moved), counted);
}

#[test]
fn commands_within_sentences_work() {
    let Some(python) = python() else { return };
    let clone = Clone::new(&python);
    let justfile = document("justfile");
    clone.succeeds("tessera demo --customers 300 --quiet");
    for name in DOCUMENTS {
        for command in inline_commands(&document(name)) {
            let words: Vec<&str> = command.split(' ').collect();
            match words[0] {
                "just" => assert!(
                    justfile.lines().any(|line| line.starts_with(words[1])),
                    "{name}: {command}"
                ),
                "tessera" if takes_values(&command) => {
                    let verb = words[1];
                    if verb.chars().all(|c| c.is_ascii_lowercase()) {
                        run(&[verb, "--help"], 0);
                    }
                }
                "tessera" if words.len() == 2 => drop(run(&[words[1], "--help"], 0)),
                "cargo" if takes_values(&command) => {
                    let after = |key: &str| {
                        let at = words.iter().position(|word| *word == key);
                        words[at.unwrap_or_else(|| panic!("{name}: {command} has no {key}")) + 1]
                    };
                    let krate = after("-p").strip_prefix("tessera-").unwrap();
                    let example = format!("crates/{krate}/examples/{}.rs", after("--example"));
                    assert!(root().join(&example).is_file(), "{name}: no {example}");
                }
                _ if command.contains("online_retail") => {
                    let Some(_) = public_data("online_retail") else {
                        continue;
                    };
                    clone.succeeds(&format!("{command} --var out=online"));
                }
                _ => drop(clone.succeeds(&command)),
            }
        }
    }
}

/// Code blocks of other documents: shell commands are run; Python is only parsed, since the data it converts is downloaded by
/// hand.
#[test]
fn blocks_of_the_other_documents_work() {
    let Some(python) = python() else { return };
    let clone = Clone::new(&python);
    for name in &DOCUMENTS[1..] {
        let text = document(name);
        for line in block_lines(&text) {
            clone.succeeds(&line);
        }
        for block in text.split("```python\n").skip(1) {
            let code = block.split("```").next().unwrap_or_default();
            let mut command = Command::new(&python);
            command.args([
                "-c",
                "import sys; compile(sys.argv[1], 'docs', 'exec')",
                code,
            ]);
            let output = bounded(&mut command);
            assert!(
                output.status.success(),
                "{name}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

#[test]
fn examples_of_the_help_work() {
    let Some(python) = python() else { return };
    let clone = Clone::new(&python);
    let dir = clone.folder.display().to_string();
    clone.succeeds("tessera demo --customers 300 --quiet");
    for verb in [
        "demo",
        "init",
        "check",
        "run",
        "plan",
        "backfill",
        "report",
        "diff",
        "explain",
        "export",
        "snapshots",
        "verify",
        "repair",
        "features",
        "schema",
        "completions",
    ] {
        let help = String::from_utf8(run(&[verb, "--help"], 0).stdout).unwrap();
        let examples = help.split("Example").nth(1).unwrap();
        for line in examples.lines().map(str::trim) {
            if !line.starts_with("tessera ") {
                continue;
            }
            if line.contains("cdnow") && public_data("cdnow").is_none() {
                continue;
            }
            if line.contains("*.toml") && public_data("cdnow").is_none() {
                continue;
            }
            // Folders of the machine are replaced by folders of the test.
            let line = line.replace("/var/tmp", &dir).replace("/etc", &dir);
            clone.succeeds(&format!("mkdir -p bash_completion.d docs && {line}"));
        }
    }
}
