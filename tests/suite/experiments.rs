//! `tessera experiment`: over lakes in which it is known what a variant brings.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::oracle::{python, script};
use crate::program::{json, run};
use crate::versions::Case;

const FRESH: &str = r#"
spend_30d = { from = "orders", agg = "sum", of = "amount", window = "30d", direction = "high is good", base = "value" }

[schemes.freshness]
kind = "rules"
rules = [{ segment = "fresh", when = "recency_days <= 30" }]
otherwise = "gone"
"#;

/// Draws on the first of February and goes on.
const MAIL: &str = r#"
[experiments.mail]
scheme = "freshness"
segment = "fresh"
variants = { control = 0.4, offer = 0.6 }
metric = "spend_30d"
"#;

const CUSTOMERS: usize = 1_200;

/// A number in [0, 1) that looks random, by two numbers.
fn noise(one: usize, other: usize) -> f64 {
    let mut state = (one as u64) << 20 | other as u64;
    // SplitMix64.
    state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((state ^ (state >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn key(number: usize) -> String {
    format!("c{number:04}")
}

/// What a customer spent in January.
fn january(number: usize) -> f64 {
    (20.0 + 60.0 * noise(number, 1)).round()
}

/// A case in which every customer ordered in January, with its version of January 31 without, of February 1 with the experiments.
fn begun(experiments: &str) -> Case {
    let case = Case::new();
    let orders: Vec<_> = (0..CUSTOMERS)
        .map(|number| (key(number), "2026-01-20", january(number)))
        .collect();
    case.orders("a.csv", &orders);
    case.pipeline(FRESH);
    case.day("2026-01-31");
    case.pipeline(&format!("{FRESH}{experiments}"));
    case.day("2026-02-01");
    case
}

/// The customers of each variant, as they are published.
fn drawn(case: &Case, experiment: &str) -> BTreeMap<String, String> {
    let table = case.table("customers");
    let variants = table.texts(experiment).into_iter();
    let keys = table.texts("customer_id").into_iter();
    keys.zip(variants)
        .filter_map(|(key, variant)| Some((key?, variant?)))
        .collect()
}

/// Orders of February, like those of January, in which each customer of `offer` spends so much more; then the version of March 3,
/// thirty days after customers were drawn.
fn measured(case: &Case, experiment: &str, effect: f64) {
    let drawn = drawn(case, experiment);
    let orders: Vec<_> = (0..CUSTOMERS)
        .map(|number| {
            let offered = drawn
                .get(&key(number))
                .is_some_and(|variant| variant == "offer");
            let more = if offered { effect } else { 0.0 };
            let amount = 0.8 * january(number) + 20.0 * noise(number, 2) + more;
            (key(number), "2026-02-10", (amount * 100.0).round() / 100.0)
        })
        .collect();
    case.orders("b.csv", &orders);
    case.day("2026-03-03");
}

fn said(case: &Case, more: &[&str], code: i32) -> String {
    let arguments = case.arguments("experiment", more);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = run(&arguments, code);
    let text = match code {
        0 => output.stdout,
        _ => output.stderr,
    };
    String::from_utf8(text).unwrap()
}

fn read(case: &Case, more: &[&str]) -> Value {
    let arguments = case.arguments("experiment", more);
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    arguments.push("--json");
    json(&run(&arguments, 0))
}

/// The mean of the metric of each variant, from the published customers.
fn means(case: &Case) -> BTreeMap<String, f64> {
    let table = case.table("customers");
    let (variants, values) = (table.texts("mail"), table.floats("spend_30d"));
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (variant, value) in variants.into_iter().zip(values) {
        let sum = sums.entry(variant.unwrap()).or_default();
        *sum = (sum.0 + value.unwrap(), sum.1 + 1.0);
    }
    let mean = |(name, (sum, n)): (String, (f64, f64))| (name, sum / n);
    sums.into_iter().map(mean).collect()
}

#[test]
fn a_variant_that_brings_more_is_better_as_soon_as_the_interval_says_so() {
    let case = begun(MAIL);
    let early = read(&case, &["mail"]);
    let offer = &early["experiments"][0]["variants"][1];
    assert_eq!(offer["verdict"], "too early");
    assert_eq!(offer["customers"], 0);
    assert_eq!(offer["too_recent"].as_i64(), offer["enrolled"].as_i64());
    assert!(
        offer["next"]
            .as_str()
            .unwrap()
            .starts_with("wait: 1,200 customers")
    );

    measured(&case, "mail", 5.0);
    let found = read(&case, &["mail"]);
    let experiment = &found["experiments"][0];
    let (control, offer) = (&experiment["variants"][0], &experiment["variants"][1]);
    assert_eq!(
        (&control["variant"], &control["control"]),
        (&"control".into(), &true.into())
    );
    assert_eq!(offer["verdict"], "better");
    assert_eq!(experiment["adjusted"], true);
    let number = |of: &Value, name: &str| of[name].as_f64().unwrap();
    for (name, mean) in means(&case) {
        let of = if name == "offer" { offer } else { control };
        assert!((number(of, "mean") / mean - 1.0).abs() < 1e-12, "{name}");
    }
    // January explains most of February: the rest is the uniform noise of 20, whose standard deviation is 20 / sqrt(12).
    let sizes = 1.0 / number(control, "customers") + 1.0 / number(offer, "customers");
    let error = 20.0 / 12_f64.sqrt() * sizes.sqrt();
    assert!((number(offer, "difference") - 5.0).abs() < 4.5 * error);
    let seen = number(offer, "smallest_effect") / (2.801_585 * error);
    assert!((seen - 1.0).abs() < 0.1, "{seen}");
    assert!(number(offer, "anytime_low") > 0.0);
    let text = said(&case, &[], 0);
    assert!(text.contains("\n  offer: better\n"), "{text}");
    assert!(
        text.contains("do: give `offer` to all of them: the interval holds"),
        "{text}"
    );
    let Some(python) = python() else { return };
    let report = case.path("store/reports/version-3.html");
    let html = std::fs::read_to_string(&report).unwrap();
    assert!(html.contains("id=\"experiments\"") && html.contains("✓ better"));
    let store = case.path("store").display().to_string();
    script(
        &python,
        "report_sql.py",
        &[&store, &report.display().to_string(), "60"],
    );
}

#[test]
fn a_variant_that_brings_nothing_shows_no_difference() {
    let case = begun(MAIL);
    measured(&case, "mail", 0.0);
    let running = read(&case, &["mail"]);
    let offer = &running["experiments"][0]["variants"][1];
    assert_eq!(offer["verdict"], "no difference shown");
    assert!(
        offer["next"]
            .as_str()
            .unwrap()
            .starts_with("keep it running: ")
    );
    assert!(offer["anytime_low"].as_f64().unwrap() < 0.0);
    assert!(offer["anytime_high"].as_f64().unwrap() > 0.0);

    let ended = begun(&format!("{MAIL}ends = 2026-02-01\n"));
    measured(&ended, "mail", 0.0);
    let found = read(&ended, &["mail"]);
    assert_eq!(found["experiments"][0]["ended"], true);
    let offer = &found["experiments"][0]["variants"][1];
    assert_eq!(offer["verdict"], "no difference shown");
    assert!(
        offer["next"]
            .as_str()
            .unwrap()
            .starts_with("take `offer` for no better")
    );
    insta::assert_snapshot!(said(&ended, &["mail"], 0));
}

#[test]
fn nothing_is_concluded_from_uneven_groups() {
    let case = begun(MAIL);
    let edited = MAIL.replace("control = 0.4, offer = 0.6", "control = 0.2, offer = 0.8");
    case.pipeline(&format!("{FRESH}{edited}"));
    measured(&case, "mail", 5.0);
    let found = read(&case, &["mail"]);
    let experiment = &found["experiments"][0];
    assert!(experiment["srm_p"].as_f64().unwrap() < 1e-6);
    let offer = &experiment["variants"][1];
    assert_eq!(offer["verdict"], "uneven groups");
    let next = offer["next"].as_str().unwrap();
    assert!(
        next.contains("instead of 20.0%") && next.contains("shares or variants were edited"),
        "{next}"
    );
}

#[test]
fn a_name_that_a_version_does_not_have_is_explained() {
    let case = begun(MAIL);
    for (more, want) in [
        (
            &["mial"][..],
            "version 2 of 2026-02-01 has no experiment `mial`; did you mean `mail`?",
        ),
        (
            &["winback"],
            "version 2 of 2026-02-01 has no experiment `winback`; it has mail",
        ),
        (
            &["mail", "--version", "1"],
            "version 1 of 2026-01-31 has no experiment `mail`; version 2 of 2026-02-01 is the first after it that has: `--version 2`",
        ),
        (
            &["--version", "2026-01-31"],
            "version 1 of 2026-01-31 has no experiment `mail`; version 2",
        ),
    ] {
        let text = said(&case, more, 2);
        assert!(text.contains(want), "{more:?}: {text}");
    }
    case.pipeline(&format!("{FRESH}{MAIL}{}", MAIL.replace("mail", "call")));
    let text = said(&case, &["call"], 2);
    assert!(
        text.contains("it was made before the pipeline file had it; `tessera run`"),
        "{text}"
    );
    let none = Case::new();
    none.pipeline(FRESH);
    none.day("2026-02-01");
    let text = said(&none, &[], 2);
    assert!(
        text.contains(
            "version 1 of 2026-02-01 has no experiments; the pipeline file declares none either"
        ),
        "{text}"
    );
}
