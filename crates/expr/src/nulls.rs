//! Whether an expression can be null.

use crate::{BinaryOp, Expr, Literal, Node};

impl Expr {
    /// Whether a condition may be neither true nor false, as far as that follows from its form: columns may be null.
    pub fn can_be_null(&self) -> bool {
        match &self.node {
            Node::Literal(literal) => *literal == Literal::Null,
            Node::IsNull { .. } => false,
            Node::Binary(BinaryOp::IsDistinctFrom | BinaryOp::IsNotDistinctFrom, ..) => false,
            Node::Not(of) => of.can_be_null(),
            Node::Binary(BinaryOp::And | BinaryOp::Or, left, right) => {
                left.can_be_null() || right.can_be_null()
            }
            Node::Call(crate::Function::Coalesce, all) => all.iter().all(Self::can_be_null),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Schema, Type, parse};

    #[test]
    fn comparisons_of_columns_can_be_null_and_tests_for_null_cannot() {
        let schema = Schema {
            columns: vec![("a".to_owned(), Type::Int), ("s".to_owned(), Type::String)],
        };
        for (text, wanted) in [
            ("s <> 'x'", true),
            ("a > 1 and s is not null", true),
            ("a is null or s is not null", false),
            ("not (a is null)", false),
            ("s is distinct from 'x'", false),
            ("coalesce(s <> 'x', true)", false),
            ("coalesce(s <> 'x', a > 1)", true),
            ("true", false),
        ] {
            assert_eq!(
                parse(text, &schema).unwrap().can_be_null(),
                wanted,
                "{text}"
            );
        }
    }
}
