//! What a scheme and its segments are held against: one file for each criterion, one line for it in [`GATES`].
//!
//! Every judgement is a row of `quality`. What happens where one is not met is up to the caller, see [`failed`].

pub(crate) mod actionable;
pub(crate) mod distinguishable;
pub(crate) mod identifiable;
pub(crate) mod stable;
mod staffed;
mod substantial;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use arrow::array::BooleanArray;
use tessera_spec::pipeline::{Criteria, ExprText, OnFail, Playbook};
use tessera_spec::{GateSyntax, Limit, described};

use crate::assignment::Assignment;
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::quality::{Quality, QualityStatus};

/// What the criteria look at.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The limits.
    pub criteria: &'a Criteria,
    /// The customers with their features.
    pub customers: &'a Customers,
    /// Their segments.
    pub assignment: &'a Assignment,
    /// Columns that the scheme itself reads.
    pub reads: &'a BTreeSet<&'a str>,
    /// Columns of scores that have values for some customers only, with the column that says why others have none.
    pub excluded: &'a BTreeMap<String, String>,
    /// Columns that the scheme assigns by, those too that its inputs are computed from, or that are computed from them.
    pub inputs: &'a [&'a str],
    /// Columns in which segments should differ.
    pub kpis: &'a [String],
    /// The column whose sum is a segment's value.
    pub value: Option<&'a str>,
    /// The playbooks of the pipeline.
    pub playbooks: &'a [Playbook],
    /// Per customer, whether the conditions that the limits state are true, by gate and limit.
    pub conditions: &'a BTreeMap<(&'static str, &'static str), &'a BooleanArray>,
    /// The segments beside those of the previous version.
    pub since: &'a Since,
}

impl<'a> Judged<'a> {
    /// Per customer, whether the condition is true; none where the pipeline does not state it.
    fn condition(
        &self,
        gate: &'static str,
        limit: &Limit<Option<ExprText>>,
    ) -> Option<&'a BooleanArray> {
        self.conditions.get(&(gate, limit.name())).copied()
    }
}

/// The segments beside those of the previous version.
#[derive(Debug, Clone, PartialEq)]
pub enum Since {
    /// Nothing is comparable, and why.
    Unknown(String),
    /// Compared.
    Compared {
        /// Population stability index of the mix of segments.
        psi: Option<f64>,
        /// Its critical value for these numbers of customers.
        psi_critical: Option<f64>,
        /// Per segment of the assignment, the share of its customers of the previous version who are in it still, of those in both
        /// versions; none where it had none.
        kept: Vec<Option<f64>>,
        /// Segments that customers of both versions were in, and that nobody is in now, so that the assignment lacks them.
        emptied: Vec<String>,
    },
}

/// One criterion.
#[derive(Debug, Clone, Copy)]
pub struct Gate {
    /// Its name in `[gates]`, which is also that of its source file, and its limits.
    pub syntax: GateSyntax,
    /// The values of `criterion` in `quality` that it is made of, also those that schemes state themselves.
    pub criteria: &'static [&'static str],
    /// What it asks, in one line.
    pub asks: &'static str,
    /// What it measures.
    pub measures: &'static [Measure],
    judge: fn(&Judged<'_>) -> Result<Vec<Quality>, SegmentError>,
}

impl Gate {
    /// Its name in `[gates]`.
    pub fn name(&self) -> &'static str {
        self.syntax.name
    }
}

/// What is measured of a segment or scheme.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// Its `metric` in `quality`.
    pub name: &'static str,
    /// What it is, and of what.
    pub means: &'static str,
    /// The limits it is held against, by their keys.
    pub limits: &'static [&'static str],
}

impl Measure {
    const fn new(name: &'static str, limits: &'static [&'static str], means: &'static str) -> Self {
        Self {
            name,
            means,
            limits,
        }
    }
}

/// Every criterion, by name.
pub static GATES: &[&Gate] = &[
    &actionable::GATE,
    &distinguishable::GATE,
    &identifiable::GATE,
    &stable::GATE,
    &staffed::GATE,
    &substantial::GATE,
];

/// Holds a scheme and its segments against every criterion.
///
/// # Errors
/// A column that is not there.
pub fn judge(judged: &Judged<'_>) -> Result<Vec<Quality>, SegmentError> {
    let mut rows = Vec::new();
    for gate in GATES {
        rows.extend((gate.judge)(judged)?);
    }
    Ok(rows)
}

/// The rows of a scheme that fall short of a criterion for which more is asked than to state it, with what is asked: the most
/// severe first.
pub fn failed<'q>(criteria: &Criteria, rows: &'q [Quality]) -> Vec<(OnFail, &'q Quality)> {
    let of_row = |row: &'q Quality| {
        let mut gates = GATES
            .iter()
            .filter(|gate| gate.criteria.contains(&row.criterion));
        let on_fail = gates.next().map(|gate| criteria.on_fail(gate.name()))?;
        let falls_short = row.status == QualityStatus::Flagged && on_fail > OnFail::Flag;
        falls_short.then_some((on_fail, row))
    };
    let mut found: Vec<(OnFail, &Quality)> = rows.iter().filter_map(of_row).collect();
    found.sort_by_key(|found| std::cmp::Reverse(found.0));
    found
}

