//! The inventory of a source: files, columns, sizes and fingerprints. Of Parquet files only the footers are read.

use std::collections::{BTreeMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use tessera_expr::Type;
use tessera_expr::rel::{FileStamp, Stored};
use tessera_spec::activity;
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::interrupt;
use tessera_spec::pipeline::{Source, TextSettings};

use crate::digest;
use crate::error::IngestError;
use crate::evolution::{LakeColumn, Layouts};
use crate::files::{self, Compression, Listed, list, relative};
use crate::footer;
use crate::formats::{Reads, SourceFormat};
use crate::found::{self, Names};
use crate::open::Unread;
use crate::partitions::{self, Partition};
use crate::text;

/// A file of the lake.
#[derive(Debug, Clone, Serialize)]
pub struct LakeFile {
    /// Where it is.
    #[serde(skip)]
    pub path: PathBuf,
    /// Its path within the source.
    #[serde(rename = "path")]
    pub relative: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// How it is compressed as a whole: text files only.
    pub compression: Option<Compression>,
    /// sha256 of the footer (Parquet) or of the content.
    pub fingerprint: String,
    /// What it was when it was opened.
    #[serde(skip)]
    pub(crate) stamp: Option<FileStamp>,
    /// sha256 of the footer, of Parquet files.
    #[serde(skip)]
    pub(crate) footer: String,
    /// Columns that stand in its path, with their values.
    #[serde(skip)]
    pub(crate) partitions: Vec<Partition>,
    /// Number of its schema.
    #[serde(skip)]
    pub(crate) layout: usize,
    /// The Parquet file of texts that holds its records, of a text file that was read for a run.
    #[serde(skip)]
    pub(crate) staged: Option<PathBuf>,
}

/// Files and columns of one source.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// Name of the source.
    pub source: String,
    /// Format of all files.
    pub format: &'static SourceFormat,
    /// Files in reading order.
    pub files: Vec<LakeFile>,
    /// Columns of the files, those of earlier files first, then columns that only paths have.
    pub columns: Vec<LakeColumn>,
    /// The log of a table says which files there are.
    pub(crate) of_table: bool,
    /// The schemas of the files.
    pub(crate) layouts: Layouts,
    /// Files at the path that are not read, or read under another name.
    pub found: found::Found,
    /// Text files that are UTF-8 and are read in the stated encoding.
    pub(crate) misread: Names,
    /// Results of trying to convert the values of text files, for a check.
    pub(crate) trial: Option<text::Trial>,
}

impl Inventory {
    /// Size of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Rows of all files, with any outcome.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Files that hold no row.
    pub fn files_without_rows(&self) -> u64 {
        self.files.iter().filter(|file| file.rows == 0).count() as u64
    }

    /// What the user must know about the files: those that are not read, and those that have several names.
    pub fn warnings(&self, source: &Source) -> Vec<Diagnostic> {
        let span = || source.path.span.clone();
        let name = &self.source;
        let mut warnings = Vec::new();
        for alike in self.found.missed() {
            let message = format!("source `{name}`: files that are not read: {}", alike.text());
            let help = files::help(alike, source.format.is_some());
            let help = match alike.reason {
                found::Reason::OtherFormat => format!("{help}, or move them out of the lake"),
                _ => format!("{help}; otherwise move them out of the lake"),
            };
            warnings.push(Diagnostic::warning("TS-L001", message, span()).with_help(help));
        }
        let second = &self.found.second_names;
        if second.count > 0 {
            let message = format!(
                "source `{name}`: files with several names count once; other names: {}",
                second.text()
            );
            warnings.push(
                Diagnostic::warning("TS-L002", message, span())
                    .with_help("remove the links if they are there by mistake"),
            );
        }
        warnings.extend(self.settings_without_effect(source));
        warnings
    }

    /// Settings of text files that this format does not have.
    fn settings_without_effect(&self, source: &Source) -> Option<Diagnostic> {
        let text = source.text.as_ref()?;
        let format = self.format;
        let stated = text.of_records().into_iter();
        let without = stated.filter(|key| !format.syntax.takes(key));
        let stated: Vec<String> = without.map(|key| format!("`{key}`")).collect();
        if stated.is_empty() {
            return None;
        }
        let message = format!(
            "source `{}` is {}: {} of its `text` settings {} without effect",
            self.source,
            format.shown,
            stated.join(", "),
            if stated.len() == 1 { "is" } else { "are" },
        );
        let found = Diagnostic::warning("TS-L005", message, source.path.span.clone());
        Some(found.with_help("remove the settings, or set the `format` that they are for"))
    }

    /// UTF-8 that is read as letters of one byte each.
    pub(crate) fn misread_as_letters(&self, source: &Source) -> Option<Diagnostic> {
        let stated = source.text.as_ref()?.encoding.as_deref()?;
        if self.misread.count == 0 {
            return None;
        }
        let (holds, is) = match self.misread.count {
            1 => ("holds", "is"),
            _ => ("hold", "are"),
        };
        let message = format!(
            "source `{}`: {} {holds} UTF-8 and {is} read as `{stated}`, as `encoding` says: of each letter beyond ASCII several are made, \
             as `Ã¼` of `ü`",
            self.source,
            self.misread.text(),
        );
        let found = Diagnostic::warning("TS-L006", message, source.path.span.clone());
        Some(found.with_help(format!(
            "take `encoding` out where all files are UTF-8; otherwise write some of them again, so that all are either UTF-8 or `{stated}`"
        )))
    }

