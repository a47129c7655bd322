//! `tessera diff`: what it says of two versions is what their tables say.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::program::{json, run};
use crate::table::Table;
use crate::versions::Case;

/// Three versions of three days: orders come, a customer comes, and the rules are edited before the last one.
fn three_versions() -> Case {
    let case = Case::new();
    case.day("2026-02-01");
    case.orders(
        "b.csv",
        &[
            ("small00".into(), "2026-02-11", 5.0),
            ("new1".into(), "2026-02-12", 7.5),
        ],
    );
    case.day("2026-02-15");
    let text = std::fs::read_to_string(case.path("moves.toml")).unwrap();
    let text = text.replace("recency_days <= 60", "recency_days <= 35");
    std::fs::write(case.path("moves.toml"), text).unwrap();
    case.day("2026-03-10");
    case
}

fn compared(case: &Case, from: &str, to: &str, more: &[&str]) -> Value {
    let store = case.path("store").display().to_string();
    let mut arguments = vec!["diff", store.as_str(), from, to, "--json"];
    arguments.extend(more);
    json(&run(&arguments, 0))
}

fn of<'a>(list: &'a Value, field: &str, name: &str) -> &'a Value {
    let mut found = list.as_array().unwrap().iter();
    found.find(|one| one[field] == name).unwrap()
}

/// A table of a version.
fn table(case: &Case, version: &str, name: &str) -> Table {
    let store = case.path("store").display().to_string();
    let found = json(&run(&["path", &store, "--version", version, "--json"], 0));
    let folder = found["folder"].as_str().unwrap().to_owned();
    Table::read(&std::path::Path::new(&folder).join(format!("{name}.parquet")))
}

/// Per customer and scheme the segment's id.
fn segments(case: &Case, version: &str) -> BTreeMap<(String, String), i64> {
    let table = table(case, version, "memberships");
    let (keys, schemes) = (table.texts("customer_id"), table.texts("scheme"));
    let ids = table.ints("segment_id");
    (0..table.rows())
        .map(|row| {
            let key = (keys[row].clone().unwrap(), schemes[row].clone().unwrap());
            (key, ids[row].unwrap())
        })
        .collect()
}

fn values(case: &Case, version: &str, column: &str) -> BTreeMap<String, Option<f64>> {
    let table = table(case, version, "customers");
    let keys = table.texts("customer_id").into_iter().flatten();
    keys.zip(table.numbers(column)).collect()
}

#[test]
fn moves_and_values_are_those_of_the_tables() {
    let case = three_versions();
    for (from, to) in [("1", "2"), ("2", "3"), ("1", "3"), ("3", "1")] {
        let found = compared(&case, from, to, &[]);
        let (then, now) = (segments(&case, from), segments(&case, to));
        for scheme in ["freshness", "spend", "tier"] {
            let moved = now.iter().filter(|((_, of), _)| of == scheme);
            let moved = moved.filter(|(key, id)| then.get(key).is_some_and(|old| old != *id));
            assert_eq!(
                of(&found["schemes"], "scheme", scheme)["moved"],
                moved.count(),
                "{scheme} {from} {to}"
            );
        }
        for column in ["recency_days", "order_count", "spend_total"] {
            let (then, now) = (values(&case, from, column), values(&case, to, column));
            let both = now
                .iter()
                .filter_map(|(key, now)| Some(((*then.get(key)?)?, (*now)?)));
            let both: Vec<(f64, f64)> = both.collect();
            let changed = both.iter().filter(|(then, now)| then != now).count();
            let largest = both.iter().map(|(then, now)| (now - then).abs());
            let largest = largest.fold(0.0, f64::max);
            let said = of(&found["columns"], "column", column);
            assert_eq!(said["changed"], changed, "{column} {from} {to}");
            let change = said["largest"]["change"].as_f64().unwrap_or(0.0);
            assert_eq!(change.abs(), largest, "{column} {from} {to}");
        }
    }
}

