//! Every model of the crate is run on the same difficult tables: no panic, no NaN, either a finite result or an error that says
//! what is wrong; the same result on one, two and eight threads; and the same bits after it was stored and loaded.
//!
//! [`MODELS`] is the registry: a new model gets a row there and is run on all of [`cases`]. The results and errors of single
//! models are tested elsewhere (`btyd_conformance.rs` and the modules' own tests).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Beta, Distribution, Exp1, Gamma};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tessera_model::Matrix;
use tessera_model::btyd::{
    BtydFit, BtydModel, Fallback, ForecastPlan, Forecaster, NbdFit, PurchaseFit, PurchaseHistory,
    PurchaseModel, Served, Simulator, TimeUnit,
};
use tessera_model::churn::{ChurnFit, ChurnPlan, Inputs, Panel};
use tessera_model::cluster::{
    KmeansModel, KmeansParams, Preparation, PreparationParams, cluster_customers,
};
use tessera_model::contractual::{
    Lifetime, RenewalFit, RenewalHistory, RenewalModel, SurvivalCurve,
};
use tessera_model::health::{HealthBand, HealthComponent, HealthFit, HealthPlan, HealthScale};
use tessera_model::interrupt::Interrupt;
use tessera_model::laplace::Estimate;
use tessera_model::spend::{CredibilityMean, GammaGammaFit, SpendFit, SpendHistory};
use tessera_spec::pipeline::{KChoice, Transform};

/// One customer. Each model reads the fields that it needs.
#[derive(Debug, Clone, Copy)]
struct Row {
    x: u32,
    t_x: f64,
    tenure: f64,
    spend: f64,
    weight: f64,
    /// Days of a contract until it ended, or until now.
    stay: f64,
    left: bool,
}

/// Scores of customers or of points on a curve: of the fit, and of the fit after it was stored and loaded. `None` where the
/// model gives none.
struct Answer {
    fresh: Vec<Option<f64>>,
    loaded: Vec<Option<f64>>,
}

type Outcome = Result<Answer, String>;

/// A model: its name, and how it is fitted and scored.
struct Model {
    name: &'static str,
    run: fn(&[Row]) -> Outcome,
}

const MODELS: &[Model] = &[
    Model {
        name: "bg_nbd",
        run: |rows| btyd(BtydModel::BgNbd, rows),
    },
    Model {
        name: "mbg_nbd",
        run: |rows| btyd(BtydModel::MbgNbd, rows),
    },
    Model {
        name: "pareto_nbd",
        run: |rows| btyd(BtydModel::ParetoNbd, rows),
    },
    Model {
        name: "nbd",
        run: nbd,
    },
    Model {
        name: "fallback",
        run: fallback,
    },
    Model {
        name: "gamma_gamma",
        run: gamma_gamma,
    },
    Model {
        name: "credibility_mean",
        run: credibility_mean,
    },
    Model {
        name: "lifetime value",
        run: lifetime_value,
    },
    Model {
        name: "sbg",
        run: |rows| renewal(RenewalModel::Sbg, rows),
    },
    Model {
        name: "bdw",
        run: |rows| renewal(RenewalModel::Bdw, rows),
    },
    Model {
        name: "kaplan_meier",
        run: kaplan_meier,
    },
    Model {
        name: "kmeans",
        run: kmeans,
    },
    Model {
        name: "health",
        run: health,
    },
    Model {
        name: "churn",
        run: churn,
    },
];

/// A table with a name. `ordinary` tables are those that every model must be able to answer.
struct Case {
    name: &'static str,
    rows: Vec<Row>,
    ordinary: bool,
}

fn ordinary() -> Vec<Row> {
    let mut simulator = Simulator::new(BtydModel::MbgNbd, [0.9, 40.0, 0.9, 2.0], 11).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(12);
    let level = Gamma::new(4.0, 1.0 / 15.0).unwrap();
    let leaving = Beta::new(0.8, 4.0).unwrap();
    (0..900_u32)
        .map(|i| {
            let tenure = f64::from(60 + i * 7919 % 600);
            let (x, t_x) = simulator.customer(tenure).seen_at(tenure);
            // Spend as Gamma-Gamma assumes: it varies between customers, and their means vary less the more they bought.
            let occasions = f64::from(x.max(1));
            let rate = level.sample(&mut random) * occasions;
            let spend = Gamma::new(6.0 * occasions, 1.0 / rate).unwrap();
            let spend = spend.sample(&mut random);
            // A probability to leave per month that differs between customers, as the renewal models assume; observed until now.
            let chance: f64 = leaving.sample(&mut random);
            let patience: f64 = Exp1.sample(&mut random);
            let months = (patience / -(-chance).ln_1p()).ceil();
            let seen = (tenure / 30.0).ceil();
            Row {
                x,
                t_x: t_x.ceil().min(tenure),
                tenure,
                spend,
                weight: 1.0,
                stay: 30.0 * months.min(seen),
                left: months <= seen,
            }
        })
        .collect()
}

