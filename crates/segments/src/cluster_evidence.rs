//! What explains clusters and how far they can be trusted: a short rule for each, whether it is found again when customers
//! are resampled, and whether there are clusters at all.
//!
//! All of it runs on samples of fixed size, so its cost hardly grows with the number of customers.

use serde::{Deserialize, Serialize};
use tessera_model::Matrix;
use tessera_model::cluster::{
    self, ClusterError, ClusterStability, ContentOrder, KRange, NamedFeature, NullModel, NullTest,
    StabilityGrade, StabilityParams, StructureParams, StructureVerdict, SurrogateParams,
    SurrogateRule,
};
use tessera_spec::pipeline::{Criteria, KChoice, Unit};
use tessera_spec::shown::grouped;

use crate::assignment::{STABLE, Warning};
use crate::gates::identifiable::MIN_FIDELITY;
use crate::gates::stable::MIN_JACCARD;
use crate::parameter::Parameter;
use crate::quality::{Quality, Threshold};

/// Number of bootstrap resamples for stability.
const STABILITY_RESAMPLES: u32 = 20;

/// Largest number of customers in a resample.
const STABILITY_ROWS: usize = 5_000;

/// Sets of rows without clusters, per null model.
const STRUCTURE_REFERENCES: u32 = 39;

/// Largest number of customers for the test of structure; the silhouette compares all with all.
const STRUCTURE_ROWS: usize = 1_000;

/// The same where k was chosen, and every set of rows is tested with each k that was tried.
const CHOICE_ROWS: usize = 500;

/// Largest p value that counts as evidence of clusters.
const STRUCTURE_LEVEL: f64 = 0.05;

/// What was found out about the clusters of one scheme.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    clusters: usize,
    /// The numbers of clusters among which this one has the best silhouette; `None` where it is stated.
    chosen_from: Option<(u32, u32)>,
    rows: usize,
    rules: Vec<SurrogateRule>,
    stability: Vec<ClusterStability>,
    /// `None` for a single cluster.
    structure: Option<StructureVerdict>,
}

impl Evidence {
    /// Computes it from raw features (NaN = missing), the prepared ones in order, and each customer's cluster below
    /// `clusters`.
    ///
    /// # Errors
    /// Infinite raw values, or labels of other rows.
    pub(crate) fn gather(
        raw: &Matrix<'_>,
        prepared: &ContentOrder<'_>,
        labels: &[u32],
        (clusters, k): (usize, KChoice),
        seed: u64,
    ) -> Result<Self, ClusterError> {
        let mut found = Self {
            clusters,
            chosen_from: match k {
                KChoice::Range(from, to) => Some((from, to)),
                KChoice::Fixed(_) => None,
            },
            rows: prepared.matrix().rows(),
            rules: Vec::new(),
            stability: Vec::new(),
            structure: None,
        };
        if clusters < 2 {
            return Ok(found);
        }
        let rules = || {
            let params = SurrogateParams {
                seed,
                ..SurrogateParams::default()
            };
            cluster::surrogate_rules(raw, labels, &params)
        };
        let stability = || {
            let params = StabilityParams {
                resamples: STABILITY_RESAMPLES,
                sample: STABILITY_ROWS,
                seed,
                ..StabilityParams::default()
            };
            cluster::cluster_stability(prepared, labels, &params)
        };
        let range = found.chosen_from.map(|(from, to)| KRange::new(from, to));
        let chosen_from = range.transpose()?;
        let sample = found.structure_rows();
        let structure = || {
            let params = StructureParams {
                references: STRUCTURE_REFERENCES,
                sample,
                chosen_from,
                level: STRUCTURE_LEVEL,
                seed,
                ..StructureParams::default()
            };
            cluster::test_structure(prepared, clusters, &params)
        };
        // In parallel, since at the end of each most threads wait for its last sample.
        let (structure, (stability, rules)) =
            rayon::join(structure, || rayon::join(stability, rules));
        found.rules = rules?;
        found.stability = stability?;
        found.structure = Some(structure?);
        Ok(found)
    }

    /// Largest number of customers for the test of structure.
    fn structure_rows(&self) -> usize {
        match self.chosen_from {
            Some(_) => CHOICE_ROWS,
            None => STRUCTURE_ROWS,
        }
    }

    /// The rule that approximates a cluster, with its fidelity; `None` where no rule separates the cluster.
    pub(crate) fn rule(&self, cluster: usize) -> Option<String> {
        let rule = self
            .rules
            .iter()
            .find(|rule| rule.cluster as usize == cluster)?;
        if rule.alternatives.is_empty() {
            return None;
        }
        Some(match rule.balanced_accuracy {
            Some(fidelity) => format!(
                "{rule} (balanced accuracy {fidelity:.2} on {} held-out customers)",
                grouped(rule.held_out as u64)
            ),
            None => rule.to_string(),
        })
    }

