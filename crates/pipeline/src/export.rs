//! Exports of playbooks: the list of a version's customers for other systems, by the settings of the pipeline file.
//!
//! The types that matter: [`Exported`] with its [`Summary`]. The list itself is made in `tessera_report::export`.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::Value;
use tessera_report::export::{self, Changes, List, Members, Playbook, Reason};
use tessera_snapshot::{Store, Version};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::suggest;
use tessera_spec::pipeline::ExportFormat;
use tessera_spec::shown::grouped;

use crate::error::PipelineError;
use crate::held;
use crate::name::{Names, stated};

pub use tessera_report::export::{ExportError, Style, write};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The playbook.
    pub playbook: &'a str,
    /// The version.
    pub version: &'a Version,
    /// The version since which changes are asked for.
    pub since: Option<&'a Version>,
    /// Another format than the pipeline file states.
    pub format: Option<ExportFormat>,
    /// Other columns than the pipeline file states.
    pub columns: Option<&'a [String]>,
}

/// A list, or its changes, ready to be written.
#[derive(Debug)]
pub struct Exported {
    /// The rows.
    pub rows: arrow::array::RecordBatch,
    /// How they are to be written.
    pub format: ExportFormat,
    /// How many there are.
    pub summary: Summary,
    /// What is to be known beside it.
    pub notes: Vec<String>,
}

/// What was exported.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The playbook.
    pub playbook: String,
    /// The scheme of its segment.
    pub scheme: String,
    /// Its segment.
    pub segment: String,
    /// The version.
    pub version: u64,
    /// Its day.
    pub as_of: NaiveDate,
    /// The format.
    pub format: ExportFormat,
    /// The columns.
    pub columns: Vec<String>,
    /// How many members of the segment are listed.
    #[serde(flatten)]
    pub members: Members,
    /// What changed, where that was asked for.
    pub changes: Option<Since>,
}

/// What changed since another version.
#[derive(Debug, Serialize)]
pub struct Since {
    /// The other version.
    pub since: u64,
    /// Its day.
    pub since_as_of: NaiveDate,
    /// How many customers changed.
    #[serde(flatten)]
    pub changes: Changes,
}

/// Exports a playbook of a version.
///
/// # Errors
/// The version does not have the playbook, or is of another pipeline; a column that it does not have; a table that cannot be read.
pub fn export(
    pipeline: &Pipeline,
    store: &Store,
    wanted: &Wanted<'_>,
) -> Result<Exported, PipelineError> {
    let Wanted { version, since, .. } = *wanted;
    for version in [Some(version), since].into_iter().flatten() {
        check_own(pipeline, store, version)?;
    }
    let playbook = find(pipeline, wanted)?;
    let mut notes = Vec::new();
    let declared = pipeline
        .playbooks
        .iter()
        .find(|own| own.name.value == playbook.name);
    let differs = |own: &&tessera_spec::pipeline::Playbook| {
        own.scheme.value != playbook.scheme || own.segment.value != playbook.segment
    };
    if let Some(own) = declared.filter(differs) {
        notes.push(format!(
            "the pipeline file has playbook `{}` for segment `{}` of scheme `{}`, and version {} was published with it for segment `{}` of \
             scheme `{}`: that is what is exported",
            playbook.name, own.segment.value, own.scheme.value, version.number(), playbook.segment, playbook.scheme
        ));
    }
    let settings = declared.map(|own| own.export.clone()).unwrap_or_default();
    let stated = settings
        .columns
        .map(|columns| columns.into_iter().map(|column| column.value));
    let stated: Option<Vec<String>> = stated.map(Iterator::collect);
    let list = export::list(version, &playbook, wanted.columns.or(stated.as_deref()))?;
    let changes = match since {
        Some(since) => Some(compared(&list, &playbook, (version, since), &mut notes)?),
        None => None,
    };
    let rows = changes
        .as_ref()
        .map_or(&list.rows, |changes| &changes.rows)
        .clone();
    let columns = rows.schema_ref().fields().iter();
    let format = wanted.format.unwrap_or(settings.format);
    let summary = Summary {
        scheme: playbook.scheme,
        segment: playbook.segment,
        playbook: playbook.name,
        version: version.number(),
        as_of: version.as_of(),
        format,
        columns: columns.map(|field| field.name().clone()).collect(),
        members: list.members,
        changes: since.zip(changes).map(|(since, changes)| Since {
            since: since.number(),
            since_as_of: since.as_of(),
            changes,
        }),
    };
    Ok(Exported {
        rows,
        format,
        summary,
        notes,
    })
}

/// The names of the playbooks that a version has, sorted.
pub fn playbooks(version: &Version) -> Vec<String> {
    let all = declared(version).into_iter();
    all.map(|playbook| playbook.name).collect()
}

/// Compares with the list of an earlier version, and notes what is missing there.
fn compared(
    list: &List,
    playbook: &Playbook,
    (version, since): (&Version, &Version),
    notes: &mut Vec<String>,
) -> Result<Changes, PipelineError> {
    let mut then = declared(since).into_iter();
    let then = then.find(|known| known.name == playbook.name);
    let of = format!("version {} of {}", since.number(), since.as_of());
    let before = export::list_before(since, then.as_ref(), (version, list))?;
    match &then {
        None => notes.push(format!(
            "{of} was published before playbook `{}` was in the pipeline, so that everybody counts as added",
            playbook.name
        )),
        Some(then) if (&then.scheme, &then.segment) != (&playbook.scheme, &playbook.segment) => notes.push(format!(
            "in {of} playbook `{}` was for segment `{}` of scheme `{}`",
            playbook.name, then.segment, then.scheme
        )),
        Some(_) => {}
    }
    if !before.absent.is_empty() {
        notes.push(format!(
            "{of} has no {}, so that customers without a value then count as updated where they have one now",
            listed("column", &before.absent)
        ));
    }
    Ok(export::changes(version, playbook, list, &before)?)
}

