//! Properties of every churn fit: the same result for any order of rows and number of threads, and after it was stored and
//! loaded; and an error that says what is missing where there is too little data.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tessera_model::churn::{
    CalibrationKind, ChurnError, ChurnFit, ChurnModel, ChurnPlan, ChurnServed, InputValue, Inputs,
    Observation, Panel, TypicalInput,
};

const DATES: [i32; 4] = [15_000, 15_030, 15_060, 15_120];

/// Rows of one date: recency and an unrelated number with missing values, a plan that matters, a constant.
struct Rows {
    recency: Vec<f64>,
    noise: Vec<f64>,
    plan: Vec<Option<&'static str>>,
    churned: Vec<bool>,
    customer: Vec<u64>,
}

fn rows(date: i32, customers: u64, signal: f64) -> Rows {
    bent_rows(date, customers, signal, 0.0)
}

/// The same with more log-odds in the middle of recency, which no line has.
fn bent_rows(date: i32, customers: u64, signal: f64, bend: f64) -> Rows {
    let mut random = ChaCha8Rng::seed_from_u64(date as u64);
    let mut rows = Rows {
        recency: Vec::new(),
        noise: Vec::new(),
        plan: Vec::new(),
        churned: Vec::new(),
        customer: Vec::new(),
    };
    for customer in 0..customers {
        let recency = (random.random::<f64>() * 300.0).floor();
        let plan = ["basic", "pro", "team"][(customer % 3) as usize];
        let holed = random.random::<f64>() < 0.2;
        let lift = f64::from(u8::from(plan == "basic")) * 1.5 - 0.5;
        let middle = f64::from(u8::from((100.0..150.0).contains(&recency)));
        let eta = -1.0 + signal * ((recency - 150.0) / 87.0 + lift) + bend * middle;
        rows.churned
            .push(random.random::<f64>() < 1.0 / (1.0 + (-eta).exp()));
        rows.recency.push(recency);
        rows.noise.push(if holed {
            f64::NAN
        } else {
            random.random::<f64>()
        });
        rows.plan.push((customer % 50 != 7).then_some(plan));
        rows.customer.push(customer * 7_919 + 13);
    }
    rows
}

fn observation(date: i32, customers: u64, signal: f64) -> Observation {
    observed(rows(date, customers, signal), date)
}

fn observed(rows: Rows, date: i32) -> Observation {
    Observation {
        inputs: inputs(&rows),
        churned: rows.churned,
        customer: rows.customer,
        observed_on: date,
    }
}

fn inputs(rows: &Rows) -> Inputs {
    let constant = vec![4.0; rows.recency.len()];
    Inputs::new(rows.recency.len())
        .number("recency_days", rows.recency.clone())
        .unwrap()
        .number("noise", rows.noise.clone())
        .unwrap()
        .number("constant", constant)
        .unwrap()
        .label("plan", rows.plan.clone())
        .unwrap()
}

fn panel(customers: u64, signal: f64) -> Panel {
    Panel::stack(DATES.map(|date| observation(date, customers, signal))).unwrap()
}

fn plan() -> ChurnPlan {
    ChurnPlan::new(30).with_recency("recency_days")
}

#[test]
fn the_order_of_rows_and_the_number_of_threads_do_not_matter() {
    let customers = 600;
    let mut backwards = DATES;
    backwards.reverse();
    let reversed = Panel::stack(backwards.map(|date| {
        let mut rows = rows(date, customers, 1.0);
        rows.recency.reverse();
        rows.noise.reverse();
        rows.plan.reverse();
        rows.churned.reverse();
        rows.customer.reverse();
        Observation {
            inputs: inputs(&rows),
            churned: rows.churned,
            customer: rows.customer,
            observed_on: date,
        }
    }));
    let stored = |panel: &Panel, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let fit = pool
            .unwrap()
            .install(|| ChurnFit::fit(panel, &plan()).unwrap());
        serde_json::to_string(&fit).unwrap()
    };
    let panel = panel(customers, 1.0);
    let one = stored(&panel, 1);
    assert!(one == stored(&panel, 2), "2 threads");
    assert!(one == stored(&panel, 8), "8 threads");
    assert!(one == stored(&reversed.unwrap(), 2), "rows reversed");
}

