//! Results go to stdout, messages to stderr.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use tessera_pipeline::PipelineError;
use tessera_snapshot::StoreError;
use tessera_spec::shown;

use crate::arguments::Output;

/// Why a command failed: the message on stderr, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
    /// The message is formatted already, with colours, and texts from files in it are escaped.
    rendered: bool,
    /// The mistakes as JSON; none where there is only the message.
    diagnostics: Option<serde_json::Value>,
}

/// The mistakes of an error as JSON: each with its place in the pipeline file, where it has one.
pub(crate) fn diagnostics(error: &PipelineError) -> serde_json::Value {
    match error {
        PipelineError::Invalid(found) | PipelineError::ChangedLake(found) => found.to_json(),
        PipelineError::Lake(problems, found) => {
            let of_lake = problems.iter();
            let of_lake =
                of_lake.map(|problem| serde_json::json!({"message": problem.to_string()}));
            let found = found.as_ref().map(|found| found.to_json());
            let found = found.as_ref().and_then(serde_json::Value::as_array);
            of_lake
                .chain(found.into_iter().flatten().cloned())
                .collect()
        }
        other => serde_json::json!([{"message": said(other)}]),
    }
}

/// An error, with what would heal the store where that is damaged.
fn said(error: &PipelineError) -> String {
    with_remedy(error.to_string(), error.remedy())
}

fn with_remedy(message: String, remedy: Option<String>) -> String {
    match remedy {
        Some(remedy) => format!("{message}; {remedy}"),
        None => message,
    }
}

impl Failure {
    /// An error of the program itself.
    pub(crate) fn internal(message: String) -> Self {
        Self {
            message: format!("error: internal: {message}"),
            code: 1,
            rendered: false,
            diagnostics: None,
        }
    }

    /// An I/O error: the operation, the path, and the operating system error.
    pub(crate) fn io(operation: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(format!("{operation}: {}: {error}", path.display()), 4)
    }

    /// An error with this exit code.
    pub(crate) fn new(message: impl std::fmt::Display, code: u8) -> Self {
        Self {
            message: format!("error: {message}"),
            code,
            rendered: false,
            diagnostics: None,
        }
    }

    /// The exit code of the program.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// The message without its beginning `error: `, for a summary.
    pub(crate) fn first_line(&self) -> String {
        let plain = strip_colours(&self.message);
        let first = plain.lines().next().unwrap_or_default();
        first.strip_prefix("error: ").unwrap_or(first).to_owned()
    }
}

impl Failure {
    /// Adds that nothing was published, unless the message states that already.
    pub(crate) fn nothing_published(mut self) -> Self {
        let said = "nothing was published";
        if self.code == 4 && !self.message.contains(said) {
            self.message = format!("{}; {said}", self.message.trim_end());
        }
        self
    }

    /// The mistakes as JSON, each with its place in the pipeline file, where it has one.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let message = || serde_json::json!([{"message": self.text().trim_end()}]);
        self.diagnostics.clone().unwrap_or_else(message)
    }

    /// The message without the prefix `error: `.
    pub(crate) fn text(&self) -> String {
        self.message
            .strip_prefix("error: ")
            .unwrap_or(&self.message)
            .to_owned()
    }
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        let code = error.exit_code();
        // Messages contain names of files, and a name may contain a line break.
        let message = match &error {
            PipelineError::Invalid(found) | PipelineError::ChangedLake(found) => {
                found.render(is_for_terminal())
            }
            PipelineError::Lake(problems, found) => {
                let lines = problems.iter().map(ToString::to_string);
                let lines = lines.map(|line| format!("error: {}", shown::one_line(&line)));
                let found = found.iter().map(|found| found.render(is_for_terminal()));
                lines.chain(found).collect::<Vec<_>>().join("\n")
            }
            other => format!("error: {}", shown::one_line(&said(other))),
        };
        Self {
            message,
            code,
            rendered: matches!(
                error,
                PipelineError::Invalid(_)
                    | PipelineError::ChangedLake(_)
                    | PipelineError::Lake(_, Some(_))
            ),
            diagnostics: Some(diagnostics(&error)),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = with_remedy(error.to_string(), tessera_snapshot::remedy(&error));
        Self::new(shown::one_line(&message), error.exit_code())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error.to_string())
    }
}

/// Prints the message, and returns the exit code. A command that was asked for JSON and has printed none prints the mistakes as JSON.
pub(crate) fn fail(failure: &Failure) -> ExitCode {
    print_failure(failure);
    ExitCode::from(say_failure(failure))
}

