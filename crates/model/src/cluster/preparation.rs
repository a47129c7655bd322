//! From raw features to comparable columns: transform, winsorise, standardise, fill.
//!
//! Everything that was learnt from the customers is stored, so that later customers are prepared in the same way.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tessera_spec::pipeline::Transform;

use super::error::{ClusterError, go_on, refuse};
use super::moments;
use super::warning::ClusterWarning;
use crate::Matrix;

/// Absolute skewness above which `auto` transforms a column.
const SKEWED: f64 = 4.0;

/// Absolute correlation above which two columns are reported as carrying the same information.
const SAME: f64 = 0.9;

/// The parameters of the preparation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PreparationParams {
    /// Transform of every column; `auto` decides for each.
    pub transform: Transform,
    /// Share of values winsorised at each tail after the transform, at least 0 and below 0.5; `None` by default.
    pub winsorise: Option<f64>,
    /// Whether a column with missing values gets an indicator column of 0 and 1, standardised like the others; no by default.
    pub missing_indicator: bool,
    /// Absolute correlation above which the later of two columns is left out; by default none is, since the pipeline names
    /// the features, and pairs above 0.9 are only reported.
    pub drop_correlated_above: Option<f64>,
}

impl PreparationParams {
    /// The defaults for a transform.
    pub fn new(transform: Transform) -> Self {
        Self {
            transform,
            winsorise: None,
            missing_indicator: false,
            drop_correlated_above: None,
        }
    }

    fn check(&self) -> Result<(), ClusterError> {
        let outside = |value: f64, to: f64| !(value >= 0.0 && value < to);
        if let Some(value) = self.winsorise.filter(|&share| outside(share, 0.5)) {
            return refuse("winsorise", value, "at least 0 and below 0.5");
        }
        if let Some(value) = self
            .drop_correlated_above
            .filter(|&limit| outside(limit, 1.0))
        {
            let allowed = "at least 0 and below 1";
            return refuse("drop_correlated_above", value, allowed);
        }
        Ok(())
    }
}

/// The transform a column got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnTransform {
    /// Values as they are.
    None,
    /// ln(1 + x).
    Log1p,
    /// asinh(x).
    Asinh,
}

impl ColumnTransform {
    /// The transform of one value; NaN stays NaN.
    pub fn apply(self, value: f64) -> f64 {
        match self {
            Self::None => value,
            Self::Log1p => value.ln_1p(),
            Self::Asinh => value.asinh(),
        }
    }