    /// The name of a column that differs from this one in nothing but case.
    pub(crate) fn in_other_case(&self, name: &str) -> Option<&str> {
        let lower = name.to_lowercase();
        let mut names = self.columns.iter().map(|column| column.name.as_str());
        names.find(|held| *held != name && held.to_lowercase() == lower)
    }

    /// The path of a file within the source.
    pub fn relative(&self, path: &Path) -> String {
        let found = self.files.iter().find(|file| file.path == path);
        found.map_or_else(|| path.display().to_string(), |file| file.relative.clone())
    }
}

/// Lists the files of a source and reads their columns. With `hash_inputs` the fingerprints cover the whole content of every
/// file. With a `stage` folder
/// the records of text files are kept there for a run; without one the values of declared columns are tried.
pub fn take(
    source: &Source,
    hash_inputs: bool,
    stage: Option<&Path>,
) -> Result<Inventory, IngestError> {
    // The log of a table is read to know its files.
    let reading = activity::reading(&source.name.value, Path::new(&source.path.value));
    let listing = list(source)?;
    drop(reading);
    let mut stock = Stock {
        source,
        settings: source.text.clone().unwrap_or_default(),
        format: listing.format,
        hash_inputs,
        stage: stage.filter(|_| listing.format.is_text()),
        trial: stage.is_none().then(|| text::Trial::of(source)),
        files: Vec::with_capacity(listing.files.len()),
        layouts: Layouts::default(),
        contradictions: BTreeMap::new(),
        misread: Names::default(),
    };
    let mut listed = listing.files.into_iter().peekable();
    while listed.peek().is_some() {
        if interrupt::requested() {
            return Err(IngestError::Interrupted);
        }
        let next: Vec<Listed> = listed.by_ref().take(FOOTERS_AT_ONCE).collect();
        let footers = stock.footers(&next);
        for (listed, footer) in next.into_iter().zip(footers) {
            stock.add(listed, footer, &listing.root)?;
        }
    }
    let files = stock.files;
    let layouts = stock.layouts;
    let mut columns = layouts.columns(files.iter().map(|f| (f.layout, f.relative.as_str())));
    add_partitions(&mut columns, &files, &layouts, &stock.contradictions);
    add_unwritten(&mut columns, &files, &listing.types);
    for column in columns.iter_mut().filter(|column| column.in_path) {
        column.path_type = listing.types.get(&column.name).copied();
    }
    Ok(Inventory {
        source: source.name.value.clone(),
        format: listing.format,
        files,
        columns,
        of_table: listing.of_table,
        layouts,
        found: listing.found,
        misread: stock.misread,
        trial: stock.trial,
    })
}

/// Adds the columns of a table that no file has, since none was written since they were added: they are null in all of them, like a
/// column that stands in the path of none.
fn add_unwritten(
    columns: &mut Vec<LakeColumn>,
    files: &[LakeFile],
    types: &BTreeMap<String, Type>,
) {
    for name in types.keys() {
        if columns.iter().any(|column| column.name == *name) {
            continue;
        }
        let mut column = LakeColumn::of_path(name);
        for file in files {
            column.absent.add(&file.relative);
        }
        columns.push(column);
    }
}

/// Parquet files whose footers are read at the same time: enough for all threads, few enough for memory.
const FOOTERS_AT_ONCE: usize = 256;

/// What is known of the files so far.
struct Stock<'a> {
    source: &'a Source,
    settings: TextSettings,
    format: &'static SourceFormat,
    hash_inputs: bool,
    /// Where the records of text files are kept.
    stage: Option<&'a Path>,
    trial: Option<text::Trial>,
    files: Vec<LakeFile>,
    layouts: Layouts,
    /// Files whose own values of a column are not those of their path, by column.
    contradictions: BTreeMap<String, Names>,
    /// Text files that are UTF-8 and were read in another encoding.
    misread: Names,
}

