//! Shares that a pipeline states and customers or rows meet exactly.

use std::fmt::Write as _;

use crate::program::run;
use crate::versions::Case;

const REGIONS: &str = r#"
[sources.accounts]
kind = "attributes"
path = "${lake}/accounts"
key = "customer_id"
attributes = { region = { base = "geographic" } }
[sources.accounts.contract]
columns = { customer_id = "string", region = "string" }
missing_key = "quarantine"
max_rejected = "29%"
duplicates = "keep"

[features]
use = []

[schemes.place]
kind = "attribute"
by = "region"
min_share = 0.07
"#;

fn accounts(case: &Case, without_key: usize) -> Vec<String> {
    let body = format!("{}{REGIONS}", crate::versions::START);
    std::fs::write(case.path("moves.toml"), body).unwrap();
    let mut text = "customer_id,region\n".to_owned();
    for number in 0..100 - without_key {
        let region = if number < 7 { "north" } else { "south" };
        writeln!(text, "K{number:02},{region}").unwrap();
    }
    for _ in 0..without_key {
        text.push_str(",south\n");
    }
    let folder = case.path("lake").join("accounts");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.csv"), text).unwrap();
    case.arguments("run", &["--as-of", "2026-02-01", "--quiet"])
}

/// Seven of a hundred customers are 7%, so their region is a segment; 29 of a hundred rows are 29%, and one more is too many.
#[test]
fn a_share_that_is_met_exactly_is_met() {
    for (without_key, code) in [(0, 0), (29, 0), (30, 3)] {
        let case = Case::new();
        let arguments = accounts(&case, without_key);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&arguments, code);
        if without_key == 0 {
            let names: Vec<String> = case.ids().into_keys().map(|(_, name)| name).collect();
            assert!(names.contains(&"north".to_owned()), "{names:?}");
        }
    }
}
