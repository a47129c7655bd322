//! A row-by-row interpreter of expressions, written from `docs/expressions.md` and sharing no code with the lowering.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use tessera_expr::{
    BinaryOp, DateUnit, EpochUnit, Expr, Function, Literal, Node, Schema, Type, parse,
};

/// A value that is not null.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Date(NaiveDate),
    Time(NaiveDateTime),
}

use Value::{Bool, Date, Float, Int, Text, Time};

pub(super) type Maybe = Option<Value>;

pub(super) struct Interpreter<'a> {
    pub(super) as_of: NaiveDate,
    pub(super) row: &'a [(String, Maybe)],
}

pub(super) fn day(days: i64) -> Option<NaiveDate> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    epoch
        .checked_add_signed(TimeDelta::try_days(days)?)
        .filter(|d| (1..=9999).contains(&d.year()))
}

pub(super) fn time(micros: i64) -> Option<NaiveDateTime> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?.and_time(NaiveTime::MIN);
    epoch
        .checked_add_signed(TimeDelta::microseconds(micros))
        .filter(|t| (1..=9999).contains(&t.year()))
}

fn float(x: f64) -> Maybe {
    x.is_finite().then_some(Float(x))
}

fn constant(literal: &Literal) -> Maybe {
    Some(match literal {
        Literal::Null => return None,
        Literal::Bool(b) => Bool(*b),
        Literal::Int(i) => Int(*i),
        Literal::Float(x) => Float(*x),
        Literal::Decimal(_) => panic!("no expression here has decimals"),
        Literal::String(s) => Text(s.clone()),
        Literal::Date(d) => Date(day(i64::from(*d))?),
        Literal::Timestamp(t) => Time(time(*t)?),
    })
}

/// Order of two values of one type.
fn order(a: &Value, b: &Value) -> std::cmp::Ordering {
    match (a, b) {
        (Bool(a), Bool(b)) => a.cmp(b),
        (Int(a), Int(b)) => a.cmp(b),
        (Float(a), Float(b)) => a.partial_cmp(b).unwrap(),
        (Text(a), Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Date(a), Date(b)) => a.cmp(b),
        (Time(a), Time(b)) => a.cmp(b),
        (a, b) => panic!("{a:?} beside {b:?}"),
    }
}

fn equal(a: &Maybe, b: &Maybe) -> Option<bool> {
    Some(order(a.as_ref()?, b.as_ref()?).is_eq())
}

fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skip| like(&text[skip..], rest)),
        ['_', rest @ ..] => !text.is_empty() && like(&text[1..], rest),
        ['\\', c, rest @ ..] | [c, rest @ ..] => text.first() == Some(c) && like(&text[1..], rest),
    }
}

