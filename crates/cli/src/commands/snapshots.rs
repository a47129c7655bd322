//! `tessera snapshots`

use std::process::ExitCode;

use serde_json::{Value, json};
use tessera_snapshot::{Listed, Store};

use crate::arguments::{Output, Snapshots};
use crate::output::{Failure, print, print_json};

/// How many versions people are shown unless they ask for all.
const SHOWN: usize = 30;

/// Lists the versions of a store, oldest first.
pub(crate) fn list(arguments: &Snapshots, output: &Output) -> Result<ExitCode, Failure> {
    let store = Store::open(&arguments.store)?;
    let latest = store.latest()?.map(|version| version.number());
    let versions = store.list()?;
    if output.json {
        let list: Vec<Value> = versions
            .iter()
            .map(|v| {
                json!({
                    "version": v.version, "as_of": v.as_of.to_string(), "latest": latest == Some(v.version),
                    "customers": v.rows("customers"), "bytes": v.bytes(), "folder": v.folder,
                    "committed": v.finished_at, "program": &*v.program,
                    "superseded_by": v.standing.superseded_by, "outdated": v.standing.outdated,
                    "damaged_replaced_by": v.standing.damaged_replaced_by,
                })
            })
            .collect();
        print_json(&list.into())?;
    } else {
        let newest = match arguments.all {
            true => 0,
            false => versions.len().saturating_sub(SHOWN),
        };
        print(&text(&versions, newest, latest))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The versions from a place in the list on, the latest one wherever it is, and how many more there are.
fn text(versions: &[Listed], newest: usize, latest: Option<u64>) -> String {
    let mut text = format!(
        "{:>8}  {:<10}  {:>12}  {:>14}  {}\n",
        "version", "as of", "customers", "bytes", "committed"
    );
    let mut more = 0;
    for (place, version) in versions.iter().enumerate() {
        let is_latest = latest == Some(version.version);
        if place < newest && !is_latest {
            more += 1;
            continue;
        }
        text.push_str(&line(version, is_latest));
    }
    match more {
        0 => {}
        1 => text.push_str("1 older version is not shown: --all lists it\n"),
        _ => text.push_str(&format!(
            "{more} older versions are not shown: --all lists them\n"
        )),
    }
    text
}

/// A version as people are shown it.
fn line(version: &Listed, is_latest: bool) -> String {
    let standing = version.standing;
    let mut mark = String::new();
    if is_latest {
        mark.push_str("  <- latest");
    }
    if let Some(by) = standing.damaged_replaced_by {
        mark.push_str(&format!("  damaged: replaced by version {by}"));
    } else if let Some(by) = standing.superseded_by {
        mark.push_str(&format!("  superseded by version {by}"));
    } else if standing.outdated {
        mark.push_str("  outdated: the version before it changed");
    }
    format!(
        "{:>8}  {:<10}  {:>12}  {:>14}  {}{mark}\n",
        version.version,
        version.as_of,
        version.rows("customers"),
        version.bytes(),
        version.finished_at
    )
}
