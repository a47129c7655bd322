//! What was learned from data, held once: files in `artifacts/`, each named by the sha256 of its content, which the commits of
//! the version that learned it and of all that apply it name.

use std::collections::BTreeSet;
use std::io;

use serde_json::Value;

use crate::commit::{Commit, CommittedArtifact, sha256};
use crate::error::StoreError;
use crate::inputs;
use crate::store::Store;
use crate::version::Version;

/// The folder of the artifacts.
pub(crate) const FOLDER: &str = "artifacts";

/// An artifact of a version that is about to be published.
#[derive(Debug, Clone)]
pub struct NewArtifact {
    /// What the commit says of it.
    pub committed: CommittedArtifact,
    /// Its content, where this version fitted it.
    pub content: Option<Vec<u8>>,
}

/// The id of an artifact with this content.
pub fn artifact_id(content: &[u8]) -> String {
    sha256(content)
}

impl Store {
    /// Writes artifacts that are not there; they are durable when this returns.
    pub(crate) fn keep_artifacts(&self, artifacts: &[NewArtifact]) -> Result<(), StoreError> {
        let contents = || {
            artifacts
                .iter()
                .filter_map(|new| Some((&new.committed.id, new.content.as_ref()?)))
        };
        if contents().next().is_none() {
            return Ok(());
        }
        let folder = self.root.enter_or_make(FOLDER)?;
        for (id, content) in contents() {
            self.keep_named(&folder, &file_name(id), content)?;
        }
        for folder in [&folder, self.root.as_ref()] {
            folder
                .sync()
                .map_err(|error| StoreError::io("fsync folder", folder.path(), error))?;
        }
        Ok(())
    }

    /// Whether what a run kept before it took the lock is still there: lists of its inputs, and artifacts that it fitted. Garbage
    /// collection may have removed files of the same content that only expired versions had named until then.
    pub(crate) fn has_kept(&self, committed_inputs: &Value, artifacts: &[NewArtifact]) -> bool {
        let lists = inputs::lists(committed_inputs);
        let fitted = artifacts.iter().filter(|new| new.content.is_some());
        let fitted: Vec<String> = fitted.map(|new| new.committed.id.clone()).collect();
        [(inputs::FOLDER, lists), (FOLDER, fitted)]
            .into_iter()
            .filter(|(_, ids)| !ids.is_empty())
            .all(|(folder, ids)| {
                let folder = self.root.enter(folder);
                let is_there = |id: &String| {
                    let folder = folder.as_ref().ok();
                    folder.is_some_and(|folder| folder.size(&file_name(id)).is_ok())
                };
                ids.iter().all(is_there)
            })
    }

    /// The content of an artifact.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn artifact(&self, id: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.root.join(FOLDER).join(file_name(id));
        let plain = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !plain {
            return Err(StoreError::damaged(&path, "its name is no sha256"));
        }
        let missing = || StoreError::io("open artifact", &path, io::ErrorKind::NotFound);
        if !self.root.list()?.iter().any(|name| name == FOLDER) {
            return Err(missing());
        }
        let folder = self.root.enter(FOLDER)?;
        let bytes = folder.read(&file_name(id))?.ok_or_else(missing)?;
        if sha256(&bytes) != id {
            let reason = "its content is not what its name says";
            return Err(StoreError::damaged(&path, reason));
        }
        Ok(bytes)
    }

    /// The artifacts of a version that cannot be read, with the errors.
    pub fn unread_artifacts<'v>(
        &self,
        version: &'v Version,
    ) -> Vec<(&'v CommittedArtifact, StoreError)> {
        let artifacts = version.commit().artifacts.iter();
        artifacts
            .filter_map(|artifact| Some((artifact, self.artifact(&artifact.id).err()?)))
            .collect()
    }

    /// What is wrong with the artifacts of a commit, and which those are. `checked` holds those that were found right.
    pub(crate) fn verify_artifacts<'c>(
        &self,
        commit: &'c Commit,
        checked: &mut BTreeSet<String>,
    ) -> Vec<(&'c CommittedArtifact, String)> {
        let mut problems = Vec::new();
        for artifact in &commit.artifacts {
            if checked.contains(&artifact.id) {
                continue;
            }
            match self.artifact(&artifact.id) {
                Ok(_) => {
                    checked.insert(artifact.id.clone());
                }
                Err(error) => {
                    let problem = format!("artifact of {}: {error}", artifact.of);
                    problems.push((artifact, problem));
                }
            }
        }
        problems
    }
}

fn file_name(id: &str) -> String {
    format!("{id}.json")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_artifact_comes_back_and_damage_is_named_and_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(folder.path()).unwrap();
        let content = b"{\"learned\": 1}".to_vec();
        let id = artifact_id(&content);
        assert!(store.artifact(&id).is_err(), "nothing is there yet");
        let day = "2026-10-31".parse().unwrap();
        let new = NewArtifact {
            committed: CommittedArtifact {
                of: "scores.churn".to_owned(),
                id: id.clone(),
                fitted_on: day,
                version: 0,
                tried_on: day,
                basis: BTreeMap::new(),
            },
            content: Some(content.clone()),
        };
        store.keep_artifacts(std::slice::from_ref(&new)).unwrap();
        assert_eq!(store.artifact(&id).unwrap(), content);
        let commit: Commit = serde_json::from_value(json!({
            "format": 1, "version": 1, "parent": 0, "parent_sha256": "", "txid": "", "idempotency_key": "",
            "as_of": "2026-01-01", "pipeline": null, "counts": null, "tables": [], "artifacts": [new.committed],
            "started_at": "", "finished_at": "", "body_sha256": "",
        }))
        .unwrap();
        assert!(
            store
                .verify_artifacts(&commit, &mut BTreeSet::new())
                .is_empty()
        );
        std::fs::write(folder.path().join(format!("artifacts/{id}.json")), "{}").unwrap();
        let problems = store.verify_artifacts(&commit, &mut BTreeSet::new());
        assert!(problems[0].1.contains("scores.churn"), "{problems:?}");
        store.keep_artifacts(&[new]).unwrap();
        assert_eq!(store.artifact(&id).unwrap(), content);
    }
}
