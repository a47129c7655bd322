//! How many rows a run may reject, what happens to values that do not convert, and the messages about both.

use std::fmt::Write;

use crate::shop::{ORDERS, RFM, Shop, said};

/// Good rows, and rows of an export in a changed format.
fn lake(shop: &Shop, good: usize, changed: usize) {
    let mut text = String::from("customer_id,ordered_at,amount\n");
    (0..good).for_each(|i| writeln!(text, "c{i},2026-09-{:02},10", 1 + i % 30).unwrap());
    shop.file("orders/2026-09.csv", &text);
    let mut text = String::from("customer_id,ordered_at,amount\n");
    (0..changed).for_each(|i| writeln!(text, "n{i},{:02}/10/2026,10", 1 + i % 31).unwrap());
    shop.file("orders/2026-10.csv", &text);
}

fn contract(more: &str) -> String {
    format!(
        "[sources.orders.contract]\ncolumns = {{ customer_id = \"string\", ordered_at = \"date\", amount = \"f64\" }}\n\
         missing_key = \"quarantine\"\n{more}"
    )
}

#[test]
fn half_of_the_rows_are_not_published_unless_allowed() {
    let shop = Shop::new();
    lake(&shop, 200, 200);
    let told = said(
        &shop.run(&[ORDERS, &contract(""), RFM], "2026-10-31", &["--quiet"]),
        3,
    );
    for part in [
        "200 of 400 rows (50.0%)",
        "more than the limit of 40%",
        "ordered_at is not a date, such as `01/10/2026` (2026-10.csv, row 1)",
        "`max_rejected = \"50%\"` in [sources.orders.contract]",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!shop.published());
    // The setting that the message suggests works, and the lost rows are still reported.
    let allowed = contract("max_rejected = \"50%\"\n");
    let told = said(
        &shop.run(&[ORDERS, &allowed, RFM], "2026-10-31", &["--quiet"]),
        0,
    );
    assert!(
        told.contains("200 of 400 rows (50.0%) quarantined: ordered_at is not a date"),
        "{told}"
    );
    assert_eq!(shop.table("customers").rows(), 200);
    let shares = shop.table("reject_rules").floats("share");
    assert_eq!(shares, [Some(0.5)]);
    let notes = shop.table("sources").texts("notes")[0].clone().unwrap();
    assert!(notes.contains("`01/10/2026`"), "{notes}");
    let report = std::fs::read_to_string(shop.path("store/reports/version-1.html")).unwrap();
    let report = report.replace("&#x2f;", "/");
    assert!(report.contains("ordered_at is not a date") && report.contains("01/10/2026"));
}

#[test]
fn limits_are_shares_or_numbers_of_a_source_or_a_rule() {
    let shop = Shop::new();
    lake(&shop, 97, 3);
    for (limit, code) in [
        ("max_rejected = \"3%\"", 0),
        ("max_rejected = \"2.9%\"", 3),
        ("max_rejected = 3", 0),
        ("max_rejected = 2", 3),
        (
            "conversions = { on_fail = \"quarantine\", max_rejected = 2 }",
            3,
        ),
        (
            "conversions = { on_fail = \"drop\", max_rejected = \"2%\" }",
            3,
        ),
        (
            "conversions = { on_fail = \"drop\", max_rejected = \"3%\" }",
            0,
        ),
        (
            "rules = [{ name = \"early\", check = \"customer_id <> 'c1'\", max_rejected = 0 }]",
            3,
        ),
        (
            "rules = [{ name = \"early\", check = \"customer_id <> 'c1'\", max_rejected = 1 }]",
            0,
        ),
    ] {
        let contract = contract(&format!("{limit}\n"));
        let told = said(
            &shop.run(&[ORDERS, &contract, RFM], "2026-10-31", &["--quiet"]),
            code,
        );
        assert_eq!(shop.published(), code == 0, "{limit}: {told}");
        // A message never shows the key of a row.
        assert!(!told.contains("c1`"), "{told}");
    }
}

#[test]
fn a_value_that_does_not_convert_is_a_rule_like_any_other() {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount\na,2026-10-01,10\na,2026-10-02,ten\nb,2026-10-03,30\n",
    );
    let run = |conversions: &str, code: i32| {
        let contract = contract(&format!("conversions = \"{conversions}\"\n"));
        said(
            &shop.run(&[ORDERS, &contract, RFM], "2026-10-31", &["--quiet"]),
            code,
        )
    };
    for (conversions, spend, orders, quarantined, dropped) in [
        ("quarantine", 10.0, 1, 1, 0),
        ("drop", 10.0, 1, 0, 1),
        ("null", 10.0, 2, 0, 0),
    ] {
        run(conversions, 0);
        let customers = shop.table("customers");
        assert_eq!(
            customers.numbers("spend_total")[0],
            Some(spend),
            "{conversions}"
        );
        assert_eq!(
            customers.ints("order_count")[0],
            Some(orders),
            "{conversions}"
        );
        let sources = shop.table("sources");
        assert_eq!(
            sources.ints("quarantined"),
            [Some(quarantined)],
            "{conversions}"
        );
        assert_eq!(sources.ints("dropped"), [Some(dropped)], "{conversions}");
    }
    let told = run("fail", 3);
    assert!(
        told.contains(
            "amount is not a number in 1 of 3 rows (33.3%), such as `xxx` (o.csv, row 2)"
        ),
        "{told}"
    );
    assert!(!shop.published());
}