#[test]
fn stored_and_loaded_it_scores_the_same_bits_whatever_serves() {
    let straight = panel(3_000, 1.0);
    let bent = DATES.map(|date| observed(bent_rows(date, 3_000, 1.0, 0.8), date));
    let bent = Panel::stack(bent).unwrap();
    let panels = [&straight, &straight, &straight, &bent];
    let score = inputs(&rows(16_000, 500, 1.0));
    let kinds = [
        CalibrationKind::Platt,
        CalibrationKind::Isotonic,
        CalibrationKind::None,
        CalibrationKind::Platt,
    ];
    let models = [
        vec![ChurnModel::Logistic],
        vec![ChurnModel::RandomForest],
        Vec::new(),
        vec![ChurnModel::Logistic, ChurnModel::RandomForest],
    ];
    let mut served = Vec::new();
    for ((calibration, models), panel) in kinds.into_iter().zip(models).zip(panels) {
        let plan = ChurnPlan {
            models,
            calibration,
            ..plan()
        };
        let fit = ChurnFit::fit(panel, &plan).unwrap();
        served.push(fit.served());
        let loaded: ChurnFit = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
        assert!(loaded == fit);
        let bits = |fit: &ChurnFit| -> Vec<u64> {
            let p = fit.probabilities(&score).unwrap();
            assert!(p.iter().all(|p| *p > 0.0 && *p < 1.0));
            p.into_iter().map(f64::to_bits).collect()
        };
        assert_eq!(bits(&loaded), bits(&fit));
        assert_eq!(
            loaded.reasons(&score).unwrap(),
            fit.reasons(&score).unwrap()
        );
    }
    let expected = [
        ChurnServed::Logistic,
        ChurnServed::RandomForest,
        ChurnServed::RecencyRule,
        ChurnServed::Combined,
    ];
    assert_eq!(served, expected);
}

#[test]
fn the_same_seed_gives_the_same_and_another_seed_another_split() {
    let panel = panel(600, 1.0);
    let fit = |seed| ChurnFit::fit(&panel, &ChurnPlan { seed, ..plan() }).unwrap();
    assert!(fit(3) == fit(3));
    assert_ne!(
        fit(3).candidates()[0].log_loss,
        fit(4).candidates()[0].log_loss
    );
}

#[test]
fn without_structure_the_base_rate_serves() {
    let fit = ChurnFit::fit(&panel(1_500, 0.0), &plan()).unwrap();
    assert_eq!(fit.served(), ChurnServed::BaseRate, "{}", fit.reason());
    assert!(
        fit.reason().starts_with("The base rate is used: "),
        "{}",
        fit.reason()
    );
    let score = inputs(&rows(16_000, 40, 0.0));
    let p = fit.probabilities(&score).unwrap();
    assert!(p.iter().all(|p| *p == fit.base_rate()));
    assert!(
        fit.reasons(&score)
            .unwrap()
            .customers
            .iter()
            .flat_map(|customer| customer.strongest)
            .all(|reason| reason.is_none())
    );
}

/// A candidate is used only if a 95% interval of its gain lies above 0, which rarely happens by chance.
#[test]
fn of_forty_panels_without_structure_at_most_three_get_a_model() {
    let served = (0..40).map(|trial| {
        let dates = DATES.map(|date| date + 1_000 * trial);
        let panel = Panel::stack(dates.map(|date| observation(date, 700, 0.0))).unwrap();
        ChurnFit::fit(&panel, &plan()).unwrap().served()
    });
    let models = served
        .filter(|served| *served != ChurnServed::BaseRate)
        .count();
    println!("{models} of 40");
    assert!(models <= 3, "{models}");
}

