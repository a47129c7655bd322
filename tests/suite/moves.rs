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
    let rows: Vec<(String, &str, f64)> = orders
        .iter()
        .map(|(customer, day, amount)| (customer.clone(), day.as_str(), *amount))
        .collect();
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

/// Months that are over are counted again where rows of then are others, although as many: by the keys of another source, and by the
/// first of several rows.
#[test]
fn months_are_counted_again_where_other_rows_take_the_place_of_as_many() {
    let row = |number: u32| {
        let (customer, day) = (number % 40, 1 + number * 7 % 28);
        let month =
            ["2025-11", "2025-12", "2026-01"][(number as usize / 40 + customer as usize) % 3];
        format!("o{number},K{customer:02},{month}-{day:02},{number}\n")
    };
    let header = "order_id,customer_id,ordered_at,amount\n";
    let orders: String = (0..120).map(row).collect();
    let accounts = |from: u32, to: u32| {
        let all: String = (from..to).map(|n| format!("K{n:02},a\n")).collect();
        format!("customer_id,kind\n{all}")
    };
    // The second file, whose rows count, moves orders to another month.
    let corrected = orders.replace("2025-11-", "2025-12-");
    let exchanged = [accounts(0, 30), accounts(10, 40)];
    for (settings, [first, second], correction) in [
        ("only_keys_of = \"accounts\"", exchanged, None),
        (
            "only_keys_of = \"accounts\"",
            [accounts(0, 20), accounts(0, 40)],
            None,
        ),
        ("", [accounts(0, 40), accounts(0, 40)], Some(&corrected)),
    ] {
        let cells = |days: &[&str]| {
            let case = Case::new();
            let write = |name: &str, text: &str| {
                let path = case.path("lake").join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            };
            case.pipeline("[schemes.size]\nkind = \"rules\"\nrules = [{ segment = \"large\", when = \"spend_total > 300\" }]\notherwise = \"small\"\n");
            let file = case.path("moves.toml");
            let text = std::fs::read_to_string(&file).unwrap();
            let source = "[sources.accounts]\nkind = \"attributes\"\npath = \"${lake}/accounts\"\nkey = \"customer_id\"\n\
                          [sources.accounts.contract]\ncolumns = { customer_id = \"string\", kind = \"string\" }\n\
                          missing_key = \"quarantine\"\n\n[features]\n";
            let text = text
                .replace("[customer]\n", "[customer]\ncohorts = true\nfrom = [\"orders\"]\n")
                .replace("path = \"${lake}\"", "path = \"${lake}/orders\"")
                .replace("time = \"ordered_at\"\n", &format!("time = \"ordered_at\"\n{settings}\n"))
                .replace(
                    "missing_key = \"quarantine\"\n",
                    "missing_key = \"quarantine\"\nduplicates = { unique = [\"order_id\"], on_fail = \"drop\" }\n",
                )
                .replace("[features]\n", source);
            std::fs::write(&file, text).unwrap();
            write("orders/m.csv", &format!("{header}{orders}"));
            write("accounts/a.csv", &first);
            for day in days {
                if *day == "2026-02-20" {
                    write("accounts/a.csv", &second);
                    if let Some(rows) = correction {
                        write("orders/a.csv", &format!("{header}{rows}"));
                    }
                }
                case.day(day);
            }
            let table = case.table("cohorts");
            let [active, ages] = ["active", "age"].map(|name| table.ints(name));
            (table.days("cohort"), ages, active, table.numbers("revenue"))
        };
        let fresh = cells(&["2026-02-20"]);
        assert_eq!(cells(&["2026-02-10", "2026-02-20"]), fresh, "{settings}");
    }
}
