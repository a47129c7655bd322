//! Conditions for which rows a conversion within an expression fails, its arithmetic overflows, or its value is null although no
//! operand is null.
//!
//! An expression gives a value for every row, also where a part of it fails. Parts that are not evaluated do not fail: the branch
//! that a `case` does not take, the operands after the first value of a `coalesce`, the right side of an `and` whose left side is
//! false and of an `or` whose left side is true.

use crate::analysis::children;
use crate::tree::{BinaryOp, Expr, Function, Literal, Node, Type};

/// A conversion that may fail.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// True for rows where the conversion is reached, has something to convert, and fails.
    pub when: Expr,
    /// What is converted.
    pub of: Expr,
    /// What it should be: "a date", "a date of the form `%d.%m.%Y`".
    pub wanted: String,
}

/// The conversions of the expression that may fail, in the order of the text, each once. `made` is a column that holds the
/// value of the whole expression, where there is one.
pub fn failures(expr: &Expr, made: Option<&Expr>) -> Vec<Failure> {
    let mut found: Vec<Failure> = Vec::new();
    reach(expr, &None, &mut |node, guard| {
        let Some((of, wanted)) = conversion(node) else {
            return;
        };
        let whole = std::ptr::eq(node, expr);
        let value = made.filter(|_| whole).unwrap_or(node).clone();
        let fails = and(of.clone().is_null().negated(), value.is_null());
        let when = both(guard, fails);
        let known = |failure: &Failure| failure.when.to_string() == when.to_string();
        if !found.iter().any(known) {
            let of = of.clone();
            found.push(Failure { when, of, wanted });
        }
    });
    found
}

/// True for rows where the expression is null because arithmetic or a `try_` conversion gave null for operands that are not:
/// a division by zero, an overflow, a text that is no date. None where no part of it can do that. A value that is null because
/// a `case` without `else` or a `nullif` says so is not meant. `made` is a column that holds the value, where there is one.
pub fn unexpected_null(expr: &Expr, made: Option<&Expr>) -> Option<Expr> {
    let value = made.unwrap_or(expr).clone().is_null();
    let mut makers: Vec<(Expr, Option<Expr>)> = Vec::new();
    let mut strict = true;
    reach(expr, &None, &mut |node, guard| {
        strict &= is_strict(node);
        if makes_null(node) {
            makers.push((node.clone(), guard.clone()));
        }
    });
    if makers.is_empty() {
        return None;
    }
    if strict {
        // Null comes from a column or is made here.
        let mut columns: Vec<Expr> = Vec::new();
        inputs(expr, &mut columns);
        let given = columns.into_iter().map(|column| column.is_null().negated());
        return Some(given.fold(value, and));
    }
    let made_here = makers.into_iter().map(|(node, guard)| {
        let given = children(&node)
            .into_iter()
            .map(|of| of.clone().is_null().negated());
        both(&guard, given.fold(node.clone().is_null(), and))
    });
    let any = made_here.reduce(|a, b| a.condition(BinaryOp::Or, b))?;
    Some(and(value, any))
}

/// True for rows where `+`, `-` or `*` of integers or decimals, somewhere in the expression where it is reached, gives null for
/// operands that are not: the result does not fit its type. None where no part of it can do that. `made` is a column that holds
/// the value of the expression, where there is one.
pub fn overflow(expr: &Expr, made: Option<&Expr>) -> Option<Expr> {
    let mut inner = Vec::new();
    within_chains(expr, &mut inner);
    let mut found: Vec<Expr> = Vec::new();
    reach(expr, &None, &mut |node, guard| {
        let part = std::ptr::from_ref(node);
        if !may_overflow(node) || inner.contains(&part) {
            return;
        }
        let mut operands = Vec::new();
        operands_of(node, &mut operands);
        if operands
            .iter()
            .any(|of| of.node == Node::Literal(Literal::Null))
        {
            return;
        }
        let value = made.filter(|_| std::ptr::eq(node, expr)).unwrap_or(node);
        let present = operands
            .into_iter()
            .filter(|operand| !matches!(operand.node, Node::Literal(_)))
            .map(|operand| operand.clone().is_null().negated());
        found.push(both(guard, present.fold(value.clone().is_null(), and)));
    });
    found
        .into_iter()
        .reduce(|a, b| a.condition(BinaryOp::Or, b))
}

