//! A label that stands in the data: who has churned is a column, not what happened after a date.

use std::path::{Path, PathBuf};

use crate::program::{public_data, run};
use crate::table::Table;

const ATTRIBUTES: [&str; 16] = [
    "gender",
    "Partner",
    "Dependents",
    "PhoneService",
    "MultipleLines",
    "InternetService",
    "OnlineSecurity",
    "OnlineBackup",
    "DeviceProtection",
    "TechSupport",
    "StreamingTV",
    "StreamingMovies",
    "Contract",
    "PaperlessBilling",
    "PaymentMethod",
    "Churn",
];

const FRAME: &str = r#"
spec_version = 1
name     = "telco"
timezone = "UTC"
currency = "USD"
store    = "${out}/telco"

[vars]
lake = ""
out  = ""

[customer]
key = "customerID"

[sources.accounts]
kind = "attributes"
path = "${lake}/Telco-Customer-Churn.csv"
key  = "customerID"
attributes.tenure         = { base = "lifecycle", unit = "count" }
attributes.MonthlyCharges = { base = "value", unit = "currency" }

[sources.accounts.contract]
columns     = { customerID = "string", tenure = "i32", MonthlyCharges = "f64", Churn = "string" }
missing_key = "fail"
duplicates  = "keep"

[features]
has_left = { expr = "case when Churn = 'Yes' then 1 else 0 end", base = "lifecycle", unit = "count" }

[scores.churn]
kind  = "supervised"
from  = "accounts"
label = "case when tenure < 2 then null else Churn = 'Yes' end"
features = FEATURES

[schemes.risk]
kind  = "rules"
rules = [{ segment = "call", when = "churn_probability > 0.5" }]
otherwise = "wait"
"#;

/// Publishes the pipeline over all attributes of the data, and returns the folder of the version.
fn published(data: &Path, dir: &Path) -> PathBuf {
    let out = dir.display().to_string();
    let mut attributes = String::new();
    for name in ATTRIBUTES {
        attributes += &format!("attributes.{name} = {{ base = \"demographic\" }}\n");
    }
    let listed: Vec<String> = ATTRIBUTES.map(|name| format!("\"{name}\"")).to_vec();
    let features = format!("[\"MonthlyCharges\", \"has_left\", {}]", listed.join(", "));
    let text = FRAME
        .replace(
            "attributes.tenure ",
            &format!("{attributes}attributes.tenure "),
        )
        .replace("FEATURES", &features);
    let file = format!("{out}/telco.toml");
    std::fs::write(&file, text).unwrap();
    let (lake, store) = (format!("lake={}", data.display()), format!("out={out}"));
    let arguments = ["run", &file, "--as-of", "2026-10-31", "--quiet"];
    run(
        &[&arguments[..], &["--var", &lake, "--var", &store]].concat(),
        0,
    );
    dir.join("telco/latest")
}

