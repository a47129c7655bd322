//! Strings: characters are Unicode scalar values, comparison is byte by byte.

use std::collections::HashSet;

use polars::prelude::arity::{broadcast_binary_elementwise, unary_elementwise};
use polars::prelude::{
    BooleanChunked, ChunkFull, DataType, Expr, Int64Chunked, IntoSeries, NewChunkedArray, Series,
    StringChunked, StringType,
};
use polars_arrow::array::View;

use super::kernels::{binary, height, many, place, unary};

fn text(of: Expr, f: fn(&str) -> String) -> Expr {
    unary(of, DataType::String, move |s| {
        let done: StringChunked = unary_elementwise(s.str()?, |x: Option<&str>| x.map(f));
        Ok(done.into_series())
    })
}

/// `lower(s)`.
pub(super) fn lower(of: Expr) -> Expr {
    text(of, str::to_lowercase)
}

/// `upper(s)`.
pub(super) fn upper(of: Expr) -> Expr {
    text(of, str::to_uppercase)
}

/// `trim(s)`.
pub(super) fn trim(of: Expr) -> Expr {
    text(of, |s| s.trim().to_owned())
}

/// `trim(s) = ''`, without making the texts.
pub(super) fn is_blank(of: Expr) -> Expr {
    unary(of, DataType::Boolean, |s| {
        let texts = s.str()?;
        let blank = |x: &str| x.chars().all(char::is_whitespace);
        // Most columns have no text that begins like a blank one: then no text is looked at, only how each begins.
        let may_be_blank =
            |view: &View| view.length == 0 || !(view.prefix as u8).is_ascii_graphic();
        let mut chunks = texts.downcast_iter();
        let none_is =
            texts.null_count() == 0 && !chunks.any(|chunk| chunk.views().iter().any(may_be_blank));
        let done: BooleanChunked = if none_is {
            BooleanChunked::full(texts.name().clone(), false, texts.len())
        } else {
            unary_elementwise(texts, |x: Option<&str>| x.map(blank))
        };
        Ok(done.into_series())
    })
}

/// `s in ('a', 'b', …)`.
pub(super) fn is_one_of(of: Expr, list: &Series) -> Expr {
    let texts = list
        .str()
        .into_iter()
        .flat_map(|texts| texts.iter().flatten());
    let texts: HashSet<String> = texts.map(str::to_owned).collect();
    // A longer one need not be looked at.
    let longest = texts.iter().map(String::len).max().unwrap_or(0);
    unary(of, DataType::Boolean, move |s| {
        let is_listed = |x: &str| x.len() <= longest && texts.contains(x);
        let done: BooleanChunked = unary_elementwise(s.str()?, |x: Option<&str>| x.map(is_listed));
        Ok(done.into_series())
    })
}

/// `length(s)`.
pub(super) fn length(of: Expr) -> Expr {
    unary(of, DataType::Int64, |s| {
        let count = |x: &str| i64::try_from(x.chars().count()).unwrap_or(i64::MAX);
        let done: Int64Chunked = unary_elementwise(s.str()?, |x: Option<&str>| x.map(count));
        Ok(done.into_series())
    })
}

/// `a || b`.
pub(super) fn join(left: Expr, right: Expr) -> Expr {
    binary(left, right, DataType::String, |a, b| {
        let done: StringChunked = broadcast_binary_elementwise::<StringType, StringType, _, _>(
            a.str()?,
            b.str()?,
            |a: Option<&str>, b: Option<&str>| Some(format!("{}{}", a?, b?)),
        );
        Ok(done.into_series())
    })
}

/// `concat(a, b, …)`.
pub(super) fn concat(args: Vec<Expr>) -> Expr {
    many(args, DataType::String, |columns| {
        let parts: Vec<StringChunked> = columns
            .iter()
            .map(|c| c.str().map(|c| c.rechunk().into_owned()))
            .collect::<Result<_, _>>()?;
        let joined = |row: usize| {
            let part =
                |p: &StringChunked| p.get(place(p.len(), row)).unwrap_or_default().to_owned();
            parts.iter().map(part).collect::<String>()
        };
        let name = columns
            .first()
            .map(|c| c.name().clone())
            .unwrap_or_default();
        let done = <StringChunked as NewChunkedArray<StringType, String>>::from_iter_values(
            name,
            (0..height(columns)).map(joined),
        );
        Ok(done.into_series())
    })
}

