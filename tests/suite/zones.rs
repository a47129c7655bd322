//! Days whose midnight does not exist, in every zone that has one; `TESSERA_ZONES=all` runs every such day since 1970.

use crate::oracle::{python, script};

#[test]
fn days_without_a_midnight_hold_the_customers_that_zoneinfo_counts() {
    let Some(python) = python() else { return };
    let days = std::env::var("TESSERA_ZONES").unwrap_or_else(|_| "latest".to_owned());
    let program = env!("CARGO_BIN_EXE_tessera");
    script(&python, "zones.py", &[program, "--days", &days]);
}
