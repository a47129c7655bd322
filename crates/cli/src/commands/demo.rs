//! `tessera demo`

use std::path::Path;
use std::process::ExitCode;

use chrono::NaiveDate;
use tessera_demo::DemoConfig;

use super::run;
use crate::arguments::{self, Demo, Output};
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
    let arguments = arguments::Run {
        pipeline: arguments::Pipeline {
            file,
            vars: arguments::Vars {
                vars: vec![var("lake", &lake), var("out", &demo.dir.join("store"))],
            },
        },
        known_as_of: None,
        as_of: NaiveDate::from_ymd_opt(AS_OF.0, AS_OF.1, AS_OF.2),
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
