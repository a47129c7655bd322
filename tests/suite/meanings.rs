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
fn an_expectation_that_every_value_or_none_meets_is_refused() {
    let expect = |limits: &str| {
        format!("{GRID}[[expect]]\nscheme = \"rfm\"\nsegment = \"Lost\"\nshare = {limits}\n")
    };
    for (limits, verdict) in [
        ("{ at_most = 5 }", "holds wherever there is a value"),
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

/// In a text file every column that is not declared is text.
#[test]
fn a_unit_of_numbers_is_for_numbers() {
    let shop = shop();
    let undeclared = CONTRACT.replace(", amount = \"f64\"", "");
    let refused = |contract: &str, feature: &str| {
        let features = format!("[features]\nx = {{ {feature} }}\n");
        said(&shop.run(&[ORDERS, contract, &features], DAY, &[]), 2)
    };
    for unit in ["currency", "count", "days"] {
        let last = format!("from = \"orders\", agg = \"last\", of = \"amount\", unit = \"{unit}\"");
        let found = refused(&undeclared, &last);
        states(
            &found,
            &[
                "error[TS-F011]",
                "`x` is string, but its unit says",
                "columns` of [sources.orders.contract]",
            ],
        );
    }
    let found = refused(
        &undeclared,
        "from = \"orders\", agg = \"sum\", of = \"amount\"",
    );
    states(
        &found,
        &["error[TS-F008]", "declare the column as a number"],
    );
    let found = refused(
        CONTRACT,
        "from = \"orders\", agg = \"max\", of = \"ordered_at\", unit = \"days\"",
    );
    states(
        &found,
        &["error[TS-F011]", "`x` is date", "make a number of it"],
    );
    let declared = "[features]\nx = { from = \"orders\", agg = \"last\", of = \"amount\", unit = \"currency\" }\n";
    said(&shop.run(&[ORDERS, CONTRACT, declared], DAY, &[]), 0);
}

/// Tables and the report read what customers are worth by these names, so nothing else may have them.
#[test]
fn names_of_values_are_refused_without_values_too() {
    for name in ["value_now", "value_future", "value_past", "value_at_risk"] {
        let scheme = format!(
            "[schemes.{name}]\nkind = \"quantile\"\nby = \"spend_total\"\ntiers = {{ top = 0.5, low = 1.0 }}\n"
        );
        let told = format!("`{name}` is the name of a column of [value] already");
        states(&refused(&[&scheme], ""), &["error[TS-P007]", &told]);
        let feature = format!("{name} = {{ from = \"orders\", agg = \"count\" }}\n");
        states(&refused(&[], &feature), &["error[TS-P007]", &told]);
    }
    // A text of this name is no money.
    let shop = shop();
    let text =
        "[features]\nspend_total = { from = \"orders\", agg = \"last\", of = \"customer_id\" }\n";
    said(&shop.run(&[ORDERS, CONTRACT, text], DAY, &[]), 0);
}

#[test]
fn a_score_and_a_scheme_of_one_name_are_refused() {
    for scheme in [
        "kind = \"quantile\"\nby = \"churn_probability\"\ntiers = { high = 0.2, low = 1.0 }\n",
        "kind = \"kmeans\"\nfeatures = [\"recency_days\", \"spend_total\"]\nk = 3\n",
    ] {
        let found = refused(&[SCORE, &format!("[schemes.churn]\n{scheme}")], "");
        states(
            &found,
            &[
                "error[TS-P007]",
                "there is already a score `churn`",
                "rename one",
            ],
        );
    }
}

/// Tables tell the segments of a scheme apart by their names.
#[test]
fn two_clusters_of_one_name_are_refused() {
    for kind in ["kmeans", "hierarchical"] {
        let scheme = format!(
            "[schemes.behaviour]\nkind = \"{kind}\"\nfeatures = [\"recency_days\", \"spend_total\"]\nk = 3\nnames = {{ 1 = \"regulars\", 2 = \"regulars\" }}\n"
        );
        let found = refused(&[&scheme], "");
        states(
            &found,
            &["error[TS-P007]", "`regulars` is the name of cluster"],
        );
    }
}

/// The key is a column of `actions`, `memberships` and other tables, which have columns of their own.
#[test]
fn a_key_that_is_named_like_a_column_of_a_table_is_refused() {
    let shop = shop();
    said(&shop.run(&[ORDERS, CONTRACT, RFM], DAY, &[]), 0);
    let text = std::fs::read_to_string(shop.path("shop.toml")).unwrap();
    for (name, table) in [
        ("owner", "`actions`"),
        ("Scheme", "`actions`"),
        ("as_of", "`actions`"),
    ] {
        let key = "[customer]\nkey = \"customer_id\"";
        assert!(text.contains(key));
        let file = shop.path("named.toml");
        std::fs::write(&file, text.replace(key, &key.replace("customer_id", name))).unwrap();
        let lake = format!("lake={}", shop.path("lake").display());
        for command in [
            &["check", "--no-lake"][..],
            &["run", "--as-of", DAY, "--var", &lake],
        ] {
            let output = crate::program::tessera()
                .args(command)
                .arg(&file)
                .output()
                .unwrap();
            let found = said(&output, 2);
            states(
                &found,
                &["error[TS-P007]", table, "cannot be the key", "named.toml:"],
            );
        }
    }
}

/// The unit of times in which all rows lie in 1970 is another one.
#[test]
fn rows_of_decades_ago_are_a_warning() {
    let shop = Shop::new();
    let rows: String = (0..40)
        .map(|n| format!("C{n:02},{},5\n", 1_780_000_000 + n))
        .collect();
    shop.file(
        "orders/a.csv",
        &format!("customer_id,ordered_at,amount\n{rows}"),
    );
    let run = |epoch: &str| {
        let form = format!("ordered_at = {{ type = \"timestamp\", epoch = \"{epoch}\" }}");
        let contract = CONTRACT.replace("ordered_at = \"date\"", &form);
        said(&shop.run(&[ORDERS, &contract, RFM], DAY, &[]), 0)
    };
    let told = "check the unit in which its times are read";
    let found = run("ms");
    states(
        &found,
        &[
            "its newest row is of 1970-01-21, 20,614 days before 2026-06-30",
            told,
        ],
    );
    assert!(!run("s").contains(told));
}

/// Rejected rows and tables know a rule, a score and a scheme by their names.
#[test]
fn names_that_would_stand_for_two_things_are_refused() {
    for name in [
        "customer_id is missing",
        "amount is not a number",
        "ordered_at is missing",
    ] {
        let rule = format!(
            "rules = [{{ name = \"{name}\", check = \"amount > 0\", on_fail = \"quarantine\" }}]\n"
        );
        let contract = format!("{CONTRACT}{rule}");
        let found = said(&shop().run(&[ORDERS, &contract, RFM], DAY, &[]), 2);
        states(
            &found,
            &["error[TS-P022]", name, "checked anyway", "shop.toml:"],
        );
    }
    let scheme = "[schemes.churn]\nkind = \"quantile\"\nby = \"churn_probability\"\ntiers = { high = 0.2, low = 1.0 }\n";
    states(
        &refused(&[SCORE, scheme], ""),
        &[
            "error[TS-P007]",
            "there is already a score `churn`",
            "churn_tier",
        ],
    );
    // Without [value], too, such columns would be taken for what customers are worth.
    let feature = "value_now = { from = \"orders\", agg = \"count\" }\n";
    let named = GRID.replace("[schemes.rfm]", "[schemes.value_at_risk]");
    for (found, name) in [
        (refused(&[], feature), "value_now"),
        (refused(&[&named], ""), "value_at_risk"),
    ] {
        states(&found, &["error[TS-P007]", name, "a column of [value]"]);
    }
}
