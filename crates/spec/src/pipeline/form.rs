//! How texts and numbers of a lake stand for values: settings of a source's text files, and of single columns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::{At, ColumnType};
use crate::time_format::TimeFormat;

/// `[sources.NAME.text]`: how the text files of a source are written.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TextSettings {
    /// Character between the fields of a CSV record; a comma by default.
    pub delimiter: Option<At<char>>,
    /// Character around fields that hold a delimiter or a line end, `None` for none; `"` by default.
    pub quote: Option<Option<char>>,
    /// WHATWG name of the encoding; UTF-8, or what a byte order mark states, by default.
    pub encoding: Option<String>,
    /// Where the names of CSV columns come from.
    pub header: Header,
    /// Lines before the header that are skipped.
    pub skip_lines: u64,
    /// What holds for every column that does not state its own.
    #[serde(flatten)]
    pub form: ColumnForm,
}

impl TextSettings {
    /// The keys that the file states of how records are written; not those of how their texts are converted.
    pub fn of_records(&self) -> Vec<&'static str> {
        let stated = [
            ("delimiter", self.delimiter.is_some()),
            ("quote", self.quote.is_some()),
            ("header", self.header != Header::FirstRecord),
            ("skip_lines", self.skip_lines > 0),
            ("encoding", self.encoding.is_some()),
        ];
        let stated = stated.into_iter().filter(|(_, is_stated)| *is_stated);
        stated.map(|(key, _)| key).collect()
    }
}

/// Where the names of CSV columns come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// The first record.
    #[default]
    FirstRecord,
    /// The columns of the contract, in its order; `column_1`, `column_2` and so on where it declares none.
    Absent,
    /// These, in the order of the fields.
    Names(Vec<String>),
}

/// A declared column of a contract.
#[derive(Debug, Clone, Serialize)]
pub struct Column {
    /// Its name.
    pub name: At<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: At<ColumnType>,
    /// Digits behind the point that `decimal(p, s)` states; texts are exact decimals where they are stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<u8>,
    /// Every file must have it; without this it is null where a file lacks it.
    #[serde(skip_serializing_if = "is_false")]
    pub required: bool,
    /// How its texts or integers stand for values.
    #[serde(flatten)]
    pub form: ColumnForm,
}

/// How the texts or integers of a column stand for values of its type. What is not stated is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ColumnForm {
    /// Forms of dates and times, each of which a text may have; ISO 8601 when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<TimeFormat>,
    /// Numbers are times since 1970-01-01T00:00:00Z in this unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<EpochUnit>,
    /// Sign before the decimals; a point by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<DecimalSign>,
    /// Sign between groups of three digits; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thousands: Option<ThousandsSign>,
    /// Texts that stand for a missing value, beside the empty one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nulls: Option<Vec<String>>,
    /// Texts are amounts of money, with signs and codes of currencies.
    #[serde(skip_serializing_if = "is_false")]
    pub money: bool,
}

impl ColumnForm {
    /// Nothing is stated.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// This form, and what it does not state from `outer`. The two signs of numbers belong together: a column that states one
    /// takes neither from the source.
    #[must_use]
    pub fn within(&self, outer: &Self) -> Self {
        let signs = if self.decimal.is_some() || self.thousands.is_some() {
            self
        } else {
            outer
        };
        Self {
            formats: if self.formats.is_empty() {
                outer.formats.clone()
            } else {
                self.formats.clone()
            },
            epoch: self.epoch.or(outer.epoch),
            decimal: signs.decimal,
            thousands: signs.thousands,
            nulls: self.nulls.clone().or_else(|| outer.nulls.clone()),
            money: self.money || outer.money,
        }
    }

    /// Sign before the decimals.
    pub fn decimal_sign(&self) -> char {
        match self.decimal {
            Some(DecimalSign::Comma) => ',',
            Some(DecimalSign::Point) | None => '.',
        }
    }
}

/// Units of times since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EpochUnit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

/// Sign before the decimals of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DecimalSign {
    /// 1299.99
    #[serde(rename = ".")]
    Point,
    /// 1299,99
    #[serde(rename = ",")]
    Comma,
}

/// Sign between groups of three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ThousandsSign {
    /// 1.299,99
    #[serde(rename = ".")]
    Point,
    /// 1,299.99
    #[serde(rename = ",")]
    Comma,
    /// 1 299.99, also with a no-break space.
    #[serde(rename = " ")]
    Space,
    /// 1'299.99, also with a typographic apostrophe.
    #[serde(rename = "'")]
    Apostrophe,
    /// 1_299.99
    #[serde(rename = "_")]
    Underscore,
}

impl ThousandsSign {
    /// Whether the character is this sign.
    pub fn is(self, c: char) -> bool {
        match self {
            Self::Point => c == '.',
            Self::Comma => c == ',',
            Self::Space => matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}'),
            Self::Apostrophe => matches!(c, '\'' | '\u{2019}'),
            Self::Underscore => c == '_',
        }
    }
}

impl Serialize for TimeFormat {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.text())
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_false(value: &bool) -> bool {
    !value
}
