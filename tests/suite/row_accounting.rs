//! Every row of a source's files is counted once: future, unknown, pruned, filtered, quarantined, dropped or used.

use std::fmt::Write;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};
use crate::table::Table;

const PARTS: [&str; 4] = ["future", "unknown", "pruned", "rows"];

fn adds_up(sources: &Table) {
    let ints = |name: &str| -> Vec<i64> { sources.ints(name).into_iter().flatten().collect() };
    let sum =
        |names: &[&str], row: usize| -> i64 { names.iter().map(|name| ints(name)[row]).sum() };
    for (row, all) in ints("file_rows").into_iter().enumerate() {
        assert_eq!(all, sum(&PARTS, row));
        assert_eq!(
            ints("rows")[row],
            sum(&["used", "filtered", "quarantined", "dropped"], row)
        );
    }
}

/// Rows of each outcome, written by hand.
#[test]
fn rows_of_every_outcome_are_counted() {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,loaded_at,amount\n\
         a,2026-10-01,2026-10-02,10\n\
         b,2026-10-02,2026-10-03,20\n\
         b,2026-10-02,2026-10-03,20\n\
         a,2026-11-02,2026-11-03,30\n\
         a,2026-10-03,2026-11-04,40\n\
         a,2026-10-04,2026-10-05,0\n\
         ,2026-10-05,2026-10-06,50\n\
         b,2026-10-06,2026-10-07,-1\n\
         b,soon,2026-10-08,5\n",
    );
    let source = format!("{ORDERS}known_at = \"loaded_at\"\nfilter = \"amount <> 0\"\n");
    let contract = "[sources.orders.contract]\n\
        columns = { customer_id = \"string\", ordered_at = \"date\", loaded_at = \"date\", amount = \"f64\" }\n\
        missing_key = \"drop\"\nduplicates = \"drop_exact\"\n\
        rules = [{ name = \"amount is negative\", check = \"amount >= 0\" }]\n";
    let told = said(
        &shop.run(&[&source, contract, RFM], "2026-10-31", &["--quiet"]),
        0,
    );
    let sources = shop.table("sources");
    adds_up(&sources);
    for (name, rows) in [
        ("file_rows", 9),
        ("future", 1),
        ("unknown", 1),
        ("pruned", 0),
        ("rows", 7),
        ("used", 2),
        ("filtered", 1),
        ("quarantined", 2),
        ("dropped", 2),
        ("duplicates", 1),
    ] {
        assert_eq!(sources.ints(name), [Some(rows)], "{name}");
    }
    // Rejected rows are reported even with `--quiet`, with the value found, and never with the key.
    assert!(
        told.contains("ordered_at is not a date, such as `xxxx` (o.csv, row 9)"),
        "{told}"
    );
    assert!(
        told.contains("amount is negative, such as `-1` (o.csv, row 8)"),
        "{told}"
    );
    let rules = shop.table("reject_rules");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        rules.texts("rule"),
        [
            text("amount is negative"),
            text("customer_id is missing"),
            text("filter"),
            text("ordered_at is not a date"),
            text("repeats an earlier row"),
        ]
    );
    assert_eq!(rules.ints("rows"), [Some(1); 5]);
    assert_eq!(
        rules.ints("kept"),
        [Some(1), Some(0), Some(0), Some(1), Some(0)]
    );
    assert_eq!(shop.table("rejects").rows(), 2);
}

