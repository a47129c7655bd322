//! Garbage collection: versions that a policy no longer keeps expire, and their files are removed.
//!
//! A version is marked first (`expired/`): from then on nobody is given it, and no hint names its files. Those who found it before
//! have a grace period to read it to the end; what was marked longer ago is removed. Commits stay. Marks and hints are durable
//! before a file is removed, so the same command completes one that was killed at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::error::StoreError;
use crate::leftovers::Leftovers;
use crate::listed::Digested;
use crate::retention::{Reason, Retention};
use crate::store::Store;
use crate::succession;

/// What garbage collection may remove, and when.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// What is kept.
    pub retention: Retention,
    /// How long the files of a version stay after it was marked.
    pub grace: Duration,
    /// Whether more than half of the versions may expire at once.
    pub force: bool,
}

/// A version that is not gone.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Its number.
    pub version: u64,
    /// Its day.
    pub as_of: NaiveDate,
    /// Size of its tables.
    pub bytes: u64,
    /// What becomes of it.
    pub state: State,
}

/// What becomes of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It stays, for these reasons.
    Stays(Vec<Reason>),
    /// It expires now.
    Expires {
        /// The newer version of its day.
        superseded_by: Option<u64>,
    },
    /// It expired before, and its files are removed from this time on.
    Waits {
        /// The end of the grace period.
        until: DateTime<Utc>,
    },
    /// It expired before, and its files are removed now.
    Leaves,
    /// It expired before, but its files stay, for this reason.
    HeldBack(String),
}

/// What garbage collection did, or would do.
#[derive(Debug, Default)]
pub struct Collected {
    /// The versions whose files were there at the beginning, oldest first.
    pub versions: Vec<Judged>,
    /// How many expired versions had no files any more.
    pub gone: u64,
    /// Versions whose files are removed.
    pub removed_versions: Vec<u64>,
    /// The files that are removed: tables, reports, artifacts, lists of inputs.
    pub removed: Leftovers,
    /// Folders of versions that hold files which no commit names, so that they stay.
    pub left: Vec<PathBuf>,
}

/// The versions by what is to be done with them.
struct Plan {
    collected: Collected,
    /// Those to be marked.
    expires: Vec<u64>,
    /// Those of which the files are to be removed, also where they seem to be gone.
    due: Vec<Arc<Digested>>,
}

impl Store {
    /// Looks which versions expire by the policy and whose files can be removed, and if `apply` does both.
    ///
    /// # Errors
    /// [`StoreError::KeepsTooLittle`] and [`StoreError::NotSound`]; commits, marks or pins that cannot be read; the lock.
    pub fn gc(&self, policy: &Policy, apply: bool) -> Result<Collected, StoreError> {
        self.gc_at(policy, apply, Utc::now())
    }

    /// As [`Store::gc`], at this time.
    pub(crate) fn gc_at(
        &self,
        policy: &Policy,
        apply: bool,
        now: DateTime<Utc>,
    ) -> Result<Collected, StoreError> {
        if policy.retention.is_empty() {
            let reason = "the policy keeps nothing beside what readers and the next run need; state `--keep-last`, `--keep-days` or \
                          `--keep-monthly`";
            return Err(StoreError::KeepsTooLittle {
                reason: reason.to_owned(),
            });
        }
        let _lock = apply.then(|| self.lock()).transpose()?;
        if let Some(lost) = self.lost()?.into_iter().next() {
            return Err(StoreError::LostCommit(Box::new(lost)));
        }
        let versions = self.digests_read()?;
        let expired = self.expired()?;
        let Some(shown) = succession::shown(&versions, &expired) else {
            return Ok(Collected::default());
        };
        self.check_shown(shown)?;
        let mut plan = self.judged(&versions, &expired, policy, now)?;
        let due: BTreeSet<u64> = plan.due.iter().map(|known| known.version).collect();
        let all = versions.iter().map(|known| known.version);
        let stays: BTreeSet<u64> = all.filter(|version| !due.contains(version)).collect();
        // What no expired version names may be of a run that is about to publish.
        let unneeded = match due.is_empty() {
            true => Vec::new(),
            false => self.unneeded(&versions, &stays)?,
        };
        if !apply {
            plan.collected.removed = self.measured(&plan.due).plus(Leftovers {
                files: unneeded.len() as u64,
                bytes: unneeded.iter().map(|(_, _, bytes)| bytes).sum(),
            });
            return Ok(plan.collected);
        }
        plan.check_share(policy)?;
        self.mark_expired(&plan.expires, now)?;
        self.refresh_hints()?;
        self.refresh_delta(true)?;
        let swept = self.sweep(&plan.due, &unneeded)?;
        plan.collected.removed = swept.removed;
        plan.collected.left = swept.left;
        Ok(plan.collected)
    }

