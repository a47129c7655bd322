//! Why customers of a real lake moved and how they differ from before, compared with independent computations.

use std::path::Path;

use crate::oracle::{python, script};
use crate::program::{public_data, run};

#[test]
fn causes_drift_and_cohorts_of_online_retail_are_those_of_duckdb_and_scipy() {
    let (Some(data), Some(python)) = (public_data("online_retail"), python()) else {
        return;
    };
    let store = tempfile::tempdir().unwrap();
    let lake = format!("lake={}", data.display());
    let out = format!("out={}", store.path().display());
    let file = "pipelines/online_retail.toml";
    for day in ["2011-10-31", "2011-11-30", "2011-12-05"] {
        let arguments = [
            "run", file, "--as-of", day, "--var", &lake, "--var", &out, "--quiet",
        ];
        run(&arguments, 0);
    }
    let store = store.path().join("online_retail").display().to_string();
    script(
        &python,
        "replay.py",
        &[&data.display().to_string(), &store, "2"],
    );
    script(&python, "drift.py", &[&store, "2"]);
    // The first version counts all months, the third takes most of them from the second.
    for as_of in ["2011-10-31", "2011-12-05"] {
        let folder = format!("{store}/data/as_of={as_of}");
        let run = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
        let table = run.path().join("cohorts.parquet").display().to_string();
        script(&python, "cohorts.py", &[&table, as_of, &lines(&data)]);
    }
}

/// The rows of orders for `cohorts.py`: key, day, amount, whether it is a purchase.
fn lines(data: &Path) -> String {
    format!(
        "select customer_id, cast(invoiced_at as date), quantity * unit_price, true \
         from read_parquet('{}/**/*.parquet', hive_partitioning = false) \
         where quantity > 0 and unit_price > 0 and invoice_no not like 'C%' and customer_id is not null",
        data.display()
    )
}
