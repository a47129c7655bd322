//! The values that columns are tried with: the constants that rules compare them with and the limits between segments, and the
//! values beside these.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow::datatypes::{DataType, SchemaRef};
use tessera_expr::{BinaryOp, Expr, Literal, Node, Type, children, columns};
use tessera_spec::shown::grouped;

use super::Untold;

/// Rules that are evaluated with another value at most: their number grows with the rules times the values in them.
const MOST_TRIED: usize = 10_000;

/// Constants, columns and operations in these rules at most: each is held in memory.
const MOST_PARTS: usize = 500_000;

/// A value that a column is tried with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tried {
    Null,
    Integer(i64),
    Float {
        value: f64,
        /// The limit that it is, or that it lies next to.
        limit: f64,
    },
    Text(String),
    /// A text that no rule names.
    Other,
}

/// A text that no rule can name by accident.
const OTHER: &str = "\u{1}";

impl Tried {
    /// The value as a constant of a column's type.
    pub(super) fn literal(&self, ty: Type) -> Expr {
        let value = match (self, ty) {
            (Self::Null, _) => Literal::Null,
            (Self::Integer(whole), Type::Float) => Literal::Float(*whole as f64),
            (Self::Integer(whole), _) => Literal::Int(*whole),
            (Self::Float { value, .. }, _) => Literal::Float(*value),
            (Self::Text(text), _) => Literal::String(text.clone()),
            (Self::Other, _) => Literal::String(OTHER.to_owned()),
        };
        Expr::literal(value, ty)
    }

    /// The value, if it is a number.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(whole) => Some(*whole as f64),
            Self::Float { value, .. } => Some(*value),
            _ => None,
        }
    }

    /// The number by which changes are measured: of a value next to a limit the limit.
    pub(crate) fn limit(&self) -> Option<f64> {
        match self {
            Self::Float { limit, .. } => Some(*limit),
            other => other.number(),
        }
    }

    /// The number as it is told: a limit that was computed has digits that nobody reads.
    pub(crate) fn told_number(&self) -> Option<f64> {
        match self {
            Self::Float { limit, .. } => Some(format!("{limit:.11e}").parse().unwrap_or(*limit)),
            other => other.number(),
        }
    }

    /// What is told of it behind the name of a column: `at most 30`.
    pub(super) fn told(&self, bound: &str) -> String {
        match self {
            Self::Null => "is missing".to_owned(),
            Self::Integer(whole) => format!("{bound} {whole}"),
            Self::Float { limit, .. } => {
                format!("{bound} {}", self.told_number().unwrap_or(*limit))
            }
            Self::Text(text) if text.is_empty() => "is ''".to_owned(),
            Self::Text(text) => format!("is {text}"),
            Self::Other => "is any other text".to_owned(),
        }
    }
}

/// Whether trying all these values takes too much.
pub(super) fn check_effort(
    rules: &[Expr],
    values: &BTreeMap<String, Vec<Tried>>,
) -> Result<(), Untold> {
    let (tries, parts) = tries(rules, values);
    let often = format!(
        "its rules would have to be evaluated {} times with another value",
        grouped(tries as u64)
    );
    let most = |most: usize| grouped(most as u64);
    if tries > MOST_TRIED {
        let why = format!("{often}, more than {}", most(MOST_TRIED));
        return Err(Untold::TooMany(why));
    }
    if parts > MOST_PARTS {
        let parts = grouped(parts as u64);
        let why = format!(
            "{often}, with {parts} constants and operations in all, more than {}",
            most(MOST_PARTS)
        );
        return Err(Untold::TooMany(why));
    }
    Ok(())
}

/// How often a rule would be evaluated with another value of a column that it reads, and how many parts all these rules have.
fn tries(rules: &[Expr], values: &BTreeMap<String, Vec<Tried>>) -> (usize, usize) {
    let mut readers: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for rule in rules {
        let parts = parts(rule);
        for name in columns(rule) {
            let known = readers.entry(name).or_default();
            *known = (known.0 + 1, known.1.saturating_add(parts));
        }
    }
    let of_column = values.iter().map(|(name, values)| {
        let (rules, parts) = readers.get(name.as_str()).copied().unwrap_or_default();
        let times = |number: usize| values.len().saturating_mul(number);
        (times(rules), times(parts))
    });
    of_column.fold((0, 0), |all, one| {
        (all.0.saturating_add(one.0), all.1.saturating_add(one.1))
    })
}

