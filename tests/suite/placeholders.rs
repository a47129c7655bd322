//! Keys that stand for no customer and hold a large part of the rows: one warning with their rows and what to set, which leaves them
//! out; none for customers.

use crate::shop::{ORDERS, RFM, Shop, random, said};

const DAY: &str = "2026-01-31";

fn contract(key: &str) -> String {
    format!(
        "\n[sources.orders.contract]\ncolumns = {{ customer_id = \"{key}\", ordered_at = \"date\", amount = \"f64\" }}\n\
         missing_key = \"quarantine\"\n"
    )
}

const CRM: &str = r#"
[sources.crm]
kind = "attributes"
path = "${lake}/crm"
key = "customer_id"
attributes.plan = { base = "firmographic" }
[sources.crm.contract]
columns = { customer_id = "string", plan = "string" }
missing_key = "quarantine"
several = "first"
"#;

/// Orders of so many customers, of one to eight each, and of keys with so many each; the number of all.
fn orders(customers: u64, seed: u64, placeholders: &[(&str, u64)]) -> (String, u64) {
    let mut next = random(seed);
    let mut rows = "customer_id,ordered_at,amount\n".to_owned();
    let mut number = 0;
    let mut add = |key: &str, orders: u64| {
        for _ in 0..orders {
            number += 1;
            rows += &format!("{key},2026-01-{:02},10\n", 1 + next(28));
        }
    };
    let mut sizes = random(seed + 1);
    for customer in 0..customers {
        add(&(17_000 + customer).to_string(), 1 + sizes(8));
    }
    for (key, orders) in placeholders {
        add(key, *orders);
    }
    (rows, number)
}

fn run(shop: &Shop, key: &str, source: &str, rest: &str) -> String {
    let (source, contract) = (format!("{ORDERS}{source}"), contract(key));
    said(&shop.run(&[&source, &contract, rest, RFM], DAY, &[]), 0)
}

/// The lines of stderr about keys that hold much, and what the report's table says of them.
fn told(shop: &Shop, stderr: &str) -> (Vec<String>, String) {
    let is_of_keys = |line: &&str| line.contains("and is one customer");
    let lines = stderr.lines().filter(is_of_keys).map(str::to_owned);
    let warnings = shop.table("sources").texts("warnings");
    let published = warnings
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n");
    (lines.collect(), published)
}

#[test]
fn a_placeholder_of_half_of_all_rows_is_named_with_the_filter_that_leaves_it_out() {
    let cases = [
        ("string", "UNKNOWN", "'UNKNOWN'"),
        ("string", "n/a", "'n/a'"),
        ("string", "Guest", "'Guest'"),
        ("i64", "0", "0"),
        ("i64", "-1", "-1"),
    ];
    for (seed, (ty, key, literal)) in cases.into_iter().enumerate() {
        let shop = Shop::new();
        let (rows, all) = orders(120, seed as u64, &[(key, 600)]);
        shop.file("orders/o.csv", &rows);
        let stderr = run(&shop, ty, "", "");
        let (lines, published) = told(&shop, &stderr);
        let found = format!(
            "the key `{key}` holds 600 of {} rows that take part",
            with_comma(all)
        );
        assert_eq!(lines.len(), 1, "{key}: {stderr}");
        assert!(lines[0].contains(&found), "{key}: {}", lines[0]);
        assert!(published.contains(&found), "{key}: {published}");
        let filter = format!("filter = \"customer_id is distinct from {literal}\"");
        assert!(lines[0].contains(&filter), "{key}: {}", lines[0]);
        assert_eq!(shop.table("customers").rows(), 121, "{key}");
        let stderr = run(&shop, ty, &filter, "");
        assert_eq!(told(&shop, &stderr).0, [""; 0], "{key}");
        assert_eq!(shop.table("customers").rows(), 120, "{key}");
        assert_eq!(shop.table("sources").ints("filtered"), [Some(600)], "{key}");
    }
}

