//! What lies in the lake for one source: files, columns, sizes and fingerprints. Of Parquet, footers are read, never rows.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tessera_expr::rel::Stored;
use tessera_spec::pipeline::{Format, Source};

use crate::digest;
use crate::error::IngestError;
use crate::files::{io, list};
use crate::footer::{self, Footer, Found};
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
    /// Its rows, where the format states them.
    pub rows: Option<u64>,
    /// sha256 of the footer (Parquet) or of the content.
    pub fingerprint: String,
}

/// A column of a source as its files hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeColumn {
    /// Its name.
    pub name: String,
    /// How it is held, widened over all files; `None` where no file gives it a type.
    pub stored: Option<Stored>,
    /// Why it cannot be used, for nested and binary columns.
    pub unusable: Option<String>,
}

/// Files and columns of one source.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// Name of the source.
    pub source: String,
    /// Format of all files.
    pub format: Format,
    /// Files in reading order.
    pub files: Vec<LakeFile>,
    /// Columns in the order of the first file, then those of the path.
    pub columns: Vec<LakeColumn>,
}

impl Inventory {
    /// Size of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The path of a file within the source.
    pub fn relative(&self, path: &Path) -> String {
        let found = self.files.iter().find(|file| file.path == path);
        found.map_or_else(|| path.display().to_string(), |file| file.relative.clone())
    }
}

/// Takes stock of a source. With `hash_inputs` the fingerprints cover the whole content of every file.
pub fn take(source: &Source, hash_inputs: bool) -> Result<Inventory, IngestError> {
    let listing = list(source)?;
    let mut files = Vec::with_capacity(listing.files.len());
    let mut columns = Columns::default();
    for path in listing.files {
        let bytes = fs::metadata(&path)
            .map_err(|error| io(source, &path, error))?
            .len();
        let bad = |reason: String| IngestError::BadFile {
            source_name: source.name.value.clone(),
            file: path.clone(),
            reason,
        };
        let footer = match listing.format {
            Format::Parquet => footer::read(&path).map_err(bad)?,
            Format::Csv => text::csv(&path).map_err(bad)?,
            Format::Ndjson => text::ndjson(&path).map_err(bad)?,
        };
        columns.merge(source, &footer, &path, listing.format)?;
        let parquet = listing.format == Format::Parquet;
        let fingerprint = if parquet && hash_inputs {
            digest::of_file(&path).map_err(bad)?
        } else {
            footer.fingerprint.clone()
        };
        let rows = parquet.then_some(footer.rows);
        let relative = path
            .strip_prefix(&listing.root)
            .unwrap_or(&path)
            .display()
            .to_string();
        files.push(LakeFile {
            path,
            relative,
            bytes,
            rows,
            fingerprint,
        });
    }
    let mut columns = columns.list;
    add_partitions(&mut columns, &files);
    Ok(Inventory {
        source: source.name.value.clone(),
        format: listing.format,
        files,
        columns,
    })
}

/// Columns met so far, and the file each was first met in.
#[derive(Default)]
struct Columns {
    list: Vec<LakeColumn>,
    first_files: Vec<PathBuf>,
    /// The first file, once it has been merged.
    first: Option<PathBuf>,
}

