//! Files of a source as a lazy frame whose columns have the types of the expression language.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate, NaiveTime, TimeZone};
use polars::io::HiveOptions;
use polars::lazy::dsl::{
    CastColumnsPolicy, DslBuilder, ExtraColumnsPolicy, MissingColumnsPolicy, ScanSources,
    UnifiedScanArgs,
};
use polars::prelude::*;
use tessera_expr::Type;
use tessera_expr::rel::{Scan, ScanColumn, ScanFormat, SourceRows, Stored};

use crate::error::EngineError;
use crate::lower::{finite, lower, wall_clock};

/// Prefix of columns that only the engine sees.
const RAW: &str = "__raw_";

/// Name of the column with the position of a row in its file.
pub(crate) const ROW: &str = "__row";

/// Days since 1970-01-01.
pub(crate) fn epoch_day(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - 719_163
}

/// The polars type of a type of the expression language.
pub(crate) fn polars_type(ty: Type) -> DataType {
    match ty {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int64,
        Type::Float => DataType::Float64,
        Type::String => DataType::String,
        Type::Date => DataType::Date,
        Type::Timestamp => DataType::Datetime(TimeUnit::Microseconds, None),
        Type::Null => DataType::Null,
    }
}

/// The rows of these files that are visible at `as_of`, with normalised and derived columns, in file and row order. With
/// `row_numbers`, a column [`ROW`] holds the position in the file, from 0 (one file only).
pub(crate) fn visible_rows(
    rows: &SourceRows,
    files: &[PathBuf],
    row_numbers: bool,
) -> Result<LazyFrame, EngineError> {
    let scan = &rows.scan;
    let mut frame = match scan.format {
        ScanFormat::Parquet => parquet(scan, files)?,
        ScanFormat::Csv => csv(scan, files)?,
        ScanFormat::Ndjson => ndjson(scan, files)?,
    };
    if row_numbers {
        frame = frame.with_row_index(ROW, None);
    }
    if let Some(predicate) = raw_bounds(rows)? {
        frame = frame.filter(predicate);
    }
    let stands_for = |c: &ScanColumn| has_codes(c) || has_ticks(c);
    let codes = scan.columns.iter().filter(|c| stands_for(c)).map(|c| {
        let codes = col(c.name.as_str()).to_physical();
        codes.cast(DataType::Int64).alias(code_name(&c.name))
    });
    // What nobody asks for is not computed: projections are pushed down.
    frame = frame.with_columns(codes.chain(normalised(scan)).collect::<Vec<_>>());
    for name in [&rows.time, &rows.known_at].into_iter().flatten() {
        if let Some(bound) = local_bound(scan, name, rows.as_of) {
            frame = frame.filter(col(name.as_str()).is_null().or(bound));
        }
    }
    if let Some(until) = &rows.until {
        let known = col(until.as_str())
            .cast(DataType::Date)
            .lt_eq(date_literal(rows.as_of));
        let while_known = |name: &str| {
            when(known.clone())
                .then(col(name))
                .otherwise(lit(NULL))
                .alias(name)
        };
        let mut columns = vec![while_known(until)];
        let column = scan.columns.iter().find(|c| &c.name == until);
        if column.is_some_and(is_converted) {
            // An end that is not known yet is no text that did not convert.
            let raw = raw_name(until);
            let broken = col(until.as_str()).is_null();
            let kept = when(known.clone().or(broken))
                .then(col(raw.as_str()))
                .otherwise(lit(NULL));
            columns.push(kept.alias(raw.as_str()));
        }
        frame = frame.with_columns(columns);
    }
    for (name, expr) in &scan.derive {
        frame = frame.with_column(lower(expr, rows.as_of).alias(name.as_str()));
    }
    Ok(frame)
}

/// True where a text of a CSV or NDJSON file did not convert to its column's type.
pub(crate) fn broken_text(column: &ScanColumn) -> Expr {
    col(raw_name(&column.name))
        .is_not_null()
        .and(col(column.name.as_str()).is_null())
}

/// Whether the column is converted from text.
pub(crate) fn is_converted(column: &ScanColumn) -> bool {
    column.stored == Stored::Text && column.ty != Type::String
}

