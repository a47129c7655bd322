//! The input files of versions, stored once: lists in `inputs/`, each named by the sha256 of its content, which many commits
//! can refer to.
//!
//! A source's files are split into lists at positions that depend on the files themselves (content-defined chunking), so that a
//! file that is added, changed or removed changes one or two lists and leaves the others as they are.

use std::collections::BTreeSet;
use std::io;

use serde_json::{Value, json};

use crate::commit::{Commit, sha256};
use crate::error::StoreError;
use crate::folder::Folder;
use crate::store::Store;
use crate::txid;

/// The folder of the lists.
pub(crate) const FOLDER: &str = "inputs";

/// A source with fewer files keeps them in the commit.
const FEW: usize = 64;

/// Average number of files of a list.
const TYPICAL: u32 = 256;

/// Largest number of files of a list.
const MOST: usize = 2_048;

impl Store {
    /// The inputs as they are committed: the files of large sources are written to lists, which are durable when this returns.
    pub(crate) fn keep_inputs(&self, inputs: &Value) -> Result<Value, StoreError> {
        let Some(sources) = inputs.as_array() else {
            return Ok(inputs.clone());
        };
        let mut folder = None;
        let mut kept = Vec::new();
        for source in sources {
            match source["files"].as_array() {
                Some(files) if files.len() >= FEW => {
                    let folder = match &folder {
                        Some(folder) => folder,
                        None => folder.insert(self.root.enter_or_make(FOLDER)?),
                    };
                    kept.push(self.keep_source(folder, source, files)?);
                }
                _ => kept.push(source.clone()),
            }
        }
        if let Some(folder) = folder {
            for folder in [&folder, self.root.as_ref()] {
                folder
                    .sync()
                    .map_err(|error| StoreError::io("fsync folder", folder.path(), error))?;
            }
        }
        Ok(kept.into())
    }

    fn keep_source(
        &self,
        folder: &Folder,
        source: &Value,
        files: &[Value],
    ) -> Result<Value, StoreError> {
        let mut lists = Vec::new();
        for list in cut(files) {
            let bytes = list.into_bytes();
            let name = sha256(&bytes);
            self.keep_named(folder, &file_name(&name), &bytes)?;
            lists.push(name);
        }
        let mut kept = source.clone();
        if let Some(fields) = kept.as_object_mut() {
            fields.insert("files".to_owned(), json!(files.len()));
            fields.insert("lists".to_owned(), json!(lists));
        }
        Ok(kept)
    }

    /// Writes a file that is missing or damaged. Its name follows from its content, so it does not matter which run writes it
    /// first.
    pub(crate) fn keep_named(
        &self,
        folder: &Folder,
        name: &str,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        if folder.read(name)?.as_deref() == Some(bytes) {
            return Ok(());
        }
        let draft = format!("{name}-{}", txid::new());
        let placed = self.tmp.write_new(&draft, bytes).and_then(|()| {
            self.tmp
                .rename_over(&draft, folder, name)
                .map_err(|error| StoreError::io("rename kept file", &folder.join(name), error))
        });
        if placed.is_err() {
            self.tmp.remove(&draft);
        }
        placed
    }

    /// The inputs of a version: per source its files with size and fingerprint.
    ///
    /// # Errors
    /// A list is missing or damaged.
    pub fn inputs(&self, commit: &Commit) -> Result<Value, StoreError> {
        let Some(sources) = commit.inputs.as_array() else {
            return Ok(commit.inputs.clone());
        };
        let mut whole = Vec::new();
        for source in sources {
            let mut source = source.clone();
            let lists = source["lists"].take();
            if let Some(fields) = source.as_object_mut().filter(|_| lists.is_array()) {
                let mut files = Vec::new();
                for name in names(&lists) {
                    files.extend(self.list_of_inputs(&name)?);
                }
                fields.remove("lists");
                fields.insert("files".to_owned(), files.into());
            }
            if let Some(fields) = source.as_object_mut() {
                fields.retain(|name, value| name != "lists" || !value.is_null());
            }
            whole.push(source);
        }
        Ok(whole.into())
    }

    /// Writes the lists of the inputs of a version again that are missing or damaged, where these are its inputs; returns what was
    /// wrong with them.
    ///
    /// # Errors
    /// A list cannot be read or written, or is of other inputs.
    pub fn restore_inputs(
        &self,
        commit: &Commit,
        inputs: &Value,
    ) -> Result<Option<StoreError>, StoreError> {
        let error = match self.inputs(commit) {
            Ok(_) => return Ok(None),
            Err(error) => error,
        };
        if error.is_damage() && self.keep_inputs(inputs)? == commit.inputs {
            return self.inputs(commit).map(|_| Some(error));
        }
        Err(error)
    }

