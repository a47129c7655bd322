//! What schemes are held against, and what a run does where they fall short.

use std::collections::{BTreeMap, BTreeSet};

use crate::program::run;
use crate::table::Table;
use crate::versions::Case;

/// Orders without structure: 600 customers, evenly spread over recency and spend.
fn evenly(case: &Case) {
    let days: Vec<String> = (1..=30).map(|day| format!("2026-01-{day:02}")).collect();
    let rows: Vec<(String, &str, f64)> = (0..600_usize)
        .map(|number| {
            let day = days[number * 7_919 % 30].as_str();
            let amount = (number * 104_729 % 997) as f64;
            (format!("c{number:03}"), day, 10.0 + amount)
        })
        .collect();
    case.orders("a.csv", &rows);
}

const CLUSTERS: &str = r#"
[schemes.likeness]
kind = "kmeans"
features = ["recency_days", "spend_total"]
k = 3
transform = "none"
"#;

/// Rows of `quality` of the latest version: scheme, segment, criterion, metric, status.
fn quality(case: &Case) -> Vec<[String; 5]> {
    let table = case.table("quality");
    let text = |name: &str| -> Vec<String> {
        let texts = table.texts(name).into_iter();
        texts.map(Option::unwrap_or_default).collect()
    };
    let columns = ["scheme", "segment", "criterion", "metric", "status"].map(text);
    (0..table.rows())
        .map(|row| columns.clone().map(|column| column[row].clone()))
        .collect()
}

