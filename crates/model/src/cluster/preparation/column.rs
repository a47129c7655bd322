//! One column: its transform, what is learnt of it, and how its values become comparable with those of others.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tessera_spec::pipeline::Transform;

use super::PreparationParams;
use crate::cluster::error::ClusterError;
use crate::cluster::moments;
use crate::cluster::warning::ClusterWarning;

/// Absolute skewness above which `auto` transforms a column.
const SKEWED: f64 = 4.0;

/// The transform a column got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnTransform {
    /// Values as they are.
    None,
    /// ln(1 + x); nothing was below 0 when it was learnt. A later value below 0 counts as -ln(1 + |x|): as far on the other side of 0 as
    /// one of its size on this side, so that order and continuity stay.
    Log1p,
    /// asinh(x).
    Asinh,
}

impl ColumnTransform {
    /// The transform of one value; NaN stays NaN.
    pub fn apply(self, value: f64) -> f64 {
        match self {
            Self::None => value,
            Self::Log1p if value < 0.0 => -(-value).ln_1p(),
            Self::Log1p => value.ln_1p(),
            Self::Asinh => value.asinh(),
        }
    }

    /// The value a transformed value came from.
    pub fn invert(self, value: f64) -> f64 {
        match self {
            Self::None => value,
            Self::Log1p if value < 0.0 => -(-value).exp_m1(),
            Self::Log1p => value.exp_m1(),
            Self::Asinh => value.sinh(),
        }
    }
}

/// What was learnt about one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnPreparation {
    /// Name of the column.
    pub name: String,
    /// The transform it got.
    pub transform: ColumnTransform,
    /// Skewness of the raw values (population, g1); 0 where they are all equal.
    pub skewness: f64,
    /// Customers without a value.
    pub missing: usize,
    /// Whether no customer has a value: the prepared column is then 0 for every customer.
    pub empty: bool,
    /// What a missing value counts as: the median of the others, in the column's unit.
    pub median: f64,
    /// Transformed values below this are raised to it.
    pub lower: Option<f64>,
    /// Transformed values above this are lowered to it.
    pub upper: Option<f64>,
    /// Mean of the transformed, filled and winsorised values.
    pub mean: f64,
    /// Their standard deviation (divided by n, as in scikit-learn); 0 where they are all equal: the prepared column is then 0.
    pub sd: f64,
    /// Whether the column is used; not where it is correlated with an earlier one and such columns are dropped.
    pub used: bool,
    /// The indicator column that is 1 where the value is missing.
    pub indicator: Option<MissingIndicator>,
}

/// The scaling of an indicator column of missing values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MissingIndicator {
    /// Share of customers without a value.
    pub mean: f64,
    /// Standard deviation of the 0s and 1s; 0 where all are equal.
    pub sd: f64,
}

impl ColumnPreparation {
    /// Raw values transformed, missing ones replaced, tails winsorised.
    pub(super) fn transformed(&self, values: &[f64]) -> Vec<f64> {
        let fill = self.transform.apply(self.median);
        let transformed = |&x: &f64| self.winsorised(x, fill);
        values.par_iter().map(transformed).collect()
    }

    /// A raw value transformed, or `fill` where it is missing, and winsorised.
    fn winsorised(&self, raw: f64, fill: f64) -> f64 {
        let (lower, upper) = (
            self.lower.unwrap_or(f64::NEG_INFINITY),
            self.upper.unwrap_or(f64::INFINITY),
        );
        let transformed = if raw.is_nan() {
            fill
        } else {
            self.transform.apply(raw)
        };
        transformed.clamp(lower, upper)
    }

    /// Transformed values to mean 0 and deviation 1.
    pub(super) fn standardise(&self, mut transformed: Vec<f64>) -> Vec<f64> {
        let scale = |x: &mut f64| *x = self.standardised(*x);
        transformed.par_iter_mut().for_each(scale);
        transformed
    }

