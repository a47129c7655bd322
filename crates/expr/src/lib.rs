//! SQL expression text -> a closed, typed tree; and the relational plans that use it. No engine.
//!
//! The types that matter: [`Expr`] (a checked expression), [`Schema`] (the names it may use), [`rel::Rel`] (a plan).

pub mod rel;
mod tree;

pub use tree::{BinaryOp, DateUnit, Expr, Function, Literal, Node, Schema, Type};
