//! The position of joins among the derived columns of a source: each directly before the first expression that reads its columns.

use std::collections::BTreeMap;

use tessera_expr::rel::{Join, JoinedColumn, OWN, RowCheck, RowOutcome, SourceRows};
use tessera_expr::{Expr, Schema, Type};
use tessera_spec::diagnostic::{Diagnostic, unknown_name};
use tessera_spec::pipeline::{self, At, ExprText, Several, Source};

use crate::columns::unknown_column;
use crate::keys::key_in;
use crate::mentioned::names_in;
use crate::planned::Planned;

/// A lookup that joins may search, and its rows where they could be planned.
pub(crate) type Lookups<'a> = BTreeMap<&'a str, (&'a Source, Option<&'a Planned>)>;

/// The joins of a source that are not placed yet, by name, and those that are.
pub(crate) struct Joins<'a> {
    source: &'a Source,
    lookups: &'a Lookups<'a>,
    pending: Vec<&'a pipeline::Join>,
    /// Entries of `derive` that are made, and the columns of the plan that they made.
    made: (usize, usize),
    /// Joins in their places.
    pub(crate) planned: Vec<Join>,
}

impl<'a> Joins<'a> {
    pub(crate) fn new(source: &'a Source, lookups: &'a Lookups<'a>) -> Self {
        let mut pending: Vec<_> = source.joins.iter().collect();
        pending.sort_by(|a, b| a.name.value.cmp(&b.name.value));
        Self {
            source,
            lookups,
            pending,
            made: (0, 0),
            planned: Vec::new(),
        }
    }

    /// Places the joins whose columns an expression names, behind the entries of `derive` that are made and the columns that
    /// they made.
    pub(crate) fn before(
        &mut self,
        text: &ExprText,
        made: (usize, usize),
        schema: &mut Schema,
        problems: &mut Vec<Diagnostic>,
    ) {
        self.made = made;
        for name in names_in(&text.value) {
            self.make(&name, schema, problems);
        }
    }

    /// Places all that are left, behind every derived column.
    pub(crate) fn rest(
        &mut self,
        columns: usize,
        schema: &mut Schema,
        problems: &mut Vec<Diagnostic>,
    ) {
        self.made = (self.source.derive.len(), columns);
        while let Some(join) = self.pending.first().copied() {
            self.place(join, schema, problems);
        }
    }

    /// Places the join that adds a column, if it is not placed yet.
    fn make(&mut self, column: &str, schema: &mut Schema, problems: &mut Vec<Diagnostic>) {
        let adds =
            |join: &&&pipeline::Join| join.columns.iter().any(|(name, _)| name.value == column);
        if let Some(join) = self.pending.iter().find(adds).copied() {
            self.place(join, schema, problems);
        }
    }

    fn place(
        &mut self,
        join: &'a pipeline::Join,
        schema: &mut Schema,
        problems: &mut Vec<Diagnostic>,
    ) {
        self.pending
            .retain(|other| other.name.value != join.name.value);
        let asked = join.on.iter().map(|(own, _)| own).chain(&join.as_of);
        for own in asked {
            self.make(&own.value, schema, problems);
        }
        let before = problems.len();
        for (column, _) in &join.columns {
            if schema.get(&column.value).is_some() {
                problems.push(
                    Diagnostic::error(
                        "TS-D030",
                        format!(
                            "source `{}` already has a column `{}`",
                            self.source.name.value, column.value
                        ),
                        column.span.clone(),
                    )
                    .with_label(format!("added by the join `{}`", join.name.value))
                    .with_help("give it another name: `columns = { other_name = \"…\" }`"),
                );
            }
        }
        let planned = self.plan(join, schema, problems);
        for (column, of) in &join.columns {
            let lookup = self.lookups.get(join.from.value.as_str());
            let ty = lookup.and_then(|(_, planned)| planned.as_ref()?.schema.get(&of.value));
            let ty = ty.filter(|_| problems.len() == before);
            schema.columns.retain(|(name, _)| *name != column.value);
            schema
                .columns
                .push((column.value.clone(), ty.unwrap_or(Type::Null)));
        }
        self.planned.extend(planned);
    }

