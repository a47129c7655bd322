//! A lifetime score always finishes and always publishes: with dropout, without dropout, and with too little data. Histories come
//! from the generator of `tests/oracle/lifetime.py`, whose scipy fits are the expected figures; where all customers share one
//! dropout probability, the expected figures are those of `crates/model/tests/oracle/shared_dropout.py`.

use std::path::Path;

use chrono::{Days, NaiveDate};

use crate::program::{public_data, run, tessera};
use crate::table::Table;

const AS_OF: &str = "2026-06-30";

fn end() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 6, 30).unwrap()
}

struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) * 2f64.powi(-53)
    }
}

/// Days before the end on which each customer bought. `dropout` maps a uniform number to a customer's dropout probability.
fn simulated(
    seed: u64,
    count: usize,
    mean_gap_days: f64,
    dropout: impl Fn(f64) -> f64,
) -> Vec<Vec<u64>> {
    let mut u = Uniform(seed);
    let customer = |_| {
        let tenure = 30.0 + (u.next() * 600.0).floor();
        let rate = -u.next().ln() / mean_gap_days;
        let chance = dropout(u.next());
        let (mut days, mut time) = (vec![tenure as u64], 0.0);
        while u.next() >= chance {
            time -= u.next().ln() / rate;
            if time >= tenure {
                break;
            }
            days.push((tenure - time.floor()) as u64);
        }
        days
    };
    (0..count).map(customer).collect()
}

/// Writes orders of `amount` and a pipeline with these models, runs it, and reads what was published.
fn publish(
    folder: &Path,
    customers: &[Vec<u64>],
    amount: f64,
    models: &str,
) -> (Table, Table, Table) {
    let mut orders = "k,day,amount\n".to_owned();
    for (number, days) in customers.iter().enumerate() {
        for ago in days {
            let day = end().checked_sub_days(Days::new(*ago)).unwrap();
            orders += &format!("c{number:05},{day},{amount}\n");
        }
    }
    std::fs::write(folder.join("orders.csv"), orders).unwrap();
    let here = folder.display();
    let pipeline = format!(
        r#"spec_version = 1
name = "p"
timezone = "UTC"
currency = "EUR"
store = "{here}/store"

[customer]
key = "k"

[sources.orders]
kind = "events"
path = "{here}/orders.csv"
key = "k"
time = "day"

[sources.orders.contract]
columns = {{ k = "string", day = "date", amount = "f64" }}
missing_key = "fail"

[features]
use = ["rfm"]

[scores.value]
kind = "clv"
from = "orders"
models = {models}
time_unit = "days"
horizon = "90d"
"#
    );
    let file = folder.join("p.toml");
    std::fs::write(&file, pipeline).unwrap();
    run(
        &[
            "run",
            &file.display().to_string(),
            "--as-of",
            AS_OF,
            "--quiet",
        ],
        0,
    );
    let read = |name: &str| Table::read(&folder.join(format!("store/latest/{name}.parquet")));
    (read("customers"), read("quality"), read("models"))
}

fn sum(table: &Table, column: &str) -> f64 {
    table.floats(column).iter().flatten().sum()
}

/// The reasons of `quality` by metric.
fn reason(quality: &Table, metric: &str) -> Option<String> {
    let (metrics, reasons) = (quality.texts("metric"), quality.texts("reason"));
    let row = (0..quality.rows()).find(|&row| metrics[row].as_deref() == Some(metric))?;
    reasons[row].clone()
}

/// All numbers of the score are finite and at least 0, and probabilities are at most 1.
fn assert_sound(customers: &Table) {
    for name in [
        "alive_probability",
        "expected_purchases",
        "no_purchase_probability",
    ] {
        for value in customers.floats(name).iter().flatten() {
            assert!(value.is_finite() && *value >= 0.0, "{name}: {value}");
            assert!(
                !name.ends_with("probability") || *value <= 1.0,
                "{name}: {value}"
            );
        }
    }
}

