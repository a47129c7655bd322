//! `tessera plan`: what it says is what the run then does, and after an edit of rules nothing is read of the lake.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::program::{json, root, run};
use crate::versions::Case;

fn strings(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

fn planned(case: &Case, more: &[&str]) -> Value {
    let arguments = case.arguments("plan", &[more, &["--json", "--quiet"]].concat());
    json(&run(&strings(&arguments), 0))
}

fn of<'a>(list: &'a Value, field: &str, name: &str) -> &'a Value {
    let mut found = list.as_array().unwrap().iter();
    found.find(|one| one[field] == name).unwrap()
}

/// Moves of each scheme: from, to, customers, value.
fn moves(plan: &Value) -> BTreeMap<String, Vec<String>> {
    let schemes = plan["schemes"].as_array().unwrap().iter();
    let of = |scheme: &Value| {
        let moves = scheme["moves"].as_array().unwrap().iter();
        let mut moves: Vec<String> = moves.map(ToString::to_string).collect();
        moves.sort();
        (scheme["scheme"].as_str().unwrap().to_owned(), moves)
    };
    schemes.map(of).collect()
}

/// Segments of each scheme with their customers before and after.
fn sizes(plan: &Value) -> BTreeMap<String, Vec<String>> {
    let schemes = plan["schemes"].as_array().unwrap().iter();
    let of = |scheme: &Value| {
        let segments = scheme["segments"].as_array().unwrap().iter();
        let segments =
            segments.filter(|one| one["customers_before"] != 0 || one["customers_after"] != 0);
        let mut segments: Vec<String> = segments
            .map(|one| {
                format!(
                    "{} {} {} {}",
                    one["segment_id"],
                    one["segment"],
                    one["customers_before"],
                    one["customers_after"]
                )
            })
            .collect();
        segments.sort();
        (scheme["scheme"].as_str().unwrap().to_owned(), segments)
    };
    schemes.map(of).collect()
}