fn refused(case: &Case, as_of: &str) -> String {
    let arguments = case.arguments("run", &["--as-of", as_of, "--quiet"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    String::from_utf8(run(&arguments, 3).stderr).unwrap()
}

#[test]
fn clusters_of_customers_without_structure_fail() {
    let case = Case::new();
    evenly(&case);
    let strict = "[gates]\ndistinguishable = { on_fail = \"fail_run\" }\n";
    case.pipeline(&format!("{CLUSTERS}{strict}"));
    let said = refused(&case, "2026-02-01");
    assert!(
        said.contains("scheme `likeness` is not clustered: p_value is ")
            && said.contains("nothing was published"),
        "{said}"
    );
    assert!(!case.path("store/latest").exists());
    case.pipeline(CLUSTERS).day("2026-02-01");
    let flagged = ["likeness", "", "clustered", "p_value", "flagged"].map(str::to_owned);
    assert!(quality(&case).contains(&flagged), "{:?}", quality(&case));
}

#[test]
fn every_scheme_and_segment_is_held_against_the_five_criteria() {
    let case = Case::new();
    let gates = r#"
[schemes.freshness]
kind = "rules"
rules = [{ segment = "fresh", when = "recency_days <= 10" }, { segment = "small", when = "order_value_mean < 500" }]
otherwise = "large"

[playbooks.fresh]
scheme = "freshness"

[gates]
substantial = { min_customers = 30, min_share = 0.1 }
distinguishable = { kpis = ["spend_total", "tenure_days"] }
actionable = { reachable = "spend_total > 500", min_reachable = 0.4 }

[gates.schemes.freshness]
substantial = { min_customers = 20, max_measurable_effect = 0.5 }
"#;
    case.pipeline(gates).day("2026-02-01");
    case.day("2026-02-02");
    let rows = quality(&case);
    let status = |segment: &str, criterion: &str, metric: &str| {
        let row = rows.iter().find(|row| {
            row[0] == "freshness" && row[1] == segment && row[2] == criterion && row[3] == metric
        });
        row.map(|row| row[4].as_str())
    };
    // Forty of eighty customers ordered on 2026-01-28, half of whom spent much; of the others twenty spent much and twenty little.
    let wanted = [
        ("", "identifiable", "stated_rule", "ok"),
        ("", "identifiable", "input_coverage", "ok"),
        ("", "distinguishable", "overlap", "flagged"),
        ("fresh", "distinguishable", "kpis_apart", "flagged"),
        ("small", "distinguishable", "kpis_apart", "ok"),
        ("fresh", "substantial", "customers", "ok"),
        ("small", "substantial", "customers", "ok"),
        ("small", "substantial", "share", "ok"),
        ("small", "substantial", "value_share", "ok"),
        ("small", "substantial", "measurable_effect", "flagged"),
        ("", "stable", "mix_psi", "ok"),
        ("small", "stable", "kept_share", "ok"),
        ("fresh", "actionable", "playbook", "ok"),
        ("small", "actionable", "playbook", "flagged"),
        ("fresh", "actionable", "reachable_share", "ok"),
        ("small", "actionable", "reachable_share", "flagged"),
        ("large", "actionable", "reachable_share", "ok"),
    ];
    for (segment, criterion, metric, expected) in wanted {
        let found = status(segment, criterion, metric);
        assert_eq!(
            found,
            Some(expected),
            "{segment} {criterion} {metric}: {rows:#?}"
        );
    }
}

#[test]
fn what_is_computed_from_what_a_scheme_assigns_by_is_no_difference() {
    let case = Case::new();
    case.pipeline(
        r#"
half = { expr = "spend_total / 2", base = "value", unit = "currency" }
quarter = { expr = "half / 2", base = "value", unit = "currency" }

[value]
now = "quarter / 12"
per = "month"

[schemes.size]
kind = "rules"
rules = [{ segment = "small", when = "spend_total < 500" }]
otherwise = "large"

[gates]
distinguishable = { kpis = ["quarter", "value_now"] }
"#,
    );
    case.day("2026-02-01");
    let rows = quality(&case);
    let found = rows.iter().filter(|row| row[3] == "kpis_apart");
    let found: Vec<_> = found
        .map(|row| (row[1].as_str(), row[4].as_str()))
        .collect();
    assert_eq!(found, [("", "not computed")], "{rows:#?}");
}

const SERVED: &str = r#"
[schemes.freshness]
kind = "rules"
rules = [{ segment = "fresh", when = "recency_days <= 10" }, { segment = "small", when = "spend_total < 500" }]
otherwise = "large"

[playbooks.fresh]
scheme = "freshness"
touch = "high"

[playbooks.small]
scheme = "freshness"
touch = "low"
"#;

/// Forty customers are in `fresh` and twenty in `small`.
#[test]
fn people_serve_no_more_customers_than_is_stated() {
    let rows = |limits: &str| -> Vec<(String, String)> {
        let case = Case::new();
        case.pipeline(&format!("{SERVED}{limits}"))
            .day("2026-02-01");
        let rows = quality(&case).into_iter();
        let rows = rows.filter(|row| row[2] == "staffed" && row[0] == "freshness");
        rows.map(|[_, _, _, metric, status]| (metric, status))
            .collect()
    };
    let row = |metric: &str, status: &str| (metric.to_owned(), status.to_owned());
    // Nothing is judged, and no row published, where the pipeline does not ask for it.
    assert_eq!(rows("[gates]\n"), []);
    let limits = "[gates]\nstaffed = { max_high_touch = 39, max_low_touch = 20 }\n";
    let wanted = [
        row("high_touch_customers", "flagged"),
        row("low_touch_customers", "ok"),
    ];
    assert_eq!(rows(limits), wanted);

    let case = Case::new();
    let strict =
        "[gates.schemes.freshness]\nstaffed = { max_low_touch = 19, on_fail = \"fail_run\" }\n";
    case.pipeline(&format!("{SERVED}{strict}"));
    let said = refused(&case, "2026-02-01");
    let wanted = "scheme `freshness` is not staffed: low_touch_customers is 20, where at most 19 passes \
                  (1 too many for the people there are (`small` 20)";
    assert!(said.contains(wanted), "{said}");
}

#[test]
fn mistakes_in_gates_are_found_before_a_row_is_read() {
    let case = Case::new();
    let gates = r#"
[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.25, rest = 1.0 }

[gates]
distinguishable = { kpis = ["spend_totel"] }
stable = { min_jaccard = 75 }
actionable = { min_reachable = 0.5 }

[gates.schemes.teir]
substantial = { min_share = 0.01 }
"#;
    case.pipeline(gates);
    let arguments = case.arguments("check", &[]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = String::from_utf8(run(&arguments, 2).stderr).unwrap();
    for part in [
        "`min_jaccard` in [gates.stable] must be a share from 0 to 1, and is 75",
        "`min_reachable` has no effect without `reachable`",
        "unknown scheme `teir`",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

/// The coverage of a scheme is that of the columns that it reads itself, and a KPI that nobody in a segment has is no difference of 0.
#[test]
fn what_is_not_read_or_not_there_is_not_judged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 1_500);
    let latest = dir.path().join("store/demo/latest");
    let customers = Table::read(&latest.join("customers.parquet"));
    let share = |column: &str| {
        let values = customers.floats(column);
        values.iter().flatten().count() as f64 / values.len() as f64
    };
    let quality = Table::read(&latest.join("quality.parquet"));
    let (schemes, segments) = (quality.texts("scheme"), quality.texts("segment"));
    let (metrics, reasons) = (quality.texts("metric"), quality.texts("reason"));
    let values = quality.floats("value");
    let found = |scheme: &str, metric: &str| -> Vec<usize> {
        let of = |row: &usize| {
            schemes[*row].as_deref() == Some(scheme) && metrics[*row].as_deref() == Some(metric)
        };
        (0..quality.rows()).filter(of).collect()
    };
    let [tier] = found("value_tier", "input_coverage")[..] else {
        panic!("one row")
    };
    assert!((values[tier].unwrap() - share("value_future")).abs() < 1e-12);
    assert!(share("value_future") > share("clv"));

    let (rfm, churn) = (
        customers.texts("rfm"),
        customers.floats("churn_probability"),
    );
    let mut without = 0;
    for row in found("rfm", "kpis_apart") {
        let Some(reason) = &reasons[row] else {
            continue;
        };
        let members = rfm
            .iter()
            .zip(&churn)
            .filter(|(name, _)| **name == segments[row]);
        let has_value = members.flat_map(|(_, churn)| churn).next().is_some();
        let said = reason.contains("churn_probability is not comparable");
        assert!(has_value || said, "{reason}");
        without += usize::from(!has_value);
    }
    assert!(without > 0);
    measures_are_described(&quality);
}

/// Every measure of a criterion in `quality` is in the description of its gate.
fn measures_are_described(quality: &Table) {
    let page = String::from_utf8(run(&["schema", "--gates"], 0).stdout).unwrap();
    let (criteria, metrics) = (quality.texts("criterion"), quality.texts("metric"));
    let mut described = BTreeSet::new();
    for (criterion, metric) in criteria.iter().flatten().zip(metrics.iter().flatten()) {
        let gate = match criterion.as_str() {
            "clustered" => "distinguishable",
            other => other,
        };
        let mut sections = page.split("\n## ");
        // Scores have criteria of their own.
        let Some(section) = sections.find(|section| section.lines().next() == Some(gate)) else {
            continue;
        };
        let is_described = section.contains(&format!("\n| `{metric}` |"));
        assert!(is_described, "{criterion}: {metric}");
        described.insert(metric);
    }
    assert!(described.len() > 8, "{described:?}");
}

/// Customers in two groups that nothing lies between: 300 who ordered for about 100 on 2026-01-04, 300 for about 900 on 2026-01-26.
fn in_two_groups(case: &Case) {
    let rows: Vec<(String, &str, f64)> = (0..600_usize)
        .map(|number| {
            let spread = (number * 104_729 % 53) as f64;
            let (day, amount) = match number % 2 {
                0 => (["2026-01-03", "2026-01-04", "2026-01-05"], 100.0),
                _ => (["2026-01-25", "2026-01-26", "2026-01-27"], 900.0),
            };
            (
                format!("c{number:03}"),
                day[number / 2 % 3],
                amount + spread,
            )
        })
        .collect();
    case.orders("a.csv", &rows);
}

/// Clusters that are fitted in every run.
fn clusters_of_every_run(gates: &str) -> String {
    let always = CLUSTERS.replace("k = 3", "k = 2\nrefit = \"always\"");
    format!("{always}\n{gates}")
}

/// The segment of every customer in a scheme, and all values of `assigned_by`.
fn assigned(case: &Case, scheme: &str) -> (BTreeMap<String, i64>, BTreeSet<String>) {
    let table = case.table("memberships");
    let of = |name: &str| -> Vec<String> { table.texts(name).into_iter().flatten().collect() };
    let (keys, schemes, by) = (of("customer_id"), of("scheme"), of("assigned_by"));
    let ids = table.ints("segment_id");
    let rows: Vec<usize> = (0..keys.len())
        .filter(|&row| schemes[row] == scheme)
        .collect();
    (
        rows.iter()
            .map(|&row| (keys[row].clone(), ids[row].unwrap()))
            .collect(),
        rows.iter().map(|&row| by[row].clone()).collect(),
    )
}

/// Why an earlier definition serves, or none does.
fn held(case: &Case, scheme: &str) -> Option<String> {
    let table = case.table("quality");
    let (schemes, metrics) = (table.texts("scheme"), table.texts("metric"));
    let is_held = |row: &usize| {
        schemes[*row].as_deref() == Some(scheme)
            && metrics[*row].as_deref() == Some("hold_previous")
    };
    let row = (0..table.rows()).find(is_held)?;
    table.texts("reason")[row].clone()
}

/// A customer who spent little long ago, and one who spent much lately.
fn corners(case: &Case) -> (String, String) {
    let customers = case.table("customers");
    let (spend, recency) = (
        customers.floats("spend_total"),
        customers.ints("recency_days"),
    );
    let keys = customers.texts("customer_id");
    let first = |fits: &dyn Fn(f64, i64) -> bool| {
        let row = (0..keys.len()).find(|&row| fits(spend[row].unwrap(), recency[row].unwrap()));
        keys[row.unwrap()].clone().unwrap()
    };
    (
        first(&|spend, recency| spend < 150.0 && recency > 26),
        first(&|spend, recency| spend > 850.0 && recency < 10),
    )
}

#[test]
fn clusters_that_fail_leave_the_last_good_ones_in_use() {
    let case = Case::new();
    in_two_groups(&case);
    let hold =
        "[gates]\ndistinguishable = { kpis = [\"order_count\"], on_fail = \"hold_previous\" }\n";
    case.pipeline(&clusters_of_every_run(hold))
        .day("2026-02-01");
    let (good, by) = assigned(&case, "likeness");
    assert_eq!(by, BTreeSet::from(["model".to_owned()]));
    assert_eq!(good.values().collect::<BTreeSet<_>>().len(), 2);
    let ids: BTreeSet<i64> = good.values().copied().collect();

    // Every customer is replaced by one of a cloud without structure.
    evenly(&case);
    let arguments = case.arguments("run", &["--as-of", "2026-02-02", "--quiet"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = run(&arguments, 0);
    let why = held(&case, "likeness").unwrap();
    assert!(
        why.starts_with("the definition of 2026-02-01 serves, because with today's scheme `likeness` is not clustered: p_value is"),
        "{why}"
    );
    let shown = String::from_utf8(said.stdout).unwrap() + &String::from_utf8(said.stderr).unwrap();
    assert!(
        shown.contains("the definition of 2026-02-01 serves"),
        "{shown}"
    );
    let (kept, by) = assigned(&case, "likeness");
    assert_eq!(by, BTreeSet::from(["held".to_owned()]));
    assert!(kept.values().all(|id| ids.contains(id)), "{kept:?}");
    // The centres of the first day: who spent little long ago, and who spent much lately.
    let (low, high) = corners(&case);
    assert_eq!(kept[&low], good["c000"]);
    assert_eq!(kept[&high], good["c001"]);

    // On the next night they serve still.
    case.day("2026-02-03");
    assert!(
        held(&case, "likeness")
            .unwrap()
            .starts_with("the definition of 2026-02-01 serves")
    );
    assert!(
        assigned(&case, "likeness")
            .0
            .values()
            .all(|id| ids.contains(id))
    );

    // With `fail_run` the same customers end the run.
    let before = std::fs::read_link(case.path("store/latest")).unwrap();
    let fail = hold.replace("hold_previous", "fail_run");
    case.pipeline(&clusters_of_every_run(&fail));
    let said = refused(&case, "2026-02-04");
    assert!(
        said.contains("scheme `likeness` is not clustered"),
        "{said}"
    );
    assert_eq!(
        std::fs::read_link(case.path("store/latest")).unwrap(),
        before
    );
}

/// What a definition that fell short has learned: its id, and the day on which it was last fitted or a fit was not better.
fn tried(case: &Case, version: u64) -> Option<(String, String)> {
    let commit = case.path(&format!("store/commits/{version:020}.json"));
    let commit: serde_json::Value =
        serde_json::from_slice(&std::fs::read(commit).unwrap()).unwrap();
    let artifacts = commit["artifacts"].as_array().unwrap();
    let found = artifacts
        .iter()
        .find(|artifact| artifact["of"] == "tried.schemes.likeness")?;
    let text = |key: &str| found[key].as_str().unwrap().to_owned();
    Some((text("id"), text("tried_on")))
}

#[test]
fn a_definition_that_falls_short_is_fitted_once_and_judged_every_night() {
    let case = Case::new();
    in_two_groups(&case);
    let hold =
        "[gates]\ndistinguishable = { kpis = [\"order_count\"], on_fail = \"hold_previous\" }\n";
    let two = CLUSTERS.replace("k = 3", "k = 2");
    case.pipeline(&format!("{two}\n{hold}")).day("2026-02-01");
    assert_eq!(tried(&case, 1), None);
    evenly(&case);
    case.pipeline(&format!("{CLUSTERS}\n{hold}"))
        .day("2026-02-02");
    let first = tried(&case, 2).unwrap();
    assert_eq!(first.1, "2026-02-02");
    case.day("2026-02-03");
    assert_eq!(tried(&case, 3).unwrap(), first, "it is not fitted again");
    let why = held(&case, "likeness").unwrap();
    assert!(
        why.starts_with("the definition of 2026-02-01 serves, because with today's scheme `likeness` is not clustered"),
        "{why}"
    );
    // After a month it is.
    case.day("2026-03-02");
    assert_eq!(tried(&case, 4).unwrap().1, "2026-03-02");
    // Without the gate, what was fitted then serves.
    case.pipeline(CLUSTERS).day("2026-03-03");
    assert_eq!((tried(&case, 5), held(&case, "likeness")), (None, None));
    let commit = std::fs::read_to_string(case.path("store/commits/00000000000000000005.json"));
    assert!(commit.unwrap().contains(&tried(&case, 4).unwrap().0));
    run(&["verify", &case.path("store").display().to_string()], 0);
}

/// Clusters that continue none of the segments that serve are judged by the gates alone.
#[test]
fn a_refit_of_a_definition_that_does_not_serve_yet_is_judged_by_the_gates_alone() {
    let case = Case::new();
    let groups = |sizes: [usize; 3], amounts: [f64; 3]| {
        let row = |n: usize| {
            let group = usize::from(n >= sizes[0]) + usize::from(n >= sizes[0] + sizes[1]);
            let amount = amounts[group] + (n % 7) as f64;
            (format!("c{n:03}"), "2026-01-10", amount)
        };
        case.orders("a.csv", &(0..120).map(row).collect::<Vec<_>>());
    };
    // On the first days a group is too small.
    groups([60, 50, 10], [10.0, 500.0, 2_000.0]);
    let tiers = "[schemes.likeness]\nkind = \"quantile\"\nby = \"spend_total\"\ntiers = { top = 0.4, rest = 1.0 }\n";
    let hold = "[gates]\nsubstantial = { min_customers = 30, on_fail = \"hold_previous\" }\n";
    let clusters = "[schemes.likeness]\nkind = \"kmeans\"\nfeatures = [\"spend_total\"]\nk = 3\ntransform = \"none\"\n\
                    refit = \"30d\"\n";
    case.pipeline(&format!("{tiers}{hold}")).day("2026-02-01");
    case.pipeline(&format!("{clusters}{hold}"))
        .day("2026-02-02");
    assert!(held(&case, "likeness").is_some());
    groups([40, 40, 40], [5_000.0, 6_000.0, 7_000.0]);
    case.day("2026-02-20");
    assert!(
        held(&case, "likeness").is_some(),
        "it is not fitted again before it is due"
    );
    case.day("2026-03-10");
    assert_eq!(held(&case, "likeness"), None);
    let (found, by) = assigned(&case, "likeness");
    assert_eq!(by, BTreeSet::from(["model".to_owned()]));
    assert_eq!(found.values().collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn rules_that_fail_leave_the_last_good_ones_in_use_until_others_pass() {
    let case = Case::new();
    let pipeline = |when: &str| {
        format!(
            r#"
[schemes.freshness]
kind = "rules"
rules = [{{ segment = "fresh", when = "{when}" }}]
otherwise = "resting"

[schemes.reach]
kind = "rules"
rules = [{{ segment = "mail", when = "freshness = 'fresh'" }}]
otherwise = "none"
[gates]
substantial = {{ min_customers = 5, min_share = 0.1 }}

[gates.schemes.freshness]
substantial = {{ min_customers = 5, min_share = 0.1, on_fail = "hold_previous" }}
"#
        )
    };
    case.pipeline(&pipeline("recency_days <= 10"))
        .day("2026-02-01");
    assert_eq!(held(&case, "freshness"), None);
    let (good, _) = assigned(&case, "freshness");

    case.pipeline(&pipeline("recency_days <= 0"))
        .day("2026-02-02");
    let why = held(&case, "freshness").unwrap();
    assert!(
        why.starts_with("the definition of 2026-02-01 serves"),
        "{why}"
    );
    assert!(why.contains("segment `fresh` is not substantial"), "{why}");
    let (kept, by) = assigned(&case, "freshness");
    assert_eq!((&kept, by), (&good, BTreeSet::from(["held".to_owned()])));
    let (_, by) = assigned(&case, "reach");
    assert_eq!(by, BTreeSet::from(["rule".to_owned()]));
    assert_eq!(moved(&case), Vec::<[String; 3]>::new());

    // What was held the day before is what is compared with, and held again.
    case.day("2026-02-03");
    assert!(
        held(&case, "freshness")
            .unwrap()
            .starts_with("the definition of 2026-02-01 serves")
    );
    assert_eq!(moved(&case), Vec::<[String; 3]>::new());

    // Rules that pass serve, and move customers by the definition, also in the scheme that reads their segments.
    case.pipeline(&pipeline("spend_total > 500"))
        .day("2026-02-04");
    assert_eq!(held(&case, "freshness"), None);
    let moved = moved(&case);
    assert!(
        !moved.is_empty() && moved.iter().all(|row| row[1] == "definition"),
        "{moved:?}"
    );
    assert!(moved.iter().any(|row| row[0] == "reach"), "{moved:?}");

    // A version without the scheme before it holds nothing.
    let other = "[schemes.other]\nkind = \"rules\"\nrules = [{ segment = \"a\", when = \"recency_days <= 0\" }]\notherwise = \"b\"\n\n[gates.schemes.other]\nsubstantial = { min_customers = 5, on_fail = \"hold_previous\" }\n";
    case.pipeline(&format!("{}{other}", pipeline("spend_total > 500")))
        .day("2026-02-05");
    let why = held(&case, "other").unwrap();
    assert!(
        why.starts_with(
            "no earlier definition serves, because there is no previous version with this scheme"
        ),
        "{why}"
    );
    case.day("2026-02-06");
    let why = held(&case, "other").unwrap();
    assert!(
        why.starts_with(
            "no earlier definition serves, because the previous version has the same one"
        ),
        "{why}"
    );
}

/// Scheme, cause and number of customers of all moves between segments of the latest version.
fn moved(case: &Case) -> Vec<[String; 3]> {
    let table = case.table("migrations");
    let of = |name: &str| table.texts(name);
    let (schemes, causes) = (of("scheme"), of("cause"));
    let (from, to) = (of("from_segment"), of("to_segment"));
    let customers = table.ints("customers");
    let moves = (0..table.rows()).filter(|&row| from[row] != to[row]);
    moves
        .map(|row| {
            let text = |column: &[Option<String>]| column[row].clone().unwrap_or_default();
            [
                text(&schemes),
                text(&causes),
                customers[row].unwrap_or_default().to_string(),
            ]
        })
        .collect()
}
