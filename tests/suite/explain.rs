//! `tessera explain`: what it says of a customer is what the rules and the tables say.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::oracle::{python, script};
use crate::program::{json, run, tessera};
use crate::table::Table;
use crate::versions::Case;

/// Rules over numbers, over what is missing, and over the segments of another scheme.
const SCHEMES: &str = r#"
[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.25, rest = 1.0 }

[schemes.rfm]
kind = "rfm_grid"
grid = "eleven"
score_method = "midrank"

[schemes.care]
kind = "rules"
rules = [
  { segment = "call", when = "tier = 'top' and recency_days > 20" },
  { segment = "welcome", when = "recency_days <= 10 or (order_count >= 2 and spend_total between 20 and 30.5)" },
  { segment = "odd", when = "order_value_mean is null" },
]
otherwise = "mail"
"#;

fn case() -> Case {
    let case = Case::new();
    case.pipeline(SCHEMES);
    case.day("2026-02-01");
    case.orders(
        "b.csv",
        &[
            ("small00".into(), "2026-02-11", 5.0),
            ("new1".into(), "2026-02-12", 7.5),
        ],
    );
    case.day("2026-02-15");
    case
}

fn explained(case: &Case, customers: &[&str], more: &[&str]) -> Vec<Value> {
    let store = case.path("store").display().to_string();
    let mut arguments = vec!["explain", store.as_str()];
    arguments.extend(customers);
    arguments.extend(more);
    arguments.push("--json");
    let found = json(&run(&arguments, 0));
    found.as_array().unwrap().clone()
}

fn scheme<'a>(explained: &'a Value, name: &str) -> &'a Value {
    let mut schemes = explained["schemes"].as_array().unwrap().iter();
    schemes.find(|one| one["scheme"] == name).unwrap()
}

