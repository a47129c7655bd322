//! Cluster quality against scikit-learn 1.9.1 on the same rows and labels, to 1e-9. The values come from
//! `fixtures/cluster_quality.py`.

use serde::Deserialize;
use tessera_model::Matrix;
use tessera_model::cluster::{
    ClusterError, ContentOrder, adjusted_rand, agreement, calinski_harabasz, davies_bouldin,
    mean_silhouette, sampled_silhouette, silhouettes,
};

#[derive(Deserialize)]
struct Case {
    name: String,
    columns: Vec<Vec<f64>>,
    labels: Vec<u32>,
    other: Vec<u32>,
    silhouettes: Vec<f64>,
    silhouette: f64,
    calinski_harabasz: f64,
    davies_bouldin: f64,
    adjusted_rand: f64,
    homogeneity: f64,
    completeness: f64,
    v_measure: f64,
    normalised_mutual_information: f64,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("fixtures/cluster_quality.json")).unwrap()
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

fn same(got: f64, expected: f64, what: &str) {
    assert!(
        (got - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        "{what}: {got} is not scikit-learn's {expected}"
    );
}

#[test]
fn silhouette_equals_scikit_learn() {
    for case in cases() {
        let rows = matrix(case.columns);
        let got = silhouettes(&rows, &case.labels).unwrap();
        assert_eq!(got.len(), case.silhouettes.len());
        for (row, (got, expected)) in got.iter().zip(&case.silhouettes).enumerate() {
            same(*got, *expected, &format!("{}, row {row}", case.name));
        }
        same(
            mean_silhouette(&rows, &case.labels).unwrap(),
            case.silhouette,
            &case.name,
        );
    }
}

#[test]
fn calinski_harabasz_and_davies_bouldin_equal_scikit_learn() {
    for case in cases() {
        let rows = matrix(case.columns);
        same(
            calinski_harabasz(&rows, &case.labels).unwrap(),
            case.calinski_harabasz,
            &case.name,
        );
        same(
            davies_bouldin(&rows, &case.labels).unwrap(),
            case.davies_bouldin,
            &case.name,
        );
    }
}

#[test]
fn rand_and_v_measure_equal_scikit_learn() {
    for case in cases() {
        same(
            adjusted_rand(&case.labels, &case.other).unwrap(),
            case.adjusted_rand,
            &case.name,
        );
        let got = agreement(&case.labels, &case.other).unwrap();
        same(got.homogeneity, case.homogeneity, &case.name);
        same(got.completeness, case.completeness, &case.name);
        same(got.v_measure, case.v_measure, &case.name);
        same(
            got.v_measure,
            case.normalised_mutual_information,
            &case.name,
        );
    }
}

#[test]
fn a_sampled_silhouette_is_near_the_whole_one() {
    let case = cases().swap_remove(0);
    let repeat = |column: Vec<f64>| {
        (0..20)
            .flat_map(|i| column.iter().map(move |x| x + f64::from(i) * 1e-3))
            .collect()
    };
    let rows = matrix(case.columns.into_iter().map(repeat).collect());
    let labels = case.labels.repeat(20);
    let whole = mean_silhouette(&rows, &labels).unwrap();
    let ordered = ContentOrder::new(&rows, 1);
    let sampled = sampled_silhouette(&ordered, &labels, 600).unwrap();
    assert!((whole - sampled).abs() < 0.03, "{whole} {sampled}");
    assert_eq!(sampled_silhouette(&ordered, &labels, 3000).unwrap(), whole);
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let rows = matrix(vec![vec![0.0, 1.0, 2.0]]);
    let one = mean_silhouette(&rows, &[4, 4, 4]).unwrap_err();
    assert_eq!(
        one,
        ClusterError::Undefined {
            measure: "the silhouette",
            clusters: 1,
            rows: 3
        }
    );
    assert!(matches!(
        davies_bouldin(&rows, &[0, 1, 2]),
        Err(ClusterError::Undefined { clusters: 3, .. })
    ));
    assert_eq!(
        calinski_harabasz(&rows, &[0, 1]).unwrap_err(),
        ClusterError::LabelCount { labels: 2, rows: 3 }
    );
    assert_eq!(adjusted_rand(&[], &[]).unwrap_err(), ClusterError::NoRows);
    let gap = matrix(vec![vec![0.0, f64::NAN, 2.0]]);
    assert!(matches!(
        silhouettes(&gap, &[0, 0, 1]),
        Err(ClusterError::NotFinite { row: 1, .. })
    ));
}
