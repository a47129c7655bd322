//! `[sources.NAME.text]` and the columns of a contract: how texts are converted to values.

use toml::Spanned;
use toml::de::DeValue;

use crate::diagnostic::Diagnostic;
use crate::pipeline::{
    At, Column, ColumnForm, ColumnType, DecimalSign, EpochUnit, Header, TextSettings, ThousandsSign,
};
use crate::reader::{Notes, Reader, text_of, word_of, wrong_type};
use crate::text_keys::{DECIMAL, DELIMITER, ENCODING, HEADER, NULLS, QUOTE, SKIP_LINES, THOUSANDS};
use crate::time_format::TimeFormat;

/// `[sources.NAME.text]`.
pub(super) fn text_settings(source: &Reader<'_>) -> Option<TextSettings> {
    let table = source.table("text")?;
    let delimiter = character(&table, DELIMITER.name, false);
    let quote = character(&table, QUOTE.name, true);
    if let (Some(delimiter), Some(quote)) = (&delimiter, &quote)
        && delimiter.value == quote.value
    {
        let message = "`delimiter` and `quote` are the same character";
        table
            .notes
            .add(Diagnostic::error("TS-P027", message, quote.span.clone()));
    }
    let settings = TextSettings {
        delimiter: delimiter.and_then(|found| Some(At::new(found.value?, found.span))),
        quote: quote.map(|found| found.value),
        encoding: encoding(&table),
        header: header(&table),
        skip_lines: table.whole(&SKIP_LINES).map_or(0, u64::from),
        form: ColumnForm {
            decimal: sign(&table, DECIMAL.name),
            thousands: sign(&table, THOUSANDS.name),
            nulls: nulls(&table),
            ..ColumnForm::default()
        },
    };
    check_signs(&table, &settings.form);
    table.finish();
    Some(settings)
}

/// One ASCII character; with `none`, the empty text for no character.
fn character(table: &Reader<'_>, key: &str, none: bool) -> Option<At<Option<char>>> {
    let text = text_of(table.notes, table.get(key)?, &format!("`{key}`"))?;
    let mut characters = text.value.chars();
    match (characters.next(), characters.next()) {
        (None, _) if none => return Some(At::new(None, text.span)),
        (Some(one), None) if one.is_ascii() && !matches!(one, '\n' | '\r' | '\0') => {
            return Some(At::new(Some(one), text.span));
        }
        _ => {}
    }
    let wanted = if none {
        "one ASCII character, or \"\" for none"
    } else {
        "one ASCII character, such as \";\", \"\\t\" or \"|\""
    };
    let message = format!("`{key}` must be {wanted}");
    table
        .notes
        .add(Diagnostic::error("TS-P027", message, text.span));
    None
}

fn encoding(table: &Reader<'_>) -> Option<String> {
    let text = table.text(ENCODING.name)?;
    if encoding_rs::Encoding::for_label(text.value.as_bytes()).is_none() {
        let message = format!("unknown encoding `{}`", text.value);
        table.notes.add(
            Diagnostic::error("TS-P027", message, text.span).with_help(
                "available: utf-8, latin1 (read as windows-1252), windows-1250, iso-8859-2, utf-16le, shift_jis, gbk and the other names of the WHATWG encoding standard",
            ),
        );
        return None;
    }
    Some(text.value)
}

/// `true`, `false` or a list of names.
fn header(table: &Reader<'_>) -> Header {
    let Some(value) = table.get(HEADER.name) else {
        return Header::FirstRecord;
    };
    match value.get_ref() {
        DeValue::Boolean(true) => Header::FirstRecord,
        DeValue::Boolean(false) => Header::Absent,
        DeValue::Array(_) => {
            let names = table.texts(HEADER.name).unwrap_or_default();
            if names.is_empty() {
                let message = "`header` names no column";
                table
                    .notes
                    .add(Diagnostic::error("TS-P009", message, value.span()));
            }
            Header::Names(names.into_iter().map(|name| name.value).collect())
        }
        _ => {
            let wanted = "true, false (the contract's columns, in its order) or a list of names";
            wrong_type(table.notes, value, "`header`", wanted);
            Header::FirstRecord
        }
    }
}

/// A sign of numbers; not trimmed, since one of them is a blank.
fn sign<T: serde::de::DeserializeOwned>(table: &Reader<'_>, key: &str) -> Option<T> {
    let text = text_of(table.notes, table.get(key)?, &format!("`{key}`"))?;
    word_of(table.notes, &text, key).map(|sign| sign.value)
}

fn nulls(table: &Reader<'_>) -> Option<Vec<String>> {
    let texts = table.texts(NULLS.name)?;
    Some(texts.into_iter().map(|text| text.value).collect())
}

fn check_signs(table: &Reader<'_>, form: &ColumnForm) {
    let clash = matches!(
        (form.decimal, form.thousands),
        (Some(DecimalSign::Comma), Some(ThousandsSign::Comma))
            | (Some(DecimalSign::Point) | None, Some(ThousandsSign::Point))
    );
    if clash {
        let message = "`thousands` and `decimal` are the same sign";
        table.notes.add(
            Diagnostic::error("TS-P028", message, table.value_span(THOUSANDS.name))
                .with_help("set both, for example `decimal = \",\", thousands = \".\"`"),
        );
    }
}

