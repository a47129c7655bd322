//! Durations of whole days.

use super::Reader;
use crate::duration;
use crate::pipeline::At;

impl Reader<'_> {
    /// A duration of whole days or weeks, in days.
    pub fn days(&self, key: &str) -> Option<At<u32>> {
        duration::days(self.notes, &self.text(key)?, key)
    }
}
