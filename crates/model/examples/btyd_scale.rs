//! How long fitting and scoring take on simulated customers: two years of daily data, MBG/NBD and Gamma-Gamma.
//!
//! `cargo run --release -p tessera-model --example btyd_scale -- [--fits N] [--write FOLDER] [CUSTOMERS ...]`, by default one
//! and ten million. Prints one line per stage with seconds of the wall clock and of the processor, and peak memory beyond
//! the customers' own columns, where the operating system reports it. Customers are scored in row groups, as a table is
//! written.
//!
//! `--write` puts the columns of the first number of customers into FOLDER as raw little-endian numbers (`x.u32`, `t_x.f64`,
//! `tenure.f64`, `mean_spend.f64`), so that other programs can fit the same data. `--fits N` fits N times and scores nothing.

use std::path::Path;
use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, Gamma};
use tessera_model::btyd::{
    BtydFit, BtydModel, ForecastPlan, Forecaster, PurchaseHistory, Simulator, TimeUnit,
};
use tessera_model::laplace::Estimate;
use tessera_model::spend::{SpendFit, SpendHistory};

type Failure = Box<dyn std::error::Error>;

/// Columns as the feature stage provides them.
struct Customers {
    x: Vec<u32>,
    t_x: Vec<f64>,
    tenure: Vec<f64>,
    mean_spend: Vec<f64>,
}

