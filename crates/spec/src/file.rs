//! The file as a whole: from text to a checked pipeline.

mod feature;
mod scheme;
mod source;

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Diagnostics, unknown_name};
use crate::pipeline::{At, Customer, Goal, Objective, Pipeline, Playbook, SchemeKind, Target};
use crate::reader::{Notes, Reader, choice_of, text_of, wrong_type};

/// Seed of pipelines that state none.
const DEFAULT_SEED: u64 = 20_260_101;

/// A pipeline file that can run.
#[derive(Debug)]
pub struct Loaded {
    /// What it means.
    pub pipeline: Pipeline,
    /// What is odd about it; also the place where later checks add what they find.
    pub warnings: Diagnostics,
}

/// Reads and checks a pipeline file. Paths in it are relative to the current directory, as they are on the command line.
///
/// # Errors
/// All mistakes of the file at once; a file that cannot be read is one of them.
pub fn load(path: &Path, vars: &[(String, String)]) -> Result<Loaded, Diagnostics> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, &name, vars),
        Err(error) => {
            let mut found = Diagnostics::new(name.clone(), "");
            let help = "give the path of a pipeline file; `tessera demo` writes one to start from";
            found.extend([Diagnostic::error("TS-P000", format!("cannot read {name}: {error}"), 0..0).with_help(help)]);
            Err(found)
        }
    }
}

/// Checks the text of a pipeline file.
///
/// # Errors
/// All mistakes at once, by place.
pub fn parse(text: &str, file_name: &str, vars: &[(String, String)]) -> Result<Loaded, Diagnostics> {
    let mut found = Diagnostics::new(file_name, text);
    let (table, syntax) = DeTable::parse_recoverable(text);
    if !syntax.is_empty() {
        found.extend(syntax.iter().map(|error| {
            Diagnostic::error("TS-P006", format!("not TOML: {}", error.message()), error.span().unwrap_or(0..0))
        }));
        return Err(found);
    }
    let notes = Notes::default();
    let reader = Reader::new(table.get_ref(), 0..0, "the file", &notes);
    variables(&reader, vars);
    let pipeline = pipeline(&reader);
    reader.finish();
    found.extend(notes.found.take());
    if found.has_errors() { Err(found) } else { Ok(Loaded { pipeline, warnings: found }) }
}

/// `[vars]`, overridden by the command line; a variable may use those above it.
fn variables(reader: &Reader<'_>, overrides: &[(String, String)]) {
    let notes = reader.notes;
    let mut declared = Vec::new();
    if let Some(table) = reader.table("vars") {
        for entry in table.entries() {
            let name = &entry.key.value;
            let given = overrides.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.clone());
            let value = given.or_else(|| text_of(notes, entry.value, &format!("variable `{name}`")).map(|text| text.value));
            notes.vars.borrow_mut().insert(name.clone(), value.unwrap_or_default());
            declared.push(name.clone());
        }
    }
    let names: Vec<&str> = declared.iter().map(String::as_str).collect();
    for (name, _) in overrides {
        if !declared.contains(name) {
            notes.add(unknown_name("TS-P013", "variable in `--var`", name, reader.span.clone(), &names));
        }
    }
}

fn pipeline(reader: &Reader<'_>) -> Pipeline {
    match reader.integer("spec_version", 1..=1) {
        Some(_) => {}
        None if !reader.has("spec_version") => reader.missing("spec_version", "add `spec_version = 1`"),
        None => {}
    }
    let name = reader.required_text("name", "add `name = \"…\"`: letters, digits, `_` and `-`");
    check_name(reader, "pipeline", &name);
    let sources = source::sources(reader);
    let features = feature::features(reader, &sources);
    let schemes = scheme::schemes(reader);
    let pipeline = Pipeline {
        name: name.value,
        timezone: zone(reader, "timezone").map_or(chrono_tz::UTC, |zone| zone.value),
        currency: currency(reader),
        store: reader.required_text("store", "add `store = \"data/store/NAME\"`, the folder of the snapshot store").value,
        seed: reader.integer("seed", 0..=i64::MAX).map_or(DEFAULT_SEED, |seed| seed.value as u64),
        goal: reader.table("goal").map(|table| goal(&table)),
        customer: customer(reader, &sources),
        features,
        playbooks: playbooks(reader, &schemes),
        schemes,
        sources,
    };
    if !reader.has("timezone") {
        reader.missing("timezone", "add `timezone = \"Europe/London\"`: day boundaries depend on it");
    }
    for (key, what) in [
        ("scores", "[scores] is"),
        ("gates", "[gates] is"),
        ("experiments", "[experiments] is"),
        ("engine", "another engine is"),
    ] {
        reader.not_built(key, what);
    }
    unique_columns(reader, &pipeline);
    pipeline
}

