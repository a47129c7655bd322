//! One read for many dates, on the demo lake: per date the same bytes as a read for that date alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{Days, Months, NaiveDate};
use tessera_demo::{DemoConfig, generate};
use tessera_engine::{Budget, Engine, Materialized, PolarsEngine};
use tessera_features::FeaturePlan;

use crate::prepare::{Reading, Records, prepare};
use crate::prepared::Prepared;

/// Customers of the lake.
const CUSTOMERS: u32 = 400;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The demo pipeline on a lake in this folder.
fn prepared(folder: &Path) -> Prepared {
    let config = DemoConfig {
        customers: CUSTOMERS,
        ..DemoConfig::default()
    };
    generate(&folder.join("lake"), &config).unwrap();
    let text = |name: &str| folder.join(name).display().to_string();
    let reading = Reading {
        vars: vec![
            ("lake".to_owned(), text("lake")),
            ("out".to_owned(), text("store")),
        ],
        records: Records::Kept(folder.to_owned()),
        ..Reading::default()
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/demo.toml");
    prepare(&file, day("2026-10-31"), &reading).unwrap()
}

/// The tables of one source at these dates, read together.
fn read(
    plans: &[(NaiveDate, FeaturePlan)],
    pass: usize,
    engine: &PolarsEngine,
    folder: &Path,
) -> Vec<Materialized> {
    std::fs::create_dir_all(folder).unwrap();
    let paths = plans
        .iter()
        .map(|(date, _)| folder.join(format!("{pass}-{date}.parquet")));
    let paths: Vec<PathBuf> = paths.collect();
    let reads: Vec<_> = plans
        .iter()
        .zip(&paths)
        .map(|((_, plan), path)| (&plan.passes[pass].aggregate, path.as_path()))
        .collect();
    engine.materialize_all(&reads).unwrap()
}

#[test]
fn twenty_four_month_ends_of_the_demo_lake_are_what_each_is_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let prepared = prepared(folder);
    let plans = (0..24).map(|back| {
        let first = day("2026-11-01").checked_sub_months(Months::new(back));
        let date = first.unwrap().checked_sub_days(Days::new(1)).unwrap();
        (
            date,
            prepared.features_at(date, date, &BTreeSet::new()).unwrap(),
        )
    });
    let plans: Vec<(NaiveDate, FeaturePlan)> = plans.collect();
    let engine = PolarsEngine::new(2, Budget::unlimited(folder));
    let mut rows = 0;
    for pass in 0..prepared.features.passes.len() {
        let together = read(&plans, pass, &engine, &folder.join("together"));
        assert_eq!(together.len(), 24);
        for (plan, together) in plans.iter().zip(together) {
            let alone = std::slice::from_ref(plan);
            let alone = read(alone, pass, &engine, &folder.join("alone")).remove(0);
            let source = &plan.1.passes[pass].source;
            let bytes = |made: &Materialized| std::fs::read(&made.table.path).unwrap();
            assert!(bytes(&alone) == bytes(&together), "{source} {}", plan.0);
            assert_eq!(alone.counts, together.counts, "{source} {}", plan.0);
            rows += alone.table.rows;
        }
    }
    assert!(rows > u64::from(CUSTOMERS) * 24, "{rows}");
}
