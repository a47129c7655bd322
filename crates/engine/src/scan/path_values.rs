//! Columns whose values the paths of the files state.

use polars::prelude::*;
use tessera_expr::Literal;
use tessera_expr::rel::{Scan, Stored};

use crate::types::polars_type;

/// The columns that stand in the path of this file of the scan, in their types.
pub(super) fn path_columns(scan: &Scan, file: usize) -> Vec<Expr> {
    let in_path = scan.columns.iter().filter(|c| c.stored == Stored::HivePath);
    let values = scan.path_values.get(file);
    let made = in_path.enumerate().map(|(number, column)| {
        let ty = polars_type(column.ty);
        let value = values.and_then(|values| values.get(number));
        let value = any_value(value.unwrap_or(&Literal::Null), &ty);
        lit(Scalar::new(ty, value)).alias(column.name.as_str())
    });
    made.collect()
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
