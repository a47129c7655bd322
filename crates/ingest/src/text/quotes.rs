//! Quotation marks of a CSV file. A parser accepts marks that do not pair up; here they are faults, since they
//! make one record of many.

use std::collections::VecDeque;

use memchr::{memchr, memchr_iter, memrchr2};

use super::MAX_RECORD_BYTES;

/// Where in a record a byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    FieldStart,
    Bare,
    Quoted,
    /// After a mark that ends a quoted field, unless a second one follows.
    Closing,
}

/// A field that goes on after its quotation marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trailing {
    /// Its place in the text.
    byte: u64,
    /// The line in which the field begins, from 1.
    opened: u64,
    /// The line in which it goes on.
    line: u64,
}

/// Follows the quotation marks of a text, piece by piece.
#[derive(Debug)]
pub(crate) struct Quotes {
    delimiter: u8,
    quote: Option<u8>,
    place: Place,
    /// Bytes so far.
    bytes: u64,
    /// Lines ended.
    lines: u64,
    /// Line in which the last quoted field began.
    opened: u64,
    /// Where the present record began.
    record: u64,
    found: VecDeque<Trailing>,
}

impl Quotes {
    /// At the start of a text whose first line has this number.
    pub(crate) fn new(delimiter: u8, quote: Option<u8>, line: u64) -> Self {
        Self {
            delimiter,
            quote,
            place: Place::FieldStart,
            bytes: 0,
            lines: line - 1,
            opened: 0,
            record: 0,
            found: VecDeque::new(),
        }
    }

    /// The next bytes. The error is a sentence about a record that is too long.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        let plain = self
            .quote
            .is_none_or(|quote| memchr(quote, bytes).is_none());
        match self.place {
            Place::FieldStart | Place::Bare if plain => self.pass(bytes),
            Place::Quoted if plain => {
                self.lines += memchr_iter(b'\n', bytes).count() as u64;
                self.bytes += bytes.len() as u64;
            }
            _ => bytes.iter().for_each(|byte| self.step(*byte)),
        }
        if self.bytes - self.record > MAX_RECORD_BYTES as u64 {
            return Err(self.too_long());
        }
        Ok(())
    }

    /// Bytes without a quotation mark, outside of quoted fields.
    fn pass(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last() {
            let ends = *last == self.delimiter || matches!(last, b'\n' | b'\r');
            self.place = if ends { Place::FieldStart } else { Place::Bare };
        }
        if let Some(end) = memrchr2(b'\n', b'\r', bytes) {
            self.record = self.bytes + end as u64 + 1;
        }
        self.lines += memchr_iter(b'\n', bytes).count() as u64;
        self.bytes += bytes.len() as u64;
    }

    fn step(&mut self, byte: u8) {
        let mark = Some(byte) == self.quote;
        self.place = match self.place {
            Place::Quoted if mark => Place::Closing,
            Place::Closing if mark => Place::Quoted,
            Place::FieldStart if mark => {
                self.opened = self.lines + 1;
                Place::Quoted
            }
            Place::Quoted => Place::Quoted,
            _ if byte == self.delimiter => Place::FieldStart,
            _ if matches!(byte, b'\n' | b'\r') => {
                self.record = self.bytes + 1;
                Place::FieldStart
            }
            Place::Closing => {
                self.found.push_back(Trailing {
                    byte: self.bytes,
                    opened: self.opened,
                    line: self.lines + 1,
                });
                Place::Bare
            }
            Place::FieldStart | Place::Bare => Place::Bare,
        };
        self.lines += u64::from(byte == b'\n');
        self.bytes += 1;
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes so far of the present record.
    pub(crate) fn record_bytes(&self) -> usize {
        (self.bytes - self.record) as usize
    }

    fn too_long(&self) -> String {
        let limit = MAX_RECORD_BYTES >> 20;
        if self.place == Place::Quoted {
            return format!(
                "line {}: a quotation mark is not closed within {limit} MiB, the largest size of a record",
                self.opened
            );
        }
        let line = self.lines + 1;
        format!("line {line}: a record is larger than {limit} MiB")
    }

    /// What is wrong with the marks of a record that ends before this place, if anything.
    pub(crate) fn fault_before(&mut self, byte: u64) -> Option<String> {
        let mut first = None;
        while let Some(next) = self.found.front().copied().filter(|next| next.byte < byte) {
            first.get_or_insert(next);
            self.found.pop_front();
        }
        let Trailing { opened, line, .. } = first?;
        let place = if opened == line {
            String::new()
        } else {
            format!(" (opened in line {opened}, closed in line {line})")
        };
        Some(format!(
            "a field continues after its closing quotation mark{place}; quotation marks inside a field must be doubled"
        ))
    }

    /// Whether a quoted field is open where the text ends.
    pub(crate) fn unclosed(&self) -> Result<(), String> {
        if self.place != Place::Quoted {
            return Ok(());
        }
        Err(format!(
            "line {}: a quotation mark is not closed; a field that contains quotation marks must be enclosed in them, with those inside doubled; if they are part of the text, set `text = {{ quote = \"\" }}`",
            self.opened
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotes(text: &str, piece: usize) -> Quotes {
        let mut quotes = Quotes::new(b',', Some(b'"'), 1);
        for part in text.as_bytes().chunks(piece) {
            quotes.take(part).unwrap();
        }
        quotes
    }

    #[test]
    fn marks_that_pair_up_are_well() {
        for text in [
            "a,b\n1,\"x \"\"y\"\", z\"\r\n2,\"\"\n",
            "a,b\n1,\"two\nlines\"\n",
            "a,b\n1,5\" wide\n",
            "a,b\n1,\"closed at the end\"",
        ] {
            for piece in [1, 3, 100] {
                let mut found = quotes(text, piece);
                assert_eq!(found.unclosed(), Ok(()), "{text}");
                assert_eq!(found.fault_before(u64::MAX), None, "{text}");
            }
        }
    }

    #[test]
    fn marks_that_do_not_are_found_with_their_line() {
        for piece in [1, 3, 100] {
            let error = quotes("a,b\n1,\"x\n2,y\n", piece).unclosed().unwrap_err();
            assert!(error.starts_with("line 2: a quotation mark is not closed"));
            let mut found = quotes("a,b\n1,2\n1,\"two\nlines\" more\n2,y", piece);
            assert_eq!(found.fault_before(8), None);
            let fault = found.fault_before(26).unwrap();
            assert!(
                fault.contains("opened in line 3, closed in line 4"),
                "{fault}"
            );
            assert_eq!(found.fault_before(u64::MAX), None);
        }
    }

    #[test]
    fn a_record_has_a_largest_size() {
        let mut found = quotes("a,b\n1,\"", 3);
        let much = vec![b'x'; MAX_RECORD_BYTES];
        let error = found.take(&much).unwrap_err();
        assert!(error.starts_with("line 2: a quotation mark is not closed within 16 MiB"));
        let error = quotes("a,b\n", 3)
            .take(&[b"1,", much.as_slice()].concat())
            .unwrap_err();
        assert!(error.starts_with("line 2: a record is larger than 16 MiB"));
    }
}