/// The columns of a table with one of them replaced by a typical value.
fn with_typical(rows: &Rows, input: &TypicalInput) -> Inputs {
    let n = rows.recency.len();
    let number = |column: &str, own: &[f64]| match &input.typical {
        InputValue::Number(typical) if input.column == column => vec![*typical; n],
        InputValue::Missing if input.column == column => vec![f64::NAN; n],
        _ => own.to_vec(),
    };
    let plan = match &input.typical {
        InputValue::Label(typical) if input.column == "plan" => vec![Some(typical.as_str()); n],
        _ => rows.plan.clone(),
    };
    Inputs::new(n)
        .number("recency_days", number("recency_days", &rows.recency))
        .unwrap()
        .number("noise", number("noise", &rows.noise))
        .unwrap()
        .label("plan", plan)
        .unwrap()
        .number("constant", vec![4.0; n])
        .unwrap()
}

#[test]
fn a_reason_is_what_the_probability_would_lose_with_the_typical_value() {
    for model in [
        Some(ChurnModel::Logistic),
        Some(ChurnModel::RandomForest),
        None,
    ] {
        let models = model.into_iter().collect();
        let fit = ChurnFit::fit(&panel(3_000, 1.0), &ChurnPlan { models, ..plan() }).unwrap();
        let customers = rows(16_000, 400, 1.0);
        let score = inputs(&customers);
        let reasons = fit.reasons(&score).unwrap();
        let own = fit.probabilities(&score).unwrap();
        let exchanged = reasons.inputs.iter().map(|input| {
            let exchanged = with_typical(&customers, input);
            fit.probabilities(&exchanged).unwrap()
        });
        let exchanged: Vec<Vec<f64>> = exchanged.collect();
        let mut given = 0;
        for (row, customer) in reasons.customers.iter().enumerate() {
            assert_eq!(customer.raised, own[row] >= fit.base_rate());
            let mut last = f64::INFINITY;
            for reason in customer.strongest.iter().flatten() {
                let name = reasons.inputs[reason.input].column.as_str();
                assert!(name == "recency_days" || name == "plan", "{name}");
                let logit = |p: f64| (p / (1.0 - p)).ln();
                let moved = logit(own[row]) - logit(exchanged[reason.input][row]);
                assert_eq!(moved > 0.0, customer.raised, "{row} {name} {moved}");
                assert_eq!(reason.log_odds > 0.0, customer.raised);
                assert!(moved.abs() <= last + 1e-9, "{row}: not by strength");
                last = moved.abs();
                given += 1;
            }
        }
        assert!(given >= 300, "{:?}: {given}", fit.served());
    }
}

#[test]
fn the_typical_customer_has_the_median_and_the_most_frequent_label() {
    let fit = ChurnFit::fit(&panel(1_500, 1.0), &plan()).unwrap();
    let score = Inputs::new(4)
        .number("recency_days", vec![290.0, 10.0, 20.0, f64::NAN])
        .unwrap()
        .number("noise", vec![f64::NAN, f64::NAN, f64::NAN, 0.5])
        .unwrap()
        .number("constant", vec![4.0; 4])
        .unwrap()
        .label("plan", [Some("pro"), Some("basic"), Some("pro"), None])
        .unwrap();
    let reasons = fit.reasons(&score).unwrap();
    let typical = |column: &str| {
        let mut inputs = reasons.inputs.iter();
        inputs
            .find(|input| input.column == column)
            .unwrap()
            .typical
            .clone()
    };
    assert_eq!(typical("recency_days"), InputValue::Number(20.0));
    assert_eq!(typical("noise"), InputValue::Missing);
    assert_eq!(typical("plan"), InputValue::Label("pro".to_owned()));
}

