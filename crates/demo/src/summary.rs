//! What was written, with the number of bad rows of every kind.

/// What [`generate`](crate::generate) wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoSummary {
    /// Customers, prospects included.
    pub customers: u64,
    /// Customers with at least one order.
    pub buyers: u64,
    /// Orders of known customers up to the last day, cancellations not deducted.
    pub orders: u64,
    /// Rows of those orders without bad ones: the rows that the demo pipeline's contract and filter keep.
    pub clean_order_rows: u64,
    /// Accounts that were closed before the last day: none of their rows is valid on that day.
    pub closed_accounts: u64,
    /// Every table, sources first, then `truth`.
    pub tables: Vec<TableSummary>,
    /// Bad rows by kind.
    pub dirt: DirtCounts,
}

/// One table of the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSummary {
    /// Folder below the lake's root.
    pub name: &'static str,
    /// Files written.
    pub files: u64,
    /// Rows written, including bad rows.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// Bad rows by kind. No row counts for two kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DirtCounts {
    /// `orders`: rows without a customer.
    pub orders_missing_key: u64,
    /// `orders`: rows with a price below zero (order ids `A…`).
    pub orders_negative_price: u64,
    /// `orders`: rows with a price of zero (free samples).
    pub orders_zero_price: u64,
    /// `orders`: rows of cancellations (order ids `X…`, negative quantity).
    pub orders_cancelled: u64,
    /// `orders`: rows that repeat another row exactly.
    pub orders_duplicate: u64,
    /// `orders`: rows dated after the last day.
    pub orders_future: u64,
    /// `accounts`: customers with orders but without an account.
    pub accounts_unknown_customers: u64,
    /// `accounts`: companies with a hostile name.
    pub accounts_hostile_names: u64,
    /// `product_events`: rows without a customer.
    pub events_missing_key: u64,
    /// `product_events`: rows that repeat another row exactly.
    pub events_duplicate: u64,
    /// `subscriptions`: rows that end before they begin.
    pub subscriptions_reversed: u64,
    /// `tickets`: rows whose satisfaction is not a number.
    pub tickets_unreadable: u64,
    /// `surveys`: rows with an answer outside 0 to 10.
    pub surveys_out_of_range: u64,
}
