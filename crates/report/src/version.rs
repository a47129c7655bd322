//! A version of a store as the input of a report.

use std::collections::{BTreeMap, BTreeSet};

use tessera_snapshot::{StoreError, Version};

use crate::column::Table;
use crate::{ReportError, ReportInput, ReportMeta};

/// Tables that are read whole, each of a size that the pipeline file bounds.
const WHOLE: [&str; 7] = [
    "segments",
    "profiles",
    "models",
    "calibration",
    "quality",
    "sources",
    "reject_rules",
];

/// Reads what a report shows of a version: its tables, of `customers` only the KPI, the schemes and their scores, and the
/// commit's `pipeline` object. A table that the version does not have is left out.
///
/// # Errors
/// [`ReportError::Store`] where a table cannot be read, [`ReportError::Meta`] where the commit's `pipeline` object is not
/// what [`ReportMeta`] writes.
pub fn from_version(version: &Version) -> Result<ReportInput, ReportError> {
    let meta = ReportMeta::from_json(
        &version.commit().pipeline,
        Some(version.number()),
        version.as_of(),
    )?;
    let mut input = ReportInput {
        tables: BTreeMap::new(),
        meta,
    };
    for table in WHOLE {
        match version.read(table) {
            Ok(batches) => input.tables.insert(table.to_owned(), batches),
            Err(StoreError::NoTable { .. }) => None,
            Err(error) => return Err(error.into()),
        };
    }
    // Versions from before rules were counted in a table of their own: the rows themselves are counted.
    if !input.tables.contains_key("reject_rules") {
        match version.read("rejects") {
            Ok(batches) => input.tables.insert("rejects".to_owned(), batches),
            Err(StoreError::NoTable { .. }) => None,
            Err(error) => return Err(error.into()),
        };
    }
    let shown = shown_columns(&input)?;
    match version.read_columns("customers", |column| shown.contains(column)) {
        Ok(batches) => input.tables.insert("customers".to_owned(), batches),
        Err(StoreError::NoTable { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(input)
}

/// Columns of `customers` that a report shows; `as_of` is among them so that customers are counted where nothing else is.
fn shown_columns(input: &ReportInput) -> Result<BTreeSet<String>, ReportError> {
    let mut shown = BTreeSet::from(["as_of".to_owned()]);
    shown.extend(input.meta.goal.iter().map(|goal| goal.kpi.clone()));
    let mut schemes: BTreeSet<&str> = input
        .meta
        .schemes
        .iter()
        .map(|scheme| scheme.name.as_str())
        .collect();
    if let Some(table) = Table::open(input, "segments") {
        schemes.extend(table.text("scheme")?.into_iter().flatten());
    }
    for scheme in schemes {
        shown.extend([scheme.to_owned(), format!("{scheme}_score")]);
    }
    Ok(shown)
}
