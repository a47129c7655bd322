//! The file formats of sources. One file per format, one line each in [`FORMATS`].
//!
//! A format with a footer has its columns and rows read from it, and the engine reads its files. A format of records is read to its
//! end, once, and its records are kept as texts: everything after that reads what was kept.

mod csv;
mod ndjson;
pub(crate) mod parquet;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use tessera_spec::pipeline::{Format, Source};
use tessera_spec::{FormatSyntax, Key};

use crate::footer::Footer;
use crate::open::Unread;
use crate::text::Task;

/// One file format.
#[derive(Debug)]
pub struct SourceFormat {
    /// Its name, which is also that of its source file, and what of `text` has an effect on it.
    pub syntax: FormatSyntax,
    /// Its name as people know it.
    pub shown: &'static str,
    /// Ends of the names of its files, in lower case.
    pub endings: &'static [&'static str],
    /// Ends of files that are read only where `format` states the format.
    pub further_endings: &'static [&'static str],
    /// The bytes with which each of its files begins, where there are such.
    pub(crate) begins: Option<&'static [u8]>,
    /// How its files are read.
    pub(crate) reads: Reads,
}

/// How the files of a format are read.
#[derive(Debug)]
pub(crate) enum Reads {
    /// Its footer states columns and rows; the engine reads the rows.
    Footer(fn(&Path) -> Result<Footer, Unread>),
    /// All its records, once, as texts. What is wrong with the content is a sentence about the file.
    Records(fn(&mut Task<'_>) -> Result<Footer, String>),
}

/// Every format, the most usual first.
pub static FORMATS: &[&SourceFormat] = &[&parquet::FORMAT, &csv::FORMAT, &ndjson::FORMAT];

impl PartialEq for SourceFormat {
    fn eq(&self, other: &Self) -> bool {
        self.syntax.name == other.syntax.name
    }
}

impl SourceFormat {
    /// Whether its records are kept as texts.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.reads, Reads::Records(_))
    }

    /// Whether the names of its columns may stand in its first record, and values where they should be.
    pub(crate) fn has_header(&self) -> bool {
        self.syntax.takes(tessera_spec::text_keys::HEADER.name)
    }
}

/// What the pipeline file may say of every format.
pub fn syntax() -> Vec<&'static FormatSyntax> {
    FORMATS.iter().map(|format| &format.syntax).collect()
}

/// The format of that name.
fn find(format: Format) -> Option<&'static SourceFormat> {
    let mut formats = FORMATS.iter().copied();
    formats.find(|known| known.syntax.name == format.0)
}

/// The format that a source states.
pub(crate) fn stated(source: &Source) -> Option<&'static SourceFormat> {
    source.format.and_then(find)
}

/// The format whose files have this end of their names, in lower case.
pub(crate) fn of_ending(ending: &str) -> Option<&'static SourceFormat> {
    let mut formats = FORMATS.iter().copied();
    formats.find(|format| format.endings.contains(&ending))
}

/// The format whose files all begin as this one does.
pub(crate) fn of_beginning(path: &Path) -> Option<&'static SourceFormat> {
    let mut formats = FORMATS.iter().copied();
    formats.find(|format| {
        let Some(begins) = format.begins else {
            return false;
        };
        let mut found = vec![0; begins.len()];
        File::open(path)
            .and_then(|mut file| file.read_exact(&mut found))
            .is_ok_and(|()| found == begins)
    })
}

/// All formats, in words: `Parquet, CSV or NDJSON`.
pub(crate) fn any() -> String {
    alternatives(FORMATS.iter().map(|format| format.shown.to_owned()))
}

/// What to write of files whose names state no format.
pub(crate) fn to_state() -> String {
    let names = FORMATS.iter().enumerate().map(|(place, format)| {
        let name = format.syntax.name;
        match place {
            0 => format!("`format = \"{name}\"`"),
            _ => format!("\"{name}\""),
        }
    });
    let names = alternatives(names);
    format!("if these are data, set their format: {names}")
}

fn alternatives(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The formats with the names of their files and their keys, as Markdown.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Formats\n\nThe format of a source follows from the names of its files, or is stated by `format` ([lakes.md](lakes.md)). This \
         page is written by `tessera schema --formats` from the descriptions that the parser reads.\n\n| `format` | files | read only where \
         `format` is stated |\n|---|---|---|\n",
    );
    let endings = |endings: &[&str]| {
        let shown = endings.iter().map(|ending| format!("`.{ending}`"));
        shown.collect::<Vec<String>>().join(", ")
    };
    for format in FORMATS {
        let _ = writeln!(
            text,
            "| [`{0}`](#{0}) | {1} | {2} |",
            format.syntax.name,
            endings(format.endings),
            endings(format.further_endings)
        );
    }
    for format in FORMATS {
        let syntax = &format.syntax;
        let compressed = match format.is_text() {
            true => "Its files may be compressed (gzip, zstd, bzip2).",
            false => "Its files compress their own content: a compressed file is not one of them.",
        };
        let _ = write!(
            text,
            "\n## {}\n\n{} {compressed} Keys of `[sources.NAME.text]`:\n\n| key | meaning |\n|---|---|\n",
            syntax.name, syntax.summary
        );
        for key in syntax.text {
            let Key { name, help, .. } = key;
            let _ = writeln!(text, "| `{name}` | {help} |");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_registered_under_its_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/formats");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            path.file_stem().unwrap().to_string_lossy().into_owned()
        });
        let mut files: Vec<String> = names.collect();
        files.sort();
        let mut names: Vec<&str> = FORMATS.iter().map(|format| format.syntax.name).collect();
        names.sort_unstable();
        assert_eq!(names, files, "FORMATS holds one format per file");
    }

    #[test]
    fn no_ending_belongs_to_two_formats_and_every_one_is_in_the_documents() {
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/lakes.md");
        let document = std::fs::read_to_string(document).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for format in FORMATS {
            assert!(format.syntax.summary.ends_with('.') && !format.endings.is_empty());
            for ending in format.endings {
                assert!(seen.insert(ending), "{ending}");
            }
            for ending in format.endings.iter().chain(format.further_endings) {
                assert_eq!(*ending, ending.to_lowercase());
                assert!(document.contains(&format!("`.{ending}`")), "{ending}");
            }
        }
    }

    #[test]
    fn the_page_is_that_of_the_program() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == markdown(),
            "docs/formats.md is not what the program would write; regenerate it:\n\n    \
             cargo run --release -p tessera-cli -- schema --formats > docs/formats.md\n"
        );
    }

    #[test]
    fn what_to_state_names_every_format() {
        assert_eq!(any(), "Parquet, CSV or NDJSON");
        assert_eq!(
            to_state(),
            "if these are data, set their format: `format = \"parquet\"`, \"csv\" or \"ndjson\""
        );
    }
}
