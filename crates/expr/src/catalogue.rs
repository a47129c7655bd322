//! The functions: one row each. To add one: a row here, a variant of [`Function`], its lowering in the engine, and an
//! example in `docs/expressions.md`.

mod arguments;

use std::ops::{Range, RangeInclusive};

use crate::check::Checker;
use crate::tree::{DateUnit, EpochUnit, Expr, Function, Type};
use arguments::{
    as_of, date_diff, date_trunc, extreme, floats, joint, number, regexp_extract, round,
    split_part, strptime, substring, texts, to_timestamp,
};

/// What a reader needs to know of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDoc {
    /// Name as written, in lower case.
    pub name: &'static str,
    /// How it is written.
    pub signature: &'static str,
    /// What it gives.
    pub summary: &'static str,
}

/// A row of the catalogue.
pub(crate) struct Entry {
    pub(crate) doc: FunctionDoc,
    pub(crate) arity: RangeInclusive<usize>,
    pub(crate) check: fn(&mut Checker<'_>, Site, Vec<Expr>) -> Option<Expr>,
}

/// Where a call stands.
pub(crate) struct Site {
    pub(crate) doc: &'static FunctionDoc,
    pub(crate) span: Range<usize>,
}

const MANY: usize = usize::MAX;

const fn row(
    signature: &'static str,
    name: &'static str,
    arity: RangeInclusive<usize>,
    check: fn(&mut Checker<'_>, Site, Vec<Expr>) -> Option<Expr>,
    summary: &'static str,
) -> Entry {
    Entry {
        doc: FunctionDoc {
            name,
            signature,
            summary,
        },
        arity,
        check,
    }
}

/// Sorted by name.
static ENTRIES: &[Entry] = &[
    row(
        "abs(x)",
        "abs",
        1..=1,
        |c, s, a| number(c, s, a, Function::Abs),
        "distance from 0; type of x",
    ),
    row("as_of()", "as_of", 0..=0, as_of, "the run's date"),
    row(
        "ceil(x)",
        "ceil",
        1..=1,
        |c, s, a| number(c, s, a, Function::Ceil),
        "next whole number up; type of x",
    ),
    row(
        "coalesce(a, b, …)",
        "coalesce",
        2..=MANY,
        |c, s, a| joint(c, s, a, Function::Coalesce),
        "the first that is not null",
    ),
    row(
        "concat(a, b, …)",
        "concat",
        1..=MANY,
        |c, s, a| texts(c, s, a, Function::Concat, Type::String),
        "strings in a row; null counts as the empty string",
    ),
    row(
        "date_diff('unit', from, to)",
        "date_diff",
        3..=3,
        date_diff,
        "boundaries of days, weeks, months, quarters or years crossed from `from` to `to`",
    ),
    row(
        "date_trunc('unit', x)",
        "date_trunc",
        2..=2,
        date_trunc,
        "start of the day, week (Monday), month, quarter or year; type of x",
    ),
    row(
        "exp(x)",
        "exp",
        1..=1,
        |c, s, a| floats(c, s, a, Function::Exp),
        "e to the power of x",
    ),
    row(
        "floor(x)",
        "floor",
        1..=1,
        |c, s, a| number(c, s, a, Function::Floor),
        "next whole number down; type of x",
    ),
    row(
        "greatest(a, b, …)",
        "greatest",
        2..=MANY,
        |c, s, a| extreme(c, s, a, Function::Greatest),
        "the largest that is not null",
    ),
    row(
        "least(a, b, …)",
        "least",
        2..=MANY,
        |c, s, a| extreme(c, s, a, Function::Least),
        "the smallest that is not null",
    ),
    row(
        "length(s)",
        "length",
        1..=1,
        |c, s, a| texts(c, s, a, Function::Length, Type::Int),
        "number of characters",
    ),
    row(
        "ln(x)",
        "ln",
        1..=1,
        |c, s, a| floats(c, s, a, Function::Ln),
        "natural logarithm; null unless x > 0",
    ),
    row(
        "log10(x)",
        "log10",
        1..=1,
        |c, s, a| floats(c, s, a, Function::Log10),
        "decimal logarithm; null unless x > 0",
    ),
    row(
        "lower(s)",
        "lower",
        1..=1,
        |c, s, a| texts(c, s, a, Function::Lower, Type::String),
        "in lower case",
    ),
    row(
        "nullif(a, b)",
        "nullif",
        2..=2,
        |c, s, a| joint(c, s, a, Function::NullIf),
        "null where a = b, else a",
    ),
    row(
        "power(x, y)",
        "power",
        2..=2,
        |c, s, a| floats(c, s, a, Function::Power),
        "x to the power of y; null where it is not a finite number",
    ),
    row(
        "regexp_extract(s, 'pattern', group)",
        "regexp_extract",
        2..=3,
        regexp_extract,
        "what the group of the first match holds, the whole match without group; '' without a match",
    ),
    row(
        "replace(s, from, to)",
        "replace",
        3..=3,
        |c, s, a| texts(c, s, a, Function::Replace, Type::String),
        "s with every `from` in it replaced by `to`",
    ),
    row(
        "round(x, digits)",
        "round",
        1..=2,
        round,
        "nearest, halves away from 0; digits 0 to 15, default 0; type of x",
    ),
    row(
        "split_part(s, separator, place)",
        "split_part",
        3..=3,
        split_part,
        "the place-th of the parts that separators leave, from 1, or from the end where negative; '' where there is none",
    ),
    row(
        "sqrt(x)",
        "sqrt",
        1..=1,
        |c, s, a| floats(c, s, a, Function::Sqrt),
        "square root; null where x < 0",
    ),
    row(
        "strptime(s, 'format')",
        "strptime",
        2..=2,
        |c, s, a| strptime(c, s, a, Function::Strptime),
        "text of this format as a timestamp, as a date where the format has no time of the day",
    ),
    row(
        "substring(s, start, length)",
        "substring",
        2..=3,
        substring,
        "characters from the start-th, counted from 1; to the end without length",
    ),
    row(
        "to_timestamp(epoch, 'unit')",
        "to_timestamp",
        2..=2,
        to_timestamp,
        "a number of seconds ('s'), 'ms', 'us' or 'ns' since 1970-01-01T00:00:00Z as a timestamp",
    ),
    row(
        "trim(s)",
        "trim",
        1..=1,
        |c, s, a| texts(c, s, a, Function::Trim, Type::String),
        "without white space at both ends",
    ),
    row(
        "try_strptime(s, 'format')",
        "try_strptime",
        2..=2,
        |c, s, a| strptime(c, s, a, Function::TryStrptime),
        "as `strptime`, but null where the text has another format",
    ),
    row(
        "upper(s)",
        "upper",
        1..=1,
        |c, s, a| texts(c, s, a, Function::Upper, Type::String),
        "in upper case",
    ),
];

/// Every function, sorted by name.
pub fn functions() -> impl Iterator<Item = &'static FunctionDoc> {
    ENTRIES.iter().map(|entry| &entry.doc)
}

/// The row of a name in lower case.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.doc.name == name)
}