/// Constants, columns and operations of an expression.
fn parts(expr: &Expr) -> usize {
    1 + children(expr).into_iter().map(parts).sum::<usize>()
}

/// The values of each column at which a condition of these rules changes.
pub(super) fn of_rules(rules: &[Expr], schema: &SchemaRef) -> BTreeMap<String, Vec<Tried>> {
    let mut found = BTreeMap::new();
    let mut texts = Texts::default();
    for rule in rules {
        collect(rule, schema, &mut found);
        texts.read(rule);
    }
    for (name, values) in &mut found {
        texts.keep_different(name, values);
    }
    found
}

/// Where texts are compared with columns. Texts that stand in the same lists and equalities everywhere, and in nothing else, are the
/// same to the rules, so that one of them is enough.
#[derive(Default)]
struct Texts {
    conditions: usize,
    /// By column and text the conditions that name it.
    named_in: BTreeMap<String, HashMap<String, Vec<usize>>>,
    /// Columns that are read in other conditions, too.
    otherwise: BTreeSet<String>,
}

impl Texts {
    fn read(&mut self, expr: &Expr) {
        let named: Option<(&Expr, Vec<&Expr>)> = match &expr.node {
            Node::In { of, list, .. } => Some((of, list.iter().collect())),
            Node::Binary(
                BinaryOp::Equal
                | BinaryOp::NotEqual
                | BinaryOp::IsDistinctFrom
                | BinaryOp::IsNotDistinctFrom,
                left,
                right,
            ) => match direct(left) {
                Some(_) => Some((left, vec![right])),
                None => Some((right, vec![left])),
            },
            Node::IsNull { of, .. } => Some((of, Vec::new())),
            _ => None,
        };
        let of_column = named.and_then(|(column, texts)| {
            let texts: Option<Vec<&String>> = texts.into_iter().map(text).collect();
            direct(column).zip(texts)
        });
        if let Some((column, texts)) = of_column {
            self.conditions += 1;
            let of_column = self.named_in.entry(column.to_owned()).or_default();
            for text in texts {
                of_column
                    .entry(text.clone())
                    .or_default()
                    .push(self.conditions);
            }
            return;
        }
        if let Node::Column(name) = &expr.node {
            self.otherwise.insert(name.clone());
        }
        children(expr)
            .into_iter()
            .for_each(|child| self.read(child));
    }

    fn keep_different(&self, column: &str, values: &mut Vec<Tried>) {
        let Some(named) = self
            .named_in
            .get(column)
            .filter(|_| !self.otherwise.contains(column))
        else {
            return;
        };
        let mut seen = HashSet::new();
        values.retain(|value| match value {
            Tried::Text(text) => named
                .get(text)
                .is_none_or(|conditions| seen.insert(conditions)),
            _ => true,
        });
    }
}