    fn list_of_inputs(&self, name: &str) -> Result<Vec<Value>, StoreError> {
        let path = self.root.join(FOLDER).join(file_name(name));
        let missing = || StoreError::io("open list of inputs", &path, io::ErrorKind::NotFound);
        if !self.root.list()?.iter().any(|name| name == FOLDER) {
            return Err(missing());
        }
        let folder = self.root.enter(FOLDER)?;
        let bytes = folder.read(&file_name(name))?.ok_or_else(missing)?;
        if sha256(&bytes) != name {
            return Err(StoreError::damaged(
                &path,
                "its content does not match its name",
            ));
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| StoreError::damaged(&path, error.to_string()))
    }

    /// Problems with the lists of a commit. `checked` holds lists that were found to be right.
    pub(crate) fn verify_inputs(
        &self,
        commit: &Commit,
        checked: &mut BTreeSet<String>,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        for name in lists(&commit.inputs) {
            if checked.contains(&name) {
                continue;
            }
            match self.list_of_inputs(&name) {
                Ok(_) => {
                    checked.insert(name);
                }
                Err(error) => problems.push(error.to_string()),
            }
        }
        problems
    }
}

/// Names of all lists of the inputs that a commit states.
pub(crate) fn lists(committed: &Value) -> Vec<String> {
    let sources = committed.as_array().into_iter().flatten();
    sources.flat_map(|source| names(&source["lists"])).collect()
}

/// Names of lists; only those that are a sha256, since they become paths.
fn names(lists: &Value) -> Vec<String> {
    let names = lists.as_array().into_iter().flatten();
    names
        .filter_map(Value::as_str)
        .filter(|name| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(str::to_owned)
        .collect()
}

fn file_name(name: &str) -> String {
    format!("{name}.json")
}

/// The texts of the lists: JSON, one file per line. A list ends with a file whose hash is divisible by [`TYPICAL`].
fn cut(files: &[Value]) -> Vec<String> {
    let mut lists = Vec::new();
    let mut open = String::new();
    let mut count = 0;
    for file in files {
        let line = file.to_string();
        let ends = u32::from_str_radix(&sha256(line.as_bytes())[..8], 16)
            .is_ok_and(|hash| hash % TYPICAL == 0);
        open.push_str(if count == 0 { "[\n" } else { ",\n" });
        open.push_str(&line);
        count += 1;
        if ends || count == MOST {
            lists.push(std::mem::take(&mut open) + "\n]\n");
            count = 0;
        }
    }
    if count > 0 {
        lists.push(open + "\n]\n");
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(count: usize) -> Vec<Value> {
        let file = |number: usize| json!({"path": format!("day={number:05}/part.parquet"), "bytes": number, "fingerprint": sha256(number.to_string().as_bytes())});
        (0..count).map(file).collect()
    }

    #[test]
    fn a_file_more_or_less_changes_one_or_two_lists() {
        let before: BTreeSet<String> = cut(&files(20_000)).into_iter().collect();
        assert!((40..160).contains(&before.len()), "{}", before.len());
        let new = |files: &[Value]| {
            let after: BTreeSet<String> = cut(files).into_iter().collect();
            after.difference(&before).count()
        };
        assert!(new(&files(20_010)) <= 2, "files at the end");
        let mut changed = files(20_000);
        changed.remove(7_000);
        assert!(new(&changed) <= 2, "a file in the middle");
        for list in &before {
            let read: Vec<Value> = serde_json::from_str(list).unwrap();
            assert!(!read.is_empty());
        }
    }

    #[test]
    fn inputs_come_back_whole_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(folder.path()).unwrap();
        let inputs = json!([
            {"source": "few", "files": files(3)},
            {"source": "many", "files": files(1_000)},
        ]);
        let kept = store.keep_inputs(&inputs).unwrap();
        assert_eq!(kept[0], inputs[0]);
        assert_eq!(kept[1]["files"], 1_000);
        assert_eq!(store.keep_inputs(&inputs).unwrap(), kept);
        let commit: Commit = serde_json::from_value(json!({
            "format": 1, "version": 1, "parent": 0, "parent_sha256": "", "txid": "", "idempotency_key": "",
            "as_of": "2026-01-01", "pipeline": null, "inputs": kept, "counts": null, "tables": [],
            "started_at": "", "finished_at": "", "body_sha256": "",
        }))
        .unwrap();
        assert_eq!(store.inputs(&commit).unwrap(), inputs);
        let name = kept[1]["lists"][0].as_str().unwrap();
        let path = folder.path().join(format!("inputs/{name}.json"));
        std::fs::write(&path, "[]").unwrap();
        let problems = store.verify_inputs(&commit, &mut BTreeSet::new());
        assert!(problems[0].contains(name), "{problems:?}");
        store.keep_inputs(&inputs).unwrap();
        assert_eq!(
            store.inputs(&commit).unwrap(),
            inputs,
            "the next run writes it again"
        );
        // The same run writes them again although it publishes nothing; one of other inputs does not say that it did.
        assert!(store.restore_inputs(&commit, &inputs).unwrap().is_none());
        std::fs::remove_dir_all(folder.path().join("inputs")).unwrap();
        assert!(store.restore_inputs(&commit, &json!([])).is_err());
        assert!(store.restore_inputs(&commit, &inputs).unwrap().is_some());
        assert_eq!(store.inputs(&commit).unwrap(), inputs);
    }
}
