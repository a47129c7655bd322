//! Schemes that fall short of a gate with `hold_previous`: the definition of the version before serves them, until another passes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::gates::{CLUSTERS, evenly, refused};
use crate::program::{run, tessera};
use crate::versions::Case;

/// Customers in two groups that nothing lies between: 300 who ordered for about 100 on 2026-01-04, 300 for about 900 on 2026-01-26.
fn in_two_groups(case: &Case) {
    let rows: Vec<(String, &str, f64)> = (0..600_usize)
        .map(|number| {
            let spread = (number * 104_729 % 53) as f64;
            let (day, amount) = match number % 2 {
                0 => (["2026-01-03", "2026-01-04", "2026-01-05"], 100.0),
                _ => (["2026-01-25", "2026-01-26", "2026-01-27"], 900.0),
            };
            (
                format!("c{number:03}"),
                day[number / 2 % 3],
                amount + spread,
            )
        })
        .collect();
    case.orders("a.csv", &rows);
}

/// Clusters that are fitted in every run.
fn clusters_of_every_run(gates: &str) -> String {
    let always = CLUSTERS.replace("k = 3", "k = 2\nrefit = \"always\"");
    format!("{always}\n{gates}")
}

/// The segment of every customer in a scheme, and all values of `assigned_by`.
fn assigned(case: &Case, scheme: &str) -> (BTreeMap<String, i64>, BTreeSet<String>) {
    let table = case.table("memberships");
    let of = |name: &str| -> Vec<String> { table.texts(name).into_iter().flatten().collect() };
    let (keys, schemes, by) = (of("customer_id"), of("scheme"), of("assigned_by"));
    let ids = table.ints("segment_id");
    let rows: Vec<usize> = (0..keys.len())
        .filter(|&row| schemes[row] == scheme)
        .collect();
    (
        rows.iter()
            .map(|&row| (keys[row].clone(), ids[row].unwrap()))
            .collect(),
        rows.iter().map(|&row| by[row].clone()).collect(),
    )
}

/// Why an earlier definition serves, or none does.
fn held(case: &Case, scheme: &str) -> Option<String> {
    let table = case.table("quality");
    let (schemes, metrics) = (table.texts("scheme"), table.texts("metric"));
    let is_held = |row: &usize| {
        schemes[*row].as_deref() == Some(scheme)
            && metrics[*row].as_deref() == Some("hold_previous")
    };
    let row = (0..table.rows()).find(is_held)?;
    table.texts("reason")[row].clone()
}

/// A customer who spent little long ago, and one who spent much lately.
fn corners(case: &Case) -> (String, String) {
    let customers = case.table("customers");
    let (spend, recency) = (
        customers.floats("spend_total"),
        customers.ints("recency_days"),
    );
    let keys = customers.texts("customer_id");
    let first = |fits: &dyn Fn(f64, i64) -> bool| {
        let row = (0..keys.len()).find(|&row| fits(spend[row].unwrap(), recency[row].unwrap()));
        keys[row.unwrap()].clone().unwrap()
    };
    (
        first(&|spend, recency| spend < 150.0 && recency > 26),
        first(&|spend, recency| spend > 850.0 && recency < 10),
    )
}

