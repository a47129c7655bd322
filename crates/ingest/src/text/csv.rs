//! CSV: UTF-8, a header, commas, and in every record a field for each column.

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::Path;

use ::csv::{Error, ErrorKind, ReaderBuilder, StringRecord};

use super::footer;
use super::quotes::Quotes;
use crate::digest::{BUFFER, Digested};
use crate::footer::Footer;

/// Reads the file. The error is a sentence about it, with the line.
pub(crate) fn csv(path: &Path) -> Result<Footer, String> {
    let quotes = Quotes::default();
    let input = Watched {
        file: Digested::open(path)?,
        quotes,
    };
    let mut reader = ReaderBuilder::new()
        .buffer_capacity(BUFFER)
        .from_reader(input);
    let names = header(reader.headers())?;
    let mut record = StringRecord::new();
    let mut outcome = Ok(true);
    let mut rows = 0;
    while let Ok(true) = outcome {
        outcome = reader.read_record(&mut record);
        rows += u64::from(matches!(outcome, Ok(true)));
    }
    let Watched { file, quotes } = reader.into_inner();
    // Quotation marks that do not pair up move the ends of records, so they are told first.
    if let Some(fault) = quotes.fault() {
        return Err(fault);
    }
    match outcome {
        Ok(_) => Ok(footer(file, names, rows)),
        Err(error) => Err(fault(&error)),
    }
}

fn header(read: Result<&StringRecord, Error>) -> Result<Vec<String>, String> {
    let header = read.map_err(|error| format!("its header cannot be read ({})", fault(&error)))?;
    if header.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if let (1, Some(only)) = (header.len(), header.get(0))
        && let Some(separator) = only.chars().find(|c| matches!(c, ';' | '\t' | '|'))
    {
        return Err(format!(
            "its header has no comma but {separator:?}; fields of a CSV file are separated by commas"
        ));
    }
    let mut seen = HashSet::new();
    match header.iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(format!("its header names the column `{twice}` twice")),
        None => Ok(header.iter().map(str::to_owned).collect()),
    }
}

fn fault(error: &Error) -> String {
    let line = |position: &Option<::csv::Position>| {
        let line = position.as_ref().map(::csv::Position::line);
        line.map_or_else(String::new, |line| format!("line {line}: "))
    };
    match error.kind() {
        ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => format!(
            "{}{len} fields, where the header has {expected_len}",
            line(pos)
        ),
        ErrorKind::Utf8 { pos, .. } => format!("{}not UTF-8", line(pos)),
        _ => error.to_string(),
    }
}

/// A file whose quotation marks are watched as it is read.
struct Watched {
    file: Digested,
    quotes: Quotes,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.quotes.take(&buffer[..length]);
        Ok(length)
    }
}
