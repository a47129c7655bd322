//! The pipeline's own features.

use tessera_expr::rel::{Agg, AggOp, Window};
use tessera_expr::{Expr, Type, condition_at, parse_at};
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{AggFunc, At, Direction, FeatureBody, FeatureDecl, Span, Unit};

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
            of,
            window_days,
            offset_days,
            filter,
        } = &feature.body
        else {
            return;
        };
        let Some(input) = self.inputs.get(&from.value) else {
            return;
        };
        let of = of.as_ref().map(|of| parse_at(of, &input.schema));
        let filter = filter
            .as_ref()
            .map(|filter| condition_at(filter, &input.schema));
        let func = of.transpose().and_then(|of| aggregate(agg, of, &from.span));
        let (func, filter) = match (func, filter.transpose()) {
            (Ok(func), Ok(filter)) => (func, filter),
            (func, filter) => {
                self.problems.extend(func.err().into_iter().flatten());
                self.problems.extend(filter.err().into_iter().flatten());
                return;
            }
        };
        let ty = func.output_type();
        let days = window_days.as_ref().map(|days| days.value);
        let unit = feature.unit.unwrap_or(aggregate_unit(agg.value, ty));
        let definition = words(agg.value, &from.value, days, *offset_days);
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
        self.publish(info, &feature.description);
    }
}

fn aggregate(agg: &At<AggFunc>, of: Option<Expr>, from: &Span) -> Result<AggOp, Vec<Diagnostic>> {
    let Some(of) = of else {
        return if agg.value == AggFunc::Count {
            Ok(AggOp::CountRows)
        } else {
            let problem = Diagnostic::error("TS-F007", "this aggregate needs `of`", from.clone());
            Err(vec![problem.with_help(
                "add `of = \"…\"`, an expression over the source's columns",
            )])
        };
    };
    let needs_number = matches!(
        agg.value,
        AggFunc::Sum | AggFunc::Mean | AggFunc::Std | AggFunc::Median
    );
    let needs_order = matches!(agg.value, AggFunc::Min | AggFunc::Max);
    let number = of.ty.is_number();
    if (needs_number && !number)
        || (needs_order && matches!(of.ty, Type::String | Type::Bool | Type::Null))
    {
        let wanted = if needs_number {
            "a number"
        } else {
            "a number, a date or a timestamp"
        };
        let problem = Diagnostic::error(
            "TS-F008",
            format!("this aggregate takes {wanted}, but `of` is {}", of.ty),
            agg.span.clone(),
        );
        return Err(vec![problem.with_help(
            "`count`, `count_distinct`, `first` and `last` take any type",
        )]);
    }
    Ok(match agg.value {
        AggFunc::Count => AggOp::Count(of),
        AggFunc::CountDistinct => AggOp::CountDistinct(of),
        AggFunc::Sum => AggOp::Sum(of),
        AggFunc::Mean => AggOp::Mean(of),
        AggFunc::Min => AggOp::Min(of),
        AggFunc::Max => AggOp::Max(of),
        AggFunc::Std => AggOp::Std(of),
        AggFunc::Median => AggOp::Median(of),
        AggFunc::First => AggOp::First(of),
        AggFunc::Last => AggOp::Last(of),
    })
}

fn window_of(days: Option<u32>, offset_days: u32) -> Option<Window> {
    (days.is_some() || offset_days > 0).then_some(Window { days, offset_days })
}

fn aggregate_unit(agg: AggFunc, ty: Type) -> Unit {
    match agg {
        AggFunc::Count | AggFunc::CountDistinct => Unit::Count,
        _ => default_unit(ty),
    }
}

fn words(agg: AggFunc, source: &str, window_days: Option<u32>, offset_days: u32) -> String {
    let name = format!("{agg:?}").to_lowercase();
    let window = match (window_days, offset_days) {
        (None, 0) => "all rows".to_owned(),
        (None, offset) => format!("all rows up to {offset} days before `as_of`"),
        (Some(days), 0) => format!("the last {days} days"),
        (Some(days), offset) => format!("{days} days ending {offset} days before `as_of`"),
    };
    format!("{name} over `{source}`, {window}.")
}
