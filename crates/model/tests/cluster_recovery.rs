//! k-means recovers simulated clusters, does not depend on the threads or the order of rows, and handles unusual data.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tessera_model::Matrix;
use tessera_model::cluster::{
    CandidateOrigin, ChoiceCriterion, ChoiceParams, ClusterError, ClusterWarning, KRange,
    KmeansFit, KmeansModel, KmeansParams, PreparationParams, adjusted_rand, choose_k,
    cluster_customers, fit,
};
use tessera_spec::pipeline::{KChoice, Transform};

/// A standard normal draw (Box and Muller).
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// Rows around five centres, 4 to 6 standard deviations apart, of unequal size, with the cluster of each row.
fn planted(rows: usize) -> (Matrix<'static>, Vec<u32>) {
    const CENTRES: [[f64; 3]; 5] = [
        [0.0, 0.0, 0.0],
        [6.0, 0.0, 1.0],
        [0.0, 6.0, -1.0],
        [5.0, 5.0, 3.0],
        [-4.0, -3.0, 4.0],
    ];
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let (mut columns, mut truth) = (vec![Vec::new(); 3], Vec::new());
    for _ in 0..rows {
        let share: f64 = random.random();
        let cluster = [0.4, 0.65, 0.8, 0.95]
            .iter()
            .filter(|&&limit| share >= limit)
            .count();
        truth.push(cluster as u32);
        columns
            .iter_mut()
            .zip(CENTRES[cluster])
            .for_each(|(column, c)| column.push(c + normal(&mut random)));
    }
    (matrix(columns), truth)
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

fn params(k: u32) -> KmeansParams {
    KmeansParams {
        restarts: 3,
        sample: 2_000,
        ..KmeansParams::new(KChoice::Fixed(k))
    }
}

fn found(rows: &Matrix<'_>, params: KmeansParams) -> KmeansFit {
    fit(rows, &params.check().unwrap()).unwrap()
}

#[test]
fn a_planted_mixture_is_recovered() {
    let (rows, truth) = planted(20_000);
    let found = found(&rows, params(5));
    let rand = adjusted_rand(&truth, &found.assignment.cluster).unwrap();
    assert!(rand > 0.95, "adjusted Rand index {rand}");
    assert!(found.converged && found.warnings.is_empty());
    assert_eq!(found.sizes.iter().sum::<usize>(), 20_000);
    assert!(
        found
            .candidates
            .iter()
            .any(|c| c.origin == CandidateOrigin::Smartcore),
        "smartcore takes part"
    );
    assert!(
        (0.0..0.05).contains(&found.sampling_excess),
        "{}",
        found.sampling_excess
    );
}

#[test]
fn every_candidate_of_smartcore_recovers_well_separated_clusters_too() {
    let (rows, _) = planted(5_000);
    let found = found(&rows, params(5));
    let best = found.candidates[found.best_candidate].sample_inertia;
    let smartcore = found
        .candidates
        .iter()
        .filter(|c| c.origin == CandidateOrigin::Smartcore);
    let least = smartcore
        .map(|c| c.sample_inertia)
        .fold(f64::INFINITY, f64::min);
    assert!(
        least <= 1.001 * best,
        "smartcore's best start {least}, of all {best}"
    );
}

#[test]
fn the_number_of_planted_clusters_is_found_by_every_criterion() {
    let (rows, truth) = planted(4_000);
    let range = KChoice::Range(2, 8);
    let found = found(
        &rows,
        KmeansParams {
            k: range,
            ..params(2)
        },
    );
    assert_eq!(found.model.clusters(), 5);
    assert!(adjusted_rand(&truth, &found.assignment.cluster).unwrap() > 0.95);
    let table = found.choice.unwrap();
    assert_eq!(
        table.rows.iter().map(|row| row.k).collect::<Vec<_>>(),
        [2, 3, 4, 5, 6, 7, 8]
    );
    for criterion in [
        ChoiceCriterion::Silhouette,
        ChoiceCriterion::CalinskiHarabasz,
        ChoiceCriterion::DaviesBouldin,
        ChoiceCriterion::Gap,
        ChoiceCriterion::PredictionStrength,
    ] {
        assert_eq!(
            table.chosen(criterion),
            5,
            "{criterion:?}: {:#?}",
            table.rows
        );
    }
}

#[test]
fn clusters_are_numbered_by_the_falling_mean_of_the_first_feature() {
    let (rows, _) = planted(3_000);
    let mut found = found(&rows, params(5));
    assert!(
        found
            .model
            .centroids
            .windows(2)
            .all(|pair| pair[0][0] >= pair[1][0])
    );
    let by_second = rows.column(1).to_vec();
    found.order_by(&by_second).unwrap();
    assert!(
        found
            .model
            .centroids
            .windows(2)
            .all(|pair| pair[0][1] >= pair[1][1])
    );
    let again = found.model.assign(&rows).unwrap();
    assert_eq!(
        again, found.assignment,
        "labels, sizes and centres were renumbered together"
    );
    assert_eq!(
        found.sizes[0],
        again
            .cluster
            .iter()
            .filter(|&&cluster| cluster == 0)
            .count()
    );
}

#[test]
fn threads_and_repetition_change_nothing() {
    let (rows, _) = planted(30_000);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            found(
                &rows,
                KmeansParams {
                    k: KChoice::Range(4, 6),
                    ..params(2)
                },
            )
        })
    };
    let one = run(1);
    for threads in [1, 2, 8] {
        let other = run(threads);
        assert_eq!(one.model, other.model, "bit for bit, {threads} threads");
        assert_eq!(one.assignment, other.assignment);
        assert_eq!(one.inertia.to_bits(), other.inertia.to_bits());
        assert_eq!(one.candidates, other.candidates);
        assert_eq!(one.choice, other.choice);
    }
}

