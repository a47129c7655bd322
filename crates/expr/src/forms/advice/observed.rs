//! Texts of a column that were read or not, and what a setting makes of them.

use tessera_spec::pipeline::ColumnForm;

use crate::Type;
use crate::forms::{
    Moment, exact_decimal, read_bool, read_date, read_epoch, read_float, read_integer, read_moment,
    read_money,
};

/// A text that stands for others of its form, and how many they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The text, without white space around it.
    pub text: String,
    /// How many values have its form.
    pub count: u64,
}

/// What a text is read as.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Number(f64),
    Day(i32),
    Time(Moment),
}

/// What a text is as a value of the type.
pub(super) fn value(text: &str, ty: Type, form: &ColumnForm) -> Option<Value> {
    match ty {
        Type::Bool => read_bool(text).map(Value::Bool),
        Type::Int => read_integer(text, form).map(|number| Value::Number(number as f64)),
        Type::Float if form.money => read_money(text, form).map(Value::Number),
        Type::Float => read_float(text, form).map(Value::Number),
        Type::Decimal { scale } => {
            let number = exact_decimal(text, scale, form)?.parse().ok()?;
            Some(Value::Number(number))
        }
        Type::Date | Type::Timestamp if form.epoch.is_some() => {
            let micros = read_epoch(text, form.epoch?)?;
            Some(Value::Time(Moment::Instant(micros)))
        }
        Type::Date => read_date(text, form).map(Value::Day),
        Type::Timestamp => read_moment(text, form).map(Value::Time),
        Type::String | Type::Null => None,
    }
}

/// The text with other digits in place of its own: `0.000` and `1.111` have the same form, and only the second tells signs of
/// thousands from signs of decimals.
pub(super) fn with_ones(text: &str) -> String {
    let one = |c: char| if c.is_ascii_digit() { '1' } else { c };
    text.chars().map(one).collect()
}
