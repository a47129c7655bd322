//! Assigning by a label: the segment of the customers with each value, and why.

use std::collections::HashMap;

use crate::assignment::SegmentInfo;
use crate::customers::Labels;

/// The segment of the customers with one value of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Name of the segment.
    pub segment: String,
    /// Its rule as text.
    pub rule: String,
    /// Why a customer with this value is in it.
    pub reason: String,
}

/// Customers assigned by a label.
pub(crate) struct Assigned {
    /// The segments in ascending order of their first value; that of missing values last.
    pub segments: Vec<SegmentInfo>,
    /// Per customer: index into `segments`.
    pub segment_of: Vec<u32>,
    /// Per customer: index into `texts`.
    pub codes: Vec<u32>,
    /// The reasons.
    pub texts: Vec<String>,
}

/// Whether a label is empty or blank.
pub(crate) fn is_blank(label: &str) -> bool {
    label.trim().is_empty()
}

/// Assigns the customers of every value to its target; blank values are treated as missing. Values with the same segment share
/// it and its first rule.
pub(crate) fn assign_by_label(
    scheme: &str,
    labels: &Labels<'_>,
    target: impl Fn(usize, &str) -> Target,
    missing: Target,
) -> Assigned {
    let values = labels.values();
    let blank = |code: u32| {
        code == Labels::MISSING
            || values
                .get(code as usize)
                .is_none_or(|label| is_blank(label))
    };
    let mut targets: Vec<Target> = Vec::with_capacity(values.len() + 1);
    let mut of_code: Vec<u32> = Vec::with_capacity(values.len());
    for (code, label) in values
        .iter()
        .enumerate()
        .filter(|(_, label)| !is_blank(label))
    {
        of_code.resize(code, u32::MAX);
        of_code.push(targets.len() as u32);
        targets.push(target(code, label));
    }
    let without = targets.len() as u32;
    if labels.codes().iter().any(|&code| blank(code)) {
        targets.push(missing);
    }
    let place = |&code: &u32| match of_code.get(code as usize) {
        Some(&target) if target != u32::MAX => target,
        _ => without,
    };
    let codes: Vec<u32> = labels.codes().iter().map(place).collect();

    let mut segments: Vec<SegmentInfo> = Vec::new();
    let mut places: HashMap<String, u32> = HashMap::new();
    let mut segment_at: Vec<u32> = Vec::with_capacity(targets.len());
    let mut texts = Vec::with_capacity(targets.len());
    for Target {
        segment,
        rule,
        reason,
    } in targets
    {
        let place = *places.entry(segment).or_insert_with_key(|segment| {
            segments.push(SegmentInfo::new(scheme, segment, Some(rule)));
            segments.len() as u32 - 1
        });
        segment_at.push(place);
        texts.push(reason);
    }
    let segment_of = codes
        .iter()
        .map(|&code| segment_at[code as usize])
        .collect();
    Assigned {
        segments,
        segment_of,
        codes,
        texts,
    }
}
