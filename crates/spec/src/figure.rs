//! What the rows of the published table `models` state.
//!
//! The kind of score or scheme that writes a row says so with a [`Figure`], which is published in the columns `figure`, `figure_of`
//! and `figure_days`. Whoever reads `models` reads these columns and never the names of its rows, which are for people.

use serde::{Deserialize, Serialize};

/// What a row of `models` states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// A setting, a count, an edge, a text: whatever the others do not state.
    Parameter,
    /// An estimate of the parameter of this name, whose standard error is in another row.
    Estimate(String),
    /// The standard error of the estimate of the parameter of this name.
    StandardError(String),
    /// The model that is used, as text.
    Served,
    /// Why that model is used, or why none is, as text.
    Reason,
    /// A result on data that the model was not trained on.
    Test(Test),
    /// A sum since the day from which the model was tested, this many days after it.
    Tracking(Sum, u32),
}

/// A result on data that the model was not trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// What was measured.
    pub metric: Metric,
    /// Which number of it the row holds.
    pub part: TestPart,
    /// The horizon in days, where the model was tested at several.
    pub days: Option<u32>,
}

/// Which number of a test a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestPart {
    /// That of all customers who were tested.
    All,
    /// The lower end of the 95% interval.
    Low,
    /// The upper end of the 95% interval.
    High,
    /// That of some of these customers, such as those of a band.
    Some,
}

/// What is summed up day by day while a model is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sum {
    /// What happened.
    Actual,
    /// What the model predicted.
    Predicted,
}

/// What a test measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Metric {
    /// Area under the ROC curve.
    Auc,
    AveragePrecision,
    LogLoss,
    /// Log loss after recalibration on other customers at the same date.
    RecalibratedLogLoss,
    /// Mean squared error of a probability.
    Brier,
    CalibrationError,
    /// The calibration error that right probabilities stay below in 95 of 100 samples of this size.
    CalibrationErrorLimit,
    /// Slope of the observed log-odds over the predicted ones.
    CalibrationSlope,
    /// Intercept of that line.
    CalibrationIntercept,
    /// Churn rate of the tenth with the highest predictions over that of all.
    TopDecileLift,
    /// By how much the log loss is below that of the recency rule.
    GainOverRecencyRule,
    /// By how much the log loss is below that of the base rate.
    GainOverBaseRate,
    Customers,
    Churned,
    ChurnRate,
    /// Churn rate over that of all.
    Lift,
    /// Sum of what was predicted.
    Predicted,
    /// Sum of what happened.
    Actual,
    /// Predicted over actual.
    Tracking,
    Correlation,
    MeanAbsoluteError,
    RootMeanSquareError,
}

/// A figure as the columns `figure`, `figure_of` and `figure_days` hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FigureColumns<'a> {
    /// What the row states.
    pub figure: &'a str,
    /// The parameter or the metric.
    pub of: Option<&'a str>,
    /// The horizon of a test, or the day of a sum.
    pub days: Option<u32>,
}

const PARAMETER: &str = "parameter";
const ESTIMATE: &str = "estimate";
const STANDARD_ERROR: &str = "standard_error";
const SERVED: &str = "served";
const REASON: &str = "reason";

impl Figure {
    /// A result of all customers who were tested.
    pub fn test(metric: Metric, days: Option<u32>) -> Self {
        Self::test_part(metric, TestPart::All, days)
    }

    /// One of the numbers of a test.
    pub fn test_part(metric: Metric, part: TestPart, days: Option<u32>) -> Self {
        Self::Test(Test { metric, part, days })
    }

    /// As it is published.
    pub fn columns(&self) -> FigureColumns<'_> {
        let (figure, of, days) = match self {
            Self::Parameter => (PARAMETER, None, None),
            Self::Estimate(of) => (ESTIMATE, Some(of.as_str()), None),
            Self::StandardError(of) => (STANDARD_ERROR, Some(of.as_str()), None),
            Self::Served => (SERVED, None, None),
            Self::Reason => (REASON, None, None),
            Self::Test(test) => (test.part.name(), Some(test.metric.name()), test.days),
            Self::Tracking(sum, days) => (sum.name(), None, Some(*days)),
        };
        FigureColumns { figure, of, days }
    }

    /// As it was published; `None` where this program does not know such a figure.
    pub fn read(columns: FigureColumns<'_>) -> Option<Self> {
        let FigureColumns { figure, of, days } = columns;
        match figure {
            PARAMETER => return Some(Self::Parameter),
            ESTIMATE => return Some(Self::Estimate(of?.to_owned())),
            STANDARD_ERROR => return Some(Self::StandardError(of?.to_owned())),
            SERVED => return Some(Self::Served),
            REASON => return Some(Self::Reason),
            _ => {}
        }
        if let Some(sum) = Sum::EVERY.into_iter().find(|sum| sum.name() == figure) {
            return Some(Self::Tracking(sum, days?));
        }
        let part = TestPart::EVERY
            .into_iter()
            .find(|part| part.name() == figure)?;
        let metric = Metric::EVERY
            .into_iter()
            .find(|metric| Some(metric.name()) == of)?;
        Some(Self::test_part(metric, part, days))
    }
}

