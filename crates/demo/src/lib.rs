//! The demo lake: a believable B2B software and shop company, made from a seed, with the truth written beside it.
//!
//! [`generate`] writes six sources (orders, accounts, product events, subscriptions, tickets, surveys) and, outside of them,
//! `truth/`: what a model may only guess. [`DemoConfig`] says how large the company is, [`DemoSummary`] what was written,
//! with the number of bad rows of every kind.
//!
//! Where to look: [`Archetype`] holds the parameters of each kind of customer, `customer` draws a hidden life from them, and
//! one file per source turns lives into rows and adds that source's dirt.
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
