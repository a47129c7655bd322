//! Writes the tables of the lake in order.

use std::path::Path;

use crate::company::{Company, found};
use crate::customer::live;
use crate::table::Table;
use crate::{
    DemoConfig, DemoError, DemoSummary, DirtCounts, accounts, events, orders, subscriptions,
    surveys, tickets, truth,
};

/// Writes the demo lake into `dir`, which is created where it does not exist; files of an earlier lake are overwritten.
///
/// The same configuration gives the same bytes. Nothing outside `dir` is written and no clock is read.
///
/// # Errors
///
/// [`DemoError::Customers`] for a company that is empty or too large, [`DemoError::Io`] and [`DemoError::Parquet`] where a
/// file cannot be written.
///
/// # Examples
///
/// ```
/// let lake = std::env::temp_dir().join(format!("tessera-demo-example-{}", std::process::id()));
/// let config = tessera_demo::DemoConfig { customers: 50, ..Default::default() };
/// let summary = tessera_demo::generate(&lake, &config)?;
/// assert_eq!(summary.customers, 50);
/// assert!(lake.join("truth/customers.parquet").exists());
/// std::fs::remove_dir_all(&lake).ok();
/// # Ok::<(), tessera_demo::DemoError>(())
/// ```
pub fn generate(dir: &Path, config: &DemoConfig) -> Result<DemoSummary, DemoError> {
    if config.customers == 0 || config.customers > DemoConfig::MAX_CUSTOMERS {
        return Err(DemoError::Customers {
            customers: config.customers,
            max: DemoConfig::MAX_CUSTOMERS,
        });
    }
    let customers = live(config)?;
    let companies: Vec<Company> = customers
        .iter()
        .map(|c| found(config.seed, c))
        .collect::<Result<_, _>>()?;
    let mut dirt = DirtCounts::default();

    let mut order_table = Table::create(dir, "orders")?;
    let ordered = orders::write(&mut order_table, config, &customers, &mut dirt)?;
    let mut account_table = Table::create(dir, "accounts")?;
    let closed_accounts = accounts::write(&mut account_table, &customers, &companies, &mut dirt)?;
    let mut event_table = Table::create(dir, "product_events")?;
    events::write(&mut event_table, config, &customers, &companies, &mut dirt)?;
    let mut subscription_table = Table::create(dir, "subscriptions")?;
    subscriptions::write(&mut subscription_table, &customers, &companies, &mut dirt)?;
    let mut ticket_table = Table::create(dir, "tickets")?;
    tickets::write(&mut ticket_table, config, &customers, &mut dirt)?;
    let mut survey_table = Table::create(dir, "surveys")?;
    surveys::write(&mut survey_table, config, &customers, &mut dirt)?;
    let mut truth_table = Table::create(dir, "truth")?;
    truth::write(&mut truth_table, &customers, &ordered)?;

    let tables = [
        order_table,
        account_table,
        event_table,
        subscription_table,
        ticket_table,
        survey_table,
        truth_table,
    ];
    Ok(DemoSummary {
        customers: customers.len() as u64,
        buyers: customers.iter().filter(|c| !c.purchases.is_empty()).count() as u64,
        orders: ordered.orders,
        clean_order_rows: ordered.clean_rows,
        closed_accounts,
        tables: tables.into_iter().map(Table::finish).collect(),
        dirt,
    })
}
