//! Progress of a run on a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tessera_pipeline::{Observer, Stage, StageReport};

use crate::arguments::{LogFormat, Output};

/// A progress bar over the stages, with a line for each that is done.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A progress bar on a terminal; nothing elsewhere, where log lines show the progress.
    pub(crate) fn new(output: &Output) -> Self {
        let bar = bar(output, "{bar:24} {pos}/{len} {spinner} {msg} {elapsed}");
        Self { bar }
    }

    /// Removes the bar.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Says on a terminal that something is done, and for how long.
pub(crate) fn spinner(output: &Output, doing: &str) -> ProgressBar {
    let bar = bar(output, "{spinner} {msg} {elapsed}");
    bar.set_message(doing.to_owned());
    bar
}

/// A bar on a terminal; hidden elsewhere.
fn bar(output: &Output, template: &str) -> ProgressBar {
    let shown =
        std::io::stderr().is_terminal() && !output.quiet && output.log_format == LogFormat::Text;
    let bar = if shown {
        ProgressBar::new(0)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    if shown {
        bar.enable_steady_tick(Duration::from_millis(120));
    }
    bar
}

impl Observer for Progress {
    fn started(&self, stage: &Stage, index: usize, total: usize) {
        self.bar.set_length(total as u64);
        self.bar.set_position(index as u64);
        self.bar.set_message(stage.to_string());
    }

    fn finished(&self, stage: &Stage, report: &StageReport) {
        self.bar.println(stage.words(report));
        self.bar.inc(1);
    }
}
