//! Expressions of a pipeline file: mistakes become diagnostics that point into the file.

use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::ExprText;

use crate::{Expr, Schema, Type, parse};

/// Parses an expression of the pipeline file.
pub fn parse_at(text: &ExprText, schema: &Schema) -> Result<Expr, Vec<Diagnostic>> {
    parse(&text.value, schema).map_err(|errors| {
        errors
            .into_iter()
            .map(|error| {
                let diagnostic = Diagnostic::error("TS-E001", error.message, text.span.clone());
                let diagnostic = diagnostic.within(text.value.len(), error.span);
                match error.help {
                    Some(help) => diagnostic.with_help(help),
                    None => diagnostic,
                }
            })
            .collect()
    })
}

/// Parses a condition of the pipeline file.
pub fn condition_at(text: &ExprText, schema: &Schema) -> Result<Expr, Vec<Diagnostic>> {
    let expr = parse_at(text, schema)?;
    if matches!(expr.ty, Type::Bool | Type::Null) {
        return Ok(expr);
    }
    let problem = Diagnostic::error(
        "TS-E002",
        format!("a condition is true or false, but this is {}", expr.ty),
        text.span.clone(),
    );
    Err(vec![
        problem.with_help("compare it with something, such as `… > 0`"),
    ])
}
