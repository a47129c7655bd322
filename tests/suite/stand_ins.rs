//! What serves instead of the model that was asked for is marked wherever its numbers are read, and has no interval that states an
//! exactness it does not have.

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, random, said};

/// Orders of one price, at which nothing shows how customers differ in what they spend.
fn one_price() -> String {
    let mut rows = "customer_id,ordered_at,amount\n".to_owned();
    let start: chrono::NaiveDate = "2025-01-01".parse().unwrap();
    let mut next = random(7);
    for customer in 0..400 {
        let mut day = next(120);
        let (gap, stays) = (10 + next(50), 1 + next(4));
        while day < 600 {
            let on = start + chrono::Days::new(day);
            rows += &format!("c{customer:03},{on},20\n");
            day += 1 + next(2 * gap);
            if next(4 * stays) == 0 {
                break;
            }
        }
    }
    rows
}

const SCORE: &str = r#"
[scores.v]
kind = "clv"
from = "orders"
models = ["mbg_nbd", "gamma_gamma"]
horizon = "90d"

[schemes.plan]
kind = "rules"
rules = [{ segment = "sure", when = "clv_low_80 > 5" }, { segment = "money", when = "expected_spend > 5" }]
otherwise = "rest"

[schemes.seen]
kind = "rules"
rules = [{ segment = "many", when = "order_count > 3" }]
otherwise = "few"
"#;

#[test]
fn a_spend_model_that_could_not_be_fitted_is_said_at_every_number_made_from_it() {
    let shop = Shop::new();
    shop.file("orders/o.csv", &one_price());
    let told = said(
        &shop.run(&[ORDERS, CONTRACT, RFM, SCORE], "2026-10-31", &["--quiet"]),
        0,
    );
    assert!(
        told.contains(
            "credibility_mean is used instead of gamma_gamma: gamma_gamma was not fitted"
        ),
        "{told}"
    );
    let quality = shop.table("quality");
    let metric = "credibility_mean instead of gamma_gamma";
    let row = quality
        .texts("metric")
        .iter()
        .position(|m| m.as_deref() == Some(metric));
    let row = row.expect("a row of quality");
    assert_eq!(quality.texts("status")[row].as_deref(), Some("flagged"));
    let features = shop.table("features");
    let (names, status) = (features.texts("name"), features.texts("status"));
    let status = |name: &str| {
        let row = names
            .iter()
            .position(|found| found.as_deref() == Some(name));
        status[row.unwrap()].clone().unwrap()
    };
    for name in ["clv", "expected_spend"] {
        assert_eq!(status(name), "flagged", "{name}");
    }
    assert_eq!(status("past_value"), "ok");
    // The ends of intervals are columns of the score too: what a rule makes of them is as doubtful.
    let segments = shop.table("segments");
    let schemes = segments
        .texts("scheme")
        .into_iter()
        .zip(segments.texts("scheme_status"));
    for (scheme, status) in schemes {
        let expected = if scheme.as_deref() == Some("plan") {
            "flagged"
        } else {
            "ok"
        };
        assert_eq!(status.as_deref(), Some(expected), "{scheme:?}");
    }
    let intervals = shop.table("score_intervals");
    let columns = intervals.texts("column_name");
    let mut checked = 0;
    for end in ["low_95", "low_80", "high_80", "high_95"] {
        for (column, known) in columns.iter().zip(intervals.known(end)) {
            let is_money = matches!(column.as_deref(), Some("clv" | "expected_spend"));
            assert_eq!(known, !is_money, "{column:?} {end}");
            checked += usize::from(is_money);
        }
    }
    assert_eq!(checked, 4 * 2 * 400);
    let report = std::fs::read_to_string(shop.path("store/reports/version-1.html")).unwrap();
    assert!(report.contains("redibility_mean is used instead of gamma_gamma"));
}

