//! Buy-till-you-die and spend models against the published figures on the CDNOW sample.

use std::path::PathBuf;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tessera_model::btyd::{
    Backtest, BtydFit, BtydModel, PurchaseHistory, TimeUnit, naive_purchases, tracking_curve,
};
use tessera_model::spend::{GammaGammaFit, SpendFit, SpendHistory};

/// The CDNOW sample, calibration to 1997-09-30, holdout to 1998-06-30.
struct Cdnow {
    x: Vec<u32>,
    t_x: Vec<f64>,
    tenure: Vec<f64>,
    x_star: Vec<f64>,
    mean_spend: Vec<f64>,
}

fn data(path: &str) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !root.is_dir() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "CI=true, and there is no ../shared/data"
        );
        println!("skipped: no ../shared/data");
        return None;
    }
    Some(root.join(path))
}

fn cdnow() -> Option<Cdnow> {
    let path = data("cdnow/sample_calibration_39w.parquet")?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap())
        .unwrap()
        .build()
        .unwrap();
    let mut all = Cdnow {
        x: vec![],
        t_x: vec![],
        tenure: vec![],
        x_star: vec![],
        mean_spend: vec![],
    };
    for batch in reader {
        let batch = batch.unwrap();
        let column = |name: &str| -> Vec<f64> {
            let array = batch
                .column_by_name(name)
                .unwrap_or_else(|| panic!("{name} in {:?}", batch.schema()));
            match array.as_primitive_opt::<Float64Type>() {
                Some(floats) => floats.iter().map(|v| v.unwrap_or(f64::NAN)).collect(),
                None => array
                    .as_primitive::<Int64Type>()
                    .iter()
                    .map(|v| v.unwrap() as f64)
                    .collect(),
            }
        };
        all.x.extend(column("x").iter().map(|x| *x as u32));
        all.t_x.extend(column("t.x"));
        all.tenure.extend(column("T.cal"));
        all.x_star.extend(column("x.star"));
        all.mean_spend.extend(column("m_x"));
    }
    Some(all)
}

fn history(data: &Cdnow) -> PurchaseHistory {
    PurchaseHistory::from_columns(TimeUnit::Weeks, &data.x, &data.t_x, &data.tenure).unwrap()
}

fn close(got: f64, want: f64, tolerance: f64, what: &str) {
    assert!(
        (got - want).abs() <= tolerance,
        "{what}: {got} is not {want} within {tolerance}"
    );
}

fn relative(got: f64, want: f64, tolerance: f64, what: &str) {
    close(got, want, tolerance * want.abs(), what);
}

#[test]
fn bg_nbd_matches_fader_hardie_lee_2005() {
    let Some(data) = cdnow() else { return };
    let history = history(&data);
    assert_eq!((data.x.len(), history.repeat_occasions()), (2357, 2457.0));
    let fit = BtydFit::fit(BtydModel::BgNbd, &history).unwrap();
    for (got, want) in fit
        .parameters
        .iter()
        .zip([0.24259, 4.4136, 0.79292, 2.4259])
    {
        relative(*got, want, 1e-3, "parameter");
    }
    close(fit.log_likelihood, -9582.429, 1e-2, "log-likelihood");
    for (t, want) in [
        (0.1429, 0.00782),
        (1.0, 0.05318),
        (3.0, 0.15063),
        (31.8571, 1.04049),
        (32.0, 1.04373),
        (78.0, 1.85796),
    ] {
        close(
            fit.expected_new_customer_purchases(t),
            want,
            1e-4,
            "unconditional expectation",
        );
    }
    close(fit.p_alive(2, 30.43, 38.86), 0.72658, 1e-3, "P(alive)");
    close(
        fit.expected_purchases(2, 30.43, 38.86, 39.0),
        1.2259,
        1e-3,
        "conditional expectation",
    );
    assert_eq!(fit.p_alive(0, 0.0, 38.86), 1.0);
}

#[test]
fn mbg_nbd_matches_batislam_2007_as_recomputed() {
    let Some(data) = cdnow() else { return };
    let fit = BtydFit::fit(BtydModel::MbgNbd, &history(&data)).unwrap();
    for (got, want) in fit
        .parameters
        .iter()
        .zip([0.52484, 6.18309, 0.89136, 1.61400])
    {
        relative(*got, want, 1e-3, "parameter");
    }
    close(fit.log_likelihood, -9582.136, 1e-2, "log-likelihood");
    close(fit.p_alive(2, 30.43, 38.86), 0.70620, 1e-3, "P(alive)");
    close(
        fit.p_alive(0, 0.0, 38.86),
        0.38974,
        1e-3,
        "P(alive) without repeat",
    );
    close(
        fit.expected_purchases(2, 30.43, 38.86, 39.0),
        1.26296,
        1e-3,
        "conditional expectation",
    );
}

