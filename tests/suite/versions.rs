//! Successive versions: stable segment ids, stays in segments, and moves that add up.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::path::{Path, PathBuf};

use crate::program::run;
use crate::table::Table;

/// How every pipeline over this lake begins; keys of [customer] may follow.
pub(crate) const START: &str = r#"
spec_version = 1
name = "moves"
timezone = "UTC"
currency = "EUR"
store = "${out}"

[vars]
lake = "."
out = "."

[customer]
key = "customer_id"
"#;

/// Its source.
const ORDERS: &str = r#"
[sources.orders]
kind = "events"
path = "${lake}"
key = "customer_id"
time = "ordered_at"

[sources.orders.contract]
columns = { customer_id = "string", ordered_at = "date", amount = "f64" }
missing_key = "quarantine"
"#;

/// Rules over days since the last order, and clusters by what was spent.
const SCHEMES: &str = r#"
[schemes.freshness]
kind = "rules"
rules = [{ segment = "fresh", when = "recency_days <= 30" }, { segment = "resting", when = "recency_days <= 60" }]
otherwise = "gone"

[schemes.spend]
kind = "kmeans"
features = ["spend_total"]
k = 2
transform = "none"

[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.25, rest = 1.0 }
"#;

/// A lake of orders, a pipeline and its store.
pub(crate) struct Case {
    pub(crate) folder: tempfile::TempDir,
}

impl Case {
    pub(crate) fn new() -> Self {
        let case = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(case.folder.path().join("lake")).unwrap();
        case.pipeline(SCHEMES);
        case.orders("a.csv", &first_orders());
        case
    }

    pub(crate) fn pipeline(&self, schemes: &str) -> &Self {
        std::fs::write(
            self.folder.path().join("moves.toml"),
            format!("{START}{ORDERS}\n[features]\nuse = [\"rfm\"]\n{schemes}"),
        )
        .unwrap();
        self
    }

