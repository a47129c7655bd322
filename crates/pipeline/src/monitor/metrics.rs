//! The text format of Prometheus, for the textfile collector of its node exporter.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use chrono::{NaiveDate, NaiveTime};

use super::{Done, End, Record};
use crate::sources::SourceOutcome;

/// The metric whose value is kept when a run fails.
const LAST_SUCCESS: &str = "tessera_last_success_timestamp_seconds";

/// Labels of a sample.
type Labels<'a> = Vec<(&'a str, &'a str)>;

/// A value with its labels.
type Sample<'a> = (Labels<'a>, f64);

/// The text of the metrics.
struct Text {
    pipeline: String,
    text: String,
}

impl Text {
    /// A gauge with its samples; without one it is left out.
    fn gauge(&mut self, name: &str, help: &str, samples: &[(Labels<'_>, f64)]) {
        if samples.is_empty() {
            return;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let mut all = format!("pipeline=\"{}\"", escaped(&self.pipeline));
            for (label, text) in labels {
                let _ = write!(all, ",{label}=\"{}\"", escaped(text));
            }
            let _ = writeln!(self.text, "{name}{{{all}}} {value}");
        }
    }

    /// A gauge with one sample.
    fn one(&mut self, name: &str, help: &str, value: impl Into<Option<f64>>) {
        let samples: Vec<_> = value
            .into()
            .map(|value| (Vec::new(), value))
            .into_iter()
            .collect();
        self.gauge(name, help, &samples);
    }
}

/// The value of a label between its quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// The metrics of a run that ended. `last_success` is the value in the file of the previous run.
pub(super) fn text(record: &Record, end: &End<'_>, last_success: Option<f64>) -> String {
    let mut to = Text {
        pipeline: record.pipeline.clone(),
        text: String::new(),
    };
    run(&mut to, record, end, last_success);
    version(&mut to, record);
    sources(&mut to, &record.outcomes);
    stages(&mut to, &record.stages);
    to.text
}

fn run(to: &mut Text, record: &Record, end: &End<'_>, last_success: Option<f64>) {
    let program = (vec![("program", env!("CARGO_PKG_VERSION"))], 1.0);
    to.gauge(
        "tessera_run_info",
        "The program of the last run.",
        &[program],
    );
    to.one(
        "tessera_run_exit_code",
        "Exit code of the last run; 0 is success.",
        f64::from(end.exit_code),
    );
    let seconds = |at: chrono::DateTime<chrono::Utc>| at.timestamp_micros() as f64 / 1e6;
    to.one(
        "tessera_run_started_timestamp_seconds",
        "When the last run started.",
        seconds(record.started),
    );
    to.one(
        "tessera_run_finished_timestamp_seconds",
        "When the last run ended.",
        seconds(end.at),
    );
    let succeeded = if end.exit_code == 0 {
        Some(seconds(end.at))
    } else {
        last_success
    };
    to.one(
        LAST_SUCCESS,
        "When a run last ended with exit code 0.",
        succeeded,
    );
    to.one(
        "tessera_run_duration_seconds",
        "How long the last run took.",
        end.elapsed.as_secs_f64(),
    );
    to.one(
        "tessera_run_as_of_timestamp_seconds",
        "The day of the last run, at 0:00 UTC.",
        record.as_of.map(midnight),
    );
    to.one(
        "tessera_run_warnings",
        "Warnings that the last run gave.",
        end.warnings as f64,
    );
    let peak = record
        .stages
        .iter()
        .filter_map(|done| done.peak_bytes)
        .max();
    to.one(
        "tessera_run_peak_memory_bytes",
        "Most memory that the last run held.",
        peak.map(|bytes| bytes as f64),
    );
}

fn midnight(day: NaiveDate) -> f64 {
    day.and_time(NaiveTime::MIN).and_utc().timestamp() as f64
}

fn version(to: &mut Text, record: &Record) {
    let published = record.published.as_ref();
    let number = published.map(|published| published.version);
    let is_new = published.map_or(record.left.is_some(), |published| !published.already);
    to.one(
        "tessera_run_published",
        "Whether the last run published a new version.",
        f64::from(u8::from(is_new)),
    );
    to.one(
        "tessera_version",
        "The version that the last run published or found published.",
        number.or(record.left).map(|number| number as f64),
    );
    let Some(published) = published else { return };
    to.one(
        "tessera_version_bytes",
        "Size of the tables of that version.",
        published.bytes as f64,
    );
    let rows = published.rows.iter();
    let rows: Vec<_> = rows
        .map(|(table, rows)| (vec![("table", table.as_str())], *rows as f64))
        .collect();
    to.gauge(
        "tessera_table_rows",
        "Rows of each table of that version.",
        &rows,
    );
    to.one(
        "tessera_latest_as_of_timestamp_seconds",
        "The day of the version `latest`, at 0:00 UTC.",
        midnight(published.latest_as_of),
    );
}

fn sources(to: &mut Text, outcomes: &[SourceOutcome]) {
    let mut rows = Vec::new();
    let mut rules = Vec::new();
    let mut of_each: BTreeMap<&str, (&str, Vec<Sample<'_>>)> = BTreeMap::new();
    for outcome in outcomes {
        let source = ("source", outcome.name.as_str());
        let unseen = &outcome.counts.unseen;
        for (name, count) in [
            ("used", outcome.counts.used),
            ("filtered", outcome.filtered),
            ("quarantined", outcome.quarantined),
            ("dropped", outcome.dropped),
            ("future", unseen.future),
            ("unknown", unseen.unknown),
            ("pruned", unseen.pruned),
        ] {
            rows.push((vec![source, ("outcome", name)], count as f64));
        }
        for rule in outcome.rules.iter().filter(|rule| rule.rows > 0) {
            rules.push((vec![source, ("rule", rule.rule.as_str())], rule.rows as f64));
        }
        let share = outcome.rejected() as f64 / outcome.rows().max(1) as f64;
        for (name, help, value) in [
            (
                "tessera_source_files",
                "Files of a source.",
                Some(outcome.files as f64),
            ),
            (
                "tessera_source_bytes",
                "Size of the files of a source.",
                Some(outcome.bytes as f64),
            ),
            (
                "tessera_source_rejected_ratio",
                "Share of the rows up to the day that rules rejected.",
                Some(share),
            ),
            (
                "tessera_source_age_seconds",
                "From the newest used row to the close of the day.",
                outcome.age_hours.map(|hours| hours * 3600.0),
            ),
            (
                "tessera_source_gap_days",
                "Days without a used row where the source usually has some.",
                outcome.gap_days().map(|days| days as f64),
            ),
            (
                "tessera_source_warnings",
                "Warnings of a source.",
                Some(outcome.warnings.count() as f64),
            ),
        ] {
            let samples = &mut of_each.entry(name).or_insert((help, Vec::new())).1;
            samples.extend(value.map(|value| (vec![source], value)));
        }
    }
    to.gauge(
        "tessera_source_rows",
        "Rows of the files of a source by outcome.",
        &rows,
    );
    to.gauge(
        "tessera_source_rule_rows",
        "Rows that each rule quarantined, dropped or filtered.",
        &rules,
    );
    for (name, (help, samples)) in of_each {
        to.gauge(name, help, &samples);
    }
}

fn stages(to: &mut Text, done: &[Done]) {
    let mut seconds: Vec<(Labels<'_>, f64)> = Vec::new();
    let mut memory: Vec<(Labels<'_>, f64)> = Vec::new();
    for Done {
        stage,
        report,
        peak_bytes,
    } in done
    {
        let (kind, of) = stage.label();
        let labels = vec![("stage", kind), ("of", of)];
        // There is one stage for each earlier date.
        match seconds.iter_mut().find(|(known, _)| *known == labels) {
            Some((_, sum)) => *sum += report.elapsed.as_secs_f64(),
            None => seconds.push((labels.clone(), report.elapsed.as_secs_f64())),
        }
        let Some(peak) = peak_bytes.map(|bytes| bytes as f64) else {
            continue;
        };
        match memory.iter_mut().find(|(known, _)| *known == labels) {
            Some((_, most)) => *most = most.max(peak),
            None => memory.push((labels, peak)),
        }
    }
    to.gauge(
        "tessera_stage_seconds",
        "How long each stage took.",
        &seconds,
    );
    to.gauge(
        "tessera_stage_peak_memory_bytes",
        "Most memory that the process held in each stage.",
        &memory,
    );
}

/// When a run last succeeded, from the file of the previous run.
pub(super) fn last_success(path: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| {
        line.starts_with(LAST_SUCCESS) && line[LAST_SUCCESS.len()..].starts_with('{')
    })?;
    line.rsplit(' ').next()?.parse().ok()
}
