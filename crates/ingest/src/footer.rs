//! The footer of a Parquet file: columns, rows, and a cheap fingerprint.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use sha2::{Digest, Sha256};
use tessera_expr::rel::{FileStamp, Stored};

use crate::open::{Unread, Watch, open};

/// Largest footer accepted: 1 GiB.
const MAX_FOOTER_BYTES: u64 = 1 << 30;

/// What a file holds under a column's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Found {
    /// A flat column.
    Flat(Stored),
    /// Nothing but nulls, without a type.
    Untyped,
    /// A nested or binary column, which a pipeline cannot use.
    Unusable(String),
}

/// The footer of one file.
#[derive(Debug)]
pub(crate) struct Footer {
    /// Columns in file order.
    pub(crate) columns: Vec<(String, Found)>,
    pub(crate) rows: u64,
    /// sha256 of the footer, which holds offsets, sizes and statistics of every chunk.
    pub(crate) fingerprint: String,
    /// Of a Parquet file: row groups and their statistics.
    pub(crate) metadata: Option<Arc<ParquetMetaData>>,
    /// What the file was when it was opened.
    pub(crate) stamp: Option<FileStamp>,
}

/// Reads the footer.
pub(crate) fn read(path: &Path) -> Result<Footer, Unread> {
    let (mut file, stamp) = open(path)?;
    let footer = of_file(&mut file, stamp);
    let watch = Watch::new(stamp);
    watch.compare(&file);
    watch.trouble().map_or(footer, Err)
}

fn of_file(file: &mut File, stamp: FileStamp) -> Result<Footer, Unread> {
    let file = &mut *file;
    let bytes = tail(file)?;
    let fingerprint = hex(&Sha256::digest(&bytes));
    let metadata = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let metadata = Arc::new(ParquetMetaDataReader::decode_metadata(&bytes)?);
        ArrowReaderMetadata::try_new(metadata, Default::default())
    }))
    .map_err(|_| "its footer is damaged".to_owned())?
    .map_err(|error| match error {
        ParquetError::External(error) => match error.downcast::<std::io::Error>() {
            Ok(error) if error.raw_os_error().is_some() => Unread::System("read", *error),
            _ => "its footer is damaged".to_owned().into(),
        },
        error => format!("its footer is damaged ({error})").into(),
    })?;
    let columns: Vec<(String, Found)> = metadata
        .schema()
        .fields()
        .iter()
        .map(|field| (field.name().clone(), found(field.data_type())))
        .collect();
    let mut seen = HashSet::new();
    let mut names = columns.iter().map(|(name, _)| name);
    if let Some(twice) = names.find(|name| !seen.insert(*name)) {
        return Err(format!("it has two columns with the name `{twice}`").into());
    }
    let rows = metadata.metadata().file_metadata().num_rows();
    let rows = u64::try_from(rows)
        .map_err(|_| "its footer states a negative number of rows".to_owned())?;
    Ok(Footer {
        columns,
        rows,
        fingerprint,
        metadata: Some(metadata.metadata().clone()),
        stamp: Some(stamp),
    })
}

/// The footer's bytes, found from the end of the file.
fn tail(file: &mut File) -> Result<Vec<u8>, Unread> {
    let size = file
        .seek(SeekFrom::End(0))
        .map_err(|error| Unread::System("read", error))?;
    if size == 0 {
        return Err("the file is empty".to_owned().into());
    }
    if size < 12 {
        return Err(format!("the file has {size} bytes, too few for a Parquet file").into());
    }
    let mut end = [0u8; 8];
    file.seek(SeekFrom::End(-8))
        .and_then(|_| file.read_exact(&mut end))
        .map_err(|error| Unread::System("read", error))?;
    match &end[4..] {
        b"PAR1" => {}
        b"PARE" => {
            return Err("the file is encrypted, which is not supported"
                .to_owned()
                .into());
        }
        _ => {
            return Err(
                "it does not end like a Parquet file: it is truncated, or has another format"
                    .to_owned()
                    .into(),
            );
        }
    }
    let length = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    if length > MAX_FOOTER_BYTES || length + 12 > size {
        return Err(format!(
            "its footer states a length of {length} bytes, but the file has {size}"
        )
        .into());
    }
    let mut bytes = vec![0; length as usize];
    file.seek(SeekFrom::End(-8 - length as i64))
        .and_then(|_| file.read_exact(&mut bytes))
        .map_err(|error| Unread::System("read", error))?;
    file.seek(SeekFrom::Start(0))
        .map_err(|error| Unread::System("read", error))?;
    Ok(bytes)
}

