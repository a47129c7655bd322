//! Columns of `customers` that a run would add, remove or give another type.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use serde::Serialize;
use tessera_expr::Type;
use tessera_snapshot::Version;
use tessera_spec::pipeline::{Scheme, SchemeColumnKind};

use crate::diff::{key_of, types};
use crate::prepared::Prepared;

/// A column that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnPlan {
    /// The column.
    pub column: String,
    /// `added`, `removed` or `type`.
    pub change: &'static str,
    /// Whether what reads the table by this column must be changed: a column that is removed or has another type.
    pub breaking: bool,
    /// The type in the version.
    pub before: Option<String>,
    /// The type after the run.
    pub after: Option<String>,
}

/// Columns that differ, by name.
pub(super) fn compare(prepared: &Prepared, key: &DataType, version: &Version) -> Vec<ColumnPlan> {
    let then = types(version);
    let mut now: BTreeMap<String, &str> = BTreeMap::new();
    // `customers` is published without the ends of intervals.
    let ends = crate::intervals::ends(&prepared.pipeline);
    for info in prepared
        .published()
        .filter(|info| !ends.contains(&info.name))
    {
        now.insert(info.name.clone(), name(info.ty));
    }
    for column in prepared.pipeline.schemes.iter().flat_map(Scheme::columns) {
        let ty = match column.holds {
            SchemeColumnKind::Segment | SchemeColumnKind::Scores => "Utf8",
            SchemeColumnKind::SegmentId | SchemeColumnKind::Score => "Int64",
            SchemeColumnKind::Weighted => "Float64",
        };
        now.insert(column.name, ty);
    }
    for experiment in &prepared.pipeline.experiments {
        let [variant, day, before] = experiment.columns();
        now.extend([(variant, "Utf8"), (day, "Date32"), (before, "Float64")]);
    }
    if prepared.pipeline.customer.active.is_some() {
        now.insert(crate::base::ACTIVE.to_owned(), "Boolean");
    }
    let key = key.to_string();
    now.insert(prepared.pipeline.customer.key.clone(), &key);
    let removed = then
        .iter()
        .filter(|(column, _)| !now.contains_key(*column) && *column != "as_of");
    let mut found: Vec<ColumnPlan> = removed
        .map(|(column, ty)| ColumnPlan {
            column: column.clone(),
            change: "removed",
            breaking: true,
            before: Some(ty.clone()),
            after: None,
        })
        .collect();
    for (column, ty) in now {
        let before = then.get(&column);
        // Other types have parameters, such as the digits of a decimal, which are known once they are written.
        if before.is_some_and(|before| before == ty || ty.is_empty()) {
            continue;
        }
        found.push(ColumnPlan {
            change: if before.is_some() { "type" } else { "added" },
            breaking: before.is_some(),
            before: before.cloned(),
            after: (!ty.is_empty()).then(|| ty.to_owned()),
            column,
        });
    }
    found.sort_by(|a, b| a.column.cmp(&b.column));
    found
}

/// How the customers' key differs from that of a version: nothing is compared with it then.
pub(super) fn other_key(prepared: &Prepared, key: &DataType, version: &Version) -> Option<String> {
    let (now, then) = (prepared.pipeline.customer.key.as_str(), key_of(version));
    if now != then {
        return Some(format!("`key` of [customer] is `{now}` and was `{then}`"));
    }
    let types = types(version);
    let before = types
        .get(then)
        .filter(|before| **before != key.to_string())?;
    Some(format!("`{now}` is {key} and was {before}"))
}

/// The name of a published type; empty where it has parameters.
fn name(ty: Type) -> &'static str {
    match ty.published() {
        Type::Int => "Int64",
        Type::Float => "Float64",
        Type::String => "Utf8",
        Type::Date => "Date32",
        Type::Bool => "Boolean",
        Type::Timestamp | Type::Decimal { .. } | Type::Null => "",
    }
}