fn cases() -> Vec<Case> {
    let mut all = vec![Case {
        name: "ordinary",
        rows: ordinary(),
        ordinary: true,
    }];
    all.extend(odd_tables());
    all.extend(odd_sizes());
    all
}

fn case(name: &'static str, rows: Vec<Row>) -> Case {
    Case {
        name,
        rows,
        ordinary: false,
    }
}

/// The ordinary table after one change to a customer who bought again.
fn with(change: fn(&mut Row)) -> Vec<Row> {
    let mut rows = ordinary();
    if let Some(row) = rows.iter_mut().find(|row| row.x > 1) {
        change(row);
    }
    rows
}

/// The ordinary table after the same change to all rows.
fn all(change: fn(&mut Row)) -> Vec<Row> {
    let mut rows = ordinary();
    rows.iter_mut().for_each(change);
    rows
}

/// Too few rows, rows without variation, missing or impossible values.
fn odd_tables() -> Vec<Case> {
    let base = ordinary();
    let one = base.iter().find(|row| row.x > 1).copied().unwrap();
    let never = |row: &mut Row| (row.x, row.t_x) = (0, 0.0);
    let one_purchase = |row: &mut Row| (row.x, row.t_x) = (row.x.min(1), row.t_x);
    vec![
        case("empty", vec![]),
        case("one customer", vec![one]),
        case("two customers", base[..2].to_vec()),
        case("all equal", vec![one; 500]),
        case("spend constant", all(|row| row.spend = 30.0)),
        case("spend zero", all(|row| row.spend = 0.0)),
        case("nobody bought again", all(never)),
        case("bought once more or never", all(one_purchase)),
        case("everybody left", all(|row| row.left = true)),
        case("nobody left", all(|row| row.left = false)),
        case("one spend NaN", with(|row| row.spend = f64::NAN)),
        case("one spend infinite", with(|row| row.spend = f64::INFINITY)),
        case("one spend negative", with(|row| row.spend = -5.0)),
        case("every spend NaN", all(|row| row.spend = f64::NAN)),
        case("one last purchase NaN", with(|row| row.t_x = f64::NAN)),
        case(
            "one tenure NaN",
            with(|row| (row.tenure, row.stay) = (f64::NAN, f64::NAN)),
        ),
        case(
            "one tenure infinite",
            with(|row| (row.tenure, row.stay) = (f64::INFINITY, f64::INFINITY)),
        ),
        case(
            "one tenure negative",
            with(|row| (row.tenure, row.stay) = (-1.0, -1.0)),
        ),
        case(
            "every tenure zero",
            all(|row| (row.stay, row.tenure, row.t_x, row.x) = (0.0, 0.0, 0.0, 0)),
        ),
    ]
}

/// Weights, money and times far from what is usual.
fn odd_sizes() -> Vec<Case> {
    vec![
        case("one weight NaN", with(|row| row.weight = f64::NAN)),
        case("one weight zero", with(|row| row.weight = 0.0)),
        case("every weight huge", all(|row| row.weight = 1e12)),
        case("every weight tiny", all(|row| row.weight = 1e-12)),
        case("one spend huge", with(|row| row.spend = 1e300)),
        case("every spend huge", all(|row| row.spend *= 1e300)),
        case("every spend tiny", all(|row| row.spend *= 1e-300)),
        case(
            "four hundred purchases in ten years",
            with(|row| (row.x, row.t_x, row.tenure) = (400, 3649.0, 3650.0)),
        ),
        case(
            "four billion purchases",
            with(|row| (row.x, row.t_x, row.tenure) = (u32::MAX, 50.0, 60.0)),
        ),
        case(
            "one tenure of a geological age",
            with(|row| (row.x, row.t_x, row.tenure, row.stay) = (1, 3.0, 1e12, 1e12)),
        ),
        // A horizon far longer than the observation needs quadrature instead of closed forms; a few customers are enough.
        case("times tiny", {
            let tiny = |row: &Row| Row {
                t_x: row.t_x * 1e-9,
                tenure: row.tenure * 1e-9,
                stay: row.stay * 1e-9,
                ..*row
            };
            ordinary()[..150].iter().map(tiny).collect()
        }),
        case(
            "times huge",
            all(|row| {
                row.t_x *= 1e9;
                row.tenure *= 1e9;
                row.stay *= 1e9;
            }),
        ),
    ]
}

