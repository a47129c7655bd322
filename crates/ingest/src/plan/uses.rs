//! What a pipeline reads of a source's columns, and whether it is said what its times mean.

use std::borrow::Cow;
use std::collections::BTreeSet;

use tessera_expr::rel::{FileGroup, ScanColumn, Stored};
use tessera_expr::{Expr, Function, Literal, Node, Type};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{Duplicates, Source, TimeFormat};

/// An expression that reads columns of a source.
pub(super) struct Reading<'e> {
    /// What messages call a time that it makes.
    pub(super) place: String,
    pub(super) expr: Cow<'e, Expr>,
}

/// What the pipeline uses of a source's columns.
pub(super) struct Uses {
    /// Columns that are named, or read by an expression.
    pub(super) names: BTreeSet<String>,
    /// Of those, the ones whose local time counts: times of rows, attributes, and all columns that an expression or a join reads.
    dated: BTreeSet<String>,
}

impl Uses {
    /// What these expressions, and the keys of the pipeline file, read.
    pub(super) fn new(
        pipeline: &Pipeline,
        source: &Source,
        columns: &[ScanColumn],
        exprs: &[Reading<'_>],
    ) -> Self {
        let owned = |names: &mut dyn Iterator<Item = &str>| -> BTreeSet<String> {
            let there = |name: &&str| columns.iter().any(|column| column.name == *name);
            names.filter(there).map(str::to_owned).collect()
        };
        let times = [&source.time, &source.until, &source.known_at];
        let times = times.into_iter().flatten();
        let asked = source.joins.iter().flat_map(|join| {
            let on = join.on.iter().map(|(own, _)| own);
            on.chain(&join.as_of)
        });
        let joins = pipeline.sources.iter().flat_map(|other| &other.joins);
        let joins = joins.filter(|join| join.from.value == source.name.value);
        let joined = joins.flat_map(|join| join.on.iter().chain(&join.columns));
        let attributes = source.attributes.iter().map(|a| &a.column);
        let stated = times
            .chain(asked)
            .chain(joined.map(|(_, of)| of))
            .chain(attributes)
            .map(|name| name.value.as_str());
        let exprs = exprs.iter().map(|reading| reading.expr.as_ref());
        let dated = owned(&mut stated.chain(exprs.flat_map(tessera_expr::columns)));
        let named = [&source.order_id, &source.amount];
        let named = named.into_iter().flatten().map(|name| &name.value);
        let declared = source.contract.columns.iter().map(|c| &c.name.value);
        let unique = match &source.contract.duplicates {
            Duplicates::Unique { columns, .. } => columns.as_slice(),
            Duplicates::Keep | Duplicates::DropExact | Duplicates::Fail => &[],
        };
        let named = named
            .chain(source.keys().map(|key| &key.value))
            .chain(declared)
            .chain(unique.iter().map(|name| &name.value));
        let mut names = owned(&mut named.map(String::as_str));
        names.extend(dated.iter().cloned());
        Self { names, dated }
    }

    /// Naive timestamps are refused unless the source says what they mean.
    pub(super) fn check_zone(
        &self,
        source: &Source,
        (columns, groups): (&[ScanColumn], &[FileGroup]),
        exprs: &[Reading<'_>],
        problems: &mut Vec<Diagnostic>,
    ) {
        if source.time_zone.is_some() {
            return;
        }
        let stored = columns.iter().enumerate().find(|(number, column)| {
            let held = groups.iter().filter_map(|g| g.stored[*number].as_ref());
            let naive = held.chain([&column.stored]).any(|stored| match stored {
                Stored::Timestamp { zone, .. } => zone.is_none(),
                Stored::Text | Stored::HivePath => {
                    let formats = &column.form.formats;
                    let offsets = !formats.is_empty() && formats.iter().all(TimeFormat::has_offset);
                    column.ty == Type::Timestamp && column.form.epoch.is_none() && !offsets
                }
                _ => false,
            });
            naive && self.dated.contains(&column.name)
        });
        let stored = stored.map(|(_, column)| column);
        let read = || exprs.iter().find(|reading| reads_local_time(&reading.expr));
        let of_texts = (
            "is read from texts, which may lack an offset",
            "; a text with an offset keeps its own. Where every text has one, a `format` with `%z` needs no zone",
        );
        let quoted = |column: &ScanColumn| format!("`{}`", column.name);
        let (name, (what, besides)) = match (stored, read()) {
            (Some(column), _) if is_text(&column.stored) => (quoted(column), of_texts),
            (Some(column), _) => (quoted(column), ("holds timestamps without a zone", "")),
            (None, Some(reading)) => (reading.place.clone(), of_texts),
            (None, None) => return,
        };
        let place = source
            .time
            .as_ref()
            .map_or_else(|| source.name.span.clone(), |time| time.span.clone());
        problems.push(
            Diagnostic::error("TS-D006", format!("{name} {what}"), place)
                .with_label("the day of a row depends on the zone")
                .with_help(format!(
                    "state the zone, for example `time_zone = \"Europe/London\"`, in [sources.{}]{besides}",
                    source.name.value
                )),
        );
    }
}

/// Whether a column is converted from texts.
fn is_text(stored: &Stored) -> bool {
    matches!(stored, Stored::Text | Stored::HivePath)
}

/// Whether some text of a column is read as a timestamp, which may have no zone.
fn reads_local_time(expr: &Expr) -> bool {
    let reads = match &expr.node {
        Node::Cast(of) | Node::TryCast(of) => of.ty == Type::String,
        Node::Call(Function::Strptime | Function::TryStrptime, args) => {
            let format = args.get(1).map(|format| &format.node);
            let offset = match format {
                Some(Node::Literal(Literal::String(text))) => TimeFormat::parse(text).ok(),
                _ => None,
            };
            !offset.is_some_and(|format| format.has_offset())
        }
        _ => false,
    };
    reads && expr.ty == Type::Timestamp && !tessera_expr::columns(expr).is_empty()
        || tessera_expr::children(expr)
            .into_iter()
            .any(reads_local_time)
}
