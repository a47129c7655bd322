//! `tessera snapshots`

use std::process::ExitCode;

use serde_json::{Value, json};
use tessera_snapshot::Store;

use crate::arguments::{Output, StoreOnly};
use crate::output::{Failure, print, print_json};

/// Lists the versions of a store, oldest first.
pub(crate) fn list(arguments: &StoreOnly, output: &Output) -> Result<ExitCode, Failure> {
    let store = Store::open(&arguments.store)?;
    let latest = store.latest()?.map(|version| version.number());
    let versions = store.list()?;
    let standings = store.standings()?;
    let standing = |number: u64| standings.get(&number).copied().unwrap_or_default();
    if output.json {
        let list: Vec<Value> = versions
            .iter()
            .map(|v| {
                json!({
                    "version": v.version, "as_of": v.as_of.to_string(), "latest": latest == Some(v.version),
                    "customers": v.rows("customers"), "bytes": v.bytes(), "folder": v.folder,
                    "committed": v.finished_at, "program": v.program,
                    "superseded_by": standing(v.version).superseded_by, "outdated": standing(v.version).outdated,
                    "damaged_replaced_by": standing(v.version).damaged_replaced_by,
                })
            })
            .collect();
        print_json(&list.into())?;
    } else {
        let mut text = format!(
            "{:>8}  {:<10}  {:>12}  {:>14}  {}\n",
            "version", "as of", "customers", "bytes", "committed"
        );
        for version in &versions {
            let standing = standing(version.version);
            let mut mark = String::new();
            if latest == Some(version.version) {
                mark.push_str("  <- latest");
            }
            if let Some(by) = standing.damaged_replaced_by {
                mark.push_str(&format!("  damaged: replaced by version {by}"));
            } else if let Some(by) = standing.superseded_by {
                mark.push_str(&format!("  superseded by version {by}"));
            } else if standing.outdated {
                mark.push_str("  outdated: the version before it changed");
            }
            text.push_str(&format!(
                "{:>8}  {:<10}  {:>12}  {:>14}  {}{mark}\n",
                version.version,
                version.as_of,
                version.rows("customers"),
                version.bytes(),
                version.finished_at
            ));
        }
        print(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}
