//! Every model of the registries meets hard inputs with a typed error or a finite answer, never with a panic or a NaN.

use tessera_model::btyd::{
    BtydFit, BtydModel, Fallback, ForecastPlan, Forecaster, PurchaseHistory, PurchaseModel,
    Simulator, Summary, TimeUnit,
};
use tessera_model::interrupt::Interrupt;
use tessera_model::lifetime_error::LifetimeError;

fn history(rows: &[(u32, f64, f64, f64)]) -> PurchaseHistory {
    let rows: Vec<Summary> = rows
        .iter()
        .map(|&(x, t_x, tenure, weight)| Summary {
            x,
            t_x,
            tenure,
            weight,
        })
        .collect();
    PurchaseHistory::from_summaries(TimeUnit::Days, &rows).unwrap()
}

/// A fit, if any, must have converged and be finite; an error must say what to do.
fn assert_sound(model: BtydModel, history: &PurchaseHistory) {
    match BtydFit::fit(model, history) {
        Ok(fit) => {
            assert!(fit.gradient_norm < 1e-5, "{fit:?}");
            assert!(
                fit.parameters
                    .iter()
                    .chain(&fit.standard_errors)
                    .all(|v| v.is_finite() && *v > 0.0),
                "{fit:?}"
            );
            assert!(fit.log_likelihood.is_finite());
            let plan = ForecastPlan {
                horizon: 365.0,
                discount_per_year: 0.1,
                draws: 200,
                seed: 1,
            };
            for f in Forecaster::new(&fit, plan).unwrap().forecast(history) {
                for e in [
                    f.p_alive,
                    f.purchases,
                    f.p_no_purchase,
                    f.discounted_purchases,
                ] {
                    assert!(
                        [e.value, e.low_80, e.high_80, e.low_95, e.high_95]
                            .iter()
                            .all(|v| v.is_finite()),
                        "{f:?}"
                    );
                    assert!(
                        e.low_95 <= e.low_80 && e.low_80 <= e.high_80 && e.high_80 <= e.high_95,
                        "{f:?}"
                    );
                }
                assert!((0.0..=1.0).contains(&f.p_alive.value));
            }
        }
        Err(error @ (LifetimeError::TooLittleData { .. } | LifetimeError::NotFitted { .. })) => {
            let text = error.to_string();
            assert!(
                text.contains(model.name()) && text.contains("use"),
                "{text}"
            );
        }
        Err(other) => panic!("{}: {other}", model.name()),
    }
}

#[test]
fn empty_and_single_customers_are_too_little() {
    for model in BtydModel::ALL {
        for rows in [
            &[][..],
            &[(2, 5.0, 9.0, 1.0)],
            &[(0, 0.0, 0.0, 50.0)],
            &[(0, 0.0, 90.0, 50.0)],
        ] {
            let result = BtydFit::fit(model, &history(rows));
            assert!(
                matches!(result, Err(LifetimeError::TooLittleData { .. })),
                "{} {rows:?}",
                model.name()
            );
        }
    }
}

#[test]
fn customers_who_are_all_alike_identify_nothing() {
    for model in BtydModel::ALL {
        let result = BtydFit::fit(model, &history(&[(3, 50.0, 90.0, 500.0)]));
        assert!(
            matches!(result, Err(LifetimeError::NotFitted { .. })),
            "{}: {result:?}",
            model.name()
        );
    }
}

