//! `tessera demo`

use std::path::Path;
use std::process::ExitCode;

use chrono::{Months, NaiveDate};
use tessera_demo::DemoConfig;
use tessera_pipeline::backfill::Every;

use super::{backfill, run};
use crate::arguments::{self, Backfill, Demo, Output};
use crate::output::Failure;

/// The pipeline that the demo runs: the file that the project ships.
const PIPELINE: &str = include_str!("../../../../pipelines/demo.toml");

/// Last day of the demo lake.
const AS_OF: (i32, u32, u32) = (2026, 10, 31);

/// Creates the lake, runs its pipeline, and prints where the report and the tables are.
pub(crate) fn run(demo: &Demo, output: &Output) -> Result<ExitCode, Failure> {
    let lake = demo.dir.join("lake");
    let config = DemoConfig {
        seed: demo.seed,
        customers: demo.customers,
    };
    let started = std::time::Instant::now();
    if !output.quiet {
        let (customers, lake) = (demo.customers, lake.display());
        crate::output::say(&format!(
            "creating a lake of {customers} customers in {lake}"
        ));
    }
    tessera_demo::generate(&lake, &config).map_err(|error| Failure::new(error, 4))?;
    tracing::info!(
        elapsed_ms = started.elapsed().as_millis() as u64,
        "lake created: {:.2} s",
        started.elapsed().as_secs_f64()
    );
    let file = demo.dir.join("demo.toml");
    std::fs::write(&file, PIPELINE)
        .map_err(|error| Failure::io("write pipeline file", &file, &error))?;
    let var = |name: &str, path: &Path| (name.to_owned(), path.display().to_string());
    let pipeline = arguments::Pipeline {
        file,
        vars: arguments::Vars {
            vars: vec![var("lake", &lake), var("out", &demo.dir.join("store"))],
        },
    };
    let as_of = NaiveDate::from_ymd_opt(AS_OF.0, AS_OF.1, AS_OF.2);
    let earlier = earlier(demo, as_of);
    if let (Some(&from), Some(&to)) = (earlier.first(), earlier.last()) {
        let arguments = Backfill {
            pipeline: pipeline.clone(),
            from,
            to,
            every: Every::Months(1),
            again: true,
            hash_inputs: false,
            memory: None,
            work: None,
            store: arguments::StoreAccess::default(),
        };
        let code = backfill::each(&arguments, output, &earlier)?;
        if code != 0 {
            return Ok(ExitCode::from(code));
        }
    }
    let arguments = arguments::Run {
        plan: None,
        pipeline,
        known_as_of: None,
        as_of,
        hash_inputs: false,
        allow_future: false,
        memory: None,
        work: None,
        replace_damaged: false,
        dry_run: false,
        store: arguments::StoreAccess::default(),
        metrics: None,
        lineage: None,
    };
    run::run(&arguments, output)
}

/// The days of the versions before the last one, oldest first.
fn earlier(demo: &Demo, last: Option<NaiveDate>) -> Vec<NaiveDate> {
    let before = |months: u32| last?.checked_sub_months(Months::new(months));
    (1..demo.months).rev().filter_map(before).collect()
}
