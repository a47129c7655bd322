//! Known customers, segments and tables as tests of a pipeline.

use crate::program::{json, run};
use crate::versions::Case;

const TIERS: &str = r#"
[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.25, rest = 1.0 }

"#;

fn arguments(case: &Case, command: &str, more: &[&str]) -> Vec<String> {
    case.arguments(command, more)
}

fn attempt(case: &Case, more: &[&str], code: i32) -> std::process::Output {
    let all = arguments(case, "run", more);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    run(&all, code)
}

/// Five expectations of one day, of which the first alone holds, and one of another day.
const UNMET: &str = r#"
[[expect]]
customer = "large39"
tier = "top"
order_count = 1
spend_total = { above = 1039, at_most = 1039.5 }
repeat_spend_mean = { missing = true }

[[expect]]
customer = "small00"
tier = "top"
spend_total = { at_least = 20 }

[[expect]]
customer = "nobody"
tier = "top"

[[expect]]
customer = "small00"
as_of = 2026-03-01
tier = "top"

[[expect]]
scheme = "tier"
segment = "top"
customers = 20
share = { below = 0.2 }

[[expect]]
table = "customers"
rows = { at_least = 100 }
"#;

#[test]
fn an_expectation_that_does_not_hold_publishes_nothing_and_names_its_line() {
    let case = Case::new();
    case.pipeline(&format!("{TIERS}{UNMET}"));
    let text = std::fs::read_to_string(case.path("moves.toml")).unwrap();
    let line = |nth: usize| {
        let mut lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| *line == "[[expect]]");
        lines.nth(nth).unwrap().0 + 1
    };
    let output = attempt(&case, &["--as-of", "2026-02-01", "--json", "--quiet"], 3);
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    for part in [
        format!(
            "line {}: `tier` of customer small00 is \"rest\", expected \"top\"",
            line(1)
        ),
        format!(
            "line {}: `spend_total` of customer small00 is 10, expected at least 20",
            line(1)
        ),
        format!(
            "line {}: customer nobody is not among the customers of this day",
            line(2)
        ),
        format!(
            "line {}: `share` of segment `top` of scheme `tier` is 0.25, expected below 0.2",
            line(4)
        ),
        format!(
            "line {}: `rows` of table `customers` is 80, expected at least 100",
            line(5)
        ),
        "5 expectations of the pipeline file were checked".to_owned(),
    ] {
        assert!(said.contains(&part), "{part}\n{said}");
    }
    assert!(!said.contains("large39"), "{said}");
    let found = json(&output);
    assert_eq!(
        (&found["published"], &found["expectations"]),
        (&false.into(), &5.into())
    );
    assert_eq!(
        (&found["ok"], &found["exit_code"]),
        (&false.into(), &3.into())
    );
    assert_eq!(found["unmet"].as_array().unwrap().len(), 5);
    assert_eq!(found["unmet"][0]["line"], line(1));
    assert!(!case.path("store/latest").exists());
}

#[test]
fn expectations_that_hold_change_no_byte() {
    let case = Case::new();
    case.pipeline(TIERS);
    case.day("2026-02-01");
    let expectation = "[[expect]]\ncustomer = \"large39\"\ntier = \"top\"\n";
    case.pipeline(&format!("{TIERS}{expectation}"));
    let output = attempt(&case, &["--as-of", "2026-02-01", "--json", "--quiet"], 0);
    assert_eq!(json(&output)["already_published"], true);
    let output = attempt(&case, &["--as-of", "2026-02-02", "--json", "--quiet"], 0);
    assert_eq!(json(&output)["expectations"], 1);
}

#[test]
fn what_customers_have_can_be_expected_and_what_they_lack_is_refused() {
    let case = Case::new();
    let lifetime = "[scores.v]\nkind = \"clv\"\nfrom = \"orders\"\nmodels = [\"mbg_nbd\", \"gamma_gamma\"]\nhorizon = \"365d\"\n\n";
    let expect =
        |check: &str| format!("{TIERS}{lifetime}[[expect]]\ncustomer = \"large39\"\n{check}\n");
    let with_active = |text: &str| {
        case.pipeline(text);
        let file = case.path("moves.toml");
        let written = std::fs::read_to_string(&file).unwrap();
        let key = "key = \"customer_id\"\n";
        let active = format!("{key}active = \"recency_days <= 20\"\n");
        std::fs::write(&file, written.replacen(key, &active, 1)).unwrap();
    };
    with_active(&expect("active = false"));
    let said = attempt(&case, &["--as-of", "2026-02-01", "--quiet"], 3).stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(
        said.contains("`active` of customer large39 is true, expected false"),
        "{said}"
    );
    with_active(&expect("active = true"));
    attempt(&case, &["--as-of", "2026-02-01", "--quiet"], 0);
    // Without a condition nobody is closed, and there is no such column.
    for (check, parts) in [
        (
            "active = true",
            ["unknown column `active` of `customers`", "available: "],
        ),
        (
            "clv_low_95 = 99999.0",
            [
                "unknown column `clv_low_95` of `customers`",
                "`score_intervals`",
            ],
        ),
    ] {
        case.pipeline(&expect(check));
        let said = attempt(&case, &["--as-of", "2026-02-02", "--quiet"], 2).stderr;
        let said = String::from_utf8(said).unwrap();
        for part in parts {
            assert!(said.contains(part), "{part}\n{said}");
        }
    }
}

