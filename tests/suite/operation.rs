//! What operators rely on: the stated day, waiting for data, metrics, lineage, the summary, and the recipes of docs/recipes, each
//! run or checked with its own validator.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::oracle::python;
use crate::program::{bounded, root, skipped, tessera};
use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};

/// An orders source with rows on these days.
fn lake(shop: &Shop, days: &[&str]) {
    let rows: String = days
        .iter()
        .enumerate()
        .map(|(number, day)| format!("c{number},{day},10\n"))
        .collect();
    shop.file(
        "orders/o.csv",
        &format!("customer_id,ordered_at,amount\n{rows}"),
    );
}

/// The output of a script of the oracle about a file, as JSON.
fn read(python: &Path, what: &str, file: &Path) -> serde_json::Value {
    let script = root().join("tests/oracle/operation.py");
    let output = bounded(Command::new(python).arg(script).arg(what).arg(file));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{what}: {told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The samples of a metrics file, as the Prometheus library reads them: by name and labels except the pipeline.
fn samples(python: &Path, file: &Path) -> BTreeMap<String, f64> {
    let read = read(python, "metrics", file);
    let sample = |sample: &serde_json::Value| {
        let labels = sample["labels"].as_object().unwrap();
        assert_eq!(labels["pipeline"], "shop");
        let others = labels.iter().filter(|(label, _)| *label != "pipeline");
        let others: Vec<String> = others
            .map(|(_, text)| text.as_str().unwrap().to_owned())
            .collect();
        let name = sample["name"]
            .as_str()
            .unwrap()
            .trim_start_matches("tessera_");
        let key = [vec![name.to_owned()], others].concat().join(" ");
        (key, sample["value"].as_f64().unwrap())
    };
    read.as_array().unwrap().iter().map(sample).collect()
}

#[test]
fn metrics_and_lineage_are_read_back_by_their_own_libraries() {
    let Some(python) = python() else { return };
    let shop = Shop::new();
    lake(
        &shop,
        &["2026-10-30", "2026-10-31", "31.10.2026", "2026-11-02"],
    );
    let (metrics, lineage) = (shop.path("shop \"x\".prom"), shop.path("lineage.ndjson"));
    let (to_metrics, to_lineage) = (metrics.display().to_string(), lineage.display().to_string());
    let files = [
        "--metrics",
        to_metrics.as_str(),
        "--lineage",
        to_lineage.as_str(),
    ];
    let run = |contract: &str, code: i32| {
        let output = shop.run(&[ORDERS, contract, RFM], "2026-10-31", &files);
        said(&output, code)
    };
    run(CONTRACT, 0);
    let first = samples(&python, &metrics);
    for (name, value) in [
        ("run_exit_code", 0.0),
        ("run_published", 1.0),
        ("version", 1.0),
        ("run_as_of_timestamp_seconds", 1_793_404_800.0),
        ("latest_as_of_timestamp_seconds", 1_793_404_800.0),
        ("table_rows customers", 2.0),
        ("source_rows orders used", 2.0),
        ("source_rows orders quarantined", 1.0),
        ("source_rows orders future", 1.0),
        ("source_rule_rows orders ordered_at is not a date", 1.0),
        ("source_rejected_ratio orders", 1.0 / 3.0),
        ("source_age_seconds orders", 86_400.0),
        // One about rejected rows, one about `[value]`, which is not declared.
        ("run_warnings", 2.0),
    ] {
        assert_eq!(first.get(name), Some(&value), "{name}: {first:#?}");
    }
    let stages = |samples: &BTreeMap<String, f64>, metric: &str| {
        samples.keys().filter(|key| key.starts_with(metric)).count()
    };
    assert!(stages(&first, "stage_seconds") >= 6);
    assert_eq!(
        stages(&first, "stage_peak_memory_bytes"),
        stages(&first, "stage_seconds")
    );
    assert!(first["run_peak_memory_bytes"] > 1e6);
    // A failed run keeps the time of the last success, and counts what it read.
    let fails = format!("{CONTRACT}conversions = \"fail\"\n");
    let told = run(&fails, 3);
    let second = samples(&python, &metrics);
    assert_eq!(second["run_exit_code"], 3.0);
    assert_eq!(second["run_published"], 0.0);
    assert_eq!(second.get("version"), None);
    assert_eq!(
        second["last_success_timestamp_seconds"],
        first["last_success_timestamp_seconds"]
    );
    assert_eq!(second["source_rows orders quarantined"], 1.0);
    assert_eq!(stages(&second, "stage_seconds"), 1);
    assert!(
        told.lines()
            .last()
            .unwrap()
            .contains("summary: shop as of 2026-10-31: nothing is published; exit code 3")
    );
    // An error in the pipeline file is found before the day of the run is known.
    run(&CONTRACT.replace("missing_key", "missing_kye"), 2);
    let third = samples(&python, &metrics);
    assert_eq!(third["run_exit_code"], 2.0);
    assert_eq!(
        third["last_success_timestamp_seconds"],
        first["last_success_timestamp_seconds"]
    );
    lineage_of_three_runs(&shop, &read(&python, "lineage", &lineage));
}

/// The events of a run that publishes and of two that fail.
fn lineage_of_three_runs(shop: &Shop, events: &serde_json::Value) {
    let events = events.as_array().unwrap();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["eventType"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["START", "COMPLETE", "START", "FAIL", "START", "FAIL"]
    );
    for pair in events.chunks(2) {
        assert_eq!(pair[0]["run"]["runId"], pair[1]["run"]["runId"]);
    }
    let input = &events[1]["inputs"][0];
    assert_eq!(
        input["name"],
        shop.path("lake/orders").display().to_string()
    );
    assert_eq!(input["inputFacets"]["inputStatistics"]["rowCount"], 4);
    assert_eq!(
        input["inputFacets"]["tessera_rowOutcomes"]["quarantined"],
        1
    );
    let outputs = events[1]["outputs"].as_array().unwrap();
    let customers = outputs
        .iter()
        .find(|table| table["name"].as_str().unwrap().ends_with("/customers"));
    let customers = customers.unwrap();
    assert_eq!(customers["outputFacets"]["outputStatistics"]["rowCount"], 2);
    assert_eq!(customers["facets"]["version"]["datasetVersion"], "1");
    assert_eq!(
        customers["facets"]["schema"]["fields"][1]["name"],
        "customer_id"
    );
    let error = &events[3]["run"]["facets"]["errorMessage"]["message"];
    assert!(
        error.as_str().unwrap().contains("ordered_at is not a date"),
        "{error}"
    );
}

/// A metrics file that cannot be written is reported before anything is read.
#[test]
fn a_metrics_file_that_cannot_be_written_is_noticed_first() {
    let shop = Shop::new();
    lake(&shop, &["2026-10-31"]);
    let nowhere = shop.path("nowhere/shop.prom").display().to_string();
    for option in ["--metrics", "--lineage"] {
        let output = shop.run(&[ORDERS, CONTRACT, RFM], "2026-10-31", &[option, &nowhere]);
        let told = said(&output, 4);
        assert!(
            told.contains("cannot write") && told.contains("nowhere/shop.prom"),
            "{told}"
        );
        assert!(!shop.published());
        let folder = shop.path("lake").display().to_string();
        let output = shop.run(&[ORDERS, CONTRACT, RFM], "2026-10-31", &[option, &folder]);
        assert!(said(&output, 4).contains("cannot write"));
        assert!(!shop.published());
    }
}

/// A file with a mistake still states the name of its pipeline, by which alerts and dashboards know it.
#[test]
fn a_failed_night_bears_the_name_of_its_pipeline() {
    let shop = Shop::new();
    lake(&shop, &["2026-10-31"]);
    said(&shop.run(&[ORDERS, CONTRACT, RFM], "2026-10-31", &[]), 0);
    let text = std::fs::read_to_string(shop.path("shop.toml")).unwrap();
    for wrong in ["curency = ", "currency = = "] {
        let night = shop.path("night.toml");
        std::fs::write(&night, text.replace("currency = ", wrong)).unwrap();
        let metrics = shop.path("night.prom");
        let mut command = tessera();
        command
            .arg("run")
            .arg(&night)
            .arg("--metrics")
            .arg(&metrics);
        let told = said(&bounded(&mut command), 2);
        assert!(
            told.contains("summary: shop: nothing is published"),
            "{told}"
        );
        let written = std::fs::read_to_string(&metrics).unwrap();
        assert!(written.contains("pipeline=\"shop\""), "{written}");
        assert!(!written.contains("pipeline=\"night\""), "{written}");
    }
}

/// Also where the run is refused for something else; where no name is known, the line names the file.
#[test]
fn a_run_that_is_refused_before_its_day_is_known_names_what_is_known() {
    let shop = Shop::new();
    lake(&shop, &["2026-10-31"]);
    said(&shop.run(&[ORDERS, CONTRACT, RFM], "2026-10-31", &[]), 0);
    let (night, none) = (shop.path("night.toml"), shop.path("none.toml"));
    std::fs::copy(shop.path("shop.toml"), &night).unwrap();
    let of_file = format!("summary: pipeline file {}: nothing", none.display());
    for (file, more, wanted) in [
        (&night, ["--as-of", "2999-01-01"], "summary: shop: nothing"),
        (&night, ["--plan", "none.json"], "summary: shop: nothing"),
        (&none, ["--as-of", "2026-10-31"], of_file.as_str()),
    ] {
        let metrics = shop.path("night.prom");
        let mut command = tessera();
        command.arg("run").arg(file).args(more);
        let told = said(&bounded(command.arg("--metrics").arg(&metrics)), 2);
        assert!(told.contains(wanted), "{told}");
        let written = std::fs::read_to_string(&metrics).unwrap();
        assert!(!written.contains("pipeline=\"night\""), "{written}");
    }
}

/// Without `--as-of` a run is for yesterday in the pipeline's time zone, and its first line states that.
#[test]
fn the_day_is_stated_first() {
    let shop = Shop::new();
    lake(&shop, &["2026-10-31"]);
    said(&shop.run(&[ORDERS, CONTRACT, RFM], "2026-10-31", &[]), 0);
    let text = std::fs::read_to_string(shop.path("shop.toml")).unwrap();
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        let there = text.replace("timezone = \"UTC\"", &format!("timezone = \"{zone}\""));
        let source = there.replace(
            "[sources.orders]\n",
            "[sources.orders]\ntime_zone = \"UTC\"\n",
        );
        std::fs::write(shop.path("shop.toml"), source).unwrap();
        let day = yesterday(zone);
        let mut command = tessera();
        command.arg("run").arg(shop.path("shop.toml")).args([
            "--var",
            &format!("lake={}", shop.path("lake").display()),
            "--var",
            &format!("out={}", shop.path(zone).display()),
        ]);
        let told = said(&bounded(&mut command), 0);
        let first = told.lines().next().unwrap();
        let expected = format!("shop: as of {day}, yesterday in {zone}");
        assert!(first.ends_with(&expected), "{first}, not {expected}");
    }
}

/// Yesterday in a time zone, from the program `date`.
fn yesterday(zone: &str) -> String {
    let output = Command::new("date")
        .args(["-d", "yesterday", "+%F"])
        .env("TZ", zone)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_run_before_its_data_is_told_to_wait() {
    let shop = Shop::new();
    lake(&shop, &["2026-10-29", "2026-10-30"]);
    let run = |data: &str, code: i32| {
        let settings = format!("[run]\ndata_through = \"{data}\"\n");
        said(
            &shop.run(
                &[ORDERS, CONTRACT, RFM, &settings],
                "2026-10-31",
                &["--quiet"],
            ),
            code,
        )
    };
    let told = run("as_of", 3);
    assert!(
        told.contains("source `orders` must be complete through 2026-10-31, and its newest used row is of 2026-10-30"),
        "{told}"
    );
    assert!(
        told.contains("nothing was published. Run again when these sources are loaded"),
        "{told}"
    );
    assert!(!shop.published());
    run("as_of - 1d", 0);
    run("tomorrow", 2);
    run("any", 2);
    // A source's own `data_through` replaces that of `[run]`.
    let settings = "[run]\ndata_through = \"as_of\"\n";
    let own = format!("{ORDERS}data_through = \"as_of - 2d\"\n");
    said(
        &shop.run(&[&own, CONTRACT, RFM, settings], "2026-10-31", &["--quiet"]),
        0,
    );
    let any = format!("{ORDERS}data_through = \"any\"\n");
    said(
        &shop.run(&[&any, CONTRACT, RFM, settings], "2026-10-31", &["--quiet"]),
        0,
    );
    // Rows of a later day show that the day itself was delivered.
    lake(&shop, &["2026-10-30", "2026-11-01"]);
    run("as_of", 0);
    // A row whose date does not convert does not count for the day.
    lake(&shop, &["2026-10-30", "31.10.2026"]);
    run("as_of", 3);
}

/// The recipes pass their own validators, and alerts name metrics that exist.
#[test]
fn recipes_are_what_their_schedulers_read() {
    let Some(python) = python() else { return };
    let named = read(&python, "recipes", &root().join("docs/recipes"));
    let shop = Shop::new();
    lake(&shop, &["2026-10-31"]);
    let metrics = shop.path("shop.prom");
    let file = metrics.display().to_string();
    said(
        &shop.run(
            &[ORDERS, CONTRACT, RFM],
            "2026-10-31",
            &["--metrics", &file],
        ),
        0,
    );
    let written = samples(&python, &metrics);
    let document = std::fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let name = |key: &str| format!("tessera_{}", key.split(' ').next().unwrap());
    let written: Vec<String> = written.keys().map(|key| name(key)).collect();
    for named in named.as_array().unwrap() {
        assert!(written.iter().any(|written| named == written), "{named}");
    }
    for written in written.iter().filter(|name| *name != "tessera_run_info") {
        assert!(
            document.contains(&format!("`{written}`")),
            "{written} is not in docs/operating.md"
        );
    }
}

/// systemd accepts the units, with the program where the service expects it.
#[test]
fn systemd_accepts_the_units() {
    let found = Command::new("systemd-analyze").arg("--version").output();
    if !found.is_ok_and(|found| found.status.success()) {
        return skipped("there is no systemd-analyze").unwrap_or(());
    }
    let dir = tempfile::tempdir().unwrap();
    let program = tessera().get_program().to_string_lossy().into_owned();
    for unit in ["tessera.service", "tessera.timer"] {
        let text = std::fs::read_to_string(root().join("docs/recipes").join(unit)).unwrap();
        let here = text.replace("/usr/local/bin/tessera", &program);
        std::fs::write(dir.path().join(unit), here).unwrap();
    }
    let output = bounded(
        Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .args(["tessera.service", "tessera.timer"].map(|unit| dir.path().join(unit))),
    );
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && !told.contains("tessera."),
        "{told}"
    );
}

/// The script of the cron recipe retries only after errors that a retry can resolve.
#[test]
fn the_nightly_script_tries_again_where_that_helps() {
    let shop = Shop::new();
    lake(&shop, &["2026-10-30"]);
    let settings = "[run]\ndata_through = \"as_of\"\n";
    said(
        &shop.run(&[ORDERS, CONTRACT, RFM, settings], "2026-10-31", &[]),
        3,
    );
    let bin = shop.path("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(tessera().get_program(), bin.join("tessera")).unwrap();
    let night = |file: &str, tries: &str| {
        let mut command = Command::new(root().join("docs/recipes/nightly.sh"));
        command
            .arg(shop.path(file))
            .args(["--as-of", "2026-10-31", "--var"])
            .arg(format!("lake={}", shop.path("lake").display()))
            .arg("--var")
            .arg(format!("out={}", shop.path("store").display()))
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("TMPDIR", env!("CARGO_TARGET_TMPDIR"))
            .envs([("TESSERA_TRIES", tries), ("TESSERA_WAIT_SECONDS", "1")]);
        command
    };
    let tried = |output: &std::process::Output| {
        String::from_utf8_lossy(&output.stderr)
            .matches("summary: ")
            .count()
    };
    let mistaken = bounded(&mut night("missing.toml", "3"));
    assert_eq!((mistaken.status.code(), tried(&mistaken)), (Some(2), 1));
    let late = bounded(&mut night("shop.toml", "2"));
    assert_eq!((late.status.code(), tried(&late)), (Some(3), 2));
    // The data arrives while the script waits.
    let running = night("shop.toml", "30")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    lake(&shop, &["2026-10-30", "2026-10-31"]);
    let done = running.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(0));
    assert!(tried(&done) >= 2);
}

/// `--quiet` leaves out progress, not what is wrong with the pipeline file.
#[test]
fn warnings_about_the_pipeline_file_are_shown_and_counted_with_quiet() {
    let shop = Shop::new();
    lake(
        &shop,
        &["2026-10-31", "2026-10-30", "2026-10-29", "2026-10-28"],
    );
    let goal =
        "[goal]\nobjective = \"retention\"\nkpi = \"recency_days\"\ntarget = { above = 5 }\n";
    let parts = [ORDERS, CONTRACT, RFM, goal];
    let count = |told: &str| told.split("summary: ").nth(1).unwrap().to_owned();
    let plain = said(&shop.run(&parts, "2026-10-31", &[]), 0);
    let quiet = said(&shop.run(&parts, "2026-10-31", &["--quiet"]), 0);
    for told in [&plain, &quiet] {
        assert!(told.contains("warning[TS-G018]"), "{told}");
    }
    // One about the goal, one about `[value]`, which is not declared.
    assert!(count(&plain).contains("2 warnings"), "{plain}");
    let json = said(
        &shop.run(&parts, "2026-10-31", &["--quiet", "--log-format", "json"]),
        0,
    );
    let of_file = json.lines().find(|line| line.contains("TS-G018")).unwrap();
    let line: serde_json::Value = serde_json::from_str(of_file).unwrap();
    assert_eq!(line["level"], "WARN");
}
