//! Turns input columns into the numeric columns that models use. The encoding is part of the fitted model and stored with it.
//!
//! Numbers are transformed, filled and standardised by [`Preparation`]; where training had missing values a 0/1 column marks
//! them; labels become 0/1 columns. All have mean 0 and standard deviation 1 in training; constant columns are left out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tessera_spec::pipeline::Transform;

use super::error::ChurnError;
use super::inputs::{Inputs, LabelColumn};
use crate::Matrix;
use crate::cluster::{ColumnPreparation, ColumnTransform, Preparation, PreparationParams};

/// Labels with a smaller share of the training rows than this are encoded together as one.
const RARE: f64 = 0.01;

/// Standardised values are limited to this absolute value, so that one extreme value does not dominate.
const FARTHEST: f64 = 100.0;

/// What was learnt about the columns: enough to encode later customers in the same way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Encoding {
    numbers: Option<Preparation>,
    labels: Vec<LabelEncoding>,
    /// The columns that models use, in order.
    pub(super) columns: Vec<DesignColumn>,
}

/// The labels of a column that were frequent enough in training; all others share one level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LabelEncoding {
    name: String,
    /// Ascending; `None`, the missing label, first.
    levels: Vec<Option<String>>,
}

/// A column that models use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DesignColumn {
    /// Such as `recency_days`, `recency_days is missing`, `plan = basic`.
    pub(super) name: String,
    pub(super) source: Source,
    /// Mean in training before standardising; 0 for numbers, which are standardised already.
    pub(super) mean: f64,
    /// Standard deviation in training; 1 for numbers.
    pub(super) sd: f64,
}

/// Which input a design column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// The numeric column of that position.
    Number(usize),
    /// Whether that numeric column has no value.
    Missing(usize),
    /// Whether the label column holds that level; the index after the last level stands for all other labels.
    Level(usize, usize),
}

/// The input that a design column comes from. A number and its missing-value column have the same origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Origin {
    Number(usize),
    Label(usize),
}

impl Source {
    pub(super) fn origin(self) -> Origin {
        match self {
            Self::Number(column) | Self::Missing(column) => Origin::Number(column),
            Self::Level(column, _) => Origin::Label(column),
        }
    }
}

impl Encoding {
    /// Learns the encoding of training rows, at least one, and encodes them.
    pub(super) fn fit(inputs: &Inputs) -> Result<(Self, Design), ChurnError> {
        let names: Vec<String> = inputs.number_names().map(str::to_owned).collect();
        let raw = raw_columns(inputs, &names)?;
        let numbers = if names.is_empty() {
            None
        } else {
            let params = PreparationParams::new(Transform::Auto);
            let matrix = Matrix::borrowed(names.clone(), raw.clone());
            Some(
                Preparation::fit(
                    &matrix.map_err(crate::cluster::ClusterError::from)?,
                    &params,
                )?
                .0,
            )
        };
        let labels = inputs.label_names().map(|name| inputs.label_named(name));
        let labels = labels
            .map(|column| Ok(LabelEncoding::fit(column?)))
            .collect::<Result<Vec<_>, ChurnError>>()?;
        let mut candidates = Vec::new();
        for (position, name) in names.iter().enumerate() {
            candidates.push((name.clone(), Source::Number(position)));
            if raw[position].iter().any(|x| x.is_nan()) {
                candidates.push((format!("{name} is missing"), Source::Missing(position)));
            }
        }
        for (position, label) in labels.iter().enumerate() {
            candidates.extend(label.columns(position));
        }
        let columns = candidates.into_iter().map(|(name, source)| DesignColumn {
            name,
            source,
            mean: 0.0,
            sd: 1.0,
        });
        let mut encoding = Self {
            numbers,
            labels,
            columns: columns.collect(),
        };
        let unscaled = encoding.encode(inputs)?;
        let scaled = encoding.columns.par_iter().zip(unscaled.columns);
        let (columns, design) = scaled
            .filter_map(|(column, mut values)| {
                let first = values.first().copied()?;
                if values.iter().all(|&x| x == first) {
                    return None;
                }
                let mut column = column.clone();
                if !matches!(column.source, Source::Number(_)) {
                    // The values are 0 or 1.
                    column.mean = values.iter().sum::<f64>() / values.len() as f64;
                    column.sd = (column.mean * (1.0 - column.mean)).sqrt();
                    values.iter_mut().for_each(|x| *x = column.scale(*x));
                }
                Some((column, values))
            })
            .unzip();
        encoding.columns = columns;
        let rows = inputs.rows();
        Ok((
            encoding,
            Design {
                columns: design,
                rows,
            },
        ))
    }

    /// Encodes rows as the training rows were encoded; columns are found by name.
    pub(super) fn encode(&self, inputs: &Inputs) -> Result<Design, ChurnError> {
        let names = self.number_names();
        let raw = raw_columns(inputs, &names)?;
        let prepared = self.prepared(&names, &raw)?;
        let labels = self.labels.iter();
        let codes = labels
            .map(|label| Ok(label.encode(inputs.label_named(&label.name)?)))
            .collect::<Result<Vec<Vec<usize>>, ChurnError>>()?;
        let flag = |is: bool| f64::from(u8::from(is));
        let column = |column: &DesignColumn| -> Vec<f64> {
            match column.source {
                Source::Number(at) => {
                    let values = prepared
                        .as_ref()
                        .map_or(&[][..], |matrix| matrix.column(at));
                    values
                        .iter()
                        .map(|x| x.clamp(-FARTHEST, FARTHEST))
                        .collect()
                }
                Source::Missing(at) => raw[at]
                    .iter()
                    .map(|x| column.scale(flag(x.is_nan())))
                    .collect(),
                Source::Level(at, level) => codes[at]
                    .iter()
                    .map(|&code| column.scale(flag(code == level)))
                    .collect(),
            }
        };
        Ok(Design {
            columns: self.columns.par_iter().map(column).collect(),
            rows: inputs.rows(),
        })
    }

