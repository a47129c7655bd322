//! The smallest changes of single columns that lead customers to other segments, found as `memberships` has them.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef};
use arrow::compute::{concat_batches, filter_record_batch, is_not_null};
use serde::{Deserialize as _, Serialize};
use serde_json::{Value, json};
use tessera_engine::{Budget, PolarsEngine};
use tessera_expr::Expr;
use tessera_segments::{Cells, Customers, Fit};
use tessera_snapshot::{Store, Version};
use tessera_spec::pipeline::{LifecycleLimits, Memberships, Scheme, SchemeInput};

use super::rows::value;
use super::rules::{Rules, place};
use super::{Explained, SchemeExplained};
use crate::artifacts;
use crate::error::PipelineError;
use crate::held;
use crate::history::{Limits, numbers};
use crate::nearest::{Answers, Candidates, Columns, Found, Spread, Tried, bound, difference};
use crate::work::WorkFolder;

/// A change of one column that leads to another segment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The column.
    pub column: String,
    /// Its value now.
    pub from: Value,
    /// The nearest value with another segment, or the limit that must be passed.
    pub to: Value,
    /// How it is meant: `at least`, `at most`, `more than`, `less than`, `is`, or `is not named` for any text that no rule names.
    pub bound: &'static str,
    /// The difference of numbers.
    pub change: Option<f64>,
    /// The difference in standard deviations of the column over all customers, by which changes are compared.
    pub deviations: Option<f64>,
    /// The segment that it leads to.
    pub segment: String,
}

/// What a version assigned the customers of a scheme by.
struct Assigned {
    scheme: Scheme,
    rules: Option<Vec<Expr>>,
    fit: Fit,
}

/// Fills in the nearest changes of every scheme that states how it decides.
pub(super) fn explain(
    store: &Store,
    explained: &Explained<'_>,
    kinds: &[(String, String)],
    schemes: &mut BTreeMap<String, Vec<SchemeExplained>>,
) -> Result<(), PipelineError> {
    let work = WorkFolder::new(None)?;
    let engine = PolarsEngine::new(1, Budget::unlimited(work.path()));
    for (scheme, _) in kinds {
        let mut of_scheme: BTreeMap<&String, &mut SchemeExplained> = BTreeMap::new();
        for (key, own) in &mut *schemes {
            let own = own.iter_mut().find(|own| own.scheme == *scheme);
            of_scheme.extend(own.map(|own| (key, own)));
        }
        match candidates(store, explained, scheme) {
            Ok(candidates) => of_customers(explained, &engine, (scheme, &candidates), of_scheme)?,
            Err(why) => {
                for own in of_scheme.into_values() {
                    own.nearest_note = Some(why.clone());
                }
            }
        }
    }
    Ok(())
}

/// The changes to try in a scheme, as its run had them; the error states why there are none.
fn candidates(
    store: &Store,
    explained: &Explained<'_>,
    scheme: &str,
) -> Result<Candidates, String> {
    let assigned = assigned(store, explained, scheme)?;
    let within = within(explained, &assigned.scheme).map_err(|error| error.to_string())?;
    let rules = assigned.rules.as_deref();
    let schema = explained.customers.batch.schema();
    let segments = explained.segments.iter();
    let own = segments.filter(|segment| segment.scheme == scheme);
    let names: Vec<_> = own.map(|of| (of.id, of.name.as_str())).collect();
    let stages = LifecycleLimits::deserialize(&explained.declared["features"]["lifecycle"]);
    let stages = stages.map_err(|_| "the version does not state the limits of its stages")?;
    let by = (rules, &assigned.fit, within);
    let found = Candidates::new((&assigned.scheme, &stages), by, &schema, &names);
    found.map_err(|untold| untold.to_string())
}

/// What the limits of entering and leaving of a scheme decide, where it has any and its columns are published.
fn within(explained: &Explained<'_>, scheme: &Scheme) -> Result<Option<Cells>, PipelineError> {
    let Ok(memberships) = Memberships::deserialize(&explained.declared["memberships"]) else {
        return Ok(None);
    };
    let Some(limits) = Limits::of(&memberships, scheme) else {
        return Ok(None);
    };
    let shown = explained.customers.batch.schema();
    let inputs = scheme.kind.settings().inputs();
    let names: Vec<&str> = inputs.iter().map(SchemeInput::name).collect();
    if names.iter().any(|name| shown.index_of(name).is_err()) {
        return Ok(None);
    }
    let (key, own) = (shown.field(1).name().as_str(), scheme.name.value.as_str());
    let wanted = |name: &str| name == key || name == own || names.contains(&name);
    let batches = explained.version.read_columns("customers", wanted)?;
    let Some(first) = batches.first() else {
        return Ok(None);
    };
    let all = concat_batches(&first.schema(), &batches)?;
    let assigned = all
        .column_by_name(own)
        .map(|own| is_not_null(own))
        .transpose()?;
    let assigned = assigned.map(|assigned| filter_record_batch(&all, &assigned));
    let customers = Customers::new(assigned.transpose()?.unwrap_or(all))?;
    Ok(limits.cells(&customers)?)
}