    /// The value a transformed value came from.
    pub fn invert(self, value: f64) -> f64 {
        match self {
            Self::None => value,
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

/// What was learnt about all columns, in order. All of it is serialised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// One entry per raw column.
    pub columns: Vec<ColumnPreparation>,
    /// What may limit how far clusters of these columns can be trusted.
    pub warnings: Vec<ClusterWarning>,
}

impl Preparation {
    /// Learns the preparation of raw columns (NaN = missing) and prepares them.
    ///
    /// # Errors
    /// No rows, an infinite value, negative values where `log1p` is asked for, a parameter outside its range.
    pub fn fit(
        raw: &Matrix<'_>,
        params: &PreparationParams,
    ) -> Result<(Self, Matrix<'static>), ClusterError> {
        params.check()?;
        if raw.rows() == 0 {
            return Err(ClusterError::NoRows);
        }
        let fit = |position: usize| {
            go_on()?;
            let (name, values) = (&raw.names()[position], raw.column(position));
            let (learnt, transformed) = fit_column(name, values, params)?;
            let prepared = learnt.companions(values, learnt.standardise(transformed));
            Ok((learnt, prepared))
        };
        let (columns, prepared): (_, Vec<_>) = (0..raw.width())
            .into_par_iter()
            .map(fit)
            .collect::<Result<Vec<_>, ClusterError>>()?
            .into_iter()
            .unzip();
        let mut preparation = Self {
            columns,
            warnings: Vec::new(),
        };
        preparation.warnings = preparation
            .columns
            .iter()
            .flat_map(column_warnings)
            .collect();
        let prepared = joined(prepared)?;
        let dropped = preparation.mark_correlated(&prepared, params.drop_correlated_above);
        let prepared = if dropped {
            preparation.apply(raw)?
        } else {
            prepared
        };
        Ok((preparation, prepared))
    }

    /// Prepares rows as the fitted rows were prepared; columns are found by name. The result has the used columns in order,
    /// each followed by its indicator `NAME_missing` where it has one, and holds no NaN.
    ///
    /// # Errors
    /// A missing column, an infinite value, a negative value where `log1p` was fitted.
    pub fn apply(&self, raw: &Matrix<'_>) -> Result<Matrix<'static>, ClusterError> {
        let used: Vec<&ColumnPreparation> =
            self.columns.iter().filter(|column| column.used).collect();
        let prepare =
            |column: &&ColumnPreparation| -> Result<Vec<(String, Vec<f64>)>, ClusterError> {
                go_on()?;
                let values = raw.column_named(&column.name)?;
                require_transformable(&column.name, values, column.transform)?;
                Ok(column.companions(values, column.standardise(column.transformed(values))))
            };
        let prepared = used
            .par_iter()
            .map(prepare)
            .collect::<Result<Vec<_>, _>>()?;
        joined(prepared)
    }

    /// Reports pairs of columns that are strongly correlated; with a limit, marks the later of each as unused. True if any was.
    fn mark_correlated(&mut self, prepared: &Matrix<'_>, drop_above: Option<f64>) -> bool {
        let limit = drop_above.unwrap_or(SAME);
        let width = self.columns.len();
        let pairs: Vec<(usize, usize)> = (0..width)
            .flat_map(|a| (a + 1..width).map(move |b| (a, b)))
            .collect();
        let correlation = |&(a, b): &(usize, usize)| {
            let column = |position: usize| prepared.column_named(&self.columns[position].name);
            // Columns have mean 0 and deviation 1 (or are all 0), so the mean product is the correlation.
            Some(moments::mean_product(column(a).ok()?, column(b).ok()?))
        };
        let correlations: Vec<Option<f64>> = pairs.par_iter().map(correlation).collect();
        let mut any_dropped = false;
        for ((a, b), correlation) in pairs.into_iter().zip(correlations) {
            let Some(correlation) = correlation.filter(|r| r.abs() > limit) else {
                continue;
            };
            if !(self.columns[a].used && self.columns[b].used) {
                continue;
            }
            let (first, second) = (self.columns[a].name.clone(), self.columns[b].name.clone());
            self.columns[b].used = drop_above.is_none();
            any_dropped |= drop_above.is_some();
            self.warnings.push(ClusterWarning::Correlated {
                first,
                second,
                correlation,
                dropped: drop_above.is_some(),
            });
        }
        any_dropped
    }
}

impl ColumnPreparation {
    /// Raw values transformed, missing ones replaced, tails winsorised.
    fn transformed(&self, values: &[f64]) -> Vec<f64> {
        let fill = self.transform.apply(self.median);
        let (lower, upper) = (
            self.lower.unwrap_or(f64::NEG_INFINITY),
            self.upper.unwrap_or(f64::INFINITY),
        );
        let transformed = |&x: &f64| {
            let x = if x.is_nan() {
                fill
            } else {
                self.transform.apply(x)
            };
            x.clamp(lower, upper)
        };
        values.par_iter().map(transformed).collect()
    }

    /// Transformed values to mean 0 and deviation 1.
    fn standardise(&self, mut transformed: Vec<f64>) -> Vec<f64> {
        let scale = |x: &mut f64| {
            *x = if self.sd > 0.0 {
                (*x - self.mean) / self.sd
            } else {
                0.0
            };
        };
        transformed.par_iter_mut().for_each(scale);
        transformed
    }

    /// The prepared column, followed by that of missing values where there is one, each with its name.
    fn companions(&self, raw: &[f64], prepared: Vec<f64>) -> Vec<(String, Vec<f64>)> {
        let mut columns = vec![(self.name.clone(), prepared)];
        if let Some(indicator) = &self.indicator {
            columns.push((indicator_name(&self.name), indicator.prepare(raw)));
        }
        columns
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

fn joined(columns: Vec<Vec<(String, Vec<f64>)>>) -> Result<Matrix<'static>, ClusterError> {
    let (names, columns) = columns.into_iter().flatten().unzip();
    Ok(Matrix::from_columns(names, columns)?)
}

/// What is learnt of a column, and its values transformed, filled and winsorised.
fn fit_column(
    name: &str,
    raw: &[f64],
    params: &PreparationParams,
) -> Result<(ColumnPreparation, Vec<f64>), ClusterError> {
    let mut present: Vec<f64> = raw.iter().copied().filter(|x| !x.is_nan()).collect();
    let missing = raw.len() - present.len();
    require_transformable(name, raw, ColumnTransform::None)?;
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
    require_transformable(name, raw, transform)?;
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

fn column_warnings(column: &ColumnPreparation) -> Vec<ClusterWarning> {
    let name = column.name.clone();
    if column.empty {
        return vec![ClusterWarning::EmptyColumn { column: name }];
    }
    let mut warnings = Vec::new();
    if column.sd == 0.0 {
        warnings.push(ClusterWarning::ConstantColumn {
            column: name.clone(),
            value: column.mean,
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

/// Rejects infinities, and negative values where the logarithm is taken.
fn require_transformable(
    name: &str,
    values: &[f64],
    transform: ColumnTransform,
) -> Result<(), ClusterError> {
    if let Some(row) = values.iter().position(|x| x.is_infinite()) {
        return Err(ClusterError::Infinite {
            column: name.to_owned(),
            row,
            value: values[row],
        });
    }
    let negative = if transform == ColumnTransform::Log1p {
        values.iter().filter(|&&x| x < 0.0).count()
    } else {
        0
    };
    if negative > 0 {
        let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
        return Err(ClusterError::NegativeForLog1p {
            column: name.to_owned(),
            negative,
            smallest,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(columns: &[(&str, Vec<f64>)]) -> Matrix<'static> {
        let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        Matrix::from_columns(
            names,
            columns.iter().map(|(_, values)| values.clone()).collect(),
        )
        .unwrap()
    }

    fn fit(raw: &Matrix<'_>, params: PreparationParams) -> (Preparation, Matrix<'static>) {
        Preparation::fit(raw, &params).unwrap()
    }

    #[test]
    fn auto_transforms_by_skewness_and_sign() {
        let mut skewed = vec![1.0; 40];
        skewed[0] = 1000.0;
        let mut signed = skewed.clone();
        signed[1] = -5.0;
        let even: Vec<f64> = (0..40).map(f64::from).collect();
        let raw = matrix(&[("skewed", skewed), ("signed", signed), ("even", even)]);
        let (preparation, _) = fit(&raw, PreparationParams::new(Transform::Auto));
        let got: Vec<ColumnTransform> = preparation.columns.iter().map(|c| c.transform).collect();
        assert_eq!(
            got,
            [
                ColumnTransform::Log1p,
                ColumnTransform::Asinh,
                ColumnTransform::None
            ]
        );
    }

    #[test]
    fn prepared_columns_equal_scikit_learn() {
        // StandardScaler().fit_transform(log1p([[0], [1], [10], [100]])) of scikit-learn 1.9.1
        let raw = matrix(&[("x", vec![0.0, 1.0, 10.0, 100.0])]);
        let (preparation, prepared) = fit(&raw, PreparationParams::new(Transform::Log1p));
        let expected = [
            -1.081_905_687_453_026_2,
            -0.692_648_476_158_719_6,
            0.264_703_017_081_077_6,
            1.509_851_146_530_668,
        ];
        for (got, expected) in prepared.column(0).iter().zip(expected) {
            assert!((got - expected).abs() < 1e-14);
        }
        assert!((preparation.columns[0].raw(prepared.column(0)[3]) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn missing_values_count_as_the_median_and_are_reported() {
        let raw = matrix(&[("x", vec![1.0, f64::NAN, 3.0, 8.0])]);
        let params = PreparationParams {
            missing_indicator: true,
            ..PreparationParams::new(Transform::None)
        };
        let (preparation, prepared) = fit(&raw, params);
        assert_eq!(preparation.columns[0].median, 3.0);
        assert_eq!(prepared.column(0)[1], prepared.column(0)[2]);
        assert_eq!(prepared.names(), ["x", "x_missing"]);
        assert!(prepared.column(1)[1] > 0.0 && prepared.column(1)[0] < 0.0);
        let expected = ClusterWarning::MissingValues {
            column: "x".into(),
            customers: 1,
            median: 3.0,
        };
        assert_eq!(preparation.warnings, [expected]);
    }

    #[test]
    fn constant_and_empty_columns_count_nothing() {
        let raw = matrix(&[
            ("same", vec![0.1; 5]),
            ("none", vec![f64::NAN; 5]),
            ("x", vec![1.0, 2.0, 3.0, 4.0, 5.0]),
        ]);
        let (preparation, prepared) = fit(&raw, PreparationParams::new(Transform::Auto));
        assert_eq!(prepared.column(0), [0.0; 5]);
        assert_eq!(prepared.column(1), [0.0; 5]);
        let constant = ClusterWarning::ConstantColumn {
            column: "same".into(),
            value: 0.1,
        };
        assert_eq!(
            preparation.warnings,
            [
                constant,
                ClusterWarning::EmptyColumn {
                    column: "none".into()
                }
            ]
        );
    }

    #[test]
    fn tails_are_cut_at_type_7_quantiles() {
        let raw = matrix(&[("x", (0..=100).map(f64::from).collect())]);
        let params = PreparationParams {
            winsorise: Some(0.05),
            ..PreparationParams::new(Transform::None)
        };
        let (preparation, prepared) = fit(&raw, params);
        assert_eq!(
            (preparation.columns[0].lower, preparation.columns[0].upper),
            (Some(5.0), Some(95.0))
        );
        assert_eq!(prepared.column(0)[0], prepared.column(0)[5]);
    }

    #[test]
    fn new_rows_are_prepared_like_the_fitted_ones_after_storage() {
        let raw = matrix(&[
            ("x", vec![0.0, 5.0, 9.0, f64::NAN]),
            ("y", vec![1.0, 0.0, 4.0, 2.0]),
        ]);
        let (preparation, prepared) = fit(&raw, PreparationParams::new(Transform::Asinh));
        let text = serde_json::to_string(&preparation).unwrap();
        let stored: Preparation = serde_json::from_str(&text).unwrap();
        let swapped = raw.select(&["y", "x"]).unwrap();
        assert_eq!(stored.apply(&swapped).unwrap(), prepared);
    }

    #[test]
    fn repeated_information_is_reported_and_dropped_on_demand() {
        let x: Vec<f64> = (0..50).map(f64::from).collect();
        let twice: Vec<f64> = x.iter().map(|x| 2.0 * x + 1.0).collect();
        let raw = matrix(&[("x", x), ("twice", twice)]);
        let (preparation, prepared) = fit(&raw, PreparationParams::new(Transform::None));
        assert!(matches!(
            &preparation.warnings[..],
            [ClusterWarning::Correlated { dropped: false, .. }]
        ));
        assert_eq!(prepared.width(), 2);
        let params = PreparationParams {
            drop_correlated_above: Some(0.95),
            ..PreparationParams::new(Transform::None)
        };
        let (preparation, prepared) = fit(&raw, params);
        assert_eq!(prepared.names(), ["x"]);
        assert_eq!(preparation.apply(&raw).unwrap(), prepared);
    }

    #[test]
    fn what_cannot_be_prepared_is_refused() {
        let raw = matrix(&[("x", vec![-1.0, 2.0])]);
        let negative =
            Preparation::fit(&raw, &PreparationParams::new(Transform::Log1p)).unwrap_err();
        let expected = ClusterError::NegativeForLog1p {
            column: "x".into(),
            negative: 1,
            smallest: -1.0,
        };
        assert_eq!(negative, expected);
        let raw = matrix(&[("x", vec![1.0, f64::INFINITY])]);
        let infinite =
            Preparation::fit(&raw, &PreparationParams::new(Transform::Auto)).unwrap_err();
        assert_eq!(
            infinite,
            ClusterError::Infinite {
                column: "x".into(),
                row: 1,
                value: f64::INFINITY
            }
        );
        let none = Preparation::fit(
            &matrix(&[("x", vec![])]),
            &PreparationParams::new(Transform::Auto),
        )
        .unwrap_err();
        assert_eq!(none, ClusterError::NoRows);
        let params = PreparationParams {
            winsorise: Some(0.5),
            ..PreparationParams::new(Transform::Auto)
        };
        let wide = Preparation::fit(&matrix(&[("x", vec![1.0])]), &params).unwrap_err();
        assert!(matches!(
            wide,
            ClusterError::Parameter {
                parameter: "winsorise",
                ..
            }
        ));
    }
}
