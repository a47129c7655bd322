//! CSV: records of fields (RFC 4180), by the delimiter, quotation mark and header of the settings.

use std::io::{self, Read};
use std::path::Path;

use ::csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use memchr::memchr;
use tessera_spec::FormatSyntax;
use tessera_spec::pipeline::Header;
use tessera_spec::text_keys::{
    DECIMAL, DELIMITER, ENCODING, HEADER, NULLS, QUOTE, SKIP_LINES, THOUSANDS,
};

use crate::digest::BUFFER;
use crate::footer::Footer;
use crate::formats::{Reads, SourceFormat};
use crate::text::input::Input;
use crate::text::quotes::Quotes;
use crate::text::stage::Keeper;
use crate::text::{Fault, Task, check_names, footer, not_utf8};

pub(super) static FORMAT: SourceFormat = SourceFormat {
    syntax: FormatSyntax {
        name: "csv",
        summary: "A header and, in every record, a field for each column, unless `text` says otherwise (RFC 4180).",
        text: &[
            &DELIMITER,
            &QUOTE,
            &ENCODING,
            &HEADER,
            &SKIP_LINES,
            &DECIMAL,
            &THOUSANDS,
            &NULLS,
        ],
    },
    shown: "CSV",
    endings: &["csv", "tsv"],
    further_endings: &["txt", "text", "log", "dat", "tab", "psv"],
    begins: None,
    reads: Reads::Records(read),
};

/// Reads the file.
fn read(task: &mut Task<'_>) -> Result<Footer, String> {
    let settings = task.settings;
    let stated = settings.delimiter.as_ref().map(|c| c.value as u8);
    let delimiter = stated.unwrap_or_else(|| if is_tsv(task.path) { b'\t' } else { b',' });
    let quote = settings.quote.unwrap_or(Some('"')).map(|c| c as u8);
    let mut input = Input::open(task.path, &task.watch, settings.encoding.as_deref())?;
    skip(&mut input, settings.skip_lines)?;
    let mut records = Records {
        columns_by: "the header has",
        first_line: input.line,
        before: input.position(),
        delimiter,
        reader: ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .quoting(quote.is_some())
            .quote(quote.unwrap_or(b'"'))
            .buffer_capacity(BUFFER)
            .from_reader(Watched {
                quotes: Quotes::new(delimiter, quote, input.line),
                input,
                ends: None,
                last: 0,
                kept: Vec::new(),
            }),
    };
    let mut record = ByteRecord::new();
    let mut there = records.next(&mut record)?;
    let names = match &settings.header {
        Header::Names(names) => {
            records.columns_by = "`header` names";
            names.clone()
        }
        Header::Absent if !task.declared.is_empty() => {
            records.columns_by = "the contract declares";
            declared(task, &record)
        }
        // Nothing else says which columns there are.
        _ if !there => return Err("the file is empty".to_owned()),
        Header::Absent => {
            records.columns_by = "the first record has";
            (1..=record.len()).map(|n| format!("column_{n}")).collect()
        }
        Header::FirstRecord => {
            let names = records.header(&record)?;
            there = records.next(&mut record)?;
            names
        }
    };
    check_names(&names)?;
    let mut keeper = Keeper::new(task, names)?;
    while there {
        records.keep(&record, &mut keeper);
        keeper.flush_if_full()?;
        there = records.next(&mut record)?;
    }
    let Watched { input, quotes, .. } = records.reader.into_inner();
    quotes.unclosed()?;
    let (names, rows) = keeper.finish()?;
    footer(&names, rows, input)
}

/// The records of a file, one after the other.
struct Records {
    reader: Reader<Watched>,
    /// What says which columns there are, before their number.
    columns_by: &'static str,
    delimiter: u8,
    /// Line of the file in which the text begins that the reader sees.
    first_line: u64,
    /// Bytes of text before it.
    before: u64,
}