    /// Rows for the `models` table, of a model of this name. Clusters are counted from 1.
    pub(crate) fn parameters(&self, model: &str) -> Vec<Parameter> {
        if self.clusters < 2 {
            return Vec::new();
        }
        let mut rows = Vec::new();
        let number = |name: String, value: f64| Parameter::number(model, name, value);
        if let Some(rule) = self.rules.first() {
            rows.push(number(
                "surrogate_held_out_rows".to_owned(),
                rule.held_out as f64,
            ));
        }
        for rule in &self.rules {
            let name = format!("surrogate_{}", rule.cluster + 1);
            rows.push(Parameter {
                value: rule.balanced_accuracy,
                ..Parameter::text(model, name, rule.to_string())
            });
        }
        rows.push(number(
            "stability_resamples".to_owned(),
            f64::from(STABILITY_RESAMPLES),
        ));
        rows.push(number(
            "stability_rows".to_owned(),
            self.rows.min(STABILITY_ROWS) as f64,
        ));
        for found in &self.stability {
            let name = format!("stability_{}", found.cluster + 1);
            rows.push(number(format!("{name}_sd"), found.sd_jaccard));
            rows.push(number(format!("{name}_recovered"), found.recovered));
            rows.push(number(format!("{name}_dissolved"), found.dissolved));
            rows.push(number(name, found.mean_jaccard).with_text(grade(found.grade)));
        }
        rows.extend(
            self.structure
                .as_ref()
                .map(|verdict| self.structure_parameters(model, verdict))
                .unwrap_or_default(),
        );
        rows
    }

    fn structure_parameters(&self, model: &str, verdict: &StructureVerdict) -> Vec<Parameter> {
        let number = |name: String, value: f64| Parameter::number(model, name, value);
        let mut rows = vec![
            number(
                "structure_rows".to_owned(),
                self.rows.min(self.structure_rows()) as f64,
            ),
            number(
                "structure_references".to_owned(),
                f64::from(STRUCTURE_REFERENCES),
            ),
        ];
        if verdict.tests.is_empty() {
            return rows;
        }
        if let Some((from, to)) = self.chosen_from {
            rows.push(number("structure_k_from".to_owned(), f64::from(from)));
            rows.push(number("structure_k_to".to_owned(), f64::from(to)));
        }
        rows.push(number(
            "structure_silhouette".to_owned(),
            verdict.silhouette,
        ));
        let structure = number(
            "structure".to_owned(),
            f64::from(u8::from(verdict.clustered)),
        );
        rows.push(structure.with_text(match verdict.clustered {
            true => "clusters",
            false => "no clusters",
        }));
        for test in &verdict.tests {
            let null = match test.model {
                NullModel::ColumnsPermuted => "columns_permuted",
                NullModel::PrincipalUniform => "principal_uniform",
                NullModel::DependenceKept => "dependence_kept",
            };
            rows.push(number(format!("structure_{null}_p"), test.p_value));
            rows.push(number(format!("structure_{null}_mean"), test.null_mean));
            rows.push(number(format!("structure_{null}_sd"), test.null_sd));
        }
        rows
    }