#[test]
fn churn_of_telco_is_learnt_from_its_column_and_tested_on_other_customers() {
    let Some(data) = public_data("telco") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let latest = published(&data, dir.path());
    let customers = Table::read(&latest.join("customers.parquet"));
    let (label, tenure) = (customers.texts("Churn"), customers.ints("tenure"));
    let probability = customers.floats("churn_probability");
    let excluded = customers.texts("churn_excluded");
    let (mut known, mut left) = (0.0, 0.0);
    for row in 0..customers.rows() {
        let is_known = tenure[row].unwrap() >= 2;
        let has_left = is_known && label[row].as_deref() == Some("Yes");
        known += f64::from(u8::from(is_known));
        left += f64::from(u8::from(has_left));
        assert_eq!(probability[row].is_none(), has_left, "row {row}");
        let expected = has_left.then_some("churned before");
        assert_eq!(excluded[row].as_deref(), expected, "row {row}");
    }

    let models = Table::read(&latest.join("models.parquet"));
    let (of, names) = (models.texts("model"), models.texts("name"));
    let values = models.floats("value");
    let value = |model: &str, name: &str| {
        let is = |row: &usize| {
            of[*row].as_deref() == Some(model) && names[*row].as_deref() == Some(name)
        };
        let row = (0..models.rows()).find(is);
        row.and_then(|row| values[row])
            .unwrap_or_else(|| panic!("no {name} of {model}"))
    };
    assert_eq!(value("population", "labelled customers"), known);
    assert_eq!(value("population", "labelled as churned"), left);
    assert_eq!(value("churn", "out_of_time"), 0.0);
    // Without tenure, which the label reads, and without the label: a leak would rank nearly everyone right.
    let auc = value("logistic", "test_auc");
    assert!((0.78..0.86).contains(&auc), "{auc}");

    let backtest = Table::read(&latest.join("backtest.parquet"));
    let tested = backtest.texts("model");
    let served = tested.iter().flatten().filter(|model| *model == "logistic");
    assert_eq!(served.count() as f64, known);

    let quality = Table::read(&latest.join("quality.parquet"));
    let (metrics, reasons) = (quality.texts("metric"), quality.texts("reason"));
    let reason = |metric: &str| {
        let row = metrics.iter().position(|m| m.as_deref() == Some(metric));
        reasons[row.unwrap()].clone().unwrap()
    };
    assert!(reason("backtest on later data").contains("not at a later date"));
    let left_out = reason("features left out");
    assert!(left_out.contains("`Churn`") && left_out.contains("`has_left`"));
    let dictionary = Table::read(&latest.join("features.parquet"));
    let names = dictionary.texts("name");
    let row = names
        .iter()
        .position(|n| n.as_deref() == Some("churn_probability"));
    let status = dictionary.texts("status")[row.unwrap()].clone();
    assert!(status.is_some_and(|status| status != "ok"));
}

#[test]
fn dates_beside_a_label_are_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("telco.toml");
    let text = FRAME
        .replace("FEATURES", "[\"MonthlyCharges\"]")
        .replace("[schemes.risk]", "horizon = \"90d\"\n\n[schemes.risk]");
    std::fs::write(&file, text).unwrap();
    let output = run(&["check", &file.display().to_string()], 2);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("`horizon` has no effect beside `label`"),
        "{said}"
    );
}

