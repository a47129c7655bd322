//! Is everything in the store what was committed?

use std::collections::BTreeMap;

use crate::commit::sha256;
use crate::error::StoreError;
use crate::store::Store;

/// What `verify` found.
#[derive(Debug, Default)]
pub struct VerifyReport {
    /// Versions that were checked.
    pub versions: u64,
    /// Files that were checked.
    pub files: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// What is wrong, by version.
    pub problems: BTreeMap<u64, Vec<String>>,
    /// Hints that are not what the commits say, as an interrupted run leaves them. Nothing is lost: the next run completes
    /// them, and so does [`Store::repair`].
    pub stale_hints: Vec<&'static str>,
}

impl Store {
    /// Checks one version, or all with the chain of commits and the hints.
    ///
    /// # Errors
    /// Only where the store cannot be read at all, or lacks that one version; what is damaged is in the report.
    pub fn verify(&self, only: Option<u64>) -> Result<VerifyReport, StoreError> {
        let mut report = VerifyReport::default();
        if let Some(number) = only {
            self.verify_commit(&mut report, self.version(number)?.number(), None, true)?;
            return Ok(report);
        }
        let expired = self.expired()?;
        let mut next = 1;
        let mut parent = Some(String::new());
        for number in self.numbers()? {
            if number != next {
                report.note(
                    number,
                    format!("version {number} stands where {next} belongs: commits are missing"),
                );
                parent = None;
            }
            next = number + 1;
            let data = !expired.contains(&number);
            parent = Some(self.verify_commit(&mut report, number, parent.as_deref(), data)?);
        }
        if report.is_sound() {
            report.stale_hints = self.stale_hints()?;
        }
        Ok(report)
    }

    /// Checks a commit, its place in the chain, and its files unless they may be gone; returns its sha256.
    fn verify_commit(
        &self,
        report: &mut VerifyReport,
        number: u64,
        parent: Option<&str>,
        data: bool,
    ) -> Result<String, StoreError> {
        report.versions += 1;
        let bytes = self.commit_bytes(number)?;
        let own = sha256(&bytes);
        let commit = match self.parse(number, &bytes) {
            Ok(commit) => commit,
            Err(error) => {
                report.note(number, error.to_string());
                return Ok(own);
            }
        };
        if parent.is_some_and(|parent| parent != commit.parent_sha256) {
            report.note(number, "its parent is not the commit before it".to_owned());
        }
        if !data {
            return Ok(own);
        }
        let version = self.version_from(commit);
        for file in version.tables().iter().flat_map(|table| &table.files) {
            report.files += 1;
            report.bytes += file.bytes;
            if let Err(error) = version.verify_file(file) {
                report.note(number, error.to_string());
            }
        }
        Ok(own)
    }
}

impl VerifyReport {
    fn note(&mut self, version: u64, problem: String) {
        self.problems.entry(version).or_default().push(problem);
    }

    /// Whether everything is as committed.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}