/// The filter is asked first: what is rejected would have been used.
#[test]
fn rows_that_the_filter_excludes_are_rejected_for_nothing_else() {
    let shop = Shop::new();
    let broken = ",2026-10-01,10,KIND\na,2026-10-01,x,KIND\na,soon,10,KIND\na,2026-10-01,-5,KIND\n";
    let rows = ["sale", "return", ""].map(|kind| broken.replace("KIND", kind));
    let sound =
        "a,2026-10-02,10,sale\nb,2026-10-02,10,sale\nb,2026-10-02,10,\nb,2026-10-02,10,return\n";
    let file = format!(
        "customer_id,ordered_at,amount,kind\n{}{sound}",
        rows.concat()
    );
    shop.file("orders/o.csv", &file);
    let contract = "[sources.orders.contract]\n\
        columns = { customer_id = \"string\", ordered_at = \"date\", amount = \"f64\", kind = \"string\" }\n\
        missing_key = \"drop\"\nmax_rejected = \"100%\"\n\
        rules = [{ name = \"amount is negative\", check = \"amount >= 0\" }]\n";
    let counts = |filter: &str| {
        let source = format!("{ORDERS}filter = \"{filter}\"\n");
        said(
            &shop.run(&[&source, contract, RFM], "2026-10-31", &["--quiet"]),
            0,
        );
        let sources = shop.table("sources");
        adds_up(&sources);
        let rules = shop.table("reject_rules");
        let rules = rules
            .texts("rule")
            .into_iter()
            .flatten()
            .zip(rules.ints("rows").into_iter().flatten());
        let mut all: Vec<(String, i64)> = rules.filter(|(_, rows)| *rows > 0).collect();
        all.push(("used".to_owned(), sources.ints("used")[0].unwrap()));
        all
    };
    let wanted = |counts: &[(&str, i64)]| -> Vec<(String, i64)> {
        counts
            .iter()
            .map(|(rule, rows)| ((*rule).to_owned(), *rows))
            .collect()
    };
    // Of the kind that is missing, only the sound row is left out for it.
    let of_sales = [
        ("amount is negative", 2),
        ("amount is not a number", 2),
        ("customer_id is missing", 2),
        ("filter", 5),
        ("filter is null", 1),
        ("ordered_at is not a date", 2),
        ("used", 2),
    ];
    assert_eq!(counts("kind = 'sale'"), wanted(&of_sales));
    assert_eq!(
        counts("kind = 'sale' and amount > 9"),
        wanted(&[
            ("amount is not a number", 2),
            ("customer_id is missing", 2),
            ("filter", 7),
            ("filter is null", 1),
            ("ordered_at is not a date", 2),
            ("used", 2),
        ])
    );
    // An amount that is no number is not taken for a missing one.
    let of_amounts = [
        ("amount is not a number", 3),
        ("customer_id is missing", 3),
        ("filter", 3),
        ("ordered_at is not a date", 3),
        ("used", 4),
    ];
    assert_eq!(counts("coalesce(amount, 0) > 0"), wanted(&of_amounts));
}

/// A source outside the base of which only a window is used: rows before the window are pruned, keys without a customer are
/// counted.
#[test]
fn rows_that_nothing_uses_and_rows_of_nobody_are_counted() {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount\na,2026-10-01,10\nb,2026-10-02,20\n",
    );
    shop.file(
        "visits/v.csv",
        "customer_id,seen_at\na,2026-10-30\na,2026-10-29\nx,2026-10-30\ny,2026-10-28\na,2025-01-01\nx,2026-11-05\n",
    );
    let visits = "[sources.visits]\nkind = \"events\"\npath = \"${lake}/visits\"\nkey = \"customer_id\"\ntime = \"seen_at\"\n\
        [sources.visits.contract]\ncolumns = { customer_id = \"string\", seen_at = \"date\" }\nmissing_key = \"fail\"\n";
    let features = format!(
        "{RFM}orders = \"orders\"\nvisits_7d = {{ from = \"visits\", agg = \"count\", window = \"7d\" }}\n"
    );
    let parts = ["from = [\"orders\"]\n", ORDERS, CONTRACT, visits, &features];
    let told = said(&shop.run(&parts, "2026-10-31", &[]), 0);
    let sources = shop.table("sources");
    adds_up(&sources);
    assert_eq!(sources.ints("pruned"), [Some(0), Some(1)]);
    assert_eq!(sources.ints("future"), [Some(0), Some(1)]);
    assert_eq!(sources.ints("used"), [Some(2), Some(4)]);
    assert_eq!(sources.ints("keys_without_customer"), [None, Some(2)]);
    assert_eq!(sources.ints("rows_without_customer"), [None, Some(2)]);
    let note = "2 of 3 keys (66.7%) have no customer in the base, with 2 used rows (50.0%)";
    assert!(told.contains(note), "{told}");
    assert_eq!(
        shop.table("customers").ints("visits_7d"),
        [Some(2), Some(0)]
    );
}

