//! Sources whose files have much fewer rows than those of the version before: an export that was cut short, or files that are gone.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde_json::Value;
use tessera_ingest::Inventory;
use tessera_spec::shown::grouped;

use super::{SourceOutcome, Weight, percent};

/// Share of the rows of the version before that the files must have.
const FEWEST_KEPT: f64 = 0.9;

/// Files that are named.
const NAMED: usize = 2;

/// Warns where the files of a source have much fewer rows than those that a version was made of.
pub(crate) fn warn(
    (version, as_of, inputs): (u64, NaiveDate, &Value),
    inventories: &[Inventory],
    outcomes: &mut [SourceOutcome],
) {
    for outcome in outcomes {
        let now = inventories.iter().find(|now| now.source == outcome.name);
        let then = rows_by_file(inputs, &outcome.name);
        let all: u64 = then.values().sum();
        let Some(now) = now.filter(|_| all > 0) else {
            continue;
        };
        let rows: u64 = now.files.iter().map(|file| file.rows).sum();
        if rows as f64 >= FEWEST_KEPT * all as f64 {
            continue;
        }
        let there: BTreeSet<&str> = now
            .files
            .iter()
            .map(|file| file.relative.as_str())
            .collect();
        let gone = then.keys().copied();
        let gone: Vec<&str> = gone.filter(|path| !there.contains(path)).collect();
        let files = match gone.len() {
            0 => String::new(),
            n => format!(
                "; {} of its {} files then {} not there any more, such as {}",
                grouped(n as u64),
                grouped(then.len() as u64),
                if n == 1 { "is" } else { "are" },
                gone[..n.min(NAMED)].join(", ")
            ),
        };
        let note = format!(
            "its files have {} rows, {} of the {} that version {version} of {as_of} was made of{files}. If rows are missing by mistake, bring \
             them back and run this day again",
            grouped(rows),
            percent(rows, all),
            grouped(all)
        );
        // The previous version may be read once more.
        if !outcome.notes.contains(&note) {
            outcome.warn(Weight::Missing, note);
        }
    }
}

/// The rows of each file of a source, by its path.
fn rows_by_file<'v>(inputs: &'v Value, source: &str) -> BTreeMap<&'v str, u64> {
    let mut sources = inputs.as_array().into_iter().flatten();
    let found = sources.find(|known| known["source"] == source);
    let files = found.and_then(|found| found["files"].as_array());
    let files = files.into_iter().flatten();
    let of_file = |file: &'v Value| Some((file["path"].as_str()?, file["rows"].as_u64()?));
    files.filter_map(of_file).collect()
}
