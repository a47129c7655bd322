//! Files that are not UTF-8: in which encoding they are, and where that shows.

use std::fmt;
use std::io;

use crate::diagnostic::{Diagnostic, Diagnostics};

/// What is in a pipeline file that is not UTF-8.
#[derive(Debug)]
struct NotUtf8 {
    bytes: Vec<u8>,
    /// The first byte that no character begins with.
    at: usize,
}

impl fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is no text")
    }
}

impl std::error::Error for NotUtf8 {}

/// The text of a file.
///
/// # Errors
/// `InvalidData` where it is not UTF-8; [`described`] states where.
pub(super) fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.into_bytes();
        io::Error::new(io::ErrorKind::InvalidData, NotUtf8 { bytes, at })
    })
}

/// What is wrong with a file that is not UTF-8; `None` for other errors, and for files that are no texts.
pub(super) fn described(file_name: &str, error: &io::Error) -> Option<Diagnostics> {
    let NotUtf8 { bytes, at } = error.get_ref()?.downcast_ref::<NotUtf8>()?;
    let found = |text: &str, problem: Diagnostic| {
        let mut found = Diagnostics::new(file_name, text);
        found.extend([problem]);
        Some(found)
    };
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = bytes.as_slice() {
        let message = format!("{file_name} is UTF-16, not UTF-8");
        let problem = Diagnostic::error("TS-P000", message, 0..0);
        return found("", problem.with_help("save the file as UTF-8"));
    }
    if bytes.contains(&0) {
        return None;
    }
    let byte = bytes.get(*at)?;
    // Up to that byte the text is that of the file; there it has a mark, which stands for what is no character.
    let text = String::from_utf8_lossy(bytes);
    let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
    let message = format!("{file_name} is not UTF-8");
    let problem = Diagnostic::error("TS-P000", message, *at..end)
        .with_label(format!("the byte 0x{byte:02X} is no character"))
        .with_help("save the file as UTF-8; it may be Latin-1 or Windows-1252 now");
    found(&text, problem)
}
