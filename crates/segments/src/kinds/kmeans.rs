//! `kind = "kmeans"`: customers grouped by similarity over several numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use tessera_model::Matrix;
use tessera_model::cluster::{
    self, ChoiceTable, ClusterError, ColumnTransform, ContentOrder, KmeansFit, KmeansParams,
    Preparation, PreparationParams,
};
use tessera_spec::pipeline::{KmeansScheme, Scheme, SchemeKind};

use super::Kind;
use crate::assignment::{
    AssignedBy, Assignment, Extra, Parameter, Reasons, SegmentInfo, Warning, segment_id,
};
use crate::cluster_evidence::{self, Evidence};
use crate::clusters::Clusters;
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::fit::Fit;
use crate::wording::write_number;

/// Number of rows sampled for the published silhouette, which compares all with all.
const SILHOUETTE_ROWS: usize = 5_000;

/// Number of features that a reason names.
const NAMED_FEATURES: usize = 2;

/// Ratios of distances above this are written as "more than" this in a reason.
const MUCH_FARTHER: f64 = 10.0;

pub(super) static KIND: Kind = Kind {
    name: "kmeans",
    summary: "Groups customers that are similar over several numbers.",
    docs: "Decides: the features are transformed, winsorised and standardised as stated; k-means is fitted on a sample from several \
           starts, the best is refined over all customers, and each customer belongs to the nearest centre. k is given, or the one \
           of a range with the highest mean silhouette. Clusters are numbered by the descending mean of the first feature and take \
           the scheme's names in that order, else names from their most distinctive features, such as `high spend, lapsing`.\n\
           Missing values: count as the feature's median; the reason says so.\n\
           Publishes: in `models` k, inertia, silhouette, the preparation of every feature, the centres (`centroid_…` standardised, \
           `centroid_units_…` in the feature's unit), the criteria of every k that was tried, a rule of depth 3 that approximates \
           each cluster with its balanced accuracy on held-out customers (`surrogate_…`), how well each cluster is found again when \
           customers are resampled (`stability_…`) and the comparison with rows without clusters (`structure_…`); in `quality` \
           whether the clusters pass both tests.",
    accepts: |kind| matches!(kind, SchemeKind::Kmeans(_)),
    inputs: |kind| match kind {
        SchemeKind::Kmeans(config) => config
            .features
            .iter()
            .map(|feature| feature.value.as_str())
            .collect(),
        _ => Vec::new(),
    },
    assign,
};

