//! The map of keys that belong to another customer: every source with customers' keys is joined with it, and its key is then the
//! customer at the end of the map, or the key of the row where the map does not have it.

use std::sync::Arc;

use tessera_expr::rel::{Join, JoinedColumn, SourceRows};
use tessera_expr::{Expr, Function, Schema, Type};
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{At, Source};

use crate::joins::{choice, of_lookup};
use crate::keys::{key_in, key_type};
use crate::planned::Planned;

/// Name of the join; names of the pipeline file have no dot.
const JOIN: &str = "customer.identity";

/// The column of the map with the customer, in the type of the keys.
const BELONGS_TO: &str = "\u{1f}belongs_to";

/// The key by which customers are distinguished.
const CUSTOMER: &str = "\u{1f}customer";

/// The map of a pipeline.
pub(crate) struct Map<'a> {
    lookup: &'a Source,
    to: &'a At<String>,
    rows: SourceRows,
    /// Types of the key and of the customer.
    types: [Type; 2],
}

impl<'a> Map<'a> {
    /// A map whose rows are planned; none where it has mistakes.
    pub(crate) fn new(
        lookup: &'a Source,
        to: &'a At<String>,
        planned: Planned,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let Planned { rows, schema, .. } = planned;
        let mut ty = |name: &At<String>, schema: &Schema| of_lookup(lookup, schema, name, problems);
        let types = [ty(&lookup.key, &schema)?, ty(to, &schema)?];
        Some(Self {
            lookup,
            to,
            rows,
            types,
        })
    }

    /// Replaces the key of a source's rows.
    ///
    /// ```text
    /// in   customer_id | amount     map   old_id | customer_id     out  customer_id | amount | __customer
    ///      a           | 5                a      | b                    a           | 5      | c
    ///      c           | 7                b      | c                    c           | 7      | c
    /// ```
    pub(crate) fn resolve(&self, source: &Source, rows: &mut SourceRows) -> Result<(), Diagnostic> {
        let own = rows.scan.column_type(&rows.key).unwrap_or(Type::String);
        let wanted = key_type(own);
        let columns = [&self.lookup.key, self.to].into_iter().zip(self.types);
        for (column, ty) in columns.clone() {
            let fits = ty == wanted || matches!(ty, Type::Null | Type::Int);
            if !fits {
                return Err(self.unlike(source, own, (column, ty)));
            }
        }
        let [key, to] = [(&self.lookup.key, self.types[0]), (self.to, self.types[1])]
            .map(|(column, ty)| key_in(wanted, &column.value, ty));
        let mut lookup = self.rows.clone();
        lookup.scan.derive.push((BELONGS_TO.to_owned(), to));
        let replaced = || key_in(wanted, &rows.key, own);
        let join = Join {
            name: JOIN.to_owned(),
            after: rows.scan.derive.len(),
            lookup: Arc::new(lookup),
            on: vec![(replaced(), key)],
            as_of: None,
            several: choice(self.lookup),
            columns: vec![JoinedColumn {
                name: BELONGS_TO.to_owned(),
                of: BELONGS_TO.to_owned(),
                ty: wanted,
            }],
            is_chained: true,
        };
        let found = Expr::column(BELONGS_TO, wanted);
        let customer = Expr::function(Function::Coalesce, vec![found, replaced()], wanted);
        rows.scan.joins.push(join);
        rows.scan.derive.push((CUSTOMER.to_owned(), customer));
        CUSTOMER.clone_into(&mut rows.key);
        Ok(())
    }

    fn unlike(&self, source: &Source, own: Type, (column, ty): (&At<String>, Type)) -> Diagnostic {
        let lookup = &self.lookup.name.value;
        let message = format!(
            "the key `{}` of source `{}` is {own}, but `{}` of lookup `{lookup}` is {ty}",
            source.key.value, source.name.value, column.value
        );
        let declared = if own == Type::Int { "i64" } else { "string" };
        Diagnostic::error("TS-D033", message, column.span.clone())
            .with_label("a key is replaced by one of its own type")
            .with_help(format!(
                "declare both columns of the map in [sources.{lookup}.contract]: `columns = {{ {} = \"{declared}\", {} = \"{declared}\" }}`, or convert the key of `{}` in `derive`",
                self.lookup.key.value, self.to.value, source.name.value
            ))
    }
}
