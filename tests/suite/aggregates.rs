//! Aggregates of features: every example of the documentation, and what independent programs answer.

use serde_json::Value;

use crate::oracle::{python, script};
use crate::program::{json, run, tessera};
use crate::table::Table;

/// A pipeline over orders in CSV, with these features.
fn pipeline(folder: &std::path::Path, features: &str) -> String {
    format!(
        "spec_version = 1\nname = \"example\"\ntimezone = \"UTC\"\ncurrency = \"EUR\"\nstore = \"{0}/store\"\n[customer]\nkey = \"customer_id\"\n\
         [sources.orders]\nkind = \"events\"\npath = \"{0}/orders.csv\"\nkey = \"customer_id\"\ntime = \"day\"\n\
         [sources.orders.contract]\ncolumns = {{ customer_id = \"string\", day = \"date\", amount = \"f64\" }}\nmissing_key = \"fail\"\n\
         [features]\n{features}\n",
        folder.display()
    )
}

#[test]
fn every_example_of_the_documentation_gives_the_value_it_states() {
    let aggregates = json(&run(&["schema", "--aggregates", "--json"], 0));
    let aggregates = aggregates.as_array().unwrap();
    assert!(aggregates.len() >= 10);
    for aggregate in aggregates {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (name, example) = (text(&aggregate["name"]), &aggregate["example"]);
        let dir = tempfile::tempdir().unwrap();
        let mut rows = String::from("customer_id,day,amount\n");
        for row in text(&example["rows"]).split("; ") {
            let (day, amount) = row.split_once(' ').unwrap();
            let amount = if amount == "-" { "" } else { amount };
            rows.push_str(&format!("c1,{day},{amount}\n"));
        }
        std::fs::write(dir.path().join("orders.csv"), rows).unwrap();
        let feature = format!("mine = {}", text(&example["feature"]));
        let file = dir.path().join("example.toml");
        std::fs::write(&file, pipeline(dir.path(), &feature)).unwrap();
        let file = file.to_str().unwrap();
        run(&["run", file, "--as-of", "2026-02-01", "--quiet"], 0);
        let customers = Table::read(&dir.path().join("store/latest/customers.parquet"));
        // A float is shown without digits behind the point where it has none.
        let expected = text(&example["expect"]);
        let expected = expected.strip_suffix(".0").unwrap_or(&expected);
        assert_eq!(customers.shown("mine"), expected, "{name}");
    }
}

/// What `check` takes, `run` computes: a constant null of every type, and of none.
#[test]
fn aggregates_of_null_are_null_or_nothing() {
    let aggregates = json(&run(&["schema", "--aggregates", "--json"], 0));
    let names = aggregates.as_array().unwrap().iter();
    let names: Vec<&str> = names.filter_map(|one| one["name"].as_str()).collect();
    let types = [
        "null",
        "cast(null as bigint)",
        "cast(null as double)",
        "cast(null as varchar)",
        "cast(null as date)",
        "cast(null as boolean)",
    ];
    let (mut taken, mut refused) = (0, 0);
    for name in names {
        for (number, of) in types.into_iter().enumerate() {
            let dir = tempfile::tempdir().unwrap();
            let rows = "customer_id,day,amount\nc1,2026-01-05,1\nc1,2026-01-06,2\n";
            std::fs::write(dir.path().join("orders.csv"), rows).unwrap();
            let share = if name == "quantile" { ", q = 0.5" } else { "" };
            let feature =
                format!("mine = {{ from = \"orders\", agg = \"{name}\", of = \"{of}\"{share} }}");
            let file = dir.path().join("example.toml");
            std::fs::write(&file, pipeline(dir.path(), &feature)).unwrap();
            let file = file.to_str().unwrap();
            let checked = tessera().args(["check", file]).output().unwrap();
            if checked.status.code() != Some(0) {
                refused += 1;
                continue;
            }
            taken += 1;
            run(&["run", file, "--as-of", "2026-02-01", "--quiet"], 0);
            let customers = Table::read(&dir.path().join("store/latest/customers.parquet"));
            let found = customers.shown("mine");
            assert!(
                ["", "0", "0.00"].contains(&found.as_str()),
                "{name} {number}: {found}"
            );
        }
    }
    assert!(taken > 20 && refused > 5, "{taken} {refused}");
}

#[test]
fn values_of_every_type_give_what_duckdb_answers() {
    let Some(python) = python() else { return };
    script(
        &python,
        "aggregates.py",
        &[
            env!("CARGO_BIN_EXE_tessera"),
            "count_distinct",
            "median",
            "mode",
            "quantile",
        ],
    );
}
