//! The customers with their features while they are assigned.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{Field, Int64Type, Schema};
use chrono::NaiveDate;
use tessera_engine::Engine;
use tessera_expr::{Expr, Literal, Type};
use tessera_features::{BASE_GAP_DAYS, BaseGap, PRIOR_GAPS};
use tessera_segments::{
    AssignedBy, Assignment, Customers, Extra, Fit, NamedFeature, Parameter, Quality, QualityStatus,
    RuleClauses, RuleReasons, RulesScheme, Threshold,
};
use tessera_snapshot::NewArtifact;
use tessera_spec::pipeline::{Scheme, Score};

use crate::artifacts::{self, Known, Learned};
use crate::base::Closed;
use crate::error::PipelineError;
use crate::gates::{self, Short};
use crate::held;
use crate::history::History;
use crate::intervals;
use crate::prepared::Prepared;
use crate::scores;
use crate::truths;

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
    let constant = |literal| Expr::literal(literal, Type::Float);
    Ok(vec![
        (BASE_GAP_DAYS.to_owned(), constant(mean)),
        (
            PRIOR_GAPS.to_owned(),
            constant(Literal::Float(gap.prior_gaps)),
        ),
    ])
}

/// The results of the rules of a scheme for each customer.
pub(crate) struct Ruled {
    /// For each rule, for which customers it is true.
    matches: Vec<BooleanArray>,
    /// Why, where that is told.
    reasons: Option<Arc<RuleReasons>>,
}

/// Whether new clusters continue those of the version before; `None` where there is nothing to compare, and where another definition gave
/// that version its segments. Where the fit before found fewer clusters than are asked for, and this one more, it is used all the same.
fn unmatched(
    scheme: &Scheme,
    history: &History,
    (fit, assignment): (&Fit, &Assignment),
) -> Option<Quality> {
    let most = scheme.kind.settings().max_unmatched()?;
    let before = history.version_before()?;
    if held::is_held(before, &assignment.scheme) {
        return None;
    }
    let share = history.unmatched(assignment)?;
    let few = tessera_segments::too_few_clusters(scheme, fit);
    let few = few.filter(|found| assignment.segments.len() > *found);
    let fits = share <= most;
    let percent = 100.0 * share;
    let reason = match few {
        _ if fits => None,
        Some(found) => Some(format!(
            "after the refit {percent:.1}% of the customers are in clusters that continue none of the previous version; it is used, because the fit before found fewer clusters ({found}) than are asked for"
        )),
        None => Some(format!(
            "after a refit {percent:.1}% of the customers would be in clusters that continue none of the previous version, more than `max_unmatched` allows: the clusters fitted before stay in use"
        )),
    };
    let is_used = fits || few.is_some();
    Some(Quality {
        segment: String::new(),
        criterion: "refit",
        metric: "share of customers in clusters that continue no earlier one".to_owned(),
        value: Some(share),
        threshold: (fits || !is_used).then(|| Threshold::at_most(most)),
        status: match is_used {
            true => QualityStatus::Ok,
            false => QualityStatus::Flagged,
        },
        reason,
    })
}

/// That frozen edges cut numbers that may mean something else now.
fn frozen_before(what: &str) -> Quality {
    Quality {
        segment: String::new(),
        criterion: "refit",
        metric: "frozen edges of another definition".to_owned(),
        value: Some(1.0),
        threshold: None,
        // Not every change of a source concerns these numbers.
        status: QualityStatus::Ok,
        reason: Some(format!(
            "{what} changed since the edges were frozen, which are used as they are: where the numbers mean something else now, state the edges of another version, or give the scheme another name, so that they are computed anew"
        )),
    }
}

/// How many schemes had assigned the customers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AssignedMark {
    assignments: usize,
    artifacts: usize,
    columns: usize,
}

