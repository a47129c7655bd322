//! A fit as rows of tables: parameters, and the calibration of every candidate.

use serde::{Deserialize, Serialize};
use tessera_spec::figure::{Figure, Metric, TestPart};

use super::dates::iso;
use super::encoding::Source;
use super::fit::ChurnFit;
use super::logistic::LogisticModel;
use super::predictor::Predictor;
use super::trial::{CHOICE, Candidate};
use crate::cluster::ColumnTransform;
use crate::metrics::PairedGain;

/// The `model` of parameters that belong to the fit as a whole.
const WHOLE: &str = "churn";

/// One fact of a fit. Either `value` or `text` is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// `churn` for the whole, `choice` for what was chosen, or the candidate: `logistic`, `random_forest`, `combined`, `recency_rule`, `base_rate`.
    pub model: String,
    /// What it is, such as `test_auc` or `coefficient recency_days`.
    pub name: String,
    /// A number.
    pub value: Option<f64>,
    /// A text, or an ISO date.
    pub text: Option<String>,
    /// What it states.
    pub figure: Figure,
}

/// One row of the calibration table of a candidate, on the test slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationRow {
    /// The candidate: `logistic`, `random_forest`, `combined`, `recency_rule`, `base_rate`.
    pub model: String,
    /// Bin of the predictions, from 1, the lowest; each has at least 200 rows, where there are that many.
    pub bin: u32,
    /// Mean predicted probability.
    pub predicted: f64,
    /// Share that churned.
    pub observed: f64,
    /// Rows: customers at the test's date.
    pub customers: u64,
    /// `observed` divided by the share of all customers that churned; `None` where nobody did.
    pub lift: Option<f64>,
}

/// Collects the parameters of one model.
struct Sheet<'a> {
    model: &'a str,
    rows: Vec<Parameter>,
}

impl<'a> Sheet<'a> {
    fn new(model: &'a str) -> Self {
        Self {
            model,
            rows: Vec::new(),
        }
    }

    fn add(&mut self, name: impl Into<String>, value: Option<f64>, text: Option<String>) {
        self.rows.push(Parameter {
            model: self.model.to_owned(),
            name: name.into(),
            value,
            text,
            figure: Figure::Parameter,
        });
    }

    fn number(&mut self, name: impl Into<String>, value: f64) {
        self.add(name, Some(value), None);
    }

    fn words(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.add(name, None, Some(text.into()));
    }

    /// What the row that came last states.
    fn stating(&mut self, figure: Figure) {
        if let Some(row) = self.rows.last_mut() {
            row.figure = figure;
        }
    }

    /// An estimate and its standard error, the row of which has this name.
    fn estimate(&mut self, name: &str, value: f64, (error_name, error): (&str, f64)) {
        self.number(name, value);
        self.stating(Figure::Estimate(name.to_owned()));
        self.number(error_name, error);
        self.stating(Figure::StandardError(name.to_owned()));
    }

    /// A figure of the test slice.
    fn test(&mut self, metric: Metric, value: f64) {
        self.number(format!("test_{}", metric.name()), value);
        self.stating(Figure::test(metric, None));
    }

    /// A figure of the test slice with its 95% interval.
    fn interval(&mut self, metric: Metric, value: f64, low: f64, high: f64) {
        self.test(metric, value);
        for (part, end, value) in [
            (TestPart::Low, "low_95", low),
            (TestPart::High, "high_95", high),
        ] {
            self.number(format!("test_{}_{end}", metric.name()), value);
            self.stating(Figure::test_part(metric, part, None));
        }
    }

    fn gain(&mut self, over: Metric, gain: Option<PairedGain>) {
        if let Some(gain) = gain {
            self.interval(over, gain.mean, gain.low_95, gain.high_95);
        }
    }
}