/// Whether the column's texts have codes, by which they can be told apart at less cost.
pub(crate) fn has_codes(column: &ScanColumn) -> bool {
    column.stored == Stored::Dictionary
}

/// Whether the column's times are told apart as the files hold them: local times are not, in the hour that comes twice.
fn has_ticks(column: &ScanColumn) -> bool {
    matches!(column.stored, Stored::Timestamp { .. })
}

/// A column by which rows are the same or not. What is derived, and ends that are not known yet, have no
/// stored form.
pub(crate) fn as_stored(rows: &SourceRows, name: &str) -> Expr {
    let scan = &rows.scan;
    let column = scan.columns.iter().find(|c| c.name == name);
    let changed = rows.until.as_deref() == Some(name) || scan.derive.iter().any(|(d, _)| d == name);
    match column.filter(|c| !changed && (has_codes(c) || has_ticks(c))) {
        Some(column) => col(code_name(&column.name)),
        None => col(name),
    }
}

/// The codes of a column's texts, equal for equal texts in all files of a scan, or the ticks of its times.
pub(crate) fn code_name(name: &str) -> String {
    format!("{RAW}code_{name}")
}

/// The text of a converted column as it stands in the file.
pub(crate) fn raw_name(name: &str) -> String {
    format!("{RAW}{name}")
}

fn paths(files: &[PathBuf]) -> Result<ScanSources, EngineError> {
    Ok(ScanSources::Paths(
        files
            .iter()
            .map(|file| PlRefPath::try_from_path(file))
            .collect::<PolarsResult<_>>()?,
    ))
}

fn parquet(scan: &Scan, files: &[PathBuf]) -> Result<LazyFrame, EngineError> {
    let stored: SchemaRef = Arc::new(
        scan.columns
            .iter()
            .filter(|c| c.stored != Stored::HivePath)
            .map(|c| Field::new(c.name.as_str().into(), stored_type(&c.stored)))
            .collect(),
    );
    let options = ParquetOptions {
        schema: Some(stored.clone()),
        parallel: ParallelStrategy::Auto,
        low_memory: false,
        use_statistics: true,
    };
    let unified = UnifiedScanArgs {
        schema: Some(stored),
        hive_options: hive(scan),
        glob: false,
        cast_columns_policy: CastColumnsPolicy {
            integer_upcast: true,
            integer_to_float_cast: true,
            float_upcast: true,
            datetime_nanoseconds_downcast: true,
            datetime_milliseconds_upcast: true,
            datetime_microseconds_upcast: true,
            null_upcast: true,
            categorical_to_string: true,
            ..CastColumnsPolicy::ERROR_ON_MISMATCH
        },
        missing_columns_policy: MissingColumnsPolicy::Raise,
        extra_columns_policy: ExtraColumnsPolicy::Ignore,
        ..Default::default()
    };
    Ok(DslBuilder::scan_parquet(paths(files)?, options, unified)?
        .build()
        .into())
}

fn hive(scan: &Scan) -> HiveOptions {
    let from_path: Schema = scan
        .columns
        .iter()
        .filter(|c| c.stored == Stored::HivePath)
        .map(|c| Field::new(c.name.as_str().into(), DataType::String))
        .collect();
    let enabled = !from_path.is_empty();
    HiveOptions {
        enabled: Some(enabled),
        hive_start_idx: 0,
        schema: enabled.then(|| Arc::new(from_path)),
        try_parse_dates: false,
    }
}

fn csv(scan: &Scan, files: &[PathBuf]) -> Result<LazyFrame, EngineError> {
    let ScanSources::Paths(paths) = paths(files)? else {
        return Err(EngineError::internal("paths".to_owned()));
    };
    let frame = LazyCsvReader::new_paths(paths)
        .with_has_header(true)
        .with_infer_schema_length(Some(0))
        .with_missing_is_null(true)
        .with_raise_if_empty(false)
        .with_glob(false)
        .finish()?;
    Ok(raw_texts(scan, frame))
}

