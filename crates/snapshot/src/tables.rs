//! The published tables: their names, their columns, their order of rows. BI dashboards are built on these.

use arrow::datatypes::{DataType, Schema, TimeUnit};
use serde_json::{Value, json};

use crate::error::StoreError;
use crate::writer::published_type;

/// A published table.
#[derive(Debug)]
pub struct Table {
    /// Its name, and that of its file.
    pub name: &'static str,
    /// Version of its columns: a new nullable column is a minor change, anything else a major one.
    pub version: &'static str,
    /// One row per what.
    pub row: &'static str,
    /// Columns that rows are sorted by, after `as_of`, which is the same in every row. `<key>` is the customer's key.
    pub sorted_by: &'static [&'static str],
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
    /// What it says.
    pub doc: &'static str,
}

/// Types of published columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Ty {
    Text,
    Int,
    Float,
    Date,
    Timestamp,
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
            Self::Date => *ty == DataType::Date32,
            Self::Timestamp => *ty == DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Key => matches!(ty, DataType::Utf8 | DataType::Int64),
            Self::Any => true,
        }
    }

    /// The type in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Int => "i64",
            Self::Float => "f64",
            Self::Date => "date",
            Self::Timestamp => "timestamp (µs, local)",
            Self::Key => "string or i64",
            Self::Any => "i64, f64, string, date, timestamp or bool",
        }
    }
}

const fn must(name: &'static str, ty: Ty, doc: &'static str) -> Column {
    Column { name, ty, nullable: false, doc }
}

const fn may(name: &'static str, ty: Ty, doc: &'static str) -> Column {
    Column { name, ty, nullable: true, doc }
}

const AS_OF: Column = must("as_of", Ty::Date, "State of the customer base at the close of this day.");

/// Every published table, sorted by name.
pub static TABLES: &[Table] = &[
    Table {
        name: "customers",
        version: "1.0",
        row: "customer",
        sorted_by: &["<key>"],
        columns: &[
            AS_OF,
            must("<key>", Ty::Key, "The customer's key, under the name that the pipeline gives it."),
            may("<feature>", Ty::Any, "Every published feature, in the order of the pipeline."),
            may("<scheme>", Ty::Any, "The customer's segment, for every scheme; `<scheme>_score` where it has scores."),
        ],
    },
    Table {
        name: "memberships",
        version: "1.0",
        row: "customer x scheme",
        sorted_by: &["<key>", "scheme"],
        columns: &[
            AS_OF,
            must("<key>", Ty::Key, "The customer's key."),
            must("scheme", Ty::Text, "The scheme."),
            must("segment_id", Ty::Int, "Permanent id of the segment, below 2^53."),
            must("segment", Ty::Text, "Name of the segment."),
            must("reason", Ty::Text, "Why the customer is in it."),
            must("assigned_by", Ty::Text, "`rule` or `model`."),
        ],
    },
    Table {
        name: "models",
        version: "1.0",
        row: "score x model x name",
        sorted_by: &["score", "model", "name"],
        columns: &[
            AS_OF,
            must("score", Ty::Text, "The scheme or score."),
            must("model", Ty::Text, "The model, such as `kmeans`."),
            must("name", Ty::Text, "The parameter."),
            may("value", Ty::Float, "Its value, if a number."),
            may("text", Ty::Text, "Its value, if a text."),
        ],
    },
    Table {
        name: "profiles",
        version: "1.0",
        row: "scheme x segment x feature (x label)",
        sorted_by: &["scheme", "segment_id"],
        columns: &[
            AS_OF,
            must("scheme", Ty::Text, "The scheme."),
            must("segment_id", Ty::Int, "Permanent id of the segment."),
            must("segment", Ty::Text, "Name of the segment."),
            must("feature", Ty::Text, "The feature."),
            may("label", Ty::Text, "The value, for features that are labels."),
            must("customers", Ty::Int, "Customers of the segment with a value."),
            may("mean", Ty::Float, "Mean."),
            may("median", Ty::Float, "Median."),
            may("p10", Ty::Float, "10th percentile (type 7)."),
            may("p90", Ty::Float, "90th percentile (type 7)."),
            may("population_mean", Ty::Float, "Mean over all customers."),
            may("index", Ty::Float, "100 x mean / population mean; for labels 100 x share / population share."),
            may("effect_size", Ty::Float, "Cohen's d of the segment against the rest."),
            may("share", Ty::Float, "Share of the segment's customers with this label."),
            may("population_share", Ty::Float, "Share of all customers with this label."),
        ],
    },
    Table {
        name: "rejects",
        version: "1.0",
        row: "row set aside",
        sorted_by: &["source", "file", "row_number"],
        columns: &[
            AS_OF,
            must("source", Ty::Text, "The source."),
            must("file", Ty::Text, "Path within the source."),
            must("row_number", Ty::Int, "Position in the file, from 1."),
            must("rule", Ty::Text, "The rule that the row broke."),
            must("row", Ty::Text, "The row as JSON."),
        ],
    },
    Table {
        name: "segments",
        version: "1.0",
        row: "scheme x segment",
        sorted_by: &["scheme", "segment_id"],
        columns: &[
            AS_OF,
            must("scheme", Ty::Text, "The scheme."),
            must("segment_id", Ty::Int, "Permanent id of the segment."),
            must("segment", Ty::Text, "Name of the segment."),
            must("customers", Ty::Int, "Its customers."),
            must("share", Ty::Float, "Their share of all customers."),
            may("value", Ty::Float, "Sum of the pipeline's money feature."),
            may("value_share", Ty::Float, "Its share of the whole base's."),
            may("kpi", Ty::Float, "Mean of the goal's KPI."),
            may("playbook", Ty::Text, "What is done with the segment."),
            may("touch", Ty::Text, "`high`, `low` or `tech`."),
            may("channel", Ty::Text, "Through what channel."),
            may("owner", Ty::Text, "Who acts."),
            may("rule", Ty::Text, "The rule in words."),
        ],
    },
    Table {
        name: "sources",
        version: "1.0",
        row: "source",
        sorted_by: &["source"],
        columns: &[
            AS_OF,
            must("source", Ty::Text, "The source."),
            must("kind", Ty::Text, "`events`, `attributes` or `intervals`."),
            must("files", Ty::Int, "Its files."),
            must("bytes", Ty::Int, "Their size."),
            must("rows", Ty::Int, "Rows visible at `as_of`: used + filtered + quarantined + dropped."),
            must("used", Ty::Int, "Rows that took part."),
            must("filtered", Ty::Int, "Rows that do not concern the pipeline."),
            must("quarantined", Ty::Int, "Rows set aside, see `rejects`."),
            must("dropped", Ty::Int, "Rows left out as the contract says."),
            must("duplicates", Ty::Int, "Of those above, repeated rows."),
            may("newest_event", Ty::Timestamp, "Local time of the newest used row."),
            may("age_hours", Ty::Float, "Hours from then to the close of `as_of`."),
            must("status", Ty::Text, "`ok`, `stale` or `empty`."),
        ],
    },
];

