//! How files hold the values of a column.

use crate::decimal::MAX_DIGITS;
use crate::tree::Type;

/// How files hold a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Stored {
    /// true or false
    Bool,
    /// An integer.
    Int {
        /// 8, 16, 32 or 64
        bits: u8,
        /// two's complement
        signed: bool,
    },
    /// A float of 32 or 64 bits.
    Float {
        /// 32 or 64
        bits: u8,
    },
    /// An exact decimal.
    Decimal {
        /// digits
        precision: u8,
        /// digits behind the point
        scale: u8,
    },
    /// Text that is text, dictionary-encoded or not.
    String,
    /// Days.
    Date,
    /// Days that a reader hands over as milliseconds (ARROW's type Date64).
    DateMillis,
    /// An instant where it has a zone, otherwise a wall-clock time in the source's zone.
    Timestamp {
        /// 1,000 (ms), 1,000,000 (µs) or 1,000,000,000 (ns)
        ticks_per_second: u32,
        /// The zone the file states.
        zone: Option<String>,
    },
    /// Text that is converted to the column's type; text that does not convert is a broken row.
    Text,
    /// A value that the path states (`name=value`).
    HivePath,
    /// Bytes that are read as UTF-8 text; invalid ones make a broken row.
    Bytes,
    /// 16 bytes, read as the text of a UUID.
    Uuid,
    /// Several of these forms.
    Mixed,
}

impl Stored {
    /// Whether a value held like this may be an integer outside these bounds. Values of the path are compared with them when
    /// the path is read.
    pub(super) fn exceeds(&self, (least, greatest): (i64, i64)) -> bool {
        match *self {
            Self::Int { bits, signed } => {
                let (negative, positive) = match signed {
                    true => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
                    false => (0, (1_i128 << bits) - 1),
                };
                negative < i128::from(least) || positive > i128::from(greatest)
            }
            Self::Float { .. } | Self::Decimal { .. } | Self::Text => true,
            _ => false,
        }
    }

    /// Whether a value held like this may have no place in the type, so that it is decided value by value: a float that is no
    /// integer, an integer that no float stands for.
    pub fn may_break(&self, ty: Type) -> bool {
        match self {
            Self::Text => ty != Type::String,
            Self::Float { .. } => ty == Type::Int,
            Self::Decimal { precision, scale } => match ty {
                Type::Decimal { scale: wanted } => {
                    u16::from(*precision) + u16::from(wanted.saturating_sub(*scale))
                        > u16::from(MAX_DIGITS)
                        || wanted < *scale
                }
                _ => ty == Type::Int,
            },
            // Numbers since 1970, which may lie beyond the years of a calendar.
            Self::Int { .. } if matches!(ty, Type::Date | Type::Timestamp) => true,
            Self::Int { bits: 64, signed } => match ty {
                // 20 digits
                Type::Decimal { scale } => scale > MAX_DIGITS - 20,
                _ => ty == Type::Float || ty == Type::Int && !signed,
            },
            Self::Bytes => true,
            Self::Timestamp { .. } => ty == Type::Date,
            Self::Bool
            | Self::Int { .. }
            | Self::String
            | Self::Date
            | Self::DateMillis
            | Self::HivePath
            | Self::Uuid
            | Self::Mixed => false,
        }
    }
}
