//! What the functions take: one check for each kind of arguments.

use std::ops::Range;

use tessera_spec::pipeline::TimeFormat;

use super::Site;
use crate::check::{Checker, Use, Want};
use crate::error::{ErrorKind, ExprError};
use crate::tree::{DateUnit, EpochUnit, Expr, Function, Literal, Node, Type};

fn call(function: Function, args: Vec<Expr>, ty: Type, span: Range<usize>) -> Option<Expr> {
    Some(Expr {
        node: Node::Call(function, args),
        ty,
        span,
    })
}

fn expect_all(c: &mut Checker<'_>, site: &Site, args: Vec<Expr>, want: Want) -> Option<Vec<Expr>> {
    let checked: Vec<Option<Expr>> = args
        .into_iter()
        .enumerate()
        .map(|(i, arg)| {
            c.expect(arg, want, || {
                format!("argument {} of `{}`", i + 1, site.doc.name)
            })
        })
        .collect();
    checked.into_iter().collect()
}

/// One number, whose type stays.
pub(super) fn number(
    c: &mut Checker<'_>,
    site: Site,
    args: Vec<Expr>,
    function: Function,
) -> Option<Expr> {
    let args = expect_all(c, &site, args, Want::Number)?;
    let ty = args.first()?.ty;
    call(function, args, ty, site.span)
}

/// Floats to a float.
pub(super) fn floats(
    c: &mut Checker<'_>,
    site: Site,
    args: Vec<Expr>,
    function: Function,
) -> Option<Expr> {
    let args = expect_all(c, &site, args, Want::Float)?;
    call(function, args, Type::Float, site.span)
}

pub(super) fn texts(
    c: &mut Checker<'_>,
    site: Site,
    args: Vec<Expr>,
    function: Function,
    ty: Type,
) -> Option<Expr> {
    let args = expect_all(c, &site, args, Want::String)?;
    call(function, args, ty, site.span)
}

/// Values of one type to that type.
pub(super) fn joint(
    c: &mut Checker<'_>,
    site: Site,
    args: Vec<Expr>,
    function: Function,
) -> Option<Expr> {
    let (args, ty) = c.unify(&format!("`{}`", site.doc.name), args)?;
    call(function, args, ty, site.span)
}

pub(super) fn extreme(
    c: &mut Checker<'_>,
    site: Site,
    args: Vec<Expr>,
    function: Function,
) -> Option<Expr> {
    let (args, ty) = c.unify_for(Use::Order, &format!("`{}`", site.doc.name), args)?;
    c.ordered(
        ty,
        || format!("an argument of `{}`", site.doc.name),
        site.span.clone(),
    )?;
    call(function, args, ty, site.span)
}

pub(super) fn as_of(_: &mut Checker<'_>, site: Site, _: Vec<Expr>) -> Option<Expr> {
    Some(Expr {
        node: Node::AsOf,
        ty: Type::Date,
        span: site.span,
    })
}

pub(super) fn round(c: &mut Checker<'_>, site: Site, mut args: Vec<Expr>) -> Option<Expr> {
    let digits = args.split_off(1);
    let mut args = expect_all(c, &site, args, Want::Number)?;
    let ty = args.first()?.ty;
    if let Some(digits) = digits.first() {
        let valid = matches!(digits.node, Node::Literal(Literal::Int(0..=15)));
        if !valid {
            let kind = ErrorKind::Arguments {
                function: "round",
                expected: "digits as an integer constant from 0 to 15".to_owned(),
            };
            return c.refuse(ExprError::new(kind, digits.span.clone()));
        }
    }
    args.extend(digits);
    call(Function::Round, args, ty, site.span)
}

pub(super) fn substring(c: &mut Checker<'_>, site: Site, mut args: Vec<Expr>) -> Option<Expr> {
    let places = args.split_off(1);
    let text = expect_all(c, &site, args, Want::String);
    let places: Vec<Option<Expr>> = places
        .into_iter()
        .zip(["the start", "the length"])
        .map(|(arg, name)| c.expect(arg, Want::Int, || format!("{name} of `substring`")))
        .collect();
    let mut args = text?;
    for place in places {
        args.push(place?);
    }
    call(Function::Substring, args, Type::String, site.span)
}

pub(super) fn split_part(c: &mut Checker<'_>, site: Site, mut args: Vec<Expr>) -> Option<Expr> {
    let place = args.pop()?;
    let texts = expect_all(c, &site, args, Want::String);
    let place = c.expect(place, Want::Int, || "argument 3 of `split_part`".to_owned());
    let mut args = texts?;
    args.push(place?);
    call(Function::SplitPart, args, Type::String, site.span)
}

/// A constant in quotes.
fn quoted(arg: &Expr) -> Option<&str> {
    match &arg.node {
        Node::Literal(Literal::String(text)) => Some(text),
        _ => None,
    }
}