#[test]
fn pareto_nbd_matches_fader_hardie_lee_2005b() {
    let Some(data) = cdnow() else { return };
    let fit = BtydFit::fit(BtydModel::ParetoNbd, &history(&data)).unwrap();
    let [r, alpha, s, beta] = fit.parameters;
    relative(r, 0.55328, 1e-3, "r");
    relative(alpha, 10.5777, 1e-3, "alpha");
    relative(s, 0.60624, 1e-3, "s");
    close(beta, 11.6687, 1e-1, "beta");
    close(fit.log_likelihood, -9594.976, 1e-2, "log-likelihood");
    close(fit.p_alive(26, 30.86, 31.0), 0.9979, 1e-3, "P(alive)");
    relative(
        fit.expected_purchases(26, 30.86, 31.0, 52.0),
        25.46,
        1e-3,
        "conditional expectation",
    );
    relative(
        fit.p_alive(0, 0.0, 38.86),
        0.29515,
        1e-3,
        "P(alive) without repeat",
    );
}

#[test]
fn holdout_weeks_40_to_78_match_the_published_totals() {
    let Some(data) = cdnow() else { return };
    let history = history(&data);
    assert_eq!(data.x_star.iter().sum::<f64>(), 1882.0);
    for (model, total, correlation) in [
        (BtydModel::BgNbd, 1653.41, 0.62565),
        (BtydModel::ParetoNbd, 1665.51, 0.63022),
    ] {
        let fit = BtydFit::fit(model, &history).unwrap();
        let predicted: Vec<f64> = (0..data.x.len())
            .map(|i| fit.expected_purchases(data.x[i], data.t_x[i], data.tenure[i], 39.0))
            .collect();
        relative(predicted.iter().sum(), total, 1e-3, "holdout total");
        relative(
            pearson(&predicted, &data.x_star),
            correlation,
            1e-3,
            "correlation",
        );
    }
    assert_eq!(data.mean_spend.len(), 2357);
}

#[test]
fn gamma_gamma_matches_fader_hardie_2013() {
    let Some(data) = cdnow() else { return };
    let history = SpendHistory::from_columns(&data.x, &data.mean_spend, None).unwrap();
    assert_eq!(history.customers(), 946.0);
    let fit = GammaGammaFit::fit(&history).unwrap();
    relative(fit.p, 6.2496, 1e-3, "p");
    relative(fit.q, 3.7442, 1e-3, "q");
    relative(fit.v, 15.4435, 1e-3, "gamma");
    close(fit.log_likelihood, -4055.918, 1e-2, "log-likelihood");
    relative(fit.correlation.unwrap(), 0.11388, 1e-3, "correlation");
    relative(fit.expected_spend(2, 22.35), 24.66, 1e-3, "expected spend");
    // p v / (q - 1) of the published parameters.
    let mean = 6.2496 * 15.4435 / (3.7442 - 1.0);
    relative(fit.population_mean(), mean, 1e-3, "population mean");
    assert_eq!(SpendFit::fit(&history).unwrap(), SpendFit::GammaGamma(fit));
}

#[test]
fn tracking_follows_the_published_weekly_totals() {
    let Some(path) = data("cdnow/cdnowSummary_cu_tracking.csv") else {
        return;
    };
    let Some(data) = cdnow() else { return };
    let actual: Vec<f64> = std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter_map(|line| line.rsplit(',').next()?.trim().parse().ok())
        .collect();
    assert_eq!((actual.len(), actual[38], actual[77]), (78, 2457.0, 4339.0));
    let fit = BtydFit::fit(BtydModel::BgNbd, &history(&data)).unwrap();
    let weeks: Vec<f64> = (1..=78).map(f64::from).collect();
    let expected = tracking_curve(&fit, &history(&data), &weeks);
    // Figure 3 of Fader, Hardie & Lee 2005: within a few per cent throughout, under the actual at the end.
    close(expected[38] / actual[38], 1.0, 0.05, "week 39");
    close(expected[77] / actual[77], 1.0, 0.05, "week 78");
    assert!(expected.windows(2).all(|pair| pair[0] <= pair[1]));
}

#[test]
fn backtest_beats_the_naive_rate_on_the_holdout() {
    let Some(data) = cdnow() else { return };
    let fit = BtydFit::fit(BtydModel::MbgNbd, &history(&data)).unwrap();
    let customers = || (0..data.x.len()).map(|i| (data.x[i], data.t_x[i], data.tenure[i]));
    let predicted: Vec<f64> = customers()
        .map(|(x, t_x, t)| fit.expected_purchases(x, t_x, t, 39.0))
        .collect();
    let naive: Vec<f64> = customers()
        .map(|(x, _, t)| naive_purchases(x, t, 39.0))
        .collect();
    let model = Backtest::new(&data.x, &predicted, &data.x_star).unwrap();
    let rate = Backtest::new(&data.x, &naive, &data.x_star).unwrap();
    assert!(model.root_mean_square_error < rate.root_mean_square_error);
    assert!((model.tracking.unwrap() - 1.0).abs() < (rate.tracking.unwrap() - 1.0).abs());
    assert!(model.deciles[0].lift.unwrap() > 3.0, "{:?}", model.deciles);
    assert_eq!(model.by_x.iter().map(|b| b.customers).sum::<f64>(), 2357.0);
}

fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (ma, mb) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let cov: f64 = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum();
    let (va, vb): (f64, f64) = (
        a.iter().map(|x| (x - ma).powi(2)).sum(),
        b.iter().map(|y| (y - mb).powi(2)).sum(),
    );
    cov / (va * vb).sqrt()
}
