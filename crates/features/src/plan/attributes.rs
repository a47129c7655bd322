//! Columns of attribute sources.

use tessera_expr::aggregates::{FIRST, LAST};
use tessera_expr::rel::Agg;
use tessera_expr::{BinaryOp, Expr, Schema, Type};
use tessera_spec::diagnostic::suggest;
use tessera_spec::pipeline::{At, Attribute, Direction, Several, Source, SourceKind};

use super::{FeatureInfo, Planner, SourceInput, default_unit, label_of};

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
            let input = self.inputs.get(&source.name.value);
            let holds = input.and_then(|input| holds_at_as_of(source, &input.schema));
            let mut attributes: Vec<&Attribute> = source.attributes.iter().collect();
            attributes.sort_by(|a, b| a.column.value.cmp(&b.column.value));
            for attribute in attributes {
                let name = &attribute.column.value;
                let sound = |input: &&SourceInput| {
                    !input.is_wrong || input.schema.get(name) != Some(Type::Null)
                };
                let ty = input.filter(sound).and_then(|input| input.schema.get(name));
                let Some(ty) = ty else {
                    self.refused(name);
                    // Others may name the column that is probably meant.
                    let columns = input.map_or(&[][..], |input| input.schema.columns.as_slice());
                    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
                    if let Some(meant) =
                        suggest(name, &names).filter(|meant| *meant != name.as_str())
                    {
                        self.refused(meant);
                    }
                    continue;
                };
                let of = Expr::column(name, ty);
                let func = match &source.contract.several {
                    Some(At {
                        value: Several::First,
                        ..
                    }) => FIRST.of(of),
                    _ => LAST.of(of),
                };
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
                let info = FeatureInfo {
                    name: name.clone(),
                    ty,
                    unit,
                    base: attribute.base,
                    label: label_of(name),
                    direction: Direction::None,
                    definition: format!(
                        "`{name}` of `{}`, from the row that is valid at `as_of`.",
                        source.name.value
                    ),
                    source: Some(source.name.value.clone()),
                };
                self.publish_declared(info, &attribute.description, &attribute.column.span);
            }
        }
    }
}

/// Which rows of an attributes source hold at `as_of`: `until is null or until > as_of()`; all without `until`.
pub fn holds_at_as_of(source: &Source, schema: &Schema) -> Option<Expr> {
    let until = source.until.as_ref()?;
    let until = Expr::column(&until.value, schema.get(&until.value)?);
    let day = until.clone().cast(Type::Date);
    let later = day.condition(BinaryOp::Greater, Expr::as_of());
    Some(until.is_null().condition(BinaryOp::Or, later))
}
