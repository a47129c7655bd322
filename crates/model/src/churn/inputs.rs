//! What is known of customers at one date ([`Inputs`]), and several such dates with what happened next ([`Panel`]).

use std::collections::{BTreeMap, HashSet};

use rayon::prelude::*;

use super::error::ChurnError;

/// Columns over `rows()` customers at one date.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inputs {
    rows: usize,
    numbers: Vec<(String, Vec<f64>)>,
    labels: Vec<LabelColumn>,
}

/// A column of labels, as codes into a dictionary.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelColumn {
    /// Name of the column.
    pub name: String,
    /// The labels that codes stand for.
    pub dictionary: Vec<String>,
    /// One per row; `None` is missing.
    pub codes: Vec<Option<u32>>,
}

/// A value of an input.
#[derive(Debug, Clone, PartialEq)]
pub enum InputValue {
    /// A number.
    Number(f64),
    /// A label.
    Label(String),
    /// There is no value.
    Missing,
}

impl Inputs {
    /// Inputs of `rows` customers, without columns yet.
    pub fn new(rows: usize) -> Self {
        Self {
            rows,
            ..Self::default()
        }
    }

    /// Adds a numeric column, one value per row; NaN is a missing value.
    ///
    /// # Errors
    /// Another length, a name that is taken, an infinite value.
    pub fn number(mut self, name: impl Into<String>, values: Vec<f64>) -> Result<Self, ChurnError> {
        let name = name.into();
        self.admit(&name, values.len())?;
        if let Some(row) = values.par_iter().position_first(|x| x.is_infinite()) {
            return Err(ChurnError::Infinite {
                column: name,
                row,
                value: values[row],
            });
        }
        self.numbers.push((name, values));
        Ok(self)
    }