#[test]
fn the_id_of_a_till_is_shown_by_its_form_unless_values_are() {
    for ty in ["string", "i64"] {
        let shop = Shop::new();
        let (rows, _) = orders(300, 7, &[("48151", 1_500), ("-1", 500)]);
        shop.file("orders/o.csv", &rows);
        let stderr = run(&shop, ty, "", "");
        let (lines, published) = told(&shop, &stderr);
        assert_eq!(lines.len(), 2, "{stderr}");
        assert!(
            published.contains("the key `99999` holds 1,500 of"),
            "{published}"
        );
        assert!(
            published.contains("the key `-1` holds 500 of"),
            "{published}"
        );
        assert!(
            !stderr.contains("48151") && !published.contains("48151"),
            "{stderr}"
        );
        let stderr = run(&shop, ty, "", "[log]\nvalues = true\n");
        let (lines, published) = told(&shop, &stderr);
        assert!(lines[0].contains("the key `48151` holds"), "{}", lines[0]);
        assert!(
            lines[0].contains("is distinct from") && lines[0].contains("48151"),
            "{}",
            lines[0]
        );
        assert!(!published.contains("48151"), "{published}");
    }
}

#[test]
fn a_placeholder_of_attributes_is_named() {
    let shop = Shop::new();
    let (rows, _) = orders(150, 3, &[]);
    shop.file("orders/o.csv", &rows);
    let known: String = (0..150).map(|n| format!("{},pro\n", 17_000 + n)).collect();
    shop.file(
        "crm/c.csv",
        &format!("customer_id,plan\n{known}{}", "none,free\n".repeat(90)),
    );
    let stderr = run(&shop, "string", "", CRM);
    let (lines, published) = told(&shop, &stderr);
    assert_eq!(lines.len(), 1, "{stderr}");
    assert!(
        lines[0].contains("source `crm`: the key `none` holds 90 of 240 rows"),
        "{}",
        lines[0]
    );
    assert!(
        published.contains("the key `none` holds 90 of 240 rows"),
        "{published}"
    );
}

/// A source outside the base: its placeholder is no customer, which is said by other means.
#[test]
fn a_key_that_is_no_customer_is_not_named() {
    let shop = Shop::new();
    let (rows, _) = orders(150, 3, &[]);
    shop.file("orders/o.csv", &rows);
    let known: String = (0..150).map(|n| format!("{},pro\n", 17_000 + n)).collect();
    shop.file(
        "crm/c.csv",
        &format!("customer_id,plan\n{known}{}", "none,free\n".repeat(90)),
    );
    let (source, contract) = (ORDERS, contract("string"));
    let parts = ["from = [\"orders\"]\n", source, &contract, CRM, RFM];
    let stderr = said(&shop.run(&parts, DAY, &[]), 0);
    assert_eq!(told(&shop, &stderr).0, [""; 0], "{stderr}");
}

#[test]
fn large_customers_are_no_placeholders() {
    // A whale of a small lake, ten customers with a customer 0, and 2,000 equal ones.
    let lakes: [(u64, &[(&str, u64)]); 4] = [
        (40, &[("17999", 400)]),
        (9, &[("0", 10)]),
        (2_000, &[("0", 9)]),
        (400, &[]),
    ];
    for (seed, (customers, large)) in lakes.into_iter().enumerate() {
        let shop = Shop::new();
        let (rows, _) = orders(customers, 20 + seed as u64, large);
        shop.file("orders/o.csv", &rows);
        let stderr = run(&shop, "i64", "", "");
        assert_eq!(told(&shop, &stderr).0, [""; 0], "{customers}: {stderr}");
    }
}

fn with_comma(number: u64) -> String {
    match number / 1_000 {
        0 => number.to_string(),
        thousands => format!("{thousands},{:03}", number % 1_000),
    }
}
