//! `tessera gc`

use std::process::ExitCode;

use chrono::SecondsFormat;
use serde_json::{Value, json};
use tessera_snapshot::{Collected, Judged, Leftovers, Policy, Reason, Retention, State, Store};
use tessera_spec::shown::grouped;

use crate::arguments::{Gc, Output};
use crate::output::{Failure, print, print_json, say, say_warning};

/// Lets old versions expire and removes the files of those that did, or shows what that would do.
pub(crate) fn run(arguments: &Gc, output: &Output) -> Result<ExitCode, Failure> {
    let store = Store::open_with(&arguments.store, arguments.access.options())?;
    let policy = Policy {
        retention: Retention {
            last: arguments.keep_last,
            days: arguments.keep_days,
            months: arguments.keep_monthly,
        },
        grace: arguments.grace,
        force: arguments.force,
    };
    let done = store.gc(&policy, arguments.apply)?;
    let leftovers = match arguments.apply {
        true => store.remove_leftovers()?,
        false => Leftovers::default(),
    };
    for folder in &done.left {
        say_warning(&format!(
            "warning: {} holds files that no commit names, so it stays; look at them, and remove it",
            folder.display()
        ));
    }
    if output.json {
        print_json(&result(&done, leftovers, arguments))?;
    } else {
        print(&text(&done, arguments))?;
        if leftovers.files > 0 {
            say(&format!(
                "removed {} files ({} bytes) of runs that were killed",
                leftovers.files,
                grouped(leftovers.bytes)
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn result(done: &Collected, leftovers: Leftovers, arguments: &Gc) -> Value {
    let versions: Vec<Value> = done.versions.iter().map(one).collect();
    json!({
        "applied": arguments.apply, "versions": versions, "gone": done.gone,
        "expired": expiring(done), "needs_force": done.needs_force() && !arguments.force,
        "removed": {
            "versions": done.removed_versions, "files": done.removed.files, "bytes": done.removed.bytes,
        },
        "left": done.left, "leftovers": {"files": leftovers.files, "bytes": leftovers.bytes},
    })
}

/// The versions that expire now.
fn expiring(done: &Collected) -> Vec<u64> {
    let expires = |judged: &&Judged| matches!(judged.state, State::Expires { .. });
    let expiring = done.versions.iter().filter(expires);
    expiring.map(|judged| judged.version).collect()
}

fn one(judged: &Judged) -> Value {
    let mut value = json!({
        "version": judged.version, "as_of": judged.as_of.to_string(), "bytes": judged.bytes,
    });
    let (state, key, why) = match &judged.state {
        State::Stays(reasons) => {
            let reasons: Vec<String> = reasons.iter().map(Reason::to_string).collect();
            ("stays", "reasons", json!(reasons))
        }
        State::Expires { superseded_by } => ("expires", "superseded_by", json!(superseded_by)),
        State::Waits { until } => {
            let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
            ("waits", "until", json!(until))
        }
        State::Leaves => ("leaves", "reasons", Value::Null),
        State::HeldBack(why) => ("held back", "reasons", json!([why])),
    };
    value["state"] = json!(state);
    if !why.is_null() {
        value[key] = why;
    }
    value
}

/// The versions with what becomes of them, and what is freed.
fn text(done: &Collected, arguments: &Gc) -> String {
    let mut text = format!(
        "{:>8}  {:<10}  {:>14}  {}\n",
        "version", "as of", "bytes", "what becomes of it"
    );
    for judged in &done.versions {
        text.push_str(&format!(
            "{:>8}  {:<10}  {:>14}  {}\n",
            judged.version,
            judged.as_of,
            judged.bytes,
            becomes(&judged.state)
        ));
    }
    if done.gone > 0 {
        text.push_str(&format!(
            "{} expired versions are gone already\n",
            done.gone
        ));
    }
    let (expires, live) = done.expiring();
    let (removed, bytes) = (done.removed_versions.len(), grouped(done.removed.bytes));
    let files = done.removed.files;
    text.push_str(&match arguments.apply {
        true => format!(
            "{expires} versions expired, {} stay; the files of {removed} versions are removed: {files} files, {bytes} bytes\n",
            live - expires
        ),
        false => format!(
            "--apply: {expires} versions expire, {} stay; the files of {removed} versions are removed: {files} files, {bytes} bytes\n",
            live - expires
        ),
    });
    if expires > 0 && !arguments.grace.is_zero() {
        text.push_str(&format!(
            "the files of versions that expire now are removed by a `tessera gc --apply` in {} minutes or later\n",
            arguments.grace.as_secs().div_ceil(60)
        ));
    }
    if done.needs_force() && !arguments.force {
        text.push_str("more than half of the versions would expire, which takes --force\n");
    }
    text
}

fn becomes(state: &State) -> String {
    match state {
        State::Stays(reasons) => {
            let reasons: Vec<String> = reasons.iter().map(Reason::to_string).collect();
            format!("stays: {}", reasons.join(", "))
        }
        State::Expires {
            superseded_by: Some(by),
        } => format!("expires: superseded by version {by}"),
        State::Expires {
            superseded_by: None,
        } => "expires: older than what is kept".to_owned(),
        State::Waits { until } => format!(
            "expired; its files are removed from {} on",
            until.to_rfc3339_opts(SecondsFormat::Secs, true)
        ),
        State::Leaves => "expired; its files are removed".to_owned(),
        State::HeldBack(why) => format!("expired, but its files stay: {why}"),
    }
}
