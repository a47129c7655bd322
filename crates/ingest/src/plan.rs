//! From a source and its files to the rows that are used.

mod files;
mod sample;
mod uses;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use tessera_expr::rel::{
    Cutoff, Dedup, FAULT, OWN, RECORD_RULE, RowCheck, RowOutcome, Scan, SourceRows, Unconverted,
};
use tessera_expr::{BinaryOp, Expr, Literal, Schema, Type, condition_at, failures, parse_at};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, suggest};
use tessera_spec::pipeline::{
    At, Duplicates, FeatureBody, OnBadRow, OnBadValue, Source, SourceKind,
};

use crate::columns::{self, Resolved};
use crate::filter::Filter;
use crate::identity::Map;
use crate::inventory::Inventory;
use crate::joins::{Joins, Lookups, keep_keys};
use crate::keys::{broken_key, customer_of, missing};
use crate::planned::Planned;
use files::scan_of_files;
use sample::{only_drawn, sample};
use uses::{Reading, Uses};

/// The key that all rows of a lookup have.
const LOOKUP_KEY: &str = "\u{1f}lookup";

/// Adds columns that had an error, without a type, so that their names are not reported as unknown too. A column that is probably
/// meant by a name that the files do not have is not what the contract says it is.
fn name_refused(source: &Source, inventory: &Inventory, schema: &mut Schema) {
    let declared = source.contract.columns.iter();
    let declared = declared.map(|column| &column.name.value);
    let in_files = inventory.columns.iter().map(|column| &column.name);
    let held: Vec<&str> = in_files.clone().map(String::as_str).collect();
    let known: HashSet<&str> = held.iter().copied().collect();
    let unknown = declared
        .clone()
        .filter(|name| !known.contains(name.as_str()));
    let meant: HashSet<&str> = unknown.filter_map(|name| suggest(name, &held)).collect();
    for (name, ty) in &mut schema.columns {
        if meant.contains(name.as_str()) {
            *ty = Type::Null;
        }
    }
    let mut there: HashSet<String> = schema.columns.iter().map(|(n, _)| n.clone()).collect();
    for name in declared.chain(in_files) {
        if there.insert(name.clone()) {
            schema.columns.push((name.clone(), Type::Null));
        }
    }
}

/// Plans the rows of these sources that are visible at the cutoff, by the name of the source, and says all that is wrong with them. Which
/// key belongs to which customer is what is known `today`, the day of the run, at every cutoff.
pub fn plan(
    pipeline: &Pipeline,
    sources: &[(&Source, &Inventory)],
    cutoff: Cutoff,
    today: Cutoff,
) -> (BTreeMap<String, Planned>, Vec<Diagnostic>) {
    let mut planned: BTreeMap<String, Planned> = BTreeMap::new();
    let mut problems = Vec::new();
    let is_lookup = |source: &Source| source.kind == SourceKind::Lookup;
    let (with_keys, of_lookups): (Vec<_>, Vec<_>) = sources
        .iter()
        .copied()
        .partition(|(source, _)| !is_lookup(source));
    for from in &of_lookups {
        let (rows, found) = plan_source(pipeline, *from, cutoff, &Lookups::new());
        planned.insert(from.0.name.value.clone(), rows);
        problems.extend(found);
    }
    let found: Vec<_> = of_lookups
        .iter()
        .map(|(source, _)| (*source, planned.get(&source.name.value).cloned()))
        .collect();
    let lookups: Lookups<'_> = found
        .iter()
        .map(|(source, rows)| {
            let sound = rows.as_ref().filter(|rows| !rows.is_wrong);
            (source.name.value.as_str(), (*source, sound))
        })
        .collect();
    for from in &with_keys {
        let (rows, found) = plan_source(pipeline, *from, cutoff, &lookups);
        // Other files than the contract's say nothing of the columns that the source should have.
        if !found.iter().any(|problem| problem.code == "TS-D007") {
            planned.insert(from.0.name.value.clone(), rows);
        }
        problems.extend(found);
    }
    if let Some(map) = map(pipeline, &of_lookups, today, &mut problems) {
        for (source, _) in &with_keys {
            let planned = planned.get_mut(&source.name.value);
            let planned = planned.filter(|planned| !planned.is_wrong);
            if let Some(Err(problem)) = planned.map(|p| map.resolve(source, &mut p.rows)) {
                // The same mistake of the map in every source.
                problems.push(problem);
                break;
            }
        }
    }
    let all = || with_keys.iter().chain(&of_lookups);
    let keys_of = all().filter_map(|(source, _)| Some((*source, source.only_keys_of.as_ref()?)));
    for (source, of) in keys_of {
        let other = planned.get(&of.value).cloned();
        if let (Some(other), Some(rows)) = (other, planned.get_mut(&source.name.value)) {
            keep_keys(&mut rows.rows, other.rows);
        }
    }
    (planned, problems)
}

