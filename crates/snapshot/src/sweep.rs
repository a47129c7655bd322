//! Removing what only expired versions have: their names below the Delta tables, their reports, their tables, and the artifacts and
//! lists of inputs that no other version needs. Only files that a commit names are removed, never what is behind a link, and the
//! folder of a version's tables goes last: a version without it is gone whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::artifacts;
use crate::commit::Commit;
use crate::delta;
use crate::error::StoreError;
use crate::folder::Folder;
use crate::inputs;
use crate::leftovers::Leftovers;
use crate::listed::Digested;
use crate::reports;
use crate::step::Step;
use crate::store::Store;

/// What was removed.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    pub(crate) removed: Leftovers,
    /// Folders of versions that hold files which no commit names, so that they stay.
    pub(crate) left: Vec<PathBuf>,
}

/// A file kept once for many versions that no version needs any more: name of its folder, name, size.
pub(crate) type Unneeded = (&'static str, String, u64);

/// What a commit names outside of its own folder.
struct Names {
    previous: u64,
    /// Ids of artifacts, by what they are of.
    artifacts: BTreeMap<String, String>,
    lists: Vec<String>,
}

impl Store {
    /// Whether the folder of a version's tables is there.
    pub(crate) fn has_folder(&self, version: &Digested) -> bool {
        let day = self.data.enter(&format!("as_of={}", version.as_of));
        day.is_ok_and(|day| day.enter(&format!("run={}", version.txid)).is_ok())
    }

    /// Removes what these versions have and no other one needs. The caller holds the lock, and no hint names their files any more.
    pub(crate) fn sweep(
        &self,
        due: &[Arc<Digested>],
        unneeded: &[Unneeded],
    ) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        self.sweep_delta(due)?;
        let pages = due.iter().map(|known| reports::file_name(known.version));
        self.sweep_named(reports::FOLDER, pages, &mut swept)?;
        for known in due {
            self.sweep_tables(known, &mut swept)?;
        }
        for folder in [artifacts::FOLDER, inputs::FOLDER] {
            let own = unneeded.iter().filter(|(of, ..)| *of == folder);
            self.sweep_named(folder, own.map(|(_, name, _)| name.clone()), &mut swept)?;
        }
        Ok(swept)
    }

    /// Removes the second names of data files.
    fn sweep_delta(&self, due: &[Arc<Digested>]) -> Result<(), StoreError> {
        let mut names: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for known in due {
            for file in known.files.iter() {
                let of_table = names.entry(&file.table).or_default();
                of_table.insert(delta::name_of(known, file));
            }
        }
        let Ok(tables) = self.root.enter(delta::FOLDER) else {
            return Ok(());
        };
        for (table, names) in names {
            let Ok(folder) = tables.enter(table) else {
                continue;
            };
            let there = folder.list()?.into_iter();
            let there: Vec<String> = there.filter(|name| names.contains(name)).collect();
            for name in &there {
                self.remove_file(&folder, name)?;
            }
            if !there.is_empty() {
                self.sync_removed(&folder)?;
            }
        }
        Ok(())
    }

    /// Removes files of one folder of the store by their names.
    fn sweep_named(
        &self,
        folder: &str,
        names: impl Iterator<Item = String>,
        swept: &mut Swept,
    ) -> Result<(), StoreError> {
        let names: Vec<String> = names.collect();
        if names.is_empty() || !self.root.list()?.iter().any(|name| name == folder) {
            return Ok(());
        }
        let folder = self.root.enter(folder)?;
        for name in names {
            let removed = self.remove_file(&folder, &name)?;
            swept.removed = swept.removed.plus(removed);
        }
        self.sync_removed(&folder)
    }

    /// Removes the tables of a version, and their folder where nothing else is in it.
    fn sweep_tables(&self, known: &Digested, swept: &mut Swept) -> Result<(), StoreError> {
        let (day_name, run_name) = (
            format!("as_of={}", known.as_of),
            format!("run={}", known.txid),
        );
        let Ok(day) = self.data.enter(&day_name) else {
            return Ok(());
        };
        let Ok(run) = day.enter(&run_name) else {
            // Whoever removed it may have been killed before the folder of the day, which goes where it is empty.
            self.data.remove_folder(&day_name);
            return Ok(());
        };
        for file in known.files.iter() {
            let removed = match file.path.split_once('/') {
                None => self.remove_file(&run, &file.path)?,
                // A table of several files has a folder of its own.
                Some((table, part)) => match run.enter(table) {
                    Ok(parts) => self.remove_file(&parts, part)?,
                    Err(_) => Leftovers::default(),
                },
            };
            swept.removed = swept.removed.plus(removed);
        }
        let tables = known
            .files
            .iter()
            .filter_map(|file| file.path.split_once('/'));
        tables.for_each(|(table, _)| run.remove_folder(table));
        let reached = self.steps.reach(Step::RemoveFolder);
        reached.map_err(|error| StoreError::io("remove folder", run.path(), error))?;
        // Only where it is empty.
        day.remove_folder(&run_name);
        if day.enter(&run_name).is_ok() {
            swept.left.push(run.path().to_owned());
        }
        self.sync_removed(&day)?;
        self.data.remove_folder(&day_name);
        self.sync_removed(&self.data)
    }

    fn remove_file(&self, folder: &Folder, name: &str) -> Result<Leftovers, StoreError> {
        let failed = |error: io::Error| StoreError::io("remove file", &folder.join(name), error);
        self.steps.reach(Step::RemoveFile).map_err(failed)?;
        Ok(match folder.remove_file(name).map_err(failed)? {
            Some(bytes) => Leftovers { files: 1, bytes },
            None => Leftovers::default(),
        })
    }

    fn sync_removed(&self, folder: &Folder) -> Result<(), StoreError> {
        let synced = self.steps.reach(Step::SyncRemoved);
        let synced = synced.and_then(|()| folder.sync());
        synced.map_err(|error| StoreError::io("fsync folder", folder.path(), error))
    }

    /// The artifacts and lists of inputs that commits name and none of the versions that stay needs. A version needs what it names,
    /// and of each score and scheme that it lacks the artifact of the last version before it that has it: a run that follows it
    /// applies that one.
    pub(crate) fn unneeded(
        &self,
        versions: &[Arc<Digested>],
        stays: &BTreeSet<u64>,
    ) -> Result<Vec<Unneeded>, StoreError> {
        let mut named: BTreeMap<u64, Names> = BTreeMap::new();
        for known in versions {
            named.insert(known.version, Names::of(self.commit(known.version)?));
        }
        let mut needed: BTreeSet<&str> = BTreeSet::new();
        for &version in stays {
            if let Some(own) = named.get(&version) {
                needed.extend(own.lists.iter().map(String::as_str));
            }
            let mut seen: BTreeSet<&str> = BTreeSet::new();
            let mut number = version;
            while let Some(names) = named.get(&number) {
                for (of, id) in &names.artifacts {
                    if seen.insert(of) {
                        needed.insert(id);
                    }
                }
                if names.previous >= number {
                    break;
                }
                number = names.previous;
            }
        }
        let mut unneeded = BTreeSet::new();
        for names in named.values() {
            let fitted = names.artifacts.values().map(|id| (artifacts::FOLDER, id));
            let lists = names.lists.iter().map(|id| (inputs::FOLDER, id));
            for (folder, id) in fitted.chain(lists) {
                if !needed.contains(id.as_str()) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
                {
                    unneeded.insert((folder, id));
                }
            }
        }
        let mut found = Vec::new();
        for (folder, id) in unneeded {
            let name = format!("{id}.json");
            let size = self.root.enter(folder).ok();
            let size = size.and_then(|folder| folder.size(&name).ok());
            found.extend(size.map(|size| (folder, name, size)));
        }
        Ok(found)
    }
}

impl Names {
    fn of(commit: Commit) -> Self {
        let artifacts = commit.artifacts.into_iter();
        Self {
            previous: commit.previous,
            artifacts: artifacts.map(|known| (known.of, known.id)).collect(),
            lists: inputs::lists(&commit.inputs),
        }
    }
}
