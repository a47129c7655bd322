//! Files that were deleted or never delivered: the days without rows are named, in the run, in `sources` and in the report.

use crate::program::tessera;
use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};

const GAP: &str = "no used row is of 2025-03-01 to 2025-03-31 (31 days in all)";

/// Days of 2024 and 2025, by month.
fn months() -> Vec<(String, Vec<String>)> {
    let lengths = |year: i32| {
        let february = if year == 2024 { 29 } else { 28 };
        [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    };
    let month = |year: i32, month: usize| {
        let name = format!("{year}-{:02}", month + 1);
        let days = 1..=lengths(year)[month];
        let days = days.map(|day| format!("{name}-{day:02}")).collect();
        (name, days)
    };
    let years = [2024, 2025].into_iter();
    years
        .flat_map(|year| (0..12).map(move |number| month(year, number)))
        .collect()
}

/// A lake of monthly files, of which one is left out, with two orders on each day for which this is true.
fn lake(left_out: &str, has_orders: impl Fn(usize) -> bool) -> Shop {
    let shop = Shop::new();
    let mut day = 0;
    for (month, days) in months() {
        let mut text = "customer_id,ordered_at,amount\n".to_owned();
        for date in &days {
            day += 1;
            if has_orders(day) {
                text.push_str(&format!("c{},{date},10\nd{},{date},5\n", day % 40, day % 7));
            }
        }
        if month != left_out {
            shop.file(&format!("orders/month={month}/o.csv"), &text);
        }
    }
    shop
}

/// The report of a version.
fn report(shop: &Shop, version: u32) -> String {
    std::fs::read_to_string(shop.path(&format!("store/reports/version-{version}.html"))).unwrap()
}

fn run(shop: &Shop, as_of: &str) -> String {
    said(&shop.run(&[ORDERS, CONTRACT, RFM], as_of, &[]), 0)
}

#[test]
fn a_month_that_is_lost_is_named_everywhere() {
    for (rhythm, has_orders) in [
        ("daily", (|_| true) as fn(usize) -> bool),
        ("workdays", |day| day % 7 < 5),
        ("every other day", |day| day % 2 == 0),
    ] {
        let told = run(&lake("", has_orders), "2025-12-31");
        assert!(!told.contains("no used row is of"), "{rhythm}: {told}");
        let shop = lake("2025-03", has_orders);
        let told = run(&shop, "2025-12-31");
        assert!(
            told.contains("no used row is of 2025-0"),
            "{rhythm}: {told}"
        );
    }
    let shop = lake("2025-03", |_| true);
    let told = run(&shop, "2025-12-31");
    assert!(told.contains(&format!("source `orders`: {GAP}")), "{told}");
    let sources = shop.table("sources");
    assert_eq!(sources.ints("gap_days"), [Some(31)]);
    let warnings = sources.texts("warnings")[0].clone().unwrap();
    assert!(warnings.starts_with(GAP), "{warnings}");
    assert_eq!(
        sources.texts("worst_warning")[0].as_deref(),
        Some("missing")
    );
    let report = report(&shop, 1);
    let (front, rest) = report.split_once("<nav ").unwrap();
    assert!(
        front.contains(GAP) && front.contains("href=\"#sources\""),
        "{front}"
    );
    assert!(rest.contains(GAP));
    let output = tessera()
        .arg("verify")
        .arg(shop.path("store"))
        .output()
        .unwrap();
    assert!(output.status.success());
}

#[test]
fn weekly_and_sparse_lakes_are_not_warned_of() {
    for (rhythm, has_orders) in [
        ("weekly", (|day| day % 7 == 3) as fn(usize) -> bool),
        ("first days", |day| day % 30 == 1),
        ("now and then", |day| day * day % 37 == 1),
    ] {
        let shop = lake("", has_orders);
        let told = run(&shop, "2025-12-31");
        assert!(!told.contains("no used row is of"), "{rhythm}: {told}");
        assert_eq!(
            shop.table("sources").ints("gap_days"),
            [Some(0)],
            "{rhythm}"
        );
    }
}

#[test]
fn a_feed_that_stopped_is_named_in_the_tables_and_on_the_first_page() {
    let shop = lake("2025-12", |_| true);
    let told = run(&shop, "2025-12-31");
    let late = "its newest row is of 2025-11-30, 31 days before 2025-12-31, but days with rows are usually at most 1 apart";
    assert!(told.contains(late), "{told}");
    let warnings = shop.table("sources").texts("warnings")[0].clone().unwrap();
    assert!(warnings.contains(late), "{warnings}");
    let report = report(&shop, 1);
    assert!(report.split("<nav ").next().unwrap().contains(late));
}

#[test]
fn a_sample_is_said_to_be_one_and_compared_with_nothing_else() {
    let shop = lake("", |_| true);
    let front = |shop: &Shop, version: u32| {
        let report = report(shop, version);
        let page = report.split("<nav ").next().unwrap();
        page.rsplit("</style>").next().unwrap().to_owned()
    };
    said(&shop.run(&[ORDERS, CONTRACT, RFM], "2025-11-30", &[]), 0);
    assert!(!front(&shop, 1).contains("sample"), "{}", front(&shop, 1));
    let sample = format!("sample = 0.5\n{ORDERS}");
    said(
        &shop.run_on(&[&sample, CONTRACT, RFM], "2025-12-31", &[]),
        0,
    );
    let page = front(&shop, 2);
    for part in [
        "a sample of 50.0% of the customers",
        "Customers, of the sample",
        "is that of the sample, not of the business",
        "not comparable",
        "the version before is of all customers",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("▼"), "{page}");
}

/// One row of a day long before all others, as where a time is missing, or was a test.
#[test]
fn a_row_far_before_all_others_hides_no_lost_days() {
    for (early, is_far) in [
        ("1900-01-01", true),
        ("1970-01-01", true),
        ("2022-12-31", false),
    ] {
        let shop = lake("2025-12", |_| true);
        shop.file(
            "orders/early.csv",
            &format!("customer_id,ordered_at,amount\nc1,{early},10\n"),
        );
        let told = run(&shop, "2025-12-31");
        let late = "its newest row is of 2025-11-30, 31 days before 2025-12-31";
        assert!(told.contains(late), "{early}: {told}");
        let placeholder = format!(
            "1 row is of {early}, far before all others, which begin on 2024-01-01: probably a placeholder"
        );
        assert_eq!(told.contains(&placeholder), is_far, "{told}");
        assert!(!is_far || shop.table("sources").ints("gap_days") == [Some(0)]);
        // The rule that the warning names takes the row out.
        let rule = "rules = [{ name = \"early\", check = \"ordered_at >= '2024-01-01'\", on_fail = \"quarantine\" }]\n";
        assert!(
            !is_far || told.contains("check = \"ordered_at >= '2024-01-01'\""),
            "{told}"
        );
        let contract = format!("{CONTRACT}{rule}");
        let told = said(&shop.run(&[ORDERS, &contract, RFM], "2025-12-31", &[]), 0);
        assert!(
            told.contains(late) && !told.contains("far before"),
            "{told}"
        );
    }
}
