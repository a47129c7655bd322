//! Checks that everything in the store matches the commits.

use std::collections::{BTreeMap, BTreeSet};

use crate::commit::sha256;
use crate::error::StoreError;
use crate::store::Store;

/// How much `verify` checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// Files exist, with their sizes.
    Quick,
    /// Their content is hashed, and their footers are read.
    #[default]
    Content,
    /// Every page of every column is decoded, too, and its checksum compared.
    Pages,
}

/// What `verify` found.
#[derive(Debug, Default)]
pub struct VerifyReport {
    /// Versions that were checked.
    pub versions: u64,
    /// Files that were checked.
    pub files: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Problems by version.
    pub problems: BTreeMap<u64, Vec<String>>,
    /// Problems of versions that a later one replaced because they are damaged, by version.
    pub replaced: BTreeMap<u64, Replacement>,
    /// Hints that do not match the commits, as an interrupted run leaves them. Nothing is lost: the next run completes them, and
    /// so does [`Store::repair`].
    pub stale_hints: Vec<&'static str>,
}

/// The replacement of a damaged version.
#[derive(Debug, Default)]
pub struct Replacement {
    /// The version that replaced it.
    pub by: u64,
    /// Problems of the damaged version.
    pub problems: Vec<String>,
}

/// The state of one check of a store.
struct Check {
    depth: Depth,
    report: VerifyReport,
    /// Problems with files of tables, by version.
    damaged: BTreeMap<u64, Vec<String>>,
    /// Lists of inputs and artifacts that were checked and are right.
    lists: BTreeSet<String>,
}

impl Store {
    /// Checks one version, or all with the chain of commits and the hints.
    ///
    /// # Errors
    /// Only where the store cannot be read at all, or lacks that one version; what is damaged is in the report.
    pub fn verify(&self, only: Option<u64>) -> Result<VerifyReport, StoreError> {
        self.verify_to(only, Depth::default())
    }

    /// As [`Store::verify`], to another depth.
    ///
    /// # Errors
    /// As [`Store::verify`].
    pub fn verify_to(&self, only: Option<u64>, depth: Depth) -> Result<VerifyReport, StoreError> {
        let mut check = Check {
            depth,
            report: VerifyReport::default(),
            damaged: BTreeMap::new(),
            lists: BTreeSet::new(),
        };
        if let Some(number) = only {
            self.verify_commit(&mut check, self.version(number)?.number(), None, true)?;
            check.note_damage(&BTreeMap::new());
            return Ok(check.report);
        }
        let mut replaced = BTreeMap::new();
        let expired = self.expired()?;
        let mut next = 1;
        let mut parent = Some(String::new());
        for number in self.numbers()? {
            if number != next {
                check.report.note(
                    number,
                    format!("version {number} comes where version {next} was expected: commits are missing"),
                );
                parent = None;
            }
            next = number + 1;
            let data = !expired.contains(&number);
            let known = self.verify_commit(&mut check, number, parent.as_deref(), data)?;
            parent = Some(known.sha256);
            replaced.extend(known.replaces.map(|damaged| (damaged, number)));
        }
        check.note_damage(&replaced);
        let mut report = check.report;
        if report.is_sound() {
            report.stale_hints = self.stale_hints()?;
        }
        Ok(report)
    }

    /// Checks a commit, its place in the chain, and its files unless the version has expired.
    fn verify_commit(
        &self,
        check: &mut Check,
        number: u64,
        parent: Option<&str>,
        data: bool,
    ) -> Result<Checked, StoreError> {
        check.report.versions += 1;
        let bytes = self.commit_bytes(number)?;
        let mut own = Checked {
            sha256: sha256(&bytes),
            replaces: None,
        };
        let commit = match self.parse(number, &bytes) {
            Ok(commit) => commit,
            Err(error) => {
                check.report.note(number, error.to_string());
                return Ok(own);
            }
        };
        if parent.is_some_and(|parent| parent != commit.parent_sha256) {
            check
                .report
                .note(number, "its parent is not the commit before it".to_owned());
        }
        own.replaces = commit.replaces.as_ref().map(|damaged| damaged.version);
        if !data {
            return Ok(own);
        }
        for problem in self.verify_inputs(&commit, &mut check.lists) {
            check.report.note(number, problem);
        }
        for problem in self.verify_artifacts(&commit, &mut check.lists) {
            check.report.note(number, problem);
        }
        let version = self.version_from(commit);
        for file in version.tables().iter().flat_map(|table| &table.files) {
            check.report.files += 1;
            check.report.bytes += file.bytes;
            let checked = match check.depth {
                Depth::Quick => version.check_file(file),
                Depth::Content => version.verify_file(file),
                Depth::Pages => version.decode_file(file),
            };
            if let Err(error) = checked {
                let problems = check.damaged.entry(number).or_default();
                problems.push(error.to_string());
            }
        }
        Ok(own)
    }
}

/// A commit that was checked.
struct Checked {
    sha256: String,
    replaces: Option<u64>,
}

impl Check {
    /// Moves problems with files of tables into the report, separately where another version replaced the damaged one.
    fn note_damage(&mut self, replaced: &BTreeMap<u64, u64>) {
        for (version, problems) in std::mem::take(&mut self.damaged) {
            match replaced.get(&version) {
                Some(&by) => {
                    let found = Replacement { by, problems };
                    self.report.replaced.insert(version, found);
                }
                None => self
                    .report
                    .problems
                    .entry(version)
                    .or_default()
                    .extend(problems),
            }
        }
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
