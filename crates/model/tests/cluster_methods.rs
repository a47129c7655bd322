//! Clusters by merging against scikit-learn 1.9.1 (`fixtures/cluster_methods.py`).

use std::collections::BTreeMap;

use serde::Deserialize;
use tessera_model::Matrix;
use tessera_model::cluster::{
    ClusterError, ContentOrder, adjusted_rand, fit_merged, merge_clusters,
};

#[derive(Deserialize)]
struct Fixture {
    columns: Vec<Vec<f64>>,
    merged: BTreeMap<String, BTreeMap<String, Vec<u32>>>,
}

fn fixture() -> (Matrix<'static>, Fixture) {
    let fixture: Fixture =
        serde_json::from_str(include_str!("fixtures/cluster_methods.json")).unwrap();
    (matrix(fixture.columns.clone()), fixture)
}

fn matrix(columns: Vec<Vec<f64>>) -> Matrix<'static> {
    Matrix::from_columns(
        (0..columns.len())
            .map(|place| format!("x{place}"))
            .collect(),
        columns,
    )
    .unwrap()
}

#[test]
fn merged_clusters_equal_scikit_learn() {
    let (rows, fixture) = fixture();
    for (k, expected) in &fixture.merged["ward"] {
        let got = merge_clusters(&rows, k.parse().unwrap()).unwrap();
        assert_eq!(
            adjusted_rand(&got, expected).unwrap(),
            1.0,
            "{k} clusters: the same clusters"
        );
        assert_eq!(got[0], 0, "numbered by first appearance");
    }
}

#[test]
fn every_row_is_in_the_cluster_of_the_nearest_merged_centre() {
    let (rows, fixture) = fixture();
    let order = ContentOrder::new(&rows, 7);
    let all = fit_merged(&order, 3, 5_000).unwrap();
    assert_eq!(all.sample_rows, rows.rows());
    // scikit-learn's centres, from its labels.
    let labels = &fixture.merged["ward"]["3"];
    let centre = |label: u32, column: &[f64]| {
        let own = column.iter().zip(labels).filter(|(_, of)| **of == label);
        let own: Vec<f64> = own.map(|(x, _)| *x).collect();
        own.iter().sum::<f64>() / own.len() as f64
    };
    for label in 0..3 {
        let theirs: Vec<f64> = fixture.columns.iter().map(|c| centre(label, c)).collect();
        let apart = |ours: &Vec<f64>| {
            let pairs = ours.iter().zip(&theirs);
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        assert!(all.model.centroids.iter().any(|ours| apart(ours) < 1e-9));
    }
    let assigned = all.model.assign(&rows).unwrap();
    assert_eq!(assigned.cluster, all.assignment.cluster);
    let few = fit_merged(&order, 3, 40).unwrap();
    assert_eq!(few.sample_rows, 40);
    assert_eq!(few.sizes.iter().sum::<usize>(), rows.rows());
}

#[test]
fn merging_refuses_what_it_cannot_carry() {
    let many = matrix(vec![vec![0.0; 50_001]]);
    assert!(matches!(
        merge_clusters(&many, 2),
        Err(ClusterError::TooManyRows { most: 5_000, .. })
    ));
    let few = matrix(vec![vec![0.0, 1.0]]);
    assert!(matches!(
        merge_clusters(&few, 3),
        Err(ClusterError::Parameter { parameter: "k", .. })
    ));
    assert_eq!(merge_clusters(&matrix(vec![vec![4.0]]), 1).unwrap(), [0]);
    let equal = matrix(vec![vec![1.0; 30]]);
    let one = fit_merged(&ContentOrder::new(&equal, 7), 3, 5_000).unwrap();
    assert_eq!((one.sizes.len(), one.warnings.len()), (1, 1));
}
