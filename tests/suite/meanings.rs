//! Settings whose numbers have a range or a unit: what contradicts it is refused at its place, with what was found.

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};

const DAY: &str = "2026-06-30";

/// A churn score and values that are made of it.
const SCORE: &str = r#"
[scores.churn]
kind = "supervised"
from = "orders"
horizon = "30d"
"#;

const LIFETIME: &str = r#"
[scores.lifetime]
kind = "clv"
from = "orders"
models = ["mbg_nbd", "gamma_gamma"]
horizon = "90d"
"#;

const GRID: &str = "[schemes.rfm]\nkind = \"rfm_grid\"\ngrid = \"eleven\"\n";

/// Orders of 40 customers over half a year.
fn shop() -> Shop {
    let shop = Shop::new();
    let orders = (0..240).map(|n| {
        let (month, day) = (1 + n % 6, 1 + n * 7 % 28);
        format!(
            "C{:02},2026-{month:02}-{day:02},{}\n",
            n * 11 % 40,
            5 + n % 13
        )
    });
    let orders: String = orders.collect();
    shop.file(
        "orders/a.csv",
        &format!("customer_id,ordered_at,amount\n{orders}"),
    );
    shop
}

/// The mistakes of a pipeline that is refused.
#[track_caller]
fn refused(more: &[&str], features: &str) -> String {
    let shop = shop();
    let mut parts = vec![ORDERS, CONTRACT, RFM, features];
    parts.extend(more);
    let said = said(&shop.run(&parts, DAY, &[]), 2);
    assert!(!shop.published());
    said
}

#[track_caller]
fn states(said: &str, texts: &[&str]) {
    for text in texts {
        assert!(said.contains(text), "{text}\n{said}");
    }
}

#[test]
fn a_risk_that_is_no_probability_is_refused() {
    let value = |risk: &str| format!("[value]\nfuture = \"clv\"\nrisk = \"{risk}\"\n");
    let found = refused(&[&value("recency_days"), LIFETIME], "");
    states(
        &found,
        &[
            "error[TS-G024]",
            "`recency_days` is a number of days",
            "shop.toml:",
        ],
    );
    states(&refused(&[&value("1.5"), LIFETIME], ""), &["it can be 1.5"]);
    for risk in ["alive_probability", "coalesce(alive_probability, 0)"] {
        states(
            &refused(&[&value(risk), LIFETIME], ""),
            &[
                "error[TS-G024]",
                "high values of `alive_probability` are good",
                "`1 - alive_probability`",
            ],
        );
    }
    states(
        &refused(&[&value("coalesce(alive_probability, 2)"), LIFETIME], ""),
        &["it can be 2"],
    );
    // Known only once the values are: 40 customers with 6 orders each.
    let found = refused(&[&value("order_count / 2"), LIFETIME], "");
    states(
        &found,
        &[
            "error[TS-G024]",
            "of 40 of 40 customers it is not: from 3 to 3",
            "shop.toml:",
        ],
    );
    let shop = shop();
    let good = value("1 - coalesce(alive_probability, 1)");
    said(
        &shop.run(&[ORDERS, CONTRACT, RFM, &good, LIFETIME, GRID], DAY, &[]),
        0,
    );
    let segments = shop.table("segments");
    let sums = segments.floats("value_at_risk").into_iter();
    for (risk, future) in sums.zip(segments.floats("value_future")) {
        assert!(risk.unwrap_or(0.0) <= future.unwrap_or(0.0) + 1e-6);
    }
}

#[test]
fn a_value_that_is_no_money_is_refused() {
    for (key, of, is) in [
        ("past", "recency_days", "a number of days"),
        ("now", "coalesce(order_count, 0) + 1", "a count"),
        ("future", "clv + alive_probability", "a ratio"),
    ] {
        let value = format!("[value]\n{key} = \"{of}\"\n");
        let found = refused(&[&value, LIFETIME], "");
        states(
            &found,
            &["error[TS-G023]", &format!("`{key}` must be money"), is],
        );
    }
    let product = "[value]\npast = \"order_count * 12.5\"\n";
    let (shop, parts) = (shop(), [ORDERS, CONTRACT, RFM, product, GRID]);
    said(&shop.run(&parts, DAY, &[]), 0);
}

#[test]
fn periods_are_a_list() {
    let value = "[value]\nnow = \"spend_total\"\nper = \"months\"\n";
    states(
        &refused(&[value], ""),
        &["`months`", "did you mean `month`?"],
    );
}

#[test]
fn a_target_outside_the_values_of_the_kpi_is_refused() {
    let goal = |target: &str| {
        format!(
            "[goal]\nobjective = \"retention\"\nkpi = \"churn_probability\"\ntarget = {{ {target} }}\n"
        )
    };
    for target in ["below = 50", "above = 1", "below = -0.1"] {
        let found = refused(&[&goal(target), SCORE], "");
        states(
            &found,
            &["error[TS-G025]", target, "0.5 is 50%", "shop.toml:"],
        );
    }
}

#[test]
fn a_discount_above_one_is_refused() {
    let score = format!("{LIFETIME}discount_per_year = 10\n");
    states(
        &refused(&[&score], ""),
        &["error[TS-P042]", "0.10 is 10% a year"],
    );
}

#[test]
fn an_empty_list_of_features_means_all_and_is_said() {
    let score = format!("{SCORE}features = []\n");
    let run = shop().run(&[ORDERS, CONTRACT, RFM, "", &score], DAY, &[]);
    states(
        &said(&run, 0),
        &["`features` of [scores.churn] is empty, so the models see every published feature"],
    );
}

#[test]
fn an_expectation_that_cannot_fail_or_hold_is_refused() {
    let expect = |limits: &str| {
        format!("{GRID}[[expect]]\nscheme = \"rfm\"\nsegment = \"Lost\"\nshare = {limits}\n")
    };
    for (limits, verdict) in [
        ("{ at_most = 5 }", "cannot fail"),
        ("{ at_least = 5 }", "cannot hold"),
        ("20", "cannot hold"),
        ("{ at_least = 0.6, at_most = 0.5 }", "cannot hold"),
    ] {
        let found = refused(&[&expect(limits)], "");
        states(&found, &["error[TS-G026]", verdict, "0.05 is 5%"]);
    }
}

#[test]
fn a_rule_that_compares_a_probability_with_percent_is_refused() {
    let rule = |when: &str| {
        format!(
            "[schemes.touch]\nkind = \"rules\"\nrules = [{{ segment = \"rescue\", when = \"{when}\" }}]\notherwise = \"rest\"\n"
        )
    };
    for when in [
        "churn_probability > 50",
        "order_count > 1 and churn_probability between 0.5 and 80",
        "not -1 >= churn_probability",
    ] {
        let found = refused(&[SCORE, &rule(when)], "");
        states(
            &found,
            &["error[TS-G027]", "from 0 to 1", "0.5 is 50%", "shop.toml:"],
        );
    }
}

#[test]
fn values_and_gates_are_held_against_what_can_occur_as_rules_are() {
    let value = "[value]\nnow = \"case when churn_probability > 50 then 0 else spend_total end\"\n";
    states(
        &refused(&[SCORE, value], ""),
        &["error[TS-G027]", "0.5 is 50%", "shop.toml:"],
    );
    let gate = "[gates.actionable]\nreachable = \"size = 'bigg'\"\n";
    let size = "size = { expr = \"case when order_count > 3 then 'big' else 'small' end\" }\n";
    states(
        &refused(&[GRID, gate], size),
        &["error[TS-G007]", "did you mean `big`", "shop.toml:"],
    );
}
