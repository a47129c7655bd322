//! Why a rule is true for a customer: its conditions with the customer's own values; and where no rule is true, the conditions
//! that the nearest rule lacks.

use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use tessera_expr::{BinaryOp, Expr, Literal, Node, children, columns};

use crate::wording::write_exact;

/// The conditions of a list of rules, split at `and` and `or`.
#[derive(Debug, Clone, Default)]
pub struct RuleClauses {
    rules: Vec<Rule>,
    conditions: Vec<Expr>,
}

#[derive(Debug, Clone)]
struct Rule {
    segment: String,
    clause: Clause,
}

#[derive(Debug, Clone)]
enum Clause {
    Condition(Condition),
    All(Vec<Clause>),
    Any(Vec<Clause>),
}

/// One condition of a rule.
#[derive(Debug, Clone)]
struct Condition {
    /// Its index among the conditions of all rules.
    place: usize,
    /// As written.
    text: String,
    /// Columns that it reads.
    columns: Vec<String>,
    /// The numbers that it states, with either sign, so that no rounding of a value contradicts them.
    limits: Vec<f64>,
    form: Form,
}

/// How a condition that is true is written with a value.
#[derive(Debug, Clone)]
enum Form {
    /// `urgent_180d 3 >= 2`: a number before the sign, and what follows it.
    Compared(String),
    /// `attitude is detractor`
    Is,
    /// `preferred_touch is high, not 'low'`
    Not(String),
    /// As written: `nps_last is null` contains the value already.
    Written,
    /// As written, followed by the values.
    Whole,
}

/// The conditions and whether each is true for each customer.
#[derive(Debug, Clone)]
pub struct RuleReasons {
    rules: Vec<Rule>,
    truths: Vec<BooleanArray>,
    values: Vec<(String, ArrayRef)>,
}

impl RuleClauses {
    /// Splits rules, given as segment, text, and the predicate parsed from the text.
    pub fn new<'r>(rules: impl Iterator<Item = (&'r str, &'r str, &'r Expr)>) -> Self {
        let mut clauses = Self::default();
        for (segment, text, expr) in rules {
            let clause = clauses.take(text, expr);
            clauses.rules.push(Rule {
                segment: segment.to_owned(),
                clause,
            });
        }
        clauses
    }

    /// The conditions of all rules, to be evaluated for every customer.
    pub fn conditions(&self) -> &[Expr] {
        &self.conditions
    }

    /// Adds whether every condition is true for each customer, and the columns that conditions read; for a missing column no
    /// value is shown.
    pub fn with(self, truths: Vec<BooleanArray>, table: &RecordBatch) -> RuleReasons {
        let schema = table.schema();
        let read = |name: &str| {
            let mut conditions = self.conditions.iter();
            conditions.any(|condition| columns(condition).contains(name))
        };
        let fields = schema.fields().iter().zip(table.columns());
        let values = fields
            .filter(|(field, _)| read(field.name()))
            .map(|(field, column)| (field.name().clone(), column.clone()))
            .collect();
        RuleReasons {
            rules: self.rules,
            truths,
            values,
        }
    }

    fn take(&mut self, text: &str, expr: &Expr) -> Clause {
        match &expr.node {
            Node::Binary(BinaryOp::And, left, right) => {
                let mut parts = vec![self.take(text, left), self.take(text, right)];
                share_limits(&mut parts);
                Clause::All(parts)
            }
            Node::Binary(BinaryOp::Or, left, right) => {
                Clause::Any(vec![self.take(text, left), self.take(text, right)])
            }
            _ => {
                let place = self.conditions.len();
                self.conditions.push(expr.clone());
                Clause::Condition(Condition::new(place, text, expr))
            }
        }
    }
}

