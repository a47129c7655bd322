//! Results go to stdout, messages to stderr.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use tessera_pipeline::PipelineError;
use tessera_snapshot::StoreError;

/// Why a command failed: what stderr says, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// An error of the program itself.
    pub(crate) fn internal(message: String) -> Self {
        Self {
            message: format!("error: internal: {message}"),
            code: 1,
        }
    }

    /// An error with this exit code.
    pub(crate) fn new(message: impl std::fmt::Display, code: u8) -> Self {
        Self {
            message: format!("error: {message}"),
            code,
        }
    }
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        let code = error.exit_code();
        let message = match &error {
            PipelineError::Invalid(diagnostics) => {
                diagnostics.render(std::io::stderr().is_terminal())
            }
            other => format!("error: {other}"),
        };
        Self { message, code }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(&error, error.exit_code())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error, 4)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error.to_string())
    }
}

/// Prints the message, and returns the exit code.
pub(crate) fn fail(failure: &Failure) -> ExitCode {
    say_as("ERROR", failure.message.trim_end());
    ExitCode::from(failure.code)
}

/// Writes to stdout. A closed pipe, as behind `head`, is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a JSON value to stdout.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Whether every line of stderr is a JSON object.
static JSON_LINES: AtomicBool = AtomicBool::new(false);

/// From now on every line of stderr is a JSON object.
pub(crate) fn use_json_lines() {
    JSON_LINES.store(true, Ordering::Relaxed);
}

/// Prints a message on stderr, if it is not empty. A closed pipe is no reason to stop.
pub(crate) fn say(text: &str) {
    say_as("INFO", text);
}

fn say_as(level: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    let _ = if JSON_LINES.load(Ordering::Relaxed) {
        let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let line = serde_json::json!({"timestamp": now, "level": level, "message": text});
        writeln!(std::io::stderr(), "{line}")
    } else {
        writeln!(std::io::stderr(), "{text}")
    };
}
