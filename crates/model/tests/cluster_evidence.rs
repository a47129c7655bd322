//! Stability, the test for structure, and surrogate rules, on rows with simulated clusters and on rows without clusters.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tessera_model::Matrix;
use tessera_model::cluster::{
    ClusterError, ContentOrder, KRange, KmeansParams, NullModel, Resampling, StabilityGrade,
    StabilityParams, StructureParams, SurrogateParams, cluster_stability, fit, surrogate_rules,
    test_structure,
};
use tessera_spec::pipeline::KChoice;

fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
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

fn ordered<'m>(rows: &'m Matrix<'m>) -> ContentOrder<'m> {
    ContentOrder::new(rows, 0)
}

/// Three clusters of 400 rows, five standard deviations apart.
fn planted(seed: u64) -> (Matrix<'static>, Vec<u32>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let truth: Vec<u32> = (0..1200).map(|row| row % 3).collect();
    let centres = [[0.0, 0.0], [5.0, 1.0], [1.0, 5.0]];
    let column = |j: usize, random: &mut ChaCha8Rng| {
        truth
            .iter()
            .map(|&c| centres[c as usize][j] + normal(random))
            .collect()
    };
    (
        matrix((0..2).map(|j| column(j, &mut random)).collect()),
        truth,
    )
}

/// Rows without clusters: uniform, or normal with correlated columns.
fn structureless(seed: u64, uniform: bool) -> Matrix<'static> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for _ in 0..1200 {
        if uniform {
            x.push(random.random());
            y.push(random.random());
        } else {
            let shared = normal(&mut random);
            x.push(shared + normal(&mut random));
            y.push(shared + normal(&mut random));
        }
    }
    matrix(vec![x, y])
}

fn structure_params() -> StructureParams {
    StructureParams {
        references: 39,
        sample: 600,
        ..StructureParams::default()
    }
}

#[test]
fn planted_clusters_are_stable_and_beat_every_null_model() {
    let (rows, truth) = planted(1);
    let params = StabilityParams {
        resamples: 30,
        ..StabilityParams::default()
    };
    for resampling in [Resampling::Bootstrap, Resampling::Half] {
        let stability = cluster_stability(
            &ordered(&rows),
            &truth,
            &StabilityParams {
                resampling,
                ..params
            },
        )
        .unwrap();
        assert_eq!(
            stability.iter().map(|s| s.cluster).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert!(
            stability
                .iter()
                .all(|s| s.grade == StabilityGrade::HighlyStable && s.recovered == 1.0),
            "{stability:?}"
        );
    }
    let verdict = test_structure(&ordered(&rows), 3, &structure_params()).unwrap();
    assert!(verdict.clustered, "{verdict:?}");
    assert_eq!(verdict.tests.len(), 3);
    assert!(
        verdict
            .tests
            .iter()
            .all(|test| test.null_mean < verdict.silhouette)
    );
}

/// Orders and spend of one activity, both skewed, and a third column by itself: a continuum, which shuffled columns and a box look
/// less like than it does like clusters.
#[test]
fn skewed_columns_that_rise_together_have_no_clusters() {
    let mut found = 0;
    for seed in 0..10_u64 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut columns = vec![Vec::new(); 3];
        for _ in 0..600 {
            let [both, a, b, c] = [(); 4].map(|()| normal(&mut random));
            columns[0].push((both + 0.5 * a).exp());
            columns[1].push((both + 0.5 * b).exp());
            columns[2].push(c.exp());
        }
        let rows = matrix(columns);
        let verdict = test_structure(&ordered(&rows), 2, &structure_params()).unwrap();
        found += u32::from(verdict.clustered);
    }
    // A test at 5% finds three or more of ten in one of a hundred.
    assert!(found <= 2, "{found} of 10");
}

#[test]
fn structureless_rows_have_no_clusters() {
    let mut found = 0;
    for seed in 0..10 {
        for uniform in [true, false] {
            let verdict = test_structure(
                &ordered(&structureless(seed, uniform)),
                4,
                &structure_params(),
            )
            .unwrap();
            found += usize::from(verdict.clustered);
        }
    }
    // At a level of 0.05, more than 3 of 20 would be found with a probability of 1.6%; the draws are fixed.
    assert!(
        found <= 3,
        "{found} of 20 sets without clusters were found to have clusters"
    );
}

#[test]
fn the_best_of_several_k_on_structureless_rows_is_no_evidence() {
    let one_k = StructureParams {
        references: 19,
        sample: 300,
        ..structure_params()
    };
    let repeated = StructureParams {
        chosen_from: Some(KRange::new(2, 6).unwrap()),
        ..one_k
    };
    let (mut stated, mut chosen) = (0, 0);
    for seed in 0..8 {
        let rows = structureless(seed, seed % 2 == 0);
        let rows = ordered(&rows);
        // The k with the highest silhouette, tested as if it had been stated, and with the choice repeated.
        let silhouette = |k: usize| test_structure(&rows, k, &one_k).unwrap();
        let best = (2..=6)
            .map(silhouette)
            .max_by(|a, b| a.silhouette.total_cmp(&b.silhouette));
        let best = best.unwrap();
        let verdict = test_structure(&rows, best.k, &repeated).unwrap();
        assert!((verdict.silhouette - best.silhouette).abs() < 1e-12);
        for (one, all) in best.tests.iter().zip(&verdict.tests) {
            assert!(all.null_mean >= one.null_mean, "{one:?} {all:?}");
        }
        stated += usize::from(best.clustered);
        chosen += usize::from(verdict.clustered);
    }
    assert!(chosen <= 2 && chosen <= stated, "{chosen} {stated}");
}

