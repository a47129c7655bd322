//! `tessera init`: a first pipeline file for a lake of which nothing is known yet.
//!
//! Where to look: `look` reads some rows of each table, `words` knows what names say, `roles` decides what each table is to a pipeline,
//! `write` writes the file. What is guessed is said in the file, beside what it was guessed from.

mod look;
mod roles;
mod words;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{NaiveDate, Utc};
use tessera_engine::{Budget, Engine, PolarsEngine};
use tessera_expr::rel::Cutoff;
use tessera_ingest::{TableFiles, tables};
use tessera_spec::interrupt;

use crate::error::PipelineError;
use crate::pipeline_file::syntax;
use crate::work::private_folder;
use look::{Table, look};
use roles::{Kind, Roles, roles};
use write::Dates;

/// Ends a declaration of which another one reads all values too.
const AMBIGUOUS: &str = "\u{1f}";

/// What is wanted of a first pipeline file.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// A folder, file or pattern.
    pub lake: String,
    /// The column with the customer's key; found by its name otherwise.
    pub key: Option<String>,
    /// The name of the pipeline; that of the lake otherwise.
    pub name: Option<String>,
    /// The calendar in which days are counted.
    pub timezone: String,
    /// The unit of money.
    pub currency: String,
}

/// A first pipeline file.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its text.
    pub text: String,
    /// A day for the first run: by then half of the sources have their last event.
    pub as_of: Option<NaiveDate>,
    /// Tables of the lake and what they are in the pipeline, one line each.
    pub tables: Vec<String>,
}

/// Looks at a lake and writes a pipeline file for it. `tell` is told of each table before it is read.
///
/// # Errors
/// Those of a lake that cannot be read, or in which no key of customers is found.
pub fn draft(wanted: &Wanted, tell: &dyn Fn(&str)) -> Result<Draft, PipelineError> {
    let lake = Path::new(&wanted.lake);
    let found = tables(lake).map_err(|error| PipelineError::Io {
        step: "cannot read",
        path: lake.to_owned(),
        error,
    })?;
    let folder = std::env::temp_dir();
    let folder = private_folder(&folder, "tessera-init-").map_err(|error| PipelineError::Io {
        step: "cannot make a folder for temporary files in",
        path: folder.clone(),
        error,
    })?;
    let threads = rayon::current_num_threads();
    let engine = PolarsEngine::new(threads, Budget::unlimited(folder.path()));
    let mut looked = Vec::new();
    let mut unread = Vec::new();
    for files in &found.tables {
        if interrupt::requested() {
            return Err(PipelineError::Interrupted);
        }
        tell(&format!(
            "looking at {}",
            look::path_in(&wanted.lake, &files.path)
        ));
        match look(&wanted.lake, files, &engine, folder.path()) {
            Ok(table) => looked.push(table),
            Err(PipelineError::Interrupted) => return Err(PipelineError::Interrupted),
            Err(error) => unread.push((files.clone(), error)),
        }
    }
    for folder_of_one in of_one_table(&looked, &unread) {
        // Where its files cannot be read together, each stays a table of its own.
        let Ok(whole) = look(&wanted.lake, &folder_of_one, &engine, folder.path()) else {
            continue;
        };
        looked.retain(|table| folder_of(&table.path) != Some(folder_of_one.path.as_str()));
        looked.push(whole);
    }
    looked.sort_by(|a, b| a.path.cmp(&b.path));
    if looked.is_empty() {
        return Err(match unread.into_iter().next() {
            Some((_, error)) => error,
            None => PipelineError::NoTables {
                lake: wanted.lake.clone(),
            },
        });
    }
    let roles = roles(&looked, wanted.key.as_deref()).filter(|roles| !roles.sources.is_empty());
    let roles = roles.ok_or_else(|| no_key(&looked, wanted))?;
    let unread: Vec<(String, String)> = unread
        .iter()
        .map(|(files, error)| (files.name.clone(), one_line(error)))
        .chain(other_files(&found.others))
        .collect();
    let dates = dates(&roles, wanted, &engine, folder.path())?;
    let text = write::file(&roles, wanted, &dates, &unread);
    Ok(Draft {
        text,
        as_of: write::first_day(&dates),
        tables: write::lines(&roles, &unread),
    })
}