fn found(ty: &DataType) -> Found {
    match stored(ty) {
        Some(stored) => Found::Flat(stored),
        None if *ty == DataType::Null => Found::Untyped,
        None => Found::Unusable(ty.to_string()),
    }
}

/// What a lake can do about a column of a type that no pipeline can use; `what` is the name of the type.
pub(crate) fn rewritten(what: &str) -> &'static str {
    let advice = [
        (
            "Float16",
            "write it as a float of 32 or 64 bits: floats of 16 bits are not read",
        ),
        (
            "Decimal256",
            "write it as a decimal of at most 38 digits, or as a float of 64 bits: longer decimals are not read",
        ),
        (
            "Decimal",
            "write it as a decimal with digits behind the point, or as an integer: a negative scale is not read",
        ),
        (
            "Time",
            "write the time of day as text, or as the number of its seconds",
        ),
        (
            "Duration",
            "write the duration as a number, such as its seconds",
        ),
        (
            "Interval",
            "write the interval as a number, such as its days",
        ),
        ("FixedSizeBinary", "write it as text"),
        ("Dictionary", "write its values without a dictionary type"),
    ];
    let known = advice.iter().find(|(start, _)| what.starts_with(start));
    known.map_or(
        "only flat columns can be used; unnest it when the lake is written",
        |(_, advice)| advice,
    )
}

/// How a file holds a column of this arrow type; `None` for types that a pipeline cannot use.
fn stored(ty: &DataType) -> Option<Stored> {
    Some(match ty {
        DataType::Boolean => Stored::Bool,
        DataType::Int8 => Stored::Int {
            bits: 8,
            signed: true,
        },
        DataType::Int16 => Stored::Int {
            bits: 16,
            signed: true,
        },
        DataType::Int32 => Stored::Int {
            bits: 32,
            signed: true,
        },
        DataType::Int64 => Stored::Int {
            bits: 64,
            signed: true,
        },
        DataType::UInt8 => Stored::Int {
            bits: 8,
            signed: false,
        },
        DataType::UInt16 => Stored::Int {
            bits: 16,
            signed: false,
        },
        DataType::UInt32 => Stored::Int {
            bits: 32,
            signed: false,
        },
        DataType::UInt64 => Stored::Int {
            bits: 64,
            signed: false,
        },
        DataType::Float32 => Stored::Float { bits: 32 },
        DataType::Float64 => Stored::Float { bits: 64 },
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => Stored::Decimal {
            precision: *precision,
            scale: u8::try_from(*scale).ok()?,
        },
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Stored::String,
        // Its values are read as if they were written without one.
        DataType::Dictionary(_, value) => return stored(value),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Stored::Bytes,
        DataType::FixedSizeBinary(16) => Stored::Uuid,
        DataType::Date32 => Stored::Date,
        DataType::Date64 => Stored::DateMillis,
        DataType::Timestamp(unit, zone) => Stored::Timestamp {
            ticks_per_second: match unit {
                TimeUnit::Second | TimeUnit::Millisecond => 1_000,
                TimeUnit::Microsecond => 1_000_000,
                TimeUnit::Nanosecond => 1_000_000_000,
            },
            zone: zone.as_ref().map(ToString::to_string),
        },
        _ => return None,
    })
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