    /// Adds a label column, one label per row; `None` is missing and counts as a label of its own.
    ///
    /// # Errors
    /// Another length, or a name that is taken.
    pub fn label<'a>(
        self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = Option<&'a str>>,
    ) -> Result<Self, ChurnError> {
        let mut known: BTreeMap<&'a str, u32> = BTreeMap::new();
        let mut dictionary = Vec::new();
        let code = |label: &'a str| {
            *known.entry(label).or_insert_with(|| {
                dictionary.push(label.to_owned());
                dictionary.len() as u32 - 1
            })
        };
        let mut code = code;
        let codes = values.into_iter().map(|v| v.map(&mut code)).collect();
        self.coded(name, dictionary, codes)
    }

    /// Adds a label column that is dictionary-encoded already.
    ///
    /// # Errors
    /// Another length, a name that is taken, a code beyond the dictionary.
    pub fn coded(
        mut self,
        name: impl Into<String>,
        dictionary: Vec<String>,
        codes: Vec<Option<u32>>,
    ) -> Result<Self, ChurnError> {
        let name = name.into();
        self.admit(&name, codes.len())?;
        let beyond = |code: &Option<u32>| code.is_some_and(|c| c as usize >= dictionary.len());
        if let Some(row) = codes.iter().position(beyond) {
            return Err(ChurnError::Code {
                column: name,
                row,
                code: codes[row].unwrap_or_default(),
                labels: dictionary.len(),
            });
        }
        self.labels.push(LabelColumn {
            name,
            dictionary,
            codes,
        });
        Ok(self)
    }

    fn admit(&self, name: &str, rows: usize) -> Result<(), ChurnError> {
        if rows != self.rows {
            return Err(ChurnError::Ragged {
                column: name.to_owned(),
                found: rows,
                expected: self.rows,
            });
        }
        let taken = self.number_names().any(|n| n == name) || self.label_names().any(|n| n == name);
        if taken {
            return Err(ChurnError::DuplicateName {
                column: name.to_owned(),
            });
        }
        Ok(())
    }

    /// Number of customers.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Names of the numeric columns, in order.
    pub fn number_names(&self) -> impl Iterator<Item = &str> {
        self.numbers.iter().map(|(name, _)| name.as_str())
    }

    /// Names of the label columns, in order.
    pub fn label_names(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|column| column.name.as_str())
    }

    /// The numeric column of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn number_named(&self, name: &str) -> Result<&[f64], ChurnError> {
        let found = self.numbers.iter().find(|(own, _)| own == name);
        found
            .map(|(_, values)| values.as_slice())
            .ok_or_else(|| ChurnError::UnknownColumn {
                kind: "numeric",
                column: name.to_owned(),
                available: self.number_names().map(str::to_owned).collect(),
            })
    }

    /// The label column of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn label_named(&self, name: &str) -> Result<&LabelColumn, ChurnError> {
        let found = self.labels.iter().find(|column| column.name == name);
        found.ok_or_else(|| ChurnError::UnknownColumn {
            kind: "label",
            column: name.to_owned(),
            available: self.label_names().map(str::to_owned).collect(),
        })
    }

    /// The value of a column in a row; `None` where there is no such column.
    pub fn value(&self, name: &str, row: usize) -> Option<InputValue> {
        if let Ok(values) = self.number_named(name) {
            let value = values[row];
            return Some(match value.is_nan() {
                true => InputValue::Missing,
                false => InputValue::Number(value),
            });
        }
        let label = self.label_named(name).ok()?.label(row);
        Some(label.map_or(InputValue::Missing, |label| {
            InputValue::Label(label.to_owned())
        }))
    }

    /// One row: the median of each number's known values and each label column's most frequent label (of several the first by
    /// name). Missing where most values are missing.
    pub fn typical(&self) -> Self {
        let numbers = self.numbers.par_iter();
        let labels = self.labels.iter().map(|column| LabelColumn {
            name: column.name.clone(),
            dictionary: column.dictionary.clone(),
            codes: vec![column.most_frequent()],
        });
        Self {
            rows: 1,
            numbers: numbers
                .map(|(name, values)| (name.clone(), vec![known_median(values)]))
                .collect(),
            labels: labels.collect(),
        }
    }

    /// The columns of both, over the same customers.
    ///
    /// # Errors
    /// Another number of rows, or a name that is taken.
    pub fn beside(mut self, other: Self) -> Result<Self, ChurnError> {
        for (name, values) in other.numbers {
            self = self.number(name, values)?;
        }
        for LabelColumn {
            name,
            dictionary,
            codes,
        } in other.labels
        {
            self = self.coded(name, dictionary, codes)?;
        }
        Ok(self)
    }

    /// The rows at these positions, in that order.
    pub(super) fn gather(&self, rows: &[usize]) -> Self {
        let numbers = self.numbers.par_iter();
        let labels = self.labels.iter();
        Self {
            rows: rows.len(),
            numbers: numbers
                .map(|(name, values)| (name.clone(), rows.iter().map(|&row| values[row]).collect()))
                .collect(),
            labels: labels
                .map(|column| LabelColumn {
                    name: column.name.clone(),
                    dictionary: column.dictionary.clone(),
                    codes: rows.iter().map(|&row| column.codes[row]).collect(),
                })
                .collect(),
        }
    }

    /// Orders two rows by what they hold; equal rows are equal in every column.
    pub(super) fn compare_rows(&self, a: usize, b: usize) -> std::cmp::Ordering {
        let by_number = self
            .numbers
            .iter()
            .map(|(_, values)| values[a].total_cmp(&values[b]));
        let by_label = self
            .labels
            .iter()
            .map(|column| column.label(a).cmp(&column.label(b)));
        let differing = by_number.chain(by_label).find(|order| order.is_ne());
        differing.unwrap_or(std::cmp::Ordering::Equal)
    }

    /// Appends the rows of another observation with the same columns.
    fn append(&mut self, other: Self) -> Result<(), (&'static str, Vec<String>, Vec<String>)> {
        let owned = |names: &mut dyn Iterator<Item = &str>| names.map(str::to_owned).collect();
        let numbers: [Vec<String>; 2] = [
            owned(&mut other.number_names()),
            owned(&mut self.number_names()),
        ];
        let labels: [Vec<String>; 2] = [
            owned(&mut other.label_names()),
            owned(&mut self.label_names()),
        ];
        for (kind, [found, expected]) in [("numeric", numbers), ("label", labels)] {
            if found != expected {
                return Err((kind, found, expected));
            }
        }
        self.rows += other.rows;
        for ((_, values), (_, more)) in self.numbers.iter_mut().zip(other.numbers) {
            values.extend(more);
        }
        for (column, more) in self.labels.iter_mut().zip(other.labels) {
            column.append(more);
        }
        Ok(())
    }
}

impl LabelColumn {
    /// The label of a row below the column's length; `None` where it is missing.
    pub fn label(&self, row: usize) -> Option<&str> {
        self.codes[row].map(|code| self.dictionary[code as usize].as_str())
    }

    fn most_frequent(&self) -> Option<u32> {
        let mut counts: BTreeMap<Option<&str>, (usize, Option<u32>)> = BTreeMap::new();
        for (row, &code) in self.codes.iter().enumerate() {
            let (count, _) = counts.entry(self.label(row)).or_insert((0, code));
            *count += 1;
        }
        let mut best: (usize, Option<u32>) = (0, None);
        for (count, code) in counts.into_values() {
            if count > best.0 {
                best = (count, code);
            }
        }
        best.1
    }

