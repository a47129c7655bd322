//! Segments that a scheme has and that nobody is in by its rules: who stays in them or is pinned there, what is expected of them, and
//! that they are held against the gates. Whether somebody else is in a segment changes none of this.

use std::collections::BTreeSet;

use crate::program::run;
use crate::versions::Case;

const FEATURES: &str = r#"
[features]
use = ["rfm", "lifecycle"]
lifecycle = { active_days = 30, at_risk_days = 60, dormant_days = 400 }
item = { from = "orders", agg = "last", of = "item" }

[schemes.stage]
kind = "lifecycle"

[schemes.plans]
kind = "attribute"
by = "item"

[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.5, low = 1.0 }

[schemes.grid]
kind = "rfm_grid"
grid = "ten"
"#;

/// Two who ordered once on 1 January, one long before, and one whose orders change from gold to basic.
const ROWS: &str = "a,2026-01-01,10,basic\nb,2026-01-01,20,basic\nc,2025-10-01,20,basic\n\
                    g,2025-06-01,30,gold\ng,2026-01-20,30,gold\ng,2026-02-03,30,basic\n";

/// A lake of these rows and of more, with the same schemes.
fn case(more_rows: &str, settings: &str) -> Case {
    let case = Case::new();
    let rows = format!("customer_id,ordered_at,amount,item\n{ROWS}{more_rows}");
    case.file("a.csv", &rows);
    set(&case, settings);
    case
}

fn set(case: &Case, settings: &str) {
    case.pipeline_of_items(&format!("{FEATURES}{settings}"));
}