#[test]
fn clusters_that_cut_a_continuum_do_not_come_back() {
    let rows = structureless(5, true);
    let config = KmeansParams {
        restarts: 2,
        ..KmeansParams::new(KChoice::Fixed(7))
    }
    .check()
    .unwrap();
    let labels = fit(&rows, &config).unwrap().assignment.cluster;
    let params = StabilityParams {
        resamples: 40,
        ..StabilityParams::default()
    };
    let stability = cluster_stability(&ordered(&rows), &labels, &params).unwrap();
    let weak = stability
        .iter()
        .filter(|s| s.grade < StabilityGrade::Stable)
        .count();
    assert!(
        weak >= 4,
        "most of 7 clusters of a continuum are doubtful: {stability:?}"
    );
}

#[test]
fn a_column_alone_is_only_held_against_even_strewing() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let lumps = (0..500)
        .map(|row| f64::from(row % 2) * 8.0 + normal(&mut random))
        .collect();
    let verdict = test_structure(&ordered(&matrix(vec![lumps])), 2, &structure_params()).unwrap();
    assert!(verdict.clustered);
    assert_eq!(
        verdict.tests.iter().map(|t| t.model).collect::<Vec<_>>(),
        [NullModel::PrincipalUniform]
    );
}

#[test]
fn evidence_is_the_same_for_any_number_of_threads() {
    let (rows, truth) = planted(3);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let stability = StabilityParams {
                resamples: 10,
                ..StabilityParams::default()
            };
            (
                cluster_stability(&ordered(&rows), &truth, &stability).unwrap(),
                test_structure(&ordered(&rows), 3, &structure_params()).unwrap(),
                surrogate_rules(&rows, &truth, &SurrogateParams::default()).unwrap(),
            )
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(8));
}

#[test]
fn equal_rows_have_no_clusters_and_bad_parameters_are_refused() {
    let same = matrix(vec![vec![1.0; 50]]);
    let verdict = test_structure(&ordered(&same), 2, &structure_params()).unwrap();
    assert!(!verdict.clustered && verdict.tests.is_empty());
    let stability =
        cluster_stability(&ordered(&same), &[0; 50], &StabilityParams::default()).unwrap();
    assert_eq!(stability[0].mean_jaccard, 1.0);
    let few = StructureParams {
        references: 10,
        ..StructureParams::default()
    };
    let refused = test_structure(&ordered(&same), 2, &few).unwrap_err();
    assert!(matches!(
        refused,
        ClusterError::Parameter {
            parameter: "structure.references",
            ..
        }
    ));
    let none = StabilityParams {
        resamples: 0,
        ..StabilityParams::default()
    };
    assert!(matches!(
        cluster_stability(&ordered(&same), &[0; 50], &none),
        Err(ClusterError::Parameter { .. })
    ));
}

#[test]
fn a_rule_of_depth_three_stands_in_for_a_planted_cluster() {
    let (rows, truth) = planted(4);
    let rules = surrogate_rules(&rows, &truth, &SurrogateParams::default()).unwrap();
    assert_eq!(rules.len(), 3);
    for rule in &rules {
        let fidelity = rule.balanced_accuracy.unwrap();
        assert!(fidelity > 0.95, "{rule}: {fidelity}");
        let words = rule.to_string();
        assert!(
            words.matches(" and ").count() + words.matches(" or ").count() <= 7,
            "{words}"
        );
        let right = |row: usize| rule.holds(&rows, row) == (truth[row] == rule.cluster);
        assert!(
            (0..1200).filter(|&row| right(row)).count() > 1120,
            "{words}"
        );
    }
}

#[test]
fn noise_has_rules_near_chance_on_held_out_rows() {
    let rows = structureless(9, true);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let labels: Vec<u32> = (0..1200).map(|_| random.random_range(0..2)).collect();
    for rule in surrogate_rules(&rows, &labels, &SurrogateParams::default()).unwrap() {
        let fidelity = rule.balanced_accuracy.unwrap();
        assert!(
            (0.4..0.6).contains(&fidelity),
            "fidelity is measured on held-out rows: {fidelity}"
        );
    }
}

#[test]
fn missing_values_follow_the_rule_as_it_is_written() {
    let spend: Vec<f64> = (0..400)
        .map(|row| {
            if row % 4 == 0 {
                f64::NAN
            } else {
                f64::from(row % 100)
            }
        })
        .collect();
    let labels: Vec<u32> = spend
        .iter()
        .map(|x| u32::from(x.is_nan() || *x > 50.0))
        .collect();
    let raw = Matrix::from_columns(vec!["spend".into()], vec![spend]).unwrap();
    let rules = surrogate_rules(&raw, &labels, &SurrogateParams::default()).unwrap();
    assert_eq!(rules[1].to_string(), "(spend > 50.5 or spend is null)");
    assert_eq!(rules[0].to_string(), "spend <= 50.5");
    assert!(rules.iter().all(|rule| rule.balanced_accuracy == Some(1.0)));
}

#[test]
fn one_label_needs_no_rule() {
    let rows = structureless(1, true);
    assert!(
        surrogate_rules(&rows, &[3; 1200], &SurrogateParams::default())
            .unwrap()
            .is_empty()
    );
}
