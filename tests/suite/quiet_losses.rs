//! Rows that count for nothing because of how the pipeline is written: they are counted, and a warning says what to write.

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};

const DAY: &str = "2025-12-31";

/// Orders of which every fourth has no status.
fn orders() -> String {
    let order = |n: u32| {
        let status = ["paid", "paid", "cancelled", ""][n as usize % 4];
        format!("C{:02},2025-11-{:02},10,{status}\n", n % 50, 1 + n % 28)
    };
    let rows: String = (0..400).map(order).collect();
    format!("customer_id,ordered_at,amount,status\n{rows}")
}

#[test]
fn rows_for_which_the_filter_is_null_are_a_warning_that_says_how_to_keep_them() {
    let shop = Shop::new();
    shop.file("orders/a.csv", &orders());
    let contract = CONTRACT.replace("amount = \"f64\"", "amount = \"f64\", status = \"string\"");
    let run = |filter: &str| {
        let orders = format!("{ORDERS}filter = \"{filter}\"\n");
        let warnings = said(&shop.run(&[&orders, &contract, RFM], DAY, &[]), 0);
        let sources = shop.table("sources");
        let [used, filtered] = ["used", "filtered"].map(|name| sources.ints(name)[0].unwrap());
        (warnings, used, filtered)
    };
    let (warnings, used, filtered) = run("status <> 'cancelled'");
    assert_eq!((used, filtered), (200, 200));
    let told = "`status <> 'cancelled'` is neither true nor false for 100 of 400 rows (25.0%)";
    assert!(warnings.contains(told), "{warnings}");
    let rules = shop.table("reject_rules");
    let counts: Vec<_> = rules
        .texts("rule")
        .into_iter()
        .zip(rules.ints("rows"))
        .collect();
    for rule in ["filter is null", "filter"] {
        assert!(
            counts.contains(&(Some(rule.to_owned()), Some(100))),
            "{counts:?}"
        );
    }

    for (filter, kept) in [
        ("coalesce(status <> 'cancelled', true)", 300),
        ("coalesce(status <> 'cancelled', false)", 200),
        ("status is distinct from 'cancelled'", 300),
    ] {
        let (warnings, used, filtered) = run(filter);
        assert_eq!((used, filtered), (kept, 400 - kept), "{filter}");
        assert!(!warnings.contains("neither true nor false"), "{warnings}");
    }
}

/// Yearly contracts of 60 customers, written with their last day or with the first day after it.
fn contracts(last_day: bool) -> String {
    let mut text = "customer_id,starts,ends\n".to_owned();
    for customer in 0..60 {
        for year in 2022..=2026 {
            let end = match last_day {
                true => format!("{year}-12-31"),
                false => format!("{}-01-01", year + 1),
            };
            text.push_str(&format!("C{customer:02},{year}-01-01,{end}\n"));
        }
    }
    text
}

const CONTRACTS: &str = r#"
[sources.contracts]
kind = "intervals"
path = "${lake}/contracts"
key = "customer_id"
time = "starts"
"#;

const COLUMNS: &str = r#"
[sources.contracts.contract]
columns = { customer_id = "string", starts = "date", ends = "date" }
missing_key = "quarantine"
[features]
running = { from = "contracts", agg = "count", where = "UNTIL is null", base = "lifecycle" }
"#;

#[test]
fn ends_that_are_last_days_are_a_warning_that_says_what_to_derive() {
    let run = |last_day: bool, until: &str, derive: &str| {
        let shop = Shop::new();
        shop.file("contracts/a.csv", &contracts(last_day));
        let source = format!("{CONTRACTS}until = \"{until}\"\n{derive}");
        let columns = COLUMNS.replace("UNTIL", until);
        let warnings = said(&shop.run(&[&source, &columns], DAY, &[]), 0);
        let running = shop.table("customers").ints("running");
        let running = running.into_iter().flatten().filter(|rows| *rows > 0);
        (warnings, running.count())
    };
    let (warnings, running) = run(true, "ends", "");
    assert_eq!(running, 0, "no contract counts on the last day of the year");
    let told = "`ends` looks like the last day of a row";
    assert!(warnings.contains(told), "{warnings}");
    assert!(warnings.contains("of 180 rows that begin"), "{warnings}");

    let (_, advice) = warnings.split_once("is a last day, set `").unwrap();
    let (advice, rest) = advice
        .split_once("` in [sources.contracts], and `until = \"")
        .unwrap();
    let (until, _) = rest.split_once('"').unwrap();
    let (warnings, running) = run(true, until, &format!("{advice}\n"));
    assert_eq!(running, 60, "{warnings}");
    assert!(!warnings.contains("last day of a row"), "{warnings}");

    let (warnings, _) = run(false, "ends", "");
    assert!(!warnings.contains("last day of a row"), "{warnings}");
}

