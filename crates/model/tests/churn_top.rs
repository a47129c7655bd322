//! What is said of the customers with most to lose: probability x value of the first by it, beside the value of those who leave.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tessera_model::churn::{ChurnFit, ChurnPlan, Inputs, Observation, Panel};

/// Customers whose value is spread as in a wholesale shop (log-normal, sigma 1.5) and who leave the less the more they are worth; at the
/// middle there is a bend, which no line has. Returns their values, and who leaves with what probability.
fn observation(observed_on: i32, customers: usize, seed: u64) -> (Observation, Vec<f64>, Vec<f64>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut value, mut recency, mut planted, mut churned) = (vec![], vec![], vec![], vec![]);
    for _ in 0..customers {
        // Twelve uniform numbers have variance 1 (Irwin and Hall).
        let z = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        let days = 90.0 * random.random::<f64>();
        let eta = -0.4 - 0.9 * z - 0.3 * z.max(0.0) + 0.6 * f64::from(u8::from(days > 45.0));
        let p = 1.0 / (1.0 + (-eta).exp());
        value.push((1.5 * z).exp());
        recency.push(days);
        planted.push(p);
        churned.push(random.random::<f64>() < p);
    }
    let inputs = Inputs::new(customers)
        .number("value", value.clone())
        .unwrap()
        .number("recency_days", recency)
        .unwrap();
    let observation = Observation {
        inputs,
        churned,
        customer: (0..customers as u64).map(|c| c + 10_000 * seed).collect(),
        observed_on,
    };
    (observation, value, planted)
}

/// Over twelve lakes the first twenty of 2,000 have at risk what they may be expected to lose, their value times the planted probability,
/// within a quarter. By a forest alone, which gives all who are worth most the mean of the outermost leaf, it is more than twice as much.
#[test]
fn the_first_twenty_have_at_risk_what_they_are_expected_to_lose() {
    let (mut said, mut expected) = (0.0, 0.0);
    for lake in 0..12 {
        let of = |date: i32| observation(20_000 + 90 * date, 1_000, 3 * lake + date as u64).0;
        let panel = Panel::stack([of(0), of(1)]).unwrap();
        let plan = ChurnPlan::new(90).with_recency("recency_days");
        let fit = ChurnFit::fit(&panel, &plan).unwrap();
        let (today, value, planted) = observation(20_180, 2_000, 1_000 + lake);
        let p = fit.probabilities(&today.inputs).unwrap();
        let mut first: Vec<usize> = (0..p.len()).collect();
        first.sort_by(|&a, &b| (p[b] * value[b]).total_cmp(&(p[a] * value[a])));
        let sum = |of: &[f64]| first[..20].iter().map(|&i| of[i] * value[i]).sum::<f64>();
        println!(
            "{:?}: said {:.0}, expected {:.0}",
            fit.served(),
            sum(&p),
            sum(&planted)
        );
        said += sum(&p);
        expected += sum(&planted);
    }
    println!("said {said:.0}, expected {expected:.0}");
    assert!(
        (said / expected - 1.0).abs() < 0.25,
        "{said} and {expected}"
    );
}