impl TestPart {
    const EVERY: [Self; 4] = [Self::All, Self::Low, Self::High, Self::Some];

    /// The value of `figure`.
    fn name(self) -> &'static str {
        match self {
            Self::All => "test",
            Self::Low => "test_low_95",
            Self::High => "test_high_95",
            Self::Some => "test_of_some",
        }
    }
}

impl Sum {
    const EVERY: [Self; 2] = [Self::Actual, Self::Predicted];

    /// The value of `figure`.
    fn name(self) -> &'static str {
        match self {
            Self::Actual => "tracking_actual",
            Self::Predicted => "tracking_predicted",
        }
    }
}

impl Metric {
    const EVERY: [Self; 22] = [
        Self::Auc,
        Self::AveragePrecision,
        Self::LogLoss,
        Self::RecalibratedLogLoss,
        Self::Brier,
        Self::CalibrationError,
        Self::CalibrationErrorLimit,
        Self::CalibrationSlope,
        Self::CalibrationIntercept,
        Self::TopDecileLift,
        Self::GainOverRecencyRule,
        Self::GainOverBaseRate,
        Self::Customers,
        Self::Churned,
        Self::ChurnRate,
        Self::Lift,
        Self::Predicted,
        Self::Actual,
        Self::Tracking,
        Self::Correlation,
        Self::MeanAbsoluteError,
        Self::RootMeanSquareError,
    ];

    /// The value of `figure_of`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auc => "auc",
            Self::AveragePrecision => "average_precision",
            Self::LogLoss => "log_loss",
            Self::RecalibratedLogLoss => "recalibrated_log_loss",
            Self::Brier => "brier",
            Self::CalibrationError => "expected_calibration_error",
            Self::CalibrationErrorLimit => "calibration_error_limit",
            Self::CalibrationSlope => "calibration_slope",
            Self::CalibrationIntercept => "calibration_intercept",
            Self::TopDecileLift => "top_decile_lift",
            Self::GainOverRecencyRule => "log_loss_gain_over_recency_rule",
            Self::GainOverBaseRate => "log_loss_gain_over_base_rate",
            Self::Customers => "customers",
            Self::Churned => "churned",
            Self::ChurnRate => "churn_rate",
            Self::Lift => "lift",
            Self::Predicted => "predicted",
            Self::Actual => "actual",
            Self::Tracking => "tracking",
            Self::Correlation => "correlation",
            Self::MeanAbsoluteError => "mae",
            Self::RootMeanSquareError => "rmse",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn every() -> Vec<Figure> {
        let mut every = vec![
            Figure::Parameter,
            Figure::Estimate("alpha".to_owned()),
            Figure::StandardError("alpha".to_owned()),
            Figure::Served,
            Figure::Reason,
        ];
        every.extend(Sum::EVERY.map(|sum| Figure::Tracking(sum, 91)));
        for part in TestPart::EVERY {
            for metric in Metric::EVERY {
                let of = |days| Figure::test_part(metric, part, days);
                every.extend([None, Some(30)].map(of));
            }
        }
        every
    }

    #[test]
    fn every_figure_is_read_as_it_is_published() {
        let mut published = BTreeSet::new();
        for figure in every() {
            let FigureColumns {
                figure: name,
                of,
                days,
            } = figure.columns();
            assert!(
                published.insert(format!("{name} {of:?} {days:?}")),
                "{figure:?}"
            );
            assert_eq!(Figure::read(figure.columns()).as_ref(), Some(&figure));
            let stored = serde_json::to_string(&figure).unwrap();
            assert_eq!(serde_json::from_str::<Figure>(&stored).unwrap(), figure);
        }
    }

    #[test]
    fn what_is_not_known_is_no_figure() {
        for (figure, of, days) in [
            ("trial", Some("auc"), None),
            ("test", Some("gini"), None),
            ("test", None, None),
            ("estimate", None, None),
            ("tracking_actual", None, None),
        ] {
            assert_eq!(Figure::read(FigureColumns { figure, of, days }), None);
        }
    }
}
