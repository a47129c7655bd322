//! Runs that are limited to some customers: those of another source, or a sample.

use std::collections::BTreeSet;
use std::fmt::Write;

use chrono::{Days, NaiveDate};

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};
use crate::table::Table;

const CRM: &str = r#"
[sources.crm]
kind = "attributes"
path = "${lake}/crm"
key = "customer_id"
filter = "tier <> 'none' or tier is null"
attributes.tier = { base = "needs" }
[sources.crm.contract]
columns = { customer_id = "string", tier = "string" }
missing_key = "fail"
"#;

fn texts(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|text| Some((*text).to_owned())).collect()
}

/// Numbers of a source's row in `sources`, which must add up.
fn outcomes(shop: &Shop, source: &str) -> [i64; 3] {
    let sources = shop.table("sources");
    let row = sources
        .texts("source")
        .iter()
        .position(|name| name.as_deref() == Some(source));
    let number = |name: &str| sources.ints(name)[row.unwrap()].unwrap();
    let [used, filtered, quarantined] = ["used", "filtered", "quarantined"].map(number);
    assert_eq!(
        number("rows"),
        used + filtered + quarantined + number("dropped")
    );
    [used, filtered, quarantined]
}

/// Rows of customers that another source does not have are filtered, whether keys are integers or texts; a row that the other
/// source filters or rejects does not count as having the customer.
#[test]
fn only_the_customers_of_another_source_take_part() {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount\n1,2026-10-01,10\n2,2026-10-02,20\n3,2026-10-02,30\n,2026-10-03,40\n1,2026-10-04,50\n5,2026-10-04,9\n",
    );
    shop.file(
        "crm/c.csv",
        "customer_id,tier\n1,gold\n3,\n01,silver\n4,gold\n5,none\n",
    );
    for (ty, kept) in [
        ("i64", "only_keys_of = \"crm\""),
        ("string", "only_keys_of = \"crm\""),
    ] {
        let contract = CONTRACT.replace(
            "customer_id = \"string\"",
            &format!("customer_id = \"{ty}\""),
        );
        let parts = ["from = [\"orders\"]\n", ORDERS, kept, &contract, CRM, RFM];
        said(&shop.run(&parts, "2026-10-31", &[]), 0);
        let customers = shop.table("customers");
        assert_eq!(customers.texts("customer_id"), texts(&["1", "3"]));
        assert_eq!(customers.ints("order_count"), [Some(2), Some(1)]);
        assert_eq!(customers.floats("spend_total"), [Some(60.0), Some(30.0)]);
        assert_eq!(outcomes(&shop, "orders"), [3, 2, 1]);
        assert_eq!(outcomes(&shop, "crm"), [4, 1, 0]);
    }
    let itself = [
        "from = [\"orders\"]\n",
        ORDERS,
        "only_keys_of = \"orders\"",
        CONTRACT,
        CRM,
        RFM,
    ];
    let told = said(&shop.run(&itself, "2026-10-31", &[]), 2);
    assert!(
        told.contains("name another source that has customer keys"),
        "{told}"
    );
}

/// An amount too large for its type fails the run only if its customer is included.
#[test]
fn overflows_of_customers_who_do_not_take_part_do_not_matter() {
    let shop = Shop::new();
    let large = i64::MAX;
    shop.file(
        "orders/o.csv",
        &format!("customer_id,ordered_at,amount\n1,2026-10-01,10\n2,2026-10-02,{large}\n2,2026-10-02,{large}\n"),
    );
    shop.file("crm/c.csv", "customer_id,tier\n1,gold\n");
    let contract = CONTRACT.replace("amount = \"f64\"", "amount = \"i64\"");
    let sum = "total = { from = \"orders\", agg = \"sum\", of = \"amount\" }\n";
    let run = |keys: &str| {
        shop.run(
            &["from = [\"crm\"]\n", ORDERS, keys, &contract, CRM, RFM, sum],
            "2026-10-31",
            &[],
        )
    };
    let told = said(&run(""), 3);
    assert!(told.contains("only_keys_of"), "{told}");
    said(&run("only_keys_of = \"crm\""), 0);
    assert_eq!(shop.table("customers").ints("total"), [Some(10)]);
}

fn keys(customers: &Table) -> BTreeSet<String> {
    customers
        .texts("customer_id")
        .into_iter()
        .flatten()
        .collect()
}