/// `substring(s, start, length)`: the characters at places from `start` on, before `start + length`, of those there are.
pub(super) fn substring(args: Vec<Expr>) -> Expr {
    many(args, DataType::String, |columns| {
        let [of, start, rest @ ..] = columns else {
            return Ok(polars::prelude::Series::default());
        };
        let (of, start) = (of.str()?.rechunk(), start.i64()?.rechunk());
        let length = match rest.first() {
            Some(length) => Some(length.i64()?.rechunk()),
            None => None,
        };
        let part = |row: usize| {
            let text = of.get(place(of.len(), row))?;
            let start = start.get(place(start.len(), row))?;
            let end = match &length {
                Some(length) => start.saturating_add(length.get(place(length.len(), row))?),
                None => i64::MAX,
            };
            Some(between(text, start, end))
        };
        let mut done: StringChunked = (0..height(columns)).map(part).collect();
        done.rename(columns[0].name().clone());
        Ok(done.into_series())
    })
}

/// `replace(s, from, to)`; an empty `from` is nowhere.
pub(super) fn replace(args: Vec<Expr>) -> Expr {
    many(args, DataType::String, |columns| {
        let [of, from, to] = columns else {
            return Ok(polars::prelude::Series::default());
        };
        let (of, from, to) = (
            of.str()?.rechunk(),
            from.str()?.rechunk(),
            to.str()?.rechunk(),
        );
        let replaced = |row: usize| {
            let text = of.get(place(of.len(), row))?;
            let from = from.get(place(from.len(), row))?;
            let to = to.get(place(to.len(), row))?;
            Some(if from.is_empty() {
                text.to_owned()
            } else {
                text.replace(from, to)
            })
        };
        let mut done: StringChunked = (0..height(columns)).map(replaced).collect();
        done.rename(columns[0].name().clone());
        Ok(done.into_series())
    })
}

/// `split_part(s, separator, place)`: an empty separator leaves single characters.
pub(super) fn split_part(args: Vec<Expr>) -> Expr {
    many(args, DataType::String, |columns| {
        let [of, separator, number] = columns else {
            return Ok(polars::prelude::Series::default());
        };
        let (of, separator) = (of.str()?.rechunk(), separator.str()?.rechunk());
        let number = number.i64()?.rechunk();
        let part = |row: usize| {
            let text = of.get(place(of.len(), row))?;
            let separator = separator.get(place(separator.len(), row))?;
            Some(nth_part(
                text,
                separator,
                number.get(place(number.len(), row))?,
            ))
        };
        let mut done: StringChunked = (0..height(columns)).map(part).collect();
        done.rename(columns[0].name().clone());
        Ok(done.into_series())
    })
}

/// The part at a place counted from 1, or from the end where it is negative; empty where there is none.
fn nth_part<'a>(text: &'a str, separator: &str, number: i64) -> &'a str {
    let Some(skip) = number.unsigned_abs().checked_sub(1) else {
        return "";
    };
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let found = match (separator.is_empty(), number > 0) {
        (false, true) => text.split(separator).nth(skip),
        (false, false) => {
            let parts = text.split(separator).count();
            let before = parts.checked_sub(skip.saturating_add(1));
            before.and_then(|before| text.split(separator).nth(before))
        }
        (true, true) => {
            let mut chars = text.char_indices();
            chars.nth(skip).map(|(at, c)| &text[at..at + c.len_utf8()])
        }
        (true, false) => {
            let mut chars = text.char_indices().rev();
            chars.nth(skip).map(|(at, c)| &text[at..at + c.len_utf8()])
        }
    };
    found.unwrap_or_default()
}

/// Characters at places `start..end`, counted from 1.
fn between(text: &str, start: i64, end: i64) -> &str {
    let from = usize::try_from(start.max(1) - 1).unwrap_or(usize::MAX);
    let to = usize::try_from(end.max(1) - 1).unwrap_or(usize::MAX);
    if to <= from {
        return "";
    }
    let byte = |place: usize| {
        text.char_indices()
            .nth(place)
            .map_or(text.len(), |(at, _)| at)
    };
    &text[byte(from)..byte(to)]
}

