//! Joins: each row of a source gets at most one row of a lookup.

use crate::oracle::{python, script};
use crate::shop::{Shop, said};
use crate::table::Table;

const RATES: &str = r#"
[sources.rates]
kind = "lookup"
path = "${lake}/rates"
key = ["currency", "day"]
[sources.rates.contract]
columns = { currency = "string", day = "date", rate = "f64" }
missing_key = "quarantine"
"#;

const ORDERS: &str = r#"
[sources.orders]
kind = "events"
path = "${lake}/orders"
key = "customer_id"
time = "ordered_at"
derive = { amount_eur = "amount * rate" }
amount = "amount_eur"
[sources.orders.join.rates]
on = { currency = "currency", ordered_at = "day" }
columns = ["rate"]
[sources.orders.contract]
columns = { customer_id = "string", ordered_at = "date", amount = "f64", currency = "string" }
missing_key = "quarantine"
"#;

const SPEND: &str = r#"[features]
use = ["rfm"]
eur = { from = "orders", agg = "sum", of = "amount_eur" }
known = { from = "orders", agg = "count", of = "rate" }
"#;

fn shop() -> Shop {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount,currency\n\
         a,2026-10-01,10,USD\na,2026-10-02,20,USD\nb,2026-10-01,5,CHF\nb,2026-10-03,7,EUR\nc,2026-10-02,3,\n",
    );
    shop.file(
        "rates/r.csv",
        "currency,day,rate\nUSD,2026-10-01,0.5\nUSD,2026-10-02,0.25\nCHF,2026-10-01,2\nEUR,2026-10-03,1\n,2026-10-02,9\n",
    );
    shop
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Rows of `sources` add up.
fn adds_up(sources: &Table) {
    let ints =
        |name: &str| -> Vec<i64> { sources.ints(name).into_iter().map(Option::unwrap).collect() };
    for row in 0..sources.rows() {
        let sum = |names: &[&str]| -> i64 { names.iter().map(|name| ints(name)[row]).sum() };
        assert_eq!(
            ints("file_rows")[row],
            sum(&["future", "unknown", "pruned", "rows"])
        );
        assert_eq!(
            ints("rows")[row],
            sum(&["used", "filtered", "quarantined", "dropped"])
        );
    }
}

#[test]
fn amounts_are_converted_by_the_rate_of_their_currency_and_day() {
    let shop = shop();
    let told = said(&shop.run(&[ORDERS, RATES, SPEND], "2026-10-31", &[]), 0);
    let customers = shop.table("customers");
    assert_eq!(
        customers.texts("customer_id"),
        [text("a"), text("b"), text("c")]
    );
    assert_eq!(customers.floats("eur"), [Some(10.0), Some(17.0), Some(0.0)]);
    assert_eq!(customers.ints("known"), [Some(2), Some(2), Some(0)]);
    assert!(
        told.contains(
            "1 of 5 rows (20.0%) that take part find no row of lookup `rates` (join `rates`), so `rate` is null there"
        ),
        "{told}"
    );
    let sources = shop.table("sources");
    adds_up(&sources);
    assert_eq!(sources.texts("source"), [text("orders"), text("rates")]);
    assert_eq!(sources.texts("kind"), [text("events"), text("lookup")]);
    assert_eq!(sources.ints("unmatched"), [Some(1), None]);
    // A row of a lookup without a key is quarantined like any other.
    assert_eq!(sources.ints("quarantined"), [Some(0), Some(1)]);
    assert_eq!(
        shop.table("reject_rules").texts("rule"),
        [text("currency is missing")]
    );
}

/// Joined columns may be used in rules and filters; a derived column may be a key, and may depend on another join.
#[test]
fn joins_follow_one_another_and_serve_derived_columns_rules_and_filters() {
    let shop = shop();
    shop.file(
        "countries/c.csv",
        "country,currency\nUS,USD\nCH,CHF\nDE,EUR\nGB,GBP\n",
    );
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount,country\n\
         a,2026-10-01T10:00:00Z,10,us\nb,2026-10-01T23:00:00Z,5,CH\nb,2026-10-03T01:00:00Z,7,DE\nc,2026-10-02T00:00:00Z,3,GB\nd,2026-10-02T00:00:00Z,3,FR\n",
    );
    let orders = r#"