#[test]
fn clusters_that_fail_leave_the_last_good_ones_in_use() {
    let case = Case::new();
    in_two_groups(&case);
    let hold =
        "[gates]\ndistinguishable = { kpis = [\"order_count\"], on_fail = \"hold_previous\" }\n";
    case.pipeline(&clusters_of_every_run(hold))
        .day("2026-02-01");
    let (good, by) = assigned(&case, "likeness");
    assert_eq!(by, BTreeSet::from(["model".to_owned()]));
    assert_eq!(good.values().collect::<BTreeSet<_>>().len(), 2);
    let ids: BTreeSet<i64> = good.values().copied().collect();

    // Every customer is replaced by one of a cloud without structure.
    evenly(&case);
    let arguments = case.arguments("run", &["--as-of", "2026-02-02", "--quiet"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = run(&arguments, 0);
    let why = held(&case, "likeness").unwrap();
    assert!(
        why.starts_with("the definition of 2026-02-01 serves, because with today's scheme `likeness` is not clustered: p_value is"),
        "{why}"
    );
    let shown = String::from_utf8(said.stdout).unwrap() + &String::from_utf8(said.stderr).unwrap();
    assert!(
        shown.contains("the definition of 2026-02-01 serves"),
        "{shown}"
    );
    let (kept, by) = assigned(&case, "likeness");
    assert_eq!(by, BTreeSet::from(["held".to_owned()]));
    assert!(kept.values().all(|id| ids.contains(id)), "{kept:?}");
    // The centres of the first day: who spent little long ago, and who spent much lately.
    let (low, high) = corners(&case);
    assert_eq!(kept[&low], good["c000"]);
    assert_eq!(kept[&high], good["c001"]);

    // On the next night they serve still.
    case.day("2026-02-03");
    assert!(
        held(&case, "likeness")
            .unwrap()
            .starts_with("the definition of 2026-02-01 serves")
    );
    assert!(
        assigned(&case, "likeness")
            .0
            .values()
            .all(|id| ids.contains(id))
    );

    // With `fail_run` the same customers end the run.
    let before = std::fs::read_link(case.path("store/latest")).unwrap();
    let fail = hold.replace("hold_previous", "fail_run");
    case.pipeline(&clusters_of_every_run(&fail));
    let said = refused(&case, "2026-02-04");
    assert!(
        said.contains("scheme `likeness` is not clustered"),
        "{said}"
    );
    assert_eq!(
        std::fs::read_link(case.path("store/latest")).unwrap(),
        before
    );
}

/// What a definition that fell short has learned: its id, and the day on which it was last fitted or a fit was not better.
fn tried(case: &Case, version: u64) -> Option<(String, String)> {
    let commit = case.path(&format!("store/commits/{version:020}.json"));
    let commit: serde_json::Value =
        serde_json::from_slice(&std::fs::read(commit).unwrap()).unwrap();
    let artifacts = commit["artifacts"].as_array().unwrap();
    let found = artifacts
        .iter()
        .find(|artifact| artifact["of"] == "tried.schemes.likeness")?;
    let text = |key: &str| found[key].as_str().unwrap().to_owned();
    Some((text("id"), text("tried_on")))
}

#[test]
fn a_definition_that_falls_short_is_fitted_once_and_judged_every_night() {
    let case = Case::new();
    in_two_groups(&case);
    let hold =
        "[gates]\ndistinguishable = { kpis = [\"order_count\"], on_fail = \"hold_previous\" }\n";
    let two = CLUSTERS.replace("k = 3", "k = 2");
    case.pipeline(&format!("{two}\n{hold}")).day("2026-02-01");
    assert_eq!(tried(&case, 1), None);
    evenly(&case);
    case.pipeline(&format!("{CLUSTERS}\n{hold}"))
        .day("2026-02-02");
    let first = tried(&case, 2).unwrap();
    assert_eq!(first.1, "2026-02-02");
    case.day("2026-02-03");
    assert_eq!(tried(&case, 3).unwrap(), first, "it is not fitted again");
    let why = held(&case, "likeness").unwrap();
    assert!(
        why.starts_with("the definition of 2026-02-01 serves, because with today's scheme `likeness` is not clustered"),
        "{why}"
    );
    // After a month it is.
    case.day("2026-03-02");
    assert_eq!(tried(&case, 4).unwrap().1, "2026-03-02");
    // Without the gate, what was fitted then serves.
    case.pipeline(CLUSTERS).day("2026-03-03");
    assert_eq!((tried(&case, 5), held(&case, "likeness")), (None, None));
    let commit = std::fs::read_to_string(case.path("store/commits/00000000000000000005.json"));
    assert!(commit.unwrap().contains(&tried(&case, 4).unwrap().0));
    run(&["verify", &case.path("store").display().to_string()], 0);
}

/// Clusters that continue none of the segments that serve are judged by the gates alone.
#[test]
fn a_refit_of_a_definition_that_does_not_serve_yet_is_judged_by_the_gates_alone() {
    let case = Case::new();
    let groups = |sizes: [usize; 3], amounts: [f64; 3]| {
        let row = |n: usize| {
            let group = usize::from(n >= sizes[0]) + usize::from(n >= sizes[0] + sizes[1]);
            let amount = amounts[group] + (n % 7) as f64;
            (format!("c{n:03}"), "2026-01-10", amount)
        };
        case.orders("a.csv", &(0..120).map(row).collect::<Vec<_>>());
    };
    // On the first days a group is too small.
    groups([60, 50, 10], [10.0, 500.0, 2_000.0]);
    let tiers = "[schemes.likeness]\nkind = \"quantile\"\nby = \"spend_total\"\ntiers = { top = 0.4, rest = 1.0 }\n";
    let hold = "[gates]\nsubstantial = { min_customers = 30, on_fail = \"hold_previous\" }\n";
    let clusters = "[schemes.likeness]\nkind = \"kmeans\"\nfeatures = [\"spend_total\"]\nk = 3\ntransform = \"none\"\n\
                    refit = \"30d\"\n";
    case.pipeline(&format!("{tiers}{hold}")).day("2026-02-01");
    case.pipeline(&format!("{clusters}{hold}"))
        .day("2026-02-02");
    assert!(held(&case, "likeness").is_some());
    groups([40, 40, 40], [5_000.0, 6_000.0, 7_000.0]);
    case.day("2026-02-20");
    assert!(
        held(&case, "likeness").is_some(),
        "it is not fitted again before it is due"
    );
    case.day("2026-03-10");
    assert_eq!(held(&case, "likeness"), None);
    let (found, by) = assigned(&case, "likeness");
    assert_eq!(by, BTreeSet::from(["model".to_owned()]));
    assert_eq!(found.values().collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn rules_that_fail_leave_the_last_good_ones_in_use_until_others_pass() {
    let case = Case::new();
    let pipeline = |when: &str| {
        format!(
            r#"
[schemes.freshness]
kind = "rules"
rules = [{{ segment = "fresh", when = "{when}" }}]
otherwise = "resting"

[schemes.reach]
kind = "rules"
rules = [{{ segment = "mail", when = "freshness = 'fresh'" }}]
otherwise = "none"
[gates]
substantial = {{ min_customers = 5, min_share = 0.1 }}

[gates.schemes.freshness]
substantial = {{ min_customers = 5, min_share = 0.1, on_fail = "hold_previous" }}
"#
        )
    };
    case.pipeline(&pipeline("recency_days <= 10"))
        .day("2026-02-01");
    assert_eq!(held(&case, "freshness"), None);
    let (good, _) = assigned(&case, "freshness");

    case.pipeline(&pipeline("recency_days <= 0"))
        .day("2026-02-02");
    let why = held(&case, "freshness").unwrap();
    assert!(
        why.starts_with("the definition of 2026-02-01 serves"),
        "{why}"
    );
    assert!(why.contains("segment `fresh` is not substantial"), "{why}");
    let (kept, by) = assigned(&case, "freshness");
    assert_eq!((&kept, by), (&good, BTreeSet::from(["held".to_owned()])));
    let (_, by) = assigned(&case, "reach");
    assert_eq!(by, BTreeSet::from(["rule".to_owned()]));
    assert_eq!(moved(&case), Vec::<[String; 3]>::new());

    // What was held the day before is what is compared with, and held again.
    case.day("2026-02-03");
    assert!(
        held(&case, "freshness")
            .unwrap()
            .starts_with("the definition of 2026-02-01 serves")
    );
    assert_eq!(moved(&case), Vec::<[String; 3]>::new());

    // Rules that pass serve, and move customers by the definition, also in the scheme that reads their segments.
    case.pipeline(&pipeline("spend_total > 500"))
        .day("2026-02-04");
    assert_eq!(held(&case, "freshness"), None);
    let moved = moved(&case);
    assert!(
        !moved.is_empty() && moved.iter().all(|row| row[1] == "definition"),
        "{moved:?}"
    );
    assert!(moved.iter().any(|row| row[0] == "reach"), "{moved:?}");
}

/// Neither where no version before has the scheme, nor where it has the same definition.
#[test]
fn nothing_is_held_where_no_other_definition_comes_before() {
    let case = Case::new();
    case.day("2026-02-04");
    let other = "[schemes.other]\nkind = \"rules\"\nrules = [{ segment = \"a\", when = \"recency_days <= 0\" }]\notherwise = \"b\"\n\n[gates.schemes.other]\nsubstantial = { min_customers = 5, on_fail = \"hold_previous\" }\n";
    case.pipeline(other).day("2026-02-05");
    let why = held(&case, "other").unwrap();
    assert!(
        why.starts_with(
            "no earlier definition serves, because there is no previous version with this scheme"
        ),
        "{why}"
    );
    // Nor is one with other names for its segments, also where the file states an earlier rename still.
    for (day, [a, b], was) in [
        ("2026-02-06", ["a", "b"], ""),
        ("2026-02-07", ["x", "b"], "x = \"a\""),
        ("2026-02-08", ["x", "y"], "x = \"a\", y = \"b\""),
    ] {
        let renamed = other
            .replace("\"a\"", &format!("\"{a}\""))
            .replace("\"b\"\n", &format!("\"{b}\"\nwas = {{ {was} }}\n"));
        case.pipeline(&renamed).day(day);
        let why = held(&case, "other").unwrap();
        assert!(
            why.starts_with(
                "no earlier definition serves, because the previous version has the same one"
            ),
            "{day}: {why}"
        );
    }
}

/// Share of kept customers, status of its drift and segments of a scheme of the latest version.
fn since(case: &Case, scheme: &str) -> (Vec<Option<f64>>, Option<String>, BTreeMap<String, i64>) {
    let quality = case.table("quality");
    let is_kept = |row: &usize| {
        let metric = quality.texts("metric")[*row].as_deref() == Some("kept_share");
        metric && quality.texts("scheme")[*row].as_deref() == Some(scheme)
    };
    let kept = (0..quality.rows()).filter(is_kept);
    let kept = kept.map(|row| quality.floats("value")[row]).collect();
    let drift = case.table("drift");
    let mut names = drift.texts("name").into_iter();
    let row = names.position(|name| name.as_deref() == Some(scheme));
    let status = drift.texts("status")[row.unwrap()].clone();
    (kept, status, assigned(case, scheme).0)
}

/// Neither of the scheme nor of the rules that read its segments, also where an earlier rename stands in the file still.
#[test]
fn a_rename_is_no_other_definition() {
    let pipeline = |[fresh, resting, was]: [&str; 3]| {
        format!(
            r#"
[schemes.freshness]
kind = "rules"
rules = [{{ segment = "{fresh}", when = "recency_days <= 30" }}]
otherwise = "{resting}"
{was}

[schemes.reach]
kind = "rules"
rules = [
  {{ segment = "mail", when = "freshness in ('{fresh}', '{fresh}') and order_count > 0" }},
  {{ segment = "post", when = "'{resting}' = freshness" }},
]
otherwise = "none"

[gates]
stable = {{ min_kept = 0.9, on_fail = "hold_previous" }}
"#
        )
    };
    let seen = |before: &str, text: &str| {
        let case = Case::new();
        case.pipeline(before).day("2026-02-01");
        let then = assigned(&case, "freshness").0;
        // By now the first of both waves is older than 30 days.
        case.pipeline(text).day("2026-02-15");
        let schemes = ["freshness", "reach"];
        let found = schemes.map(|scheme| (held(&case, scheme).unwrap(), since(&case, scheme)));
        assert_ne!(then, found[0].1.2);
        found
    };
    let first = pipeline(["fresh", "resting", ""]);
    let plain = seen(&first, &first);
    let same = "no earlier definition serves, because the previous version has the same one";
    assert!(plain[0].0.starts_with(same), "{plain:?}");
    assert!(
        plain[0].0.contains("segment `fresh` is not stable"),
        "{plain:?}"
    );
    let one = pipeline(["frisch", "resting", "was = { frisch = \"fresh\" }"]);
    let both = "was = { frisch = \"fresh\", ruhend = \"resting\" }";
    let both = pipeline(["frisch", "ruhend", both]);
    for after in [&one, &both] {
        let renamed = seen(&first, after).map(|(why, since)| {
            let why = why.replace("frisch", "fresh").replace("ruhend", "resting");
            (why, since)
        });
        assert_eq!(renamed, plain);
    }
    let renamed = seen(&one, &both).map(|(_, since)| since);
    assert_eq!(renamed, plain.map(|(_, since)| since));
}

/// Rules that are held compare with the names that segments of another scheme have by now.
#[test]
fn rules_that_are_held_read_segments_by_their_names_of_today() {
    let case = Case::new();
    let pipeline = |[many, few]: [&str; 2], was: &str, more: &str| {
        case.pipeline(&format!(
            r#"
[schemes.size]
kind = "rules"
rules = [{{ segment = "{many}", when = "spend_total > 500" }}]
otherwise = "{few}"
{was}

[schemes.reader]
kind = "rules"
rules = [{{ segment = "known", when = "size = '{many}'{more}" }}]
otherwise = "other"

[gates.schemes.reader]
substantial = {{ min_customers = 5, on_fail = "hold_previous" }}
"#
        ));
    };
    pipeline(["many", "few"], "", "");
    case.day("2026-02-01");
    let first = assigned(&case, "reader").0;
    assert_eq!(first.values().collect::<BTreeSet<_>>().len(), 2);
    let nobody = " and recency_days < 0";
    for (day, names, was) in [
        ("2026-02-02", ["gold", "few"], "was = { gold = \"many\" }"),
        ("2026-02-03", ["gold", "few"], "was = { gold = \"many\" }"),
        ("2026-02-04", ["gold", "few"], ""),
        (
            "2026-02-05",
            ["top", "gold"],
            "was = { top = \"gold\", gold = \"few\" }",
        ),
        (
            "2026-02-06",
            ["top", "gold"],
            "was = { top = \"gold\", gold = \"few\" }",
        ),
    ] {
        pipeline(names, was, nobody);
        case.day(day);
        let why = held(&case, "reader").unwrap();
        assert!(
            why.starts_with("the definition of 2026-02-01 serves"),
            "{why}"
        );
        assert_eq!(assigned(&case, "reader").0, first, "{day}");
        assert_eq!(case.table("moves").rows(), 0, "{day}");
    }
}

/// Scheme, cause and number of customers of all moves between segments of the latest version.
fn moved(case: &Case) -> Vec<[String; 3]> {
    let table = case.table("migrations");
    let of = |name: &str| table.texts(name);
    let (schemes, causes) = (of("scheme"), of("cause"));
    let (from, to) = (of("from_segment"), of("to_segment"));
    let customers = table.ints("customers");
    let moves = (0..table.rows()).filter(|&row| from[row] != to[row]);
    moves
        .map(|row| {
            let text = |column: &[Option<String>]| column[row].clone().unwrap_or_default();
            [
                text(&schemes),
                text(&causes),
                customers[row].unwrap_or_default().to_string(),
            ]
        })
        .collect()
}

/// Runs 2026-02-16 after `edit`, for which 2026-02-15 is the day before: alone, which leaves the store `alone`, and at once, so that the day
/// before is committed while the run waits for the lock.
fn overtaken(case: &Case, edit: impl Fn()) -> Output {
    let copied = |from: &str, to: &str| {
        let [from, to] = [from, to].map(|name| case.path(name));
        let done = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(done.unwrap().success());
    };
    copied("store", "begun");
    case.day("2026-02-15");
    copied("store/commits", "between");
    edit();
    case.day("2026-02-16");
    std::fs::rename(case.path("store"), case.path("alone")).unwrap();
    std::fs::rename(case.path("begun"), case.path("store")).unwrap();
    let lock = std::fs::File::options()
        .read(true)
        .write(true)
        .open(case.path("store/LOCK"))
        .unwrap();
    lock.lock().unwrap();
    let arguments = case.arguments("run", &["--as-of", "2026-02-16", "--quiet"]);
    let waiting = tessera()
        .args(&arguments)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let staged = case.path("store/data/as_of=2026-02-16");
    let is_staged = || {
        let runs = std::fs::read_dir(&staged).into_iter().flatten().flatten();
        let mut tables = runs.map(|run| run.path().join("memberships.parquet"));
        tables.any(|table| table.exists())
    };
    let begun = Instant::now();
    while !is_staged() {
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "it makes no tables"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    if case.path("alone/artifacts").exists() {
        copied("alone/artifacts", "store");
    }
    copied("alone/data/as_of=2026-02-15", "store/data");
    copied("between/.", "store/commits");
    lock.unlock().unwrap();
    waiting.wait_with_output().unwrap()
}

/// The run started again, and published what it does alone.
fn is_as_alone(case: &Case, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let again = "version 2 was published meanwhile and comes before this day; the run starts again";
    assert!(said.contains(again), "{said}");
    for table in ["memberships", "migrations", "moves", "drift", "segments"] {
        let of = |store: &str| {
            let path = case.path(store).join(format!("latest/{table}.parquet"));
            std::fs::read(path).unwrap()
        };
        assert!(of("store") == of("alone"), "{table}");
    }
}

/// The run that waits for the lock is overtaken by one of the day before, which fitted newer edges: these serve, not those of the
/// version that came before when it began.
#[test]
fn a_run_that_is_overtaken_holds_no_older_definition() {
    let case = Case::new();
    let more = |n: usize| (format!("small{n:02}"), "2026-02-10", 400.0 + n as f64);
    case.orders("b.csv", &(0..30).map(more).collect::<Vec<_>>());
    let tiers = |top: f64| {
        case.pipeline(&format!(
            "[schemes.tier]\nkind = \"quantile\"\nby = \"spend_total\"\ntiers = {{ top = {top}, mid = 0.6, low = 1.0 }}\n\
             [gates.schemes.tier]\nsubstantial = {{ min_customers = 10, on_fail = \"hold_previous\" }}\n"
        ));
    };
    tiers(0.3);
    case.day("2026-02-01");
    let output = overtaken(&case, || tiers(0.001));
    assert!(held(&case, "tier").is_some());
    is_as_alone(&case, &output);
}

/// Nor is a cause that of the days before the version that overtook it, although no definition and no artifact is another.
#[test]
fn a_run_that_is_overtaken_moves_customers_by_their_own_causes() {
    let case = Case::new();
    let more = |n: usize| (format!("small{n:02}"), "2026-02-16", 600.0);
    case.orders("b.csv", &(0..30).map(more).collect::<Vec<_>>());
    let rules = "[schemes.freshness]\nkind = \"rules\"\notherwise = \"resting\"\n\
                 rules = [{ segment = \"fresh\", when = \"recency_days <= 14\" }]\n\
                 [schemes.size]\nkind = \"rules\"\notherwise = \"small\"\n\
                 rules = [{ segment = \"large\", when = \"spend_total > 500\" }]\n";
    case.pipeline(rules);
    case.day("2026-02-01");
    let output = overtaken(&case, || ());
    is_as_alone(&case, &output);
    let causes: BTreeSet<String> = moved(&case)
        .into_iter()
        .map(|[_, cause, _]| cause)
        .collect();
    assert!(causes.contains("activity"), "{causes:?}");
    assert!(
        causes.iter().all(|cause| !cause.contains(" or ")),
        "{causes:?}"
    );
}
