//! The customers to assign: one row each, the key first, features beside it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

use tessera_expr::temporal::DAY_MICROS;

use crate::error::SegmentError;

/// Row numbers and label codes are 32 bits wide; the largest marks a missing label.
const LARGEST: usize = u32::MAX as usize - 1;

/// A checked table of customers: one row each, unique non-null keys in the first column, features in the others.
#[derive(Debug, Clone)]
pub struct Customers {
    batch: RecordBatch,
    /// Rows by ascending key; `None` where the table already is in that order.
    key_order: Option<Vec<u32>>,
}

/// What a feature column can be used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Int64 or Float64: a number.
    Number,
    /// Date32, or timestamps in microseconds: a number of days since 1970-01-01, without a natural zero.
    Date,
    /// Utf8 or Boolean: a label.
    Label,
}

/// A feature as numbers, one per customer.
///
/// Missing values, NaN and infinities are all missing; a date or a time is its days since 1970-01-01; false is 0 and true is 1.
#[derive(Debug, Clone)]
pub struct Numeric {
    values: Vec<f64>,
}

/// A feature as labels, one per customer: codes into the distinct values.
#[derive(Debug, Clone)]
pub struct Labels<'a> {
    codes: Vec<u32>,
    values: Vec<Cow<'a, str>>,
}

impl Customers {
    /// Checks a table of customers.
    ///
    /// # Errors
    /// A key that is not the first column, not Utf8 or Int64, null somewhere or repeated; a feature of another type than
    /// Int64, Float64, Date32, timestamps in microseconds, Boolean or Utf8; more than 2^32 - 2 rows.
    pub fn new(batch: RecordBatch) -> Result<Self, SegmentError> {
        let schema = batch.schema();
        let Some(key) = schema.fields().first() else {
            return Err(SegmentError::NoKey);
        };
        let column = key.name().clone();
        if !matches!(key.data_type(), DataType::Utf8 | DataType::Int64) {
            return Err(SegmentError::KeyType {
                column,
                found: key.data_type().clone(),
            });
        }
        let nulls = batch.column(0).null_count();
        if nulls > 0 {
            return Err(SegmentError::KeyNull { column, nulls });
        }
        if batch.num_rows() > LARGEST {
            return Err(SegmentError::TooManyCustomers {
                rows: batch.num_rows(),
                limit: LARGEST,
            });
        }
        for field in &schema.fields()[1..] {
            if kind_of(field.data_type()).is_none() {
                let found = field.data_type().clone();
                return Err(SegmentError::ColumnType {
                    feature: field.name().clone(),
                    found,
                });
            }
        }
        let key_order = key_order(batch.column(0), &column)?;
        Ok(Self { batch, key_order })
    }

    /// Whether a feature can be of this type.
    pub fn takes(data_type: &DataType) -> bool {
        kind_of(data_type).is_some()
    }

    /// Number of customers.
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there is no customer.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name of the key column.
    pub fn key_name(&self) -> &str {
        self.batch.schema_ref().field(0).name()
    }

    /// The keys: Utf8 or Int64, no nulls, unique.
    pub fn key(&self) -> &ArrayRef {
        self.batch.column(0)
    }

    /// The features in table order: every column but the key.
    pub fn features(&self) -> impl Iterator<Item = (&str, ColumnKind)> {
        let fields = &self.batch.schema_ref().fields()[1..];
        fields
            .iter()
            .filter_map(|field| Some((field.name().as_str(), kind_of(field.data_type())?)))
    }

    /// Row of the customer at this position in ascending order of keys (bytes of a Utf8 key, value of an Int64 key).
    pub fn row_by_key(&self, position: usize) -> usize {
        self.key_order
            .as_ref()
            .map_or(position, |order| order[position] as usize)
    }

    /// A feature as numbers.
    ///
    /// # Errors
    /// The feature does not exist or is Utf8.
    pub fn numeric(&self, feature: &str) -> Result<Numeric, SegmentError> {
        let column = self.column(feature)?;
        let values = match column.data_type() {
            DataType::Float64 => {
                let array = column.as_primitive::<Float64Type>();
                array
                    .iter()
                    .map(|v| finite(v.unwrap_or(f64::NAN)))
                    .collect()
            }
            // i64 to f64 is exact up to 2^53; counts and days are far below.
            DataType::Int64 => {
                let array = column.as_primitive::<Int64Type>();
                array
                    .iter()
                    .map(|v| v.map_or(f64::NAN, |v| v as f64))
                    .collect()
            }
            DataType::Date32 => {
                let array = column.as_primitive::<Date32Type>();
                array
                    .iter()
                    .map(|v| v.map_or(f64::NAN, f64::from))
                    .collect()
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let array = column.as_primitive::<TimestampMicrosecondType>();
                array
                    .iter()
                    .map(|v| v.map_or(f64::NAN, |v| v as f64 / DAY_MICROS as f64))
                    .collect()
            }
            DataType::Boolean => {
                let array = column.as_boolean();
                array
                    .iter()
                    .map(|v| v.map_or(f64::NAN, |v| f64::from(u8::from(v))))
                    .collect()
            }
            found => {
                return Err(SegmentError::NotNumeric {
                    feature: feature.to_owned(),
                    found: found.clone(),
                });
            }
        };
        Ok(Numeric { values })
    }