    fn standardised(&self, transformed: f64) -> f64 {
        if self.sd > 0.0 {
            (transformed - self.mean) / self.sd
        } else {
            0.0
        }
    }

    /// The prepared column, followed by that of missing values where there is one, each with its name.
    pub(super) fn companions(&self, raw: &[f64], prepared: Vec<f64>) -> Vec<(String, Vec<f64>)> {
        let mut columns = vec![(self.name.clone(), prepared)];
        if let Some(indicator) = &self.indicator {
            columns.push((indicator_name(&self.name), indicator.prepare(raw)));
        }
        columns
    }

    /// A raw value prepared, as [`super::Preparation::apply`] prepares it; NaN is a missing one.
    pub fn prepared(&self, raw: f64) -> f64 {
        let fill = match raw.is_nan() {
            true => self.transform.apply(self.median),
            false => 0.0,
        };
        self.standardised(self.winsorised(raw, fill))
    }

    /// Whether a raw value is one that the column was learnt to have: no infinity, and nothing below 0 where the logarithm is taken.
    pub fn admits(&self, raw: f64) -> bool {
        raw.is_finite() && (raw >= 0.0 || self.transform != ColumnTransform::Log1p)
    }

    /// A number that the difference of two raw values is not below, where the prepared ones differ by `prepared` and one of them is
    /// `raw`: found without taking the other one back.
    pub fn at_least_apart(&self, raw: f64, prepared: f64) -> f64 {
        // Rounding must not make it too large.
        const SLACK: f64 = 1.0 - 1e-6;
        let by = prepared * self.sd;
        let apart = match self.transform {
            // The slope of the inverse is 1 or more.
            ColumnTransform::None | ColumnTransform::Asinh => by.abs(),
            // e^y >= 1 + y, away from 0 and towards it; beyond 0 the slope grows again.
            ColumnTransform::Log1p if (by >= 0.0) == (raw >= 0.0) => (1.0 + raw.abs()) * by.abs(),
            ColumnTransform::Log1p => (1.0 + raw.abs()) * by.abs() / (1.0 + by.abs()),
        };
        SLACK * apart
    }

    /// The raw value of a prepared one, such as a coordinate of a centre; for a constant column, its one value.
    pub fn raw(&self, prepared: f64) -> f64 {
        self.transform.invert(prepared * self.sd + self.mean)
    }
}

impl MissingIndicator {
    fn prepare(&self, values: &[f64]) -> Vec<f64> {
        let missing = |x: &f64| f64::from(u8::from(x.is_nan()));
        let scale = |x: f64| {
            if self.sd > 0.0 {
                (x - self.mean) / self.sd
            } else {
                0.0
            }
        };
        values.iter().map(|x| scale(missing(x))).collect()
    }
}

fn indicator_name(column: &str) -> String {
    format!("{column}_missing")
}

