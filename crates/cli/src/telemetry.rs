//! Log lines on stderr, and what happens to panics.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::arguments::{LogFormat, Output};
use crate::output::use_json_lines;

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
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_span_events(FmtSpan::NONE)
        // They would be written to stderr as well, where a closed pipe would end the run.
        .log_internal_errors(false);
    match output.log_format {
        LogFormat::Json => {
            use_json_lines();
            builder
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false)
                .init()
        }
        LogFormat::Text => builder
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .init(),
    }
    // Damaged input can make a library panic; it is caught and becomes an error that names the file.
    std::panic::set_hook(Box::new(|panic| tracing::debug!("{panic}")));
}