[sources.orders]
kind = "events"
path = "${lake}/orders"
key = "customer_id"
time = "ordered_at"
time_zone = "UTC"
filter = "own_currency is not null"
[sources.orders.derive]
code = "upper(country)"
day = "cast(ordered_at as date)"
amount_eur = "amount * rate"
[sources.orders.join.rates]
on = { own_currency = "currency", day = "day" }
columns = ["rate"]
[sources.orders.join.countries]
on = { code = "country" }
columns = { own_currency = "currency" }
[sources.orders.contract]
columns = { customer_id = "string", ordered_at = "timestamp", amount = "f64" }
missing_key = "quarantine"
rules = [{ name = "the rate is known", check = "rate is not null" }]
[sources.countries]
kind = "lookup"
path = "${lake}/countries"
key = "country"
[sources.countries.contract]
missing_key = "fail"
"#;
    let told = said(&shop.run(&[orders, RATES, SPEND], "2026-10-31", &[]), 0);
    let customers = shop.table("customers");
    assert_eq!(customers.texts("customer_id"), [text("a"), text("b")]);
    assert_eq!(customers.floats("eur"), [Some(5.0), Some(17.0)]);
    let sources = shop.table("sources");
    adds_up(&sources);
    assert_eq!(
        sources.texts("source"),
        [text("countries"), text("orders"), text("rates")]
    );
    // The filter is asked before the rules: nobody would use a row without a currency.
    assert_eq!(sources.ints("filtered"), [Some(0), Some(1), Some(0)]);
    assert_eq!(sources.ints("quarantined"), [Some(0), Some(1), Some(1)]);
    // Rows that a rule rejects are not counted as unmatched; the example of the rule shows the key of the join.
    assert_eq!(sources.ints("unmatched"), [None, Some(0), None]);
    assert!(told.contains("the rate is known"), "{told}");
}

#[test]
fn the_customers_key_may_be_one_that_a_lookup_of_links_maps() {
    let shop = Shop::new();
    shop.file(
        "visits/v.csv",
        "device,seen_at\nd1,2026-10-01\nd2,2026-10-02\nd3,2026-10-03\nd1,2026-10-04\n",
    );
    shop.file("links/l.csv", "device,customer_id\nd1,a\nd2,b\n");
    let parts = r#"
[sources.visits]
kind = "events"
path = "${lake}/visits"
key = "customer_id"
time = "seen_at"
[sources.visits.join.links]
on = ["device"]
columns = ["customer_id"]
[sources.visits.contract]
columns = { seen_at = "date" }
missing_key = { on_fail = "drop", max_rejected = "50%" }
[sources.links]
kind = "lookup"
path = "${lake}/links"
key = "device"
[sources.links.contract]
missing_key = "fail"
"#;
    let features = "[features]\nuse = [\"order_count\"]\n";
    said(&shop.run(&[parts, features], "2026-10-31", &[]), 0);
    let customers = shop.table("customers");
    assert_eq!(customers.texts("customer_id"), [text("a"), text("b")]);
    assert_eq!(customers.ints("order_count"), [Some(2), Some(1)]);
    let sources = shop.table("sources");
    adds_up(&sources);
    assert_eq!(sources.ints("dropped"), [Some(0), Some(1)]);
}

/// The newest row at or before the time of the order; rows of the lookup after the date of the run are not known yet.
#[test]
fn a_lookup_with_a_time_is_asked_as_of_the_row() {
    let shop = shop();
    shop.file(
        "rates/r.csv",
        "currency,day,rate\nUSD,2026-09-01,0.5\nUSD,2026-10-02,0.25\nCHF,2026-10-05,2\nEUR,,1\nEUR,2026-10-04,100\n",
    );
    let orders = ORDERS.replace(
        "on = { currency = \"currency\", ordered_at = \"day\" }",
        "on = [\"currency\"]\nas_of = \"ordered_at\"",
    );
    let rates = RATES.replace(
        "key = [\"currency\", \"day\"]",
        "key = [\"currency\"]\ntime = \"day\"",
    );
    said(&shop.run(&[&orders, &rates, SPEND], "2026-10-31", &[]), 0);
    let customers = shop.table("customers");
    assert_eq!(customers.floats("eur"), [Some(10.0), Some(7.0), Some(0.0)]);
    // Without `as_of`, the newest that is visible at the date of the run.
    let newest = orders.replace("as_of = \"ordered_at\"\n", "");
    said(&shop.run(&[&newest, &rates, SPEND], "2026-10-31", &[]), 0);
    assert_eq!(
        shop.table("customers").floats("eur"),
        [Some(7.5), Some(710.0), Some(0.0)]
    );
    said(&shop.run(&[&newest, &rates, SPEND], "2026-10-03", &[]), 0);
    assert_eq!(
        shop.table("customers").floats("eur"),
        [Some(7.5), Some(7.0), Some(0.0)]
    );
    assert_eq!(shop.table("sources").ints("future"), [Some(0), Some(2)]);
}