/// The table of that name.
pub fn find(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// Checks columns against the definition, and returns the numbers of those that rows are sorted by.
pub(crate) fn conform(name: &str, schema: &Schema) -> Result<Vec<usize>, StoreError> {
    let bad = |reason: String| StoreError::BadTable { table: name.to_owned(), reason };
    let table = find(name).ok_or_else(|| bad("there is no published table of this name".to_owned()))?;
    let open = table.columns.iter().any(|column| column.ty == Ty::Any);
    let fixed: Vec<&Column> = table.columns.iter().filter(|column| column.ty != Ty::Any).collect();
    let fields = schema.fields();
    if fields.len() < fixed.len() || (!open && fields.len() != fixed.len()) {
        return Err(bad(format!("{} columns instead of {}", fields.len(), fixed.len())));
    }
    for (column, field) in fixed.iter().zip(fields) {
        let name_fits = column.ty == Ty::Key || field.name() == column.name;
        let ty = published_type(field.data_type());
        if !name_fits || !ty.is_some_and(|ty| column.ty.fits(&ty)) || (field.is_nullable() && !column.nullable) {
            return Err(bad(format!("column `{}` ({}) stands where `{}` ({}) belongs", field.name(), field.data_type(), column.name, column.ty.as_str())));
        }
    }
    let place = |wanted: &str| if wanted == "<key>" { Some(1) } else { schema.index_of(wanted).ok() };
    Ok(table.sorted_by.iter().filter_map(|column| place(column)).collect())
}

/// The tables as Markdown.
pub fn markdown() -> String {
    let mut text = String::from("# Published tables\n\nEvery version publishes these tables as flat Parquet files.\n");
    for table in TABLES {
        text.push_str(&format!(
            "\n## {} ({})\n\nOne row per {}; sorted by {}.\n\n| column | type | null | meaning |\n|---|---|---|---|\n",
            table.name,
            table.version,
            table.row,
            table.sorted_by.join(", ")
        ));
        for column in table.columns {
            let null = if column.nullable { "yes" } else { "no" };
            text.push_str(&format!("| {} | {} | {null} | {} |\n", column.name, column.ty.as_str(), column.doc));
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
                .map(|c| json!({"name": c.name, "type": c.ty.as_str(), "nullable": c.nullable, "doc": c.doc}))
                .collect();
            json!({"name": table.name, "version": table.version, "row": table.row, "sorted_by": table.sorted_by, "columns": columns})
        })
        .collect()
}
