//! Features, scores and values of the customers who are in both versions, compared column by column.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use arrow::util::display::array_value_to_string;
use serde::Serialize;
use tessera_history::{ABSENT, Alignment};
use tessera_snapshot::Version;

use super::{aligned, key_of};
use crate::error::PipelineError;
use crate::history::numbers;

/// How many changes of a label are listed.
const FREQUENT: usize = 5;

/// A column of `customers` in both versions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnDiff {
    /// Its name.
    pub column: String,
    /// `feature`, or `score` for the columns of scores.
    pub kind: &'static str,
    /// `both`, `added`, `removed`, or `type changed`, where no value is compared.
    pub state: &'static str,
    /// Its type in the one version.
    pub type_before: Option<String>,
    /// Its type in the other version.
    pub type_after: Option<String>,
    /// Customers of both versions.
    pub compared: u64,
    /// Of them, those whose value is another one: values on both sides.
    pub changed: u64,
    /// Those who had a value and have none.
    pub became_missing: u64,
    /// Those who had no value and have one.
    pub became_known: u64,
    /// Mean of a number over all customers of the one version with a value.
    pub mean_before: Option<f64>,
    /// Mean of a number over all customers of the other version with a value.
    pub mean_after: Option<f64>,
    /// The largest change of a number.
    pub largest: Option<Largest>,
    /// The most frequent changes of a label.
    pub frequent: Vec<Frequent>,
}

/// The largest change of a number; of several, that of the first key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Largest {
    /// The value before.
    pub before: String,
    /// The value after.
    pub after: String,
    /// Their difference; of dates in days.
    pub change: f64,
    /// The customer, where customers are named.
    pub customer: Option<String>,
}

/// A change of a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frequent {
    /// The label before.
    pub before: String,
    /// The label after.
    pub after: String,
    /// Customers with this change.
    pub customers: u64,
}

/// Compares every feature, score and value that either version publishes, in the order of the other version.
pub(super) fn compare(
    from: &Version,
    to: &Version,
    sample: usize,
) -> Result<Vec<ColumnDiff>, PipelineError> {
    let (then, now) = (types(from), types(to));
    let keys = [column(from, key_of(from))?, column(to, key_of(to))?];
    let alignment = aligned(&keys[0], &keys[1]);
    let mut seen = BTreeSet::new();
    let names = published(to).into_iter().chain(published(from));
    let mut compared = Vec::new();
    for (name, kind) in names.filter(|(name, _)| seen.insert(name.clone())) {
        let (a, b) = (then.get(&name), now.get(&name));
        let state = match (a, b) {
            (Some(a), Some(b)) if a == b => "both",
            (Some(_), Some(_)) => "type changed",
            (None, Some(_)) => "added",
            (Some(_), None) => "removed",
            (None, None) => continue,
        };
        let mut made = ColumnDiff {
            column: name.clone(),
            kind,
            state,
            type_before: a.cloned(),
            type_after: b.cloned(),
            compared: 0,
            changed: 0,
            became_missing: 0,
            became_known: 0,
            mean_before: None,
            mean_after: None,
            largest: None,
            frequent: Vec::new(),
        };
        if state == "both" {
            let columns = [column(from, &name)?, column(to, &name)?];
            let named = (sample > 0).then_some(&keys[1]);
            values(&columns, &alignment, named, &mut made)?;
        }
        compared.push(made);
    }
    Ok(compared)
}

/// The columns of features, scores and values, with what they are.
fn published(version: &Version) -> Vec<(String, &'static str)> {
    let features = version.commit().pipeline["features"].as_array();
    let of = |feature: &serde_json::Value| {
        let kind = if feature["score"].is_string() {
            "score"
        } else {
            "feature"
        };
        Some((feature["name"].as_str()?.to_owned(), kind))
    };
    features.into_iter().flatten().filter_map(of).collect()
}

/// The types of the columns of `customers`.
pub(crate) fn types(version: &Version) -> BTreeMap<String, String> {
    let mut tables = version.tables().iter();
    let customers = tables.find(|table| table.name == "customers");
    let columns = customers.into_iter().flat_map(|table| &table.schema);
    columns
        .map(|column| (column.name.clone(), column.ty.clone()))
        .collect()
}

