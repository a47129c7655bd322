//! Parquet: the footer of a file states its columns and rows, and the engine reads them.

use tessera_spec::FormatSyntax;
use tessera_spec::text_keys::{DECIMAL, NULLS, THOUSANDS};

use crate::footer;
use crate::formats::{Reads, SourceFormat};

pub(crate) static FORMAT: SourceFormat = SourceFormat {
    syntax: FormatSyntax {
        name: "parquet",
        summary: "Apache Parquet: typed columns, whose footer states them.",
        text: &[&DECIMAL, &THOUSANDS, &NULLS],
    },
    shown: "Parquet",
    endings: &["parquet", "parq", "pq"],
    further_endings: &[],
    begins: Some(b"PAR1"),
    reads: Reads::Footer(footer::read),
};
