//! The published tables of the history as Arrow record batches, sorted as they are published.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use crate::error::HistoryError;
use crate::events::Event;
use crate::ledger::{ACTIVE, ENDED, Ledger};
use crate::moves::Migration;

/// Precision and scale of an amount of money.
const VALUE: (u8, i8) = (18, 2);

/// A segment that customers moved from or to, by id and name; `None` is outside the base.
type End = Option<(i64, String)>;

/// The table `segment_ledger`.
///
/// # Errors
/// Arrow rejects the columns.
pub fn ledger_table(as_of: i32, ledger: &Ledger) -> Result<RecordBatch, HistoryError> {
    let rows: Vec<_> = ledger.entries().collect();
    let names_before =
        |names: &[String]| (!names.is_empty()).then(|| serde_json::json!(names).to_string());
    let status = |active: bool| if active { ACTIVE } else { ENDED };
    table(
        "segment_ledger",
        vec![
            (
                "as_of",
                false,
                dates(std::iter::repeat_n(as_of, rows.len())),
            ),
            ("scheme", false, texts(rows.iter().map(|row| row.0))),
            (
                "segment_id",
                false,
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))),
            ),
            (
                "segment",
                false,
                texts(rows.iter().map(|row| row.2.name.as_str())),
            ),
            (
                "declared_as",
                true,
                Arc::new(
                    rows.iter()
                        .map(|row| row.2.declared.as_deref())
                        .collect::<StringArray>(),
                ),
            ),
            (
                "names_before",
                true,
                Arc::new(
                    rows.iter()
                        .map(|row| names_before(&row.2.names_before))
                        .collect::<StringArray>(),
                ),
            ),
            (
                "first_day",
                false,
                dates(rows.iter().map(|row| row.2.first_day)),
            ),
            (
                "last_day",
                false,
                dates(rows.iter().map(|row| row.2.last_day)),
            ),
            (
                "status",
                false,
                texts(rows.iter().map(|row| status(row.2.active))),
            ),
        ],
    )
}

/// The table `segment_events`: the events of each scheme, sorted by scheme.
///
/// # Errors
/// Arrow rejects the columns.
pub fn events_table(
    as_of: i32,
    previous: Option<i32>,
    events: &[(String, Vec<Event>)],
) -> Result<RecordBatch, HistoryError> {
    let mut events: Vec<&(String, Vec<Event>)> = events.iter().collect();
    events.sort_by(|a, b| a.0.cmp(&b.0));
    let of_scheme = |(scheme, events): &&_| {
        let scheme: &String = scheme;
        let events: &Vec<Event> = events;
        events
            .iter()
            .map(|event| (scheme.clone(), event.clone()))
            .collect::<Vec<_>>()
    };
    let rows: Vec<(String, Event)> = events.iter().flat_map(of_scheme).collect();
    let optional = |of: fn(&Event) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| of(&row.1)).collect::<Float64Array>())
    };
    table(
        "segment_events",
        vec![
            (
                "as_of",
                false,
                dates(std::iter::repeat_n(as_of, rows.len())),
            ),
            (
                "previous_as_of",
                false,
                dates(std::iter::repeat_n(previous.unwrap_or(as_of), rows.len())),
            ),
            (
                "scheme",
                false,
                texts(rows.iter().map(|row| row.0.as_str())),
            ),
            (
                "segment_id",
                false,
                Arc::new(Int64Array::from_iter_values(
                    rows.iter().map(|row| row.1.segment_id),
                )),
            ),
            (
                "segment",
                false,
                texts(rows.iter().map(|row| row.1.segment.as_str())),
            ),
            (
                "event",
                false,
                texts(rows.iter().map(|row| row.1.kind.as_str())),
            ),
            (
                "name_before",
                true,
                Arc::new(
                    rows.iter()
                        .map(|row| row.1.name_before.as_deref())
                        .collect::<StringArray>(),
                ),
            ),
            ("jaccard", true, optional(|event| event.jaccard)),
            ("kept_share", true, optional(|event| event.kept_share)),
            (
                "evidence",
                true,
                Arc::new(
                    rows.iter()
                        .map(|row| row.1.evidence.as_deref())
                        .collect::<StringArray>(),
                ),
            ),
        ],
    )
}