/// One column of `customers`.
fn column(version: &Version, name: &str) -> Result<ArrayRef, PipelineError> {
    let batches = version.read_columns("customers", |column| column == name)?;
    let parts: Vec<&dyn Array> = batches
        .iter()
        .filter_map(|batch| batch.columns().first())
        .map(AsRef::as_ref)
        .collect();
    match parts.is_empty() {
        true => Ok(arrow::array::new_empty_array(&DataType::Utf8)),
        false => Ok(concat(&parts)?),
    }
}

fn is_number(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Int64 | DataType::Float64 | DataType::Decimal128(..) | DataType::Date32
    )
}

fn values(
    columns: &[ArrayRef; 2],
    alignment: &Alignment,
    keys: Option<&ArrayRef>,
    made: &mut ColumnDiff,
) -> Result<(), PipelineError> {
    if is_number(columns[0].data_type()) {
        if *columns[0].data_type() != DataType::Date32 {
            [made.mean_before, made.mean_after] =
                [&columns[0], &columns[1]].map(|column| mean(&numbers(column)));
        }
        numeric(columns, alignment, keys, made);
        return Ok(());
    }
    let texts = |column: &ArrayRef| cast(column, &DataType::Utf8);
    let texts = [texts(&columns[0])?, texts(&columns[1])?];
    labels(
        [texts[0].as_string::<i32>(), texts[1].as_string::<i32>()],
        alignment,
        made,
    );
    Ok(())
}

