//! Parquet files as a lazy frame of the types that the files hold.

use std::sync::Arc;

use polars::io::HiveOptions;
use polars::lazy::dsl::{
    CastColumnsPolicy, DslBuilder, ExtraColumnsPolicy, MissingColumnsPolicy, ScanSources,
    UnifiedScanArgs,
};
use polars::prelude::*;
use polars_buffer::Buffer;
use tessera_expr::rel::{FAULT, Scan, ScanFormat, Stored};

use crate::error::EngineError;

/// The columns of a scan that stand in its files, in the types in which they are read.
pub(super) fn stored_columns(scan: &Scan) -> Schema {
    let stored = scan.columns.iter();
    let stored = stored.filter(|c| c.stored != Stored::HivePath);
    let mut stored: Schema = stored
        .map(|c| Field::new(c.name.as_str().into(), stored_type(&c.stored)))
        .collect();
    if scan.format == ScanFormat::Text {
        stored.with_column(FAULT.into(), DataType::String);
    }
    stored
}

/// Reads files in memory that hold the columns of `scan` in one form each. With `has_gaps`, some lack some of the columns.
pub(super) fn parquet(
    scan: &Scan,
    files: Vec<Buffer<u8>>,
    has_gaps: bool,
) -> Result<LazyFrame, EngineError> {
    let stored: SchemaRef = Arc::new(stored_columns(scan));
    let options = ParquetOptions {
        schema: Some(stored.clone()),
        parallel: ParallelStrategy::Auto,
        low_memory: false,
        use_statistics: true,
    };
    let unified = UnifiedScanArgs {
        schema: Some(stored),
        hive_options: HiveOptions::new_disabled(),
        glob: false,
        cast_columns_policy: CastColumnsPolicy {
            integer_upcast: true,
            integer_to_float_cast: true,
            float_upcast: true,
            datetime_nanoseconds_downcast: true,
            // The instant stays what it is; UTC has many spellings.
            datetime_convert_timezone: true,
            datetime_milliseconds_upcast: true,
            datetime_microseconds_upcast: true,
            null_upcast: true,
            ..CastColumnsPolicy::ERROR_ON_MISMATCH
        },
        missing_columns_policy: if has_gaps {
            MissingColumnsPolicy::Insert
        } else {
            MissingColumnsPolicy::Raise
        },
        extra_columns_policy: ExtraColumnsPolicy::Ignore,
        ..Default::default()
    };
    let files = ScanSources::Buffers(files.into());
    Ok(DslBuilder::scan_parquet(files, options, unified)?
        .build()
        .into())
}

/// The polars type of a column as the files hold it.
pub(super) fn stored_type(stored: &Stored) -> DataType {
    match stored {
        Stored::Bool => DataType::Boolean,
        Stored::Int {
            bits: 8,
            signed: true,
        } => DataType::Int8,
        Stored::Int {
            bits: 16,
            signed: true,
        } => DataType::Int16,
        Stored::Int {
            bits: 32,
            signed: true,
        } => DataType::Int32,
        Stored::Int { signed: true, .. } => DataType::Int64,
        Stored::Int { bits: 8, .. } => DataType::UInt8,
        Stored::Int { bits: 16, .. } => DataType::UInt16,
        Stored::Int { bits: 32, .. } => DataType::UInt32,
        Stored::Int { .. } => DataType::UInt64,
        Stored::Float { bits: 32 } => DataType::Float32,
        Stored::Float { .. } => DataType::Float64,
        Stored::Decimal { precision, scale } => {
            DataType::Decimal(usize::from(*precision), usize::from(*scale))
        }
        Stored::String | Stored::Text | Stored::HivePath | Stored::Mixed => DataType::String,
        Stored::Bytes | Stored::Uuid => DataType::Binary,
        Stored::Date => DataType::Date,
        Stored::DateMillis => DataType::Datetime(TimeUnit::Milliseconds, None),
        Stored::Timestamp {
            ticks_per_second,
            zone,
        } => {
            let unit = match ticks_per_second {
                1_000 => TimeUnit::Milliseconds,
                1_000_000_000 => TimeUnit::Nanoseconds,
                _ => TimeUnit::Microseconds,
            };
            let zone = zone.as_deref().and_then(|zone| {
                polars::prelude::TimeZone::opt_try_new(Some(zone))
                    .ok()
                    .flatten()
            });
            DataType::Datetime(unit, zone)
        }
    }
}