    fn number_names(&self) -> Vec<String> {
        let columns = self.numbers.iter().flat_map(|numbers| &numbers.columns);
        columns.map(|column| column.name.clone()).collect()
    }

    fn prepared(
        &self,
        names: &[String],
        raw: &[&[f64]],
    ) -> Result<Option<Matrix<'static>>, ChurnError> {
        let Some(numbers) = &self.numbers else {
            return Ok(None);
        };
        let columns = numbers.columns.iter().zip(raw);
        let columns = columns.map(|(column, &values)| {
            // `log1p` was chosen since no training value was below 0: a value below 0 counts as 0.
            let falls =
                column.transform == ColumnTransform::Log1p && values.iter().any(|&x| x < 0.0);
            if falls {
                let floored = |&x: &f64| if x < 0.0 { 0.0 } else { x };
                Cow::Owned(values.iter().map(floored).collect())
            } else {
                Cow::Borrowed(values)
            }
        });
        let matrix = Matrix::new(names.to_vec(), columns.collect());
        let matrix = matrix.map_err(crate::cluster::ClusterError::from)?;
        Ok(Some(numbers.apply(&matrix)?))
    }

    /// Name of the input column.
    pub(super) fn origin_name(&self, origin: Origin) -> &str {
        match origin {
            Origin::Number(at) => self
                .numbers
                .as_ref()
                .and_then(|numbers| numbers.columns.get(at))
                .map_or("", |column| column.name.as_str()),
            Origin::Label(at) => self.labels.get(at).map_or("", |label| label.name.as_str()),
        }
    }

    /// The place of a numeric column among the numeric columns.
    pub(super) fn position_of_number(&self, name: &str) -> Option<usize> {
        let columns = &self.numbers.as_ref()?.columns;
        columns.iter().position(|column| column.name == name)
    }

    /// For each design column, the index of its input in `origins`.
    pub(super) fn groups(&self, origins: &[Origin]) -> Vec<usize> {
        let place = |column: &DesignColumn| {
            let origin = column.source.origin();
            origins
                .iter()
                .position(|o| *o == origin)
                .unwrap_or_default()
        };
        self.columns.iter().map(place).collect()
    }

    /// How the numeric columns are prepared, in order.
    pub(super) fn prepared_numbers(&self) -> &[ColumnPreparation] {
        self.numbers
            .as_ref()
            .map_or(&[], |numbers| &numbers.columns)
    }

    /// The inputs that design columns come from, each once, in order.
    pub(super) fn origins(&self) -> Vec<Origin> {
        let mut origins: Vec<Origin> = self.columns.iter().map(|c| c.source.origin()).collect();
        origins.dedup();
        origins
    }
}

fn raw_columns<'a>(inputs: &'a Inputs, names: &[String]) -> Result<Vec<&'a [f64]>, ChurnError> {
    names.iter().map(|name| inputs.number_named(name)).collect()
}

impl DesignColumn {
    fn scale(&self, value: f64) -> f64 {
        (value - self.mean) / self.sd
    }
}

impl LabelEncoding {
    fn fit(column: &LabelColumn) -> Self {
        let mut counts: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for row in 0..column.codes.len() {
            *counts.entry(column.label(row)).or_default() += 1;
        }
        let often = counts
            .into_iter()
            .filter(|(_, count)| *count as f64 >= RARE * column.codes.len() as f64);
        Self {
            name: column.name.clone(),
            levels: often.map(|(label, _)| label.map(str::to_owned)).collect(),
        }
    }

    fn columns(&self, position: usize) -> impl Iterator<Item = (String, Source)> {
        let named = self.levels.iter().map(|label| match label {
            Some(label) => format!("{} = {label}", self.name),
            None => format!("{} is missing", self.name),
        });
        let names = named.chain([format!("{} is another", self.name)]);
        names
            .enumerate()
            .map(move |(level, name)| (name, Source::Level(position, level)))
    }

    /// The index of each row's level; the number of levels for all other labels.
    fn encode(&self, column: &LabelColumn) -> Vec<usize> {
        let place = |label: Option<&str>| {
            let found = self
                .levels
                .binary_search_by(|level| level.as_deref().cmp(&label));
            found.unwrap_or(self.levels.len())
        };
        let places: Vec<usize> = column
            .dictionary
            .iter()
            .map(|label| place(Some(label)))
            .collect();
        let missing = place(None);
        let codes = column.codes.iter();
        codes
            .map(|code| code.map_or(missing, |c| places[c as usize]))
            .collect()
    }
}

/// Encoded rows: finite numbers, column by column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Design {
    pub(super) columns: Vec<Vec<f64>>,
    pub(super) rows: usize,
}
