//! A look at a table of the lake: some of its rows, and what types their texts have.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::path::Path;

use chrono::Utc;
use tessera_engine::Engine;
use tessera_expr::Type;
use tessera_expr::forms::{Observed, Texts, advice, is_null, reads, trimmed};
use tessera_expr::rel::{Cutoff, FAULT, ScanFormat, SourceRows, Stored};
use tessera_ingest::{Inventory, TableFiles};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::Diagnostics;
use tessera_spec::pipeline::{ColumnForm, ColumnType};

use super::words;
use crate::error::PipelineError;
use crate::pipeline_file::syntax;

/// Rows of a table that are looked at, about.
pub(super) const MOST_ROWS: usize = 60_000;

/// Files of a table that are looked at, spread over all of them.
const MOST_FILES: usize = 12;

/// Different texts of a column by which its type is found.
const MOST_TEXTS: usize = 5_000;

/// Settings of text files that are tried, in order.
const SETTINGS: [&str; 7] = [
    "",
    "delimiter = \";\"",
    "delimiter = \"\\t\"",
    "delimiter = \"|\"",
    "skip_lines = 1",
    "delimiter = \";\", skip_lines = 1",
    "delimiter = \"\\t\", skip_lines = 1",
];

/// The encoding of files that are not UTF-8: that of Windows in Western Europe and America, which holds Latin-1.
const ENCODING: &str = "encoding = \"windows-1252\"";

/// What the fault of a record that is not UTF-8 says.
const NOT_UTF8: &str = "is not UTF-8";

/// A table that was looked at.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    /// Within the lake.
    pub(super) path: String,
    /// Settings of its text files, as TOML; empty where none are needed.
    pub(super) settings: String,
    pub(super) rows: u64,
    pub(super) files: usize,
    /// Rows that were looked at.
    pub(super) seen: usize,
    pub(super) columns: Vec<Column>,
}

/// A column of a table.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) ty: Type,
    /// The files hold texts.
    pub(super) is_text: bool,
    /// What the contract must declare so that it has the type, as TOML; `None` where the files state it.
    pub(super) declared: Option<String>,
    /// A timestamp without a zone.
    pub(super) is_naive: bool,
    /// A text for each row that was looked at.
    pub(super) values: Vec<Option<String>>,
    /// Values that are not missing.
    pub(super) held: usize,
    /// Different ones among these.
    pub(super) distinct: usize,
}

impl Column {
    pub(super) fn is_time(&self) -> bool {
        matches!(self.ty, Type::Date | Type::Timestamp)
    }

    /// Whether no value stands in two rows.
    pub(super) fn is_unique(&self) -> bool {
        self.held > 0 && self.distinct == self.held
    }

    /// The share of rows without a value.
    pub(super) fn missing(&self) -> f64 {
        1.0 - self.held as f64 / self.values.len().max(1) as f64
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.values.iter().flatten().map(String::as_str)
    }

    /// Whether all values are whole numbers, however they are stored.
    pub(super) fn is_whole(&self) -> bool {
        let mut numbers = self.numbers();
        self.ty.is_number() && numbers.all(|number| number.fract() == 0.0)
    }

    /// The values that are plain numbers.
    pub(super) fn numbers(&self) -> impl Iterator<Item = f64> {
        self.texts().filter_map(|text| text.trim().parse().ok())
    }
}

/// A text as TOML.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The path of a table, below the lake.
pub(super) fn path_in(lake: &str, path: &str) -> String {
    match path.is_empty() {
        true => lake.to_owned(),
        false => format!("{}/{path}", lake.trim_end_matches('/')),
    }
}

/// Looks at a table. The records of text files are kept in the folder.
pub(super) fn look(
    lake: &str,
    files: &TableFiles,
    engine: &dyn Engine,
    folder: &Path,
) -> Result<Table, PipelineError> {
    let path = path_in(lake, &files.path);
    let mut first = None;
    let encoded = |settings: &str| match settings.is_empty() {
        true => ENCODING.to_owned(),
        false => format!("{settings}, {ENCODING}"),
    };
    let plain = SETTINGS.iter().map(|settings| (*settings).to_owned());
    let others = SETTINGS.iter().map(|settings| encoded(settings));
    for settings in plain.chain(others) {
        match with_settings(files, (&path, &settings), engine, folder) {
            Ok(looked) if looked.is_utf8 || settings.contains(ENCODING) => return Ok(looked.table),
            // A header of plain letters, and records of others.
            Ok(_) => {
                let with = (path.as_str(), encoded(&settings));
                let again = with_settings(files, (with.0, &with.1), engine, folder)?;
                return Ok(again.table);
            }
            Err(PipelineError::Lake(problems, _)) => {
                let ends = problems
                    .iter()
                    .any(|problem| matches!(problem, tessera_ingest::IngestError::Interrupted));
                if ends {
                    return Err(PipelineError::Interrupted);
                }
                first.get_or_insert(problems);
            }
            Err(error) => return Err(error),
        }
    }
    Err(PipelineError::Lake(first.unwrap_or_default(), None))
}

