//! Features that state the label of a supervised score: with them a model would read it instead of predicting it.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use tessera_features::FeatureInfo;
use tessera_model::churn::{InputValue, Inputs};
use tessera_model::metrics;

use super::NotComputed;
use super::inputs::inputs;

/// Customers of each label below which nothing is concluded.
const FEWEST: usize = 20;

/// Share of the customers who have a value, at most, where nearly none has one; and at least, where nearly all do.
const NEARLY_NONE: f64 = 0.01;
const NEARLY_ALL: f64 = 0.9;

/// Share of the customers of each label, on average, whose label a value tells.
const TOLD: f64 = 0.99;

/// Area under the ROC curve of a number that tells the label alone.
const TELLING_AREA: f64 = 0.999;

/// Customers that a value must have to tell anything: a value of one customer tells that customer alone.
const OF_A_VALUE: u64 = 5;

/// Of the features, those that state the label, each with how; `rows` are the customers whose label is known.
pub(super) fn telling<'p>(
    table: &RecordBatch,
    features: &[&'p FeatureInfo],
    (rows, labels): (&[u32], &[bool]),
    as_of: NaiveDate,
) -> Result<Vec<(&'p FeatureInfo, String)>, NotComputed> {
    let left = labels.iter().filter(|label| **label).count();
    if left < FEWEST || labels.len() - left < FEWEST {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for &info in features {
        let column = inputs(table, &[info], as_of, Some(rows))?;
        let how = by_presence(&column, &info.name, labels)
            .or_else(|| by_value(&column, &info.name, labels))
            .or_else(|| by_order(&column, &info.name, labels));
        found.extend(how.map(|how| (info, how)));
    }
    Ok(found)
}

/// A share of the customers with each label: of those who stayed, and of those who left.
fn shares(labels: &[bool], is: impl Fn(usize) -> bool) -> [f64; 2] {
    let mut all = [0_u64; 2];
    let mut with = [0_u64; 2];
    for (row, &label) in labels.iter().enumerate() {
        all[usize::from(label)] += 1;
        with[usize::from(label)] += u64::from(is(row));
    }
    [0, 1].map(|label| with[label] as f64 / all[label].max(1) as f64)
}

/// It has a value for nearly all who left and nearly none who stayed, or the reverse.
fn by_presence(column: &Inputs, name: &str, labels: &[bool]) -> Option<String> {
    let has = |row: usize| !matches!(column.value(name, row), None | Some(InputValue::Missing));
    let [stayed, left] = shares(labels, has);
    let apart = |few: f64, many: f64| few <= NEARLY_NONE && many >= NEARLY_ALL;
    (apart(stayed, left) || apart(left, stayed)).then(|| {
        format!(
            "it has a value for {} of those who left and {} of the others",
            percent(left),
            percent(stayed)
        )
    })
}

/// Each of its values belongs to one label.
fn by_value(column: &Inputs, name: &str, labels: &[bool]) -> Option<String> {
    let label = column.label_named(name).ok()?;
    let mut counts: BTreeMap<Option<u32>, [u64; 2]> = BTreeMap::new();
    for (code, &is) in label.codes.iter().zip(labels) {
        counts.entry(*code).or_default()[usize::from(is)] += 1;
    }
    let told = |row: usize| {
        let count = counts[&label.codes[row]];
        let own = count[usize::from(labels[row])];
        let other = count[usize::from(!labels[row])];
        own >= OF_A_VALUE && own > other
    };
    let [stayed, left] = shares(labels, told);
    let share = (stayed + left) / 2.0;
    (share >= TOLD).then(|| {
        format!(
            "its value alone tells it of {} of the customers",
            percent(share)
        )
    })
}

/// A number that is nearly always larger, or smaller, for those who left.
fn by_order(column: &Inputs, name: &str, labels: &[bool]) -> Option<String> {
    let values = column.number_named(name).ok()?;
    let known = shares(labels, |row| !values[row].is_nan());
    if known.iter().any(|share| *share < NEARLY_ALL) {
        return None;
    }
    let area = metrics::auc(values, labels)?.value;
    (area.max(1.0 - area) >= TELLING_AREA).then(|| {
        "its value alone ranks those who left before the others, or behind them".to_owned()
    })
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 customers, of whom every fourth left.
    fn labels() -> Vec<bool> {
        (0..40).map(|row| row % 4 == 0).collect()
    }

    fn texts(of: impl Fn(usize) -> Option<&'static str>) -> Inputs {
        let values: Vec<Option<&str>> = (0..40).map(of).collect();
        Inputs::new(40).label("x", values).unwrap()
    }

    fn numbers(of: impl Fn(usize) -> f64) -> Inputs {
        Inputs::new(40)
            .number("x", (0..40).map(of).collect())
            .unwrap()
    }

    #[test]
    fn a_value_that_only_those_who_left_have_states_the_label() {
        let labels = labels();
        let reason = texts(|row| (row % 4 == 0).then_some("price"));
        let said = by_presence(&reason, "x", &labels).unwrap();
        assert_eq!(
            said,
            "it has a value for 100.0% of those who left and 0.0% of the others"
        );
        let renewal = numbers(|row| if row % 4 == 0 { f64::NAN } else { 7.0 });
        assert!(by_presence(&renewal, "x", &labels).is_some());
        let half = texts(|row| (row % 2 == 0).then_some("a"));
        assert_eq!(by_presence(&half, "x", &labels), None);
    }

    #[test]
    fn a_value_or_a_number_that_tells_the_label_states_it() {
        let labels = labels();
        let status = texts(|row| Some(if row % 4 == 0 { "gone" } else { "here" }));
        assert!(by_value(&status, "x", &labels).is_some());
        let plan = texts(|row| Some(if row % 8 == 0 { "gone" } else { "here" }));
        assert_eq!(by_value(&plan, "x", &labels), None);
        const NAMES: [&str; 4] = ["a", "b", "c", "d"];
        // Of four values one belongs to those who left.
        assert!(by_value(&texts(|row| Some(NAMES[row % 4])), "x", &labels).is_some());
        let score = numbers(|row| {
            if row % 4 == 0 {
                90.0 + row as f64
            } else {
                row as f64
            }
        });
        assert!(by_order(&score, "x", &labels).is_some());
        let tenure = numbers(|row| row as f64);
        assert_eq!(by_order(&tenure, "x", &labels), None);
    }
}