#[test]
fn with_dropout_every_customer_has_the_expectation_of_scipy() {
    let folder = tempfile::tempdir().unwrap();
    let histories = simulated(1, 800, 20.0, |u| u);
    let models = r#"["mbg_nbd", "bg_nbd", "pareto_nbd", "nbd", "gamma_gamma"]"#;
    let (customers, _, _) = publish(folder.path(), &histories, 10.0, models);
    assert_sound(&customers);
    assert!((sum(&customers, "expected_purchases") - 156.780_843).abs() < 1e-3);
    assert!((sum(&customers, "alive_probability") - 115.452_951).abs() < 1e-3);
    let (alive, expected) = (
        customers.floats("alive_probability"),
        customers.floats("expected_purchases"),
    );
    for (place, want_alive, want_expected) in [
        (115, 0.049_920_26, 0.033_133_53),
        (187, 0.000_118_69, 0.000_078_63),
        (259, 0.062_623_68, 0.013_745_49),
        (602, 0.897_986_46, 5.475_106_68),
        (669, 0.876_656_54, 3.031_750_83),
    ] {
        let (alive, expected) = (alive[place].unwrap(), expected[place].unwrap());
        assert!((alive - want_alive).abs() < 1e-6, "{place}: {alive}");
        assert!(
            (expected - want_expected).abs() < 1e-5,
            "{place}: {expected}"
        );
    }
    let names = customers.texts("model_fallback");
    assert!(names.iter().all(|name| name.as_deref() == Some("mbg_nbd")));
}