#[test]
fn parameters_and_calibration_hold_every_candidate() {
    let fit = ChurnFit::fit(&panel(800, 1.0), &plan()).unwrap();
    let parameters = fit.parameters();
    for model in ["logistic", "random_forest", "recency_rule", "base_rate"] {
        for name in [
            "test_auc",
            "test_auc_low_95",
            "test_log_loss",
            "test_brier",
            "test_expected_calibration_error",
        ] {
            let found = parameters
                .iter()
                .find(|p| p.model == model && p.name == name);
            assert!(found.unwrap().value.unwrap().is_finite(), "{model} {name}");
        }
        let rows = fit
            .calibration()
            .into_iter()
            .filter(|row| row.model == model);
        let customers: u64 = rows.map(|row| row.customers).sum();
        let tested = parameters.iter().find(|p| p.name == "test_rows").unwrap();
        assert_eq!(Some(customers as f64), tested.value, "{model}");
    }
    let text = |name: &str| {
        let found = parameters.iter().find(|p| p.name == name).unwrap();
        found.text.clone().unwrap()
    };
    assert_eq!(text("test_date"), "2011-05-26");
    assert_eq!(text("train_last_date"), "2011-03-27");
    assert!(
        parameters
            .iter()
            .all(|p| p.value.is_some() != p.text.is_some())
    );
    let coefficient = |name: &str| {
        parameters
            .iter()
            .any(|p| p.name == format!("coefficient {name}"))
    };
    assert!(
        coefficient("recency_days")
            && coefficient("plan = basic")
            && coefficient("noise is missing")
    );
    assert!(coefficient("plan is missing") && !coefficient("constant"));
}

#[test]
fn unseen_labels_extreme_and_missing_numbers_score_within_0_and_1() {
    let panel = panel(700, 1.0);
    for model in [ChurnModel::Logistic, ChurnModel::RandomForest] {
        let models = vec![model];
        let fit = ChurnFit::fit(&panel, &ChurnPlan { models, ..plan() }).unwrap();
        let n = 5;
        let score = Inputs::new(n)
            .number("recency_days", vec![1e300, -1e300, f64::NAN, 0.0, f64::MAX])
            .unwrap()
            .number("noise", vec![f64::NAN, 1e300, -1e300, f64::MIN, 0.0])
            .unwrap()
            .number("constant", vec![f64::NAN; n])
            .unwrap()
            .label(
                "plan",
                [
                    Some("enterprise"),
                    None,
                    Some("basic"),
                    Some(""),
                    Some("pro"),
                ],
            )
            .unwrap();
        let p = fit.probabilities(&score).unwrap();
        assert!(p.iter().all(|p| (0.0..=1.0).contains(p)), "{p:?}");
        assert_eq!(fit.reasons(&score).unwrap().customers.len(), n);
        assert!(
            fit.probabilities(&inputs(&rows(1, 0, 1.0)))
                .unwrap()
                .is_empty()
        );
    }
}

#[test]
fn extreme_values_in_training_do_not_silence_the_other_columns() {
    let observations = DATES.map(|date| {
        let mut observation = observation(date, 900, 1.0);
        let huge: Vec<f64> = (0..900)
            .map(|i| {
                if i % 100 == 3 {
                    1e300
                } else {
                    f64::from(i % 9)
                }
            })
            .collect();
        observation.inputs = observation.inputs.number("spend", huge).unwrap();
        observation
    });
    let plan = ChurnPlan {
        models: vec![ChurnModel::Logistic],
        ..plan()
    };
    let fit = ChurnFit::fit(&Panel::stack(observations).unwrap(), &plan).unwrap();
    let parameters = fit.parameters();
    assert_eq!(fit.served(), ChurnServed::Logistic, "{}", fit.reason());
    assert!(
        parameters.iter().any(|p| p.name == "coefficient spend"),
        "spend was taken for constant"
    );
    assert!(
        parameters
            .iter()
            .filter_map(|p| p.value)
            .all(f64::is_finite)
    );
}

