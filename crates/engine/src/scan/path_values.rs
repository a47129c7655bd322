//! Columns whose values the paths of the files state.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use polars::prelude::*;
use tessera_expr::Literal;
use tessera_expr::rel::{Scan, Stored};

use super::polars_type;
use crate::error::EngineError;

/// Name of the column with the path of a row's file.
const PATH: &str = "__path";

/// The column that a reader must add for [`path_columns`]; none where no column stands in the path.
pub(super) fn path_column(scan: &Scan) -> Option<PlSmallStr> {
    let any = scan.columns.iter().any(|c| c.stored == Stored::HivePath);
    any.then(|| PlSmallStr::from_static(PATH))
}

/// The columns that stand in the path, in their types, for frames with the column of [`path_column`].
pub(super) fn path_columns(
    scan: &Scan,
    first_file: usize,
    files: &[PathBuf],
) -> Result<Vec<Expr>, EngineError> {
    let in_path = scan.columns.iter().filter(|c| c.stored == Stored::HivePath);
    let mut made = Vec::new();
    for (number, column) in in_path.enumerate() {
        let ty = polars_type(column.ty);
        let mut values: HashMap<String, AnyValue<'static>> = HashMap::new();
        for (file, path) in (first_file..).zip(files) {
            let value = scan.path_values.get(file).and_then(|v| v.get(number));
            let path = PlRefPath::try_from_path(path)?.as_str().to_owned();
            values.insert(path, any_value(value.unwrap_or(&Literal::Null), &ty));
        }
        let values = Arc::new(values);
        let out = ty.clone();
        let look_up = move |paths: Column| value_of_each(&paths, &values, &ty);
        let field =
            move |_: &Schema, field: &Field| Ok(Field::new(field.name().clone(), out.clone()));
        made.push(col(PATH).map(look_up, field).alias(column.name.as_str()));
    }
    Ok(made)
}

/// The value of each row's path. A reader delivers the rows of one file at a time, so there is hardly ever more than one path.
fn value_of_each(
    paths: &Column,
    values: &HashMap<String, AnyValue<'static>>,
    ty: &DataType,
) -> PolarsResult<Column> {
    let find = |path: Option<&str>| {
        let found = path.and_then(|path| values.get(path));
        found
            .cloned()
            .ok_or_else(|| polars_err!(ComputeError: "no value is known for the path {path:?}"))
    };
    let name = paths.name().clone();
    if let Column::Scalar(scalar) = paths {
        let path = scalar.scalar().value().get_str().map(str::to_owned);
        let value = Scalar::new(ty.clone(), find(path.as_deref())?);
        return Ok(Column::new_scalar(name, value, paths.len()));
    }
    let mut made = Vec::with_capacity(paths.len());
    let mut last: Option<(Option<&str>, AnyValue<'static>)> = None;
    let series = paths.as_materialized_series();
    for path in series.str()?.iter() {
        let value = match &last {
            Some((known, value)) if *known == path => value.clone(),
            _ => find(path)?,
        };
        last = Some((path, value.clone()));
        made.push(value);
    }
    let series = Series::from_any_values_and_dtype(name, &made, ty, true)?;
    Ok(series.into_column())
}

fn any_value(value: &Literal, ty: &DataType) -> AnyValue<'static> {
    match value {
        Literal::Null => AnyValue::Null,
        Literal::Bool(value) => AnyValue::Boolean(*value),
        Literal::Int(value) => AnyValue::Int64(*value),
        Literal::Float(value) => AnyValue::Float64(*value),
        Literal::Decimal(value) => match ty {
            DataType::Decimal(precision, scale) => AnyValue::Decimal(*value, *precision, *scale),
            _ => AnyValue::Null,
        },
        Literal::String(value) => AnyValue::StringOwned(value.as_str().into()),
        Literal::Date(value) => AnyValue::Date(*value),
        Literal::Timestamp(value) => AnyValue::DatetimeOwned(*value, TimeUnit::Microseconds, None),
    }
}
