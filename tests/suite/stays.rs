//! Customers who stay for a while, and customers whom people put into a segment.

use crate::program::run;
use crate::versions::Case;

const TIER: &str = r#"
[schemes.freshness]
kind = "rules"
rules = [{ segment = "fresh", when = "recency_days <= 30" }]
otherwise = "gone"
"#;

/// `assigned_by` and `reason` of a customer of the latest version.
fn decided(case: &Case, customer: &str) -> (String, String) {
    let table = case.table("memberships");
    let keys = table.texts("customer_id");
    let row = keys
        .iter()
        .position(|key| key.as_deref() == Some(customer))
        .unwrap();
    let text = |name: &str| table.texts(name)[row].clone().unwrap();
    (text("assigned_by"), text("reason"))
}

#[test]
fn who_has_not_been_there_long_enough_stays() {
    let case = Case::new();
    let stays = format!("{TIER}\n[memberships]\nmin_stay = {{ freshness = \"20d\" }}\n");
    case.pipeline(&stays).day("2026-02-01");
    // Ordered on 2026-01-10: `gone` from 2026-02-10 on, and in `fresh` since 2026-02-01.
    case.day("2026-02-12");
    assert_eq!(case.memberships("freshness")["small00"][0], "fresh");
    assert_eq!(case.migrations(), Vec::<String>::new());
    let (by, reason) = decided(&case, "small00");
    assert_eq!(by, "held");
    assert!(
        reason.starts_with(
            "held in `fresh` since 2026-02-01 for a minimum stay of 20 days; would be in `gone`: "
        ),
        "{reason}"
    );
    let quality = case.table("quality");
    let place = quality
        .texts("metric")
        .iter()
        .position(|metric| metric.as_deref() == Some("moves_held_back"));
    assert_eq!(quality.floats("value")[place.unwrap()], Some(40.0));
    case.day("2026-02-21");
    assert_eq!(
        case.memberships("freshness")["small00"],
        ["gone", "2026-02-21", "fresh", "ageing"]
    );
    assert_eq!(decided(&case, "small00").0, "rule");
}

#[test]
fn a_pinned_customer_is_where_people_want_it_until_the_pin_ends() {
    let case = Case::new();
    let pins = case.path("pins.csv");
    let pipeline = format!("{TIER}\n[memberships]\npins = \"{}\"\n", pins.display());
    let line = "small00,freshness,gone,2026-02-03,moved abroad,\"Ann, support\"\n";
    let header = "customer,scheme,segment,until,why,by\n";
    std::fs::write(&pins, header).unwrap();
    case.pipeline(&pipeline).day("2026-02-01");
    std::fs::write(&pins, format!("{header}{line}nobody,freshness,gone,,,\n")).unwrap();
    assert_eq!(case.day("2026-02-02"), "published: version 2 of 2026-02-02");
    assert_eq!(
        case.memberships("freshness")["small00"],
        ["gone", "2026-02-02", "fresh", "definition"]
    );
    let (by, reason) = decided(&case, "small00");
    assert_eq!(by, "pin");
    assert!(
        reason.starts_with(
            "pinned until 2026-02-03 by Ann, support: moved abroad; would be in `fresh`: "
        ),
        "{reason}"
    );
    let quality = case.table("quality");
    let place = quality
        .texts("metric")
        .iter()
        .position(|metric| metric.as_deref() == Some("pinned_customers"));
    let place = place.unwrap();
    assert_eq!(quality.floats("value")[place], Some(1.0));
    assert_eq!(
        quality.texts("reason")[place].as_deref(),
        Some("1 of the pinned customers are not in the base")
    );
    // Another content of the file is another run.
    std::fs::write(&pins, format!("{header}{line}")).unwrap();
    assert_eq!(case.day("2026-02-02"), "published: version 3 of 2026-02-02");
    case.day("2026-02-04");
    assert_eq!(case.memberships("freshness")["small00"][0], "fresh");
}

#[test]
fn mistakes_in_pins_are_found_before_a_row_is_read() {
    let case = Case::new();
    let pins = case.path("pins.csv");
    let text = "customer,scheme,segment,until,why,by\na,freshness,gone,soon,,\na,frshness,gone,,,\nb,freshness,gone,,,\nb,freshness,fresh,,,\n";
    std::fs::write(&pins, text).unwrap();
    let pipeline = format!(
        "{TIER}\n[memberships]\npins = \"{}\"\nmin_stay = {{ freshness = \"1 month\" }}\n",
        pins.display()
    );
    case.pipeline(&pipeline);
    let all = case.arguments("check", &[]);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let said = String::from_utf8(run(&all, 2).stderr).unwrap();
    assert!(
        said.contains("`1 month` is not a number of days for `min_stay`"),
        "{said}"
    );
    case.pipeline(&pipeline.replace("1 month", "30d"));
    let said = String::from_utf8(run(&all, 2).stderr).unwrap();
    for part in [
        "line 2: `soon` is not a date such as 2026-12-31",
        "line 3: there is no scheme `frshness`",
        "line 5: the customer is pinned in line 4 already",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}
