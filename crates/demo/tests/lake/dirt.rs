//! The bad rows are as many as the summary states.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use tessera_demo::{FIRST_DAY, LAST_DAY};

use super::rows::{
    CUSTOMERS, Order, batches, clean, date, default_lake, end_micros, files, micros, orders, text,
};

#[test]
fn order_dirt_is_what_the_summary_says() {
    let lake = default_lake();
    let dirt = lake.summary.dirt;
    let rows = orders(&lake.root);
    let count = |test: &dyn Fn(&Order) -> bool| rows.iter().filter(|row| test(row)).count() as u64;
    assert_eq!(count(&|o| o.customer.is_none()), dirt.orders_missing_key);
    assert_eq!(count(&|o| o.cents < 0), dirt.orders_negative_price);
    assert_eq!(count(&|o| o.cents == 0), dirt.orders_zero_price);
    assert_eq!(
        count(&|o| o.order_id.starts_with('X')),
        dirt.orders_cancelled
    );
    assert_eq!(count(&|o| o.quantity < 0), dirt.orders_cancelled);
    assert_eq!(count(&|o| o.at >= end_micros()), dirt.orders_future);
    let distinct: BTreeSet<&Order> = rows.iter().collect();
    assert_eq!((rows.len() - distinct.len()) as u64, dirt.orders_duplicate);
    for (kind, n) in [
        ("missing key", dirt.orders_missing_key),
        ("negative price", dirt.orders_negative_price),
        ("zero price", dirt.orders_zero_price),
        ("cancelled", dirt.orders_cancelled),
        ("future", dirt.orders_future),
        ("duplicate", dirt.orders_duplicate),
    ] {
        assert!(n > 0, "no dirt of kind {kind}");
    }
    // No row counts for two kinds, so the clean rows are the rest.
    let dirty = dirt.orders_missing_key
        + dirt.orders_negative_price
        + dirt.orders_zero_price
        + dirt.orders_cancelled
        + dirt.orders_future
        + dirt.orders_duplicate;
    let clean = clean(rows.clone());
    assert_eq!(clean.len() as u64, lake.summary.clean_order_rows);
    assert_eq!(rows.len() as u64 - dirty, lake.summary.clean_order_rows);
    let ids: BTreeSet<&String> = clean.iter().map(|o| &o.order_id).collect();
    assert_eq!(ids.len() as u64, lake.summary.orders);
}

#[test]
fn orders_lie_in_the_month_of_their_date_and_the_future_in_the_last() {
    let lake = default_lake();
    for order in orders(&lake.root) {
        let at = chrono::DateTime::from_timestamp_micros(order.at)
            .unwrap()
            .date_naive();
        assert!(at >= FIRST_DAY);
        let expected = if at > LAST_DAY { LAST_DAY } else { at };
        assert_eq!(
            order.month,
            expected.format("%Y-%m").to_string(),
            "{order:?}"
        );
    }
}

#[test]
fn account_dirt_is_what_the_summary_says_and_history_has_no_gaps() {
    let lake = default_lake();
    let mut periods: BTreeMap<String, Vec<(i32, Option<i32>)>> = BTreeMap::new();
    let mut hostile = BTreeSet::new();
    for (_, batch) in batches(&lake.root.join("accounts")) {
        for row in 0..batch.num_rows() {
            let id = text(&batch, "customer_id", row).unwrap();
            let name = text(&batch, "company", row).unwrap();
            let ordinary = name
                .chars()
                .all(|c| c.is_ascii_alphabetic() || " .&".contains(c))
                && !name.contains('<');
            if !ordinary {
                hostile.insert(id.clone());
            }
            periods.entry(id).or_default().push((
                date(&batch, "valid_from", row).unwrap(),
                date(&batch, "valid_to", row),
            ));
        }
    }
    let unknown = u64::from(CUSTOMERS) - periods.len() as u64;
    assert_eq!(unknown, lake.summary.dirt.accounts_unknown_customers);
    assert!(unknown > 0);
    assert_eq!(
        hostile.len() as u64,
        lake.summary.dirt.accounts_hostile_names
    );
    for (id, rows) in &periods {
        for pair in rows.windows(2) {
            assert_eq!(pair[0].1, Some(pair[1].0), "gap in the history of {id}");
        }
    }
    let closed = periods
        .values()
        .filter(|rows| rows.last().unwrap().1.is_some())
        .count();
    assert_eq!(closed as u64, lake.summary.closed_accounts);
    assert!(periods.values().any(|rows| rows.len() > 1), "no history");
    assert!(batches(&lake.root.join("accounts")).iter().any(|(_, b)| {
        (0..b.num_rows()).any(|row| text(b, "company", row).unwrap() == "O'Brien & <b>Sons</b>")
    }));
}

#[test]
fn event_subscription_ticket_and_survey_dirt_is_what_the_summary_says() {
    let lake = default_lake();
    let dirt = lake.summary.dirt;
    let mut anonymous = 0;
    let mut seen = BTreeSet::new();
    let mut repeated = 0;
    for (_, batch) in batches(&lake.root.join("product_events")) {
        for row in 0..batch.num_rows() {
            let id = text(&batch, "customer_id", row);
            anonymous += u64::from(id.is_none());
            let key = (
                id,
                text(&batch, "event", row),
                micros(&batch, "occurred_at", row),
            );
            repeated += u64::from(!seen.insert(key));
        }
    }
    assert_eq!(
        (anonymous, repeated),
        (dirt.events_missing_key, dirt.events_duplicate)
    );

    let mut reversed = 0;
    let mut running = 0;
    for (_, batch) in batches(&lake.root.join("subscriptions")) {
        for row in 0..batch.num_rows() {
            let until = date(&batch, "ended_on", row);
            running += u64::from(until.is_none());
            reversed +=
                u64::from(until.is_some_and(|day| day <= date(&batch, "started_on", row).unwrap()));
        }
    }
    assert_eq!(reversed, dirt.subscriptions_reversed);
    assert!(running > 0);

    let tickets: Vec<String> = files(&lake.root.join("tickets"))
        .into_values()
        .map(|b| String::from_utf8(b).unwrap())
        .collect();
    let unreadable = tickets
        .iter()
        .flat_map(|t| t.lines())
        .filter(|line| line.ends_with(",n/a"))
        .count();
    assert_eq!(unreadable as u64, dirt.tickets_unreadable);
    let surveys = fs::read_to_string(lake.root.join("surveys/surveys.ndjson")).unwrap();
    let outside = surveys
        .lines()
        .filter(|l| l.ends_with("\"nps\":11}") || l.ends_with("\"nps\":-1}"))
        .count();
    assert_eq!(outside as u64, dirt.surveys_out_of_range);
}
