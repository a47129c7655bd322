//! Plans that read nothing of the lake say what the run does: whatever it would learn anew, ask of gates, or compare with nothing.

use serde_json::Value;

use crate::program::{json, run};
use crate::versions::Case;

fn strings(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

fn planned(case: &Case, day: &str, code: i32) -> Value {
    let arguments = case.arguments("plan", &["--as-of", day, "--json", "--quiet"]);
    json(&run(&strings(&arguments), code))
}

fn text_of_plan(case: &Case, day: &str) -> String {
    let arguments = case.arguments("plan", &["--as-of", day, "--quiet"]);
    String::from_utf8(run(&strings(&arguments), 0).stdout).unwrap()
}

/// Customers of whom many order now and then, over a year.
fn buyers(case: &Case) {
    let mut rows = Vec::new();
    for customer in 0..240_u32 {
        for order in 0..=(customer * 7) % 9 {
            let day = (customer * 13 + order * (29 + customer % 17)) % 360;
            let (month, day) = (1 + day / 30, 1 + day % 28);
            let amount = f64::from(20 + (customer * 31 + order * 7) % 90);
            rows.push((
                format!("c{customer:03}"),
                format!("2025-{month:02}-{day:02}"),
                amount,
            ));
        }
    }
    case.orders("a.csv", &rows);
}

const WORTH: &str = r#"
[scores.worth]
kind = "clv"
from = "orders"
models = ["mbg_nbd", "gamma_gamma"]
horizon = "90d"
refit = "REFIT"

[schemes.value]
kind = "rules"
rules = [{ segment = "high", when = "clv > LIMIT" }]
otherwise = "low"
"#;

fn worth(case: &Case, refit: &str, limit: &str, more: &str) {
    let schemes = WORTH.replace("REFIT", refit).replace("LIMIT", limit);
    case.pipeline(&format!("{schemes}{more}"));
}

/// The segment of every customer.
fn segments(case: &Case) -> Vec<Option<String>> {
    case.table("memberships").texts("segment")
}

#[test]
fn scores_that_would_be_learned_anew_are_not_those_of_the_version() {
    for [then, now] in [["never", "always"], ["always", "never"]] {
        let case = Case::new();
        buyers(&case);
        worth(&case, then, "40", "");
        case.day("2025-08-31");
        case.day("2025-12-31");
        let before = segments(&case);
        worth(&case, then, "41", "");
        let plan = planned(&case, "2025-12-31", 0);
        assert_eq!(plan["reads"]["features_reused"], true, "{}", plan["reads"]);
        worth(&case, now, "40", "");
        let plan = planned(&case, "2025-12-31", 0);
        assert_eq!(plan["reads"]["features_reused"], false);
        let why = plan["reads"]["why_not"].as_str().unwrap();
        assert!(
            why.ends_with("may have learned score `worth` on another day"),
            "{why}"
        );
        case.day("2025-12-31");
        let moved = before
            .iter()
            .zip(segments(&case))
            .filter(|(a, b)| **a != *b);
        let moved = moved.count() as u64;
        assert_eq!(plan["schemes"][0]["moved"], moved, "{then} {now}");
    }
}

/// Who may be contacted is a condition over published columns.
#[test]
fn conditions_of_gates_are_judged_without_the_lake() {
    let case = Case::new();
    let pipeline = |limit: u32, gate: &str| {
        case.pipeline(&format!(
            "[schemes.freshness]\nkind = \"rules\"\nrules = [{{ segment = \"fresh\", when = \"recency_days <= {limit}\" }}]\n\
             otherwise = \"gone\"\n[gates]\n{gate}\n"
        ));
    };
    let gate = |least: f64, on_fail: &str| {
        format!(
            "actionable = {{ reachable = \"spend_total > 40\", min_reachable = {least}, on_fail = \"{on_fail}\" }}"
        )
    };
    pipeline(10, &gate(0.1, "flag"));
    case.day("2026-02-01");
    for (least, code) in [(0.1, 0), (0.9, 3)] {
        pipeline(10, &gate(least, "fail_run"));
        let plan = planned(&case, "2026-02-01", code);
        assert_eq!(plan["reads"]["features_reused"], true, "{}", plan["reads"]);
        let arguments = case.arguments("run", &["--as-of", "2026-02-01", "--quiet"]);
        run(&strings(&arguments), code);
    }
    // What a gate holds back moves nobody.
    pipeline(10, &gate(0.1, "hold_previous"));
    case.day("2026-02-02");
    pipeline(2, &gate(0.9, "hold_previous"));
    let plan = planned(&case, "2026-02-02", 0);
    assert_eq!(plan["reads"]["features_reused"], true, "{}", plan["reads"]);
    assert_eq!(
        plan["judged"]["held"].as_array().unwrap().len(),
        1,
        "{plan}"
    );
    assert_eq!(plan["schemes"][0]["moved"], 0);
}

/// How far segments can be relied on is not known without the scores' tests.
#[test]
fn expectations_of_what_scores_decide_are_named_as_not_checked() {
    let case = Case::new();
    buyers(&case);
    worth(&case, "always", "40", "");
    case.day("2025-12-31");
    let expect = "[[expect]]\nscheme = \"value\"\nsegment = \"low\"\nscheme_status = \"made up\"\n\
                  [[expect]]\nscheme = \"value\"\nsegment = \"low\"\nsegment_id = { at_least = 1 }\n";
    worth(&case, "always", "40", expect);
    let judged = &planned(&case, "2025-12-31", 0)["judged"];
    assert_eq!(
        judged["not_checked"].as_array().unwrap().len(),
        1,
        "{judged}"
    );
    assert_eq!(judged["expectations"], 1, "{judged}");
    let arguments = case.arguments("run", &["--as-of", "2026-01-01", "--quiet"]);
    run(&strings(&arguments), 3);
}

#[test]
fn another_key_is_a_breaking_change_and_compares_nothing() {
    let case = Case::new();
    case.day("2026-02-01");
    let (file, lake) = (case.path("moves.toml"), case.path("lake/a.csv"));
    let texts = [&file, &lake].map(|path| std::fs::read_to_string(path).unwrap());
    for (path, text) in [&file, &lake].into_iter().zip(&texts) {
        std::fs::write(path, text.replace("customer_id", "account")).unwrap();
    }
    let plan = planned(&case, "2026-02-01", 0);
    let columns = plan["columns"].to_string();
    for of_key in [
        r#"{"column":"customer_id","change":"removed","breaking":true,"before":"Utf8","after":null}"#,
        r#"{"column":"account","change":"added","breaking":false,"before":null,"after":"Utf8"}"#,
    ] {
        assert!(columns.contains(of_key), "{columns}");
    }
    let told = text_of_plan(&case, "2026-02-01");
    let line = "the run would compare no customer with the version, since `key` of [customer] is `account` and was `customer_id`: \
                every stay begins anew";
    assert!(told.contains(line), "{told}");
    // The same name, of numbers.
    let number = |text: &str| text.replace("small", "1").replace("large", "2");
    std::fs::write(&lake, number(&texts[1])).unwrap();
    let whole = texts[0].replace("customer_id = \"string\"", "customer_id = \"i64\"");
    std::fs::write(&file, whole).unwrap();
    let plan = planned(&case, "2026-02-01", 0);
    let of_key = r#"{"column":"customer_id","change":"type","breaking":true,"before":"Utf8","after":"Int64"}"#;
    assert!(plan["columns"].to_string().contains(of_key), "{plan}");
    let why = plan["not_compared"].as_str().unwrap();
    assert_eq!(why, "`customer_id` is Int64 and was Utf8");
}

/// Who leaves the base counts what it counts in the run.
#[test]
fn who_leaves_counts_by_the_column_of_the_run() {
    let case = Case::new();
    let tier = "[schemes.freshness]\nkind = \"rules\"\nrules = [{ segment = \"fresh\", when = \"recency_days <= 30\" }]\notherwise = \"gone\"\n";
    let pipeline = |value: &str, active: &str| {
        case.pipeline(&format!("{value}{tier}"));
        let file = case.path("moves.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let key = "[customer]\n";
        std::fs::write(&file, text.replace(key, &format!("{key}{active}"))).unwrap();
    };
    let past = "[value]\npast = \"spend_total\"\n";
    let future = "[value]\npast = \"spend_total\"\nfuture = \"spend_total * 2\"\n";
    for [then, now] in [[past, future], [future, past], [past, past], ["", future]] {
        let case_values = |plan: &Value| -> f64 {
            let moves = plan["schemes"][0]["moves"].as_array().unwrap().iter();
            let left = moves.filter(|one| one["to_segment"].is_null());
            left.map(|one| one["value"].as_f64().unwrap()).sum()
        };
        let _ = std::fs::remove_dir_all(case.path("store"));
        pipeline(then, "");
        case.day("2026-02-01");
        pipeline(now, "active = \"recency_days <= 10\"\n");
        let plan = case_values(&planned(&case, "2026-02-02", 0));
        case.day("2026-02-02");
        let moves = case.table("migrations");
        let left = moves
            .texts("to_segment")
            .into_iter()
            .zip(moves.numbers("value"));
        let run: f64 = left
            .filter(|row| row.0.is_none())
            .map(|row| row.1.unwrap())
            .sum();
        assert!((plan - run).abs() < 0.01, "{then} {now}: {plan} {run}");
    }
}

/// Clusters by a score are found anew where what the score learns from was edited.
#[test]
fn clusters_of_a_score_depend_on_its_features() {
    let case = Case::new();
    buyers(&case);
    let pipeline = |amount: &str| {
        let text = format!(
            r#"
orders_90d = {{ from = "orders", agg = "count", window = "90d", where = "{amount}" }}

[scores.churn]
kind = "supervised"
from = "orders"
horizon = "90d"
observations = 2
features = ["recency_days", "orders_90d"]
models = ["logistic"]
refit = "6mo"

[schemes.groups]
kind = "kmeans"
features = ["churn_probability"]
k = 2
transform = "none"
refit = "6mo"
"#
        );
        case.pipeline(&text);
    };
    let fitted_on = || -> Vec<(String, String)> {
        let mut commits: Vec<_> = std::fs::read_dir(case.path("store/commits"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        commits.sort();
        let newest = std::fs::read(commits.last().unwrap()).unwrap();
        let commit: Value = serde_json::from_slice(&newest).unwrap();
        let artifacts = commit["artifacts"].as_array().unwrap().iter();
        let text = |of: &Value| of.as_str().unwrap().to_owned();
        artifacts
            .map(|one| (text(&one["of"]), text(&one["fitted_on"])))
            .collect()
    };
    pipeline("amount > 0");
    case.day("2025-11-30");
    case.day("2025-12-01");
    assert!(
        fitted_on().iter().all(|one| one.1 == "2025-11-30"),
        "{:?}",
        fitted_on()
    );
    pipeline("amount > 30");
    case.day("2025-12-02");
    assert!(
        fitted_on().iter().all(|one| one.1 == "2025-12-02"),
        "{:?}",
        fitted_on()
    );
}