/// A sample has the whole history of each of its customers in every source, and the larger one holds the smaller.
#[test]
fn a_sample_has_all_rows_of_its_customers() {
    const CUSTOMERS: usize = 4_000;
    let shop = Shop::new();
    let mut orders = "customer_id,ordered_at,amount\n".to_owned();
    let mut crm = "customer_id,tier\n".to_owned();
    for customer in 0..CUSTOMERS {
        for order in 0..=customer % 3 {
            writeln!(
                orders,
                "{customer},2026-10-{:02},{}",
                1 + (customer + order) % 28,
                customer + order
            )
            .unwrap();
        }
        writeln!(crm, "{customer},gold").unwrap();
    }
    shop.file("orders/o.csv", &orders).file("crm/c.csv", &crm);
    let as_integers = CONTRACT.replace("customer_id = \"string\"", "customer_id = \"i64\"");
    let run = |head: &str, contract: &str| {
        let parts = [
            "from = [\"orders\", \"crm\"]\n",
            head,
            ORDERS,
            contract,
            CRM,
            RFM,
        ];
        let told = said(&shop.run(&parts, "2026-10-31", &[]), 0);
        (told, shop.table("customers"))
    };
    let (_, all) = run("", CONTRACT);
    let (told, tenth) = run("sample = 0.1\n", CONTRACT);
    assert!(
        told.contains("the run uses a sample of the customers (share 0.1)"),
        "{told}"
    );
    let [used, filtered, quarantined] = outcomes(&shop, "orders");
    assert_eq!(
        (used + filtered, quarantined),
        (orders.lines().count() as i64 - 1, 0)
    );
    assert_eq!(outcomes(&shop, "crm")[0], tenth.rows() as i64);
    // Five standard deviations of a binomial draw.
    assert!(
        (tenth.rows() as f64 - 400.0).abs() < 5.0 * 360.0_f64.sqrt(),
        "{}",
        tenth.rows()
    );
    let drawn = keys(&tenth);
    let whole: Vec<_> = (all.texts("customer_id").into_iter().flatten())
        .zip(all.ints("order_count"))
        .zip(all.floats("spend_total"))
        .filter(|((key, _), _)| drawn.contains(key))
        .collect();
    let sampled: Vec<_> = (tenth.texts("customer_id").into_iter().flatten())
        .zip(tenth.ints("order_count"))
        .zip(tenth.floats("spend_total"))
        .collect();
    assert_eq!(sampled, whole);
    assert_eq!(keys(&run("sample = 0.1\n", &as_integers).1), drawn);
    assert!(keys(&run("sample = 0.3\n", CONTRACT).1).is_superset(&drawn));
    let told = said(
        &shop.run(
            &["from = [\"orders\"]\nsample = 1\n", ORDERS, CONTRACT, RFM],
            "2026-10-31",
            &[],
        ),
        2,
    );
    assert!(
        told.contains("`sample` must be a share above 0 and below 1"),
        "{told}"
    );
}

/// With very many customers a supervised score is trained on a sample; `models` states its share, and threads do not matter.
#[test]
fn of_very_many_customers_a_part_is_read_at_earlier_dates() {
    const CUSTOMERS: u32 = 12_000;
    // 24 observation dates share 120,000 rows, and twice as many customers are read.
    const ENOUGH: u32 = 2 * 120_000 / 24;
    let shop = Shop::new();
    let mut orders = "customer_id,ordered_at,amount\n".to_owned();
    let start = NaiveDate::from_ymd_opt(2024, 4, 1).unwrap();
    let days = |customer: u32| {
        let gaps = (0..8).map(move |order| order * 100 + (customer * 7 + order * 31) % 90);
        gaps.map(|gap| start + Days::new(u64::from(gap)))
    };
    for customer in 0..CUSTOMERS {
        for day in days(customer) {
            writeln!(orders, "{customer},{day},{}", 1 + customer % 50).unwrap();
        }
    }
    shop.file("orders/o.csv", &orders);
    let score = "[scores.churn]\nkind = \"supervised\"\nfrom = \"orders\"\nhorizon = \"30d\"\nobservations = 24\nmodels = [\"logistic\"]\n";
    let run = |threads: &str| {
        let ended = shop.run(
            &[ORDERS, CONTRACT, RFM, score],
            "2026-05-31",
            &["--threads", threads],
        );
        said(&ended, 0);
        std::fs::read(shop.path("store/latest/models.parquet")).unwrap()
    };
    let two = run("2");
    let models = shop.table("models");
    let names = models.texts("name");
    let values = models.floats("value");
    let dated = |what: &str| -> Vec<(NaiveDate, f64)> {
        let named = names.iter().flatten().zip(&values);
        let dates = named
            .filter_map(|(name, value)| Some((name.strip_suffix(what)?.parse().ok()?, (*value)?)));
        dates.collect()
    };
    let share = f64::from(ENOUGH) / f64::from(CUSTOMERS);
    let shares = dated(" share of customers read");
    assert_eq!(shares.len(), 24);
    assert!(
        shares.iter().all(|(_, found)| *found == share),
        "{shares:?}"
    );
    for (date, found) in dated(" customers") {
        // Who ordered within one horizon before the date can churn.
        let living =
            |customer: &u32| days(*customer).any(|day| day <= date && day > date - Days::new(30));
        let living = (0..CUSTOMERS).filter(living).count() as f64;
        let deviation = (living * share * (1.0 - share)).sqrt();
        assert!(
            (found - living * share).abs() < 5.0 * deviation + 1.0,
            "{date}: {found} of {living}"
        );
    }
    assert!(two == run("1"), "the number of threads shows in `models`");
}
