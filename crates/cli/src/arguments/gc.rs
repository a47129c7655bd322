//! `tessera gc`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{StoreAccess, duration};

#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// Folder of the store.
    pub(crate) store: PathBuf,
    /// Do it; without this, nothing is changed.
    #[arg(long)]
    pub(crate) apply: bool,
    /// Keep the newest version of each of so many last days.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub(crate) keep_last: usize,
    /// Keep every version that was published within so many days.
    #[arg(long, value_name = "DAYS", default_value_t = 14)]
    pub(crate) keep_days: u32,
    /// Keep the newest version of the last day of each of so many last months.
    #[arg(long, value_name = "MONTHS", default_value_t = 12)]
    pub(crate) keep_monthly: usize,
    /// How long files stay after their version expired, for those who read it at that moment; `0s` where nobody does.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1h")]
    pub(crate) grace: Duration,
    /// Let more than half of the versions expire at once.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) access: StoreAccess,
}
