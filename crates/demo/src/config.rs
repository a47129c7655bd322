//! How large the demo company is.

/// What [`generate`](crate::generate) needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoConfig {
    /// Seed of every random number.
    pub seed: u64,
    /// Customers, prospects without an order included; 1 to [`DemoConfig::MAX_CUSTOMERS`].
    pub customers: u32,
}

impl DemoConfig {
    /// Largest company: ids keep their width up to here.
    pub const MAX_CUSTOMERS: u32 = 999_999;
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self {
            seed: 20_261_031,
            customers: 20_000,
        }
    }
}
