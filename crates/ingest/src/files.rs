//! The files of a source: one file, a folder, or a pattern. Everything that is found is sorted before anything is decided.

mod names;
mod pattern;
mod tables;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tessera_expr::Type;
use tessera_spec::pipeline::Source;

use crate::delta;
use crate::error::IngestError;
use crate::formats::{self, SourceFormat, parquet};
use crate::found::{Found, Reason};
use crate::partitions::Partition;
pub use names::Compression;
pub(crate) use names::help;
use names::{extension, fits, named};
use pattern::{Asked, Deep, Judged, is_pattern};
pub use pattern::{asks_for, resolved};
pub use tables::{TableFiles, Tables, tables};
pub(crate) use walk::TableFormat;
use walk::{Entry, Walk};

/// Files of a source with the folder that their names are relative to.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The folder, or the folder of the single file, or the part of a pattern before its first wildcard.
    pub(crate) root: PathBuf,
    /// Files in reading order: sorted by path, byte by byte. None where there is a table.
    pub(crate) files: Vec<Listed>,
    /// Format of all of them.
    pub(crate) format: &'static SourceFormat,
    /// What else was found.
    pub(crate) found: Found,
    /// Types that the log of a table states for its columns.
    pub(crate) types: BTreeMap<String, Type>,
    /// The log of a table says which files there are.
    pub(crate) of_table: bool,
}

/// A file that is read.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) compression: Option<Compression>,
    /// Columns that the log of its table states beside it; by its path where there is no log.
    pub(crate) partitions: Option<Vec<Partition>>,
}

/// Lists the files of a source.
pub(crate) fn list(source: &Source) -> Result<Listing, IngestError> {
    let text = source.path.value.as_str();
    let path = Path::new(text);
    let mut walk = Walk::default();
    let at = |(path, error): walk::At| io(source, &path, error);
    let root = if is_pattern(text) && !matches_itself_only(source, text)? {
        let asked = Asked::of(text);
        for path in globbed(source, text)? {
            walk.matched(&path, asked.judge(&path) == Judged::Underscore)
                .map_err(at)?;
        }
        asked.root
    } else {
        walk.root(path).map_err(at)?;
        if path.is_dir() {
            path.to_owned()
        } else {
            path.parent().map(Path::to_owned).unwrap_or_default()
        }
    };
    walk.follow_links().map_err(at)?;
    if table(source, &root, &walk)? {
        return delta_table(source, root);
    }
    let single = path.is_file();
    choose(source, root, walk, single)
}

/// Which of the files are read; the others are recorded.
fn choose(
    source: &Source,
    root: PathBuf,
    walk: Walk,
    single: bool,
) -> Result<Listing, IngestError> {
    let mut found = Found::default();
    let mut second_names: Vec<String> = walk
        .second_names
        .iter()
        .map(|path| relative(&root, path))
        .collect();
    second_names.sort();
    second_names
        .iter()
        .for_each(|name| found.second_names.add(name));
    let entries: Vec<Entry> = walk.files.into_values().collect();
    let stated = formats::stated(source);
    let format = match stated {
        Some(format) => format,
        None => format_of(source, &root, &entries, single)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let name = file_name(&entry.path);
        let named = named(&name);
        let reason = if entry.underscore && !single {
            Some(Reason::Underscore)
        } else if named.format.is_some_and(|named| named != format) && !single {
            Some(Reason::OtherFormat)
        } else if named.format == Some(format) || single || stated.is_some() && fits(&name, format)
        {
            None
        } else if entry.irregular.is_some() {
            Some(Reason::NotRegular)
        } else {
            Some(Reason::UnknownFormat)
        };
        if let Some(reason) = reason {
            found.pass_over(&extension(&name), reason, &relative(&root, &entry.path));
            continue;
        }
        if let Some(what) = entry.irregular {
            return Err(IngestError::BadFile {
                source_name: source.name.value.clone(),
                file: entry.path,
                reason: format!("it is {what}, not a file"),
            });
        }
        found.links_followed += u64::from(entry.linked);
        files.push(Listed {
            path: entry.path,
            bytes: entry.bytes,
            compression: named.compression,
            partitions: None,
        });
    }
    if files.is_empty() {
        return Err(no_files(source, &found));
    }
    files.sort_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
    Ok(Listing {
        root,
        files,
        format,
        found,
        types: BTreeMap::new(),
        of_table: false,
    })
}

