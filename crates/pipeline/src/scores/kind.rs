//! One kind of score: everything there is to know about it. The kinds are the files beside this one that have a `KIND`.

use serde_json::Value;
use tessera_segments::Fit;
use tessera_spec::ScoreSyntax;
use tessera_spec::pipeline::{ScoreKind, ScoreSettings};

use super::ScoreModel;

/// One kind of score.
pub(crate) struct Kind {
    /// Its name, which is also that of its source file, its keys in the pipeline file, and how they are read.
    pub(crate) syntax: ScoreSyntax,
    /// The kinds of sources that it reads, in words.
    pub(crate) reads: &'static str,
    /// Tables of a pipeline file, for the documentation.
    pub(crate) example: &'static str,
    /// How it predicts, for whom, and what it publishes, as Markdown.
    pub(crate) docs: &'static str,
    /// Beginnings of the paths of the files of the program that learn and apply it, beside those that everything depends on.
    pub(crate) files: &'static [&'static str],
    /// Criteria of the rows of `quality` that it stores with what it learned.
    pub(crate) criteria: &'static [&'static str],
    /// Its settings, as what computes the score.
    pub(crate) model: fn(&ScoreKind) -> Option<&dyn ScoreModel>,
    /// Gives what was read from a store its type.
    pub(crate) restore: fn(&str, &Value) -> serde_json::Result<Fit>,
}

/// Settings of one type, as what computes the score.
pub(super) fn model<S: ScoreSettings + ScoreModel>(kind: &ScoreKind) -> Option<&dyn ScoreModel> {
    let settings: &S = kind.of()?;
    Some(settings)
}