#[test]
fn several_rows_of_one_key_that_differ_end_the_run_unless_the_contract_says_which_counts() {
    let shop = shop();
    shop.file(
        "rates/s.csv",
        "currency,day,rate\nUSD,2026-10-01,0.75\nCHF,2026-10-01,2\nEUR,2026-10-03,3\n",
    );
    let told = said(&shop.run(&[ORDERS, RATES, SPEND], "2026-10-31", &[]), 3);
    assert!(
        told.contains("lookup `rates`: 2 values of `currency`, `day` have several rows that differ in a joined column")
            && told.contains("r.csv row 1 and ")
            && told.contains("s.csv row 1")
            && told.contains("`several = \"first\"`"),
        "{told}"
    );
    assert!(!shop.published());
    let first = format!("{RATES}several = \"first\"\n");
    said(&shop.run(&[ORDERS, &first, SPEND], "2026-10-31", &[]), 0);
    assert_eq!(
        shop.table("customers").floats("eur"),
        [Some(10.0), Some(17.0), Some(0.0)]
    );
    // Rows of the same time that differ are as ambiguous as rows without a time.
    let timed = RATES.replace(
        "key = [\"currency\", \"day\"]",
        "key = [\"currency\"]\ntime = \"day\"",
    );
    let orders = ORDERS.replace(
        "on = { currency = \"currency\", ordered_at = \"day\" }",
        "on = [\"currency\"]\nas_of = \"ordered_at\"",
    );
    let told = said(&shop.run(&[&orders, &timed, SPEND], "2026-10-31", &[]), 3);
    assert!(
        told.contains("2 values of `currency` have several rows of the same time that differ"),
        "{told}"
    );
}

/// Joins that the pipeline file does not allow.
#[test]
fn what_a_join_cannot_be_is_refused_at_its_place() {
    let shop = shop();
    let refused = |orders: &str, rates: &str, wanted: &str| {
        let told = said(&shop.run(&[orders, rates, SPEND], "2026-10-31", &[]), 2);
        assert!(told.contains(wanted), "{wanted}\n{told}");
    };
    let on = "on = { currency = \"currency\", ordered_at = \"day\" }";
    refused(
        &ORDERS.replace(on, "on = [\"currency\"]"),
        RATES,
        "lacks `day` of lookup `rates`",
    );
    refused(
        &ORDERS.replace(
            on,
            "on = { currency = \"currency\", customer_id = \"day\" }",
        ),
        RATES,
        "the join `rates` sets `customer_id` (string) equal to `day` (date) of lookup `rates`",
    );
    refused(
        &ORDERS.replace("[\"rate\"]", "[\"rates\"]"),
        RATES,
        "unknown column `rates` of lookup `rates`",
    );
    refused(
        &ORDERS.replace("[\"rate\"]", "{ amount = \"rate\" }"),
        RATES,
        "source `orders` already has a column `amount`",
    );
    refused(
        &ORDERS.replace(
            "columns = [\"rate\"]",
            "columns = [\"rate\"]\nas_of = \"ordered_at\"",
        ),
        RATES,
        "has no `time`",
    );
    refused(
        &ORDERS.replace("join.rates", "join.fx"),
        RATES,
        "unknown lookup `fx`",
    );
    refused(
        &ORDERS.replace(
            "derive = { amount_eur = \"amount * rate\" }",
            "derive = { amount_eur = \"amount * rate\", currency = \"upper(currency)\" }",
        ),
        RATES,
        "`currency` is derived after the join that needs it",
    );
    let told = said(
        &shop.run(
            &[
                ORDERS,
                RATES,
                &format!("{SPEND}n = {{ from = \"rates\", agg = \"count\" }}\n"),
            ],
            "2026-10-31",
            &[],
        ),
        2,
    );
    assert!(told.contains("a lookup has no customer rows"), "{told}");
}

/// Lookups by integers, texts, dates, decimals, several columns, nulls, ties and as-of times, in Parquet and CSV, compared with
/// DuckDB's joins; each seed also runs over a lake that DuckDB has joined beforehand, and must publish the same bytes.
#[test]
fn joins_equal_duckdbs_and_those_made_in_the_lake() {
    let Some(python) = python() else { return };
    let program = env!("CARGO_BIN_EXE_tessera");
    script(&python, "joins.py", &[program, "--count", "40"]);
}
