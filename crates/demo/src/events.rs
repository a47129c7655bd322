//! `product_events/`: what subscribers do in the software, with times in UTC, one file per month.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{StringArray, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};

use crate::calendar::{DAY_MICROS, FIRST_DAY, LAST_DAY, day_number, month_name};
use crate::company::Company;
use crate::customer::{Customer, choose, customer_id, spread};
use crate::streams::{Purpose, gamma, stream};
use crate::table::{Table, utc_timestamp};
use crate::{DemoConfig, DemoError, DirtCounts};

const NAMES: &[(&str, f64)] = &[
    ("login", 0.40),
    ("view_report", 0.25),
    ("create_project", 0.10),
    ("export", 0.10),
    ("api_call", 0.10),
    ("invite_user", 0.05),
];

/// A row of the table.
#[derive(Debug, Clone)]
struct Event {
    customer: Option<u32>,
    name: &'static str,
    at: i64,
}

/// Writes the events of all customers and counts bad rows.
pub(crate) fn write(
    table: &mut Table,
    config: &DemoConfig,
    customers: &[Customer],
    companies: &[Company],
    dirt: &mut DirtCounts,
) -> Result<(), DemoError> {
    let mut events = Vec::new();
    for (customer, company) in customers.iter().zip(companies) {
        use_software(config.seed, customer, company, &mut events)?;
    }
    let scale = config.customers as usize;
    let repeated: Vec<Event> = spread(events.len(), scale.div_ceil(66))
        .map(|i| events[i].clone())
        .collect();
    dirt.events_duplicate = repeated.len() as u64;
    let rng = &mut stream(config.seed, Purpose::EventDirt, 0);
    for _ in 0..scale.div_ceil(10) {
        let day = rng.random_range(day_number(FIRST_DAY)..=day_number(LAST_DAY));
        let at = i64::from(day) * DAY_MICROS + rng.random_range(0..DAY_MICROS);
        events.push(Event {
            customer: None,
            name: "login",
            at,
        });
        dirt.events_missing_key += 1;
    }
    let mut months: BTreeMap<i32, Vec<Event>> = BTreeMap::new();
    let mut month_starts = MonthOf::default();
    for event in events {
        months
            .entry(month_starts.of(event.at))
            .or_default()
            .push(event);
    }
    for (first_day, mut month) in months {
        month.sort_by_key(|event| (event.at, event.customer));
        write_file(table, &format!("{}.parquet", month_name(first_day)), &month)?;
    }
    write_file(table, "redelivered.parquet", &repeated)
}

/// Looks up the month of a time without a calendar computation per row.
#[derive(Default)]
struct MonthOf {
    by_day: BTreeMap<i32, i32>,
}

impl MonthOf {
    /// First day of the month of a time.
    fn of(&mut self, at: i64) -> i32 {
        use chrono::Datelike;
        let day = at.div_euclid(DAY_MICROS) as i32;
        *self
            .by_day
            .entry(day)
            .or_insert_with(|| day - crate::calendar::date_of(day).day0() as i32)
    }
}

/// Events from shortly after the sign-up to the end of the subscription. Customers who leave use the software less and less;
/// each customer has its own activity level, so that counts are overdispersed.
fn use_software(
    seed: u64,
    customer: &Customer,
    company: &Company,
    events: &mut Vec<Event>,
) -> Result<(), DemoError> {
    if !customer.subscribes {
        return Ok(());
    }
    let rng = &mut stream(seed, Purpose::Events, customer.index);
    let start = company.signed_up.max(day_number(FIRST_DAY));
    let end = company
        .subscription_end
        .unwrap_or(i32::MAX)
        .min(day_number(LAST_DAY) + 1);
    if end <= start {
        return Ok(());
    }
    let days = f64::from(end - start);
    let expected = customer.archetype.events_per_day * days * gamma(rng, 2.0, 2.0)?;
    let count = Poisson::new(expected.max(1e-9))
        .map_err(|_| DemoError::Distribution { what: "Poisson" })?
        .sample(rng) as i64;
    let fading = if customer.left.is_some() { 1.7 } else { 1.0 };
    for number in 0..count {
        let share: f64 = rng.random();
        let day = start + (days * share.powf(fading)) as i32;
        events.push(Event {
            customer: Some(customer.index),
            name: event_name(rng),
            at: moment(rng, day, number),
        });
    }
    Ok(())
}

fn event_name(rng: &mut ChaCha8Rng) -> &'static str {
    choose(rng, NAMES).copied().unwrap_or("login")
}

/// A time of the day, mostly around noon. The microseconds come from the event's number, so that no two events of a customer
/// are equal by accident.
fn moment(rng: &mut ChaCha8Rng, day: i32, number: i64) -> i64 {
    let share = (rng.random::<f64>() + rng.random::<f64>()) / 2.0;
    let second = (share * 86_400.0) as i64;
    i64::from(day) * DAY_MICROS + second * 1_000_000 + number * 7_919 % 1_000_000
}

fn write_file(table: &mut Table, file: &str, events: &[Event]) -> Result<(), DemoError> {
    let customer: StringArray = events.iter().map(|e| e.customer.map(customer_id)).collect();
    let name = StringArray::from_iter_values(events.iter().map(|e| e.name));
    let at = TimestampMicrosecondArray::from_iter_values(events.iter().map(|e| e.at))
        .with_timezone("UTC");
    table.parquet(
        file,
        vec![
            ("customer_id", DataType::Utf8, Arc::new(customer)),
            ("event", DataType::Utf8, Arc::new(name)),
            ("occurred_at", utc_timestamp(), Arc::new(at)),
        ],
    )
}
