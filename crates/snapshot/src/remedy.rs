//! What makes a file of a version again that is missing or damaged, in one sentence: the run of a day, since the same run makes the
//! same bytes.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::commit::Commit;
use crate::error::StoreError;
use crate::listed::Standing;
use crate::store::Store;
use crate::{artifacts, inputs};

/// What heals a damaged version, by how later commits affect it.
pub(crate) fn of_version(
    store: &Store,
    (version, day): (u64, NaiveDate),
    standing: Standing,
) -> String {
    if let Some(by) = standing.damaged_replaced_by {
        return format!("version {by} replaced version {version}");
    }
    if let Some(by) = standing.superseded_by {
        return format!(
            "version {by} superseded version {version} of {day}, which no run publishes again: restore its files from a backup"
        );
    }
    // Where a commit is lost or damaged, what comes before the day is not known.
    let is_known = store.lost().is_ok_and(|lost| lost.is_empty()) && store.digests().is_ok();
    if standing.outdated && is_known {
        return format!(
            "another version comes before {day} by now, so that `tessera run --as-of {day}` publishes a new version of that day, with the \
             same pipeline file; version {version} itself no run publishes again: restore its files from a backup"
        );
    }
    let known = store.pipeline_of(version).ok();
    let known = known.and_then(|pipeline| pipeline["known_as_of"].as_str().map(str::to_owned));
    let known = known.filter(|known| *known != day.to_string());
    let options = known.map_or_else(String::new, |known| format!(" --known-as-of {known}"));
    format!(
        "`tessera run --as-of {day}{options} --replace-damaged` publishes version {version} of {day} again, with the same pipeline file, \
         options, program and lake"
    )
}

/// What writes an artifact again that was fitted on this day.
pub(crate) fn of_artifact(of: &str, fitted_on: NaiveDate) -> String {
    format!(
        "`tessera run --as-of {fitted_on}` fits the artifact of {of} again, with the same pipeline file, program and lake"
    )
}

/// What writes the lists of the inputs of a version again.
pub(crate) fn of_inputs(version: u64, day: NaiveDate) -> String {
    format!(
        "`tessera run --as-of {day}` writes the lists of the inputs of version {version} again, with the same pipeline file, program and lake"
    )
}

/// What would heal a file of a version that is missing or damaged; `None` for other errors.
pub fn remedy(error: &StoreError) -> Option<String> {
    let (StoreError::Damaged { path, .. } | StoreError::Io { path, .. }) = error else {
        return None;
    };
    if !error.is_damage() {
        return None;
    }
    let name = |path: &Path| path.file_name()?.to_str().map(str::to_owned);
    let is_run = |path: &&Path| name(path).is_some_and(|name| name.starts_with("run="));
    if let Some(run) = path.ancestors().skip(1).find(is_run) {
        let txid = name(run)?.split_off("run=".len());
        return of_run(&open(run.ancestors().nth(3)?)?, &txid);
    }
    let folder = name(path.parent()?)?;
    let id = path.file_stem()?.to_str()?;
    let store = open(path.ancestors().nth(2)?)?;
    let named = naming(&store, id)?;
    match folder.as_str() {
        artifacts::FOLDER => {
            let found = named.artifacts.iter().find(|artifact| artifact.id == id)?;
            Some(of_artifact(&found.of, found.fitted_on))
        }
        inputs::FOLDER => Some(of_inputs(named.version, named.as_of)),
        _ => None,
    }
}

fn open(root: &Path) -> Option<Store> {
    let root = match root.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => root.to_owned(),
    };
    Store::open(&root).ok()
}

/// What heals the version that a run committed.
fn of_run(store: &Store, txid: &str) -> Option<String> {
    let version = store.committed_by(txid).ok()??;
    let listed = store.list().ok()?;
    let found = listed.iter().find(|known| known.version == version)?;
    let of = (version, found.as_of);
    Some(of_version(store, of, found.standing))
}

/// The newest commit that names a kept file by the sha256 of its content.
fn naming(store: &Store, id: &str) -> Option<Commit> {
    if id.len() != 64 {
        return None;
    }
    store.numbers().ok()?.into_iter().rev().find_map(|number| {
        let bytes = store.commit_bytes(number).ok()?;
        let holds = bytes.windows(id.len()).any(|part| part == id.as_bytes());
        holds.then(|| store.parse(number, &bytes).ok()).flatten()
    })
}