/// Whether the node is arithmetic of integers or decimals, which overflows to null.
fn may_overflow(expr: &Expr) -> bool {
    let exact = |of: &Expr| matches!(of.ty, Type::Int | Type::Decimal { .. });
    match &expr.node {
        Node::Binary(BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply, a, b) => {
            exact(expr) && exact(a) && exact(b)
        }
        Node::Negate(_) => exact(expr),
        // An integer has 19 digits of at most 38; fewer decimals take no room.
        Node::Cast(of) => match (of.ty, expr.ty) {
            (Type::Int, Type::Decimal { scale }) => scale > 19,
            (Type::Decimal { scale: from }, Type::Decimal { scale }) => scale > from,
            _ => false,
        },
        _ => false,
    }
}

/// The operands of a chain of such arithmetic, which is null where one of its parts is.
fn operands_of<'e>(chain: &'e Expr, operands: &mut Vec<&'e Expr>) {
    for child in children(chain) {
        if may_overflow(child) {
            operands_of(child, operands);
        } else {
            operands.push(child);
        }
    }
}

/// The parts of chains that are operands of other parts.
fn within_chains(expr: &Expr, found: &mut Vec<*const Expr>) {
    for child in children(expr) {
        if may_overflow(expr) && may_overflow(child) {
            found.push(std::ptr::from_ref(child));
        }
        within_chains(child, found);
    }
}

/// Calls `seen` for every node, operands first, with the condition under which its value counts.
fn reach(expr: &Expr, guard: &Option<Expr>, seen: &mut impl FnMut(&Expr, &Option<Expr>)) {
    match &expr.node {
        Node::Case {
            branches,
            otherwise,
        } => {
            let mut untaken = guard.clone();
            for (when, then) in branches {
                reach(when, &untaken, seen);
                reach(then, &Some(both(&untaken, when.clone())), seen);
                untaken = Some(both(&untaken, isnt(when, true)));
            }
            if let Some(otherwise) = otherwise {
                reach(otherwise, &untaken, seen);
            }
        }
        Node::Call(Function::Coalesce, args) => {
            let mut missing = guard.clone();
            for arg in args {
                reach(arg, &missing, seen);
                missing = Some(both(&missing, arg.clone().is_null()));
            }
        }
        Node::Binary(op @ (BinaryOp::And | BinaryOp::Or), left, right) => {
            reach(left, guard, seen);
            let open = isnt(left, *op == BinaryOp::Or);
            reach(right, &Some(both(guard, open)), seen);
        }
        _ => {
            for child in children(expr) {
                reach(child, guard, seen);
            }
        }
    }
    seen(expr, guard);
}

/// The operand of a conversion that may fail, and what it should be.
fn conversion(expr: &Expr) -> Option<(&Expr, String)> {
    match &expr.node {
        Node::Cast(of) if may_fail(of.ty, expr.ty) => Some((of, named(expr.ty).to_owned())),
        Node::Call(Function::Strptime, args) => {
            let [of, format] = args.as_slice() else {
                return None;
            };
            let form = match &format.node {
                Node::Literal(Literal::String(text)) => format!(" of the form `{text}`"),
                _ => String::new(),
            };
            Some((of, format!("{}{form}", named(expr.ty))))
        }
        Node::Call(Function::ToTimestamp(_), args) => {
            Some((args.first()?, "a time of the years 1 to 9999".to_owned()))
        }
        _ => None,
    }
}

/// Whether some value of a type has none of the other.
fn may_fail(from: Type, to: Type) -> bool {
    to != Type::Null
        && matches!(
            (from, to),
            (Type::String, _)
                | (Type::Float | Type::Decimal { .. }, Type::Int)
                | (Type::Float, Type::Decimal { .. })
        )
}

fn named(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "true or false",
        Type::Int => "an integer",
        Type::Float => "a number",
        Type::Decimal { .. } => "a decimal of at most 38 digits",
        Type::String | Type::Null => "text",
        Type::Date => "a date",
        Type::Timestamp => "a timestamp",
    }
}

/// Whether the node can give null for operands that are not null, other than explicitly (`case`, `nullif`).
fn makes_null(expr: &Expr) -> bool {
    match &expr.node {
        Node::Binary(op, ..) => matches!(
            op,
            BinaryOp::Add
                | BinaryOp::Subtract
                | BinaryOp::Multiply
                | BinaryOp::Divide
                | BinaryOp::Modulo
        ),
        Node::Negate(_) => true,
        Node::TryCast(of) => may_fail(of.ty, expr.ty),
        Node::Call(function, _) => matches!(
            function,
            Function::Abs
                | Function::Ln
                | Function::Log10
                | Function::Exp
                | Function::Power
                | Function::Sqrt
                | Function::TryStrptime
        ),
        Node::Column(_)
        | Node::Literal(_)
        | Node::AsOf
        | Node::Not(_)
        | Node::IsNull { .. }
        | Node::In { .. }
        | Node::Like { .. }
        | Node::Case { .. }
        | Node::Cast(_) => false,
    }
}