/// Segments and moves count the same column, whose name is said: what customers will bring, not what they bring now.
#[test]
fn segments_count_what_moves_count() {
    let case = Case::new();
    case.pipeline(
        r#"
spend_30d = { from = "orders", agg = "sum", of = "amount", window = "30d", base = "value", unit = "currency" }

[value]
now = "spend_30d"
future = "spend_total * 2"
per = "month"

[schemes.freshness]
kind = "rules"
rules = [{ segment = "fresh", when = "recency_days <= 30" }]
otherwise = "resting"
"#,
    );
    case.day("2026-02-01");
    case.day("2026-02-15");
    let found = compared(&case, "1", "2", &[]);
    assert_eq!(found["value"], "value_future");
    let scheme = of(&found["schemes"], "scheme", "freshness");
    for (version, field) in [("1", "value_before"), ("2", "value_after")] {
        let value = values(&case, version, "value_future");
        let segments = segments(&case, version);
        for segment in scheme["segments"].as_array().unwrap() {
            let own = segments
                .iter()
                .filter(|(_, id)| segment["segment_id"] == **id);
            let sum: f64 = own.map(|((key, _), _)| value[key].unwrap()).sum();
            assert_eq!(segment[field], sum, "{segment}");
        }
    }
    let gone = &of(&scheme["segments"], "segment", "fresh")["value_after"];
    let moved = &scheme["moves"][0]["value"];
    let before = &of(&scheme["segments"], "segment", "fresh")["value_before"];
    assert_eq!(
        before.as_f64().unwrap() - gone.as_f64().unwrap(),
        moved.as_f64().unwrap(),
        "nobody came, and amounts stayed"
    );
    let store = case.path("store").display().to_string();
    let text = String::from_utf8(run(&["diff", &store, "1", "2"], 0).stdout).unwrap();
    assert!(text.contains("\nvalue: `value_future`, "), "{text}");
}

#[test]
fn steps_of_the_versions_between_add_up_to_every_segment() {
    let case = three_versions();
    for (from, to) in [("1", "2"), ("2", "3"), ("1", "3")] {
        let found = compared(&case, from, to, &[]);
        for scheme in found["schemes"].as_array().unwrap() {
            assert_eq!(scheme["causes_unknown"], Value::Null);
            for segment in scheme["segments"].as_array().unwrap() {
                let net = segment["net_by_cause"].as_object().unwrap().values();
                let net: i64 = net.map(|net| net.as_i64().unwrap()).sum();
                let before = segment["customers_before"].as_i64().unwrap();
                let after = segment["customers_after"].as_i64().unwrap();
                assert_eq!(after - before, net, "{segment}");
            }
        }
    }
    let edited = compared(&case, "2026-02-15", "latest", &[]);
    let causes = &of(&edited["schemes"], "scheme", "freshness")["causes"];
    assert!(of(causes, "cause", "definition")["customers"].as_i64() > Some(0));
    let schemes = &edited["definitions"]["schemes_changed"];
    assert_eq!(*schemes, serde_json::json!(["freshness"]));
    let text = of(
        &edited["definitions"]["texts"],
        "what",
        "schemes.freshness.kind.rules[1].when",
    );
    assert_eq!(text["after"], "recency_days <= 35");
    assert_eq!(edited["program_changed"], false);
}

#[test]
fn sources_and_customers_that_came_are_counted() {
    let case = three_versions();
    let found = compared(&case, "1", "2", &["--sample", "3"]);
    let orders = of(&found["sources"], "source", "orders");
    assert_eq!(
        (&orders["files_added"], &orders["files_same"]),
        (&1.into(), &1.into())
    );
    assert_eq!(
        orders["used_after"].as_i64().unwrap() - orders["used_before"].as_i64().unwrap(),
        2
    );
    assert_eq!(
        (&found["customers"]["came"], &found["customers"]["left"]),
        (&1.into(), &0.into())
    );
    let sample = &of(&found["schemes"], "scheme", "freshness")["sample"];
    assert_eq!(sample.as_array().unwrap().len(), 3);
    let largest = &of(&found["columns"], "column", "order_count")["largest"];
    assert_eq!(largest["customer"], "small00");
    let unnamed = compared(&case, "1", "2", &[]);
    assert!(!unnamed.to_string().contains("small00"));
}