impl Records {
    /// Reads the next record; false at the end.
    fn next(&mut self, record: &mut ByteRecord) -> Result<bool, String> {
        self.reader
            .read_byte_record(record)
            .map_err(|error| match error.into_kind() {
                ErrorKind::Io(error) => error.to_string(),
                other => format!("{other:?}"),
            })
    }

    fn line(&self, record: &ByteRecord) -> u64 {
        let Some(position) = record.position() else {
            return self.first_line;
        };
        // The reader takes the line feed behind a carriage return for the first byte of the next record.
        let behind =
            self.reader.get_ref().ends == Some(LineEnd::CarriageReturn) && position.byte() > 0;
        position.line() + u64::from(behind) + self.first_line - 1
    }

    /// What is wrong with a record as a piece of text, if anything.
    fn fault(&mut self, record: &ByteRecord) -> Option<String> {
        let end = self.reader.position().byte();
        let Watched { input, quotes, .. } = self.reader.get_mut();
        let undecoded = input.undecoded_before(self.before + end);
        if let Some(fault) = quotes.fault_before(end) {
            return Some(fault);
        }
        if undecoded {
            return Some(
                "bytes that are invalid in the stated encoding (shown as U+FFFD)".to_owned(),
            );
        }
        not_utf8(record.as_slice()).and_then(|_| not_utf8(self.text(record)))
    }

    /// A record as it stands in the file, with its quotation marks.
    fn text(&self, record: &ByteRecord) -> &[u8] {
        let begin = record.position().map_or(0, ::csv::Position::byte);
        let text = self
            .reader
            .get_ref()
            .between(begin, self.reader.position().byte());
        // Empty lines before it, and what ends it, are no part of it.
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let ends = text.iter().rev().take_while(|byte| is_end(byte)).count();
        let text = &text[..text.len() - ends];
        let begins = text.iter().take_while(|byte| is_end(byte)).count();
        &text[begins..]
    }

    fn keep(&mut self, record: &ByteRecord, keeper: &mut Keeper<'_>) {
        let line = self.line(record);
        let (found, wanted) = (record.len(), keeper.width());
        let problem = self.fault(record).or_else(|| {
            let by = self.columns_by;
            (found != wanted).then(|| format!("{found} fields, but {by} {wanted}"))
        });
        if let Some(problem) = problem {
            keeper.broken(&Fault {
                line,
                problem: &problem,
                record: self.text(record),
            });
            return;
        }
        for (column, field) in record.iter().enumerate() {
            // The whole record is UTF-8, and so is each field of it.
            let value = str::from_utf8(field).ok().filter(|value| !value.is_empty());
            keeper.value(column, value, line);
        }
        keeper.end_row();
    }

    /// The names of the columns.
    fn header(&mut self, record: &ByteRecord) -> Result<Vec<String>, String> {
        let line = self.line(record);
        if let Some(fault) = self.fault(record) {
            return Err(format!("line {line}: its header cannot be read: {fault}"));
        }
        let fields: Vec<&[u8]> = record.iter().collect();
        if let Some(sign) = stated_sign(&fields.join(&self.delimiter)) {
            let setting = serde_json::Value::from(sign.to_string());
            return Err(format!(
                "line {line} is no header: Excel writes it to state the delimiter; set `text = {{ delimiter = {setting}, skip_lines = {line} }}`"
            ));
        }
        let names: Vec<String> = record
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_owned())
            .collect();
        if let [only] = names.as_slice()
            && let Some(found) = only.chars().find(|c| matches!(c, ',' | ';' | '\t' | '|'))
        {
            let stated = match self.delimiter {
                b',' => "comma".to_owned(),
                other => format!("{:?}", char::from(other)),
            };
            let setting = serde_json::Value::from(found.to_string());
            return Err(format!(
                "its header has {found:?} and no {stated}: set `delimiter = {setting}`, as in `text = {{ delimiter = {setting} }}`"
            ));
        }
        let nameless = names.iter().filter(|name| name.is_empty()).count();
        if nameless > 1 {
            return Err(format!(
                "line {line}: {nameless} columns of its header have no name; if the names are in a later line, set `skip_lines`"
            ));
        }
        Ok(names)
    }
}

