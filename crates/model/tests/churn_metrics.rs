//! Metrics of probabilities against scikit-learn 1.9.1 and numpy: `tests/oracle/churn.py metrics` prints the constants.

use tessera_model::metrics::{
    EstimationError, auc, average_precision, brier, calibration_error_limit,
    calibration_error_limit_of_estimates, calibration_line, calibration_slope_error,
    calibration_slope_error_of_bins, calibration_slope_error_of_estimates, calibration_table,
    expected_calibration_error, lift_at, log_loss, log_loss_gain,
};

/// 400 rows with ties: p = k / 103 with k = 37 i mod 101 + 1; it happened where 7919 i mod 1000 < 600 p + 100.
fn rows() -> (Vec<f64>, Vec<bool>) {
    many(400)
}

fn many(rows: u64) -> (Vec<f64>, Vec<bool>) {
    (0..rows)
        .map(|i| {
            let k = 37 * i % 101 + 1;
            (k as f64 / 103.0, (7919 * i % 1000) * 103 < 600 * k + 10_300)
        })
        .unzip()
}

fn near(got: Option<f64>, expected: f64, tolerance: f64) {
    let got = got.unwrap();
    assert!((got - expected).abs() < tolerance, "{got} and {expected}");
}

#[test]
fn equal_to_scikit_learn() {
    let (p, y) = rows();
    near(auc(&p, &y).map(|auc| auc.value), 0.6987837521765117, 1e-12);
    near(average_precision(&p, &y), 0.5934171255698741, 1e-12);
    near(log_loss(&p, &y), 0.6932749665441189, 1e-12);
    near(brier(&p, &y), 0.2353588933924027, 1e-12);
    near(
        calibration_line(&p, &y).map(|line| line.intercept),
        -0.42547547872553393,
        1e-6,
    );
    near(
        calibration_line(&p, &y).map(|line| line.slope),
        0.46207568887735795,
        1e-6,
    );
}

#[test]
fn bins_lift_and_gain_equal_numpy() {
    let (p, y) = many(4_000);
    near(
        expected_calibration_error(&p, &y),
        0.12209466019417474,
        1e-12,
    );
    let table = calibration_table(&p, &y).unwrap();
    let bins: Vec<u64> = table.iter().map(|bin| bin.rows).collect();
    assert_eq!(bins, [396, 396, 396, 396, 396, 436, 396, 396, 396, 396]);
    near(Some(table[0].predicted), 0.05334902422281063, 1e-12);
    near(Some(table[0].observed), 0.13383838383838384, 1e-12);
    // By simulation 0.0225: the normal approximation of the limit is as good as that.
    near(calibration_error_limit(&p, &y), 0.0225, 5e-4);
    // Too few for two bins of 200, since equal predictions stay together.
    let (p, y) = rows();
    let table = calibration_table(&p, &y).unwrap();
    assert_eq!((table.len(), table[0].rows), (1, 400));
    near(lift_at(&p, &y, 0.1), 1.6459627329192545, 1e-12);
    near(lift_at(&p, &y, 1.0), 1.0, 1e-12);
    let base = vec![y.iter().filter(|y| **y).count() as f64 / 400.0; 400];
    let gain = log_loss_gain(&p, &base, &y).unwrap();
    near(Some(gain.mean), -0.019262648621460907, 1e-12);
    near(Some(gain.standard_error), 0.03745943985891391, 1e-12);
    assert!(gain.low_95 < 0.0 && gain.high_95 > 0.0);
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let (p, y) = rows();
    let (back_p, back_y): (Vec<f64>, Vec<bool>) = p.iter().zip(&y).rev().unzip();
    assert_eq!(lift_at(&p, &y, 0.13), lift_at(&back_p, &back_y, 0.13));
    assert_eq!(
        average_precision(&p, &y),
        average_precision(&back_p, &back_y)
    );
    assert_eq!(
        calibration_table(&p, &y),
        calibration_table(&back_p, &back_y)
    );
}

#[test]
fn a_constant_prediction_has_one_bin_and_no_line() {
    let y: Vec<bool> = (0..50).map(|i| i % 5 == 0).collect();
    let p = vec![0.2; 50];
    let table = calibration_table(&p, &y).unwrap();
    assert_eq!(
        (table.len(), table[0].rows, table[0].lift),
        (1, 50, Some(1.0))
    );
    near(expected_calibration_error(&p, &y), 0.0, 1e-12);
    near(lift_at(&p, &y, 0.1), 1.0, 1e-12);
    assert_eq!(calibration_line(&p, &y), None);
}

