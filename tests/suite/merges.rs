//! Keys that belong to another customer: the map of `[customer.identity]`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};

/// The map beside the orders, with keys that are texts.
const MAP: &str = r#"
[sources.merged]
kind = "lookup"
path = "${lake}/merged"
key = "old_id"
[sources.merged.contract]
columns = { old_id = "string", customer_id = "string" }
missing_key = "quarantine"
"#;

const IDENTITY: &str = "identity = { from = \"merged\", to = \"customer_id\" }\n";

fn shop(map: &str) -> Shop {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount\n\
         a,2026-10-01,10\nb,2026-10-02,20\nc,2026-10-03,40\nd,2026-10-04,80\n,2026-10-04,9\n",
    );
    shop.file("merged/m.csv", map);
    shop
}

fn run(shop: &Shop, code: i32) -> String {
    let parts = [IDENTITY, ORDERS, CONTRACT, MAP, RFM];
    said(&shop.run(&parts, "2026-10-31", &[]), code)
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Metric and value of what `quality` says of the map.
fn counted(shop: &Shop) -> BTreeMap<String, i64> {
    let quality = shop.table("quality");
    let rows = quality.texts("criterion").into_iter();
    let of_map = rows
        .enumerate()
        .filter(|(_, criterion)| *criterion == text("identity"));
    let (metrics, values) = (quality.texts("metric"), quality.floats("value"));
    of_map
        .map(|(row, _)| (metrics[row].clone().unwrap(), values[row].unwrap() as i64))
        .collect()
}

#[test]
fn keys_lead_to_the_customer_at_the_end_and_are_counted() {
    // `d` leads to itself, which is as if it were not there; `z` has no row, and `b` none that is its own.
    let shop = shop("old_id,customer_id\na,b\nb,c\nd,d\nz,d\n,c\nx,\n\"  \",c\ny,\"  \"\n");
    let parts = [IDENTITY, ORDERS, CONTRACT, MAP, RFM];
    let told = said(&shop.run(&parts, "2026-10-31", &[]), 0);
    let customers = shop.table("customers");
    assert_eq!(customers.texts("customer_id"), [text("c"), text("d")]);
    assert_eq!(
        customers.floats("spend_total"),
        [Some(70.0), Some(80.0)],
        "sums of all keys that lead to the customer"
    );
    let merged = shop.table("merged_keys");
    assert_eq!(
        merged.texts("merged_key"),
        [text("a"), text("b"), text("z")]
    );
    assert_eq!(
        merged.texts("customer_id"),
        [text("c"), text("c"), text("d")]
    );
    let expected = [
        ("merged_keys", 3),
        ("merged_into", 2),
        ("resolved_rows_orders", 2),
    ];
    let expected: BTreeMap<String, i64> = expected
        .into_iter()
        .map(|(metric, value)| (metric.to_owned(), value))
        .collect();
    assert_eq!(counted(&shop), expected);
    let line = "3 keys are merged into 2 customers: 2 rows of theirs are used";
    assert!(told.contains(line), "{told}");
    let sources = shop.table("sources");
    assert_eq!(sources.texts("source"), [text("merged"), text("orders")]);
    assert_eq!(sources.ints("unmatched"), [None, None]);
    assert_eq!(sources.ints("used"), [Some(4), Some(4)]);
    assert_eq!(sources.ints("quarantined"), [Some(4), Some(1)]);
    let note = "2 of 4 rows (50.0%) that take part carry a key that belongs to another customer by `[customer.identity]`";
    let notes = sources.texts("notes")[1].clone().unwrap();
    assert!(notes.lines().any(|one| one == note), "{notes}");
    // Rows of the map without a key or a customer are rejected like others, with file and row.
    let rejects = shop.table("rejects");
    let rejected: Vec<String> = (0..rejects.rows())
        .map(|row| {
            let cell = |name: &str| rejects.texts(name)[row].clone().unwrap();
            let number = rejects.ints("row_number")[row].unwrap();
            format!("{} {number}: {}", cell("file"), cell("rule"))
        })
        .collect();
    assert_eq!(
        rejected,
        [
            "m.csv 5: old_id is missing",
            "m.csv 6: customer_id is missing",
            "m.csv 7: old_id is missing",
            "m.csv 8: customer_id is missing",
            "o.csv 5: customer_id is missing",
        ]
    );
}

#[test]
fn a_map_that_leads_nowhere_or_to_two_customers_ends_the_run() {
    let circle = shop("old_id,customer_id\nd,a\na,b\nb,c\nc,a\n");
    let told = run(&circle, 3);
    assert!(
        told.contains(
            "lookup `merged`: 3 keys lead from one to the next and back to the first, such as"
        ) && told.contains("m.csv row 2 and")
            && told.contains("m.csv row 3, so none of them is the customer"),
        "{told}"
    );
    assert!(!circle.published());

    let two = shop("old_id,customer_id\na,b\na,b\na,c\n");
    let told = run(&two, 3);
    assert!(
        told.contains("lookup `merged`: 1 value of `old_id` has several rows that differ in a joined column, such as"),
        "{told}"
    );
    assert!(!two.published());

    // With a time the newest row counts, and rows after the day are not known: here `a` was merged and is apart again.
    let history = shop(
        "old_id,customer_id,since\na,b,2026-10-01\na,a,2026-10-20\nb,c,2026-11-01\nc,d,2026-10-31\n",
    );
    let map = MAP
        .replace("key = \"old_id\"", "key = \"old_id\"\ntime = \"since\"")
        .replace("string\" }", "string\", since = \"date\" }");
    let parts = [IDENTITY, ORDERS, CONTRACT, &map, RFM];
    said(&history.run(&parts, "2026-10-31", &[]), 0);
    let customers = history.table("customers");
    assert_eq!(
        customers.texts("customer_id"),
        [text("a"), text("b"), text("d")]
    );
}

#[test]
fn keys_of_another_type_are_a_mistake_of_the_pipeline_file() {
    let shop = shop("old_id,customer_id\n1,2\n");
    let numbers = CONTRACT.replace("customer_id = \"string\"", "customer_id = \"i64\"");
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount\n1,2026-10-01,10\n2,2026-10-02,20\n",
    );
    let told = said(
        &shop.run(&[IDENTITY, ORDERS, &numbers, MAP, RFM], "2026-10-31", &[]),
        2,
    );
    assert!(
        told.contains("error[TS-D033]: the key `customer_id` of source `orders` is integer, but `old_id` of lookup `merged` is string")
            && told.contains("declare both columns of the map in [sources.merged.contract]"),
        "{told}"
    );
    let map = MAP.replace("\"string\"", "\"i64\"");
    said(
        &shop.run(&[IDENTITY, ORDERS, &numbers, &map, RFM], "2026-10-31", &[]),
        0,
    );
    assert_eq!(shop.table("customers").ints("customer_id"), [Some(2)]);
    assert_eq!(shop.table("merged_keys").ints("merged_key"), [Some(1)]);
    // Beside texts an integer is its digits.
    said(
        &shop.run(&[IDENTITY, ORDERS, CONTRACT, &map, RFM], "2026-10-31", &[]),
        0,
    );
    assert_eq!(shop.table("customers").texts("customer_id"), [text("2")]);
}