#[test]
fn extreme_histories_are_sound() {
    let cases: [&[(u32, f64, f64, f64)]; 5] = [
        // Everyone bought on the last day.
        &[
            (1, 90.0, 90.0, 40.0),
            (5, 90.0, 90.0, 40.0),
            (20, 90.0, 90.0, 40.0),
        ],
        // Everyone bought once more, at once, and never again.
        &[(1, 1.0, 900.0, 300.0), (0, 0.0, 900.0, 300.0)],
        // One customer buys four hundred times in ten years among thousands who hardly buy.
        &[
            (400, 3649.0, 3650.0, 1.0),
            (0, 0.0, 3650.0, 5000.0),
            (1, 10.0, 3650.0, 300.0),
            (2, 900.0, 3000.0, 50.0),
        ],
        // Huge weights and tiny times.
        &[
            (1, 1e-6, 2e-6, 1e9),
            (0, 0.0, 2e-6, 1e9),
            (3, 1.9e-6, 2e-6, 1e8),
        ],
        // Mixed with customers acquired on the last day.
        &[
            (0, 0.0, 0.0, 1000.0),
            (1, 3.0, 30.0, 50.0),
            (4, 28.0, 30.0, 20.0),
            (0, 0.0, 25.0, 90.0),
        ],
    ];
    for rows in cases {
        for model in BtydModel::ALL {
            assert_sound(model, &history(rows));
        }
    }
}

#[test]
fn customers_of_the_last_day_change_no_fit() {
    let rows = [
        (1, 3.0, 30.0, 50.0),
        (4, 28.0, 30.0, 20.0),
        (0, 0.0, 25.0, 90.0),
        (2, 5.0, 29.0, 30.0),
        (7, 20.0, 28.0, 5.0),
    ];
    let mut more = rows.to_vec();
    more.push((0, 0.0, 0.0, 700.0));
    for model in BtydModel::ALL {
        if let (Ok(a), Ok(b)) = (
            BtydFit::fit(model, &history(&rows)),
            BtydFit::fit(model, &history(&more)),
        ) {
            assert_eq!(a.customers, b.customers);
            for (a, b) in a.parameters.iter().zip(b.parameters) {
                assert!((a / b - 1.0).abs() < 1e-6, "{}", model.name());
            }
        }
    }
}

#[test]
fn the_heuristic_serves_whenever_a_customer_was_seen_to_buy_again() {
    for (rows, serves) in [
        (&[(0, 0.0, 90.0, 3.0)][..], None),
        (&[(3, 50.0, 90.0, 500.0)], Some("heuristic")),
        (&[(1, 1.0, 2.0, 1.0)], Some("heuristic")),
    ] {
        for model in BtydModel::ALL {
            let requested = PurchaseModel::Btyd(model);
            let fallback = Fallback::fit(requested, &history(rows), Interrupt::NEVER).unwrap();
            assert_eq!(fallback.name(), serves);
            assert_eq!(fallback.failed[0].model, model.name());
        }
    }
}

#[test]
fn plans_outside_their_range_are_refused() {
    let mut simulator = Simulator::new(BtydModel::MbgNbd, [0.9, 30.0, 0.9, 2.0], 8).unwrap();
    let rows: Vec<(u32, f64, f64, f64)> = (0..600)
        .map(|_| {
            let (x, t_x) = simulator.customer(400.0).seen_at(400.0);
            (x, t_x, 400.0, 1.0)
        })
        .collect();
    let fit = BtydFit::fit(BtydModel::MbgNbd, &history(&rows)).unwrap();
    let good = ForecastPlan {
        horizon: 30.0,
        discount_per_year: 0.0,
        draws: 0,
        seed: 0,
    };
    assert!(Forecaster::new(&fit, good).is_ok());
    for bad in [
        ForecastPlan {
            horizon: 0.0,
            ..good
        },
        ForecastPlan {
            horizon: f64::NAN,
            ..good
        },
        ForecastPlan {
            discount_per_year: -0.1,
            ..good
        },
        ForecastPlan { draws: 10, ..good },
    ] {
        assert!(
            matches!(
                Forecaster::new(&fit, bad),
                Err(LifetimeError::OutOfRange { .. })
            ),
            "{bad:?}"
        );
    }
    // Without draws there are values and no intervals.
    let first = Forecaster::new(&fit, good)
        .unwrap()
        .forecast(&history(&rows))[0];
    assert_eq!(
        (first.purchases.low_95, first.purchases.high_95),
        (first.purchases.value, first.purchases.value)
    );
}
