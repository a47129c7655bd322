//! Why customers of a real lake moved and how they differ from before, compared with independent computations.

use std::path::Path;

use chrono::{Days, NaiveDate};

use crate::oracle::{python, script};
use crate::program::{public_data, run};
use crate::versions::Case;

#[test]
fn causes_drift_and_cohorts_of_online_retail_are_those_of_duckdb_and_scipy() {
    let (Some(data), Some(python)) = (public_data("online_retail"), python()) else {
        return;
    };
    let store = tempfile::tempdir().unwrap();
    let lake = format!("lake={}", data.display());
    let out = format!("out={}", store.path().display());
    let file = "pipelines/online_retail.toml";
    for day in ["2011-10-31", "2011-11-30", "2011-12-05"] {
        let arguments = [
            "run", file, "--as-of", day, "--var", &lake, "--var", &out, "--quiet",
        ];
        run(&arguments, 0);
    }
    let store = store.path().join("online_retail").display().to_string();
    script(
        &python,
        "replay.py",
        &[&data.display().to_string(), &store, "2"],
    );
    script(&python, "drift.py", &[&store, "2"]);
    // The first version counts all months, the third takes most of them from the second.
    for as_of in ["2011-10-31", "2011-12-05"] {
        let folder = format!("{store}/data/as_of={as_of}");
        let run = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
        let table = run.path().join("cohorts.parquet").display().to_string();
        script(&python, "cohorts.py", &[&table, as_of, &lines(&data)]);
    }
}

/// The rows of orders for `cohorts.py`: key, day, amount, whether it is a purchase.
fn lines(data: &Path) -> String {
    format!(
        "select customer_id, cast(invoiced_at as date), quantity * unit_price, true \
         from read_parquet('{}/**/*.parquet', hive_partitioning = false) \
         where quantity > 0 and unit_price > 0 and invoice_no not like 'C%' and customer_id is not null",
        data.display()
    )
}

/// Where the day of the run decides which orders are used, which are purchases or what they are worth, months that are over change: a version
/// that follows another has the cohorts of one that follows none.
#[test]
fn cohorts_are_counted_again_where_the_day_decides_about_orders() {
    let orders: Vec<(String, String, f64)> = (0..200_u32)
        .map(|number| {
            let day = NaiveDate::from_ymd_opt(2025, 10, 1).unwrap()
                + Days::new(u64::from(number * 37 % 120));
            (
                format!("K{:02}", number % 60),
                day.to_string(),
                f64::from(number),
            )
        })
        .collect();
    let rows = orders;
    for settings in [
        "filter = \"ordered_at > as_of() - 60\"",
        "filter = \"ordered_at <= as_of() - 14\"",
        "purchase = \"as_of() - ordered_at < 60\"",
        "amount = \"worth\"\nderive = { worth = \"case when as_of() - ordered_at < 60 then amount else 0 end\" }",
    ] {
        let cells = |days: &[&str]| {
            let case = Case::new();
            case.orders("a.csv", &rows);
            let file = case.path("moves.toml");
            let text = std::fs::read_to_string(&file).unwrap();
            let text = text
                .replace("[customer]\n", "[customer]\ncohorts = true\n")
                .replace(
                    "time = \"ordered_at\"\n",
                    &format!("time = \"ordered_at\"\n{settings}\n"),
                );
            std::fs::write(&file, text).unwrap();
            days.iter().for_each(|day| drop(case.day(day)));
            let table = case.table("cohorts");
            (
                table.days("cohort"),
                table.ints("age"),
                table.ints("active"),
                table.numbers("revenue"),
            )
        };
        assert_eq!(
            cells(&["2026-02-01", "2026-02-06", "2026-03-04"]),
            cells(&["2026-03-04"]),
            "{settings}"
        );
    }
}