/// The map of keys; none where the pipeline has none, or its lookup has mistakes, which are reported as such.
fn map<'a>(
    pipeline: &'a Pipeline,
    lookups: &[(&'a Source, &Inventory)],
    today: Cutoff,
    problems: &mut Vec<Diagnostic>,
) -> Option<Map<'a>> {
    let identity = pipeline.customer.identity.as_ref()?;
    let mut all = lookups.iter();
    let from = *all.find(|(source, _)| source.name.value == identity.from.value)?;
    let (planned, wrong) = plan_source(pipeline, from, today, &Lookups::new());
    match wrong.is_empty() {
        true => Map::new(from.0, &identity.to, planned, problems),
        false => None,
    }
}

/// Plans the rows of one source, which may join rows of these lookups.
fn plan_source(
    pipeline: &Pipeline,
    (source, inventory): (&Source, &Inventory),
    cutoff: Cutoff,
    lookups: &Lookups<'_>,
) -> (Planned, Vec<Diagnostic>) {
    let Resolved {
        columns,
        groups,
        path_values,
        mut problems,
    } = columns::resolve(pipeline, source, inventory);
    let mut schema = columns::schema(&columns);
    if !problems.is_empty() {
        name_refused(source, inventory, &mut schema);
    }
    let mut joins = Joins::new(source, lookups);
    let (mut derive, failed) = derived(source, &mut joins, &mut schema, &mut problems);
    joins.rest(derive.len(), &mut schema, &mut problems);
    if source.kind == SourceKind::Lookup {
        let one = Expr::literal(Literal::Int(1), Type::Int);
        derive.push((LOOKUP_KEY.to_owned(), one));
    }
    check_references((source, inventory), &schema, &mut problems);
    let rules = rules(source, &schema, &mut problems);
    let exprs = read_by(pipeline, source, &schema, &derive, &rules);
    let uses = Uses::new(pipeline, source, &columns, &exprs);
    uses.check_zone(source, (&columns, &groups), &exprs, &mut problems);
    let to = customer_of(pipeline, source);
    let filter = rules.filter.clone();
    let checks = checks((source, to), &schema, rules).into_iter();
    let checks = checks.map(|check| (None, check));
    let all = failed.into_iter().chain(checks);
    let (checks, read_as_null) = by_contract(source, all);
    let filter = filter.map(|filter| Filter::new(filter, &derive));
    let (mut checks, leading) = in_order(inventory, checks, filter);
    let scan = Scan {
        columns,
        groups,
        path_values,
        derive,
        joins: joins.planned,
        ..scan_of_files(pipeline, source, inventory)
    };
    let sample = sample(pipeline, source);
    checks.extend(sample.map(|_| only_drawn()));
    let text = |name: &Option<At<String>>| name.as_ref().map(|name| name.value.clone());
    let rows = SourceRows {
        scan,
        key: match source.kind {
            SourceKind::Lookup => LOOKUP_KEY.to_owned(),
            _ => source.key.value.clone(),
        },
        time: text(&source.time),
        until: text(&source.until),
        known_at: text(&source.known_at),
        as_of: cutoff.as_of,
        known_by: cutoff.known_by,
        not_before: None,
        in_range: uses.names,
        unconverted: unconverted(source.contract.conversions),
        checks,
        leading,
        read_as_null,
        amount: amount(source, &schema),
        dedup: dedup(&source.contract.duplicates),
        sample,
        only: None,
    };
    let planned = Planned {
        rows,
        schema,
        is_wrong: !problems.is_empty(),
    };
    (planned, problems)
}

