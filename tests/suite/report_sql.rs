//! Every number of a report equals the result of its SQL in DuckDB.

use std::path::Path;

use crate::oracle::{python, script};
use crate::program::{public_data, run};
use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};

/// Runs a shipped pipeline for these days, the earliest first, and compares the numbers of the last report.
fn holds(pipeline: &str, data: &str, days: &[&str], least: usize) {
    let (Some(data), Some(python)) = (public_data(data), python()) else {
        return;
    };
    let store = tempfile::tempdir().unwrap();
    let (file, lake) = (
        format!("pipelines/{pipeline}.toml"),
        format!("lake={}", data.display()),
    );
    let out = format!("out={}", store.path().display());
    for day in days {
        run(
            &["run", &file, "--as-of", day, "--var", &lake, "--var", &out],
            0,
        );
    }
    compare(&python, &store.path().join(pipeline), days.len(), least);
}

fn compare(python: &Path, store: &Path, version: usize, least: usize) {
    let report = store.join(format!("reports/version-{version}.html"));
    script(
        python,
        "report_sql.py",
        &[
            &store.display().to_string(),
            &report.display().to_string(),
            &least.to_string(),
        ],
    );
}

#[test]
fn online_retail() {
    holds(
        "online_retail",
        "online_retail",
        &["2011-11-10", "2011-12-10"],
        300,
    );
}

#[test]
fn cdnow() {
    holds("cdnow", "cdnow", &["1997-06-30", "1997-09-30"], 200);
}

#[test]
fn ravenstack() {
    holds(
        "ravenstack",
        "ravenstack",
        &["2024-11-30", "2024-12-31"],
        150,
    );
}

#[test]
fn rfm_reference() {
    holds("rfm_reference", "rfm", &["2006-12-31"], 100);
}

#[test]
fn demo_over_two_months() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    crate::program::demo(&path, 4_000);
    // Another store, in which there is an earlier version.
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/months"));
    for day in ["2026-09-30", "2026-10-31"] {
        let file = "pipelines/demo.toml";
        run(
            &["run", file, "--as-of", day, "--var", &lake, "--var", &out],
            0,
        );
    }
    compare(&python, &folder.path().join("months/demo"), 2, 500);
}

/// Runs the shop for these days, each with a body of its own, and compares the numbers of the last report.
fn shop_holds(shop: &Shop, nights: &[(&str, &[&str])], least: usize) {
    let Some(python) = python() else { return };
    for (day, parts) in nights {
        said(&shop.run_on(parts, day, &["--quiet"]), 0);
    }
    compare(&python, &shop.path("store"), nights.len(), least);
}

/// Orders of customers 1 to `customers`, who all pay the same.
fn equals(customers: u32) -> Shop {
    let shop = Shop::new();
    let rows = (1..=customers).map(|key| format!("{key},2026-10-{:02},10\n", 1 + key % 28));
    let header = "customer_id,ordered_at,amount\n".to_owned();
    shop.file("orders/o.csv", &(header + &rows.collect::<String>()));
    shop
}

/// Every word that DuckDB reserves can be the name of a feature, and of the KPI.
#[test]
fn keywords_of_sql_are_names_of_features() {
    let shop = equals(40);
    let words = [
        "default",
        "offset",
        "references",
        "unique",
        "window",
        "pivot",
        "lateral",
        "qualify",
    ];
    for word in words {
        let _ = std::fs::remove_dir_all(shop.path("store"));
        let features = format!(
            "{RFM}{word} = {{ expr = \"order_count + 1\" }}\n[goal]\nobjective = \"retention\"\nkpi = \"{word}\"\n"
        );
        let parts: &[&str] = &[ORDERS, CONTRACT, &features];
        shop_holds(&shop, &[("2026-10-30", parts), ("2026-10-31", parts)], 10);
    }
}

/// What is edited in a pipeline: the version before has not got the column, or it was a text.
#[test]
fn figures_that_the_version_before_has_not_as_numbers() {
    let goal = "[goal]\nobjective = \"retention\"\nkpi = \"grade\"\n[value]\nnow = \"grade\"\n";
    let texts = format!("{RFM}grade = {{ expr = \"cast(order_count as varchar)\" }}\n");
    let numbers = format!("{RFM}grade = {{ expr = \"order_count\" }}\n{goal}");
    for before in [RFM, &texts] {
        let nights: [(&str, &[&str]); 2] = [
            ("2026-10-30", &[ORDERS, CONTRACT, before]),
            ("2026-10-31", &[ORDERS, CONTRACT, &numbers]),
        ];
        shop_holds(&equals(40), &nights, 10);
    }
}