fn assign(
    scheme: &Scheme,
    customers: &Customers,
    extra: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let SchemeKind::Kmeans(config) = &scheme.kind else {
        return Err(SegmentError::WrongKind { kind: KIND.name });
    };
    let name = scheme.name.value.as_str();
    let raw = features(config, customers)?;
    if customers.is_empty() {
        return Ok(nobody(name, config));
    }
    let (mut found, prepared) = match extra.learned {
        Some(Fit::Clusters(found)) => {
            let prepared = found.preparation.apply(&raw)?;
            (found.as_ref().clone(), prepared)
        }
        _ => learn(config, &raw, extra.seed)?,
    };
    // Clusters that were just learned are assigned as those that were learned before, so that both give the same.
    let nearest = found.model.assign(&prepared)?;
    let names = cluster_evidence::names(
        &config.names,
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
    let mut parameters = fit_parameters(config, &found, &names, extra.seed);
    parameters.extend(found_parameters(&found));
    // A figure that could not be computed is left out rather than published as nothing.
    parameters.retain(|row| row.value.is_some_and(f64::is_finite) || row.text.is_some());
    let noticed = found.preparation.warnings.iter().chain(&found.warnings);
    let warnings = noticed
        .cloned()
        .map(Warning::Clusters)
        .chain(found.evidence.warnings(&names))
        .collect();
    let criteria = extra.criteria.cloned().unwrap_or_default();
    Ok(Assignment {
        scheme: name.to_owned(),
        kind: KIND.name,
        segments: segments(&names, &found),
        segment_of,
        quality: found.evidence.quality(&names, &criteria),
        reasons: reasons(Explained {
            places,
            names,
            features: found
                .preparation
                .columns
                .iter()
                .map(FeatureWords::new)
                .collect(),
            raw,
            prepared,
            assignment: nearest,
        }),
        assigned_by: AssignedBy::Model,
        held: BTreeMap::new(),
        columns: Vec::new(),
        parameters,
        warnings,
        fit: Fit::Clusters(Box::new(found)),
    })
}

/// Finds the clusters, and how far they can be trusted; and the features as they were prepared, which is as the clusters'
/// preparation prepares them. Ids are given later.
fn learn(
    config: &KmeansScheme,
    raw: &Matrix<'_>,
    seed: u64,
) -> Result<(Clusters, Matrix<'static>), SegmentError> {
    let params = PreparationParams {
        winsorise: config.winsorise,
        ..PreparationParams::new(config.transform)
    };
    let (preparation, prepared) = Preparation::fit(raw, &params)?;
    let params = KmeansParams {
        restarts: config.restarts,
        sample: config.sample as usize,
        seed,
        ..KmeansParams::new(config.k)
    };
    let order = ContentOrder::new(&prepared, seed);
    let mut fit = cluster::fit_ordered(&order, &params.check()?)?;
    fit.order_by(raw.column(0))?;
    let labels = &fit.assignment.cluster;
    let evidence = Evidence::gather(raw, &order, labels, fit.sizes.len(), seed)?;
    let silhouette = silhouette(&order, &fit)?;
    let found = Clusters {
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
    };
    Ok((found, prepared))
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

/// Mean silhouette on a sample; `None` where it is undefined for these clusters.
fn silhouette(order: &ContentOrder<'_>, fit: &KmeansFit) -> Result<Option<f64>, SegmentError> {
    match cluster::sampled_silhouette(order, &fit.assignment.cluster, SILHOUETTE_ROWS) {
        Ok(silhouette) => Ok(Some(silhouette)),
        Err(ClusterError::Undefined { .. }) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// The features in the order of the customers' keys, so that the sums in the fit do not depend on the table's order.
fn features(config: &KmeansScheme, customers: &Customers) -> Result<Matrix<'static>, SegmentError> {
    let mut names = Vec::with_capacity(config.features.len());
    let mut columns = Vec::with_capacity(config.features.len());
    for feature in &config.features {
        let values = customers.numeric(&feature.value)?.into_values();
        let ordered = (0..values.len()).map(|place| values[customers.row_by_key(place)]);
        columns.push(Cow::Owned(ordered.collect()));
        names.push(feature.value.clone());
    }
    Ok(Matrix::new(names, columns).map_err(ClusterError::from)?)
}

/// No customers, hence no clusters.
fn nobody(scheme: &str, config: &KmeansScheme) -> Assignment {
    Assignment {
        scheme: scheme.to_owned(),
        kind: KIND.name,
        segments: config
            .names
            .iter()
            .map(|name| SegmentInfo::new(scheme, name, None))
            .collect(),
        segment_of: Vec::new(),
        reasons: Reasons::PerSegment(Vec::new()),
        assigned_by: AssignedBy::Model,
        held: BTreeMap::new(),
        columns: Vec::new(),
        parameters: Vec::new(),
        warnings: Vec::new(),
        quality: Vec::new(),
        fit: Fit::None,
    }
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

/// The position in the order of keys of each row of the customer table.
struct Places(Vec<u32>);

impl Places {
    fn new(customers: &Customers) -> Self {
        let mut places = vec![0; customers.len()];
        for place in 0..customers.len() {
            places[customers.row_by_key(place)] = place as u32;
        }
        Self(places)
    }

    fn of(&self, row: usize) -> usize {
        self.0[row] as usize
    }
}

/// The data that reasons are written from. Everything but `names` and `features` is in the order of keys.
struct Explained {
    places: Places,
    names: Vec<String>,
    features: Vec<FeatureWords>,
    raw: Matrix<'static>,
    prepared: Matrix<'static>,
    assignment: cluster::Assignment,
}

/// The part of a reason that is the same for every customer.
struct FeatureWords {
    name: String,
    /// Written after a value.
    typical: String,
    /// Written where the value is missing.
    counts_as: String,
}

impl FeatureWords {
    fn new(column: &cluster::ColumnPreparation) -> Self {
        let in_brackets = |words: &str, value: f64| {
            let mut text = format!(" ({words} ");
            write_number(value, &mut text);
            text.push(')');
            text
        };
        Self {
            name: column.name.clone(),
            typical: in_brackets("typical", column.raw(0.0)),
            counts_as: in_brackets("counts as", column.median),
        }
    }
}

fn reasons(explained: Explained) -> Reasons {
    Reasons::Written(Arc::new(move |row, to| {
        let place = explained.places.of(row);
        explained.write_distance(place, to);
        explained.write_features(place, to);
    }))
}

impl Explained {
    /// How much nearer the own centre is than the next one.
    fn write_distance(&self, place: usize, to: &mut String) {
        let of = &self.assignment;
        let (own, next) = (of.distance[place], of.runner_up_distance[place]);
        if !next.is_finite() {
            to.push_str("the only cluster found");
            return;
        }
        let (name, next_name) = (
            &self.names[of.cluster[place] as usize],
            &self.names[of.runner_up[place] as usize],
        );
        to.push_str("nearest to '");
        to.push_str(name);
        to.push_str("'; the next, '");
        to.push_str(next_name);
        // Writing to a String cannot fail.
        let _ = if next > MUCH_FARTHER * own {
            write!(to, "', is more than {MUCH_FARTHER} times as far")
        } else {
            let tenths = (10.0 * next / own.max(f64::MIN_POSITIVE)).round() as u64;
            write!(to, "', is {}.{} times as far", tenths / 10, tenths % 10)
        };
    }

    /// The features in which the customer differs most from the base, in standard deviations.
    fn write_features(&self, place: usize, to: &mut String) {
        let mut named = [(0.0, usize::MAX); NAMED_FEATURES];
        for column in 0..self.prepared.width() {
            let mut candidate = (self.prepared.column(column)[place].abs(), column);
            for slot in &mut named {
                if candidate.0 > slot.0 {
                    std::mem::swap(slot, &mut candidate);
                }
            }
        }
        let known = named.iter().filter(|slot| slot.1 != usize::MAX);
        for (index, &(_, column)) in known.enumerate() {
            let feature = &self.features[column];
            let value = self.raw.column(column)[place];
            to.push_str(if index == 0 { ": " } else { ", " });
            to.push_str(&feature.name);
            to.push(' ');
            write_number(value, to);
            to.push_str(if value.is_nan() {
                &feature.counts_as
            } else {
                &feature.typical
            });
        }
    }
}

fn number(name: impl Into<String>, value: f64) -> Parameter {
    Parameter::number(KIND.name, name, value)
}

fn fit_parameters(
    config: &KmeansScheme,
    fit: &Clusters,
    names: &[String],
    seed: u64,
) -> Vec<Parameter> {
    let mut rows = vec![
        number("k", names.len() as f64),
        number("inertia", fit.inertia),
        number("restarts", f64::from(config.restarts)),
        number("sample_rows", fit.sample_rows as f64),
        number("sampling_excess", fit.sampling_excess),
        number("iterations", fit.iterations as f64),
        number("converged", f64::from(u8::from(fit.converged))),
        Parameter::text(KIND.name, "seed", seed.to_string()),
    ];
    rows.extend(
        fit.silhouette
            .map(|silhouette| number("silhouette", silhouette)),
    );
    for (index, (name, &size)) in names.iter().zip(&fit.sizes).enumerate() {
        let text = Some(name.clone());
        rows.push(Parameter {
            text,
            ..number(format!("cluster_{}", index + 1), size as f64)
        });
    }
    rows
}

/// What was learnt of the features, the clusters and their choice.
fn found_parameters(fit: &Clusters) -> Vec<Parameter> {
    let mut rows = preparation_parameters(&fit.preparation);
    rows.extend(centre_parameters(fit));
    rows.extend(
        fit.choice
            .as_ref()
            .map(choice_parameters)
            .unwrap_or_default(),
    );
    rows.extend(fit.evidence.parameters());
    rows
}

fn preparation_parameters(preparation: &Preparation) -> Vec<Parameter> {
    let of_column = |column: &cluster::ColumnPreparation| {
        let transform = match column.transform {
            ColumnTransform::None => "none",
            ColumnTransform::Log1p => "log1p",
            ColumnTransform::Asinh => "asinh",
        };
        let name = |what: &str| format!("{what}_{}", column.name);
        let mut rows = vec![
            Parameter::text(KIND.name, name("transform"), transform),
            number(name("skewness"), column.skewness),
            number(name("missing"), column.missing as f64),
            number(name("median"), column.median),
            number(name("mean"), column.mean),
            number(name("sd"), column.sd),
        ];
        rows.extend(column.lower.map(|lower| number(name("lower"), lower)));
        rows.extend(column.upper.map(|upper| number(name("upper"), upper)));
        rows
    };
    preparation.columns.iter().flat_map(of_column).collect()
}

fn centre_parameters(fit: &Clusters) -> Vec<Parameter> {
    let mut rows = Vec::new();
    for (place, centre) in (1..).zip(&fit.model.centroids) {
        let place: usize = place;
        for (column, &coordinate) in fit.preparation.columns.iter().zip(centre) {
            rows.push(number(
                format!("centroid_{place}_{}", column.name),
                coordinate,
            ));
            rows.push(number(
                format!("centroid_units_{place}_{}", column.name),
                column.raw(coordinate),
            ));
        }
    }
    rows
}

fn choice_parameters(table: &ChoiceTable) -> Vec<Parameter> {
    let mut rows = vec![
        number("choice_sample_rows", table.sample_rows as f64),
        number("choice_resample_rows", table.resample_rows as f64),
    ];
    for tried in &table.rows {
        let figures = [
            ("inertia", Some(tried.inertia)),
            ("silhouette", Some(tried.silhouette)),
            ("calinski_harabasz", Some(tried.calinski_harabasz)),
            ("davies_bouldin", Some(tried.davies_bouldin)),
            ("gap", tried.gap),
            ("gap_se", tried.gap_se),
            ("prediction_strength", tried.prediction_strength),
            ("prediction_strength_se", tried.prediction_strength_se),
        ];
        for (figure, value) in figures {
            rows.extend(value.map(|value| number(format!("choice_{}_{figure}", tried.k), value)));
        }
    }
    rows
}