fn assigned(store: &Store, explained: &Explained<'_>, name: &str) -> Result<Assigned, String> {
    let stated = held::serving(explained.version, name);
    let scheme = stated
        .ok_or("the version does not state how it decided")?
        .scheme;
    let rules = Rules::of(explained, name);
    Ok(Assigned {
        rules: rules.map(|rules| rules.rules.into_iter().map(|rule| rule.expr).collect()),
        fit: artifacts::of_version(store, explained.version, &scheme)?,
        scheme,
    })
}

/// Asks the scheme what it makes of every change of each customer.
fn of_customers(
    explained: &Explained<'_>,
    engine: &PolarsEngine,
    (scheme, candidates): (&str, &Candidates),
    schemes: BTreeMap<&String, &mut SchemeExplained>,
) -> Result<(), PipelineError> {
    let table = &explained.customers.batch;
    let names: BTreeSet<String> = candidates.columns().map(str::to_owned).collect();
    let segments = whole(explained.version, scheme)?;
    let columns = Columns::new(&names, table, |name, _| {
        of_all(explained.version, name, &segments)
    })?;
    let asked = (
        engine as &dyn tessera_engine::Engine,
        place(explained.version),
    );
    let answers = candidates.answers(asked, (table, &columns), (0, table.num_rows()))?;
    for (key, own) in schemes {
        let row = explained.customers.of(key)[0];
        let is_elsewhere = match own.assigned_by.as_str() {
            "pin" => true,
            "held" => !answers.keeps(row, answers.own(&own.segment)),
            _ => false,
        };
        if is_elsewhere {
            own.nearest_note =
                Some("the customer is not where the scheme alone would put it".to_owned());
            continue;
        }
        let found = answers.all(row, &own.segment);
        let told = found
            .iter()
            .map(|found| change(explained, (candidates, &answers), found, row));
        own.nearest = told.collect();
        own.nearest_note = note(explained, candidates, row);
    }
    Ok(())
}

/// What is to be known of the changes of a customer.
fn note(explained: &Explained<'_>, candidates: &Candidates, row: usize) -> Option<String> {
    let is_missing = |name: &str| {
        let column = explained.customers.column(name);
        column.is_none_or(|column| column.is_null(row))
    };
    if let Some(note) = candidates.of_centres_note(is_missing) {
        return Some(note);
    }
    let needed = candidates.needed().unwrap_or_default();
    let missing = needed.iter().copied().filter(|name| is_missing(name));
    let missing: Vec<&str> = missing.collect();
    if !missing.is_empty() {
        return Some(format!("without a value: {}", missing.join(", ")));
    }
    if !candidates.untried().is_empty() {
        let untried = candidates.untried().join(", ");
        let why = match needed.is_empty() {
            true => {
                "tried are numbers and texts that the rules compare with constants, no dates and no truth values"
            }
            false => "only time changes it",
        };
        return Some(format!("not tried: {untried}; {why}"));
    }
    (!needed.is_empty()).then(|| {
        "by the limits of this version; those that are fitted again move with all customers"
            .to_owned()
    })
}

/// A value that leads to a segment, as it is told.
fn change(
    explained: &Explained<'_>,
    (candidates, answers): (&Candidates, &Answers<'_>),
    found: &Found,
    row: usize,
) -> Change {
    let (column, to, segment) = candidates.told(found);
    let (from, spread) = answers.number(found, row);
    let difference = difference(&to, from);
    let value_to = match &to {
        Tried::Null | Tried::Other => Value::Null,
        Tried::Text(text) => json!(text),
        Tried::Integer(whole) => json!(whole),
        Tried::Float { .. } => json!(to.told_number()),
    };
    Change {
        column: column.to_owned(),
        from: explained
            .customers
            .column(column)
            .map_or(Value::Null, |values| value(values, row)),
        to: value_to,
        bound: bound(&to, difference),
        change: difference,
        deviations: difference
            .zip(spread)
            .map(|(difference, spread)| difference.abs() / spread),
        segment: segment.to_owned(),
    }
}

/// How far a column is spread over the customers that a scheme assigned, of whom `segments` are the segments.
fn of_all(version: &Version, column: &str, segments: &[ArrayRef]) -> Result<Spread, PipelineError> {
    let values = whole(version, column)?;
    let assigned = values.iter().zip(segments).flat_map(|(values, segments)| {
        let numbers = numbers(values).into_iter().enumerate();
        let own = numbers.filter(|(row, _)| segments.is_valid(*row));
        own.map(|(_, number)| number).collect::<Vec<_>>()
    });
    Ok(Spread::of(assigned))
}

/// A column of all customers, in the batches of the table.
fn whole(version: &Version, column: &str) -> Result<Vec<ArrayRef>, PipelineError> {
    let batches = version.read_columns("customers", |name| name == column)?;
    let columns = batches.iter().filter_map(|batch| batch.columns().first());
    Ok(columns.cloned().collect())
}
