//! Commands, output streams and exit codes.

use crate::program::{json, root, run, tessera};
use crate::versions::Case;

#[test]
fn exit_code_2_for_a_wrong_file_with_every_mistake_at_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wrong.toml");
    let text = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    let text = text
        .replace("spec_version = 1", "spec_version = 1\ncurency = \"GBP\"")
        .replace("kind = \"events\"", "kind = \"event\"");
    std::fs::write(&file, text).unwrap();
    let output = run(&["check", file.to_str().unwrap()], 2);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("curency") && stderr.contains("currency"),
        "{stderr}"
    );
    assert!(output.stdout.is_empty());
    let machine = json(&run(&["check", file.to_str().unwrap(), "--json"], 2));
    assert!(
        machine[0]["diagnostics"]
            .as_array()
            .unwrap()
            .iter()
            .all(|d| d["line"].as_u64() > Some(0))
    );
    run(&["run", "no/such/file.toml", "--as-of", "2026-01-01"], 2);
    run(&["frobnicate"], 2);
}

#[test]
fn exit_code_4_for_a_store_that_is_none_and_3_for_a_lake_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("stranger"), "x").unwrap();
    run(&["snapshots", dir.path().to_str().unwrap()], 4);
    let (lake, out) = (
        format!("lake={}/none", dir.path().display()),
        format!("out={}", dir.path().display()),
    );
    run(
        &[
            "run",
            "pipelines/demo.toml",
            "--as-of",
            "2026-10-31",
            "--var",
            &lake,
            "--var",
            &out,
        ],
        3,
    );
}

#[test]
fn shipped_pipelines_pass_the_check_and_the_schema_is_the_committed_one() {
    for name in ["demo", "cdnow", "online_retail", "rfm_reference"] {
        run(
            &["check", "--no-lake", &format!("pipelines/{name}.toml")],
            0,
        );
    }
    let printed = run(&["schema"], 0).stdout;
    let committed = std::fs::read(root().join("schema/pipeline.schema.json")).unwrap();
    assert!(
        printed == committed,
        "regenerate: cargo run --release -p tessera-cli -- schema > schema/pipeline.schema.json"
    );
    assert!(
        String::from_utf8_lossy(&run(&["schema", "--tables"], 0).stdout).contains("## memberships")
    );
}

