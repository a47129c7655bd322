//! `tickets/`: support tickets as CSV, one file per year.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::{DateTime, Datelike};
use rand::RngExt;
use rand_distr::{Distribution, Poisson};

use crate::calendar::waking_micros;
use crate::customer::{Customer, choose, spread};
use crate::streams::{Purpose, stream};
use crate::table::Table;
use crate::{DemoConfig, DemoError, DirtCounts};

const PRIORITIES: &[(&str, f64)] = &[
    ("low", 0.25),
    ("normal", 0.50),
    ("high", 0.18),
    ("urgent", 0.07),
];

/// A row of the table.
struct Ticket {
    customer: u32,
    at: i64,
    priority: &'static str,
    satisfaction: Option<u8>,
}

/// Writes the tickets of all customers and counts those whose satisfaction is not a number.
pub(crate) fn write(
    table: &mut Table,
    config: &DemoConfig,
    customers: &[Customer],
    dirt: &mut DirtCounts,
) -> Result<(), DemoError> {
    let mut tickets = Vec::new();
    for customer in customers {
        complain(config.seed, customer, &mut tickets)?;
    }
    tickets.sort_by_key(|ticket| (ticket.at, ticket.customer));
    let unreadable: Vec<usize> = spread(tickets.len(), customers.len().div_ceil(3_000)).collect();
    dirt.tickets_unreadable = unreadable.len() as u64;
    let mut years: BTreeMap<i32, (String, usize)> = BTreeMap::new();
    for (number, ticket) in tickets.iter().enumerate() {
        let opened = DateTime::from_timestamp_micros(ticket.at)
            .unwrap_or_default()
            .naive_utc();
        let header = || {
            (
                "ticket_id,customer_id,opened_at,priority,satisfaction\n".to_owned(),
                0,
            )
        };
        let (text, rows) = years.entry(opened.year()).or_insert_with(header);
        let satisfaction = match ticket.satisfaction {
            _ if unreadable.binary_search(&number).is_ok() => "n/a".to_owned(),
            Some(points) => points.to_string(),
            None => String::new(),
        };
        let id = crate::customer::customer_id(ticket.customer);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "T{:06},{id},{},{},{satisfaction}",
            number + 1,
            opened.format("%Y-%m-%d %H:%M:%S"),
            ticket.priority
        );
        *rows += 1;
    }
    for (year, (text, rows)) in years {
        table.text(&format!("tickets-{year}.csv"), &text, rows)?;
    }
    Ok(())
}

/// Tickets of one customer while it is a customer; customers of the archetype `slipping` are the least satisfied.
fn complain(seed: u64, customer: &Customer, tickets: &mut Vec<Ticket>) -> Result<(), DemoError> {
    let rng = &mut stream(seed, Purpose::Tickets, customer.index);
    let days = customer.active_until() - customer.arrived;
    let expected = (customer.archetype.tickets_per_year * days / 365.0).max(1e-9);
    let count = Poisson::new(expected)
        .map_err(|_| DemoError::Distribution { what: "Poisson" })?
        .sample(rng) as u32;
    for _ in 0..count {
        let at = waking_micros(customer.arrived + days * rng.random::<f64>());
        let priority = choose(rng, PRIORITIES).copied().unwrap_or("normal");
        let mood = customer.archetype.nps_centre / 2.0 + rng.random_range(-1.5..1.5);
        let satisfaction = rng
            .random_bool(0.55)
            .then(|| mood.round().clamp(1.0, 5.0) as u8);
        tickets.push(Ticket {
            customer: customer.index,
            at,
            priority,
            satisfaction,
        });
    }
    Ok(())
}
