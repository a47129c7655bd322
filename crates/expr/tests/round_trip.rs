//! A printed expression parses to the same tree, and no text makes the parser panic.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "texts/generator.rs"]
mod generator;

use proptest::prelude::*;
use proptest::sample::select;
use tessera_expr::{Expr, Node, Schema, Type, parse};

/// The tree without its places.
fn bare(mut expr: Expr) -> Expr {
    expr.span = 0..0;
    let boxed = |of: Box<Expr>| Box::new(bare(*of));
    let all = |list: Vec<Expr>| list.into_iter().map(bare).collect();
    expr.node = match expr.node {
        Node::Column(name) => Node::Column(name),
        Node::Literal(literal) => Node::Literal(literal),
        Node::AsOf => Node::AsOf,
        Node::Not(of) => Node::Not(boxed(of)),
        Node::Negate(of) => Node::Negate(boxed(of)),
        Node::Binary(op, left, right) => Node::Binary(op, boxed(left), boxed(right)),
        Node::IsNull { of, negated } => Node::IsNull {
            of: boxed(of),
            negated,
        },
        Node::In { of, list, negated } => Node::In {
            of: boxed(of),
            list: all(list),
            negated,
        },
        Node::Like {
            of,
            pattern,
            negated,
        } => Node::Like {
            of: boxed(of),
            pattern,
            negated,
        },
        Node::Case {
            branches,
            otherwise,
        } => Node::Case {
            branches: branches
                .into_iter()
                .map(|(when, then)| (bare(when), bare(then)))
                .collect(),
            otherwise: otherwise.map(boxed),
        },
        Node::Call(function, args) => Node::Call(function, all(args)),
        Node::Cast(of) => Node::Cast(boxed(of)),
        Node::TryCast(of) => Node::TryCast(boxed(of)),
    };
    expr
}

fn reads_back(text: &str, schema: &Schema) {
    let first = parse(text, schema).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    let printed = first.to_string();
    let second = parse(&printed, schema).unwrap_or_else(|e| panic!("{text}\n{printed}: {e:?}"));
    assert_eq!(bare(first), bare(second.clone()), "{text}\n{printed}");
    assert_eq!(second.to_string(), printed, "printing is canonical");
}

fn any_typed_text() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<u32>(), 0..80)
        .prop_map(|choices| generator::Generator::new(choices).any(5))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]

    #[test]
    fn printed_trees_parse_to_themselves(text in any_typed_text()) {
        reads_back(&text, &generator::schema());
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,60}") {
        let _ = parse(&text, &generator::schema());
    }

    #[test]
    fn arbitrary_words_never_panic_and_errors_stay_within_the_text(words in prop::collection::vec(select(WORDS.to_vec()), 0..25)) {
        let text = words.join(" ");
        if let Err(errors) = parse(&text, &generator::schema()) {
            prop_assert!(!errors.is_empty());
            for error in errors {
                prop_assert!(error.span.start <= error.span.end && error.span.end <= text.len());
                prop_assert!(text.get(error.span.clone()).is_some());
            }
        }
    }

    #[test]
    fn damaged_expressions_never_panic(text in any_typed_text(), cut in any::<prop::sample::Index>(), junk in "\\PC{0,3}") {
        let mut at = cut.index(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let damaged = format!("{}{junk}{}", &text[..at], text.get(at + 1..).unwrap_or(""));
        let _ = parse(&damaged, &generator::schema());
    }
}

const WORDS: &[&str] = &[
    "i",
    "x",
    "s",
    "d",
    "m",
    "b",
    "é",
    "\"Order Date\"",
    "1",
    "2.5",
    "'a'",
    "'é\n'",
    "null",
    "true",
    "(",
    ")",
    "(",
    ")",
    ",",
    "+",
    "-",
    "*",
    "/",
    "%",
    "||",
    "=",
    "<>",
    "<",
    "::",
    "[",
    "]",
    "{",
    "}",
    ".",
    "->",
    "?",
    ":a",
    "$1",
    "@",
    "!",
    "~",
    "^",
    "&",
    "|",
    "and",
    "or",
    "not",
    "is",
    "null",
    "distinct",
    "from",
    "in",
    "between",
    "like",
    "ilike",
    "escape",
    "case",
    "when",
    "then",
    "else",
    "end",
    "cast",
    "as",
    "int",
    "date",
    "timestamp",
    "interval",
    "select",
    "exists",
    "any",
    "all",
    "over",
    "substring",
    "trim",
    "floor",
    "coalesce",
    "round",
    "date_diff",
    "extract",
    "current_date",
    "array",
    "position",
    "overlay",
    "struct",
    "with",
    "time",
    "zone",
    "at",
    "collate",
    "similar",
    "to",
    "rlike",
    "convert",
    "values",
    "lambda",
    "--",
    "/*",
    "\n",
    "\t",
];

#[test]
fn long_chains_and_odd_names_read_back() {
    let schema = Schema {
        columns: [
            ("a", Type::Bool),
            ("select", Type::Int),
            ("say \"hi\"", Type::Int),
            ("Größe", Type::Int),
            ("date", Type::Date),
        ]
        .map(|(n, t)| (n.to_owned(), t))
        .into(),
    };
    for text in [
        &vec!["a"; 150].join(" and "),
        &vec!["a"; 150].join(" or "),
        &vec!["\"Größe\""; 150].join(" + "),
        "\"select\" + \"say \"\"hi\"\"\" - -3 - -\"select\" * (1 - (2 - 3))",
        "date > date '2026-01-01' and not date is null",
        "- -\"select\"",
        "-(-9223372036854775808)",
        "a is null is not null",
        "(a = a) = (a <> a)",
    ] {
        reads_back(text, &schema);
    }
}
