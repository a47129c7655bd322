//! Columns and schemes that are defined in another way than in the version before are told from those that drift, and what is published
//! of a feature says what is counted and where.

use std::collections::BTreeMap;

use crate::versions::Case;

/// Two aggregates, an expression over one of them, and a scheme by each.
fn pipeline(case: &Case, filter: &str, limit: u32) {
    case.pipeline(&format!(
        r#"
large_orders = {{ from = "orders", agg = "count", where = "{filter}" }}
mean_amount = {{ from = "orders", agg = "mean", of = "amount  *  1.0", window = "90d" }}
has_large = {{ expr = "case when large_orders > 0 then 1 else 0 end", unit = "count" }}

[schemes.size]
kind = "rules"
rules = [{{ segment = "big", when = "has_large = 1" }}]
otherwise = "small"

[schemes.recent]
kind = "rules"
rules = [{{ segment = "fresh", when = "recency_days <= {limit}" }}]
otherwise = "gone"

[schemes.both]
kind = "rules"
rules = [{{ segment = "big", when = "size_segment_id is not null and size = 'big'" }}]
otherwise = "small"
"#
    ));
}

/// What drift says of some columns and schemes is `redefined`.
fn redefined(case: &Case) -> Vec<String> {
    let drift = case.table("drift");
    let rows = drift.texts("name").into_iter().zip(drift.texts("status"));
    let mut found: Vec<String> = rows
        .filter(|row| row.1.as_deref() == Some("redefined"))
        .filter_map(|row| row.0)
        .collect();
    found.sort();
    found
}

#[test]
fn an_edit_redefines_what_is_made_of_it_and_nothing_else() {
    let case = Case::new();
    pipeline(&case, "amount > 500", 20);
    case.day("2026-02-01");
    case.day("2026-02-02");
    assert!(redefined(&case).is_empty(), "nothing was edited");
    // Comments, spaces and the order of keys define nothing.
    let file = case.path("moves.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        format!(
            "# a note\n{}",
            text.replace("amount > 500", "amount  >  500")
        ),
    )
    .unwrap();
    case.day("2026-02-03");
    assert!(redefined(&case).is_empty(), "a comment and spaces");
    pipeline(&case, "amount > 15", 20);
    case.day("2026-02-04");
    assert_eq!(
        redefined(&case),
        ["both", "has_large", "large_orders", "size"]
    );
    pipeline(&case, "amount > 15", 21);
    case.day("2026-02-05");
    assert_eq!(redefined(&case), ["recent"]);
    // A filter of the source changes all that is counted from its rows.
    let text = std::fs::read_to_string(&file).unwrap();
    let key = "time = \"ordered_at\"\n";
    std::fs::write(
        &file,
        text.replacen(key, &format!("{key}filter = \"amount > 12\"\n"), 1),
    )
    .unwrap();
    case.day("2026-02-06");
    let found = redefined(&case);
    for name in [
        "large_orders",
        "mean_amount",
        "has_large",
        "recency_days",
        "size",
        "recent",
        "both",
    ] {
        assert!(
            found.iter().any(|known| known == name),
            "{name} in {found:?}"
        );
    }
}

#[test]
fn the_dictionary_says_of_what_and_where() {
    let case = Case::new();
    pipeline(&case, "amount > 500", 20);
    case.day("2026-02-01");
    let features = case.table("features");
    let rows = features
        .texts("name")
        .into_iter()
        .zip(features.texts("definition"));
    let all: BTreeMap<_, _> = rows.map(|row| (row.0.unwrap(), row.1.unwrap())).collect();
    assert_eq!(
        all["large_orders"],
        "count over `orders` where `amount > 500`, all rows."
    );
    assert_eq!(
        all["mean_amount"],
        "mean of `amount * 1.0` over `orders`, the last 90 days."
    );
}

#[test]
fn the_report_compares_no_kpi_with_one_of_another_definition() {
    let case = Case::new();
    let file = case.path("moves.toml");
    let said = |version: u32, filter: &str| {
        pipeline(&case, filter, 20);
        let text = std::fs::read_to_string(&file).unwrap();
        let goal = "[goal]\nobjective = \"retention\"\nkpi = \"large_orders\"\n";
        std::fs::write(&file, format!("{text}{goal}")).unwrap();
        case.day(&format!("2026-02-0{version}"));
        let report = case.path(&format!("store/reports/version-{version}.html"));
        let html = std::fs::read_to_string(report).unwrap();
        html.contains("the version before has it by another definition")
    };
    assert!(!said(1, "amount > 500"));
    assert!(!said(2, "amount > 500"));
    assert!(said(3, "amount > 15"));
    assert!(!said(4, "amount > 15"));
}