/// The name here of a function that has another name in other systems.
pub(crate) fn synonym(name: &str) -> Option<&'static str> {
    Some(match name {
        "substr" | "mid" => "substring",
        "len" | "char_length" | "character_length" => "length",
        "ifnull" | "nvl" | "isnull" => "coalesce",
        "pow" => "power",
        "ceiling" => "ceil",
        "log" => "ln",
        "datediff" | "months_between" | "age" => "date_diff",
        "trunc" => "floor",
        "now" | "today" | "current_date" | "current_timestamp" | "getdate" => "as_of",
        "lcase" => "lower",
        "ucase" => "upper",
        "concat_ws" => "concat",
        "to_date" | "str_to_date" | "parse_date" | "parse_datetime" | "date_parse" => "strptime",
        "from_unixtime" | "epoch_ms" | "make_timestamp" | "timestamp_millis" => "to_timestamp",
        "regexp_substr" | "regexp_match" | "regexp_matches" => "regexp_extract",
        "split" | "split_index" => "split_part",
        _ => return None,
    })
}

/// Functions that are refused with advice: what kind they are, and what to write instead.
pub(crate) fn refused(name: &str) -> Option<(&'static str, &'static str)> {
    match name {
        "min" => Some((
            "aggregates",
            "the smallest of several values of one row is `least(a, b)`",
        )),
        "max" => Some((
            "aggregates",
            "the largest of several values of one row is `greatest(a, b)`",
        )),
        "sum" | "count" | "avg" | "mean" | "median" | "stddev" | "std" | "first" | "last"
        | "count_distinct" => Some((
            "aggregates",
            "declare a feature with `agg = …` and use its name",
        )),
        "row_number" | "rank" | "dense_rank" | "ntile" | "lag" | "lead" => {
            Some(("window functions", "expressions see one row at a time"))
        }
        "random" | "rand" | "uuid" => Some((
            "random functions",
            "the same inputs must give the same result",
        )),
        "strftime" | "date_format" | "format_datetime" | "format_date" | "to_char" => Some((
            "functions that write times as text",
            "`cast(x as string)` writes 2026-01-31, of which `substring(text, 1, 7)` takes a part",
        )),
        "if" | "iff" => Some((
            "conditions",
            "write `case when condition then a else b end`",
        )),
        _ => None,
    }
}