#[test]
fn too_little_data_says_what_and_how_much_is_needed() {
    let error = |panel: &Panel, plan: &ChurnPlan| ChurnFit::fit(panel, plan).unwrap_err();
    let empty = Panel::stack([observation(DATES[0], 0, 1.0)]).unwrap();
    assert!(matches!(
        error(&empty, &plan()),
        ChurnError::TooLittleData { found: 0, .. }
    ));
    let one = panel(1, 1.0);
    assert!(matches!(
        error(&one, &plan()),
        ChurnError::TooLittleData { needed: 50, .. }
    ));
    let one_date = Panel::stack([observation(DATES[0], 900, 1.0)]).unwrap();
    assert_eq!(
        error(&one_date, &plan()).to_string(),
        "1 usable observation dates, but 2 are needed: the newest to test on, and one at least 30 days before it to learn from; observe longer, or shorten the horizon"
    );
    // All dates lie within the horizon of the newest.
    let wide = ChurnPlan {
        horizon_days: 200,
        ..plan()
    };
    assert!(matches!(
        error(&panel(900, 1.0), &wide),
        ChurnError::Dates { .. }
    ));
    let mut nobody = [
        observation(DATES[0], 900, 1.0),
        observation(DATES[3], 900, 1.0),
    ];
    nobody[1].churned.fill(false);
    assert_eq!(
        error(&Panel::stack(nobody).unwrap(), &plan()).to_string(),
        "0 rows of customers who churned in the test slice, but 10 are needed; observe more customers or more dates, or widen the horizon"
    );
}

#[test]
fn equal_customers_leave_the_base_rate() {
    let equal = DATES.map(|date| {
        let mut observation = observation(date, 900, 0.0);
        observation.inputs = Inputs::new(900)
            .number("recency_days", vec![7.0; 900])
            .unwrap();
        observation
    });
    let fit = ChurnFit::fit(&Panel::stack(equal).unwrap(), &plan()).unwrap();
    assert_eq!(fit.served(), ChurnServed::BaseRate);
    // The forest has no column to split on and says so.
    let said = fit
        .parameters()
        .into_iter()
        .find(|p| p.name == "not_fitted")
        .unwrap();
    assert_eq!(
        said.text.as_deref(),
        Some("the random forest could not be fitted: no column varies")
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let infinite = Inputs::new(2)
        .number("a", vec![1.0, f64::NEG_INFINITY])
        .unwrap_err();
    assert!(
        matches!(infinite, ChurnError::Infinite { row: 1, .. }),
        "{infinite}"
    );
    let short = Inputs::new(2).number("a", vec![1.0]).unwrap_err();
    assert!(matches!(short, ChurnError::Ragged { .. }), "{short}");
    let twice = Inputs::new(1).number("a", vec![1.0]).unwrap();
    assert!(matches!(
        twice.label("a", [None]),
        Err(ChurnError::DuplicateName { .. })
    ));
    let coded = Inputs::new(1).coded("a", vec!["x".to_owned()], vec![Some(1)]);
    assert!(matches!(coded, Err(ChurnError::Code { code: 1, .. })));
    assert!(matches!(
        Panel::new(Inputs::new(0), vec![], vec![], vec![]),
        Err(ChurnError::NoColumns)
    ));
    let panel = panel(600, 1.0);
    let refused = |plan: ChurnPlan| ChurnFit::fit(&panel, &plan).unwrap_err().to_string();
    assert_eq!(
        refused(ChurnPlan {
            horizon_days: 0,
            ..plan()
        }),
        "`horizon_days` is 0, but must be at least 1"
    );
    let unknown = refused(plan().with_recency("recency"));
    assert_eq!(
        unknown,
        "there is no numeric column `recency`; the numeric columns are recency_days, noise, constant"
    );
    let fit = ChurnFit::fit(&panel, &plan()).unwrap();
    let lacking = Inputs::new(1).number("recency_days", vec![3.0]).unwrap();
    assert!(matches!(
        fit.probabilities(&lacking),
        Err(ChurnError::UnknownColumn { .. })
    ));
}
