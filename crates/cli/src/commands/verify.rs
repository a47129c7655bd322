//! `tessera verify` and `tessera repair`

use std::process::ExitCode;

use serde_json::json;
use tessera_snapshot::{Depth, Leftovers, Store};
use tessera_spec::shown::grouped;

use crate::arguments::{Output, Repair, Verify};
use crate::output::{Failure, print, print_json, say};

/// Checks a store; the exit code is 4 if something does not match its commit.
pub(crate) fn run(arguments: &Verify, output: &Output) -> Result<ExitCode, Failure> {
    let store = Store::open(&arguments.store)?;
    let depth = match (arguments.deep, arguments.quick) {
        (true, _) => Depth::Pages,
        (_, true) => Depth::Quick,
        _ => Depth::Content,
    };
    let report = store.verify_to(arguments.version, depth)?;
    let leftovers = match report.is_sound() {
        true => store.leftovers()?,
        // Whose files these are is not known where a commit is damaged.
        false => store.leftovers().unwrap_or_default(),
    };
    if output.json {
        let problems: Vec<_> = report
            .problems
            .iter()
            .map(|(version, found)| json!({"version": version, "problems": found}))
            .collect();
        print_json(&json!({
            "sound": report.is_sound(), "versions": report.versions, "expired": report.expired, "files": report.files, "bytes": report.bytes, "problems": problems,
            "replaced": report.replaced.iter().map(|(version, found)| {
                json!({"version": version, "by": found.by, "problems": found.problems})
            }).collect::<Vec<_>>(),
            "remedies": report.remedies, "stale_hints": report.stale_hints,
            "leftovers": {"files": leftovers.files, "bytes": leftovers.bytes},
        }))?;
    } else {
        for (version, found) in &report.problems {
            for problem in found {
                say(&format!("error: version {version}: {problem}"));
            }
        }
        for remedy in &report.remedies {
            say(&format!("help: {remedy}"));
        }
        for (version, found) in &report.replaced {
            for problem in &found.problems {
                say(&format!(
                    "note: version {version}: {problem}; version {} replaced it",
                    found.by
                ));
            }
        }
        for hint in &report.stale_hints {
            say(&format!(
                "warning: `{hint}` does not match the commits and the path of the store; the next run or `tessera repair` rewrites it"
            ));
        }
        if leftovers.files > 0 {
            say(&format!(
                "note: {} files ({} bytes) are of no version: of runs that were killed, or that are under way; `tessera repair` removes those that \
                 are older than seven days",
                leftovers.files,
                grouped(leftovers.bytes)
            ));
        }
        let state = if report.is_sound() {
            "sound"
        } else {
            "damaged"
        };
        let expired = match report.expired {
            0 => String::new(),
            expired => format!(" ({expired} expired)"),
        };
        print(&format!(
            "{state}: {} versions{expired}, {} files, {} bytes\n",
            report.versions, report.files, report.bytes
        ))?;
    }
    Ok(if report.is_sound() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(4)
    })
}

/// Completes an interrupted publication, and removes what killed runs left behind.
pub(crate) fn repair(arguments: &Repair, output: &Output) -> Result<ExitCode, Failure> {
    let store = Store::open_with(&arguments.store, arguments.access.options())?;
    // The hints that tell of lost versions are rewritten, so these are named first.
    let lost = store.lost()?;
    store.repair()?;
    let removed = match lost.is_empty() {
        true => store.remove_leftovers()?,
        // A commit may still come back from a backup.
        false => Leftovers::default(),
    };
    let latest = store.latest()?;
    if output.json {
        let latest = latest.map(|version| version.number());
        let removed = json!({"files": removed.files, "bytes": removed.bytes});
        let lost: Vec<String> = lost.iter().map(ToString::to_string).collect();
        print_json(&json!({"latest": latest, "removed": removed, "lost": lost}))?;
    } else {
        for lost in &lost {
            say(&format!("warning: {lost}"));
        }
        if removed.files > 0 {
            say(&format!(
                "removed {} files ({} bytes) of runs that were killed",
                removed.files,
                grouped(removed.bytes)
            ));
        }
        print(&latest.map_or_else(
            || "no version yet\n".to_owned(),
            |version| {
                format!(
                    "latest is version {} of {}\n",
                    version.number(),
                    version.as_of()
                )
            },
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
