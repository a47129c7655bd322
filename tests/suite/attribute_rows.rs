//! Several rows of one customer in a source where only one row per customer is used.

use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};

fn crm(times: &str, columns: &str, contract: &str) -> String {
    format!(
        "[sources.crm]\nkind = \"attributes\"\npath = \"${{lake}}/crm\"\nkey = \"customer_id\"\n{times}\n\
         attributes.tier = {{ base = \"needs\" }}\n[sources.crm.contract]\n\
         columns = {{ customer_id = \"string\", tier = \"string\"{columns} }}\nmissing_key = \"fail\"\n{contract}\n"
    )
}

const TIMES: &str = "time = \"valid_from\"\nuntil = \"valid_to\"";
const TIME_COLUMNS: &str = ", valid_from = \"date\", valid_to = \"date\"";

fn shop(crm: &str) -> Shop {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount\na,2026-10-01,10\nb,2026-10-01,20\n",
    );
    shop.file("crm/c.csv", crm);
    shop
}

fn tiers(shop: &Shop) -> Vec<Option<String>> {
    shop.table("customers").texts("tier")
}

#[test]
fn without_a_time_rows_that_differ_fail_in_any_order_unless_the_first_counts() {
    for rows in ["a,silver\na,gold\nb,gold\n", "a,gold\na,silver\nb,gold\n"] {
        let shop = shop(&format!("customer_id,tier\n{rows}"));
        let told = said(
            &shop.run(
                &[ORDERS, CONTRACT, &crm("", "", ""), RFM],
                "2026-10-31",
                &["--quiet"],
            ),
            3,
        );
        assert!(
            told.contains("1 customer has several rows")
                && told.contains("c.csv row 1 and c.csv row 2"),
            "{told}"
        );
        assert!(told.contains("`several = \"first\"`"), "{told}");
        let source = crm("", "", "several = \"first\"");
        let told = said(
            &shop.run(
                &[ORDERS, CONTRACT, &source, RFM],
                "2026-10-31",
                &["--quiet"],
            ),
            0,
        );
        assert!(
            told.contains("the first row in the order of files and rows counts"),
            "{told}"
        );
        let first = if rows.starts_with("a,silver") {
            "silver"
        } else {
            "gold"
        };
        assert_eq!(tiers(&shop)[0].as_deref(), Some(first));
        assert_eq!(
            shop.table("sources").ints("customers_with_several"),
            [Some(1), None]
        );
    }
}

#[test]
fn rows_that_agree_are_no_choice() {
    let shop = shop("customer_id,tier\na,gold\na,gold\nb,gold\n");
    let told = said(
        &shop.run(
            &[ORDERS, CONTRACT, &crm("", "", ""), RFM],
            "2026-10-31",
            &["--quiet"],
        ),
        0,
    );
    assert!(!told.contains("several"), "{told}");
    assert_eq!(tiers(&shop)[0].as_deref(), Some("gold"));
}

#[test]
fn the_newest_of_the_rows_that_hold_counts_and_that_is_said() {
    let header = "customer_id,tier,valid_from,valid_to\n";
    let rows = "a,silver,2025-01-01,\na,gold,2026-01-01,\nb,silver,2025-01-01,2026-01-01\nb,gold,2026-01-01,\n";
    let shop = shop(&format!("{header}{rows}"));
    let source = crm(TIMES, TIME_COLUMNS, "");
    let told = said(
        &shop.run(
            &[ORDERS, CONTRACT, &source, RFM],
            "2026-10-31",
            &["--quiet"],
        ),
        0,
    );
    assert!(
        told.contains("1 customer has several rows that are valid at the same time"),
        "{told}"
    );
    assert_eq!(
        tiers(&shop),
        [Some("gold".to_owned()), Some("gold".to_owned())]
    );
    let source = crm(TIMES, TIME_COLUMNS, "several = \"fail\"");
    said(
        &shop.run(
            &[ORDERS, CONTRACT, &source, RFM],
            "2026-10-31",
            &["--quiet"],
        ),
        3,
    );
}

#[test]
fn equally_new_rows_that_differ_are_decided_by_nobody() {
    let header = "customer_id,tier,valid_from\n";
    for rows in [
        "a,silver,2026-01-01\na,gold,2026-01-01\n",
        "a,gold,2026-01-01\na,silver,2026-01-01\n",
    ] {
        let shop = shop(&format!(
            "{header}a,bronze,2025-01-01\n{rows}b,gold,2026-01-01\n"
        ));
        let time = "time = \"valid_from\"";
        let columns = ", valid_from = \"date\"";
        let source = crm(time, columns, "");
        let told = said(
            &shop.run(
                &[ORDERS, CONTRACT, &source, RFM],
                "2026-10-31",
                &["--quiet"],
            ),
            3,
        );
        let help =
            "duplicates = { unique = [\"customer_id\", \"valid_from\"], on_fail = \"drop\" }";
        assert!(told.contains(help), "{told}");
        let source = crm(time, columns, help);
        said(
            &shop.run(
                &[ORDERS, CONTRACT, &source, RFM],
                "2026-10-31",
                &["--quiet"],
            ),
            0,
        );
        let first = if rows.starts_with("a,silver") {
            "silver"
        } else {
            "gold"
        };
        assert_eq!(tiers(&shop)[0].as_deref(), Some(first));
    }
}
