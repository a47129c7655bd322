//! Log lines on stderr, and the handling of panics.

use std::ffi::OsString;
use std::fmt::{self, Write};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value};
use tessera_spec::diagnostic::Diagnostics;
use tessera_spec::shown;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::arguments::{LogFormat, Output};
use crate::output::{now, say_warning, use_json_lines};
use crate::panics;

/// Warnings that were logged.
static WARNINGS: AtomicU64 = AtomicU64::new(0);

/// Warnings about the pipeline file, which are shown and not logged.
static OF_FILE: AtomicU64 = AtomicU64::new(0);

/// How many warnings there were: those that were logged, and those about the pipeline file.
pub(crate) fn warnings() -> u64 {
    WARNINGS.load(Ordering::Relaxed) + OF_FILE.load(Ordering::Relaxed)
}

/// Shows the warnings about the pipeline file, also with `--quiet`. A run that starts again has the same ones.
pub(crate) fn show_warnings(found: &Diagnostics) {
    if found.is_empty() {
        return;
    }
    OF_FILE.store(found.iter().count() as u64, Ordering::Relaxed);
    say_warning(found.render(false).trim_end());
}

/// Looks for `--log-format json` before the arguments are parsed, so that errors in the arguments are JSON too.
pub(crate) fn prepare(arguments: &[OsString]) {
    let texts: Vec<&str> = arguments
        .iter()
        .map(|argument| argument.to_str().unwrap_or_default())
        .take_while(|argument| *argument != "--")
        .collect();
    let stated = texts.iter().enumerate().find_map(|(at, text)| {
        let value = text.strip_prefix("--log-format")?;
        match value.strip_prefix('=') {
            Some(value) => Some(value),
            None if value.is_empty() => texts.get(at + 1).copied(),
            None => None,
        }
    });
    let json = match stated {
        Some(stated) => stated == "json",
        None => std::env::var_os("TESSERA_LOG_FORMAT").is_some_and(|format| format == "json"),
    };
    if json {
        use_json_lines();
    }
    // Damaged input can make a library panic; it is caught and becomes an error that names the file.
    std::panic::set_hook(Box::new(|panic| {
        panics::note(panic);
        tracing::debug!("{panic}");
    }));
}

/// Starts logging. `TESSERA_LOG` takes a filter such as `debug` or `tessera_engine=trace`.
pub(crate) fn start(output: &Output) {
    // On a terminal the progress bar shows the stages; a scheduler reads their log lines.
    let shown_by_bar = std::io::stderr().is_terminal() && output.log_format == LogFormat::Text;
    let default = if output.quiet || shown_by_bar {
        "warn"
    } else {
        "warn,tessera=info,tessera_pipeline=info"
    };
    let filter = EnvFilter::try_from_env("TESSERA_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    if output.log_format == LogFormat::Json {
        use_json_lines();
    }
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Such errors would be written to stderr as well, where a closed pipe would end the run.
        .log_internal_errors(false)
        .event_format(Line {
            format: output.log_format,
            terminal: std::io::stderr().is_terminal(),
        })
        .init();
}

/// One line per event: its message, and in JSON also its fields.
struct Line {
    format: LogFormat,
    terminal: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        if level == Level::WARN {
            WARNINGS.fetch_add(1, Ordering::Relaxed);
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.message;
        match self.format {
            LogFormat::Json => {
                let mut line = Map::new();
                line.insert("timestamp".to_owned(), now().into());
                line.insert("level".to_owned(), level.as_str().into());
                line.insert("message".to_owned(), message.into());
                line.extend(fields.others);
                let line = Value::Object(line).to_string();
                writeln!(writer, "{}", shown::json(&line))
            }
            LogFormat::Text => {
                let message = shown::one_line(&message);
                match (self.terminal, level) {
                    (true, Level::WARN) => writeln!(writer, "warning: {message}"),
                    (true, Level::ERROR) => writeln!(writer, "error: {message}"),
                    (true, Level::INFO) => writeln!(writer, "{message}"),
                    _ => writeln!(writer, "{} {level:>5} {message}", now()),
                }
            }
        }
    }
}

/// The fields of an event.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        self.others.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a String cannot fail.
            let _ = write!(self.message, "{value:?}");
        } else {
            self.add(field, format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.add(field, value.into());
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}