    /// Warnings where there is no evidence of clusters, or where clusters are unstable.
    pub(crate) fn warnings(&self, names: &[String]) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if let Some((verdict, test)) = self.closest_null()
            && !verdict.clustered
        {
            warnings.push(Warning::NoClusters {
                k: verdict.k,
                silhouette: verdict.silhouette,
                without_clusters: test.null_mean,
                p_value: test.p_value,
            });
        }
        let unstable: Vec<(String, f64)> = self
            .stability
            .iter()
            .filter(|found| found.mean_jaccard < STABLE)
            .map(|found| (names[found.cluster as usize].clone(), found.mean_jaccard))
            .collect();
        if !unstable.is_empty() {
            warnings.push(Warning::UnstableClusters { clusters: unstable });
        }
        warnings
    }

    /// Rows for the `quality` table.
    pub(crate) fn quality(&self, names: &[String], criteria: &Criteria) -> Vec<Quality> {
        let (limit, fidelity) = (MIN_JACCARD.of(criteria), MIN_FIDELITY.of(criteria));
        if self.clusters < 2 {
            let reason = "there is one cluster, and a comparison needs at least two".to_owned();
            return vec![Quality::not_computed("", "clustered", "p_value", reason)];
        }
        let mut rows = vec![match self.closest_null() {
            Some((verdict, test)) => Quality::judged(
                "",
                "clustered",
                "p_value",
                (test.p_value, Threshold::at_most(STRUCTURE_LEVEL)),
                (!verdict.clustered).then(|| {
                    "customers are no more clustered than rows without clusters; use other features, or a scheme with stated \
                     borders such as `quantile` or `rules`"
                        .to_owned()
                }),
            ),
            None => Quality::not_computed(
                "",
                "clustered",
                "p_value",
                format!("there are too few distinct customers for {} clusters", self.clusters),
            ),
        }];
        for (cluster, name) in names.iter().enumerate() {
            let found = self
                .stability
                .iter()
                .find(|found| found.cluster as usize == cluster);
            rows.push(match found {
                Some(found) => Quality::judged(
                    name,
                    "stable",
                    "mean_jaccard",
                    (found.mean_jaccard, Threshold::at_least(limit)),
                    (found.mean_jaccard < limit).then(|| {
                        format!(
                            "only {:.0}% of resamples of the customers have a similar cluster (Jaccard similarity of at least 0.75); use fewer clusters or other features",
                            100.0 * found.recovered
                        )
                    }),
                ),
                None => Quality::not_computed(
                    name,
                    "stable",
                    "mean_jaccard",
                    "the cluster has too few customers to be in the sample".to_owned(),
                ),
            });
            rows.push(self.fidelity(cluster, name, fidelity));
        }
        rows
    }

    /// How well the short rule of a cluster says who is in it.
    fn fidelity(&self, cluster: usize, name: &str, limit: f64) -> Quality {
        let mut rules = self.rules.iter();
        let rule = rules.find(|rule| rule.cluster as usize == cluster);
        let (criterion, metric) = ("identifiable", "balanced_accuracy");
        match rule.and_then(|rule| rule.balanced_accuracy) {
            Some(found) => Quality::judged(
                name,
                criterion,
                metric,
                (found, Threshold::at_least(limit)),
                (found < limit).then(|| {
                    "the short rule in `segments` misses too many of its customers, or takes too many others; use fewer clusters or \
                     fewer features"
                        .to_owned()
                }),
            ),
            None => Quality::not_computed(
                name,
                criterion,
                metric,
                "no customers were left to test the short rule on".to_owned(),
            ),
        }
    }

    /// The null model that explains the customers best.
    fn closest_null(&self) -> Option<(&StructureVerdict, &NullTest)> {
        let verdict = self.structure.as_ref()?;
        let closest = verdict
            .tests
            .iter()
            .max_by(|a, b| a.p_value.total_cmp(&b.p_value))?;
        Some((verdict, closest))
    }
}

/// A name per cluster: the one that the scheme gives, else one from its distinctive features, else its number.
pub(crate) fn names(
    given: &[String],
    columns: &[String],
    features: &[NamedFeature],
    centroids: &[Vec<f64>],
) -> Vec<String> {
    let named: Vec<NamedFeature> = columns
        .iter()
        .map(|column| NamedFeature {
            name: column.clone(),
            unit: features
                .iter()
                .find(|feature| feature.name == *column)
                .map_or(Unit::Number, |feature| feature.unit),
        })
        .collect();
    // One cluster holds all customers, so it has no distinctive features.
    let telling = if centroids.len() > 1 {
        cluster::cluster_names(&named, centroids)
    } else {
        Vec::new()
    };
    let name = |place: usize| match (given.get(place), telling.get(place)) {
        (Some(given), _) => given.clone(),
        (None, Some(telling)) if !given.contains(telling) => telling.clone(),
        (None, _) => format!("cluster {}", place + 1),
    };
    (0..centroids.len()).map(name).collect()
}

fn grade(grade: StabilityGrade) -> &'static str {
    match grade {
        StabilityGrade::Dissolved => "dissolved",
        StabilityGrade::Untrustworthy => "untrustworthy",
        StabilityGrade::Pattern => "pattern",
        StabilityGrade::Stable => "stable",
        StabilityGrade::HighlyStable => "highly stable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_given_win_and_numbers_are_the_last_resort() {
        let columns = ["recency_days".to_owned(), "spend_total".to_owned()];
        let features = [NamedFeature {
            name: "recency_days".to_owned(),
            unit: Unit::Days,
        }];
        let centroids = vec![vec![1.5, 0.0], vec![-0.7, 0.0], vec![-0.1, 2.0]];
        let named = |given: &[&str], centroids: &[Vec<f64>]| {
            let given: Vec<String> = given.iter().map(|name| (*name).to_owned()).collect();
            names(&given, &columns, &features, centroids)
        };
        assert_eq!(
            named(&[], &centroids),
            ["longer inactive", "more recently active", "high spend"]
        );
        assert_eq!(
            named(&["gone"], &centroids),
            ["gone", "more recently active", "high spend"]
        );
        assert_eq!(
            named(&["high spend"], &centroids),
            ["high spend", "more recently active", "cluster 3"]
        );
        assert_eq!(named(&[], &centroids[..1]), ["cluster 1"]);
    }
}
