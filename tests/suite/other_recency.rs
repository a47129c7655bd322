//! `recency_days` counts from the orders: a score about the rows of another source does not take it for how long a customer has been away
//! from that one.

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, random, said};

fn shop() -> Shop {
    let shop = Shop::new();
    let mut orders = "customer_id,ordered_at,amount\n".to_owned();
    let mut visits = "customer_id,visited_at\n".to_owned();
    let start: chrono::NaiveDate = "2025-12-01".parse().unwrap();
    let mut next = random(3);
    for customer in 0..400 {
        for _ in 0..=next(5) {
            orders += &format!(
                "c{customer:03},{},{}\n",
                start + chrono::Days::new(next(330)),
                10 + next(90)
            );
        }
        let stays = 30 + next(400);
        let mut day = next(30);
        while day < stays.min(334) {
            visits += &format!("c{customer:03},{}\n", start + chrono::Days::new(day));
            day += 3 + next(14);
        }
    }
    shop.file("orders/o.csv", &orders);
    shop.file("visits/v.csv", &visits);
    shop
}

const VISITS: &str = r#"
[sources.visits]
kind = "events"
path = "${lake}/visits"
key = "customer_id"
time = "visited_at"
contract = { columns = { customer_id = "string", visited_at = "date" }, missing_key = "quarantine" }
"#;

const SEGMENTS: &str = "[value]\npast = \"spend_total\"\n[schemes.some]\nkind = \"rules\"\n\
                        rules = [{ segment = \"many\", when = \"order_count > 2\" }]\notherwise = \"few\"\n";

/// Whether the recency rule is a candidate of the score from a source, whether it is said that it is not, and whether winning a customer
/// back has a worth.
fn told(shop: &Shop, from: &str) -> [bool; 3] {
    let score = format!(
        "[scores.churn]\nkind = \"supervised\"\nfrom = \"{from}\"\nhorizon = \"30d\"\n\
                         models = [\"logistic\"]\nfeatures = [\"recency_days\", \"order_count\"]\n"
    );
    let parts = [ORDERS, CONTRACT, VISITS, RFM, SEGMENTS, &score];
    said(&shop.run(&parts, "2026-10-31", &["--quiet"]), 0);
    let quality = shop.table("quality");
    let metrics = quality
        .texts("metric")
        .into_iter()
        .zip(quality.texts("reason"));
    let said = metrics.into_iter().any(|(metric, reason)| {
        let says = |reason: String| {
            reason.contains("the last row of `orders`") && reason.contains("rows of `visits`")
        };
        metric.as_deref() == Some("recency rule") && reason.is_some_and(says)
    });
    let models = shop.table("models").texts("model");
    let segments = shop.table("segments");
    [
        models
            .iter()
            .any(|model| model.as_deref() == Some("recency_rule")),
        said,
        segments
            .floats("win_back_value")
            .iter()
            .any(Option::is_some),
    ]
}

#[test]
fn the_recency_of_orders_is_no_rule_for_visits() {
    let shop = shop();
    assert_eq!(told(&shop, "orders"), [true, false, true]);
    assert_eq!(told(&shop, "visits"), [false, true, false]);
}