    /// Whether `LATEST` names the version that readers should see, and that is whole.
    fn check_shown(&self, shown: &Digested) -> Result<(), StoreError> {
        let not_sound = |reason: String| StoreError::NotSound {
            path: self.path().to_owned(),
            reason,
        };
        let hint = self.hint();
        let fits =
            hint.is_some_and(|hint| hint.version == shown.version && hint.sha256 == shown.sha256);
        if !fits {
            return Err(not_sound(format!(
                "`LATEST` does not name version {} of {}, which readers should see; `tessera repair` rewrites it",
                shown.version, shown.as_of
            )));
        }
        let whole = self
            .version(shown.version)
            .and_then(|version| version.verify());
        whole.map_err(|error| {
            not_sound(format!(
                "version {} of {}, which readers see, does not verify: {error}; `tessera verify` states what heals it",
                shown.version, shown.as_of
            ))
        })
    }

    fn judged(
        &self,
        versions: &[Arc<Digested>],
        expired: &BTreeSet<u64>,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Plan, StoreError> {
        let pins = self.pins(now)?;
        let mut reasons = policy.retention.judge(versions, expired, &pins, now);
        let standings = succession::standings(versions);
        let grace = TimeDelta::from_std(policy.grace).unwrap_or(TimeDelta::MAX);
        let mut plan = Plan {
            collected: Collected::default(),
            expires: Vec::new(),
            due: Vec::new(),
        };
        for (known, standing) in versions.iter().zip(standings) {
            let state = match reasons.remove(&known.version) {
                Some(reasons) if reasons.is_empty() => {
                    plan.expires.push(known.version);
                    if grace.is_zero() {
                        plan.due.push(known.clone());
                        plan.collected.removed_versions.push(known.version);
                    }
                    State::Expires {
                        superseded_by: standing.superseded_by,
                    }
                }
                Some(reasons) => State::Stays(reasons),
                None => {
                    let has_files = self.has_folder(known);
                    let state = self.of_expired(known, &pins, (grace, now));
                    if state == State::Leaves {
                        plan.due.push(known.clone());
                    }
                    if !has_files {
                        plan.collected.gone += 1;
                        continue;
                    }
                    if state == State::Leaves {
                        plan.collected.removed_versions.push(known.version);
                    }
                    state
                }
            };
            plan.collected.versions.push(Judged {
                version: known.version,
                as_of: known.as_of,
                bytes: known.files.iter().map(|file| file.bytes).sum(),
                state,
            });
        }
        Ok(plan)
    }

    /// What becomes of a version that expired before.
    fn of_expired(
        &self,
        known: &Digested,
        pins: &BTreeMap<u64, String>,
        (grace, now): (TimeDelta, DateTime<Utc>),
    ) -> State {
        if let Some(name) = pins.get(&known.version) {
            return State::HeldBack(format!("pinned by {name}"));
        }
        match self.marked_at(known.version) {
            Err(error) => State::HeldBack(error.to_string()),
            Ok(at) => match at.checked_add_signed(grace) {
                Some(until) if until <= now => State::Leaves,
                until => State::Waits {
                    until: until.unwrap_or(DateTime::<Utc>::MAX_UTC),
                },
            },
        }
    }

    /// The files of versions that can be removed: tables and reports.
    fn measured(&self, due: &[Arc<Digested>]) -> Leftovers {
        let mut all = Leftovers::default();
        for known in due.iter().filter(|known| self.has_folder(known)) {
            let report = std::fs::symlink_metadata(self.report_path(known.version));
            let report = report.map_or((0, 0), |page| (1, page.len()));
            all = all.plus(Leftovers {
                files: known.files.len() as u64 + report.0,
                bytes: known.files.iter().map(|file| file.bytes).sum::<u64>() + report.1,
            });
        }
        all
    }
}

impl Plan {
    /// An error where more than half of the versions would expire and nobody said that they may.
    fn check_share(&self, policy: &Policy) -> Result<(), StoreError> {
        if policy.force || !self.collected.needs_force() {
            return Ok(());
        }
        let (expires, live) = self.collected.expiring();
        Err(StoreError::KeepsTooLittle {
            reason: format!(
                "{expires} of {live} versions would expire, more than half; see which without `--apply`, then state `--force` or keep more"
            ),
        })
    }
}

impl Collected {
    /// How many versions expire, of how many that had not expired before.
    pub fn expiring(&self) -> (usize, usize) {
        let states = self.versions.iter().map(|judged| &judged.state);
        let (mut expires, mut live) = (0, 0);
        for state in states {
            let is_expiring = matches!(state, State::Expires { .. });
            expires += usize::from(is_expiring);
            live += usize::from(is_expiring || matches!(state, State::Stays(_)));
        }
        (expires, live)
    }

    /// Whether more than half of the versions expire, which takes `force`.
    pub fn needs_force(&self) -> bool {
        let (expires, live) = self.expiring();
        expires * 2 > live
    }
}
