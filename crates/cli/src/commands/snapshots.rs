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
    let (versions, older) = match output.json || arguments.all {
        true => (store.list()?, 0),
        false => shown(&store, latest)?,
    };
    if output.json {
        let list: Vec<Value> = versions
            .iter()
            .map(|v| {
                json!({
                    "version": v.version, "as_of": v.as_of.to_string(), "latest": latest == Some(v.version),
                    "customers": v.rows("customers"), "bytes": v.bytes(), "folder": v.folder,
                    "committed": v.finished_at, "program": &*v.program, "expired": v.expired,
                    "superseded_by": v.standing.superseded_by, "outdated": v.standing.outdated,
                    "damaged_replaced_by": v.standing.damaged_replaced_by,
                })
            })
            .collect();
        print_json(&list.into())?;
    } else {
        print(&text(&versions, older, latest))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The newest versions and the latest one, oldest first, and how many more there are.
fn shown(store: &Store, latest: Option<u64>) -> Result<(Vec<Listed>, usize), Failure> {
    let (mut versions, mut older) = store.list_newest(SHOWN)?;
    let is_shown = |number| versions.iter().any(|version| version.version == number);
    if let Some(latest) = latest.filter(|&number| !is_shown(number)) {
        // Days before it were run later.
        let mut all = store.list()?.into_iter();
        if let Some(found) = all.find(|version| version.version == latest) {
            versions.insert(0, found);
            older = older.saturating_sub(1);
        }
    }
    Ok((versions, older))
}

/// The versions, and how many older ones are not among them.
fn text(versions: &[Listed], older: usize, latest: Option<u64>) -> String {
    let mut text = format!(
        "{:>8}  {:<10}  {:>12}  {:>14}  {}\n",
        "version", "as of", "customers", "bytes", "committed"
    );
    for version in versions {
        text.push_str(&line(version, latest == Some(version.version)));
    }
    match older {
        0 => {}
        1 => text.push_str("1 older version is not shown: --all lists it\n"),
        _ => text.push_str(&format!(
            "{older} older versions are not shown: --all lists them\n"
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
    if version.expired {
        mark.push_str("  expired");
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