#[test]
fn versions_that_do_not_lead_to_each_other_say_so() {
    let case = three_versions();
    let back = compared(&case, "3", "1", &[]);
    let why = back["schemes"][0]["causes_unknown"].as_str().unwrap();
    assert!(why.contains("earlier day"), "{why}");
    // The middle day is made again after an edit, and the last one still follows the first making.
    let text = std::fs::read_to_string(case.path("moves.toml")).unwrap();
    std::fs::write(case.path("moves.toml"), text.replace("<= 35", "<= 45")).unwrap();
    assert_eq!(
        case.day("2026-02-15"),
        "published: version 4 of 2026-02-15; latest is still 2026-03-10 (version 3)"
    );
    let sideways = compared(&case, "4", "3", &[]);
    let why = sideways["schemes"][0]["causes_unknown"].as_str().unwrap();
    assert!(
        why.contains("version 3 was published after version 2"),
        "{why}"
    );
    let same = compared(&case, "3", "3", &[]);
    assert!(
        same["schemes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|scheme| scheme["moved"] == 0)
    );
}

/// A damaged version between two others: what is missing is said, and once it was published again it is followed there.
#[test]
fn a_damaged_version_is_named_and_its_replacement_is_followed() {
    let case = three_versions();
    case.day("2026-03-20");
    let store = case.path("store").display().to_string();
    let found = json(&run(&["path", &store, "--version", "2", "--json"], 0));
    std::fs::remove_dir_all(found["folder"].as_str().unwrap()).unwrap();
    // Who came with that version; of others it need not be read.
    let explain = || json(&run(&["explain", &store, "new1", "--json"], 0))[0].clone();
    let help = "version 2 of 2026-02-15 is damaged";
    let why = compared(&case, "1", "4", &[])["schemes"][0]["causes_unknown"].clone();
    let why = why.as_str().unwrap();
    assert!(
        why.starts_with(help) && why.contains("--as-of 2026-02-15"),
        "{why}"
    );
    let ends = explain()["history_ends"].clone();
    assert!(ends.as_str().unwrap().starts_with(help), "{ends}");

    // The pipeline of the day before its edit makes the same version again.
    let text = std::fs::read_to_string(case.path("moves.toml")).unwrap();
    let first = text.replace("recency_days <= 35", "recency_days <= 60");
    std::fs::write(case.path("moves.toml"), first).unwrap();
    let said = case.day("2026-02-15");
    assert!(
        said.contains("version 5 of 2026-02-15 in place of version 2"),
        "{said}"
    );
    std::fs::write(case.path("moves.toml"), text).unwrap();
    for from in ["1", "5"] {
        let found = compared(&case, from, "4", &[]);
        assert_eq!(found["schemes"][0]["causes_unknown"], Value::Null, "{from}");
        assert_ne!(found["schemes"][0]["causes"], Value::Null, "{from}");
    }
    let told = explain();
    assert_eq!(told["history_ends"], Value::Null);
    let stays = told["schemes"][0]["stays"].as_array().unwrap();
    let versions: u64 = stays
        .iter()
        .map(|stay| stay["versions"].as_u64().unwrap())
        .sum();
    assert_eq!(versions, 3, "{stays:?}");
    let report = case.arguments("report", &["--version", "3", "--to", "-"]);
    let report: Vec<&str> = report.iter().map(String::as_str).collect();
    let html = String::from_utf8(run(&report, 0).stdout).unwrap();
    assert!(!html.contains("cannot be read"));
}

#[test]
fn a_version_that_is_not_there_is_exit_code_2() {
    let case = three_versions();
    let store = case.path("store").display().to_string();
    let said = |to: &str| {
        let output = run(&["diff", &store, "1", to], 2);
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said("9").contains("has no version 9; it has versions 1 to 3"));
    assert!(
        said("2026-02-20")
            .contains("has no version of 2026-02-20; the nearest are of 2026-02-15 and 2026-03-10")
    );
    assert!(said("yesterday").contains("expected the number of a version"));
    let text = String::from_utf8(run(&["diff", &store, "1", "2"], 0).stdout).unwrap();
    assert!(
        text.contains("scheme freshness: 39 of 80 customers are in another segment"),
        "{text}"
    );
}
