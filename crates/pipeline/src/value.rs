//! Value of customers: the columns that `[value]` adds after features and scores.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema as Columns};
use tessera_engine::Engine;
use tessera_expr::rel::Project;
use tessera_expr::{Expr, Schema, Type, columns, parse, parse_at};
use tessera_features::FeatureInfo;
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics};
use tessera_spec::pipeline::{Base, ExprText};

use crate::error::PipelineError;
use crate::prepared::Prepared;

/// The columns of `[value]`, planned.
pub(crate) type Planned = Vec<(FeatureInfo, Expr)>;

/// Plans the columns of `[value]` over features and scores; adds errors in them to `found`.
pub(crate) fn plan(
    pipeline: &Pipeline,
    published: &[FeatureInfo],
    found: &mut Diagnostics,
) -> Planned {
    let Some(value) = &pipeline.value else {
        return Planned::new();
    };
    let known = Schema {
        columns: published.iter().map(|f| (f.name.clone(), f.ty)).collect(),
    };
    let stated = [&value.now, &value.future, &value.past, &value.risk];
    let problems: Vec<Diagnostic> = stated
        .into_iter()
        .flatten()
        .flat_map(|text| wrong(text, &known))
        .collect();
    if !problems.is_empty() {
        found.extend(problems);
        return Planned::new();
    }
    let column = |column: tessera_spec::pipeline::ValueColumn| {
        // Each part was parsed separately, so the whole parses too.
        let text = format!("cast({} as double)", column.text);
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

fn wrong(text: &ExprText, known: &Schema) -> Vec<Diagnostic> {
    match parse_at(text, known) {
        Ok(expr) if expr.ty.is_number() || expr.ty == Type::Null => Vec::new(),
        Ok(expr) => {
            let message = format!("a value must be a number, but this is {}", expr.ty);
            let problem = Diagnostic::error("TS-G013", message, text.span.clone());
            vec![problem.with_help("name a numeric feature or score, or an expression over them")]
        }
        Err(problems) => problems,
    }
}

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
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    let mut values = table.columns().to_vec();
    for (place, (info, _)) in prepared.value.iter().enumerate() {
        let column = arrow::compute::cast(
            made.column(before + place),
            &arrow::datatypes::DataType::Float64,
        )?;
        fields.push(Arc::new(Field::new(
            &info.name,
            arrow::datatypes::DataType::Float64,
            true,
        )));
        values.push(column);
    }
    Ok(RecordBatch::try_new(
        Arc::new(Columns::new(fields)),
        values,
    )?)
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
