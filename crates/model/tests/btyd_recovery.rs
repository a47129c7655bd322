//! Simulated parameters are recovered, and intervals have the stated coverage. Seeds are fixed, so results never vary.

use rayon::prelude::*;
use tessera_model::btyd::{
    BtydFit, BtydModel, ForecastPlan, Forecaster, PurchaseHistory, Simulator, Summary, TimeUnit,
};
use tessera_model::contractual::{RenewalFit, RenewalHistory, RenewalModel};
use tessera_model::spend::{GammaGammaFit, SpendFit, SpendHistory};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Beta, Distribution, Gamma};

/// Enough that the four correlated parameters of a run leave the coverage a standard error below 0.01.
const RUNS: u64 = 1000;

/// Counts over runs: how many had all parameters within three standard errors, and how many parameters lay in their 95%
/// interval (on the log scale, where the likelihood is closest to normal).
fn recovered(truth: &[f64], runs: &[(Vec<f64>, Vec<f64>)]) -> (f64, f64) {
    let (mut within, mut covered) = (0.0, 0.0);
    for (parameters, log_errors) in runs {
        let z: Vec<f64> = parameters
            .iter()
            .zip(truth)
            .zip(log_errors)
            .map(|((got, want), error)| (got / want).ln().abs() / error)
            .collect();
        within += f64::from(u8::from(z.iter().all(|z| *z <= 3.0)));
        covered += z.iter().filter(|z| **z <= 1.959_964).count() as f64;
    }
    (
        within / runs.len() as f64,
        covered / (runs.len() * truth.len()) as f64,
    )
}

fn assert_recovered(name: &str, truth: &[f64], runs: &[(Vec<f64>, Vec<f64>)], failed: usize) {
    let (within, covered) = recovered(truth, runs);
    println!(
        "{name}: all within 3 SE in {within:.3}, 95% intervals cover {covered:.4}, not fitted {failed}"
    );
    // A run that was not fitted did not recover anything.
    let within = within * runs.len() as f64 / (runs.len() + failed) as f64;
    assert!(within >= 0.95, "{name}: within 3 SE in {within}");
    assert!(
        (0.93..=0.97).contains(&covered),
        "{name}: coverage {covered}"
    );
}

fn simulate(model: BtydModel, truth: [f64; 4], customers: usize, seed: u64) -> PurchaseHistory {
    let mut simulator = Simulator::new(model, truth, seed).unwrap();
    let rows: Vec<Summary> = (0..customers)
        .map(|i| {
            // Acquired over twelve weeks, observed for a year and a half.
            let tenure = 66.0 + (i % 12) as f64;
            let (x, t_x) = simulator.customer(tenure).seen_at(tenure);
            Summary {
                x,
                t_x,
                tenure,
                weight: 1.0,
            }
        })
        .collect();
    PurchaseHistory::from_summaries(TimeUnit::Weeks, &rows).unwrap()
}

fn truth(model: BtydModel) -> [f64; 4] {
    match model {
        BtydModel::BgNbd => [0.8, 6.0, 0.9, 2.5],
        BtydModel::MbgNbd => [0.9, 6.0, 0.9, 2.0],
        BtydModel::ParetoNbd => [0.9, 8.0, 0.9, 15.0],
    }
}

#[test]
fn btyd_parameters_are_recovered() {
    for (model, customers) in [
        (BtydModel::BgNbd, 3000),
        (BtydModel::MbgNbd, 4000),
        (BtydModel::ParetoNbd, 3000),
    ] {
        let truth = truth(model);
        let fits: Vec<Option<BtydFit>> = (0..RUNS)
            .into_par_iter()
            .map(|seed| BtydFit::fit(model, &simulate(model, truth, customers, 1000 + seed)).ok())
            .collect();
        let failed = fits.iter().filter(|f| f.is_none()).count();
        let runs: Vec<_> = fits
            .iter()
            .flatten()
            .map(|f| {
                (
                    f.parameters.to_vec(),
                    (0..4).map(|i| f.log_covariance[i][i].sqrt()).collect(),
                )
            })
            .collect();
        assert_recovered(model.name(), &truth, &runs, failed);
    }
}