/// `columns` of a contract: a type, or a table with it and the form of the values.
pub(super) fn columns(table: &Reader<'_>) -> Vec<Column> {
    let Some(columns) = table.table("columns") else {
        return Vec::new();
    };
    let mut declared = Vec::new();
    for entry in columns.entries() {
        let name = entry.key;
        let made = match entry.value.get_ref() {
            DeValue::Table(inner) => {
                let title = format!("column `{}`", name.value);
                let inner = Reader::new(inner, entry.value.span(), title, table.notes);
                let made = formed(&inner, &name.value);
                inner.finish();
                made
            }
            _ => column_type(table.notes, entry.value, &name.value).map(|(ty, scale)| Formed {
                ty,
                scale,
                required: false,
                form: ColumnForm::default(),
            }),
        };
        if let Some(Formed {
            ty,
            scale,
            required,
            mut form,
        }) = made
        {
            form.money |= ty.value == ColumnType::Money;
            declared.push(Column {
                name,
                ty,
                scale,
                required,
                form,
            });
        }
    }
    declared
}

/// What a contract says of a column.
struct Formed {
    ty: At<ColumnType>,
    scale: Option<u8>,
    required: bool,
    form: ColumnForm,
}

fn formed(table: &Reader<'_>, column: &str) -> Option<Formed> {
    if !table.has("type") {
        table.missing("type", "add `type = \"date\"`, or another type");
    }
    let ty = table
        .get("type")
        .and_then(|value| column_type(table.notes, value, column));
    let form = ColumnForm {
        formats: formats(table),
        epoch: table.word::<EpochUnit>("epoch").map(|unit| unit.value),
        decimal: sign(table, DECIMAL.name),
        thousands: sign(table, THOUSANDS.name),
        nulls: nulls(table),
        money: false,
    };
    let required = table.flag("required").unwrap_or(false);
    let (ty, scale) = ty?;
    check_form(table, &ty, &form);
    Some(Formed {
        ty,
        scale,
        required,
        form,
    })
}

/// The type, and the digits behind the point where a decimal states them.
fn column_type(
    notes: &Notes,
    value: &Spanned<DeValue<'_>>,
    column: &str,
) -> Option<(At<ColumnType>, Option<u8>)> {
    let mut text = text_of(notes, value, &format!("the type of column `{column}`"))?;
    let scale = stated_scale(&text.value);
    if scale.is_some() {
        text.value = "decimal".to_owned();
    }
    let ty = word_of(notes, &text, &format!("columns.{column}"))?;
    Some((ty, scale))
}

/// The digits behind the point of `decimal(12)`, which has none, or of `decimal(12, 2)`: at most as many as digits in all, and at most
/// 38. Of Parquet files the files state them.
fn stated_scale(text: &str) -> Option<u8> {
    let inner = text.strip_prefix("decimal(")?.strip_suffix(')')?;
    let (precision, scale) = inner.split_once(',').unwrap_or((inner, "0"));
    let digits = |part: &str| part.trim().parse::<u8>().ok();
    let (precision, scale) = (digits(precision)?, digits(scale)?);
    (scale <= precision && precision <= 38).then_some(scale)
}

/// `format`: a text or a list of texts.
fn formats(table: &Reader<'_>) -> Vec<TimeFormat> {
    let texts = match table.get("format").map(Spanned::get_ref) {
        None => return Vec::new(),
        Some(DeValue::Array(_)) => table.texts("format").unwrap_or_default(),
        Some(_) => table.text("format").into_iter().collect(),
    };
    let mut formats = Vec::new();
    for text in texts {
        match TimeFormat::parse(&text.value) {
            Ok(format) => formats.push(format),
            Err(reason) => {
                let message = format!("`{}` is not a date format: {reason}", text.value);
                table.notes.add(
                    Diagnostic::error("TS-P029", message, text.span)
                        .with_help("for example `%d.%m.%Y` or `%Y-%m-%d %H:%M:%S`"),
                );
            }
        }
    }
    formats
}

/// Checks that the settings are applicable to the type.
fn check_form(table: &Reader<'_>, ty: &At<ColumnType>, form: &ColumnForm) {
    let refuse = |key: &str, message: String| {
        table
            .notes
            .add(Diagnostic::error("TS-P028", message, table.key_span(key)));
    };
    let temporal = matches!(ty.value, ColumnType::Date | ColumnType::Timestamp);
    for (key, stated) in [
        ("format", !form.formats.is_empty()),
        ("epoch", form.epoch.is_some()),
    ] {
        if stated && !temporal {
            refuse(
                key,
                format!("`{key}` is for columns of type date or timestamp"),
            );
        }
    }
    let number = !temporal && !matches!(ty.value, ColumnType::Bool | ColumnType::String);
    for (key, stated) in [
        ("decimal", form.decimal.is_some()),
        ("thousands", form.thousands.is_some()),
    ] {
        if stated && !number {
            refuse(key, format!("`{key}` is for columns of numbers"));
        }
    }
    if form.epoch.is_some() && !form.formats.is_empty() {
        refuse(
            "epoch",
            "`epoch` and `format` cannot be used together".to_owned(),
        );
    }
    if ty.value == ColumnType::Date && form.formats.iter().any(TimeFormat::has_offset) {
        let message = "a date has no offset from UTC (`%z`): declare the column as \"timestamp\"";
        refuse("format", message.to_owned());
    }
    check_signs(table, form);
}
