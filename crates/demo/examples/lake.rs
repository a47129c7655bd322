//! Writes only the demo lake: `cargo run --release -p tessera-demo --example lake DIR [CUSTOMERS] [SEED]`.

use std::path::Path;
use std::process::ExitCode;

use tessera_demo::{DemoConfig, generate};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |position: usize| args.get(position).map(|text| text.parse::<u64>());
    let mut config = DemoConfig::default();
    match (number(1), number(2)) {
        (Some(Err(_)), _) | (_, Some(Err(_))) => return usage(),
        (customers, seed) => {
            config.customers = customers
                .and_then(Result::ok)
                .map_or(config.customers, |n| n.min(u64::from(u32::MAX)) as u32);
            config.seed = seed.and_then(Result::ok).unwrap_or(config.seed);
        }
    }
    let Some(dir) = args.first() else {
        return usage();
    };
    match generate(Path::new(dir), &config) {
        Ok(summary) => {
            println!("{summary:#?}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(4)
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: lake DIR [CUSTOMERS] [SEED]");
    ExitCode::from(2)
}
