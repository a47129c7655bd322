//! Rows of customers do not appear in stderr, logs and commits; files with such rows are readable by their owner only; and control
//! characters in names of files and columns are not sent to the terminal.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use crate::program::{bounded, tessera};
use crate::shop::{ORDERS, RFM, Shop, said};

/// Values in the lake that must not be shown; each in one row.
const SECRETS: [&str; 4] = [
    "anna.secret@shop.example",
    "Zacharias",
    "31. Dezember 1987",
    "4711-0815",
];

const CONTRACT: &str = r#"
[sources.orders.contract]
columns = { customer_id = "string", ordered_at = "date", amount = "f64", name = "string" }
missing_key = "quarantine"
"#;

fn shop() -> Shop {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount,name\n\
         anna.secret@shop.example,2026-10-01,10,x\n\
         anna.secret@shop.example,31. Dezember 1987,10,x\n\
         b,2026-10-02,4711-0815,x\n\
         c,2026-10-03,10,Zacharias\n\
         d,2026-10-03,10,y\n",
    );
    shop
}

#[track_caller]
fn shows_no_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

fn work(shop: &Shop) -> String {
    let folder = shop.path("work");
    std::fs::create_dir_all(&folder).unwrap();
    folder.display().to_string()
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o777
}

/// Whatever a contract does with rows, messages show only the form of values; the rejected rows of a failed run are in a file that
/// only its owner can read, until the source is read again.
#[test]
fn messages_logs_and_commits_hold_no_values() {
    let shop = shop();
    let folder = work(&shop);
    let kept = shop.path("work/tessera-rejects-shop-orders.ndjson");
    let named =
        "rules = [{ name = \"a name\", check = \"name <> 'Zacharias'\", on_fail = \"fail\" }]\n";
    for (more, code, rows) in [
        ("", 0, 0),
        ("conversions = \"fail\"\n", 3, 2),
        ("max_rejected = 1\n", 3, 2),
        (
            "conversions = { on_fail = \"quarantine\", max_rejected = 0 }\n",
            3,
            2,
        ),
        (named, 3, 3),
    ] {
        for format in ["text", "json"] {
            let contract = format!("{CONTRACT}{more}");
            let more = ["--log-format", format, "--work", &folder];
            let output = shop.run(&[ORDERS, &contract, RFM], "2026-10-31", &more);
            let told = said(&output, code);
            shows_no_secret(&told);
            assert_eq!(kept.exists(), rows > 0, "{told}");
            if rows > 0 {
                assert!(told.contains(&kept.display().to_string()), "{told}");
                assert_eq!(mode(&kept), 0o600);
                let lines = std::fs::read_to_string(&kept).unwrap();
                assert_eq!(lines.lines().count(), rows, "{lines}");
                for line in lines.lines() {
                    let row: serde_json::Value = serde_json::from_str(line).unwrap();
                    assert!(row["row"]["customer_id"].is_string(), "{row}");
                }
            }
            if code == 0 {
                assert!(
                    told.contains("`99. Xxxxxxxx 9999` (o.csv, row 2)"),
                    "{told}"
                );
                for commit in std::fs::read_dir(shop.path("store/commits")).unwrap() {
                    let text = std::fs::read_to_string(commit.unwrap().path()).unwrap();
                    shows_no_secret(&text);
                }
                let notes = shop.table("sources").texts("notes")[0].clone().unwrap();
                shows_no_secret(&notes);
            }
        }
    }
    // A run that reads the source again removes the file of rejected rows.
    let more = ["--work", folder.as_str()];
    said(&shop.run(&[ORDERS, CONTRACT, RFM], "2026-10-31", &more), 0);
    assert!(!kept.exists());
}

#[test]
fn a_pipeline_that_allows_it_shows_values_and_publishes_the_same() {
    let shop = shop();
    let published = |parts: &[&str], shown: bool| {
        let told = said(&shop.run(parts, "2026-10-31", &["--quiet"]), 0);
        assert_eq!(told.contains("`31. Dezember 1987`"), shown, "{told}");
        std::fs::read(shop.path("store/latest/sources.parquet")).unwrap()
    };
    let masked = published(&[ORDERS, CONTRACT, RFM], false);
    let allowed = published(&[ORDERS, CONTRACT, RFM, "[log]\nvalues = true\n"], true);
    assert!(masked == allowed, "the setting decides no published byte");
}

/// `check` names values that do not convert, and the first line of a file without a header.
#[test]
fn check_shows_the_form_of_values() {
    let shop = shop();
    said(&shop.run(&[ORDERS, CONTRACT, RFM], "2026-10-31", &[]), 0);
    let check = |code: i32| {
        let mut command = tessera();
        let file = shop.path("shop.toml");
        let lake = format!("lake={}", shop.path("lake").display());
        let out = format!("out={}", shop.path("store").display());
        command.arg("check").arg(file);
        command.args(["--var", &lake, "--var", &out]);
        said(&bounded(&mut command), code)
    };
    let told = check(0);
    assert!(told.contains("`99. Xxxxxxxx 9999`"), "{told}");
    shows_no_secret(&told);
    shop.file(
        "orders/o.csv",
        "anna.secret@shop.example,31. Dezember 1987,4711-0815,Zacharias\n",
    );
    let told = check(2);
    assert!(told.contains("xxxx.xxxxxx@xxxx.xxxxxxx"), "{told}");
    shows_no_secret(&told);
}

