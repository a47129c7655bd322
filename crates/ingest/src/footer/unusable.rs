//! Types of Parquet columns that no pipeline can use: what they are in words, and what to do about them.

use arrow::datatypes::DataType;
use parquet::basic::{ConvertedType, Encoding, LogicalType, Type as PhysicalType};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::Type;

/// What a column holds that no pipeline can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Unusable {
    Lists,
    Maps,
    Structures,
    Variants,
    TimesOfDay,
    Durations,
    Intervals,
    ShortFloats,
    LongDecimals,
    NegativeScales,
    /// Decimals in so many bytes each, more than those of the longest that are read.
    WideDecimals(i32),
    /// Bytes of a fixed size that is not 16.
    FixedBytes(i32),
    /// Values of a fixed number of bytes, in an encoding of this name.
    Encoded(&'static str),
    Bson,
    Geometries,
    /// The file has several columns of the name.
    Several,
    /// A later version of Parquet defines the type.
    Unknown,
    /// The Parquet schema contradicts itself.
    Contradiction,
}

/// What to do about nested values.
const NESTED: &str = "only flat columns can be used; unnest it when the lake is written";

impl Unusable {
    /// What a column of this arrow type holds, if that says it.
    pub(super) fn of(ty: &DataType) -> Self {
        match ty {
            DataType::Map(..) => Self::Maps,
            DataType::Struct(_) | DataType::Union(..) => Self::Structures,
            DataType::Time32(_) | DataType::Time64(_) => Self::TimesOfDay,
            DataType::Duration(_) => Self::Durations,
            DataType::Interval(_) => Self::Intervals,
            DataType::Float16 => Self::ShortFloats,
            DataType::Decimal256(..) => Self::LongDecimals,
            DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) => {
                Self::NegativeScales
            }
            DataType::FixedSizeBinary(size) => Self::FixedBytes(*size),
            DataType::Dictionary(_, value) => Self::of(value),
            DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(..)
            | DataType::ListView(_)
            | DataType::LargeListView(_) => Self::Lists,
            _ => Self::Unknown,
        }
    }

    /// What a column holds by its logical type, where that alone says that no pipeline can use it.
    pub(super) fn by_logical_type(of: &Type) -> Option<Self> {
        let info = of.get_basic_info();
        match (info.logical_type_ref(), info.converted_type()) {
            (Some(LogicalType::Variant(_)), _) => Some(Self::Variants),
            (Some(LogicalType::Bson), _) | (None, ConvertedType::BSON) => Some(Self::Bson),
            (Some(LogicalType::Geometry(_) | LogicalType::Geography(_)), _) => {
                Some(Self::Geometries)
            }
            (Some(LogicalType::_Unknown { .. }), _) => Some(Self::Unknown),
            _ => None,
        }
    }

    /// What the column with this number holds by how its values are stored, where a decoder does not read that.
    pub(super) fn by_encoding(
        (number, of): (usize, &Type),
        metadata: &ParquetMetaData,
    ) -> Option<Self> {
        const MOST_BYTES: i32 = 16;
        if !of.is_primitive() || of.get_physical_type() != PhysicalType::FIXED_LEN_BYTE_ARRAY {
            return None;
        }
        let schema = metadata.file_metadata().schema_descr();
        let mut leaves = 0..schema.num_columns();
        let leaf = leaves.find(|leaf| schema.get_column_root_idx(*leaf) == number)?;
        let column = schema.column(leaf);
        let is_decimal = column.converted_type() == ConvertedType::DECIMAL
            || matches!(column.logical_type_ref(), Some(LogicalType::Decimal(_)));
        if is_decimal && column.type_length() > MOST_BYTES {
            return Some(Self::WideDecimals(column.type_length()));
        }
        let chunks = metadata.row_groups().iter();
        let mut encodings = chunks.flat_map(|group| group.column(leaf).encodings());
        encodings.find_map(|encoding| match encoding {
            Encoding::DELTA_BYTE_ARRAY => Some(Self::Encoded("DELTA_BYTE_ARRAY")),
            Encoding::BYTE_STREAM_SPLIT => Some(Self::Encoded("BYTE_STREAM_SPLIT")),
            _ => None,
        })
    }

    /// What the column holds.
    pub(crate) fn words(self) -> String {
        let words = match self {
            Self::Lists => "lists",
            Self::Maps => "maps",
            Self::Structures => "structures",
            Self::Variants => "values of the type VARIANT",
            Self::TimesOfDay => "times of day",
            Self::Durations => "durations",
            Self::Intervals => "intervals of time",
            Self::ShortFloats => "floats of 16 bits",
            Self::LongDecimals => "decimals of more than 38 digits",
            Self::NegativeScales => "decimals with a negative scale",
            Self::WideDecimals(size) => return format!("decimals of {size} bytes each"),
            Self::FixedBytes(size) => return format!("bytes of fixed size {size}"),
            Self::Encoded(name) => {
                return format!("values of a fixed number of bytes in the encoding {name}");
            }
            Self::Bson => "documents in BSON",
            Self::Geometries => "geometries",
            Self::Several => "several columns of this name",
            Self::Unknown => "values of a type that this version does not know",
            Self::Contradiction => "values whose type contradicts how they are stored",
        };
        words.to_owned()
    }

    /// What a lake can do about it.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Lists | Self::Maps | Self::Structures => NESTED,
            Self::Variants => "write what is needed of it as columns of their own, or as text",
            Self::TimesOfDay => "write the time of day as text, or as the number of its seconds",
            Self::Durations => "write the duration as a number, such as its seconds",
            Self::Intervals => "write the interval as a number, such as its days",
            Self::ShortFloats => {
                "write it as a float of 32 or 64 bits: floats of 16 bits are not read"
            }
            Self::LongDecimals => {
                "write it as a decimal of at most 38 digits, or as a float of 64 bits: longer decimals are not read"
            }
            Self::NegativeScales => {
                "write it as a decimal with digits behind the point, or as an integer: a negative scale is not read"
            }
            Self::WideDecimals(_) => {
                "write it as a decimal of at most 38 digits in 16 bytes or fewer: wider ones are not read"
            }
            Self::FixedBytes(_) => "write it as text",
            Self::Encoded(_) => {
                "write it in the encoding PLAIN or with a dictionary, as Spark does with `parquet.writer.version` \"v1\", or as a float of 64 bits"
            }
            Self::Bson => "write it as JSON, or write what is needed of it as columns of their own",
            Self::Geometries => "write it as text, or its coordinates as numbers",
            Self::Several => "give each column a name of its own when the lake is written",
            Self::Unknown => "write it as text or as a number",
            Self::Contradiction => "write the file again",
        }
    }
}
