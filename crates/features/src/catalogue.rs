//! The catalogue: one file a feature, one line here.
//!
//! To add a feature, write `catalogue/NAME.rs` like its neighbours and add its two lines below; tests check the rest.

mod first_day_spend;
mod first_order_day;
mod gap_expected_days;
mod last_order_day;
mod lifecycle_stage;
mod occasions;
mod order_count;
mod order_value_mean;
mod overdue_ratio;
mod recency_days;
mod repeat_occasions;
mod repeat_spend_mean;
mod spend_total;
mod t_x_days;
mod tenure_days;

use tessera_spec::pipeline::{Base, Direction, Unit};

/// Every catalogue feature, sorted by name.
pub static CATALOGUE: &[&Feature] = &[
    &first_day_spend::FIRST_DAY_SPEND,
    &first_order_day::FIRST_ORDER_DAY,
    &gap_expected_days::GAP_EXPECTED_DAYS,
    &last_order_day::LAST_ORDER_DAY,
    &lifecycle_stage::LIFECYCLE_STAGE,
    &occasions::OCCASIONS,
    &order_count::ORDER_COUNT,
    &order_value_mean::ORDER_VALUE_MEAN,
    &overdue_ratio::OVERDUE_RATIO,
    &recency_days::RECENCY_DAYS,
    &repeat_occasions::REPEAT_OCCASIONS,
    &repeat_spend_mean::REPEAT_SPEND_MEAN,
    &spend_total::SPEND_TOTAL,
    &t_x_days::T_X_DAYS,
    &tenure_days::TENURE_DAYS,
];

/// The description of one catalogue feature.
#[derive(Debug)]
pub struct Feature {
    /// Name, with its unit where it has one.
    pub name: &'static str,
    /// The group that `use = ["…"]` takes as a whole; none for building blocks, which are used by name.
    pub group: Option<&'static str>,
    /// What the number counts.
    pub unit: Unit,
    /// What kind of knowledge it is.
    pub base: Base,
    /// What people call it, where the pipeline states no `label`.
    pub label: &'static str,
    /// Which values are good, where the pipeline states no `direction`.
    pub direction: Direction,
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// Further remarks, with the literature.
    pub notes: &'static str,
    /// When it is null or 0 because data is missing.
    pub missing: &'static str,
    /// How it is computed.
    pub definition: Definition,
    /// Orders of one customer and the value they give; a test runs it.
    pub example: Option<Example>,
}

/// How a catalogue feature is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definition {
    /// From the rows of the orders source.
    Aggregate(Aggregate),
    /// From other features, as an SQL expression.
    Derived(&'static str),
    /// Like `Derived`, but with values of the whole base: `__base_gap_days`, `__prior_gaps`.
    Late(&'static str),
    /// The lifecycle stage by the pipeline's limits.
    Stage,
}

/// Aggregates over the orders source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// Distinct orders.
    Orders,
    /// Sum of the amount.
    Spend,
    /// Distinct local days.
    Days,
    /// First local day.
    FirstDay,
    /// Last local day.
    LastDay,
    /// Sum of the amount over the first local day.
    FirstDaySpend,
}

/// A worked example.
#[derive(Debug)]
pub struct Example {
    /// Orders: date and amount, separated by `; `.
    pub orders: &'static str,
    /// The day at whose close the feature is computed.
    pub as_of: &'static str,
    /// The value, as text.
    pub expect: &'static str,
}

impl Feature {
    /// How it is computed, in one line.
    pub fn formula(&self) -> String {
        match self.definition {
            Definition::Aggregate(Aggregate::Orders) => {
                "count(distinct order_id), or count(*)".to_owned()
            }
            Definition::Aggregate(Aggregate::Spend) => "sum(amount)".to_owned(),
            Definition::Aggregate(Aggregate::Days) => "count(distinct local date)".to_owned(),
            Definition::Aggregate(Aggregate::FirstDay) => "min(local date)".to_owned(),
            Definition::Aggregate(Aggregate::LastDay) => "max(local date)".to_owned(),
            Definition::Aggregate(Aggregate::FirstDaySpend) => {
                "sum(amount) over the first local date".to_owned()
            }
            Definition::Derived(sql) => sql.to_owned(),
            Definition::Late(sql) => sql.replace("__", ""),
            Definition::Stage => "by the limits in `lifecycle` of [features]".to_owned(),
        }
    }
}

/// The feature of that name.
pub fn find(name: &str) -> Option<&'static Feature> {
    CATALOGUE
        .iter()
        .copied()
        .find(|feature| feature.name == name)
}

/// Names of the groups, sorted.
pub fn groups() -> Vec<&'static str> {
    let mut groups: Vec<_> = CATALOGUE
        .iter()
        .filter_map(|feature| feature.group)
        .collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_registered_and_the_registry_is_sorted() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/catalogue");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        files.sort();
        let names: Vec<&str> = CATALOGUE.iter().map(|feature| feature.name).collect();
        assert_eq!(names, files);
    }

    #[test]
    fn names_carry_their_units_and_everything_is_documented() {
        for feature in CATALOGUE {
            let suffix = match feature.unit {
                Unit::Days => "_days",
                Unit::Date => "_day",
                Unit::Ratio => "_ratio",
                _ => "",
            };
            assert!(
                feature.name.ends_with(suffix),
                "{} is in days but its name does not say so",
                feature.name
            );
            assert!(
                feature.doc.ends_with('.')
                    && !feature.missing.is_empty()
                    && !feature.label.is_empty(),
                "{} lacks documentation",
                feature.name
            );
        }
    }
}
