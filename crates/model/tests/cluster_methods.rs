//! Other ways to cluster: merging and density against scikit-learn 1.9.1 (`fixtures/cluster_methods.py`), and mixed rows
//! with planted clusters.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use tessera_model::Matrix;
use tessera_model::cluster::{
    ClusterError, LabelColumn, Linkage, PrototypesFit, PrototypesParams, adjusted_rand,
    density_clusters, fit_prototypes, merge_clusters,
};

#[derive(Deserialize)]
struct Fixture {
    columns: Vec<Vec<f64>>,
    merged: BTreeMap<String, BTreeMap<String, Vec<u32>>>,
    density: Vec<Density>,
}

#[derive(Deserialize)]
struct Density {
    radius: f64,
    least: usize,
    /// -1 for noise.
    labels: Vec<i64>,
    core: Vec<bool>,
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
    for (name, linkage) in [("ward", Linkage::Ward), ("single", Linkage::Single)] {
        for (k, expected) in &fixture.merged[name] {
            let got = merge_clusters(&rows, k.parse().unwrap(), linkage).unwrap();
            assert_eq!(
                adjusted_rand(&got, expected).unwrap(),
                1.0,
                "{name}, {k} clusters: the same clusters"
            );
            assert_eq!(got[0], 0, "numbered by first appearance");
        }
    }
}

#[test]
fn density_clusters_equal_scikit_learn() {
    let (rows, fixture) = fixture();
    for density in fixture.density {
        let got = density_clusters(&rows, density.radius, density.least).unwrap();
        let noise: Vec<bool> = got.iter().map(Option::is_none).collect();
        let expected: Vec<bool> = density.labels.iter().map(|&label| label < 0).collect();
        assert_eq!(noise, expected, "radius {}: the same noise", density.radius);
        // scikit-learn assigns a row between two clusters to the first one it visits, so only core rows must agree.
        let core = || (0..rows.rows()).filter(|&row| density.core[row]);
        let ours: Vec<u32> = core().map(|row| got[row].unwrap()).collect();
        let theirs: Vec<u32> = core().map(|row| density.labels[row] as u32).collect();
        assert_eq!(
            adjusted_rand(&ours, &theirs).unwrap(),
            1.0,
            "radius {}",
            density.radius
        );
    }
}

#[test]
fn small_base_methods_refuse_what_they_cannot_carry() {
    let many = matrix(vec![vec![0.0; 50_001]]);
    assert!(matches!(
        merge_clusters(&many, 2, Linkage::Ward),
        Err(ClusterError::TooManyRows { most: 5_000, .. })
    ));
    assert!(matches!(
        density_clusters(&many, 1.0, 2),
        Err(ClusterError::TooManyRows { most: 50_000, .. })
    ));
    let few = matrix(vec![vec![0.0, 1.0]]);
    assert!(matches!(
        merge_clusters(&few, 3, Linkage::Single),
        Err(ClusterError::Parameter { parameter: "k", .. })
    ));
    assert!(matches!(
        density_clusters(&few, 0.0, 2),
        Err(ClusterError::Parameter {
            parameter: "radius",
            ..
        })
    ));
    assert_eq!(
        merge_clusters(&matrix(vec![vec![4.0]]), 1, Linkage::Ward).unwrap(),
        [0]
    );
    assert_eq!(density_clusters(&few, 0.5, 2).unwrap(), [None, None]);
}

/// Four clusters: the numbers separate two pairs of them, the labels separate the clusters within each pair.
fn mixed(rows: usize) -> (Matrix<'static>, Vec<LabelColumn>, Vec<u32>) {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let truth: Vec<u32> = (0..rows).map(|_| random.random_range(0..4)).collect();
    let number = |cluster: u32, random: &mut ChaCha8Rng| {
        f64::from(cluster % 2) * 4.0 + random.random::<f64>() * 2.0
    };
    let numbers = matrix(vec![
        truth
            .iter()
            .map(|&cluster| number(cluster, &mut random))
            .collect(),
    ]);
    let label = |place: usize, random: &mut ChaCha8Rng| {
        let code = |&cluster: &u32| {
            if random.random_bool(0.05) {
                random.random_range(0..3)
            } else {
                cluster / 2
            }
        };
        let labels = ["a", "b", "c"].map(String::from).to_vec();
        LabelColumn {
            name: format!("label{place}"),
            codes: truth.iter().map(code).collect(),
            labels,
        }
    };
    let labels = (0..3).map(|place| label(place, &mut random)).collect();
    (numbers, labels, truth)
}