/// What is learnt of a column, and its values transformed, filled and winsorised.
pub(super) fn fit_column(
    name: &str,
    raw: &[f64],
    params: &PreparationParams,
) -> Result<(ColumnPreparation, Vec<f64>), ClusterError> {
    let mut present: Vec<f64> = raw.iter().copied().filter(|x| !x.is_nan()).collect();
    let missing = raw.len() - present.len();
    require_finite(name, raw)?;
    let skewness = moments::skewness(&present);
    let smallest = present.iter().copied().fold(f64::INFINITY, f64::min);
    let transform = match params.transform {
        Transform::None => ColumnTransform::None,
        Transform::Log1p => ColumnTransform::Log1p,
        Transform::Asinh => ColumnTransform::Asinh,
        Transform::Auto if skewness > SKEWED && smallest >= 0.0 => ColumnTransform::Log1p,
        Transform::Auto if skewness.abs() > SKEWED && smallest < 0.0 => ColumnTransform::Asinh,
        Transform::Auto => ColumnTransform::None,
    };
    require_positive(name, raw, transform)?;
    let empty = present.is_empty();
    let median = moments::quantile(&mut present, 0.5).unwrap_or(0.0);
    let fill = transform.apply(median);
    let mut values: Vec<f64> = raw
        .iter()
        .map(|&x| if x.is_nan() { fill } else { transform.apply(x) })
        .collect();
    let (mut lower, mut upper) = (None, None);
    if let Some(share) = params.winsorise.filter(|&share| share > 0.0) {
        let mut ranked = values.clone();
        lower = moments::quantile(&mut ranked, share);
        upper = moments::quantile(&mut ranked, 1.0 - share);
        let (lower, upper) = (
            lower.unwrap_or(f64::NEG_INFINITY),
            upper.unwrap_or(f64::INFINITY),
        );
        values.iter_mut().for_each(|x| *x = x.clamp(lower, upper));
    }
    let (mean, sd) = scale(&values);
    let indicator = (params.missing_indicator && missing > 0 && missing < raw.len()).then(|| {
        let flags: Vec<f64> = raw
            .iter()
            .map(|x| f64::from(u8::from(x.is_nan())))
            .collect();
        let (mean, sd) = moments::mean_sd(&flags);
        MissingIndicator { mean, sd }
    });
    let learnt = ColumnPreparation {
        name: name.to_owned(),
        transform,
        skewness,
        missing,
        empty,
        median,
        lower,
        upper,
        mean,
        sd,
        used: true,
        indicator,
    };
    Ok((learnt, values))
}

/// Mean and deviation; the deviation of equal values is exactly 0, which rounding alone would not give.
fn scale(values: &[f64]) -> (f64, f64) {
    match values.first() {
        Some(&first) if values.iter().all(|&x| x == first) => (first, 0.0),
        _ => moments::mean_sd(values),
    }
}

pub(super) fn column_warnings(column: &ColumnPreparation) -> Vec<ClusterWarning> {
    let name = column.name.clone();
    if column.empty {
        return vec![ClusterWarning::EmptyColumn { column: name }];
    }
    let mut warnings = Vec::new();
    if column.sd == 0.0 {
        warnings.push(ClusterWarning::ConstantColumn {
            column: name.clone(),
            // The mean is one of transformed values.
            value: column.median,
            winsorised: column.lower.is_some() || column.upper.is_some(),
        });
    }
    if column.missing > 0 {
        let (customers, median) = (column.missing, column.median);
        warnings.push(ClusterWarning::MissingValues {
            column: name,
            customers,
            median,
        });
    }
    warnings
}

/// Rejects infinities.
pub(super) fn require_finite(name: &str, values: &[f64]) -> Result<(), ClusterError> {
    match values.iter().position(|x| x.is_infinite()) {
        Some(row) => Err(ClusterError::Infinite {
            column: name.to_owned(),
            row,
            value: values[row],
        }),
        None => Ok(()),
    }
}

/// Rejects negative values where the logarithm is asked for.
fn require_positive(
    name: &str,
    values: &[f64],
    transform: ColumnTransform,
) -> Result<(), ClusterError> {
    match below_zero(values).filter(|_| transform == ColumnTransform::Log1p) {
        Some((negative, smallest)) => Err(ClusterError::NegativeForLog1p {
            column: name.to_owned(),
            negative,
            smallest,
        }),
        None => Ok(()),
    }
}

/// How many values are below 0, and the smallest; `None` where none is.
fn below_zero(values: &[f64]) -> Option<(usize, f64)> {
    let negative = values.iter().filter(|&&x| x < 0.0).count();
    let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
    (negative > 0).then_some((negative, smallest))
}

/// What is to be said of values that a learnt column is applied to.
pub(super) fn applied_warning(
    column: &ColumnPreparation,
    values: &[f64],
) -> Option<ClusterWarning> {
    let found = below_zero(values).filter(|_| column.transform == ColumnTransform::Log1p);
    found.map(|(customers, smallest)| ClusterWarning::BelowZero {
        column: column.name.clone(),
        customers,
        smallest,
    })
}
