//! Clusters: what is the same for every kind of scheme that finds its segments among the customers. A kind says how it finds
//! them; here they get ids, names, reasons, rules and evidence, and customers in another state get the nearest centre.

pub(crate) mod keys;
mod parameters;
mod reasons;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tessera_model::Matrix;
use tessera_model::cluster::{
    self, ChoiceTable, ClusterError, ClusterWarning, ContentOrder, KmeansFit, KmeansModel,
    Preparation,
};
use tessera_spec::pipeline::{At, KChoice, Scheme};

use crate::assignment::{AssignedBy, Assignment, Extra, SegmentInfo, Warning, segment_id};
use crate::cluster_evidence::{self, Evidence};
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::fit::Fit;
use crate::wording::write_number;
use reasons::{Explained, FeatureWords, Places};

/// Number of rows sampled for the published silhouette, which compares all with all.
const SILHOUETTE_ROWS: usize = 5_000;

/// The name of the form in which clusters are stored, whatever kind found them.
pub(crate) const FORM: &str = "clusters";

/// What a kind of clusters states of a scheme.
pub(crate) struct Clustering<'a> {
    /// The kind, and the model of its rows in `models`.
    pub(crate) kind: &'static str,
    /// The features.
    pub(crate) features: &'a [At<String>],
    /// Names by the falling mean of the first feature.
    pub(crate) names: &'a [String],
    /// Settings of the fit that `models` shows.
    pub(crate) shown: Vec<(&'static str, f64)>,
}

/// Fitted clusters, by the falling mean of its first feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clusters {
    /// How features are prepared.
    pub(crate) preparation: Preparation,
    /// The centres.
    pub(crate) model: KmeansModel,
    /// Permanent ids, in the order of the centres.
    pub(crate) ids: Vec<i64>,
    /// Customers of each cluster at the fit.
    pub(crate) sizes: Vec<usize>,
    /// Sum of squared distances to the centres at the fit.
    pub(crate) inertia: f64,
    /// Customers the starts saw.
    pub(crate) sample_rows: usize,
    /// By how much the inertia of the centres of the sample exceeds `inertia`, as a share.
    pub(crate) sampling_excess: f64,
    /// Passes over all customers.
    pub(crate) iterations: usize,
    /// Whether the centres came to rest.
    pub(crate) converged: bool,
    /// How k was chosen; none where it was given.
    pub(crate) choice: Option<ChoiceTable>,
    /// What the fit noticed about its data.
    pub(crate) warnings: Vec<ClusterWarning>,
    /// Mean silhouette on a sample; none where the clusters leave it undefined.
    pub(crate) silhouette: Option<f64>,
    /// Rules, stability, structure.
    pub(crate) evidence: Evidence,
}