/// No two columns of `customers` of one name.
fn unique_columns(reader: &Reader<'_>, pipeline: &Pipeline) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::from([("as_of", "the date of the table"), (pipeline.customer.key.as_str(), "the key")]);
    let attributes = pipeline.sources.iter().flat_map(|s| &s.attributes).map(|a| (&a.column, "an attribute"));
    let declared = pipeline.features.declared.iter().map(|f| (&f.name, "a feature"));
    let schemes = pipeline.schemes.iter().map(|s| (&s.name, "a scheme"));
    for (name, what) in attributes.chain(declared).chain(schemes) {
        if let Some(before) = seen.insert(&name.value, what) {
            reader.notes.add(
                Diagnostic::error("TS-P007", format!("`{}` is {before} already", name.value), name.span.clone())
                    .with_label(format!("{what} of the same name"))
                    .with_help("each is a column of the published table `customers`; rename one"),
            );
        }
    }
}

/// Letters, digits, `_`, and for pipelines, segments and playbooks `-`.
fn check_name(reader: &Reader<'_>, what: &str, name: &At<String>) {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (c == '-' && what != "feature" && what != "scheme");
    let good = name.value.chars().all(fits) && name.value.starts_with(|c: char| c.is_ascii_alphabetic());
    if !good && !name.value.is_empty() {
        let dash = if what == "feature" || what == "scheme" { "" } else { " and `-`" };
        reader.notes.add(
            Diagnostic::error("TS-P008", format!("`{}` is not a name for a {what}", name.value), name.span.clone())
                .with_help(format!("use letters, digits, `_`{dash}, beginning with a letter")),
        );
    }
}

/// A time zone by its IANA name.
fn zone(reader: &Reader<'_>, key: &str) -> Option<At<chrono_tz::Tz>> {
    let text = reader.text(key)?;
    match text.value.parse::<chrono_tz::Tz>() {
        Ok(zone) => Some(At::new(zone, text.span)),
        Err(_) => {
            let names: Vec<&str> = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
            let mut problem = unknown_name("TS-P014", "time zone", &text.value, text.span, &names);
            problem.notes = vec!["names are those of the IANA database, such as \"Europe/London\" or \"UTC\"".to_owned()];
            reader.notes.add(problem);
            None
        }
    }
}

fn currency(reader: &Reader<'_>) -> String {
    let Some(text) = reader.text("currency") else { return "USD".to_owned() };
    if text.value.len() != 3 || !text.value.chars().all(|c| c.is_ascii_uppercase()) {
        reader.notes.add(
            Diagnostic::error("TS-P015", format!("`{}` is not a currency code", text.value), text.span.clone())
                .with_help("use the three capital letters of ISO 4217, such as \"GBP\""),
        );
    }
    text.value
}

fn goal(table: &Reader<'_>) -> Goal {
    const OBJECTIVES: &[(&str, Objective)] = &[
        ("retention", Objective::Retention),
        ("upsell", Objective::Upsell),
        ("adoption", Objective::Adoption),
        ("acquisition", Objective::Acquisition),
    ];
    let goal = Goal {
        objective: table
            .required_choice("objective", OBJECTIVES, "add `objective = \"retention\"`, or upsell, adoption, acquisition")
            .map_or(Objective::Retention, |objective| objective.value),
        kpi: table.required_text("kpi", "add `kpi = \"…\"`, the name of a feature"),
        target: table.table("target").and_then(|target| target_of(&target)),
        owner: table.text("owner").map(|text| text.value),
        review_by: date(table, "review_by"),
    };
    table.finish();
    goal
}