#[test]
fn forecast_intervals_cover_the_true_expectation() {
    let customers = [
        (0, 0.0, 66.0),
        (1, 20.0, 70.0),
        (4, 60.0, 66.0),
        (12, 40.0, 77.0),
    ];
    let plan = ForecastPlan {
        horizon: 52.0,
        discount_per_year: 0.1,
        draws: 400,
        seed: 5,
    };
    for model in [BtydModel::MbgNbd, BtydModel::BgNbd] {
        let truth = truth(model);
        // The true parameters, as a fit.
        let mut exact = BtydFit::fit(model, &simulate(model, truth, 3000, 1)).unwrap();
        exact.parameters = truth;
        let rows: Vec<Summary> = customers
            .iter()
            .map(|&(x, t_x, tenure)| Summary {
                x,
                t_x,
                tenure,
                weight: 1.0,
            })
            .collect();
        let asked = PurchaseHistory::from_summaries(TimeUnit::Weeks, &rows).unwrap();
        let runs = 400_u64;
        let hits: Vec<[f64; 2]> = (0..runs)
            .into_par_iter()
            .map(|seed| {
                let fit = BtydFit::fit(model, &simulate(model, truth, 3000, 5000 + seed)).unwrap();
                let forecasts = Forecaster::new(&fit, plan).unwrap().forecast(&asked);
                let mut hits = [0.0; 2];
                for (summary, forecast) in asked.summaries().zip(forecasts) {
                    let want = exact.expected_purchases(
                        summary.x,
                        summary.t_x,
                        summary.tenure,
                        plan.horizon,
                    );
                    let purchases = forecast.purchases;
                    hits[0] += f64::from(u8::from(
                        purchases.low_95 <= want && want <= purchases.high_95,
                    ));
                    hits[1] += f64::from(u8::from(
                        purchases.low_80 <= want && want <= purchases.high_80,
                    ));
                }
                hits
            })
            .collect();
        let share = |k: usize| {
            hits.iter().map(|h| h[k]).sum::<f64>() / (runs as usize * customers.len()) as f64
        };
        println!(
            "{}: 95% intervals cover {:.4}, 80% intervals {:.4}",
            model.name(),
            share(0),
            share(1)
        );
        assert!(
            (0.93..=0.97).contains(&share(0)),
            "{}: {}",
            model.name(),
            share(0)
        );
        assert!(
            (0.77..=0.83).contains(&share(1)),
            "{}: {}",
            model.name(),
            share(1)
        );
    }
}

#[test]
fn gamma_gamma_parameters_are_recovered() {
    let truth = [6.0, 3.7, 15.0];
    let fits: Vec<GammaGammaFit> = (0..RUNS)
        .into_par_iter()
        .map(|seed| {
            let mut random = ChaCha8Rng::seed_from_u64(3000 + seed);
            let scale = Gamma::new(truth[1], 1.0 / truth[2]).unwrap();
            let x: Vec<u32> = (0..2000).map(|i| 1 + i % 9).collect();
            let mean: Vec<f64> = x
                .iter()
                .map(|&x| {
                    let rate = scale.sample(&mut random) * f64::from(x);
                    Gamma::new(truth[0] * f64::from(x), 1.0 / rate)
                        .unwrap()
                        .sample(&mut random)
                })
                .collect();
            GammaGammaFit::fit(&SpendHistory::from_columns(&x, &mean, None).unwrap()).unwrap()
        })
        .collect();
    // The second log-parameter is that of q - 1.
    let runs: Vec<_> = fits
        .iter()
        .map(|f| {
            (
                vec![f.p, f.q - 1.0, f.v],
                (0..3).map(|i| f.log_covariance[i][i].sqrt()).collect(),
            )
        })
        .collect();
    assert_recovered(
        "gamma_gamma",
        &[truth[0], truth[1] - 1.0, truth[2]],
        &runs,
        0,
    );
}

#[test]
fn renewal_parameters_are_recovered() {
    for (model, truth) in [
        (RenewalModel::Sbg, vec![0.7, 2.0]),
        (RenewalModel::Bdw, vec![0.9, 2.5, 1.3]),
    ] {
        let c = truth.get(2).copied().unwrap_or(1.0);
        let fits: Vec<Option<RenewalFit>> = (0..RUNS)
            .into_par_iter()
            .map(|seed| {
                let mut random = ChaCha8Rng::seed_from_u64(4000 + seed);
                let leaving = Beta::new(truth[0], truth[1]).unwrap();
                let mut history = RenewalHistory::new();
                for i in 0..8000_u32 {
                    // Given theta, S(t) = (1 - theta)^(t^c); seen for 6 to 14 periods.
                    let (theta, u, seen): (f64, f64, u32) =
                        (leaving.sample(&mut random), unit(&mut random), 6 + i % 9);
                    let left = (1..=seen).find(|t| u > (1.0 - theta).powf(f64::from(*t).powf(c)));
                    history
                        .add(left.unwrap_or(seen), left.is_some(), 1.0)
                        .unwrap();
                }
                RenewalFit::fit(model, &history).ok()
            })
            .collect();
        let failed = fits.iter().filter(|f| f.is_none()).count();
        let runs: Vec<_> = fits
            .iter()
            .flatten()
            .map(|f| {
                (
                    f.parameters.clone(),
                    (0..truth.len())
                        .map(|i| f.log_covariance[i][i].sqrt())
                        .collect(),
                )
            })
            .collect();
        assert_recovered(model.name(), &truth, &runs, failed);
    }
}

