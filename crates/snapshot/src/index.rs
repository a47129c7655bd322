//! `INDEX`: the parts of every commit that runs and lists need, in one file, so that they read only the newest commits.
//!
//! It is a hint like the others: rebuilt from the commits where it is missing, truncated or of another store, and never the only
//! basis of a decision. The commit that a decision depends on is read itself and compared with its entry in the index; where
//! they differ, the index is discarded and every commit is read. The newest commit in the index is compared whenever the index
//! is read, and commits after it are read. `verify` and `repair` read every commit.

use serde::{Deserialize, Serialize};

use crate::commit::sha256;
use crate::store::{Digested, Store};

/// Name of the file.
pub(crate) const FILE: &str = "INDEX";

/// Format of the file that this program writes and reads.
const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Head {
    format: u32,
    /// sha256 of the store's `FORMAT`, which no other store has.
    store: String,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
struct Seal {
    /// sha256 of all lines before it.
    sha256: String,
}

impl Store {
    /// The index of these commits, a line each.
    pub(crate) fn index_of<'a>(
        &self,
        commits: impl Iterator<Item = &'a Digested>,
    ) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = serde_json::to_string(&self.head())?;
        for commit in commits {
            text.push('\n');
            text.push_str(&serde_json::to_string(commit)?);
        }
        text.push('\n');
        let seal = Seal {
            sha256: sha256(text.as_bytes()),
        };
        text.push_str(&serde_json::to_string(&seal)?);
        text.push('\n');
        Ok(text.into_bytes())
    }

    /// The entries of the index; `None` where it is incomplete, of another store, or does not start at version 1 without gaps.
    pub(crate) fn indexed(&self) -> Option<Vec<Digested>> {
        let bytes = self.root.read(FILE).ok()??;
        let text = str::from_utf8(&bytes).ok()?.strip_suffix('\n')?;
        let (lines, seal) = text.rsplit_once('\n')?;
        let seal: Seal = serde_json::from_str(seal).ok()?;
        if sha256(&bytes[..=lines.len()]) != seal.sha256 {
            return None;
        }
        let mut lines = lines.lines();
        let head: Head = serde_json::from_str(lines.next()?).ok()?;
        if head != self.head() {
            return None;
        }
        let commits: Vec<Digested> = lines
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .ok()?;
        let numbers = commits.iter().map(|commit| commit.version);
        numbers.eq(1..=commits.len() as u64).then_some(commits)
    }

    fn head(&self) -> Head {
        let format = self.root.read("FORMAT").ok().flatten();
        Head {
            format: FORMAT,
            store: sha256(&format.unwrap_or_default()),
        }
    }
}
