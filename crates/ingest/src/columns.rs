//! The columns of a source as the pipeline sees them: the lake's, checked against the contract.

use tessera_expr::rel::{ScanColumn, Stored};
use tessera_expr::{Schema, Type};
use tessera_spec::diagnostic::{Diagnostic, unknown_name};
use tessera_spec::pipeline::{At, ColumnType, Source};

use crate::inventory::{Inventory, LakeColumn, describe};

/// Type of a declared column in expressions.
pub fn expression_type(declared: ColumnType) -> Type {
    match declared {
        ColumnType::Bool => Type::Bool,
        ColumnType::I8
        | ColumnType::I16
        | ColumnType::I32
        | ColumnType::I64
        | ColumnType::U8
        | ColumnType::U16
        | ColumnType::U32 => Type::Int,
        ColumnType::F32 | ColumnType::F64 | ColumnType::Decimal => Type::Float,
        ColumnType::String => Type::String,
        ColumnType::Date => Type::Date,
        ColumnType::Timestamp => Type::Timestamp,
    }
}

/// A column that the source does not have, with those it has.
pub(crate) fn unknown_column(source: &Source, name: &At<String>, there_are: &[&str]) -> Diagnostic {
    let span = name.span.clone();
    let mut found = unknown_name("TS-D001", "column", &name.value, span, there_are);
    found.message = format!("{} of source `{}`", found.message, source.name.value);
    found
}

fn natural_type(stored: &Stored) -> Type {
    match stored {
        Stored::Bool => Type::Bool,
        Stored::Int { .. } => Type::Int,
        Stored::Float { .. } | Stored::Decimal { .. } => Type::Float,
        Stored::String | Stored::Dictionary | Stored::Text | Stored::HivePath => Type::String,
        Stored::Date => Type::Date,
        Stored::Timestamp { .. } => Type::Timestamp,
    }
}

/// Whether a declared type holds every value of the stored one.
fn widens(stored: &Stored, declared: ColumnType) -> bool {
    use ColumnType as C;
    match (stored, declared) {
        // Text is converted row by row; rows that do not convert are set aside.
        (Stored::Text | Stored::HivePath, _) => true,
        (Stored::Bool, C::Bool) => true,
        (Stored::Int { bits, signed }, declared) => match integer(declared) {
            Some((wanted, true)) => *bits < wanted || (*signed && *bits == wanted),
            Some((wanted, false)) => !signed && *bits <= wanted,
            None => match declared {
                C::F32 => *bits <= 16,
                C::F64 => *bits <= 32,
                _ => false,
            },
        },
        (Stored::Float { bits }, C::F32) => *bits == 32,
        (Stored::Float { .. }, C::F64) => true,
        (Stored::Decimal { .. }, C::Decimal | C::F64) => true,
        (Stored::String | Stored::Dictionary, C::String) => true,
        (Stored::Date, C::Date | C::Timestamp) => true,
        (Stored::Timestamp { .. }, C::Timestamp) => true,
        _ => false,
    }
}

fn integer(declared: ColumnType) -> Option<(u8, bool)> {
    Some(match declared {
        ColumnType::I8 => (8, true),
        ColumnType::I16 => (16, true),
        ColumnType::I32 => (32, true),
        ColumnType::I64 => (64, true),
        ColumnType::U8 => (8, false),
        ColumnType::U16 => (16, false),
        ColumnType::U32 => (32, false),
        _ => return None,
    })
}

/// The scan's columns, or what of the contract the lake does not keep.
pub(crate) fn resolve(
    source: &Source,
    inventory: &Inventory,
) -> (Vec<ScanColumn>, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let names: Vec<&str> = inventory
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    for (name, _) in &source.contract.columns {
        if !names.contains(&name.value.as_str()) {
            problems.push(unknown_column(source, name, &names));
        }
    }
    let mut columns = Vec::new();
    for column in &inventory.columns {
        let declared = source
            .contract
            .columns
            .iter()
            .find(|(name, _)| name.value == column.name);
        match scan_column(column, declared.map(|(_, ty)| ty)) {
            Ok(Some(made)) => columns.push(made),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    (columns, problems)
}

fn scan_column(
    column: &LakeColumn,
    declared: Option<&At<ColumnType>>,
) -> Result<Option<ScanColumn>, Diagnostic> {
    if let Some(ty) = &column.unusable {
        return match declared {
            None => Ok(None),
            Some(declared) => Err(Diagnostic::error(
                "TS-D002",
                format!(
                    "column `{}` holds {ty}, which a pipeline cannot use",
                    column.name
                ),
                declared.span.clone(),
            )
            .with_help("only flat columns can be used; unnest it where the lake is written")),
        };
    }
    let ty = declared.map(|declared| expression_type(declared.value));
    let Some(stored) = &column.stored else {
        // Nothing but nulls: any type will do.
        return Ok(Some(ScanColumn {
            name: column.name.clone(),
            ty: ty.unwrap_or(Type::String),
            stored: untyped(ty),
        }));
    };
    if let Some(declared) = declared
        && !widens(stored, declared.value)
    {
        return Err(Diagnostic::error(
            "TS-D003",
            format!(
                "column `{}` is {} in the lake, which does not widen to the declared type",
                column.name,
                describe(stored)
            ),
            declared.span.clone(),
        )
        .with_label(format!("the files hold {}", describe(stored)))
        .with_help(format!(
            "declare it as {}, or convert it in `derive` with `cast`",
            suggestion(stored)
        )));
    }
    Ok(Some(ScanColumn {
        name: column.name.clone(),
        ty: ty.unwrap_or(natural_type(stored)),
        stored: stored.clone(),
    }))
}

fn untyped(ty: Option<Type>) -> Stored {
    match ty.unwrap_or(Type::String) {
        Type::Bool => Stored::Bool,
        Type::Int => Stored::Int {
            bits: 64,
            signed: true,
        },
        Type::Float => Stored::Float { bits: 64 },
        Type::Date => Stored::Date,
        Type::Timestamp => Stored::Timestamp {
            ticks_per_second: 1_000_000,
            zone: None,
        },
        Type::String | Type::Null => Stored::String,
    }
}

fn suggestion(stored: &Stored) -> String {
    match stored {
        Stored::Decimal { .. } => "\"decimal\"".to_owned(),
        Stored::Timestamp { .. } => "\"timestamp\"".to_owned(),
        Stored::Int {
            bits: 64,
            signed: false,
        } => "\"i64\" after a cast where the lake is written".to_owned(),
        other => format!("\"{}\"", describe(other)),
    }
}

/// Names and types that expressions over the source may use.
pub(crate) fn schema(columns: &[ScanColumn]) -> Schema {
    Schema {
        columns: columns
            .iter()
            .map(|column| (column.name.clone(), column.ty))
            .collect(),
    }
}
