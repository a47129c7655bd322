//! `tessera backfill`: past days in order, the same bytes however it is cut up, and moves that add up in every version.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::oracle::{python, script};
use crate::program::{json, public_data, run, tessera};
use crate::versions::Case;

/// Orders of five months: each customer orders now and then.
pub(crate) fn case() -> Case {
    let case = Case::new();
    let mut rows = Vec::new();
    for customer in 0..60_u32 {
        for order in 0..=customer % 5 {
            let month = 1 + (customer + 2 * order) % 5;
            let day = 1 + (customer * 7 + order * 11) % 28;
            let amount = f64::from(customer) + 0.25 * f64::from(order);
            rows.push((
                format!("c{customer:02}"),
                format!("2026-{month:02}-{day:02}"),
                amount,
            ));
        }
    }
    case.orders("a.csv", &rows);
    case
}

fn backfill(case: &Case, more: &[&str], code: i32) -> Value {
    let arguments = case.arguments("backfill", &[more, &["--json", "--quiet"]].concat());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    json(&run(&arguments, code))
}

const MONTHS: [&str; 6] = [
    "--from",
    "2026-01-31",
    "--to",
    "2026-05-31",
    "--every",
    "1mo",
];

/// The sha256 of every table of the newest version of each day.
pub(crate) fn bytes(store: &Path) -> BTreeMap<String, BTreeMap<String, Value>> {
    let mut commits: Vec<_> = std::fs::read_dir(store.join("commits"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    commits.sort();
    let mut days = BTreeMap::new();
    for path in commits {
        let commit: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let tables = commit["tables"].as_array().unwrap().iter();
        let tables = tables.map(|table| {
            (
                table["name"].as_str().unwrap().to_owned(),
                table["files"].clone(),
            )
        });
        days.insert(
            commit["as_of"].as_str().unwrap().to_owned(),
            tables.collect(),
        );
    }
    days
}

fn versions(case: &Case) -> usize {
    std::fs::read_dir(case.path("store/commits")).map_or(0, Iterator::count)
}

#[test]
fn days_are_published_in_order_once_and_as_single_runs_do() {
    let case = case();
    let done = backfill(&case, &MONTHS, 0);
    let days: Vec<&str> = done["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| day["as_of"].as_str().unwrap())
        .collect();
    assert_eq!(
        days,
        [
            "2026-01-31",
            "2026-02-28",
            "2026-03-31",
            "2026-04-30",
            "2026-05-31"
        ]
    );
    assert_eq!(done["published"], 5);
    let whole = bytes(&case.path("store"));
    // Once more: nothing is left to do, and a lake that grew is no reason.
    case.orders("later.csv", &[("c00".into(), "2026-06-20", 5.0)]);
    let again = backfill(&case, &MONTHS, 0);
    assert_eq!(
        (&again["published"], &again["skipped"]),
        (&0.into(), &5.into())
    );
    assert_eq!(versions(&case), 5);
    std::fs::remove_file(case.path("lake/later.csv")).unwrap();
    let asked = backfill(&case, &[&MONTHS[..], &["--again"]].concat(), 0);
    assert_eq!(
        (&asked["published"], &asked["skipped"]),
        (&0.into(), &5.into())
    );
    assert_eq!(versions(&case), 5);
    // Single runs in the same order, and in parts that overlap.
    std::fs::rename(case.path("store"), case.path("first")).unwrap();
    case.day("2026-01-31");
    case.day("2026-02-28");
    backfill(
        &case,
        &[
            "--from",
            "2026-01-31",
            "--to",
            "2026-03-31",
            "--every",
            "1mo",
        ],
        0,
    );
    backfill(
        &case,
        &[
            "--from",
            "2026-03-31",
            "--to",
            "2026-05-31",
            "--every",
            "1mo",
        ],
        0,
    );
    assert_eq!(bytes(&case.path("store")), whole);
    run(
        &[
            "verify",
            &case.path("store").display().to_string(),
            "--deep",
        ],
        0,
    );
}

#[test]
fn a_day_that_is_made_in_between_makes_the_later_ones_follow_it() {
    let case = case();
    backfill(
        &case,
        &[
            "--from",
            "2026-01-31",
            "--to",
            "2026-05-31",
            "--every",
            "2mo",
        ],
        0,
    );
    assert_eq!(versions(&case), 3);
    let done = backfill(&case, &MONTHS, 0);
    // January is there; every later day follows another version than before.
    assert_eq!(
        (&done["published"], &done["skipped"]),
        (&4.into(), &1.into())
    );
    let store = case.path("store").display().to_string();
    let listed = json(&run(&["snapshots", &store, "--json"], 0));
    let newest = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["superseded_by"].is_null());
    assert!(newest.clone().all(|one| one["outdated"] == false));
    assert_eq!(newest.count(), 5);
    let healed = bytes(&case.path("store"));
    std::fs::remove_dir_all(case.path("store")).unwrap();
    backfill(&case, &MONTHS, 0);
    assert_eq!(bytes(&case.path("store")), healed);
}

#[test]
fn an_edited_pipeline_makes_its_days_again_and_a_comment_does_not() {
    let case = case();
    backfill(&case, &MONTHS, 0);
    let text = std::fs::read_to_string(case.path("moves.toml")).unwrap();
    std::fs::write(case.path("moves.toml"), format!("# A comment.\n{text}")).unwrap();
    assert_eq!(backfill(&case, &MONTHS, 0)["published"], 0);
    std::fs::write(case.path("moves.toml"), text.replace("<= 60", "<= 61")).unwrap();
    assert_eq!(backfill(&case, &MONTHS, 0)["published"], 5);
}

/// A day is made again where it was made with other pins, or knew rows up to another day.
#[test]
fn days_of_other_pins_or_of_other_knowledge_are_made_again() {
    let case = case();
    let (file, pins) = (case.path("moves.toml"), case.path("pins.csv"));
    let text = std::fs::read_to_string(&file).unwrap();
    let pinned = format!("{text}\n[memberships]\npins = \"{}\"\n", pins.display());
    std::fs::write(&file, pinned).unwrap();
    let header = "customer,scheme,segment,until,why,by\n";
    std::fs::write(&pins, header).unwrap();
    let days = [
        "--from",
        "2026-01-31",
        "--to",
        "2026-02-28",
        "--every",
        "1mo",
    ];
    let published = || backfill(&case, &days, 0)["published"].clone();
    assert_eq!((published(), published()), (2.into(), 0.into()));
    // A pin that is over on the later day, which follows the other.
    let pin = "c01,freshness,gone,2026-02-10,a friend,Ann\n";
    std::fs::write(&pins, format!("{header}{pin}")).unwrap();
    assert_eq!((published(), published()), (2.into(), 0.into()));
    // One that ended before both days.
    std::fs::write(
        &pins,
        format!("{header}{pin}c02,freshness,gone,2026-01-10,a friend,Ann\n"),
    )
    .unwrap();
    assert_eq!(published(), 0);
    // A run that knew more than was known on its day.
    let text = std::fs::read_to_string(&file).unwrap();
    let known = text.replace(
        "time = \"ordered_at\"\n",
        "time = \"ordered_at\"\nknown_at = \"ordered_at\"\n",
    );
    std::fs::write(&file, known).unwrap();
    assert_eq!((published(), published()), (2.into(), 0.into()));
    let later = [
        "--as-of",
        "2026-02-28",
        "--known-as-of",
        "2026-03-31",
        "--quiet",
    ];
    let arguments = case.arguments("run", &later);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(&arguments, 0);
    assert_eq!((published(), published()), (1.into(), 0.into()));
}

#[test]
fn a_backfill_that_is_interrupted_goes_on_and_gives_the_same_bytes() {
    let case = case();
    backfill(&case, &MONTHS, 0);
    let whole = bytes(&case.path("store"));
    for (round, signal) in ["INT", "TERM", "INT"].into_iter().enumerate() {
        std::fs::remove_dir_all(case.path("store")).unwrap();
        let mut child = tessera()
            .args(case.arguments("backfill", &[&MONTHS[..], &["--quiet"]].concat()))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while versions(&case) < 1 + round && started.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(2));
        }
        let id = child.id().to_string();
        std::process::Command::new("kill")
            .args(["-s", signal, &id])
            .status()
            .unwrap();
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(130 | 6 | 0)), "{code:?}");
        let store = case.path("store").display().to_string();
        run(&["repair", &store], 0);
        run(&["verify", &store], 0);
        backfill(&case, &MONTHS, 0);
        assert_eq!(bytes(&case.path("store")), whole, "{signal} after {round}");
    }
}