/// A pattern of `like`, taken apart.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// This character.
    Exactly(char),
    /// `_`
    One,
    /// `%`
    Any,
}

/// `s like pattern`.
pub(super) fn like(of: Expr, pattern: &str) -> Expr {
    let parts = parts(pattern);
    let fixed: Option<String> = inner(&parts).iter().map(exact).collect();
    let open_start = matches!(parts.first(), Some(Part::Any));
    let open_end = matches!(parts.last(), Some(Part::Any));
    let test: Box<dyn Fn(&str) -> bool + Send + Sync> = match fixed {
        Some(text) if open_start && open_end => Box::new(move |s| s.contains(&text)),
        Some(text) if open_start => Box::new(move |s| s.ends_with(&text)),
        Some(text) if open_end => Box::new(move |s| s.starts_with(&text)),
        Some(text) => Box::new(move |s| s == text),
        None => Box::new(move |s| matches_parts(s, &parts)),
    };
    unary(of, DataType::Boolean, move |s| {
        let done: BooleanChunked = unary_elementwise(s.str()?, |x: Option<&str>| x.map(&test));
        Ok(done.into_series())
    })
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            // the checker does not let a pattern end within an escape
            '\\' => parts.extend(chars.next().map(Part::Exactly)),
            '_' => parts.push(Part::One),
            '%' if matches!(parts.last(), Some(Part::Any)) => {}
            '%' => parts.push(Part::Any),
            c => parts.push(Part::Exactly(c)),
        }
    }
    parts
}

/// The parts without `%` at either end.
fn inner(parts: &[Part]) -> &[Part] {
    let parts = parts.strip_prefix(&[Part::Any]).unwrap_or(parts);
    parts.strip_suffix(&[Part::Any]).unwrap_or(parts)
}

fn exact(part: &Part) -> Option<char> {
    match part {
        Part::Exactly(c) => Some(*c),
        Part::One | Part::Any => None,
    }
}

/// Greedy match that backtracks only to the last `%`: the time is at most the product of both lengths.
fn matches_parts(text: &str, parts: &[Part]) -> bool {
    let mut rest = text;
    let mut at = 0;
    let mut back: Option<(usize, &str)> = None;
    loop {
        let next = rest.chars().next();
        match (parts.get(at), next) {
            (Some(Part::Any), _) => {
                at += 1;
                back = Some((at, rest));
            }
            (Some(Part::One), Some(c)) => {
                at += 1;
                rest = &rest[c.len_utf8()..];
            }
            (Some(Part::Exactly(wanted)), Some(c)) if *wanted == c => {
                at += 1;
                rest = &rest[c.len_utf8()..];
            }
            (None, None) => return true,
            _ => {
                let Some((after, from)) = back else {
                    return false;
                };
                let Some(c) = from.chars().next() else {
                    return false;
                };
                rest = &from[c.len_utf8()..];
                at = after;
                back = Some((after, rest));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::is_blank;

    #[test]
    fn blank_texts_are_found_wherever_they_stand_and_nulls_stay_null() {
        let found = |texts: &[Option<&str>]| {
            let frame = df!("t" => texts)
                .unwrap()
                .lazy()
                .select([is_blank(col("t"))]);
            let frame = frame.collect().unwrap();
            let flags: Vec<Option<bool>> =
                frame.column("t").unwrap().bool().unwrap().iter().collect();
            flags
        };
        assert_eq!(
            found(&[Some("a"), Some("longer than twelve bytes")]),
            [Some(false); 2]
        );
        assert_eq!(
            found(&[
                Some("a"),
                Some(""),
                Some(" \t"),
                Some(" b"),
                Some("\u{a0}\u{2003}"),
                Some("é")
            ]),
            [false, true, true, false, true, false].map(Some)
        );
        assert_eq!(found(&[Some("a"), None]), [Some(false), None]);
        let long = " ".repeat(20);
        assert_eq!(
            found(&[Some(&long), Some("                   x")]),
            [Some(true), Some(false)]
        );
    }
}