impl Columns {
    fn merge(
        &mut self,
        source: &Source,
        footer: &Footer,
        path: &Path,
        format: Format,
    ) -> Result<(), IngestError> {
        for (name, found) in &footer.columns {
            let (stored, unusable) = match found {
                Found::Flat(stored) => (Some(stored.clone()), None),
                Found::Untyped => (None, None),
                Found::Unusable(ty) => (None, Some(ty.clone())),
            };
            let Some(index) = self.list.iter().position(|column| &column.name == name) else {
                if let (Some(first), false) = (&self.first, format == Format::Ndjson) {
                    return Err(missing(source, name, first));
                }
                self.list.push(LakeColumn {
                    name: name.clone(),
                    stored,
                    unusable,
                });
                self.first_files.push(path.to_owned());
                continue;
            };
            let known = &mut self.list[index];
            match (&known.stored, stored) {
                (Some(a), Some(b)) => match wider(a, &b) {
                    Some(wide) => known.stored = Some(wide),
                    None => {
                        return Err(IngestError::Disagreement {
                            source_name: source.name.value.clone(),
                            column: name.clone(),
                            first: describe(a),
                            first_file: self.first_files[index].clone(),
                            second: describe(&b),
                            second_file: path.to_owned(),
                        });
                    }
                },
                (None, Some(b)) => known.stored = Some(b),
                (_, None) => {}
            }
        }
        let names: HashSet<&str> = footer
            .columns
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        match self
            .list
            .iter()
            .find(|column| format != Format::Ndjson && !names.contains(column.name.as_str()))
        {
            Some(column) => Err(missing(source, &column.name, path)),
            None => {
                self.first.get_or_insert_with(|| path.to_owned());
                Ok(())
            }
        }
    }
}

fn missing(source: &Source, column: &str, file: &Path) -> IngestError {
    IngestError::MissingInFile {
        source_name: source.name.value.clone(),
        column: column.to_owned(),
        file: file.to_owned(),
    }
}

/// The narrowest way to hold both without loss.
fn wider(a: &Stored, b: &Stored) -> Option<Stored> {
    use Stored::{Dictionary, Float, Int, String, Timestamp};
    if a == b {
        return Some(a.clone());
    }
    Some(match (a, b) {
        (Int { bits: x, signed: s }, Int { bits: y, signed: t }) if s == t => Int {
            bits: *x.max(y),
            signed: *s,
        },
        (
            Int {
                bits: unsigned,
                signed: false,
            },
            Int {
                bits: other,
                signed: true,
            },
        )
        | (
            Int {
                bits: other,
                signed: true,
            },
            Int {
                bits: unsigned,
                signed: false,
            },
        ) if *unsigned < 64 => Int {
            bits: (*unsigned * 2).max(*other),
            signed: true,
        },
        (Float { .. }, Float { .. }) => Float { bits: 64 },
        (Int { bits, .. }, Float { .. }) | (Float { .. }, Int { bits, .. }) if *bits <= 32 => {
            Float { bits: 64 }
        }
        (String, Dictionary) | (Dictionary, String) => String,
        (Timestamp { zone: x, .. }, Timestamp { zone: y, .. }) if x == y => Timestamp {
            ticks_per_second: 1_000_000,
            zone: x.clone(),
        },
        _ => return None,
    })
}

/// A stored type in words.
pub(crate) fn describe(stored: &Stored) -> String {
    match stored {
        Stored::Bool => "bool".to_owned(),
        Stored::Int { bits, signed } => format!("{}{bits}", if *signed { 'i' } else { 'u' }),
        Stored::Float { bits } => format!("f{bits}"),
        Stored::Decimal { precision, scale } => format!("decimal({precision}, {scale})"),
        Stored::String | Stored::Dictionary | Stored::Text | Stored::HivePath => {
            "string".to_owned()
        }
        Stored::Date => "date".to_owned(),
        Stored::Timestamp {
            zone: Some(zone), ..
        } => format!("timestamp in {zone}"),
        Stored::Timestamp { zone: None, .. } => "timestamp without a zone".to_owned(),
    }
}

/// Columns that stand in the path as `name=value`, where no file has one of that name.
fn add_partitions(columns: &mut Vec<LakeColumn>, files: &[LakeFile]) {
    for file in files {
        for part in file.relative.split('/') {
            if let Some((name, _)) = part.split_once('=')
                && !columns.iter().any(|column| column.name == name)
            {
                columns.push(LakeColumn {
                    name: name.to_owned(),
                    stored: Some(Stored::HivePath),
                    unusable: None,
                });
            }
        }
    }
}