/// Key, times and identifying columns must exist and have fitting types.
fn check_references(
    (source, inventory): (&Source, &Inventory),
    schema: &Schema,
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
    let keys: Vec<Option<Type>> = source.keys().map(&mut find).collect();
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
    if let [Some(ty)] = keys.as_slice()
        && source.kind != SourceKind::Lookup
        && !(ty.is_number() || matches!(ty, Type::String | Type::Null))
    {
        problems.push(
            Diagnostic::error("TS-D004", format!("the key `{}` is {ty}", source.key.value), source.key.span.clone())
                .with_label("a key must be text or a whole number")
                .with_help(format!("add a derived column, such as `derive = {{ id = \"cast({} as string)\" }}`, and name it as key", source.key.value)),
        );
    }
    for (name, ty) in times {
        let Some(ty) = ty else { continue };
        if !matches!(ty, Type::Date | Type::Timestamp | Type::Null) {
            problems.push(
                Diagnostic::error("TS-D005", format!("`{}` is {ty}, not a date or timestamp", name.value), name.span.clone())
                    .with_help(match ty {
                        // No cast makes a time of a number.
                        Type::Int => columns::time_of_integers(inventory, &name.value),
                        Type::Float | Type::Decimal { .. } => "convert it in `derive`: `to_timestamp(…, 's')` reads seconds since 1970, `strptime(cast(cast(… as bigint) as string), '%Y%m%d')` the digits of dates".to_owned(),
                        _ => "declare it in the contract's columns with the form of its texts, such as { type = \"timestamp\", format = \"%Y-%m-%d %H:%M:%S\" }, or convert it in `derive` with `cast`".to_owned(),
                    }),
            );
        }
    }
}

/// A check, and the derived column whose value it concerns.
type OfColumn = (Option<Expr>, RowCheck);

/// The derived columns in order, and checks that reject rows whose values do not convert. `schema` gains the columns.
fn derived(
    source: &Source,
    joins: &mut Joins<'_>,
    schema: &mut Schema,
    problems: &mut Vec<Diagnostic>,
) -> (Vec<(String, Expr)>, Vec<OfColumn>) {
    let mut derive = Vec::new();
    let mut checks = Vec::new();
    for (entry, (name, text)) in source.derive.iter().enumerate() {
        joins.before(text, (entry, derive.len()), schema, problems);
        let expr = match parse_at(text, schema) {
            Ok(expr) => expr,
            Err(found) => {
                problems.extend(found);
                schema.columns.push((name.value.clone(), Type::Null));
                continue;
            }
        };
        let place = format!("derive `{}`", name.value);
        let made = Expr::column(&name.value, expr.ty);
        let masked = source
            .until
            .as_ref()
            .is_some_and(|until| until.value == name.value);
        if masked || tessera_expr::columns(&expr).contains(name.value.as_str()) {
            // The column does not hold the value of the conversion, or has the name of what it reads: check before it is derived.
            for (number, mut check) in failed(&place, &expr, None).into_iter().enumerate() {
                let flag = format!("{OWN}failed_{}_{number}", name.value);
                let taken = Expr::column(&flag, Type::Bool);
                derive.push((flag, std::mem::replace(&mut check.bad_when, taken)));
                checks.push((Some(made.clone()), check));
            }
        } else {
            let failed = failed(&place, &expr, Some(&made)).into_iter();
            checks.extend(failed.map(|check| (Some(made.clone()), check)));
        }
        // Of a column with a mistake the type is not known, and so not that of what is made of it.
        let reads_mistake = !problems.is_empty()
            && tessera_expr::columns(&expr)
                .into_iter()
                .any(|read| schema.get(read) == Some(Type::Null));
        let ty = match reads_mistake {
            true => Type::Null,
            false => expr.ty,
        };
        schema.columns.retain(|(known, _)| *known != name.value);
        schema.columns.push((name.value.clone(), ty));
        derive.push((name.value.clone(), expr));
    }
    (derive, checks)
}

