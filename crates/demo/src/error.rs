//! Errors while the lake is written.

use std::path::PathBuf;

/// Errors of [`generate`](crate::generate).
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The configuration asks for no customers, or for more than ids have digits.
    #[error("the demo lake can have 1 to {max} customers, not {customers}")]
    Customers {
        /// What was asked for.
        customers: u32,
        /// The largest number allowed.
        max: u32,
    },
    /// A folder or file could not be created or written.
    #[error("cannot write the demo lake at {}: {source}; choose another folder or free the space", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The Parquet writer failed.
    #[error("cannot write {} as Parquet: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The writer's message.
        source: parquet::errors::ParquetError,
    },
    /// The columns of a table do not match its schema: a defect of the generator.
    #[error("the columns of {} do not fit together: {source}; this is a defect of the demo generator", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// Arrow's message.
        source: arrow::error::ArrowError,
    },
    /// A distribution was given impossible parameters: a defect of the archetype table.
    #[error(
        "the archetype table asks for an impossible distribution ({what}); this is a defect of the demo generator"
    )]
    Distribution {
        /// Which distribution.
        what: &'static str,
    },
}