fn ndjson(scan: &Scan, files: &[PathBuf]) -> Result<LazyFrame, EngineError> {
    let ScanSources::Paths(paths) = paths(files)? else {
        return Err(EngineError::internal("paths".to_owned()));
    };
    let schema: SchemaRef = Arc::new(
        scan.columns
            .iter()
            .map(|c| Field::new(c.name.as_str().into(), DataType::String))
            .collect(),
    );
    let frame = LazyJsonLineReader::new_paths(paths)
        .with_schema(Some(schema))
        .finish()?;
    Ok(raw_texts(scan, frame))
}

/// Keeps the text of columns that are about to be converted.
fn raw_texts(scan: &Scan, frame: LazyFrame) -> LazyFrame {
    let raws: Vec<Expr> = scan
        .columns
        .iter()
        .filter(|c| is_converted(c))
        .map(|c| col(c.name.as_str()).alias(raw_name(&c.name)))
        .collect();
    if raws.is_empty() {
        frame
    } else {
        frame.with_columns(raws)
    }
}

/// The polars type of a column as the files hold it.
fn stored_type(stored: &Stored) -> DataType {
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
        Stored::String | Stored::Text | Stored::HivePath => DataType::String,
        Stored::Dictionary => DataType::from_categories(Categories::global()),
        Stored::Date => DataType::Date,
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

/// Columns in the types of the expression language: integers of 64 bits, finite floats, local wall-clock times.
fn normalised(scan: &Scan) -> impl Iterator<Item = Expr> + '_ {
    scan.columns.iter().filter_map(move |column| {
        let name = column.name.as_str();
        let made = match (&column.stored, column.ty) {
            (Stored::Date, Type::Timestamp) => col(name).cast(polars_type(Type::Timestamp)),
            (Stored::Bool | Stored::String | Stored::Date, _) => return None,
            (
                Stored::Int {
                    bits: 64,
                    signed: true,
                },
                Type::Int,
            ) => return None,
            (Stored::Int { .. } | Stored::Decimal { .. }, ty) => col(name).cast(polars_type(ty)),
            (Stored::Float { .. }, _) => finite(col(name).cast(DataType::Float64)),
            (Stored::Dictionary, _) => col(name).cast(DataType::String),
            (Stored::Timestamp { zone, .. }, _) => local_time(scan, col(name), zone.is_some()),
            (Stored::Text | Stored::HivePath, ty) => from_text(scan, name, ty),
        };
        Some(made.alias(name))
    })
}

fn local_time(scan: &Scan, time: Expr, zoned: bool) -> Expr {
    let micros = time.dt().cast_time_unit(TimeUnit::Microseconds);
    if zoned {
        return wall_clock(micros, scan.timezone);
    }
    match scan.naive_zone {
        Some(zone) if zone != scan.timezone => {
            let zone = Some(polars_zone(zone));
            let instants = micros
                .dt()
                .replace_time_zone(zone, lit("earliest"), NonExistent::Null);
            wall_clock(instants, scan.timezone)
        }
        _ => micros,
    }
}

fn from_text(scan: &Scan, name: &str, ty: Type) -> Expr {
    let text = col(name).str().strip_chars(lit(NULL));
    match ty {
        Type::String | Type::Null => col(name),
        Type::Int => text.cast(DataType::Int64),
        Type::Float => finite(text.cast(DataType::Float64)),
        Type::Bool => {
            let lower = text.str().to_lowercase();
            when(lower.clone().eq(lit("true")).or(lower.clone().eq(lit("1"))))
                .then(lit(true))
                .when(lower.clone().eq(lit("false")).or(lower.eq(lit("0"))))
                .then(lit(false))
                .otherwise(lit(NULL).cast(DataType::Boolean))
        }
        Type::Date => text.str().to_date(strptime("%Y-%m-%d")),
        Type::Timestamp => {
            let attempt = |format: &str| {
                text.clone().str().to_datetime(
                    Some(TimeUnit::Microseconds),
                    None,
                    strptime(format),
                    lit("raise"),
                )
            };
            let naive = coalesce(&[
                attempt("%Y-%m-%dT%H:%M:%S%.f"),
                attempt("%Y-%m-%d %H:%M:%S%.f"),
                attempt("%Y-%m-%dT%H:%M"),
                attempt("%Y-%m-%d %H:%M"),
                text.clone()
                    .str()
                    .to_date(strptime("%Y-%m-%d"))
                    .cast(DataType::Datetime(TimeUnit::Microseconds, None)),
            ]);
            let utc = text.str().to_datetime(
                Some(TimeUnit::Microseconds),
                None,
                strptime("%Y-%m-%dT%H:%M:%S%.fZ"),
                lit("raise"),
            );
            let instant = local_time(
                scan,
                utc.dt().replace_time_zone(
                    Some(polars_zone(chrono_tz::UTC)),
                    lit("earliest"),
                    NonExistent::Null,
                ),
                true,
            );
            coalesce(&[local_time(scan, naive, false), instant])
        }
    }
}

