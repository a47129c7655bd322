//! A source that says when its rows became known: a past run can be replayed as it was then.

use crate::program::run;
use crate::table::Table;

const PIPELINE: &str = r#"
spec_version = 1
name = "replay"
timezone = "UTC"
currency = "EUR"
store = "${out}/replay"
[vars]
lake = "."
out = "."
[customer]
key = "customer_id"
[sources.orders]
kind = "events"
path = "${lake}/orders.csv"
key = "customer_id"
time = "ordered_on"
known_at = "loaded_on"
[sources.orders.contract]
columns = { customer_id = "string", ordered_on = "date", loaded_on = "date", amount = "f64" }
missing_key = "fail"
duplicates = "keep"
[features]
use = ["rfm"]
"#;

/// Two orders of May were delivered late, in June and July: a run of May does not see them, one of June sees the first.
#[test]
fn rows_that_were_known_later_are_invisible() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("replay.toml"), PIPELINE).unwrap();
    std::fs::write(
        dir.path().join("orders.csv"),
        "customer_id,ordered_on,loaded_on,amount\n\
         a,2026-05-01,2026-05-02,10\n\
         a,2026-05-20,2026-06-10,20\n\
         a,2026-05-25,2026-07-01,40\n",
    )
    .unwrap();
    let file = dir.path().join("replay.toml").display().to_string();
    let (lake, out) = (
        format!("lake={}", dir.path().display()),
        format!("out={}", dir.path().display()),
    );
    for (as_of, spend, orders) in [
        ("2026-05-31", 10.0, 1),
        ("2026-06-30", 30.0, 2),
        ("2026-07-31", 70.0, 3),
    ] {
        let arguments = [
            "run", &file, "--as-of", as_of, "--var", &lake, "--var", &out, "--quiet",
        ];
        run(&arguments, 0);
        let customers = Table::read(&dir.path().join("replay/latest/customers.parquet"));
        assert_eq!(customers.floats("spend_total"), [Some(spend)], "{as_of}");
        assert_eq!(customers.ints("order_count"), [Some(orders)], "{as_of}");
    }
}
