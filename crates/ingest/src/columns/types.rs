//! Which type a column has in expressions, and what of the forms in which files hold it has a place in a declared type.

use tessera_expr::decimal::MAX_DIGITS;
use tessera_expr::rel::Stored;
use tessera_expr::{Schema, Type};
use tessera_spec::pipeline::ColumnType;

use crate::inventory::describe;

/// Type of a declared column in expressions. Decimals have as many digits behind the point as the files hold at most. Texts have as
/// many as `decimal(p, s)` states; without a statement they are floats, since the number of digits to keep is not known.
pub fn expression_type(declared: ColumnType, scale: Option<u8>, forms: &[&Stored]) -> Type {
    match declared {
        ColumnType::Decimal => {
            let in_files = exact(forms.iter().map(|stored| natural_type(stored)));
            let of_texts = forms.iter().all(|stored| is_text(stored));
            let stated = scale.filter(|_| of_texts);
            in_files
                .or(stated.map(|scale| Type::Decimal { scale }))
                .unwrap_or(Type::Float)
        }
        ColumnType::Bool => Type::Bool,
        ColumnType::I8
        | ColumnType::I16
        | ColumnType::I32
        | ColumnType::I64
        | ColumnType::U8
        | ColumnType::U16
        | ColumnType::U32 => Type::Int,
        ColumnType::F32 | ColumnType::F64 | ColumnType::Money => Type::Float,
        ColumnType::String => Type::String,
        ColumnType::Date => Type::Date,
        ColumnType::Timestamp => Type::Timestamp,
    }
}

fn is_text(stored: &Stored) -> bool {
    matches!(stored, Stored::Text | Stored::String | Stored::Bytes)
}

/// The decimals that hold integers and decimals of these types; none where there is another type, or no type at all.
pub(super) fn exact(types: impl Iterator<Item = Type>) -> Option<Type> {
    let scales: Option<Vec<u8>> = types
        .map(|ty| match ty {
            Type::Int => Some(0),
            Type::Decimal { scale } => Some(scale),
            _ => None,
        })
        .collect();
    let scale = scales?.into_iter().max()?;
    Some(Type::Decimal { scale })
}

pub(super) fn natural_type(stored: &Stored) -> Type {
    match stored {
        Stored::Bool => Type::Bool,
        Stored::Int {
            bits: 64,
            signed: false,
        } => Type::Decimal { scale: 0 },
        Stored::Int { .. } => Type::Int,
        Stored::Float { .. } => Type::Float,
        Stored::Decimal { scale, .. } => Type::Decimal { scale: *scale },
        Stored::String
        | Stored::Text
        | Stored::HivePath
        | Stored::Bytes
        | Stored::Uuid
        | Stored::Mixed => Type::String,
        Stored::Date | Stored::DateMillis => Type::Date,
        Stored::Timestamp { .. } => Type::Timestamp,
    }
}

/// Whether every value of the stored type has a place in the declared one. What does not is refused, unless it is decided value
/// by value ([`Stored::may_break`]): a value without a place is then a broken row.
pub(super) fn widens(stored: &Stored, declared: ColumnType) -> bool {
    use ColumnType as C;
    match (stored, declared) {
        // Text is converted row by row; rows that do not convert are rejected.
        (Stored::Text | Stored::HivePath | Stored::Mixed, _) => true,
        (Stored::Bool, C::Bool) => true,
        (Stored::Int { bits, .. }, declared) => match bounds(declared) {
            Some(_) => true,
            None => match declared {
                C::I64 => true,
                C::F32 => *bits <= 16,
                C::F64 | C::Money | C::String | C::Decimal => true,
                _ => false,
            },
        },
        (Stored::Float { bits }, C::F32) => *bits == 32,
        (Stored::Float { .. }, C::F64 | C::Money) => true,
        // Ids of which some are missing are floats where pandas wrote them.
        (Stored::Float { .. } | Stored::Decimal { .. }, declared)
            if declared == C::I64 || bounds(declared).is_some() =>
        {
            true
        }
        (Stored::Decimal { .. }, C::Decimal | C::F64 | C::Money) => true,
        (Stored::String | Stored::Bytes | Stored::Uuid, C::String) => true,
        (Stored::Date | Stored::DateMillis, C::Date | C::Timestamp) => true,
        (Stored::Timestamp { .. }, C::Timestamp | C::Date) => true,
        _ => false,
    }
}

