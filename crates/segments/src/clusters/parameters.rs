//! What `models` shows of clusters.

use tessera_model::cluster::{self, ChoiceTable, ColumnTransform, Preparation};

use super::{Clustering, Clusters};
use crate::parameter::Parameter;

/// The rows of the clusters of a scheme.
pub(super) fn parameters(
    of: &Clustering<'_>,
    fit: &Clusters,
    names: &[String],
    seed: u64,
) -> Vec<Parameter> {
    let mut rows = fit_parameters(of, fit, names, seed);
    rows.extend(found_parameters(of.kind, fit));
    // A figure that could not be computed is left out rather than published as nothing.
    rows.retain(|row| row.value.is_some_and(f64::is_finite) || row.text.is_some());
    rows
}

fn fit_parameters(
    of: &Clustering<'_>,
    fit: &Clusters,
    names: &[String],
    seed: u64,
) -> Vec<Parameter> {
    let number = |name: String, value: f64| Parameter::number(of.kind, name, value);
    let mut figures = vec![("k", names.len() as f64), ("inertia", fit.inertia)];
    figures.extend(&of.shown);
    figures.extend([
        ("sample_rows", fit.sample_rows as f64),
        ("sampling_excess", fit.sampling_excess),
        ("iterations", fit.iterations as f64),
        ("converged", f64::from(u8::from(fit.converged))),
    ]);
    let mut rows: Vec<Parameter> = figures
        .into_iter()
        .map(|(name, value)| number(name.to_owned(), value))
        .collect();
    rows.push(Parameter::text(of.kind, "seed", seed.to_string()));
    rows.extend(
        fit.silhouette
            .map(|silhouette| number("silhouette".to_owned(), silhouette)),
    );
    for (index, (name, &size)) in names.iter().zip(&fit.sizes).enumerate() {
        let row = number(format!("cluster_{}", index + 1), size as f64);
        rows.push(row.with_text(name));
    }
    rows
}

/// What was learnt of the features, the clusters and their choice.
fn found_parameters(kind: &str, fit: &Clusters) -> Vec<Parameter> {
    let mut rows = preparation_parameters(kind, &fit.preparation);
    rows.extend(centre_parameters(kind, fit));
    if let Some(choice) = &fit.choice {
        rows.extend(choice_parameters(kind, choice));
    }
    rows.extend(fit.evidence.parameters(kind));
    rows
}

fn preparation_parameters(kind: &str, preparation: &Preparation) -> Vec<Parameter> {
    let number = |name: String, value: f64| Parameter::number(kind, name, value);
    let of_column = |column: &cluster::ColumnPreparation| {
        let transform = match column.transform {
            ColumnTransform::None => "none",
            ColumnTransform::Log1p => "log1p",
            ColumnTransform::Asinh => "asinh",
        };
        let name = |what: &str| format!("{what}_{}", column.name);
        let mut rows = vec![
            Parameter::text(kind, name("transform"), transform),
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

fn centre_parameters(kind: &str, fit: &Clusters) -> Vec<Parameter> {
    let number = |name: String, value: f64| Parameter::number(kind, name, value);
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

fn choice_parameters(kind: &str, table: &ChoiceTable) -> Vec<Parameter> {
    let number = |name: String, value: f64| Parameter::number(kind, name, value);
    let mut rows = vec![
        number("choice_sample_rows".to_owned(), table.sample_rows as f64),
        number(
            "choice_resample_rows".to_owned(),
            table.resample_rows as f64,
        ),
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
