//! Merged and split keys as a cause of moves.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::program::{demo, run};
use crate::table::Table;

const DAY: &str = "2026-10-31";
const NEXT: &str = "2026-11-01";

/// A store of a pipeline whose lake has a map of keys.
struct Merges {
    folder: tempfile::TempDir,
    lake: PathBuf,
}

/// Orders, and the map of keys.
const SHOP: &str = r#"
[sources.orders]
kind = "events"
path = "${lake}/orders"
key = "customer_id"
time = "ordered_at"
[sources.orders.contract]
columns = { customer_id = "string", ordered_at = "date", amount = "f64" }
missing_key = "quarantine"
[features]
use = ["rfm"]
"#;

/// Orders and accounts of the demo.
const DEMO: &str = r#"
[sources.orders]
kind = "events"
path = "${lake}/orders"
key = "customer_id"
time = "ordered_at"
time_zone = "UTC"
order_id = "order_id"
derive = { amount = "quantity * unit_price" }
filter = "quantity > 0 and unit_price > 0 and order_id not like 'X%'"
[sources.orders.contract]
columns = { order_id = "string", customer_id = "string", ordered_at = "timestamp", quantity = "i32", unit_price = "f64" }
missing_key = "quarantine"
[sources.accounts]
kind = "attributes"
path = "${lake}/accounts"
key = "customer_id"
time = "valid_from"
until = "valid_to"
attributes.country = { base = "geographic" }
[sources.accounts.contract]
columns = { customer_id = "string", country = "string", valid_from = "date", valid_to = "date" }
missing_key = "fail"
duplicates = { unique = ["customer_id", "valid_from"], on_fail = "quarantine" }
[features]
use = ["rfm"]
[schemes.market]
kind = "attribute"
by = "country"
"#;

/// Schemes over what time alone does not change.
const SCHEMES: &str = r#"
[schemes.size]
kind = "rules"
rules = [{ segment = "many", when = "order_count >= 4" }, { segment = "some", when = "order_count >= 2" }]
otherwise = "one"

[schemes.clusters]
kind = "kmeans"
features = ["spend_total", "order_count"]
k = 3
refit = "never"

[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.2, middle = 0.5, rest = 1.0 }
refit = "never"
"#;

/// Tiers that are learned again in every run.
const REFITTED: &str = r#"
[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.2, middle = 0.5, rest = 1.0 }
"#;

impl Merges {
    fn new(body: &str, lake: Option<PathBuf>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = lake.unwrap_or_else(|| folder.path().join("lake"));
        let merges = Self { folder, lake };
        merges.pipeline(body);
        merges.map(&[]);
        merges
    }

    /// The shop with forty customers and their orders.
    fn shop(schemes: &str) -> Self {
        let merges = Self::new(&format!("{SHOP}{schemes}"), None);
        let mut rows = String::new();
        for customer in 0..40_u32 {
            for order in 0..=customer % 4 {
                let day = 1 + (customer * 7 + order * 5) % 28;
                let amount = 10 + customer * customer + order;
                writeln!(rows, "c{customer:02},2026-09-{day:02},{amount}.5").unwrap();
            }
        }
        merges.orders("a.csv", &rows);
        merges
    }

    fn pipeline(&self, body: &str) {
        let head = "spec_version = 1\nname = \"merges\"\ntimezone = \"UTC\"\ncurrency = \"EUR\"\nstore = \"${out}\"\n\
                    [vars]\nlake = \".\"\nout = \".\"\nmap = \".\"\n[customer]\nkey = \"customer_id\"\n\
                    identity = { from = \"merged\", to = \"customer_id\" }\n\
                    [sources.merged]\nkind = \"lookup\"\npath = \"${map}\"\nkey = \"old_id\"\n\
                    [sources.merged.contract]\ncolumns = { old_id = \"string\", customer_id = \"string\" }\nmissing_key = \"fail\"\n";
        std::fs::write(
            self.folder.path().join("merges.toml"),
            format!("{head}{body}"),
        )
        .unwrap();
    }

    fn orders(&self, file: &str, rows: &str) {
        let folder = self.lake.join("orders");
        std::fs::create_dir_all(&folder).unwrap();
        let text = format!("customer_id,ordered_at,amount\n{rows}");
        std::fs::write(folder.join(file), text).unwrap();
    }

    fn map(&self, rows: &[(&str, &str)]) {
        let folder = self.folder.path().join("map");
        std::fs::create_dir_all(&folder).unwrap();
        let mut text = "old_id,customer_id\n".to_owned();
        rows.iter()
            .for_each(|(key, to)| writeln!(text, "{key},{to}").unwrap());
        std::fs::write(folder.join("map.csv"), text).unwrap();
    }

