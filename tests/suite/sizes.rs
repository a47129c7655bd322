//! Very many columns, keys, mistakes and rules: what is absurd is refused with its limit, and nothing grows with the square.
//!
//! Sizes are held by a limit on the memory of the process, never by time.

use std::fmt::Write;
use std::process::{Command, Output};

use crate::program::{bounded, root};
use crate::shop::{CONTRACT, ORDERS, RFM, Shop};

/// Memory that each run may reserve, in KiB: a few hundred MiB are the program's own threads.
const RESERVED_KIB: u64 = 3 << 20;

const HEAD: &str = "spec_version = 1\nname = \"shop\"\ntimezone = \"UTC\"\ncurrency = \"EUR\"\nstore = \"${out}\"\n\
                    [vars]\nlake = \".\"\nout = \".\"\n[customer]\nkey = \"customer_id\"\n";

/// Runs the program within the limit, and returns what it said, where it ended with this code.
fn within(arguments: &[&str], code: i32) -> String {
    let script = format!("ulimit -v {RESERVED_KIB}; exec \"$@\"");
    let mut command = Command::new("sh");
    command
        .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_tessera")])
        .args(arguments)
        .current_dir(root());
    let output: Output = bounded(&mut command);
    let said = String::from_utf8(output.stderr).unwrap();
    let start: String = said.chars().take(2_000).collect();
    assert_eq!(output.status.code(), Some(code), "{start}");
    said
}

/// Writes a pipeline and runs it over the lake of the shop.
fn run(shop: &Shop, parts: &[&str], code: i32) -> String {
    let file = shop.path("shop.toml");
    std::fs::write(&file, format!("{HEAD}{}", parts.concat())).unwrap();
    let show = |name: &str| shop.path(name).display().to_string();
    let (lake, out) = (
        format!("lake={}", show("lake")),
        format!("out={}", show("store")),
    );
    let file = file.display().to_string();
    let day = ["run", &file, "--as-of", "2026-10-31", "--threads", "2"];
    within(&[&day[..], &["--var", &lake, "--var", &out]].concat(), code)
}

#[test]
fn files_of_too_many_columns_are_refused_with_the_limit() {
    let shop = Shop::new();
    let names: Vec<String> = (0..100_000).map(|n| format!("c{n}")).collect();
    let header = format!("customer_id,ordered_at,amount,{}\n", names.join(","));
    shop.file("orders/o.csv", &header);
    let said = run(&shop, &[ORDERS, CONTRACT, RFM], 3);
    assert!(
        said.contains("o.csv: it has more than 10000 columns"),
        "{said}"
    );

    let shop = Shop::new();
    let mut object =
        "{\"customer_id\": \"a\", \"ordered_at\": \"2026-10-01\", \"amount\": 1".to_owned();
    for name in &names {
        write!(object, ", \"{name}\": 1").unwrap();
    }
    object.push_str("}\n");
    shop.file("orders/o.ndjson", &object);
    let said = run(&shop, &[ORDERS, CONTRACT, RFM], 3);
    assert!(
        said.contains("o.ndjson") && said.contains("line 1: a key beyond the first 10000"),
        "{said}"
    );
    // Beside others it is one row that cannot be read, and its keys are no columns.
    let good =
        "{\"customer_id\": \"b\", \"ordered_at\": \"2026-10-01\", \"amount\": 1, \"more\": 2}\n";
    shop.file("orders/o.ndjson", &format!("{object}{good}"));
    let said = run(&shop, &[ORDERS, CONTRACT, RFM], 0);
    assert!(said.contains("1 of 2 rows"), "{said}");
}

#[test]
fn very_many_mistakes_are_counted_and_the_first_are_shown() {
    let shop = Shop::new();
    let mut keys = String::new();
    for n in 0..100_000 {
        writeln!(keys, "key_{n} = 1").unwrap();
    }
    let file = shop.path("shop.toml");
    std::fs::write(&file, format!("{HEAD}{keys}{ORDERS}{CONTRACT}{RFM}")).unwrap();
    let file = file.display().to_string();
    let said = within(&["check", "--no-lake", &file], 2);
    assert!(
        said.contains("unknown key `key_0` in [customer]"),
        "{}",
        said.len()
    );
    assert!(
        said.contains("further mistakes are not shown"),
        "{}",
        said.len()
    );
    assert!(said.len() < 100_000, "{} bytes", said.len());
}

/// The rule that takes a row out is the first of its rules, however many there are.
#[test]
fn each_of_very_many_columns_has_its_rule() {
    let shop = Shop::new();
    let names: Vec<String> = (0..2_000).map(|n| format!("n{n}")).collect();
    let row = |key: &str, wrong: &[usize]| {
        let values = (0..names.len()).map(|n| if wrong.contains(&n) { "x" } else { "1" });
        let values: Vec<&str> = values.collect();
        format!("{key},2026-10-01,1,{}\n", values.join(","))
    };
    let mut text = format!("customer_id,ordered_at,amount,{}\n", names.join(","));
    text.push_str(&row("a", &[]));
    text.push_str(&row("b", &[1_999]));
    text.push_str(&row("c", &[1_500, 1_999]));
    shop.file("orders/o.csv", &text);
    let columns: Vec<String> = names
        .iter()
        .map(|name| format!("{name} = \"f64\""))
        .collect();
    let contract = CONTRACT.replace(
        "amount = \"f64\"",
        &format!("amount = \"f64\", {}", columns.join(", ")),
    );
    let said = run(&shop, &[ORDERS, &contract, RFM], 0);
    for rule in ["n1999 is not a number", "n1500 is not a number"] {
        assert!(
            said.contains(&format!("1 of 3 rows (33.3%) quarantined: {rule}")),
            "{said}"
        );
    }
}

/// Whatever there is very many of in a pipeline is computed side by side and not one in the other.
#[test]
fn very_many_features_derived_columns_and_segments_take_little_memory() {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount\na,2026-10-01,1\nb,2026-10-02,2\n",
    );
    let many = |line: &dyn Fn(usize) -> String| (0..2_000).map(line).collect::<String>();
    let derived = many(&|n| format!("d{n} = \"amount + {n}\"\n"));
    let derived = format!("[sources.orders.derive]\n{derived}");
    let counted = many(&|n| {
        format!("w{n} = {{ from = \"orders\", agg = \"count\", where = \"amount > {n}\" }}\n")
    });
    let computed = many(&|n| format!("e{n} = {{ expr = \"order_count + {n}\" }}\n"));
    let features = format!("{RFM}{counted}{computed}");
    run(&shop, &[ORDERS, &derived, CONTRACT, &features], 0);
    let rules = many(&|n| {
        format!(
            "[[schemes.s.rules]]\nsegment = \"s{n}\"\nwhen = \"order_count > {}\"\n",
            n + 1
        )
    });
    let scheme = format!("[schemes.s]\nkind = \"rules\"\notherwise = \"rest\"\n{rules}");
    std::fs::remove_dir_all(shop.path("store")).unwrap();
    let said = run(&shop, &[ORDERS, CONTRACT, RFM, &scheme], 0);
    assert!(
        said.contains(
            "scheme `s`: `nearest_change` is null, since its rules would have to be evaluated"
        ),
        "{said}"
    );
}