/// Whether the node is null wherever an operand is null, and nowhere else but where [`makes_null`] says.
fn is_strict(expr: &Expr) -> bool {
    match &expr.node {
        Node::Case { .. } | Node::IsNull { .. } | Node::In { .. } => false,
        Node::Binary(op, ..) => !matches!(
            op,
            BinaryOp::And | BinaryOp::Or | BinaryOp::IsDistinctFrom | BinaryOp::IsNotDistinctFrom
        ),
        Node::Call(function, _) => !matches!(
            function,
            Function::Coalesce
                | Function::NullIf
                | Function::Least
                | Function::Greatest
                | Function::Concat
        ),
        Node::Literal(literal) => *literal != Literal::Null,
        Node::Column(_)
        | Node::AsOf
        | Node::Not(_)
        | Node::Negate(_)
        | Node::Like { .. }
        | Node::Cast(_)
        | Node::TryCast(_) => true,
    }
}

/// Whether a null that the expression reads leaves open what its value would mean: the value that it has is the same whatever stood in
/// place of the null. No part of it takes null for something, as `coalesce`, `is null` and `case` do.
pub fn leaves_nulls_open(expr: &Expr) -> bool {
    let here = match &expr.node {
        Node::Binary(BinaryOp::And | BinaryOp::Or, ..) | Node::In { .. } => true,
        _ => is_strict(expr),
    };
    here && children(expr).into_iter().all(leaves_nulls_open)
}

/// The columns that an expression reads, each once.
fn inputs(expr: &Expr, found: &mut Vec<Expr>) {
    if let Node::Column(name) = &expr.node {
        let known = |other: &Expr| matches!(&other.node, Node::Column(n) if n == name);
        if !found.iter().any(known) {
            found.push(Expr::column(name, expr.ty));
        }
    }
    for child in children(expr) {
        inputs(child, found);
    }
}

fn and(a: Expr, b: Expr) -> Expr {
    a.condition(BinaryOp::And, b)
}

fn both(guard: &Option<Expr>, condition: Expr) -> Expr {
    match guard {
        Some(guard) => and(guard.clone(), condition),
        None => condition,
    }
}