    fn day(&self, as_of: &str) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let file = path("merges.toml");
        let lake = format!("lake={}", self.lake.display());
        let (out, map) = (
            format!("out={}", path("store")),
            format!("map={}", path("map")),
        );
        let arguments = [
            "run", &file, "--as-of", as_of, "--var", &lake, "--var", &out, "--var", &map, "--quiet",
        ];
        run(&arguments, 0);
    }

    fn table(&self, name: &str) -> Table {
        let latest = self.folder.path().join("store/latest");
        Table::read(&latest.join(format!("{name}.parquet")))
    }

    /// By scheme and customer: id of the segment.
    fn segments(&self) -> BTreeMap<(String, String), i64> {
        let table = self.table("memberships");
        let (keys, schemes) = (table.texts("customer_id"), table.texts("scheme"));
        let ids = table.ints("segment_id");
        let key = |row: usize| (schemes[row].clone().unwrap(), keys[row].clone().unwrap());
        (0..table.rows())
            .map(|row| (key(row), ids[row].unwrap()))
            .collect()
    }

    /// Cents of each customer.
    fn spend(&self) -> BTreeMap<String, i64> {
        let table = self.table("customers");
        let keys = table.texts("customer_id").into_iter().flatten();
        let spend = table.floats("spend_total").into_iter().flatten();
        keys.zip(spend.map(|value| (value * 100.0).round() as i64))
            .collect()
    }

    /// `from > to (cause) customers` of the moves in a scheme.
    fn moves(&self, scheme: &str) -> Vec<String> {
        let table = self.table("migrations");
        let cell = |name: &str, row: usize| table.texts(name)[row].clone().unwrap_or("-".into());
        let rows = (0..table.rows()).filter(|&row| cell("scheme", row) == scheme);
        let mut moves: Vec<String> = rows
            .map(|row| {
                let customers = table.ints("customers")[row].unwrap();
                let (from, to) = (cell("from_segment", row), cell("to_segment", row));
                format!("{from} > {to} ({}) {customers}", cell("cause", row))
            })
            .collect();
        moves.sort();
        moves
    }

    /// Causes of all moves, with the number of customers.
    fn causes(&self) -> BTreeMap<String, i64> {
        let table = self.table("migrations");
        let mut causes = BTreeMap::new();
        let names = table.texts("cause").into_iter().flatten();
        for (cause, customers) in names.zip(table.ints("customers").into_iter().flatten()) {
            *causes.entry(cause).or_default() += customers;
        }
        causes
    }

    /// Segment, first day in it, segment before and cause of a customer in a scheme.
    fn stay(&self, scheme: &str, customer: &str) -> [String; 4] {
        let table = self.table("memberships");
        let cell = |name: &str, row: usize| table.texts(name)[row].clone().unwrap_or_default();
        let row = (0..table.rows())
            .find(|&row| cell("scheme", row) == scheme && cell("customer_id", row) == customer)
            .unwrap();
        let entered = table.days("entered_on")[row].clone().unwrap();
        [
            cell("segment", row),
            entered,
            cell("previous_segment", row),
            cell("cause", row),
        ]
    }
}

/// Segments before and after, and what each customer counts: in this version, or, who is gone, in the one before.
struct Before {
    segments: BTreeMap<(String, String), i64>,
    spend: BTreeMap<String, i64>,
}

impl Before {
    fn of(merges: &Merges) -> Self {
        Self {
            segments: merges.segments(),
            spend: merges.spend(),
        }
    }

    /// Of every segment: customers and value before, with all steps, are customers and value now, to the last unit.
    fn adds_up(mut self, merges: &Merges) {
        self.spend.extend(merges.spend());
        let total = |segments: &BTreeMap<(String, String), i64>| {
            let mut totals: BTreeMap<(String, Option<i64>), (i64, i64)> = BTreeMap::new();
            for ((scheme, customer), id) in segments {
                let total = totals.entry((scheme.clone(), Some(*id))).or_default();
                *total = (total.0 + 1, total.1 + self.spend[customer]);
            }
            totals
        };
        let mut expected = total(&self.segments);
        let moves = merges.table("migrations");
        let (schemes, customers) = (moves.texts("scheme"), moves.ints("customers"));
        let (from, to) = (moves.ints("from_segment_id"), moves.ints("to_segment_id"));
        let value = moves.numbers("value");
        for row in 0..moves.rows() {
            let cents = (value[row].unwrap() * 100.0).round() as i64;
            for (id, sign) in [(from[row], -1), (to[row], 1)] {
                let scheme = schemes[row].clone().unwrap();
                let total = expected.entry((scheme, id)).or_default();
                *total = (
                    total.0 + sign * customers[row].unwrap(),
                    total.1 + sign * cents,
                );
            }
        }
        expected.retain(|(_, id), total| id.is_some() && *total != (0, 0));
        assert_eq!(expected, total(&merges.segments()));
    }
}

