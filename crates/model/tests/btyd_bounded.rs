//! Closed forms with parameters far from those of real customers: accurate, and within a bounded number of steps; and NBD where
//! there is no dropout.

use std::time::Instant;

use tessera_model::btyd::{
    BtydFit, BtydModel, Fallback, ForecastPlan, Forecaster, NbdFit, PurchaseFit, PurchaseHistory,
    PurchaseModel, Served, TimeUnit,
};
use tessera_model::interrupt::Interrupt;

/// Values that `tests/oracle/closed_forms.py` computes in high precision.
const ORACLE: &str = include_str!("fixtures/closed_forms.csv");

/// Discount per day of the oracle's residual.
const DISCOUNT: f64 = 0.001;

/// A model at given parameters, as if it had been fitted.
fn at(model: BtydModel, parameters: [f64; 4]) -> BtydFit {
    BtydFit {
        model,
        unit: TimeUnit::Days,
        parameters,
        standard_errors: [1.0; 4],
        // Poorly identified: draws spread over the whole range.
        log_covariance: std::array::from_fn(|i| {
            std::array::from_fn(|j| f64::from(u8::from(i == j)) * 25.0)
        }),
        log_likelihood: 0.0,
        customers: 100.0,
        distinct_histories: 100,
        gradient_norm: 0.0,
        evaluations: 0,
    }
}

fn model(name: &str) -> BtydModel {
    *BtydModel::ALL.iter().find(|m| m.name() == name).unwrap()
}

fn assert_close(what: &str, line: &str, got: f64, want: f64) {
    let error = (got - want).abs() / want.abs().max(1e-300);
    assert!(error < 1e-9, "{what} of {line}: {got:e}, off by {error:e}");
}

#[test]
fn closed_forms_match_high_precision_at_extreme_parameters() {
    let mut compared = 0;
    for line in ORACLE.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let v: Vec<f64> = cells[1..]
            .iter()
            .map(|cell| cell.parse().unwrap_or(f64::NAN))
            .collect();
        let fit = at(model(cells[0]), [v[0], v[1], v[2], v[3]]);
        let (x, t_x, tenure, horizon) = (v[4] as u32, v[5], v[6], v[7]);
        assert_close("P(alive)", line, fit.p_alive(x, t_x, tenure), v[8]);
        assert_close(
            "purchases",
            line,
            fit.expected_purchases(x, t_x, tenure, horizon),
            v[9],
        );
        if let Some(residual) = fit.discounted_residual_purchases(x, t_x, tenure, DISCOUNT) {
            assert_close("residual", line, residual, v[10]);
        }
        compared += 1;
    }
    assert_eq!(compared, 150);
}

/// The generator of `tests/oracle/lifetime.py`.
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) * 2f64.powi(-53)
    }
}

fn simulated(seed: u64, count: usize, mean_gap_days: f64, dropout: f64) -> PurchaseHistory {
    let mut u = Uniform(seed);
    let (mut x, mut t_x, mut tenures) = (vec![], vec![], vec![]);
    for _ in 0..count {
        let tenure = 30.0 + (u.next() * 600.0).floor();
        let rate = -u.next().ln() / mean_gap_days;
        let chance = dropout * u.next();
        let (mut days, mut time) = (vec![0_u32], 0.0);
        while u.next() >= chance {
            time -= u.next().ln() / rate;
            if time >= tenure {
                break;
            }
            days.push(time.floor() as u32);
        }
        days.dedup();
        x.push(days.len() as u32 - 1);
        t_x.push(f64::from(*days.last().unwrap()));
        tenures.push(tenure);
    }
    PurchaseHistory::from_columns(TimeUnit::Days, &x, &t_x, &tenures).unwrap()
}

#[test]
fn nbd_matches_scipy() {
    // r, alpha, log-likelihood, sums of expected purchases and of P(no purchase) in 90 days.
    for (seed, want) in [
        (
            4,
            [
                1.015_511_512,
                58.269_659_04,
                -24_480.440_284_12,
                1_411.651_169_12,
                349.304_919_35,
            ],
        ),
        (
            8,
            [
                0.991_786_863,
                65.154_089,
                -22_201.862_818_37,
                1_232.995_942_52,
                377.139_624_03,
            ],
        ),
    ] {
        let history = simulated(seed, 900, 60.0, 0.0);
        let fit = NbdFit::fit(&history, Interrupt::NEVER).unwrap();
        let sum = |of: &dyn Fn(u32, f64) -> f64| -> f64 {
            history
                .summaries()
                .map(|s| s.weight * of(s.x, s.tenure))
                .sum()
        };
        let got = [
            fit.parameters[0],
            fit.parameters[1],
            fit.log_likelihood,
            sum(&|x, tenure| fit.expected_purchases(x, tenure, 90.0)),
            sum(&|x, tenure| fit.p_no_purchase(x, tenure, 90.0)),
        ];
        for (got, want) in got.iter().zip(want) {
            assert!(
                (got / want - 1.0).abs() < 1e-7,
                "seed {seed}: {got} is not {want}"
            );
        }
    }
}