/// A table, and whether its text files are UTF-8.
struct Looked {
    table: Table,
    is_utf8: bool,
}

/// Looks at a table with settings of text files.
fn with_settings(
    files: &TableFiles,
    (path, settings): (&str, &str),
    engine: &dyn Engine,
    folder: &Path,
) -> Result<Looked, PipelineError> {
    let nothing = PipelineError::Order {
        what: "a source to look at",
    };
    let mut pipeline = pipeline(path, settings, "").ok_or(nothing)?;
    let taken = pipeline
        .sources
        .iter()
        .map(|source| tessera_ingest::take(source, false, Some(folder)));
    let taken: Result<Vec<Inventory>, _> = taken.collect();
    table(files, (settings, &mut pipeline), &taken?, engine)
}

/// A pipeline with the table as its only source, and what else its contract says.
fn pipeline(path: &str, settings: &str, contract: &str) -> Option<Pipeline> {
    let text = match settings.is_empty() {
        true => String::new(),
        false => format!("text = {{ {settings} }}\n"),
    };
    let path = quoted(path);
    let file = format!(
        "spec_version = 1\nname = \"draft\"\ntimezone = \"UTC\"\ncurrency = \"EUR\"\nstore = \"none\"\ncustomer = {{ key = \"key\" }}\n\
         [sources.base]\nkind = \"attributes\"\npath = \"none\"\nkey = \"key\"\ncontract = {{ missing_key = \"drop\" }}\n\
         [sources.table]\nkind = \"lookup\"\npath = {path}\nkey = \"key\"\ntime_zone = \"UTC\"\n{text}contract = {{ {contract}missing_key = \"drop\" }}\n"
    );
    let (pipeline, _) = tessera_spec::parse(&file, "draft", &[], &syntax());
    let mut pipeline = pipeline?;
    pipeline
        .sources
        .retain(|source| source.name.value == "table");
    Some(pipeline)
}

/// Reads the rows that are looked at.
fn table(
    files: &TableFiles,
    (settings, pipeline): (&str, &mut Pipeline),
    inventories: &[Inventory],
    engine: &dyn Engine,
) -> Result<Looked, PipelineError> {
    let inventory = inventories.first();
    let first = inventory.and_then(|inventory| inventory.columns.first());
    if let (Some(source), Some(first)) = (pipeline.sources.first_mut(), first) {
        source.key.value.clone_from(&first.name);
    }
    let today = Utc::now().date_naive();
    let cutoff = Cutoff {
        as_of: today,
        known_by: today,
    };
    let sources: Vec<_> = pipeline.sources.iter().zip(inventories).collect();
    let (planned, problems) = tessera_ingest::plan(pipeline, &sources, cutoff, cutoff);
    let mut found = Diagnostics::new(files.path.clone(), "");
    found.extend(problems);
    if found.has_errors() {
        return Err(PipelineError::Invalid(Box::new(found)));
    }
    let rows = planned.into_values().next().ok_or(PipelineError::Order {
        what: "the rows of a table",
    })?;
    let rows = rows.rows;
    let mut names: Vec<String> = rows.scan.columns.iter().map(|c| c.name.clone()).collect();
    let is_text = rows.scan.format == ScanFormat::Text;
    names.extend(is_text.then(|| FAULT.to_owned()));
    let mut values = sampled(&rows, &names, engine)?;
    let faults = if is_text { values.pop() } else { None };
    let mut faults = faults.iter().flatten().flatten();
    let columns = rows.scan.columns.iter().zip(values);
    let columns = columns
        .filter(|(column, _)| column.ty != Type::Null)
        .map(|(column, values)| typed(&column.name, column.ty, &column.stored, values));
    let columns: Vec<Column> = columns.collect();
    let table = Table {
        name: files.name.clone(),
        path: files.path.clone(),
        settings: settings.to_owned(),
        rows: inventory.map_or(0, Inventory::rows),
        files: inventory.map_or(0, |inventory| inventory.files.len()),
        seen: columns.first().map_or(0, |column| column.values.len()),
        columns,
    };
    Ok(Looked {
        table,
        is_utf8: !faults.any(|fault| fault.contains(NOT_UTF8)),
    })
}

