//! What an engine counts of the rows of a source.

/// Rows that are not visible, each counted once, by the first reason that holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Their time is after `as_of`.
    pub future: u64,
    /// They were not known yet.
    pub unknown: u64,
    /// No aggregate uses them: their time is before `not_before`.
    pub pruned: u64,
}

impl Unseen {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.future + self.unknown + self.pruned
    }

    /// These and others.
    pub fn plus(self, other: Self) -> Self {
        Self {
            future: self.future + other.future,
            unknown: self.unknown + other.unknown,
            pruned: self.pruned + other.pruned,
        }
    }
}

/// Signs of the money of the used rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Money {
    /// Used rows with a negative amount.
    pub negative_rows: u64,
    /// Sum of the negative amounts, as a positive number.
    pub negative: f64,
    /// Sum of the positive amounts.
    pub positive: f64,
}

/// Local days without a used row where the source usually has some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The first of them, in days since 1970-01-01.
    pub first_day: i32,
    /// The last of them.
    pub last_day: i32,
}

impl Gap {
    /// Number of days.
    pub fn days(&self) -> u32 {
        self.last_day.abs_diff(self.first_day) + 1
    }
}

/// The first local days with used rows, where they are further before the next one than all others are from one another: as of
/// placeholders for missing times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Early {
    /// The first of them, in days since 1970-01-01.
    pub first_day: i32,
    /// The last of them.
    pub last_day: i32,
    /// The day on which the others begin.
    pub next_day: i32,
    /// Their used rows.
    pub rows: u64,
}

/// What an engine counted of the rows of a source. Every row that it read is in exactly one of `unseen`, `by_check`,
/// `repeated` and `used`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowCounts {
    /// Rows that are not visible. Those that bounds on the files' own columns keep out are not among them: see
    /// `Engine::unseen`.
    pub unseen: Unseen,
    /// Used rows.
    pub used: u64,
    /// Rows that each rule rejected or filtered: values that do not convert, column by column, then the checks in order.
    pub by_check: Vec<u64>,
    /// Rows that repeat an earlier one.
    pub repeated: u64,
    /// Values that became null although what they were made from was not, by column, among the rows that pass the checks.
    pub nulled: Vec<(String, u64)>,
    /// Used rows for which a join found no row, by the join's name.
    pub unmatched: Vec<(String, u64)>,
    /// Filters of the aggregates, as texts, and whether some used row meets each.
    pub met: Vec<(String, bool)>,
    /// Signs of the amounts, where the plan reads them.
    pub money: Option<Money>,
    /// Local times of used rows that do not exist because of a clock change, by column: they were moved forward by the gap.
    pub skipped: Vec<(String, u64)>,
    /// The usual gap between successive local days with used rows: the 95th percentile, in days; none below three such days.
    pub usual_gap_days: Option<u32>,
    /// The longest distance between successive local days with used rows that is part of the rhythm, as of rows that come in waves: it
    /// and others nearly as long, unusual ones aside, take a tenth of the time.
    pub longest_gap_days: Option<u32>,
    /// Unusual runs of local days without a used row between days that have some, in order.
    pub gaps: Vec<Gap>,
    /// Days far before all others.
    pub early: Option<Early>,
    /// Newest local time of a used row, in microseconds.
    pub newest_micros: Option<i64>,
}

impl RowCounts {
    /// Visible rows.
    pub fn visible(&self) -> u64 {
        self.used + self.repeated + self.by_check.iter().sum::<u64>()
    }
}