#[test]
fn a_day_without_data_ends_it_with_the_code_of_the_run() {
    let case = case();
    let done = backfill(
        &case,
        &[
            "--from",
            "2025-12-31",
            "--to",
            "2026-03-31",
            "--every",
            "1mo",
        ],
        3,
    );
    assert_eq!(
        (&done["published"], &done["days"]),
        (&0.into(), &serde_json::json!([]))
    );
    assert_eq!(
        (&done["ok"], &done["exit_code"]),
        (&false.into(), &3.into())
    );
    let said = |more: &[&str]| {
        let arguments = case.arguments("backfill", more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        String::from_utf8(run(&arguments, 2).stderr).unwrap()
    };
    assert!(
        said(&["--from", "2026-03-01", "--to", "2026-02-01"])
            .contains("there is no day from 2026-03-01 to 2026-02-01")
    );
    let future = said(&["--from", "2026-03-01", "--to", "2999-02-01"]);
    assert!(
        future.contains("later than today") && future.contains("choose an earlier `--to`\n"),
        "{future}"
    );
    let arguments = case.arguments("backfill", &["--from", "2025-12-30", "--to", "2025-12-31"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let before = String::from_utf8(run(&arguments, 3).stderr).unwrap();
    let end = "backfill stopped at 2025-12-30, day 1 of 1; the same command ends there again until what is said above is corrected\n";
    assert!(before.ends_with(end), "{before}");
    assert!(
        said(&[
            "--from",
            "2026-03-01",
            "--to",
            "2026-03-02",
            "--every",
            "1m"
        ])
        .contains("months are written mo: 1mo")
    );
    assert_eq!(versions(&case), 0);
}

/// What is wrong with the arguments, with a run, or with the store is in the one document that is printed.
#[test]
fn whatever_ends_a_backfill_is_one_document_that_states_why() {
    let case = case();
    let ends = |days: &[&str], code: i32, why: &str| {
        let done = backfill(&case, days, code);
        assert_eq!(
            (&done["ok"], &done["exit_code"]),
            (&false.into(), &code.into())
        );
        let message = done["diagnostics"][0]["message"].as_str().unwrap();
        assert!(message.contains(why), "{done}");
    };
    let before = ["--from", "2025-12-31", "--to", "2025-12-31"];
    ends(&before, 3, "there are no customers up to 2025-12-31");
    let centuries = [
        "--from",
        "1900-01-01",
        "--to",
        "2150-01-01",
        "--every",
        "1d",
    ];
    ends(&centuries, 2, "there are more than 36525 days");
    let first = ["--from", "2026-01-31", "--to", "2026-01-31"];
    let done = backfill(&case, &first, 0);
    assert_eq!((&done["ok"], done.get("diagnostics")), (&true.into(), None));
    let commit = case.path("store/commits/00000000000000000001.json");
    let text = std::fs::read_to_string(&commit).unwrap();
    std::fs::write(&commit, text.replacen('{', "{ ", 1)).unwrap();
    ends(&first, 4, "its checksum does not match");
    let arguments = case.arguments("backfill", &first);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = String::from_utf8(run(&arguments, 4).stderr).unwrap();
    let end =
        "the same command goes on from there once what is said above is corrected or has passed\n";
    assert!(said.ends_with(end), "{said}");
}

/// Steps of every version add up, in customers and in value, to what its memberships say.
fn adds_up(store: &Path, versions: &str) {
    if let Some(python) = python() {
        script(
            &python,
            "causes.py",
            &[&store.display().to_string(), versions],
        );
    }
}

/// Backfills a shipped pipeline month by month; how many versions were published.
fn monthly(pipeline: &str, lake: &str, out: &str, [from, to]: [&str; 2]) -> u64 {
    let file = format!("pipelines/{pipeline}.toml");
    let (lake, out) = (format!("lake={lake}"), format!("out={out}"));
    let arguments = [
        "backfill", &file, "--from", from, "--to", to, "--every", "1mo", "--var", &lake, "--var",
        &out, "--quiet", "--json",
    ];
    json(&run(&arguments, 0))["published"].as_u64().unwrap()
}

/// Twenty-four months of the demo lake, in two parts and a single run; and again as a whole.
#[test]
fn two_years_of_the_demo_add_up_and_are_the_same_however_they_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 250);
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    let lake = format!("{path}/lake");
    let fill = |store: &str, from: &str, to: &str| {
        monthly("demo", &lake, &format!("{path}/{store}"), [from, to])
    };
    assert_eq!(fill("whole", "2024-11-30", "2026-10-31"), 24);
    let whole = bytes(&dir.path().join("whole/demo"));
    assert_eq!(whole.len(), 24);
    assert_eq!(fill("parts", "2024-11-30", "2025-06-30"), 8);
    assert_eq!(fill("parts", "2025-05-30", "2026-10-31"), 16);
    assert_eq!(bytes(&dir.path().join("parts/demo")), whole);
    adds_up(&dir.path().join("whole/demo"), "24");
}

/// Twelve months of Online Retail.
#[test]
fn a_year_of_online_retail_adds_up_and_is_the_same_however_it_is_cut() {
    let Some(data) = public_data("online_retail") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let lake = data.display().to_string();
    let fill = |store: &str, from: &str, to: &str| {
        let out = dir.path().join(store).display().to_string();
        monthly("online_retail", &lake, &out, [from, to])
    };
    assert_eq!(fill("whole", "2010-12-31", "2011-11-30"), 12);
    let whole = bytes(&dir.path().join("whole/online_retail"));
    assert_eq!(fill("parts", "2010-12-31", "2011-03-31"), 4);
    assert_eq!(fill("parts", "2011-01-31", "2011-11-30"), 8);
    assert_eq!(bytes(&dir.path().join("parts/online_retail")), whole);
    adds_up(&dir.path().join("whole/online_retail"), "12");
}
