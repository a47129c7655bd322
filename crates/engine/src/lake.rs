//! Parquet files of the lake, read through file descriptors and never mapped into memory: if a file is truncated while it is read,
//! that is an error and not a signal. polars decodes images: Parquet files in memory with the row groups and columns that a plan
//! reads.
//!
//! The types that matter: [`Window`] (what is decoded at a time), [`Piece`] (row groups that are decoded as one file).
//!
//! Where to look: `file` (descriptors), `footer` (what a file says of itself, and whether it can be so), `pages` (headers and
//! checksums of pages), `plain` (pages without compression), `thrift` (how both are written), `arrow_schema` (what footers say of the
//! types of ARROW), `image` (what polars is given) and `head` (its schema), `prune` (row groups that bounds keep out), `unpacked` (what decoded rows take),
//! `windows` (reading ahead).

mod arrow_schema;
mod file;
mod footer;
mod head;
mod image;
mod pages;
mod plain;
mod prune;
mod side;
mod thrift;
mod unpacked;
mod windows;

pub(crate) use prune::{TimeBound, Unit};
pub(crate) use side::Side;
pub(crate) use windows::{How, Piece, Reading, Run, limit, read};

/// A fault of a file of the lake.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Its content is not what it must be: a sentence about the file.
    Damaged(String),
    /// It has changed: how it differs.
    Changed(String),
    /// The operating system refused: what was tried, and why not.
    System(&'static str, std::io::Error),
    /// A part of it would take more memory than the run may take: what, how many bytes, and how many there may be.
    TooLarge(String, u64, u64),
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self::Damaged(reason)
    }
}