/// The columns of a file without a header: those of the contract. Columns of the path are among them only where the first record
/// has a field for each.
fn declared(task: &Task<'_>, first: &ByteRecord) -> Vec<String> {
    let all: Vec<&str> = task
        .declared
        .iter()
        .map(|c| c.name.value.as_str())
        .collect();
    let is_field = |name: &&str| !task.in_path.iter().any(|(in_path, _)| in_path == name);
    let own = all.iter().copied().filter(is_field);
    match first.len() == all.len() {
        true => all.iter().map(|name| (*name).to_owned()).collect(),
        false => own.map(str::to_owned).collect(),
    }
}

/// The delimiter of a line such as `sep=;`.
fn stated_sign(line: &[u8]) -> Option<char> {
    let (word, sign) = line.split_at_checked("sep=".len())?;
    let sign = match sign {
        [sign] if sign.is_ascii() => char::from(*sign),
        _ => return None,
    };
    word.eq_ignore_ascii_case(b"sep=").then_some(sign)
}

/// Whether a file's name says that tabs separate its fields.
fn is_tsv(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    name.ends_with(".tsv") || name.contains(".tsv.")
}

/// Passes over the first lines. They end with a line feed; with a carriage return where the text has no line feed.
fn skip(input: &mut Input, lines: u64) -> Result<(), String> {
    while lines > 0 && input.rest().len() < LINE_END_WITHIN && !input.ended() {
        input.more()?;
    }
    let has = |end: u8| memchr(end, input.rest()).is_some();
    let end = match !has(b'\n') && has(b'\r') {
        true => b'\r',
        false => b'\n',
    };
    for _ in 0..lines {
        loop {
            if let Some(at) = memchr(end, input.rest()) {
                input.consume(at + 1, 1);
                break;
            }
            if input.ended() {
                return Err(format!(
                    "it has fewer than the {lines} lines of `skip_lines`"
                ));
            }
            input.more()?;
        }
    }
    Ok(())
}

/// Bytes within which a text shows how its lines end.
const LINE_END_WITHIN: usize = 1 << 16;

/// A text whose quotation marks are watched as it is read.
struct Watched {
    input: Input,
    quotes: Quotes,
    /// How the first line ends.
    ends: Option<LineEnd>,
    /// The last byte of the piece before.
    last: u8,
    /// The last bytes that were read, from the beginning of the record that they are of.
    kept: Vec<u8>,
}

/// What stands at the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    LineFeed,
    /// With a line feed behind it.
    CarriageReturn,
}

impl Watched {
    /// Keeps a piece beside what was read of the record in which it begins.
    fn keep(&mut self, piece: &[u8]) {
        let of_record = self.quotes.record_bytes().min(self.kept.len());
        self.kept.drain(..self.kept.len() - of_record);
        self.kept.extend_from_slice(piece);
    }

    /// The text between two places; nothing of what is kept no more.
    fn between(&self, begin: u64, end: u64) -> &[u8] {
        let first = self.quotes.bytes() - self.kept.len() as u64;
        let at = |place: u64| (place.saturating_sub(first) as usize).min(self.kept.len());
        self.kept.get(at(begin)..at(end)).unwrap_or_default()
    }

    fn watch_line_end(&mut self, piece: &[u8]) {
        if let (None, Some(at)) = (self.ends, memchr(b'\n', piece)) {
            let before = at.checked_sub(1).map_or(self.last, |before| piece[before]);
            self.ends = Some(match before {
                b'\r' => LineEnd::CarriageReturn,
                _ => LineEnd::LineFeed,
            });
        }
        self.last = piece.last().copied().unwrap_or(self.last);
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.input.rest().is_empty() && !self.input.ended() {
            self.input.more().map_err(io::Error::other)?;
        }
        let rest = self.input.rest();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.keep(&buffer[..length]);
        self.quotes
            .take(&buffer[..length])
            .map_err(io::Error::other)?;
        self.watch_line_end(&buffer[..length]);
        self.input.consume(length, 0);
        Ok(length)
    }
}
