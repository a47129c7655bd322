//! What the name of a file says: its format, its compression, or that it is not data.

use serde::Serialize;

use crate::formats::{self, FORMATS, SourceFormat};
use crate::found::{PassedOver, Reason};

/// How a text file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    Gzip,
    Zstd,
    Bzip2,
}

/// What a name says of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Named {
    pub(crate) format: Option<&'static SourceFormat>,
    pub(crate) compression: Option<Compression>,
}

/// Format and compression by the extension, in letters of any case.
pub(crate) fn named(name: &str) -> Named {
    let name = name.to_lowercase();
    let (inner, compression) = match name.rsplit_once('.') {
        Some((inner, "gz" | "gzip")) => (inner, Some(Compression::Gzip)),
        Some((inner, "zst" | "zstd")) => (inner, Some(Compression::Zstd)),
        Some((inner, "bz2")) => (inner, Some(Compression::Bzip2)),
        _ => (name.as_str(), None),
    };
    let ending = inner.rsplit_once('.').map(|(_, ending)| ending);
    let format = ending.and_then(formats::of_ending);
    // Parquet compresses its pages; `x.parquet.gz` is no Parquet file.
    let format = format.filter(|format| format.is_text() || compression.is_none());
    Named {
        format,
        compression,
    }
}

/// Whether a file whose name says nothing of a format is read once `format` states it: files without an extension, as Hive
/// and UNLOAD write them, and text files under the names that programs give them.
pub(crate) fn fits(name: &str, stated: &SourceFormat) -> bool {
    let name = name.to_lowercase();
    let inner = ["gz", "gzip", "zst", "zstd", "bz2"]
        .iter()
        .find_map(|end| name.strip_suffix(end)?.strip_suffix('.'));
    if inner.is_some() && !stated.is_text() {
        return false;
    }
    match inner.unwrap_or(&name).rsplit_once('.') {
        None => true,
        // `part-00000-….c000` is how Spark numbers its files.
        Some((_, extension)) if is_part_number(extension) => true,
        Some((_, extension)) => stated.further_endings.contains(&extension),
    }
}

fn is_part_number(extension: &str) -> bool {
    let digits = extension.strip_prefix('c').unwrap_or(extension);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The extension under which a file that is not read is counted, in lower case; with the one before it where it is compressed.
pub(crate) fn extension(name: &str) -> String {
    let name = name.to_lowercase();
    let Some((inner, extension)) = name.rsplit_once('.') else {
        return String::new();
    };
    match inner.rsplit_once('.') {
        Some((_, before)) if matches!(extension, "gz" | "gzip" | "zst" | "zstd" | "bz2") => {
            format!("{before}.{extension}")
        }
        _ => extension.to_owned(),
    }
}

/// What to do with files of these extensions, which no format reads, if they are data.
const OTHERS: [(&[&str], &str); 3] = [
    (
        &["xlsx", "xlsm", "xlsb", "xls", "ods"],
        "save their sheets as CSV",
    ),
    (
        &[
            "zip", "7z", "rar", "tar", "tar.gz", "tar.zst", "tar.bz2", "tgz", "xz", "lz4", "br",
            "snappy",
        ],
        "unpack them",
    ),
    (
        &[
            "avro", "orc", "arrow", "feather", "ipc", "sas7bdat", "sav", "dta", "rds",
        ],
        "write them as Parquet or CSV",
    ),
];

/// What to do with files that are not read if they are data; `is_stated` is whether the source states a format.
pub(crate) fn help(files: &PassedOver, is_stated: bool) -> String {
    let extension = files.extension.as_str();
    let name = match extension {
        "" => "x".to_owned(),
        extension => format!("x.{extension}"),
    };
    let read_if_stated = || FORMATS.iter().any(|format| fits(&name, format));
    match files.reason {
        Reason::OtherFormat => "make a separate source for these files".to_owned(),
        Reason::UnknownFormat if !is_stated && read_if_stated() => formats::to_state(),
        _ => {
            let mut others = OTHERS.iter();
            let found = others.find(|(endings, _)| endings.contains(&extension));
            let what = found.map_or("rename them", |(_, what)| what);
            format!("if these are data, {what}")
        }
    }
}

/// Names that are skipped without a message; docs/lakes.md lists them.
pub(crate) fn is_silent(name: &str) -> bool {
    let lower = name.to_lowercase();
    if lower.starts_with('.') {
        return true;
    }
    if matches!(
        lower.as_str(),
        "_success"
            | "_metadata"
            | "_common_metadata"
            | "_delta_log"
            | "_symlink_format_manifest"
            | "_spark_metadata"
            | "_temporary"
    ) || lower.starts_with("_committed_")
        || lower.starts_with("_started_")
    {
        return true;
    }
    match lower.rsplit_once('.') {
        Some((_, "crc" | "md5" | "sha1" | "sha256" | "sha512")) => true,
        Some((stem, "json")) => is_sidecar(stem),
        _ => false,
    }
}

/// Whether a name is reported and not read, and all below it. A partition whose column begins with `_` is a partition.
pub(crate) fn is_underscore(name: &str) -> bool {
    name.starts_with('_') && !name.contains('=')
}

/// Whether a `.json` file describes data instead of holding it: `orders.parquet.json`, `manifest.json`, `orders.schema.json`.
fn is_sidecar(stem: &str) -> bool {
    let last = stem.rsplit(['.', '_', '-']).next().unwrap_or(stem);
    matches!(last, "manifest" | "schema" | "metadata" | "meta") || named(stem).format.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_compressions_follow_from_the_extension() {
        let of = |name: &str| {
            let named = named(name);
            let format = named.format.map(|format| format.syntax.name);
            (format, named.compression)
        };
        assert_eq!(of("a.PARQ"), (Some("parquet"), None));
        assert_eq!(of("a.snappy.parquet"), (Some("parquet"), None));
        assert_eq!(of("a.csv.gz"), (Some("csv"), Some(Compression::Gzip)));
        assert_eq!(
            of("a.NDJSON.bz2"),
            (Some("ndjson"), Some(Compression::Bzip2))
        );
        assert_eq!(of("a.parquet.gz").0, None);
        assert_eq!(of("000001_0"), (None, None));
        assert_eq!(of("backup.csv.old"), (None, None));
    }

    #[test]
    fn a_stated_format_takes_files_without_an_extension() {
        let fits = |name: &str, format: &str| {
            let stated = formats::of_ending(format).unwrap();
            fits(name, stated)
        };
        assert!(fits("000001_0", "parquet"));
        assert!(fits("part-00000-1.c000", "parquet"));
        assert!(fits("0001_part_00.gz", "csv"));
        assert!(fits("orders.TXT", "csv"));
        assert!(!fits("0001_part_00.gz", "parquet"));
        assert!(!fits("README.md", "csv"));
    }

    #[test]
    fn sidecars_and_checksums_are_silent_and_data_is_not() {
        for name in [
            ".part-0.parquet.crc",
            "part-0.parquet.crc",
            "_SUCCESS",
            "_metadata",
            "orders.parquet.json",
            "manifest.json",
            "orders_schema.json",
        ] {
            assert!(is_silent(name), "{name}");
        }
        for name in ["orders.json", "_orders.parquet", "README.md", "json"] {
            assert!(!is_silent(name), "{name}");
        }
        assert_eq!(extension("a.csv.GZ"), "csv.gz");
        assert_eq!(extension("README"), "");
    }
}
