//! Names that people give to segments: an id keeps its history, and nobody moves.

use std::collections::{BTreeMap, BTreeSet};

use crate::program::run;
use crate::versions::Case;

fn schemes(names: &str, tiers: &str) -> String {
    format!(
        "[schemes.spend]\nkind = \"kmeans\"\nfeatures = [\"spend_total\"]\nk = 2\ntransform = \"none\"\n{names}\n\
         [schemes.tier]\nkind = \"quantile\"\nby = \"spend_total\"\n{tiers}\n"
    )
}

const TIERS: &str = "tiers = { top = 0.25, rest = 1.0 }";

#[test]
fn a_renamed_segment_and_a_named_cluster_keep_their_ids() {
    let case = Case::new();
    case.pipeline(&schemes("", TIERS)).day("2026-02-01");
    let ids = case.ids();
    let id = |scheme: &str, name: &str| ids[&(scheme.to_owned(), name.to_owned())];
    let large = case.memberships("spend")["large00"][0].clone();
    let number = id("spend", &large);
    let named = format!("names = {{ {number} = \"big spenders\" }}");
    let renamed = "tiers = { best = 0.25, rest = 1.0 }\nwas = { best = \"top\" }";
    case.pipeline(&schemes(&named, renamed)).day("2026-02-02");
    let now = case.ids();
    assert_eq!(
        now[&("spend".to_owned(), "big spenders".to_owned())],
        number
    );
    assert_eq!(
        now[&("tier".to_owned(), "best".to_owned())],
        id("tier", "top")
    );
    for scheme in ["spend", "tier"] {
        for (customer, [_, entered, _, cause]) in case.memberships(scheme) {
            assert_eq!(
                (entered.as_str(), cause.as_str()),
                ("2026-02-01", ""),
                "{customer}"
            );
        }
    }
    assert_eq!(case.migrations(), Vec::<String>::new());
    let events = case.table("segment_events");
    let kinds = events.texts("event");
    let renamed = kinds
        .iter()
        .filter(|kind| kind.as_deref() == Some("renamed"));
    assert_eq!(renamed.count(), 2, "{kinds:?}");
    let ledger = case.table("segment_ledger");
    let before = ledger.texts("names_before");
    assert!(before.contains(&Some("[\"top\"]".to_owned())), "{before:?}");
    // A name stays with the id while the cluster has it.
    case.day("2026-02-03");
    assert_eq!(
        case.ids()[&("spend".to_owned(), "big spenders".to_owned())],
        number
    );
}