#[test]
fn what_has_no_answer_is_none() {
    assert_eq!(log_loss(&[], &[]), None);
    assert_eq!(log_loss(&[0.5], &[true, false]), None);
    assert_eq!(brier(&[f64::NAN], &[true]), None);
    assert_eq!(average_precision(&[0.1, 0.2], &[false, false]), None);
    assert_eq!(lift_at(&[0.1, 0.2], &[true, false], 0.0), None);
    assert_eq!(log_loss_gain(&[0.5], &[0.5], &[true]), None);
    // Separated outcomes have no finite line; a certain and wrong prediction has a large but finite loss.
    assert_eq!(
        calibration_line(&[0.1, 0.2, 0.8, 0.9], &[false, false, true, true]),
        None
    );
    assert!(log_loss(&[0.0, 1.0], &[true, false]).unwrap() < 40.0);
}

#[test]
fn the_error_of_a_slope_between_two_groups_is_that_of_their_log_odds() {
    // 400 of 2,000 and 900 of 1,500: the variance of the difference of two log-odds is the sum of 1 / (n p q).
    let groups = [(2_000, 400, 0.3), (1_500, 900, 0.7)];
    let (mut predicted, mut happened) = (Vec::new(), Vec::new());
    for (rows, positives, probability) in groups {
        predicted.extend(vec![probability; rows]);
        happened.extend((0..rows).map(|row| row < positives));
    }
    let line = calibration_line(&predicted, &happened).unwrap();
    let of = |n: f64, p: f64| 1.0 / (n * p * (1.0 - p));
    let apart = (0.7_f64 / 0.3).ln() - (0.3_f64 / 0.7).ln();
    let error = (of(2_000.0, 0.2) + of(1_500.0, 0.6)).sqrt() / apart;
    let found = calibration_slope_error(&predicted, &line);
    assert!((found / error - 1.0).abs() < 1e-6, "{found} {error}");
    // One error moves all predictions of the first group, and another all of the second: variances add up.
    let (first, second) = (0.03 * 2_000.0, 0.02 * 1_500.0);
    let odds = |p: f64| (p / (1.0 - p)).ln();
    let errors = [[first, first * odds(0.3)], [second, second * odds(0.7)]];
    let with = |n: f64, p: f64, moved: f64| of(n, p) + (moved * of(n, p)).powi(2);
    let error_of_estimates =
        (with(2_000.0, 0.2, first) + with(1_500.0, 0.6, second)).sqrt() / apart;
    let found = calibration_slope_error_of_estimates(&predicted, &line, &errors);
    assert!((found / error_of_estimates - 1.0).abs() < 1e-6, "{found}");
    // The groups are bins: what is known by them alone is the same.
    let bins = calibration_table(&predicted, &happened).unwrap();
    let of_bins = calibration_slope_error_of_bins(&bins, &line);
    assert!((of_bins / error - 1.0).abs() < 1e-6, "{of_bins} {error}");
    // A prediction with an error of its own has a wider limit.
    let exact = calibration_error_limit(&predicted, &happened).unwrap();
    let own = EstimationError {
        each: 0.05,
        together: 0.0,
    };
    let wider = calibration_error_limit_of_estimates(&predicted, &happened, own).unwrap();
    assert!(wider > exact + 0.02, "{exact} {wider}");
}

/// Ten bins of 350 predictions, each of which errs by 0.04. `churn.py limits` draws calibration errors of right predictions; their 95%
/// quantiles are known to 0.0001. Where predictions err for themselves the sum over the bins is a little skewed, and counts as normal:
/// the limit is 1.5% too low.
#[test]
fn the_limit_is_wider_the_more_predictions_err_together() {
    let probabilities = (0..3_500).map(|row| 0.05 + 0.1 * f64::from(row / 350));
    let probabilities: Vec<f64> = probabilities.collect();
    let happened: Vec<bool> = (0..3_500).map(|row| row % 2 == 0).collect();
    for (together, quantile, tolerance) in [
        (0.0, 0.05138, 0.02),
        (0.02, 0.05401, 0.02),
        (0.03, 0.06361, 0.005),
        (0.04, 0.0796, 0.002),
    ] {
        let each = 0.04;
        let error = EstimationError { each, together };
        let limit = calibration_error_limit_of_estimates(&probabilities, &happened, error);
        let away = limit.unwrap() / quantile - 1.0;
        assert!(away.abs() < tolerance, "{together}: {limit:?}");
    }
    // More than each errs all cannot err together.
    let error = |together| EstimationError {
        each: 0.04,
        together,
    };
    let [most, more] = [0.04, 1.0].map(|together| {
        calibration_error_limit_of_estimates(&probabilities, &happened, error(together))
    });
    assert_eq!(most, more);
    let exact = EstimationError::default();
    assert_eq!(
        calibration_error_limit_of_estimates(&probabilities, &happened, exact),
        calibration_error_limit(&probabilities, &happened)
    );
}
