//! Small files that replace others together. The disk is waited for once for many of them: waiting for each alone costs about
//! as much every time.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use crate::error::StoreError;
use crate::folder::Folder;
use crate::step::Step;
use crate::store::Store;
use crate::txid;

/// Drafts that are open at the same time; more are placed in turns.
const MOST: usize = 64;

/// Threads that wait for the disk.
const WAITING: usize = 8;

/// Drafts in the store's `tmp/` that will get their names, in this order. Those that have not got one are removed with this.
pub(crate) struct Drafts<'a> {
    store: &'a Store,
    drafts: VecDeque<Draft>,
}

struct Draft {
    file: File,
    /// Its name in `tmp/`.
    draft: String,
    /// Where it goes.
    folder: Arc<Folder>,
    name: String,
    /// The folder whose names are durable before it has its own.
    after: Arc<Folder>,
}

impl<'a> Drafts<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self {
            store,
            drafts: VecDeque::new(),
        }
    }

    /// Writes the draft of the file `name` in `folder`, which refers to names in `after`.
    pub(crate) fn write(
        &mut self,
        step: Step,
        (folder, after): (&Arc<Folder>, &Arc<Folder>),
        name: String,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let failed = |error: io::Error| StoreError::io("replace file", &folder.join(&name), error);
        self.store.steps.reach(step).map_err(failed)?;
        if self.drafts.len() == MOST {
            self.place()?;
        }
        let tmp = &self.store.tmp;
        let draft = format!("{name}-{}", txid::new());
        let mut file = tmp.create(&draft)?;
        let written = file.write_all(bytes);
        self.drafts.push_back(Draft {
            file,
            draft,
            folder: folder.clone(),
            name,
            after: after.clone(),
        });
        let unwritten = |error| match self.drafts.back() {
            Some(last) => StoreError::io("write file", &tmp.join(&last.draft), error),
            None => StoreError::io("write file", tmp.path(), error),
        };
        written.map_err(unwritten)
    }

    /// Gives all drafts their names, durably.
    pub(crate) fn place(&mut self) -> Result<(), StoreError> {
        sync_all(self.drafts.iter().map(|draft| &draft.after))?;
        let tmp = &self.store.tmp;
        let unsynced = |(draft, error): (&Draft, io::Error)| {
            StoreError::io("write file", &tmp.join(&draft.draft), error)
        };
        wait(self.drafts.make_contiguous()).map_err(unsynced)?;
        let mut folders = Vec::new();
        while let Some(draft) = self.drafts.front() {
            let (folder, name) = (draft.folder.clone(), &draft.name);
            let named = tmp.rename_over(&draft.draft, &folder, name);
            named.map_err(|error| StoreError::io("replace file", &folder.join(name), error))?;
            folders.push(folder);
            self.drafts.pop_front();
        }
        sync_all(folders.iter())
    }
}

impl Drop for Drafts<'_> {
    fn drop(&mut self) {
        for draft in &self.drafts {
            self.store.tmp.remove(&draft.draft);
        }
    }
}

/// Waits until the contents are durable.
fn wait(drafts: &[Draft]) -> Result<(), (&Draft, io::Error)> {
    let part = drafts.len().div_ceil(WAITING).max(1);
    let sync = |drafts: &'_ [Draft]| -> Option<(usize, io::Error)> {
        let mut synced = drafts.iter().map(|draft| draft.file.sync_all()).enumerate();
        synced.find_map(|(place, synced)| Some((place, synced.err()?)))
    };
    let failed = std::thread::scope(|scope| {
        let parts = drafts.chunks(part).enumerate();
        let threads: Vec<_> = parts
            .map(|(number, drafts)| (number, scope.spawn(move || sync(drafts))))
            .collect();
        let mut failed = None;
        for (number, thread) in threads {
            let stopped = |_| Some((0, io::Error::other("a thread that waited stopped")));
            if let Some((place, error)) = thread.join().unwrap_or_else(stopped) {
                failed.get_or_insert((number * part + place, error));
            }
        }
        failed
    });
    match failed {
        Some((place, error)) => Err((&drafts[place], error)),
        None => Ok(()),
    }
}

/// Makes the names in these folders durable, once each.
fn sync_all<'f>(folders: impl Iterator<Item = &'f Arc<Folder>>) -> Result<(), StoreError> {
    let mut done: Vec<&Arc<Folder>> = Vec::new();
    for folder in folders {
        if done.iter().any(|known| Arc::ptr_eq(known, folder)) {
            continue;
        }
        let synced = folder.sync();
        synced.map_err(|error| StoreError::io("fsync folder", folder.path(), error))?;
        done.push(folder);
    }
    Ok(())
}
