//! One mistake gives one message, at its place, in terms of the pipeline file; `check` finds what `run` would find.

use std::path::Path;

use crate::program::{bounded, json, root, run, tessera};

/// The demo's lake and pipeline in a folder.
fn demo(dir: &Path) -> (String, String) {
    crate::program::demo(&dir.display().to_string(), 100);
    let text = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    (text, format!("lake={}/lake", dir.display()))
}

/// The diagnostics of a pipeline text, by `check`.
fn found(dir: &Path, text: &str, lake: &str) -> Vec<serde_json::Value> {
    let file = dir.join("changed.toml");
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let out = format!("out={}/other", dir.display());
    let arguments = ["check", &file, "--var", lake, "--var", &out, "--json"];
    let output = run(&arguments, 2);
    json(&output)[0]["diagnostics"].as_array().unwrap().clone()
}

#[track_caller]
fn changed(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from}");
    text.replace(from, to)
}

fn line_of(text: &str, piece: &str) -> u64 {
    text[..text.find(piece).unwrap()].matches('\n').count() as u64 + 1
}

#[test]
fn a_missing_bracket_is_one_message_where_the_table_opens() {
    let dir = tempfile::tempdir().unwrap();
    let (text, lake) = demo(dir.path());
    let features: String = (0..500)
        .map(|n| format!("f{n} = {{ from = \"orders\", agg = \"count\" }}\n"))
        .collect();
    let text = changed(
        &text,
        "\n[features]\n",
        &format!("\n[features]\n{features}"),
    );
    let broken = changed(
        &text,
        "f7 = { from = \"orders\", agg = \"count\" }",
        "f7 = { from = \"orders\", agg = \"count\"",
    );
    let all = found(dir.path(), &broken, &lake);
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(all[0]["line"], line_of(&broken, "f7 = "));
}

#[test]
fn a_label_of_what_is_not_published_says_where_it_is_published() {
    let dir = tempfile::tempdir().unwrap();
    let (text, lake) = demo(dir.path());
    let labelled = "\n[features]\nfirst_order_day = { label = \"begin\" }\n";
    let text = changed(&text, "\n[features]\n", labelled);
    // The demo's lake has values that do not convert, for which there are warnings.
    let all: Vec<_> = found(dir.path(), &text, &lake)
        .into_iter()
        .filter(|one| one["severity"] == "error")
        .collect();
    assert_eq!(all.len(), 1, "{all:#?}");
    let help = "a label is for what is published: add \"first_order_day\" to `use` of [features]";
    assert_eq!(all[0]["help"], help);
}

#[test]
fn an_undefined_source_is_one_message_that_counts_its_places() {
    let dir = tempfile::tempdir().unwrap();
    let (text, lake) = demo(dir.path());
    let features: String = (0..40)
        .map(|n| format!("f{n} = {{ from = \"ordres\", agg = \"count\" }}\n"))
        .collect();
    let text = changed(
        &text,
        "\n[features]\n",
        &format!("\n[features]\n{features}"),
    );
    let all = found(dir.path(), &text, &lake);
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(all[0]["line"], line_of(&text, "f0 = "));
    assert_eq!(all[0]["also"].as_array().unwrap().len(), 39);
    assert_eq!(all[0]["help"], "did you mean `orders`?");
    let file = dir.path().join("changed.toml").display().to_string();
    let shown = run(&["check", &file, "--var", &lake], 2).stderr;
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("the same mistake in 40 places"), "{shown}");
    assert!(shown.contains(": 1 error\n"), "{shown}");
}

#[test]
fn rules_expressions_and_playbooks_name_only_labels_that_exist() {
    let dir = tempfile::tempdir().unwrap();
    let (text, lake) = demo(dir.path());
    for (from, to, message, help) in [
        (
            "value_tier in ('top', 'high') and (leaving",
            "value_tier in ('top', 'hgih') and (leaving",
            "unknown value `hgih` of `value_tier`",
            Some("did you mean `high`?"),
        ),
        (
            "lifecycle_stage = 'churned'",
            "lifecycle_stage = 'churnd'",
            "unknown value `churnd` of `lifecycle_stage`",
            Some("did you mean `churned`?"),
        ),
        (
            "attitude = 'detractor' or",
            "'detracter' = attitude or",
            "unknown value `detracter` of `attitude`",
            Some("did you mean `detractor`?"),
        ),
        (
            "lifecycle_stage = 'active' and",
            "rfm is distinct from 'Champion' and",
            "unknown value `Champion` of `rfm`",
            Some("did you mean `Champions`?"),
        ),
        (
            "case when recency_days <= 90 then 1 else 0 end",
            "case when lifecycle_stage <> 'activ' then 1 else 0 end",
            "unknown value `activ` of `lifecycle_stage`",
            Some("did you mean `active`?"),
        ),
        (
            "segment = \"Champions\"",
            "segment = \"Champignons\"",
            "unknown segment `Champignons` of scheme `rfm`",
            Some("did you mean `Champions`?"),
        ),
        (
            "scheme  = \"rfm\"\nsegment = \"Champions\"",
            "scheme  = \"lifecycle\"\nsegment = \"lapsed\"",
            "unknown segment `lapsed` of scheme `lifecycle`",
            None,
        ),
    ] {
        let edited = changed(&text, from, to);
        // The demo's lake has values that do not convert, for which there are warnings.
        let all: Vec<_> = found(dir.path(), &edited, &lake)
            .into_iter()
            .filter(|one| one["severity"] == "error")
            .collect();
        assert_eq!(all.len(), 1, "{to}: {all:#?}");
        assert_eq!(all[0]["message"], message);
        assert_eq!(
            all[0]["line"],
            line_of(&edited, to) + u64::from(to.contains('\n'))
        );
        if let Some(help) = help {
            assert_eq!(all[0]["help"], help);
        }
    }
}