/// In the night of a merge the segments are renamed, and a name of one becomes that of another: only whose keys were merged moves.
#[test]
fn a_merge_in_the_night_of_a_rename_is_all_that_moves_customers() {
    let rules = |names: [&str; 3], was: &str| {
        let [many, some, one] = names;
        format!(
            "{SHOP}[schemes.size]\nkind = \"rules\"\notherwise = \"{one}\"\n{was}\nrules = [{{ segment = \"{many}\", when = \"order_count >= 4\" }}, \
             {{ segment = \"{some}\", when = \"order_count >= 2\" }}]\n"
        )
    };
    let merges = Merges::shop("");
    merges.pipeline(&rules(["many", "some", "one"], ""));
    merges.day("2026-10-30");
    let before = Before::of(&merges);
    merges.map(&[("c01", "c05")]);
    let was = "was = { most = \"many\", many = \"some\" }";
    merges.pipeline(&rules(["most", "many", "one"], was));
    merges.day(DAY);
    before.adds_up(&merges);
    assert_eq!(
        merges.moves("size"),
        ["many > - (identity) 1", "many > most (identity) 1"]
    );
}

#[test]
fn merged_and_split_keys_are_the_cause_and_survivors_keep_their_stay() {
    let merges = Merges::shop(SCHEMES);
    merges.day("2026-10-29");
    merges.day("2026-10-30");
    assert_eq!(merges.causes(), BTreeMap::new(), "an ordinary night");
    // c01 has two orders, c05 two, c08 one; c02 has three.
    let before = Before::of(&merges);
    merges.map(&[
        ("c01", "c05"),
        ("c08", "c02"),
        ("c12", "c13"),
        ("c13", "c14"),
        ("c16", "new"),
    ]);
    merges.day(DAY);
    before.adds_up(&merges);
    let causes = merges.causes();
    assert_eq!(causes.keys().collect::<Vec<_>>(), ["identity"]);
    assert_eq!(
        merges.stay("size", "c05"),
        ["many", DAY, "some", "identity"]
    );
    assert_eq!(
        merges.stay("size", "c02"),
        ["many", DAY, "some", "identity"]
    );
    assert_eq!(
        merges.stay("size", "c14"),
        ["many", DAY, "some", "identity"]
    );
    assert_eq!(merges.stay("size", "new"), ["one", DAY, "", "identity"]);
    // Who only survives in the same segment has been there as long as before.
    assert_eq!(
        merges.stay("size", "c03"),
        ["many", "2026-10-29", "many", ""]
    );
    assert_eq!(
        merges.moves("size"),
        [
            "- > one (identity) 1",
            "one > - (identity) 3",
            "some > - (identity) 2",
            "some > many (identity) 3",
        ]
    );
    // Who asks for a merged key is told whose it is.
    let store = merges.folder.path().join("store").display().to_string();
    let output = run(&["explain", &store, "c12"], 2);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("the key belongs to customer `c14`"), "{told}");
    // Nothing changed since.
    merges.day(NEXT);
    assert_eq!(merges.causes(), BTreeMap::new());

    // Two are apart again.
    let before = Before::of(&merges);
    merges.map(&[("c12", "c13"), ("c13", "c14"), ("c16", "new")]);
    merges.day("2026-11-02");
    before.adds_up(&merges);
    assert_eq!(merges.causes().keys().collect::<Vec<_>>(), ["identity"]);
    assert_eq!(
        merges.moves("size"),
        [
            "- > one (identity) 1",
            "- > some (identity) 1",
            "many > some (identity) 2",
        ]
    );
    let apart = ["some", "2026-11-02", "", "identity"];
    assert_eq!(merges.stay("size", "c01"), apart);
}

