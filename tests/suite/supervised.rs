//! A child process that is ended while it reads: the parent names the file, states what is published and removes all files of the
//! run.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate};
use rustix::process::{Pid, Signal, kill_process};

use crate::inject::{Call, Fault, injector, run_with};
use crate::program::{bounded, json, run, tessera};

const SIGINT: i32 = 2;
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
const SIGTERM: i32 = 15;

/// A demo lake, and a folder for the files of its runs.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(customers: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display().to_string();
        crate::program::demo(&path, customers);
        fs::create_dir(dir.path().join("work")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let (lake, out) = (self.path("lake"), self.path("store"));
        let mut arguments = vec!["run".to_owned(), "pipelines/demo.toml".to_owned()];
        arguments.extend(["--as-of", "2026-09-30", "--threads", "2"].map(str::to_owned));
        arguments.extend(["--var".to_owned(), format!("lake={lake}")]);
        arguments.extend(["--var".to_owned(), format!("out={out}")]);
        arguments.extend(["--work".to_owned(), self.path("work")]);
        arguments.extend(more.iter().map(|more| (*more).to_owned()));
        arguments
    }

    /// Versions in the store, of which the demo has made one.
    fn versions(&self) -> usize {
        let listed = run(&["snapshots", &self.path("store/demo"), "--json"], 0);
        json(&listed).as_array().unwrap().len()
    }

    fn assert_clean(&self, context: &str) {
        let left = fs::read_dir(self.path("work")).unwrap().count();
        assert_eq!(left, 0, "{context}: files of the run are removed");
    }

    /// Starts a run and waits until it has read a source.
    fn started(&self) -> (Child, impl Iterator<Item = String> + use<>) {
        let mut child = tessera()
            .args(self.arguments(&["--log-format", "json"]))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        assert!(lines.any(|line| line.contains("\"stage\":")));
        (child, lines)
    }
}

/// The child of a process.
fn child_of(pid: u32) -> u32 {
    let path = format!("/proc/{pid}/task/{pid}/children");
    fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

fn send(signal: i32, target: &str) {
    let signal = format!("-{signal}");
    let sent = Command::new("kill").args([&signal, "--", target]).status();
    assert!(sent.unwrap().success());
}

/// Whether a thread of the process has not ended yet. What has ended and was not waited for (a zombie) holds no files any more, and
/// so no locks.
fn is_alive(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    threads.flatten().any(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The name, in parentheses, may contain anything.
        let state = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next());
        state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
    })
}

#[test]
fn the_file_at_which_a_library_aborts_is_named_and_nothing_is_published() {
    if injector().is_none() {
        return;
    }
    let place = Place::new(200);
    let lake = place.dir.path().join("lake");
    let metrics = place.path("metrics.prom");
    let arguments = place.arguments(&["--log-format", "json", "--metrics", &metrics]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // Counts what is opened.
    let opened = run_with(&lake, Fault::Die(0), 0, &arguments).1;
    let places: Vec<usize> = (1..=opened.len())
        .filter(|number| opened[number - 1].path.ends_with(".parquet"))
        .collect();
    assert!(places.len() > 40, "{opened:?}");
    fs::remove_dir_all(place.path("store/demo/data/as_of=2026-09-30")).unwrap();
    fs::remove_dir_all(place.path("store")).unwrap();
    for (signal, name) in [(SIGABRT, "SIGABRT"), (SIGSEGV, "SIGSEGV")] {
        for number in [
            places[0],
            places[places.len() / 2],
            places[places.len() - 2],
        ] {
            let (output, seen) = run_with(&lake, Fault::Die(signal), number, &arguments);
            let Call { path, .. } = &seen[number - 1];
            let context = format!("{name} at {path}");
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(3), "{context}: {text}");
            let lines = text.lines().map(|line| {
                let line: serde_json::Value = serde_json::from_str(line)
                    .unwrap_or_else(|error| panic!("{context}: {error}: {line}"));
                line["message"].as_str().unwrap().to_owned()
            });
            let lines: Vec<String> = lines.collect();
            let error = lines.iter().find(|line| line.starts_with("error: "));
            let error = error.unwrap_or_else(|| panic!("{context}: {text}"));
            for words in [path.as_str(), name, "source `", "nothing was published"] {
                assert!(error.contains(words), "{context}: {error}");
            }
            let summary = lines.last().unwrap();
            assert!(
                summary.starts_with(
                    "summary: demo as of 2026-09-30: nothing is published; exit code 3"
                ),
                "{context}: {summary}"
            );
            let told = fs::read_to_string(&metrics).unwrap();
            assert!(
                told.contains("tessera_run_exit_code{pipeline=\"demo\"} 3\n"),
                "{told}"
            );
            place.assert_clean(&context);
            assert!(!Path::new(&place.path("store/demo/latest")).exists());
        }
    }
    assert!(bounded(tessera().args(&arguments)).status.success());
}

