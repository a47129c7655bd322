//! The kinds that a pipeline file may name and this crate does not know.

use crate::aggregate_syntax::AggregateSyntax;
use crate::format_syntax::FormatSyntax;
use crate::gate_syntax::GateSyntax;
use crate::scheme_syntax::SchemeSyntax;
use crate::score_syntax::ScoreSyntax;

/// What each kind states about its part of the pipeline file; the crates that know what the kinds mean hand it over.
#[derive(Debug, Clone, Default)]
pub struct Syntax {
    /// The kinds of schemes.
    pub schemes: Vec<&'static SchemeSyntax>,
    /// The kinds of scores.
    pub scores: Vec<&'static ScoreSyntax>,
    /// The aggregates.
    pub aggregates: Vec<&'static AggregateSyntax>,
    /// The file formats of sources.
    pub formats: Vec<&'static FormatSyntax>,
    /// The gates.
    pub gates: Vec<&'static GateSyntax>,
}
