//! What training on a sample of the customers costs: the log loss on a later date, of a model of all customers and of one of the
//! customers with the lowest hashes, as a run reads them at earlier dates.
//!
//! `cargo run --release -p tessera-model --example churn_sample -- PANEL.parquet ROWS CUSTOMERS HORIZON`: the table has the columns
//! `customer` (an integer), `observed_on` (a date), `churned` (0 or 1), and numbers. The newest date is for the test; of each
//! other date the model of the sample sees the CUSTOMERS with the lowest hashes, and is fitted to at most ROWS rows of them.
//! `benches/sample.py` makes such tables of a lake.

use std::fs::File;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tessera_model::churn::{
    CalibrationKind, ChurnFit, ChurnModel, ChurnPlan, Inputs, Observation, Panel,
};
use tessera_model::metrics::log_loss;

type Failure = Box<dyn std::error::Error>;

/// Columns that are no inputs.
const OTHERS: [&str; 3] = ["customer", "observed_on", "churned"];

/// The table with the columns that are no inputs.
struct Table {
    rows: RecordBatch,
    customer: Vec<u64>,
    observed_on: Vec<i32>,
    churned: Vec<bool>,
}

impl Table {
    fn read(path: &str) -> Result<Self, Failure> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
        let schema = reader.schema().clone();
        let batches = reader.build()?.collect::<Result<Vec<_>, _>>()?;
        let rows = concat_batches(&schema, &batches)?;
        let column = |name: &str, ty: &DataType| {
            let column = rows
                .column_by_name(name)
                .ok_or_else(|| format!("no column `{name}`"));
            column.and_then(|column| cast(column, ty).map_err(|error| error.to_string()))
        };
        let customer = column("customer", &DataType::Int64)?;
        let customer = customer.as_primitive::<Int64Type>().values().iter();
        let observed_on = column("observed_on", &DataType::Int32)?;
        let churned = column("churned", &DataType::Int32)?;
        let churned = churned.as_primitive::<Int32Type>().values().iter();
        Ok(Self {
            customer: customer.map(|key| scattered(*key as u64)).collect(),
            observed_on: observed_on.as_primitive::<Int32Type>().values().to_vec(),
            churned: churned.map(|churned| *churned != 0).collect(),
            rows,
        })
    }

    /// These rows, which are of one date.
    fn observation(&self, rows: &[usize]) -> Result<Observation, Failure> {
        let mut inputs = Inputs::new(rows.len());
        for (field, column) in self.rows.schema().fields().iter().zip(self.rows.columns()) {
            if OTHERS.contains(&field.name().as_str()) {
                continue;
            }
            let numbers = cast(column, &DataType::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>();
            let value = |&row: &usize| match numbers.is_valid(row) {
                true => numbers.value(row),
                false => f64::NAN,
            };
            inputs = inputs.number(field.name(), rows.iter().map(value).collect())?;
        }
        Ok(Observation {
            inputs,
            churned: rows.iter().map(|&row| self.churned[row]).collect(),
            customer: rows.iter().map(|&row| self.customer[row]).collect(),
            observed_on: rows.first().map_or(0, |&row| self.observed_on[row]),
        })
    }

    /// The rows of a date, of at most so many customers: those with the lowest hashes.
    fn of_date(&self, date: i32, most: usize) -> Vec<usize> {
        let rows = 0..self.observed_on.len();
        let mut rows: Vec<usize> = rows.filter(|&row| self.observed_on[row] == date).collect();
        rows.sort_unstable_by_key(|&row| self.customer[row]);
        rows.truncate(most);
        rows
    }
}

/// The finaliser of `SplitMix64`, which spreads numbers evenly.
fn scattered(key: u64) -> u64 {
    let a = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}

fn main() -> Result<(), Failure> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [path, rows, customers, horizon] = given.as_slice() else {
        return Err("churn_sample PANEL.parquet ROWS CUSTOMERS HORIZON".into());
    };
    let (rows, customers): (usize, usize) = (rows.parse()?, customers.parse()?);
    let table = Table::read(path)?;
    let mut dates = table.observed_on.clone();
    dates.sort_unstable();
    dates.dedup();
    let Some((newest, earlier)) = dates.split_last() else {
        return Err("the table has no row".into());
    };
    let test = table.observation(&table.of_date(*newest, usize::MAX))?;
    let fit = |customers: usize, rows: usize| -> Result<(usize, f64), Failure> {
        let of = earlier
            .iter()
            .map(|&date| table.observation(&table.of_date(date, customers)));
        let panel = Panel::stack(of.collect::<Result<Vec<_>, _>>()?)?;
        let plan = ChurnPlan {
            models: vec![ChurnModel::Logistic],
            recency: Some("recency_days".to_owned()),
            calibration: CalibrationKind::Platt,
            horizon_days: horizon.parse()?,
            seed: 7,
            max_rows: rows,
        };
        let fit = ChurnFit::fit(&panel, &plan)?;
        let loss = log_loss(&fit.probabilities(&test.inputs)?, &test.churned);
        Ok((panel.rows(), loss.ok_or("a prediction is missing")?))
    };
    let (all_rows, all) = fit(usize::MAX, usize::MAX)?;
    let (sample_rows, sample) = fit(customers, rows)?;
    println!(
        "{{\"tested\": {}, \"rows\": {all_rows}, \"log_loss\": {all:.5}, \"rows_of_sample\": {sample_rows}, \"log_loss_of_sample\": {sample:.5}, \"difference\": {:.5}}}",
        test.churned.len(),
        sample - all
    );
    Ok(())
}