/// Customers of three levels of spending that overlap; `round` draws which of them are in the lake, with replacement.
fn resampled(round: u64) -> Vec<(String, &'static str, f64)> {
    // Steele and Vigna's SplitMix64.
    let draw = |seed: u64| {
        let mut z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let drawn: BTreeSet<u64> = (0..600).map(|n| draw(round << 32 | n) % 600).collect();
    let order = |customer: u64| {
        let level = [20.0, 100.0, 220.0][customer as usize % 3];
        let spread = (draw(customer ^ 0xabcd) % 1000) as f64 / 1000.0 - 0.5;
        (
            format!("c{customer:03}"),
            "2026-01-15",
            level + 70.0 * spread,
        )
    };
    drawn.into_iter().map(order).collect()
}

#[test]
fn clusters_fitted_to_resampled_customers_keep_their_ids() {
    let case = Case::new();
    case.pipeline(
        "[schemes.spend]\nkind = \"kmeans\"\nfeatures = [\"spend_total\"]\nk = 3\ntransform = \"none\"\nrefit = \"always\"\n",
    );
    let mut before: Option<BTreeMap<String, i64>> = None;
    for round in 0..4 {
        case.orders("a.csv", &resampled(round));
        case.day(&format!("2026-02-{:02}", round + 1));
        let ids = case.ids();
        let of: BTreeMap<String, i64> = case
            .memberships("spend")
            .into_iter()
            .map(|(customer, [segment, ..])| (customer, ids[&("spend".to_owned(), segment)]))
            .collect();
        if let Some(before) = before.replace(of.clone()) {
            let shared = before.keys().filter(|customer| of.contains_key(*customer));
            let shared: Vec<&String> = shared.collect();
            assert!(
                (200..280).contains(&shared.len()),
                "{} customers",
                shared.len()
            );
            let mut alike = 0;
            for id in before.values().collect::<BTreeSet<_>>() {
                let jaccard = |other: i64| {
                    let both = shared
                        .iter()
                        .filter(|c| before[**c] == *id && of[**c] == other);
                    let either = shared
                        .iter()
                        .filter(|c| before[**c] == *id || of[**c] == other);
                    both.count() as f64 / either.count() as f64
                };
                let others: BTreeSet<i64> = of.values().copied().collect();
                for other in others.into_iter().filter(|other| jaccard(*other) >= 0.75) {
                    assert_eq!(other, *id, "round {round}");
                    alike += 1;
                }
            }
            assert_eq!(alike, 3, "round {round}");
        }
    }
}

#[test]
fn names_of_what_is_not_there_are_found() {
    let case = Case::new();
    case.pipeline(&schemes(
        "names = { first = \"a\" }",
        "tiers = { best = 0.25, rest = 1.0 }\nwas = { bset = \"top\" }",
    ));
    let arguments = case.arguments("check", &[]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = String::from_utf8(run(&arguments, 2).stderr).unwrap();
    assert!(
        said.contains("`first` is not the id of a cluster"),
        "{said}"
    );
    assert!(
        said.contains("unknown segment `bset` in [schemes.tier]"),
        "{said}"
    );
    case.pipeline(&schemes(
        "",
        "tiers = { rest = 0.25, top = 1.0 }\nwas = { rest = \"top\", top = \"rest\" }",
    ));
    let said = String::from_utf8(run(&arguments, 2).stderr).unwrap();
    assert!(
        said.contains("`rest`, `top` take each other's names"),
        "{said}"
    );
    case.pipeline(&schemes("names = { 1 = \"alike\", 2 = \"alike\" }", TIERS));
    let said = String::from_utf8(run(&arguments, 2).stderr).unwrap();
    assert!(
        said.contains("`alike` is the name of cluster 1 already"),
        "{said}"
    );
    case.pipeline(&schemes("names = { 7 = \"nobody\" }", TIERS));
    let arguments = case.arguments("run", &["--as-of", "2026-02-01", "--quiet"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = String::from_utf8(run(&arguments, 0).stderr).unwrap();
    assert!(
        said.contains("there is no cluster 7 that could be called `nobody`"),
        "{said}"
    );
}

/// Rules whose three segments have these names, from the largest spenders.
fn sizes([large, middle, small]: [&str; 3], was: &str) -> String {
    format!(
        "[schemes.size]\nkind = \"rules\"\notherwise = \"{small}\"\n{was}\nrules = [{{ segment = \"{large}\", when = \"spend_total > 500\" }}, \
         {{ segment = \"{middle}\", when = \"spend_total > 50\" }}]\n"
    )
}

/// The ids of these segments.
fn ids_of(case: &Case, names: [&str; 3]) -> [i64; 3] {
    let ids = case.ids();
    names.map(|name| ids[&("size".to_owned(), name.to_owned())])
}

/// Names that move on by one segment in one edit: nobody moves, also where a definition is held, and the day after.
#[test]
fn names_that_move_on_from_segment_to_segment_move_nobody() {
    let (names, later) = (["hi", "mid", "lo"], ["top", "hi", "mid"]);
    let was = "was = { top = \"hi\", hi = \"mid\", mid = \"lo\" }";
    let held = "[gates.schemes.size]\nsubstantial = { min_customers = 60, min_share = 0.0, on_fail = \"hold_previous\" }\n";
    for gates in ["", held] {
        let case = Case::new();
        case.pipeline(&sizes(names, "")).day("2026-02-01");
        let ids = ids_of(&case, names);
        for day in ["2026-02-02", "2026-02-03"] {
            case.pipeline(&format!("{}{gates}", sizes(later, was)));
            let arguments = case.arguments("run", &["--as-of", day, "--quiet"]);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let said = String::from_utf8(run(&arguments, 0).stderr).unwrap();
            assert!(!said.contains("`was`"), "{said}");
            assert_eq!(ids_of(&case, later), ids, "{day} {gates}");
            assert_eq!(case.table("moves").rows(), 0, "{day} {gates}");
            assert_eq!(case.table("migrations").rows(), 0, "{day} {gates}");
        }
    }
}

/// No version before says what a segment was called: the file does.
#[test]
fn a_rename_on_the_day_of_the_first_version_moves_nobody() {
    let (names, later) = (["hi", "mid", "lo"], ["top", "hi", "lo"]);
    let case = Case::new();
    case.pipeline(&sizes(names, "")).day("2026-02-01");
    let ids = ids_of(&case, names);
    let was = "was = { top = \"hi\", hi = \"mid\" }";
    case.pipeline(&sizes(later, was));
    let arguments = case.arguments("plan", &["--as-of", "2026-02-01", "--format", "json"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let plan: serde_json::Value = serde_json::from_slice(&run(&arguments, 0).stdout).unwrap();
    assert_eq!(plan["schemes"][0]["moved"], 0, "{plan}");
    case.day("2026-02-01");
    assert_eq!(ids_of(&case, later), ids);
    let store = case.path("store").display().to_string();
    let diff = run(&["diff", &store, "1", "2", "--json"], 0);
    let diff: serde_json::Value = serde_json::from_slice(&diff.stdout).unwrap();
    assert_eq!(diff["schemes"][0]["moved"], 0, "{diff}");
    case.day("2026-02-02");
    assert_eq!(ids_of(&case, later), ids);
    assert_eq!(case.table("migrations").rows(), 0);
}

/// A misspelt earlier name is not a rename in silence: the customers would move, and the history would end.
#[test]
fn a_rename_of_a_segment_that_never_was_is_warned_of() {
    let case = Case::new();
    case.pipeline(&schemes("", TIERS)).day("2026-02-01");
    let said = |command: &str, was: &str| {
        let tiers = format!("tiers = {{ best = 0.25, rest = 1.0 }}\nwas = {{ best = \"{was}\" }}");
        case.pipeline(&schemes("", &tiers));
        let arguments = case.arguments(command, &["--as-of", "2026-02-02", "--quiet"]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        String::from_utf8(run(&arguments, 0).stderr).unwrap()
    };
    let unknown = "there is no segment `topp` that could be called `best`";
    for command in ["plan", "run"] {
        let found = said(command, "topp");
        assert!(found.contains(unknown), "{command}: {found}");
        assert!(found.contains("did you mean `top`?"), "{command}: {found}");
    }
    let case = Case::new();
    case.pipeline(&schemes("", TIERS)).day("2026-02-01");
    let renamed = "tiers = { best = 0.25, rest = 1.0 }\nwas = { best = \"top\" }";
    case.pipeline(&schemes("", renamed)).day("2026-02-02");
    let arguments = case.arguments("run", &["--as-of", "2026-02-03", "--quiet"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = String::from_utf8(run(&arguments, 0).stderr).unwrap();
    assert!(!said.contains("there is no segment"), "{said}");
}

/// The definition of the day before serves on either night, and its segment has the name of today, also once nothing states the rename.
#[test]
fn a_rename_under_a_definition_that_is_held_moves_nobody() {
    let case = Case::new();
    let pipeline = |name: &str, was: &str, gates: &str| {
        let text = format!(
            r#"
[schemes.size]
kind = "rules"
rules = [{{ segment = "{name}", when = "spend_total > 500" }}]
otherwise = "rest"
{was}

[schemes.reader]
kind = "rules"
rules = [{{ segment = "known", when = "size = '{name}'" }}]
otherwise = "unknown"

[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = {{ "{name}" = 0.25, low = 1.0 }}
{was}
{gates}
"#
        );
        case.pipeline(&text);
    };
    pipeline("many", "", "");
    case.day("2026-02-01");
    let short: String = ["size", "tier"]
        .map(|scheme| {
            format!(
                "[gates.schemes.{scheme}]\nsubstantial = {{ min_customers = 60, min_share = 0.0, on_fail = \"hold_previous\" }}\n"
            )
        })
        .concat();
    for (day, name, was) in [
        ("2026-02-02", "gold", "was = { gold = \"many\" }"),
        ("2026-02-03", "gold", ""),
        ("2026-02-04", "platinum", "was = { platinum = \"gold\" }"),
    ] {
        pipeline(name, was, &short);
        case.day(day);
        assert_eq!(case.table("moves").rows(), 0, "{day}");
        assert_eq!(case.table("migrations").rows(), 0, "{day}");
        for scheme in ["size", "tier", "reader"] {
            let memberships = case.memberships(scheme);
            let mut segments = memberships.values().map(|row| row[0].as_str());
            let wanted = if scheme == "reader" { "known" } else { name };
            assert!(segments.any(|segment| segment == wanted), "{day} {scheme}");
        }
    }
}
