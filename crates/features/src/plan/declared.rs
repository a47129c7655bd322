//! The pipeline's own features.

use tessera_expr::aggregate::{AggOp, Aggregation, Gives};
use tessera_expr::aggregates;
use tessera_expr::rel::{Agg, Window};
use tessera_expr::{Expr, Type, condition_at, parse_at};
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{Arguments, Direction, FeatureBody, FeatureDecl, Span, Unit};

use super::derived::Pending;
use super::{FeatureInfo, Planner, default_unit, label_of};

impl Planner<'_> {
    /// Aggregates join the pass over their source, expressions wait for what they use. By name, so that the order of the file
    /// shows in no published column.
    pub(super) fn declared(&mut self) {
        let pipeline = self.pipeline;
        let mut features: Vec<&FeatureDecl> = pipeline.features.declared.iter().collect();
        features.sort_by(|a, b| a.name.value.cmp(&b.name.value));
        for feature in features {
            let name = &feature.name;
            if self.known.get(&name.value).is_some()
                || self.pending.iter().any(|p| p.name == name.value)
            {
                self.problems.push(
                    Diagnostic::error("TS-F005", format!("there is already a feature `{}`", name.value), name.span.clone())
                        .with_help("choose another name: the names of catalogue features, of features that they need, and of attributes are taken"),
                );
                continue;
            }
            match &feature.body {
                FeatureBody::Expr(text) => self.pending.push(Pending {
                    name: name.value.clone(),
                    text: text.clone(),
                    late: false,
                    unit: feature.unit,
                    base: feature.base,
                    description: feature.description.clone(),
                    published: true,
                }),
                FeatureBody::Aggregate { .. } => self.declared_aggregate(feature),
            }
        }
    }

    fn declared_aggregate(&mut self, feature: &FeatureDecl) {
        let FeatureBody::Aggregate {
            from,
            agg,
            arguments,
            of,
            window_days,
            offset_days,
            filter,
        } = &feature.body
        else {
            return;
        };
        let (Some(input), Some(kind)) =
            (self.inputs.get(&from.value), aggregates::find(&agg.value))
        else {
            self.refused(&feature.name.value);
            return;
        };
        let [of_text, filter_text] =
            [of, filter].map(|text| text.as_ref().map(|text| text.value.as_str()));
        let of = of.as_ref().map(|of| parse_at(of, &input.schema));
        let filter = filter
            .as_ref()
            .map(|filter| condition_at(filter, &input.schema));
        let of = of.transpose();
        let is_refused = of
            .as_ref()
            .is_ok_and(|of| of.as_ref().is_some_and(|of| input.is_refused(of)));
        let func = match of {
            Ok(_) if is_refused => Err(Vec::new()),
            of => of.and_then(|of| aggregate(kind, of, (&agg.span, &from.span))),
        };
        let (func, filter) = match (func, filter.transpose()) {
            (Ok(func), Ok(filter)) => (func.with(arguments.clone()), filter),
            (func, filter) => {
                self.problems.extend(func.err().into_iter().flatten());
                self.problems.extend(filter.err().into_iter().flatten());
                self.refused(&feature.name.value);
                return;
            }
        };
        let ty = func.output_type();
        let days = window_days.as_ref().map(|days| days.value);
        let unit = feature.unit.unwrap_or(aggregate_unit(kind, ty));
        let rows = Rows {
            source: &from.value,
            of: of_text,
            filter: filter_text,
        };
        let definition = words((kind, arguments), &rows, days, *offset_days);
        let name = &feature.name.value;
        self.add_agg(
            &from.value,
            Agg {
                name: name.clone(),
                func,
                window: window_of(days, *offset_days),
                filter,
            },
            ty,
        );
        let info = FeatureInfo {
            name: name.clone(),
            ty,
            unit,
            base: feature.base,
            label: label_of(name),
            direction: Direction::None,
            definition,
            source: Some(from.value.clone()),
        };
        self.publish_declared(info, &feature.description, &feature.name.span);
    }
}

/// The aggregate over `of`, or what is wrong with that; the places are those of `agg` and of `from`.
fn aggregate(
    kind: &'static Aggregation,
    of: Option<Expr>,
    (agg, from): (&Span, &Span),
) -> Result<AggOp, Vec<Diagnostic>> {
    let Some(of) = of else {
        return if kind.syntax.of_rows {
            Ok(kind.of_rows())
        } else {
            let problem = Diagnostic::error("TS-F007", "this aggregate needs `of`", from.clone());
            Err(vec![problem.with_help(
                "add `of = \"…\"`, an expression over the source's columns",
            )])
        };
    };
    if !kind.takes.accepts(of.ty) {
        let message = format!(
            "this aggregate takes {}, but `of` is {}",
            kind.takes.words(),
            of.ty
        );
        let problem = Diagnostic::error("TS-F008", message, agg.clone());
        let any = format!("{} take any type", aggregates::of_any_type());
        return Err(vec![problem.with_help(match of.ty {
            Type::String => format!(
                "declare the column as a number in the contract's `columns`: in a text file every column that is not declared is text. {any}"
            ),
            _ => any,
        })]);
    }
    Ok(kind.of(of))
}

fn window_of(days: Option<u32>, offset_days: u32) -> Option<Window> {
    (days.is_some() || offset_days > 0).then_some(Window { days, offset_days })
}

fn aggregate_unit(kind: &Aggregation, ty: Type) -> Unit {
    match kind.gives {
        Gives::Count => Unit::Count,
        Gives::Day | Gives::Float | Gives::Sum | Gives::Value => default_unit(ty),
    }
}

/// The rows of a source that are aggregated, as the file states them.
struct Rows<'a> {
    source: &'a str,
    of: Option<&'a str>,
    filter: Option<&'a str>,
}

fn words(
    (kind, arguments): (&Aggregation, &Arguments),
    rows: &Rows<'_>,
    window_days: Option<u32>,
    offset_days: u32,
) -> String {
    let mut name = kind.name().replace('_', " ");
    if !arguments.is_empty() {
        name = format!("{name} ({})", arguments.written());
    }
    let window = match (window_days, offset_days) {
        (None, 0) => "all rows".to_owned(),
        (None, offset) => format!("all rows up to {offset} days before `as_of`"),
        (Some(days), 0) => format!("the last {days} days"),
        (Some(days), offset) => format!("{days} days ending {offset} days before `as_of`"),
    };
    let Rows { source, of, filter } = rows;
    let of = of.map_or_else(String::new, |of| format!(" of `{of}`"));
    let filter = filter.map_or_else(String::new, |filter| format!(" where `{filter}`"));
    format!("{name}{of} over `{source}`{filter}, {window}.")
}