/// The page orders whole numbers as numbers, shows each customer once, and as many as it is asked for.
#[test]
fn customers_with_equal_values_of_two_schemes() {
    let integers = CONTRACT.replace("customer_id = \"string\"", "customer_id = \"i64\"");
    let mut schemes = String::from("[value]\nnow = \"spend_total\"\n[report]\ncustomers = 150\n");
    for name in ["one", "two"] {
        schemes.push_str(&format!(
            "[schemes.{name}]\nkind = \"rules\"\nrules = [{{ segment = \"some\", when = \"spend_total >= 1\" }}]\notherwise = \"none\"\n\
             [playbooks.{name}]\nscheme = \"{name}\"\nsegment = \"some\"\ngoal = \"keep\"\nowner = \"me\"\n"
        ));
    }
    let parts: &[&str] = &[ORDERS, &integers, RFM, &schemes];
    shop_holds(&equals(400), &[("2026-10-31", parts)], 150);
}

/// Two pipelines share a store: no number of the one is compared with one of the other, and no query reads its tables. A pipeline
/// that was renamed is the same one.
#[test]
fn nothing_of_another_pipeline_is_compared() {
    let dir = tempfile::tempdir().unwrap();
    let file = crate::latest::shop(dir.path());
    let text = std::fs::read_to_string(&file).unwrap();
    let report = |name: &str, day: &str, version: u64| {
        let own = format!("name = {name}\nshared_store = true");
        std::fs::write(&file, text.replace("name = \"shop\"", &own)).unwrap();
        run(&["run", &file, "--as-of", day, "--quiet"], 0);
        let path = format!("store/reports/version-{version}.html");
        std::fs::read_to_string(dir.path().join(path)).unwrap()
    };
    report("\"one\"", "2026-10-28", 1);
    let other = report("\"two\"", "2026-10-29", 2);
    let said = "is of another pipeline that shares the store, `one`, so that nothing is compared";
    assert!(other.contains(said), "{other}");
    assert!(!other.contains("data-c=\"change\""), "{other}");
    assert!(!other.contains("as_of=2026-10-28"), "{other}");
    for (name, day, version) in [
        ("\"two\"", "2026-10-30", 3),
        ("\"three\"\nwas = \"two\"", "2026-10-31", 4),
    ] {
        let same = report(name, day, version);
        assert!(!same.contains("another pipeline"), "{same}");
        assert!(same.contains("data-c=\"change\""), "{same}");
    }
}

/// Of two customers one ordered within 30 days before the first version, none before the second; three who have just come make the mean
/// rise, though it falls for everybody whom the first version knows.
#[test]
fn a_kpi_that_new_customers_move_is_told_of_the_others_too() {
    const GOAL: &str = "[goal]\nobjective = \"retention\"\nkpi = \"recent\"\ntarget = { above = 0.55 }\nowner = \"shop\"\n\
        review_by = 2027-01-31\n";
    const FEATURES: &str = "[features]\nuse = [\"rfm\"]\n\
        recent = { expr = \"case when recency_days <= 30 then 1 else 0 end\", base = \"lifecycle\", unit = \"ratio\" }\n";
    let shop = Shop::new();
    let orders = "customer_id,ordered_at,amount\na,2026-06-20,10\nb,2026-01-05,10\n\
        c,2026-08-20,10\nd,2026-08-20,10\ne,2026-08-21,10\n";
    shop.file("orders/o.csv", orders);
    let parts = [GOAL, ORDERS, CONTRACT, FEATURES];
    said(&shop.run(&parts, "2026-06-30", &["--quiet"]), 0);
    said(&shop.run_on(&parts, "2026-08-31", &["--quiet"]), 0);
    let report = shop.path("store/reports/version-2.html");
    let text = std::fs::read_to_string(report).unwrap();
    let (_, told) = text.split_once("▲ 0.10").expect("the change of all");
    let (told, _) = told.split_once("there before").expect("of the others");
    assert!(
        told.contains("▼ 0.50") && told.contains("kept_change"),
        "{told}"
    );
    assert!(told.len() < 1_000, "{told}");
    let Some(python) = python() else { return };
    compare(&python, &shop.path("store"), 2, 5);
}
