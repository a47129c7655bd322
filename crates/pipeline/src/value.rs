//! Value of customers: the columns that `[value]` adds after features and scores.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Schema as Columns};
use tessera_engine::Engine;
use tessera_expr::rel::Project;
use tessera_expr::{Expr, Schema, Type, columns, parse, parse_at};
use tessera_features::FeatureInfo;
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics};
use tessera_spec::pipeline::{Base, Direction, ExprText, Unit};
use tessera_spec::shown::grouped;

use crate::error::PipelineError;
use crate::labels::Labels;
use crate::prepared::Prepared;
use crate::units::{Part, handed_on, parts};

/// The columns of `[value]`, planned.
pub(crate) type Planned = Vec<(FeatureInfo, Expr)>;

/// Plans the columns of `[value]` over features and scores; adds errors in them to `found`.
pub(crate) fn plan(
    pipeline: &Pipeline,
    published: &[FeatureInfo],
    labels: &Labels,
    found: &mut Diagnostics,
) -> Planned {
    let Some(value) = &pipeline.value else {
        return Planned::new();
    };
    let known = Schema {
        columns: published.iter().map(|f| (f.name.clone(), f.ty)).collect(),
    };
    let money = [
        ("now", &value.now),
        ("future", &value.future),
        ("past", &value.past),
    ];
    let money = money
        .into_iter()
        .filter_map(|(key, text)| Some((key, text.as_ref()?)));
    let mut problems: Vec<Diagnostic> = money
        .flat_map(|(key, text)| wrong(text, &known, |expr| no_money((key, text), expr, published)))
        .collect();
    if let Some(text) = &value.risk {
        let no_probability = |expr: &Expr| no_probability(text, expr, published);
        problems.extend(wrong(text, &known, no_probability));
    }
    let texts = [&value.now, &value.future, &value.past, &value.risk];
    for text in texts.into_iter().flatten() {
        if let Ok(expr) = parse_at(text, &known) {
            labels.check(text, &expr, found);
        }
    }
    // What names the columns of a part with a mistake is not reported as well.
    let is_wrong = !problems.is_empty();
    found.extend(problems);
    let column = |column: tessera_spec::pipeline::ValueColumn| {
        // Each part was parsed separately, so the whole parses too.
        let text = match is_wrong {
            true => "cast(null as double)".to_owned(),
            false => format!("cast({} as double)", column.text),
        };
        let expr = parse(&text, &known).ok()?;
        let info = FeatureInfo {
            name: column.name.to_owned(),
            ty: Type::Float,
            unit: column.unit,
            base: Base::Value,
            label: column.label,
            direction: column.direction,
            definition: column.about,
            source: None,
        };
        Some((info, expr))
    };
    pipeline
        .value_columns()
        .into_iter()
        .filter_map(column)
        .collect()
}

/// What is wrong with an expression of `[value]`; `unfit` says what of a number is.
fn wrong(
    text: &ExprText,
    known: &Schema,
    unfit: impl Fn(&Expr) -> Option<Diagnostic>,
) -> Vec<Diagnostic> {
    match parse_at(text, known) {
        Ok(expr) if expr.ty.is_number() => unfit(&expr).into_iter().collect(),
        Ok(expr) if expr.ty == Type::Null => Vec::new(),
        Ok(expr) => {
            let message = format!("a value must be a number, but this is {}", expr.ty);
            let problem = Diagnostic::error("TS-G013", message, text.span.clone());
            vec![problem.with_help("name a numeric feature or score, or an expression over them")]
        }
        Err(problems) => problems,
    }
}

/// A column that an expression of `[value]` hands on, and whose unit is known to be none of these.
fn of_other_unit<'a>(
    expr: &Expr,
    published: &'a [FeatureInfo],
    units: &[Unit],
) -> Option<&'a FeatureInfo> {
    let column = |part: &Part<'_>| match part {
        Part::Column(name) => published.iter().find(|info| info.name == *name),
        Part::Constant(_) => None,
    };
    let columns: Vec<_> = parts(expr).iter().filter_map(column).collect();
    let other = |info: &&FeatureInfo| info.unit != Unit::Number && !units.contains(&info.unit);
    columns.into_iter().find(other)
}

fn no_money(
    (key, text): (&str, &ExprText),
    expr: &Expr,
    published: &[FeatureInfo],
) -> Option<Diagnostic> {
    let other = of_other_unit(expr, published, &[Unit::Currency])?;
    let name = &other.name;
    let message = format!(
        "`{key}` must be money, but `{name}` is {}",
        other.unit.words()
    );
    let problem = Diagnostic::error("TS-G023", message, text.span.clone());
    Some(problem.with_help(format!(
        "name a feature or score of money, or multiply: `{name} * 12.50` is money where one of them brings 12.50"
    )))
}

fn no_probability(text: &ExprText, expr: &Expr, published: &[FeatureInfo]) -> Option<Diagnostic> {
    let outside = parts(expr).into_iter().find_map(|part| match part {
        Part::Constant(number) if !(0.0..=1.0).contains(&number) => Some(number),
        _ => None,
    });
    let is = match (of_other_unit(expr, published, &[Unit::Ratio]), outside) {
        (Some(other), _) => format!("`{}` is {}", other.name, other.unit.words()),
        (None, Some(number)) => format!("it can be {number}"),
        (None, None) => match of_good(expr, published) {
            Some(name) => return Some(is_opposite(text, name)),
            None => return None,
        },
    };
    let message = format!("`risk` must be a probability, a number from 0 to 1, but {is}");
    let problem = Diagnostic::error("TS-G024", message, text.span.clone());
    Some(problem.with_help(RISK_HELP))
}