/// Files that are no data by their names.
fn other_files(others: &[String]) -> Option<(String, String)> {
    const SHOWN: usize = 3;
    let first = others.first()?;
    let shown: Vec<&str> = others.iter().take(SHOWN).map(String::as_str).collect();
    let more = if others.len() > SHOWN { ", …" } else { "" };
    let why = format!(
        "{} files have names that state no format, such as {}{more}; where they are data, a source reads them with `format`",
        others.len(),
        shown.join(", ")
    );
    Some((first.clone(), why))
}

/// The folder within the lake in which the files of a table lie, of several tables.
fn folder_of(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(folder, _)| folder)
}

/// The folders all of whose files have the same columns, under several names: each is one table.
fn of_one_table(looked: &[Table], unread: &[(TableFiles, PipelineError)]) -> Vec<TableFiles> {
    let mut folders: BTreeMap<&str, Vec<&Table>> = BTreeMap::new();
    for table in looked {
        if let Some(folder) = folder_of(&table.path) {
            folders.entry(folder).or_default().push(table);
        }
    }
    let columns = |table: &Table| {
        let names = table.columns.iter().map(|column| column.name.clone());
        names.collect::<BTreeSet<String>>()
    };
    folders.retain(|folder, tables| {
        let first = tables
            .first()
            .map(|table| (columns(table), table.settings.clone()));
        let inside = |path: &str| path.starts_with(&format!("{folder}/"));
        let alike = tables
            .iter()
            .all(|table| Some((columns(table), table.settings.clone())) == first);
        // Other folders within it would be read with it.
        let others = looked.iter().filter(|table| inside(&table.path)).count() > tables.len();
        let damaged = unread.iter().any(|(files, _)| inside(&files.path));
        tables.len() > 1 && alike && !others && !damaged
    });
    let named = folders.keys().map(|folder| TableFiles::in_folder(folder));
    named.collect()
}

/// An error as a comment or a line holds it.
fn one_line(error: &PipelineError) -> String {
    let text = match error {
        PipelineError::Invalid(found) => {
            let first = found.iter().next().map(|found| found.message.clone());
            first.unwrap_or_else(|| error.to_string())
        }
        _ => error.to_string(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// No column is the key of customers: what columns there are.
fn no_key(tables: &[Table], wanted: &Wanted) -> PipelineError {
    let shown = tables.iter().map(|table| {
        let names: Vec<&str> = table
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        format!("`{}` has {}", table.name, names.join(", "))
    });
    PipelineError::NoKey {
        wanted: wanted.key.clone(),
        tables: shown.collect(),
    }
}

/// The first and the last day of each source, up to today.
fn dates(
    roles: &Roles<'_>,
    wanted: &Wanted,
    engine: &dyn Engine,
    folder: &Path,
) -> Result<Vec<Dates>, PipelineError> {
    let today = Utc::now().date_naive();
    let cutoff = Cutoff {
        as_of: today,
        known_by: today,
    };
    let text = write::file(roles, wanted, &[], &[]);
    let (pipeline, found) = tessera_spec::parse(&text, "the first pipeline file", &[], &syntax());
    let Some(pipeline) = pipeline else {
        return Err(PipelineError::Invalid(Box::new(found)));
    };
    let inventories = pipeline
        .sources
        .iter()
        .map(|source| tessera_ingest::take(source, false, Some(folder)));
    let inventories: Result<Vec<_>, _> = inventories.collect();
    let inventories = inventories?;
    let sources: Vec<_> = pipeline.sources.iter().zip(&inventories).collect();
    let (planned, problems) = tessera_ingest::plan(&pipeline, &sources, cutoff, cutoff);
    let mut found = found;
    found.extend(problems);
    if found.has_errors() {
        return Err(PipelineError::Invalid(Box::new(found)));
    }
    let mut dates = Vec::new();
    for role in &roles.sources {
        let rows = planned.get(&role.table.name).map(|planned| &planned.rows);
        let time = role.time.filter(|_| role.kind != Kind::Attributes);
        let limits = match rows.zip(time) {
            Some((rows, time)) => engine.limits(rows, &time.name)?,
            None => None,
        };
        let day = |text: &str| NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok();
        dates.push(match &limits {
            Some((first, last)) => (day(first), day(last).map(|last| last.min(today))),
            None => (None, None),
        });
    }
    Ok(dates)
}