/// Customers, their published features, and the schemes they have been assigned by so far.
pub(crate) struct Assigned {
    customers: Customers,
    table: RecordBatch,
    assignments: Vec<Assignment>,
    /// What the schemes learned and applied, by the name of the scheme.
    artifacts: Vec<(String, NewArtifact)>,
    /// What definitions learned that fell short of a gate, so that earlier ones serve.
    tried: Vec<NewArtifact>,
    /// Columns of the schemes so far.
    columns: Vec<(Field, ArrayRef)>,
    /// Names and units of the features, for names of clusters.
    named_features: Vec<NamedFeature>,
    /// Closed accounts, if the pipeline defines them.
    closed: Option<Closed>,
    /// Columns that `customers` does not have when it is published.
    interval_ends: BTreeSet<String>,
}

impl Assigned {
    /// Keeps the published features and scores of all columns.
    pub(crate) fn new(prepared: &Prepared, all: &RecordBatch) -> Result<Self, PipelineError> {
        let schema = all.schema();
        let mut wanted = vec![0];
        for info in prepared.published() {
            wanted.push(schema.index_of(&info.name)?);
        }
        let table = all.project(&wanted)?;
        let named = prepared.published().map(|info| NamedFeature {
            name: info.name.clone(),
            unit: info.unit,
        });
        Ok(Self {
            named_features: named.collect(),
            customers: Customers::new(table.clone())?,
            table,
            assignments: Vec::new(),
            artifacts: Vec::new(),
            tried: Vec::new(),
            columns: Vec::new(),
            closed: None,
            interval_ends: intervals::ends(&prepared.pipeline),
        })
    }

    /// Adds the closed accounts, which no scheme assigns.
    pub(crate) fn beside(mut self, closed: Option<Closed>) -> Self {
        self.closed = closed;
        self
    }

    /// The published table: customers with the columns of the schemes, closed accounts among them, without the ends of
    /// intervals.
    pub(crate) fn published(&self) -> Result<RecordBatch, PipelineError> {
        let customers = self.shown()?;
        match &self.closed {
            Some(closed) => closed.among(&customers),
            None => Ok(customers),
        }
    }

    /// The customers of schemes with their published columns.
    pub(crate) fn shown(&self) -> Result<RecordBatch, PipelineError> {
        let customers = self.with_schemes()?;
        let schema = customers.schema();
        let shown: Vec<usize> = (0..customers.num_columns())
            .filter(|&column| !self.interval_ends.contains(schema.field(column).name()))
            .collect();
        Ok(customers.project(&shown)?)
    }

    /// How many customers there are, where not all of them are in the base.
    pub(crate) fn counts(&self, prepared: &Prepared) -> Vec<(String, Quality)> {
        let closed = self.closed.as_ref();
        closed.map_or_else(Vec::new, |closed| closed.counts(prepared))
    }

    /// Number of customers.
    pub(crate) fn len(&self) -> usize {
        self.table.num_rows()
    }

    /// Assigns by one more scheme: by what an earlier version learned, or by what is learned now.
    pub(crate) fn assign(
        &mut self,
        prepared: &Prepared,
        scheme: &Scheme,
        ruled: Option<&Ruled>,
        history: &mut History,
    ) -> Result<(), PipelineError> {
        let name = artifacts::of_scheme(&scheme.name.value);
        let decision = prepared.artifacts.get(&name);
        if let Some(decision) = decision {
            artifacts::announce(&name, decision, scheme.refit);
        }
        let known = decision.and_then(|decision| decision.known.as_ref());
        let known = known.and_then(|known| match &known.learned {
            Learned::Scheme(fit) => Some((known, fit)),
            Learned::Score(_) => None,
        });
        let applied = known.filter(|_| !prepared.artifacts.fits(&name));
        let by = |learned: Option<&Fit>| {
            let extra = self.extra(prepared, scheme, (ruled, learned), history);
            tessera_segments::assign(scheme, &self.customers, &extra)
        };
        let mut assignment = by(applied.map(|(_, fit)| fit))?;
        let mut artifact = applied.map(|(known, _)| known.applied(None));
        if let (None, Some((known, fit))) = (applied, known)
            && let Some(judged) = unmatched(scheme, history, (fit, &assignment))
        {
            if judged.status == QualityStatus::Flagged {
                tracing::warn!("`{name}`: the refit is not used");
                assignment = by(Some(fit))?;
                artifact = Some(known.applied(Some(prepared.as_of)));
            }
            assignment.quality.push(judged);
        }
        if let Some(what) = decision.and_then(|decision| decision.differs.as_ref()) {
            let row = frozen_before(what);
            tracing::warn!("`{name}`: {}", row.reason.as_deref().unwrap_or_default());
            assignment.quality.push(row);
        }
        if let (None, Some(decision)) = (&artifact, decision)
            && !assignment.fit.is_none()
        {
            let learned = Learned::Scheme(assignment.fit.clone());
            artifact = artifacts::sealed(&name, prepared.as_of, &decision.basis, &learned);
        }
        self.take(prepared, scheme, (assignment, artifact), history)
    }

