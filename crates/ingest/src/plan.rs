//! From a source and what lies in the lake to the rows that take part.

use chrono::NaiveDate;
use tessera_expr::rel::{
    Dedup, RowCheck, RowOutcome, Scan, ScanColumn, ScanFormat, SourceRows, Stored,
};
use tessera_expr::{BinaryOp, Expr, Literal, Schema, Type, condition_at, parse_at};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{At, Duplicates, ExprText, Format, OnBadRow, Source, SourceKind};

use crate::columns;
use crate::inventory::Inventory;

/// The rows of a source, and the names that expressions over them may use.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What is read and what takes part.
    pub rows: SourceRows,
    /// Columns and derived columns.
    pub schema: Schema,
}

/// Plans the rows of a source that are visible at the close of `as_of`.
pub fn plan(
    pipeline: &Pipeline,
    source: &Source,
    inventory: &Inventory,
    as_of: NaiveDate,
) -> Result<Planned, Vec<Diagnostic>> {
    let (columns, mut problems) = columns::resolve(source, inventory);
    let mut schema = columns::schema(&columns);
    let mut derive = Vec::new();
    for (name, text) in &source.derive {
        match parse_at(text, &schema) {
            Ok(expr) => {
                schema.columns.retain(|(known, _)| *known != name.value);
                schema.columns.push((name.value.clone(), expr.ty));
                derive.push((name.value.clone(), expr));
            }
            Err(found) => {
                problems.extend(found);
                schema.columns.push((name.value.clone(), Type::Null));
            }
        }
    }
    check_references(source, &schema, &columns, &mut problems);
    let checks = checks(source, &schema, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let scan = Scan {
        source: source.name.value.clone(),
        files: inventory
            .files
            .iter()
            .map(|file| file.path.clone())
            .collect(),
        format: match inventory.format {
            Format::Parquet => ScanFormat::Parquet,
            Format::Csv => ScanFormat::Csv,
            Format::Ndjson => ScanFormat::Ndjson,
        },
        columns,
        timezone: pipeline.timezone,
        naive_zone: source.time_zone.as_ref().map(|zone| zone.value),
        derive,
    };
    let text = |name: &Option<At<String>>| name.as_ref().map(|name| name.value.clone());
    let rows = SourceRows {
        scan,
        key: source.key.value.clone(),
        time: text(&source.time),
        until: text(&source.until),
        known_at: text(&source.known_at),
        as_of,
        not_before: None,
        checks,
        dedup: dedup(&source.contract.duplicates),
    };
    Ok(Planned { rows, schema })
}

/// Key, times and identifying columns must exist and have fitting types.
fn check_references(
    source: &Source,
    schema: &Schema,
    columns: &[ScanColumn],
    problems: &mut Vec<Diagnostic>,
) {
    let names: Vec<&str> = schema
        .columns
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let mut find = |name: &At<String>| -> Option<Type> {
        let ty = schema.get(&name.value);
        if ty.is_none() {
            problems.push(columns::unknown_column(source, name, &names));
        }
        ty
    };
    let key = find(&source.key);
    let times: Vec<(&At<String>, Option<Type>)> = [&source.time, &source.until, &source.known_at]
        .into_iter()
        .flatten()
        .map(|name| (name, find(name)))
        .collect();
    for name in source
        .order_id
        .iter()
        .chain(&source.amount)
        .chain(source.attributes.iter().map(|a| &a.column))
    {
        find(name);
    }
    if let Duplicates::Unique { columns, .. } = &source.contract.duplicates {
        for name in columns {
            find(name);
        }
    }
    if let Some(ty) = key
        && !matches!(ty, Type::String | Type::Int | Type::Null)
    {
        problems.push(
            Diagnostic::error("TS-D004", format!("the key `{}` is {ty}", source.key.value), source.key.span.clone())
                .with_label("a key is text or an integer")
                .with_help(format!("add a derived column, such as `derive = {{ id = \"cast({} as bigint)\" }}`, and name it as key", source.key.value)),
        );
    }
    for (name, ty) in times {
        let Some(ty) = ty else { continue };
        if !matches!(ty, Type::Date | Type::Timestamp | Type::Null) {
            problems.push(
                Diagnostic::error("TS-D005", format!("`{}` is {ty}, not a date or timestamp", name.value), name.span.clone())
                    .with_help("declare it as \"timestamp\" or \"date\" in the contract's columns, or convert it in `derive` with `cast`"),
            );
        }
    }
    check_zone(source, columns, problems);
}

/// Naive timestamps are refused unless the source says what they mean.
fn check_zone(source: &Source, columns: &[ScanColumn], problems: &mut Vec<Diagnostic>) {
    if source.time_zone.is_some() {
        return;
    }
    let naive = columns.iter().find(|column| {
        let naive = match &column.stored {
            Stored::Timestamp { zone, .. } => zone.is_none(),
            Stored::Text | Stored::HivePath => column.ty == Type::Timestamp,
            _ => false,
        };
        let mentions = |text: &ExprText| text.value.contains(&column.name);
        naive
            && ([&source.time, &source.until, &source.known_at]
                .into_iter()
                .flatten()
                .any(|name| name.value == column.name)
                || source.derive.iter().any(|(_, text)| mentions(text))
                || source.filter.iter().any(mentions))
    });
    if let Some(column) = naive {
        let place = source
            .time
            .as_ref()
            .map_or_else(|| source.name.span.clone(), |time| time.span.clone());
        problems.push(
            Diagnostic::error(
                "TS-D006",
                format!("`{}` holds timestamps without a zone", column.name),
                place,
            )
            .with_label("day boundaries depend on what these mean")
            .with_help(format!(
                "say it: `time_zone = \"Europe/London\"` in [sources.{}]",
                source.name.value
            )),
        );
    }
}

/// The contract's checks, then the filter.
fn checks(source: &Source, schema: &Schema, problems: &mut Vec<Diagnostic>) -> Vec<RowCheck> {
    let mut checks = Vec::new();
    if let Some(ty) = schema.get(&source.key.value) {
        checks.push(RowCheck {
            rule: format!("{} is present", source.key.value),
            bad_when: missing(&source.key.value, ty),
            outcome: outcome(source.contract.missing_key),
        });
    }
    if let (Some(time), SourceKind::Events | SourceKind::Intervals) = (&source.time, source.kind)
        && let Some(ty) = schema.get(&time.value)
    {
        let bad_when = Expr::column(&time.value, ty).is_null();
        checks.push(RowCheck {
            rule: format!("{} is present", time.value),
            bad_when,
            outcome: RowOutcome::Quarantine,
        });
    }
    for rule in &source.contract.rules {
        match condition_at(&rule.check, schema) {
            Ok(check) => checks.push(RowCheck {
                rule: rule.name.value.clone(),
                bad_when: check.negated(),
                outcome: outcome(rule.on_fail),
            }),
            Err(found) => problems.extend(found),
        }
    }
    if let Some(filter) = &source.filter {
        match condition_at(filter, schema) {
            Ok(filter) => {
                let yes = Expr::literal(Literal::Bool(true), Type::Bool);
                let bad_when = filter.condition(BinaryOp::IsDistinctFrom, yes);
                checks.push(RowCheck {
                    rule: "filter".to_owned(),
                    bad_when,
                    outcome: RowOutcome::Filter,
                });
            }
            Err(found) => problems.extend(found),
        }
    }
    checks
}

/// Null, or an empty text.
fn missing(name: &str, ty: Type) -> Expr {
    let column = Expr::column(name, ty);
    let null = column.clone().is_null();
    if ty != Type::String {
        return null;
    }
    let empty = Expr::literal(Literal::String(String::new()), ty);
    null.condition(BinaryOp::Or, column.condition(BinaryOp::Equal, empty))
}

fn outcome(on_bad_row: OnBadRow) -> RowOutcome {
    match on_bad_row {
        OnBadRow::Quarantine => RowOutcome::Quarantine,
        OnBadRow::Drop => RowOutcome::Drop,
        OnBadRow::Fail => RowOutcome::Fail,
    }
}

fn dedup(duplicates: &Duplicates) -> Option<Dedup> {
    match duplicates {
        Duplicates::Keep => None,
        Duplicates::DropExact => Some(Dedup {
            columns: Vec::new(),
            outcome: RowOutcome::Drop,
        }),
        Duplicates::Fail => Some(Dedup {
            columns: Vec::new(),
            outcome: RowOutcome::Fail,
        }),
        Duplicates::Unique { columns, on_fail } => Some(Dedup {
            columns: columns.iter().map(|column| column.value.clone()).collect(),
            outcome: outcome(*on_fail),
        }),
    }
}
