//! What `[experiments]` means: variants that customers are drawn into, and the metric by which they are compared.

use chrono::NaiveDate;
use serde::Serialize;

use super::{At, as_optional_text};

/// `[experiments.NAME]`: customers are drawn into variants, and a metric compares the variants with the control.
#[derive(Debug, Clone, Serialize)]
pub struct Experiment {
    /// Its name: the column of `customers` with the variant.
    pub name: At<String>,
    /// The segment whose customers are drawn; all customers where there is none.
    pub of: Option<SegmentOf>,
    /// The variants with their shares: the control first, then by name, so that their order in the file decides nothing.
    pub variants: Vec<Variant>,
    /// The column of `customers` that is compared.
    pub metric: At<String>,
    /// Days after which a customer is compared; by default the window of the metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_days: Option<u32>,
    /// First day whose customers are drawn.
    #[serde(
        serialize_with = "as_optional_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub starts: Option<NaiveDate>,
    /// Last day whose customers are drawn.
    #[serde(
        serialize_with = "as_optional_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub ends: Option<NaiveDate>,
}

/// A segment of a scheme.
#[derive(Debug, Clone, Serialize)]
pub struct SegmentOf {
    /// The scheme.
    pub scheme: At<String>,
    /// The segment.
    pub segment: At<String>,
}

/// A variant of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// The share of customers who get it: one of 10,000 at least.
    pub share: f64,
}

impl Experiment {
    /// The column of `customers` with the variant.
    pub fn variant_column(&self) -> &str {
        &self.name.value
    }

    /// The column with the day on which customers were drawn.
    pub fn day_column(&self) -> String {
        format!("{}_enrolled_on", self.name.value)
    }

    /// The column with the metric on that day.
    pub fn before_column(&self) -> String {
        format!("{}_before", self.name.value)
    }

    /// All columns that it adds to `customers`.
    pub fn columns(&self) -> [String; 3] {
        [
            self.name.value.clone(),
            self.day_column(),
            self.before_column(),
        ]
    }

    /// Whether customers are drawn on a day.
    pub fn draws_on(&self, day: NaiveDate) -> bool {
        self.starts.is_none_or(|first| day >= first) && self.ends.is_none_or(|last| day <= last)
    }
}
