//! The published tables: their names, their columns, their order of rows. BI dashboards are built on these.
//!
//! Where to look: [`TABLES`] (in `tables/registry`) declares them, [`conform`] checks rows against a declaration,
//! [`markdown`] and [`to_json`] print them.

mod registry;

use std::collections::BTreeSet;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Schema, TimeUnit};
use serde_json::{Value, json};

use crate::error::StoreError;
use crate::writer::{Layout, published_schema, published_type};

pub use registry::TABLES;

/// A published table.
#[derive(Debug)]
pub struct Table {
    /// Its name, and that of its file.
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Version of its columns: a new nullable column is a minor change, anything else a major one.
    pub version: &'static str,
    /// What one row stands for.
    pub row: &'static str,
    /// Columns that rows are sorted by, after `as_of`, which is the same in every row: ascending, nulls last, text by its
    /// bytes. `<key>` is the customer's key.
    pub sorted_by: &'static [&'static str],
    /// Whether no two rows are equal in all columns of `sorted_by`.
    pub unique: bool,
    /// Columns in order; `<key>` stands for the key and `<…>` for further columns of the pipeline's own.
    pub columns: &'static [Column],
}

/// A column of a published table.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: Ty,
    /// Whether it may be null.
    pub nullable: bool,
    /// The unit of its numbers; empty where it is not a number, or where another column or the pipeline states the unit.
    pub unit: &'static str,
    /// Its meaning.
    pub doc: &'static str,
}

/// Types of published columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Ty {
    Text,
    Int,
    Float,
    Bool,
    Date,
    Timestamp,
    /// Exact, with two decimals.
    Money,
    /// Text or integer.
    Key,
    /// Any published type.
    Any,
}

impl Ty {
    fn fits(self, ty: &DataType) -> bool {
        match self {
            Self::Text => *ty == DataType::Utf8,
            Self::Int => *ty == DataType::Int64,
            Self::Float => *ty == DataType::Float64,
            Self::Bool => *ty == DataType::Boolean,
            Self::Date => *ty == DataType::Date32,
            Self::Timestamp => *ty == DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Money => matches!(ty, DataType::Decimal128(_, 2)),
            Self::Key => matches!(ty, DataType::Utf8 | DataType::Int64),
            Self::Any => true,
        }
    }

    /// The type as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Int => "i64",
            Self::Float => "f64",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Timestamp => "timestamp (µs, local)",
            Self::Money => "decimal(18, 2)",
            Self::Key => "string or i64",
            Self::Any => "i64, f64, decimal, string, date, timestamp or bool",
        }
    }
}

impl Table {
    /// The columns whose names and positions are the same in every pipeline, except for the name of the key.
    fn fixed(&self) -> impl Iterator<Item = &'static Column> {
        self.columns.iter().filter(|column| column.ty != Ty::Any)
    }

    /// Whether a pipeline adds columns of its own.
    fn is_open(&self) -> bool {
        self.columns.iter().any(|column| column.ty == Ty::Any)
    }
}

/// The table of that name.
pub fn find(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// Checks rows against the definition of a table: columns, types, nulls. Strings may come in any of Arrow's layouts.
///
/// # Errors
/// [`StoreError::BadTable`] with the first column that is not as defined, or an unknown table.
pub fn conform(name: &str, batch: &RecordBatch) -> Result<(), StoreError> {
    let layout = layout(name, batch.schema_ref())?;
    let full = |(field, column): &(&arrow::datatypes::FieldRef, &arrow::array::ArrayRef)| {
        field.is_nullable() || column.null_count() == 0
    };
    match layout
        .schema
        .fields()
        .iter()
        .zip(batch.columns())
        .find(|pair| !full(pair))
    {
        Some((field, _)) => Err(bad(
            name,
            format!("column `{}` has nulls, but is not nullable", field.name()),
        )),
        None => Ok(()),
    }
}

/// How a table with these columns is published.
pub(crate) fn layout(name: &str, schema: &Schema) -> Result<Layout, StoreError> {
    let table = find(name)
        .ok_or_else(|| bad(name, "there is no published table of this name".to_owned()))?;
    let fields = schema.fields();
    let fixed: Vec<&Column> = table.fixed().collect();
    if fields.len() < fixed.len() || (!table.is_open() && fields.len() != fixed.len()) {
        return Err(bad(
            name,
            format!("{} columns instead of {}", fields.len(), fixed.len()),
        ));
    }
    for (column, field) in fixed.iter().zip(fields) {
        let name_fits = column.ty == Ty::Key || field.name() == column.name;
        let ty = published_type(field.data_type());
        if !name_fits || !ty.is_some_and(|ty| column.ty.fits(&ty)) {
            let found = format!("column `{}` ({})", field.name(), field.data_type());
            return Err(bad(
                name,
                format!(
                    "{found} is at the position of column `{}` ({})",
                    column.name,
                    column.ty.as_str()
                ),
            ));
        }
    }
    let mut names = BTreeSet::new();
    if let Some(field) = fields.iter().find(|field| !names.insert(field.name())) {
        return Err(bad(
            name,
            format!("two columns are called `{}`", field.name()),
        ));
    }
    // The definition decides, so that a column's nullability does not change with the rows of the day.
    let nullable = |number: usize, field: &arrow::datatypes::Field| {
        fixed
            .get(number)
            .map_or(field.is_nullable(), |column| column.nullable)
    };
    let place = |wanted: &str| {
        if wanted == "<key>" {
            Some(1)
        } else {
            schema.index_of(wanted).ok()
        }
    };
    Ok(Layout {
        table: name.to_owned(),
        schema: published_schema(name, schema, nullable)?,
        sorted_by: table
            .sorted_by
            .iter()
            .filter_map(|column| place(column))
            .collect(),
        unique: table.unique,
    })
}

fn bad(table: &str, reason: String) -> StoreError {
    StoreError::BadTable {
        table: table.to_owned(),
        reason,
    }
}

/// The tables as Markdown.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Published tables\n\nEvery version publishes these tables as flat Parquet files. Rows are sorted ascending by the columns \
         named, nulls last, text by its bytes.\n",
    );
    for table in TABLES {
        text.push_str(&format!(
            "\n## {} ({})\n\n{} One row per {}; sorted by {}.\n\n| column | type | unit | null | meaning |\n|---|---|---|---|---|\n",
            table.name,
            table.version,
            table.doc,
            table.row,
            table.sorted_by.join(", ")
        ));
        for Column {
            name,
            ty,
            nullable,
            unit,
            doc,
        } in table.columns
        {
            let null = if *nullable { "yes" } else { "no" };
            text.push_str(&format!(
                "| {name} | {} | {unit} | {null} | {doc} |\n",
                ty.as_str()
            ));
        }
    }
    text
}

/// The tables as JSON.
pub fn to_json() -> Value {
    TABLES
        .iter()
        .map(|table| {
            let columns: Vec<Value> = table
                .columns
                .iter()
                .map(|c| json!({"name": c.name, "type": c.ty.as_str(), "nullable": c.nullable, "unit": c.unit, "doc": c.doc}))
                .collect();
            json!({
                "name": table.name, "doc": table.doc, "version": table.version, "row": table.row,
                "sorted_by": table.sorted_by, "unique": table.unique, "columns": columns,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
