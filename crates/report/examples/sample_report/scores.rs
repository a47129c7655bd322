//! Scores of a made-up company: churn that is predicted well, a lifetime value close to what was bought, a health score that
//! predicts nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use tessera_report::ReportInput;
use tessera_spec::figure::{Figure, Metric, Sum, TestPart};

/// Day of every row, in days since 1970.
const AS_OF: i32 = 20_779;

struct ModelRow {
    score: String,
    model: &'static str,
    name: String,
    value: Option<f64>,
    text: Option<String>,
    figure: Figure,
}

/// Adds `calibration`, `quality` and further rows of `models`. The name of the churn score and its reason are parameters, so
/// that tests can pass hostile texts.
pub fn add(input: &mut ReportInput, churn: &str, said: &str) {
    let mut tables = vec![("models", models(churn, said))];
    tables.push(("calibration", calibration(churn)));
    tables.push(("quality", quality(churn, said)));
    for (table, batch) in tables {
        input
            .tables
            .entry(table.to_owned())
            .or_default()
            .push(batch);
    }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let as_of: ArrayRef = Arc::new(Date32Array::from(vec![AS_OF; columns[0].1.len()]));
    let columns = [("as_of", as_of)].into_iter().chain(columns);
    RecordBatch::try_from_iter_with_nullable(
        columns.map(|(name, column)| (name, column, name != "as_of")),
    )
    .unwrap_or_else(|error| unreachable!("columns of equal length: {error}"))
}

fn texts<'t>(values: impl IntoIterator<Item = Option<&'t str>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

fn floats(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Float64Array>())
}

/// Rows of `models` for one score.
struct Rows<'t> {
    score: &'t str,
    rows: Vec<ModelRow>,
}

impl Rows<'_> {
    fn add(&mut self, model: &'static str, name: String, value: f64, figure: Figure) {
        self.rows.push(ModelRow {
            score: self.score.to_owned(),
            model,
            name,
            value: Some(value),
            text: None,
            figure,
        });
    }

    /// A result with its interval, if it has one.
    fn test(
        &mut self,
        model: &'static str,
        (metric, days): (Metric, Option<u32>),
        (value, around): (f64, Option<[f64; 2]>),
    ) {
        let what = match days {
            Some(days) => format!("backtest_{days}d_{}", metric.name()),
            None => format!("test_{}", metric.name()),
        };
        let [less, more] = around.unwrap_or_default();
        let ends = [
            (TestPart::Low, "_low_95", value - less),
            (TestPart::High, "_high_95", value + more),
        ];
        self.add(model, what.clone(), value, Figure::test(metric, days));
        for (part, end, value) in ends.into_iter().filter(|_| around.is_some()) {
            let figure = Figure::test_part(metric, part, days);
            self.add(model, format!("{what}{end}"), value, figure);
        }
    }

    fn choice(&mut self, name: &str, text: &str, figure: Figure) {
        self.rows.push(ModelRow {
            score: self.score.to_owned(),
            model: "choice",
            name: name.to_owned(),
            value: None,
            text: Some(text.to_owned()),
            figure,
        });
    }
}

fn models(churn: &str, said: &str) -> RecordBatch {
    let mut rows = churn_models(churn, said);
    rows.extend(health_models());
    rows.extend(value_models());
    rows.sort_by(|a, b| (&a.score, a.model, &a.name).cmp(&(&b.score, b.model, &b.name)));
    batch(vec![
        ("score", texts(rows.iter().map(|r| Some(r.score.as_str())))),
        ("model", texts(rows.iter().map(|r| Some(r.model)))),
        ("name", texts(rows.iter().map(|r| Some(r.name.as_str())))),
        ("value", floats(rows.iter().map(|r| r.value))),
        ("text", texts(rows.iter().map(|r| r.text.as_deref()))),
        (
            "figure",
            texts(rows.iter().map(|r| Some(r.figure.columns().figure))),
        ),
        (
            "figure_of",
            texts(rows.iter().map(|r| r.figure.columns().of)),
        ),
        (
            "figure_days",
            Arc::new(
                rows.iter()
                    .map(|r| r.figure.columns().days.map(i64::from))
                    .collect::<Int64Array>(),
            ),
        ),
    ])
}

