//! Columns that stand in the path, as `name=value` folders between the path of a source and its files.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use tessera_expr::forms::{self, Moment};
use tessera_expr::temporal::DAY_MICROS;
use tessera_expr::{Literal, Type, decimal, zone};
use tessera_spec::pipeline::ColumnForm;

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

/// The value of a type that the text of a path stands for, by the settings of its column; `None` where it does not.
pub(crate) fn value(
    text: Option<&str>,
    ty: Type,
    form: &ColumnForm,
    zones: Zones,
) -> Option<Literal> {
    let is_null = |text: &str| !text.is_empty() && forms::is_null(text, form);
    let Some(text) = text.filter(|text| !is_null(forms::trimmed(text))) else {
        return Some(Literal::Null);
    };
    if ty == Type::String {
        return Some(Literal::String(text.to_owned()));
    }
    let text = forms::trimmed(text);
    let plain = form.decimal.is_none() && form.thousands.is_none();
    let float = || match (form.money, plain) {
        (true, _) => forms::read_money(text, form),
        (false, false) => forms::read_float(text, form),
        (false, true) => text.parse().ok(),
    };
    Some(match ty {
        Type::Int if plain => Literal::Int(text.parse().ok()?),
        Type::Int => Literal::Int(forms::read_integer(text, form)?),
        Type::Float => Literal::Float(float().filter(|x| x.is_finite())?),
        Type::Decimal { scale } => {
            let exact = forms::exact_decimal(text, scale, form)?;
            Literal::Decimal(decimal::parse(&exact, scale)?)
        }
        Type::Bool => Literal::Bool(boolean(text)?),
        Type::Date => Literal::Date(match form.epoch {
            Some(unit) => day(local(forms::read_epoch(text, unit)?, zones)?)?,
            None if form.formats.is_empty() => epoch_day(date(text)?),
            None => forms::read_date(text, form)?,
        }),
        Type::Timestamp => Literal::Timestamp(match form.epoch {
            Some(unit) => local(forms::read_epoch(text, unit)?, zones)?,
            None if form.formats.is_empty() => timestamp(moment(text)?, zones)?,
            None => timestamp(forms::read_moment(text, form)?, zones)?,
        }),
        Type::String | Type::Null => Literal::String(text.to_owned()),
    })
}

/// True or false, as the folders of many programs state it.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn epoch_day(date: NaiveDate) -> i32 {
    date.signed_duration_since(NaiveDate::default()).num_days() as i32
}

/// `2026-10-01` or `20261001`, and no other form.
pub(crate) fn date(text: &str) -> Option<NaiveDate> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match text.len() {
        8 if digits(text) => NaiveDate::parse_from_str(text, "%Y%m%d").ok(),
        10 => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
        _ => None,
    }
}

/// A time as a text states it: in UTC where it states an offset, else on the clock of a zone that it does not name.
pub(crate) fn moment(text: &str) -> Option<Moment> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)) {
        return Some(Moment::Instant(instant.timestamp_micros()));
    }
    const FORMS: [&str; 4] = [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ];
    let mut forms = FORMS.iter();
    let naive = forms.find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    match naive {
        Some(naive) => Some(Moment::Local(naive.and_utc().timestamp_micros())),
        None => Some(Moment::Day(i64::from(epoch_day(date(text)?)) * DAY_MICROS)),
    }
}

/// Local microseconds. As in files, a time that the clocks skipped is moved forward by the gap.
fn timestamp(moment: Moment, zones: Zones) -> Option<i64> {
    match moment {
        Moment::Day(midnight) => Some(midnight),
        Moment::Instant(micros) => local(micros, zones),
        Moment::Local(micros) => {
            let instant = zone::instant(zones.naive.unwrap_or(zones.local), micros)?;
            local(instant.micros, zones)
        }
    }
}