/// Checks that reject rows for which a conversion within an expression fails. `place` says where it is.
fn failed(place: &str, expr: &Expr, made: Option<&Expr>) -> Vec<RowCheck> {
    let found = failures(expr, made).into_iter();
    found
        .map(|failure| RowCheck {
            rule: format!("{place}: {} is not {}", failure.of, failure.wanted),
            bad_when: failure.when,
            outcome: RowOutcome::Quarantine,
            conversion: true,
        })
        .collect()
}

/// The parsed rules of the contract, in order, and the filter.
struct Rules {
    contract: Vec<(String, Expr, RowOutcome)>,
    filter: Option<Expr>,
    purchase: Option<Expr>,
}

/// The expressions that read columns of a source: what is derived, its rules, and the features over it. Mistakes in these are
/// reported where features are planned.
fn read_by<'e>(
    pipeline: &Pipeline,
    source: &Source,
    schema: &Schema,
    derive: &'e [(String, Expr)],
    rules: &'e Rules,
) -> Vec<Reading<'e>> {
    let reading = |place: String, expr: Cow<'e, Expr>| Reading { place, expr };
    let derived = derive
        .iter()
        .map(|(name, expr)| reading(format!("`{name}`"), Cow::Borrowed(expr)));
    let contract = rules
        .contract
        .iter()
        .map(|(name, expr, _)| reading(format!("a time in rule `{name}`"), Cow::Borrowed(expr)));
    let stated = [("filter", &rules.filter), ("purchase", &rules.purchase)];
    let stated = stated.into_iter().filter_map(|(name, expr)| {
        let expr = Cow::Borrowed(expr.as_ref()?);
        Some(reading(format!("a time in `{name}`"), expr))
    });
    let features = pipeline.features.declared.iter().flat_map(|feature| {
        let FeatureBody::Aggregate {
            from, of, filter, ..
        } = &feature.body
        else {
            return Vec::new();
        };
        let texts = (from.value == source.name.value).then_some((of, filter));
        let exprs = texts.into_iter().flat_map(|(of, filter)| {
            let of = of.as_ref().and_then(|of| parse_at(of, schema).ok());
            let filter = filter.as_ref();
            let filter = filter.and_then(|filter| condition_at(filter, schema).ok());
            of.into_iter().chain(filter)
        });
        let place = format!("a time in feature `{}`", feature.name.value);
        exprs
            .map(|expr| reading(place.clone(), Cow::Owned(expr)))
            .collect()
    });
    derived
        .chain(contract)
        .chain(stated)
        .chain(features)
        .collect()
}

fn rules(source: &Source, schema: &Schema, problems: &mut Vec<Diagnostic>) -> Rules {
    let mut contract = Vec::new();
    for rule in &source.contract.rules {
        match condition_at(&rule.check, schema) {
            Ok(check) => contract.push((rule.name.value.clone(), check, outcome(rule.on_fail))),
            Err(found) => problems.extend(found),
        }
    }
    let filter = source.filter.as_ref();
    let filter = filter.and_then(|filter| match condition_at(filter, schema) {
        Ok(filter) => Some(filter),
        Err(found) => {
            problems.extend(found);
            None
        }
    });
    let purchase = source.purchase.as_ref();
    let purchase = purchase.and_then(|purchase| match condition_at(purchase, schema) {
        Ok(purchase) => Some(purchase),
        Err(found) => {
            problems.extend(found);
            None
        }
    });
    Rules {
        contract,
        filter,
        purchase,
    }
}

/// The checks with the outcome that the contract states for values that do not convert. Where these read as null, there are no such
/// checks, and rows are counted instead, but for those whose derived column is null, which are counted with it.
fn by_contract(
    source: &Source,
    checks: impl Iterator<Item = OfColumn>,
) -> (Vec<RowCheck>, Vec<(String, Expr)>) {
    let conversions = unconverted(source.contract.conversions);
    let (mut planned, mut read_as_null) = (Vec::new(), Vec::new());
    for (made, check) in checks {
        match conversions {
            _ if !check.conversion => planned.push(check),
            Unconverted::TakesOut(outcome) => planned.push(RowCheck { outcome, ..check }),
            Unconverted::Null => {
                let known = made.map(|made| made.is_null().negated());
                let fails = match known {
                    Some(known) => check.bad_when.condition(BinaryOp::And, known),
                    None => check.bad_when,
                };
                read_as_null.push((check.rule, fails));
            }
        }
    }
    (planned, read_as_null)
}

