//! The same seed gives the same bytes; the contents of the folders.

use std::fs;

use tessera_demo::{DemoConfig, DemoError, generate};

use super::rows::{CUSTOMERS, batches, default_lake, files, lake};

#[test]
fn same_seed_same_bytes_and_another_seed_other_bytes() {
    let config = DemoConfig {
        seed: 11,
        customers: 600,
    };
    let one = lake(config);
    let two = lake(config);
    assert_eq!(one.summary, two.summary);
    assert!(
        files(&one.root) == files(&two.root),
        "the same seed gave other bytes"
    );
    let other = lake(DemoConfig { seed: 12, ..config });
    assert!(
        files(&one.root) != files(&other.root),
        "another seed gave the same bytes"
    );
}

#[test]
fn writing_over_an_earlier_lake_gives_the_same_bytes() {
    let config = DemoConfig {
        seed: 11,
        customers: 300,
    };
    let fresh = lake(config);
    let before = files(&fresh.root);
    generate(&fresh.root, &config).unwrap();
    assert!(files(&fresh.root) == before);
}

#[test]
fn a_company_has_customers() {
    let dir = tempfile::tempdir().unwrap();
    for customers in [0, DemoConfig::MAX_CUSTOMERS + 1] {
        let error = generate(
            dir.path(),
            &DemoConfig {
                customers,
                ..DemoConfig::default()
            },
        )
        .unwrap_err();
        assert!(matches!(error, DemoError::Customers { .. }));
        assert_eq!(
            error.to_string(),
            format!("the demo lake can have 1 to 999999 customers, not {customers}")
        );
    }
    let single = lake(DemoConfig {
        seed: 1,
        customers: 1,
    });
    assert_eq!(single.summary.customers, 1);
}

#[test]
fn a_lake_in_the_way_of_a_file_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("orders"), "not a folder").unwrap();
    let error = generate(
        dir.path(),
        &DemoConfig {
            customers: 10,
            ..DemoConfig::default()
        },
    )
    .unwrap_err();
    assert!(
        matches!(&error, DemoError::Io { path, .. } if path.ends_with("orders")),
        "{error}"
    );
}

#[test]
fn the_summary_counts_what_lies_in_the_folders() {
    let lake = default_lake();
    for table in &lake.summary.tables {
        let found = files(&lake.root.join(table.name));
        assert_eq!(found.len() as u64, table.files, "{}", table.name);
        assert_eq!(
            found.values().map(|bytes| bytes.len() as u64).sum::<u64>(),
            table.bytes,
            "{}",
            table.name
        );
        let rows: usize = match table.name {
            "tickets" => found
                .values()
                .map(|b| b.iter().filter(|c| **c == b'\n').count() - 1)
                .sum(),
            "surveys" => found
                .values()
                .map(|b| b.iter().filter(|c| **c == b'\n').count())
                .sum(),
            _ => batches(&lake.root.join(table.name))
                .iter()
                .map(|(_, batch)| batch.num_rows())
                .sum(),
        };
        assert_eq!(rows as u64, table.rows, "{}", table.name);
    }
    assert_eq!(lake.summary.customers, u64::from(CUSTOMERS));
}

#[test]
fn the_default_lake_stays_small() {
    let lake = lake(DemoConfig::default());
    let bytes: u64 = lake.summary.tables.iter().map(|table| table.bytes).sum();
    assert!(bytes < 40_000_000, "{bytes} bytes");
    let rows = |name: &str| {
        lake.summary
            .tables
            .iter()
            .find(|t| t.name == name)
            .unwrap()
            .rows
    };
    assert!(rows("orders") < 600_000 && rows("product_events") < 1_000_000);
    assert_eq!(lake.summary.customers, 20_000);
}
