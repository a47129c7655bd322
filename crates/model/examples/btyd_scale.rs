//! How long fitting and scoring take on simulated customers: two years of daily data, MBG/NBD and Gamma-Gamma.
//!
//! `cargo run --release -p tessera-model --example btyd_scale [CUSTOMERS ...]`, by default one and ten million. Prints one
//! line per stage with seconds, and the peak memory of the process where the system tells it.

use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, Gamma};
use tessera_model::btyd::{
    BtydFit, BtydModel, ForecastPlan, Forecaster, PurchaseHistory, Simulator, TimeUnit,
};
use tessera_model::spend::{SpendFit, SpendHistory};

/// Columns as the feature stage hands them over.
struct Customers {
    x: Vec<u32>,
    t_x: Vec<f64>,
    tenure: Vec<f64>,
    mean_spend: Vec<f64>,
}

fn simulate(count: usize) -> Result<Customers, Box<dyn std::error::Error>> {
    // The parameters that `lifetimes` is timed with: purchases in days, dropout only after repeat purchases.
    let mut simulator = Simulator::new(BtydModel::BgNbd, [0.8, 60.0, 0.8, 2.5], 3)?;
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let (p, q, v) = (6.25, 3.74, 15.4);
    let scale = Gamma::new(q, 1.0 / v)?;
    let mut all = Customers {
        x: Vec::with_capacity(count),
        t_x: Vec::with_capacity(count),
        tenure: Vec::with_capacity(count),
        mean_spend: Vec::with_capacity(count),
    };
    for _ in 0..count {
        let tenure = 30.0 + (random.next_u64() % 701) as f64;
        let (x, t_x) = simulator.customer(tenure).seen_at(tenure);
        let mean = if x == 0 {
            f64::NAN
        } else {
            let rate = scale.sample(&mut random);
            Gamma::new(p * f64::from(x), 1.0 / (rate * f64::from(x)))?.sample(&mut random)
        };
        all.x.push(x);
        all.t_x.push(t_x.ceil().min(tenure));
        all.tenure.push(tenure);
        all.mean_spend.push(mean);
    }
    Ok(all)
}

fn measure(count: usize) -> Result<(), Box<dyn std::error::Error>> {
    let customers = simulate(count)?;
    let before = peak_memory_mb();
    let mut clock = Instant::now();
    let mut lap = |stage: &str| {
        println!(
            "{count:>9}  {stage:<42} {:8.3} s",
            clock.elapsed().as_secs_f64()
        );
        clock = Instant::now();
    };
    let history = PurchaseHistory::from_columns(
        TimeUnit::Days,
        &customers.x,
        &customers.t_x,
        &customers.tenure,
    )?;
    lap(&format!("group into {} histories", history.len()));
    let fit = BtydFit::fit(BtydModel::MbgNbd, &history)?;
    lap(&format!("fit MBG/NBD ({} evaluations)", fit.evaluations));
    let spend_history = SpendHistory::from_columns(&customers.x, &customers.mean_spend, None)?;
    let spend = SpendFit::fit(&spend_history)?;
    drop(spend_history);
    lap(&format!("group and fit {}", spend.name()));
    let plan = ForecastPlan {
        horizon: 365.0,
        discount_per_year: 0.1,
        draws: 200,
        seed: 1,
    };
    let forecaster = Forecaster::new(&fit, plan)?;
    let forecasts = forecaster.forecast(&history);
    lap("forecast with 80% and 95% intervals");
    let values = forecaster.residual_values(&history, &customers.mean_spend, &spend, 0.3)?;
    lap("lifetime value with intervals");
    println!("{count:>9}  mbg_nbd {:?}", fit.parameters);
    println!("{count:>9}  first forecast {:?}", forecasts[0].purchases);
    println!(
        "{count:>9}  total residual value {:.0}",
        values.iter().map(|v| v.value).sum::<f64>()
    );
    if let (Some(before), Some(after)) = (before, peak_memory_mb()) {
        println!("{count:>9}  peak memory {after} MB, {before} MB before the first stage");
    }
    Ok(())
}

/// VmHWM of Linux; `None` elsewhere.
fn peak_memory_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM"))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|kb| kb / 1024)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut counts: Vec<usize> = std::env::args()
        .skip(1)
        .map(|a| a.parse())
        .collect::<Result<_, _>>()?;
    if counts.is_empty() {
        counts = vec![1_000_000, 10_000_000];
    }
    counts.into_iter().try_for_each(measure)
}