fn churn_models(churn: &str, said: &str) -> Vec<ModelRow> {
    let mut of = Rows {
        score: churn,
        rows: Vec::new(),
    };
    of.choice("served", "logistic", Figure::Served);
    of.choice("reason", said, Figure::Reason);
    for (model, auc, precision, log_loss, brier, error) in [
        ("base_rate", 0.5, 0.243, 0.555, 0.184, 0.004),
        ("logistic", 0.812, 0.581, 0.431, 0.139, 0.011),
        ("random_forest", 0.806, 0.574, 0.437, 0.141, 0.019),
        ("recency_rule", 0.741, 0.468, 0.482, 0.156, 0.015),
    ] {
        let interval = Some([0.013, 0.012]);
        of.test(model, (Metric::Auc, None), (auc, interval));
        for (metric, value) in [
            (Metric::AveragePrecision, precision),
            (Metric::LogLoss, log_loss),
            (Metric::Brier, brier),
            (Metric::CalibrationError, error),
        ] {
            of.test(model, (metric, None), (value, None));
        }
    }
    of.rows
}

fn health_models() -> Vec<ModelRow> {
    let mut of = Rows {
        score: "health",
        rows: Vec::new(),
    };
    of.choice("served", "health", Figure::Served);
    for (days, auc) in [(30, 0.527), (60, 0.519), (90, 0.508)] {
        let interval = Some([0.034, 0.033]);
        of.test("health", (Metric::Auc, Some(days)), (auc, interval));
        let customers = (Metric::Customers, Some(days));
        of.test("health", customers, (5_120.0, None));
    }
    of.rows
}

fn value_models() -> Vec<ModelRow> {
    let mut of = Rows {
        score: "value",
        rows: Vec::new(),
    };
    of.choice("served", "mbg_nbd", Figure::Served);
    of.choice("reason", "declared first, and it converged", Figure::Reason);
    for (name, value, error) in [
        ("r", 0.5247, 0.0433),
        ("alpha", 6.1829, 0.5124),
        ("a", 0.8909, 0.1607),
        ("b", 1.6138, 0.3721),
    ] {
        let (named, error_name) = (name.to_owned(), format!("{name}_standard_error"));
        of.add(
            "mbg_nbd",
            named.clone(),
            value,
            Figure::Estimate(named.clone()),
        );
        of.add("mbg_nbd", error_name, error, Figure::StandardError(named));
    }
    for (model, tracking, correlation, mae) in [
        ("mbg_nbd", 0.973, 0.628, 0.761),
        ("naive_rate", 1.344, 0.551, 1.018),
    ] {
        for (metric, value) in [
            (Metric::Tracking, tracking),
            (Metric::Correlation, correlation),
            (Metric::MeanAbsoluteError, mae),
        ] {
            of.test(model, (metric, None), (value, None));
        }
    }
    for week in 1..=26 {
        let weeks = f64::from(week);
        let actual = 240.0 * weeks.powf(0.93) + 90.0 * (weeks / 3.0).sin();
        let predicted = 238.0 * weeks.powf(0.925);
        let name = |what: &str| format!("tracking_week_{week}_{what}");
        let sum = |of: Sum| Figure::Tracking(of, 7 * week);
        of.add("mbg_nbd", name("actual"), actual, sum(Sum::Actual));
        of.add("mbg_nbd", name("predicted"), predicted, sum(Sum::Predicted));
    }
    of.rows
}

/// Score, model, bin, predicted, observed, customers, lift.
type Bin<'t> = (&'t str, &'t str, i64, f64, f64, i64, Option<f64>);

