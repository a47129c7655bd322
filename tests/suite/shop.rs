//! A small lake of text files and a pipeline over it, for tests that state both in full.

use std::path::Path;
use std::process::Output;

use crate::program::tessera;
use crate::table::Table;

/// The orders source with an open contract, for tests that add to it.
pub(crate) const ORDERS: &str = r#"
[sources.orders]
kind = "events"
path = "${lake}/orders"
key = "customer_id"
time = "ordered_at"
"#;

/// Columns of `orders`, and the setting for rows without a key.
pub(crate) const CONTRACT: &str = r#"
[sources.orders.contract]
columns = { customer_id = "string", ordered_at = "date", amount = "f64" }
missing_key = "quarantine"
"#;

/// The features of every test.
pub(crate) const RFM: &str = "[features]\nuse = [\"rfm\"]\n";

/// Numbers below a limit, the same ones for the same seed.
pub(crate) fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    }
}

/// A folder with a lake, a pipeline and its store.
pub(crate) struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the lake.
    pub(crate) fn file(&self, name: &str, text: &str) -> &Self {
        let path = self.path("lake").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Runs a pipeline made of these parts, with a store of its own.
    pub(crate) fn run(&self, parts: &[&str], as_of: &str, more: &[&str]) -> Output {
        let _ = std::fs::remove_dir_all(self.path("store"));
        self.run_on(parts, as_of, more)
    }

    /// Runs it with the store of the last run.
    pub(crate) fn run_on(&self, parts: &[&str], as_of: &str, more: &[&str]) -> Output {
        let head = "spec_version = 1\nname = \"shop\"\ntimezone = \"UTC\"\ncurrency = \"EUR\"\nstore = \"${out}\"\n\
                    [vars]\nlake = \".\"\nout = \".\"\n[customer]\nkey = \"customer_id\"\n";
        let from = parts.iter().any(|part| part.starts_with("from = "));
        let body = parts.concat();
        assert!(!from || body.starts_with("from = "), "`from` comes first");
        std::fs::write(self.path("shop.toml"), format!("{head}{body}")).unwrap();
        let show = |path: &Path| path.display().to_string();
        let file = show(&self.path("shop.toml"));
        let lake = format!("lake={}", show(&self.path("lake")));
        let out = format!("out={}", show(&self.path("store")));
        let mut command = tessera();
        command.args([
            "run", &file, "--as-of", as_of, "--var", &lake, "--var", &out,
        ]);
        command.args(more).output().unwrap()
    }

    /// A table of the version that the last run published.
    pub(crate) fn table(&self, name: &str) -> Table {
        Table::read(&self.path("store/latest").join(format!("{name}.parquet")))
    }

    /// Whether the last run published anything.
    pub(crate) fn published(&self) -> bool {
        self.path("store/latest").exists()
    }
}

/// stderr of a run, which must have ended with this exit code.
pub(crate) fn said(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}