impl Interpreter<'_> {
    pub(super) fn value(&self, expr: &Expr) -> Maybe {
        match &expr.node {
            Node::Column(name) => self.row.iter().find(|(n, _)| n == name).unwrap().1.clone(),
            Node::Literal(literal) => constant(literal),
            Node::AsOf => Some(Date(self.as_of)),
            Node::Not(of) => self.truth(of).map(|b| Bool(!b)),
            Node::Negate(of) => match self.value(of)? {
                Int(i) => i.checked_neg().map(Int),
                Float(x) => Some(Float(-x)),
                other => panic!("{other:?}"),
            },
            Node::Binary(op, a, b) => self.binary(*op, a, b),
            Node::IsNull { of, negated } => Some(Bool(self.value(of).is_none() != *negated)),
            Node::In { of, list, negated } => {
                let of = self.value(of);
                let tests: Vec<Option<bool>> = list
                    .iter()
                    .map(|item| equal(&of, &self.value(item)))
                    .collect();
                let found = if tests.contains(&Some(true)) {
                    Some(true)
                } else if tests.contains(&None) {
                    None
                } else {
                    Some(false)
                };
                found.map(|f| Bool(f != *negated))
            }
            Node::Like {
                of,
                pattern,
                negated,
            } => match self.value(of)? {
                Text(s) => {
                    let (s, p): (Vec<char>, Vec<char>) =
                        (s.chars().collect(), pattern.chars().collect());
                    Some(Bool(like(&s, &p) != *negated))
                }
                other => panic!("{other:?}"),
            },
            Node::Case {
                branches,
                otherwise,
            } => {
                for (when, then) in branches {
                    if self.truth(when) == Some(true) {
                        return self.value(then);
                    }
                }
                self.value(otherwise.as_ref()?)
            }
            Node::Call(function, args) => {
                let args: Vec<Maybe> = args.iter().map(|a| self.value(a)).collect();
                call(*function, &args)
            }
            Node::Cast(of) | Node::TryCast(of) => cast(self.value(of)?, expr.ty),
        }
    }

    fn truth(&self, expr: &Expr) -> Option<bool> {
        match self.value(expr)? {
            Bool(b) => Some(b),
            other => panic!("{other:?}"),
        }
    }

    fn binary(&self, op: BinaryOp, a: &Expr, b: &Expr) -> Maybe {
        match op {
            BinaryOp::And => match (self.truth(a), self.truth(b)) {
                (Some(false), _) | (_, Some(false)) => Some(Bool(false)),
                (Some(true), Some(true)) => Some(Bool(true)),
                _ => None,
            },
            BinaryOp::Or => match (self.truth(a), self.truth(b)) {
                (Some(true), _) | (_, Some(true)) => Some(Bool(true)),
                (Some(false), Some(false)) => Some(Bool(false)),
                _ => None,
            },
            BinaryOp::IsDistinctFrom | BinaryOp::IsNotDistinctFrom => {
                let (a, b) = (self.value(a), self.value(b));
                let same = match (&a, &b) {
                    (None, None) => true,
                    (Some(a), Some(b)) => order(a, b).is_eq(),
                    _ => false,
                };
                Some(Bool(same == (op == BinaryOp::IsNotDistinctFrom)))
            }
            _ => strict(op, self.value(a)?, self.value(b)?),
        }
    }
}

/// Operators that are null where an operand is.
fn strict(op: BinaryOp, a: Value, b: Value) -> Maybe {
    let test = |f: fn(std::cmp::Ordering) -> bool| Some(Bool(f(order(&a, &b))));
    match op {
        BinaryOp::Equal => test(std::cmp::Ordering::is_eq),
        BinaryOp::NotEqual => test(std::cmp::Ordering::is_ne),
        BinaryOp::Less => test(std::cmp::Ordering::is_lt),
        BinaryOp::LessOrEqual => test(std::cmp::Ordering::is_le),
        BinaryOp::Greater => test(std::cmp::Ordering::is_gt),
        BinaryOp::GreaterOrEqual => test(std::cmp::Ordering::is_ge),
        BinaryOp::Concat => match (a, b) {
            (Text(a), Text(b)) => Some(Text(a + &b)),
            other => panic!("{other:?}"),
        },
        BinaryOp::Divide => match (a, b) {
            (Float(a), Float(b)) if b != 0.0 => float(a / b),
            _ => None,
        },
        BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Modulo => {
            arithmetic(op, a, b)
        }
        BinaryOp::And | BinaryOp::Or | BinaryOp::IsDistinctFrom | BinaryOp::IsNotDistinctFrom => {
            panic!("{op:?}")
        }
    }
}

fn arithmetic(op: BinaryOp, a: Value, b: Value) -> Maybe {
    let moved = |d: NaiveDate, by: i128| {
        let to = i128::from(d.to_epoch_days()) + by;
        day(i64::try_from(to).ok()?).map(Date)
    };
    match (op, a, b) {
        (_, Int(a), Int(b)) => {
            let (a, b) = (i128::from(a), i128::from(b));
            let exact = match op {
                BinaryOp::Add => a + b,
                BinaryOp::Subtract => a - b,
                BinaryOp::Multiply => a * b,
                _ if b == 0 => return None,
                _ => a % b,
            };
            i64::try_from(exact).ok().map(Int)
        }
        (BinaryOp::Add, Float(a), Float(b)) => float(a + b),
        (BinaryOp::Subtract, Float(a), Float(b)) => float(a - b),
        (BinaryOp::Multiply, Float(a), Float(b)) => float(a * b),
        (_, Float(a), Float(b)) => {
            if b == 0.0 {
                None
            } else {
                float(a % b)
            }
        }
        (BinaryOp::Add, Date(d), Int(n)) | (BinaryOp::Add, Int(n), Date(d)) => {
            moved(d, i128::from(n))
        }
        (BinaryOp::Subtract, Date(d), Int(n)) => moved(d, -i128::from(n)),
        (BinaryOp::Subtract, Date(a), Date(b)) => Some(Int((a - b).num_days())),
        other => panic!("{other:?}"),
    }
}

