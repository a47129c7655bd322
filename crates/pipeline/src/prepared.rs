//! What a run works with: the checked pipeline with its plan. How it comes about is in `prepare`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use chrono::NaiveDate;
use tessera_expr::Expr;
use tessera_features::{Aged, FeatureInfo, FeaturePlan};
use tessera_ingest::Inventory;
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::Diagnostics;
use tessera_spec::pipeline::{Scheme, Unit};

use crate::artifacts::Artifacts;
use crate::cohorts::plan::Plan as CohortsPlan;
use crate::intervals;
use crate::leaves::plan::Plan as LeavesPlan;
use crate::pins::Pins;

/// A pipeline that is ready to run on one date.
#[derive(Debug)]
pub struct Prepared {
    /// When its preparation began, which is when the run did.
    pub(crate) started: SystemTime,
    /// The checked pipeline.
    pub pipeline: Pipeline,
    /// State of the customer base at the close of this day.
    pub as_of: NaiveDate,
    /// Rows that became known after this day are not used; by default the day of the run.
    pub known_as_of: NaiveDate,
    /// The files of the lake, per source in file order.
    pub inventories: Vec<Inventory>,
    /// The plan of the features and of the hidden columns that scores need.
    pub features: FeaturePlan,
    /// The columns of the scores.
    pub scored: Vec<FeatureInfo>,
    /// Features of which only today's value is known.
    pub(crate) untimed: BTreeMap<String, String>,
    /// The columns of `[value]`.
    pub(crate) value: Vec<(FeatureInfo, Expr)>,
    /// Predicates of each `rules` scheme, in order.
    pub rules: BTreeMap<String, Vec<Expr>>,
    /// How customers are counted by the month of their first order; none without features of orders.
    pub(crate) cohorts: Option<CohortsPlan>,
    /// Customers whom people put into segments.
    pub(crate) pins: Pins,
    /// What is learned in this run, and what of earlier versions is applied.
    pub(crate) artifacts: Artifacts,
    /// What says of the customers how they would be had no row come since the previous version.
    pub(crate) aged: Option<Aged>,
    /// What is computed for the days on which customers leave their segments; none unless the pipeline asks for them.
    pub(crate) leaves: Option<LeavesPlan>,
    /// Warnings.
    pub warnings: Diagnostics,
    /// How the store is written.
    pub(crate) store: tessera_snapshot::Options,
    /// The folder with the records of text files, for a run.
    pub kept: Option<tempfile::TempDir>,
}

impl Prepared {
    /// The column whose sum is a segment's value: the first that `[value]` states; without `[value]`, `spend_total` if it is
    /// published, otherwise the first feature of money.
    pub fn value_feature(&self) -> Option<&str> {
        if let Some((info, _)) = self.value.first() {
            return Some(&info.name);
        }
        let published = &self.features.published;
        let number = |f: &&FeatureInfo| f.ty.is_number();
        // One of the pipeline's own may have that name and be something else.
        let may_be_money = |f: &FeatureInfo| matches!(f.unit, Unit::Currency | Unit::Number);
        published
            .iter()
            .filter(number)
            .find(|f| f.name == "spend_total" && may_be_money(f))
            .or_else(|| {
                published
                    .iter()
                    .filter(number)
                    .find(|f| f.unit == Unit::Currency)
            })
            .map(|f| f.name.as_str())
    }

    /// The column by which customers are put in order where nothing says what they are worth: the probability of losing them.
    pub(crate) fn loss_feature(&self) -> Option<String> {
        match self.value_feature() {
            Some(_) => None,
            None => self.pipeline.risk(),
        }
    }

    /// The column by which customers are put in order: what they are worth, else the probability of losing them.
    pub(crate) fn order_feature(&self) -> Option<String> {
        let value = self.value_feature().map(str::to_owned);
        value.or_else(|| self.loss_feature())
    }

    /// Features, scores and values, in the order of their columns.
    pub fn published(&self) -> impl Iterator<Item = &FeatureInfo> {
        let values = self.value.iter().map(|(info, _)| info);
        self.features
            .published
            .iter()
            .chain(&self.scored)
            .chain(values)
    }

    /// Those of [`Prepared::published`] that stand in `customers`: the ends of intervals have a table of their own.
    pub(crate) fn in_customers(&self) -> impl Iterator<Item = &FeatureInfo> {
        let ends = intervals::ends(&self.pipeline);
        self.published()
            .filter(move |info| !ends.contains(&info.name))
    }

    /// The same pipeline with another definition of a scheme, and its predicates. Records of text files stay with this one.
    pub(crate) fn with_scheme(&self, scheme: Scheme, predicates: Option<Vec<Expr>>) -> Self {
        let name = scheme.name.value.clone();
        let mut pipeline = self.pipeline.clone();
        let mut schemes = pipeline.schemes.iter_mut();
        if let Some(known) = schemes.find(|known| known.name.value == name) {
            *known = scheme;
        }
        let mut rules = self.rules.clone();
        rules.remove(&name);
        rules.extend(predicates.map(|predicates| (name, predicates)));
        Self {
            started: self.started,
            pipeline,
            as_of: self.as_of,
            known_as_of: self.known_as_of,
            inventories: self.inventories.clone(),
            features: self.features.clone(),
            scored: self.scored.clone(),
            untimed: self.untimed.clone(),
            value: self.value.clone(),
            rules,
            cohorts: self.cohorts.clone(),
            pins: self.pins.clone(),
            artifacts: self.artifacts.clone(),
            aged: self.aged.clone(),
            leaves: self.leaves.clone(),
            warnings: self.warnings.clone(),
            store: self.store.clone(),
            kept: None,
        }
    }
}
