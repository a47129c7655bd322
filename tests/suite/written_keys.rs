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
    // The summary names it again, as the worst warning of the source.
    let lines = warnings.lines().filter(|line| line.contains("WARN"));
    let told = lines.filter(|line| line.contains("none of its 50 keys"));
    assert_eq!(told.count(), 1, "{warnings}");
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

/// What a product is, by numbers that are written as `written`.
fn with_products(written: impl Fn(u32) -> String) -> Shop {
    let shop = Shop::new();
    let orders = (1..=100).map(|n| format!("C{n:03},2026-01-05,10,{n}\n"));
    let orders: String = orders.collect();
    shop.file(
        "orders/a.csv",
        &format!("customer_id,ordered_at,amount,sku\n{orders}"),
    );
    let products = (51..=120).map(|n| format!("{},tools\n", written(n)));
    let products: String = products.collect();
    shop.file("products/a.csv", &format!("sku,category\n{products}"))
        .file("products/b.csv", "sku,category\nX,none\n");
    shop
}

#[test]
fn keys_of_a_join_that_find_no_row_are_compared_with_those_of_the_lookup() {
    let contract = CONTRACT.replace("amount = \"f64\"", "amount = \"f64\", sku = \"string\"");
    let lookup =
        "[sources.products]\nkind = \"lookup\"\npath = \"${lake}/products\"\nkey = [\"sku\"]\n";
    let lookup_contract = "[sources.products.contract]\ncolumns = { sku = \"string\", category = \"string\" }\nmissing_key = \"quarantine\"\n";
    let join = "[sources.orders.join.products]\non = [\"sku\"]\ncolumns = [\"category\"]\n";
    let tools = "tools = { from = \"orders\", agg = \"count\", where = \"category = 'tools'\" }\n";
    let run = |shop: &Shop, derive: &str| {
        let parts = [
            ORDERS,
            &contract,
            join,
            lookup,
            derive,
            lookup_contract,
            RFM,
            tools,
        ];
        said(&shop.run(&parts, DAY, &[]), 0)
    };
    let with_tools = |shop: &Shop| {
        let tools = shop.table("customers").ints("tools");
        tools.into_iter().flatten().filter(|rows| *rows > 0).count()
    };
    for (what, shop) in [
        ("leading zeros", with_products(|n| format!("{n:06}"))),
        ("white space", with_products(|n| format!("\"{n} \""))),
    ] {
        let warnings = run(&shop, "");
        assert!(
            warnings.contains(&format!("Without {what}"))
                && warnings.contains(" 50 of its keys would, such as `999` here"),
            "{warnings}"
        );
        let notes = shop.table("sources").texts("notes");
        let is_masked = |note: &&str| note.contains("would, such as") && !note.contains("`51`");
        assert!(notes.iter().flatten().any(|note| is_masked(&note.as_str())));
        assert_eq!(with_tools(&shop), 0);

        let warnings = run(&shop, &advice(&warnings, "products"));
        assert!(warnings.contains("50 of 100 rows"), "{warnings}");
        assert!(!warnings.contains("would, such as"), "{warnings}");
        assert_eq!(with_tools(&shop), 50);
    }
    let other = with_products(|n| format!("P{n}"));
    let warnings = run(&other, "");
    assert!(warnings.contains("100 of 100 rows"), "{warnings}");
    assert!(!warnings.contains("would, such as"), "{warnings}");
}

/// A key whose rows are all of a later day is no key that is written differently.
#[test]
fn keys_of_a_lookup_without_a_valid_row_are_not_compared() {
    let shop = with_products(|n| n.to_string());
    let contract = CONTRACT.replace("amount = \"f64\"", "amount = \"f64\", sku = \"string\"");
    let products: String = (1..=100)
        .map(|n| format!("{n},tools,2026-01-20\n"))
        .collect();
    shop.file("prices/a.csv", &format!("sku,category,since\n{products}"));
    let lookup = "[sources.prices]\nkind = \"lookup\"\npath = \"${lake}/prices\"\nkey = [\"sku\"]\ntime = \"since\"\n";
    let lookup_contract = "[sources.prices.contract]\ncolumns = { sku = \"string\", category = \"string\", since = \"date\" }\nmissing_key = \"quarantine\"\n";
    let join = "[sources.orders.join.prices]\non = [\"sku\"]\ncolumns = [\"category\"]\nas_of = \"ordered_at\"\n";
    let parts = [ORDERS, &contract, join, lookup, lookup_contract, RFM];
    let warnings = said(&shop.run(&parts, DAY, &[]), 0);
    assert!(warnings.contains("100 of 100 rows"), "{warnings}");
    assert!(!warnings.contains("would, such as"), "{warnings}");
}
