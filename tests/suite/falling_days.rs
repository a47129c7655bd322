//! Days until something fall as time passes, as those since something rise: neither is drift where nothing else changed.

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};

#[test]
fn days_until_a_renewal_are_no_drift_where_time_alone_passed() {
    let shop = Shop::new();
    let mut orders = "customer_id,ordered_at,amount\n".to_owned();
    let mut accounts = "customer_id,renews_on\n".to_owned();
    for customer in 0..900 {
        orders += &format!("c{customer:03},2026-0{}-15,10\n", 1 + customer % 6);
        // Renewals in December, January and February.
        let day = 1 + customer % 28;
        accounts += &match customer % 3 {
            0 => format!("c{customer:03},2026-12-{day:02}\n"),
            1 => format!("c{customer:03},2027-01-{day:02}\n"),
            _ => format!("c{customer:03},2027-02-{day:02}\n"),
        };
    }
    shop.file("orders/o.csv", &orders);
    shop.file("accounts/a.csv", &accounts);
    let attributes = r#"
[sources.accounts]
kind = "attributes"
path = "${lake}/accounts"
key = "customer_id"
attributes = { renews_on = { base = "behavioural" } }
contract = { columns = { customer_id = "string", renews_on = "date" }, missing_key = "quarantine" }
"#;
    let days = "days_left = { expr = \"date_diff('day', as_of(), renews_on)\", unit = \"days\" }\n";
    let features = format!("{RFM}{days}");
    let parts = [ORDERS, CONTRACT, attributes, &features];
    said(&shop.run(&parts, "2026-09-30", &["--quiet"]), 0);
    said(&shop.run_on(&parts, "2026-10-30", &["--quiet"]), 0);
    let drift = shop.table("drift");
    let (names, status, psi) = (
        drift.texts("name"),
        drift.texts("status"),
        drift.floats("psi"),
    );
    for name in ["days_left", "recency_days", "tenure_days"] {
        let row = names
            .iter()
            .position(|found| found.as_deref() == Some(name))
            .unwrap();
        assert_eq!(
            status[row].as_deref(),
            Some("stable"),
            "{name} {:?}",
            psi[row]
        );
        assert!(psi[row].unwrap() < 1e-9, "{name} {:?}", psi[row]);
    }
    // Renewals of a third of the customers that move by a month are.
    let moved = accounts.replace("2027-02-", "2027-03-");
    shop.file("accounts/a.csv", &moved);
    said(&shop.run_on(&parts, "2026-10-31", &["--quiet"]), 0);
    let drift = shop.table("drift");
    let row = drift
        .texts("name")
        .iter()
        .position(|found| found.as_deref() == Some("days_left"));
    let status = drift.texts("status")[row.unwrap()].clone().unwrap();
    assert_ne!(status, "stable");
}