#[test]
fn a_source_that_loses_files_or_rows_is_a_warning_and_one_that_is_compacted_is_not() {
    let half = |from: u32| -> String {
        let rows = (from..from + 50).map(|n| format!("C{n:03},2025-11-{:02},10\n", 1 + n % 28));
        rows.collect()
    };
    let shop = Shop::new();
    let head = "customer_id,ordered_at,amount\n";
    let file = |name: &str, rows: &str| {
        shop.file(name, &format!("{head}{rows}"));
    };
    let gone = |name: &str| std::fs::remove_file(shop.path("lake").join(name)).unwrap();
    file("orders/a.csv", &half(0));
    file("orders/b.csv", &half(50));
    let parts = [ORDERS, CONTRACT, RFM];
    let run = |day: &str| said(&shop.run_on(&parts, day, &[]), 0);
    assert!(!run("2025-12-01").contains("was made of"));

    // The same rows in one file.
    file("orders/all.csv", &format!("{}{}", half(0), half(50)));
    gone("orders/a.csv");
    gone("orders/b.csv");
    assert!(!run("2025-12-02").contains("was made of"));

    file("orders/a.csv", &half(0));
    gone("orders/all.csv");
    let told = "its files have 50 rows, 50.0% of the 100 that version 2 of 2025-12-02 was made of; 1 of its 1 files then is not there any more, \
                such as all.csv";
    let warnings = run("2025-12-03");
    assert_eq!(warnings.matches(told).count(), 1, "{warnings}");
    let notes = shop.table("sources").texts("notes");
    assert!(notes.iter().flatten().any(|note| note.contains(told)));

    let first: Vec<String> = half(0)
        .lines()
        .take(20)
        .map(|row| format!("{row}\n"))
        .collect();
    file("orders/a.csv", &first.concat());
    let warnings = run("2025-12-04");
    assert!(warnings.contains("its files have 20 rows"), "{warnings}");
    assert!(!warnings.contains("not there any more"), "{warnings}");
}

#[test]
fn a_condition_that_no_used_row_meets_is_a_warning() {
    let shop = Shop::new();
    shop.file("orders/a.csv", &orders());
    let contract = CONTRACT.replace("amount = \"f64\"", "amount = \"f64\", status = \"string\"");
    let run = |purchase: &str, of: &str| {
        let orders = format!("{ORDERS}purchase = \"{purchase}\"\n");
        let paid = format!(
            "paid = {{ from = \"orders\", agg = \"count\", where = \"{of}\" }}\npaid_90d = {{ from = \"orders\", agg = \"count\", where = \"{of}\", window = \"90d\" }}\n"
        );
        let warnings = said(&shop.run(&[&orders, &contract, RFM, &paid], DAY, &[]), 0);
        let customers = shop.table("customers");
        let sum = |name: &str| customers.ints(name).into_iter().flatten().sum::<i64>();
        (warnings, sum("order_count"), sum("paid"))
    };
    let never = "for none of 400 used rows";
    let (warnings, orders, paid) = run("status = 'paid'", "status = 'paid'");
    assert_eq!((orders > 0, paid), (true, 200));
    assert!(!warnings.contains(never), "{warnings}");
    let (warnings, orders, paid) = run("status = 'Paid'", "status = 'PAID'");
    assert_eq!((orders, paid), (0, 0));
    for part in [
        "`purchase` (`status = 'Paid'`) is true for none of 400 used rows, so no customer has an order",
        "`where` (`status = 'PAID'`) of `paid`, `paid_90d` is true for none of 400 used rows",
    ] {
        assert!(warnings.contains(part), "{part}\n{warnings}");
        assert_eq!(warnings.matches(never).count(), 2, "{warnings}");
    }
}

/// Tables tell rules apart by their names, so none may have that of one of the program's own.
#[test]
fn a_rule_that_is_named_like_one_of_the_program_is_refused() {
    let shop = Shop::new();
    shop.file("orders/a.csv", &orders());
    for (name, more) in [
        ("customer_id is missing", ""),
        ("amount is not a number", ""),
        ("repeats an earlier row", "duplicates = \"drop_exact\"\n"),
    ] {
        let rule = format!("rules = [{{ name = \"{name}\", check = \"amount > 0\" }}]\n");
        let parts = [ORDERS, CONTRACT, more, &rule, RFM];
        let told = said(&shop.run(&parts, DAY, &[]), 2);
        assert!(
            told.contains("error[TS-P022]") && told.contains(name),
            "{told}"
        );
    }
    let rule = "rules = [{ name = \"repeats an earlier row\", check = \"amount > 0\" }]\n";
    said(&shop.run(&[ORDERS, CONTRACT, rule, RFM], DAY, &[]), 0);
}
