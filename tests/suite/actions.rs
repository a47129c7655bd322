//! The table `actions`: every member of a segment with a playbook, by descending value at risk, with a reason that is true.

use std::collections::BTreeMap;

use crate::program::{root, run};
use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};
use crate::table::Table;

#[test]
fn actions_hold_every_member_of_a_segment_with_a_playbook_by_value_at_risk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 3_000);
    let latest = dir.path().join("store/demo/latest");
    let (actions, customers, segments) = (
        Table::read(&latest.join("actions.parquet")),
        Table::read(&latest.join("customers.parquet")),
        Table::read(&latest.join("segments.parquet")),
    );
    let row_of: BTreeMap<String, usize> = customers
        .texts("customer_id")
        .into_iter()
        .flatten()
        .zip(0..)
        .collect();
    let (at_risk, now) = (
        customers.floats("value_at_risk"),
        customers.floats("value_now"),
    );
    let country = customers.texts("country");
    let of = |name: &str| actions.texts(name);
    let (keys, schemes, own) = (of("customer_id"), of("scheme"), of("segment"));
    let (playbooks, countries) = (of("playbook"), of("country"));
    let (priority, risk) = (actions.ints("priority"), actions.floats("value_at_risk"));
    let mut members: BTreeMap<(String, String), i64> = BTreeMap::new();
    for row in 0..actions.rows() {
        let customer = row_of[keys[row].as_ref().unwrap()];
        let scheme = schemes[row].clone().unwrap();
        assert_eq!(customers.texts(&scheme)[customer], own[row]);
        assert_eq!(risk[row], at_risk[customer]);
        assert_eq!(actions.floats("value_now")[row], now[customer]);
        assert_eq!(countries[row], country[customer]);
        *members
            .entry((scheme, own[row].clone().unwrap()))
            .or_default() += 1;
        // Within a playbook ranks rise by one and the value at risk falls.
        if row > 0 && playbooks[row] == playbooks[row - 1] {
            assert_eq!(priority[row], priority[row - 1].map(|rank| rank + 1));
            let falls = match (risk[row - 1], risk[row]) {
                (Some(before), Some(now)) => before >= now,
                (None, Some(_)) => false,
                (_, None) => true,
            };
            assert!(falls, "row {row}");
        } else {
            assert_eq!(priority[row], Some(1));
        }
    }
    let mut without: BTreeMap<String, i64> = BTreeMap::new();
    for row in 0..segments.rows() {
        let text = |name: &str| segments.texts(name)[row].clone();
        let key = (text("scheme").unwrap(), text("segment").unwrap());
        let size = segments.ints("customers")[row].unwrap();
        let found = members.get(&key).copied().unwrap_or(0);
        let with = text("playbook").is_some();
        assert_eq!(found, if with { size } else { 0 }, "{key:?}");
        assert_eq!(text("goal").is_some(), with, "{key:?}");
        if !with {
            *without.entry(key.0).or_default() += size;
        }
    }
    let models = Table::read(&latest.join("models.parquet"));
    let names = models.texts("name");
    let counted: BTreeMap<String, i64> = (0..models.rows())
        .filter(|&row| names[row].as_deref() == Some("customers_without_playbook"))
        .map(|row| {
            let scheme = models.texts("score")[row].clone().unwrap();
            (scheme, models.floats("value")[row].unwrap() as i64)
        })
        .collect();
    assert_eq!(counted["touch"], without.get("touch").copied().unwrap_or(0));
    assert_eq!(counted["rfm"], without["rfm"]);
}

#[test]
fn reasons_of_rules_and_grids_hold_the_customers_own_values() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 2_000);
    let latest = dir.path().join("store/demo/latest");
    let customers = Table::read(&latest.join("customers.parquet"));
    let memberships = Table::read(&latest.join("memberships.parquet"));
    let row_of: BTreeMap<String, usize> = customers
        .texts("customer_id")
        .into_iter()
        .flatten()
        .zip(0..)
        .collect();
    let (keys, schemes, segments, reasons) = (
        memberships.texts("customer_id"),
        memberships.texts("scheme"),
        memberships.texts("segment"),
        memberships.texts("reason"),
    );
    let (urgent, attitude) = (customers.ints("urgent_180d"), customers.texts("attitude"));
    let (tier, recency) = (
        customers.texts("value_tier"),
        customers.ints("recency_days"),
    );
    let preferred = customers.texts("preferred_touch");
    let mut seen = [0; 4];
    for row in 0..memberships.rows() {
        let customer = row_of[keys[row].as_ref().unwrap()];
        let reason = reasons[row].as_deref().unwrap();
        let segment = segments[row].as_deref().unwrap();
        match schemes[row].as_deref().unwrap() {
            "touch" if segment == "listen" => {
                let urgent = urgent[customer].unwrap();
                let mut held = Vec::new();
                if attitude[customer].as_deref() == Some("detractor") {
                    held.push("attitude is detractor".to_owned());
                }
                if urgent >= 2 {
                    held.push(format!("urgent_180d {urgent} >= 2"));
                }
                assert_eq!(reason, format!("rule 4: {}", held.join(" and ")));
                seen[0] += 1;
            }
            "touch" if segment == "high-touch" => {
                let tier = tier[customer].as_ref().unwrap();
                let touch = preferred[customer].as_deref().unwrap_or("missing");
                let held =
                    format!("value_tier is {tier} and preferred_touch is {touch}, not 'low'");
                assert_eq!(reason, format!("rule 2: {held}"));
                seen[1] += 1;
            }
            "touch" if segment == "tech-touch" => {
                let start = "none of the 6 rules is true; nearest is rule ";
                assert!(reason.starts_with(start), "{reason}");
                assert!(
                    reason.contains(" needs ") && reason.contains("(is "),
                    "{reason}"
                );
                seen[2] += 1;
            }
            "rfm" if segment != "Not Scored" => {
                let days = recency[customer].unwrap();
                assert!(
                    reason.contains(&format!("(recency_days {days})")),
                    "{reason}"
                );
                assert!(reason.contains(&format!(" is {segment} in ")), "{reason}");
                seen[3] += 1;
            }
            _ => {}
        }
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

#[test]
fn a_column_of_actions_that_is_not_there_is_shown_at_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 500);
    let shipped = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    let file = format!("{path}/demo.toml");
    let wrong = shipped.replacen("columns = [\"country\",", "columns = [\"contry\",", 1);
    assert_ne!(wrong, shipped);
    std::fs::write(&file, wrong).unwrap();
    let lake = format!("lake={path}/lake");
    let output = run(&["check", &file, "--var", &lake], 2);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        message.contains("contry") && message.contains("country"),
        "{message}"
    );
}

