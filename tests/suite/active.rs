//! Closed accounts leave the base: they have no score, no segment and no part in a KPI; they are counted, and the past includes
//! them.

use std::path::Path;

use crate::oracle::{python, script};
use crate::program::{root, run};
use crate::table::Table;

const AS_OF: &str = "2026-10-31";

/// The shipped demo with `active` of [customer], and a run of it; the folder of its tables.
fn demo(folder: &Path, active: &str) -> (String, String) {
    let path = folder.display().to_string();
    crate::program::demo(&path, 3_000);
    let shipped = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    let from = "from = [\"accounts\", \"orders\"]";
    let stated = shipped.replacen(from, &format!("{from}\nactive = \"{active}\""), 1);
    assert_ne!(stated, shipped);
    let file = format!("{path}/active.toml");
    std::fs::write(&file, stated).unwrap();
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/active"));
    let arguments = [
        "run", &file, "--as-of", AS_OF, "--var", &lake, "--var", &out, "--quiet",
    ];
    run(&arguments, 0);
    (file, format!("{path}/active/demo/latest"))
}

#[test]
fn closed_accounts_have_features_and_nothing_else_and_counts_equal_duckdb() {
    let dir = tempfile::tempdir().unwrap();
    let (file, tables) = demo(dir.path(), "tenure_days is null or tenure_days <= 500");
    let customers = Table::read(&Path::new(&tables).join("customers.parquet"));
    let (active, tenure) = (customers.bools("active"), customers.ints("tenure_days"));
    let columns = [
        "rfm",
        "touch",
        "behaviour",
        "churn_probability",
        "clv",
        "value_at_risk",
        "health",
    ];
    let mut closed = 0;
    for row in 0..customers.rows() {
        let expected = tenure[row].is_none_or(|days| days <= 500);
        assert_eq!(active[row], Some(expected), "row {row}");
        closed += usize::from(!expected);
    }
    for name in columns {
        let known = customers.known(name);
        let of_closed =
            (0..customers.rows()).filter(|&row| active[row] == Some(false) && known[row]);
        assert_eq!(of_closed.count(), 0, "{name} of closed accounts");
    }
    let excluded = customers.texts("churn_excluded");
    assert!((0..customers.rows()).all(|row| (active[row] == Some(false)) == (excluded[row].as_deref() == Some("closed"))));
    assert!(closed > 300 && closed < customers.rows() - 300, "{closed}");
    let Some(python) = python() else { return };
    let lake = dir.path().join("lake").display().to_string();
    script(&python, "active.py", &[&file, &lake, &tables, AS_OF]);
}

#[test]
fn a_base_without_anybody_and_a_second_column_of_that_name_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 500);
    let shipped = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    let from = "from = [\"accounts\", \"orders\"]";
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/none"));
    let file = format!("{path}/none.toml");
    std::fs::write(
        &file,
        shipped.replacen(from, &format!("{from}\nactive = \"1 = 0\""), 1),
    )
    .unwrap();
    let arguments = [
        "run", &file, "--as-of", AS_OF, "--var", &lake, "--var", &out, "--quiet",
    ];
    let said = run(&arguments, 3);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        said.contains("`active` of [customer] is false for all of them"),
        "{said}"
    );
    let twice = shipped
        .replacen(from, &format!("{from}\nactive = \"recency_days < 90\""), 1)
        .replacen("active_90d ", "active ", 1);
    std::fs::write(&file, twice).unwrap();
    let said = run(&["check", &file, "--var", &lake], 2);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("TS-G016"), "{said}");
}