/// The files of a Delta table's current version.
fn delta_table(source: &Source, root: PathBuf) -> Result<Listing, IngestError> {
    let table = delta::read(&root).map_err(|trouble| {
        let (source_name, folder) = (source.name.value.clone(), root.clone());
        match trouble {
            delta::Trouble::Content(reason) => IngestError::DeltaLog {
                source_name,
                folder,
                reason,
            },
            delta::Trouble::System(operation, file, error) => IngestError::UnreadableLog {
                source_name,
                folder,
                operation,
                file,
                error,
            },
        }
    })?;
    if formats::stated(source).is_some_and(|format| *format != parquet::FORMAT) {
        return Err(IngestError::Table {
            source_name: source.name.value.clone(),
            folder: root,
            format: TableFormat::Delta.name(),
            advice: "and Delta tables consist of Parquet files: remove `format`",
        });
    }
    if table.files.is_empty() {
        return Err(IngestError::NoFiles {
            source_name: source.name.value.clone(),
            path: source.path.value.clone(),
            format: parquet::FORMAT.shown.to_owned(),
            there: "; it is a Delta table whose current version has no files".to_owned(),
        });
    }
    let mut walk = Walk::inside_table();
    let at = |(path, error): walk::At| io(source, &path, error);
    walk.root(&root).map_err(at)?;
    let mut found = Found::default();
    for path in walk.files.keys() {
        if !table.files.contains_key(path) {
            let extension = extension(&file_name(path));
            found.pass_over(&extension, Reason::NotInTable, &relative(&root, path));
        }
    }
    let mut files = Vec::with_capacity(table.files.len());
    for (path, partitions) in table.files {
        let meta = std::fs::metadata(&path).map_err(|error| io(source, &path, error))?;
        files.push(Listed {
            bytes: meta.len(),
            path,
            compression: None,
            partitions: Some(partitions),
        });
    }
    files.sort_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
    Ok(Listing {
        root,
        files,
        format: &parquet::FORMAT,
        found,
        types: table.types,
        of_table: true,
    })
}

/// The one format that the names state. Several formats at one path are refused: the program cannot know which of them counts.
fn format_of(
    source: &Source,
    root: &Path,
    entries: &[Entry],
    single: bool,
) -> Result<&'static SourceFormat, IngestError> {
    let mut named_formats: Vec<(&'static SourceFormat, Found)> = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.underscore || single) {
        let name = file_name(&entry.path);
        let Some(format) = named(&name).format else {
            continue;
        };
        let at = match named_formats.iter().position(|(known, _)| *known == format) {
            Some(at) => at,
            None => {
                named_formats.push((format, Found::default()));
                named_formats.len() - 1
            }
        };
        let shown = relative(root, &entry.path);
        named_formats[at].1.second_names.add(&shown);
    }
    match named_formats.as_slice() {
        [(format, _)] => Ok(format),
        [] => {
            if let [only] = entries
                && single
                && only.irregular.is_none()
                && let Some(format) = formats::of_beginning(&only.path)
            {
                return Ok(format);
            }
            let mut found = Found::default();
            for entry in entries {
                let reason = if entry.underscore {
                    Reason::Underscore
                } else {
                    Reason::UnknownFormat
                };
                let name = file_name(&entry.path);
                found.pass_over(&extension(&name), reason, &relative(root, &entry.path));
            }
            Err(no_files(source, &found))
        }
        several => {
            let found: Vec<String> = several
                .iter()
                .map(|(format, files)| format!("{}: {}", format.shown, files.second_names.text()))
                .collect();
            Err(IngestError::SeveralFormats {
                source_name: source.name.value.clone(),
                path: source.path.value.clone(),
                found: found.join("; "),
            })
        }
    }
}

fn no_files(source: &Source, found: &Found) -> IngestError {
    let mut there = String::new();
    let mut helps: Vec<String> = Vec::new();
    for alike in &found.passed_over {
        there.push_str(&format!("; not read: {}", alike.text()));
        let what = help(alike, source.format.is_some());
        if !helps.contains(&what) {
            helps.push(what);
        }
    }
    for what in helps {
        there.push_str(&format!("; {what}"));
    }
    IngestError::NoFiles {
        source_name: source.name.value.clone(),
        path: source.path.value.clone(),
        format: wanted(source),
        there,
    }
}