#[test]
fn a_report_that_is_written_again_is_named_in_json() {
    let case = Case::new();
    case.day("2026-02-01");
    let arguments = case.arguments("report", &["--version", "1", "--json"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let written = json(&run(&arguments, 0));
    assert_eq!(written["version"], 1);
    assert_eq!(written["as_of"], "2026-02-01");
    let report = std::path::Path::new(written["report"].as_str().unwrap());
    assert!(report.ends_with("reports/version-1.html") && report.exists());
}

#[test]
fn catalogue_completions_and_help_are_on_stdout() {
    let features = json(&run(&["features", "--json"], 0));
    assert!(
        features
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["name"] == "recency_days" && f["unit"] == "days")
    );
    assert!(String::from_utf8_lossy(&run(&["completions", "bash"], 0).stdout).contains("tessera"));
    for command in [
        "demo",
        "check",
        "run",
        "plan",
        "backfill",
        "report",
        "diff",
        "experiment",
        "explain",
        "snapshots",
        "path",
        "verify",
        "repair",
        "gc",
        "features",
        "schema",
        "completions",
    ] {
        let help = run(&[command, "--help"], 0).stdout;
        assert!(
            String::from_utf8_lossy(&help).contains("Example"),
            "{command} --help has no example"
        );
    }
    let help = run(&["report", "--help"], 0).stdout;
    assert!(
        String::from_utf8_lossy(&help).contains("`reports/version-N.html` in the store by default")
    );
}

#[test]
fn a_scheduler_reads_one_json_object_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let output = run(
        &[
            "demo",
            &path,
            "--months",
            "1",
            "--customers",
            "300",
            "--log-format",
            "json",
            "--json",
        ],
        0,
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<serde_json::Value> = stderr
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let stages: Vec<&serde_json::Value> = lines
        .iter()
        .filter(|line| line["stage"].is_string())
        .collect();
    assert!(stages.len() >= 10, "{stderr}");
    assert!(
        stages
            .iter()
            .all(|line| line["rows_in"].is_u64() && line["elapsed_ms"].is_u64()),
        "{stderr}"
    );
}

/// A run continues when the reader of its log ends.
#[test]
fn a_run_goes_on_when_its_messages_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let mut child = tessera()
        .args(["demo", &path, "--months", "1", "--customers", "100"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    run(&["verify", &format!("{path}/store/demo")], 0);
}

/// Whatever ends a command that was asked for JSON, one JSON value is on stdout.
#[test]
fn errors_are_json_where_json_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("broken.toml").display().to_string();
    std::fs::write(&broken, "spec_version = 1\nnme = \"x\"\n").unwrap();
    let nothing = dir.path().join("nothing").display().to_string();
    let calls: [(&[&str], i32); 5] = [
        (&["run", &broken, "--json", "--as-of", "2026-01-01"], 2),
        (
            &[
                "run",
                &broken,
                "--json",
                "--as-of",
                "2026-01-01",
                "--dry-run",
            ],
            2,
        ),
        (&["plan", &broken, "--json", "--as-of", "2026-01-01"], 2),
        (&["run", &nothing, "--json", "--as-of", "2026-01-01"], 2),
        (&["features", "--json", "no_such_feature"], 2),
    ];
    for (call, code) in calls {
        let found = json(&run(call, code));
        assert_eq!(found["ok"], false, "{call:?}");
        assert_eq!(found["exit_code"], code, "{call:?}");
        assert!(found["diagnostics"][0]["message"].is_string(), "{found}");
    }
    let found = json(&run(
        &["run", &broken, "--json", "--as-of", "2026-13-31"],
        2,
    ));
    assert_eq!(found["exit_code"], 2, "{found}");
    let found = json(&run(&["run", &broken, "--json"], 2));
    assert!(found["diagnostics"][0]["line"].is_u64(), "{found}");
}

#[test]
fn every_list_of_schema_is_json_where_json_is_asked_for() {
    for list in [
        "--gates",
        "--schemes",
        "--scores",
        "--formats",
        "--aggregates",
        "--tables",
    ] {
        let found = json(&run(&["schema", list, "--json"], 0));
        let all = found.as_array().or(found["tables"].as_array());
        let all = all.unwrap_or_else(|| panic!("{list}: {found}"));
        assert!(
            all.len() > 2 && all[0]["name"].is_string(),
            "{list}: {found}"
        );
    }
}

/// A missing contract hides nothing else: the rest is checked as if it had what the message advises.
#[test]
fn a_missing_contract_is_told_beside_all_other_mistakes() {
    let case = Case::new();
    let file = case.path("moves.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let at = text.find("[sources.orders.contract]").unwrap();
    let end = text[at..].find("\n[features]").unwrap() + at;
    std::fs::remove_file(case.path("lake/a.csv")).unwrap();
    let order = "{\"customer_id\": \"a\", \"ordered_at\": \"2026-01-02\", \"amount\": 5}\n";
    case.file("a.ndjson", order);
    let said = |command: &str, day: &[&str]| {
        let arguments = case.arguments(command, day);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        String::from_utf8(run(&arguments, 2).stderr).unwrap()
    };
    let columns = "contract = { columns = { ordered_at = \"date\", amount = \"f64\" } }\n";
    for (contract, missing) in [
        ("", "missing key `contract` in [sources.orders]"),
        (columns, "missing key `missing_key`"),
    ] {
        let without = format!("{}{contract}{}", &text[..at], &text[end..]);
        for (right, wrong, unknown) in [
            (
                "time = \"ordered_at\"",
                "time = \"ordered_on\"",
                "`ordered_on`",
            ),
            ("recency_days <= 60", "recency_dayz <= 60", "`recency_dayz`"),
        ] {
            if contract.is_empty() && right.starts_with("recency") {
                // Without the types of its columns a text file has no features.
                continue;
            }
            std::fs::write(&file, without.replace(right, wrong)).unwrap();
            let checked = said("check", &[]);
            assert!(checked.contains(missing), "{checked}");
            assert!(checked.contains(unknown), "{checked}");
            // A run does not read the lake for a file with mistakes.
            let run = said("run", &["--as-of", "2026-02-01"]);
            assert!(run.contains(missing), "{run}");
            assert!(!run.contains(unknown), "{run}");
        }
    }
}

/// Nor does a mistake in a source hide those that the file alone shows.
#[test]
fn a_mistake_in_a_source_is_told_beside_those_of_the_file() {
    let case = Case::new();
    let file = case.path("moves.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let pins = "\n[memberships]\npins = \"none.csv\"\n";
    let wrong = text
        .replacen("key = \"customer_id\"", "key = \"segment\"", 1)
        .replace("time = \"ordered_at\"", "time = \"ordered_on\"");
    std::fs::write(&file, wrong + pins).unwrap();
    let arguments = case.arguments("check", &[]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = String::from_utf8(run(&arguments, 2).stderr).unwrap();
    for mistake in [
        "unknown column `ordered_on`",
        "`segment` cannot be the key",
        "pins none.csv: it cannot be read",
    ] {
        assert!(said.contains(mistake), "{said}");
    }
}
