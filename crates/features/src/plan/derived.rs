//! Features computed from other features, ordered by their dependencies.

use tessera_expr::{ErrorKind, Expr, Type};
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{Base, Description, Direction, ExprText, Unit};

use super::{BASE_GAP_DAYS, FeatureInfo, PRIOR_GAPS, Planner, default_unit, label_of};
use crate::catalogue;

/// Expressions by the name of what they compute, in order.
type Named = Vec<(String, Expr)>;

/// A feature that waits for its expression to be parsed.
pub(super) struct Pending {
    pub(super) name: String,
    pub(super) text: ExprText,
    pub(super) late: bool,
    pub(super) unit: Option<Unit>,
    pub(super) base: Base,
    pub(super) description: Description,
    pub(super) published: bool,
}

impl Planner<'_> {
    /// Parses each waiting expression as soon as all names that it uses are known; the others have an unknown name or form a cycle.
    pub(super) fn resolve(&mut self) -> (Named, Named) {
        self.known
            .columns
            .push((BASE_GAP_DAYS.to_owned(), Type::Float));
        self.known
            .columns
            .push((PRIOR_GAPS.to_owned(), Type::Float));
        let (mut derived, mut late): (Named, Named) = (Vec::new(), Vec::new());
        let mut waiting = std::mem::take(&mut self.pending);
        loop {
            let names: Vec<String> = waiting.iter().map(|p| p.name.clone()).collect();
            let (mut rest, mut wrong) = (Vec::new(), Vec::new());
            for mut pending in waiting {
                match tessera_expr::parse(&pending.text.value, &self.known) {
                    Ok(expr) if self.reads_refused(&expr) => self.refused(&pending.name),
                    Ok(expr) => {
                        let published = expr.ty.published();
                        let expr = expr.cast(published);
                        pending.late |= tessera_expr::columns(&expr)
                            .iter()
                            .any(|c| late.iter().any(|(name, _)| name == c));
                        self.known.columns.push((pending.name.clone(), expr.ty));
                        self.publish_derived(&pending, &expr);
                        if pending.late {
                            &mut late
                        } else {
                            &mut derived
                        }
                        .push((pending.name, expr));
                    }
                    Err(errors) if errors.iter().all(|e| waits_for(e, &names)) => {
                        rest.push(pending)
                    }
                    Err(_) => wrong.push(pending),
                }
            }
            // The names that will be known later are not what is wrong.
            self.report(&wrong, &names);
            if rest.len() == names.len() || rest.is_empty() {
                self.report_circle(&rest);
                return (derived, late);
            }
            waiting = rest;
        }
    }

    fn reads_refused(&self, expr: &Expr) -> bool {
        let mut read = tessera_expr::columns(expr).into_iter();
        read.any(|name| self.refused.contains(name))
    }

    fn publish_derived(&mut self, pending: &Pending, expr: &Expr) {
        if pending.published {
            let unit = pending.unit.unwrap_or(default_unit(expr.ty));
            let found = catalogue::find(&pending.name);
            let info = FeatureInfo {
                name: pending.name.clone(),
                ty: expr.ty,
                unit,
                base: pending.base,
                label: found.map_or_else(|| label_of(&pending.name), |f| f.label.to_owned()),
                direction: found.map_or(Direction::None, |f| f.direction),
                definition: found
                    .map_or_else(|| format!("`{}`", pending.text.value), |f| f.doc.to_owned()),
                source: None,
            };
            self.publish_declared(info, &pending.description, &pending.text.span);
        }
    }

    fn report(&mut self, wrong: &[Pending], waiting: &[String]) {
        if wrong.is_empty() {
            return;
        }
        let mut schema = self.known.clone();
        schema.columns.retain(|(name, _)| !name.starts_with("__"));
        schema
            .columns
            .extend(waiting.iter().map(|name| (name.clone(), Type::Null)));
        for pending in wrong {
            let found = tessera_expr::parse_at(&pending.text, &schema);
            let found = found.and_then(|_| tessera_expr::parse_at(&pending.text, &self.known));
            self.problems.extend(found.err().into_iter().flatten());
        }
        for pending in wrong {
            self.refused(&pending.name);
        }
    }

    fn report_circle(&mut self, rest: &[Pending]) {
        if let Some(first) = rest.first() {
            let names: Vec<&str> = rest.iter().map(|p| p.name.as_str()).collect();
            self.problems.push(
                Diagnostic::error(
                    "TS-F006",
                    format!("features depend on each other: {}", names.join(", ")),
                    first.text.span.clone(),
                )
                .with_label(format!(
                    "`{}` depends on itself through the others",
                    first.name
                ))
                .with_help("write one of them without using the others"),
            );
        }
        for pending in rest {
            self.refused(&pending.name);
        }
    }
}

fn waits_for(error: &tessera_expr::ExprError, names: &[String]) -> bool {
    matches!(&error.kind, ErrorKind::UnknownColumn { name, .. } if names.contains(name))
}