/// The message about an overflow of a customer's sum does not contain the customer's key.
#[test]
fn a_key_is_kept_for_the_owner() {
    let shop = Shop::new();
    let folder = work(&shop);
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount,points\n\
         Zacharias,2026-10-01,1,9223372036854775807\n\
         Zacharias,2026-10-02,1,9223372036854775807\n",
    );
    let contract = "[sources.orders.contract]\nmissing_key = \"fail\"\n\
        columns = { customer_id = \"string\", ordered_at = \"date\", amount = \"f64\", points = \"i64\" }\n";
    let features = "[features]\npoints = { from = \"orders\", agg = \"sum\", of = \"points\" }\n";
    let more = ["--work", folder.as_str()];
    let output = shop.run(&[ORDERS, contract, features], "2026-10-31", &more);
    let told = said(&output, 3);
    shows_no_secret(&told);
    let kept = shop.path("work/tessera-rejects-shop-orders.ndjson");
    assert!(told.contains("the customer is in"), "{told}");
    assert_eq!(mode(&kept), 0o600);
    assert!(
        std::fs::read_to_string(kept)
            .unwrap()
            .contains("\"key\":\"Zacharias\"")
    );
}

/// The folder of a run that was killed is removed by the next run; other folders are not.
#[test]
fn leftovers_of_a_killed_run_are_removed() {
    let shop = shop();
    let folder = work(&shop);
    let died = shop.path("work/tessera-work-died");
    std::fs::create_dir_all(&died).unwrap();
    std::fs::write(died.join("lock"), "").unwrap();
    std::fs::write(died.join("0-orders.parquet"), "rows of customers").unwrap();
    std::fs::write(shop.path("work/other.txt"), "").unwrap();
    let more = ["--work", folder.as_str()];
    let told = said(&shop.run(&[ORDERS, CONTRACT, RFM], "2026-10-31", &more), 0);
    assert!(told.contains("tessera-work-died"), "{told}");
    let left: Vec<_> = std::fs::read_dir(shop.path("work"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["other.txt"]);
}

/// Whether a text has characters that a terminal interprets: control characters except line ends, C1 controls, marks of the
/// writing direction.
fn acts(text: &str) -> bool {
    text.chars().any(|c| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

#[test]
fn names_and_values_of_a_lake_cannot_act_on_a_terminal() {
    let shop = Shop::new();
    let evil = "a\u{1b}[2J\u{1b}]0;x\u{7}b\nerror: c\u{9b}1m\u{202e}.csv";
    shop.file(
        &format!("orders/{evil}"),
        "customer_id,ordered_at,amount,\u{1b}[31mred\n\
         a,2026-10-01,10,1\n\
         b,\u{1b}[2J31.10\u{7f},10,1\n",
    );
    shop.file(
        "orders/\u{1b}[1mbroken.csv",
        "customer_id,ordered_at,amount\na,\"b\n",
    );
    let contract = "[sources.orders.contract]\nmissing_key = \"quarantine\"\n\
        columns = { customer_id = \"string\", ordered_at = \"date\", amount = \"f64\" }\n";
    let text = |output: &Output| {
        let told = [output.stdout.clone(), output.stderr.clone()].concat();
        String::from_utf8(told).unwrap()
    };
    let run = |contract: &str, code: i32| {
        for format in ["text", "json"] {
            let more = ["--log-format", format];
            let values = "[log]\nvalues = true\n";
            let output = shop.run(&[ORDERS, contract, RFM, values], "2026-10-31", &more);
            let told = text(&output);
            assert_eq!(output.status.code(), Some(code), "{told}");
            assert!(!acts(&told), "{told:?}");
            assert!(
                !told.lines().any(|line| line.starts_with("error: c")),
                "{told}"
            );
        }
    };
    run(contract, 3);
    std::fs::remove_file(shop.path("lake/orders/\u{1b}[1mbroken.csv")).unwrap();
    run(contract, 0);
    run(&format!("{contract}conversions = \"fail\"\n"), 3);
    run(&contract.replace("amount =", "amont ="), 2);
}

/// With JSON logs, errors in the arguments are JSON too, wherever the option is.
#[test]
fn usage_errors_are_json_where_that_is_asked_for() {
    let lines = |arguments: &[&str], environment: Option<&str>, code: i32| {
        let mut command = tessera();
        command.args(arguments);
        command.env_remove("TESSERA_LOG_FORMAT");
        command.envs(environment.map(|format| ("TESSERA_LOG_FORMAT", format)));
        said(&bounded(&mut command), code)
    };
    let is_json = |told: &str| {
        let mut all = told.lines();
        !told.is_empty() && all.all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    };
    for (arguments, environment, json) in [
        (&["run", "--log-format", "json"][..], None, true),
        (
            &["--log-format=json", "run", "a.toml", "--as-of", "tomorrow"],
            None,
            true,
        ),
        (&["fly", "--log-format", "json"], None, true),
        (&["fly"], Some("json"), true),
        (&["fly", "--log-format", "text"], Some("json"), false),
        (&["fly"], Some("yaml"), false),
        (&["fly"], None, false),
        (&["run", "--", "--log-format", "json"], None, false),
        (&["run", "missing.toml", "--log-format", "json"], None, true),
    ] {
        let told = lines(arguments, environment, 2);
        assert_eq!(is_json(&told), json, "{arguments:?}: {told}");
    }
    let mut help = tessera();
    let help = bounded(help.args(["--help", "--log-format", "json"]));
    assert_eq!(help.status.code(), Some(0));
    assert!(help.stderr.is_empty());
}