/// The first rows of files that are spread over all of them.
fn sampled(
    rows: &SourceRows,
    names: &[String],
    engine: &dyn Engine,
) -> Result<Vec<Vec<Option<String>>>, PipelineError> {
    let files = rows.scan.files.len();
    let looked = files.clamp(1, MOST_FILES);
    let each = (MOST_ROWS / looked).max(1);
    let mut all = vec![Vec::new(); names.len()];
    for place in 0..files.min(MOST_FILES) {
        // The first, the last, and some between.
        let file = place * (files - 1) / (looked - 1).max(1);
        let found = engine.first_rows(rows, names, file, each)?;
        for (column, values) in all.iter_mut().zip(found) {
            column.extend(values);
        }
    }
    Ok(all)
}

/// A column with the type that its values have.
fn typed(name: &str, ty: Type, stored: &Stored, values: Vec<Option<String>>) -> Column {
    let in_text_file = *stored == Stored::Text;
    let is_text = ty == Type::String && matches!(stored, Stored::Text | Stored::String);
    let mut counts: HashMap<&str, u64> = HashMap::new();
    let mut distinct: HashSet<&str> = HashSet::new();
    let mut held = 0;
    for text in values.iter().flatten() {
        let bare = trimmed(text);
        if bare.is_empty() {
            continue;
        }
        held += 1;
        distinct.insert(bare);
        if counts.len() < MOST_TEXTS || counts.contains_key(bare) {
            *counts.entry(bare).or_insert(0) += 1;
        }
    }
    let distinct = distinct.len();
    let guessed = is_text.then(|| of_texts(&observed(counts), in_text_file));
    let (ty, declared) = guessed.flatten().unwrap_or((ty, None));
    let (ty, declared) = of_numbers(name, ty, &values).unwrap_or((ty, declared));
    let is_epoch = declared
        .as_deref()
        .is_some_and(|text| text.contains("epoch = "));
    let zone = match stored {
        Stored::Timestamp { zone, .. } => zone.is_some(),
        _ => values.iter().flatten().any(|text| states_zone(text)),
    };
    Column {
        name: name.to_owned(),
        is_naive: ty == Type::Timestamp && !zone && !is_epoch,
        ty,
        is_text,
        declared,
        values,
        held,
        distinct,
    }
}

/// Integers that are times since 1970 by the name of their column and by their size.
fn of_numbers(name: &str, ty: Type, values: &[Option<String>]) -> Option<(Type, Option<String>)> {
    /// Seconds from 1990 to 2100.
    const SECONDS: RangeInclusive<i64> = 631_152_000..=4_102_444_800;
    let has_none = values.iter().flatten().next().is_none();
    if ty != Type::Int || words::of_event(name) <= 0 || has_none {
        return None;
    }
    let units = [
        ("s", 1),
        ("ms", 1_000),
        ("us", 1_000_000),
        ("ns", 1_000_000_000),
    ];
    let fits = |per_second: i64| {
        let mut numbers = values
            .iter()
            .flatten()
            .map(|text| trimmed(text).parse::<i64>());
        numbers.all(|number| number.is_ok_and(|number| SECONDS.contains(&(number / per_second))))
    };
    let (unit, _) = units
        .into_iter()
        .find(|(_, per_second)| fits(*per_second))?;
    let declared = format!("{{ type = \"timestamp\", epoch = \"{unit}\" }}");
    Some((Type::Timestamp, Some(declared)))
}

/// Whether the text of a time ends with its zone.
fn states_zone(text: &str) -> bool {
    let text = trimmed(text);
    let of_day = text.get(10..).unwrap_or_default();
    text.ends_with('Z') || of_day.contains('+') || of_day.contains('-')
}

fn observed(counts: HashMap<&str, u64>) -> Vec<Observed> {
    let texts = counts.into_iter().map(|(text, count)| Observed {
        text: text.to_owned(),
        count,
    });
    let mut texts: Vec<Observed> = texts.collect();
    texts.sort_by(|a, b| a.text.cmp(&b.text));
    texts
}