/// A missing, empty or damaged lake gives the same exit code and the same message from `check` and from `run`.
#[test]
fn a_missing_an_empty_and_a_damaged_lake_have_one_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let (_, _) = demo(dir.path());
    let out = format!("out={}/other", dir.path().display());
    let orders = dir.path().join("lake/orders");
    let away = dir.path().join("away");
    let damage: [(&str, &dyn Fn()); 3] = [
        ("missing", &|| {}),
        ("empty", &|| std::fs::create_dir(&orders).unwrap()),
        ("damaged", &|| {
            std::fs::write(orders.join("part-0.parquet"), "PAR1 nothing PAR1").unwrap();
        }),
    ];
    std::fs::rename(&orders, &away).unwrap();
    let lake = format!("lake={}/lake", dir.path().display());
    for (name, make) in damage {
        make();
        let file = "pipelines/demo.toml";
        let variables = ["--var", &lake, "--var", &out];
        let check = run(&[&["check", file], &variables[..]].concat(), 3);
        let day = ["run", file, "--as-of", "2026-10-31"];
        let done = run(&[&day, &variables[..]].concat(), 3);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        // A run also prints its day first and what is published last.
        let found = String::from_utf8_lossy(&check.stderr);
        assert!(said.contains(found.trim_end()), "{name}: {found}\n{said}");
        assert!(said.contains("source `orders`"), "{name}: {said}");
    }
    assert!(!dir.path().join("other").exists(), "no store was made");
}

/// `check` finds a folder that a run cannot publish into.
#[test]
fn a_store_that_is_none_is_found_by_check() {
    let dir = tempfile::tempdir().unwrap();
    let (_, lake) = demo(dir.path());
    let store = dir.path().join("other/demo");
    std::fs::create_dir_all(&store).unwrap();
    std::fs::write(store.join("holiday.jpg"), "x").unwrap();
    let out = format!("out={}/other", dir.path().display());
    let variables = ["--var", &lake, "--var", &out];
    let check = run(
        &[&["check", "pipelines/demo.toml"], &variables[..]].concat(),
        4,
    );
    let day = ["run", "pipelines/demo.toml", "--as-of", "2026-10-31"];
    let done = run(&[&day, &variables[..]].concat(), 4);
    let found = String::from_utf8_lossy(&check.stderr);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains(found.trim_end()), "{found}\n{said}");
    assert!(String::from_utf8_lossy(&check.stderr).contains("holds `holiday.jpg`"));
}

/// Damage that is found only while rows are read names the file, and no internals of libraries.
#[test]
fn no_words_of_a_library_reach_the_user() {
    let dir = tempfile::tempdir().unwrap();
    let (_, lake) = demo(dir.path());
    let victim = dir.path().join("lake/orders/month=2026-01/part-0.parquet");
    let original = std::fs::read(&victim).unwrap();
    let footer = u32::from_le_bytes(
        original[original.len() - 8..original.len() - 4]
            .try_into()
            .unwrap(),
    ) as usize;
    let data = original.len() - 8 - footer;
    let out = format!("out={}/other", dir.path().display());
    for seed in 1..12 {
        let mut bytes = original.clone();
        let start = data * seed / 13;
        for byte in &mut bytes[start.max(4)..(start + 64).min(data)] {
            *byte ^= 0x5a;
        }
        std::fs::write(&victim, bytes).unwrap();
        let mut command = tessera();
        command.args(["run", "pipelines/demo.toml", "--as-of", "2026-10-31"]);
        command.args(["--var", &lake, "--var", &format!("{out}{seed}"), "--quiet"]);
        let output = bounded(&mut command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{said}");
        for word in [
            "::",
            "unreachable",
            "unwrap",
            "FAILED HERE",
            "Resolved plan",
            "internal",
            "polars",
        ] {
            assert!(!said.contains(word), "{word}: {said}");
        }
        if output.status.code() == Some(3) {
            assert!(
                said.contains("part-0.parquet")
                    || said.contains("contract")
                    || said.contains("rule"),
                "{said}"
            );
        }
    }
}