fn column<T>(rows: &[Row], of: impl Fn(&Row) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

/// The scores of a fit, and of the fit after it was stored and loaded.
fn answer<T: Serialize + DeserializeOwned>(
    fit: &T,
    score: impl Fn(&T) -> Result<Vec<Option<f64>>, String>,
) -> Outcome {
    let stored = serde_json::to_string(fit).map_err(|e| format!("PANIC not stored: {e}"))?;
    let loaded: T = serde_json::from_str(&stored)
        .map_err(|e| format!("PANIC stored but not loaded: {e}: {stored:.2000}"))?;
    Ok(Answer {
        fresh: score(fit)?,
        loaded: score(&loaded)?,
    })
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn histories(rows: &[Row]) -> Result<PurchaseHistory, String> {
    let (x, t_x) = (column(rows, |r| r.x), column(rows, |r| r.t_x));
    let tenure = column(rows, |r| r.tenure);
    PurchaseHistory::from_days(TimeUnit::Weeks, &x, &t_x, &tenure).map_err(said)
}

const PLAN: ForecastPlan = ForecastPlan {
    horizon: 26.0,
    discount_per_year: 0.1,
    draws: 200,
    seed: 5,
};

/// The value and the ends of its intervals, which are all missing where there is no interval.
fn ends(e: &Estimate) -> [Option<f64>; 5] {
    let ends = [e.low_80, e.high_80, e.low_95, e.high_95];
    let has_interval = !ends.iter().all(|end| end.is_nan());
    let [a, b, c, d] = ends.map(|end| has_interval.then_some(end));
    [Some(e.value), a, b, c, d]
}

fn forecasts(
    fit: impl Into<PurchaseFit>,
    history: &PurchaseHistory,
) -> Result<Vec<Option<f64>>, String> {
    let all = Forecaster::new(fit, PLAN).map_err(said)?.forecast(history);
    let values = all.iter().flat_map(|f| {
        [
            f.p_alive,
            f.purchases,
            f.p_no_purchase,
            f.discounted_purchases,
        ]
    });
    Ok(values.flat_map(|e| ends(&e)).collect())
}

fn btyd(model: BtydModel, rows: &[Row]) -> Outcome {
    let history = histories(rows)?;
    let fit = BtydFit::fit(model, &history).map_err(said)?;
    answer(&fit, |fit| forecasts(fit, &history))
}

fn nbd(rows: &[Row]) -> Outcome {
    let history = histories(rows)?;
    let fit = NbdFit::fit(&history, Interrupt::NEVER).map_err(said)?;
    answer(&fit, |fit| forecasts(fit, &history))
}

fn fallback(rows: &[Row]) -> Outcome {
    let history = histories(rows)?;
    let requested = PurchaseModel::Btyd(BtydModel::ParetoNbd);
    let fit = Fallback::fit(requested, &history, Interrupt::NEVER).map_err(said)?;
    answer(&fit, |fit| match &fit.served {
        Served::Model(fit) => forecasts(fit, &history),
        Served::Heuristic(rate) => Ok(history
            .summaries()
            .map(|s| Some(rate.expected_purchases(s.x, s.tenure, 26.0)))
            .collect()),
        Served::Nothing => Ok(history.summaries().map(|_| None).collect()),
    })
}

fn spends(rows: &[Row]) -> Result<SpendHistory, String> {
    let weights = column(rows, |r| r.weight);
    let (x, spend) = (column(rows, |r| r.x), column(rows, |r| r.spend));
    SpendHistory::from_columns(&x, &spend, Some(&weights)).map_err(said)
}

fn expected_spends(rows: &[Row], of: impl Fn(u32, f64) -> f64) -> Result<Vec<Option<f64>>, String> {
    Ok(column(rows, |r| Some(of(r.x, r.spend))))
}

fn gamma_gamma(rows: &[Row]) -> Outcome {
    let fit = GammaGammaFit::fit(&spends(rows)?).map_err(said)?;
    answer(&fit, |fit| {
        expected_spends(rows, |x, mean| fit.expected_spend(x, mean))
    })
}

fn credibility_mean(rows: &[Row]) -> Outcome {
    let fit = CredibilityMean::fit(&spends(rows)?).map_err(said)?;
    let fit = SpendFit::CredibilityMean {
        fit,
        reason: "asked for".to_owned(),
    };
    answer(&fit, |fit| {
        expected_spends(rows, |x, mean| fit.expected_spend(x, mean))
    })
}

/// Purchases and spend together, each fallback included.
fn lifetime_value(rows: &[Row]) -> Outcome {
    let history = histories(rows)?;
    let purchases = BtydFit::fit(BtydModel::MbgNbd, &history).map_err(said)?;
    let spend = SpendFit::fit(&spends(rows)?).map_err(said)?;
    let means = column(rows, |r| r.spend);
    answer(&(purchases, spend), |(purchases, spend)| {
        let forecaster = Forecaster::new(purchases, PLAN).map_err(said)?;
        let values = forecaster.residual_values(&history, &means, spend, 0.3);
        Ok(values.map_err(said)?.iter().flat_map(ends).collect())
    })
}

/// Months of the contract, as a period.
fn months(row: &Row) -> u32 {
    (row.stay / 30.0).ceil() as u32
}

fn renewal(model: RenewalModel, rows: &[Row]) -> Outcome {
    let mut history = RenewalHistory::new();
    for row in rows {
        history
            .add(months(row), row.left, row.weight)
            .map_err(said)?;
    }
    let fit = RenewalFit::fit(model, &history).map_err(said)?;
    answer(&fit, |fit| {
        let mut scores: Vec<Option<f64>> = (0..40)
            .flat_map(|age| {
                let age = f64::from(age);
                ends(&fit.conditional_survival_estimate(age, 12.0, 200, 3))
            })
            .collect();
        scores.extend((1..40).map(|t| Some(fit.retention(t))));
        scores.push(Some(fit.expected_renewals(3.0, 24)));
        let worth = fit.discounted_residual_lifetime(4, 0.01).map_err(said)?;
        scores.push(Some(worth));
        Ok(scores)
    })
}

fn kaplan_meier(rows: &[Row]) -> Outcome {
    let lifetimes = column(rows, |r| Lifetime {
        entry: 0.0,
        exit: r.stay,
        left: r.left,
        weight: r.weight,
    });
    let fit = SurvivalCurve::fit(&lifetimes).map_err(said)?;
    answer(&fit, |fit| {
        let mut scores = Vec::new();
        for step in &fit.steps {
            scores.extend([step.survival, step.standard_error].map(Some));
            scores.extend([step.low_95, step.high_95]);
            scores.push(fit.restricted_mean(step.time));
            scores.push(fit.conditional_survival(step.time, 1.0));
        }
        scores.push(fit.median());
        Ok(scores)
    })
}

fn table(rows: &[Row]) -> Result<Matrix<'static>, String> {
    let columns = vec![
        column(rows, |r| f64::from(r.x)),
        column(rows, |r| r.t_x),
        column(rows, |r| r.tenure),
        column(rows, |r| r.spend),
    ];
    let names = ["orders", "last_days", "tenure_days", "spend"].map(str::to_owned);
    Matrix::from_columns(names.to_vec(), columns).map_err(said)
}

fn kmeans(rows: &[Row]) -> Outcome {
    let table = table(rows)?;
    let mut params = KmeansParams::new(KChoice::Fixed(4));
    (params.restarts, params.seed) = (3, 8);
    let config = params.check().map_err(said)?;
    let preparation = PreparationParams::new(Transform::Auto);
    let clusters = cluster_customers(&table, &preparation, &config).map_err(said)?;
    let assignment = &clusters.fit.assignment;
    let parts: (Preparation, KmeansModel) = (clusters.preparation, clusters.fit.model);
    answer(&parts, |(preparation, model)| {
        let prepared = preparation.apply(&table).map_err(said)?;
        let again = model.assign(&prepared).map_err(said)?;
        assert_eq!(again.cluster, assignment.cluster, "scored as fitted");
        let places = again.cluster.iter().map(|c| Some(f64::from(*c)));
        Ok(places.chain(again.distance.into_iter().map(Some)).collect())
    })
}

fn health(rows: &[Row]) -> Outcome {
    let component = |name: &str, weight, scale| HealthComponent {
        name: name.to_owned(),
        weight,
        scale,
    };
    let small = |small_is_good| HealthScale::Percentile { small_is_good };
    let line = HealthScale::Linear {
        worst: 0.0,
        best: 300.0,
    };
    let steps = HealthScale::Steps(vec![(25.0, 0.0), (50.0, 60.0), (0.0, 100.0)]);
    let components = vec![
        component("orders", 3.0, small(false)),
        component("tenure_days", 1.0, small(true)),
        component("last_days", 2.0, line),
        component("spend", 4.0, steps),
    ];
    let bands = [("red", Some(36.0)), ("yellow", Some(71.0)), ("green", None)];
    let bands = bands.map(|(name, below)| HealthBand {
        name: name.to_owned(),
        below,
    });
    let plan = HealthPlan::new(components, 0.6, bands.to_vec()).map_err(said)?;
    let table = table(rows)?;
    let fit = HealthFit::fit(&plan, &table).map_err(said)?;
    answer(&fit, |fit| {
        let scores = fit.score(&table).map_err(said)?;
        let refused = |coverage: f64| coverage < 0.6 - 1e-9;
        let each = scores.score.iter().zip(&scores.coverage);
        Ok(each
            .map(|(score, coverage)| (!refused(*coverage)).then_some(*score))
            .collect())
    })
}

/// Who left, from the same columns, with all candidates: both models, the recency rule and the base rate.
fn churn(rows: &[Row]) -> Outcome {
    let inputs = Inputs::new(rows.len())
        .number("orders", column(rows, |r| f64::from(r.x)))
        .and_then(|i| i.number("spend", column(rows, |r| r.spend)))
        .and_then(|i| i.number("days_silent", column(rows, |r| r.tenure - r.t_x)))
        .map_err(said)?;
    let customers = (0..rows.len() as u64).collect();
    let left = column(rows, |r| r.left);
    let panel = Panel::new(inputs.clone(), left, customers, vec![0; rows.len()]).map_err(said)?;
    let plan = ChurnPlan::new(30).with_recency("days_silent");
    let fit = ChurnFit::fit_static(&panel, &plan).map_err(said)?;
    answer(&fit, |fit| {
        let probabilities = fit.probabilities(&inputs).map_err(said)?;
        Ok(probabilities.into_iter().map(Some).collect())
    })
}

fn bits(scores: &[Option<f64>]) -> Vec<Option<u64>> {
    scores.iter().map(|s| s.map(f64::to_bits)).collect()
}

fn on_threads(threads: usize, model: &Model, rows: &[Row]) -> Outcome {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(|| (model.run)(rows))
}

#[test]
fn every_model_answers_with_finite_numbers_or_says_why_not() {
    for model in MODELS {
        for case in cases() {
            let place = format!("{} on `{}`", model.name, case.name);
            match (model.run)(&case.rows) {
                Ok(answer) => {
                    let bad = answer.fresh.iter().flatten().find(|s| !s.is_finite());
                    assert!(bad.is_none(), "{place}: {bad:?}");
                    assert!(
                        !answer.fresh.is_empty() || case.rows.is_empty(),
                        "{place}: there is no result"
                    );
                    assert_eq!(bits(&answer.fresh), bits(&answer.loaded), "{place}: stored");
                }
                Err(text) => {
                    assert!(!case.ordinary, "{place}: {text}");
                    assert!(!text.starts_with("PANIC"), "{place}: {text}");
                    // A sentence that says what is wrong: more than a word, no debug output.
                    assert!(
                        text.split_whitespace().count() >= 5 && !text.contains("{ "),
                        "{place}: {text}"
                    );
                    println!("{place}: {text}");
                }
            }
        }
    }
}

#[test]
fn threads_change_no_bit_of_any_model() {
    let kept = ["ordinary", "spend constant", "every weight huge"];
    let cases: Vec<Case> = cases()
        .into_iter()
        .filter(|case| kept.contains(&case.name))
        .collect();
    assert_eq!(cases.len(), kept.len());
    for model in MODELS {
        for case in &cases {
            let runs: Vec<Result<Vec<Option<u64>>, String>> = [1, 2, 8, 8]
                .iter()
                .map(|threads| {
                    on_threads(*threads, model, &case.rows).map(|answer| bits(&answer.fresh))
                })
                .collect();
            for run in &runs[1..] {
                assert!(*run == runs[0], "{} on `{}`", model.name, case.name);
            }
        }
    }
}