/// Orders of customers who spend more the later their letter comes, and what is known of them.
fn shop() -> Shop {
    let shop = Shop::new();
    let orders: String = (0..26)
        .map(|n| format!("{},2026-06-01,{}\n", letter(n), 10 * (n + 1)))
        .collect();
    shop.file(
        "orders/a.csv",
        &format!("customer_id,ordered_at,amount\n{orders}"),
    );
    let known: String = (0..26)
        .map(|n| {
            let mail = ["true", "false", ""][n as usize % 3];
            format!(
                "{},{mail},{}\n",
                letter(n),
                if n < 20 { "DE" } else { "AT" }
            )
        })
        .collect();
    shop.file("crm/a.csv", &format!("customer_id,mail,country\n{known}"));
    shop
}

fn letter(n: u8) -> char {
    char::from(b'A' + n)
}

const CRM: &str = r#"
[sources.crm]
kind = "attributes"
path = "${lake}/crm"
key = "customer_id"
attributes.mail = { base = "engagement" }
attributes.country = { base = "geographic" }
[sources.crm.contract]
columns = { customer_id = "string", mail = "bool", country = "string" }
missing_key = "quarantine"
"#;

const MARKET: &str = "[schemes.market]\nkind = \"attribute\"\nby = \"country\"\n";

const GERMANS: &str = "[playbooks.DE]\nscheme = \"market\"\nchannel = \"mail\"\n";

/// The keys of `actions` in its order.
fn listed(shop: &Shop) -> Vec<String> {
    let actions = shop.table("actions");
    let priorities: Vec<i64> = actions.ints("priority").into_iter().flatten().collect();
    assert!(priorities.iter().copied().eq(1..=actions.rows() as i64));
    actions.texts("customer_id").into_iter().flatten().collect()
}

#[test]
fn customers_without_a_declared_value_are_listed_by_what_they_spent() {
    let shop = shop();
    let parts = [ORDERS, CONTRACT, CRM, RFM, MARKET, GERMANS];
    said(&shop.run(&parts, "2026-06-30", &[]), 0);
    let wanted: Vec<String> = (0..20).rev().map(|n| letter(n).to_string()).collect();
    assert_eq!(listed(&shop), wanted);
}

#[test]
fn who_may_not_be_contacted_is_counted_and_not_listed() {
    let shop = shop();
    let gate = "[gates.actionable]\nreachable = \"mail\"\n";
    let parts = [ORDERS, CONTRACT, CRM, RFM, MARKET, GERMANS, gate];
    said(&shop.run(&parts, "2026-06-30", &[]), 0);
    // Of the twenty every third has agreed; of the others a part has not answered.
    let wanted: Vec<String> = (0..7).rev().map(|n| letter(3 * n).to_string()).collect();
    assert_eq!(listed(&shop), wanted);
    let models = shop.table("models");
    let rows = models.texts("name").into_iter().zip(models.floats("value"));
    let mut counts = rows.filter(|(name, _)| name.as_deref() == Some("customers_not_reachable"));
    assert_eq!(counts.next().unwrap().1, Some(13.0));
}

#[test]
fn a_playbook_for_a_segment_that_is_not_there_is_a_warning() {
    let shop = shop();
    let playbook = GERMANS.replace("playbooks.DE", "playbooks.Germany");
    let parts = [ORDERS, CONTRACT, CRM, RFM, MARKET, &playbook];
    let warnings = said(&shop.run(&parts, "2026-06-30", &[]), 0);
    let told = "playbook `Germany` is for segment `Germany`, which scheme `market` does not have in this run";
    assert!(warnings.contains(told), "{warnings}");
    let quality = shop.table("quality");
    let reasons = quality.texts("reason");
    let row = reasons.iter().position(|reason| {
        let has = |text: &str| reason.as_ref().is_some_and(|reason| reason.contains(text));
        has(told) && has("`DE`") && has("`AT`")
    });
    assert_eq!(
        quality.texts("status")[row.unwrap()].as_deref(),
        Some("not computed")
    );
}