#[test]
fn conditions_hold_as_the_values_say_and_the_first_true_rule_decides() {
    let case = case();
    let found = explained(&case, &["small00", "large39", "small03", "new1"], &[]);
    let rules = |at: usize| scheme(&found[at], "care")["rules"].as_array().unwrap();
    // 10 + 5 of two orders, the last one four days ago.
    assert_eq!(scheme(&found[0], "care")["segment"], "welcome");
    let deciding = &rules(0)[1];
    assert_eq!(
        (&deciding["number"], &deciding["holds"]),
        (&2.into(), &true.into())
    );
    let holds: Vec<&Value> = deciding["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["holds"])
        .collect();
    assert_eq!(holds, [&Value::from(true), &true.into(), &false.into()]);
    assert_eq!(deciding["conditions"][0]["values"]["recency_days"], 4);
    // The eighteenth day after 2026-01-28: not yet a call.
    assert_eq!(scheme(&found[1], "care")["segment"], "mail");
    assert_eq!(
        rules(1).len(),
        3,
        "no rule is true, so all of them are listed"
    );
    let nearest = &scheme(&found[1], "care")["nearest"][0];
    assert_eq!(
        (&nearest["column"], &nearest["to"], &nearest["segment"]),
        (&"recency_days".into(), &21.into(), &"call".into())
    );
    assert_eq!(nearest["change"], 3.0);
    let of_new = scheme(&found[3], "care");
    assert_eq!(of_new["stays"][0]["versions"], 1);
    assert_eq!(of_new["stays"].as_array().unwrap().len(), 1);
}

#[test]
fn segments_over_the_versions_are_those_of_memberships() {
    let case = case();
    let found = explained(&case, &["small00"], &["--scheme", "care"]);
    assert_eq!(found[0]["schemes"].as_array().unwrap().len(), 1);
    let stays = scheme(&found[0], "care")["stays"].as_array().unwrap();
    let told: Vec<String> = stays
        .iter()
        .map(|stay| {
            let text = |name: &str| stay[name].as_str().unwrap_or("-").to_owned();
            format!(
                "{} {} {} {}",
                text("segment"),
                text("first_day"),
                text("last_day"),
                text("cause")
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "welcome 2026-02-15 2026-02-15 activity",
            "mail 2026-02-01 2026-02-01 -"
        ]
    );
    let earlier = explained(&case, &["small00"], &["--as-of", "2026-02-01"]);
    assert_eq!(scheme(&earlier[0], "care")["segment"], "mail");
    assert_eq!(earlier[0]["version"], 1);
}

#[test]
fn the_present_stay_says_from_where_and_why_the_customer_came() {
    let case = case();
    case.day("2026-02-16");
    let found = explained(&case, &["small00"], &[]);
    let care = scheme(&found[0], "care");
    assert_eq!(
        (&care["cause"], &care["stays"][0]["versions"]),
        (&Value::Null, &2.into())
    );
    assert_eq!(care["stays"][0]["from_segment"], "mail");
    let store = case.path("store").display().to_string();
    let text = String::from_utf8(run(&["explain", &store, "small00"], 0).stdout).unwrap();
    assert!(
        text.contains("care: welcome, since 2026-02-15\n")
            && text.contains("  came from mail by activity\n"),
        "{text}"
    );
}

/// What is missing says whether the customer has a row: it does where another attribute of the source has a value.
#[test]
fn an_empty_attribute_of_a_row_that_counts_is_no_missing_row() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("a.csv", "cid,country,score\np,DE,3\nq,FR,\nr,,\n");
    write("b.csv", "cid,tone\np,warm\n");
    let store = dir.path().join("store").display().to_string();
    let source = |name: &str, columns: &str| {
        let path = dir.path().join(format!("{name}.csv")).display().to_string();
        let of = |column: &&str| format!("attributes.{column} = {{ base = \"geographic\" }}\n");
        let columns: Vec<&str> = columns.split(' ').collect();
        let attributes: String = columns.iter().map(of).collect();
        let types: Vec<String> = columns
            .iter()
            .map(|c| format!("{c} = \"string\""))
            .collect();
        format!(
            "[sources.{name}]\nkind = \"attributes\"\npath = \"{path}\"\nkey = \"cid\"\n{attributes}\
             [sources.{name}.contract]\nmissing_key = \"fail\"\ncolumns = {{ cid = \"string\", {} }}\n",
            types.join(", ")
        )
    };
    let pipeline = format!(
        "spec_version = 1\nname = \"p\"\ntimezone = \"UTC\"\ncurrency = \"EUR\"\nstore = \"{store}\"\n\
         [customer]\nkey = \"cid\"\nfrom = [\"a\"]\n{}{}\
         [schemes.place]\nkind = \"rules\"\nrules = [{{ segment = \"de\", when = \"country = 'DE'\" }}]\notherwise = \"else\"\n",
        source("a", "country score"),
        source("b", "tone")
    );
    write("p.toml", &pipeline);
    let file = dir.path().join("p.toml").display().to_string();
    run(&["run", &file, "--as-of", "2026-01-31", "--quiet"], 0);
    let why = |customer: &str| {
        let output = run(&["explain", &store, customer, "--json"], 0);
        let missing = json(&output)[0]["missing"].as_array().unwrap().clone();
        let of = |one: &Value| {
            let why = one["why"].as_str().unwrap();
            format!(
                "{}: {}",
                one["feature"].as_str().unwrap(),
                why.split(": ").next().unwrap()
            )
        };
        missing.iter().map(of).collect::<Vec<_>>()
    };
    let none = |feature: &str, source: &str| {
        format!(
            "{feature}: no row of `{source}` counts for this customer, or it is empty in that row"
        )
    };
    assert_eq!(
        why("q"),
        [
            "score: it is empty in the row of `a` that counts for this customer".to_owned(),
            none("tone", "b")
        ]
    );
    assert_eq!(
        why("r"),
        [none("country", "a"), none("score", "a"), none("tone", "b")]
    );
}

/// The limits of tiers and scores: with the nearest value the customer is where another customer of that value is.
#[test]
fn limits_of_tiers_are_those_between_the_customers() {
    let case = case();
    let customers = case.table("customers");
    let tiers = customers.texts("tier").into_iter().flatten();
    let spend: Vec<(String, f64)> = tiers
        .zip(customers.numbers("spend_total").into_iter().flatten())
        .collect();
    let lowest_top = spend
        .iter()
        .filter(|one| one.0 == "top")
        .map(|one| one.1)
        .fold(f64::INFINITY, f64::min);
    let found = explained(&case, &["small05"], &["--scheme", "tier"]);
    let nearest = &scheme(&found[0], "tier")["nearest"][0];
    assert_eq!(
        (&nearest["to"], &nearest["segment"]),
        (&lowest_top.into(), &"top".into())
    );
}

/// Who has ordered once has no days between orders: clusters take the median for it, and the note says so of them alone.
#[test]
fn features_of_clusters_that_a_customer_lacks_are_named() {
    let case = Case::new();
    case.pipeline(
        r#"
gap = { expr = "tenure_days / nullif(order_count - 1, 0)", unit = "days" }

[schemes.groups]
kind = "kmeans"
features = ["spend_total", "gap"]
k = 2
transform = "none"
"#,
    );
    let again: Vec<(String, &str, f64)> = (0..40)
        .flat_map(|number| ["small", "large"].map(|size| format!("{size}{number:02}")))
        .filter(|key| key != "small07" && key != "large11")
        .map(|key| (key, "2026-01-30", 3.0))
        .collect();
    case.orders("b.csv", &again);
    case.day("2026-02-01");
    let keys = ["small07", "large11", "small08"];
    let notes: Vec<String> = explained(&case, &keys, &[])
        .iter()
        .map(|one| {
            scheme(one, "groups")["nearest_note"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let centres = "by the centres of this version, within the values that customers have";
    let lacking = format!("{centres}; without a value, which counts as the median: gap");
    assert_eq!(notes, [lacking.as_str(), lacking.as_str(), centres]);
}

#[test]
fn what_is_not_there_is_exit_code_2() {
    let case = case();
    let store = case.path("store").display().to_string();
    let said = |arguments: &[&str]| {
        let output = run(&[&["explain", store.as_str()], arguments].concat(), 2);
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(&["nobody"]).contains("version 2 of 2026-02-15 has no customer `nobody`"));
    assert!(
        said(&["small00", "--scheme", "cate"])
            .contains("has no scheme `cate`; it has tier, rfm, care")
    );
    assert!(said(&["small00", "--as-of", "2026-03-01"]).contains("has no version of 2026-03-01"));
    let text = String::from_utf8(run(&["explain", &store, "small00"], 0).stdout).unwrap();
    assert!(text.contains("rule 2 (welcome) is true"), "{text}");
    assert!(
        text.contains("recency_days <= 10: recency_days is 4"),
        "{text}"
    );
}

/// A thousand customers of the demo: every rule and every condition is what DuckDB makes of the same text over the customer's
/// row, with every nearest change the rules give the segment that is named, and halfway there they give the present one.
#[test]
fn rules_and_nearest_changes_are_those_of_duckdb_for_a_thousand_customers() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 1_500);
    let store = format!("{path}/store/demo");
    let customers = Table::read(&dir.path().join("store/demo/latest/customers.parquet"));
    let keys = customers.texts("customer_id");
    let keys: Vec<String> = keys.into_iter().flatten().take(1_000).collect();
    assert_eq!(keys.len(), 1_000);
    let mut command = tessera();
    command.arg("explain").arg(&store).args(&keys).arg("--json");
    let output = crate::program::bounded(&mut command);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let file = dir.path().join("explained.json");
    std::fs::write(&file, &output.stdout).unwrap();
    script(
        &python,
        "explained.py",
        &[&file.display().to_string(), &store],
    );
    // Scores have their reasons and intervals, what is missing its reason.
    let found = json(&output);
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for one in found.as_array().unwrap() {
        for score in one["scores"].as_array().unwrap() {
            let estimates = score["estimates"].as_array().unwrap();
            for estimate in estimates {
                let missing = estimate["value"].is_null();
                assert_eq!(missing, estimate["missing"].is_string(), "{estimate}");
                *counted.entry("intervals").or_default() +=
                    usize::from(estimate["interval"]["low_95"].is_number());
            }
            *counted.entry("reasons").or_default() += score["reasons"].as_array().unwrap().len();
        }
        for feature in one["missing"].as_array().unwrap() {
            assert!(!feature["why"].as_str().unwrap().is_empty());
            assert!(one["features"][feature["feature"].as_str().unwrap()].is_null());
            *counted.entry("missing").or_default() += 1;
        }
        let schemes = one["schemes"].as_array().unwrap().iter();
        *counted.entry("playbooks").or_default() += schemes
            .filter(|scheme| scheme["playbooks"][0].is_object())
            .count();
    }
    for what in ["intervals", "reasons", "missing", "playbooks"] {
        assert!(counted[what] > 100, "{counted:?}");
    }
}