    /// A feature as labels. Utf8 as it is (an empty text is a value), Boolean as `true` and `false`, Int64 in digits.
    ///
    /// # Errors
    /// The feature does not exist, or is a fraction, a date or a time.
    pub fn labels(&self, feature: &str) -> Result<Labels<'_>, SegmentError> {
        let column = self.column(feature)?;
        match column.data_type() {
            DataType::Utf8 => {
                let array = column.as_string::<i32>();
                Ok(Labels::encode(array.iter(), Cow::Borrowed))
            }
            DataType::Boolean => {
                let name = |v| Cow::Borrowed(if v { "true" } else { "false" });
                Ok(Labels::encode(column.as_boolean().iter(), name))
            }
            DataType::Int64 => {
                let array = column.as_primitive::<Int64Type>();
                Ok(Labels::encode(array.iter(), |v| Cow::Owned(v.to_string())))
            }
            found => Err(SegmentError::NotLabel {
                feature: feature.to_owned(),
                found: found.clone(),
            }),
        }
    }

    /// The column of a feature.
    ///
    /// # Errors
    /// The feature does not exist.
    pub(crate) fn column(&self, feature: &str) -> Result<&ArrayRef, SegmentError> {
        let fields = self.batch.schema_ref().fields();
        match fields
            .iter()
            .skip(1)
            .position(|field| field.name() == feature)
        {
            Some(index) => Ok(self.batch.column(index + 1)),
            None => Err(SegmentError::UnknownFeature {
                feature: feature.to_owned(),
                available: fields
                    .iter()
                    .skip(1)
                    .map(|field| field.name().clone())
                    .collect(),
            }),
        }
    }
}

impl Numeric {
    /// The values, NaN where missing; never infinite, never negative zero.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The value of one customer.
    pub fn get(&self, row: usize) -> Option<f64> {
        self.values.get(row).copied().filter(|v| !v.is_nan())
    }

    /// The values, to be changed in place by the caller.
    pub(crate) fn into_values(self) -> Vec<f64> {
        self.values
    }
}

impl<'a> Labels<'a> {
    /// Code of a customer without a label.
    pub const MISSING: u32 = u32::MAX;

    /// One code per customer into [`Labels::values`], or [`Labels::MISSING`].
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The distinct labels, ascending by bytes (numbers by their digits).
    pub fn values(&self) -> &[Cow<'a, str>] {
        &self.values
    }

    /// The label of one customer.
    pub fn get(&self, row: usize) -> Option<&str> {
        let code = *self.codes.get(row)?;
        self.values.get(code as usize).map(AsRef::as_ref)
    }

    /// Customers per label, in the order of [`Labels::values`].
    pub(crate) fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.values.len()];
        for &code in &self.codes {
            if code != Self::MISSING {
                counts[code as usize] += 1;
            }
        }
        counts
    }

    /// Codes by first appearance, then renumbered so that they do not depend on the order of rows.
    fn encode<T: Copy + Eq + std::hash::Hash>(
        rows: impl Iterator<Item = Option<T>>,
        name: impl Fn(T) -> Cow<'a, str>,
    ) -> Self {
        let mut seen: HashMap<T, u32> = HashMap::new();
        let mut values: Vec<Cow<'a, str>> = Vec::new();
        let mut codes = Vec::with_capacity(rows.size_hint().0);
        let mut last: Option<(T, u32)> = None;
        for row in rows {
            codes.push(match (row, last) {
                (None, _) => Self::MISSING,
                (Some(value), Some((same, code))) if value == same => code,
                (Some(value), _) => {
                    let code = *seen.entry(value).or_insert_with(|| {
                        values.push(name(value));
                        values.len() as u32 - 1
                    });
                    last = Some((value, code));
                    code
                }
            });
        }
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| values[a as usize].cmp(&values[b as usize]));
        let mut place = vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            place[old as usize] = new as u32;
        }
        for code in codes.iter_mut().filter(|code| **code != Self::MISSING) {
            *code = place[*code as usize];
        }
        let values = order
            .iter()
            .map(|&old| std::mem::take(&mut values[old as usize]))
            .collect();
        Self { codes, values }
    }
}

fn kind_of(data_type: &DataType) -> Option<ColumnKind> {
    match data_type {
        DataType::Int64 | DataType::Float64 => Some(ColumnKind::Number),
        DataType::Date32 | DataType::Timestamp(TimeUnit::Microsecond, _) => Some(ColumnKind::Date),
        DataType::Utf8 | DataType::Boolean => Some(ColumnKind::Label),
        _ => None,
    }
}

/// The number, NaN where it is infinite; adding zero turns negative zero into zero, so that equal values are equal in bits.
fn finite(value: f64) -> f64 {
    if value.is_finite() {
        value + 0.0
    } else {
        f64::NAN
    }
}

/// Rows by ascending key, or `None` where they are in that order; rejects a repeated key.
fn key_order(key: &ArrayRef, column: &str) -> Result<Option<Vec<u32>>, SegmentError> {
    let compare: Box<dyn Fn(usize, usize) -> Ordering + '_> = match key.data_type() {
        DataType::Int64 => {
            let keys = key.as_primitive::<Int64Type>().values();
            Box::new(move |a, b| keys[a].cmp(&keys[b]))
        }
        _ => {
            let keys = key.as_string::<i32>();
            Box::new(move |a, b| keys.value(a).cmp(keys.value(b)))
        }
    };
    let rows = key.len();
    if (1..rows).all(|row| compare(row - 1, row) == Ordering::Less) {
        return Ok(None);
    }
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.sort_unstable_by(|&a, &b| compare(a as usize, b as usize));
    for pair in order.windows(2) {
        if compare(pair[0] as usize, pair[1] as usize) == Ordering::Equal {
            let row = pair[0] as usize;
            let key = match key.data_type() {
                DataType::Int64 => key.as_primitive::<Int64Type>().value(row).to_string(),
                _ => key.as_string::<i32>().value(row).to_owned(),
            };
            return Err(SegmentError::KeyRepeated {
                column: column.to_owned(),
                key,
            });
        }
    }
    Ok(Some(order))
}