fn calibration(churn: &str) -> RecordBatch {
    let mut rows: Vec<Bin<'_>> = Vec::new();
    let risen = [
        0.021, 0.043, 0.072, 0.108, 0.155, 0.213, 0.286, 0.379, 0.502, 0.671,
    ];
    let happened = [
        0.018, 0.047, 0.069, 0.117, 0.149, 0.221, 0.279, 0.391, 0.489, 0.662,
    ];
    for (bin, (predicted, observed)) in (1..).zip(risen.into_iter().zip(happened)) {
        let lift = Some(observed / 0.2442);
        rows.push((churn, "logistic", bin, predicted, observed, 1_991, lift));
    }
    for (bin, (predicted, observed)) in (1..).zip([(0.09, 0.08), (0.24, 0.26), (0.47, 0.41)]) {
        let customers = [11_200, 5_300, 3_410][bin as usize - 1];
        let lift = Some(observed / 0.2442);
        rows.push((
            churn,
            "recency_rule",
            bin,
            predicted,
            observed,
            customers,
            lift,
        ));
    }
    // Purchases: more than one each, counted from the highest prediction.
    let bought = [7.92, 3.61, 2.04, 1.31, 0.88, 0.57, 0.35, 0.22, 0.14, 0.0];
    for (decile, predicted) in (1..).zip(bought) {
        let observed = predicted * 1.03;
        rows.push((
            "value",
            "mbg_nbd",
            decile,
            predicted,
            observed,
            236,
            Some(observed / 1.755),
        ));
    }
    rows.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
    batch(vec![
        ("score", texts(rows.iter().map(|r| Some(r.0)))),
        ("model", texts(rows.iter().map(|r| Some(r.1)))),
        (
            "bin",
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.2))),
        ),
        ("predicted", floats(rows.iter().map(|r| Some(r.3)))),
        ("observed", floats(rows.iter().map(|r| Some(r.4)))),
        (
            "customers",
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.5))),
        ),
        ("lift", floats(rows.iter().map(|r| r.6))),
    ])
}

fn quality(churn: &str, said: &str) -> RecordBatch {
    type Row<'t> = (
        &'t str,
        &'t str,
        &'t str,
        Option<f64>,
        Option<(&'t str, f64)>,
        &'t str,
        Option<&'t str>,
    );
    let mut rows: Vec<Row<'_>> = vec![
        (
            churn,
            "beats the rule",
            "log loss below the recency rule's",
            Some(0.431),
            Some(("at most", 0.482)),
            "ok",
            None,
        ),
        (
            churn,
            "computed",
            "gradient boosting",
            None,
            None,
            "not computed",
            Some(said),
        ),
        (
            "health",
            "discriminates",
            "least AUC at 30, 60 and 90 days",
            Some(0.508),
            Some(("at least", 0.5)),
            "flagged",
            Some(
                "at none of the horizons does the interval lie above chance; components that react to churn would help",
            ),
        ),
        (
            "value",
            "calibrated",
            "predicted over actual purchases in the holdout",
            Some(0.973),
            Some(("about", 1.0)),
            "ok",
            None,
        ),
        (
            "value",
            "computed",
            "expected spend",
            None,
            None,
            "not computed",
            Some("spend and frequency correlate at 0.41, which Gamma-Gamma rules out"),
        ),
    ];
    rows.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
    batch(vec![
        ("scheme", texts(rows.iter().map(|r| Some(r.0)))),
        ("segment", texts(rows.iter().map(|_| Some("")))),
        ("criterion", texts(rows.iter().map(|r| Some(r.1)))),
        ("metric", texts(rows.iter().map(|r| Some(r.2)))),
        ("value", floats(rows.iter().map(|r| r.3))),
        ("threshold", floats(rows.iter().map(|r| Some(r.4?.1)))),
        ("side", texts(rows.iter().map(|r| Some(r.4?.0)))),
        ("status", texts(rows.iter().map(|r| Some(r.5)))),
        ("reason", texts(rows.iter().map(|r| r.6))),
    ])
}