/// Smallest and largest integer of a type of fewer than 64 bits.
pub(crate) fn bounds(declared: ColumnType) -> Option<(i64, i64)> {
    Some(match declared {
        ColumnType::I8 => (i8::MIN.into(), i8::MAX.into()),
        ColumnType::I16 => (i16::MIN.into(), i16::MAX.into()),
        ColumnType::I32 => (i32::MIN.into(), i32::MAX.into()),
        ColumnType::U8 => (0, u8::MAX.into()),
        ColumnType::U16 => (0, u16::MAX.into()),
        ColumnType::U32 => (0, u32::MAX.into()),
        _ => return None,
    })
}

/// How a column without a type in any file is taken.
pub(super) fn untyped(ty: Option<Type>) -> Stored {
    match ty.unwrap_or(Type::String) {
        Type::Bool => Stored::Bool,
        Type::Int => Stored::Int {
            bits: 64,
            signed: true,
        },
        Type::Float => Stored::Float { bits: 64 },
        Type::Decimal { scale } => Stored::Decimal {
            precision: MAX_DIGITS,
            scale,
        },
        Type::Date => Stored::Date,
        Type::Timestamp => Stored::Timestamp {
            ticks_per_second: 1_000_000,
            zone: Some("UTC".to_owned()),
        },
        Type::String | Type::Null => Stored::String,
    }
}

/// Whether a cast makes the declared type of what such a form is read as where it is not declared.
pub(super) fn casts(stored: &Stored, declared: ColumnType) -> bool {
    let to = match expression_type(declared, None, &[stored]) {
        _ if declared == ColumnType::Decimal => "decimal(18, 2)",
        Type::Bool => "boolean",
        Type::Int => "bigint",
        Type::Float => "double",
        Type::Decimal { .. } => "decimal(18, 2)",
        Type::String | Type::Null => "string",
        Type::Date => "date",
        Type::Timestamp => "timestamp",
    };
    let columns = vec![("x".to_owned(), natural_type(stored))];
    tessera_expr::parse(&format!("cast(x as {to})"), &Schema { columns }).is_ok()
}

/// The type to declare for a form, as it is written.
pub(super) fn suggestion(stored: &Stored) -> String {
    match stored {
        Stored::Decimal { .. } => "\"decimal\"".to_owned(),
        Stored::Timestamp { .. } => "\"timestamp\"".to_owned(),
        Stored::Int {
            bits: 64,
            signed: false,
        } => "\"i64\" or \"decimal\"".to_owned(),
        Stored::Bytes | Stored::Uuid => "\"string\"".to_owned(),
        other => format!("\"{}\"", describe(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_is_advised_where_there_is_one() {
        let decimal = Stored::Decimal {
            precision: 9,
            scale: 2,
        };
        for (stored, declared, expected) in [
            (&Stored::Bytes, ColumnType::F64, true),
            (&Stored::Bytes, ColumnType::Date, true),
            (&Stored::Date, ColumnType::F64, false),
            (&Stored::Date, ColumnType::String, true),
            (&Stored::Bool, ColumnType::I64, true),
            (&Stored::Bool, ColumnType::Timestamp, false),
            (&Stored::Bool, ColumnType::Decimal, false),
            (&decimal, ColumnType::Date, false),
            (&decimal, ColumnType::Bool, true),
        ] {
            assert_eq!(casts(stored, declared), expected, "{stored:?} {declared:?}");
        }
        assert_eq!(suggestion(&Stored::Bytes), "\"string\"");
    }
}