    /// The join, where nothing is wrong with it.
    fn plan(
        &self,
        join: &'a pipeline::Join,
        schema: &Schema,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Join> {
        // A name that is no lookup, and a lookup with mistakes, are reported elsewhere.
        let (lookup, planned) = self.lookups.get(join.from.value.as_str())?;
        let planned = (*planned)?;
        let on: Vec<_> = join
            .on
            .iter()
            .map(|(own, key)| {
                let own_type = self.own(own, schema, problems);
                let key_type = of_lookup(lookup, &planned.schema, key, problems);
                equal(join, (own, own_type?), (key, key_type?), problems)
            })
            .collect();
        let as_of = join.as_of.as_ref().map(|own| {
            let ty = self.own(own, schema, problems)?;
            if !matches!(ty, Type::Date | Type::Timestamp | Type::Null) {
                let message = format!("`{}` is {ty}, not a date or timestamp", own.value);
                problems.push(Diagnostic::error("TS-D005", message, own.span.clone()).with_help(
                    "declare it as \"timestamp\" or \"date\" in the contract's columns, with `format` where it holds texts and `epoch` where it holds integers",
                ));
                return None;
            }
            Some(Expr::column(&own.value, ty))
        });
        let columns: Vec<_> = join
            .columns
            .iter()
            .map(|(name, of)| {
                let ty = of_lookup(lookup, &planned.schema, of, problems)?;
                Some(JoinedColumn {
                    name: name.value.clone(),
                    of: of.value.clone(),
                    ty,
                })
            })
            .collect();
        Some(Join {
            name: join.name.value.clone(),
            after: self.made.1,
            lookup: std::sync::Arc::new(planned.rows.clone()),
            on: on.into_iter().collect::<Option<_>>()?,
            as_of: match as_of {
                Some(time) => Some(time?),
                None => None,
            },
            several: choice(lookup),
            columns: columns.into_iter().collect::<Option<_>>()?,
            is_chained: false,
        })
    }

    /// Type of a column of the source that is there before the join.
    fn own(
        &self,
        name: &At<String>,
        schema: &Schema,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Type> {
        let mut later = self.source.derive.iter().skip(self.made.0);
        if later.any(|(derived, _)| derived.value == name.value) {
            problems.push(
                Diagnostic::error(
                    "TS-D031",
                    format!("`{}` is derived after the join that needs it", name.value),
                    name.span.clone(),
                )
                .with_help("derived columns are computed from top to bottom: move it above those that read a joined column"),
            );
            return None;
        }
        let ty = schema.get(&name.value);
        if ty.is_none() {
            let names: Vec<&str> = schema.columns.iter().map(|(n, _)| n.as_str()).collect();
            problems.push(unknown_column(self.source, name, &names));
        }
        ty
    }
}

/// Which of several rows of one key a join of this lookup finds.
pub(crate) fn choice(lookup: &Source) -> Several {
    let stated = lookup.contract.several.as_ref();
    let by_default = match lookup.time {
        Some(_) => Several::Newest,
        None => Several::Fail,
    };
    stated.map_or(by_default, |several| several.value)
}

/// Type of a column of the lookup.
pub(crate) fn of_lookup(
    lookup: &Source,
    schema: &Schema,
    name: &At<String>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Type> {
    let ty = schema.get(&name.value);
    if ty.is_none() {
        let names = schema.columns.iter().map(|(name, _)| name.as_str());
        let names: Vec<&str> = names.filter(|name| !name.starts_with(OWN)).collect();
        let span = name.span.clone();
        let mut found = unknown_name("TS-D001", "column", &name.value, span, &names);
        found.message = format!("{} of lookup `{}`", found.message, lookup.name.value);
        problems.push(found);
    }
    ty
}

/// The columns of both sides in one type that holds the values of both.
fn equal(
    join: &pipeline::Join,
    (own, own_type): (&At<String>, Type),
    (key, key_type): (&At<String>, Type),
    problems: &mut Vec<Diagnostic>,
) -> Option<(Expr, Expr)> {
    let in_type = |ty: Type| {
        let cast = |name: &At<String>, from: Type| Expr::column(&name.value, from).cast(ty);
        Some((cast(own, own_type), cast(key, key_type)))
    };
    let scale = |ty: Type| match ty {
        Type::Int => Some(0),
        Type::Decimal { scale } => Some(scale),
        _ => None,
    };
    let help = match (own_type, key_type) {
        (Type::Null, _) | (_, Type::Null) => return None,
        (Type::Float, _) | (_, Type::Float) => {
            "a float cannot be a key, because it may be rounded: declare the column as an integer, a decimal or a string in the contract's columns"
        }
        (own_type, key_type) if own_type == key_type => return in_type(own_type),
        (own_type, key_type) => match (scale(own_type), scale(key_type)) {
            (Some(own), Some(key)) => {
                let scale = own.max(key);
                return in_type(Type::Decimal { scale });
            }
            _ => {
                "declare both with the same type in the contracts' columns, or convert one in `derive`, for example `day = \"cast(ordered_at as date)\"`"
            }
        },
    };
    let message = format!(
        "the join `{}` sets `{}` ({own_type}) equal to `{}` ({key_type}) of lookup `{}`",
        join.name.value, own.value, key.value, join.from.value
    );
    problems.push(Diagnostic::error("TS-D032", message, own.span.clone()).with_help(help));
    None
}

/// Name of the join that finds keys of another source, and of the rule that filters rows without one.
const KEYS: &str = "only_keys_of";

/// A semi-join: only rows whose key a used row of `other` has are used; it adds no column. Keys are compared as customers are:
/// integers by value, and an integer beside a text as the text of its digits.
pub(crate) fn keep_keys(rows: &mut SourceRows, other: SourceRows) {
    let own = rows.scan.column_type(&rows.key).unwrap_or(Type::String);
    let of = other.scan.column_type(&other.key).unwrap_or(Type::String);
    let wanted = match own == Type::Int && of == Type::Int {
        true => Type::Int,
        false => Type::String,
    };
    let key = |name: &str, ty: Type| key_in(wanted, name, ty);
    let join = Join {
        name: KEYS.to_owned(),
        after: rows.scan.derive.len(),
        on: vec![(key(&rows.key, own), key(&other.key, of))],
        lookup: std::sync::Arc::new(other),
        as_of: None,
        several: Several::First,
        columns: Vec::new(),
        is_chained: false,
    };
    rows.checks.push(RowCheck {
        rule: KEYS.to_owned(),
        bad_when: Expr::column(&join.matched(), Type::Bool).negated(),
        outcome: RowOutcome::Filter,
        conversion: false,
    });
    rows.scan.joins.push(join);
}
