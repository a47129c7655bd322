//! What schemes are held against, and what a run does where they fall short.

use std::collections::BTreeSet;

use crate::program::run;
use crate::table::Table;
use crate::versions::Case;

/// Orders without structure: 600 customers, evenly spread over recency and spend.
pub(crate) fn evenly(case: &Case) {
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

pub(crate) const CLUSTERS: &str = r#"
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

pub(crate) fn refused(case: &Case, as_of: &str) -> String {
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

/// Oracle: 20 of 100 are 20%, whatever the rounding of their complement.
#[test]
fn a_coverage_that_meets_its_limit_exactly_passes() {
    let case = Case::new();
    let mut rows: Vec<(String, &str, f64)> = Vec::new();
    for number in 0..100 {
        rows.push((format!("c{number}"), "2026-01-10", 10.0));
        if number < 20 {
            rows.push((format!("c{number}"), "2026-01-20", f64::from(number)));
        }
    }
    case.orders("a.csv", &rows);
    case.pipeline(
        "[schemes.again]\nkind = \"quantile\"\nby = \"repeat_spend_mean\"\ntiers = { top = 0.5, low = 1.0 }\n\
         [gates]\nidentifiable = { min_coverage = 0.2, on_fail = \"fail_run\" }\n",
    );
    case.day("2026-02-01");
    let coverage = quality(&case);
    let coverage = coverage.iter().find(|row| row[3] == "input_coverage");
    assert_eq!(coverage.unwrap()[4], "ok");
}
