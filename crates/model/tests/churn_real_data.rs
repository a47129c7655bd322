//! Churn on Telco, CDNOW and Online Retail compared with scikit-learn 1.9.1 on the same features and customers, each predicted
//! by models that were not trained on it: `tests/oracle/churn.py telco|cdnow|online_retail` prints the constants.
//!
//! Log loss over all customers, as these tests print it:
//!
//! | | tessera, model used | scikit-learn: logistic regression | random forest | gradient boosting |
//! |---|---|---|---|---|
//! | Telco | 0.4192 (logistic) | 0.4182 | 0.4159 | 0.4153 |
//! | CDNOW master | 0.3014 (random forest) | 0.2994 | 0.3100 | 0.3038 |
//! | Online Retail | 0.6005 (logistic) | 0.5999 | 0.6218 | 0.6147 |
//!
//! The model is chosen by its log loss after recalibration, so on CDNOW the forest is used although tessera's logistic
//! regression (0.2996) has the smaller log loss. On Telco boosting is better by 0.0039. Online Retail's calibration error
//! (0.058) comes from the season, which calibration on earlier dates cannot correct.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use tessera_model::churn::{
    Candidate, ChurnFit, ChurnPlan, ChurnServed, Inputs, Observation, Panel,
};

/// AUC, log loss, expected calibration error on the test rows.
struct Oracle {
    rows: [f64; 4],
    logistic: [f64; 3],
    forest: [f64; 3],
    boosting: [f64; 3],
}

fn data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "CI=true, and there is no ../shared/data"
    );
    println!("skipped: no ../shared/data");
    None
}

/// Prints both sides; the rows must be the same for the comparison to mean anything.
fn compare(fit: &ChurnFit, oracle: &Oracle) {
    let parameters = fit.parameters();
    let sizes = ["train_rows", "train_churned", "test_rows", "test_churned"].map(|name| {
        let found = parameters.iter().find(|p| p.name == name);
        found.unwrap().value.unwrap()
    });
    assert_eq!(sizes, oracle.rows);
    println!("{}", fit.reason());
    for c in fit.candidates() {
        println!(
            "ours {:13} auc {:.4} ({:.4} to {:.4}) log loss {:.4} ece {:.4}",
            c.model.name(),
            c.auc.value,
            c.auc.low_95,
            c.auc.high_95,
            c.log_loss,
            c.calibration_error
        );
    }
    let theirs = [
        ("logistic", oracle.logistic),
        ("random_forest", oracle.forest),
        ("boosting", oracle.boosting),
    ];
    for (name, [auc, log_loss, ece]) in theirs {
        println!("sklearn {name:13} auc {auc:.4} log loss {log_loss:.4} ece {ece:.4}");
    }
}

fn candidate(fit: &ChurnFit, model: ChurnServed) -> &Candidate {
    fit.candidates().iter().find(|c| c.model == model).unwrap()
}