/// The column, where the expression is nothing else.
fn direct(expr: &Expr) -> Option<&str> {
    match &expr.node {
        Node::Column(name) => Some(name),
        Node::Cast(inner) => match &inner.node {
            Node::Column(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// The text, where the expression is a constant one.
fn text(expr: &Expr) -> Option<&String> {
    match &expr.node {
        Node::Literal(Literal::String(text)) => Some(text),
        Node::Cast(inner) => text(inner),
        _ => None,
    }
}

fn collect(expr: &Expr, schema: &SchemaRef, to: &mut BTreeMap<String, Vec<Tried>>) {
    let column = |expr: &Expr| direct(expr).map(str::to_owned);
    let mut add = |name: String, values: Vec<Tried>| {
        if values.is_empty() {
            return;
        }
        let known = to.entry(name).or_default();
        for value in values {
            if !known.contains(&value) {
                known.push(value);
            }
        }
    };
    let typed = |name: Option<String>| {
        let name = name?;
        let ty = schema.field_with_name(&name).ok()?.data_type().clone();
        Some((name, ty))
    };
    match &expr.node {
        Node::Binary(
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessOrEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterOrEqual
            | BinaryOp::IsDistinctFrom
            | BinaryOp::IsNotDistinctFrom,
            left,
            right,
        ) => {
            for (name, other) in [(column(left), right), (column(right), left)] {
                if let Some((name, ty)) = typed(name) {
                    add(name, constant(other, &ty));
                }
            }
        }
        Node::In { of, list, .. } => {
            if let Some((name, ty)) = typed(column(of)) {
                let values = list.iter().flat_map(|one| constant(one, &ty));
                add(name, values.collect());
            }
        }
        Node::IsNull { of, .. } => {
            if let Some((name, _)) = typed(column(of)) {
                add(name, vec![Tried::Null]);
            }
        }
        _ => {}
    }
    let children = children(expr).into_iter();
    children.for_each(|child| collect(child, schema, to));
}

/// A constant and its neighbours, as values of a column of this type; nothing for what is no constant.
fn constant(constant: &Expr, ty: &DataType) -> Vec<Tried> {
    match &constant.node {
        Node::Literal(Literal::Int(number)) => around(*number as f64, ty),
        Node::Literal(Literal::Float(number)) => around(*number, ty),
        Node::Literal(Literal::Decimal(whole)) => match constant.ty {
            Type::Decimal { scale } => {
                around(tessera_expr::exact::decimal_to_float(*whole, scale), ty)
            }
            _ => Vec::new(),
        },
        Node::Literal(Literal::String(text)) if *ty == DataType::Utf8 => {
            vec![Tried::Text(text.clone()), Tried::Other]
        }
        // The checker turns a constant into the type of the column.
        Node::Cast(inner) => self::constant(inner, ty),
        _ => Vec::new(),
    }
}

/// A limit and its neighbours, as values of a column of this type; nothing where it has no numbers.
pub(super) fn around(limit: f64, ty: &DataType) -> Vec<Tried> {
    match ty {
        DataType::Int64 => {
            let (low, high) = (limit.floor() as i64, limit.ceil() as i64);
            let mut whole = vec![low.saturating_sub(1), low, high, high.saturating_add(1)];
            whole.dedup();
            whole.into_iter().map(Tried::Integer).collect()
        }
        DataType::Float64 => [limit, limit.next_up(), limit.next_down()]
            .map(|value| Tried::Float { value, limit })
            .to_vec(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema};
    use tessera_expr::condition_at;
    use tessera_spec::pipeline::At;

    use super::*;

    /// The values that are tried of column `city`, and the verdict on the effort, for rules over it and a number.
    fn tried(rules: &[String]) -> (Vec<Tried>, bool) {
        let known = tessera_expr::Schema {
            columns: vec![
                ("city".to_owned(), Type::String),
                ("orders".to_owned(), Type::Int),
            ],
        };
        let parsed: Vec<Expr> = rules
            .iter()
            .map(|text| condition_at(&At::new(text.clone(), 0..text.len()), &known).unwrap())
            .collect();
        let fields = vec![
            Field::new("city", DataType::Utf8, true),
            Field::new("orders", DataType::Int64, true),
        ];
        let schema = std::sync::Arc::new(Schema::new(fields));
        let values = of_rules(&parsed, &schema);
        let is_little = check_effort(&parsed, &values).is_ok();
        (values.get("city").cloned().unwrap_or_default(), is_little)
    }

    fn list(of: std::ops::Range<usize>) -> String {
        of.map(|n| format!("'c{n}'")).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn texts_that_rules_do_not_tell_apart_are_tried_once() {
        let long = format!("city in ({})", list(0..4_000));
        let (values, is_little) = tried(std::slice::from_ref(&long));
        assert_eq!(values, [Tried::Text("c0".to_owned()), Tried::Other]);
        assert!(is_little);
        // Two lists with a part in common: three kinds of texts.
        let (values, _) = tried(&[long.clone(), format!("city in ({})", list(3_990..4_010))]);
        let texts = ["c0", "c3990", "c4000"].map(|text| Tried::Text(text.to_owned()));
        assert_eq!(
            values
                .iter()
                .filter(|value| matches!(value, Tried::Text(_)))
                .cloned()
                .collect::<Vec<_>>(),
            texts
        );
        // Where the texts are read in another way, each of them may be decided otherwise.
        for other in ["city < 'c5'", "city like 'c1%'", "lower(city) = 'c7'"] {
            let (values, is_little) = tried(&[long.clone(), other.to_owned()]);
            assert!(values.len() > 4_000 && !is_little, "{other}");
        }
    }

    #[test]
    fn long_lists_of_numbers_are_too_much_and_short_ones_are_not() {
        let list = |most: usize| {
            let numbers = (0..most).map(|n| (3 * n).to_string());
            format!("orders in ({})", numbers.collect::<Vec<_>>().join(", "))
        };
        assert!(tried(&[list(200)]).1);
        assert!(!tried(&[list(2_000)]).1);
    }
}
