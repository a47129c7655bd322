//! The number of threads does not change a published byte.

use crate::program::run;

#[test]
fn one_two_and_eight_threads_publish_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 2_000);
    let lake = format!("lake={path}/lake");
    let mut published: Vec<Vec<(String, Vec<u8>)>> = Vec::new();
    for threads in ["1", "2", "8"] {
        let out = dir.path().join(threads);
        let out_var = format!("out={}", out.display());
        run(
            &[
                "run",
                "pipelines/demo.toml",
                "--as-of",
                "2026-10-31",
                "--var",
                &lake,
                "--var",
                &out_var,
                "--quiet",
                "--threads",
                threads,
            ],
            0,
        );
        let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(out.join("demo/latest"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (
                    entry.file_name().to_string_lossy().into_owned(),
                    std::fs::read(entry.path()).unwrap(),
                )
            })
            .collect();
        files.sort();
        assert_eq!(files.len(), 20);
        published.push(files);
    }
    for (other, threads) in published[1..].iter().zip(["2", "8"]) {
        for (mine, theirs) in published[0].iter().zip(other) {
            assert!(
                mine == theirs,
                "{} differs between 1 and {threads} threads",
                mine.0
            );
        }
    }
}