#[test]
fn several_rows_of_attributes_of_one_customer_are_what_the_contract_says_of_them() {
    let shop = shop("old_id,customer_id\na,b\n");
    shop.file(
        "crm/c.csv",
        "customer_id,plan,since\na,pro,2026-10-05\nb,free,2026-10-01\nc,free,2026-10-01\n",
    );
    let crm = |time: &str| {
        format!(
            "\n[sources.crm]\nkind = \"attributes\"\npath = \"${{lake}}/crm\"\nkey = \"customer_id\"\n{time}attributes.plan = {{ base = \"firmographic\" }}\n\
             [sources.crm.contract]\ncolumns = {{ customer_id = \"string\", plan = \"string\", since = \"date\" }}\nmissing_key = \"fail\"\n"
        )
    };
    // Without a time no row is the newest.
    let parts = [IDENTITY, ORDERS, CONTRACT, MAP, &crm(""), RFM];
    let told = said(&shop.run(&parts, "2026-10-31", &[]), 3);
    assert!(
        told.contains("c.csv row 1 and c.csv row 2") && told.contains("1 customer"),
        "{told}"
    );
    let parts = [
        IDENTITY,
        ORDERS,
        CONTRACT,
        MAP,
        &crm("time = \"since\"\n"),
        RFM,
    ];
    said(&shop.run(&parts, "2026-10-31", &[]), 0);
    let customers = shop.table("customers");
    let (keys, plans) = (customers.texts("customer_id"), customers.texts("plan"));
    let plans: Vec<_> = keys.into_iter().flatten().zip(plans).collect();
    let expected = [("b", text("pro")), ("c", text("free")), ("d", None)];
    assert_eq!(plans, expected.map(|(key, plan)| (key.to_owned(), plan)));
}

