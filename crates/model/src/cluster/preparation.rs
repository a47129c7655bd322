//! From raw features to comparable columns: transform, winsorise, standardise, fill.
//!
//! Everything that was learnt from the customers is stored, so that later customers are prepared in the same way.

mod column;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tessera_spec::pipeline::Transform;

use super::error::{ClusterError, go_on, refuse};
use super::moments;
use super::warning::ClusterWarning;
use crate::Matrix;
pub use column::{ColumnPreparation, ColumnTransform, MissingIndicator};
use column::{applied_warning, column_warnings, fit_column, require_finite};

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
    /// A missing column, an infinite value.
    pub fn apply(&self, raw: &Matrix<'_>) -> Result<Matrix<'static>, ClusterError> {
        let used: Vec<&ColumnPreparation> =
            self.columns.iter().filter(|column| column.used).collect();
        let prepare =
            |column: &&ColumnPreparation| -> Result<Vec<(String, Vec<f64>)>, ClusterError> {
                go_on()?;
                let values = raw.column_named(&column.name)?;
                require_finite(&column.name, values)?;
                Ok(column.companions(values, column.standardise(column.transformed(values))))
            };
        let prepared = used
            .par_iter()
            .map(prepare)
            .collect::<Result<Vec<_>, _>>()?;
        joined(prepared)
    }

    /// What is to be said of rows that are prepared as the fitted ones were, column by column.
    pub fn applied_warnings(&self, raw: &Matrix<'_>) -> Vec<ClusterWarning> {
        let used = self.columns.iter().filter(|column| column.used);
        let warning = |column: &ColumnPreparation| {
            applied_warning(column, raw.column_named(&column.name).ok()?)
        };
        used.filter_map(warning).collect()
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

fn joined(columns: Vec<Vec<(String, Vec<f64>)>>) -> Result<Matrix<'static>, ClusterError> {
    let (names, columns) = columns.into_iter().flatten().unzip();
    Ok(Matrix::from_columns(names, columns)?)
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

    /// ln(1 + x) has no value from -1 on: there the mirrored logarithm serves, which numpy gives as sign(x) * log1p(abs(x)).
    #[test]
    fn later_values_below_zero_are_prepared_by_the_mirrored_logarithm_and_counted() {
        let mut values = vec![1.0; 40];
        values[0] = 1000.0;
        let (preparation, learnt) = fit(
            &matrix(&[("x", values.clone())]),
            PreparationParams::new(Transform::Auto),
        );
        let column = &preparation.columns[0];
        assert_eq!(column.transform, ColumnTransform::Log1p);
        let text = serde_json::to_string(&preparation).unwrap();
        let stored: Preparation = serde_json::from_str(&text).unwrap();
        let later = [-1000.0, -1.0, -0.5, 0.0, 7.0, f64::NAN];
        let raw = matrix(&[("x", later.to_vec())]);
        let prepared = stored.apply(&raw).unwrap();
        // numpy.sign(x) * numpy.log1p(numpy.abs(x)); the missing one counts as the median, 1.
        let expected = [
            -6.908_754_779_315_221,
            -std::f64::consts::LN_2,
            -0.405_465_108_108_164_4,
            0.0,
            2.079_441_541_679_835_7,
            std::f64::consts::LN_2,
        ];
        for (row, expected) in expected.into_iter().enumerate() {
            let got = prepared.column(0)[row] * column.sd + column.mean;
            assert!((got - expected).abs() < 1e-13, "{row}: {got}");
            let raw = later[row];
            assert!(raw.is_nan() || (column.raw(prepared.column(0)[row]) - raw).abs() < 1e-9);
        }
        let warnings = stored.applied_warnings(&raw);
        let counted = ClusterWarning::BelowZero {
            column: "x".into(),
            customers: 3,
            smallest: -1000.0,
        };
        assert_eq!(warnings, [counted]);
        // What was learnt is applied as it was before, without a word.
        let again = matrix(&[("x", values)]);
        assert_eq!(stored.apply(&again).unwrap(), learnt);
        assert!(stored.applied_warnings(&again).is_empty());
    }

    proptest::proptest! {
        /// The same of values below 0, which only later rows have where the logarithm is taken.
        #[test]
        fn later_raw_values_are_as_far_apart_as_is_said_at_least(
            values in proptest::collection::vec(0.0_f64..1e6, 3..30),
            raw in -1e6_f64..1e6,
            by in -30.0_f64..30.0,
        ) {
            let (preparation, _) = fit(&matrix(&[("x", values)]), PreparationParams::new(Transform::Log1p));
            let column = &preparation.columns[0];
            let other = column.raw(column.prepared(raw) + by);
            let rounding = 1e-9 * raw.abs().max(other.abs());
            proptest::prop_assert!(column.at_least_apart(raw, by) <= (other - raw).abs() + rounding);
        }

        /// What is said without taking a value back is never more than what is found by doing so.
        #[test]
        fn raw_values_are_as_far_apart_as_is_said_at_least(
            values in proptest::collection::vec(0.0_f64..1e6, 3..30),
            row in 0_usize..3,
            by in -6.0_f64..6.0,
            transform in proptest::sample::select(vec![Transform::None, Transform::Log1p, Transform::Asinh]),
        ) {
            let raw = values[row];
            let (preparation, prepared) = fit(&matrix(&[("x", values)]), PreparationParams::new(transform));
            let column = &preparation.columns[0];
            let other = column.raw(prepared.column(0)[row] + by);
            let rounding = 1e-9 * raw.abs().max(other.abs());
            proptest::prop_assert!(column.at_least_apart(raw, by) <= (other - raw).abs() + rounding);
        }
    }

    #[test]
    fn a_constant_column_is_told_in_its_own_unit() {
        let raw = matrix(&[("ten", vec![10.0; 5]), ("x", vec![1.0, 2.0, 3.0, 4.0, 5.0])]);
        let (preparation, _) = fit(&raw, PreparationParams::new(Transform::Log1p));
        let said: Vec<String> = preparation
            .warnings
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(
            said[0].starts_with("column `ten` is 10 for every customer and does"),
            "{said:?}"
        );
        // Two of three hundred are larger, and are moved to the others.
        let mut values = vec![1.0; 298];
        values.extend([5.0, 5.0]);
        let raw = matrix(&[("most", values)]);
        let params = PreparationParams {
            winsorise: Some(0.01),
            ..PreparationParams::new(Transform::None)
        };
        let (preparation, _) = fit(&raw, params);
        let said = preparation.warnings[0].to_string();
        assert!(
            said.contains(
                "is 1 for every customer, once the extremes are moved in by `winsorise`, and"
            ),
            "{said}"
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
            winsorised: false,
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
