//! Checks that everything in the store matches the commits.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::commit::sha256;
use crate::error::StoreError;
use crate::listed::Standing;
use crate::remedy;
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
    /// Those among them that have expired: only their commits were checked.
    pub expired: u64,
    /// Files that were checked.
    pub files: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Problems by version.
    pub problems: BTreeMap<u64, Vec<String>>,
    /// What would heal them, where something can: a sentence each.
    pub remedies: BTreeSet<String>,
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
    /// Problems with files that a run makes again, by version.
    damaged: BTreeMap<u64, Vec<Damage>>,
    /// Lists of inputs and artifacts that were checked and are right.
    lists: BTreeSet<String>,
}

/// A file that is missing or damaged.
struct Damage {
    problem: String,
    heals: Heals,
}

/// What makes a file again.
enum Heals {
    /// The version, published again.
    Version(NaiveDate),
    /// What this sentence says.
    Other(String),
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
            check.note_damage(self, &BTreeMap::new(), &self.known_standings());
            return Ok(check.report);
        }
        let mut replaced = BTreeMap::new();
        let expired = self.expired()?;
        for lost in self.lost()? {
            check.report.note(lost.first, lost.to_string());
        }
        let mut next = 1;
        let mut parent = Some(String::new());
        for number in self.numbers()? {
            if number != next {
                parent = None;
            }
            next = number + 1;
            let data = !expired.contains(&number);
            let known = self.verify_commit(&mut check, number, parent.as_deref(), data)?;
            parent = known.sha256;
            replaced.extend(known.replaces.map(|damaged| (damaged, number)));
        }
        check.note_damage(self, &replaced, &self.known_standings());
        let mut report = check.report;
        if report.is_sound() {
            report.stale_hints = self.stale_hints()?;
            // A run that publishes meanwhile writes its hints before it gives the lock back.
            if !report.stale_hints.is_empty()
                && let Ok(_lock) = self.lock()
            {
                report.stale_hints = self.stale_hints()?;
            }
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
        let read = self.commit_bytes(number);
        let read = read.and_then(|bytes| Ok((self.parse(number, &bytes)?, sha256(&bytes))));
        let (commit, sha256) = match read {
            Ok(read) => read,
            Err(error) => {
                check.report.note(number, error.to_string());
                return Ok(Checked::default());
            }
        };
        let mut own = Checked {
            sha256: Some(sha256),
            replaces: None,
        };
        if parent.is_some_and(|parent| parent != commit.parent_sha256) {
            check
                .report
                .note(number, "its parent is not the commit before it".to_owned());
        }
        own.replaces = commit.replaces.as_ref().map(|damaged| damaged.version);
        if !data {
            check.report.expired += 1;
            return Ok(own);
        }
        let day = commit.as_of;
        for problem in self.verify_inputs(&commit, &mut check.lists) {
            let heals = Heals::Other(remedy::of_inputs(number, day));
            check.damage(number, Damage { problem, heals });
        }
        for (artifact, problem) in self.verify_artifacts(&commit, &mut check.lists) {
            let heals = Heals::Other(remedy::of_artifact(&artifact.of, artifact.fitted_on));
            check.damage(number, Damage { problem, heals });
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
                let (problem, heals) = (error.to_string(), Heals::Version(day));
                check.damage(number, Damage { problem, heals });
            }
        }
        Ok(own)
    }

    /// How commits affect each version; nothing where one of them is damaged, which is a problem of its own.
    fn known_standings(&self) -> BTreeMap<u64, Standing> {
        self.standings().unwrap_or_default()
    }
}

/// A commit that was checked.
#[derive(Default)]
struct Checked {
    /// None where it is damaged: what should follow it is not known then.
    sha256: Option<String>,
    replaces: Option<u64>,
}

impl Check {
    fn damage(&mut self, version: u64, found: Damage) {
        self.damaged.entry(version).or_default().push(found);
    }

    /// Moves problems with files into the report with what would heal them, separately where another version replaced the damaged
    /// one.
    fn note_damage(
        &mut self,
        store: &Store,
        replaced: &BTreeMap<u64, u64>,
        standings: &BTreeMap<u64, Standing>,
    ) {
        for (version, found) in std::mem::take(&mut self.damaged) {
            if let Some(&by) = replaced.get(&version) {
                let problems = found.into_iter().map(|damage| damage.problem).collect();
                let found = Replacement { by, problems };
                self.report.replaced.insert(version, found);
                continue;
            }
            let standing = standings.get(&version).copied().unwrap_or_default();
            for damage in found {
                self.report.note(version, damage.problem);
                self.report.remedies.insert(match damage.heals {
                    Heals::Version(day) => remedy::of_version(store, (version, day), standing),
                    Heals::Other(remedy) => remedy,
                });
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
