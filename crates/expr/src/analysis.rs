//! What an expression depends on, and in which order named expressions can be computed.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{Expr, Node};

/// Columns that the expression reads, sorted.
pub fn columns(expr: &Expr) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    visit(expr, &mut |e| {
        if let Node::Column(name) = &e.node {
            found.insert(name.as_str());
        }
    });
    found
}

/// Whether the value depends on the run's date.
pub fn uses_as_of(expr: &Expr) -> bool {
    let mut used = false;
    visit(expr, &mut |e| used |= e.node == Node::AsOf);
    used
}

/// Calls `seen` for every node, from the root.
fn visit<'a>(expr: &'a Expr, seen: &mut impl FnMut(&'a Expr)) {
    seen(expr);
    for child in children(expr) {
        visit(child, seen);
    }
}

/// Operands, in the order of the text.
pub fn children(expr: &Expr) -> Vec<&Expr> {
    match &expr.node {
        Node::Column(_) | Node::Literal(_) | Node::AsOf => Vec::new(),
        Node::Not(of) | Node::Negate(of) | Node::Cast(of) | Node::TryCast(of) => vec![of],
        Node::IsNull { of, .. } | Node::Like { of, .. } => vec![of],
        Node::Binary(_, left, right) => vec![left, right],
        Node::In { of, list, .. } => std::iter::once(&**of).chain(list).collect(),
        Node::Case {
            branches,
            otherwise,
        } => branches
            .iter()
            .flat_map(|(when, then)| [when, then])
            .chain(otherwise.as_deref())
            .collect(),
        Node::Call(_, args) => args.iter().collect(),
    }
}

/// The expression with another one wherever it reads a column; `by` makes it from the column.
pub fn replace_column(expr: &Expr, column: &str, by: &dyn Fn(&Expr) -> Expr) -> Expr {
    let of = |one: &Expr| replace_column(one, column, by);
    let boxed = |one: &Expr| Box::new(of(one));
    let node = match &expr.node {
        Node::Column(name) if name == column => return by(expr),
        Node::Column(_) | Node::Literal(_) | Node::AsOf => return expr.clone(),
        Node::Not(one) => Node::Not(boxed(one)),
        Node::Negate(one) => Node::Negate(boxed(one)),
        Node::Cast(one) => Node::Cast(boxed(one)),
        Node::TryCast(one) => Node::TryCast(boxed(one)),
        Node::IsNull { of, negated } => Node::IsNull {
            of: boxed(of),
            negated: *negated,
        },
        Node::Like {
            of,
            pattern,
            negated,
        } => Node::Like {
            of: boxed(of),
            pattern: pattern.clone(),
            negated: *negated,
        },
        Node::Binary(op, left, right) => Node::Binary(*op, boxed(left), boxed(right)),
        Node::In {
            of: one,
            list,
            negated,
        } => Node::In {
            of: boxed(one),
            list: list.iter().map(of).collect(),
            negated: *negated,
        },
        Node::Case {
            branches,
            otherwise,
        } => Node::Case {
            branches: branches
                .iter()
                .map(|(when, then)| (of(when), of(then)))
                .collect(),
            otherwise: otherwise.as_deref().map(boxed),
        },
        Node::Call(function, args) => Node::Call(*function, args.iter().map(of).collect()),
    };
    Expr {
        node,
        ty: expr.ty,
        span: expr.span.clone(),
    }
}

/// Expressions that depend on each other: each of `names` uses the next, the last uses the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cyclic expressions: {} -> {}", names.join(" -> "), names.first().map_or("", String::as_str))]
pub struct Cycle {
    /// The cycle, from the name declared first.
    pub names: Vec<String>,
}

