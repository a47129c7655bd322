//! The day on which customers leave their segments by time alone is the day on which a run without new rows moves them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::program::{json, run};
use crate::table::Table;
use crate::versions::Case;

/// Customer and scheme.
type Of = (String, String);

/// Segment, day of leaving, segment to which it leaves.
type Row = (String, Option<String>, Option<String>);

fn memberships(path: &Path, key: &str) -> BTreeMap<Of, Row> {
    let table = Table::read(&path.join("latest/memberships.parquet"));
    let text = |name: &str| table.texts(name);
    let (keys, schemes) = (text(key), text("scheme"));
    let (segments, to) = (text("segment"), text("leaves_to"));
    let days = table.days("leaves_on");
    (0..table.rows())
        .map(|row| {
            let of = (keys[row].clone().unwrap(), schemes[row].clone().unwrap());
            let segment = segments[row].clone().unwrap();
            (of, (segment, days[row].clone(), to[row].clone()))
        })
        .collect()
}

/// The first of these days on which a customer is elsewhere than in a first version, and where; `None` for an account that is gone.
fn first_moves(
    first: &BTreeMap<Of, Row>,
    nights: &[(String, BTreeMap<Of, Row>)],
) -> BTreeMap<Of, (String, Option<String>)> {
    let mut moved = BTreeMap::new();
    for (day, night) in nights {
        for (of, (segment, ..)) in first {
            let now = night.get(of).map(|row| row.0.clone());
            if now.as_ref() != Some(segment) && !moved.contains_key(of) {
                moved.insert(of.clone(), (day.clone(), now));
            }
        }
    }
    moved
}

/// Holds what a version tells against what later runs without a new row did; returns how many leave in each scheme.
fn holds(
    told: &[&str],
    first: &BTreeMap<Of, Row>,
    nights: &[(String, BTreeMap<Of, Row>)],
) -> BTreeMap<String, usize> {
    let moved = first_moves(first, nights);
    let mut leave = BTreeMap::new();
    for (of, (_, on, to)) in first {
        if !told.contains(&of.1.as_str()) {
            assert_eq!((on, to), (&None, &None), "{of:?}");
            continue;
        }
        let found = moved.get(of).map(|(day, to)| (day.clone(), to.clone()));
        let said = on.clone().map(|day| (day, to.clone()));
        assert_eq!(said, found, "{of:?}");
        *leave.entry(of.1.clone()).or_insert(0) += usize::from(said.is_some());
    }
    leave
}

/// `explain` tells the same day and the same segment as `memberships`.
fn assert_explained(store: &Path, of: &Of, row: &Row) {
    let store = store.display().to_string();
    let said = json(&run(
        &[
            "explain",
            &store,
            &of.0,
            "--as-of",
            "2026-10-31",
            "--scheme",
            "pace",
            "--json",
        ],
        0,
    ));
    let scheme = &said[0]["schemes"][0];
    assert_eq!(scheme["leaves_on"].as_str(), row.1.as_deref());
    assert_eq!(scheme["leaves_to"].as_str(), row.2.as_deref());
    let text = run(&["explain", &store, &of.0, "--as-of", "2026-10-31"], 0);
    let text = String::from_utf8(text.stdout).unwrap();
    let line = format!(
        "leaves on {} to {} if no row comes",
        row.1.as_ref().unwrap(),
        row.2.as_ref().unwrap()
    );
    assert!(text.contains(&line), "{line}\n{text}");
}