impl Condition {
    fn new(place: usize, text: &str, expr: &Expr) -> Self {
        let written = text.get(expr.span.clone()).map(str::trim);
        let written = written.filter(|written| !written.is_empty());
        let written = written.map_or_else(|| expr.to_string(), str::to_owned);
        let read: Vec<String> = columns(expr).into_iter().map(str::to_owned).collect();
        Self {
            place,
            form: form(&written, &read, expr),
            text: written,
            columns: read,
            limits: limits(expr),
        }
    }
}

/// `between` has two conditions with the same text, of which one is written: with the limits of both.
fn share_limits(parts: &mut [Clause]) {
    if let [Clause::Condition(low), Clause::Condition(high)] = parts
        && low.text == high.text
    {
        low.limits.extend_from_slice(&high.limits);
        high.limits.clone_from(&low.limits);
    }
}

/// The numbers in an expression, with either sign: in `-x < -3` the column is beside 3.
fn limits(expr: &Expr) -> Vec<f64> {
    let mut found = Vec::new();
    if let Node::Literal(Literal::Int(_) | Literal::Float(_) | Literal::Decimal(_)) = expr.node {
        let number = expr.to_string().parse::<f64>();
        found.extend(number.into_iter().flat_map(|number| [number, -number]));
    }
    found.extend(children(expr).into_iter().flat_map(limits));
    found
}

fn form(written: &str, read: &[String], expr: &Expr) -> Form {
    let [column] = read else { return Form::Whole };
    let of_column = |side: &Expr| match &side.node {
        Node::Column(_) => true,
        Node::Cast(inner) => matches!(inner.node, Node::Column(_)),
        _ => false,
    };
    // In `c` and `cast(c as double) >= 1` the text begins with another word.
    let ends =
        |rest: &&str| rest.starts_with(|next: char| next.is_whitespace() || "<>=!".contains(next));
    let rest = written.strip_prefix(column.as_str()).filter(ends);
    match (&expr.node, rest) {
        (
            Node::Binary(
                BinaryOp::Less
                | BinaryOp::LessOrEqual
                | BinaryOp::Greater
                | BinaryOp::GreaterOrEqual,
                left,
                _,
            ),
            Some(rest),
        ) if of_column(left) => Form::Compared(rest.to_owned()),
        (Node::Binary(BinaryOp::Equal, left, _), Some(_)) if of_column(left) => Form::Is,
        (Node::IsNull { of, negated: false }, _) if of_column(of) => Form::Written,
        (Node::Binary(BinaryOp::NotEqual | BinaryOp::IsDistinctFrom, left, other), _)
            if of_column(left) && matches!(other.node, Node::Literal(_)) =>
        {
            Form::Not(other.to_string())
        }
        (
            Node::In {
                of, negated: false, ..
            },
            Some(_),
        ) if of_column(of) => Form::Is,
        _ => Form::Whole,
    }
}

impl RuleReasons {
    /// Appends why the rule of this number (from 0) is true for the customer in a row; a number beyond the last means that no
    /// rule is true.
    pub(crate) fn write(&self, rule: usize, row: usize, to: &mut String) {
        // Writing to a String cannot fail.
        if let Some(found) = self.rules.get(rule) {
            let mut held = Vec::new();
            self.held(&found.clause, row, &mut held);
            let _ = write!(to, "rule {}: ", rule + 1);
            self.list(&held, to, |condition, to| {
                self.write_held(condition, row, to)
            });
            return;
        }
        let lacking = self.rules.iter().map(|rule| {
            let mut lacking = Vec::new();
            self.lacking(&rule.clause, row, &mut lacking);
            lacking
        });
        let all = lacking.enumerate();
        let Some((nearest, lacking)) = all.min_by_key(|(_, lacking)| lacking.len()) else {
            to.push_str("there are no rules");
            return;
        };
        let segment = &self.rules[nearest].segment;
        let _ = match self.rules.len() {
            1 => write!(to, "the rule is not true: {segment} needs "),
            rules => write!(
                to,
                "none of the {rules} rules is true; nearest is rule {}: {segment} needs ",
                nearest + 1
            ),
        };
        self.list(&lacking, to, |condition, to| {
            to.push_str(&condition.text);
            self.write_values(condition, row, to);
        });
    }