fn target_of(table: &Reader<'_>) -> Option<Target> {
    let (below, above) = (table.number("below"), table.number("above"));
    table.finish();
    match (below, above) {
        (Some(below), None) => Some(Target::Below(below.value)),
        (None, Some(above)) => Some(Target::Above(above.value)),
        _ => {
            table.error("TS-P016", "a target is either `below` or `above` a number", table.span.clone());
            None
        }
    }
}

fn date(table: &Reader<'_>, key: &str) -> Option<NaiveDate> {
    let value = table.get(key)?;
    let parsed = match value.get_ref() {
        DeValue::Datetime(time) if time.time.is_none() => time
            .date
            .and_then(|date| NaiveDate::from_ymd_opt(i32::from(date.year), u32::from(date.month), u32::from(date.day))),
        _ => None,
    };
    if parsed.is_none() {
        wrong_type(table.notes, value, &format!("`{key}`"), "a date without quotes, such as 2026-12-31");
    }
    parsed
}

fn customer(reader: &Reader<'_>, sources: &[crate::pipeline::Source]) -> Customer {
    let Some(table) = reader.table("customer") else {
        reader.missing("customer", "add a table [customer] with `key = \"customer_id\"`");
        return Customer { key: String::new(), from: Vec::new() };
    };
    let key = table.required_text("key", "add `key = \"customer_id\"`, the name of the key in the published tables");
    check_name(reader, "feature", &key);
    let from = table.texts("from").unwrap_or_default();
    let names: Vec<&str> = sources.iter().map(|source| source.name.value.as_str()).collect();
    for name in &from {
        if !names.contains(&name.value.as_str()) {
            table.notes.add(unknown_name("TS-P017", "source", &name.value, name.span.clone(), &names));
        }
    }
    table.finish();
    Customer { key: key.value, from }
}

fn playbooks(reader: &Reader<'_>, schemes: &[crate::pipeline::Scheme]) -> Vec<Playbook> {
    let Some(tables) = reader.table("playbooks") else { return Vec::new() };
    let mut playbooks = Vec::new();
    for entry in tables.entries() {
        let name = entry.key;
        let Some(table) = tables.as_table(entry.value, &name.value, format!("[playbooks.{}]", name.value)) else { continue };
        check_name(reader, "playbook", &name);
        let scheme = table.required_text("scheme", "add `scheme = \"…\"`, the scheme whose segment this is for");
        let segment = table.text("segment").unwrap_or_else(|| At::new(name.value.clone(), name.span.clone()));
        table.not_built("export", "exports are");
        let playbook = Playbook {
            goal: table.text("goal").map(|text| text.value),
            touch: table
                .text("touch")
                .and_then(|text| choice_of(table.notes, &text, "touch", &[("high", "high"), ("low", "low"), ("tech", "tech")]))
                .map(|touch| touch.value.to_owned()),
            channel: table.text("channel").map(|text| text.value),
            owner: table.text("owner").map(|text| text.value),
            name,
            scheme,
            segment,
        };
        table.finish();
        check_playbook(reader, &playbook, schemes);
        playbooks.push(playbook);
    }
    playbooks
}

fn check_playbook(reader: &Reader<'_>, playbook: &Playbook, schemes: &[crate::pipeline::Scheme]) {
    let names: Vec<&str> = schemes.iter().map(|scheme| scheme.name.value.as_str()).collect();
    let Some(scheme) = schemes.iter().find(|scheme| scheme.name.value == playbook.scheme.value) else {
        if !playbook.scheme.value.is_empty() {
            let at = &playbook.scheme;
            reader.notes.add(unknown_name("TS-P018", "scheme", &at.value, at.span.clone(), &names));
        }
        return;
    };
    if let SchemeKind::Rules(rules) = &scheme.kind {
        let mut segments: Vec<&str> = rules.rules.iter().map(|rule| rule.segment.value.as_str()).collect();
        segments.push(&rules.otherwise);
        segments.dedup();
        if !segments.contains(&playbook.segment.value.as_str()) {
            let what = format!("segment of scheme `{}`", scheme.name.value);
            let at = &playbook.segment;
            reader.notes.add(unknown_name("TS-P019", &what, &at.value, at.span.clone(), &segments));
        }
    }
}
