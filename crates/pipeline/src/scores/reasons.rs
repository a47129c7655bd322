//! Reasons of a churn score as sentences: the value of an input and its usual value, with the labels of the pipeline.

use arrow::array::{ArrayRef, StringBuilder};
use chrono::{Days, NaiveDate};
use std::sync::Arc;
use tessera_expr::Type;
use tessera_features::FeatureInfo;
use tessera_model::churn::{Contribution, CustomerReasons, InputValue, Inputs, REASONS, Reasons};
use tessera_segments::write_number;
use tessera_spec::pipeline::{Direction, Unit};

/// The beginning of labels of features that count the days since an event.
const SINCE: &str = "days since the last ";

/// What is needed to write values as text.
pub(super) struct Wording<'a> {
    /// The features that the model reads.
    pub(super) features: &'a [&'a FeatureInfo],
    /// The day of their values.
    pub(super) as_of: NaiveDate,
    /// The pipeline's currency.
    pub(super) currency: &'a str,
}

/// The columns of reasons, a row per customer: for each rank the sentences; then to which side they move.
pub(super) struct Sentences {
    ranked: [StringBuilder; REASONS],
    sides: StringBuilder,
}

impl Sentences {
    /// With room for the reasons of so many customers.
    pub(super) fn new(customers: usize) -> Self {
        let builder = || StringBuilder::with_capacity(customers, 0);
        Self {
            ranked: std::array::from_fn(|_| builder()),
            sides: builder(),
        }
    }

    /// A customer without a probability.
    pub(super) fn none(&mut self) {
        self.ranked.iter_mut().for_each(StringBuilder::append_null);
        self.sides.append_null();
    }

    /// The reasons of the customer in this row of the inputs.
    pub(super) fn of(
        &mut self,
        (row, inputs): (usize, &Inputs),
        reasons: &Reasons,
        wording: &Wording<'_>,
    ) {
        let CustomerReasons { raised, strongest } = &reasons.customers[row];
        let sentence = |contribution: &Contribution| {
            let input = &reasons.inputs[contribution.input];
            let mut features = wording.features.iter();
            let info = features.find(|info| info.name == input.column)?;
            let value = inputs.value(&input.column, row)?;
            if contradicts(info, *raised, &value, &input.typical) {
                return None;
            }
            wording.sentence(info, &value, &input.typical)
        };
        let mut sentences = strongest.iter().flatten().filter_map(sentence);
        for (rank, texts) in self.ranked.iter_mut().enumerate() {
            let sentence = sentences.next();
            if rank == 0 {
                let side = if *raised { "raises" } else { "lowers" };
                self.sides.append_option(sentence.as_ref().map(|_| side));
            }
            texts.append_option(sentence);
        }
    }

    /// The columns of the ranks, then that of the sides.
    pub(super) fn finish(mut self) -> Vec<ArrayRef> {
        let all = self.ranked.iter_mut().chain([&mut self.sides]);
        all.map(|texts| Arc::new(texts.finish()) as ArrayRef)
            .collect()
    }
}

/// Whether a reason would say the opposite of the feature's direction: that a good value raises the probability of churn, or a bad
/// one lowers it. A model can find that for some customers, given their other values; as a reason on its own it misleads.
fn contradicts(info: &FeatureInfo, raised: bool, value: &InputValue, usual: &InputValue) -> bool {
    let (InputValue::Number(value), InputValue::Number(usual)) = (value, usual) else {
        return false;
    };
    // For the model a date is the number of days before the day of the run.
    let is_higher = match info.ty {
        Type::Date | Type::Timestamp => value < usual,
        _ => value > usual,
    };
    match info.direction {
        Direction::High => is_higher == raised,
        Direction::Low => is_higher != raised,
        Direction::None => false,
    }
}