impl ChurnFit {
    /// First the choice and the facts of the whole fit, then the test figures of each candidate, then the coefficients of the model that is
    /// used. Coefficients are changes of the log-odds per standard deviation of the (transformed) column.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut choice = Sheet::new(CHOICE);
        choice.words("served", self.served().name());
        choice.stating(Figure::Served);
        choice.words("reason", self.reason.clone());
        choice.stating(Figure::Reason);
        let mut whole = Sheet::new(WHOLE);
        whole.number("base_rate", self.base_rate);
        whole.number("horizon_days", f64::from(self.plan.horizon_days));
        whole.number("out_of_time", f64::from(u8::from(self.out_of_time)));
        whole.words("train_first_date", iso(self.learnt_from.0));
        whole.words("train_last_date", iso(self.learnt_from.1));
        whole.words("test_date", iso(self.tested_on));
        for size in &self.sizes {
            whole.number(format!("{}_rows", size.slice), size.rows as f64);
            whole.number(format!("{}_churned", size.slice), size.churned as f64);
        }
        if let Some(customers) = self.train_customers {
            whole.number("train_customers", customers as f64);
        }
        for share in &self.dates {
            let date = share.date();
            whole.number(format!("{date} predicted"), share.predicted);
            whole.number(format!("{date} observed"), share.observed);
            whole.number(format!("{date} standard_error"), share.standard_error);
        }
        let mut rows = choice.rows;
        rows.extend(whole.rows);
        rows.extend(judgement(CHOICE, &self.chosen));
        let judged = self.candidates.iter();
        rows.extend(judged.flat_map(|candidate| judgement(candidate.model.name(), candidate)));
        for (model, reason) in &self.unfitted {
            let mut sheet = Sheet::new(model.name());
            sheet.words("not_fitted", reason.clone());
            rows.extend(sheet.rows);
        }
        rows.extend(self.learnt());
        rows
    }

    /// Predicted and observed by bins of the predictions, of the choice and every candidate, on the test slice.
    pub fn calibration(&self) -> Vec<CalibrationRow> {
        let named = self.candidates.iter().map(|c| (c.model.name(), c));
        let all = [(CHOICE, &self.chosen)].into_iter().chain(named);
        let tables = all.flat_map(|(model, candidate)| {
            candidate.calibration.iter().map(|bin| CalibrationRow {
                model: model.to_owned(),
                bin: bin.bin,
                predicted: bin.predicted,
                observed: bin.observed,
                customers: bin.rows,
                lift: bin.lift,
            })
        });
        tables.collect()
    }

    /// What the served model holds.
    fn learnt(&self) -> Vec<Parameter> {
        let mut sheet = Sheet::new(self.served().name());
        match &self.predictor {
            Predictor::Logistic(model) => self.coefficients(model, &mut sheet),
            Predictor::Combined(model, forest) => {
                self.coefficients(model, &mut sheet);
                sheet.number("trees", forest.trees() as f64);
            }
            Predictor::RandomForest(forest) => sheet.number("trees", forest.trees() as f64),
            Predictor::RecencyRule(rule) => sheet.words("recency", rule.column()),
            Predictor::BaseRate(rate) => sheet.number("rate", *rate),
        }
        sheet.rows
    }
}

impl ChurnFit {
    fn coefficients(&self, model: &LogisticModel, sheet: &mut Sheet<'_>) {
        let errors = &model.standard_errors;
        let error = ("intercept_standard_error", errors[0]);
        sheet.estimate("intercept", model.intercept, error);
        let columns = self.encoding.columns.iter().zip(&model.weights);
        for ((column, weight), error) in columns.zip(&errors[1..]) {
            let name = format!("coefficient {}", column.name);
            let error_name = format!("standard_error {}", column.name);
            sheet.estimate(&name, *weight, (&error_name, *error));
        }
        self.preparation(sheet);
        sheet.number("smartcore_gradient_norm", model.smartcore_gradient);
        sheet.number("gradient_norm", model.gradient);
        sheet.number("newton_steps", f64::from(model.newton_steps));
    }

    /// How inputs become the columns that coefficients apply to: (transformed value - mean) / standard deviation, missing
    /// numbers as the median.
    fn preparation(&self, sheet: &mut Sheet<'_>) {
        let numbers = self.encoding.prepared_numbers();
        for column in &self.encoding.columns {
            let (mean, deviation) = match column.source {
                Source::Number(at) => {
                    let number = &numbers[at];
                    let transform = match number.transform {
                        ColumnTransform::None => "none",
                        ColumnTransform::Log1p => "log1p",
                        ColumnTransform::Asinh => "asinh",
                    };
                    sheet.words(format!("transform {}", column.name), transform);
                    sheet.number(format!("median {}", column.name), number.median);
                    (number.mean, number.sd)
                }
                Source::Missing(_) | Source::Level(..) => (column.mean, column.sd),
            };
            sheet.number(format!("mean {}", column.name), mean);
            sheet.number(format!("deviation {}", column.name), deviation);
        }
    }
}

/// The metrics of a candidate.
fn judgement(model: &str, candidate: &Candidate) -> Vec<Parameter> {
    let mut sheet = Sheet::new(model);
    let auc = &candidate.auc;
    sheet.interval(Metric::Auc, auc.value, auc.low_95, auc.high_95);
    sheet.test(Metric::AveragePrecision, candidate.average_precision);
    sheet.test(Metric::LogLoss, candidate.log_loss);
    sheet.test(Metric::RecalibratedLogLoss, candidate.recalibrated_log_loss);
    sheet.test(Metric::Brier, candidate.brier);
    sheet.test(Metric::CalibrationError, candidate.calibration_error);
    sheet.test(
        Metric::CalibrationErrorLimit,
        candidate.calibration_error_limit,
    );
    if let Some(line) = candidate.calibration_line {
        sheet.test(Metric::CalibrationSlope, line.slope);
        sheet.test(Metric::CalibrationIntercept, line.intercept);
    }
    sheet.test(Metric::TopDecileLift, candidate.top_decile_lift);
    sheet.gain(Metric::GainOverRecencyRule, candidate.gain_over_recency);
    sheet.gain(Metric::GainOverBaseRate, candidate.gain_over_base_rate);
    for (column, importance) in &candidate.importances {
        sheet.number(format!("importance {column}"), *importance);
    }
    sheet.rows
}