/// A judgement on each segment of an assignment, with its place.
fn each<'a>(
    assignment: &'a Assignment,
    of: impl Fn(usize, &'a str) -> Option<Quality> + 'a,
) -> impl Iterator<Item = Quality> + 'a {
    let segments = assignment.segments.iter().enumerate();
    segments.filter_map(move |(place, segment)| of(place, &segment.name))
}

/// The gates with what they measure and their keys, as Markdown.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Criteria\n\nEvery scheme and every segment is held against these criteria ([gates.md](gates.md)). This page is written by \
         `tessera schema --gates` from the descriptions that the parser reads.\n\n| criterion | it is met where | what it asks \
         |\n|---|---|---|\n",
    );
    for gate in GATES {
        let name = gate.name();
        let _ = writeln!(
            text,
            "| [`{name}`](#{name}) | {} | {} |",
            gate.syntax.summary, gate.asks
        );
    }
    for gate in GATES {
        let _ = write!(
            text,
            "\n## {}\n\n{}\n\n| measure (`metric`) | what it is | limits |\n|---|---|---|\n",
            gate.name(),
            gate.syntax.summary
        );
        for measure in gate.measures {
            let limits = measure.limits.iter().map(|key| format!("`{key}`"));
            let limits: Vec<String> = limits.collect();
            let _ = writeln!(
                text,
                "| `{}` | {} | {} |",
                measure.name,
                measure.means,
                limits.join(", ")
            );
        }
        text.push_str("\n| key | meaning |\n|---|---|\n");
        for limit in gate.syntax.limits {
            let _ = writeln!(text, "| `{}` | {} |", limit.key().name, described(*limit));
        }
        text.push_str("| `on_fail` | What happens where a measure falls short: `flag` (default), `hold_previous` or `fail_run` |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_registered_under_its_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/gates");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        files.sort();
        let names: Vec<&str> = GATES.iter().map(|gate| gate.name()).collect();
        assert_eq!(
            names, files,
            "GATES is sorted and holds one criterion per file"
        );
        for gate in GATES {
            assert!(gate.criteria.contains(&gate.name()) && gate.asks.ends_with('.'));
            assert!(gate.syntax.summary.ends_with('.') && !gate.measures.is_empty());
            let keys: Vec<&str> = gate.syntax.limits.iter().map(|l| l.key().name).collect();
            let used: Vec<&str> = gate
                .measures
                .iter()
                .flat_map(|m| m.limits.iter().copied())
                .collect();
            for limit in gate.syntax.limits {
                assert_eq!(limit.gate(), gate.name());
                assert!(used.contains(&limit.key().name), "{}", limit.key().name);
            }
            assert!(used.iter().all(|key| keys.contains(key)), "{used:?}");
        }
    }

    #[test]
    fn the_page_is_that_of_the_program() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/criteria.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == markdown(),
            "docs/criteria.md is not what the program would write; regenerate it:\n\n    \
             cargo run --release -p tessera-cli -- schema --gates > docs/criteria.md\n"
        );
    }

    #[test]
    fn what_fails_a_run_comes_before_what_holds_and_flags_are_left_out() {
        let mut criteria = Criteria::default();
        criteria.set_on_fail(stable::GATE.name(), OnFail::HoldPrevious);
        criteria.set_on_fail(distinguishable::GATE.name(), OnFail::FailRun);
        let row = |criterion, flagged: bool| {
            Quality::judged(
                "",
                criterion,
                "m",
                (1.0, crate::Threshold::at_least(0.0)),
                flagged.then(String::new),
            )
        };
        let rows = [
            row("stable", true),
            row("clustered", true),
            row("substantial", true),
            row("distinguishable", false),
            row("rule decides", true),
        ];
        let found: Vec<(OnFail, &str)> = failed(&criteria, &rows)
            .into_iter()
            .map(|(on_fail, row)| (on_fail, row.criterion))
            .collect();
        let wanted = [
            (OnFail::FailRun, "clustered"),
            (OnFail::HoldPrevious, "stable"),
        ];
        assert_eq!(found, wanted);
    }
}
