//! What a scheme and its segments are held against: five criteria, one file each.
//!
//! Every judgement is a row of `quality`. What happens where one is not met is up to the caller, see [`failed`].

mod actionable;
mod distinguishable;
mod identifiable;
mod stable;
mod substantial;

use std::collections::BTreeSet;

use arrow::array::BooleanArray;
use tessera_spec::pipeline::{Criteria, OnFail, Playbook};

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
    /// Columns that the scheme assigns by, those too that its inputs are computed from, or that are computed from them.
    pub inputs: &'a [&'a str],
    /// Columns in which segments should differ.
    pub kpis: &'a [String],
    /// The column whose sum is a segment's value.
    pub value: Option<&'a str>,
    /// The playbooks of the pipeline.
    pub playbooks: &'a [Playbook],
    /// Per customer, whether they may be contacted; none where the pipeline does not say.
    pub reachable: Option<&'a BooleanArray>,
    /// The segments beside those of the previous version.
    pub since: &'a Since,
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
    },
}

/// One criterion.
#[derive(Debug, Clone, Copy)]
pub struct Gate {
    /// Its name in `[gates]`, and that of its source file.
    pub name: &'static str,
    /// The values of `criterion` in `quality` that it is made of, also those that schemes state themselves.
    pub criteria: &'static [&'static str],
    /// What it asks, in one line.
    pub asks: &'static str,
    /// What happens where it is not met.
    pub on_fail: fn(&Criteria) -> OnFail,
    judge: fn(&Judged<'_>) -> Result<Vec<Quality>, SegmentError>,
}

/// Every criterion, by name.
pub static GATES: &[&Gate] = &[
    &actionable::GATE,
    &distinguishable::GATE,
    &identifiable::GATE,
    &stable::GATE,
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
        let on_fail = gates.next().map(|gate| (gate.on_fail)(criteria))?;
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
        let names: Vec<&str> = GATES.iter().map(|gate| gate.name).collect();
        assert_eq!(
            names, files,
            "GATES is sorted and holds one criterion per file"
        );
        for gate in GATES {
            assert!(gate.criteria.contains(&gate.name) && gate.asks.ends_with('.'));
        }
    }

    #[test]
    fn what_fails_a_run_comes_before_what_holds_and_flags_are_left_out() {
        let mut criteria = Criteria::default();
        criteria.stable.on_fail = OnFail::HoldPrevious;
        criteria.distinguishable.on_fail = OnFail::FailRun;
        let row = |criterion, flagged: bool| {
            Quality::judged("", criterion, "m", (1.0, 0.0), flagged.then(String::new))
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