#[test]
fn a_run_that_dies_after_its_commit_says_that_its_version_is_published() {
    if injector().is_none() {
        return;
    }
    let place = Place::new(200);
    let reports = place.dir.path().join("store/demo/reports");
    let (metrics, lineage) = (place.path("run.prom"), place.path("lineage.ndjson"));
    let arguments = place.arguments(&["--quiet", "--metrics", &metrics, "--lineage", &lineage]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (output, seen) = run_with(&reports, Fault::Die(SIGABRT), 1, &arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!seen.is_empty());
    assert_eq!(output.status.code(), Some(6), "{text}");
    assert!(text.contains("version 2 is published"), "{text}");
    assert!(!text.contains("nothing was published"), "{text}");
    assert_eq!(place.versions(), 2);
    place.assert_clean("after the commit");
    let events = fs::read_to_string(&lineage).unwrap();
    let events: Vec<serde_json::Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[0]["eventType"], "START");
    assert_eq!(events[0]["run"]["runId"], events[1]["run"]["runId"]);
    of_a_published_version(&events[1], &fs::read_to_string(&metrics).unwrap());
    let output = bounded(tessera().args(&arguments));
    assert!(output.status.success(), "the same run again completes it");
}

/// The event of the end and the metrics of a run that published version 2 of 200 customers, however it ended.
fn of_a_published_version(event: &serde_json::Value, metrics: &str) {
    assert_eq!(event["eventType"], "COMPLETE", "{event}");
    let outputs = event["outputs"].as_array().unwrap();
    let mut customers = outputs
        .iter()
        .filter(|table| table["name"].as_str().unwrap().ends_with("/customers"));
    let customers = customers.next().unwrap();
    let rows = &customers["outputFacets"]["outputStatistics"]["rowCount"];
    assert_eq!(customers["facets"]["version"]["datasetVersion"], "2");
    let version = customers["facets"]["dataSource"]["uri"].as_str().unwrap();
    assert!(version.contains("as_of%3D2026-09-30"), "{version}");
    for line in [
        "tessera_run_exit_code{pipeline=\"demo\"} 6".to_owned(),
        "tessera_run_published{pipeline=\"demo\"} 1".to_owned(),
        "tessera_version{pipeline=\"demo\"} 2".to_owned(),
        format!("tessera_table_rows{{pipeline=\"demo\",table=\"customers\"}} {rows}"),
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}: {metrics}"
        );
    }
}

#[test]
fn a_killed_reader_takes_the_run_with_it_and_a_killed_run_its_reader() {
    let place = Place::new(4_000);
    let (mut child, lines) = place.started();
    send(SIGKILL, &child_of(child.id()).to_string());
    let rest: Vec<String> = lines.collect();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(SIGKILL), "{rest:?}");
    let said = rest.join("\n");
    assert!(said.contains("was killed (SIGKILL)"), "{said}");
    assert!(said.contains("nothing was published"), "{said}");
    assert!(said.contains("--memory"), "{said}");
    place.assert_clean("the reader was killed");

    let (mut child, lines) = place.started();
    let reader = child_of(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    let started = Instant::now();
    while is_alive(reader) {
        assert!(started.elapsed() < Duration::from_secs(10), "{reader}");
        std::thread::sleep(Duration::from_millis(2));
    }
    drop(lines);
    assert_eq!(place.versions(), 1);
    run(
        &place
            .arguments(&["--quiet"])
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        0,
    );
    place.assert_clean("the run was killed, and ran again");
}

