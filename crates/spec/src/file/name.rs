//! No two columns of `customers` have the same name.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::pipeline::{
    Experiment, Pipeline, Scheme, SchemeColumn, SchemeColumnKind, Score, VALUE_COLUMNS,
};
use crate::reader::Notes;

pub(super) use crate::reader::{Names, check_name};

/// A column that something adds to `customers`.
struct Taken {
    /// As it is written there.
    name: String,
    /// What it is.
    what: &'static str,
    /// The table that adds it.
    place: String,
}

/// Columns by their names in lower case: engines and BI tools do not distinguish `Country` from `country`.
#[derive(Default)]
struct Columns(BTreeMap<String, Taken>);

impl Columns {
    /// Registers a name; returns what already has it, if anything.
    fn take(&mut self, name: &str, what: &'static str, place: String) -> Option<Taken> {
        let name = name.to_owned();
        let lower = name.to_lowercase();
        self.0.insert(lower, Taken { name, what, place })
    }
}

/// Every attribute, feature and scheme is a column of `customers`, and every score adds some.
pub(super) fn check_unique_columns(notes: &Notes, pipeline: &Pipeline) {
    let mut seen = Columns::default();
    seen.take("as_of", "the date of every table", "every table".to_owned());
    let key = &pipeline.customer.key;
    seen.take(key, "the customer's key", "[customer]".to_owned());
    for column in pipeline.value_columns() {
        seen.take(column.name, "a value", "[value]".to_owned());
    }
    // Reports and call lists take columns of these names for what [value] states.
    for name in VALUE_COLUMNS {
        if !seen.0.contains_key(name) {
            seen.take(
                name,
                "the name of a column of [value]",
                "[value]".to_owned(),
            );
        }
    }
    let attributes = pipeline.sources.iter().flat_map(|source| {
        let place = format!("[sources.{}.attributes]", source.name.value);
        let columns = source.attributes.iter();
        columns.map(move |a| (&a.column, None, "an attribute", place.clone()))
    });
    let declared = pipeline.features.declared.iter();
    let declared = declared.map(|f| (&f.name, None, "a feature", "[features]".to_owned()));
    let place = |name: &str| format!("[schemes.{name}]");
    let schemes = pipeline.schemes.iter().flat_map(|scheme| {
        let column = |column: SchemeColumn| {
            let (name, what) = match column.holds {
                SchemeColumnKind::Segment => (None, "a scheme"),
                SchemeColumnKind::SegmentId => (Some(column.name), "an id"),
                _ => (Some(column.name), "a score"),
            };
            (&scheme.name, name, what, place(&scheme.name.value))
        };
        scheme.columns().into_iter().map(column)
    });
    for (at, column, what, place) in attributes.chain(declared).chain(schemes) {
        let name = column.as_deref().unwrap_or(&at.value);
        let Some(taken) = seen.take(name, what, place) else {
            continue;
        };
        let found = Diagnostic::error(
            "TS-P007",
            format!("`{}` is {} already", taken.name, taken.what),
            at.span.clone(),
        )
        .with_label(match column {
            Some(_) => format!("{what} column `{name}` of this scheme"),
            None => format!("{what} of the same name"),
        })
        .with_help("each is a column of the published table `customers`; rename one");
        notes.add(with_case(found, &taken.name, name));
    }
    for experiment in &pipeline.experiments {
        check_experiment_columns(notes, experiment, &mut seen);
    }
    for score in &pipeline.scores {
        check_score_columns(notes, score, &pipeline.scores, &mut seen);
        let name = &score.name.value;
        // A column of that name is told above.
        let is_column = score.columns().iter().any(|column| column.name == *name);
        let same = |scheme: &&Scheme| !is_column && scheme.name.value.eq_ignore_ascii_case(name);
        for scheme in pipeline.schemes.iter().filter(same) {
            let message = format!("there is already a score `{name}`");
            let found = Diagnostic::error("TS-P007", message, scheme.name.span.clone())
                .with_label("a scheme of the same name")
                .with_help(format!(
                    "tables `models` and `quality` tell scores and schemes apart by their names; rename one, such as the scheme to `{name}_tier`"
                ));
            notes.add(with_case(found, name, &scheme.name.value));
        }
    }
}

/// Compares the columns of an experiment with all earlier ones: one message for the first that is there already.
fn check_experiment_columns(notes: &Notes, experiment: &Experiment, seen: &mut Columns) {
    let name = &experiment.name;
    let place = format!("[experiments.{}]", name.value);
    let taken = experiment.columns().map(|column| {
        let taken = seen.take(&column, "a column of an experiment", place.clone());
        taken.map(|taken| (column, taken))
    });
    if let Some((column, taken)) = taken.into_iter().flatten().next() {
        let message = format!(
            "{place} adds the column `{column}`, and `{}` is {} already",
            taken.name, taken.what
        );
        let found = Diagnostic::error("TS-P007", message, name.span.clone())
            .with_help("each is a column of the published table `customers`; rename one");
        notes.add(with_case(found, &taken.name, &column));
    }
}

/// Compares the columns of one score with all earlier ones: one message for each table that already has some of them.
fn check_score_columns(notes: &Notes, score: &Score, all: &[Score], seen: &mut Columns) {
    let place = score_place(score);
    let mut clashes: Vec<(String, Taken, usize)> = Vec::new();
    for column in score.columns() {
        let Some(taken) = seen.take(&column.name, "a score", place.clone()) else {
            continue;
        };
        match clashes.iter_mut().find(|(_, t, _)| t.place == taken.place) {
            Some((_, _, more)) => *more += 1,
            None => clashes.push((column.name, taken, 0)),
        }
    }
    for (name, taken, more) in clashes {
        let message = format!(
            "{place} adds the column `{name}`, which {} already has",
            taken.place
        );
        let label = match more {
            0 => format!("also in {}", taken.place),
            _ => format!("also in {}, with {more} more of its columns", taken.place),
        };
        let other = all.iter().find(|other| score_place(other) == taken.place);
        let found = Diagnostic::error("TS-P007", message, score.name.span.clone())
            .with_label(label)
            .with_help(format!(
                "each is a column of the published table `customers`; {}",
                remedy(score, other)
            ));
        notes.add(with_case(found, &taken.name, &name));
    }
}

/// Advice on how two scores, or a score and another table, get different column names.
fn remedy(score: &Score, other: Option<&Score>) -> String {
    let prefix = |score: &Score| {
        let (key, name) = (score.kind.settings().prefix_key()?, &score.name.value);
        Some(format!(
            "set a `{key}` in [scores.{name}], such as `{key} = \"{name}_\"`"
        ))
    };
    match (prefix(score), other.and_then(prefix)) {
        (Some(prefix), _) => prefix,
        (None, Some(prefix)) => format!("rename this score, or {prefix}"),
        (None, None) => "rename one".to_owned(),
    }
}

fn score_place(score: &Score) -> String {
    format!("[scores.{}]", score.name.value)
}

/// With a note on case, if the two names differ only in case.
fn with_case(found: Diagnostic, one: &str, other: &str) -> Diagnostic {
    if one == other {
        return found;
    }
    found.with_note(
        "most programs that read the tables do not distinguish names that differ only in case",
    )
}