/// Two accounts of one customer with rows of the same day: what the message says to do about it does it.
#[test]
fn equally_new_rows_of_merged_keys_can_be_left_out_as_the_message_says() {
    let shop = shop("old_id,customer_id\na,b\n");
    let rows = "customer_id,plan,since\na,pro,2026-10-01\nb,free,2026-10-01\nc,free,2026-10-01\n";
    shop.file("crm/c.csv", rows);
    let crm = |more: &str| {
        format!(
            "\n[sources.crm]\nkind = \"attributes\"\npath = \"${{lake}}/crm\"\nkey = \"customer_id\"\ntime = \"since\"\n{more}attributes.plan = {{ base = \"firmographic\" }}\n\
             [sources.crm.contract]\ncolumns = {{ customer_id = \"string\", plan = \"string\", since = \"date\" }}\nmissing_key = \"fail\"\n"
        )
    };
    let parts = [IDENTITY, ORDERS, CONTRACT, MAP, &crm(""), RFM];
    let told = said(&shop.run(&parts, "2026-10-31", &[]), 3);
    let [filter, join] = [
        "filter = \"belongs_to is null\"",
        "join.merged = { on = { customer_id = \"old_id\" }, columns = { belongs_to = \"customer_id\" } }",
    ];
    let advice =
        format!("leave those of the replaced key out: `{filter}` and `{join}` in [sources.crm]");
    assert!(told.contains(&advice), "{told}");
    let advised = crm(&format!("{filter}\n{join}\n"));
    let parts = [IDENTITY, ORDERS, CONTRACT, MAP, &advised, RFM];
    said(&shop.run(&parts, "2026-10-31", &[]), 0);
    let customers = shop.table("customers");
    let plans = [text("free"), text("free"), None];
    assert_eq!(customers.texts("plan"), plans);
}

/// A generator of numbers with a fixed beginning.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        // The constants of Knuth's MMIX.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Key after key, as far as the map leads.
fn resolved(map: &BTreeMap<String, String>, key: &str) -> String {
    let mut at = key.to_owned();
    while let Some(next) = map.get(&at).filter(|next| **next != at) {
        at.clone_from(next);
    }
    at
}