#[test]
fn near_the_boundary_without_dropout_the_model_still_serves() {
    let folder = tempfile::tempdir().unwrap();
    let histories = simulated(4, 900, 60.0, |_| 0.0);
    let (customers, _, _) = publish(folder.path(), &histories, 10.0, r#"["mbg_nbd"]"#);
    assert_sound(&customers);
    assert!((sum(&customers, "expected_purchases") - 1_408.222).abs() < 0.05);
}

#[test]
fn without_dropout_nbd_serves_in_place_of_two_listed_models() {
    let folder = tempfile::tempdir().unwrap();
    let histories = simulated(8, 900, 60.0, |_| 0.0);
    for models in [r#"["mbg_nbd", "bg_nbd"]"#, r#"["nbd", "gamma_gamma"]"#] {
        let (customers, quality, table) = publish(folder.path(), &histories, 10.0, models);
        assert_sound(&customers);
        let names = customers.texts("model_fallback");
        assert!(names.iter().all(|name| name.as_deref() == Some("nbd")));
        assert!((sum(&customers, "expected_purchases") - 1_232.995_943).abs() < 1e-3);
        assert!((sum(&customers, "no_purchase_probability") - 377.139_624).abs() < 1e-3);
        assert!(
            customers
                .floats("alive_probability")
                .iter()
                .all(Option::is_none)
        );
        let why = reason(&quality, "alive_probability").unwrap();
        assert!(why.contains("assumes that nobody leaves"), "{why}");
        assert!(
            table
                .texts("model")
                .iter()
                .flatten()
                .any(|model| model == "nbd")
        );
        if models.contains("mbg_nbd") {
            for model in ["mbg_nbd", "bg_nbd"] {
                assert!(reason(&quality, model).is_some(), "{model}");
            }
        }
        std::fs::remove_dir_all(folder.path().join("store")).unwrap();
    }
}

#[test]
fn customers_who_do_not_differ_in_how_they_leave_are_served_by_the_requested_model() {
    let folder = tempfile::tempdir().unwrap();
    let histories = simulated(8, 900, 10.0, |_| 0.05);
    let models = r#"["mbg_nbd", "bg_nbd"]"#;
    let (customers, quality, table) = publish(folder.path(), &histories, 10.0, models);
    assert_sound(&customers);
    let names = customers.texts("model_fallback");
    assert!(names.iter().all(|name| name.as_deref() == Some("mbg_nbd")));
    assert!((sum(&customers, "expected_purchases") - 1_226.923_507).abs() < 1e-2);
    assert!((sum(&customers, "alive_probability") - 375.140_933).abs() < 1e-2);
    let (model, name, value) = (
        table.texts("model"),
        table.texts("name"),
        table.floats("value"),
    );
    let fitted = |model_name: &str, parameter: &str| {
        let row = (0..table.rows()).find(|&row| {
            model[row].as_deref() == Some(model_name) && name[row].as_deref() == Some(parameter)
        });
        row.and_then(|row| value[row])
    };
    for (model, p, error, likelihood) in [
        ("mbg_nbd", 0.052_850_57, 0.002_491_83, -33_617.493_7),
        ("bg_nbd", 0.052_594_36, 0.002_538_95, -33_626.325_4),
    ] {
        assert!((fitted(model, "p").unwrap() - p).abs() < 1e-6, "{model}");
        let found = fitted(model, "p_standard_error").unwrap();
        assert!((found - error).abs() < 1e-5, "{model}");
        let found = fitted(model, "log_likelihood").unwrap();
        assert!((found - likelihood).abs() < 1e-2, "{model}");
        assert_eq!(fitted(model, "a"), None);
        let metric = format!("{model} with one dropout probability for all");
        let why = reason(&quality, &metric).unwrap();
        assert!(
            why.contains("all customers share one dropout probability"),
            "{why}"
        );
    }
}

#[test]
fn what_the_data_does_not_say_is_null_with_a_reason() {
    let once: Vec<Vec<u64>> = (0..40).map(|i| vec![5 + 13 * i % 590]).collect();
    let alike = vec![vec![100, 70, 40, 10]; 30];
    let today = vec![vec![0]; 30];
    let one = vec![vec![400, 20]];
    let every_day: Vec<Vec<u64>> = (0..30)
        .map(|i| (0..=300 + i).rev().filter(|day| day % 7 != i % 7).collect())
        .collect();
    let models = r#"["mbg_nbd", "bg_nbd", "pareto_nbd", "gamma_gamma"]"#;
    for (name, histories, amount) in [
        ("once", &once, 10.0),
        ("alike", &alike, 10.0),
        ("today", &today, 10.0),
        ("one", &one, 10.0),
        ("every day", &every_day, 0.0),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (customers, quality, _) = publish(folder.path(), histories, amount, models);
        assert_sound(&customers);
        let alive = customers.floats("alive_probability");
        assert!(
            alive.iter().any(|value| *value != Some(1.0)),
            "{name}: everyone is alive"
        );
        if alive.iter().all(Option::is_none) {
            let said = ["alive_probability", "expected_purchases", "score"];
            assert!(
                said.iter().any(|metric| reason(&quality, metric).is_some()),
                "{name}"
            );
        }
        for value in customers.floats("expected_purchases").iter().flatten() {
            assert!(*value <= 91.0, "{name}: {value} purchases in 90 days");
        }
    }
}

#[test]
fn three_repeat_buyers_come_with_a_caution() {
    let mut histories: Vec<Vec<u64>> = (0..300).map(|i| vec![5 + 7 * i % 595]).collect();
    histories.extend([vec![400, 100], vec![200, 150], vec![50, 20]]);
    let folder = tempfile::tempdir().unwrap();
    let (customers, quality, _) = publish(folder.path(), &histories, 10.0, r#"["mbg_nbd"]"#);
    assert_sound(&customers);
    let why = reason(&quality, "customers with a repeat purchase").unwrap();
    assert!(why.contains("too few"), "{why}");
}

/// The first forty days, when almost nobody has bought again, and every week from then on.
#[test]
fn cdnow_is_published_on_every_day_of_1997() {
    let Some(data) = public_data("cdnow") else {
        return;
    };
    let start = NaiveDate::from_ymd_opt(1997, 1, 1).unwrap();
    let days = (0..365).filter(|day| *day < 40 || day % 7 == 0 || *day == 364);
    for day in days {
        let out = tempfile::tempdir().unwrap();
        let (lake, store) = (
            format!("lake={}", data.display()),
            format!("out={}", out.path().display()),
        );
        let as_of = start.checked_add_days(Days::new(day)).unwrap().to_string();
        let output = tessera()
            .args(["run", "pipelines/cdnow.toml", "--as-of", &as_of, "--quiet"])
            .args(["--var", &lake, "--var", &store])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{as_of}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
