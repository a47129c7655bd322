//! No text makes the parser panic, and every error has a place.

use std::path::Path;
use tessera_pipeline::syntax;

use proptest::prelude::*;

/// Scores of every kind: they stand below a shipped pipeline, whose tables may have the same names.
const SCORES: &str = r#"
[sources.agreements]
kind = "intervals"
path = "lake/agreements"
key = "customer_id"
time = "began"
until = "ended"
contract = { missing_key = "drop" }

[sources.purchases]
kind = "events"
path = "purchases/*.parquet"
key = "customer_id"
time = "bought_on"
contract = { missing_key = "drop" }

[scores.more_risk]
kind = "supervised"
from = "purchases"
horizon = "90d"
every = "13w"
features = ["recency_days"]
models = ["logistic", "random_forest", "recency_rule"]
observations = 6
calibration = "isotonic"

[scores.more_worth]
kind = "clv"
from = "purchases"
models = ["pareto_nbd", "bg_nbd", "gamma_gamma"]
time_unit = "days"
horizon = "52w"
holdout = "180d"
discount_per_year = 0.1
margin = 0.3
prefix = "worth_"

[scores.more_renewal]
kind = "contractual"
from = "agreements"
models = ["sbg", "bdw"]
period = "4w"
horizon = "365d"
discount_per_year = 0
value = "recency_days"

[scores.more_fitness]
kind = "health"
from = "purchases"
min_coverage = 0.5
bands = { poor = 40, fair = 75, good = 100 }

[scores.more_fitness.components]
recency = { feature = "recency_days", weight = 40, worst = 180, best = 7 }
spend = { feature = "spend_total", weight = 30, percentile = "low" }
orders = { feature = "order_count", weight = 30.5, steps = [{ below = 1, points = 0 }, { points = 100 }] }
"#;

/// The shipped pipelines with scores: every kind of table there is.
fn shipped() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap() + SCORES)
        // Of several scores of loss, [value] states one where it has `future`.
        .map(|text| match text.contains("\nrisk ") {
            true => text,
            false => text.replacen(
                "\nfuture ",
                "\nrisk = \"more_risk_probability\"\nfuture ",
                1,
            ),
        })
        .collect()
}

/// Parses, renders both ways, and checks that every error is complete.
fn survives(text: &str) {
    let vars = [("lake".to_owned(), "/x".to_owned())];
    let (pipeline, found) = tessera_spec::parse(text, "mutated.toml", &vars, &syntax());
    assert_eq!(pipeline.is_none(), found.end_the_check());
    let (plain, coloured) = (found.render(false), found.render(true));
    assert_eq!(plain.is_empty(), found.is_empty());
    assert_eq!(coloured.is_empty(), found.is_empty());
    let json = found.to_json();
    let lines = text.lines().count().max(1) + 1;
    for (diagnostic, json) in found.iter().zip(json.as_array().unwrap()) {
        assert!(plain.contains(diagnostic.code));
        assert!(!diagnostic.message.is_empty());
        assert!((1..=lines as u64).contains(&json["line"].as_u64().unwrap()));
        assert!(json["column"].as_u64().unwrap() >= 1);
    }
    if let Some(pipeline) = pipeline {
        assert!(tessera_spec::canonical(&pipeline).starts_with('{'));
    }
}

/// Fragments that are difficult for a parser.
const PIECES: &[&str] = &[
    "\"",
    "'",
    "\"\"\"",
    "[",
    "]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "\r\n",
    "#",
    "\\",
    "\\u{0}",
    "\0",
    "é",
    "日本",
    "🧱",
    "\u{202e}",
    "${",
    "${lake}",
    "${env:X}",
    "${}",
    "1e999",
    "-0",
    "nan",
    "inf",
    "0x",
    "9223372036854775808",
    "1979-05-27",
    "true",
    "kind",
    "[[sources]]",
    "[features]",
    "a.b.c = 1\n",
    "expr = \"\"",
    "k = {}",
    "tiers = { a = 1 }",
    "bands = { a = 100 }",
    "[{ below = 1 }]",
    "components.a = { steps = [{}] }",
    "\t",
];