#[test]
fn an_edit_of_rules_moves_whom_the_plan_says_without_the_lake() {
    let case = Case::new();
    case.day("2026-02-01");
    case.day("2026-02-15");
    let same = planned(&case, &[]);
    assert_eq!(
        (&same["empty"], &same["already_published"]),
        (&true.into(), &true.into())
    );
    let text = std::fs::read_to_string(case.path("moves.toml")).unwrap();
    let edited = text
        .replace("recency_days <= 30", "recency_days <= 15")
        .replace("otherwise = \"gone\"", "otherwise = \"away\"");
    std::fs::write(case.path("moves.toml"), &edited).unwrap();
    let plan = planned(&case, &["--sample", "2"]);
    assert_eq!(
        (&plan["same_day"], &plan["reads"]["features_reused"]),
        (&true.into(), &true.into()),
        "{plan}"
    );
    let freshness = of(&plan["schemes"], "scheme", "freshness");
    assert!(freshness["moved"].as_u64() > Some(0));
    assert_eq!(freshness["sample"].as_array().unwrap().len(), 2);
    assert_eq!(plan["definitions"]["texts"].as_array().unwrap().len(), 2);
    assert!(
        of(&plan["schemes"], "scheme", "spend")["moves"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    case.day("2026-02-15");
    let store = case.path("store").display().to_string();
    let diff = json(&run(&["diff", &store, "2", "3", "--json"], 0));
    assert_eq!(moves(&plan), moves(&diff));
    assert_eq!(sizes(&plan), sizes(&diff));
    assert_eq!(plan["customers"], diff["customers"]);
}

#[test]
fn an_edit_of_features_reads_the_lake_and_names_its_columns() {
    let case = Case::new();
    let orders = std::fs::read_to_string(case.path("moves.toml")).unwrap();
    case.day("2026-02-15");
    let edited = orders.replace(
        "use = [\"rfm\"]",
        "use = [\"rfm\"]\nbig = { expr = \"spend_total > 100\", base = \"value\" }",
    );
    let edited = edited.replace("when = \"recency_days <= 60\"", "when = \"big\"");
    std::fs::write(case.path("moves.toml"), &edited).unwrap();
    let plan = planned(&case, &[]);
    assert_eq!(plan["reads"]["features_reused"], false);
    assert!(
        plan["reads"]["why_not"]
            .as_str()
            .unwrap()
            .contains("other definitions of rows, features or scores")
    );
    let big = of(&plan["columns"], "column", "big");
    assert_eq!(
        (&big["change"], &big["breaking"]),
        (&"added".into(), &false.into())
    );
    case.day("2026-02-15");
    let store = case.path("store").display().to_string();
    assert_eq!(
        moves(&plan),
        moves(&json(&run(&["diff", &store, "1", "2", "--json"], 0)))
    );
    // The other way round the column goes, which breaks what reads it.
    std::fs::write(case.path("moves.toml"), &orders).unwrap();
    let back = planned(&case, &[]);
    assert_eq!(of(&back["columns"], "column", "big")["breaking"], true);
    // New rows are another reason.
    std::fs::write(case.path("moves.toml"), &edited).unwrap();
    case.orders("b.csv", &[("small00".into(), "2026-02-11", 5.0)]);
    let late = planned(&case, &[]);
    assert!(
        late["reads"]["why_not"]
            .as_str()
            .unwrap()
            .contains("made of other files")
    );
    assert_eq!(late["already_published"], false);
}

/// An edit may take customers out of every segment without moving one.
#[test]
fn limits_of_who_leaves_and_comes() {
    let case = Case::new();
    case.day("2026-02-15");
    let said = |more: &[&str], code: i32| {
        let output = run(&strings(&case.arguments("plan", more)), code);
        String::from_utf8(output.stderr).unwrap()
    };
    let file = case.path("moves.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let key = "[customer]\n";
    assert!(text.contains(key), "{text}");
    let closed = format!("{key}active = \"recency_days <= 20\"\n");
    std::fs::write(&file, text.replace(key, &closed)).unwrap();
    let plan = planned(&case, &[]);
    let customers = &plan["customers"];
    let (left, before) = (customers["left"].as_u64().unwrap(), &customers["before"]);
    assert!(left > 0, "{customers}");
    said(&["--fail-if", "moved > 0", "--fail-if", "came > 0"], 0);
    for (limit, name) in [("left > 1%", "all"), ("tier.left > 0", "tier")] {
        let found = said(&["--fail-if", limit], 3);
        let expected = format!("allows: {name}: left, {left} of {before} customers before (");
        assert!(found.contains(&expected), "{limit}: {found}");
    }
    // The other way round they come.
    case.day("2026-02-15");
    std::fs::write(&file, text).unwrap();
    assert!(said(&["--fail-if", "came > 1"], 3).contains("all: came, "));
    assert!(said(&["--fail-if", "tier.came > 1%"], 3).contains("tier: came, "));
    said(&["--fail-if", "left > 0"], 0);
}

#[test]
fn limits_formats_and_a_store_without_a_version() {
    let case = Case::new();
    let first = planned(&case, &["--as-of", "2026-02-01"]);
    assert_eq!(
        (&first["against"], &first["customers"]["came"]),
        (&Value::Null, &80.into())
    );
    assert!(!case.path("store").exists(), "a plan makes no store");
    case.day("2026-02-15");
    let text = std::fs::read_to_string(case.path("moves.toml")).unwrap();
    std::fs::write(case.path("moves.toml"), text.replace("<= 30", "<= 15")).unwrap();
    let said = |more: &[&str], code: i32| {
        let output = run(&strings(&case.arguments("plan", more)), code);
        (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (text, errors) = said(
        &["--fail-if", "moved > 10%", "--fail-if", "tier.moved > 0"],
        3,
    );
    assert!(errors.contains("more customers would move, leave or come than `--fail-if` allows: freshness: 40 of 80 customers (50.0%)"), "{errors}");
    assert!(text.contains("fresh -> resting: 40"), "{text}");
    assert!(
        said(&["--fail-if", "moved > 50%"], 0)
            .0
            .contains("the lake (1 files")
    );
    assert!(
        said(&["--fail-if", "tyre.moved > 50%"], 2)
            .1
            .contains("no scheme `tyre`")
    );
    assert!(
        said(&["--fail-if", "more > 50%"], 2)
            .1
            .contains("expected `moved > 5%`")
    );
    let (markdown, _) = said(&["--format", "markdown"], 0);
    let took = markdown.split("took ").nth(1).unwrap();
    let took = format!("took {} s", took.split(" s").next().unwrap());
    insta::assert_snapshot!(markdown.replace(&took, "took N s"));
}

/// The commit says when the run began, not when it began to publish: that is in the name of its folder.
#[test]
fn a_run_takes_from_its_begin_to_its_commit() {
    let case = Case::new();
    let before = chrono::Utc::now().timestamp_millis();
    case.day("2026-02-01");
    let commit = case.path("store/commits/00000000000000000001.json");
    let text = std::fs::read_to_string(commit).unwrap();
    let commit: Value = serde_json::from_str(&text).unwrap();
    let millis = |name: &str| {
        let time = chrono::DateTime::parse_from_rfc3339(commit[name].as_str().unwrap());
        time.unwrap().timestamp_millis()
    };
    let name = commit["txid"].as_str().unwrap();
    let staged = i64::from_str_radix(name.split('-').next().unwrap(), 16).unwrap();
    let begun = millis("started_at");
    assert!(before <= begun && begun < staged && staged <= millis("finished_at"));

    let plan = run(&strings(&case.arguments("plan", &["--json"])), 0);
    let took = &json(&plan)["reads"]["last_run_seconds"];
    assert_eq!(took, (millis("finished_at") - begun) as f64 / 1_000.0);
}

/// An edit of the demo's pipeline that keeps it valid, and what it is.
fn edit(text: &str, random: &mut ChaCha8Rng) -> (String, String) {
    let rules = "\nrules = [";
    let number = |random: &mut ChaCha8Rng, from: i64, to: i64| random.random_range(from..to);
    match random.random_range(0..10) {
        0 => {
            let limit = number(random, 1, 99) as f64 / 100.0;
            (
                "threshold".into(),
                text.replace(
                    "churn_probability > 0.6",
                    &format!("churn_probability > {limit}"),
                ),
            )
        }
        1 => {
            let most = number(random, 1, 9);
            (
                "threshold".into(),
                text.replace("urgent_180d >= 2", &format!("urgent_180d >= {most}")),
            )
        }
        2 => {
            let (top, high) = (number(random, 1, 10), number(random, 11, 40));
            let tiers = format!("top = 0.{top:02}, high = 0.{high}, mid");
            (
                "tiers".into(),
                text.replace("top = 0.05, high = 0.20, mid", &tiers),
            )
        }
        3 => {
            let days = number(random, 10, 400);
            let rule = format!(
                "{rules}\n  {{ segment = \"quiet\", when = \"recency_days > {days} and order_count >= 3\" }},"
            );
            (
                "added rule".into(),
                text.replacen(
                    &format!("kind  = \"rules\"{rules}"),
                    &format!("kind  = \"rules\"{rule}"),
                    1,
                ),
            )
        }
        4 => ("removed rule".into(), without_a_rule(text, random)),
        5 => (
            "renamed".into(),
            text.replace("otherwise = \"tech-touch\"", "otherwise = \"self-service\"")
                .replace("segment = \"tech-touch\"", "segment = \"self-service\""),
        ),
        6 => (
            "comment".into(),
            format!(
                "# {}\n{}",
                number(random, 0, 1_000_000),
                text.replace("\n\n", "\n\n\n")
            ),
        ),
        7 => {
            let share = number(random, 1, 15);
            (
                "merged labels".into(),
                text.replace("min_share = 0.01", &format!("min_share = 0.{share:02}")),
            )
        }
        8 => {
            let k = number(random, 2, 7);
            (
                "clusters".into(),
                text.replace("k        = \"auto\"", &format!("k        = {k}")),
            )
        }
        _ => ("order of rules".into(), with_rules_swapped(text)),
    }
}

/// The pipeline without one of its rules, and without the playbook of that rule's segment.
fn without_a_rule(text: &str, random: &mut ChaCha8Rng) -> String {
    let names = ["rescue", "onboarding", "listen", "win-back", "expand"];
    let name = names[random.random_range(0..names.len())];
    let rule = format!("{{ segment = \"{name}\"");
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains(&rule)).collect();
    let kept = lines.join("\n");
    let Some(from) = kept.find(&format!("[playbooks.{name}]")) else {
        return kept;
    };
    let end = kept[from + 1..].find("\n[");
    let to = end.map_or(kept.len(), |to| from + 1 + to);
    format!("{}{}", &kept[..from], &kept[to..])
}

/// The pipeline with a rule behind the one that follows it.
fn with_rules_swapped(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let is_rule = |line: &&str| line.contains("segment = \"high-touch\", when");
    let at = lines.iter().position(is_rule).unwrap();
    lines.swap(at, at + 1);
    lines.join("\n")
}

/// The pipeline with another window of a feature.
fn with_another_window(original: &str, random: &mut ChaCha8Rng) -> (String, String) {
    let days = random.random_range(60..120);
    let window = |days: u32| format!("agg = \"count\", window = \"{days}d\", where");
    let text = original.replace(&window(180), &window(days));
    ("window".to_owned(), text)
}

/// Edits of the demo's pipeline, `TESSERA_EDITS` of them: the plan's moves and sizes are those of the run, and no edit of rules
/// or schemes reads the lake. Every tenth edit changes a window, which does.
#[test]
fn edits_of_the_demo_move_whom_the_plan_says() {
    let edits: usize = std::env::var("TESSERA_EDITS").map_or(20, |edits| edits.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 250);
    let original = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    let file = dir.path().join("edited.toml");
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/store"));
    let file = file.display().to_string();
    let arguments = |command: &'static str| {
        vec![
            command,
            &file,
            "--as-of",
            "2026-10-31",
            "--var",
            &lake,
            "--var",
            &out,
            "--json",
            "--quiet",
        ]
    };
    let store = format!("{path}/store/demo");
    let newest = || {
        let listed = json(&run(&["snapshots", &store, "--json"], 0));
        let listed = listed.as_array().unwrap().iter();
        let mut of_day = listed.filter(|one| one["as_of"] == "2026-10-31");
        of_day.next_back().unwrap()["version"].as_u64().unwrap()
    };
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut moved = 0;
    for number in 0..edits {
        let (kind, text) = match number % 10 {
            9 => with_another_window(&original, &mut random),
            _ => loop {
                let made = edit(&original, &mut random);
                if made.1 != original {
                    break made;
                }
            },
        };
        assert!(text != original, "{kind} changes nothing");
        std::fs::write(&file, text).unwrap();
        let before = newest();
        let plan = json(&run(&arguments("plan"), 0));
        // What the version before was made by may be another window.
        if kind != "window" && !plan["definitions"]["features_changed"].as_bool().unwrap() {
            assert_eq!(
                plan["reads"]["features_reused"], true,
                "{number} {kind}: {}",
                plan["reads"]
            );
        }
        let done = json(&run(&arguments("run"), 0));
        let after = newest();
        assert_eq!(done["version"], after);
        let (from, to) = (before.to_string(), after.to_string());
        let diff = json(&run(&["diff", &store, &from, &to, "--json"], 0));
        assert_eq!(moves(&plan), moves(&diff), "{number} {kind}");
        assert_eq!(sizes(&plan), sizes(&diff), "{number} {kind}");
        assert_eq!(plan["already_published"], from == to, "{number} {kind}");
        let schemes = plan["schemes"].as_array().unwrap().iter();
        moved += schemes
            .map(|scheme| scheme["moved"].as_u64().unwrap())
            .sum::<u64>();
        *kinds.entry(kind).or_default() += 1;
    }
    println!("{kinds:?}, {moved} moves");
    assert!(moved > 0 && kinds.len() > 4, "{kinds:?}");
}

fn said(case: &Case, command: &str, more: &[&str], code: i32) -> String {
    let arguments = case.arguments(command, &[more, &["--quiet"]].concat());
    let done = run(&strings(&arguments), code);
    String::from_utf8(done.stderr).unwrap()
}

#[test]
fn a_run_by_a_plan_publishes_only_what_was_planned() {
    let case = Case::new();
    case.day("2026-02-01");
    let file = case.path("plan.json");
    let plan = file.to_str().unwrap();
    let out = ["--as-of", "2026-02-15", "--out", plan];
    said(&case, "plan", &out, 0);
    let pipeline = std::fs::read_to_string(case.path("moves.toml")).unwrap();
    let refused = |what: &str| {
        let text = said(&case, "run", &["--plan", plan], 2);
        let wanted = format!("the run is not the one that was planned: {what}");
        assert!(
            text.contains(&wanted) && text.contains("nothing was published"),
            "{text}"
        );
    };

    let edited = pipeline.replace("recency_days <= 30", "recency_days <= 31");
    std::fs::write(case.path("moves.toml"), edited).unwrap();
    refused("the pipeline was edited;");
    let comments = format!("# the same\n{pipeline}");
    std::fs::write(case.path("moves.toml"), comments).unwrap();

    case.orders("b.csv", &[("late".to_owned(), "2026-02-03", 5.0)]);
    refused("the files of the lake are others;");
    std::fs::remove_file(case.path("lake/b.csv")).unwrap();

    let text = said(&case, "run", &["--plan", plan, "--as-of", "2026-02-16"], 2);
    assert!(
        text.contains("the plan is of 2026-02-15, and the run of 2026-02-16"),
        "{text}"
    );

    // The day is that of the plan, and the run itself may be repeated.
    said(&case, "run", &["--plan", plan], 0);
    assert!(
        case.day("2026-02-15")
            .starts_with("already published: version 2")
    );
    said(&case, "run", &["--plan", plan], 0);

    case.day("2026-02-10");
    refused("the version before the day was 1, and is 3");
    std::fs::write(&file, "{}").unwrap();
    let text = said(&case, "run", &["--plan", plan], 2);
    assert!(
        text.contains("it states no basis that this program reads"),
        "{text}"
    );
}

#[test]
fn gates_and_expectations_are_judged_as_the_run_judges_them() {
    let case = Case::new();
    case.day("2026-02-01");
    let pipeline = std::fs::read_to_string(case.path("moves.toml")).unwrap();
    let more = r#"
[gates.schemes.freshness]
substantial = { min_customers = 3, on_fail = "fail_run" }

[[expect]]
customer = "small00"
freshness = "fresh"

[[expect]]
customer = "large00"
freshness = "gone"

[[expect]]
table = "sources"
rows = { at_least = 1 }
"#;
    std::fs::write(case.path("moves.toml"), format!("{pipeline}{more}")).unwrap();
    let arguments = case.arguments("plan", &["--json", "--quiet"]);
    let plan = json(&run(&strings(&arguments), 3));
    assert_eq!(plan["reads"]["features_reused"], true, "{}", plan["reads"]);
    let judged = &plan["judged"];
    assert_eq!(judged["expectations"], 2, "{judged}");
    assert_eq!(
        judged["not_checked"].as_array().unwrap().len(),
        1,
        "{judged}"
    );
    let unmet = judged["unmet"].as_array().unwrap();
    assert_eq!(unmet.len(), 1, "{judged}");
    assert_eq!(
        (&unmet[0]["of"], &unmet[0]["found"]),
        (&"customer large00".into(), &"\"fresh\"".into())
    );
    let failed = judged["failed"].as_array().unwrap();
    let failed: Vec<&str> = failed.iter().filter_map(Value::as_str).collect();
    assert!(
        failed.iter().any(|words| words
            .contains("scheme `freshness`, segment `gone` is not substantial: customers is 0")),
        "{failed:?}"
    );

    // The run says the same of its gates, which it judges first.
    let text = said(&case, "run", &["--as-of", "2026-02-01"], 3);
    for words in failed {
        assert!(text.contains(words), "{words}\n{text}");
    }
    // Without the gate it is the expectation that ends it; the plan of another day reads the lake and checks all of them.
    let flags = more.replace("on_fail = \"fail_run\"", "on_fail = \"flag\"");
    std::fs::write(case.path("moves.toml"), format!("{pipeline}{flags}")).unwrap();
    let text = said(&case, "run", &["--as-of", "2026-02-02"], 3);
    let unmet = "`freshness` of customer large00 is \"fresh\", expected \"gone\"";
    assert!(text.contains(unmet), "{text}");
    let arguments = case.arguments("plan", &["--as-of", "2026-02-02", "--json", "--quiet"]);
    let plan = json(&run(&strings(&arguments), 3));
    assert_eq!(plan["judged"]["expectations"], 3);
    assert_eq!(plan["judged"]["unmet"].as_array().unwrap().len(), 1);
    assert!(!plan["judged"]["flagged"].as_array().unwrap().is_empty());
    let arguments = case.arguments("plan", &["--as-of", "2026-02-02", "--quiet"]);
    let text = String::from_utf8(run(&strings(&arguments), 3).stdout).unwrap();
    assert!(text.contains("expectations: 2 of 3 hold"), "{text}");
}
