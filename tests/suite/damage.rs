//! Damaged pipeline files and damaged Parquet files: an error that names the place, never a panic.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::program::{root, run, tessera};

/// Number of mutants of each kind; `TESSERA_MUTANTS` takes another.
pub(crate) fn mutants() -> usize {
    std::env::var("TESSERA_MUTANTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(60)
}

/// Changes, removes, repeats or inserts a few bytes.
pub(crate) fn mutate(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..6) {
        if bytes.is_empty() {
            return;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..5) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => {
                let end = (at + random.random_range(1..40)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                let end = (at + random.random_range(1..40)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
}

#[test]
fn mutated_pipeline_files_are_told_with_their_place() {
    let original = std::fs::read(root().join("pipelines/demo.toml")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mutant.toml");
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for number in 0..mutants() {
        let mut bytes = original.clone();
        mutate(&mut bytes, &mut random);
        std::fs::write(&file, &bytes).unwrap();
        let output = tessera()
            .args(["check", "--no-lake", file.to_str().unwrap()])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(0 | 2)),
            "mutant {number}: {:?}\n{stderr}",
            output.status
        );
        if output.status.code() == Some(2) {
            assert!(
                stderr.contains("mutant.toml"),
                "mutant {number} does not name the file:\n{stderr}"
            );
        }
    }
}

/// Row groups are selected by the statistics of their times. If these state that all rows are of the next year and no value is,
/// the rows are neither counted as future nor left out without a message.
#[test]
fn statistics_that_contradict_the_values_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 100);
    let victim = dir.path().join("lake/orders/month=2026-01/part-0.parquet");
    let mut bytes = std::fs::read(&victim).unwrap();
    let reader = SerializedFileReader::new(std::fs::File::open(&victim).unwrap()).unwrap();
    let groups = reader.metadata().row_groups();
    let times = groups.iter().flat_map(|group| group.columns());
    let times = times.filter(|column| column.column_path().string() == "ordered_at");
    let footer = bytes.len() - 8 - u32_at_end(&bytes) as usize;
    for statistics in times.filter_map(|column| column.statistics()) {
        let edges = [statistics.min_bytes_opt(), statistics.max_bytes_opt()];
        for edge in edges.into_iter().flatten() {
            let year_later = i64::from_le_bytes(edge.try_into().unwrap()) + 366 * 86_400_000_000;
            let places: Vec<usize> = (footer..bytes.len() - 8)
                .filter(|at| bytes[*at..].starts_with(edge))
                .collect();
            assert!(!places.is_empty(), "the footer states the times");
            for at in places {
                bytes[at..at + 8].copy_from_slice(&year_later.to_le_bytes());
            }
        }
    }
    std::fs::write(&victim, &bytes).unwrap();
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/again"));
    let day = "2026-10-31";
    let arguments = [
        "run",
        "pipelines/demo.toml",
        "--as-of",
        day,
        "--var",
        &lake,
        "--var",
        &out,
    ];
    let said = String::from_utf8(run(&arguments, 3).stderr).unwrap();
    assert!(
        said.contains("month=2026-01/part-0.parquet")
            && said.contains("the statistics of its row groups contradict its values"),
        "{said}"
    );
}

fn u32_at_end(bytes: &[u8]) -> u32 {
    let length = &bytes[bytes.len() - 8..bytes.len() - 4];
    u32::from_le_bytes(length.try_into().unwrap())
}

#[test]
fn mutated_parquet_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 100);
    let victim = dir.path().join("lake/orders/month=2026-01/part-0.parquet");
    let original = std::fs::read(&victim).unwrap();
    let lake = format!("lake={path}/lake");
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for number in 0..mutants() {
        let mut bytes = original.clone();
        mutate(&mut bytes, &mut random);
        if bytes == original {
            continue;
        }
        std::fs::write(&victim, &bytes).unwrap();
        let out = format!("out={path}/mutant-{number}");
        let output = tessera()
            .args([
                "run",
                "pipelines/demo.toml",
                "--as-of",
                "2026-10-31",
                "--var",
                &lake,
                "--var",
                &out,
                "--quiet",
            ])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        // A flipped bit in a value gives another value; anything that cannot be read is an error that names the file.
        assert!(
            matches!(output.status.code(), Some(0 | 2 | 3)),
            "mutant {number}: {:?}\n{stderr}",
            output.status
        );
        if output.status.code() != Some(0) {
            assert!(
                stderr.contains("orders") && !stderr.contains("internal"),
                "mutant {number}:\n{stderr}"
            );
        }
    }
}

#[test]
fn empty_foreign_truncated_and_encrypted_files_each_give_one_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 100);
    let victim = dir.path().join("lake/orders/month=2026-01/part-0.parquet");
    let original = std::fs::read(&victim).unwrap();
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/other"));
    let mut encrypted = original.clone();
    let end = encrypted.len();
    encrypted[end - 4..].copy_from_slice(b"PARE");
    let half = original[..original.len() / 2].to_vec();
    for (bytes, said) in [
        (Vec::new(), "the file is empty"),
        (
            b"a,b\n1,2\nthis is no Parquet".to_vec(),
            "does not end like a Parquet file",
        ),
        (half, "does not end like a Parquet file"),
        (encrypted, "encrypted"),
    ] {
        std::fs::write(&victim, &bytes).unwrap();
        let output = run(
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
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            stderr.contains(said) && stderr.contains("month=2026-01/part-0.parquet"),
            "{stderr}"
        );
    }
}

/// A published table has checksums. When it is a source of another pipeline, a flipped bit is reported or changes nothing.
#[test]
fn flipped_bits_of_files_with_checksums_are_never_published() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 100);
    let original = std::fs::read(dir.path().join("store/demo/latest/customers.parquet")).unwrap();
    let pipeline = dir.path().join("again.toml");
    let text = r#"
spec_version = 1
name = "again"
timezone = "UTC"
currency = "EUR"
store = "${out}"
[vars]
out = "."
lake = "."
[customer]
key = "customer_id"
[sources.customers]
kind = "attributes"
path = "${lake}"
key = "customer_id"
attributes = { spend_total = { base = "value" }, order_count = { base = "behavioural" }, recency_days = { base = "behavioural" } }
contract = { missing_key = "quarantine" }
"#;
    std::fs::write(&pipeline, text).unwrap();
    let victim = dir.path().join("victim.parquet");
    let lake = format!("lake={}", victim.display());
    let publish = |name: &str, bytes: &[u8]| {
        std::fs::write(&victim, bytes).unwrap();
        let out = format!("out={path}/{name}");
        let file = pipeline.to_str().unwrap();
        let day = ["run", file, "--as-of", "2026-10-31", "--quiet"];
        let output = tessera()
            .args(day)
            .args(["--var", &lake, "--var", &out])
            .output()
            .unwrap();
        let table = dir.path().join(name).join("latest/customers.parquet");
        (output, std::fs::read(table).ok())
    };
    let (output, right) = publish("right", &original);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut named = 0;
    for number in 0..mutants() {
        let mut bytes = original.clone();
        let at = random.random_range(0..bytes.len());
        bytes[at] ^= 1 << random.random_range(0..8);
        let (output, found) = publish(&format!("mutant-{number}"), &bytes);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => assert_eq!(found, right, "mutant {number}, byte {at}"),
            Some(2 | 3) => {
                named += 1;
                assert!(said.contains("customers"), "mutant {number}: {said}");
                assert!(found.is_none(), "mutant {number}: {said}");
            }
            code => panic!("mutant {number}, byte {at}: {code:?}: {said}"),
        }
    }
    assert!(named > 0, "no flipped bit was noticed");
}
