//! Versions that could be compared with none, and what was left out of versions and comes back: ids hold, and no cause is stated that is
//! not known.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::program::{json, run};
use crate::versions::Case;

/// One text of the pipeline file in place of another.
fn edit(case: &Case, from: &str, to: &str) {
    let file = case.path("moves.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from}\n{text}");
    std::fs::write(file, text.replace(from, to)).unwrap();
}

/// The key of the customers is called otherwise, also in the files.
fn rename_key(case: &Case) {
    edit(case, "customer_id", "account");
    for file in std::fs::read_dir(case.path("lake")).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("customer_id", "account")).unwrap();
    }
}

const TIER: &str = r#"
[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.25, rest = 1.0 }
"#;

const CLUSTERS: &str = r#"
[schemes.spend]
kind = "kmeans"
features = ["spend_total"]
k = 2
transform = "none"
refit = "always"
max_unmatched = 1.0
"#;

/// Id, first day and status of every segment that a scheme ever had, by the name shown last.
fn ledger(case: &Case, scheme: &str) -> BTreeMap<i64, (String, String, String)> {
    let table = case.table("segment_ledger");
    let text = |name: &str| table.texts(name).into_iter().map(Option::unwrap_or_default);
    let (schemes, names): (Vec<_>, Vec<_>) = (text("scheme").collect(), text("segment").collect());
    let (status, days) = (text("status").collect::<Vec<_>>(), table.days("first_day"));
    let ids = table.ints("segment_id");
    let own = (0..table.rows()).filter(|&row| schemes[row] == scheme);
    own.map(|row| {
        let day = days[row].clone().unwrap();
        (
            ids[row].unwrap(),
            (names[row].clone(), day, status[row].clone()),
        )
    })
    .collect()
}

#[test]
fn ids_are_never_used_again_although_no_customer_can_be_compared() {
    let case = Case::new();
    case.pipeline(&format!("{TIER}{CLUSTERS}"));
    case.day("2026-02-01");
    edit(
        &case,
        "tiers = { top",
        "was = { best = \"top\" }\ntiers = { best",
    );
    case.day("2026-02-02");
    let (tiers, clusters) = (ledger(&case, "tier"), ledger(&case, "spend"));
    assert_eq!(clusters.keys().collect::<Vec<_>>(), [&1, &2]);
    rename_key(&case);
    case.day("2026-02-03");
    assert_eq!(
        ledger(&case, "tier"),
        tiers,
        "the renamed tier keeps its id"
    );
    let now = ledger(&case, "spend");
    let of = |status: &str| -> Vec<i64> {
        let with = now.iter().filter(|(_, entry)| entry.2 == status);
        with.map(|(id, _)| *id).collect()
    };
    assert_eq!((of("ended"), of("active")), (vec![1, 2], vec![3, 4]));
    // The ids hold from then on.
    case.day("2026-02-04");
    assert_eq!(ledger(&case, "spend").len(), 4);
}

/// What `diff` says of the causes in each scheme from the first version to the last.
fn causes(case: &Case, last: &str) -> BTreeMap<String, (bool, Option<String>)> {
    let store = case.path("store").display().to_string();
    let diff = json(&run(&["diff", &store, "1", last, "--json"], 0));
    let schemes = diff["schemes"].as_array().unwrap().iter();
    let of = |scheme: &Value| {
        let unknown = scheme["causes_unknown"].as_str().map(str::to_owned);
        let is_known = !scheme["causes"].is_null();
        assert_eq!(is_known, unknown.is_none(), "{scheme}");
        let name = scheme["scheme"].as_str().unwrap().to_owned();
        (name, (is_known, unknown))
    };
    schemes.map(of).collect()
}

