//! Results do not depend on the order of rows, on weights instead of repeated rows, on the unit of time, on the number of
//! threads, or on being stored and loaded.

use proptest::prelude::*;
use tessera_model::btyd::{
    BtydFit, BtydModel, Forecast, ForecastPlan, Forecaster, PurchaseHistory, Simulator, Summary,
    TimeUnit,
};
use tessera_model::spend::{SpendFit, SpendHistory};

/// Customers in whole days.
struct Customers {
    x: Vec<u32>,
    t_x: Vec<f64>,
    tenure: Vec<f64>,
    spend: Vec<f64>,
}

fn customers(model: BtydModel, count: usize, seed: u64) -> Customers {
    let truth = match model {
        BtydModel::BgNbd | BtydModel::MbgNbd => [0.8, 60.0, 0.9, 2.5],
        BtydModel::ParetoNbd => [0.8, 60.0, 0.9, 150.0],
    };
    let mut simulator = Simulator::new(model, truth, seed).unwrap();
    let mut all = Customers {
        x: vec![],
        t_x: vec![],
        tenure: vec![],
        spend: vec![],
    };
    for i in 0..count {
        let tenure = 30.0 + ((i * 7919) % 600) as f64;
        let (x, t_x) = simulator.customer(tenure).seen_at(tenure);
        all.x.push(x);
        all.t_x.push(t_x.ceil().min(tenure));
        all.tenure.push(tenure);
        all.spend.push(if x == 0 {
            f64::NAN
        } else {
            5.0 + ((i * 104_729) % 97) as f64
        });
    }
    all
}

fn history(c: &Customers) -> PurchaseHistory {
    PurchaseHistory::from_days(TimeUnit::Weeks, &c.x, &c.t_x, &c.tenure).unwrap()
}

const PLAN: ForecastPlan = ForecastPlan {
    horizon: 52.0,
    discount_per_year: 0.1,
    draws: 200,
    seed: 9,
};

fn forecasts(fit: &BtydFit, history: &PurchaseHistory) -> Vec<Forecast> {
    Forecaster::new(fit, PLAN).unwrap().forecast(history)
}

#[test]
fn order_of_rows_changes_nothing_at_all() {
    let c = customers(BtydModel::MbgNbd, 3000, 1);
    let reversed = Customers {
        x: c.x.iter().rev().copied().collect(),
        t_x: c.t_x.iter().rev().copied().collect(),
        tenure: c.tenure.iter().rev().copied().collect(),
        spend: c.spend.iter().rev().copied().collect(),
    };
    for model in BtydModel::ALL {
        let (a, b) = (history(&c), history(&reversed));
        let fit = BtydFit::fit(model, &a).unwrap();
        assert_eq!(fit, BtydFit::fit(model, &b).unwrap());
        assert_eq!(forecasts(&fit, &a), forecasts(&fit, &b));
    }
    let spend = |c: &Customers| {
        SpendFit::fit(&SpendHistory::from_columns(&c.x, &c.spend, None).unwrap()).unwrap()
    };
    assert_eq!(spend(&c), spend(&reversed));
}

#[test]
fn weights_equal_repeated_rows() {
    let c = customers(BtydModel::BgNbd, 1500, 2);
    let twice = |v: &Vec<f64>| v.iter().chain(v).copied().collect::<Vec<_>>();
    let x_twice: Vec<u32> = c.x.iter().chain(&c.x).copied().collect();
    let repeated =
        PurchaseHistory::from_columns(TimeUnit::Days, &x_twice, &twice(&c.t_x), &twice(&c.tenure))
            .unwrap();
    let rows: Vec<Summary> = (0..c.x.len())
        .map(|i| Summary {
            x: c.x[i],
            t_x: c.t_x[i],
            tenure: c.tenure[i],
            weight: 2.0,
        })
        .collect();
    let weighted = PurchaseHistory::from_summaries(TimeUnit::Days, &rows).unwrap();
    for model in BtydModel::ALL {
        assert_eq!(
            BtydFit::fit(model, &repeated).unwrap(),
            BtydFit::fit(model, &weighted).unwrap()
        );
    }
    let repeated = SpendHistory::from_columns(&x_twice, &twice(&c.spend), None).unwrap();
    let weighted = SpendHistory::from_columns(&c.x, &c.spend, Some(&vec![2.0; c.x.len()])).unwrap();
    assert_eq!(
        SpendFit::fit(&repeated).unwrap(),
        SpendFit::fit(&weighted).unwrap()
    );
}