    /// Assigns by what the version before applied, in a scheme that holds its definition.
    pub(crate) fn assign_held(
        &mut self,
        prepared: &Prepared,
        scheme: &Scheme,
        (ruled, known): (Option<&Ruled>, Option<&Known>),
        history: &mut History,
    ) -> Result<(), PipelineError> {
        let learned = known.and_then(|known| match &known.learned {
            Learned::Scheme(fit) => Some(fit),
            Learned::Score(_) => None,
        });
        let extra = self.extra(prepared, scheme, (ruled, learned), history);
        let mut assignment = tessera_segments::assign(scheme, &self.customers, &extra)?;
        assignment.assigned_by = AssignedBy::Held;
        assignment.rename(&scheme.naming);
        let artifact = known.map(|known| known.applied(Some(prepared.as_of)));
        self.take(prepared, scheme, (assignment, artifact), history)
    }

    /// What a scheme of the run needs beside the customers.
    fn extra<'a>(
        &'a self,
        prepared: &'a Prepared,
        scheme: &Scheme,
        (ruled, learned): (Option<&'a Ruled>, Option<&'a Fit>),
        history: &'a History,
    ) -> Extra<'a> {
        Extra {
            learned,
            criteria: Some(prepared.pipeline.gates.of(&scheme.name.value)),
            identity: Some(history),
            ..self.extra_by_rules(prepared, ruled)
        }
    }

    /// Adds an assignment, with permanent ids of its segments.
    fn take(
        &mut self,
        prepared: &Prepared,
        scheme: &Scheme,
        (mut assignment, artifact): (Assignment, Option<NewArtifact>),
        history: &mut History,
    ) -> Result<(), PipelineError> {
        history.settle(prepared, (scheme, &self.customers), &mut assignment)?;
        let applied = artifact.as_ref().filter(|known| known.content.is_none());
        let fitted_on = applied.map(|known| known.committed.fitted_on);
        for warning in &assignment.warnings {
            let when = fitted_on.filter(|_| warning.is_of_fit());
            let when =
                when.map_or_else(String::new, |day| format!("when it was fitted, on {day}: "));
            tracing::warn!(
                scheme = scheme.name.value,
                "scheme `{}`: {when}{warning}",
                scheme.name.value
            );
        }
        let artifact = artifact.map(|artifact| (scheme.name.value.clone(), artifact));
        self.artifacts.extend(artifact);
        self.columns
            .extend(tessera_segments::customer_columns(&assignment)?);
        self.assignments.push(assignment);
        Ok(())
    }

    /// How much there is, to come back to with [`Assigned::back_to`].
    pub(crate) fn mark(&self) -> AssignedMark {
        AssignedMark {
            assignments: self.assignments.len(),
            artifacts: self.artifacts.len(),
            columns: self.columns.len(),
        }
    }

    /// Removes the schemes that came after a mark.
    pub(crate) fn back_to(&mut self, mark: &AssignedMark) {
        self.assignments.truncate(mark.assignments);
        self.artifacts.truncate(mark.artifacts);
        self.columns.truncate(mark.columns);
    }

    /// The id of what the scheme that came last applied.
    pub(crate) fn applied(&self, scheme: &str) -> Option<&str> {
        let of_scheme = |known: &&(String, NewArtifact)| known.0 == scheme;
        let artifact = self.artifacts.iter().find(of_scheme);
        artifact.map(|(_, artifact)| artifact.committed.id.as_str())
    }

    /// Keeps what the scheme that came last applied, before an earlier definition takes its place.
    pub(crate) fn set_aside(&mut self, scheme: &str) {
        let mut artifacts = self.artifacts.iter();
        if let Some((_, artifact)) = artifacts.find(|known| known.0 == scheme) {
            let mut tried = artifact.clone();
            tried.committed.of = artifacts::tried(&tried.committed.of);
            self.tried.push(tried);
        }
    }

    /// What schemes learned: what they applied, and what of it fell short of a gate, so that earlier definitions serve.
    pub(crate) fn learned(&self) -> impl Iterator<Item = &NewArtifact> {
        let applied = self.artifacts.iter().map(|(_, artifact)| artifact);
        applied.chain(&self.tried)
    }

    /// Puts a row of `quality` of the scheme that came last before its others.
    pub(crate) fn note(&mut self, row: Quality) {
        if let Some(assignment) = self.assignments.last_mut() {
            assignment.quality.insert(0, row);
        }
    }

    /// What the schemes learned and applied, by the name of the scheme.
    pub(crate) fn artifacts(&self) -> &[(String, NewArtifact)] {
        &self.artifacts
    }

    /// What `models` says of it.
    pub(crate) fn artifact_rows(&self) -> Vec<(String, Parameter)> {
        let rows = self.artifacts.iter().flat_map(|(scheme, artifact)| {
            let rows = scores::artifact_rows(Some(artifact)).into_iter();
            rows.map(|row| (scheme.clone(), row))
        });
        rows.collect()
    }

    /// Holds the scheme that came last against its criteria, and returns what falls short of those that ask for more than to state
    /// it.
    pub(crate) fn judge(
        &mut self,
        prepared: &Prepared,
        scheme: &Scheme,
        features: &RecordBatch,
        history: &History,
    ) -> Result<Short, PipelineError> {
        let Some(assignment) = self.assignments.last_mut() else {
            return Ok(Short::default());
        };
        let since = history.since(prepared, assignment);
        let of = (&self.customers, features);
        let rows = gates::judge(prepared, scheme, of, assignment, &since)?;
        assignment.quality.extend(rows);
        Ok(gates::short(prepared, assignment))
    }

    /// Adds the columns of a scheme that was applied or fitted, for the schemes that read it.
    pub(crate) fn add(&mut self, made: &Assignment) -> Result<(), PipelineError> {
        self.columns
            .extend(tessera_segments::customer_columns(made)?);
        Ok(())
    }

    /// Assigns by one more scheme with the edges, centres or rules of an earlier assignment.
    pub(crate) fn apply(
        &self,
        prepared: &Prepared,
        scheme: &Scheme,
        learned: &Assignment,
        ruled: Option<&Ruled>,
    ) -> Result<Assignment, PipelineError> {
        let extra = self.extra_by_rules(prepared, ruled);
        let mut made = learned.apply(scheme, &self.customers, &extra)?;
        if learned.assigned_by == AssignedBy::Held {
            made.rename(&scheme.naming);
        }
        Ok(made)
    }

    /// Assigns by one more scheme with what an earlier version learned.
    pub(crate) fn apply_fit(
        &self,
        prepared: &Prepared,
        scheme: &Scheme,
        learned: &Fit,
    ) -> Result<Assignment, PipelineError> {
        let extra = Extra {
            learned: Some(learned),
            ..self.extra_by_rules(prepared, None)
        };
        Ok(tessera_segments::assign(scheme, &self.customers, &extra)?)
    }

    /// Assigns by one more scheme with what is learned from these customers.
    pub(crate) fn fit(
        &self,
        prepared: &Prepared,
        scheme: &Scheme,
        ruled: Option<&Ruled>,
    ) -> Result<Assignment, PipelineError> {
        let extra = self.extra_by_rules(prepared, ruled);
        Ok(tessera_segments::assign(scheme, &self.customers, &extra)?)
    }

    /// What every assignment needs beside the customers.
    fn extra_by_rules<'a>(&'a self, prepared: &Prepared, ruled: Option<&'a Ruled>) -> Extra<'a> {
        Extra {
            seed: prepared.pipeline.seed,
            rule_matches: ruled.map(|ruled| ruled.matches.as_slice()),
            rule_reasons: ruled.and_then(|ruled| ruled.reasons.as_ref()),
            named_features: &self.named_features,
            ..Extra::default()
        }
    }

    /// The results of the rules of a scheme for each customer at the close of a day.
    pub(crate) fn ruled(
        &self,
        prepared: &Prepared,
        as_of: NaiveDate,
        (scheme, rules): (&Scheme, &[Expr]),
        engine: &dyn Engine,
    ) -> Result<Ruled, PipelineError> {
        let table = self.with_schemes()?;
        let written: Option<&RulesScheme> = scheme.kind.of();
        let written = written.map_or(&[][..], |config| config.rules.as_slice());
        let clauses = RuleClauses::new(written.iter().zip(rules).map(|(rule, expr)| {
            let (segment, when) = (rule.segment.value.as_str(), rule.when.value.as_str());
            (segment, when, expr)
        }));
        let exprs: Vec<Expr> = rules.iter().chain(clauses.conditions()).cloned().collect();
        let place = (as_of, prepared.pipeline.timezone);
        let mut matches = truths::evaluate(engine, &table, place, &exprs)?;
        let truths = matches.split_off(rules.len());
        Ok(Ruled {
            matches,
            reasons: Some(Arc::new(clauses.with(truths, &table))),
        })
    }

    /// As [`Assigned::ruled`], for assignments whose reasons nobody reads: the conditions of the rules are not evaluated.
    pub(crate) fn ruled_alone(
        &self,
        prepared: &Prepared,
        as_of: NaiveDate,
        rules: &[Expr],
        engine: &dyn Engine,
    ) -> Result<Ruled, PipelineError> {
        let table = self.with_schemes()?;
        let place = (as_of, prepared.pipeline.timezone);
        Ok(Ruled {
            matches: truths::evaluate(engine, &table, place, rules)?,
            reasons: None,
        })
    }

    /// The table with the columns of the schemes so far behind it, by name: the order of the file means nothing.
    pub(crate) fn with_schemes(&self) -> Result<RecordBatch, PipelineError> {
        let mut fields: Vec<Arc<Field>> = self.table.schema().fields().iter().cloned().collect();
        let mut columns = self.table.columns().to_vec();
        let mut schemes: Vec<&(Field, ArrayRef)> = self.columns.iter().collect();
        schemes.sort_by(|a, b| a.0.name().cmp(b.0.name()));
        for (field, column) in schemes {
            fields.push(Arc::new(field.clone()));
            columns.push(column.clone());
        }
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    /// The customers with what segments are profiled by: all but columns that only qualify others.
    pub(crate) fn profiled(&self, prepared: &Prepared) -> Result<Customers, PipelineError> {
        let details: BTreeSet<String> = prepared
            .pipeline
            .scores
            .iter()
            .flat_map(Score::columns)
            .filter(|column| column.detail)
            .map(|column| column.name)
            .collect();
        let schema = self.table.schema();
        let kept: Vec<usize> = (0..schema.fields().len())
            .filter(|&column| !details.contains(schema.field(column).name()))
            .collect();
        Ok(Customers::new(self.table.project(&kept)?)?)
    }

    /// The customers, as the input of schemes.
    pub(crate) fn customers(&self) -> &Customers {
        &self.customers
    }

    /// The schemes, in file order.
    pub(crate) fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }
}
