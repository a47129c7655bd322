//! Freshness: for every kind of source, with and without a used row.

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};

const ACCOUNTS: &str = "[sources.acc]\nkind = \"attributes\"\npath = \"${lake}/acc.csv\"\nkey = \"customer_id\"\n\
    attributes.plan = { base = \"firmographic\" }\n\
    contract = { columns = { customer_id = \"string\", plan = \"string\" }, missing_key = \"fail\" }\n";

fn shop() -> Shop {
    let shop = Shop::new();
    shop.file(
        "o.csv",
        "customer_id,day,amount\na,2026-01-01,-1\nb,2026-01-02,-2\n",
    );
    shop.file("empty.csv", "customer_id,day,amount\n");
    shop.file(
        "acc.csv",
        "customer_id,plan,since,until\na,x,2020-01-01,\nb,y,2020-01-01,2020-06-01\n",
    );
    shop
}

fn events(file: &str, more: &str, rules: &str) -> String {
    format!(
        "[sources.o]\nkind = \"events\"\npath = \"${{lake}}/{file}\"\nkey = \"customer_id\"\ntime = \"day\"\n{more}\n\
         contract = {{ columns = {{ customer_id = \"string\", day = \"date\", amount = \"f64\" }}, missing_key = \"fail\"{rules} }}\n"
    )
}

fn spans(kind: &str, more: &str) -> String {
    format!(
        "[sources.o]\nkind = \"{kind}\"\npath = \"${{lake}}/acc.csv\"\nkey = \"customer_id\"\ntime = \"since\"\n{more}\n\
         contract = {{ columns = {{ customer_id = \"string\", since = \"date\", until = \"date\" }}, missing_key = \"fail\" }}\n"
    )
}

const LIMITS: &str = "freshness = { warn = \"2d\", fail = \"7d\" }";

#[test]
fn a_limit_that_is_passed_fails_whatever_the_source() {
    let shop = shop();
    let intervals = format!("until = \"until\"\n{LIMITS}");
    let filtered = format!("filter = \"amount > 0\"\n{LIMITS}");
    for (source, part) in [
        (
            events("o.csv", LIMITS, ""),
            "its newest used row is 30 days old",
        ),
        (events("empty.csv", LIMITS, ""), "it has no used row"),
        (events("o.csv", &filtered, ""), "it has no used row"),
        (
            events(
                "o.csv",
                LIMITS,
                ", rules = [{ name = \"not positive\", check = \"amount > 0\" }]",
            ),
            "it has no used row",
        ),
        (spans("attributes", LIMITS), "days old"),
        (spans("intervals", &intervals), "days old"),
    ] {
        let told = said(
            &shop.run(&[&source, ACCOUNTS], "2026-01-31", &["--quiet"]),
            3,
        );
        assert!(
            told.contains(part) && told.contains("`freshness.fail` allows 7 days"),
            "{told}"
        );
        assert!(!shop.published());
    }
}

#[test]
fn what_is_stale_empty_or_unjudged_says_so() {
    let shop = shop();
    let warn = "freshness = { warn = \"2d\" }";
    for (source, status, part) in [
        (events("o.csv", warn, ""), "stale", "30 days old"),
        (events("empty.csv", warn, ""), "empty", "it has no used row"),
        (events("o.csv", "", ""), "unjudged", ""),
        (spans("attributes", warn), "stale", "days old"),
        (
            events("o.csv", "freshness = { warn = \"5w\" }", ""),
            "ok",
            "",
        ),
    ] {
        let told = said(
            &shop.run(&[&source, ACCOUNTS], "2026-01-31", &["--quiet"]),
            0,
        );
        assert!(told.contains(part), "{part}: {told}");
        let sources = shop.table("sources");
        // `acc` is the first source and has no time.
        assert_eq!(sources.texts("status")[0].as_deref(), Some("unjudged"));
        assert_eq!(
            sources.texts("status")[1].as_deref(),
            Some(status),
            "{told}"
        );
    }
    // The age of a source without a limit is still reported.
    said(
        &shop.run(
            &[&events("o.csv", "", ""), ACCOUNTS],
            "2026-01-31",
            &["--quiet"],
        ),
        0,
    );
    let notes = shop.table("sources").texts("notes")[1].clone().unwrap();
    assert!(
        notes.contains("30 days old") && notes.contains("`freshness` is not set"),
        "{notes}"
    );
}

/// How fresh a source is does not depend on how far back its features look.
#[test]
fn rows_that_are_too_old_for_every_feature_have_an_age() {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount\na,2026-10-30,10\n",
    );
    shop.file(
        "tickets/t.csv",
        "customer_id,ticket_id,opened_at\na,t1,2026-09-01\n",
    );
    let short = "tickets_30d = { from = \"tickets\", agg = \"count\", window = \"30d\" }\n";
    let long = "tickets_1y = { from = \"tickets\", agg = \"count\", window = \"365d\" }\n";
    for (limits, code, status, part) in [
        (
            "freshness = { warn = \"90d\", fail = \"180d\" }\n",
            0,
            "ok",
            "",
        ),
        (
            "freshness = { warn = \"30d\" }\n",
            0,
            "stale",
            "is 61 days old",
        ),
        (
            "freshness = { warn = \"7d\", fail = \"30d\" }\n",
            3,
            "",
            "is 61 days old",
        ),
    ] {
        for features in [short.to_owned(), format!("{short}{long}")] {
            let tickets = format!(
                "[sources.tickets]\nkind = \"events\"\npath = \"${{lake}}/tickets\"\nkey = \"customer_id\"\ntime = \"opened_at\"\n{limits}\
                 [sources.tickets.contract]\ncolumns = {{ customer_id = \"string\", ticket_id = \"string\", opened_at = \"date\" }}\nmissing_key = \"fail\"\n"
            );
            let features = format!("{RFM}orders = \"orders\"\n{features}");
            let parts = [
                "from = [\"orders\"]\n",
                ORDERS,
                CONTRACT,
                &tickets,
                &features,
            ];
            let told = said(&shop.run(&parts, "2026-10-31", &["--quiet"]), code);
            assert!(told.contains(part), "{limits}{features}{told}");
            if code == 0 {
                let statuses = shop.table("sources").texts("status");
                assert_eq!(statuses[1].as_deref(), Some(status), "{limits}{features}");
            }
        }
    }
}