/// A lake of orders of the customers that another source has, with cohorts. `orders` and `accounts` are further settings of the sources.
fn orders_of_accounts([orders, accounts]: [&str; 2]) -> Case {
    let case = Case::new();
    case.pipeline(
        "[schemes.size]\nkind = \"rules\"\nrules = [{ segment = \"large\", when = \"spend_total > 300\" }]\notherwise = \"small\"\n",
    );
    let file = case.path("moves.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let source = format!(
        "[sources.accounts]\nkind = \"attributes\"\npath = \"${{lake}}/accounts\"\nkey = \"customer_id\"\n{accounts}\n\
         [sources.accounts.contract]\ncolumns = {{ customer_id = \"string\", since = \"date\" }}\nmissing_key = \"quarantine\"\n\n\
         [features]\n"
    );
    let repeated = "missing_key = \"quarantine\"\n\
                    duplicates = { unique = [\"order_id\"], on_fail = \"drop\" }\n";
    let text = text
        .replace(
            "[customer]\n",
            "[customer]\ncohorts = true\nfrom = [\"orders\"]\n",
        )
        .replace("path = \"${lake}\"", "path = \"${lake}/orders\"")
        .replace(
            "time = \"ordered_at\"\n",
            &format!("time = \"ordered_at\"\n{orders}\n"),
        )
        .replace("missing_key = \"quarantine\"\n", repeated)
        .replace("[features]\n", &source);
    std::fs::write(file, text).unwrap();
    case
}

/// Three orders of each of forty customers in three months, and the accounts of some of them.
fn three_months(case: &Case, accounts: impl Iterator<Item = (u32, &'static str)>) -> String {
    let order = |number: u32| {
        let (customer, day) = (number % 40, 1 + number * 7 % 28);
        let month = ["2025-11", "2025-12", "2026-01"][((number / 40 + customer) % 3) as usize];
        format!("o{number},K{customer:02},{month}-{day:02},{number}\n")
    };
    let orders: String = (0..120).map(order).collect();
    let orders = format!("order_id,customer_id,ordered_at,amount\n{orders}");
    case.file("orders/m.csv", &orders);
    case.file("accounts/a.csv", &known(accounts));
    orders
}

/// Accounts with their days.
fn known(accounts: impl Iterator<Item = (u32, &'static str)>) -> String {
    let rows: String = accounts
        .map(|(n, since)| format!("K{n:02},{since}\n"))
        .collect();
    format!("customer_id,since\n{rows}")
}

/// Cohort, age, customers and revenue of every cell.
type Cells = (
    Vec<Option<String>>,
    Vec<Option<i64>>,
    Vec<Option<i64>>,
    Vec<Option<f64>>,
);

fn cells(case: &Case) -> Cells {
    let table = case.table("cohorts");
    let [ages, active] = ["age", "active"].map(|name| table.ints(name));
    (table.days("cohort"), ages, active, table.numbers("revenue"))
}

/// Months that are over are counted again where rows of then are others, although as many: by the keys of another source, and by the
/// first of several rows.
#[test]
fn months_are_counted_again_where_other_rows_take_the_place_of_as_many() {
    const DAY: &str = "2025-10-01";
    for (keys, [first, second], corrected) in [
        ("only_keys_of = \"accounts\"", [0..30, 10..40], false),
        ("only_keys_of = \"accounts\"", [0..20, 0..40], false),
        ("", [0..40, 0..40], true),
    ] {
        let counted = |days: &[&str]| {
            let case = orders_of_accounts([keys, ""]);
            let orders = three_months(&case, first.clone().map(|n| (n, DAY)));
            for day in days {
                if *day == "2026-02-20" {
                    case.file("accounts/a.csv", &known(second.clone().map(|n| (n, DAY))));
                    // The file that comes first counts: it moves orders to another month.
                    if corrected {
                        case.file("orders/a.csv", &orders.replace("2025-11-", "2025-12-"));
                    }
                }
                case.day(day);
            }
            cells(&case)
        };
        let fresh = counted(&["2026-02-20"]);
        assert_eq!(counted(&["2026-02-10", "2026-02-20"]), fresh, "{keys}");
        assert_ne!(counted(&["2026-02-10"]), fresh, "{keys}");
    }
}

/// The keys of another source come with the time of their rows, on a lake that stays as it is.
#[test]
fn months_are_counted_again_where_keys_come_with_time() {
    let counted = |days: &[&str]| {
        let case = orders_of_accounts(["only_keys_of = \"accounts\"", "time = \"since\""]);
        let late = |n: u32| (n, if n < 15 { "2026-02-18" } else { "2026-02-01" });
        three_months(&case, (0..40).map(late));
        days.iter().for_each(|day| drop(case.day(day)));
        cells(&case)
    };
    let fresh = counted(&["2026-02-20"]);
    assert_eq!(counted(&["2026-02-10", "2026-02-20"]), fresh);
    assert_ne!(counted(&["2026-02-10"]).2, fresh.2);
}
