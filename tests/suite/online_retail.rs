//! Online Retail (UCI 352): the clean counts, sums and named customers of the data catalogue, exact.

use std::path::Path;

use crate::program::{public_data, run};
use crate::table::Table;

fn published(as_of: &str, out: &Path) -> Option<std::path::PathBuf> {
    let data = public_data("online_retail")?;
    let (lake, store) = (
        format!("lake={}", data.display()),
        format!("out={}", out.display()),
    );
    run(
        &[
            "run",
            "pipelines/online_retail.toml",
            "--as-of",
            as_of,
            "--var",
            &lake,
            "--var",
            &store,
            "--quiet",
        ],
        0,
    );
    Some(out.join("online_retail/latest"))
}

#[test]
fn clean_counts_sums_and_named_customers_are_those_of_the_catalogue() {
    let out = tempfile::tempdir().unwrap();
    let Some(latest) = published("2011-12-10", out.path()) else {
        return;
    };
    let customers = Table::read(&latest.join("customers.parquet"));
    assert_eq!(customers.rows(), 4_338);
    let (recency, orders, spend) = (
        customers.ints("recency_days"),
        customers.ints("order_count"),
        customers.floats("spend_total"),
    );
    assert_eq!(orders.iter().flatten().sum::<i64>(), 18_532);
    let total: f64 = spend.iter().flatten().sum();
    assert!((total - 8_911_407.904).abs() < 1e-6, "{total}");
    assert_eq!(
        orders.iter().flatten().filter(|count| **count == 1).count(),
        1_493
    );

    let rows = customers.by_text("customer_id");
    for (id, r, f, m) in [
        ("12346", 326, 1, 77_183.60),
        ("12347", 3, 7, 4_310.00),
        ("14646", 2, 73, 280_206.02),
    ] {
        let row = rows[id];
        assert_eq!((recency[row], orders[row]), (Some(r), Some(f)), "{id}");
        assert!(
            (spend[row].unwrap() - m).abs() < 1e-6,
            "{id}: {:?}",
            spend[row]
        );
    }
    let highest = spend.iter().flatten().copied().fold(f64::MIN, f64::max);
    assert!((highest - 280_206.02).abs() < 1e-6);
    let median = |values: Vec<f64>| {
        let mut values = values;
        values.sort_by(f64::total_cmp);
        f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
    };
    assert_eq!(
        median(recency.iter().flatten().map(|v| *v as f64).collect()),
        51.0
    );
    assert_eq!(
        median(orders.iter().flatten().map(|v| *v as f64).collect()),
        2.0
    );
    assert!((median(spend.iter().flatten().copied().collect()) - 674.485).abs() < 1e-9);
}

#[test]
fn every_row_is_accounted_for_and_rows_without_a_customer_are_quarantined_with_their_place() {
    let out = tempfile::tempdir().unwrap();
    let Some(latest) = published("2011-12-10", out.path()) else {
        return;
    };
    let sources = Table::read(&latest.join("sources.parquet"));
    let names = sources.texts("source");
    let of_orders = |name: &Option<String>| name.as_deref() == Some("orders");
    let orders = names.iter().position(of_orders).unwrap();
    let number = |name: &str| sources.ints(name)[orders].unwrap();
    assert_eq!(number("rows"), 541_909);
    assert_eq!(number("used"), 397_884);
    // 135,080 of all lines have no customer; the others of them the filter excludes (counted with DuckDB).
    assert_eq!(number("quarantined"), 132_220);
    assert_eq!(
        number("rows"),
        number("used") + number("filtered") + number("quarantined") + number("dropped")
    );
    assert_eq!(number("files"), 305);
    // Of the cancelled lines, all others are no cancellations.
    let cancelled = names
        .iter()
        .position(|name| name.as_deref() == Some("cancellations"));
    assert_eq!(sources.ints("dropped")[cancelled.unwrap()], Some(383));
    let rejects = Table::read(&latest.join("rejects.parquet"));
    assert_eq!(rejects.rows(), 1_000);
    let reject_rules = Table::read(&latest.join("reject_rules.parquet"));
    let rules = reject_rules.texts("rule").into_iter();
    let counted = reject_rules.texts("source").into_iter().zip(rules);
    let counted = counted.zip(reject_rules.ints("rows"));
    let missing = Some("customer_id is missing");
    let counted = counted.filter(|((of, rule), _)| of_orders(of) && rule.as_deref() == missing);
    assert_eq!(
        counted.map(|(_, rows)| rows).collect::<Vec<_>>(),
        [Some(132_220)]
    );
    let (files, rules, rows) = (
        rejects.texts("file"),
        rejects.texts("rule"),
        rejects.texts("row"),
    );
    assert!(
        files[0]
            .as_ref()
            .unwrap()
            .starts_with("month=2010-12/2010-12-01.parquet"),
        "{:?}",
        files[0]
    );
    assert_eq!(rules[0].as_deref(), Some("customer_id is missing"));
    let row: serde_json::Value = serde_json::from_str(rows[0].as_ref().unwrap()).unwrap();
    assert!(
        row["customer_id"].is_null() && row["invoice_no"].is_string(),
        "{row}"
    );
}

#[test]
fn rows_after_as_of_do_not_show_in_what_is_published_of_customers() {
    let Some(data) = public_data("online_retail") else {
        return;
    };
    // A lake that ends in June and one that continues give the same customers at the end of June.
    let cut = tempfile::tempdir().unwrap();
    for month in [
        "2010-12", "2011-01", "2011-02", "2011-03", "2011-04", "2011-05", "2011-06",
    ] {
        let name = format!("month={month}");
        std::fs::create_dir_all(cut.path().join(&name)).unwrap();
        for entry in std::fs::read_dir(data.join(&name)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), cut.path().join(&name).join(entry.file_name())).unwrap();
        }
    }
    let mut bytes = Vec::new();
    for lake in [data.as_path(), cut.path()] {
        let out = tempfile::tempdir().unwrap();
        let (lake, store) = (
            format!("lake={}", lake.display()),
            format!("out={}", out.path().display()),
        );
        run(
            &[
                "run",
                "pipelines/online_retail.toml",
                "--as-of",
                "2011-06-30",
                "--var",
                &lake,
                "--var",
                &store,
                "--quiet",
            ],
            0,
        );
        let latest = out.path().join("online_retail/latest");
        bytes.push(
            ["customers", "memberships", "segments", "profiles", "models"]
                .map(|t| std::fs::read(latest.join(format!("{t}.parquet"))).unwrap()),
        );
    }
    assert!(bytes[0] == bytes[1]);
}
