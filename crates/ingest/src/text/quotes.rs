//! Quotation marks of a CSV file. A parser takes what it finds for the best; here, marks that do not pair up are a fault, since they
//! make one record of many.

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

/// Follows the quotation marks of a file, piece by piece.
#[derive(Debug, Default)]
pub(super) struct Quotes {
    place: Place,
    /// Lines ended.
    lines: u64,
    /// Line in which the last quoted field began.
    opened: u64,
    /// An odd number of marks stands in bare fields of this record.
    odd: bool,
    fault: Option<String>,
}

impl Quotes {
    /// The next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if self.fault.is_none() {
            bytes.iter().for_each(|byte| self.step(*byte));
        }
    }

    fn step(&mut self, byte: u8) {
        self.place = match (self.place, byte) {
            (Place::Quoted, b'"') => Place::Closing,
            (Place::Quoted, _) => Place::Quoted,
            (Place::Closing, b'"') => Place::Quoted,
            (Place::FieldStart, b'"') => {
                self.opened = self.lines + 1;
                Place::Quoted
            }
            (_, b',') => Place::FieldStart,
            (_, b'\n' | b'\r') => {
                if self.odd {
                    self.note(self.lines + 1, "a quotation mark without its pair");
                }
                self.odd = false;
                Place::FieldStart
            }
            (Place::Closing, _) => {
                self.note(self.lines + 1, "a field goes on after its quotation marks");
                Place::Bare
            }
            (Place::FieldStart | Place::Bare, _) => {
                self.odd ^= byte == b'"';
                Place::Bare
            }
        };
        self.lines += u64::from(byte == b'\n');
    }

    fn note(&mut self, line: u64, what: &str) {
        if self.fault.is_none() {
            self.fault = Some(format!(
                "line {line}: {what}; a field that holds one is enclosed in them, and those inside are doubled"
            ));
        }
    }

    /// The first fault, once the file has ended.
    pub(super) fn fault(mut self) -> Option<String> {
        if self.place == Place::Quoted {
            self.note(self.opened, "a quotation mark that nothing closes");
        } else if self.odd {
            self.note(self.lines + 1, "a quotation mark without its pair");
        }
        self.fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<String> {
        let mut quotes = Quotes::default();
        text.as_bytes().chunks(3).for_each(|part| quotes.take(part));
        let fault = quotes.fault()?;
        Some(fault.split(';').next().unwrap().to_owned())
    }

    #[test]
    fn marks_that_pair_up_are_well() {
        assert_eq!(fault("a,b\n1,\"x \"\"y\"\", z\"\r\n2,\"\"\n"), None);
        assert_eq!(fault("a,b\n1,\"two\nlines\"\n"), None);
        assert_eq!(fault("a,b\n1,between 5\" and 7\" wide\n"), None);
        assert_eq!(fault("a,b\n1,\"closed at the end\""), None);
    }

    #[test]
    fn the_line_of_a_mark_that_does_not_is_told() {
        let expected = |text: &str| Some(text.to_owned());
        assert_eq!(
            fault("a,b\n\n1,5\" wide\n2,7\" wide\n"),
            expected("line 3: a quotation mark without its pair")
        );
        assert_eq!(
            fault("a,b\n1,\"x\n2,y\n"),
            expected("line 2: a quotation mark that nothing closes")
        );
        assert_eq!(
            fault("a,b\n1,\"two\nlines\" more\n2,y"),
            expected("line 3: a field goes on after its quotation marks")
        );
        assert_eq!(
            fault("a,b\n1,5\""),
            expected("line 2: a quotation mark without its pair")
        );
    }
}