#[test]
fn another_order_of_rows_finds_the_same_clusters() {
    // Without structure the result depends on the starts, so this fails if a start depends on the position of rows.
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let rows = matrix(
        (0..4)
            .map(|_| (0..10_000).map(|_| random.random::<f64>()).collect())
            .collect(),
    );
    let mut order: Vec<usize> = (0..10_000).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, random.random_range(0..=last));
    }
    let (first, second) = (
        found(&rows, params(7)),
        found(&rows.gather(&order), params(7)),
    );
    assert!(
        (first.inertia / second.inertia - 1.0).abs() < 1e-9,
        "{} {}",
        first.inertia,
        second.inertia
    );
    let moved: Vec<u32> = order
        .iter()
        .map(|&row| first.assignment.cluster[row])
        .collect();
    let rand = adjusted_rand(&moved, &second.assignment.cluster).unwrap();
    assert!(rand > 0.9999, "adjusted Rand index {rand}");
}

#[test]
fn another_seed_draws_another_sample() {
    let (rows, _) = planted(20_000);
    let inertia =
        |seed| found(&rows, KmeansParams { seed, ..params(5) }).candidates[0].sample_inertia;
    assert_ne!(inertia(1), inertia(2));
}

#[test]
fn assignments_say_the_nearest_and_the_runner_up() {
    let model = KmeansModel {
        columns: vec!["x".into()],
        centroids: vec![vec![10.0], vec![4.0], vec![0.0]],
    };
    let rows = Matrix::from_columns(vec!["x".into()], vec![vec![0.0, 1.0, 2.0, 9.0]]).unwrap();
    let found = model.assign(&rows).unwrap();
    assert_eq!(
        found.cluster,
        [2, 2, 1, 0],
        "of centres equally near the first"
    );
    assert_eq!(found.runner_up, [1, 1, 2, 1]);
    assert_eq!(found.distance, [0.0, 1.0, 2.0, 1.0]);
    assert_eq!(found.runner_up_distance, [4.0, 3.0, 2.0, 5.0]);
    assert_eq!(
        [0, 1, 2, 3].map(|row| found.margin(row)),
        [1.0, 1.0 - 1.0 / 3.0, 0.0, 0.8]
    );
    let text = serde_json::to_string(&model).unwrap();
    assert_eq!(
        serde_json::from_str::<KmeansModel>(&text)
            .unwrap()
            .assign(&rows)
            .unwrap(),
        found
    );
    let other = Matrix::from_columns(vec!["y".into()], vec![vec![0.0]]).unwrap();
    assert!(matches!(
        model.assign(&other),
        Err(ClusterError::Columns { .. })
    ));
}

#[test]
fn fewer_different_rows_than_clusters_give_fewer_clusters() {
    let two = matrix(vec![[vec![1.0; 50], vec![2.0; 30]].concat(), vec![5.0; 80]]);
    let found_two = found(&two, params(4));
    assert_eq!(found_two.sizes, [30, 50]);
    assert_eq!(found_two.inertia, 0.0);
    let expected = ClusterWarning::FewerClusters {
        asked: 4,
        found: 2,
        distinct_rows: Some(2),
    };
    assert_eq!(found_two.warnings, [expected]);

    let same = found(
        &matrix(vec![vec![3.0; 100]]),
        KmeansParams {
            k: KChoice::Range(2, 5),
            ..params(2)
        },
    );
    assert_eq!(same.sizes, [100]);
    assert_eq!(same.assignment.runner_up_distance[0], f64::INFINITY);

    let alone = found(&matrix(vec![vec![3.0]]), params(3));
    assert_eq!((alone.sizes, alone.inertia), (vec![1], 0.0));
}