fn number(value: &Maybe) -> Option<f64> {
    match value.as_ref()? {
        Float(x) => Some(*x),
        other => panic!("{other:?}"),
    }
}

fn text(value: &Maybe) -> Option<&str> {
    match value.as_ref()? {
        Text(s) => Some(s),
        other => panic!("{other:?}"),
    }
}

fn whole(value: &Maybe) -> Option<i64> {
    match value.as_ref()? {
        Int(i) => Some(*i),
        other => panic!("{other:?}"),
    }
}

fn call(function: Function, args: &[Maybe]) -> Maybe {
    let same_or = |f: fn(f64) -> f64| match args[0].clone()? {
        Int(i) => Some(Int(i)),
        _ => float(f(number(&args[0])?)),
    };
    match function {
        Function::Abs => match args[0].clone()? {
            Int(i) => i64::try_from(i128::from(i).abs()).ok().map(Int),
            _ => float(number(&args[0])?.abs()),
        },
        Function::Round => match args[0].clone()? {
            Int(i) => Some(Int(i)),
            Float(x) => Some(Float(round(
                x,
                args.get(1).map_or(0, |d| whole(d).unwrap()),
            ))),
            other => panic!("{other:?}"),
        },
        Function::Floor => same_or(f64::floor),
        Function::Ceil => same_or(f64::ceil),
        Function::Ln => float(number(&args[0])?.ln()),
        Function::Log10 => float(number(&args[0])?.log10()),
        Function::Exp => float(number(&args[0])?.exp()),
        Function::Sqrt => float(number(&args[0])?.sqrt()),
        Function::Power => float(number(&args[0])?.powf(number(&args[1])?)),
        Function::Least => args.iter().flatten().min_by(|a, b| order(a, b)).cloned(),
        Function::Greatest => args.iter().flatten().max_by(|a, b| order(a, b)).cloned(),
        Function::Coalesce => args.iter().flatten().next().cloned(),
        Function::NullIf => {
            if equal(&args[0], &args[1]) == Some(true) {
                None
            } else {
                args[0].clone()
            }
        }
        Function::Strptime
        | Function::TryStrptime
        | Function::ToTimestamp(_)
        | Function::DateDiff(_)
        | Function::DateTrunc(_) => call_of_times(function, args),
        _ => call_of_texts(function, args),
    }
}