/// Whether the path is that of a Delta table. Other tables, and parts of tables, are refused: their logs say which files count.
fn table(source: &Source, root: &Path, walk: &Walk) -> Result<bool, IngestError> {
    let refused = |folder: &Path, format: TableFormat| IngestError::Table {
        source_name: source.name.value.clone(),
        folder: folder.to_owned(),
        format: format.name(),
        advice: match format {
            TableFormat::Delta => {
                "make this folder the `path` of a source, to read its current version"
            }
            TableFormat::Iceberg | TableFormat::Hudi => {
                "export its current state to Parquet files, and read those"
            }
        },
    };
    if let [(folder, TableFormat::Delta)] = walk.tables.as_slice()
        && folder == root
        && walk.files.is_empty()
    {
        return Ok(true);
    }
    if let Some((folder, format)) = walk.tables.first() {
        return Err(refused(folder, *format));
    }
    // Files below a table's folder, whether the path names a part of it or a pattern its files.
    let mut folders: BTreeSet<&Path> = walk.files.keys().filter_map(|p| p.parent()).collect();
    let inner: Vec<&Path> = folders.iter().copied().collect();
    for folder in inner {
        folders.extend(
            folder
                .ancestors()
                .take_while(|above| above.starts_with(root)),
        );
    }
    let whole = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    folders.extend(whole.ancestors());
    for folder in folders {
        if let Some(format) = TableFormat::of(folder) {
            return Err(refused(folder, format));
        }
    }
    Ok(false)
}

/// The format of which files are looked for, or all, in words.
fn wanted(source: &Source) -> String {
    formats::stated(source).map_or_else(formats::any, |format| format.shown.to_owned())
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The path within the source, as it is shown. A `./` at the beginning says nothing, and paths that a pattern finds lack it.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    let plain = |path| Path::strip_prefix(path, ".").unwrap_or(path);
    let (root, path) = (plain(root), plain(path));
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Whether a path with `*`, `?` or brackets in it exists as it stands, while as a pattern it matches nothing else.
fn matches_itself_only(source: &Source, text: &str) -> Result<bool, IngestError> {
    let path = Path::new(text);
    if !path.exists() {
        return Ok(false);
    }
    Ok(globbed(source, text)?.iter().all(|found| found == path))
}

/// Files and folders that the pattern matches, by name; those whose names are skipped without a message are not among them.
fn globbed(source: &Source, pattern: &str) -> Result<Vec<PathBuf>, IngestError> {
    let bad = |reason: String| IngestError::BadPattern {
        source_name: source.name.value.clone(),
        pattern: pattern.to_owned(),
        reason,
    };
    glob::Pattern::new(pattern).map_err(|error| bad(error.to_string()))?;
    // Folders below `**` are walked here: links that lead in circles would not end otherwise.
    let deep = Deep::of(pattern).map_err(|error| bad(error.to_string()))?;
    let shallow = deep.as_ref().map_or(pattern, |deep| deep.begin.as_str());
    let paths = glob::glob(shallow).map_err(|error| bad(error.to_string()))?;
    let asked = Asked::of(pattern);
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            let at = error.path().to_owned();
            io(source, &at, error.into())
        })?;
        if asked.judge(&path) == Judged::Silent {
            continue;
        }
        match &deep {
            Some(deep) => files.extend(below(source, &path, deep)?),
            None => files.push(path),
        }
    }
    if files.is_empty() && !Path::new(pattern).exists() {
        return Err(IngestError::NoFiles {
            source_name: source.name.value.clone(),
            path: pattern.to_owned(),
            format: wanted(source),
            there: "; the path is a pattern, in which `*`, `?` and `[…]` match other characters: write `[[]` for a bracket, `[*]` and `[?]` for these characters".to_owned(),
        });
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// Files below a folder that match a pattern with `**`, or lie in a folder that does.
fn below(source: &Source, folder: &Path, deep: &Deep) -> Result<Vec<PathBuf>, IngestError> {
    let mut walk = Walk::default();
    let at = |(path, error): walk::At| io(source, &path, error);
    walk.root(folder).map_err(at)?;
    walk.follow_links().map_err(at)?;
    let tables = walk.tables.into_iter().map(|(folder, _)| folder);
    // Links to folders add no file: these folders are walked under their own names, or were just now.
    let second = walk.second_names.into_iter().filter(|path| !path.is_dir());
    let names = walk.files.into_keys().chain(second);
    let matching = names.filter(|path| deep.matches(folder, path));
    Ok(tables.chain(matching).collect())
}

pub(crate) fn io(source: &Source, path: &Path, error: std::io::Error) -> IngestError {
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
    IngestError::Io {
        source_name: source.name.value.clone(),
        path: path.to_owned(),
        error,
        link: match is_link {
            true => {
                "; it is a link that leads nowhere, in a circle or to what cannot be read: remove it, or bring back what it leads to"
            }
            false => "",
        },
    }
}