/// A lake of three sources, whose keys are written by `key`.
fn generated(shop: &Shop, seed: u64, key: impl Fn(u64) -> String) {
    let mut random = Numbers(seed);
    let mut orders = "customer_id,ordered_at,amount\n".to_owned();
    let mut crm = "customer_id,plan,since\n".to_owned();
    let mut stays = "customer_id,begun,ended\n".to_owned();
    for number in 0..400 {
        let customer = key(random.below(60));
        let day = format!(
            "2026-{:02}-{:02}",
            1 + random.below(9),
            1 + random.below(28)
        );
        writeln!(orders, "{customer},{day},{}.25", random.below(500)).unwrap();
        let customer = key(random.below(60));
        // No two rows of one time, so that the newest is one.
        let minute = format!(
            "2026-10-{:02} {:02}:{:02}:00",
            1 + number / 20,
            number % 20,
            number % 60
        );
        writeln!(crm, "{customer},plan{},{minute}", random.below(5)).unwrap();
        let customer = key(random.below(60));
        writeln!(stays, "{customer},{day},2026-12-01").unwrap();
    }
    shop.file("orders/o.csv", &orders);
    shop.file("crm/c.csv", &crm);
    shop.file("stays/s.csv", &stays);
}

/// Sources with keys of a type, features and schemes over them.
const SOURCES: &str = r#"
[sources.orders]
kind = "events"
path = "${lake}/orders"
key = "customer_id"
time = "ordered_at"
[sources.orders.contract]
columns = { customer_id = "KEY", ordered_at = "date", amount = "f64" }
missing_key = "quarantine"
[sources.crm]
kind = "attributes"
path = "${lake}/crm"
key = "customer_id"
time = "since"
time_zone = "UTC"
attributes.plan = { base = "firmographic" }
[sources.crm.contract]
columns = { customer_id = "KEY", plan = "string", since = "timestamp" }
missing_key = "fail"
[sources.stays]
kind = "intervals"
path = "${lake}/stays"
key = "customer_id"
time = "begun"
until = "ended"
only_keys_of = "crm"
[sources.stays.contract]
columns = { customer_id = "KEY", begun = "date", ended = "date" }
missing_key = "fail"
[features]
use = ["rfm", "lifecycle"]
amounts = { from = "orders", agg = "count_distinct", of = "amount" }
recent = { from = "orders", agg = "sum", of = "amount", window = "60d" }
middle = { from = "orders", agg = "median", of = "amount" }
stay_count = { from = "stays", agg = "count" }
[schemes.plans]
kind = "attribute"
by = "plan"
[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.25, rest = 1.0 }
"#;

/// Oracle: the lake with its keys replaced before the run, by a loop over the map.
#[test]
fn features_are_those_of_a_lake_whose_keys_were_replaced_before() {
    for (seed, ty) in (1..=6).zip(["string", "i64"].into_iter().cycle()) {
        let name = |number: u64| match ty {
            "i64" => (1_000 + number).to_string(),
            _ => format!("customer-{number}"),
        };
        let mut random = Numbers(seed * 77);
        // Every key leads to a higher one or to none, so that there is no circle.
        let mut map: BTreeMap<String, String> = BTreeMap::new();
        for number in 0..50 {
            if random.below(2) == 0 {
                let to = number + 1 + random.below(20);
                map.insert(name(number), name(to));
            }
        }
        let rest = SOURCES.replace("KEY", ty);
        let with_map = Shop::new();
        generated(&with_map, seed, name);
        let rows = map.iter().map(|(key, to)| format!("{key},{to}\n"));
        let rows: String = rows.collect();
        with_map.file("merged/m.csv", &format!("old_id,customer_id\n{rows}"));
        let lookup = MAP.replace("\"string\"", &format!("\"{ty}\""));
        let parts = [IDENTITY, &rest, &lookup];
        said(&with_map.run(&parts, "2026-10-31", &[]), 0);
        let replaced = Shop::new();
        generated(&replaced, seed, |number| resolved(&map, &name(number)));
        said(&replaced.run(&[&rest], "2026-10-31", &[]), 0);
        for table in ["customers", "memberships", "segments", "profiles"] {
            let bytes = |shop: &Shop| {
                std::fs::read(shop.path(&format!("store/latest/{table}.parquet"))).unwrap()
            };
            assert!(
                bytes(&with_map) == bytes(&replaced),
                "seed {seed}, table {table}"
            );
        }
        assert!(with_map.table("customers").rows() < 60);
    }
}
