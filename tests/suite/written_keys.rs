//! Keys that several sources write differently: what meets no other source is counted and shown, and the expression that a warning
//! states makes the keys meet, by the numbers of customers that were generated.

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};

/// A source of what is known of customers.
const CRM: &str = r#"
[sources.crm]
kind = "attributes"
path = "${lake}/crm"
key = "customer_id"
attributes.plan = { base = "firmographic" }
"#;

const CRM_CONTRACT: &str = r#"
[sources.crm.contract]
columns = { customer_id = "string", plan = "string" }
missing_key = "quarantine"
"#;

const DAY: &str = "2026-01-31";

/// A shop with orders of the customers `ordered`, and the customers `known` of a customer relationship system.
fn shop(ordered: impl Iterator<Item = String>, known: impl Iterator<Item = String>) -> Shop {
    let shop = Shop::new();
    let orders: String = ordered
        .map(|key| format!("{key},2026-01-05,10\n"))
        .collect();
    let known: String = known.map(|key| format!("{key},pro\n")).collect();
    shop.file(
        "orders/a.csv",
        &format!("customer_id,ordered_at,amount\n{orders}"),
    );
    shop.file("crm/a.csv", &format!("customer_id,plan\n{known}"));
    shop
}

/// The customers, and those of them with orders and with a plan.
fn customers(shop: &Shop) -> (usize, usize) {
    let customers = shop.table("customers");
    let plans = customers.texts("plan");
    let days = customers.ints("recency_days");
    let both = plans.iter().zip(&days);
    let both = both.filter(|(plan, days)| plan.is_some() && days.is_some());
    (customers.rows(), both.count())
}

/// The expression of `derive` that a warning states for a source.
fn advice(warnings: &str, source: &str) -> String {
    let end = format!(" in [sources.{source}]");
    let (before, _) = warnings.split_once(&end).unwrap();
    let (_, advice) = before.rsplit_once("set `").unwrap();
    format!("{}\n", advice.trim_end_matches('`'))
}

#[test]
fn keys_that_meet_no_other_source_are_a_warning_with_the_expression_that_makes_them_meet() {
    type Written = fn(u32) -> String;
    let cases: [(&str, Written, &str); 4] = [
        ("leading zeros", |key| format!("{key:06}"), "`999999`"),
        ("`.0` at the end", |key| format!("{key}.0"), "`999.9`"),
        ("white space", |key| format!("\"{key} \""), "`999 `"),
        ("case", |key| format!("kX{key}"), "`xX999`"),
    ];
    for (what, write, form) in cases {
        let lower = |key: u32| match what {
            "case" => format!("kx{key}"),
            _ => key.to_string(),
        };
        let shop = shop((1..=100).map(lower), (51..=130).map(write));
        let parts = [ORDERS, CONTRACT, CRM, CRM_CONTRACT, RFM];
        let warnings = said(&shop.run(&parts, DAY, &[]), 0);
        assert_eq!(customers(&shop), (180, 0), "{what}");
        let counted = "none of its 80 keys is among the 100 keys of the other sources";
        assert!(warnings.contains(counted), "{what}: {warnings}");
        assert!(warnings.contains(form), "{what}: {warnings}");
        assert!(
            warnings.contains(" 50 of them would be"),
            "{what}: {warnings}"
        );
        let notes = shop.table("sources").texts("notes");
        assert!(notes.iter().flatten().any(|note| note.contains(counted)));

        let derive = advice(&warnings, "crm");
        let parts = [ORDERS, CONTRACT, CRM, &derive, CRM_CONTRACT, RFM];
        let both_lower = what == "case";
        let warnings = said(&shop.run(&parts, DAY, &[]), 0);
        assert!(
            both_lower || customers(&shop) == (130, 50),
            "{what}: {warnings}"
        );
        assert!(!warnings.contains("would be"), "{what}: {warnings}");
    }
}

#[test]
fn other_customers_are_a_warning_without_an_expression() {
    let shop = shop(
        (1..=50).map(|key| key.to_string()),
        (101..=150).map(|key| format!("k{key}")),
    );
    let warnings = said(
        &shop.run(&[ORDERS, CONTRACT, CRM, CRM_CONTRACT, RFM], DAY, &[]),
        0,
    );
    assert!(warnings.contains("nothing is to be done"), "{warnings}");
    assert_eq!(warnings.matches("none of its 50 keys").count(), 1);
    assert!(!warnings.contains("would be"), "{warnings}");
}

#[test]
fn keys_outside_the_base_are_compared_with_it() {
    let shop = shop(
        (1..=50).map(|key| key.to_string()),
        (1..=50).map(|key| format!("{key:06}")),
    );
    let parts = [
        "from = [\"orders\"]\n",
        ORDERS,
        CONTRACT,
        CRM,
        CRM_CONTRACT,
        RFM,
    ];
    let warnings = said(&shop.run(&parts, DAY, &[]), 0);
    assert!(warnings.contains("50 of 50 keys (100.0%) have no customer"));
    assert!(warnings.contains(" 50 of them would be"), "{warnings}");
}

#[test]
fn keys_that_are_others_but_for_white_space_are_counted() {
    let shop = Shop::new();
    let file = |end: &str| -> String {
        let rows = (0..100).map(|key| format!("\"C{key:03}{end}\",2026-01-05,10\n"));
        format!(
            "customer_id,ordered_at,amount\n{}",
            rows.collect::<String>()
        )
    };
    shop.file("orders/a.csv", &file(""));
    shop.file("orders/b.csv", &file(" "));
    let warnings = said(&shop.run(&[ORDERS, CONTRACT, RFM], DAY, &[]), 0);
    assert_eq!(shop.table("customers").rows(), 200);
    let counted = "100 of its keys are the key of another customer but for white space";
    assert!(warnings.contains(counted), "{warnings}");
    let derive = advice(&warnings, "orders");
    let warnings = said(&shop.run(&[ORDERS, &derive, CONTRACT, RFM], DAY, &[]), 0);
    assert_eq!(shop.table("customers").rows(), 100);
    assert!(!warnings.contains("white space"), "{warnings}");
}