/// The first rows of every rule are kept, in the order of files and rows; all are counted.
#[test]
fn the_first_rejects_of_each_rule_are_kept() {
    let shop = Shop::new();
    lake(&shop, 20, 5);
    shop.file("orders/2026-11.csv", "customer_id,ordered_at,amount\n,2026-10-09,1\nz,09/11/2026,1\n,2026-10-10,1\n,2026-10-11,1\n");
    let contract = contract("keep_rejects = 2\n");
    for threads in ["1", "4"] {
        let more = ["--quiet", "--threads", threads];
        said(&shop.run(&[ORDERS, &contract, RFM], "2026-10-31", &more), 0);
        let rejects = shop.table("rejects");
        let places: Vec<(String, i64)> = rejects
            .texts("file")
            .into_iter()
            .flatten()
            .zip(rejects.ints("row_number").into_iter().flatten())
            .collect();
        let expected = [
            ("2026-10.csv", 1),
            ("2026-10.csv", 2),
            ("2026-11.csv", 1),
            ("2026-11.csv", 3),
        ];
        assert_eq!(places, expected.map(|(file, row)| (file.to_owned(), row)));
        let rules = shop.table("reject_rules");
        assert_eq!(rules.ints("rows"), [Some(3), Some(6)]);
        assert_eq!(rules.ints("kept"), [Some(2), Some(2)]);
    }
}

/// Logs, warnings, errors and the summary: with JSON logs every line of stderr is a JSON object.
#[test]
fn every_line_of_stderr_is_json_where_that_is_asked_for() {
    let shop = Shop::new();
    lake(&shop, 20, 2);
    let check = |output: &std::process::Output, code| {
        let text = said(output, code);
        assert!(!text.is_empty());
        for line in text.lines() {
            let value: serde_json::Value = serde_json::from_str(line).expect(line);
            assert!(
                value["level"].is_string() && value["message"].is_string(),
                "{line}"
            );
        }
        text
    };
    let json = ["--log-format", "json"];
    let told = check(
        &shop.run(&[ORDERS, &contract(""), RFM], "2026-10-31", &json),
        0,
    );
    let reject = told
        .lines()
        .find(|line| line.contains("quarantined"))
        .unwrap();
    let reject: serde_json::Value = serde_json::from_str(reject).unwrap();
    assert_eq!(reject["rule"], "ordered_at is not a date");
    assert_eq!(reject["rows"], 2);
    assert_eq!(reject["example"], "01/10/2026");
    check(
        &shop.run(
            &[ORDERS, &contract("max_rejected = 1\n"), RFM],
            "2026-10-31",
            &json,
        ),
        3,
    );
    check(
        &shop.run(
            &[ORDERS, &contract("max_rejectd = 1\n"), RFM],
            "2026-10-31",
            &json,
        ),
        2,
    );
}

/// The limit of missing keys is one of every column of a key, and of the customer of a map of keys.
#[test]
fn a_limit_of_missing_keys_counts_every_column_of_the_key() {
    let limit = "missing_key = { on_fail = \"quarantine\", max_rejected = 0 }\n";
    let rates = format!(
        "[sources.rates]\nkind = \"lookup\"\npath = \"${{lake}}/rates\"\nkey = [\"currency\", \"day\"]\n\
         [sources.rates.contract]\ncolumns = {{ currency = \"string\", day = \"date\", rate = \"f64\" }}\n{limit}"
    );
    let merged = format!(
        "[sources.merged]\nkind = \"lookup\"\npath = \"${{lake}}/merged\"\nkey = \"old\"\n\
         [sources.merged.contract]\ncolumns = {{ old = \"string\", new = \"string\" }}\n{limit}\
         [customer.identity]\nfrom = \"merged\"\nto = \"new\"\n"
    );
    for (lookup, file, good, bad, missing) in [
        (
            &rates,
            "rates/r.csv",
            "currency,day,rate\nEUR,2026-10-01,3\n",
            ",2026-10-01,4\n",
            "currency",
        ),
        (
            &rates,
            "rates/r.csv",
            "currency,day,rate\nEUR,2026-10-01,3\n",
            "EUR,,4\n",
            "day",
        ),
        (&merged, "merged/m.csv", "old,new\nz,a\n", ",b\n", "old"),
        (&merged, "merged/m.csv", "old,new\nz,a\n", "y,\n", "new"),
    ] {
        let shop = Shop::new();
        shop.file(
            "orders/o.csv",
            "customer_id,ordered_at,amount\na,2026-10-01,2\n",
        );
        let parts = [ORDERS, &contract(""), lookup.as_str(), RFM];
        shop.file(file, good);
        said(&shop.run(&parts, "2026-10-31", &["--quiet"]), 0);
        shop.file(file, &format!("{good}{bad}"));
        let told = said(&shop.run(&parts, "2026-10-31", &["--quiet"]), 3);
        assert!(told.contains(&format!("{missing} is missing")), "{told}");
    }
}
