//! The true parameters can be recovered from the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array, AsArray};
use tessera_demo::{ARCHETYPES, DemoConfig, Purchases};

use super::rows::{DAY_MICROS, batches, clean, default_lake, float, int, lake, orders, text};

/// A customer of `truth/`.
struct Truth {
    archetype: String,
    arrived: Option<f64>,
    alive: Option<bool>,
    orders: i64,
    occasions: i64,
    spend: f64,
    lambda: Option<f64>,
    dropout: Option<f64>,
    order_value: f64,
    shape: f64,
}

fn truth(root: &Path) -> BTreeMap<String, Truth> {
    let mut rows = BTreeMap::new();
    for (path, batch) in batches(&root.join("truth")) {
        if path.ends_with("archetypes.parquet") {
            continue;
        }
        let alive = batch.column_by_name("alive_at_end").unwrap().as_boolean();
        for row in 0..batch.num_rows() {
            let customer = Truth {
                archetype: text(&batch, "archetype", row).unwrap(),
                arrived: float(&batch, "first_order_time_days", row),
                alive: (!alive.is_null(row)).then(|| alive.value(row)),
                orders: int(&batch, "orders", row),
                occasions: int(&batch, "occasions", row),
                spend: float(&batch, "spend_total", row).unwrap(),
                lambda: float(&batch, "lambda_per_day", row),
                dropout: float(&batch, "dropout_p", row),
                order_value: float(&batch, "order_value_expected", row).unwrap(),
                shape: float(&batch, "spend_shape", row).unwrap(),
            };
            rows.insert(text(&batch, "customer_id", row).unwrap(), customer);
        }
    }
    rows
}

/// Distance of the mean from `expected`, in standard errors.
fn standard_errors(values: &[f64], expected: f64) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean - expected) / (variance / n).sqrt()
}

#[test]
fn clean_orders_hold_exactly_what_the_truth_says() {
    let lake = default_lake();
    let truth = truth(&lake.root);
    assert_eq!(truth.len() as u64, lake.summary.customers);
    let mut found: BTreeMap<String, (BTreeSet<String>, BTreeSet<i64>, i64)> = BTreeMap::new();
    for order in clean(orders(&lake.root)) {
        let (ids, days, cents) = found.entry(order.customer.clone().unwrap()).or_default();
        ids.insert(order.order_id.clone());
        days.insert(order.at.div_euclid(DAY_MICROS));
        *cents += order.cents * i64::from(order.quantity);
    }
    for (id, customer) in &truth {
        let (ids, days, cents) = found.get(id).cloned().unwrap_or_default();
        assert_eq!(ids.len() as i64, customer.orders, "{id}");
        assert_eq!(days.len() as i64, customer.occasions, "{id}");
        assert_eq!(cents, (customer.spend * 100.0).round() as i64, "{id}");
        assert_eq!(customer.alive.is_none(), customer.orders == 0, "{id}");
    }
    let buyers = truth.values().filter(|c| c.orders > 0).count() as u64;
    assert_eq!(buyers, lake.summary.buyers);
}

