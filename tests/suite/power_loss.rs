//! What a power loss may take: a file's bytes that were not synced, and names whose folder was not synced since. The calls of a
//! run, as the kernel reports them, are followed with these two rules. When a commit gets its name, nothing that it names may
//! still be lost, and when a run ends with exit code 0 nothing of the store may be, the report included.

use std::collections::{BTreeMap, BTreeSet};

use crate::inject::{Call, Fault, injector, run_with};
use crate::program::run;

/// A disk of which only what was synced is sure to be there after a power loss.
#[derive(Debug, Default)]
struct Disk {
    /// The file behind every name; a folder is a file that is never written.
    names: BTreeMap<String, usize>,
    /// Files whose last bytes were not synced.
    unsynced: BTreeSet<usize>,
    /// Names that were made or moved since their folder was synced.
    unsure: BTreeSet<String>,
    files: usize,
}

impl Disk {
    fn follow(&mut self, call: &Call) {
        match call.name.as_str() {
            "create" | "mkdir" | "mkdirat" | "symlink" | "symlinkat" => self.make(&call.path),
            "write" | "pwrite" | "writev" | "ftruncate" => {
                self.make(&call.path);
                self.unsynced.insert(self.names[&call.path]);
            }
            "fsync" | "fdatasync" => {
                self.make(&call.path);
                self.unsynced.remove(&self.names[&call.path]);
                self.unsure.retain(|name| parent(name) != call.path);
            }
            "link" | "linkat" | "rename" | "renameat" | "renameat2" => {
                let from = call.from.as_ref().unwrap();
                self.make(from);
                let file = self.names[from];
                self.names.insert(call.path.clone(), file);
                self.unsure.insert(call.path.clone());
                if call.name.starts_with("rename") {
                    self.names.remove(from);
                    self.unsure.remove(from);
                }
            }
            other => panic!("a call that this test does not know: {other}"),
        }
    }

    /// Gives a name to a new file, unless it has one.
    fn make(&mut self, path: &str) {
        if !self.names.contains_key(path) {
            self.files += 1;
            self.names.insert(path.to_owned(), self.files);
            self.unsure.insert(path.to_owned());
        }
    }

    /// The names that fit and that a power loss may take, or whose bytes it may.
    fn may_be_lost(&self, fits: impl Fn(&str) -> bool) -> Vec<String> {
        let is_lost = |(path, file): &(&String, &usize)| {
            fits(path) && (self.unsynced.contains(file) || self.path_is_unsure(path))
        };
        let lost = self.names.iter().filter(is_lost);
        lost.map(|(path, _)| path.clone()).collect()
    }

    fn path_is_unsure(&self, path: &str) -> bool {
        let mut part = path;
        while !part.is_empty() {
            if self.unsure.contains(part) {
                return true;
            }
            part = parent(part);
        }
        false
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Whether something is more than a work file or the name of the holder of a lock.
fn lasts(path: &str) -> bool {
    path.starts_with("/store/") && !path.starts_with("/store/tmp/") && path != "/store/LOCK"
}

/// Follows the calls of a run that publishes, and returns how many files there are then.
fn assert_durable(disk: &mut Disk, calls: &[Call], commit: &str) -> usize {
    let mut committed = false;
    for call in calls {
        if call.path == commit && call.name == "linkat" {
            let needed = |path: &str| {
                lasts(path)
                    && ["data", "artifacts", "inputs", "FORMAT"]
                        .iter()
                        .any(|part| path[7..].starts_with(part))
            };
            assert_eq!(
                disk.may_be_lost(needed),
                Vec::<String>::new(),
                "what {commit} names"
            );
            let file = call.from.as_deref().unwrap();
            let itself = |path: &str| path == file;
            assert!(
                !disk.unsynced.contains(&disk.names[file]),
                "{:?}",
                disk.may_be_lost(itself)
            );
            committed = true;
        }
        disk.follow(call);
    }
    assert!(committed, "{commit} is among the calls");
    assert_eq!(
        disk.may_be_lost(lasts),
        Vec::<String>::new(),
        "after exit code 0"
    );
    disk.names.keys().filter(|path| lasts(path)).count()
}

#[test]
fn nothing_of_a_version_or_its_report_is_lost_with_the_power_after_a_run() {
    if injector().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = crate::latest::shop(dir.path());
    let text = std::fs::read_to_string(&file).unwrap();
    let scheme =
        "\n[schemes.rfm]\nkind = \"rfm_grid\"\ngrid = \"eleven\"\nscore_method = \"midrank\"\n";
    std::fs::write(&file, text + scheme).unwrap();
    let mut disk = Disk::default();
    for (day, commit) in [("2026-09-30", 1), ("2026-10-31", 2)] {
        let commit = format!("/store/commits/{commit:020}.json");
        let arguments = ["run", &file, "--as-of", day, "--quiet"];
        let (output, calls) = run_with(dir.path(), Fault::Count, 0, &arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let files = assert_durable(&mut disk, &calls, &commit);
        assert!(files > 20, "tables, commit, report, hints: {files}");
    }
    // A report that was lost is written again by the next run of that day, and is durable as well.
    let report = dir.path().join("store/reports/version-2.html");
    std::fs::write(&report, "").unwrap();
    let arguments = ["run", &file, "--as-of", "2026-10-31", "--quiet"];
    let (output, calls) = run_with(dir.path(), Fault::Count, 0, &arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let written = |call: &Call| call.path == "/store/reports/version-2.html";
    assert!(calls.iter().any(written), "{calls:?}");
    calls.iter().for_each(|call| disk.follow(call));
    assert_eq!(disk.may_be_lost(lasts), Vec::<String>::new());
    assert!(std::fs::metadata(&report).unwrap().len() > 1_000);
    run(
        &["verify", &dir.path().join("store").display().to_string()],
        0,
    );
}

#[test]
fn the_rules_find_a_sync_that_is_missing() {
    let call = |name: &str, path: &str, from: Option<&str>| Call {
        name: name.to_owned(),
        path: path.to_owned(),
        from: from.map(str::to_owned),
    };
    let all = [
        call("mkdir", "/store", None),
        call("fsync", "", None),
        call("mkdirat", "/store/data", None),
        call("create", "/store/data/t.parquet", None),
        call("write", "/store/data/t.parquet", None),
        call("fsync", "/store/data/t.parquet", None),
        call("fsync", "/store/data", None),
        call("create", "/store/tmp/c", None),
        call("write", "/store/tmp/c", None),
        call("fsync", "/store/tmp/c", None),
        call("fsync", "/store", None),
        call("linkat", "/store/commits/1", Some("/store/tmp/c")),
        call("fsync", "/store/commits", None),
        call("fsync", "/store", None),
    ];
    let followed = |calls: &[Call]| assert_durable(&mut Disk::default(), calls, "/store/commits/1");
    assert_eq!(followed(&all), 4);
    for (at, _) in all
        .iter()
        .enumerate()
        .filter(|(_, call)| call.name == "fsync")
    {
        let without: Vec<Call> = [&all[..at], &all[at + 1..]].concat();
        let found = std::panic::catch_unwind(|| followed(&without));
        assert!(found.is_err(), "without call {at}: {:?}", all[at]);
    }
}