/// The last character boundary at or before a byte.
fn border(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// One change of a text at a place that is given in shares of its length.
fn changed(text: &str, kind: u8, at: f64, other: f64, piece: usize) -> String {
    const MOST_CUT: usize = 40;
    let place = |share: f64| border(text, (share * text.len() as f64) as usize);
    let from = place(at);
    let to = border(text, place(other).clamp(from, from + MOST_CUT)).max(from);
    let piece = PIECES[piece % PIECES.len()];
    match kind % 5 {
        0 => format!("{}{piece}{}", &text[..from], &text[from..]),
        1 => format!("{}{}", &text[..from], &text[to..]),
        2 => text[..from].to_owned(),
        3 => lines_swapped(text, at, other),
        _ => value_replaced(text, at, piece),
    }
}

fn lines_swapped(text: &str, a: f64, b: f64) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    if !lines.is_empty() {
        let place = |share: f64| ((share * lines.len() as f64) as usize).min(lines.len() - 1);
        let (a, b) = (place(a), place(b));
        lines.swap(a, b);
    }
    lines.join("\n")
}

/// The value of one `key = value` line replaced.
fn value_replaced(text: &str, at: f64, piece: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let chosen = (at * lines.len() as f64) as usize;
    let replaced = lines
        .iter()
        .enumerate()
        .map(|(i, line)| match line.split_once('=') {
            Some((key, _)) if i == chosen => format!("{key}= {piece}"),
            _ => (*line).to_owned(),
        });
    replaced.collect::<Vec<_>>().join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_pipelines_never_panic(
        file in 0..4_usize,
        changes in prop::collection::vec((any::<u8>(), 0.0..1.0_f64, 0.0..1.0_f64, any::<usize>()), 1..6),
    ) {
        let files = shipped();
        let mut text = files[file % files.len()].clone();
        for (kind, at, other, piece) in changes {
            text = changed(&text, kind, at, other, piece);
        }
        survives(&text);
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn arbitrary_tables_never_panic(
        table in "(goal|customer|sources|sources\\.a|features|features\\.f|schemes\\.s|scores\\.s|scores\\.s\\.components|scores\\.s\\.components\\.c|playbooks\\.p|vars|sources\\.a\\.contract)",
        key in "(kind|use|from|key|rules|tiers|grid|models|horizon|every|prefix|margin|bands|components|steps|percentile|worst|weight|k|score_method|expr|duplicates|columns|target|lifecycle|weights|[a-z]{1,6})",
        value in "(1|-1|1\\.5|\"\"|\"[a-z]{0,5}\"|\\[\\]|\\[1, 2\\]|\\[\"a\"\\]|\\{\\}|\\{ kind = \"threshold\" \\}|\\{ from = 1, to = 9 \\}|\\[\\{\\}\\]|true|1979-05-27|\"\\$\\{x\\}\"|\\{ unique = \\[\\] \\}|\\[\\{ below = 1 \\}, \\{\\}\\]|\"90d\"|\\[\"mbg_nbd\"\\]|\\{ c = \\{ worst = 1 \\} \\})",
        kind in "(events|attributes|intervals|rfm_grid|quantile|rules|attribute|lifecycle|kmeans|supervised|clv|contractual|health)",
    ) {
        survives(&format!("[{table}]\n{key} = {value}\n"));
        if key != "kind" {
            survives(&format!("[{table}]\nkind = \"{kind}\"\n{key} = {value}\n"));
        }
    }
}

#[test]
fn what_is_mutated_is_good() {
    for text in shipped() {
        let vars = [("lake".to_owned(), "/x".to_owned())];
        let found = tessera_spec::parse(&text, "shipped.toml", &vars, &syntax()).1;
        assert!(!found.has_errors(), "{}", found.render(false));
    }
}

#[test]
fn deep_nesting_is_refused_in_bounded_space() {
    for text in [
        "[".repeat(100_000),
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{ a = ".repeat(100_000)),
        format!("{} = 1", vec!["a"; 50_000].join(".")),
        "[[a]]\n".repeat(20_000),
    ] {
        survives(&text);
    }
}