/// The functions of texts.
fn call_of_texts(function: Function, args: &[Maybe]) -> Maybe {
    match function {
        Function::Lower => Some(Text(text(&args[0])?.to_lowercase())),
        Function::Upper => Some(Text(text(&args[0])?.to_uppercase())),
        Function::Trim => Some(Text(
            text(&args[0])?.trim_matches(char::is_whitespace).to_owned(),
        )),
        Function::Length => Some(Int(text(&args[0])?.chars().count() as i64)),
        Function::Substring => {
            let start = i128::from(whole(&args[1])?);
            let length = match args.get(2) {
                Some(length) => i128::from(whole(length)?),
                None => i128::from(i64::MAX) * 2,
            };
            let wanted = |place: i128| place >= start && place < start + length;
            Some(Text(
                text(&args[0])?
                    .chars()
                    .zip(1_i128..)
                    .filter(|(_, p)| wanted(*p))
                    .map(|(c, _)| c)
                    .collect(),
            ))
        }
        Function::Concat => Some(Text(args.iter().map(|a| text(a).unwrap_or("")).collect())),
        Function::Replace => {
            let (of, from, to) = (text(&args[0])?, text(&args[1])?, text(&args[2])?);
            let mut done = String::new();
            let mut rest = of;
            while let Some(at) = rest.find(from).filter(|_| !from.is_empty()) {
                done.push_str(&rest[..at]);
                done.push_str(to);
                rest = &rest[at + from.len()..];
            }
            Some(Text(done + rest))
        }
        Function::SplitPart => {
            let (of, separator, place) = (text(&args[0])?, text(&args[1])?, whole(&args[2])?);
            let parts: Vec<String> = match separator {
                "" => of.chars().map(String::from).collect(),
                separator => of.split(separator).map(str::to_owned).collect(),
            };
            let place = match place {
                place if place < 0 => parts.len() as i128 + i128::from(place),
                place => i128::from(place) - 1,
            };
            let part = usize::try_from(place)
                .ok()
                .and_then(|place| parts.get(place));
            Some(Text(part.cloned().unwrap_or_default()))
        }
        Function::RegexpExtract => {
            let regex = regex::Regex::new(text(&args[1])?).unwrap();
            let group = args.get(2).map_or(0, |group| whole(group).unwrap());
            let held = regex
                .captures(text(&args[0])?)
                .and_then(|c| c.get(group as usize));
            Some(Text(
                held.map_or(String::new(), |held| held.as_str().to_owned()),
            ))
        }
        other => panic!("{other:?} is no function of texts"),
    }
}

/// The functions of dates and times.
fn call_of_times(function: Function, args: &[Maybe]) -> Maybe {
    match function {
        Function::Strptime | Function::TryStrptime => {
            assert_eq!(text(&args[1]), Some("%d.%m.%Y"));
            let parts: Vec<&str> = text(&args[0])?.trim().split('.').collect();
            let number = |part: &str, digits: std::ops::RangeInclusive<usize>| {
                let shaped =
                    digits.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
                shaped.then(|| part.parse::<u32>().ok()).flatten()
            };
            let [d, m, y] = parts.as_slice() else {
                return None;
            };
            let (d, m, y) = (number(d, 1..=2)?, number(m, 1..=2)?, number(y, 4..=4)?);
            let date = NaiveDate::from_ymd_opt(y as i32, m, d)?;
            (date.year() >= 1).then_some(Date(date))
        }
        Function::ToTimestamp(unit) => {
            let (up, down) = match unit {
                EpochUnit::Second => (1_000_000_i128, 1),
                EpochUnit::Millisecond => (1_000, 1),
                EpochUnit::Microsecond => (1, 1),
                EpochUnit::Nanosecond => (1, 1_000),
            };
            let micros = match args[0].clone()? {
                Int(i) => (i128::from(i) * up).div_euclid(down),
                Float(x) if down > 1 => (x / 1e3).round() as i128,
                Float(x) => (x * up as f64).round() as i128,
                other => panic!("{other:?}"),
            };
            time(i64::try_from(micros).ok()?).map(Time)
        }
        Function::DateDiff(unit) => match (args[0].clone()?, args[1].clone()?) {
            (Date(from), Date(to)) => Some(Int(boundaries(unit, from, to))),
            other => panic!("{other:?}"),
        },
        Function::DateTrunc(unit) => match args[0].clone()? {
            Date(d) => Some(Date(start(unit, d))),
            Time(t) => Some(Time(start(unit, t.date()).and_time(NaiveTime::MIN))),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?} is no function of times"),
    }
}

fn round(x: f64, digits: i64) -> f64 {
    let scale: f64 = format!("1e{digits}").parse().unwrap();
    let scaled = x * scale;
    // beyond 2^52 a float has no decimals
    if scaled.abs() >= 2_f64.powi(52) {
        return x;
    }
    let (below, part) = (scaled.trunc(), scaled.fract().abs());
    (if part >= 0.5 {
        below + scaled.signum()
    } else {
        below
    }) / scale
}

