//! Every file below a folder, each once. Links are followed. A file with several names is listed under the first of them: names
//! without a link come first, then in alphabetical order, which does not depend on the order in which a file system lists a folder.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::names::{is_silent, is_underscore};

/// A file, or another entry of a folder such as a FIFO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// What it is, if not a regular file: `a FIFO`, `a device`, `a socket`.
    pub(crate) irregular: Option<&'static str>,
    /// Its name, or that of a folder above it, begins with `_`.
    pub(crate) underscore: bool,
    /// A link leads to it.
    pub(crate) linked: bool,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Files by path.
    pub(crate) files: BTreeMap<PathBuf, Entry>,
    /// Paths of files that are among `files` under another path.
    pub(crate) second_names: Vec<PathBuf>,
    /// Folders that hold the log of a table format.
    pub(crate) tables: Vec<(PathBuf, TableFormat)>,
    /// Links and the paths at which they were met, not followed yet.
    links: VecDeque<(PathBuf, bool)>,
    /// The log of the table that is walked is known.
    inside_table: bool,
    folders: HashSet<(u64, u64)>,
    /// Files by device and file number, with their paths.
    identities: HashMap<(u64, u64), PathBuf>,
}

/// Formats of tables that consist of files and a log, which says which of the files count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableFormat {
    Delta,
    Iceberg,
    Hudi,
}

impl TableFormat {
    /// The format whose log lies in this folder.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        if folder.join("_delta_log").is_dir() {
            return Some(Self::Delta);
        }
        if folder.join(".hoodie").is_dir() {
            return Some(Self::Hudi);
        }
        let metadata = fs::read_dir(folder.join("metadata")).ok()?;
        let mut names = metadata.flatten().map(|entry| entry.file_name());
        names
            .any(|name| name.to_string_lossy().ends_with(".metadata.json"))
            .then_some(Self::Iceberg)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Delta => "Delta",
            Self::Iceberg => "Iceberg",
            Self::Hudi => "Hudi",
        }
    }
}

/// An operating system error and where it occurred.
pub(crate) type At = (PathBuf, io::Error);

impl Walk {
    /// A walk through the folder of a table whose log was read.
    pub(crate) fn inside_table() -> Self {
        Self {
            inside_table: true,
            ..Self::default()
        }
    }

    /// Takes the path of a source, and everything below it. That it may be a link itself does not matter.
    pub(crate) fn root(&mut self, path: &Path) -> Result<(), At> {
        let meta = fs::metadata(path).map_err(|error| (path.to_owned(), error))?;
        self.place(path, &meta, false, false)
    }

    /// Takes a file or folder that a pattern matches, and everything below it. `underscore` says of the names that led to it what
    /// [`Entry::underscore`] says.
    pub(crate) fn matched(&mut self, path: &Path, underscore: bool) -> Result<(), At> {
        let meta = fs::symlink_metadata(path).map_err(|error| (path.to_owned(), error))?;
        if meta.is_symlink() {
            self.links.push_back((path.to_owned(), underscore));
            return Ok(());
        }
        self.place(path, &meta, underscore, false)
    }

    /// Follows the links met so far, and those that they lead to.
    pub(crate) fn follow_links(&mut self) -> Result<(), At> {
        let mut links: Vec<_> = self.links.drain(..).collect();
        while !links.is_empty() {
            links.sort();
            for (path, underscore) in links {
                let meta = fs::metadata(&path).map_err(|error| (path.clone(), error))?;
                self.place(&path, &meta, underscore, true)?;
            }
            links = self.links.drain(..).collect();
        }
        Ok(())
    }

    fn place(
        &mut self,
        path: &Path,
        meta: &Metadata,
        underscore: bool,
        linked: bool,
    ) -> Result<(), At> {
        let identity = (meta.dev(), meta.ino());
        if meta.is_dir() {
            if self.folders.insert(identity) {
                return self.folder(path, underscore, linked);
            }
            if linked {
                self.second_names.push(path.to_owned());
            }
            return Ok(());
        }
        if self.files.contains_key(path) {
            return Ok(());
        }
        if let Some(first) = self.identities.get(&identity).cloned() {
            // A name that is not read does not stand for one that is.
            let is_unread = self.files.get(&first).is_some_and(|entry| entry.underscore);
            if underscore || !is_unread {
                self.second_names.push(path.to_owned());
                return Ok(());
            }
            self.files.remove(&first);
            self.second_names.push(first);
        }
        self.identities.insert(identity, path.to_owned());
        let entry = Entry {
            path: path.to_owned(),
            bytes: meta.len(),
            irregular: irregular(meta.file_type()),
            underscore,
            linked,
        };
        self.files.insert(path.to_owned(), entry);
        Ok(())
    }

    fn folder(&mut self, folder: &Path, underscore: bool, linked: bool) -> Result<(), At> {
        if let (Some(format), false) = (TableFormat::of(folder), self.inside_table) {
            self.tables.push((folder.to_owned(), format));
            return Ok(());
        }
        let at = |error| (folder.to_owned(), error);
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(at)? {
            entries.push(entry.map_err(at)?);
        }
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if is_silent(&name) {
                continue;
            }
            let path = entry.path();
            let underscore = underscore || is_underscore(&name);
            let meta = fs::symlink_metadata(&path).map_err(|error| (path.clone(), error))?;
            if meta.is_symlink() {
                self.links.push_back((path, underscore));
            } else {
                self.place(&path, &meta, underscore, linked)?;
            }
        }
        Ok(())
    }
}

fn irregular(ty: FileType) -> Option<&'static str> {
    if ty.is_fifo() {
        Some("a FIFO")
    } else if ty.is_socket() {
        Some("a socket")
    } else if ty.is_block_device() || ty.is_char_device() {
        Some("a device")
    } else {
        None
    }
}