fn strptime(format: &str) -> StrptimeOptions {
    StrptimeOptions {
        format: Some(format.into()),
        strict: false,
        exact: true,
        cache: true,
    }
}

fn polars_zone(zone: chrono_tz::Tz) -> polars::prelude::TimeZone {
    polars::prelude::TimeZone::from_chrono(&zone)
}

pub(crate) fn date_literal(date: NaiveDate) -> Expr {
    lit(epoch_day(date)).cast(DataType::Date)
}

/// Bounds on times as the files hold them, so that row groups can be skipped by their statistics. Exact for instants, dates
/// and wall-clock times of the pipeline's own zone; other zones are bounded after conversion.
fn raw_bounds(rows: &SourceRows) -> Result<Option<Expr>, EngineError> {
    let mut all: Option<Expr> = None;
    for name in [&rows.time, &rows.known_at].into_iter().flatten() {
        let Some(column) = rows.scan.columns.iter().find(|c| &c.name == name) else {
            continue;
        };
        let Some(after) = raw_midnight(&rows.scan, column, rows.as_of.succ_opt()) else {
            continue;
        };
        let mut bound = col(name.as_str()).lt(after);
        if let (Some(first), true) = (rows.not_before, rows.time.as_ref() == Some(name))
            && let Some(from) = raw_midnight(&rows.scan, column, Some(first))
        {
            bound = bound.and(col(name.as_str()).gt_eq(from));
        }
        let visible = col(name.as_str()).is_null().or(bound);
        all = Some(match all {
            Some(others) => others.and(visible),
            None => visible,
        });
    }
    Ok(all)
}

/// The beginning of a local day as a literal of the stored type.
fn raw_midnight(scan: &Scan, column: &ScanColumn, day: Option<NaiveDate>) -> Option<Expr> {
    let day = day?;
    let ty = stored_type(&column.stored);
    match &column.stored {
        Stored::Date => Some(date_literal(day)),
        Stored::Timestamp { zone: None, .. }
            if scan.naive_zone.is_none_or(|zone| zone == scan.timezone) =>
        {
            Some(time_literal(
                day.and_time(NaiveTime::MIN).and_utc().timestamp_micros(),
                ty,
            ))
        }
        Stored::Timestamp { zone: Some(_), .. } => {
            let local = day.and_time(NaiveTime::MIN);
            let instant = scan
                .timezone
                .from_local_datetime(&local)
                .earliest()
                .unwrap_or_else(|| scan.timezone.from_utc_datetime(&local));
            Some(time_literal(instant.timestamp_micros(), ty))
        }
        _ => None,
    }
}

/// A literal of the type `ty` itself: a cast around it would hide it from the statistics.
fn time_literal(micros: i64, ty: DataType) -> Expr {
    let DataType::Datetime(unit, zone) = &ty else {
        return lit(micros).cast(ty);
    };
    let ticks = match unit {
        TimeUnit::Milliseconds => micros.div_euclid(1_000),
        TimeUnit::Microseconds => micros,
        TimeUnit::Nanoseconds => micros.saturating_mul(1_000),
    };
    let value = AnyValue::DatetimeOwned(ticks, *unit, zone.clone().map(Arc::new));
    lit(Scalar::new(ty, value))
}

/// The bound on a local time where [`raw_bounds`] could not give one.
fn local_bound(scan: &Scan, name: &str, as_of: NaiveDate) -> Option<Expr> {
    let column = scan.columns.iter().find(|c| c.name == name)?;
    if raw_midnight(scan, column, as_of.succ_opt()).is_some() {
        return None;
    }
    Some(col(name).cast(DataType::Date).lt_eq(date_literal(as_of)))
}