impl Stock<'_> {
    /// The footers of files that have one, read at the same time; none of files of records, which are read one after the other.
    fn footers(&self, files: &[Listed]) -> Vec<Option<Result<footer::Footer, Unread>>> {
        let name = &self.source.name.value;
        match self.format.reads {
            Reads::Footer(read) => {
                let footer = |listed: &Listed| {
                    let _reading = activity::reading(name, &listed.path);
                    Some(read(&listed.path))
                };
                files.par_iter().map(footer).collect()
            }
            Reads::Records(_) => files.iter().map(|_| None).collect(),
        }
    }

    /// Adds a file by its footer, or reads all of a text file.
    fn add(
        &mut self,
        listed: Listed,
        footer: Option<Result<footer::Footer, Unread>>,
        root: &Path,
    ) -> Result<(), IngestError> {
        let Listed {
            path,
            bytes,
            compression,
            partitions,
        } = listed;
        let name = &self.source.name.value;
        let unread = |why| unread(name, &path, why);
        let _reading = activity::reading(name, &path);
        let relative = relative(root, &path);
        let partitions = match partitions {
            Some(stated) => stated,
            None => {
                partitions::of_path(&relative).map_err(|reason| unread(Unread::Damaged(reason)))?
            }
        };
        let number = self.files.len();
        let staged = self.stage;
        let staged = staged.map(|folder| folder.join(format!("{name}-{number}.parquet")));
        let footer = match (footer, &self.format.reads) {
            (Some(footer), _) => footer.map_err(unread)?,
            (None, Reads::Footer(read)) => read(&path).map_err(unread)?,
            (None, Reads::Records(records)) => {
                let task = text::Task {
                    path: &path,
                    watch: text::watch(&path).map_err(unread)?,
                    settings: &self.settings,
                    declared: &self.source.contract.columns,
                    in_path: &partitions,
                    stage: staged.clone(),
                    trial: self.trial.as_mut(),
                };
                text::read(task, *records).map_err(unread)?
            }
        };
        for (name, text) in &partitions {
            if footer.contradicts(name, text.as_deref()) {
                let files = self.contradictions.entry(name.clone()).or_default();
                files.add(&relative);
            }
        }
        if footer.misread {
            self.misread.add(&relative);
        }
        let fingerprint = if !self.format.is_text() && self.hash_inputs {
            digest::of_file(&path).map_err(unread)?
        } else {
            footer.fingerprint.clone()
        };
        self.files.push(LakeFile {
            relative,
            bytes,
            rows: footer.rows,
            compression,
            stamp: footer.stamp,
            footer: footer.fingerprint,
            fingerprint,
            partitions,
            layout: self.layouts.number(footer.columns),
            staged,
            path,
        });
        Ok(())
    }
}

/// Why a file of a source could not be read.
fn unread(source_name: &str, file: &Path, why: Unread) -> IngestError {
    let (source_name, file) = (source_name.to_owned(), file.to_owned());
    match why {
        Unread::Damaged(reason) => IngestError::BadFile {
            source_name,
            file,
            reason,
        },
        Unread::Changed(what) => IngestError::Changed {
            source_name,
            file,
            what,
        },
        Unread::System(_, error) if error.kind() == ErrorKind::NotFound => IngestError::Changed {
            source_name,
            file,
            what: "it no longer exists".to_owned(),
        },
        Unread::System(operation, error) => IngestError::Unreadable {
            source_name,
            operation,
            file,
            error,
        },
        Unread::Interrupted => IngestError::Interrupted,
        Unread::Unkept(operation, stage, error) => IngestError::Unkept {
            source_name,
            file,
            operation,
            stage,
            error,
        },
    }
}

/// A stored type in words.
pub(crate) fn describe(stored: &Stored) -> String {
    match stored {
        Stored::Bool => "bool".to_owned(),
        Stored::Int { bits, signed } => format!("{}{bits}", if *signed { 'i' } else { 'u' }),
        Stored::Float { bits } => format!("f{bits}"),
        Stored::Decimal { precision, scale } => format!("decimal({precision}, {scale})"),
        Stored::String | Stored::Text | Stored::HivePath => "string".to_owned(),
        Stored::Bytes => "bytes".to_owned(),
        Stored::Uuid => "bytes of fixed size 16".to_owned(),
        Stored::Mixed => "several types".to_owned(),
        Stored::Date | Stored::DateMillis => "date".to_owned(),
        Stored::Timestamp {
            zone: Some(zone), ..
        } => format!("timestamp in {zone}"),
        Stored::Timestamp { zone: None, .. } => "timestamp without a zone".to_owned(),
    }
}

/// Marks the columns that stand in the path of a file, and adds those that no file has.
fn add_partitions(
    columns: &mut Vec<LakeColumn>,
    files: &[LakeFile],
    layouts: &Layouts,
    contradictions: &BTreeMap<String, Names>,
) {
    let mut seen = HashSet::new();
    for (name, _) in files.iter().flat_map(|file| &file.partitions) {
        if !seen.insert(name) {
            continue;
        }
        let place = columns.iter().position(|column| column.name == *name);
        let place = place.unwrap_or_else(|| {
            columns.push(LakeColumn::of_path(name));
            columns.len() - 1
        });
        let column = &mut columns[place];
        column.in_path = true;
        column.differs_from_path = contradictions.get(name).cloned().unwrap_or_default();
        column.absent = Names::default();
        let states = |file: &&LakeFile| file.partitions.iter().any(|(known, _)| known == name);
        for file in files.iter().filter(|file| !states(file)) {
            match layouts.get(file.layout, name) {
                None | Some(footer::Found::Untyped) => column.absent.add(&file.relative),
                Some(_) => column.beside_path.add(&file.relative),
            }
        }
    }
}
