//! `orders/`: one row per order line, partitioned by month, with most of the lake's bad rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Float64Array, Int32Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::calendar::{DAY_MICROS, LAST_DAY, day_number, month_name, span_days, waking_micros};
use crate::customer::{Customer, choose, customer_id, spread};
use crate::streams::{Purpose, gamma, stream};
use crate::table::{Table, naive_timestamp};
use crate::{DemoConfig, DemoError, DirtCounts};

const CHANNELS: &[(&str, f64)] = &[
    ("web", 0.55),
    ("app", 0.15),
    ("partner", 0.20),
    ("phone", 0.10),
];
const CATEGORIES: &[&str] = &[
    "hardware",
    "licences",
    "services",
    "training",
    "accessories",
    "support",
];
const LINES: &[(usize, f64)] = &[(1, 0.45), (2, 0.35), (3, 0.20)];

/// Totals of the orders of a company.
pub(crate) struct Ordered {
    /// Orders of known customers up to the last day.
    pub orders: u64,
    /// Their rows.
    pub clean_rows: u64,
    /// Sum of those rows per customer, in cents.
    pub spend_cents: Vec<i64>,
}

/// An order before it gets its number.
struct Draft {
    customer: Option<u32>,
    at: i64,
    channel: &'static str,
    lines: Vec<(&'static str, i32, i64)>,
}

/// A row of the table.
#[derive(Debug, Clone)]
struct Line {
    kind: char,
    number: usize,
    customer: Option<u32>,
    at: i64,
    quantity: i32,
    cents: i64,
    channel: &'static str,
    category: &'static str,
}

/// Writes the orders of all customers and counts bad rows.
pub(crate) fn write(
    table: &mut Table,
    config: &DemoConfig,
    customers: &[Customer],
    dirt: &mut DirtCounts,
) -> Result<Ordered, DemoError> {
    let mut drafts = Vec::new();
    for customer in customers {
        draft_orders(config.seed, customer, &mut drafts)?;
    }
    let orders = drafts.len() as u64;
    let rng = &mut stream(config.seed, Purpose::OrderDirt, 0);
    let scale = config.customers as usize;
    guest_orders(rng, scale.div_ceil(22), &mut drafts, dirt);
    drafts.sort_by_key(|draft| (draft.at, draft.customer));

    let mut lines: Vec<Line> = drafts
        .iter()
        .enumerate()
        .flat_map(|(number, draft)| draft.lines(number))
        .collect();
    let known: Vec<usize> = (0..lines.len())
        .filter(|i| lines[*i].customer.is_some())
        .collect();
    let mut spend_cents = vec![0; customers.len()];
    for &row in &known {
        if let Some(customer) = lines[row].customer {
            spend_cents[customer as usize] += lines[row].cents * i64::from(lines[row].quantity);
        }
    }
    let repeated: Vec<Line> = spread(known.len(), scale.div_ceil(40))
        .map(|i| lines[known[i]].clone())
        .collect();
    dirt.orders_duplicate = repeated.len() as u64;
    let extra = dirty_lines(rng, scale, &drafts, &lines, &known, dirt);
    lines.extend(extra);
    write_months(table, lines, "part-0.parquet")?;
    write_months(table, repeated, "part-1.parquet")?;
    Ok(Ordered {
        orders,
        clean_rows: known.len() as u64,
        spend_cents,
    })
}

impl Draft {
    fn lines(&self, number: usize) -> impl Iterator<Item = Line> + '_ {
        self.lines
            .iter()
            .map(move |&(category, quantity, cents)| Line {
                kind: 'O',
                number,
                customer: self.customer,
                at: self.at,
                quantity,
                cents,
                channel: self.channel,
                category,
            })
    }
}

/// The orders of one customer: values from its spend distribution, split into lines of different categories.
fn draft_orders(seed: u64, customer: &Customer, drafts: &mut Vec<Draft>) -> Result<(), DemoError> {
    let rng = &mut stream(seed, Purpose::Orders, customer.index);
    let favourite = choose(rng, CHANNELS).copied().unwrap_or("web");
    for &time in &customer.purchases {
        let value = gamma(rng, customer.archetype.spend.p, customer.spend_rate)?;
        let channel = if rng.random_bool(0.8) {
            favourite
        } else {
            choose(rng, CHANNELS).copied().unwrap_or("web")
        };
        let lines = split(rng, value);
        drafts.push(Draft {
            customer: Some(customer.index),
            at: waking_micros(time),
            channel,
            lines,
        });
    }
    Ok(())
}

/// Splits an order's value in euros into one to three lines; each rounds its unit price to a cent, and none is free.
fn split(rng: &mut ChaCha8Rng, value: f64) -> Vec<(&'static str, i32, i64)> {
    let count = choose(rng, LINES).copied().unwrap_or(1);
    let first = rng.random_range(0..CATEGORIES.len());
    let step = if rng.random_bool(0.5) { 1 } else { 5 };
    let weights: Vec<f64> = (0..count).map(|_| rng.random_range(0.2..1.0)).collect();
    let total: f64 = weights.iter().sum();
    let mut lines = Vec::with_capacity(count);
    for (i, weight) in weights.iter().enumerate() {
        let quantity = rng.random_range(1..=8);
        let cents = (value * weight / total * 100.0 / f64::from(quantity)).round() as i64;
        lines.push((
            CATEGORIES[(first + i * step) % CATEGORIES.len()],
            quantity,
            cents.max(1),
        ));
    }
    lines
}

