//! A version of a store as the input of a report.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::record_batch::RecordBatch;
use tessera_snapshot::{StoreError, Version};

use crate::column::Table;
use crate::{Before, ReportError, ReportInput, ReportMeta};

/// Tables that are read whole: their size depends on the pipeline file, not on the number of customers.
const WHOLE: [&str; 13] = [
    "segments",
    "profiles",
    "models",
    "calibration",
    "quality",
    "sources",
    "reject_rules",
    "cohorts",
    "features",
    "migrations",
    "moves",
    "drift",
    "experiments",
];

/// Columns of `actions` that a report shows, beside the key.
const ACTIONS: [&str; 9] = [
    "scheme",
    "segment",
    "playbook",
    "goal",
    "owner",
    "reason",
    "value_now",
    "value_at_risk",
    "priority",
];

/// Whether an account is in the base.
pub(crate) const ACTIVE: &str = "active";

/// A customer's value at risk, in money.
pub(crate) const AT_RISK: &str = "value_at_risk";

/// Reads what a report shows of a version: its tables, of `customers` and `actions` only the columns that are shown, and the
/// commit's `pipeline` object; and the columns of the version `before`, which its commit names as `previous`, for comparison. A
/// table that the version does not have is left out; for a version before that cannot be read the report states the reason.
///
/// # Errors
/// [`ReportError::Store`] where a table cannot be read, [`ReportError::Meta`] where the commit's `pipeline` object is not
/// what [`ReportMeta`] writes.
pub fn from_version(
    version: &Version,
    before: Option<Result<Version, StoreError>>,
) -> Result<ReportInput, ReportError> {
    let mut input = opened(version)?;
    for table in WHOLE {
        let found = version.read(table);
        insert(&mut input, table, found)?;
    }
    // In versions without `reject_rules` the rejected rows themselves are counted.
    if !input.tables.contains_key("reject_rules") {
        insert(&mut input, "rejects", version.read("rejects"))?;
    }
    let key = input.meta.key.clone();
    let actions = |column: &str| ACTIONS.contains(&column) || Some(column) == key.as_deref();
    insert(
        &mut input,
        "actions",
        version.read_columns("actions", actions),
    )?;
    let mut shown = shown_columns(&input)?;
    let scores = input
        .meta
        .features
        .iter()
        .filter(|feature| feature.score.is_some());
    shown.extend(scores.map(|feature| feature.name.clone()));
    let customers = version.read_columns("customers", |column| shown.contains(column));
    insert(&mut input, "customers", customers)?;
    without_closed(&mut input)?;
    input.before = match before {
        None => Before::None,
        Some(before) => earlier(before, &shown).unwrap_or_else(|error| Before::Gone {
            reason: why(&error),
            error: Arc::new(error),
        }),
    };
    Ok(input)
}

/// A version of which no table was read yet.
fn opened(version: &Version) -> Result<ReportInput, ReportError> {
    let meta = ReportMeta::from_json(
        &version.commit().pipeline,
        Some(version.number()),
        version.as_of(),
    )?;
    let mut input = ReportInput::new(meta);
    let folder = version.folder_in_store();
    for table in version.tables() {
        let files = table
            .files
            .iter()
            .map(|file| format!("{folder}/{}", file.path));
        input.files.insert(table.name.clone(), files.collect());
    }
    Ok(input)
}

/// Adds a table that was read; one that the version does not have is left out.
fn insert(
    input: &mut ReportInput,
    table: &str,
    found: Result<Vec<RecordBatch>, StoreError>,
) -> Result<(), ReportError> {
    match found {
        Ok(batches) => input.tables.insert(table.to_owned(), batches),
        Err(StoreError::NoTable { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(())
}

/// The columns of the version before that a report compares with.
fn earlier(
    before: Result<Version, StoreError>,
    shown: &BTreeSet<String>,
) -> Result<Before, ReportError> {
    let before = before?;
    let mut input = opened(&before)?;
    let customers = before.read_columns("customers", |column| shown.contains(column));
    insert(&mut input, "customers", customers)?;
    without_closed(&mut input)?;
    Ok(Before::Known(Box::new(input)))
}

/// Removes the rows of closed accounts from `customers` and counts them, where the table has a column for them.
fn without_closed(input: &mut ReportInput) -> Result<(), ReportError> {
    // A feature of that name has another meaning.
    if input.meta.feature(ACTIVE).is_some() {
        return Ok(());
    }
    let Some(batches) = input.tables.get_mut("customers") else {
        return Ok(());
    };
    for batch in batches {
        let active = batch
            .column_by_name(ACTIVE)
            .and_then(|c| c.as_boolean_opt());
        let Some(active) = active.cloned() else {
            continue;
        };
        let before = batch.num_rows();
        *batch = arrow::compute::filter_record_batch(batch, &active)?;
        *input.closed.get_or_insert(0) += (before - batch.num_rows()) as i64;
    }
    Ok(())
}

/// Why a version cannot be compared with, without paths, which do not belong in a report.
fn why(error: &ReportError) -> String {
    match error {
        ReportError::Store(StoreError::Expired { .. }) => "it has expired".to_owned(),
        _ => "its tables cannot be read; `tessera verify` states what is wrong".to_owned(),
    }
}

/// Columns of `customers` that a report shows; `as_of` is among them so that customers are counted where nothing else is.
fn shown_columns(input: &ReportInput) -> Result<BTreeSet<String>, ReportError> {
    let mut shown = BTreeSet::from(["as_of".to_owned()]);
    shown.extend(input.meta.goal.iter().map(|goal| goal.kpi.clone()));
    shown.extend(input.meta.key.clone());
    shown.extend(input.meta.value.clone());
    shown.extend([AT_RISK, ACTIVE].map(str::to_owned));
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