/// Prints the mistakes as JSON, where the command was asked for JSON and has printed none.
pub(crate) fn print_failure(failure: &Failure) {
    if JSON_WANTED.load(Ordering::Relaxed) && !JSON_PRINTED.load(Ordering::Relaxed) {
        let (code, diagnostics) = (failure.code, failure.to_json());
        let result =
            serde_json::json!({"ok": false, "exit_code": code, "diagnostics": diagnostics});
        // What cannot be written to stdout is stated on stderr.
        let _ = print_json(&result);
    }
}

/// Prints the message on stderr alone, for a command whose result has the mistakes as JSON; returns the exit code.
pub(crate) fn say_failure(failure: &Failure) -> u8 {
    let message = failure.message.trim_end();
    if failure.rendered {
        write_line("ERROR", message);
    } else {
        say_as("ERROR", message);
    }
    failure.code
}

/// Prints what is wrong with the arguments, with `json` also as JSON, or the output of `--help` and `--version`.
pub(crate) fn usage(error: &clap::Error, json: bool) -> ExitCode {
    let text = error.render();
    if !error.use_stderr() {
        // Help and version are written to stdout; a closed pipe is not an error.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let plain = text.to_string();
    if json {
        let first = plain.lines().next().unwrap_or_default();
        let message = first.strip_prefix("error: ").unwrap_or(first);
        let result =
            serde_json::json!({"ok": false, "exit_code": 2, "diagnostics": [{"message": message}]});
        // What cannot be written to stdout is stated on stderr below.
        let _ = print_json(&result);
    }
    let is_clean = shown::lines(&plain) == plain;
    if is_for_terminal() && is_clean {
        write_line("ERROR", text.ansi().to_string().trim_end());
    } else {
        say_as("ERROR", plain.trim_end());
    }
    ExitCode::from(2)
}

/// Reports the progress of a run: on a terminal as plain text, else as a log line.
pub(crate) fn tell(output: &Output, text: &str) {
    if !is_for_terminal() {
        tracing::info!("{text}");
    } else if !output.quiet {
        say(text);
    }
}

/// Whether stderr is a terminal.
fn is_for_terminal() -> bool {
    std::io::stderr().is_terminal() && !JSON_LINES.load(Ordering::Relaxed)
}

/// The text without colour sequences.
fn strip_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\x1b[") {
        plain.push_str(&rest[..at]);
        rest = rest[at..].find('m').map_or("", |end| &rest[at + end + 1..]);
    }
    plain.push_str(rest);
    plain
}

/// Writes text to stdout, without characters that a terminal would interpret.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_document(&shown::lines(text))
}

/// Writes to stdout as it is. A closed pipe, as with `head`, is not an error.
pub(crate) fn print_document(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            format!("the result could not be written to stdout: {error}"),
            4,
        )),
        _ => Ok(()),
    }
}

/// Writes a JSON value to stdout.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    JSON_PRINTED.store(true, Ordering::Relaxed);
    let text = serde_json::to_string_pretty(value)?;
    print_document(&format!("{}\n", shown::json(&text)))
}

/// Whether the result of the command is to be JSON.
static JSON_WANTED: AtomicBool = AtomicBool::new(false);

/// Whether a result was printed as JSON.
static JSON_PRINTED: AtomicBool = AtomicBool::new(false);

/// From now on an error is printed as JSON, too, unless the command has printed its result.
pub(crate) fn use_json_results() {
    JSON_WANTED.store(true, Ordering::Relaxed);
}

/// Whether every line of stderr is a JSON object.
static JSON_LINES: AtomicBool = AtomicBool::new(false);

/// From now on every line of stderr is a JSON object.
pub(crate) fn use_json_lines() {
    JSON_LINES.store(true, Ordering::Relaxed);
}

/// Prints a message on stderr, if it is not empty. A closed pipe is ignored.
pub(crate) fn say(text: &str) {
    say_as("INFO", text);
}

/// Prints warnings on stderr.
pub(crate) fn say_warning(text: &str) {
    say_as("WARN", text);
}

/// Prints an error on stderr.
pub(crate) fn say_error(text: &str) {
    say_as("ERROR", text);
}

fn say_as(level: &str, text: &str) {
    write_line(level, &shown::lines(text));
}

/// The time at the beginning of log lines.
pub(crate) fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

fn write_line(level: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    let _ = if JSON_LINES.load(Ordering::Relaxed) {
        let line = serde_json::json!({"timestamp": now(), "level": level, "message": text});
        writeln!(std::io::stderr(), "{}", shown::json(&line.to_string()))
    } else {
        writeln!(std::io::stderr(), "{text}")
    };
}