/// The type that all these texts have, with its declaration; `None` where they are only texts.
fn of_texts(texts: &[Observed], in_text_file: bool) -> Option<(Type, Option<String>)> {
    if texts.is_empty() {
        return None;
    }
    let form = ColumnForm::default();
    let all = |ty: Type, form: &ColumnForm| texts.iter().all(|seen| reads(&seen.text, ty, form));
    let is_id = |seen: &Observed| {
        seen.text.len() > 1 && seen.text.starts_with('0') && !seen.text.contains('.')
    };
    let words = |seen: &Observed| seen.text.chars().all(|c| c.is_ascii_alphabetic());
    // Texts of Parquet files are converted where a setting is stated.
    let declared = |name: &str, setting: &str| match in_text_file {
        true => Some(quoted(name)),
        false => Some(format!("{{ type = {}, {setting} }}", quoted(name))),
    };
    if all(Type::Bool, &form) && texts.iter().all(words) {
        return Some((Type::Bool, declared("bool", "nulls = []")));
    }
    if all(Type::Float, &form) {
        return match (texts.iter().any(is_id), all(Type::Int, &form)) {
            (true, _) => None,
            (false, true) => Some((Type::Int, declared("i64", "decimal = \".\""))),
            (false, false) => Some((Type::Float, declared("f64", "decimal = \".\""))),
        };
    }
    let money = ColumnForm {
        money: true,
        ..ColumnForm::default()
    };
    if all(Type::Float, &money) {
        return Some((Type::Float, Some(quoted("money"))));
    }
    if in_text_file {
        for (ty, name) in [(Type::Date, "date"), (Type::Timestamp, "timestamp")] {
            if all(ty, &form) {
                return Some((ty, declared(name, "")));
            }
        }
    }
    [
        (Type::Date, "date"),
        (Type::Timestamp, "timestamp"),
        (Type::Float, "f64"),
    ]
    .into_iter()
    .find_map(|(ty, name)| advised(texts, ty, name, in_text_file))
}

/// The type with the settings that read these texts, but for one in a hundred at most.
fn advised(
    texts: &[Observed],
    ty: Type,
    name: &str,
    in_text_file: bool,
) -> Option<(Type, Option<String>)> {
    let form = ColumnForm::default();
    // The settings of texts in Parquet files are always stated.
    let (read, broken): (Vec<Observed>, Vec<Observed>) = texts
        .iter()
        .cloned()
        .partition(|seen| in_text_file && reads(&seen.text, ty, &form));
    let settings = advice(&Texts {
        read: &read,
        broken: &broken,
        ty,
        bounds: None,
        form: &form,
    })?;
    // A day above 12 tells days from months; where there is none, the first form is taken, and that is said.
    let (first, is_ambiguous) = match settings.split_once(" or ") {
        Some((first, _)) => (first, true),
        None => (settings.as_str(), false),
    };
    let first = first.split(", which reads").next().unwrap_or(first);
    let declared = match first.starts_with("type = ") {
        true => format!("{{ {first} }}"),
        false => format!("{{ type = {}, {first} }}", quoted(name)),
    };
    let (ty, form) = form_of(&declared)?;
    let count =
        |texts: &mut dyn Iterator<Item = &Observed>| -> u64 { texts.map(|seen| seen.count).sum() };
    let is_read = |seen: &&Observed| is_null(&seen.text, &form) || reads(&seen.text, ty, &form);
    let all = count(&mut texts.iter());
    let reads = count(&mut texts.iter().filter(is_read));
    if (all - reads) * 100 > all || texts.iter().all(|seen| is_null(&seen.text, &form)) {
        return None;
    }
    let said = if is_ambiguous { super::AMBIGUOUS } else { "" };
    Some((ty, Some(format!("{declared}{said}"))))
}

/// What a declaration of a column means.
fn form_of(declared: &str) -> Option<(Type, ColumnForm)> {
    let contract = format!("columns = {{ x = {declared} }}, ");
    let pipeline = pipeline("none", "", &contract)?;
    let column = pipeline.sources.first()?.contract.columns.first()?;
    let ty = match column.ty.value {
        ColumnType::Date => Type::Date,
        ColumnType::Timestamp => Type::Timestamp,
        _ => Type::Float,
    };
    Some((ty, column.form.clone()))
}