/// Values that became null although their inputs were not null are counted and reported, whatever the cause.
#[test]
fn values_that_became_null_are_counted() {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount,items\na,2026-10-01,10,2\na,2026-10-02,10,0\nb,2026-10-03,10,\nb,2026-10-04,many,5\n",
    );
    let source = format!("{ORDERS}derive = {{ price = \"amount / items\" }}\n");
    let contract = "[sources.orders.contract]\n\
        columns = { customer_id = \"string\", ordered_at = \"date\", amount = \"f64\", items = \"f64\" }\n\
        missing_key = \"fail\"\nconversions = \"null\"\n";
    let features =
        format!("{RFM}price = {{ from = \"orders\", agg = \"mean\", of = \"price\" }}\n");
    let told = said(
        &shop.run(&[&source, contract, &features], "2026-10-31", &["--quiet"]),
        0,
    );
    let sources = shop.table("sources");
    adds_up(&sources);
    assert_eq!(sources.ints("used"), [Some(4)]);
    // One amount that does not convert, one division by 0; the missing number of items was null before.
    assert_eq!(sources.ints("nulled"), [Some(2)]);
    assert!(
        told.contains("`amount` became null in 1 of 4 rows (25.0%) although its inputs are not null; give these rows a value"),
        "the conversion to null is asked for already: {told}"
    );
    assert!(
        told.contains("`price` became null in 1 of 4 rows (25.0%) although its inputs are not null; if that is intended"),
        "{told}"
    );
}

/// Random rows: the published counts are those of a count by hand.
#[test]
fn random_rows_add_up() {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    for round in 0..8 {
        let mut files = vec![String::from("customer_id,ordered_at,loaded_at,amount\n"); 3];
        let (mut rows, mut future, mut unknown, mut visible) = (0, 0, 0, 0);
        for _ in 0..random.random_range(20..200) {
            let day = random.random_range(1..60_u32);
            let date =
                |day: u32| format!("2026-{:02}-{:02}", 9 + (day - 1) / 30, 1 + (day - 1) % 30);
            let loaded = day + random.random_range(0..20);
            let key = ["a", "b", "c", ""][random.random_range(0..4_usize)];
            let amount = ["1", "2.5", "x", ""][random.random_range(0..4_usize)];
            let file = random.random_range(0..3_usize);
            writeln!(files[file], "{key},{},{},{amount}", date(day), date(loaded)).unwrap();
            rows += 1;
            // 2026-10-10 is day 40.
            match (day > 40, loaded > 40) {
                (true, _) => future += 1,
                (_, true) => unknown += 1,
                _ => visible += 1,
            }
        }
        let shop = Shop::new();
        for (number, text) in files.iter().enumerate() {
            shop.file(&format!("orders/{number}.csv"), text);
        }
        let source = format!("{ORDERS}known_at = \"loaded_at\"\n");
        let contract = "[sources.orders.contract]\n\
            columns = { customer_id = \"string\", ordered_at = \"date\", loaded_at = \"date\", amount = \"f64\" }\n\
            missing_key = \"drop\"\nduplicates = \"drop_exact\"\nmax_rejected = \"100%\"\n";
        said(
            &shop.run(&[&source, contract, RFM], "2026-10-10", &["--quiet"]),
            0,
        );
        let sources = shop.table("sources");
        adds_up(&sources);
        let numbers = ["file_rows", "future", "unknown", "rows"].map(|name| sources.ints(name)[0]);
        assert_eq!(
            numbers,
            [rows, future, unknown, visible].map(Some),
            "round {round}"
        );
    }
}
