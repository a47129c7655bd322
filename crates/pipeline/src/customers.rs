//! The customers with their features while they are divided.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Field, Int64Type, Schema};
use tessera_engine::{Engine, TableRef};
use tessera_expr::rel::{Project, Rel};
use tessera_expr::{Expr, Literal, Node, Type};
use tessera_features::{BASE_GAP_DAYS, BaseGap, PRIOR_GAPS};
use tessera_segments::{Assignment, Customers, Extra, FrozenEdges};
use tessera_spec::pipeline::Scheme;

use crate::error::PipelineError;
use crate::prepare::Prepared;

/// Name of the column with the number of the first rule that is true.
const FIRST_RULE: &str = "__first_rule";

/// The mean gap between occasions over the base and its weight, as constants for the late features.
pub(crate) fn base_gap(
    gap: &BaseGap,
    table: &RecordBatch,
) -> Result<Vec<(String, Expr)>, PipelineError> {
    let total = |name: &str| -> i64 {
        table
            .column_by_name(name)
            .and_then(|column| column.as_primitive_opt::<Int64Type>())
            .map_or(0, |column| column.iter().flatten().sum())
    };
    let (days, gaps) = (total("t_x_days"), total("repeat_occasions"));
    let mean = if gaps > 0 {
        Literal::Float(days as f64 / gaps as f64)
    } else {
        Literal::Null
    };
    let constant = |literal: Literal| Expr {
        node: Node::Literal(literal),
        ty: Type::Float,
        span: 0..0,
    };
    Ok(vec![
        (BASE_GAP_DAYS.to_owned(), constant(mean)),
        (
            PRIOR_GAPS.to_owned(),
            constant(Literal::Float(gap.prior_gaps)),
        ),
    ])
}

/// Customers, their published features, and the schemes they have been divided by so far.
pub(crate) struct Divided {
    customers: Customers,
    table: RecordBatch,
    assignments: Vec<Assignment>,
    /// Columns of the schemes so far.
    columns: Vec<(Field, ArrayRef)>,
}

impl Divided {
    /// Takes the published features from the stage file.
    pub(crate) fn new(prepared: &Prepared, features: &TableRef) -> Result<Self, PipelineError> {
        let all = features.read()?;
        let schema = all.schema();
        let mut wanted = vec![0];
        for info in &prepared.features.published {
            wanted.push(schema.index_of(&info.name)?);
        }
        let table = all.project(&wanted)?;
        Ok(Self {
            customers: Customers::new(table.clone())?,
            table,
            assignments: Vec::new(),
            columns: Vec::new(),
        })
    }

    /// Number of customers.
    pub(crate) fn len(&self) -> usize {
        self.table.num_rows()
    }

    /// Divides by one more scheme.
    pub(crate) fn divide(
        &mut self,
        scheme: &Scheme,
        seed: u64,
        rule_hits: Option<&[Option<u32>]>,
        frozen_edges: Option<&FrozenEdges>,
    ) -> Result<(), PipelineError> {
        let assignment = tessera_segments::divide(
            scheme,
            &self.customers,
            &Extra {
                seed,
                rule_hits,
                frozen_edges,
                ..Extra::default()
            },
        )?;
        for warning in &assignment.warnings {
            tracing::warn!(scheme = scheme.name.value, "{warning}");
        }
        self.columns
            .extend(tessera_segments::customer_columns(&assignment)?);
        self.assignments.push(assignment);
        Ok(())
    }

    /// Per customer the index of the first rule that is true.
    pub(crate) fn first_rules(
        &self,
        prepared: &Prepared,
        rules: &[Expr],
        engine: &dyn Engine,
        work: &Path,
    ) -> Result<Vec<Option<u32>>, PipelineError> {
        let table = self.with_schemes()?;
        let input = TableRef::write(&work.join("rules.parquet"), table.schema(), &[table])?;
        let int = |value: i64| Expr {
            node: Node::Literal(Literal::Int(value)),
            ty: Type::Int,
            span: 0..0,
        };
        let branches = rules.iter().cloned().zip((0..).map(int)).collect();
        let first = Expr {
            node: Node::Case {
                branches,
                otherwise: None,
            },
            ty: Type::Int,
            span: 0..0,
        };
        let plan = Project {
            table: input.path,
            as_of: prepared.as_of,
            columns: vec![(FIRST_RULE.to_owned(), first)],
        };
        let made = engine
            .materialize(&Rel::Project(plan), &work.join("ruled.parquet"))?
            .table
            .read()?;
        let column = made.column(made.num_columns() - 1);
        Ok(column
            .as_primitive::<Int64Type>()
            .iter()
            .map(|rule| rule.map(|rule| rule as u32))
            .collect())
    }

    /// The table with the columns of the schemes so far behind it.
    pub(crate) fn with_schemes(&self) -> Result<RecordBatch, PipelineError> {
        let mut fields: Vec<Arc<Field>> = self.table.schema().fields().iter().cloned().collect();
        let mut columns = self.table.columns().to_vec();
        for (field, column) in &self.columns {
            fields.push(Arc::new(field.clone()));
            columns.push(column.clone());
        }
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    /// The customers as schemes see them.
    pub(crate) fn customers(&self) -> &Customers {
        &self.customers
    }

    /// The schemes, in file order.
    pub(crate) fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }
}