#[test]
fn causes_over_a_version_that_compared_nothing_are_not_known() {
    let rules = "[schemes.freshness]\nkind = \"rules\"\nrules = [{ segment = \"fresh\", when = \"recency_days <= 30\" }]\notherwise = \"gone\"\n";
    let case = Case::new();
    case.pipeline(&format!("{TIER}{rules}"));
    case.day("2026-02-01");
    case.pipeline(rules);
    case.day("2026-02-10");
    case.pipeline(&format!("{TIER}{rules}"));
    case.day("2026-02-20");
    case.day("2026-02-25");
    let found = causes(&case, "4");
    assert_eq!(found["freshness"], (true, None));
    let why = "version 2 of 2026-02-10 does not have the scheme";
    assert_eq!(found["tier"], (false, Some(why.to_owned())));

    rename_key(&case);
    case.day("2026-03-10");
    case.day("2026-03-12");
    let found = causes(&case, "6");
    for scheme in ["freshness", "tier"] {
        let why = found[scheme].1.as_deref().unwrap();
        assert!(
            why.starts_with("version 5 was compared with nothing"),
            "{why}"
        );
    }
    // Stays do not go on over it.
    let store = case.path("store").display().to_string();
    let explained = json(&run(&["explain", &store, "small00", "--json"], 0));
    let of_tier = explained[0]["schemes"].as_array().unwrap();
    let of_tier = of_tier.iter().find(|of| of["scheme"] == "tier").unwrap();
    let stays = of_tier["stays"].as_array().unwrap();
    assert_eq!(stays.len(), 1, "{of_tier}");
    assert_eq!(stays[0]["first_day"], "2026-03-10", "{of_tier}");
    assert!(
        explained
            .to_string()
            .contains("version 5 was compared with none"),
        "{explained}"
    );
}

/// What was learned is not learned anew because its scheme was left out for a while.
#[test]
fn what_stays_as_it_is_once_it_is_fitted_does_so_over_versions_without_its_scheme() {
    let fixed = r#"
[schemes.rfm]
kind = "rfm_grid"
grid = "eleven"
score_method = "frozen"

[schemes.spend]
kind = "kmeans"
features = ["spend_total"]
k = 2
transform = "none"
refit = "never"
"#;
    let case = Case::new();
    case.pipeline(&format!("{TIER}{fixed}"));
    case.day("2026-02-01");
    let learned = |case: &Case| -> Vec<String> {
        let rows = case.table("models");
        let (models, names) = (rows.texts("model"), rows.texts("name"));
        let numbers = rows.floats("value");
        let row = |row: usize| format!("{:?} {:?} {:?}", models[row], names[row], numbers[row]);
        let all = (0..rows.rows()).map(row);
        all.filter(|row| row.contains("edge") || row.contains("centroid"))
            .collect()
    };
    let ids = case.ids();
    let first = learned(&case);
    assert!(!first.is_empty());
    case.pipeline(TIER);
    case.day("2026-02-10");
    case.day("2026-02-11");
    let more = |number: usize| (format!("small{number:02}"), "2026-02-12", 5_000.0);
    case.orders("b.csv", &(0..30).map(more).collect::<Vec<_>>());
    case.pipeline(&format!("{TIER}{fixed}"));
    case.day("2026-02-20");
    assert_eq!(learned(&case), first);
    assert_eq!(
        case.ids(),
        ids,
        "the clusters are the same, and so are their ids"
    );
}

/// A run of a renamed pipeline that publishes nothing renames nothing.
#[test]
fn a_pipeline_goes_back_to_its_name_where_the_new_one_published_nothing() {
    let case = Case::new();
    case.pipeline(TIER);
    case.day("2026-02-01");
    edit(
        &case,
        "name = \"moves\"",
        "name = \"steps\"\nwas = \"moves\"",
    );
    let file = case.path("moves.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let expects =
        format!("{text}\n[[expect]]\ntable = \"customers\"\nrows = {{ at_least = 1000 }}\n");
    std::fs::write(&file, expects).unwrap();
    let arguments = case.arguments("run", &["--as-of", "2026-02-02", "--quiet"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(&arguments, 3);
    case.pipeline(TIER);
    assert_eq!(case.day("2026-02-02"), "published: version 2 of 2026-02-02");
}