#[test]
fn a_merge_is_told_from_new_rows_of_the_same_night() {
    let merges = Merges::shop(SCHEMES);
    merges.day("2026-10-30");
    let before = Before::of(&merges);
    merges.map(&[("c04", "c08"), ("c01", "c05")]);
    // c04 and c08 have one order each, and two as one customer; the rows of the night come under a merged key too.
    merges.orders(
        "b.csv",
        "c04,2026-10-31,5\nc08,2026-10-31,5\nc12,2026-10-31,5\nfresh,2026-10-31,5\n",
    );
    merges.day(DAY);
    before.adds_up(&merges);
    assert_eq!(
        merges.moves("size"),
        [
            "- > one (activity) 1",
            "one > - (identity) 1",
            "one > some (activity) 1",
            "one > some (identity) 1",
            "some > - (identity) 1",
            "some > many (activity) 1",
            "some > many (identity) 1",
        ]
    );
    assert_eq!(merges.stay("size", "c08"), ["many", DAY, "one", "activity"]);
    assert_eq!(
        merges.stay("size", "c05"),
        ["many", DAY, "some", "identity"]
    );
    assert_eq!(merges.stay("size", "c12"), ["some", DAY, "one", "activity"]);
}

#[test]
fn learned_tiers_late_rows_and_edits_of_the_same_night_are_told_apart_as_far_as_they_can_be() {
    let merges = Merges::shop(REFITTED);
    merges.day("2026-10-30");
    let before = Before::of(&merges);
    // The tiers are learned again, so that others move because of them.
    merges.map(&[
        ("c20", "c21"),
        ("c22", "c23"),
        ("c24", "c25"),
        ("c26", "c27"),
        ("c00", "c38"),
    ]);
    merges.day(DAY);
    before.adds_up(&merges);
    let causes = merges.causes();
    let names: Vec<&String> = causes.keys().collect();
    assert_eq!(names, ["identity", "model"], "{:?}", merges.moves("tier"));
    assert!(causes["identity"] >= 5);

    // A row that came late and a merge: only customers whose keys changed have both causes.
    let before = Before::of(&merges);
    merges.orders("late.csv", "c30,2026-09-01,5000\nc10,2026-09-01,5000\n");
    merges.map(&[
        ("c20", "c21"),
        ("c22", "c23"),
        ("c24", "c25"),
        ("c26", "c27"),
        ("c00", "c38"),
        ("c11", "c10"),
    ]);
    merges.day(NEXT);
    before.adds_up(&merges);
    assert_eq!(
        merges.stay("tier", "c10")[3],
        "identity or late_data or model"
    );
    assert_eq!(merges.stay("tier", "c30")[3], "late_data or model");
    let moves = merges.moves("tier");
    assert!(
        moves.contains(&"rest > - (identity) 1".to_owned()),
        "{moves:?}"
    );
}

#[test]
fn a_map_that_is_declared_for_the_first_time_is_no_edit_of_the_definition() {
    let merges = Merges::shop(SCHEMES);
    merges.map(&[("c01", "c05")]);
    let file = merges.folder.path().join("merges.toml");
    let with_map = std::fs::read_to_string(&file).unwrap();
    let from = with_map.find("[sources.merged]").unwrap();
    let to = with_map.find("[sources.orders]").unwrap();
    let without = format!("{}{}", &with_map[..from], &with_map[to..]);
    let without = without.replace(
        "identity = { from = \"merged\", to = \"customer_id\" }\n",
        "",
    );
    std::fs::write(&file, without).unwrap();
    merges.day("2026-10-30");
    let before = Before::of(&merges);
    std::fs::write(&file, with_map).unwrap();
    merges.day(DAY);
    before.adds_up(&merges);
    assert_eq!(merges.causes().keys().collect::<Vec<_>>(), ["identity"]);
}

/// Keys of the demo that were merged between two versions, with no other change, give no other cause.
#[test]
fn merged_keys_of_the_demo_give_no_move_of_behaviour() {
    let lake = tempfile::tempdir().unwrap();
    demo(&lake.path().display().to_string(), 600);
    let merges = Merges::new(&format!("{DEMO}{SCHEMES}"), Some(lake.path().join("lake")));
    merges.day(DAY);
    let keys: Vec<String> = merges.spend().into_keys().collect();
    // Chains of up to three keys among every tenth customer.
    let planted: Vec<(&str, &str)> = (0..keys.len() - 30)
        .step_by(10)
        .map(|row| {
            let to = if row % 30 == 0 { row + 10 } else { row + 3 };
            (keys[row].as_str(), keys[to].as_str())
        })
        .collect();
    let before = Before::of(&merges);
    merges.map(&planted);
    merges.day(NEXT);
    before.adds_up(&merges);
    let causes = merges.causes();
    assert_eq!(
        causes.keys().collect::<Vec<_>>(),
        ["identity"],
        "{causes:?}"
    );
    let schemes = 4;
    assert!(
        causes["identity"] > schemes * planted.len() as i64,
        "all merged customers leave, and some of the others move: {causes:?}"
    );
    let gone = merges.table("merged_keys").rows();
    assert_eq!(gone, planted.len());
}
