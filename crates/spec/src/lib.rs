//! Reads a pipeline file: from TOML to a checked [`Pipeline`], or all mistakes with their places.
//!
//! The types that matter: [`Pipeline`] (the meaning), [`Loaded`] (a file that can run), [`diagnostic::Diagnostics`] (all mistakes
//! of a file). Nothing here reads data.
//!
//! Where to look: `written` (what may be written: the JSON Schema), `file` (each table: keys, checks, meaning), `reader` (keys,
//! types, variables), `diagnostic` (how mistakes are shown), `shown` (how names and values of files are shown), `share` (counts beside a stated share), `pipeline` (the
//! meaning), `canonical` (its form for hashing), `private` (files that only their owner reads), `noted` (errors that
//! libraries hide), `letters` (names that cannot be alike), `figure` (what rows of the table `models` state), `interrupt` (a request to stop, for every crate above), `activity` (what a process was doing when it died).
//!
//! To add a key: its field in `written`, its line in `file`, its place in [`pipeline`]; `tests/schema` sees to it that the first
//! two agree. The keys of a kind of scheme are in [`SchemeSyntax`], those of a kind of score in [`ScoreSyntax`], those of an aggregate in [`AggregateSyntax`], those of a gate
//! in [`GateSyntax`], those of a file format in [`FormatSyntax`], which the crates of the kinds hand over as [`Syntax`]: one
//! description for parser, schema and documentation.

pub mod activity;
mod aggregate_syntax;
mod canonical;
pub mod diagnostic;
mod duration;
pub mod figure;
mod file;
mod format_syntax;
mod gate_syntax;
pub mod interrupt;
mod key;
pub mod letters;
pub mod noted;
pub mod pipeline;
pub mod private;
pub mod reader;
mod scheme_syntax;
mod score_syntax;
pub mod share;
pub mod shown;
mod spaced;
mod syntax;
pub mod text_keys;
pub mod time_format;
mod written;

pub use aggregate_syntax::AggregateSyntax;
pub use canonical::canonical;
pub use file::{Loaded, load, loaded, parse, read, stated_name};
pub use format_syntax::FormatSyntax;
pub use gate_syntax::{AnyLimit, GateSyntax, Limit, described};
pub use key::{Key, KeyValue, shape_of};
pub use pipeline::{Pipeline, Report};
pub use scheme_syntax::SchemeSyntax;
pub use score_syntax::ScoreSyntax;
pub use syntax::Syntax;
pub use written::{schema, schema_text};