    fn append(&mut self, more: Self) {
        let mut known: BTreeMap<String, u32> = self.dictionary.iter().cloned().zip(0..).collect();
        let recoded: Vec<u32> = more
            .dictionary
            .into_iter()
            .map(|label| {
                let next = self.dictionary.len() as u32;
                *known.entry(label).or_insert_with_key(|label| {
                    self.dictionary.push(label.clone());
                    next
                })
            })
            .collect();
        let codes = more.codes.into_iter();
        self.codes
            .extend(codes.map(|code| code.map(|c| recoded[c as usize])));
    }
}

/// The median of the values that are known; NaN where most are not.
fn known_median(values: &[f64]) -> f64 {
    let mut known: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    if known.is_empty() || 2 * known.len() < values.len() {
        return f64::NAN;
    }
    let middle = known.len() / 2;
    let is_even = known.len().is_multiple_of(2);
    let (below, &mut upper, _) = known.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp);
    match lower.filter(|_| is_even) {
        Some(lower) => f64::midpoint(lower, upper),
        None => upper,
    }
}

/// What was known at one date, of whom, and who left within the horizon after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// What was known, using nothing after the date.
    pub inputs: Inputs,
    /// Whether the customer of each row left in the horizon after the date.
    pub churned: Vec<bool>,
    /// An identifier of the customer of each row, the same at every date, such as a hash of its key.
    pub customer: Vec<u64>,
    /// The date, days since 1970-01-01.
    pub observed_on: i32,
}

/// Observations of several dates, stacked: one row per customer and date, in any order.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    pub(super) inputs: Inputs,
    pub(super) churned: Vec<bool>,
    pub(super) customer: Vec<u64>,
    pub(super) observed_on: Vec<i32>,
}

impl Panel {
    /// How many customers have rows, whatever the dates.
    pub(super) fn customers(&self) -> usize {
        let customers: HashSet<u64> = self.customer.iter().copied().collect();
        customers.len()
    }

    /// A panel whose rows are stacked already; every vector has one entry per row.
    ///
    /// # Errors
    /// A vector of another length than the inputs have rows, or no columns.
    pub fn new(
        inputs: Inputs,
        churned: Vec<bool>,
        customer: Vec<u64>,
        observed_on: Vec<i32>,
    ) -> Result<Self, ChurnError> {
        let lengths = [
            ("churned", churned.len()),
            ("customer", customer.len()),
            ("observed_on", observed_on.len()),
        ];
        let expected = inputs.rows;
        if let Some((column, found)) = lengths.into_iter().find(|(_, found)| *found != expected) {
            return Err(ChurnError::Ragged {
                column: column.to_owned(),
                found,
                expected,
            });
        }
        if inputs.numbers.is_empty() && inputs.labels.is_empty() {
            return Err(ChurnError::NoColumns);
        }
        Ok(Self {
            inputs,
            churned,
            customer,
            observed_on,
        })
    }

    /// Stacks observations of the same columns; dictionaries of labels may differ.
    ///
    /// # Errors
    /// As [`Panel::new`], and columns that differ between observations.
    pub fn stack(observations: impl IntoIterator<Item = Observation>) -> Result<Self, ChurnError> {
        let mut stacked: Option<Self> = None;
        for observation in observations {
            let dates = vec![observation.observed_on; observation.inputs.rows];
            let next = Self::new(
                observation.inputs,
                observation.churned,
                observation.customer,
                dates,
            )?;
            match &mut stacked {
                None => stacked = Some(next),
                Some(panel) => {
                    let differ = |(kind, found, expected)| ChurnError::Columns {
                        observed_on: super::dates::iso(observation.observed_on),
                        kind,
                        found,
                        expected,
                    };
                    panel.inputs.append(next.inputs).map_err(differ)?;
                    panel.churned.extend(next.churned);
                    panel.customer.extend(next.customer);
                    panel.observed_on.extend(next.observed_on);
                }
            }
        }
        stacked.ok_or(ChurnError::NoColumns)
    }

    /// Number of rows: customers times dates.
    pub fn rows(&self) -> usize {
        self.inputs.rows
    }

    /// The rows at these positions, in that order.
    pub(super) fn gather(&self, rows: &[usize]) -> Self {
        Self {
            inputs: self.inputs.gather(rows),
            churned: rows.iter().map(|&row| self.churned[row]).collect(),
            customer: rows.iter().map(|&row| self.customer[row]).collect(),
            observed_on: rows.iter().map(|&row| self.observed_on[row]).collect(),
        }
    }

    /// Rows that churned.
    pub(super) fn churners(&self) -> usize {
        self.churned.iter().filter(|churned| **churned).count()
    }

    /// 1 where churned, else 0.
    pub(super) fn targets(&self) -> Vec<f64> {
        let targets = self.churned.iter();
        targets
            .map(|&churned| f64::from(u8::from(churned)))
            .collect()
    }
}