#[test]
fn a_thousand_customers_of_the_demo_leave_on_the_days_told() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let folder = dir.display().to_string();
    crate::program::demo(&folder, 1_000);
    let file = dir.join("demo.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let more = r#"
[memberships]
leaves_within = "12d"
min_stay = { pace = "5d" }

[schemes.pace]
kind = "rules"
rules = [
  { segment = "quick", when = "orders_90d >= 3 and unseen_days < 20" },
  { segment = "slower", when = "spend_90d < spend_prev_90d and events_28d > 0" },
  { segment = "young", when = "tenure_days < 200" },
]
otherwise = "calm"

[schemes.recent]
kind = "quantile"
by = "events_28d"
tiers = { top = 0.1, mid = 0.5, low = 1.0 }
"#;
    std::fs::write(&file, text + more).unwrap();
    let night = |as_of: &str| {
        let arguments = [
            "run",
            &file.display().to_string(),
            "--as-of",
            as_of,
            "--quiet",
            "--var",
            &format!("lake={}", dir.join("lake").display()),
            "--var",
            &format!("out={}", dir.join("nights").display()),
        ]
        .map(str::to_owned);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&arguments, 0);
        memberships(&dir.join("nights/demo"), "customer_id")
    };
    let first = night("2026-10-31");
    let nights: Vec<(String, BTreeMap<Of, Row>)> = (1..=12)
        .map(|day| format!("2026-11-{day:02}"))
        .map(|day| (day.clone(), night(&day)))
        .collect();
    let told = ["rfm", "lifecycle", "pace", "recent", "behaviour"];
    let leave = holds(&told, &first, &nights);
    for scheme in ["lifecycle", "pace", "recent"] {
        assert!(leave[scheme] > 5, "{scheme}: {leave:?}");
    }

    let mut told = first.iter();
    let (of, row) = told
        .find(|(of, row)| of.1 == "pace" && row.1.is_some())
        .unwrap();
    assert_explained(&dir.join("nights/demo"), of, row);
}

#[test]
fn accounts_that_time_closes_leave_to_no_segment_and_nothing_is_told_unasked() {
    let case = Case::new();
    let schemes = r#"
[schemes.freshness]
kind = "rules"
rules = [{ segment = "fresh", when = "recency_days <= 10" }, { segment = "resting", when = "recency_days <= 20" }]
otherwise = "gone"
"#;
    case.pipeline(schemes).day("2026-02-01");
    let first = memberships(&case.path("store"), "customer_id");
    assert!(first.values().all(|row| row.1.is_none() && row.2.is_none()));

    case.pipeline(&format!(
        "{schemes}\n[memberships]\nleaves_within = \"40d\"\n"
    ));
    let file = case.path("moves.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let key = "key = \"customer_id\"\n";
    let closing = text.replacen(key, &format!("{key}active = \"recency_days <= 25\"\n"), 1);
    std::fs::write(&file, closing).unwrap();
    case.day("2026-02-02");
    let first = memberships(&case.path("store"), "customer_id");
    let on = |customer: &str| first[&(customer.to_owned(), "freshness".to_owned())].clone();
    // Ordered on 2026-01-10: closed from the 26th day on.
    let gone = ("gone".to_owned(), Some("2026-02-05".to_owned()), None);
    assert_eq!(on("small00"), gone);
    // Ordered on 2026-01-28: fresh up to and with the 10th day.
    let resting = (
        "fresh".to_owned(),
        Some("2026-02-08".to_owned()),
        Some("resting".to_owned()),
    );
    assert_eq!(on("small01"), resting);
}

#[test]
fn rules_over_clusters_are_told_until_these_are_fitted_again() {
    let case = Case::new();
    case.pipeline(
        r#"
[schemes.spend]
kind = "kmeans"
features = ["spend_total"]
k = 2
transform = "none"

[schemes.call]
kind = "rules"
rules = [{ segment = "now", when = "spend is not null and recency_days > 20" }]
otherwise = "no"

[schemes.list]
kind = "rules"
rules = [{ segment = "on", when = "call = 'now'" }]
otherwise = "off"

[memberships]
leaves_within = "40d"
"#,
    );
    case.day("2026-02-01");
    let found = memberships(&case.path("store"), "customer_id");
    for scheme in ["call", "list"] {
        let of = |customer: &str| found[&(customer.to_owned(), scheme.to_owned())].clone();
        // Ordered on 2026-01-28: before the clusters are a month old.
        assert_eq!(of("small01").1.as_deref(), Some("2026-02-18"), "{scheme}");
    }
    let mut of_clusters = found.iter().filter(|(of, _)| of.1 == "spend");
    assert!(of_clusters.all(|(_, row)| row.1.is_none()));
}