    fn list(
        &self,
        conditions: &[&Condition],
        to: &mut String,
        write: impl Fn(&Condition, &mut String),
    ) {
        let mut said: Vec<&str> = Vec::new();
        for condition in conditions {
            // `between` has two conditions with the same text.
            if said.contains(&condition.text.as_str()) {
                continue;
            }
            if !said.is_empty() {
                to.push_str(" and ");
            }
            said.push(&condition.text);
            write(condition, to);
        }
    }

    fn is_true(&self, condition: &Condition, row: usize) -> bool {
        let truth = self.truths.get(condition.place);
        truth.is_some_and(|truth| truth.is_valid(row) && truth.value(row))
    }

    fn holds(&self, clause: &Clause, row: usize) -> bool {
        match clause {
            Clause::Condition(condition) => self.is_true(condition, row),
            Clause::All(parts) => parts.iter().all(|part| self.holds(part, row)),
            Clause::Any(parts) => parts.iter().any(|part| self.holds(part, row)),
        }
    }

    /// The conditions that make a clause true: of `or` those that are true.
    fn held<'c>(&self, clause: &'c Clause, row: usize, to: &mut Vec<&'c Condition>) {
        match clause {
            Clause::Condition(condition) => to.push(condition),
            Clause::All(parts) => parts.iter().for_each(|part| self.held(part, row, to)),
            Clause::Any(parts) => parts
                .iter()
                .filter(|part| self.holds(part, row))
                .for_each(|part| self.held(part, row, to)),
        }
    }

    /// The fewest conditions that would have to become true.
    fn lacking<'c>(&self, clause: &'c Clause, row: usize, to: &mut Vec<&'c Condition>) {
        match clause {
            Clause::Condition(condition) if self.is_true(condition, row) => {}
            Clause::Condition(condition) => to.push(condition),
            Clause::All(parts) => parts.iter().for_each(|part| self.lacking(part, row, to)),
            Clause::Any(parts) => {
                let of_part = parts.iter().map(|part| {
                    let mut lacking = Vec::new();
                    self.lacking(part, row, &mut lacking);
                    lacking
                });
                let fewest = of_part.min_by_key(Vec::len);
                to.extend(fewest.unwrap_or_default());
            }
        }
    }

    fn write_held(&self, condition: &Condition, row: usize, to: &mut String) {
        match (&condition.form, condition.columns.first()) {
            (Form::Compared(rest), Some(column)) => {
                let _ = write!(to, "{column} ");
                self.write_value(column, row, &condition.limits, to);
                to.push_str(rest);
            }
            (Form::Is, Some(column)) => {
                let _ = write!(to, "{column} is ");
                self.write_value(column, row, &condition.limits, to);
            }
            (Form::Written, _) => to.push_str(&condition.text),
            (Form::Not(other), Some(column)) => {
                let _ = write!(to, "{column} is ");
                self.write_value(column, row, &condition.limits, to);
                let _ = write!(to, ", not {other}");
            }
            _ => {
                to.push_str(&condition.text);
                self.write_values(condition, row, to);
            }
        }
    }

    /// ` (is 1)`, or ` (a is 1, b is 2)`.
    fn write_values(&self, condition: &Condition, row: usize, to: &mut String) {
        let alone = condition.columns.len() == 1;
        for (place, column) in condition.columns.iter().enumerate() {
            to.push_str(if place == 0 { " (" } else { ", " });
            if !alone {
                let _ = write!(to, "{column} ");
            }
            to.push_str("is ");
            self.write_value(column, row, &condition.limits, to);
        }
        if !condition.columns.is_empty() {
            to.push(')');
        }
    }

    fn write_value(&self, column: &str, row: usize, limits: &[f64], to: &mut String) {
        match self.values.iter().find(|(name, _)| name == column) {
            Some((_, values)) => write_cell(values, row, limits, to),
            None => to.push_str("missing"),
        }
    }
}

