//! Columns of attribute sources.

use tessera_expr::rel::{Agg, AggOp};
use tessera_expr::{BinaryOp, Expr, Type};
use tessera_spec::pipeline::{Attribute, Source, SourceKind};

use super::{Planner, default_unit};

impl Planner<'_> {
    /// Columns of attribute sources: the latest row that holds at `as_of`. By source and column, so that the order of the file
    /// shows in no published column.
    pub(super) fn attributes(&mut self) {
        let pipeline = self.pipeline;
        let mut sources: Vec<&Source> = pipeline
            .sources
            .iter()
            .filter(|s| s.kind == SourceKind::Attributes)
            .collect();
        sources.sort_by(|a, b| a.name.value.cmp(&b.name.value));
        for source in sources {
            let Some(input) = self.inputs.get(&source.name.value) else {
                continue;
            };
            let holds = source.until.as_ref().and_then(|until| {
                let ty = input.schema.get(&until.value)?;
                Some(holds_at_as_of(&until.value, ty))
            });
            let mut attributes: Vec<&Attribute> = source.attributes.iter().collect();
            attributes.sort_by(|a, b| a.column.value.cmp(&b.column.value));
            for attribute in attributes {
                let name = &attribute.column.value;
                let Some(ty) = input.schema.get(name) else {
                    continue;
                };
                let func = AggOp::Last(Expr::column(name, ty));
                let ty = func.output_type();
                self.add_agg(
                    &source.name.value,
                    Agg {
                        name: name.clone(),
                        func,
                        window: None,
                        filter: holds.clone(),
                    },
                    ty,
                );
                let unit = attribute.unit.unwrap_or(default_unit(ty));
                self.publish(
                    name,
                    ty,
                    unit,
                    attribute.base,
                    format!(
                        "`{name}` of `{}`, the row that holds at `as_of`.",
                        source.name.value
                    ),
                );
            }
        }
    }
}

/// `until is null or until > as_of()`
fn holds_at_as_of(until: &str, ty: Type) -> Expr {
    let until = Expr::column(until, ty);
    let day = until.clone().cast(Type::Date);
    let later = day.condition(BinaryOp::Greater, Expr::as_of());
    until.is_null().condition(BinaryOp::Or, later)
}