/// An order in which named expressions can be computed: indices into `named`, each after all it uses, otherwise as declared.
/// Names used that are not among `named` are columns that exist already.
///
/// # Errors
/// The first cycle, by declaration.
pub fn order<N: AsRef<str>, U: AsRef<str> + Ord>(
    named: &[(N, BTreeSet<U>)],
) -> Result<Vec<usize>, Cycle> {
    let index: BTreeMap<&str, usize> = named
        .iter()
        .enumerate()
        .map(|(i, (n, _))| (n.as_ref(), i))
        .collect();
    let uses: Vec<BTreeSet<usize>> = named
        .iter()
        .map(|(_, used)| {
            used.iter()
                .filter_map(|u| index.get(u.as_ref()).copied())
                .collect()
        })
        .collect();
    let mut waiting: Vec<usize> = uses.iter().map(BTreeSet::len).collect();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); named.len()];
    for (user, used) in uses.iter().enumerate() {
        for &one in used {
            users[one].push(user);
        }
    }
    let mut ready: BTreeSet<usize> = (0..named.len()).filter(|&i| waiting[i] == 0).collect();
    let mut done = Vec::with_capacity(named.len());
    while let Some(next) = ready.pop_first() {
        done.push(next);
        for &user in &users[next] {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                ready.insert(user);
            }
        }
    }
    if done.len() == named.len() {
        return Ok(done);
    }
    let names = circle(&uses, &waiting)
        .into_iter()
        .map(|i| named[i].0.as_ref().to_owned())
        .collect();
    Err(Cycle { names })
}

/// A cycle among the remaining nodes: each of them uses another remaining one.
fn circle(uses: &[BTreeSet<usize>], waiting: &[usize]) -> Vec<usize> {
    let mut path: Vec<usize> = Vec::new();
    let mut at = (0..uses.len()).find(|&i| waiting[i] > 0);
    while let Some(node) = at {
        if let Some(start) = path.iter().position(|&p| p == node) {
            let mut found = path.split_off(start);
            let first = found
                .iter()
                .enumerate()
                .min_by_key(|(_, i)| **i)
                .map_or(0, |(at, _)| at);
            found.rotate_left(first);
            return found;
        }
        path.push(node);
        at = uses[node].iter().copied().find(|&used| waiting[used] > 0);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Schema, Type, parse};

    #[test]
    fn a_column_is_replaced_wherever_it_is_read() {
        let schema = Schema {
            columns: vec![("a".to_owned(), Type::Int), ("b".to_owned(), Type::Int)],
        };
        let text = "case when not (a is null) and a in (b, a) then -a else coalesce(a, b) end + a";
        let expr = parse(text, &schema).unwrap();
        let replaced = replace_column(&expr, "a", &|column| Expr {
            node: Node::Column("c".to_owned()),
            ..column.clone()
        });
        assert_eq!(columns(&replaced), ["b", "c"].into());
        let back = replace_column(&replaced, "c", &|column| Expr {
            node: Node::Column("a".to_owned()),
            ..column.clone()
        });
        assert_eq!(back, expr);
    }

    fn named<'a>(list: &[(&'a str, &[&'a str])]) -> Vec<(&'a str, BTreeSet<&'a str>)> {
        list.iter()
            .map(|(n, used)| (*n, used.iter().copied().collect()))
            .collect()
    }

    #[test]
    fn columns_and_as_of_are_found_wherever_they_stand() {
        let schema = Schema {
            columns: ["a", "b", "c", "d", "e"]
                .map(|n| (n.to_owned(), Type::Int))
                .into(),
        };
        let text = "case when a in (1, b) then abs(-c) when not d is null then 0 else e + 1 end";
        let expr = parse(text, &schema).unwrap();
        assert_eq!(
            columns(&expr).into_iter().collect::<Vec<_>>(),
            ["a", "b", "c", "d", "e"]
        );
        assert!(!uses_as_of(&expr));
        let dated = parse("date_diff('day', as_of() - a, as_of()) > 3", &schema).unwrap();
        assert!(uses_as_of(&dated));
    }

    #[test]
    fn declaration_order_stays_where_it_can() {
        let list = named(&[("x", &["spend"]), ("y", &["z"]), ("z", &["x"]), ("w", &[])]);
        assert_eq!(order(&list).unwrap(), [0, 2, 1, 3]);
        assert_eq!(order::<&str, &str>(&[]).unwrap(), Vec::<usize>::new());
    }

    #[test]
    fn circles_are_named_from_their_first_declared_member() {
        let list = named(&[
            ("a", &["b"]),
            ("b", &["d"]),
            ("c", &["b"]),
            ("d", &["c", "free"]),
        ]);
        let cycle = order(&list).unwrap_err();
        assert_eq!(cycle.names, ["b", "d", "c"]);
        assert_eq!(cycle.to_string(), "cyclic expressions: b -> d -> c -> b");
        assert_eq!(order(&named(&[("a", &["a"])])).unwrap_err().names, ["a"]);
    }
}