/// The checks with those of the filter and of records, and how many of the first decide before values that do not convert.
fn in_order(
    inventory: &Inventory,
    checks: Vec<RowCheck>,
    filter: Option<Filter>,
) -> (Vec<RowCheck>, usize) {
    let (mut checks, leading) = match filter {
        Some(filter) => filter.among(checks),
        None => (checks, 0),
    };
    if !inventory.format.is_text() {
        return (checks, leading);
    }
    checks.insert(0, whole_record());
    (checks, leading + 1)
}

/// Rejects records of text files that could not be split into fields.
fn whole_record() -> RowCheck {
    RowCheck {
        rule: RECORD_RULE.to_owned(),
        bad_when: Expr::column(FAULT, Type::String).is_null().negated(),
        outcome: RowOutcome::Quarantine,
        conversion: false,
    }
}

/// Conversions within the filter, then the contract's checks. `to` is the column with the customer of a map of keys.
fn checks(
    (source, to): (&Source, Option<&At<String>>),
    schema: &Schema,
    rules: Rules,
) -> Vec<RowCheck> {
    let of_filter = rules.filter.iter();
    let of_filter = of_filter.flat_map(|filter| failed("filter", filter, None));
    let mut checks: Vec<RowCheck> = of_filter.collect();
    for key in source.keys().chain(to) {
        let Some(ty) = schema.get(&key.value) else {
            continue;
        };
        checks.push(RowCheck {
            rule: format!("{} is missing", key.value),
            bad_when: missing(&key.value, ty),
            outcome: outcome(source.contract.missing_key),
            conversion: false,
        });
        let is_lookup = source.kind == SourceKind::Lookup;
        if let Some(bad_when) = broken_key(&key.value, ty).filter(|_| !is_lookup) {
            checks.push(RowCheck {
                rule: format!("{} is not a whole number", key.value),
                bad_when,
                outcome: RowOutcome::Quarantine,
                conversion: false,
            });
        }
    }
    if let (Some(time), SourceKind::Events | SourceKind::Intervals) = (&source.time, source.kind)
        && let Some(ty) = schema.get(&time.value)
    {
        let bad_when = Expr::column(&time.value, ty).is_null();
        checks.push(RowCheck {
            rule: format!("{} is missing", time.value),
            bad_when,
            outcome: RowOutcome::Quarantine,
            conversion: false,
        });
    }
    for (name, check, _) in &rules.contract {
        checks.extend(failed(&format!("rule `{name}`"), check, None));
    }
    let purchase = rules.purchase.iter();
    checks.extend(purchase.flat_map(|expr| failed("purchase", expr, None)));
    for (rule, check, outcome) in rules.contract {
        let bad_when = check.negated();
        checks.push(RowCheck {
            rule,
            bad_when,
            outcome,
            conversion: false,
        });
    }
    checks
}

fn outcome(on_bad_row: OnBadRow) -> RowOutcome {
    match on_bad_row {
        OnBadRow::Quarantine => RowOutcome::Quarantine,
        OnBadRow::Drop => RowOutcome::Drop,
        OnBadRow::Fail => RowOutcome::Fail,
    }
}

fn unconverted(on_bad_value: OnBadValue) -> Unconverted {
    Unconverted::TakesOut(match on_bad_value {
        OnBadValue::Quarantine => RowOutcome::Quarantine,
        OnBadValue::Drop => RowOutcome::Drop,
        OnBadValue::Fail => RowOutcome::Fail,
        OnBadValue::Null => return Unconverted::Null,
    })
}

/// The money of an event, where the source has such a column.
fn amount(source: &Source, schema: &Schema) -> Option<Expr> {
    let name = source.amount.as_ref();
    let name = name.map_or("amount", |amount| amount.value.as_str());
    let ty = schema.get(name)?;
    let number = matches!(ty, Type::Int | Type::Float | Type::Decimal { .. });
    (source.kind == SourceKind::Events && number).then(|| Expr::column(name, ty))
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