fn assert_served_at_least_equal(fit: &ChurnFit, oracle: &Oracle) {
    let served = candidate(fit, fit.served());
    let [_, log_loss, _] = oracle.logistic;
    assert!(
        served.log_loss <= log_loss + 0.002,
        "{} is used with {}, scikit-learn's logistic regression has {log_loss}",
        served.model,
        served.log_loss
    );
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

#[test]
fn telco_equals_scikit_learns_logistic_regression() {
    let Some(folder) = data() else { return };
    let oracle = Oracle {
        rows: [7_043.0, 1_869.0, 7_043.0, 1_869.0],
        logistic: [0.844245, 0.418236, 0.015800],
        forest: [0.845653, 0.415861, 0.012937],
        boosting: [0.845993, 0.415298, 0.012650],
    };
    let text = std::fs::read_to_string(folder.join("telco/Telco-Customer-Churn.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let rows: Vec<Vec<&str>> = lines.collect();
    let column = |name: &str| {
        let at = header.iter().position(|h| *h == name).unwrap();
        rows.iter().map(move |row| row[at])
    };
    let numeric = ["tenure", "MonthlyCharges", "TotalCharges"];
    let mut inputs = Inputs::new(rows.len());
    for name in &header {
        inputs = match *name {
            "customerID" | "Churn" => inputs,
            // The total of those who joined this month is blank.
            name if numeric.contains(&name) => {
                let values = column(name).map(|text| text.trim().parse().unwrap_or(f64::NAN));
                inputs.number(name, values.collect()).unwrap()
            }
            name => inputs.label(name, column(name).map(Some)).unwrap(),
        };
    }
    let panel = Panel::new(
        inputs,
        column("Churn").map(|churn| churn == "Yes").collect(),
        column("customerID").map(fnv1a).collect(),
        vec![0; rows.len()],
    );
    let fit = ChurnFit::fit_static(&panel.unwrap(), &ChurnPlan::new(30)).unwrap();
    compare(&fit, &oracle);
    let ours = candidate(&fit, ChurnServed::Logistic);
    let [auc, log_loss, _] = oracle.logistic;
    assert!(ours.auc.value >= auc - 0.002, "{}", ours.auc.value);
    assert!(ours.log_loss <= log_loss + 0.002, "{}", ours.log_loss);
    assert_served_at_least_equal(&fit, &oracle);
}

/// The orders of each customer: day, number of occasions, spend.
type Orders = BTreeMap<u64, Vec<(i32, u64, f64)>>;

/// Features of everyone with an order up to `day`, and whether none followed within `horizon` days.
fn observe(orders: &Orders, day: i32, horizon: i32) -> Observation {
    let names = [
        "recency_days",
        "tenure_days",
        "order_count",
        "spend_total",
        "order_value_mean",
        "order_count_90d",
        "spend_90d",
        "gap_mean_days",
    ];
    let mut columns = vec![Vec::new(); names.len()];
    let (mut churned, mut customers) = (Vec::new(), Vec::new());
    for (&customer, orders) in orders {
        let past: Vec<_> = orders.iter().filter(|(on, ..)| *on <= day).collect();
        let (Some(first), Some(last)) = (
            past.iter().map(|order| order.0).min(),
            past.iter().map(|order| order.0).max(),
        ) else {
            continue;
        };
        let recent = || past.iter().filter(|order| order.0 > day - 90);
        let distinct = |occasions: BTreeSet<u64>| occasions.len() as f64;
        let count = distinct(past.iter().map(|order| order.1).collect());
        let spend: f64 = past.iter().map(|order| order.2).sum();
        let gap = if count > 1.0 {
            f64::from(last - first) / (count - 1.0)
        } else {
            f64::NAN
        };
        let values = [
            f64::from(day - last),
            f64::from(day - first),
            count,
            spend,
            spend / count,
            distinct(recent().map(|order| order.1).collect()),
            recent().map(|order| order.2).sum(),
            gap,
        ];
        columns
            .iter_mut()
            .zip(values)
            .for_each(|(column, value)| column.push(value));
        churned.push(
            !orders
                .iter()
                .any(|(on, ..)| *on > day && *on <= day + horizon),
        );
        customers.push(customer);
    }
    let named = names.into_iter().zip(columns);
    let inputs = named.fold(Inputs::new(customers.len()), |inputs, (name, column)| {
        inputs.number(name, column).unwrap()
    });
    Observation {
        inputs,
        churned,
        customer: customers,
        observed_on: day,
    }
}

/// Observations 30 days apart up to `newest`, with a horizon of 90 days.
fn fit_orders(orders: &Orders, newest: i32, dates: i32) -> ChurnFit {
    let observations = (0..dates).map(|back| observe(orders, newest - 30 * back, 90));
    let panel = Panel::stack(observations).unwrap();
    // As many rows as scikit-learn's models are trained on.
    let plan = ChurnPlan {
        max_rows: 200_000,
        ..ChurnPlan::new(90).with_recency("recency_days")
    };
    ChurnFit::fit(&panel, &plan).unwrap()
}

fn read(file: &Path, mut row: impl FnMut(&RecordBatch)) {
    // Without the stored arrow schema all strings have one type.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let opened = std::fs::File::open(file).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(opened, options);
    reader
        .unwrap()
        .build()
        .unwrap()
        .for_each(|batch| row(&batch.unwrap()));
}

#[test]
fn cdnow_is_at_least_equal_to_scikit_learns_logistic_regression() {
    let Some(folder) = data() else { return };
    let oracle = Oracle {
        rows: [164_990.0, 137_077.0, 23_570.0, 20_269.0],
        logistic: [0.839991, 0.299431, 0.020757],
        forest: [0.832207, 0.309961, 0.035402],
        boosting: [0.834733, 0.303809, 0.027694],
    };
    let mut orders = Orders::new();
    read(&folder.join("cdnow/master.parquet"), |batch| {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let customer = column("customer_id").as_primitive::<Int64Type>();
        let date = column("date").as_primitive::<Date32Type>();
        let dollars = column("dollars").as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let day = date.value(row);
            let order = (day, day as u64, dollars.value(row));
            orders
                .entry(customer.value(row) as u64)
                .or_default()
                .push(order);
        }
    });
    let fit = fit_orders(&orders, 10_317, 10);
    compare(&fit, &oracle);
    assert_served_at_least_equal(&fit, &oracle);
}

#[test]
fn online_retail_is_at_least_equal_to_scikit_learns_logistic_regression() {
    let Some(folder) = data() else { return };
    let oracle = Oracle {
        rows: [9_577.0, 4_633.0, 3_370.0, 1_449.0],
        logistic: [0.735041, 0.599930, 0.059433],
        forest: [0.726020, 0.621752, 0.074853],
        boosting: [0.727164, 0.614676, 0.071112],
    };
    let mut orders = Orders::new();
    for file in parquet_files(&folder.join("online_retail")) {
        read(&file, |batch| add_invoices(batch, &mut orders));
    }
    assert_eq!(orders.len(), 4_338);
    let fit = fit_orders(&orders, 15_227, 7);
    compare(&fit, &oracle);
    assert_served_at_least_equal(&fit, &oracle);
}

fn add_invoices(batch: &RecordBatch, orders: &mut Orders) {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let (key, invoice) = (
        column("customer_id").as_string::<i32>(),
        column("invoice_no").as_string::<i32>(),
    );
    let quantity = column("quantity").as_primitive::<Int32Type>();
    let price = column("unit_price").as_primitive::<Float64Type>();
    let time = column("invoiced_at").as_primitive::<TimestampMicrosecondType>();
    for row in 0..batch.num_rows() {
        let (count, price) = (f64::from(quantity.value(row)), price.value(row));
        if key.is_null(row) || count <= 0.0 || price <= 0.0 || invoice.value(row).starts_with('C') {
            continue;
        }
        let day = time.value(row).div_euclid(86_400_000_000) as i32;
        let order = (day, fnv1a(invoice.value(row)), count * price);
        let customer = key.value(row).parse().unwrap();
        orders.entry(customer).or_default().push(order);
    }
}

fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let children = |path: &Path| {
        let entries = std::fs::read_dir(path).unwrap();
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    };
    let months = children(folder).into_iter().filter(|path| path.is_dir());
    let files = months.flat_map(|month| children(&month));
    files
        .filter(|path| path.extension().is_some_and(|e| e == "parquet"))
        .collect()
}