/// Counted by walking where that is short, by the calendar's numbers otherwise.
fn boundaries(unit: DateUnit, from: NaiveDate, to: NaiveDate) -> i64 {
    let (a, b) = (start(unit, from), start(unit, to));
    let months = |d: NaiveDate| i64::from(d.year()) * 12 + i64::from(d.month());
    match unit {
        DateUnit::Day => (b - a).num_days(),
        DateUnit::Week => (b - a).num_days() / 7,
        DateUnit::Month => months(b) - months(a),
        DateUnit::Quarter => (months(b) - months(a)) / 3,
        DateUnit::Year => i64::from(b.year()) - i64::from(a.year()),
    }
}

fn start(unit: DateUnit, d: NaiveDate) -> NaiveDate {
    match unit {
        DateUnit::Day => d,
        DateUnit::Week => d - Days::new(u64::from(d.weekday().num_days_from_monday())),
        DateUnit::Month => d.with_day(1).unwrap(),
        DateUnit::Quarter => {
            NaiveDate::from_ymd_opt(d.year(), (d.month() - 1) / 3 * 3 + 1, 1).unwrap()
        }
        DateUnit::Year => NaiveDate::from_ymd_opt(d.year(), 1, 1).unwrap(),
    }
}

fn cast(value: Value, to: Type) -> Maybe {
    let midnight = |d: NaiveDate| Time(d.and_time(NaiveTime::MIN));
    Some(match (value, to) {
        (Bool(b), Type::Int) => Int(i64::from(b)),
        (Bool(b), Type::Float) => Float(f64::from(u8::from(b))),
        (Bool(b), Type::String) => Text(b.to_string()),
        (Int(i), Type::Bool) => Bool(i != 0),
        (Int(i), Type::Float) => Float(i as f64),
        (Int(i), Type::String) => Text(i.to_string()),
        (Float(x), Type::Bool) => Bool(x != 0.0),
        (Float(x), Type::Int) => Int(i64::try_from(x as i128).ok()?),
        (Float(x), Type::String) => Text(format!("{:?}", if x == 0.0 { 0.0 } else { x })),
        (Date(d), Type::Timestamp) => midnight(d),
        (Date(d), Type::String) => Text(d.to_string()),
        (Time(t), Type::Date) => Date(t.date()),
        (Time(t), Type::String) => {
            let decimals = if t.and_utc().timestamp_subsec_micros() == 0 {
                ""
            } else {
                "%.6f"
            };
            Text(
                t.format(&format!("%Y-%m-%d %H:%M:%S{decimals}"))
                    .to_string(),
            )
        }
        (Text(s), to) => return read(s.trim(), to),
        (value, to) => panic!("{value:?} to {to}"),
    })
}

/// A text whose seven to nine decimals of a second are cut to six, as casts do and literals do not.
fn to_microseconds(s: &str) -> &str {
    let is_long = |decimals: &str| {
        (7..=9).contains(&decimals.len()) && decimals.bytes().all(|b| b.is_ascii_digit())
    };
    match s.rfind('.') {
        Some(point) if is_long(&s[point + 1..]) => &s[..point + 7],
        _ => s,
    }
}

fn read(s: &str, to: Type) -> Maybe {
    let literal = match to {
        Type::Bool => return s.to_lowercase().parse().ok().map(Bool),
        Type::Int => return s.parse().ok().map(Int),
        Type::Float => return s.parse().ok().and_then(float),
        Type::Date => format!("date '{s}'"),
        Type::Timestamp => format!("timestamp '{}'", to_microseconds(s)),
        Type::String | Type::Null | Type::Decimal { .. } => panic!("{to}"),
    };
    if to == Type::Timestamp
        && [Some(b'T'), Some(b' ')].contains(&s.as_bytes().get(10).copied())
        && let Ok(instant) = chrono::DateTime::parse_from_rfc3339(s)
    {
        return Some(Time(instant.naive_utc()));
    }
    // a date or timestamp is read where the constant of that text is accepted; a date also where a timestamp is
    let parsed = match parse(&literal, &Schema::default()) {
        Err(_) if to == Type::Date => return cast(read(s, Type::Timestamp)?, Type::Date),
        parsed => parsed.ok()?,
    };
    match parsed.node {
        Node::Literal(literal) => constant(&literal),
        other => panic!("{other:?}"),
    }
}
