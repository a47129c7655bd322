//! Where a customer stands while the table is ordered.

/// Where a customer stands: worker and number there.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) worker: u32,
    pub(super) number: u32,
}

/// What a customer takes while the table is ordered.
pub(super) const ORDER_BYTES: usize = size_of::<(u128, Place)>();