fn unit(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 * 2f64.powi(-53)
}

/// The fit of what customers of these histories spend, of a world of Gamma-Gamma with these parameters.
fn spend_of(seed: u64, [p, q, v]: [f64; 3], history: &PurchaseHistory) -> GammaGammaFit {
    let mut random = ChaCha8Rng::seed_from_u64(9_000 + seed);
    let scale = Gamma::new(q, 1.0 / v).unwrap();
    let x: Vec<u32> = history
        .row_of()
        .iter()
        .map(|&row| history.summary(row as usize).x)
        .collect();
    let mut mean = |x: &u32| match *x {
        0 => f64::NAN,
        x => {
            let rate = scale.sample(&mut random) * f64::from(x);
            Gamma::new(p * f64::from(x), 1.0 / rate)
                .unwrap()
                .sample(&mut random)
        }
    };
    let means: Vec<f64> = x.iter().map(&mut mean).collect();
    GammaGammaFit::fit(&SpendHistory::from_columns(&x, &means, None).unwrap()).unwrap()
}

/// Lifetime values of a world of MBG/NBD purchases and Gamma-Gamma spend, with the parameters of both estimated from the same 3,000
/// customers. A run counts by the share of its four customers whose interval holds the true expectation, so the share of all varies by no
/// more than that of one customer over 400 runs: three standard deviations of the binomial are 0.033 at 95% and 0.06 at 80%.
#[test]
fn intervals_of_lifetime_value_cover_the_true_expectation() {
    let model = BtydModel::MbgNbd;
    let (purchases, [p, q, v]) = (truth(model), [6.0, 3.7, 15.0]);
    let customers = [
        (0, 0.0, 66.0, f64::NAN),
        (1, 20.0, 70.0, 4.0),
        (4, 60.0, 66.0, 6.0),
        (12, 40.0, 77.0, 9.0),
    ];
    let plan = ForecastPlan {
        horizon: 52.0,
        discount_per_year: 0.1,
        draws: 200,
        seed: 5,
    };
    let rows = customers.map(|(x, t_x, tenure, _)| Summary {
        x,
        t_x,
        tenure,
        weight: 1.0,
    });
    let asked = PurchaseHistory::from_summaries(TimeUnit::Weeks, &rows).unwrap();
    let means = customers.map(|customer| customer.3);
    let values = |fit: &BtydFit, spend: GammaGammaFit, plan: ForecastPlan| {
        let forecaster = Forecaster::new(fit, plan).unwrap();
        let spend = SpendFit::GammaGamma(spend);
        forecaster
            .residual_values(&asked, &means, &spend, 0.3)
            .unwrap()
    };
    let history = simulate(model, purchases, 3000, 1);
    let mut exact = BtydFit::fit(model, &history).unwrap();
    exact.parameters = purchases;
    let mut exact_spend = spend_of(0, [p, q, v], &history);
    (exact_spend.p, exact_spend.q, exact_spend.v) = (p, q, v);
    let wanted = values(&exact, exact_spend, ForecastPlan { draws: 0, ..plan });
    let runs = 400_u64;
    let hits: Vec<[f64; 2]> = (0..runs)
        .into_par_iter()
        .map(|seed| {
            let history = simulate(model, purchases, 3000, 7000 + seed);
            let fit = BtydFit::fit(model, &history).unwrap();
            let found = values(&fit, spend_of(seed, [p, q, v], &history), plan);
            let within =
                |low: f64, want: f64, high: f64| f64::from(u8::from(low <= want && want <= high));
            found
                .iter()
                .zip(&wanted)
                .fold([0.0; 2], |hits, (found, wanted)| {
                    let want = wanted.value;
                    [
                        hits[0] + within(found.low_95, want, found.high_95),
                        hits[1] + within(found.low_80, want, found.high_80),
                    ]
                })
        })
        .collect();
    let share = |k: usize| {
        hits.iter().map(|h| h[k]).sum::<f64>() / (runs as usize * customers.len()) as f64
    };
    println!(
        "95% intervals cover {:.4}, 80% intervals {:.4}",
        share(0),
        share(1)
    );
    assert!((0.917..=0.983).contains(&share(0)), "{}", share(0));
    assert!((0.74..=0.86).contains(&share(1)), "{}", share(1));
}