#[test]
fn where_nobody_leaves_nbd_serves_and_the_likelihood_ratio_agrees() {
    let history = simulated(8, 900, 60.0, 0.0);
    for requested in BtydModel::ALL {
        let fallback =
            Fallback::fit(PurchaseModel::Btyd(requested), &history, Interrupt::NEVER).unwrap();
        assert_eq!(fallback.name(), Some("nbd"), "{fallback:?}");
        assert!(matches!(
            &fallback.served,
            Served::Model(PurchaseFit::Nbd(_))
        ));
        let test = fallback.dropout.unwrap();
        assert!(test.nobody_leaves(), "{test:?}");
    }
}

/// A thousand purchases in twenty years, and draws from 1e-10 to 1e10: every value is finite and in its range.
#[test]
fn poorly_identified_draws_give_finite_ordered_intervals() {
    let history = PurchaseHistory::from_columns(
        TimeUnit::Days,
        &[0, 0, 1, 7, 1000, 1000],
        &[0.0, 0.0, 3.0, 7000.0, 7299.0, 900.0],
        &[0.0, 7300.0, 7300.0, 7300.0, 7300.0, 7300.0],
    )
    .unwrap();
    let plan = ForecastPlan {
        horizon: 3650.0,
        discount_per_year: 0.1,
        draws: 400,
        seed: 3,
    };
    for model in BtydModel::ALL {
        for parameters in [
            [0.9, 60.0, 1e-4, 1e4],
            [1e-3, 1e-3, 1e5, 1e5],
            [1e4, 1e6, 1.0, 1e-4],
        ] {
            let forecaster = Forecaster::new(&at(model, parameters), plan).unwrap();
            for forecast in forecaster.forecast(&history) {
                for e in [
                    forecast.p_alive,
                    forecast.purchases,
                    forecast.p_no_purchase,
                    forecast.discounted_purchases,
                ] {
                    let ends = [e.low_95, e.low_80, e.high_80, e.high_95];
                    assert!(
                        ends.is_sorted() && ends.iter().all(|v| v.is_finite()),
                        "{e:?}"
                    );
                    assert!(e.value.is_finite() && e.value >= 0.0, "{model:?} {e:?}");
                }
            }
        }
    }
}

/// Prints the slowest evaluation of each closed form over ten thousand random parameters and histories.
///
/// `cargo test --release -p tessera-model --test btyd_bounded -- --ignored --nocapture`
#[test]
#[ignore = "a measurement of time, to be read"]
fn slowest_evaluation_of_ten_thousand() {
    let mut u = Uniform(7);
    let mut of = |values: &[f64]| values[(u.next() * values.len() as f64) as usize];
    let mut draw = Uniform(8);
    let rows: Vec<([f64; 4], u32, f64, f64, f64)> = (0..10_000)
        .map(|_| {
            let parameters = std::array::from_fn(|_| 10f64.powf(-4.0 + 10.0 * draw.next()));
            let x = of(&[0.0, 1.0, 2.0, 7.0, 40.0, 1000.0]) as u32;
            let tenure = of(&[1.0, 30.0, 400.0, 3000.0, 7300.0]);
            let t_x = if x == 0 {
                0.0
            } else {
                (tenure * draw.next()).max(1.0)
            };
            (parameters, x, t_x, tenure, of(&[1.0, 30.0, 365.0, 3650.0]))
        })
        .collect();
    type Form = fn(&BtydFit, u32, f64, f64, f64) -> f64;
    let forms: [(&str, Form); 4] = [
        ("P(alive)", |fit, x, t_x, tenure, _| {
            fit.p_alive(x, t_x, tenure)
        }),
        ("expected purchases", |fit, x, t_x, tenure, t| {
            fit.expected_purchases(x, t_x, tenure, t)
        }),
        ("P(no purchase)", |fit, x, t_x, tenure, t| {
            fit.p_no_purchase(x, t_x, tenure, t)
        }),
        ("residual", |fit, x, t_x, tenure, _| {
            fit.discounted_residual_purchases(x, t_x, tenure, DISCOUNT)
                .unwrap_or(0.0)
        }),
    ];
    for model in BtydModel::ALL {
        for (name, form) in forms {
            let (mut slowest, mut total) = (0.0_f64, 0.0);
            for (parameters, x, t_x, tenure, horizon) in &rows {
                let fit = at(model, *parameters);
                // The best of five, since other work of the machine only adds time.
                let best = (0..5)
                    .map(|_| {
                        let started = Instant::now();
                        let value = form(&fit, *x, *t_x, *tenure, *horizon);
                        assert!(std::hint::black_box(value).is_finite());
                        started.elapsed().as_secs_f64() * 1e6
                    })
                    .fold(f64::INFINITY, f64::min);
                slowest = slowest.max(best);
                total += best;
            }
            let mean = total / rows.len() as f64;
            println!(
                "{:10} {name:18} slowest {slowest:6.2} us, mean {mean:5.2} us",
                model.name()
            );
        }
    }
}