fn wrong_argument<T>(
    c: &mut Checker<'_>,
    site: &Site,
    expected: impl Into<String>,
    span: Range<usize>,
) -> Option<T> {
    let kind = ErrorKind::Arguments {
        function: site.doc.name,
        expected: expected.into(),
    };
    let help = format!("write `{}`", site.doc.signature);
    c.refuse(ExprError::new(kind, span).help(help))
}

pub(super) fn regexp_extract(c: &mut Checker<'_>, site: Site, mut args: Vec<Expr>) -> Option<Expr> {
    let rest = args.split_off(1);
    let text = expect_all(c, &site, args, Want::String);
    let pattern = rest.first()?;
    let Some(written) = quoted(pattern) else {
        let expected = "a pattern in quotes as its second argument";
        return wrong_argument(c, &site, expected, pattern.span.clone());
    };
    let groups = match regex::Regex::new(written) {
        Ok(regex) => regex.captures_len() - 1,
        Err(error) => {
            let shown = error.to_string();
            let reason = shown.lines().last().unwrap_or_default();
            let reason = reason.trim_start_matches("error: ");
            let expected = format!("a regular expression, and this is not a valid one: {reason}");
            return wrong_argument(c, &site, expected, pattern.span.clone());
        }
    };
    if let Some(group) = rest.get(1) {
        let known = match group.node {
            Node::Literal(Literal::Int(number)) => {
                usize::try_from(number).is_ok_and(|number| number <= groups)
            }
            _ => false,
        };
        if !known {
            let expected =
                format!("a constant from 0 to {groups} as the number of a group of the pattern");
            return wrong_argument(c, &site, expected, group.span.clone());
        }
    }
    let mut args = text?;
    args.extend(rest);
    call(Function::RegexpExtract, args, Type::String, site.span)
}

pub(super) fn strptime(
    c: &mut Checker<'_>,
    site: Site,
    mut args: Vec<Expr>,
    function: Function,
) -> Option<Expr> {
    let format = args.pop()?;
    let text = expect_all(c, &site, args, Want::String);
    let Some(written) = quoted(&format) else {
        let expected = "a format in quotes as its second argument, such as '%d.%m.%Y'";
        return wrong_argument(c, &site, expected, format.span.clone());
    };
    let ty = match TimeFormat::parse(written) {
        Ok(checked) if checked.has_time() => Type::Timestamp,
        Ok(_) => Type::Date,
        Err(reason) => {
            let expected = format!("a format, and `{written}` is not a valid one: {reason}");
            return wrong_argument(c, &site, expected, format.span.clone());
        }
    };
    let mut args = text?;
    args.push(format);
    call(function, args, ty, site.span)
}

pub(super) fn to_timestamp(c: &mut Checker<'_>, site: Site, mut args: Vec<Expr>) -> Option<Expr> {
    let unit = args.pop()?;
    let named =
        quoted(&unit).and_then(|text| EpochUnit::ALL.into_iter().find(|u| u.name() == text));
    let args = expect_all(c, &site, args, Want::Number);
    let Some(named) = named else {
        let expected = "'s', 'ms', 'us' or 'ns' as its second argument";
        return wrong_argument(c, &site, expected, unit.span.clone());
    };
    call(
        Function::ToTimestamp(named),
        args?,
        Type::Timestamp,
        site.span,
    )
}

/// The unit of a date function: a constant in quotes.
fn unit(c: &mut Checker<'_>, site: &Site, arg: &Expr) -> Option<DateUnit> {
    let named = match &arg.node {
        Node::Literal(Literal::String(text)) => DateUnit::named(text),
        _ => None,
    };
    if named.is_some() {
        return named;
    }
    let kind = ErrorKind::Arguments {
        function: site.doc.name,
        expected: "'day', 'week', 'month', 'quarter' or 'year' as its first argument".to_owned(),
    };
    let help = format!("write `{}`", site.doc.signature);
    c.refuse(ExprError::new(kind, arg.span.clone()).help(help))
}

pub(super) fn date_diff(c: &mut Checker<'_>, site: Site, mut args: Vec<Expr>) -> Option<Expr> {
    let dates = args.split_off(1);
    let unit = unit(c, &site, args.first()?);
    let dates: Vec<Option<Expr>> = dates
        .into_iter()
        .enumerate()
        .map(|(i, arg)| {
            c.expect(arg, Want::Day, || {
                format!("argument {} of `date_diff`", i + 2)
            })
        })
        .collect();
    let dates: Option<Vec<Expr>> = dates.into_iter().collect();
    call(Function::DateDiff(unit?), dates?, Type::Int, site.span)
}

pub(super) fn date_trunc(c: &mut Checker<'_>, site: Site, mut args: Vec<Expr>) -> Option<Expr> {
    let value = args.pop()?;
    let unit = unit(c, &site, args.first()?);
    let value = c.expect(value, Want::Temporal, || {
        "argument 2 of `date_trunc`".to_owned()
    })?;
    let ty = value.ty;
    call(Function::DateTrunc(unit?), vec![value], ty, site.span)
}