/// Appends a value of a customer: numbers with separators and few decimals, dates as ISO dates, null as `missing`.
pub(crate) fn write_cell(values: &ArrayRef, row: usize, limits: &[f64], to: &mut String) {
    if values.is_null(row) {
        to.push_str("missing");
        return;
    }
    match values.data_type() {
        DataType::Float64 => {
            write_exact(values.as_primitive::<Float64Type>().value(row), limits, to);
        }
        DataType::Int64 => {
            let number = values.as_primitive::<Int64Type>().value(row);
            write_exact(number as f64, limits, to);
        }
        DataType::Utf8 => match values.as_string::<i32>().value(row) {
            "" => to.push_str("''"),
            text => to.push_str(text),
        },
        _ => match arrow::util::display::array_value_to_string(values, row) {
            Ok(text) => to.push_str(&text),
            Err(_) => to.push_str("not shown"),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray};
    use arrow::datatypes::{Field, Schema};
    use tessera_expr::{Type, parse};

    use super::*;

    /// Two rules over three customers, with the truth of their five conditions as an engine would state it.
    fn reasons() -> RuleReasons {
        let known = tessera_expr::Schema {
            columns: [
                ("tier", Type::String),
                ("risk", Type::Float),
                ("urgent", Type::Int),
            ]
            .map(|(name, ty)| (name.to_owned(), ty))
            .into(),
        };
        let rules = [
            ("rescue", "tier in ('top', 'high') and risk > 0.6"),
            ("listen", "urgent >= 2 or tier <> 'low' and risk is null"),
        ];
        let parsed = rules.map(|(_, text)| parse(text, &known).unwrap());
        let clauses = RuleClauses::new(
            rules
                .iter()
                .zip(&parsed)
                .map(|((segment, text), expr)| (*segment, *text, expr)),
        );
        assert_eq!(clauses.conditions().len(), 5);
        let table = RecordBatch::try_new(
            Arc::new(Schema::new(vec![
                Field::new("tier", DataType::Utf8, true),
                Field::new("risk", DataType::Float64, true),
                Field::new("urgent", DataType::Int64, true),
            ])),
            vec![
                Arc::new(StringArray::from(vec![
                    Some("top"),
                    Some("mid"),
                    Some("low"),
                ])),
                Arc::new(Float64Array::from(vec![Some(0.6001), None, Some(0.25)])),
                Arc::new(Int64Array::from(vec![Some(3), None, Some(1)])),
            ],
        );
        let truths = [
            [Some(true), Some(false), Some(false)],
            [Some(true), None, Some(false)],
            [Some(true), None, Some(false)],
            [Some(true), Some(true), Some(false)],
            [Some(false), Some(true), Some(false)],
        ];
        let truths = truths.map(|truth| BooleanArray::from(truth.to_vec()));
        clauses.with(truths.into(), &table.unwrap())
    }

    fn said(rule: usize, row: usize) -> String {
        let mut text = String::new();
        reasons().write(rule, row, &mut text);
        text
    }

    #[test]
    fn a_rule_that_is_true_names_the_conditions_that_held_with_the_customers_values() {
        assert_eq!(said(0, 0), "rule 1: tier is top and risk 0.6001 > 0.6");
        // Of `or` the part that is not true is left out.
        assert_eq!(said(1, 0), "rule 2: urgent 3 >= 2");
        assert_eq!(
            said(1, 1),
            "rule 2: tier is mid, not 'low' and risk is null"
        );
    }

    #[test]
    fn where_no_rule_is_true_the_nearest_is_named_with_what_is_missing() {
        assert_eq!(
            said(2, 2),
            "none of the 2 rules is true; nearest is rule 2: listen needs urgent >= 2 (is 1)"
        );
    }
}