#[test]
fn planted_mixed_clusters_are_recovered() {
    let (numbers, labels, truth) = mixed(6_000);
    let found = fit_prototypes(&numbers, &labels, &PrototypesParams::new(4)).unwrap();
    let rand = adjusted_rand(&truth, &found.cluster).unwrap();
    assert!(rand > 0.95, "adjusted Rand index {rand}");
    assert_eq!(found.sizes.iter().sum::<usize>(), 6_000);
    assert!((found.cost / cost_by_hand(&numbers, &labels, &found) - 1.0).abs() < 1e-12);
    // Huang's gamma: half the mean standard deviation of the numbers.
    let column = numbers.column(0);
    let mean = column.iter().sum::<f64>() / 6_000.0;
    let sd = (column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 6_000.0).sqrt();
    assert!((found.gamma - sd / 2.0).abs() < 1e-12);
}

fn cost_by_hand(numbers: &Matrix<'_>, labels: &[LabelColumn], found: &PrototypesFit) -> f64 {
    let row_cost = |row: usize| {
        let to = |prototype: &tessera_model::cluster::Prototype| {
            let apart: f64 = numbers
                .row(row)
                .iter()
                .zip(&prototype.means)
                .map(|(x, m)| (x - m).powi(2))
                .sum();
            let differing = labels
                .iter()
                .zip(&prototype.modes)
                .filter(|(l, mode)| l.codes[row] != **mode)
                .count();
            apart + found.gamma * differing as f64
        };
        found
            .prototypes
            .iter()
            .map(to)
            .fold(f64::INFINITY, f64::min)
    };
    (0..numbers.rows()).map(row_cost).sum()
}

#[test]
fn mixed_clusters_do_not_hang_on_threads_or_order() {
    let (numbers, labels, _) = mixed(5_000);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| fit_prototypes(&numbers, &labels, &PrototypesParams::new(4)).unwrap())
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(8));
    let reversed: Vec<usize> = (0..5_000).rev().collect();
    let turn = |column: &LabelColumn| LabelColumn {
        codes: column.codes.iter().rev().copied().collect(),
        ..column.clone()
    };
    let turned_labels: Vec<LabelColumn> = labels.iter().map(turn).collect();
    let turned = fit_prototypes(
        &numbers.gather(&reversed),
        &turned_labels,
        &PrototypesParams::new(4),
    )
    .unwrap();
    let back: Vec<u32> = turned.cluster.iter().rev().copied().collect();
    assert_eq!(back, one.cluster);
}

#[test]
fn mixed_rows_may_be_few_or_equal() {
    let labels = vec![LabelColumn {
        name: "plan".into(),
        codes: vec![0, 0, 1],
        labels: vec!["a".into(), "b".into()],
    }];
    let found = fit_prototypes(
        &matrix(vec![vec![1.0; 3]]),
        &labels,
        &PrototypesParams::new(5),
    )
    .unwrap();
    assert_eq!(found.sizes, [2, 1]);
    assert_eq!(found.cost, 0.0);
    let none = fit_prototypes(&matrix(vec![vec![]]), &[], &PrototypesParams::new(2)).unwrap_err();
    assert_eq!(none, ClusterError::NoRows);
    let short = fit_prototypes(
        &matrix(vec![vec![1.0; 4]]),
        &labels,
        &PrototypesParams::new(2),
    )
    .unwrap_err();
    assert_eq!(short, ClusterError::LabelCount { labels: 3, rows: 4 });
    let free = PrototypesParams {
        gamma: Some(0.0),
        ..PrototypesParams::new(2)
    };
    let refused = fit_prototypes(&matrix(vec![vec![1.0; 3]]), &labels, &free).unwrap_err();
    assert!(matches!(
        refused,
        ClusterError::Parameter {
            parameter: "gamma",
            ..
        }
    ));
}
