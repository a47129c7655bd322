//! The features of customers as if no row had come since an earlier day, so that only time has passed. The same pass over a source
//! computes both, so that changes by time and changes by new rows are separated without reading a row twice.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use tessera_expr::aggregates::COUNT;
use tessera_expr::rel::{Agg, Sparse, Window};
use tessera_expr::{BinaryOp, Expr, Literal, Node, Type, columns, replace_column};
use tessera_spec::pipeline::{Source, SourceKind};

use super::{FeaturePlan, Pass};

/// Beginning of the names of aggregates over the rows up to the earlier day.
const AGED: &str = "__aged_";

/// Beginning of the names of columns that count the rows since.
const NEW_ROWS: &str = "__new_rows_of_";

/// The columns that say what the features would be without the rows since a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Aged {
    /// Rows up to the close of this day count.
    pub since: NaiveDate,
    /// Per source of events or intervals.
    pub sources: BTreeMap<String, AgedSource>,
}

/// Those of one source.
#[derive(Debug, Clone, PartialEq)]
pub struct AgedSource {
    /// The column that counts the rows since.
    pub new_rows: String,
    /// Columns of the pass, each with the one that holds it without the rows since; none where that cannot be computed.
    pub columns: Option<Vec<(String, String)>>,
    /// The others are null where the first column counts no row: there they are as the columns that they belong to.
    pub is_sparse: bool,
}

impl FeaturePlan {
    /// Adds to every pass over events or intervals what those of its aggregates that are wanted would be without the rows dated after
    /// `since`.
    pub fn add_aged(
        &mut self,
        sources: &[Source],
        since: NaiveDate,
        wanted: impl Fn(&str) -> bool,
    ) -> Aged {
        let mut aged = Aged {
            since,
            sources: BTreeMap::new(),
        };
        for source in sources {
            let name = &source.name.value;
            let pass = self.passes.iter().find(|pass| pass.source == *name);
            let is_dated = |pass: &&Pass| source.kind != SourceKind::Attributes && !pass.is_lookup;
            let Some(pass) = pass.filter(is_dated) else {
                continue;
            };
            let as_of = pass.aggregate.rows.as_of;
            let days = as_of.signed_duration_since(since).num_days();
            let Ok(gap) = u32::try_from(days) else {
                continue;
            };
            let new_rows = Agg {
                name: format!("{NEW_ROWS}{name}"),
                func: COUNT.of_rows(),
                window: Some(Window {
                    days: Some(gap),
                    offset_days: 0,
                }),
                filter: None,
            };
            let twins = twins(pass, since, gap, &wanted);
            let renamed = |twin: &Agg| {
                let original = twin.name.strip_prefix(AGED).unwrap_or(&twin.name);
                (original.to_owned(), twin.name.clone())
            };
            let found = AgedSource {
                new_rows: new_rows.name.clone(),
                columns: twins
                    .as_ref()
                    .map(|twins| twins.iter().map(renamed).collect()),
                is_sparse: pass.aggregate.rows.until.is_none(),
            };
            let aggs = std::iter::once(new_rows).chain(twins.unwrap_or_default());
            let aggs: Vec<Agg> = aggs.collect();
            // Without ends of validity, which may have become known since, only new rows make a difference.
            let sparse = pass.aggregate.rows.until.is_none().then(|| Sparse {
                count: found.new_rows.clone(),
                columns: aggs.iter().skip(1).map(|agg| agg.name.clone()).collect(),
            });
            self.add_hidden(name, aggs);
            let mut passes = self.passes.iter_mut();
            if let Some(pass) = passes.find(|pass| pass.source == *name) {
                pass.aggregate.sparse = sparse;
            }
            aged.sources.insert(name.clone(), found);
        }
        aged
    }
}

/// The wanted aggregates of a pass over the rows up to a day; `None` if derived columns read an end of validity, which cannot be read
/// as of two days in one pass.
fn twins(
    pass: &Pass,
    since: NaiveDate,
    gap: u32,
    wanted: impl Fn(&str) -> bool,
) -> Option<Vec<Agg>> {
    let rows = &pass.aggregate.rows;
    let ends = rows.until.as_deref();
    if let Some(until) = ends {
        let reads = |expr: &Expr| columns(expr).contains(until);
        let derived = rows
            .scan
            .derive
            .iter()
            .any(|(name, expr)| name == until || reads(expr));
        if derived
            || rows
                .checks
                .iter()
                .any(|check| reads(&check.bad_when) && check.conversion)
        {
            return None;
        }
    }
    let masked = |expr: &Expr| match ends {
        Some(until) => replace_column(expr, until, &|column| known_then(column, since)),
        None => expr.clone(),
    };
    let own = |agg: &&Agg| agg.name != pass.rows && wanted(&agg.name);
    let twin = |agg: &Agg| {
        let window = before(agg.window, gap);
        let filter = agg.filter.as_ref().map(masked);
        Agg {
            name: format!("{AGED}{}", agg.name),
            func: agg.func.over(masked),
            // Nothing of the window lies before that day.
            filter: window.map_or(Some(never()), |_| filter),
            window: Some(window.unwrap_or(Window {
                days: Some(1),
                offset_days: gap,
            })),
        }
    };
    Some(pass.aggregate.aggs.iter().filter(own).map(twin).collect())
}

/// The part of a window that lies `gap` days or more before its date; none where that is empty.
fn before(window: Option<Window>, gap: u32) -> Option<Window> {
    let whole = Window {
        days: None,
        offset_days: 0,
    };
    let window = window.unwrap_or(whole);
    let offset_days = window.offset_days.max(gap);
    let later = offset_days - window.offset_days;
    match window.days {
        Some(days) if days <= later => None,
        days => Some(Window {
            days: days.map(|days| days - later),
            offset_days,
        }),
    }
}

pub(super) fn never() -> Expr {
    Expr::literal(Literal::Bool(false), Type::Bool)
}

/// An end of validity as it was known at the close of a day: null where it came later.
fn known_then(until: &Expr, since: NaiveDate) -> Expr {
    let days = since.signed_duration_since(NaiveDate::default()).num_days() as i32;
    let day = Expr::literal(Literal::Date(days), Type::Date);
    let later = until.clone().cast(Type::Date);
    let later = later.condition(BinaryOp::Greater, day);
    Expr {
        node: Node::Case {
            branches: vec![(later, Expr::literal(Literal::Null, until.ty))],
            otherwise: Some(Box::new(until.clone())),
        },
        ty: until.ty,
        span: until.span.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The days of a window, as distances from its date: nearest and farthest.
    fn days(window: Option<Window>) -> Option<(u32, Option<u32>)> {
        window.map(|window| {
            let farthest = window.days.map(|days| window.offset_days + days - 1);
            (window.offset_days, farthest)
        })
    }

    #[test]
    fn a_window_loses_the_days_since() {
        let window = |days, offset_days| Some(Window { days, offset_days });
        assert_eq!(days(before(None, 7)), Some((7, None)));
        assert_eq!(days(before(window(Some(90), 0), 7)), Some((7, Some(89))));
        assert_eq!(days(before(window(Some(90), 90), 7)), Some((90, Some(179))));
        assert_eq!(days(before(window(Some(7), 0), 7)), None);
        assert_eq!(days(before(window(Some(8), 0), 7)), Some((7, Some(7))));
        assert_eq!(days(before(window(None, 3), 7)), Some((7, None)));
        assert_eq!(days(before(window(Some(90), 0), 0)), Some((0, Some(89))));
    }
}