/// A terminal signals the whole process group, a service manager every process, `kill` one of them: each is one request to end.
#[test]
fn a_signal_to_the_run_to_its_reader_or_to_both_is_one_interrupt() {
    let place = Place::new(4_000);
    for signal in [SIGINT, SIGTERM] {
        for (run_too, reader_too) in [(true, false), (false, true), (true, true)] {
            let (mut child, lines) = place.started();
            let reader = child_of(child.id());
            let mut targets = Vec::new();
            targets.extend(run_too.then(|| child.id().to_string()));
            targets.extend(reader_too.then(|| reader.to_string()));
            for target in &targets {
                send(signal, target);
            }
            let said: Vec<String> = lines.collect();
            let said = said.join("\n");
            let context = format!("{signal} to {targets:?}");
            assert_eq!(child.wait().unwrap().code(), Some(130), "{context}: {said}");
            let stopped = said
                .matches("interrupted: stopping; nothing is published")
                .count();
            assert_eq!(stopped, 1, "{context}: {said}");
            place.assert_clean(&context);
        }
    }
    assert_eq!(place.versions(), 1);
}

/// Waits until something is there.
fn patient<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}

/// A backfill of the day and the next one, whose run and then the backfill itself are asked to end when the first day is committed
/// and its report is not written; `None` where the run was faster than this test. What works is stopped meanwhile, so that both
/// requests are there when it goes on; their signals differ, since the operating system makes one of two equal ones.
fn asked_after_the_commit(place: &Place, day: NaiveDate) -> Option<(Option<i32>, String)> {
    let version = place.versions() + 1;
    let (from, to) = (day.to_string(), (day + Days::new(1)).to_string());
    let arguments = place.arguments(&["--quiet"]);
    let mut backfill = tessera()
        .args(["backfill", "pipelines/demo.toml", "--every", "1d"])
        .args(["--from", &from, "--to", &to])
        .args(&arguments[4..])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let child = |pid: u32| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok();
    let child = |pid: u32| patient(|| child(pid)?.trim().parse::<u32>().ok());
    let run = child(backfill.id());
    let reader = Pid::from_raw(i32::try_from(child(run)).unwrap()).unwrap();
    let commit = place.path(&format!("store/demo/commits/{version:020}.json"));
    let report = place.path(&format!("store/demo/reports/version-{version}.html"));
    patient(|| Path::new(&commit).exists().then_some(()));
    let is_stopped = kill_process(reader, Signal::STOP).is_ok() && !Path::new(&report).exists();
    if is_stopped {
        send(SIGINT, &run.to_string());
        std::thread::sleep(Duration::from_millis(100));
        send(SIGTERM, &backfill.id().to_string());
        std::thread::sleep(Duration::from_millis(100));
    }
    let _ = kill_process(reader, Signal::CONT);
    let mut said = String::new();
    let mut stderr = backfill.stderr.take().unwrap();
    std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
    let code = backfill.wait().unwrap().code();
    if is_stopped {
        assert!(Path::new(&report).exists(), "{said}");
    }
    is_stopped.then_some((code, said))
}

/// One request to end, which reaches the run twice: the run completes the report of the day that it has committed, and no further
/// day is run.
#[test]
fn a_request_that_reaches_a_backfill_and_its_run_is_one_and_ends_the_backfill() {
    let place = Place::new(4_000);
    let first = NaiveDate::from_ymd_opt(2026, 8, 1).unwrap();
    let tries = (0..10).map(|number| first + Days::new(2 * number));
    let (code, said) = tries
        .filter_map(|day| asked_after_the_commit(&place, day))
        .next()
        .expect("ten runs were faster than this test");
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("the run completes "), "{said}");
    assert!(!said.contains("may be missing"), "{said}");
    assert!(
        said.contains("day 2 of 2; the same command goes on from there"),
        "{said}"
    );
}
