//! Who is drawn into which variant of an experiment, when, and which playbooks have them.

use std::collections::{BTreeMap, BTreeSet};

use crate::program::run;
use crate::versions::Case;

const FRESH: &str = r#"
spend_30d = { from = "orders", agg = "sum", of = "amount", window = "30d", direction = "high is good", base = "value" }

[schemes.freshness]
kind = "rules"
rules = [{ segment = "fresh", when = "recency_days <= 30" }]
otherwise = "gone"

[playbooks.fresh]
scheme = "freshness"

[playbooks.gone]
scheme = "freshness"
"#;

const MAIL: &str = r#"
[experiments.mail]
scheme = "freshness"
segment = "fresh"
variants = { control = 0.25, offer = 0.75 }
metric = "spend_30d"
"#;

/// Customers with one order each.
fn orders(
    customers: std::ops::Range<usize>,
    day: &'static str,
) -> Vec<(String, &'static str, f64)> {
    let order = |number: usize| (format!("c{number:04}"), day, 1.0 + (number % 97) as f64);
    customers.map(order).collect()
}

/// A case in which 600 customers ordered on 2026-01-10 and 400 on 2026-01-28.
fn case(experiments: &str) -> Case {
    let case = Case::new();
    case.orders("a.csv", &orders(0..600, "2026-01-10"));
    case.orders("b.csv", &orders(600..1000, "2026-01-28"));
    case.pipeline(&format!("{FRESH}{experiments}"));
    case
}

/// The hash of GrowthBook, version 2, from its description.
fn place(seed: &str, id: &str) -> f64 {
    let fnv = |text: &str| {
        text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        })
    };
    let first = fnv(&format!("{seed}{id}"));
    f64::from(fnv(&first.to_string()) % 10_000) / 10_000.0
}

/// Variant, day and metric on that day, of every customer.
type Drawn = BTreeMap<String, (Option<String>, Option<String>, Option<f64>)>;

fn drawn(case: &Case, experiment: &str) -> Drawn {
    let table = case.table("customers");
    let (variants, days) = (
        table.texts(experiment),
        table.days(&format!("{experiment}_enrolled_on")),
    );
    let before = table.floats(&format!("{experiment}_before"));
    let keys = table.texts("customer_id").into_iter().flatten();
    let rest = variants.into_iter().zip(days).zip(before);
    keys.zip(rest)
        .map(|(key, ((variant, day), before))| (key, (variant, day, before)))
        .collect()
}

/// The customers of a variant.
fn of(drawn: &Drawn, variant: &str) -> BTreeSet<String> {
    let own = drawn
        .iter()
        .filter(|(_, one)| one.0.as_deref() == Some(variant));
    own.map(|(key, _)| key.clone()).collect()
}

/// The customers of a playbook.
fn listed(case: &Case, playbook: &str) -> BTreeSet<String> {
    let table = case.table("actions");
    let rows = table
        .texts("customer_id")
        .into_iter()
        .zip(table.texts("playbook"));
    rows.filter(|(_, of)| of.as_deref() == Some(playbook))
        .filter_map(|(key, _)| key)
        .collect()
}

/// A figure of `models`.
fn figure(case: &Case, name: &str) -> Option<f64> {
    let table = case.table("models");
    let at = table
        .texts("name")
        .iter()
        .position(|own| own.as_deref() == Some(name))?;
    table.floats("value")[at]
}

#[test]
fn customers_are_drawn_once_by_the_hash_of_name_and_key() {
    let case = case(MAIL);
    case.day("2026-02-01");
    let first = drawn(&case, "mail");
    assert_eq!(first.len(), 1000);
    for (key, (variant, day, before)) in &first {
        let wanted = if place("mail", key) < 0.25 {
            "control"
        } else {
            "offer"
        };
        assert_eq!(variant.as_deref(), Some(wanted), "{key}");
        assert_eq!(day.as_deref(), Some("2026-02-01"));
        let number: usize = key[1..].parse().unwrap();
        assert_eq!(*before, Some(1.0 + (number % 97) as f64));
    }
    assert_eq!(listed(&case, "fresh"), of(&first, "offer"));
    let control = of(&first, "control");
    // Binomial(1000, 0.25) has a standard deviation of 13.7: five of them.
    assert!((182..=318).contains(&control.len()), "{}", control.len());
    assert_eq!(
        figure(&case, "customers_in_control"),
        Some(control.len() as f64)
    );

    // Those of January 10 are gone since, and others come.
    case.orders("c.csv", &orders(1000..1200, "2026-02-10"));
    case.day("2026-02-15");
    let second = drawn(&case, "mail");
    for (key, one) in &second {
        match first.get(key) {
            Some(before) => assert_eq!(one, before, "{key} stays as it was drawn"),
            None => assert_eq!(one.1.as_deref(), Some("2026-02-15")),
        }
    }
    assert_eq!(second.len(), 1200);
    let gone: BTreeSet<String> = (0..600).map(|number| format!("c{number:04}")).collect();
    assert_eq!(
        listed(&case, "gone"),
        gone,
        "what is done with another segment is no part of the experiment"
    );
    let fresh = &of(&second, "offer") - &gone;
    assert_eq!(listed(&case, "fresh"), fresh);
}

