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
