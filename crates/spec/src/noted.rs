//! Operating system errors that libraries replace by messages of their own: a sink that keeps its first error, and errors parsed
//! from messages.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// The first error of a sink.
#[derive(Debug, Clone, Default)]
pub struct Failure(Arc<Mutex<Option<io::Error>>>);

impl Failure {
    /// Keeps the error, and returns an equal one.
    pub fn note(&self, error: io::Error) -> io::Error {
        let same = error
            .raw_os_error()
            .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
        if error.kind() != io::ErrorKind::Interrupted {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get_or_insert(error);
        }
        same
    }

    /// The first error, if there was one.
    pub fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A sink whose first error is kept.
#[derive(Debug)]
pub struct Noting<W> {
    sink: W,
    failure: Failure,
}

impl<W> Noting<W> {
    /// The errors of `sink` go to `failure`.
    pub fn new(sink: W, failure: Failure) -> Self {
        Self { sink, failure }
    }
}

impl<W: Write> Write for Noting<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.sink
            .write(buffer)
            .map_err(|error| self.failure.note(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush().map_err(|error| self.failure.note(error))
    }
}

/// The operating system error at the end of a library's message, if any: some libraries keep only the text of an error.
pub fn of_system(text: &str) -> Option<io::Error> {
    let (_, rest) = text.rsplit_once("(os error ")?;
    let number = rest.split_once(')')?.0.parse().ok()?;
    Some(io::Error::from_raw_os_error(number))
}

/// The operating system error without what a library added, such as the path of a file that it failed to create.
pub fn bare(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(_) => error,
        None => of_system(&error.to_string()).unwrap_or(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(28))
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::Error::from_raw_os_error(5))
        }
    }

    #[test]
    fn the_first_error_is_kept_once() {
        let failure = Failure::default();
        let mut sink = Noting::new(Full, failure.clone());
        assert_eq!(sink.write(b"x").unwrap_err().raw_os_error(), Some(28));
        assert_eq!(sink.flush().unwrap_err().raw_os_error(), Some(5));
        assert_eq!(failure.take().unwrap().raw_os_error(), Some(28));
        assert!(failure.take().is_none());
    }

    #[test]
    fn an_error_within_a_text_is_found() {
        let text = format!("Parquet error: {}", io::Error::from_raw_os_error(5));
        assert_eq!(of_system(&text).unwrap().raw_os_error(), Some(5));
        for text in ["", "EOF", "(os error x)", "(os error 5"] {
            assert!(of_system(text).is_none(), "{text}");
        }
    }
}
