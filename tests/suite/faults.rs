//! I/O errors, signals and kills at every system call that publishing makes on the store: afterwards the store is intact, the
//! message and the exit code are right, and the same run again succeeds without manual repair.
//!
//! By default every sixth call gets one fault of each kind; `TESSERA_FAULTS=all` takes every call. Of 60 sizes of a full disk it is
//! every sixth as well.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::inject::{Call, Fault, injector, run_with};
use crate::program::{bounded, json, root, run, skipped};

const ENOSPC: Fault = Fault::Errno(28);
const EIO: Fault = Fault::Errno(5);
const EDQUOT: Fault = Fault::Errno(122);
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// A shop with a pipeline file and, if asked for, a store with the version of a day.
struct Shop {
    dir: tempfile::TempDir,
    file: String,
}

impl Shop {
    fn new(published: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = crate::latest::shop(dir.path());
        std::fs::create_dir(dir.path().join("work")).unwrap();
        if published {
            run(&["run", &file, "--as-of", "2026-09-30", "--quiet"], 0);
        }
        Self { dir, file }
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn arguments(&self) -> Vec<String> {
        let work = self.work().display().to_string();
        [
            "run",
            &self.file,
            "--as-of",
            "2026-10-31",
            "--quiet",
            "--threads",
            "2",
            "--work",
            &work,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn run_with(&self, fault: Fault, number: usize) -> (Output, Vec<Call>) {
        let arguments = self.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run_with(&self.store(), fault, number, &arguments)
    }

    /// Number of versions; 0 where there is no store yet.
    fn versions(&self) -> usize {
        if !self.store().join("FORMAT").exists() {
            return 0;
        }
        let store = self.store().display().to_string();
        let listed = json(&run(&["snapshots", &store, "--json"], 0));
        listed.as_array().map_or(0, Vec::len)
    }

    /// The same run again succeeds, and then the store is complete and verifies.
    fn assert_recovers(&self, context: &str) {
        let output = bounded(crate::program::tessera().args(self.arguments()));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(0),
            "rerun after {context}: {stderr}"
        );
        let store = self.store().display().to_string();
        let verified = json(&run(&["verify", &store, "--json"], 0));
        assert_eq!(
            verified["stale_hints"].as_array().map(Vec::len),
            Some(0),
            "{context}"
        );
        let shown = std::fs::read_link(self.store().join("latest")).unwrap();
        assert!(shown.to_string_lossy().contains("2026-10-31"), "{context}");
        let version = self.versions();
        let report = self.store().join(format!("reports/version-{version}.html"));
        assert!(
            std::fs::metadata(&report).unwrap().len() > 1_000,
            "{context}"
        );
    }
}

/// The numbers of the calls that get a fault: all of them, or every sixth, beginning at another call for every kind.
fn chosen(calls: usize, kind: usize) -> Vec<usize> {
    let all = std::env::var("TESSERA_FAULTS").is_ok_and(|which| which == "all");
    let step = if all { 1 } else { 6 };
    let first = if all { 0 } else { 2 * kind % 6 };
    (1..=calls).skip(first).step_by(step).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Checks that a message does not contain terms of libraries or of the Rust language.
fn assert_plain(message: &str, context: &str) {
    for word in ["unwrap()", "inner writer", "internal", "panicked", "::"] {
        assert!(!message.contains(word), "{context}: {message}");
    }
}

fn every_error(published: bool) {
    if injector().is_none() {
        return;
    }
    let before = usize::from(published);
    let calls = Shop::new(published).run_with(Fault::Count, 0).1;
    assert!(calls.len() > 40, "the calls are seen: {calls:?}");
    let commit = calls
        .iter()
        .position(|call| call.path.starts_with("/commits/0"));
    assert!(
        commit.is_some_and(|at| calls[at].name == "linkat"),
        "{calls:?}"
    );
    let faults = [
        (ENOSPC, "No space left on device"),
        (EIO, "Input/output error"),
        (EDQUOT, "Disk quota exceeded"),
    ];
    for (kind, (fault, words)) in faults.into_iter().enumerate() {
        for number in chosen(calls.len(), kind) {
            let shop = Shop::new(published);
            let (output, seen) = shop.run_with(fault, number);
            let Some(call) = seen.get(number - 1) else {
                continue;
            };
            let context = format!("{fault:?} at {number} {} {}", call.name, call.path);
            let message = stderr(&output);
            let versions = shop.versions();
            match output.status.code() {
                // The name in LOCK is used only in messages; every run writes the `latest` names again.
                Some(0) => {
                    assert_eq!(
                        (call.path.as_str(), versions),
                        ("/LOCK", before + 1),
                        "{context}"
                    );
                    assert_ne!(call.name, "create", "{context}");
                }
                Some(4) => {
                    assert_eq!(versions, before, "{context}: {message}");
                    assert!(
                        message.contains("nothing was published"),
                        "{context}: {message}"
                    );
                }
                Some(6) => {
                    let named = format!("version {}", before + 1);
                    assert!(message.contains(&named), "{context}: {message}");
                    assert_eq!(versions, before + 1, "{context}: {message}");
                }
                code => panic!("{context}: exit code {code:?}: {message}"),
            }
            if output.status.code() != Some(0) {
                assert!(message.contains(words), "{context}: {message}");
                let store = shop.store().display().to_string();
                assert!(message.contains(&store), "the path: {context}: {message}");
                assert_plain(&message, &context);
            }
            shop.assert_recovers(&context);
        }
    }
}

#[test]
fn an_error_of_the_disk_at_any_call_is_named_and_a_rerun_completes_the_version() {
    every_error(true);
}

#[test]
fn an_error_of_the_disk_while_the_store_is_founded_is_named_and_a_rerun_succeeds() {
    every_error(false);
}

#[test]
fn a_signal_at_any_call_publishes_nothing_or_completes_the_version_and_says_which() {
    if injector().is_none() {
        return;
    }
    let calls = Shop::new(true).run_with(Fault::Count, 0).1;
    let faults = [
        Fault::Signal(SIGINT),
        Fault::Signal(SIGTERM),
        Fault::Twice(SIGTERM),
        Fault::Kill,
    ];
    for (kind, fault) in faults.into_iter().enumerate() {
        for number in chosen(calls.len(), kind) {
            let shop = Shop::new(true);
            let (output, seen) = shop.run_with(fault, number);
            let Some(call) = seen.get(number - 1) else {
                continue;
            };
            let context = format!("{fault:?} at {number} {} {}", call.name, call.path);
            let message = stderr(&output);
            let published = shop.versions() == 2;
            match (output.status.code(), fault) {
                (Some(137), Fault::Kill) => {}
                (Some(130), _) => {
                    assert!(!published, "{context}: {message}");
                    assert!(
                        message.contains("nothing was published"),
                        "{context}: {message}"
                    );
                }
                (Some(0), _) => assert!(published, "{context}: {message}"),
                (Some(6), Fault::Twice(_)) => {
                    assert!(message.contains("interrupted"), "{context}: {message}");
                }
                (code, _) => panic!("{context}: exit code {code:?}: {message}"),
            }
            if fault != Fault::Kill {
                let left = std::fs::read_dir(shop.work()).unwrap().count();
                assert_eq!(left, 0, "{context}: work files are removed");
            }
            shop.assert_recovers(&context);
        }
    }
}

/// Runs a shell script in which `$1` is an empty file system of that many KiB, on a machine that allows it.
fn on_a_disk_of(kibibytes: usize, at: &Path, script: &str) -> Option<Output> {
    let mounted = format!("mount -t tmpfs -o size={kibibytes}k tmpfs \"$1\" || exit 99\n{script}");
    let output = bounded(
        Command::new("unshare")
            .args([
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                &mounted,
                "sh",
            ])
            .arg(at)
            .arg(env!("CARGO_BIN_EXE_tessera"))
            .current_dir(root()),
    );
    let possible = !stderr(&output).contains("unshare") && output.status.code() != Some(99);
    if !possible {
        return skipped("the system does not let a test mount a file system");
    }
    Some(output)
}

/// Sizes of a disk, in KiB: all of 60, or every sixth.
fn sizes(largest: usize) -> Vec<usize> {
    let sizes = (1..=60).map(|step| (largest * step / 60).max(4));
    let numbers = chosen(60, 0);
    sizes
        .enumerate()
        .filter(|(at, _)| numbers.contains(&(at + 1)))
        .map(|(_, size)| size)
        .collect()
}

/// Where a disk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Store,
    Work,
}

/// A run of which one folder is a disk of that many KiB, and the same run once there is room. Returns the exit code of the first,
/// or nothing on a machine that does not let a test mount a disk.
fn run_on_a_full_disk(place: Place, kibibytes: usize) -> Option<i32> {
    let shop = Shop::new(place != Place::Store);
    let orders =
        (0..20_000).map(|row| format!("c{},2026-10-{:02},{row}\n", row % 5_000, 1 + row % 30));
    let header = "customer_id,ordered_at,amount\n".to_owned();
    let lake = shop.dir.path().join("lake/orders.csv");
    std::fs::write(lake, header + &orders.collect::<String>()).unwrap();
    let full = match place {
        Place::Store => shop.store(),
        Place::Work => shop.work(),
    };
    std::fs::create_dir_all(&full).unwrap();
    let run = format!("\"$2\" {}", shop.arguments().join(" "));
    let script = format!(
        "{run}\ncode=$?\nmount -o remount,size=64m \"$1\"\n{run} || exit 98\n\
         \"$2\" verify '{}' || exit 97\nexit $code",
        shop.store().display()
    );
    let output = on_a_disk_of(kibibytes, &full, &script)?;
    let (message, context) = (stderr(&output), format!("{kibibytes} KiB for {place:?}"));
    let code = output.status.code();
    match code {
        Some(0) => {}
        Some(4) => {
            assert!(
                message.contains("nothing was published"),
                "{context}: {message}"
            );
        }
        Some(6) if place == Place::Store => {
            assert!(message.contains(" is published"), "{context}: {message}");
        }
        code => panic!("{context}: {code:?}: {message}"),
    }
    if code != Some(0) {
        let folder = full.display().to_string();
        for words in ["No space left on device", &folder] {
            assert!(message.contains(words), "{context}: {message}");
        }
        assert_plain(&message, &context);
    }
    code
}

/// The store and the folder of work files on disks of different sizes: a run succeeds, or names the full disk and says whether a
/// version was published (which it is where the tables had room and the report did not), and then succeeds where there is room.
#[test]
fn a_full_disk_of_any_size_is_named_and_a_larger_one_helps() {
    for (place, largest, expected) in [
        (Place::Store, 720, vec![0, 4, 6]),
        (Place::Work, 1_200, vec![0, 4]),
    ] {
        let mut codes = BTreeSet::new();
        for kibibytes in sizes(largest) {
            let Some(code) = run_on_a_full_disk(place, kibibytes) else {
                return;
            };
            codes.insert(code);
        }
        assert_eq!(codes.into_iter().collect::<Vec<_>>(), expected, "{place:?}");
    }
}
