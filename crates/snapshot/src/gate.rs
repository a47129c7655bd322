//! Decides between committing and stopping a run: exactly one of the two happens.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Neither stopped nor about to commit.
const OPEN: u64 = 0;
/// Nothing can be committed any more.
const STOPPED: u64 = u64::MAX;
/// A commit is being named: it is not known yet whether it exists.
const COMMITTING: u64 = u64::MAX - 1;

/// The state of a run. A value other than the constants above is the version that was committed.
///
/// Once [`Gate::stop`] returns [`Stopped::Before`], no commit of this run will exist; once the run has begun to name its
/// commit, it cannot be stopped and goes on to its end.
#[derive(Debug, Default)]
pub struct Gate {
    state: AtomicU64,
    /// A stop was requested, possibly while a commit was being named.
    asked: AtomicBool,
}

/// The state of the run when a stop was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Nothing was committed, and nothing will be.
    Before,
    /// The commit is being named at this moment.
    Committing,
    /// This version is committed.
    After(u64),
}

impl Gate {
    /// A run that may still commit and may still be stopped.
    pub const fn new() -> Self {
        Self {
            state: AtomicU64::new(OPEN),
            asked: AtomicBool::new(false),
        }
    }

    /// Stops the run, unless it has begun to commit.
    pub fn stop(&self) -> Stopped {
        self.asked.store(true, Ordering::SeqCst);
        match self.exchange(OPEN, STOPPED) {
            Ok(_) | Err(STOPPED) => Stopped::Before,
            Err(COMMITTING) => Stopped::Committing,
            Err(version) => Stopped::After(version),
        }
    }

    /// The version that was committed.
    pub fn committed(&self) -> Option<u64> {
        match self.state.load(Ordering::SeqCst) {
            OPEN | STOPPED | COMMITTING => None,
            version => Some(version),
        }
    }

    /// Whether the run was stopped before it could commit.
    pub(crate) fn is_stopped(&self) -> bool {
        self.state.load(Ordering::SeqCst) == STOPPED
    }

    /// Begins to name a commit; false where the run was stopped.
    pub(crate) fn enter(&self) -> bool {
        self.exchange(OPEN, COMMITTING).is_ok()
    }

    /// The commit was not named: the run can be stopped again, and is stopped if that was requested meanwhile.
    pub(crate) fn leave(&self) {
        self.state.store(OPEN, Ordering::SeqCst);
        if self.asked.load(Ordering::SeqCst) {
            self.stop();
        }
    }

    /// The commit exists.
    pub(crate) fn close(&self, version: u64) {
        self.state.store(version, Ordering::SeqCst);
    }

    fn exchange(&self, from: u64, to: u64) -> Result<u64, u64> {
        self.state
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_stopped_or_commits_but_never_both() {
        let gate = Gate::new();
        assert!(gate.enter());
        assert_eq!(gate.stop(), Stopped::Committing);
        gate.leave();
        assert!(
            gate.is_stopped() && !gate.enter(),
            "a stop that was requested while the commit was being named holds if it was not named"
        );
        assert_eq!(gate.stop(), Stopped::Before, "once stopped, always stopped");

        let gate = Gate::new();
        assert!(gate.enter());
        gate.close(7);
        assert_eq!(
            (gate.stop(), gate.committed()),
            (Stopped::After(7), Some(7))
        );
    }
}
