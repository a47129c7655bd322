//! The order of `[scores]` tables decides nothing: which score says who has left is the same in every order, and the run is the same run.

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};

const SEGMENTS: &str = "[value]\npast = \"spend_total\"\n[schemes.some]\nkind = \"rules\"\n\
                        rules = [{ segment = \"many\", when = \"order_count > 2\" }]\notherwise = \"few\"\n";

fn score(name: &str, days: u32) -> String {
    format!(
        "[scores.{name}]\nkind = \"supervised\"\nfrom = \"orders\"\nhorizon = \"{days}d\"\nmodels = [\"logistic\"]\nfeatures = [\"order_count\"]\n"
    )
}

#[test]
fn scores_in_another_order_give_the_same_version() {
    let shop = Shop::new();
    let mut orders = "customer_id,ordered_at,amount\n".to_owned();
    let start: chrono::NaiveDate = "2025-12-01".parse().unwrap();
    for customer in 0..300_u64 {
        for order in 0..1 + customer % 5 {
            let day = (customer * 7 + order * (11 + customer % 53)) % 334;
            orders += &format!("c{customer:03},{},20\n", start + chrono::Days::new(day));
        }
    }
    shop.file("orders/o.csv", &orders);
    let (soon, late) = (score("soon", 30), score("late", 90));
    let bytes =
        |table: &str| std::fs::read(shop.path(&format!("store/latest/{table}.parquet"))).unwrap();
    let run = |scores: [&String; 2], again: bool| {
        let parts = [ORDERS, CONTRACT, RFM, SEGMENTS, scores[0], scores[1]];
        let ran = if again {
            shop.run_on(&parts, "2026-10-31", &[])
        } else {
            shop.run(&parts, "2026-10-31", &[])
        };
        let told = said(&ran, 0);
        (told, ["segments", "customers", "models"].map(bytes))
    };
    let (_, first) = run([&soon, &late], false);
    let left = shop.table("segments").ints("left_customers");
    assert!(left.iter().flatten().sum::<i64>() > 0);
    let (_, second) = run([&late, &soon], false);
    assert!(first == second, "the order of scores shows in a table");
    // On the same store it is the same run, which publishes nothing.
    let (_, third) = run([&soon, &late], true);
    assert!(first == third);
    assert_eq!(
        std::fs::read_dir(shop.path("store/reports"))
            .unwrap()
            .count(),
        1
    );
}

/// With a future value the risk must be stated, by one of the scores or by an expression over both.
#[test]
fn by_which_of_two_scores_the_future_is_at_risk_must_be_stated() {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount\na,2026-01-02,10\n",
    );
    let (soon, late) = (score("soon", 30), score("late", 90));
    let with = |risk: &str| {
        let value = format!("[value]\nfuture = \"spend_total\"\n{risk}");
        shop.run(
            &[ORDERS, CONTRACT, RFM, &value, &soon, &late],
            "2026-10-31",
            &["--quiet"],
        )
    };
    let told = said(&with(""), 2);
    assert!(
        told.contains("TS-P093") && told.contains("risk = \"late_probability\""),
        "{told}"
    );
    said(&with("risk = \"soon_probability\"\n"), 0);
}