#[test]
fn mistakes_in_expectations_are_found_before_a_row_is_read() {
    let case = Case::new();
    let expectations = r#"
[[expect]]
customer = "a"
teir = "top"

[[expect]]
scheme = "tier"
customers = 1

[[expect]]
table = "segmnts"
rows = 1

[[expect]]
customer = "a"
table = "customers"
rows = 1

[[expect]]
customer = "a"
tier = { at_least = 1, missing = true }

[[expect]]
customer = "a"
"#;
    case.pipeline(&format!("{TIERS}{expectations}"));
    let all = arguments(&case, "check", &[]);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let said = String::from_utf8(run(&all, 2).stderr).unwrap();
    for part in [
        "missing key `segment` in [[expect]]",
        "[[expect]] must state one of `customer`, `scheme` with `segment`, and `table`",
        "what is expected of `tier` is not clear",
        "[[expect]] states nothing that is expected of customer a",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    case.pipeline(&format!("{TIERS}\n[[expect]]\ncustomer = \"a\"\nteir = \"top\"\n\n[[expect]]\ntable = \"segmnts\"\nrows = 1\n"));
    let said = String::from_utf8(run(&all, 2).stderr).unwrap();
    for part in [
        "unknown column `teir` of `customers`",
        "unknown published table `segmnts`",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

const CUSTOMER: &str = "customer = \"large39\"\n";
const SEGMENT: &str = "scheme = \"tier\"\nsegment = \"top\"\n";
const TABLE: &str = "table = \"customers\"\n";
const ALWAYS: &str = "which holds wherever there is a value";

/// Expectations that can never fail or never hold, and what is said of them.
const NEVER: &[(&str, &str, [&str; 2])] = &[
    (
        CUSTOMER,
        "touch = { not = \"grwo\" }",
        ["error[TS-G007]", "did you mean `grow`?"],
    ),
    (
        CUSTOMER,
        "touch = \"grwo\"",
        ["error[TS-G007]", "unknown value `grwo` of `touch`"],
    ),
    (
        CUSTOMER,
        "tier = { not = \"topp\" }",
        ["error[TS-G007]", "did you mean `top`?"],
    ),
    (
        CUSTOMER,
        "touch = { at_least = 3 }",
        ["cannot hold: its values are texts", "state the value"],
    ),
    (
        CUSTOMER,
        "recency_days = { not = \"3\" }",
        [ALWAYS, "without quotes: 3"],
    ),
    (
        CUSTOMER,
        "recency_days = \"3\"",
        [
            "cannot hold: its values are whole numbers",
            "without quotes: 3",
        ],
    ),
    (
        CUSTOMER,
        "order_count = true",
        [
            "cannot hold: its values are whole numbers",
            "write a whole number",
        ],
    ),
    (
        CUSTOMER,
        "order_count = 2.5",
        [
            "cannot hold: its values are whole numbers",
            "write a whole number",
        ],
    ),
    (
        CUSTOMER,
        "tier = 1",
        ["cannot hold: its values are texts", "in quotes: \"1\""],
    ),
    (
        SEGMENT,
        "customers = \"5\"",
        [
            "cannot hold: its values are whole numbers",
            "without quotes: 5",
        ],
    ),
    (
        SEGMENT,
        "customers = { at_least = -1 }",
        [ALWAYS, "are not below 0"],
    ),
    (
        TABLE,
        "rows = { at_least = -1 }",
        [ALWAYS, "{ at_least = 1 }"],
    ),
    (
        TABLE,
        "rows = { below = 0 }",
        ["cannot hold", "are not below 0"],
    ),
    (TABLE, "rows = 2.5", ["error[TS-G026]", "no whole number"]),
    (
        "scheme = \"touch\"\nsegment = \"grwo\"\n",
        "customers = 1",
        ["error[TS-P019]", "did you mean `grow`?"],
    ),
];

#[test]
fn what_can_never_fail_or_never_hold_is_refused() {
    let case = Case::new();
    let rules = "[schemes.touch]\nkind = \"rules\"\nrules = [{ segment = \"grow\", when = \"order_count >= 3\" }]\notherwise = \"rest\"\n\n";
    let all = arguments(&case, "check", &[]);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    for (of, check, parts) in NEVER {
        case.pipeline(&format!("{TIERS}{rules}[[expect]]\n{of}{check}\n"));
        let said = String::from_utf8(run(&all, 2).stderr).unwrap();
        for part in parts {
            assert!(said.contains(part), "{check}: {part}\n{said}");
        }
        assert!(said.contains("1 error"), "{check}\n{said}");
    }
    for (of, check) in [
        (CUSTOMER, "touch = { not = \"grow\" }"),
        (CUSTOMER, "recency_days = 3"),
        (SEGMENT, "customers = { at_least = 0.5 }"),
        (TABLE, "rows = { at_least = 0 }"),
    ] {
        case.pipeline(&format!("{TIERS}{rules}[[expect]]\n{of}{check}\n"));
        run(&all, 0);
    }
}