/// The column that an expression hands on as it is, where high values of it are good.
fn of_good<'a>(expr: &Expr, published: &'a [FeatureInfo]) -> Option<&'a str> {
    let name = handed_on(expr)?;
    let info = published.iter().find(|info| info.name == name)?;
    (info.direction == Direction::High).then_some(info.name.as_str())
}

fn is_opposite(text: &ExprText, name: &str) -> Diagnostic {
    let message = format!(
        "`risk` must be the probability of losing a customer, but high values of `{name}` are good: those who are safest would have most value at risk"
    );
    let problem = Diagnostic::error("TS-G024", message, text.span.clone());
    problem.with_help(format!("write the opposite: `1 - {name}`"))
}

/// What to write instead of something that is no probability.
const RISK_HELP: &str = "name a probability, such as the column of a supervised score, or an expression with values from 0 to 1; without `risk` that of the supervised score is used";

/// The values that can be computed from the columns of a table: not those that are made of scores, where it has none.
pub(crate) fn computable(prepared: &Prepared, table: &RecordBatch) -> Vec<(String, Expr)> {
    let has = |expr: &Expr| {
        let read = columns(expr);
        read.iter().all(|name| table.column_by_name(name).is_some())
    };
    let values = prepared.value.iter().filter(|(_, expr)| has(expr));
    values
        .map(|(info, expr)| (info.name.clone(), expr.clone()))
        .collect()
}

/// The table with the columns of `[value]` appended.
pub(crate) fn add(
    prepared: &Prepared,
    table: &RecordBatch,
    engine: &dyn Engine,
) -> Result<RecordBatch, PipelineError> {
    if prepared.value.is_empty() {
        return Ok(table.clone());
    }
    let schema = table.schema();
    let exprs = prepared.value.iter().map(|(_, expr)| expr);
    let read: BTreeSet<&str> = exprs.flat_map(columns).collect();
    let used = (0..table.num_columns())
        .filter(|&column| column == 0 || read.contains(schema.field(column).name().as_str()));
    let input = table.project(&used.collect::<Vec<_>>())?;
    let before = input.num_columns();
    let plan = Project {
        as_of: prepared.as_of,
        timezone: prepared.pipeline.timezone,
        columns: prepared
            .value
            .iter()
            .map(|(info, expr)| (info.name.clone(), expr.clone()))
            .collect(),
    };
    let made = engine.project(&plan, &input)?;
    check_risk(prepared, table, engine)?;
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    let mut values = table.columns().to_vec();
    for (place, (info, _)) in prepared.value.iter().enumerate() {
        let column = arrow::compute::cast(made.column(before + place), &DataType::Float64)?;
        fields.push(Arc::new(Field::new(&info.name, DataType::Float64, true)));
        values.push(column);
    }
    Ok(RecordBatch::try_new(
        Arc::new(Columns::new(fields)),
        values,
    )?)
}

/// Rounding errors of probabilities that are computed from others.
const ROUNDING: f64 = 1e-9;

/// Refuses a `risk` with values that are no probabilities: the value at risk of such a customer would exceed the future value.
fn check_risk(
    prepared: &Prepared,
    table: &RecordBatch,
    engine: &dyn Engine,
) -> Result<(), PipelineError> {
    let value = prepared.pipeline.value.as_ref();
    let Some(text) = value.and_then(|value| value.risk.as_ref()) else {
        return Ok(());
    };
    let known = Schema {
        columns: prepared
            .published()
            .map(|f| (f.name.clone(), f.ty))
            .collect(),
    };
    let Ok(risk) = parse(&format!("cast({} as double)", text.value), &known) else {
        return Ok(());
    };
    let schema = table.schema();
    let used: Vec<usize> = {
        let read = columns(&risk);
        let is_read = |column: &usize| read.contains(schema.field(*column).name().as_str());
        (0..table.num_columns())
            .filter(|column| *column == 0 || is_read(column))
            .collect()
    };
    let plan = Project {
        as_of: prepared.as_of,
        timezone: prepared.pipeline.timezone,
        columns: vec![("risk".to_owned(), risk)],
    };
    let made = engine.project(&plan, &table.project(&used)?)?;
    let risk = arrow::compute::cast(made.column(made.num_columns() - 1), &DataType::Float64)?;
    let outside = |risk: &f64| !(-ROUNDING..=1.0 + ROUNDING).contains(risk);
    let risk = risk.as_primitive::<Float64Type>();
    let outside: Vec<f64> = risk.iter().flatten().filter(outside).collect();
    let Some(smallest) = outside.iter().copied().reduce(f64::min) else {
        return Ok(());
    };
    let largest = outside.iter().copied().fold(smallest, f64::max);
    let message = format!(
        "`risk` must be a probability, a number from 0 to 1, but of {} of {} customers it is not: from {smallest} to {largest}",
        grouped(outside.len() as u64),
        grouped(risk.len() as u64)
    );
    let mut found = prepared.warnings.clone();
    let problem = Diagnostic::error("TS-G024", message, text.span.clone());
    found.extend([problem.with_help(RISK_HELP)]);
    Err(PipelineError::Invalid(Box::new(found)))
}

/// What to write where a pipeline does not declare the value of its customers; `None` where it does.
pub(crate) fn undeclared(prepared: &Prepared) -> Option<String> {
    if prepared.pipeline.value.is_some() {
        return None;
    }
    let taken = prepared.value_feature()?;
    Some(format!(
        "no [value] is declared, so the value of customers is `{taken}`, and no value is at risk: add [value] with \
         `now` (what they pay or spend per period), `future` (what they will bring, such as `clv`) and `past = \"{taken}\"`"
    ))
}