/// A table in which two columns state who has left, and a pipeline over it.
fn telling(dir: &Path) -> String {
    let out = dir.display().to_string();
    let mut rows = String::from("id,tenure,plan,churned,reason,state\n");
    for n in 0..1_200_u64 {
        // Customers who have been there for long leave less often.
        let chance = n.wrapping_mul(2_654_435_761) % 1_000;
        let tenure = n % 60;
        let left = chance < 600 - 9 * tenure;
        let words = |yes: &'static str, no: &'static str| if left { yes } else { no };
        rows += &format!(
            "c{n},{tenure},{},{},{},{}\n",
            ["a", "b", "c"][(n % 3) as usize],
            words("Yes", "No"),
            words("price", ""),
            words("closed", "open"),
        );
    }
    std::fs::write(dir.join("a.csv"), rows).unwrap();
    let text = format!(
        r#"
spec_version = 1
name     = "telling"
timezone = "UTC"
currency = "USD"
store    = "{out}/store"

[customer]
key = "id"

[sources.accounts]
kind = "attributes"
path = "{out}/a.csv"
key  = "id"
attributes.tenure  = {{ base = "lifecycle", unit = "count" }}
attributes.plan    = {{ base = "firmographic" }}
attributes.churned = {{ base = "lifecycle" }}
attributes.reason  = {{ base = "needs" }}
attributes.state   = {{ base = "lifecycle" }}

[sources.accounts.contract]
columns = {{ id = "string", tenure = "i64", plan = "string", churned = "string", reason = "string", state = "string" }}
missing_key = "fail"
duplicates  = "keep"

[scores.leaving]
kind  = "supervised"
from  = "accounts"
label = "churned = 'Yes'"

[schemes.risk]
kind  = "rules"
rules = [{{ segment = "call", when = "leaving_probability > 0.5" }}]
otherwise = "wait"
"#
    );
    let file = format!("{out}/telling.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// A reason for leaving is known only of those who left: with it a model would read the label.
#[test]
fn features_that_state_the_label_are_left_out_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = telling(dir.path());
    let night = |day: &str| {
        let output = run(&["run", &file, "--as-of", day, "--quiet"], 0);
        String::from_utf8(output.stderr).unwrap()
    };
    let said = night("2026-10-30");
    let expected = "features that state the label are left out: `reason`: it has a value for 100.0% of those who left and 0.0% of the others; `state`: its value alone tells it of 100.0% of the customers";
    assert!(said.contains(expected), "{said}");
    // The next night applies the model without them.
    night("2026-10-31");
    let latest = dir.path().join("store/latest");
    let quality = Table::read(&latest.join("quality.parquet"));
    let metrics = quality.texts("metric");
    let metric = Some("features that state the label".to_owned());
    let row = metrics.iter().position(|found| *found == metric).unwrap();
    assert_eq!(quality.floats("value")[row], Some(2.0));
    assert!(
        quality.texts("reason")[row]
            .as_deref()
            .unwrap()
            .contains("`reason`")
    );
    let models = Table::read(&latest.join("models.parquet"));
    let (of, names) = (models.texts("model"), models.texts("name"));
    let is = |row: &usize| {
        of[*row].as_deref() == Some("logistic") && names[*row].as_deref() == Some("test_auc")
    };
    let row = (0..models.rows()).find(is).unwrap();
    let auc = models.floats("value")[row].unwrap();
    assert!((0.6..0.95).contains(&auc), "{auc}");
}

/// The areas under the curve of each model out of its own customers, the number labelled as churned, and the reasons in `quality`.
fn learned(file: &str, dir: &Path) -> (Vec<f64>, f64, Vec<String>) {
    run(&["run", file, "--as-of", "2026-10-30", "--quiet"], 0);
    let latest = dir.join("store/latest");
    let models = Table::read(&latest.join("models.parquet"));
    let (names, values) = (models.texts("name"), models.floats("value"));
    let of = |name: &str| -> Vec<f64> {
        let rows = names.iter().zip(&values);
        rows.filter(|(found, _)| found.as_deref() == Some(name))
            .filter_map(|(_, value)| *value)
            .collect()
    };
    let quality = Table::read(&latest.join("quality.parquet"));
    let reasons = quality.texts("reason").into_iter().flatten().collect();
    (of("test_auc"), of("labelled as churned")[0], reasons)
}

/// The accounts of those who left are closed: they have no probability, but it is of them that a model learns who leaves.
#[test]
fn closed_accounts_that_churned_are_learned_from() {
    let (open, shut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (of_all, churned, _) = learned(&telling(open.path()), open.path());
    let file = telling(shut.path());
    let closing = |condition: &str| {
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace(
            "key = \"id\"\n\n[s",
            &format!("key = \"id\"\nactive = \"{condition}\"\n\n[s"),
        );
        assert!(text.contains("active ="));
        std::fs::write(&file, text).unwrap();
    };
    closing("churned = 'No'");
    let checked = run(&["check", &file], 0);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(!said.contains("earlier dates"), "{said}");
    let (found, closed, _) = learned(&file, shut.path());
    assert!(!found.is_empty());
    assert_eq!((found, closed), (of_all, churned));
    let customers = Table::read(&shut.path().join("store/latest/customers.parquet"));
    let given = customers.floats("leaving_probability");
    let active = customers.bools("active");
    let excluded = customers.texts("leaving_excluded");
    for ((probability, active), excluded) in given.iter().zip(active).zip(excluded) {
        assert_eq!(probability.is_some(), active == Some(true));
        assert_eq!(
            excluded.as_deref(),
            (active != Some(true)).then_some("closed")
        );
    }
}

/// Without enough customers of both kinds, what to change is said in terms of the label: there are no dates and no horizon.
#[test]
fn a_label_that_few_have_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = telling(dir.path());
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("churned = 'Yes'", "churned = 'Yes' and tenure < 1");
    std::fs::write(&file, text).unwrap();
    let (_, churned, reasons) = learned(&file, dir.path());
    assert!(churned < 30.0);
    let reason = reasons.iter().find(|reason| reason.contains("are needed"));
    let reason = reason.unwrap();
    assert!(
        reason.contains("by `label`") && !reason.contains("horizon"),
        "{reason}"
    );
}
