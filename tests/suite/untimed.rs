//! Attributes of which only today's value is known are not used in training on the past.

use crate::program::{json, run};
use crate::table::Table;

fn pipeline(folder: &str, time: &str, features: &str) -> String {
    format!(
        r#"
spec_version = 1
name = "untimed"
timezone = "UTC"
currency = "EUR"
store = "{folder}/store"
[customer]
key = "k"
from = ["orders"]
[sources.orders]
kind = "events"
path = "{folder}/orders.csv"
key = "k"
time = "day"
contract = {{ columns = {{ k = "string", day = "date", amount = "f64" }}, missing_key = "fail" }}
[sources.crm]
kind = "attributes"
path = "{folder}/crm.csv"
key = "k"
{time}
attributes.plan = {{ base = "firmographic" }}
contract = {{ columns = {{ k = "string", plan = "string", since = "date" }}, missing_key = "fail" }}
[features]
use = ["recency_days"]
cancelled = {{ expr = "plan = 'cancelled'" }}
[scores.churn]
kind = "supervised"
from = "orders"
horizon = "90d"
features = [{features}]
"#
    )
}

/// The warnings of `check`.
fn warnings(time: &str, features: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display().to_string();
    std::fs::write(
        dir.path().join("orders.csv"),
        "k,day,amount\na,2026-01-01,1\n",
    )
    .unwrap();
    let crm = "k,plan,since\na,gold,2025-01-01\n";
    std::fs::write(dir.path().join("crm.csv"), crm).unwrap();
    let file = dir.path().join("p.toml");
    std::fs::write(&file, pipeline(&folder, time, features)).unwrap();
    let checked = json(&run(&["check", &file.display().to_string(), "--json"], 0));
    let found = checked[0]["diagnostics"].as_array().unwrap();
    let messages = found.iter().map(|one| one["message"].as_str().unwrap());
    messages
        .filter(|message| message.contains("only today's value"))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn features_of_today_only_are_left_out_and_warned_of() {
    let found = warnings("", r#""recency_days", "plan""#);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("`plan` is not used in the score `churn`"),
        "{found:?}"
    );
    let derived = warnings("", r#""cancelled""#);
    assert!(derived[0].contains("`cancelled`"), "{derived:?}");
    // Where no features are listed, all published features are used.
    let all = warnings("", "");
    assert!(
        all.len() == 1 && all[0].contains("`plan`, `cancelled`"),
        "{all:?}"
    );
}

#[test]
fn what_never_changes_takes_part() {
    assert!(
        warnings(
            "unchanging = [\"plan\"]",
            r#""recency_days", "plan", "cancelled""#
        )
        .is_empty()
    );
}

/// Two thousand customers over two years, who order every 30 days until they stop; the file of customers knows who has stopped.
fn shop(folder: &std::path::Path) {
    let (mut orders, mut crm) = (
        String::from("k,day,amount\n"),
        String::from("k,plan,since\n"),
    );
    let first = chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
    for customer in 0..2000u64 {
        let random = |salt: u64| {
            let mut x = (customer + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
                ^ salt.wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (x ^ (x >> 29)) % 1000
        };
        let stops = 250 + random(1) * 9 / 10;
        let mut day = random(2) % 90;
        while day < stops.min(720) {
            let date = first + chrono::Days::new(day);
            orders.push_str(&format!("c{customer},{date},{}\n", 10 + random(3) % 50));
            day += 20 + random(day) % 40;
        }
        let plan = if stops < 720 { "cancelled" } else { "gold" };
        crm.push_str(&format!("c{customer},{plan},2024-01-01\n"));
    }
    std::fs::write(folder.join("orders.csv"), orders).unwrap();
    std::fs::write(folder.join("crm.csv"), crm).unwrap();
}

/// Area under the curve of the best model of `churn`, whether `plan` has an importance, and the rows of `quality`.
fn scored(source: &str) -> (f64, bool, Vec<(String, Option<String>)>) {
    let dir = tempfile::tempdir().unwrap();
    shop(dir.path());
    let folder = dir.path().display().to_string();
    let file = dir.path().join("p.toml");
    std::fs::write(
        &file,
        pipeline(&folder, source, r#""recency_days", "plan""#),
    )
    .unwrap();
    let file = file.display().to_string();
    run(&["run", &file, "--as-of", "2025-12-20", "--quiet"], 0);
    let table = |name: &str| Table::read(&dir.path().join(format!("store/latest/{name}.parquet")));
    let models = table("models");
    let rows = models.texts("model").into_iter().zip(models.texts("name"));
    let mut best = 0.0f64;
    let mut important = false;
    for ((model, name), value) in rows.zip(models.floats("value")) {
        if name.as_deref() == Some("test_auc") && model.as_deref() != Some("recency_rule") {
            best = best.max(value.unwrap());
        }
        important |= name.as_deref() == Some("importance plan");
    }
    let quality = table("quality");
    let rows = quality
        .texts("criterion")
        .into_iter()
        .zip(quality.texts("reason"));
    let rows = rows
        .map(|(criterion, reason)| (criterion.unwrap(), reason))
        .collect();
    (best, important, rows)
}

#[test]
fn a_plan_that_knows_who_left_does_not_reach_the_model() {
    let (honest, important, quality) = scored("");
    assert!(!important);
    let said = quality
        .iter()
        .find(|(criterion, _)| criterion == "known at earlier dates");
    let reason = said.unwrap().1.clone().unwrap();
    assert!(reason.contains("`plan`"), "{reason}");
    // If it is listed as unchanging, which is wrong, it leaks the future.
    let (given_away, important, quality) = scored("unchanging = [\"plan\"]");
    assert!(important);
    assert!(
        quality
            .iter()
            .all(|(criterion, _)| criterion != "known at earlier dates")
    );
    println!("{honest} {given_away}");
    assert!(given_away > honest + 0.05, "{honest} {given_away}");
}

#[test]
fn attributes_with_a_time_and_models_without_them_need_no_warning() {
    assert!(warnings("time = \"since\"", r#""recency_days", "plan""#).is_empty());
    assert!(warnings("", r#""recency_days""#).is_empty());
}

/// Order lines with prices of a list without a time, and the name of a group that the list leads to.
fn priced(products: &str, groups: &str) -> String {
    format!(
        r#"
spec_version = 1
name = "priced"
timezone = "UTC"
currency = "EUR"
store = "FOLDER/store"
[customer]
key = "k"
[sources.lines]
kind = "events"
path = "FOLDER/lines.csv"
key = "k"
time = "day"
amount = "amount"
derive = {{ amount = "pieces * price" }}
join.products = {{ on = ["product"], columns = ["price", "group_id"] }}
join.groups = {{ on = ["group_id"], columns = ["group_name"] }}
contract = {{ columns = {{ k = "string", day = "date", product = "string", pieces = "i64" }}, missing_key = "fail" }}
[sources.products]
kind = "lookup"
path = "FOLDER/products.csv"
key = "product"
{products}
contract = {{ columns = {{ product = "string", price = "f64", group_id = "string" }}, missing_key = "fail" }}
[sources.groups]
kind = "lookup"
path = "FOLDER/groups.csv"
key = "group_id"
{groups}
contract = {{ columns = {{ group_id = "string", group_name = "string", since = "date" }}, missing_key = "fail" }}
[features]
use = ["recency_days", "spend_total", "order_value_mean"]
lately = {{ from = "lines", agg = "sum", of = "amount", window = "90d" }}
bikes = {{ from = "lines", agg = "count", where = "group_name = 'bikes'" }}
[scores.churn]
kind = "supervised"
from = "lines"
horizon = "90d"
"#
    )
}

/// What `check` says of it: messages with the help of each.
fn said(text: &str, code: i32) -> Vec<(String, String)> {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    file("lines.csv", "k,day,product,pieces\na,2026-01-01,p,1\n");
    file("products.csv", "product,price,group_id\np,2.5,g\n");
    file(
        "groups.csv",
        "group_id,group_name,since\ng,bikes,2025-01-01\n",
    );
    let folder = dir.path().display().to_string();
    file("p.toml", &text.replace("FOLDER", &folder));
    let path = dir.path().join("p.toml").display().to_string();
    let checked = json(&run(&["check", &path, "--json"], code));
    let found = checked[0]["diagnostics"].as_array().unwrap();
    let texts = found.iter().map(|one| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        (text("message"), text("help"))
    });
    texts
        .filter(|(message, _)| message.contains("today's value"))
        .collect()
}

/// The sources without a time are named, and what the message says to list there is accepted there.
#[test]
fn prices_that_never_change_are_stated_in_their_list() {
    let found = said(&priced("", ""), 0);
    let message = "`spend_total`, `bikes`, `lately`, `order_value_mean` are not used in the score `churn`: only today's values of them are known, because [sources.products] has no `time`";
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, message);
    assert!(found[0].1.contains("columns of a lookup"), "{}", found[0].1);
    let found = said(&priced(r#"unchanging = ["price"]"#, ""), 0);
    let message = "`bikes` is not used in the score `churn`: only today's value of it is known, because [sources.products] has no `time`";
    assert_eq!(found[0].0, message);
    let products = r#"unchanging = ["price", "group_id"]"#;
    let found = said(&priced(products, ""), 0);
    assert!(
        found[0].0.contains("because [sources.groups] has no"),
        "{found:?}"
    );
    let groups = r#"unchanging = ["group_name"]"#;
    assert!(said(&priced(products, groups), 0).is_empty());
    // With a time of its own the name of the group is known at each date, but not which group a product was in.
    let found = said(&priced(r#"unchanging = ["price"]"#, r#"time = "since""#), 0);
    assert_eq!(found[0].0, message);
    assert!(said(&priced(products, r#"time = "since""#), 0).is_empty());
}

#[test]
fn unchanging_names_columns_that_are_joined_from_a_lookup() {
    let found = said(&priced(r#"unchanging = ["prize"]"#, ""), 2);
    assert!(
        found[0].0.contains("unknown column `prize` of `products`") && found[0].1.contains("price"),
        "{found:?}"
    );
    // Its earlier values are known: there is nothing to state.
    let timed = r#"time = "since"
unchanging = ["group_name"]"#;
    let found = said(&priced("", timed), 2);
    assert!(
        found
            .iter()
            .any(|(message, _)| message.contains("`group_name` of `groups`")),
        "{found:?}"
    );
}