/// A scheme by the end of an interval alone has the mark of its score.
#[test]
fn an_end_of_an_interval_has_the_mark_of_its_estimate() {
    let shop = Shop::new();
    shop.file("orders/o.csv", &one_price());
    let only_end = SCORE.replace("expected_spend > 5", "order_count > 9");
    said(
        &shop.run(
            &[ORDERS, CONTRACT, RFM, &only_end],
            "2026-10-31",
            &["--quiet"],
        ),
        0,
    );
    let quality = shop.table("quality");
    let made = quality
        .texts("criterion")
        .into_iter()
        .zip(quality.texts("scheme"));
    let made: Vec<_> = made
        .filter(|(criterion, _)| criterion.as_deref() == Some("made from scores"))
        .filter_map(|(_, scheme)| scheme)
        .collect();
    assert_eq!(made, ["plan"]);
}

/// Where nobody bought twice there is no spend to learn from: the money columns have no values, and say so; what was spent is known.
#[test]
fn columns_without_values_are_marked_as_not_computed() {
    let shop = Shop::new();
    let mut rows = "customer_id,ordered_at,amount\n".to_owned();
    for customer in 0..120 {
        let (month, day) = (1 + customer % 6, 1 + customer % 28);
        rows += &format!("c{customer:03},2026-{month:02}-{day:02},100\n");
        if customer % 2 == 0 {
            // Refunds as large as the second purchase.
            rows += &format!(
                "c{customer:03},2026-{:02}-{day:02},30\n",
                month + 1 + customer % 3
            );
            rows += &format!("c{customer:03},2026-10-{day:02},-30\n");
        }
    }
    shop.file("orders/o.csv", &rows);
    let source = format!("{ORDERS}purchase = \"amount > 0\"\n");
    said(
        &shop.run(&[&source, CONTRACT, RFM, SCORE], "2026-10-31", &["--quiet"]),
        0,
    );
    let features = shop.table("features");
    let (names, status) = (features.texts("name"), features.texts("status"));
    for (name, status) in names.iter().zip(status) {
        let expected = match name.as_deref().unwrap() {
            "clv" | "expected_spend" => "not computed",
            "past_value" | "order_count" => "ok",
            _ => continue,
        };
        assert_eq!(status.as_deref(), Some(expected), "{name:?}");
    }
    let past = shop.table("customers").floats("past_value");
    assert!(past.iter().all(|past| *past == Some(100.0)), "{past:?}");
}

/// Customers spend 45 or 75 on average, and buy about as often: counts do not tell how much of that is chance, so a spend model that
/// sees means and counts alone expects 60 of everyone.
#[test]
fn who_spends_more_is_expected_to_spend_more() {
    let mut rows = "customer_id,ordered_at,amount\n".to_owned();
    let start: chrono::NaiveDate = "2025-01-01".parse().unwrap();
    let mut next = random(11);
    for customer in 0..1000 {
        let level = if customer % 2 == 0 { 75 } else { 45 };
        let mut day = next(60);
        for _ in 0..12 + next(8) {
            let on = start + chrono::Days::new(day);
            rows += &format!("c{customer:03},{on},{}\n", level - 30 + next(61));
            day += 1 + next(40);
        }
    }
    let shop = Shop::new();
    shop.file("orders/o.csv", &rows);
    let told = said(
        &shop.run(&[ORDERS, CONTRACT, RFM, SCORE], "2026-10-31", &["--quiet"]),
        0,
    );
    let stands_in = "credibility_mean is used instead of gamma_gamma";
    assert!(told.contains(stands_in), "{told}");
    let customers = shop.table("customers");
    let (keys, expected) = (
        customers.texts("customer_id"),
        customers.floats("expected_spend"),
    );
    let mean_of = |remainder: usize| {
        let rows = keys.iter().zip(&expected);
        let of = rows.filter(|(key, _)| {
            let number: usize = key.as_deref().unwrap()[1..].parse().unwrap();
            number % 2 == remainder
        });
        of.map(|(_, spend)| spend.unwrap()).sum::<f64>() / 500.0
    };
    // Of the difference of 30 at least 15 / (15 + kappa) is kept. Between customers 225, within them 310, 1 / x 0.066: kappa is
    // 1.4, and below 6.6 if the covariance is no more than 4 standard errors, sqrt((535 * 245 + 225²) / 1000), too small.
    let apart = mean_of(0) - mean_of(1);
    assert!(
        apart > 30.0 * 15.0 / (15.0 + 6.6) && apart < 31.0,
        "{apart}"
    );
}