fn simulate(count: usize) -> Result<Customers, Failure> {
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

impl Customers {
    fn write(&self, folder: &Path) -> Result<(), Failure> {
        std::fs::create_dir_all(folder)?;
        let x: Vec<u8> = self.x.iter().flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(folder.join("x.u32"), x)?;
        for (name, column) in [
            ("t_x.f64", &self.t_x),
            ("tenure.f64", &self.tenure),
            ("mean_spend.f64", &self.mean_spend),
        ] {
            let bytes: Vec<u8> = column.iter().flat_map(|v| v.to_le_bytes()).collect();
            std::fs::write(folder.join(name), bytes)?;
        }
        Ok(())
    }

    fn history(&self) -> Result<PurchaseHistory, Failure> {
        let (t_x, tenure) = (&self.t_x, &self.tenure);
        Ok(PurchaseHistory::from_columns(
            TimeUnit::Days,
            &self.x,
            t_x,
            tenure,
        )?)
    }
}

/// Prints stages with seconds since the last one.
struct Laps {
    customers: usize,
    clock: Instant,
    processor: f64,
}

impl Laps {
    fn new(customers: usize) -> Self {
        Self {
            customers,
            clock: Instant::now(),
            processor: processor_seconds(),
        }
    }

    fn lap(&mut self, stage: &str) {
        println!(
            "{:>9}  {stage:<46} {:8.3} s wall {:8.2} s cpu",
            self.customers,
            self.clock.elapsed().as_secs_f64(),
            processor_seconds() - self.processor
        );
        (self.clock, self.processor) = (Instant::now(), processor_seconds());
    }
}

/// Rows of a row group.
const GROUP: usize = 1 << 18;

fn measure(customers: &Customers) -> Result<(), Failure> {
    let count = customers.x.len();
    reset_peak();
    let before = memory_mb("VmRSS");
    let mut laps = Laps::new(count);
    let whole = Instant::now();
    let history = customers.history()?;
    laps.lap(&format!("group into {} histories", history.len()));
    let fit = BtydFit::fit(BtydModel::MbgNbd, &history)?;
    laps.lap(&format!("fit MBG/NBD ({} evaluations)", fit.evaluations));
    let spend_history = SpendHistory::from_columns(&customers.x, &customers.mean_spend, None)?;
    let spend = SpendFit::fit(&spend_history)?;
    drop(spend_history);
    laps.lap(&format!("group and fit {}", spend.name()));
    let plan = ForecastPlan {
        horizon: 365.0,
        discount_per_year: 0.1,
        draws: 200,
        seed: 1,
    };
    let forecaster = Forecaster::new(&fit, plan)?;
    let scorer = forecaster.scorer(&history);
    let forecasts = scorer.forecast(0..history.len());
    laps.lap("forecast every history, 80% and 95% intervals");
    let mut sums = [Estimate::exact(0.0); 2];
    for start in (0..count).step_by(GROUP) {
        let group = start..(start + GROUP).min(count);
        let means = &customers.mean_spend[group.clone()];
        let values = scorer.residual_values(group.clone(), means, &spend, 0.3)?;
        // One row group of the table: forecast and value of each of its customers.
        let rows: Vec<_> = history.row_of()[group]
            .iter()
            .map(|row| forecasts[*row as usize])
            .zip(values)
            .collect();
        for (forecast, value) in &rows {
            add(&mut sums[0], &forecast.purchases);
            add(&mut sums[1], value);
        }
    }
    laps.lap("lifetime value and forecast of every customer");
    let seconds = whole.elapsed().as_secs_f64();
    println!("{count:>9}  all of it {seconds:.3} s");
    println!("{count:>9}  mbg_nbd {:?}", fit.parameters);
    println!("{count:>9}  sums: purchases {:.1?}", sums[0]);
    println!("{count:>9}  sums: residual value {:.0?}", sums[1]);
    if let (Some(before), Some(after)) = (before, memory_mb("VmHWM")) {
        println!(
            "{count:>9}  peak memory {after} MB, of which {before} MB were in use before the first stage: {} MB more",
            after.saturating_sub(before)
        );
    }
    Ok(())
}

fn add(sum: &mut Estimate, one: &Estimate) {
    sum.value += one.value;
    sum.low_80 += one.low_80;
    sum.high_80 += one.high_80;
    sum.low_95 += one.low_95;
    sum.high_95 += one.high_95;
}

/// Fits `fits` times: grouping, MBG/NBD, BG/NBD (which `lifetimes` fits), spend.
fn fit_only(customers: &Customers, fits: usize) -> Result<(), Failure> {
    let mut laps = Laps::new(customers.x.len());
    for _ in 0..fits {
        let history = customers.history()?;
        laps.lap("group");
        let fit = BtydFit::fit(BtydModel::MbgNbd, &history)?;
        laps.lap("fit mbg_nbd");
        let spend = SpendHistory::from_columns(&customers.x, &customers.mean_spend, None)?;
        SpendFit::fit(&spend)?;
        laps.lap("group and fit gamma_gamma");
        let bg = BtydFit::fit(BtydModel::BgNbd, &history)?;
        laps.lap("fit bg_nbd");
        println!(
            "mbg_nbd {:?} log likelihood {:.4}",
            fit.parameters, fit.log_likelihood
        );
        println!(
            "bg_nbd {:?} log likelihood {:.4}",
            bg.parameters, bg.log_likelihood
        );
    }
    Ok(())
}

/// Resets VmHWM to the memory in use now, so that one number of customers does not hide another's peak.
fn reset_peak() {
    // Where the operating system does not support it, the peak of the whole process is reported.
    let _refused = std::fs::write("/proc/self/clear_refs", "5");
}

/// A value of `/proc/self/status` in MB; `None` where there is no such file.
fn memory_mb(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with(name))?;
    let kilobytes = line.split_whitespace().nth(1)?.parse::<u64>().ok()?;
    Some(kilobytes / 1024)
}

/// Seconds of processor time of all threads, user and system, from `/proc`; 0 where there is none. Unlike elapsed time they
/// hardly depend on what else the machine does.
fn processor_seconds() -> f64 {
    let read = || -> Option<f64> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let mut after_name = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let user: f64 = after_name.next()?.parse().ok()?;
        let system: f64 = after_name.next()?.parse().ok()?;
        // Ticks of a hundredth of a second on every Linux in use.
        Some((user + system) / 100.0)
    };
    read().unwrap_or(0.0)
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (mut counts, mut folder, mut fits) = (Vec::new(), None, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--write" => folder = arguments.next(),
            "--fits" => fits = arguments.next().map(|n| n.parse()).transpose()?,
            count => counts.push(count.parse()?),
        }
    }
    if counts.is_empty() {
        counts = vec![1_000_000, 10_000_000];
    }
    for count in counts {
        let customers = simulate(count)?;
        if let Some(folder) = folder.take() {
            customers.write(Path::new(&folder))?;
        }
        match fits {
            Some(fits) => fit_only(&customers, fits)?,
            None => measure(&customers)?,
        }
    }
    Ok(())
}
