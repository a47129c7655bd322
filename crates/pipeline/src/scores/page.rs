//! The documentation of scores, made of the descriptions of the kinds.

use std::fmt::Write as _;

use tessera_spec::pipeline::Score;

use super::{KINDS, Kind};
use crate::pipeline_file;

/// What all kinds have in common.
const INTRODUCTION: &str = "# Scores

A table `[scores.NAME]` in a pipeline file adds the predictions of a model to the published table `customers`. Schemes, rules and
the KPI of `[goal]` use its columns like features. The pipeline must declare the sources and features that a score uses.
Durations are whole days or weeks: `90d`, `52w`. This page is written by `tessera schema --scores` from the descriptions that the
parser reads.

| `kind` | what it predicts | reads |
|---|---|---|
";

/// A pipeline with the sources that the examples read.
const FRAME: &str = r#"spec_version = 1
name = "p"
timezone = "UTC"
currency = "EUR"
store = "s"
[customer]
key = "id"
[sources.orders]
kind = "events"
path = "p"
key = "id"
time = "at"
contract = { missing_key = "drop" }
[sources.contracts]
kind = "intervals"
path = "p"
key = "id"
time = "began"
until = "ended"
contract = { missing_key = "drop" }
[sources.accounts]
kind = "attributes"
path = "p"
key = "id"
contract = { missing_key = "drop" }
"#;

/// The scores of an example.
fn scores(example: &str) -> Vec<Score> {
    let text = format!("{FRAME}{example}");
    let (pipeline, _) = tessera_spec::parse(&text, "example", &[], &pipeline_file::syntax());
    pipeline.map_or_else(Vec::new, |pipeline| pipeline.scores)
}

/// The kinds with an example, the columns and the keys of each, as Markdown.
pub fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    for kind in KINDS {
        let syntax = &kind.syntax;
        let _ = writeln!(
            text,
            "| [`{0}`](#{0}) | {1} | {2} |",
            syntax.name, syntax.summary, kind.reads
        );
    }
    for kind in KINDS {
        of_kind(kind, &mut text);
    }
    text.push('\n');
    text.push_str(include_str!("page.md"));
    text
}

fn of_kind(kind: &Kind, text: &mut String) {
    let syntax = &kind.syntax;
    let _ = write!(
        text,
        "\n## {}\n\n{}\n\n```toml\n{}```\n\n{}\n| column | what it holds, in the example |\n|---|---|\n",
        syntax.name, syntax.summary, kind.example, kind.docs
    );
    for score in scores(kind.example) {
        let ends: Vec<String> = score.intervals().into_iter().flat_map(|i| i.ends).collect();
        for column in score.columns() {
            if !ends.contains(&column.name) {
                let _ = writeln!(text, "| `{}` | {} |", column.name, column.about);
            }
        }
    }
    text.push_str("\n| key | needed | meaning |\n|---|---|---|\n");
    for (key, required, help) in syntax.described() {
        let needed = if required { "yes" } else { "" };
        let help = help.replace('|', "\\|");
        let _ = writeln!(text, "| `{key}` | {needed} | {help} |");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_that_of_the_program() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scores.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == markdown(),
            "docs/scores.md is not what the program would write; regenerate it:\n\n    \
             cargo run --release -p tessera-cli -- schema --scores > docs/scores.md\n"
        );
    }

    #[test]
    fn every_file_with_a_kind_is_registered_under_its_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/scores");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let text = std::fs::read_to_string(path).unwrap_or_default();
                text.contains("static KIND: Kind")
            })
            .filter(|path| path.file_stem().unwrap() != "page")
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.syntax.name).collect();
        assert_eq!(names, files, "KINDS is sorted and holds one kind per file");
    }

    #[test]
    fn every_kind_is_documented() {
        for kind in KINDS {
            let syntax = &kind.syntax;
            let name = syntax.name;
            assert!(
                syntax.summary.ends_with('.') && !syntax.summary.contains('\n'),
                "{name}"
            );
            assert!(
                kind.docs.ends_with('\n') && !kind.reads.is_empty(),
                "{name}"
            );
            for (key, _, help) in syntax.described() {
                let ends = help.ends_with('.');
                assert!(help.len() > 10 && ends, "{name}: {key}: {help}");
            }
            let read = scores(kind.example);
            assert!(!read.is_empty(), "the example of {name} cannot be read");
            assert!(read.iter().all(|score| score.kind.name() == name));
            let rest = kind.docs.split("```toml\n").skip(1);
            for example in rest.filter_map(|rest| rest.split("```").next()) {
                assert!(!scores(example).is_empty(), "{name}: {example}");
            }
        }
    }

    #[test]
    fn every_column_is_named_on_the_page() {
        let page = markdown();
        let columns = KINDS.iter().flat_map(|kind| scores(kind.example));
        for column in columns.flat_map(|score| score.columns()) {
            let end = column.name.contains("_low_") || column.name.contains("_high_");
            let named = page.contains(&format!("`{}`", column.name));
            assert!(named || end, "{}", column.name);
        }
    }
}
