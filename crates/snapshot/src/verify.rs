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
    /// What is wrong, by version; 0 stands for the store as a whole.
    pub problems: BTreeMap<u64, Vec<String>>,
}

impl Store {
    /// Checks one version, or all with the chain of commits and the hints.
    ///
    /// # Errors
    /// Only where the store cannot be read at all; what is damaged is in the report.
    pub fn verify(&self, only: Option<u64>) -> Result<VerifyReport, StoreError> {
        let mut report = VerifyReport::default();
        let numbers = match only {
            Some(number) => vec![self.version(number)?.number()],
            None => self.numbers()?,
        };
        let mut parent_sha256 = String::new();
        for (place, &number) in numbers.iter().enumerate() {
            report.versions += 1;
            if only.is_none() && number != place as u64 + 1 {
                report.note(number, format!("versions are not contiguous: {number} follows {place}"));
            }
            let (commit, bytes) = match self.commit(number) {
                Ok(found) => found,
                Err(error) => {
                    report.note(number, error.to_string());
                    continue;
                }
            };
            if only.is_none() && commit.parent_sha256 != parent_sha256 {
                report.note(number, "its parent is not the commit before it".to_owned());
            }
            parent_sha256 = sha256(&bytes);
            let version = self.version_from(commit);
            for file in version.commit().tables.iter().flat_map(|table| &table.files) {
                report.files += 1;
                report.bytes += file.bytes;
                if let Err(error) = crate::version::verify_file(&version.folder().join(&file.path), file) {
                    report.note(number, error.to_string());
                }
            }
        }
        if only.is_none() && self.latest()?.map(|version| version.number()) != numbers.last().copied() {
            report.note(0, "LATEST does not name the highest version; run `tessera repair`".to_owned());
        }
        Ok(report)
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
