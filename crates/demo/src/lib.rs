//! The demo lake: a realistic B2B software and shop company, generated from a seed, with the true parameters beside it.
//!
//! [`generate`] writes six sources (orders, accounts, product events, subscriptions, tickets, surveys) and, outside of them,
//! `truth/`: the true parameters, which a model can only estimate. [`DemoConfig`] is the size of the company, [`DemoSummary`]
//! what was written, with the number of bad rows of every kind.
//!
//! Where to look: [`Archetype`] holds the parameters of each kind of customer, `customer` draws a history from them, and one file
//! per source turns histories into rows and adds that source's bad rows.
//!
//! Every random number comes from ChaCha8 streams keyed by seed, purpose and customer, so that a larger company begins with
//! the same customers as a smaller one, and the same seed gives the same bytes.

mod accounts;
mod archetype;
mod calendar;
mod company;
mod config;
mod customer;
mod error;
mod events;
mod generate;
mod orders;
mod streams;
mod subscriptions;
mod summary;
mod surveys;
mod table;
mod tickets;
mod truth;

pub use archetype::{ARCHETYPES, Archetype, Purchases, Spend};
pub use calendar::{FIRST_DAY, LAST_DAY};
pub use config::DemoConfig;
pub use error::DemoError;
pub use generate::generate;
pub use summary::{DemoSummary, DirtCounts, TableSummary};