fn mean(values: &[f64]) -> Option<f64> {
    let known = values.iter().filter(|value| value.is_finite());
    let (sum, count) = known.fold((0.0, 0_u64), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// Whether a customer of both versions has a value then and now; counts those who have it once.
fn both_known(made: &mut ColumnDiff, then: bool, now: bool) -> bool {
    made.compared += 1;
    made.became_missing += u64::from(then && !now);
    made.became_known += u64::from(!then && now);
    then && now
}

fn numeric(
    columns: &[ArrayRef; 2],
    alignment: &Alignment,
    keys: Option<&ArrayRef>,
    made: &mut ColumnDiff,
) {
    let (then, now) = (numbers(&columns[0]), numbers(&columns[1]));
    let exact = exact(&columns[0]).zip(exact(&columns[1]));
    let mut largest: Option<(f64, usize, usize)> = None;
    for (row, &old) in alignment.before.iter().enumerate() {
        if old == ABSENT {
            continue;
        }
        let old = old as usize;
        if !both_known(made, columns[0].is_valid(old), columns[1].is_valid(row)) {
            continue;
        }
        let (change, same) = match &exact {
            Some(((then, unit), (now, _))) => {
                let change = now[row].saturating_sub(then[old]);
                (change as f64 / unit, change == 0)
            }
            None => {
                let change = now[row] - then[old];
                // NaN is no change to NaN, and otherwise one of unknown size.
                let same = change == 0.0 || (now[row].is_nan() && then[old].is_nan());
                (change, same || now[row].to_bits() == then[old].to_bits())
            }
        };
        made.changed += u64::from(!same);
        if change.abs() > largest.map_or(0.0, |largest| largest.0.abs()) {
            largest = Some((change, old, row));
        }
    }
    let shown = |column: &ArrayRef, row| array_value_to_string(column, row).unwrap_or_default();
    made.largest = largest.map(|(change, old, row)| Largest {
        before: shown(&columns[0], old),
        after: shown(&columns[1], row),
        change,
        customer: keys.map(|keys| shown(keys, row)),
    });
}

/// Whole numbers and decimals as they are, in units of the last digit, and how many of these make one: numbers beyond 2^53, such as
/// those of contracts, would be equal as floats. `None` of other columns.
fn exact(column: &ArrayRef) -> Option<(Vec<i128>, f64)> {
    if let Some(whole) = column.as_primitive_opt::<Int64Type>() {
        return Some((whole.values().iter().map(|v| i128::from(*v)).collect(), 1.0));
    }
    let decimals = column.as_primitive_opt::<Decimal128Type>()?;
    let unit = 10_f64.powi(i32::from(decimals.scale()));
    Some((decimals.values().to_vec(), unit))
}

fn labels([then, now]: [&StringArray; 2], alignment: &Alignment, made: &mut ColumnDiff) {
    let mut changes: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (row, &old) in alignment.before.iter().enumerate() {
        if old == ABSENT {
            continue;
        }
        let old = old as usize;
        if !both_known(made, then.is_valid(old), now.is_valid(row)) {
            continue;
        }
        let change = (then.value(old), now.value(row));
        if change.0 != change.1 {
            made.changed += 1;
            *changes.entry(change).or_default() += 1;
        }
    }
    let mut changes: Vec<_> = changes.into_iter().collect();
    changes.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let of = |((before, after), customers): ((&str, &str), u64)| Frequent {
        before: before.to_owned(),
        after: after.to_owned(),
        customers,
    };
    made.frequent = changes.into_iter().take(FREQUENT).map(of).collect();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Decimal128Array, Float64Array, Int64Array};

    use super::*;

    fn empty() -> ColumnDiff {
        ColumnDiff {
            column: String::new(),
            kind: "feature",
            state: "both",
            type_before: None,
            type_after: None,
            compared: 0,
            changed: 0,
            became_missing: 0,
            became_known: 0,
            mean_before: None,
            mean_after: None,
            largest: None,
            frequent: Vec::new(),
        }
    }

    fn alignment(before: &[u32]) -> Alignment {
        Alignment {
            before: before.to_vec(),
            gone: Vec::new(),
        }
    }

    #[test]
    fn numbers_are_compared_for_those_in_both_versions() {
        let then: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(1.0),
            None,
            Some(5.0),
            Some(f64::NAN),
        ]));
        let now: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(1.0),
            Some(2.0),
            Some(-4.0),
            Some(f64::NAN),
            Some(99.0),
            None,
        ]));
        let mut made = empty();
        let rows = alignment(&[0, 1, 2, 3, ABSENT, 0]);
        values(&[then, now.clone()], &rows, Some(&now), &mut made).unwrap();
        assert_eq!((made.compared, made.changed), (5, 1));
        assert_eq!((made.became_known, made.became_missing), (1, 1));
        let largest = made.largest.unwrap();
        assert_eq!(
            (
                largest.change,
                largest.before.as_str(),
                largest.after.as_str()
            ),
            (-9.0, "5.0", "-4.0")
        );
        assert_eq!(made.mean_before, Some(3.0));
    }

    #[test]
    fn whole_numbers_and_decimals_that_are_equal_as_floats_are_not_equal() {
        const LARGE: i64 = 1 << 53;
        let whole = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
        let decimal = |values: Vec<i128>| -> ArrayRef {
            let values = Decimal128Array::from(values);
            Arc::new(values.with_precision_and_scale(38, 2).unwrap())
        };
        let large = i128::from(LARGE) * 100;
        let columns = [
            (
                [whole(vec![LARGE, 7, 7]), whole(vec![LARGE + 1, 7, 8])],
                1.0,
            ),
            (
                [decimal(vec![large, 7, 7]), decimal(vec![large + 1, 7, 8])],
                0.01,
            ),
        ];
        for (columns, step) in columns {
            let mut made = empty();
            values(&columns, &alignment(&[0, 1, 2]), None, &mut made).unwrap();
            assert_eq!((made.compared, made.changed), (3, 2));
            assert_eq!(made.largest.unwrap().change, step);
        }
    }

    #[test]
    fn days_change_by_days_and_labels_by_name() {
        let days = |days: Vec<i32>| -> ArrayRef { Arc::new(Date32Array::from(days)) };
        let mut made = empty();
        let rows = alignment(&[0, 1]);
        values(
            &[days(vec![0, 10]), days(vec![0, 12])],
            &rows,
            None,
            &mut made,
        )
        .unwrap();
        let largest = made.largest.unwrap();
        assert_eq!(
            (largest.change, largest.before.as_str()),
            (2.0, "1970-01-11")
        );
        let texts = |texts: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
        let mut made = empty();
        let rows = alignment(&[0, 1, 2]);
        values(
            &[texts(vec!["a", "a", "b"]), texts(vec!["b", "b", "b"])],
            &rows,
            None,
            &mut made,
        )
        .unwrap();
        assert_eq!((made.changed, made.frequent[0].customers), (2, 2));
    }
}