/// What is learned: the clusters, and the features as their preparation prepares them.
pub(crate) type Learned = (Clusters, Matrix<'static>);

/// Assigns every customer to the nearest of the centres that `learn` finds among the prepared features, or that were found
/// before. Ids are given here.
pub(crate) fn assign(
    of: &Clustering<'_>,
    scheme: &Scheme,
    customers: &Customers,
    extra: &Extra<'_>,
    learn: impl FnOnce(&Matrix<'_>) -> Result<Learned, SegmentError>,
) -> Result<Assignment, SegmentError> {
    let name = scheme.name.value.as_str();
    let raw = features(of, customers)?;
    if customers.is_empty() {
        return Ok(nobody(name, of));
    }
    let (mut found, prepared) = match extra.learned.and_then(Fit::get::<Clusters>) {
        Some(found) => {
            let prepared = found.preparation.apply(&raw)?;
            (found.clone(), prepared)
        }
        None => learn(&raw)?,
    };
    // Clusters that were just learned are assigned as those that were learned before, so that both give the same.
    let nearest = found.model.assign(&prepared)?;
    let names = cluster_evidence::names(
        of.names,
        &found.model.columns,
        extra.named_features,
        &found.model.centroids,
    );
    let places = Places::new(customers);
    let segment_of: Vec<u32> = (0..customers.len())
        .map(|row| nearest.cluster[places.of(row)])
        .collect();
    let names = if found.ids.is_empty() {
        let (ids, names) = identified(scheme, &segment_of, names, extra);
        found.ids = ids;
        names
    } else {
        scheme.naming.named(&found.ids, names)
    };
    let parameters = parameters::parameters(of, &found, &names, extra.seed);
    let noticed = found.preparation.warnings.iter().chain(&found.warnings);
    let warnings = noticed
        .cloned()
        .chain(found.preparation.applied_warnings(&raw))
        .map(Warning::Clusters)
        .chain(found.evidence.warnings(&names))
        .collect();
    let criteria = extra.criteria.cloned().unwrap_or_default();
    let columns = found.preparation.columns.iter();
    Ok(Assignment {
        scheme: name.to_owned(),
        kind: of.kind,
        segments: segments(&names, &found),
        segment_of,
        quality: found.evidence.quality(&names, &criteria),
        reasons: reasons::reasons(Explained {
            places,
            names,
            features: columns.map(FeatureWords::new).collect(),
            raw,
            prepared,
            assignment: nearest,
        }),
        assigned_by: AssignedBy::Model,
        held: BTreeMap::new(),
        columns: Vec::new(),
        parameters,
        warnings,
        fit: Fit::new(FORM, found),
    })
}

/// How many clusters were found where fewer were found than are asked for, as on a day on which all customers were alike.
pub(crate) fn too_few(fit: &Fit, fewest: usize) -> Option<usize> {
    let found = fit.get::<Clusters>()?.model.centroids.len();
    (found < fewest).then_some(found)
}

/// Assigns customers in another state to the nearest of the centres that an assignment learned.
pub(crate) fn apply(
    learned: &Assignment,
    scheme: &Scheme,
    customers: &Customers,
    _: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let kind = learned.kind;
    let found: &Clusters = learned.fit.get().ok_or(SegmentError::WrongKind { kind })?;
    let clusters = nearest(&found.preparation, &found.model, customers)?;
    let name = |cluster: &u32| learned.segments[*cluster as usize].name.as_str();
    let names = clusters.iter().map(name);
    Ok(Assignment::by_names(&scheme.name.value, kind, names))
}

/// The nearest centre of every customer, in table order.
fn nearest(
    preparation: &Preparation,
    model: &KmeansModel,
    customers: &Customers,
) -> Result<Vec<u32>, SegmentError> {
    if customers.is_empty() {
        return Ok(Vec::new());
    }
    let (mut names, mut columns) = (Vec::new(), Vec::new());
    for column in &preparation.columns {
        names.push(column.name.clone());
        columns.push(Cow::Owned(customers.numeric(&column.name)?.into_values()));
    }
    let raw = Matrix::new(names, columns).map_err(ClusterError::from)?;
    Ok(model.assign(&preparation.apply(&raw)?)?.cluster)
}

/// Ids and names of the clusters.
fn identified(
    scheme: &Scheme,
    segment_of: &[u32],
    names: Vec<String>,
    extra: &Extra<'_>,
) -> (Vec<i64>, Vec<String>) {
    match extra.identity {
        Some(identity) => identity
            .clusters(scheme, segment_of, names)
            .into_iter()
            .unzip(),
        None => {
            let id = |name: &String| segment_id(&scheme.name.value, name);
            (names.iter().map(id).collect(), names)
        }
    }
}

/// Clusters that were found among prepared features, by the falling mean of the first raw one, with how far they can be trusted.
pub(crate) fn judged(
    raw: &Matrix<'_>,
    (preparation, order): (Preparation, &ContentOrder<'_>),
    (mut fit, k): (KmeansFit, KChoice),
    seed: u64,
) -> Result<Clusters, SegmentError> {
    fit.order_by(raw.column(0))?;
    let labels = &fit.assignment.cluster;
    let evidence = Evidence::gather(raw, order, labels, (fit.sizes.len(), k), seed)?;
    let silhouette = silhouette(order, labels)?;
    Ok(Clusters {
        preparation,
        ids: Vec::new(),
        evidence,
        silhouette,
        model: fit.model,
        sizes: fit.sizes,
        inertia: fit.inertia,
        sample_rows: fit.sample_rows,
        sampling_excess: fit.sampling_excess,
        iterations: fit.iterations,
        converged: fit.converged,
        choice: fit.choice,
        warnings: fit.warnings,
    })
}

/// Mean silhouette on a sample; `None` where it is undefined for these clusters.
fn silhouette(order: &ContentOrder<'_>, labels: &[u32]) -> Result<Option<f64>, SegmentError> {
    match cluster::sampled_silhouette(order, labels, SILHOUETTE_ROWS) {
        Ok(silhouette) => Ok(Some(silhouette)),
        Err(ClusterError::Undefined { .. }) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// The features in the order of the customers' keys, so that the sums in the fit do not depend on the table's order.
fn features(of: &Clustering<'_>, customers: &Customers) -> Result<Matrix<'static>, SegmentError> {
    let mut names = Vec::with_capacity(of.features.len());
    let mut columns = Vec::with_capacity(of.features.len());
    for feature in of.features {
        let values = customers.numeric(&feature.value)?.into_values();
        let ordered = (0..values.len()).map(|place| values[customers.row_by_key(place)]);
        columns.push(Cow::Owned(ordered.collect()));
        names.push(feature.value.clone());
    }
    Ok(Matrix::new(names, columns).map_err(ClusterError::from)?)
}

/// No customers, hence no clusters.
fn nobody(scheme: &str, of: &Clustering<'_>) -> Assignment {
    let segments = of.names.iter();
    let segments = segments.map(|name| SegmentInfo::new(scheme, name, None));
    Assignment::bare(scheme, of.kind, segments.collect(), Vec::new())
}

/// The segments of the clusters, each with the rule that describes it, or else its centre.
fn segments(names: &[String], found: &Clusters) -> Vec<SegmentInfo> {
    let centre = |index: usize| centre_words(&found.preparation, &found.model.centroids[index]);
    let segment = |(index, name): (usize, &String)| SegmentInfo {
        id: found.ids[index],
        name: name.clone(),
        rule: Some(found.evidence.rule(index).unwrap_or_else(|| centre(index))),
    };
    names.iter().enumerate().map(segment).collect()
}

/// The centre in the units of the features.
fn centre_words(preparation: &Preparation, centre: &[f64]) -> String {
    let mut text = "nearest to the centre".to_owned();
    for (index, (column, &coordinate)) in preparation.columns.iter().zip(centre).enumerate() {
        text.push_str(if index == 0 { " " } else { ", " });
        text.push_str(&column.name);
        text.push(' ');
        write_number(column.raw(coordinate), &mut text);
    }
    text
}
