//! Durations of whole days, and periods.

use super::Reader;
use crate::duration;
use crate::pipeline::{At, RenewalPeriod};

impl Reader<'_> {
    /// A duration of whole days or weeks, in days.
    pub fn days(&self, key: &str) -> Option<At<u32>> {
        duration::days(self.notes, &self.text(key)?, key)
    }

    /// A period of days, weeks, calendar months or years.
    pub fn period(&self, key: &str) -> Option<RenewalPeriod> {
        duration::period(self.notes, &self.text(key)?, key)
    }
}
