//! `refit`: an ordinary night applies what an earlier version learned and says so; a fit that is due is compared with it.

use std::path::Path;

use serde_json::Value;

use crate::program::{json, run};
use crate::shop::{self, CONTRACT, ORDERS, Shop};
use crate::table::Table;
use crate::versions::Case;

/// A run of the demo at a day; its log, a line an object.
fn night(dir: &Path, as_of: &str) -> Vec<Value> {
    let var = |name: &str, folder: &str| format!("{name}={}", dir.join(folder).display());
    let file = dir.join("demo.toml").display().to_string();
    let (lake, out) = (var("lake", "lake"), var("out", "nights"));
    let arguments = [
        "run",
        &file,
        "--as-of",
        as_of,
        "--var",
        &lake,
        "--var",
        &out,
        "--log-format",
        "json",
    ];
    let done = run(&arguments, 0);
    let log = String::from_utf8(done.stderr).unwrap();
    log.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn said(log: &[Value], of: &str) -> String {
    let lines = log.iter().filter_map(|line| line["message"].as_str());
    let begin = format!("`{of}`: ");
    let found: Vec<&str> = lines.filter_map(|line| line.strip_prefix(&begin)).collect();
    found.join("\n")
}

fn looks_back(log: &[Value]) -> usize {
    let stages = log.iter().filter_map(|line| line["stage"].as_str());
    stages
        .filter(|stage| stage.starts_with("compute features as of"))
        .count()
}

/// The artifacts that a commit names, by what they are of.
fn artifacts(dir: &Path, version: u64) -> Vec<Value> {
    let file = dir.join(format!("nights/demo/commits/{version:020}.json"));
    let commit: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    commit["artifacts"].as_array().unwrap().clone()
}

fn artifact(dir: &Path, version: u64, of: &str) -> Value {
    let all = artifacts(dir, version);
    all.into_iter()
        .find(|artifact| artifact["of"] == of)
        .unwrap()
}

/// Text and value of a row of `models`, by score, model and name.
fn model_row(dir: &Path, wanted: [&str; 3]) -> (Option<String>, Option<f64>) {
    let models = Table::read(&dir.join("nights/demo/latest/models.parquet"));
    let columns = ["score", "model", "name"].map(|column| models.texts(column));
    let is_wanted = |row: &usize| {
        let mut pairs = columns.iter().zip(wanted);
        pairs.all(|(column, wanted)| column[*row].as_deref() == Some(wanted))
    };
    let row = (0..models.rows()).find(is_wanted).unwrap();
    (
        models.texts("text")[row].clone(),
        models.floats("value")[row],
    )
}

#[test]
fn an_ordinary_night_applies_what_was_learned_and_a_due_fit_is_compared_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let folder = dir.display().to_string();
    crate::program::demo(&folder, 1_500);
    // So long that the model in use knows nothing of the newest date on which it is compared.
    let file = dir.join("demo.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let first = text.split("[scores.churn]").nth(1).unwrap();
    assert!(first.find("\"3mo\"") < first.find("[scores.value]"));
    let text = text.replacen("\"3mo\"", "\"120d\"", 1);
    std::fs::write(&file, text.replace("\"3mo\"", "\"1mo\"")).unwrap();

    let first = night(dir, "2026-05-31");
    assert!(looks_back(&first) > 0);
    let why = "fitted (no version before this day has an artifact of it)";
    assert_eq!(said(&first, "scores.churn"), why);

    let second = night(dir, "2026-06-10");
    assert_eq!(looks_back(&second), 0, "nothing is read to learn from");
    let applied = "applied as fitted on 2026-05-31 by version 1, fitted again from";
    for (of, due) in [
        ("scores.churn", "2026-09-28"),
        ("scores.renewal", "2026-06-30"),
        ("schemes.behaviour", "2026-06-30"),
    ] {
        assert_eq!(said(&second, of), format!("{applied} {due}"), "{of}");
        let (then, now) = (artifact(dir, 1, of), artifact(dir, 2, of));
        assert_eq!(now["id"], then["id"], "{of}");
        assert_eq!((&then["version"], &now["version"]), (&1.into(), &1.into()));
        assert_eq!(now["fitted_on"], "2026-05-31");
    }
    let day = model_row(dir, ["churn", "artifact", "fitted_on"]);
    assert_eq!(day.0.as_deref(), Some("2026-05-31"));

    let third = night(dir, "2026-09-30");
    assert!(looks_back(&third) > 0);
    let churn = said(&third, "scores.churn");
    assert!(
        churn.starts_with("fitted (refit = \"120d\", last on 2026-05-31)"),
        "{churn}"
    );
    let figure = |name: &str| model_row(dir, ["churn", "refit", name]).1.unwrap();
    let (refit, in_use) = (figure("refit"), figure("in_use"));
    let now = artifact(dir, 3, "scores.churn");
    let stays = in_use < refit;
    let fitted_on = if stays { "2026-05-31" } else { "2026-09-30" };
    assert_eq!(now["fitted_on"], fitted_on, "{refit} {in_use}");
    assert_eq!(now["tried_on"], "2026-09-30");
    run(
        &["verify", &dir.join("nights/demo").display().to_string()],
        0,
    );

    // What is damaged is not applied: it is fitted again, and `verify` names it.
    let id = artifact(dir, 3, "schemes.behaviour")["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = dir.join(format!("nights/demo/artifacts/{id}.json"));
    std::fs::write(&path, "{}").unwrap();
    let store = dir.join("nights/demo").display().to_string();
    let found = crate::program::findings(&run(&["verify", &store], 4));
    assert!(found.contains("artifact of schemes.behaviour"), "{found}");
    let fourth = night(dir, "2026-10-05");
    let behaviour = said(&fourth, "schemes.behaviour");
    assert!(
        behaviour.contains("fitted (the artifact of version 3 cannot be used"),
        "{behaviour}"
    );
    assert!(
        said(&fourth, "scores.churn").starts_with("applied as fitted on"),
        "only that one"
    );
}

#[test]
fn refit_is_refused_where_nothing_is_learned_and_where_it_is_no_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = crate::latest::shop(dir.path());
    let text = std::fs::read_to_string(&file).unwrap();
    let wrong = |scheme: &str, expected: &str| {
        std::fs::write(&file, format!("{text}\n[schemes.s]\n{scheme}\n")).unwrap();
        let output = run(&["check", &file, "--no-lake"], 2);
        let found = crate::program::findings(&output);
        assert!(found.contains(expected), "{found}");
    };
    wrong(
        "kind = \"kmeans\"\nfeatures = [\"recency_days\"]\nk = 2\nrefit = \"monthly\"",
        "expected \"always\", \"never\", days, weeks or months",
    );
    wrong(
        "kind = \"rfm_grid\"\ngrid = \"eleven\"\nscore_method = \"frozen\"\nrefit = \"30d\"",
        "`refit` has no effect: frozen edges stay as they are",
    );
    wrong("kind = \"lifecycle\"\nrefit = \"30d\"", "refit");
    let store = run(&["schema"], 0);
    assert!(json(&store).to_string().contains("max_unmatched"));
}

#[test]
fn what_only_checks_or_shows_a_source_learns_nothing_again() {
    let case = Case::new();
    let clusters = |version: u64| {
        let file = case.path(&format!("store/commits/{version:020}.json"));
        let commit: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let artifacts = commit["artifacts"].as_array().unwrap().clone();
        let found = artifacts.iter().find(|one| one["of"] == "schemes.spend");
        found.unwrap()["id"].clone()
    };
    case.day("2026-02-01");
    let stated = std::fs::read_to_string(case.path("moves.toml")).unwrap();
    let checked = stated
        .replace(
            "time = \"ordered_at\"",
            "time = \"ordered_at\"\nfreshness = { warn = \"90000h\" }",
        )
        .replace("missing_key =", "keep_rejects = 7\nmissing_key =")
        .replace(
            "use = [\"rfm\"]",
            "use = [\"rfm\"]\nlifecycle = { active_days = 20, at_risk_days = 90, dormant_days = 365 }",
        );
    std::fs::write(case.path("moves.toml"), checked).unwrap();
    case.day("2026-02-02");
    assert_eq!(clusters(1), clusters(2));
    assert_eq!(case.migrations(), Vec::<String>::new());
}

/// Orders of 1,500 customers over two years, of whom one in seven stops after each.
fn orders() -> String {
    let mut state = 1_u64;
    let mut draw = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    };
    let share = |drawn: u64| ((drawn >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    let wait = |mean: f64, drawn: u64| -mean * share(drawn).ln();
    let start = chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
    let mut text = "customer_id,ordered_at,amount\n".to_owned();
    for customer in 0..1_500 {
        let gap = wait(60.0, draw()).max(3.0);
        let mut day = (share(draw()) * 600.0) as u64;
        while day < 730 {
            let date = start + chrono::Days::new(day);
            text.push_str(&format!("u{customer},{date},{}\n", 1 + draw() % 100));
            if share(draw()) < 0.15 {
                break;
            }
            day += 1 + wait(gap, draw()) as u64;
        }
    }
    text
}

/// A fit that was better than the one before it is itself compared with a later one: each comparison is of one run.
#[test]
fn fits_are_compared_month_after_month() {
    let shop = Shop::new();
    shop.file("orders/a.csv", &orders());
    let features = "[features]\nuse = [\"rfm\", \"lifecycle\"]\n";
    let churn = "[scores.churn]\nkind = \"supervised\"\nfrom = \"orders\"\nhorizon = \"90d\"\n";
    let parts = [ORDERS, CONTRACT, features, churn];
    let days = ["2025-08-31", "2025-09-30", "2025-10-31", "2025-11-30"];
    let mut used = Vec::new();
    for day in days {
        shop::said(&shop.run_on(&parts, day, &["--quiet"]), 0);
        let models = shop.table("models");
        let (model, name, text) = (
            models.texts("model"),
            models.texts("name"),
            models.texts("text"),
        );
        let mut of_day = (0..models.rows()).filter(|&row| {
            model[row].as_deref() == Some("refit") && name[row].as_deref() == Some("used")
        });
        used.push(of_day.next().and_then(|row| text[row].clone()));
        assert_eq!(of_day.count(), 0);
    }
    let [first, second, third, _] = &used[..] else {
        panic!("{used:?}");
    };
    assert_eq!(first.as_deref(), None);
    assert_eq!(second.as_deref(), Some("the refit"));
    assert_eq!(third.as_deref(), Some("the artifact in use"));
}