impl Function {
    /// Name in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Function::Abs => "abs",
            Function::Round => "round",
            Function::Floor => "floor",
            Function::Ceil => "ceil",
            Function::Ln => "ln",
            Function::Log10 => "log10",
            Function::Exp => "exp",
            Function::Power => "power",
            Function::Sqrt => "sqrt",
            Function::Least => "least",
            Function::Greatest => "greatest",
            Function::Coalesce => "coalesce",
            Function::NullIf => "nullif",
            Function::Lower => "lower",
            Function::Upper => "upper",
            Function::Trim => "trim",
            Function::Length => "length",
            Function::Substring => "substring",
            Function::Concat => "concat",
            Function::Replace => "replace",
            Function::SplitPart => "split_part",
            Function::RegexpExtract => "regexp_extract",
            Function::Strptime => "strptime",
            Function::TryStrptime => "try_strptime",
            Function::ToTimestamp(_) => "to_timestamp",
            Function::DateDiff(_) => "date_diff",
            Function::DateTrunc(_) => "date_trunc",
        }
    }
}

impl EpochUnit {
    /// Every unit.
    pub(crate) const ALL: [EpochUnit; 4] = [
        EpochUnit::Second,
        EpochUnit::Millisecond,
        EpochUnit::Microsecond,
        EpochUnit::Nanosecond,
    ];

    /// As written in quotes.
    pub fn name(self) -> &'static str {
        match self {
            EpochUnit::Second => "s",
            EpochUnit::Millisecond => "ms",
            EpochUnit::Microsecond => "us",
            EpochUnit::Nanosecond => "ns",
        }
    }

    /// Units in a second.
    pub fn per_second(self) -> i64 {
        match self {
            EpochUnit::Second => 1,
            EpochUnit::Millisecond => 1_000,
            EpochUnit::Microsecond => 1_000_000,
            EpochUnit::Nanosecond => 1_000_000_000,
        }
    }
}

impl DateUnit {
    const ALL: [DateUnit; 5] = [
        DateUnit::Day,
        DateUnit::Week,
        DateUnit::Month,
        DateUnit::Quarter,
        DateUnit::Year,
    ];

    /// The unit of a name.
    pub(crate) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == text)
    }

    /// As written in quotes.
    pub fn name(self) -> &'static str {
        match self {
            DateUnit::Day => "day",
            DateUnit::Week => "week",
            DateUnit::Month => "month",
            DateUnit::Quarter => "quarter",
            DateUnit::Year => "year",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_named_as_they_are_written() {
        assert!(ENTRIES.is_sorted_by_key(|e| e.doc.name));
        for entry in ENTRIES {
            let (name, _) = entry.doc.signature.split_once('(').unwrap();
            assert_eq!(name, entry.doc.name);
            assert!(entry.doc.signature.ends_with(')'));
            assert!(!entry.doc.summary.is_empty());
        }
    }

    #[test]
    fn every_synonym_and_every_variant_has_a_row() {
        for name in [
            "substr",
            "len",
            "ifnull",
            "pow",
            "ceiling",
            "log",
            "datediff",
            "trunc",
            "now",
            "lcase",
            "ucase",
            "concat_ws",
            "to_date",
            "epoch_ms",
            "regexp_matches",
            "split",
        ] {
            assert!(find(synonym(name).unwrap()).is_some(), "{name}");
        }
        use Function::*;
        let all = [
            Abs,
            Round,
            Floor,
            Ceil,
            Ln,
            Log10,
            Exp,
            Power,
            Sqrt,
            Least,
            Greatest,
            Coalesce,
            NullIf,
            Lower,
            Upper,
            Trim,
            Length,
            Substring,
            Concat,
            Replace,
            SplitPart,
            RegexpExtract,
            Strptime,
            TryStrptime,
            ToTimestamp(EpochUnit::Second),
            DateDiff(DateUnit::Day),
            DateTrunc(DateUnit::Day),
        ];
        for function in all {
            assert!(find(function.name()).is_some(), "{function:?}");
        }
        assert_eq!(
            all.len() + 1,
            ENTRIES.len(),
            "and `as_of`, which is no function of the tree"
        );
    }
}
