//! The files of a source: one file, a folder, or a glob.

use std::fs;
use std::path::{Path, PathBuf};

use tessera_spec::pipeline::{Format, Source};

use crate::error::IngestError;

/// Files of a source with the folder that their names are relative to.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The folder, or the folder of the single file, or the part of a glob before its first wildcard.
    pub(crate) root: PathBuf,
    /// Files in reading order: sorted by path, byte by byte.
    pub(crate) files: Vec<PathBuf>,
    /// Format of all of them.
    pub(crate) format: Format,
}

/// Lists the files. Names that begin with `.` or `_` are passed over, as every engine does.
pub(crate) fn list(source: &Source) -> Result<Listing, IngestError> {
    let text = source.path.value.as_str();
    let path = Path::new(text);
    let (root, mut files) = if text.contains(['*', '?', '[']) {
        (glob_root(text), globbed(source, text)?)
    } else {
        let meta = fs::metadata(path).map_err(|error| io(source, path, error))?;
        if meta.is_dir() {
            let mut files = Vec::new();
            walk(source, path, &mut files)?;
            (path.to_owned(), files)
        } else {
            (
                path.parent().map(Path::to_owned).unwrap_or_default(),
                vec![path.to_owned()],
            )
        }
    };
    let format = source
        .format
        .or_else(|| files.iter().find_map(|file| format_of(file)))
        .unwrap_or(Format::Parquet);
    if files.len() > 1 {
        files.retain(|file| format_of(file).is_none_or(|found| found == format));
    }
    files.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    if files.is_empty() {
        return Err(IngestError::NoFiles {
            source_name: source.name.value.clone(),
            path: text.to_owned(),
            format: format_name(format),
        });
    }
    Ok(Listing {
        root,
        files,
        format,
    })
}

/// The name of a format as users know it.
pub(crate) fn format_name(format: Format) -> &'static str {
    match format {
        Format::Parquet => "Parquet",
        Format::Csv => "CSV",
        Format::Ndjson => "NDJSON",
    }
}

fn format_of(file: &Path) -> Option<Format> {
    match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "parquet" | "pq" => Some(Format::Parquet),
        "csv" => Some(Format::Csv),
        "ndjson" | "jsonl" | "json" => Some(Format::Ndjson),
        _ => None,
    }
}

fn walk(source: &Source, folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), IngestError> {
    let entries = fs::read_dir(folder).map_err(|error| io(source, folder, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| io(source, folder, error))?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(['.', '_']) {
            continue;
        }
        let path = entry.path();
        let meta = fs::metadata(&path).map_err(|error| io(source, &path, error))?;
        if meta.is_dir() {
            walk(source, &path, files)?;
        } else if format_of(&path).is_some() {
            files.push(path);
        }
    }
    Ok(())
}

fn globbed(source: &Source, pattern: &str) -> Result<Vec<PathBuf>, IngestError> {
    let paths = glob::glob(pattern).map_err(|error| IngestError::BadPattern {
        source_name: source.name.value.clone(),
        pattern: pattern.to_owned(),
        reason: error.to_string(),
    })?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            let at = error.path().to_owned();
            io(source, &at, error.into())
        })?;
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

fn glob_root(pattern: &str) -> PathBuf {
    Path::new(pattern)
        .components()
        .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']))
        .collect()
}

pub(crate) fn io(source: &Source, path: &Path, error: std::io::Error) -> IngestError {
    IngestError::Io {
        source_name: source.name.value.clone(),
        path: path.to_owned(),
        error,
    }
}