#[test]
fn unit_of_time_changes_only_the_unit() {
    let c = customers(BtydModel::ParetoNbd, 2500, 3);
    for model in BtydModel::ALL {
        let days = PurchaseHistory::from_columns(TimeUnit::Days, &c.x, &c.t_x, &c.tenure).unwrap();
        let (in_days, in_weeks) = (
            BtydFit::fit(model, &days).unwrap(),
            BtydFit::fit(model, &history(&c)).unwrap(),
        );
        for (i, name) in model.parameter_names().into_iter().enumerate() {
            let unit = if matches!(name, "alpha" | "beta") {
                7.0
            } else {
                1.0
            };
            let ratio = in_days.parameters[i] / in_weeks.parameters[i] / unit;
            assert!(
                (ratio - 1.0).abs() < 1e-6,
                "{} {name}: {ratio}",
                model.name()
            );
        }
        // The density of a time in days is a seventh of that in weeks.
        let shift = days.repeat_occasions() * 7f64.ln();
        assert!((in_weeks.log_likelihood - in_days.log_likelihood - shift).abs() < 1e-5);
        let (a, b) = (
            in_days.expected_purchases(3, 140.0, 280.0, 91.0),
            in_weeks.expected_purchases(3, 20.0, 40.0, 13.0),
        );
        assert!((a / b - 1.0).abs() < 1e-6, "{}: {a} {b}", model.name());
    }
}

#[test]
fn threads_change_nothing_at_all() {
    // More rows than the chunks of every reduction.
    let c = customers(BtydModel::MbgNbd, 60_000, 4);
    let run = |threads: usize| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(|| {
                let history =
                    PurchaseHistory::from_columns(TimeUnit::Days, &c.x, &c.t_x, &c.tenure).unwrap();
                assert!(history.len() > 20_000, "{}", history.len());
                let fit = BtydFit::fit(BtydModel::MbgNbd, &history).unwrap();
                let spend =
                    SpendFit::fit(&SpendHistory::from_columns(&c.x, &c.spend, None).unwrap())
                        .unwrap();
                let plan = ForecastPlan {
                    horizon: 365.0,
                    ..PLAN
                };
                let forecaster = Forecaster::new(&fit, plan).unwrap();
                let values = forecaster
                    .residual_values(&history, &c.spend, &spend, 0.3)
                    .unwrap();
                (forecaster.forecast(&history), values, fit, spend)
            })
    };
    let one = run(1);
    for threads in [2, 5] {
        assert!(run(threads) == one, "{threads} threads");
    }
}

#[test]
fn interpolated_forecasts_equal_the_closed_forms() {
    // The point value is closed form; a forecast whose draws all equal the estimate must have intervals of no width.
    let c = customers(BtydModel::MbgNbd, 4000, 5);
    let history = PurchaseHistory::from_columns(TimeUnit::Days, &c.x, &c.t_x, &c.tenure).unwrap();
    for model in BtydModel::ALL {
        let mut fit = BtydFit::fit(model, &history).unwrap();
        for (i, row) in fit.log_covariance.iter_mut().enumerate() {
            *row = [0.0; 4];
            row[i] = 1e-24;
        }
        let plan = ForecastPlan {
            horizon: 365.0,
            ..PLAN
        };
        let forecasts = Forecaster::new(&fit, plan).unwrap().forecast(&history);
        for (s, f) in history.summaries().zip(&forecasts) {
            let want = fit.expected_purchases(s.x, s.t_x, s.tenure, 365.0);
            assert!((f.purchases.value - want).abs() <= 1e-12 * want);
            assert!(
                (f.p_no_purchase.value - fit.p_no_purchase(s.x, s.t_x, s.tenure, 365.0)).abs()
                    < 1e-12
            );
            for estimate in [
                f.purchases,
                f.p_alive,
                f.p_no_purchase,
                f.discounted_purchases,
            ] {
                assert!(
                    estimate.high_95 - estimate.low_95 < 1e-8 * (1.0 + estimate.value),
                    "{} {s:?} {f:?}",
                    model.name()
                );
                assert!(
                    (estimate.low_95 - estimate.value).abs() < 1e-7 * (1.0 + estimate.value),
                    "{} {s:?} {f:?}",
                    model.name()
                );
            }
            assert!(f.discounted_purchases.value < f.purchases.value);
        }
    }
}

