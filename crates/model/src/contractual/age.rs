//! How old a contract is, in renewal periods.

/// How old a contract is: whole periods, and the part of the next one that has passed, from 0 up to below 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ContractAge {
    /// Whole periods.
    pub periods: u32,
    /// The part of the next one.
    pub part: f64,
}

impl ContractAge {
    /// The age at the end of so many periods.
    pub fn whole(periods: u32) -> Self {
        Self { periods, part: 0.0 }
    }
}