/// The condition is false or null, where `value` is true; true or null, where it is false.
fn isnt(condition: &Expr, value: bool) -> Expr {
    let value = Expr::literal(Literal::Bool(value), Type::Bool);
    condition.clone().condition(BinaryOp::IsDistinctFrom, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Schema, parse};

    fn expr(text: &str) -> Expr {
        let columns = [
            ("s", Type::String),
            ("t", Type::String),
            ("a", Type::Int),
            ("b", Type::Int),
            ("x", Type::Float),
        ];
        let schema = Schema {
            columns: columns.map(|(name, ty)| (name.to_owned(), ty)).into(),
        };
        parse(text, &schema).unwrap()
    }

    fn conditions(text: &str) -> Vec<String> {
        let found = failures(&expr(text), None);
        found
            .iter()
            .map(|failure| failure.when.to_string())
            .collect()
    }

    #[test]
    fn what_takes_null_for_something_does_not_leave_it_open() {
        for text in [
            "a > 0 and s not like 'C%' or x is null and false",
            "coalesce(a, 0) > 0",
            "s is not null",
            "s is distinct from 'x'",
            "case when a > 0 then b else 0 end > 1",
            "nullif(a, b) > 0",
            "greatest(a, b) > 0",
        ] {
            assert!(!leaves_nulls_open(&expr(text)), "{text}");
        }
        for text in [
            "a > 0 and x > 0 and s not like 'C%'",
            "a in (1, 2) or not (b between 3 and 4)",
            "cast(s as bigint) * 2 < 5",
        ] {
            assert!(leaves_nulls_open(&expr(text)), "{text}");
        }
    }

    #[test]
    fn casts_that_cannot_fail_and_try_casts_are_no_failures() {
        for text in [
            "cast(a as double)",
            "try_cast(s as date)",
            "cast(a as string)",
            "try_strptime(s, '%F')",
            "a + 1",
        ] {
            assert_eq!(conditions(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_failure_names_its_operand_and_what_it_should_be() {
        let found = failures(&expr("cast(trim(s) as date)"), None);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].of.to_string(), "trim(s)");
        assert_eq!(found[0].wanted, "a date");
        assert_eq!(
            found[0].when.to_string(),
            "not (trim(s) is null) and cast(trim(s) as date) is null"
        );
        let form = failures(&expr("strptime(s, '%d.%m.%Y')"), None);
        assert_eq!(form[0].wanted, "a date of the form `%d.%m.%Y`");
        let made = Expr::column("day", Type::Date);
        let found = failures(&expr("cast(s as date)"), Some(&made));
        assert_eq!(
            found[0].when.to_string(),
            "not (s is null) and \"day\" is null"
        );
    }

    #[test]
    fn what_is_not_reached_does_not_fail() {
        assert_eq!(
            conditions("case when a > 0 then cast(s as date) when b > 0 then cast(t as date) end"),
            [
                "a > 0 and (not (s is null) and cast(s as date) is null)",
                "(a > 0) is distinct from true and b > 0 and (not (t is null) and cast(t as date) is null)",
            ]
        );
        assert_eq!(
            conditions("coalesce(cast(s as date), cast(t as date))"),
            [
                "not (s is null) and cast(s as date) is null",
                "cast(s as date) is null and (not (t is null) and cast(t as date) is null)",
            ]
        );
        assert_eq!(
            conditions("s like '2%' and cast(s as bigint) > 3"),
            [
                "(s like '2%') is distinct from false and (not (s is null) and cast(s as bigint) is null)"
            ]
        );
        assert_eq!(
            conditions("s = '' or cast(s as bigint) between 3 and 5"),
            [
                "(s = '') is distinct from true and (not (s is null) and cast(s as bigint) is null)",
                "(s = '') is distinct from true and (cast(s as bigint) >= 3) is distinct from false and (not (s is null) and cast(s as bigint) is null)"
            ]
        );
    }

    #[test]
    fn overflows_are_found_wherever_they_are_reached() {
        let of = |text: &str| overflow(&expr(text), None).map(|when| when.to_string());
        for text in [
            "a", "a / b", "x * x", "abs(a)", "a % b", "s || t", "a + null", "-null",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        let both = "not (a is null) and not (b is null)";
        let product = format!("a * b is null and {both}");
        assert_eq!(of("a * b"), Some(product.clone()));
        for whole in ["abs(a * b)", "a * b / 100", "round(a * b, 0)"] {
            assert_eq!(of(whole), Some(product.clone()), "{whole}");
        }
        assert_eq!(
            of("a * b + a - 1"),
            Some(format!(
                "a * b + a - 1 is null and {both} and not (a is null)"
            ))
        );
        assert_eq!(
            of("case when a < 10 then a * b else 0 end"),
            Some(format!("a < 10 and ({product})"))
        );
        assert_eq!(
            of("coalesce(a, a * b)"),
            Some(format!("a is null and ({product})"))
        );
        let made = Expr::column("m", Type::Int);
        let found = overflow(&expr("a * b"), Some(&made));
        assert_eq!(
            found.map(|when| when.to_string()),
            Some(format!("m is null and {both}"))
        );
    }

    fn null(text: &str) -> Option<String> {
        unexpected_null(&expr(text), None).map(|when| when.to_string())
    }

    #[test]
    fn nulls_that_arithmetic_makes_are_unexpected_and_nulls_that_were_asked_for_are_not() {
        for text in [
            "a > 3",
            "nullif(a, 0)",
            "case when a > 1 then b end",
            "coalesce(s, t)",
            "lower(s)",
            "cast(s as date)",
        ] {
            assert_eq!(null(text), None, "{text}");
        }
        assert_eq!(
            null("a / b").as_deref(),
            Some(
                "cast(a as double) / cast(b as double) is null and not (a is null) and not (b is null)"
            )
        );
        assert_eq!(
            null("a * nullif(b, 0)").as_deref(),
            Some(
                "a * nullif(b, 0) is null and (a * nullif(b, 0) is null and not (a is null) and not (nullif(b, 0) is null))"
            )
        );
        assert_eq!(
            null("try_cast(s as date)").as_deref(),
            Some("try_cast(s as date) is null and not (s is null)")
        );
    }
}
