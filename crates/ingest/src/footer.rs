//! The footer of a Parquet file: columns, rows, and a cheap fingerprint.

mod unusable;

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_schema, parquet_to_arrow_schema_by_columns};
use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::Type;
use sha2::{Digest, Sha256};
use tessera_expr::decimal::MAX_DIGITS;
use tessera_expr::rel::{FileStamp, Stored};

use crate::open::{Unread, Watch, open};

pub(crate) use unusable::Unusable;

/// Largest footer accepted: 1 GiB.
const MAX_FOOTER_BYTES: u64 = 1 << 30;

/// What a file holds under a column's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Found {
    /// A flat column.
    Flat(Stored),
    /// Nothing but nulls, without a type.
    Untyped,
    /// What a pipeline cannot use.
    Unusable(Unusable),
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
    /// A text file that is UTF-8 and was read in another encoding.
    pub(crate) misread: bool,
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
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let metadata = ParquetMetaDataReader::decode_metadata(&bytes)?;
        let columns = columns(&metadata);
        Ok::<_, ParquetError>((metadata, columns))
    }));
    let (metadata, columns) = read
        .map_err(|_| "its footer is damaged".to_owned())?
        .map_err(|error| match error {
            ParquetError::External(error) => match error.downcast::<std::io::Error>() {
                Ok(error) if error.raw_os_error().is_some() => Unread::System("read", *error),
                _ => "its footer is damaged".to_owned().into(),
            },
            error => format!("its footer is damaged ({error})").into(),
        })?;
    let rows = metadata.file_metadata().num_rows();
    let rows = u64::try_from(rows)
        .map_err(|_| "its footer states a negative number of rows".to_owned())?;
    Ok(Footer {
        columns,
        rows,
        fingerprint,
        metadata: Some(Arc::new(metadata)),
        stamp: Some(stamp),
        misread: false,
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

/// The columns of a file. What is wrong with the type of one is said of that one alone: it matters only to who uses it.
fn columns(metadata: &ParquetMetaData) -> Vec<(String, Found)> {
    let of_file = metadata.file_metadata();
    let (schema, pairs) = (of_file.schema_descr(), of_file.key_value_metadata());
    let roots = schema.root_schema().get_fields();
    let all = parquet_to_arrow_schema(schema, pairs).ok();
    let all = all.filter(|all| all.fields().len() == roots.len());
    let column = |number: usize, root: &Type| {
        if let Some(all) = &all {
            return found(root, Some(all.field(number).data_type()));
        }
        let made = |pairs| {
            let only = ProjectionMask::roots(schema, [number]);
            let made = parquet_to_arrow_schema_by_columns(schema, only, pairs).ok()?;
            made.fields().first().map(|of| of.data_type().clone())
        };
        if let Some(ty) = made(pairs) {
            return found(root, Some(&ty));
        }
        // The Arrow schema may be of another table, where a program has rewritten the file, or have types of a later version.
        match made(None) {
            Some(DataType::FixedSizeBinary(_)) if !is_uuid(root) => {
                Found::Unusable(Unusable::Unknown)
            }
            ty => found(root, ty.as_ref()),
        }
    };
    let mut columns: Vec<(String, Found)> = Vec::with_capacity(roots.len());
    let (mut seen, mut several) = (HashSet::new(), HashSet::new());
    for (number, root) in roots.iter().enumerate() {
        if seen.insert(root.name()) {
            let unread = || Unusable::by_encoding((number, root), metadata).map(Found::Unusable);
            let found = match column(number, root) {
                found @ Found::Unusable(_) => found,
                found => unread().unwrap_or(found),
            };
            columns.push((root.name().to_owned(), found));
        } else {
            several.insert(root.name());
        }
    }
    for (name, found) in &mut columns {
        if several.contains(name.as_str()) {
            *found = Found::Unusable(Unusable::Several);
        }
    }
    columns
}

fn is_int96(of: &Type) -> bool {
    of.is_primitive() && of.get_physical_type() == PhysicalType::INT96
}

fn is_uuid(of: &Type) -> bool {
    of.get_basic_info().logical_type_ref() == Some(&LogicalType::Uuid)
}

/// What a column of a Parquet schema is, of this arrow type.
fn found(of: &Type, ty: Option<&DataType>) -> Found {
    if let Some(unusable) = Unusable::by_logical_type(of) {
        return Found::Unusable(unusable);
    }
    let info = of.get_basic_info();
    let is_text = matches!(
        (info.logical_type_ref(), info.converted_type()),
        (Some(LogicalType::Enum | LogicalType::Json), _)
            | (None, ConvertedType::ENUM | ConvertedType::JSON)
    );
    match ty {
        None => Found::Unusable(Unusable::Contradiction),
        Some(DataType::Null) => Found::Untyped,
        Some(_) if is_text => Found::Flat(Stored::String),
        // Days and nanoseconds of the day, which go further than nanoseconds since 1970 do, in whatever unit the times were before.
        Some(DataType::Timestamp(_, zone)) if is_int96(of) => Found::Flat(Stored::Timestamp {
            ticks_per_second: 1_000_000,
            zone: zone.as_ref().map(ToString::to_string),
        }),
        Some(ty) => stored(ty).map_or_else(|| Found::Unusable(Unusable::of(ty)), Found::Flat),
    }
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
        | DataType::Decimal128(precision, scale)
        // Of a writer whose type has room for more digits than these.
        | DataType::Decimal256(precision @ ..=MAX_DIGITS, scale) => Stored::Decimal {
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