/// Fader, Hardie and Lee 2005: λ ~ Gamma(r, alpha), p ~ Beta(a, b). Means within 4 standard errors.
#[test]
fn hidden_parameters_have_the_moments_of_their_laws() {
    let lake = lake(DemoConfig::default());
    let truth = truth(&lake.root);
    for archetype in ARCHETYPES {
        let members: Vec<&Truth> = truth
            .values()
            .filter(|c| c.archetype == archetype.name)
            .collect();
        let share = members.len() as f64 / truth.len() as f64;
        let spread = (archetype.share * (1.0 - archetype.share) / truth.len() as f64).sqrt();
        assert!(
            (share - archetype.share).abs() < 4.0 * spread,
            "{}: share {share}",
            archetype.name
        );
        let spend = archetype.spend;
        let rates: Vec<f64> = members.iter().map(|c| c.shape / c.order_value).collect();
        let off = standard_errors(&rates, spend.q / spend.gamma);
        assert!(
            off.abs() < 4.0,
            "{}: spend rate {off} standard errors off",
            archetype.name
        );
        let Some(Purchases { r, alpha, a, b, .. }) = archetype.purchases else {
            assert!(members.iter().all(|c| c.lambda.is_none() && c.orders == 0));
            continue;
        };
        let lambdas: Vec<f64> = members.iter().filter_map(|c| c.lambda).collect();
        let dropouts: Vec<f64> = members.iter().filter_map(|c| c.dropout).collect();
        for (what, values, mean, square) in [
            (
                "lambda",
                &lambdas,
                r / alpha,
                r * (r + 1.0) / (alpha * alpha),
            ),
            (
                "p",
                &dropouts,
                a / (a + b),
                a * (a + 1.0) / ((a + b) * (a + b + 1.0)),
            ),
        ] {
            let off = standard_errors(values, mean);
            assert!(
                off.abs() < 4.0,
                "{}: mean of {what} is {off} standard errors off",
                archetype.name
            );
            let squares: Vec<f64> = values.iter().map(|v| v * v).collect();
            let off = standard_errors(&squares, square);
            assert!(
                off.abs() < 4.0,
                "{}: mean square of {what} is {off} standard errors off",
                archetype.name
            );
        }
    }
}

/// Fader, Hardie and Lee 2005, eq. 6 and the survival function before it: given λ and p, repeat purchases in t days have
/// mean (1 - e^(-λpt)) / p, and the customer is still there with probability e^(-λpt). Within 4 standard errors.
#[test]
fn repeat_purchases_and_departures_follow_bg_nbd() {
    let lake = lake(DemoConfig::default());
    let truth = truth(&lake.root);
    let end = 730.0;
    for archetype in ARCHETYPES
        .iter()
        .filter(|a| a.purchases.is_some_and(|law| !law.seasonal))
    {
        let mut surplus = Vec::new();
        let mut survivors = Vec::new();
        for customer in truth.values().filter(|c| c.archetype == archetype.name) {
            let (lambda, p, arrived) = (
                customer.lambda.unwrap(),
                customer.dropout.unwrap(),
                customer.arrived.unwrap(),
            );
            let stays = (-lambda * p * (end - arrived)).exp();
            let expected = if p > 1e-12 {
                (1.0 - stays) / p
            } else {
                lambda * (end - arrived)
            };
            surplus.push((customer.orders - 1) as f64 - expected);
            survivors.push(f64::from(u8::from(customer.alive.unwrap())) - stays);
        }
        let (purchases, alive) = (
            standard_errors(&surplus, 0.0),
            standard_errors(&survivors, 0.0),
        );
        assert!(
            purchases.abs() < 4.0,
            "{}: purchases {purchases} standard errors off",
            archetype.name
        );
        assert!(
            alive.abs() < 4.0,
            "{}: survival {alive} standard errors off",
            archetype.name
        );
    }
}

/// Fader and Hardie 2013: an order's value is Gamma(p, rate ν), so its mean over n orders has mean p/ν and variance p/ν²/n.
/// Rounding each line to a cent moves a mean by less than the tolerance.
#[test]
fn order_values_follow_gamma_gamma() {
    let lake = lake(DemoConfig::default());
    let truth = truth(&lake.root);
    for archetype in ARCHETYPES.iter().filter(|a| a.purchases.is_some()) {
        let mut scaled = Vec::new();
        for customer in truth.values().filter(|c| c.archetype == archetype.name) {
            let n = customer.orders as f64;
            let spread = customer.order_value / customer.shape.sqrt() / n.sqrt();
            scaled.push((customer.spend / n - customer.order_value) / spread);
        }
        let mean = standard_errors(&scaled, 0.0);
        assert!(
            mean.abs() < 4.0,
            "{}: order value {mean} standard errors off",
            archetype.name
        );
        let squares: Vec<f64> = scaled.iter().map(|z| z * z).collect();
        let variance = standard_errors(&squares, 1.0);
        assert!(
            variance.abs() < 4.0,
            "{}: variance of order values {variance} standard errors off",
            archetype.name
        );
    }
}