/// An error where a version is not one of the pipeline, which shares its store with others.
fn check_own(pipeline: &Pipeline, store: &Store, version: &Version) -> Result<(), PipelineError> {
    if Names::stated(pipeline, store)?.has(version) {
        return Ok(());
    }
    Err(PipelineError::OtherVersion {
        version: version.number(),
        pipeline: stated(version).unwrap_or_default().to_owned(),
        own: pipeline.name.clone(),
    })
}

/// The playbook as the version has it.
fn find(pipeline: &Pipeline, wanted: &Wanted<'_>) -> Result<Playbook, PipelineError> {
    let (name, version) = (wanted.playbook, wanted.version);
    let all = declared(version);
    if let Some(found) = all.iter().find(|playbook| playbook.name == name) {
        return Ok(found.clone());
    }
    let names: Vec<String> = all.into_iter().map(|playbook| playbook.name).collect();
    let has = match names.is_empty() {
        true => "no playbook".to_owned(),
        false => listed("playbook", &names),
    };
    let (version, as_of) = (version.number(), version.as_of());
    let of_file = pipeline.playbooks.iter().map(|own| own.name.value.as_str());
    let mut known: Vec<&str> = of_file.collect();
    if known.contains(&name) {
        return Err(PipelineError::LaterPlaybook {
            playbook: name.to_owned(),
            version,
            as_of,
            has,
        });
    }
    known.extend(names.iter().map(String::as_str));
    Err(PipelineError::NoPlaybook {
        near: suggest(name, &known).map(str::to_owned),
        playbook: name.to_owned(),
        version,
        as_of,
        has,
    })
}

/// The playbooks that a version was published with.
fn declared(version: &Version) -> Vec<Playbook> {
    let declared = held::declared(version);
    let all = declared["playbooks"].as_array().into_iter().flatten();
    all.filter_map(|playbook| {
        let text = |key: &str| playbook[key].as_str().map(str::to_owned);
        let (scheme, segment) = (text("scheme")?, text("segment")?);
        Some(Playbook {
            name: text("name")?,
            controls: controls(&declared, &scheme, &segment),
            scheme,
            segment,
        })
    })
    .collect()
}

/// The columns of the experiments whose control is in no playbook of a segment, with the names of their controls.
fn controls(declared: &Value, scheme: &str, segment: &str) -> Vec<(String, String)> {
    let all = declared["experiments"].as_array().into_iter().flatten();
    let keeps_out = all.filter(|experiment| {
        let of = &experiment["of"];
        of.is_null() || (of["scheme"] == scheme && of["segment"] == segment)
    });
    keeps_out
        .filter_map(|experiment| {
            let control = experiment["variants"][0]["name"].as_str()?;
            Some((experiment["name"].as_str()?.to_owned(), control.to_owned()))
        })
        .collect()
}

/// Names in a sentence, such as "playbooks `a`, `b`".
fn listed(what: &str, names: &[String]) -> String {
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("{what}{plural} `{}`", names.join("`, `"))
}

impl Summary {
    /// In a few lines.
    pub fn to_lines(&self) -> Vec<String> {
        let Members {
            members,
            listed,
            left_out,
            in_control,
            not_reachable,
        } = &self.members;
        let mut text = format!(
            "playbook {} of version {} ({}): members of segment {}: {}; listed: {}",
            self.playbook,
            self.version,
            self.as_of,
            self.segment,
            grouped(*members),
            grouped(*listed)
        );
        if *in_control > 0 {
            let control = grouped(*in_control);
            text.push_str(&format!("; in the control of an experiment: {control}"));
        }
        let rest = left_out.saturating_sub(*in_control);
        if rest > 0 {
            let why = match not_reachable == &Some(rest) {
                true => "who may not be contacted, or of whom that is not known",
                false => "why is not in the tables",
            };
            text.push_str(&format!("; left out: {} ({why})", grouped(rest)));
        }
        let mut lines = vec![text];
        lines.extend(self.changes.iter().flat_map(Since::to_lines));
        lines
    }
}

impl Since {
    fn to_lines(&self) -> Vec<String> {
        let Changes {
            added,
            removed,
            updated,
            unchanged,
            ..
        } = &self.changes;
        let mut lines = vec![format!(
            "since version {} ({}): {} added, {} removed{}, {} updated, {} unchanged",
            self.since,
            self.since_as_of,
            grouped(*added),
            grouped(*removed),
            self.removed_because(),
            grouped(*updated),
            grouped(*unchanged)
        )];
        if !self.changes.differing.is_empty() {
            let columns = self.changes.differing.iter();
            let columns = columns.map(|(column, count)| format!("{column} of {}", grouped(*count)));
            let columns: Vec<String> = columns.collect();
            lines.push(format!("another value: {}", columns.join(", ")));
        }
        lines
    }

    fn removed_because(&self) -> String {
        let counts: &BTreeMap<Reason, u64> = &self.changes.removed_because;
        let counts = counts.iter();
        let counts = counts.map(|(reason, count)| format!("{} {}", reason.name(), grouped(*count)));
        let counts: Vec<String> = counts.collect();
        match counts.is_empty() {
            true => String::new(),
            false => format!(" ({})", counts.join(", ")),
        }
    }
}
