//! Refunds as rows with a negative amount: spend is net of refunds, and the pipeline defines which rows are purchases.

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};

const ROWS: &str = "customer_id,ordered_at,amount\n\
    kept,2026-01-10,100\n\
    back,2026-01-10,100\n\
    back,2026-10-20,-100\n\
    part,2026-01-10,100\n\
    part,2026-02-01,-30\n\
    neg,2026-05-05,-50\n\
    free,2026-03-01,0\n\
    free,2026-04-01,0\n";

fn shop() -> Shop {
    let shop = Shop::new();
    shop.file("orders/o.csv", ROWS);
    shop
}

#[test]
fn purchases_alone_make_orders_and_recency_where_that_is_declared() {
    let shop = shop();
    let source = format!("{ORDERS}purchase = \"amount > 0\"\n");
    let told = said(
        &shop.run(&[&source, CONTRACT, RFM], "2026-10-31", &["--quiet"]),
        0,
    );
    assert!(!told.contains("purchases"), "{told}");
    let customers = shop.table("customers");
    let keys: Vec<String> = customers
        .texts("customer_id")
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(keys, ["back", "free", "kept", "neg", "part"]);
    let spend = [0.0, 0.0, 100.0, -50.0, 70.0].map(Some);
    assert_eq!(customers.numbers("spend_total"), spend);
    assert_eq!(customers.ints("order_count"), [1, 0, 1, 0, 1].map(Some));
    let recency = [Some(294), None, Some(294), None, Some(294)];
    assert_eq!(customers.ints("recency_days"), recency);
    let sources = shop.table("sources");
    assert_eq!(sources.floats("negative_share"), [Some(3.0 / 8.0)]);
    assert_eq!(sources.floats("negative_value_share"), [Some(0.6)]);
}

/// A refund of the first order is subtracted from the repeat orders; who has nothing left is not in the spend model, and is counted.
#[test]
fn customers_whose_refunds_leave_nothing_are_counted_by_the_spend_model() {
    let shop = Shop::new();
    let mut rows = "customer_id,ordered_at,amount\n".to_owned();
    let day = |n: u32| format!("2026-{:02}-{:02}", 1 + n / 28, 1 + n % 28);
    for customer in 0..200_u32 {
        let first = customer % 50;
        let mut row = |on: u32, amount: i64| {
            rows += &format!("c{customer:03},{},{amount}\n", day(on));
        };
        row(first, 100);
        if customer % 4 == 0 {
            row(first + 10, -100);
        }
        row(first + 20 + customer % 37, 40 + i64::from(customer % 30));
        if customer % 3 == 0 {
            row(first + 90 + customer % 41, 30 + i64::from(customer % 17));
        }
    }
    shop.file("orders/o.csv", &rows);
    let source = format!("{ORDERS}purchase = \"amount > 0\"\n");
    let score = "[scores.v]\nkind = \"clv\"\nfrom = \"orders\"\nmodels = [\"mbg_nbd\", \"gamma_gamma\"]\nhorizon = \"90d\"\n";
    let told = said(
        &shop.run(&[&source, CONTRACT, RFM, score], "2026-10-31", &["--quiet"]),
        0,
    );
    let customers = shop.table("customers");
    let means = customers.numbers("repeat_spend_mean");
    let left_out = means.iter().flatten().filter(|mean| **mean <= 0.0).count();
    assert!(left_out > 10, "{left_out}");
    let expected =
        format!("{left_out} of 200 customers who bought again are not in the spend model");
    assert!(told.contains(&expected), "{told}");
    let quality = shop.table("quality");
    let metrics = quality.texts("metric");
    let metric = Some("share of repeat customers without money of repeat purchases".to_owned());
    let row = metrics.iter().position(|found| *found == metric).unwrap();
    assert_eq!(quality.floats("value")[row], Some(left_out as f64 / 200.0));
    assert_eq!(quality.texts("status")[row].as_deref(), Some("flagged"));
}

#[test]
fn without_it_the_customers_concerned_are_counted_and_the_key_is_named() {
    let shop = shop();
    let told = said(
        &shop.run(&[ORDERS, CONTRACT, RFM], "2026-10-31", &["--quiet"]),
        0,
    );
    for part in [
        "3 of 8 used rows (37.5%) have a negative amount",
        "60.0% of the positive amounts",
        "for 3 customers the newest or only row is one",
        "`purchase = \"amount > 0\"` in [sources.orders]",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let notes = shop.table("sources").texts("notes")[0].clone().unwrap();
    assert!(notes.contains("negative amount"), "{notes}");
}

#[test]
fn a_purchase_is_a_condition_over_an_events_source() {
    let shop = shop();
    let source = format!("{ORDERS}purchase = \"amount\"\n");
    said(
        &shop.run(&[&source, CONTRACT, RFM], "2026-10-31", &["--quiet"]),
        2,
    );
    let source = format!("{ORDERS}purchase = \"amuont > 0\"\n");
    let told = said(
        &shop.run(&[&source, CONTRACT, RFM], "2026-10-31", &["--quiet"]),
        2,
    );
    assert!(told.contains("amuont") && told.contains("amount"), "{told}");
}

/// A refund that takes a customer below 0 the night after clusters were learned with the logarithm: the night is published, with the
/// customer among those of the least spend, and it is said.
#[test]
fn a_refund_after_clusters_were_learned_with_the_logarithm_does_not_end_the_night() {
    let shop = Shop::new();
    let mut rows = "customer_id,ordered_at,amount\n".to_owned();
    for customer in 0..120 {
        let amount = match customer {
            0..2 => 90_000,
            2..60 => 900 + customer,
            _ => 10 + customer % 7,
        };
        rows += &format!("c{customer:03},2026-{:02}-15,{amount}\n", 1 + customer % 9);
    }
    shop.file("orders/o.csv", &rows);
    let scheme = "[schemes.groups]\nkind = \"kmeans\"\nfeatures = [\"spend_total\"]\nk = 2\n\
                  names = [\"more\", \"less\"]\nrefit = \"90d\"\n";
    let parts = [ORDERS, CONTRACT, RFM, scheme];
    let told = said(&shop.run(&parts, "2026-10-30", &[]), 0);
    assert!(!told.contains("is below 0 for"), "{told}");
    let models = shop.table("models");
    let row = models
        .texts("name")
        .iter()
        .position(|name| name.as_deref() == Some("transform_spend_total"));
    assert_eq!(models.texts("text")[row.unwrap()].as_deref(), Some("log1p"));
    shop.file(
        "orders/p.csv",
        "customer_id,ordered_at,amount\nc003,2026-10-31,-1700\nc004,2026-10-31,-904\n",
    );
    let told = said(&shop.run_on(&parts, "2026-10-31", &[]), 0);
    let counted =
        "column `spend_total` is below 0 for 1 customer (the smallest is -797), as it was for none";
    assert!(told.contains(counted), "{told}");
    // It is of this night, not of the day of the fit.
    assert!(!told.contains(&format!("2026-10-30: {counted}")), "{told}");
    let customers = shop.table("customers");
    let of = |key: &str| {
        let keys = customers.texts("customer_id");
        let row = keys.iter().position(|found| found.as_deref() == Some(key));
        customers.texts("groups")[row.unwrap()].clone().unwrap()
    };
    assert_eq!(
        [of("c003"), of("c004"), of("c005")],
        ["less", "less", "more"]
    );
}