#[test]
fn export_and_explain_say_who_is_in_the_control() {
    let case = case(MAIL);
    case.day("2026-02-01");
    let drawn = drawn(&case, "mail");
    let (controls, offers) = (of(&drawn, "control"), of(&drawn, "offer"));
    let exported = |more: &[&str]| {
        let wanted = [&["--playbook", "fresh", "--json", "--out"], more].concat();
        let arguments = case.arguments("export", &wanted);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        crate::program::json(&run(&arguments, 0))
    };
    let list = case.path("fresh.csv").display().to_string();
    let whole = exported(&[&list]);
    assert_eq!(whole["listed"], offers.len());
    assert_eq!(whole["in_control"], controls.len());
    assert_eq!(whole["left_out"], controls.len());
    assert_eq!(whole["not_reachable"], 0);
    let text = std::fs::read_to_string(&list).unwrap();
    assert_eq!(text.lines().count(), 1 + offers.len());
    assert!(
        !controls
            .iter()
            .any(|key| text.contains(&format!(",{key},")))
    );
    let store = case.path("store").display().to_string();
    let told = |key: &str| {
        let output = run(&["explain", &store, key], 0);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let one = |name: &str| of(&drawn, name).pop_first().unwrap();
    let text = told(&one("control"));
    let wanted = "\nexperiments\n  mail: control since 2026-02-01: in no playbook of segment fresh of freshness\n";
    assert!(text.contains(wanted), "{text}");
    let text = told(&one("offer"));
    assert!(
        text.contains("\nexperiments\n  mail: offer since 2026-02-01\n"),
        "{text}"
    );
}

#[test]
fn the_order_of_variants_in_the_file_decides_nothing() {
    let case = case(MAIL);
    case.day("2026-02-01");
    let turned = MAIL.replace(
        "control = 0.25, offer = 0.75",
        "offer = 0.75, control = 0.25",
    );
    assert_ne!(turned, MAIL);
    case.pipeline(&format!("{FRESH}{turned}"));
    let said = case.day("2026-02-01");
    assert!(said.contains("already published"), "{said}");
}

const HOLDOUT: &str = r#"
[experiments.holdout]
variants = { treated = 0.9, none = 0.1 }
control = "none"
metric = "spend_30d"
"#;

#[test]
fn the_control_of_all_customers_is_drawn_first_and_in_no_playbook() {
    let case = case(&format!("{MAIL}{HOLDOUT}"));
    case.orders("c.csv", &orders(1000..1500, "2025-12-01"));
    case.day("2026-02-01");
    let (mail, holdout) = (drawn(&case, "mail"), drawn(&case, "holdout"));
    let mut apart = 0;
    for (key, (variant, _, _)) in &holdout {
        let wanted = if place("holdout", key) < 0.1 {
            "none"
        } else {
            "treated"
        };
        assert_eq!(variant.as_deref(), Some(wanted));
        let number: usize = key[1..].parse().unwrap();
        let draws = wanted != "none" && number < 1000;
        assert_eq!(mail[key].0.is_some(), draws, "{key}");
        apart += usize::from(wanted == "none");
        if wanted == "none" {
            assert!(!listed(&case, "fresh").contains(key));
            assert!(!listed(&case, "gone").contains(key));
        }
    }
    // Binomial(1500, 0.1) has a standard deviation of 11.6: five of them.
    assert!((92..=208).contains(&apart), "{apart}");
    assert_eq!(
        listed(&case, "gone").len()
            + listed(&case, "fresh").len()
            + apart
            + mail
                .values()
                .filter(|one| one.0.as_deref() == Some("control"))
                .count(),
        1500
    );
}

#[test]
fn customers_are_drawn_from_the_first_day_to_the_last() {
    let days = format!("{MAIL}starts = 2026-02-02\nends = 2026-02-03\n");
    let case = case(&days);
    let count = |case: &Case| {
        drawn(case, "mail")
            .values()
            .filter(|one| one.0.is_some())
            .count()
    };
    case.day("2026-02-01");
    assert_eq!(count(&case), 0);
    case.day("2026-02-02");
    assert_eq!(count(&case), 1000);
    case.orders("c.csv", &orders(1000..1100, "2026-02-03"));
    case.day("2026-02-03");
    assert_eq!(count(&case), 1100);
    case.orders("d.csv", &orders(1100..1200, "2026-02-04"));
    case.day("2026-02-04");
    assert_eq!((drawn(&case, "mail").len(), count(&case)), (1200, 1100));
}

/// A column of the rows of a table, by variant.
fn by_variant(case: &Case, column: &str) -> BTreeMap<String, i64> {
    let table = case.table("experiments");
    let names = table.texts("variant").into_iter().flatten();
    names
        .zip(table.ints(column).into_iter().flatten())
        .collect()
}

#[test]
fn every_customer_drawn_is_counted_once_more_who_is_lost_among_them() {
    let case = case(MAIL);
    case.day("2026-02-01");
    let all = by_variant(&case, "enrolled");
    assert_eq!(all.values().sum::<i64>(), 1000);
    assert_eq!(
        by_variant(&case, "too_recent"),
        all,
        "nobody is in it for 30 days"
    );
    // A third of the files of those who ordered last is gone, and others come.
    case.orders("b.csv", &orders(600..800, "2026-01-28"));
    case.orders("c.csv", &orders(1000..1100, "2026-02-20"));
    case.day("2026-02-25");
    case.orders("b.csv", &orders(600..700, "2026-01-28"));
    case.day("2026-03-03");
    let enrolled = by_variant(&case, "enrolled");
    let lost = by_variant(&case, "lost");
    assert_eq!(lost.values().sum::<i64>(), 300);
    let sums: BTreeMap<String, i64> = enrolled
        .iter()
        .map(|(name, count)| (name.clone(), count + lost[name]))
        .collect();
    assert_eq!(sums.values().sum::<i64>(), 1100);
    let too_recent = by_variant(&case, "too_recent");
    assert_eq!(too_recent.values().sum::<i64>(), 100);
    let measured = by_variant(&case, "customers");
    for (name, count) in &measured {
        assert_eq!(
            enrolled[name],
            count + too_recent[name] + by_variant(&case, "missing")[name]
        );
    }
    // The means are those of the customers drawn on the first day.
    let table = case.table("customers");
    let spend = table.floats("spend_30d");
    let mut sums: BTreeMap<String, (f64, i64)> = BTreeMap::new();
    for ((variant, day), spend) in table
        .texts("mail")
        .into_iter()
        .zip(table.days("mail_enrolled_on"))
        .zip(spend)
    {
        if day.as_deref() == Some("2026-02-01") {
            let (sum, count) = sums.entry(variant.unwrap()).or_default();
            *sum += spend.unwrap_or(0.0);
            *count += i64::from(spend.is_some());
        }
    }
    let table = case.table("experiments");
    for ((name, mean), count) in table
        .texts("variant")
        .into_iter()
        .flatten()
        .zip(table.floats("mean"))
        .zip(table.ints("customers"))
    {
        let (sum, own) = sums[&name];
        assert_eq!(count, Some(own));
        assert_eq!(mean, (own > 0).then(|| sum / own as f64), "{name}");
    }
}

#[test]
fn who_cannot_be_known_from_the_version_before_is_drawn_anew_and_the_run_says_so() {
    let case = case(MAIL);
    case.day("2026-02-01");
    let first = drawn(&case, "mail");
    let file = case.path("moves.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let renamed = text.replacen("key = \"customer_id\"", "key = \"client\"", 1);
    assert_ne!(renamed, text);
    std::fs::write(&file, renamed).unwrap();
    let arguments = case.arguments("run", &["--as-of", "2026-02-15"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = String::from_utf8_lossy(&run(&arguments, 0).stderr).into_owned();
    assert!(said.contains("customers are drawn anew"), "{said}");
    let table = case.table("customers");
    let keys = table.texts("client").into_iter().flatten();
    let now = keys
        .zip(table.texts("mail"))
        .zip(table.days("mail_enrolled_on"));
    for ((key, variant), day) in now {
        // Those who ordered on January 10 have left the segment.
        let number: usize = key[1..].parse().unwrap();
        let is_fresh = number >= 600;
        assert_eq!(variant, first[&key].0.clone().filter(|_| is_fresh), "{key}");
        assert_eq!(day, is_fresh.then(|| "2026-02-15".to_owned()), "{key}");
    }
}

#[test]
fn a_metric_is_to_count_only_what_came_after() {
    let told = |edit: &dyn Fn(&str) -> String, code: i32| {
        let case = case(&edit(MAIL));
        let arguments = case.arguments("check", &[]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        String::from_utf8_lossy(&run(&arguments, code).stderr).into_owned()
    };
    let all = told(&|text| text.replace("spend_30d", "spend_total"), 2);
    assert!(
        all.contains("TS-G029") && all.contains("add `after = \"30d\"`"),
        "{all}"
    );
    let stated = told(
        &|text| text.replace("spend_30d", "spend_total") + "after = \"60d\"\n",
        0,
    );
    assert!(!stated.contains("TS-G"), "{stated}");
    let short = told(&|text| format!("{text}after = \"2w\"\n"), 0);
    assert!(
        short.contains("TS-G030") && short.contains("30d by default"),
        "{short}"
    );
    let made_of = told(
        &|text| {
            let own = "[features.buys]\nexpr = \"case when spend_30d > 0 then 1 else 0 end\"\nbase = \"value\"";
            format!("{own}\n{}", text.replace("spend_30d", "buys"))
        },
        0,
    );
    assert!(!made_of.contains("TS-G"), "{made_of}");
    let unknown = told(&|text| text.replace("spend_30d", "spend_3Od"), 2);
    assert!(
        unknown.contains("TS-G001") && unknown.contains("`spend_30d`"),
        "{unknown}"
    );
    let taken = told(
        &|text| text.replace("experiments.mail", "experiments.recency_days"),
        2,
    );
    assert!(taken.contains("TS-G004"), "{taken}");
}