/// The table `migrations`: the steps of each scheme, sorted by scheme.
///
/// # Errors
/// A value has more digits than the column holds, or Arrow rejects the columns.
pub fn migrations_table(
    as_of: i32,
    previous: Option<i32>,
    migrations: &[(String, Vec<Migration>)],
) -> Result<RecordBatch, HistoryError> {
    let causes = |rows: &[(&str, &Migration)]| -> ArrayRef {
        let causes = rows.iter().map(|row| row.1.causes.to_string());
        Arc::new(StringArray::from_iter_values(causes))
    };
    moved_table("migrations", (as_of, previous), migrations, Some(causes))
}

/// The table `moves`: who is in another segment, of each scheme, sorted by scheme.
///
/// # Errors
/// A value has more digits than the column holds, or Arrow rejects the columns.
pub fn moves_table(
    as_of: i32,
    previous: Option<i32>,
    moves: &[(String, Vec<Migration>)],
) -> Result<RecordBatch, HistoryError> {
    moved_table("moves", (as_of, previous), moves, None)
}

/// Customers who moved in a scheme.
type Row<'m> = (&'m str, &'m Migration);

/// Customers by the segments that they moved between, with their causes where those are asked for.
fn moved_table(
    name: &'static str,
    (as_of, previous): (i32, Option<i32>),
    migrations: &[(String, Vec<Migration>)],
    causes: Option<fn(&[Row<'_>]) -> ArrayRef>,
) -> Result<RecordBatch, HistoryError> {
    let mut schemes: Vec<&(String, Vec<Migration>)> = migrations.iter().collect();
    schemes.sort_by(|a, b| a.0.cmp(&b.0));
    let rows: Vec<Row<'_>> = schemes
        .into_iter()
        .flat_map(|(scheme, moves)| moves.iter().map(move |one| (scheme.as_str(), one)))
        .collect();
    let ids = |end: fn(&Migration) -> &End| -> ArrayRef {
        let ids = rows.iter().map(|row| end(row.1).as_ref().map(|end| end.0));
        Arc::new(ids.collect::<Int64Array>())
    };
    let names = |end: fn(&Migration) -> &End| -> ArrayRef {
        let names = rows.iter().map(|row| end(row.1).as_ref());
        Arc::new(
            names
                .map(|end| end.map(|end| end.1.as_str()))
                .collect::<StringArray>(),
        )
    };
    let day = |day: i32| dates(std::iter::repeat_n(day, rows.len()));
    let customers = rows.iter().map(|row| row.1.customers as i64);
    let cents = rows.iter().map(|row| row.1.value_cents);
    let mut columns = vec![
        ("as_of", false, day(as_of)),
        ("previous_as_of", false, day(previous.unwrap_or(as_of))),
        ("scheme", false, texts(rows.iter().map(|row| row.0))),
        ("from_segment_id", true, ids(|row| &row.from)),
        ("from_segment", true, names(|row| &row.from)),
        ("to_segment_id", true, ids(|row| &row.to)),
        ("to_segment", true, names(|row| &row.to)),
    ];
    columns.extend(causes.map(|causes| ("cause", false, causes(&rows))));
    let customers: ArrayRef = Arc::new(Int64Array::from_iter_values(customers));
    let values = money(name, Decimal128Array::from_iter_values(cents))?;
    columns.extend([("customers", false, customers), ("value", false, values)]);
    table(name, columns)
}

/// Hundredths of the currency as decimals.
pub(crate) fn money(table: &'static str, cents: Decimal128Array) -> Result<ArrayRef, HistoryError> {
    let values = cents.with_precision_and_scale(VALUE.0, VALUE.1);
    let values =
        values.and_then(|values| values.validate_decimal_precision(VALUE.0).map(|()| values));
    values
        .map(|values| Arc::new(values) as ArrayRef)
        .map_err(|source| HistoryError::Table { table, source })
}

pub(crate) fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}

pub(crate) fn dates(days: impl Iterator<Item = i32>) -> ArrayRef {
    Arc::new(Date32Array::from_iter_values(days))
}

pub(crate) fn table(
    name: &'static str,
    columns: Vec<(&str, bool, ArrayRef)>,
) -> Result<RecordBatch, HistoryError> {
    let field = |(name, nullable, array): &(&str, bool, ArrayRef)| {
        let ty: DataType = array.data_type().clone();
        Field::new(*name, ty, *nullable)
    };
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    RecordBatch::try_new(Arc::new(schema), arrays).map_err(|source: ArrowError| {
        HistoryError::Table {
            table: name,
            source,
        }
    })
}