    /// A pipeline over orders of one item each; `rest` is what follows the source.
    pub(crate) fn pipeline_of_items(&self, rest: &str) -> &Self {
        let columns = r#"amount = "f64""#;
        let orders = ORDERS.replace(columns, &format!(r#"{columns}, item = "string""#));
        let text = format!("{START}{orders}{rest}");
        std::fs::write(self.path("moves.toml"), text).unwrap();
        self
    }

    pub(crate) fn orders(&self, file: &str, rows: &[(String, impl Display, f64)]) -> &Self {
        let mut text = "customer_id,ordered_at,amount\n".to_owned();
        for (customer, day, amount) in rows {
            writeln!(text, "{customer},{day},{amount}").unwrap();
        }
        std::fs::write(self.folder.path().join("lake").join(file), text).unwrap();
        self
    }

    /// Writes a file of the lake.
    pub(crate) fn file(&self, name: &str, text: &str) -> &Self {
        let path = self.path("lake").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Arguments that name the pipeline with its lake and its store.
    pub(crate) fn arguments(&self, command: &str, more: &[&str]) -> Vec<String> {
        let show = |path: &Path| path.display().to_string();
        let mut all = vec![command.to_owned(), show(&self.path("moves.toml"))];
        for (name, folder) in [("lake", "lake"), ("out", "store")] {
            all.extend([
                "--var".to_owned(),
                format!("{name}={}", show(&self.path(folder))),
            ]);
        }
        all.extend(more.iter().map(|text| (*text).to_owned()));
        all
    }

    pub(crate) fn day(&self, as_of: &str) -> String {
        let arguments = self.arguments("run", &["--as-of", as_of, "--quiet"]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let stdout = String::from_utf8(run(&arguments, 0).stdout).unwrap();
        stdout.lines().next().unwrap().to_owned()
    }

    /// A table of the version that `latest` names.
    pub(crate) fn table(&self, name: &str) -> Table {
        Table::read(&self.path("store/latest").join(format!("{name}.parquet")))
    }

    /// Scheme, segment and id of every segment of the latest version.
    pub(crate) fn ids(&self) -> BTreeMap<(String, String), i64> {
        let segments = self.table("segments");
        let (schemes, names) = (segments.texts("scheme"), segments.texts("segment"));
        let ids = segments.ints("segment_id");
        let key = |row: usize| (schemes[row].clone().unwrap(), names[row].clone().unwrap());
        (0..segments.rows())
            .map(|row| (key(row), ids[row].unwrap()))
            .collect()
    }

    /// Per customer of a scheme: segment, first day in it, segment before, cause of the move.
    pub(crate) fn memberships(&self, scheme: &str) -> BTreeMap<String, [String; 4]> {
        let table = self.table("memberships");
        let days = table.days("entered_on");
        let text = |name: &str| {
            table
                .texts(name)
                .into_iter()
                .map(Option::unwrap_or_default)
                .collect::<Vec<_>>()
        };
        let (keys, schemes) = (text("customer_id"), text("scheme"));
        let (segments, before, causes) = (text("segment"), text("previous_segment"), text("cause"));
        let rows = (0..table.rows()).filter(|&row| schemes[row] == scheme);
        let row = |row: usize| {
            let entered = days[row].clone().unwrap_or_default();
            (
                keys[row].clone(),
                [
                    segments[row].clone(),
                    entered,
                    before[row].clone(),
                    causes[row].clone(),
                ],
            )
        };
        rows.map(row).collect()
    }

    /// `scheme: from > to (cause) customers value` of every row of `migrations`.
    pub(crate) fn migrations(&self) -> Vec<String> {
        let table = self.table("migrations");
        let text = |name: &str| {
            let texts = table.texts(name).into_iter();
            texts
                .map(|text| text.unwrap_or("-".to_owned()))
                .collect::<Vec<_>>()
        };
        let (schemes, causes) = (text("scheme"), text("cause"));
        let (from, to) = (text("from_segment"), text("to_segment"));
        let (customers, values) = (table.ints("customers"), table.numbers("value"));
        let row = |row: usize| {
            format!(
                "{}: {} > {} ({}) {} {}",
                schemes[row],
                from[row],
                to[row],
                causes[row],
                customers[row].unwrap(),
                values[row].unwrap()
            )
        };
        (0..table.rows()).map(row).collect()
    }
}

/// Forty customers who spend little and forty who spend much, in two waves.
fn first_orders() -> Vec<(String, &'static str, f64)> {
    let mut rows = Vec::new();
    for number in 0..40 {
        let day = if number % 2 == 0 {
            "2026-01-10"
        } else {
            "2026-01-28"
        };
        rows.push((format!("small{number:02}"), day, 10.0 + f64::from(number)));
        rows.push((
            format!("large{number:02}"),
            day,
            1_000.5 + f64::from(number),
        ));
    }
    rows
}

/// Moves of every scheme of the latest version add up: a segment's customers before, plus those who came, minus those who left, are
/// its customers now.
fn adds_up(case: &Case, before: &Table) {
    let counts = |table: &Table| {
        let (schemes, ids) = (table.texts("scheme"), table.ints("segment_id"));
        let mut counts: BTreeMap<(String, Option<i64>), i64> = BTreeMap::new();
        for row in 0..table.rows() {
            *counts
                .entry((schemes[row].clone().unwrap(), ids[row]))
                .or_default() += 1;
        }
        counts
    };
    let mut expected = counts(before);
    let moves = case.table("migrations");
    let (schemes, customers) = (moves.texts("scheme"), moves.ints("customers"));
    let (from, to) = (moves.ints("from_segment_id"), moves.ints("to_segment_id"));
    for row in 0..moves.rows() {
        let scheme = schemes[row].clone().unwrap();
        *expected.entry((scheme.clone(), from[row])).or_default() -= customers[row].unwrap();
        *expected.entry((scheme, to[row])).or_default() += customers[row].unwrap();
    }
    expected.retain(|(_, id), count| id.is_some() && *count != 0);
    assert_eq!(expected, counts(&case.table("memberships")));
    assert_eq!(moved(case), differing(before, &case.table("memberships")));
}

/// Customers by scheme, id of the segment before and id of the segment after.
type Ways = BTreeMap<(String, Option<i64>, Option<i64>), i64>;

/// The table `moves`.
fn moved(case: &Case) -> Ways {
    let table = case.table("moves");
    let (schemes, customers) = (table.texts("scheme"), table.ints("customers"));
    let (from, to) = (table.ints("from_segment_id"), table.ints("to_segment_id"));
    let row = |row: usize| {
        let way = (schemes[row].clone().unwrap(), from[row], to[row]);
        (way, customers[row].unwrap())
    };
    (0..table.rows()).map(row).collect()
}

/// The customers whose segment differs between two tables of memberships.
fn differing(before: &Table, after: &Table) -> Ways {
    let segments = |table: &Table| -> BTreeMap<(String, String), i64> {
        let (schemes, ids) = (table.texts("scheme"), table.ints("segment_id"));
        let keys = table.texts("customer_id");
        let of = |row: usize| (schemes[row].clone().unwrap(), keys[row].clone().unwrap());
        let all = 0..table.rows();
        all.map(|row| (of(row), ids[row].unwrap())).collect()
    };
    let (before, after) = (segments(before), segments(after));
    let mut found = Ways::new();
    let all: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for key in all {
        let (from, to) = (before.get(key).copied(), after.get(key).copied());
        if from != to {
            *found.entry((key.0.clone(), from, to)).or_default() += 1;
        }
    }
    found
}

#[test]
fn who_leaves_a_segment_by_time_and_is_back_by_new_rows_has_not_moved() {
    let case = Case::new();
    case.pipeline(SCHEMES.split("[schemes.spend]").next().unwrap());
    case.day("2026-02-01");
    let before = case.table("memberships");
    // Whose last order is of 10 January would rest on 15 February.
    let again = |number: usize| (format!("small{:02}", 2 * number), "2026-02-10", 1.0);
    case.orders("b.csv", &(0..20).map(again).collect::<Vec<_>>());
    case.day("2026-02-15");
    adds_up(&case, &before);
    let steps = case.migrations();
    assert!(
        steps
            .iter()
            .any(|step| step.starts_with("freshness: resting > fresh (activity) 20 ")),
        "{steps:?}"
    );
    let report = std::fs::read_to_string(case.path("store/reports/version-2.html")).unwrap();
    assert!(report.contains(r#"<data value="20" data-c="moved">20 customers</data>"#));
    assert!(report.contains(r#"title="20: fresh to resting""#));
    assert!(!report.contains("resting to fresh"));
}

#[test]
fn ids_hold_stays_are_counted_and_moves_add_up() {
    let case = Case::new();
    assert_eq!(case.day("2026-02-01"), "published: version 1 of 2026-02-01");
    assert_eq!(case.table("migrations").rows(), 0);
    assert_eq!(case.table("segment_events").rows(), 0);
    let ids = case.ids();
    let clusters: Vec<i64> = ids
        .iter()
        .filter(|(key, _)| key.0 == "spend")
        .map(|(_, id)| *id)
        .collect();
    assert_eq!(
        clusters.iter().collect::<std::collections::BTreeSet<_>>(),
        [1, 2].iter().collect()
    );
    let first = case.memberships("freshness");
    assert_eq!(first["small00"], ["fresh", "2026-02-01", "", ""]);

    // Ten days later: half of the customers are past thirty days, one of them orders, and two are new.
    case.orders(
        "b.csv",
        &[
            ("small00".into(), "2026-02-11", 5.0),
            ("new1".into(), "2026-02-12", 7.5),
            ("new2".into(), "2026-02-12", 1_200.0),
        ],
    );
    let before = case.table("memberships");
    case.day("2026-02-15");
    adds_up(&case, &before);
    assert_eq!(
        case.ids(),
        ids,
        "the declared segments are the same, and the clusters have the same customers"
    );
    let now = case.memberships("freshness");
    assert_eq!(now["small01"][..2], ["fresh", "2026-02-01"]);
    assert_eq!(now["small00"][..3], ["fresh", "2026-02-01", "fresh"]);
    assert_eq!(now["small02"][..3], ["resting", "2026-02-15", "fresh"]);
    assert_eq!(now["new1"][..3], ["fresh", "2026-02-15", ""]);
    assert!(
        now["small01"][3].is_empty() && !now["small02"][3].is_empty() && !now["new1"][3].is_empty()
    );
    assert_eq!(now["small02"][3], "ageing");
    assert_eq!(now["new1"][3], "activity");
    let mut moves = case.migrations();
    moves.retain(|one| one.starts_with("freshness"));
    moves.sort();
    assert_eq!(
        moves,
        [
            "freshness: - > fresh (activity) 2 1207.5",
            "freshness: fresh > resting (ageing) 40 20975",
            "freshness: resting > fresh (activity) 1 15",
        ]
    );
    let events = case.table("segment_events");
    let kinds = events.texts("event");
    assert!(
        kinds.iter().flatten().all(|kind| kind == "continued"),
        "{kinds:?}"
    );
    let ledger = case.table("segment_ledger");
    assert!(
        ledger
            .days("first_day")
            .iter()
            .flatten()
            .all(|day| day == "2026-02-01")
    );
}

#[test]
fn segments_that_are_declared_no_more_end_and_come_back_under_their_id() {
    let case = Case::new();
    case.day("2026-02-01");
    let ids = case.ids();
    case.pipeline(&SCHEMES.replace("otherwise = \"gone\"", "otherwise = \"away\""));
    case.day("2026-02-10");
    let events = case.table("segment_events");
    let told: Vec<String> = (0..events.rows())
        .filter(|&row| events.texts("scheme")[row].as_deref() == Some("freshness"))
        .map(|row| {
            format!(
                "{} {}",
                events.texts("segment")[row].clone().unwrap(),
                events.texts("event")[row].clone().unwrap()
            )
        })
        .collect();
    assert_eq!(told.len(), 4);
    assert!(
        told.contains(&"gone dissolved".to_owned()) && told.contains(&"away born".to_owned()),
        "{told:?}"
    );
    case.pipeline(SCHEMES);
    case.day("2026-02-20");
    assert_eq!(case.ids(), ids);
}

#[test]
fn a_day_that_is_made_later_is_what_the_next_one_follows() {
    let case = Case::new();
    case.day("2026-02-01");
    case.day("2026-03-20");
    let skipped = case.memberships("freshness");
    assert_eq!(skipped["small01"][..3], ["resting", "2026-03-20", "fresh"]);
    assert_eq!(
        case.day("2026-03-05"),
        "published: version 3 of 2026-03-05; latest is still 2026-03-20 (version 2)"
    );
    case.day("2026-03-20");
    let again = case.memberships("freshness");
    assert_eq!(again["small01"][..3], ["resting", "2026-03-05", "resting"]);
}

#[test]
fn late_rows_and_edits_are_told_from_time_and_orders() {
    let case = Case::new();
    case.day("2026-02-24");
    // An order of 10 February that is delivered after the version of 24 February.
    case.orders("b.csv", &[("small02".into(), "2026-02-10", 5.0)]);
    let before = case.table("memberships");
    case.day("2026-02-25");
    adds_up(&case, &before);
    let now = case.memberships("freshness");
    assert_eq!(
        now["small02"],
        ["fresh", "2026-02-25", "resting", "late_data"]
    );
    assert_eq!(now["small04"], ["resting", "2026-02-24", "resting", ""]);

    // Customers without an order for 41 to 60 days move because of the edit only.
    case.pipeline(&SCHEMES.replace("recency_days <= 60", "recency_days <= 40"));
    let before = case.table("memberships");
    case.day("2026-02-26");
    adds_up(&case, &before);
    let now = case.memberships("freshness");
    assert_eq!(
        now["small04"],
        ["gone", "2026-02-26", "resting", "definition"]
    );
    let moves = case.migrations();
    let freshness: Vec<&String> = moves
        .iter()
        .filter(|one| one.starts_with("freshness"))
        .collect();
    assert_eq!(freshness.len(), 1, "{freshness:?}");

    // On the fortieth day after their last order the others move because of time only.
    let before = case.table("memberships");
    case.day("2026-03-10");
    adds_up(&case, &before);
    let now = case.memberships("freshness");
    assert_eq!(now["small01"], ["gone", "2026-03-10", "fresh", "ageing"]);
}