#[test]
fn one_cluster_lies_at_the_mean() {
    let found = found(&matrix(vec![vec![1.0, 2.0, 6.0]]), params(1));
    assert_eq!(found.model.centroids, [[3.0]]);
    assert_eq!(found.inertia, 14.0);
}

#[test]
fn a_lump_of_equal_rows_and_a_far_one_are_borne() {
    // Nearly all rows are equal, so starts and samples have too few distinct rows.
    let mut x = vec![0.0; 20_000];
    x.splice(0..4, [1.0, 2.0, 3.0, 1e9]);
    let found = found(
        &matrix(vec![x]),
        KmeansParams {
            sample: 100,
            ..params(4)
        },
    );
    assert!(found.sizes.iter().all(|&size| size > 0));
    assert_eq!(found.sizes.iter().sum::<usize>(), 20_000);
    assert!(
        found
            .model
            .centroids
            .iter()
            .flatten()
            .all(|c| c.is_finite())
    );
}

#[test]
fn what_cannot_be_clustered_is_refused() {
    let fit_params =
        |params: KmeansParams, rows: &Matrix<'_>| fit(rows, &params.check().unwrap()).unwrap_err();
    assert_eq!(
        fit_params(params(2), &matrix(vec![vec![]])),
        ClusterError::NoRows
    );
    let gap = fit_params(params(2), &matrix(vec![vec![1.0, f64::NAN]]));
    assert!(matches!(gap, ClusterError::NotFinite { row: 1, value, .. } if value.is_nan()));
    assert!(matches!(
        params(0).check(),
        Err(ClusterError::Parameter { parameter: "k", .. })
    ));
    let none = KmeansParams {
        restarts: 0,
        ..params(2)
    };
    assert!(matches!(
        none.check(),
        Err(ClusterError::Parameter {
            parameter: "restarts",
            ..
        })
    ));
    let range = KmeansParams {
        k: KChoice::Range(5, 3),
        ..params(2)
    };
    assert!(matches!(
        range.check(),
        Err(ClusterError::Parameter {
            parameter: "k.to",
            ..
        })
    ));
    let vague = KmeansParams {
        tolerance: f64::NAN,
        ..params(2)
    };
    assert!(matches!(
        vague.check(),
        Err(ClusterError::Parameter {
            parameter: "tolerance",
            ..
        })
    ));
}

#[test]
fn k_is_left_where_nothing_can_be_compared() {
    let rows = matrix(vec![vec![1.0, 1.0, 2.0, 2.0]]);
    let table = choose_k(
        &rows,
        KRange::new(2, 6).unwrap(),
        &ChoiceParams::default(),
        0,
    )
    .unwrap();
    assert!(table.rows.is_empty());
    assert_eq!(table.chosen(ChoiceCriterion::Gap), 2);
}

#[test]
fn customers_are_clustered_from_raw_features() {
    let (rows, truth) = planted(5_000);
    // Raw features are skewed, and some are missing.
    let mut raw: Vec<Vec<f64>> = rows
        .columns()
        .into_iter()
        .map(|c| c.iter().map(|x| x.exp()).collect())
        .collect();
    raw[1][17] = f64::NAN;
    let raw = matrix(raw);
    let config = params(5).check().unwrap();
    let preparation = PreparationParams {
        winsorise: Some(0.001),
        ..PreparationParams::new(Transform::Log1p)
    };
    let found = cluster_customers(&raw, &preparation, &config).unwrap();
    assert!(
        adjusted_rand(&truth, &found.fit.assignment.cluster).unwrap() > 0.6,
        "log1p distorts the simulated clusters"
    );
    let means: Vec<f64> = (0..5)
        .map(|cluster| mean_of(raw.column(0), &found.fit.assignment.cluster, cluster))
        .collect();
    assert!(means.windows(2).all(|pair| pair[0] >= pair[1]), "{means:?}");
    assert!(
        found
            .warnings()
            .any(|w| matches!(w, ClusterWarning::MissingValues { customers: 1, .. }))
    );
    let prepared = found.preparation.apply(&raw).unwrap();
    assert_eq!(
        found.fit.model.assign(&prepared).unwrap(),
        found.fit.assignment
    );
    assert_eq!(found.raw_centre(0).len(), 3);
}

fn mean_of(column: &[f64], labels: &[u32], cluster: u32) -> f64 {
    let values: Vec<f64> = column
        .iter()
        .zip(labels)
        .filter(|(_, l)| **l == cluster)
        .map(|(x, _)| *x)
        .collect();
    values.iter().sum::<f64>() / values.len() as f64
}
