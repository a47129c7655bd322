//! Readers that follow docs/bi.md see the same version in all tables, even while many writers publish.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chrono::{Days, NaiveDate};

use crate::oracle::{python, script};
use crate::program::{json, run, tessera_at_low_priority};

/// Processes that publish at the same time.
const WRITERS: u64 = 8;

/// Number of reads; `TESSERA_READS` takes another.
const READS: u64 = 60;

/// Reads of one store. The writers never stop meanwhile, and a store with thousands of versions is slow to read.
const READS_OF_A_STORE: u64 = 250;

#[test]
fn readers_by_the_documented_ways_never_mix_versions() {
    let Some(python) = python() else { return };
    let reads = std::env::var("TESSERA_READS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(READS);
    let rounds = reads.div_ceil(READS_OF_A_STORE);
    for _ in 0..rounds {
        read_beside_writers(&python, reads.div_ceil(rounds));
    }
}

fn read_beside_writers(python: &Path, reads: u64) {
    let dir = tempfile::tempdir().unwrap();
    let file = crate::latest::shop(dir.path());
    let scheme =
        "\n[schemes.rfm]\nkind = \"rfm_grid\"\ngrid = \"eleven\"\nscore_method = \"midrank\"\n";
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + scheme).unwrap();
    let store = dir.path().join("store").display().to_string();
    let first = NaiveDate::from_ymd_opt(2026, 10, 31).unwrap();
    run(&["run", &file, "--as-of", "2026-10-31", "--quiet"], 0);
    let (done, next, published) = (AtomicBool::new(false), AtomicU64::new(1), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let day = first + Days::new(next.fetch_add(1, Ordering::Relaxed));
                    // Writers that take all cores would leave the reader few reads.
                    let status = tessera_at_low_priority()
                        .args(["run", &file, "--as-of", &day.to_string(), "--allow-future"])
                        // On a machine that is busy with other work, eight writers wait for one another.
                        .args(["--quiet", "--threads", "1", "--lock-wait", "10m"])
                        .output()
                        .unwrap()
                        .status;
                    assert_eq!(status.code(), Some(0), "{day}");
                    published.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let read = std::panic::catch_unwind(|| {
            let program = env!("CARGO_BIN_EXE_tessera");
            let read = || script(python, "mixes.py", &[&store, program, &reads.to_string()]);
            read();
            // On a machine that is busy with other work, the writers have hardly begun.
            while published.load(Ordering::Relaxed) <= WRITERS {
                read();
            }
        });
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = read {
            std::panic::resume_unwind(panic);
        }
    });
    assert!(published.into_inner() > WRITERS);
    assert_eq!(json(&run(&["verify", &store, "--json"], 0))["sound"], true);
}
