//! Types of the expression language as polars names them.

use polars::prelude::{DataType, TimeUnit};
use tessera_expr::Type;

use crate::lower::decimal_type;

/// The polars type of a type of the expression language.
pub(crate) fn polars_type(ty: Type) -> DataType {
    match ty {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int64,
        Type::Float => DataType::Float64,
        Type::Decimal { scale } => decimal_type(scale),
        Type::String => DataType::String,
        Type::Date => DataType::Date,
        Type::Timestamp => DataType::Datetime(TimeUnit::Microseconds, None),
        Type::Null => DataType::Null,
    }
}