/// Orders of guests, which have no customer id.
fn guest_orders(
    rng: &mut ChaCha8Rng,
    count: usize,
    drafts: &mut Vec<Draft>,
    dirt: &mut DirtCounts,
) {
    for _ in 0..count {
        let at = waking_micros(rng.random_range(0.0..f64::from(span_days())));
        let value = rng.random_range(10.0..120.0);
        let lines = split(rng, value);
        dirt.orders_missing_key += lines.len() as u64;
        drafts.push(Draft {
            customer: None,
            at,
            channel: "web",
            lines,
        });
    }
}

/// Free samples, bad-debt adjustments, cancellations and rows from the future, next to the orders they belong to.
fn dirty_lines(
    rng: &mut ChaCha8Rng,
    scale: usize,
    drafts: &[Draft],
    lines: &[Line],
    known: &[usize],
    dirt: &mut DirtCounts,
) -> Vec<Line> {
    let mut extra = Vec::new();
    for i in spread(known.len(), scale.div_ceil(50)) {
        extra.push(Line {
            quantity: 1,
            cents: 0,
            category: "samples",
            ..lines[known[i]].clone()
        });
        dirt.orders_zero_price += 1;
    }
    for i in spread(known.len(), scale.div_ceil(650)) {
        let line = &lines[known[i]];
        extra.push(Line {
            kind: 'A',
            quantity: 1,
            cents: -line.cents,
            category: "adjustments",
            ..line.clone()
        });
        dirt.orders_negative_price += 1;
    }
    for i in spread(known.len(), scale.div_ceil(500)) {
        let day = day_number(LAST_DAY) + rng.random_range(1..=400);
        let at = i64::from(day) * DAY_MICROS + lines[known[i]].at.rem_euclid(DAY_MICROS);
        let number = drafts.len() + dirt.orders_future as usize;
        extra.push(Line {
            number,
            at,
            ..lines[known[i]].clone()
        });
        dirt.orders_future += 1;
    }
    let latest = i64::from(day_number(LAST_DAY) - 15) * DAY_MICROS;
    let revocable: Vec<usize> = (0..drafts.len())
        .filter(|i| drafts[*i].customer.is_some() && drafts[*i].at < latest)
        .collect();
    for i in spread(revocable.len(), revocable.len() / 65) {
        let number = revocable[i];
        let later = rng.random_range(1..=14) * DAY_MICROS;
        for line in drafts[number].lines(number) {
            extra.push(Line {
                kind: 'X',
                quantity: -line.quantity,
                at: line.at + later,
                ..line
            });
            dirt.orders_cancelled += 1;
        }
    }
    extra
}

/// Writes lines into their months; lines dated after the last day are in the last month, in which they were delivered.
fn write_months(table: &mut Table, lines: Vec<Line>, file: &str) -> Result<(), DemoError> {
    let mut months: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    for line in lines {
        let day = (line.at.div_euclid(DAY_MICROS) as i32).min(day_number(LAST_DAY));
        months.entry(month_name(day)).or_default().push(line);
    }
    for (month, mut lines) in months {
        lines.sort_by_key(|line| (line.at, line.number, line.kind));
        write_month(table, &format!("month={month}/{file}"), &lines)?;
    }
    Ok(())
}

fn write_month(table: &mut Table, file: &str, lines: &[Line]) -> Result<(), DemoError> {
    let order_id: StringArray = lines
        .iter()
        .map(|l| Some(format!("{}{:07}", l.kind, l.number + 1)))
        .collect();
    let customer: StringArray = lines.iter().map(|l| l.customer.map(customer_id)).collect();
    let at = TimestampMicrosecondArray::from_iter_values(lines.iter().map(|l| l.at));
    let quantity = Int32Array::from_iter_values(lines.iter().map(|l| l.quantity));
    let price = Float64Array::from_iter_values(lines.iter().map(|l| l.cents as f64 / 100.0));
    let channel = StringArray::from_iter_values(lines.iter().map(|l| l.channel));
    let category = StringArray::from_iter_values(lines.iter().map(|l| l.category));
    table.parquet(
        file,
        vec![
            ("order_id", DataType::Utf8, Arc::new(order_id)),
            ("customer_id", DataType::Utf8, Arc::new(customer)),
            ("ordered_at", naive_timestamp(), Arc::new(at)),
            ("quantity", DataType::Int32, Arc::new(quantity)),
            ("unit_price", DataType::Float64, Arc::new(price)),
            ("channel", DataType::Utf8, Arc::new(channel)),
            ("category", DataType::Utf8, Arc::new(category)),
        ],
    )
}
