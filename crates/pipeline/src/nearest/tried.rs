//! The values that columns are tried with: the constants that rules compare them with and the limits between segments, and the
//! values beside these.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, SchemaRef};
use tessera_expr::{BinaryOp, Expr, Literal, Node, Type, children};

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

/// The values of each column at which a condition of an expression changes.
pub(super) fn collect(expr: &Expr, schema: &SchemaRef, to: &mut BTreeMap<String, Vec<Tried>>) {
    let column = |expr: &Expr| match &expr.node {
        Node::Column(name) => Some(name.clone()),
        Node::Cast(inner) => match &inner.node {
            Node::Column(name) => Some(name.clone()),
            _ => None,
        },
        _ => None,
    };
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
