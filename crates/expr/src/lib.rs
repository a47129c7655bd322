//! SQL expression text -> a closed, typed tree; and the relational plans that use it. No engine.
//!
//! The types that matter: [`Expr`] (a checked expression), [`Schema`] (the names it may use), [`rel`] (plans).
//! [`parse`] makes the first from text and the second; its `Display` prints text that parses to the same tree.
//!
//! What an expression means is `docs/expressions.md`: null, division by zero, overflow, dates, casts, every function.
//!
//! Where to look: `aggregates` (one file per aggregate), `aggregate` (what each states), `parse` (text to syntax), `check` (syntax to typed tree), `catalogue` (one row per function),
//! `failures` (where a value does not convert, or becomes null), `nulls` (which conditions can be null), `zone` (days and times of a zone),
//! `forms` (texts of a lake as values), `print` (tree to text), `analysis` (columns, order of named expressions), `error` (what
//! can be wrong).

pub mod aggregate;
pub mod aggregates;
mod analysis;
mod build;
mod catalogue;
mod check;
pub mod decimal;
mod error;
pub mod exact;
mod failures;
pub mod forms;
mod nulls;
mod parse;
mod place;
mod print;
pub mod rel;
mod source;
pub mod temporal;
mod tree;
pub mod zone;

pub use analysis::{Cycle, children, columns, order, replace_column, uses_as_of};
pub use catalogue::{FunctionDoc, functions};
pub use error::{ErrorKind, ExprError};
pub use failures::{Failure, failures, leaves_nulls_open, overflow, unexpected_null};
pub use parse::parse;
pub use place::{condition_at, parse_at};
pub use tree::{
    BinaryOp, DateUnit, EpochUnit, Expr, Function, Literal, MAX_DEPTH, Node, Schema, Type,
};
