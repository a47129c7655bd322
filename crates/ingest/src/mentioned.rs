//! The columns of a source that its pipeline names: only these are checked, so other columns cannot fail a run.

use std::collections::BTreeSet;

use tessera_spec::Pipeline;
use tessera_spec::pipeline::{Duplicates, ExprText, FeatureBody, Source};

use crate::keys::customer_of;

/// Names that the pipeline uses of a source.
#[derive(Debug, Default)]
pub(crate) struct Mentioned {
    names: BTreeSet<String>,
    /// Rows are compared in every column.
    all: bool,
}

impl Mentioned {
    /// The names of the source's own keys, of its expressions, and of features and scores over it.
    pub(crate) fn of(pipeline: &Pipeline, source: &Source) -> Self {
        let mut mentioned = Self {
            all: matches!(
                source.contract.duplicates,
                Duplicates::DropExact | Duplicates::Fail
            ),
            ..Self::default()
        };
        mentioned.source(source);
        // The column that holds money where none is stated: features of the catalogue, scores and cohorts read it.
        let reads_money = !pipeline.features.catalogue.is_empty()
            || !pipeline.scores.is_empty()
            || pipeline.customer.cohorts;
        if source.amount.is_none() && reads_money {
            mentioned.names.insert("amount".to_owned());
        }
        for feature in &pipeline.features.declared {
            if let FeatureBody::Aggregate {
                from, of, filter, ..
            } = &feature.body
                && from.value == source.name.value
            {
                of.iter()
                    .chain(filter)
                    .for_each(|text| mentioned.text(text));
            }
        }
        mentioned
            .names
            .extend(customer_of(pipeline, source).map(|to| to.value.clone()));
        let joins = pipeline.sources.iter().flat_map(|other| &other.joins);
        for join in joins.filter(|join| join.from.value == source.name.value) {
            let columns = join.on.iter().chain(&join.columns);
            let columns = columns.map(|(_, of)| of.value.clone());
            mentioned.names.extend(columns);
        }
        // Scores name few columns; that a name of theirs belongs to another source does no harm.
        if let Ok(scores) = serde_json::to_value(&pipeline.scores) {
            mentioned.values(&scores);
        }
        mentioned
    }

    /// Whether the pipeline uses the column.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }

    /// Whether the pipeline uses the column by its name, not only in a comparison of whole rows.
    pub(crate) fn by_name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    fn source(&mut self, source: &Source) {
        let single = [
            &source.time,
            &source.until,
            &source.known_at,
            &source.order_id,
            &source.amount,
        ];
        let asked = source.joins.iter().flat_map(|join| {
            let on = join.on.iter().map(|(own, _)| own);
            on.chain(&join.as_of)
        });
        let single = single.into_iter().flatten().chain(source.keys());
        let single = single.chain(asked);
        let attributes = source.attributes.iter().map(|a| &a.column);
        let columns = source.contract.columns.iter().map(|column| &column.name);
        for name in single.chain(attributes).chain(columns) {
            self.names.insert(name.value.clone());
        }
        if let Duplicates::Unique { columns, .. } = &source.contract.duplicates {
            self.names.extend(columns.iter().map(|c| c.value.clone()));
        }
        let rules = source.contract.rules.iter().map(|rule| &rule.check);
        let derive = source.derive.iter().map(|(_, text)| text);
        for text in rules
            .chain(derive)
            .chain(&source.filter)
            .chain(&source.purchase)
        {
            self.text(text);
        }
    }

    fn text(&mut self, text: &ExprText) {
        self.names.extend(names_in(&text.value));
    }

    fn values(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => {
                self.names.insert(text.clone());
            }
            serde_json::Value::Array(values) => values.iter().for_each(|v| self.values(v)),
            serde_json::Value::Object(map) => map.values().for_each(|v| self.values(v)),
            _ => {}
        }
    }
}

/// The names in an expression. Those of functions and words within literals are taken too, which does no harm.
pub(crate) fn names_in(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (quoted, part) in (0..).zip(text.split('"')) {
        if quoted % 2 == 1 {
            names.insert(part.to_owned());
            continue;
        }
        let words = part.split(|c: char| !c.is_alphanumeric() && c != '_');
        names.extend(words.filter(|w| !w.is_empty()).map(str::to_owned));
    }
    names
}
