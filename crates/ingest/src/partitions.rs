//! Columns that stand in the path, as `name=value` folders between the path of a source and its files.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use tessera_expr::decimal;
use tessera_expr::{Literal, Type};

/// What Hive and Spark write for null.
const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";

/// A column of the path, with the text of its value; `None` is null.
pub(crate) type Partition = (String, Option<String>);

/// The columns of a file's path within its source. Its own name is no folder. The error is a sentence about the file.
pub(crate) fn of_path(relative: &str) -> Result<Vec<Partition>, String> {
    let mut found: Vec<Partition> = Vec::new();
    let folders = relative.rsplit_once('/').map_or("", |(folders, _)| folders);
    for folder in folders.split('/') {
        let Some((name, value)) = folder.split_once('=') else {
            continue;
        };
        if name.is_empty() {
            continue;
        }
        let name = decoded(name).into_owned();
        if found.iter().any(|(known, _)| *known == name) {
            return Err(format!("two folders of its path state `{name}`"));
        }
        let value = decoded(value);
        let null = value.is_empty() || value == NULL_FOLDER;
        found.push((name, (!null).then(|| value.into_owned())));
    }
    Ok(found)
}

/// The text with its percent escapes decoded. What is not an escape stays as it is: `100%`.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten();
        let escape = escape.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The zone of times that state none, and the zone of the pipeline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Zones {
    pub(crate) naive: Option<Tz>,
    pub(crate) local: Tz,
}

/// The value of a type that the text of a path stands for; `None` where it does not.
pub(crate) fn value(text: Option<&str>, ty: Type, zones: Zones) -> Option<Literal> {
    let Some(text) = text else {
        return Some(Literal::Null);
    };
    if ty == Type::String {
        return Some(Literal::String(text.to_owned()));
    }
    let text = text.trim();
    Some(match ty {
        Type::Int => Literal::Int(text.parse().ok()?),
        Type::Float => Literal::Float(text.parse().ok().filter(|x: &f64| x.is_finite())?),
        Type::Decimal { scale } => Literal::Decimal(decimal::parse(text, scale)?),
        Type::Bool => match text.to_lowercase().as_str() {
            "true" | "1" => Literal::Bool(true),
            "false" | "0" => Literal::Bool(false),
            _ => return None,
        },
        Type::Date => Literal::Date(epoch_day(date(text)?)),
        Type::Timestamp => Literal::Timestamp(timestamp(text, zones)?),
        Type::String | Type::Null => Literal::String(text.to_owned()),
    })
}

fn epoch_day(date: NaiveDate) -> i32 {
    date.signed_duration_since(NaiveDate::default()).num_days() as i32
}

/// `2026-10-01` or `20261001`, and no other form.
fn date(text: &str) -> Option<NaiveDate> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match text.len() {
        8 if digits(text) => NaiveDate::parse_from_str(text, "%Y%m%d").ok(),
        10 => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
        _ => None,
    }
}

/// Local microseconds.
fn timestamp(text: &str, zones: Zones) -> Option<i64> {
    let local = |instant: DateTime<chrono::Utc>| {
        let local = instant.with_timezone(&zones.local).naive_local();
        local.and_utc().timestamp_micros()
    };
    if let Ok(instant) = DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)) {
        return Some(local(instant.to_utc()));
    }
    const FORMS: [&str; 4] = [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ];
    let naive = FORMS
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| date(text)?.and_hms_opt(0, 0, 0))?;
    match zones.naive.filter(|zone| *zone != zones.local) {
        None => Some(naive.and_utc().timestamp_micros()),
        Some(zone) => Some(local(zone.from_local_datetime(&naive).earliest()?.to_utc())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTC: Zones = Zones {
        naive: None,
        local: Tz::UTC,
    };

    #[test]
    fn folders_are_columns_and_file_names_are_not() {
        let of = |path: &str| of_path(path).unwrap();
        let pair = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        assert_eq!(of("run=7.parquet"), []);
        assert_eq!(
            of("country=C%C3%B4te%20d%27Ivoire/year=2026/run=7.parquet"),
            [
                pair("country", Some("Côte d'Ivoire")),
                pair("year", Some("2026"))
            ]
        );
        assert_eq!(of("c=100%/p"), [pair("c", Some("100%"))]);
        assert_eq!(of("c=A+B/p"), [pair("c", Some("A+B"))]);
        assert_eq!(of("c=a%3Db/p"), [pair("c", Some("a=b"))]);
        assert_eq!(of("c=%C3/p"), [pair("c", Some("%C3"))]);
        assert_eq!(
            of("c=__HIVE_DEFAULT_PARTITION__/d=/p"),
            [pair("c", None), pair("d", None)]
        );
        assert!(of_path("c=1/c=2/p").unwrap_err().contains("`c`"));
    }

    #[test]
    fn texts_are_values_of_their_type_or_none() {
        let of = |text, ty| value(Some(text), ty, UTC);
        let day = of("2026-10-01", Type::Date);
        assert!(day.is_some());
        assert_eq!(of("20261001", Type::Date), day);
        for text in ["2026-10-1", "2026-13-01", "202610", "x"] {
            assert_eq!(of(text, Type::Date), None, "{text}");
        }
        assert_eq!(of("007", Type::Int), Some(Literal::Int(7)));
        assert_eq!(of("7.5", Type::Int), None);
        assert_eq!(of("True", Type::Bool), Some(Literal::Bool(true)));
        assert_eq!(
            of("2026-10-01 10:00:00", Type::Timestamp),
            of("2026-10-01T12:00:00+02:00", Type::Timestamp)
        );
        assert_eq!(value(None, Type::Int, UTC), Some(Literal::Null));
        let berlin = Zones {
            naive: Some(Tz::UTC),
            local: Tz::Europe__Berlin,
        };
        assert_eq!(
            value(Some("2026-06-01 10:00"), Type::Timestamp, berlin),
            of("2026-06-01 12:00", Type::Timestamp)
        );
    }
}
