//! The aggregates: one file each, and its lines here.

mod count;
mod count_days;
mod count_distinct;
mod first;
mod first_day;
mod last;
mod last_day;
mod max;
mod mean;
mod median;
mod min;
mod mode;
mod quantile;
mod std;
mod sum;
mod sum_as_float;
mod sum_on_first_day;

use ::std::fmt::Write as _;

use tessera_spec::AggregateSyntax;

pub use count::COUNT;
pub use count_days::COUNT_DAYS;
pub use count_distinct::COUNT_DISTINCT;
pub use first::FIRST;
pub use first_day::FIRST_DAY;
pub use last::LAST;
pub use last_day::LAST_DAY;
pub use max::MAX;
pub use sum_as_float::SUM_AS_FLOAT;
pub use sum_on_first_day::SUM_ON_FIRST_DAY;

use crate::aggregate::{Aggregation, Takes};

/// Every aggregate, by name.
pub static AGGREGATES: &[&Aggregation] = &[
    &count::COUNT,
    &count_days::COUNT_DAYS,
    &count_distinct::COUNT_DISTINCT,
    &first::FIRST,
    &first_day::FIRST_DAY,
    &last::LAST,
    &last_day::LAST_DAY,
    &max::MAX,
    &mean::MEAN,
    &median::MEDIAN,
    &min::MIN,
    &mode::MODE,
    &quantile::QUANTILE,
    &std::STD,
    &sum::SUM,
    &sum_as_float::SUM_AS_FLOAT,
    &sum_on_first_day::SUM_ON_FIRST_DAY,
];

/// Those that pipeline files may name.
pub fn written() -> impl Iterator<Item = &'static Aggregation> {
    let all = AGGREGATES.iter().copied();
    all.filter(|aggregate| aggregate.written)
}

/// What the pipeline file may say of aggregates.
pub fn syntax() -> Vec<&'static AggregateSyntax> {
    written().map(|aggregate| &aggregate.syntax).collect()
}

/// The aggregate that pipeline files call by this name.
pub fn find(name: &str) -> Option<&'static Aggregation> {
    written().find(|aggregate| aggregate.name() == name)
}

/// The aggregates with their definitions and an example of each, as Markdown.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Aggregates\n\nA feature `{ from = \"orders\", agg = \"sum\", of = \"amount\" }` is an aggregate over the rows of each customer \
         ([features.md](features.md)). This page is written by `tessera schema --aggregates` from the descriptions that the parser \
         reads.\n\n| `agg` | takes | what it gives |\n|---|---|---|\n",
    );
    for aggregate in written() {
        let syntax = &aggregate.syntax;
        let takes = match (aggregate.takes, syntax.of_rows) {
            (takes, true) => format!("rows, or {}", takes.words()),
            (takes, false) => takes.words().to_owned(),
        };
        let _ = writeln!(
            text,
            "| [`{0}`](#{0}) | {takes} | {1} |",
            syntax.name, syntax.summary
        );
    }
    for aggregate in written() {
        let _ = write!(text, "\n## {}\n", aggregate.name());
        for line in aggregate.docs.lines() {
            let (part, rest) = line.split_once(": ").unwrap_or(("", line));
            let _ = write!(text, "\n**{part}**: {rest}\n");
        }
        let example = aggregate.example;
        let _ = write!(
            text,
            "\n```toml\n[features]\nmine = {}\n```\n\nRows of the days and amounts {}, where `-` is null, give {}.\n",
            aggregate.as_written(),
            example.rows,
            example.expect
        );
        if aggregate.syntax.keys.is_empty() {
            continue;
        }
        text.push_str("\n| key | needed | meaning |\n|---|---|---|\n");
        for key in aggregate.syntax.keys {
            let needed = key.required.map_or("", |_| "yes");
            let _ = writeln!(text, "| `{}` | {needed} | {} |", key.name, key.help);
        }
    }
    text
}

/// Names of the aggregates that take any type, as a message lists them.
pub fn of_any_type() -> String {
    let names = written().filter(|aggregate| aggregate.takes == Takes::Any);
    let names: Vec<String> = names
        .map(|aggregate| format!("`{}`", aggregate.name()))
        .collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

impl Aggregation {
    /// A feature that is this aggregate over the amounts of `orders`, as its example has it.
    pub fn as_written(&self) -> String {
        let keys = match self.example.keys {
            "" => String::new(),
            keys => format!(", {keys}"),
        };
        format!(
            "{{ from = \"orders\", agg = \"{}\", of = \"amount\"{keys} }}",
            self.name()
        )
    }
}

#[cfg(test)]
mod tests {
    use ::std::collections::BTreeSet;

    use tessera_spec::KeyValue;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_registered_under_its_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/aggregates");
        let mut files: Vec<String> = ::std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let names: Vec<&str> = AGGREGATES
            .iter()
            .map(|aggregate| aggregate.name())
            .collect();
        assert_eq!(names, files, "AGGREGATES is sorted and holds one per file");
    }

    #[test]
    fn every_aggregate_is_documented() {
        for aggregate in AGGREGATES {
            let name = aggregate.name();
            let summary = aggregate.syntax.summary;
            assert!(summary.ends_with('.') && !summary.contains('\n'), "{name}");
            for part in ["Decides: ", "Missing values: "] {
                let has = |line: &str| line.starts_with(part) && line.ends_with('.');
                assert!(aggregate.docs.lines().any(has), "{name} lacks {part}");
            }
            assert!(!aggregate.example.expect.is_empty(), "{name}");
        }
    }

    #[test]
    fn further_keys_are_numbers_of_one_aggregate_each() {
        let mut known = BTreeSet::from(["from", "agg", "of", "window", "offset", "where"]);
        for key in AGGREGATES.iter().flat_map(|kind| kind.syntax.keys) {
            assert!(known.insert(key.name), "{}", key.name);
            assert!(
                matches!(key.value, KeyValue::Number(..) | KeyValue::Whole(..)),
                "{}",
                key.name
            );
            assert!(key.help.ends_with('.'), "{}", key.name);
        }
    }

    #[test]
    fn the_page_is_that_of_the_program() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/aggregates.md");
        let committed = ::std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == markdown(),
            "docs/aggregates.md is not what the program would write; regenerate it:\n\n    \
             cargo run --release -p tessera-cli -- schema --aggregates > docs/aggregates.md\n"
        );
    }
}