/// The time of an instant on the pipeline's clock.
fn local(instant: i64, zones: Zones) -> Option<i64> {
    let local = DateTime::from_timestamp_micros(instant)?.with_timezone(&zones.local);
    Some(local.naive_local().and_utc().timestamp_micros())
}

fn day(micros: i64) -> Option<i32> {
    i32::try_from(micros.div_euclid(DAY_MICROS)).ok()
}

#[cfg(test)]
mod tests {
    use tessera_spec::pipeline::{DecimalSign, EpochUnit, TimeFormat};

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
        let plain = ColumnForm::default();
        let of = |text, ty| value(Some(text), ty, &plain, UTC);
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
        assert_eq!(value(None, Type::Int, &plain, UTC), Some(Literal::Null));
        let berlin = Zones {
            naive: Some(Tz::UTC),
            local: Tz::Europe__Berlin,
        };
        assert_eq!(
            value(Some("2026-06-01 10:00"), Type::Timestamp, &plain, berlin),
            of("2026-06-01 12:00", Type::Timestamp)
        );
        let tokyo = Zones {
            naive: Some(Tz::Asia__Tokyo),
            local: Tz::UTC,
        };
        assert_eq!(
            value(Some("2026-06-01"), Type::Timestamp, &plain, tokyo),
            of("2026-06-01 00:00", Type::Timestamp)
        );
        // 29 March 2026, 02:00 to 03:00, does not exist in Berlin, 01:00 to 02:00 not in London.
        let naive = |naive, local| {
            let zones = Zones {
                naive: Some(naive),
                local,
            };
            value(Some("2026-03-29 02:30:00"), Type::Timestamp, &plain, zones)
        };
        let moved = of("2026-03-29 03:30:00", Type::Timestamp);
        assert_eq!(naive(Tz::Europe__Berlin, Tz::Europe__Berlin), moved);
        assert_eq!(
            naive(Tz::Europe__Berlin, Tz::UTC),
            of("2026-03-29 01:30:00", Type::Timestamp)
        );
    }

    #[test]
    fn settings_of_a_column_are_those_of_its_folders_too() {
        let form = |set: &dyn Fn(&mut ColumnForm)| {
            let mut form = ColumnForm::default();
            set(&mut form);
            form
        };
        let of = |text, ty, set: &dyn Fn(&mut ColumnForm)| value(Some(text), ty, &form(set), UTC);
        let nulls = |form: &mut ColumnForm| form.nulls = Some(vec!["none".to_owned()]);
        assert_eq!(of("none", Type::String, &nulls), Some(Literal::Null));
        assert_eq!(of("none", Type::Int, &nulls), Some(Literal::Null));
        let comma = |form: &mut ColumnForm| form.decimal = Some(DecimalSign::Comma);
        assert_eq!(of("1,5", Type::Float, &comma), Some(Literal::Float(1.5)));
        assert_eq!(of("1.5", Type::Float, &comma), None);
        let days = |form: &mut ColumnForm| {
            form.formats = vec![TimeFormat::parse("%d.%m.%Y").unwrap()];
        };
        let plain = |_: &mut ColumnForm| {};
        for ty in [Type::Date, Type::Timestamp] {
            assert_eq!(of("01.10.2026", ty, &days), of("2026-10-01", ty, &plain));
            assert_eq!(of("2026-10-01", ty, &days), None);
        }
        let seconds = |form: &mut ColumnForm| form.epoch = Some(EpochUnit::S);
        let noon = of("2026-10-01 12:00", Type::Timestamp, &plain);
        assert_eq!(of("1790856000", Type::Timestamp, &seconds), noon);
        let day = of("2026-10-01", Type::Date, &plain);
        assert_eq!(of("1790856000", Type::Date, &seconds), day);
        let (precision_2, plain) = (Type::Decimal { scale: 2 }, &plain);
        assert_eq!(of("1.55", precision_2, plain), Some(Literal::Decimal(155)));
        assert_eq!(of("1.555", precision_2, plain), None);
    }
}