impl Wording<'_> {
    /// "no order for 61 days, usually 12", "tickets of the last 180 days: 3, usually 1", "no orders of the last 90 days, usually 4",
    /// "plan is none, most often team"; `None` where both texts are the same.
    fn sentence(
        &self,
        info: &FeatureInfo,
        value: &InputValue,
        usual: &InputValue,
    ) -> Option<String> {
        let (own, typical) = (self.text(info, value), self.text(info, usual));
        if own == typical {
            return None;
        }
        if let (Some(what), InputValue::Number(days)) = (info.label.strip_prefix(SINCE), value) {
            let longer = !matches!(usual, InputValue::Number(usual) if days < usual);
            let s = if own == "1" { "" } else { "s" };
            if own == "0" {
                return Some(format!("last {what} today, usually {typical} days ago"));
            }
            return Some(match longer {
                true => format!("no {what} for {own} day{s}, usually {typical}"),
                false => format!("last {what} {own} day{s} ago, usually {typical}"),
            });
        }
        if info.ty == Type::String {
            return Some(format!("{} is {own}, most often {typical}", info.label));
        }
        if info.unit == Unit::Count && own == "0" {
            return Some(format!("no {}, usually {typical}", info.label));
        }
        let unit = self.unit(info);
        let with_unit = |text: &str, value: &InputValue| match value {
            InputValue::Number(_) => format!("{text}{unit}"),
            InputValue::Label(_) | InputValue::Missing => text.to_owned(),
        };
        // The unit is written once, at the end.
        let typical = match usual {
            InputValue::Number(_) => with_unit(&typical, usual),
            _ => typical,
        };
        let own = match usual {
            InputValue::Number(_) => own,
            _ => with_unit(&own, value),
        };
        Some(format!("{}: {own}, usually {typical}", info.label))
    }

    fn unit(&self, info: &FeatureInfo) -> String {
        match info.unit {
            Unit::Currency => format!(" {}", self.currency),
            _ => String::new(),
        }
    }

    fn text(&self, info: &FeatureInfo, value: &InputValue) -> String {
        let number = match value {
            InputValue::Missing => return "unknown".to_owned(),
            InputValue::Label(label) => return label.clone(),
            InputValue::Number(number) => *number,
        };
        match info.ty {
            Type::Bool => (if number == 0.0 { "no" } else { "yes" }).to_owned(),
            // For the model a date is the number of days before the day of the run.
            Type::Date | Type::Timestamp => {
                let days = number.round();
                let day = if days >= 0.0 {
                    self.as_of.checked_sub_days(Days::new(days as u64))
                } else {
                    self.as_of.checked_add_days(Days::new(-days as u64))
                };
                day.map_or_else(|| "unknown".to_owned(), |day| day.to_string())
            }
            _ => {
                let mut text = String::new();
                write_number(number, &mut text);
                text
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tessera_spec::pipeline::Base;

    use super::*;

    fn info(name: &str, label: &str, ty: Type, unit: Unit) -> FeatureInfo {
        FeatureInfo {
            name: name.to_owned(),
            ty,
            unit,
            base: Base::Behavioural,
            label: label.to_owned(),
            direction: Direction::None,
            definition: String::new(),
            source: None,
        }
    }

    #[test]
    fn good_values_do_not_raise_churn_and_bad_ones_do_not_lower_it() {
        let number = InputValue::Number;
        let [recency, spend, plan, seen] = infos();
        let directed = |info: FeatureInfo, direction| FeatureInfo { direction, ..info };
        let high = directed(spend, Direction::High);
        let low = directed(recency, Direction::Low);
        let late = directed(seen, Direction::High);
        let is = |info, raised, value| contradicts(info, raised, &number(value), &number(2.0));
        assert!(is(&high, true, 9.0) && is(&high, false, 0.0));
        assert!(is(&low, true, 0.0) && is(&low, false, 9.0));
        assert!(!is(&high, true, 0.0) && !is(&low, true, 9.0) && !is(&plan, true, 9.0));
        // Seen longer ago.
        assert!(is(&late, false, 9.0) && !is(&late, true, 9.0));
        assert!(!contradicts(
            &high,
            true,
            &InputValue::Missing,
            &number(2.0)
        ));
    }

    fn infos() -> [FeatureInfo; 4] {
        let recency = info(
            "recency_days",
            "days since the last order",
            Type::Int,
            Unit::Days,
        );
        let spend = info(
            "spend_90d",
            "money of the last 90 days",
            Type::Float,
            Unit::Currency,
        );
        let plan = info("plan", "plan", Type::String, Unit::Label);
        let seen = info(
            "last_seen_on",
            "last day with an event",
            Type::Date,
            Unit::Date,
        );
        [recency, spend, plan, seen]
    }

    const WORDING: Wording<'static> = Wording {
        features: &[],
        as_of: NaiveDate::from_ymd_opt(2026, 10, 31).unwrap(),
        currency: "EUR",
    };

    fn number(value: f64) -> InputValue {
        InputValue::Number(value)
    }

    #[test]
    fn sentences_say_how_long_ago_the_last_order_was() {
        let [recency, ..] = infos();
        let missing = InputValue::Missing;
        let cases = [
            (
                number(61.0),
                number(12.0),
                "no order for 61 days, usually 12",
            ),
            (
                number(1.0),
                number(12.0),
                "last order 1 day ago, usually 12",
            ),
            (
                number(0.0),
                number(12.0),
                "last order today, usually 12 days ago",
            ),
            (
                missing.clone(),
                number(12.0),
                "days since the last order: unknown, usually 12",
            ),
            (
                number(61.0),
                missing,
                "no order for 61 days, usually unknown",
            ),
        ];
        for (value, usual, expected) in cases {
            let found = WORDING.sentence(&recency, &value, &usual);
            assert_eq!(found.as_deref(), Some(expected));
        }
        let same = WORDING.sentence(&recency, &number(12.2), &number(12.2));
        assert_eq!(same, None);
    }

    #[test]
    fn sentences_say_the_value_and_what_is_usual() {
        let label = |text: &str| InputValue::Label(text.to_owned());
        let [_, spend, plan, seen] = infos();
        let orders = info(
            "orders_90d",
            "orders of the last 90 days",
            Type::Int,
            Unit::Count,
        );
        let cases = [
            (
                &spend,
                number(0.0),
                number(1310.2),
                "money of the last 90 days: 0, usually 1,310 EUR",
            ),
            (
                &spend,
                number(7.0),
                InputValue::Missing,
                "money of the last 90 days: 7 EUR, usually unknown",
            ),
            (
                &plan,
                label("none"),
                label("pro"),
                "plan is none, most often pro",
            ),
            (
                &plan,
                InputValue::Missing,
                label("pro"),
                "plan is unknown, most often pro",
            ),
            (
                &orders,
                number(0.0),
                number(4.0),
                "no orders of the last 90 days, usually 4",
            ),
            (
                &orders,
                number(1.0),
                number(4.0),
                "orders of the last 90 days: 1, usually 4",
            ),
            (
                &seen,
                number(30.0),
                number(1.0),
                "last day with an event: 2026-10-01, usually 2026-10-30",
            ),
        ];
        for (info, value, usual, expected) in cases {
            let found = WORDING.sentence(info, &value, &usual);
            assert_eq!(found.as_deref(), Some(expected));
        }
    }
}
