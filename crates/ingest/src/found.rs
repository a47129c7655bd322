//! The record of what was found below the path of a source and is not read as a file of its own.

use serde::Serialize;

/// Names that are shown of files that are alike.
const SHOWN_NAMES: usize = 3;

/// Files that are not read, and names of files that are read under another name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Files that are not read, by extension and reason.
    pub passed_over: Vec<PassedOver>,
    /// Further names of files that are read once: hard links, and links to files or folders that are read anyway.
    pub second_names: Names,
    /// Links that were followed to a file that is read under the link's name.
    pub links_followed: u64,
}

/// Files with one extension that are not read for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// Extension in lower case; empty for files without one.
    pub extension: String,
    /// Why they are not read.
    pub reason: Reason,
    /// The files.
    pub names: Names,
}

/// Why a file is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It has another format than the one that is stated.
    OtherFormat,
    /// Its name says nothing of a format.
    UnknownFormat,
    /// Its name, or that of its folder, begins with `_`.
    Underscore,
    /// It is not a regular file: a FIFO, a device or a socket.
    NotRegular,
    /// The log of the table does not name it (any more).
    NotInTable,
}

impl Reason {
    /// The reason in words, after "not read: ".
    pub fn text(self) -> &'static str {
        match self {
            Self::OtherFormat => "of another format than `format`",
            Self::UnknownFormat => "their names do not say that they are data",
            Self::Underscore => "their names or folders begin with `_`",
            Self::NotRegular => "no regular files",
            Self::NotInTable => "not part of the table's current version",
        }
    }
}

/// Some of the names of files that are alike, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// How many files there are.
    pub count: u64,
    /// The first of them, by name, within the source.
    pub first: Vec<String>,
}

impl Names {
    /// Adds a name; names come in order.
    pub(crate) fn add(&mut self, name: &str) {
        self.count += 1;
        if self.first.len() < SHOWN_NAMES {
            self.first.push(name.to_owned());
        }
    }

    /// Count and names in words: `3 files (a, b, c)`.
    pub fn text(&self) -> String {
        let more = if self.count > self.first.len() as u64 {
            ", …"
        } else {
            ""
        };
        let plural = if self.count == 1 { "" } else { "s" };
        let names = self.first.join(", ");
        format!("{} file{plural} ({names}{more})", self.count)
    }
}

impl Found {
    /// Files that are not read; second names, and old files of a table, are not among them.
    pub fn files_passed_over(&self) -> u64 {
        self.missed().map(|alike| alike.names.count).sum()
    }

    /// Files that are not read and may be data.
    pub(crate) fn missed(&self) -> impl Iterator<Item = &PassedOver> {
        let files = self.passed_over.iter();
        files.filter(|alike| alike.reason != Reason::NotInTable)
    }

    /// Adds a file that is not read.
    pub(crate) fn pass_over(&mut self, extension: &str, reason: Reason, name: &str) {
        let known = self
            .passed_over
            .iter_mut()
            .find(|alike| alike.extension == extension && alike.reason == reason);
        match known {
            Some(alike) => alike.names.add(name),
            None => {
                let mut names = Names::default();
                names.add(name);
                self.passed_over.push(PassedOver {
                    extension: extension.to_owned(),
                    reason,
                    names,
                });
            }
        }
    }
}

impl PassedOver {
    /// The files and the reason in words.
    pub fn text(&self) -> String {
        let extension = if self.extension.is_empty() {
            "without an extension".to_owned()
        } else {
            format!("`.{}`", self.extension)
        };
        format!(
            "{}: {}; {}",
            extension,
            self.names.text(),
            self.reason.text()
        )
    }
}