#[test]
fn values_are_margin_times_spend_times_discounted_purchases() {
    let c = customers(BtydModel::MbgNbd, 2000, 6);
    let history = history(&c);
    let fit = BtydFit::fit(BtydModel::MbgNbd, &history).unwrap();
    let spend = SpendFit::fit(&SpendHistory::from_columns(&c.x, &c.spend, None).unwrap()).unwrap();
    let forecaster = Forecaster::new(&fit, PLAN).unwrap();
    let forecasts = forecaster.forecast(&history);
    let values = forecaster
        .residual_values(&history, &c.spend, &spend, 0.3)
        .unwrap();
    for (i, value) in values.iter().enumerate() {
        let purchases = forecasts[history.row_of()[i] as usize].discounted_purchases;
        let mean = spend.expected_spend(c.x[i], c.spend[i]);
        let want = 0.3 * mean * purchases.value;
        assert!((value.value - want).abs() <= 1e-12 * want.abs());
        // Spend adds its own uncertainty to that of purchases.
        assert!(value.low_95 < value.value && value.value < value.high_95);
    }
    assert!(
        forecaster
            .residual_values(&history, &c.spend[1..], &spend, 0.3)
            .is_err()
    );
    assert!(
        forecaster
            .residual_values(&history, &c.spend, &spend, f64::NAN)
            .is_err()
    );
}

#[test]
fn stored_models_score_the_same() {
    let c = customers(BtydModel::ParetoNbd, 2000, 7);
    let history = history(&c);
    for model in BtydModel::ALL {
        let fit = BtydFit::fit(model, &history).unwrap();
        let loaded: BtydFit = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
        let (a, b) = (forecasts(&fit, &history), forecasts(&loaded, &history));
        for (a, b) in a.iter().zip(&b) {
            assert!(
                (a.purchases.value - b.purchases.value).abs() <= 1e-12 * a.purchases.value,
                "{}",
                model.name()
            );
            assert!(
                (a.purchases.high_95 - b.purchases.high_95).abs() <= 1e-10 * a.purchases.high_95,
                "{}",
                model.name()
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the history and the parameters: probabilities are probabilities, expectations are finite and grow with the
    /// horizon, and a more recent last purchase never makes a customer less alive.
    #[test]
    fn forecasts_stay_in_their_range(
        log_parameters in prop::array::uniform4(-4.0..5.0f64),
        x in 0u32..400,
        tenure in 1.0..3650.0f64,
        recency in 0.0..1.0f64,
        horizon in 0.1..3650.0f64,
    ) {
        let base = base_fit();
        for model in BtydModel::ALL {
            let fit = BtydFit { model, parameters: log_parameters.map(f64::exp), ..base.clone() };
            let t_x = if x == 0 { 0.0 } else { (tenure * recency).max(0.5) };
            let alive = fit.p_alive(x, t_x, tenure);
            prop_assert!((0.0..=1.0).contains(&alive), "{} {alive}", model.name());
            prop_assert!(x == 0 || fit.p_alive(x, tenure, tenure) >= alive - 1e-12);
            let (short, long) = (fit.expected_purchases(x, t_x, tenure, 0.5 * horizon), fit.expected_purchases(x, t_x, tenure, horizon));
            prop_assert!(short.is_finite() && short >= 0.0 && long >= short * (1.0 - 1e-9), "{} {short} {long}", model.name());
            let mean_rate = (fit.parameters[0] + f64::from(x)) / (fit.parameters[1] + tenure);
            prop_assert!(long <= alive * mean_rate * horizon * (1.0 + 1e-6) + 1e-300, "{} {long}", model.name());
            let silent = fit.p_no_purchase(x, t_x, tenure, horizon);
            prop_assert!((-1e-12..=1.0 + 1e-12).contains(&silent), "{} {silent}", model.name());
            // Markov: the probability of at least one purchase is at most the expected number.
            prop_assert!(1.0 - silent <= long * (1.0 + 1e-6) + 1e-9, "{} {silent} {long}", model.name());
        }
    }
}

fn base_fit() -> BtydFit {
    BtydFit {
        model: BtydModel::BgNbd,
        unit: TimeUnit::Days,
        parameters: [1.0; 4],
        standard_errors: [0.0; 4],
        log_covariance: [[0.0; 4]; 4],
        log_likelihood: 0.0,
        customers: 0.0,
        distinct_histories: 0,
        gradient_norm: 0.0,
        evaluations: 0,
    }
}