fn attempt(case: &Case, day: &str, code: i32) -> String {
    let arguments = case.arguments("run", &["--as-of", day, "--quiet"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    String::from_utf8(run(&arguments, code).stderr).unwrap()
}

/// Segment and `assigned_by` of a customer in a scheme.
fn place(case: &Case, scheme: &str, customer: &str) -> [String; 2] {
    let table = case.table("memberships");
    let text = |name: &str, row: usize| table.texts(name)[row].clone().unwrap();
    let mut rows = 0..table.rows();
    let row =
        rows.find(|&row| text("customer_id", row) == customer && text("scheme", row) == scheme);
    let row = row.unwrap();
    [text("segment", row), text("assigned_by", row)]
}

/// The rows of `quality` of a scheme and a measure: segment, value, status, reason.
fn measured(case: &Case, scheme: &str, metric: &str) -> Vec<(String, f64, String, String)> {
    let table = case.table("quality");
    let text = |name: &str, row: usize| table.texts(name)[row].clone().unwrap_or_default();
    let rows = (0..table.rows())
        .filter(|&row| text("scheme", row) == scheme && text("metric", row) == metric);
    rows.map(|row| {
        let value = table.floats("value")[row].unwrap_or(f64::NAN);
        (
            text("segment", row),
            value,
            text("status", row),
            text("reason", row),
        )
    })
    .collect()
}

#[test]
fn a_minimum_stay_holds_also_where_nobody_else_is_in_the_segment() {
    let stays =
        "[memberships]\nmin_stay = { stage = \"60d\", plans = \"60d\" }\nleaves_within = \"40d\"\n";
    for more in ["", "n,2026-01-22,1,gold\n"] {
        let case = case(more, stays);
        case.day("2026-01-25");
        let ids = case.ids();
        assert_eq!(place(&case, "stage", "a"), ["new", "rule"]);
        assert_eq!(place(&case, "plans", "g"), ["gold", "rule"]);
        case.day("2026-02-05");
        let held = [
            ("stage", "a", "new"),
            ("stage", "b", "new"),
            ("plans", "g", "gold"),
        ];
        for (scheme, customer, segment) in held {
            assert_eq!(place(&case, scheme, customer), [segment, "held"], "{more}");
            let key = (scheme.to_owned(), segment.to_owned());
            assert_eq!(case.ids()[&key], ids[&key], "the segment is the same one");
        }
        assert_eq!(measured(&case, "stage", "moves_held_back")[0].1, 2.0);
        assert_eq!(measured(&case, "plans", "moves_held_back")[0].1, 1.0);
        // The sixty days from the first version are over.
        case.day("2026-03-26");
        assert_eq!(place(&case, "stage", "a"), ["dormant", "rule"]);
        assert_eq!(place(&case, "plans", "g"), ["basic", "rule"]);
    }
}

#[test]
fn a_label_of_another_column_or_a_segment_by_another_name_holds_nobody() {
    let stays = "[memberships]\nmin_stay = { plans = \"60d\", stage = \"60d\" }\n";
    let case = case("", stays);
    case.day("2026-01-25");
    let renamed = format!("{stays}[schemes.plans.was]\nnoble = \"gold\"\n");
    set(&case, &renamed);
    case.day("2026-02-05");
    assert_eq!(place(&case, "plans", "g"), ["noble", "held"]);
    let file = case.path("moves.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("by = \"item\"", "by = \"other\"").replace(
        "\n[schemes.stage]",
        "other = { expr = \"coalesce(item, 'x')\" }\n\n[schemes.stage]",
    );
    std::fs::write(&file, text).unwrap();
    case.day("2026-02-06");
    assert_eq!(place(&case, "plans", "g"), ["basic", "rule"]);
}

#[test]
fn a_pin_holds_in_every_segment_that_the_scheme_has() {
    let case = case("", "");
    let pins = case.path("pins.csv");
    let lines = [
        "c,stage,churned,,left,Ann",
        "b,tier,unknown,,wrong sum,Ann",
        "b,grid,Not Scored,,wrong sum,Ann",
        "a,plans,unknown,,wrong item,Ann",
        "c,plans,gold,,promised,Ann",
        "b,plans,platinum,,a mistake,Ann",
        "a,tier,nothing,,a mistake,Ann",
    ];
    let text = format!(
        "customer,scheme,segment,until,why,by\n{}\n",
        lines.join("\n")
    );
    std::fs::write(&pins, text).unwrap();
    set(
        &case,
        &format!("[memberships]\npins = \"{}\"\n", pins.display()),
    );
    for day in ["2026-01-25", "2026-02-05", "2026-02-06"] {
        case.day(day);
        for (customer, scheme, segment) in [
            ("c", "stage", "churned"),
            ("b", "tier", "unknown"),
            ("b", "grid", "Not Scored"),
            ("a", "plans", "unknown"),
            ("c", "plans", "gold"),
        ] {
            assert_eq!(place(&case, scheme, customer), [segment, "pin"], "{day}");
        }
        assert_eq!(place(&case, "plans", "b")[1], "rule");
        let of_plans = measured(&case, "plans", "pinned_customers");
        let why = "line 7 names no segment that anybody is in, or was in before";
        assert_eq!(of_plans[0].3, why);
        let of_tiers = measured(&case, "tier", "pinned_customers");
        assert_eq!(of_tiers[0].3, "line 8 names no segment of the scheme");
    }
}

#[test]
fn of_a_segment_without_customers_it_can_be_expected_that_few_are_in_it() {
    let expect = |scheme: &str, segment: &str, check: &str| {
        format!("[[expect]]\nscheme = \"{scheme}\"\nsegment = \"{segment}\"\n{check}\n")
    };
    let few = [
        expect("tier", "unknown", "share = { below = 0.05 }"),
        expect("grid", "Not Scored", "customers = { at_most = 10 }"),
        expect(
            "stage",
            "churned",
            "customers = 0\nvalue_share = { at_most = 0.1 }",
        ),
        expect(
            "plans",
            "unknown",
            "customers = { at_most = 1 }\nkpi = { missing = true }",
        ),
        expect("plans", "gold", "customers = { at_most = 1 }"),
    ];
    let value = "[value]\npast = \"spend_total\"\n";
    let case = case("", &format!("{value}{}", few.concat()));
    case.day("2026-01-25");
    // By now nobody has ordered gold last.
    case.day("2026-02-05");
    for (segment, found) in [
        ("gold", "is 0, expected"),
        ("silver", "is not among the segments of this day"),
    ] {
        let more = expect("plans", segment, "customers = { at_least = 1 }");
        set(&case, &format!("{value}{}{more}", few.concat()));
        let said = attempt(&case, "2026-02-06", 3);
        assert!(said.contains(segment) && said.contains(found), "{said}");
    }
}

#[test]
fn a_segment_that_everybody_left_kept_none_of_its_customers() {
    let gates = "[gates]\nstable = { min_kept = 0.6, max_psi = 99.0, on_fail = \"ON_FAIL\" }\n";
    let case = case("", &gates.replace("ON_FAIL", "flag"));
    case.day("2026-01-25");
    case.day("2026-02-05");
    let kept = measured(&case, "stage", "kept_share");
    let of_new = kept.iter().find(|row| row.0 == "new").unwrap();
    assert_eq!((of_new.1, of_new.2.as_str()), (0.0, "flagged"), "{kept:?}");
    let kept = measured(&case, "plans", "kept_share");
    let shares: Vec<(&str, f64)> = kept.iter().map(|row| (row.0.as_str(), row.1)).collect();
    assert_eq!(shares, [("basic", 1.0), ("gold", 0.0)]);
    // Nobody was in it in the version before.
    case.day("2026-02-06");
    assert_eq!(measured(&case, "plans", "kept_share").len(), 1);
    let again = self::case("", &gates.replace("ON_FAIL", "fail_run"));
    again.day("2026-01-25");
    let said = attempt(&again, "2026-02-05", 3);
    assert!(
        said.contains("segment `new` is not stable: kept_share is 0"),
        "{said}"
    );
}

/// The ids of a column of a table, without nulls.
fn ids_in(case: &Case, table: &str, column: &str) -> BTreeSet<i64> {
    case.table(table)
        .ints(column)
        .into_iter()
        .flatten()
        .collect()
}

/// The ids of all segments between which anybody moved are in the ledger.
fn ledger_has_all(case: &Case) {
    let ledger = ids_in(case, "segment_ledger", "segment_id");
    for column in ["from_segment_id", "to_segment_id"] {
        let moved = ids_in(case, "migrations", column);
        assert!(moved.is_subset(&ledger), "{moved:?} {ledger:?}");
    }
}

#[test]
fn a_renamed_segment_that_nobody_is_in_any_more_moves_nobody() {
    let rows = "u,2026-01-10,5,\nu,2026-02-03,5,basic\n";
    let case = case(rows, "");
    case.day("2026-01-25");
    let of_nobody = case.ids()[&("plans".to_owned(), "unknown".to_owned())];
    let file = case.path("moves.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let by = "by = \"item\"\n";
    let renamed = "missing = \"none\"\nwas = { none = \"unknown\", noble = \"gold\" }\n";
    std::fs::write(&file, text.replace(by, &format!("{by}{renamed}"))).unwrap();
    case.day("2026-02-05");
    let moves = case.migrations();
    let of_plans = moves.iter().filter(|row| row.starts_with("plans"));
    let of_plans: BTreeSet<&str> = of_plans.map(String::as_str).collect();
    assert_eq!(
        of_plans.into_iter().collect::<Vec<_>>(),
        [
            "plans: gold > basic (activity) 1 90",
            "plans: unknown > basic (activity) 1 10"
        ]
    );
    ledger_has_all(&case);
    assert!(ids_in(&case, "migrations", "from_segment_id").contains(&of_nobody));
}

#[test]
fn a_segment_that_customers_only_pass_through_has_its_permanent_id() {
    let case = case("p,2026-01-20,5,basic\np,2026-02-27,5,basic\n", "");
    case.day("2026-01-25");
    // Without its new order the customer would be at risk; nobody is.
    case.day("2026-03-04");
    let moves = case.migrations();
    let passed = "stage: new > at risk (ageing) 1 10";
    assert!(moves.iter().any(|row| row == passed), "{moves:?}");
    ledger_has_all(&case);
    let key = ("stage".to_owned(), "at risk".to_owned());
    assert!(!case.ids().contains_key(&key));
    case.day("2026-04-10");
    let id = case.ids()[&key];
    assert!(ids_in(&case, "segment_ledger", "segment_id").contains(&id));
}

#[test]
fn a_label_that_has_the_old_name_of_another_holds_its_customers_too() {
    let stays = "[memberships]\nmin_stay = { plans = \"60d\" }\n";
    let case = case("", stays);
    case.day("2026-01-25");
    let ids = case.ids();
    let id = |name: &str| ids[&("plans".to_owned(), name.to_owned())];
    // What was gold is called basic now, and what was basic is called plain; who had gold has plain since.
    let renamed = format!("customer_id,ordered_at,amount,item\n{ROWS}");
    let renamed = renamed.replace("basic", "plain").replace("gold", "basic");
    case.file("a.csv", &renamed);
    let was = "[schemes.plans.was]\nbasic = \"gold\"\nplain = \"basic\"\n";
    set(&case, &format!("{stays}{was}"));
    case.day("2026-02-05");
    assert_eq!(place(&case, "plans", "g"), ["basic", "held"]);
    assert_eq!(place(&case, "plans", "a"), ["plain", "rule"]);
    let now = case.ids();
    let now = |name: &str| now[&("plans".to_owned(), name.to_owned())];
    assert_eq!([now("basic"), now("plain")], [id("gold"), id("basic")]);
}

/// Who is held in gold until the sixty days are over leaves it by time, whatever else there is to replay: a rename, or a late row that
/// moves somebody else.
#[test]
fn who_leaves_when_a_minimum_stay_is_over_does_so_by_time() {
    let stays = "[memberships]\nmin_stay = { plans = \"60d\" }\n";
    let seen = |was: &str, late: &str| {
        let case = case("", stays);
        case.day("2026-01-25");
        case.day("2026-02-05");
        assert_eq!(place(&case, "plans", "g"), ["gold", "held"]);
        set(&case, &format!("{stays}{was}"));
        let header = "customer_id,ordered_at,amount,item\n";
        case.file("late.csv", &format!("{header}{late}"));
        case.day("2026-03-26");
        let moves = case.migrations().into_iter();
        let of_plans = moves.filter(|row| row.starts_with("plans"));
        of_plans.collect::<BTreeSet<String>>()
    };
    let by_time = "plans: gold > basic (ageing) 1 90".to_owned();
    let renamed = "[schemes.plans.was]\nnoble = \"gold\"\n";
    for was in ["", renamed] {
        assert_eq!(seen(was, ""), BTreeSet::from([by_time.clone()]));
    }
    let late = "plans: basic > silver (late_data) 1 25".to_owned();
    let both = BTreeSet::from([late, by_time]);
    assert_eq!(seen("", "b,2026-01-03,5,silver\n"), both);
}
