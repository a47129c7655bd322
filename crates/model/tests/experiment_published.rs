//! The readout of an experiment against scipy (`oracle/experiment.py`), and on difficult groups.

use tessera_model::experiment::{
    Arm, Circumstances, ExperimentError, NotComputed, Readout, Uplift, Verdict, readout, verdict,
};

const SIZES: [usize; 3] = [80, 130, 60];

/// The groups of `oracle/experiment.py`: the metric, and the metric before.
fn group(g: usize) -> (Vec<f64>, Vec<f64>) {
    let effect = [0.0, 0.8, -0.1][g];
    let rows = (0..SIZES[g]).map(|i| {
        let before = ((i * 37 + 11 * g) % 101) as f64 / 10.0;
        let noise = ((i * i * 13 + i * 7 + 5 * g) % 97) as f64 / 20.0;
        let known = if i % 9 == 4 { f64::NAN } else { before };
        (2.0 + before * 0.6 + noise + effect, known)
    });
    rows.unzip()
}

fn read(groups: &[(Vec<f64>, Vec<f64>)]) -> Readout {
    let arms: Vec<Arm<'_>> = groups
        .iter()
        .map(|(values, before)| Arm { values, before })
        .collect();
    readout(&arms).unwrap()
}

fn without_before(groups: &[(Vec<f64>, Vec<f64>)]) -> Readout {
    let groups: Vec<_> = groups
        .iter()
        .map(|(values, _)| (values.clone(), vec![f64::NAN; values.len()]))
        .collect();
    read(&groups)
}

fn figure(found: &Readout, case: &str, g: usize, name: &str) -> f64 {
    let arm = &found.arms[g];
    let uplift = || arm.uplift.unwrap();
    match name {
        "correlation" => found.correlation.unwrap(),
        "mean" if case == "adjusted" => arm.adjusted_mean.unwrap(),
        "mean" => arm.mean.unwrap(),
        "std" => arm.std.unwrap(),
        "difference" => uplift().difference,
        "difference_low" => uplift().difference_low,
        "difference_high" => uplift().difference_high,
        "relative" => uplift().relative.unwrap(),
        "low" => uplift().low.unwrap(),
        "high" => uplift().high.unwrap(),
        "anytime_low" => uplift().anytime_low,
        "anytime_high" => uplift().anytime_high,
        "p" => uplift().p,
        "smallest_effect" => uplift().smallest_effect,
        other => panic!("no figure {other}"),
    }
}

#[test]
fn readout_matches_scipy() {
    let groups: Vec<_> = (0..3).map(group).collect();
    let (adjusted, measured) = (read(&groups), without_before(&groups));
    assert!(adjusted.adjusted && !measured.adjusted);
    assert_eq!(measured.correlation, None);
    let mut compared = 0;
    for line in include_str!("fixtures/experiment.csv").lines() {
        let fields: Vec<&str> = line.split(',').collect();
        let [case, g, name, want] = fields[..] else {
            panic!("{line}")
        };
        let (g, want): (usize, f64) = (g.parse().unwrap(), want.parse().unwrap());
        let found = match case {
            "adjusted" => figure(&adjusted, case, g, name),
            _ => figure(&measured, case, g, name),
        };
        // The gradient of the oracle is numerical; all else agrees to 9 digits.
        let tolerance = match name {
            "low" | "high" => 1e-7,
            _ => 1e-9,
        };
        assert!(
            (found - want).abs() <= tolerance * want.abs().max(1e-3),
            "{line}: {found}"
        );
        compared += 1;
    }
    assert_eq!(compared, 50);
    // What was measured is the same whether or not it is adjusted.
    for (one, other) in adjusted.arms.iter().zip(&measured.arms) {
        assert_eq!((one.mean, one.std), (other.mean, other.std));
    }
}

#[test]
fn units_and_order_do_not_change_what_is_shown() {
    let groups: Vec<_> = (0..3).map(group).collect();
    let cents: Vec<_> = groups
        .iter()
        .map(|(values, before)| {
            let mut rows: Vec<_> = values.iter().zip(before).collect();
            rows.reverse();
            rows.into_iter().map(|(y, x)| (y * 100.0, *x)).unzip()
        })
        .collect();
    let (euros, cents) = (read(&groups), read(&cents));
    for (one, other) in euros.arms.iter().zip(&cents.arms).skip(1) {
        let (one, other) = (one.uplift.unwrap(), other.uplift.unwrap());
        let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-9, "{a} {b}");
        close(one.p, other.p);
        close(one.low.unwrap(), other.low.unwrap());
        close(one.anytime_high * 100.0, other.anytime_high);
    }
}

/// Two groups without the metric before.
fn two(control: &[f64], variant: &[f64]) -> Readout {
    let unknown = |values: &[f64]| vec![f64::NAN; values.len()];
    read(&[
        (control.to_vec(), unknown(control)),
        (variant.to_vec(), unknown(variant)),
    ])
}

#[test]
fn groups_that_cannot_be_compared_say_why() {
    let reason = |control: &[f64], variant: &[f64]| {
        let found = two(control, variant);
        assert_eq!(found.arms[0].reason, None, "control is compared with none");
        assert!(found.arms[1].uplift.is_none());
        found.arms[1].reason.unwrap()
    };
    let few = |control, variant| NotComputed::TooFewCustomers { control, variant };
    assert_eq!(reason(&[], &[]), few(0, 0));
    assert_eq!(reason(&[1.0, 2.0], &[3.0]), few(2, 1));
    assert_eq!(reason(&[0.1; 9], &[0.3; 8]), NotComputed::NoSpread);
    assert_eq!(reason(&[0.0; 9], &[0.0; 8]), NotComputed::NoSpread);
    assert_eq!(reason(&[1e300, -1e300], &[1.0, 2.0]), NotComputed::TooLarge);
    let empty = two(&[], &[1.0]);
    assert_eq!((empty.arms[0].mean, empty.arms[0].std), (None, None));
    assert_eq!(empty.arms[1].mean, Some(1.0));
    assert_eq!(empty.arms[1].std, None);
}

#[test]
fn a_group_without_spread_is_compared_with_one_that_has_some() {
    // Welch with one variance of zero is the one-sample test: scipy.stats.ttest_1samp([1, 2, 3, 4], 4).pvalue
    let uplift = two(&[1.0, 2.0, 3.0, 4.0], &[4.0; 5]).arms[1]
        .uplift
        .unwrap();
    assert!(
        (uplift.p - 0.10272807885839899).abs() < 1e-10,
        "{}",
        uplift.p
    );
}

#[test]
fn a_share_of_what_may_be_nothing_is_not_computed() {
    for control in [[-1.0, 1.0, 0.5, -0.4], [-5.0, -5.1, -4.9, -5.0], [0.0; 4]] {
        let uplift = two(&control, &[1.0, 2.0, 3.0, 2.0]).arms[1].uplift.unwrap();
        assert_eq!(
            (uplift.relative, uplift.low, uplift.high),
            (None, None, None)
        );
        assert!(uplift.p.is_finite());
    }
}

#[test]
fn means_are_adjusted_only_where_enough_customers_were_measured_before() {
    let case = |known: [usize; 2], size: usize| {
        let groups: Vec<_> = (0..2)
            .map(|g| {
                let (values, before) = (0..size)
                    .map(|i| {
                        let before = ((i * 37 + g) % 101) as f64;
                        let noise = ((i * i * 13 + 5 * g) % 97) as f64;
                        let known = if i < known[g] { before } else { f64::NAN };
                        (before + noise, known)
                    })
                    .unzip();
                (values, before)
            })
            .collect();
        read(&groups)
    };
    assert!(case([30, 30], 60).adjusted);
    for (known, size) in [([29, 30], 50), ([60, 30], 61), ([60, 0], 60)] {
        let found = case(known, size);
        assert!(!found.adjusted, "{known:?} of {size}");
        assert_eq!(found.correlation, None);
        assert!(found.arms.iter().all(|arm| arm.adjusted_mean.is_none()));
    }
}

#[test]
fn a_metric_that_did_not_change_is_compared_as_it_is() {
    // Adjusting would leave rounding errors alone, and any p value.
    let (values, _) = group(0);
    let (other, _) = group(1);
    let found = read(&[(values.clone(), values), (other.clone(), other)]);
    assert!(!found.adjusted);
    assert!(found.correlation.unwrap() > 0.999_999);
    assert!(found.arms[1].uplift.unwrap().p > 0.001);
    // A metric before that is the same for all says nothing.
    let constant = read(&[(group(0).0, vec![0.1; 80]), (group(1).0, vec![0.1; 130])]);
    assert_eq!((constant.adjusted, constant.correlation), (false, None));
}

#[test]
fn wrong_calls_are_errors() {
    let (values, infinite) = ([1.0, 2.0], [f64::INFINITY, 0.0]);
    let of = |values, before| Arm { values, before };
    let good = of(&values[..], &values[..]);
    assert_eq!(
        readout(&[good]).unwrap_err(),
        ExperimentError::TooFewArms { found: 1 }
    );
    assert_eq!(
        readout(&[good, of(&values, &values[..1])])
            .unwrap_err()
            .to_string(),
        "group 1 has 2 values and 1 values before enrolment; both must be of the same customers"
    );
    assert!(readout(&[good, of(&[f64::NAN, 1.0], &values)]).is_err());
    assert!(readout(&[good, of(&values, &infinite)]).is_err());
}

#[test]
fn verdicts_follow_the_anytime_interval_until_the_end() {
    let uplift = Uplift {
        difference: 1.0,
        difference_low: 0.1,
        difference_high: 1.9,
        relative: None,
        low: None,
        high: None,
        anytime_low: -0.5,
        anytime_high: 2.5,
        p: 0.03,
        smallest_effect: 1.3,
        comparisons: 1,
    };
    let mut arm = two(&[1.0, 2.0], &[2.0, 4.0]).arms[1].clone();
    let mut at = Circumstances {
        higher_is_better: Some(true),
        ended: false,
        waiting: true,
        sample_ratio_p: Some(0.4),
    };
    arm.uplift = Some(uplift);
    assert_eq!(verdict(&arm, &at), Verdict::NoDifferenceShown);
    at.ended = true;
    assert_eq!(verdict(&arm, &at), Verdict::Better);
    at.higher_is_better = Some(false);
    assert_eq!(verdict(&arm, &at), Verdict::Worse);
    at.higher_is_better = None;
    assert_eq!(verdict(&arm, &at), Verdict::Higher);
    // Two groups against control share the 5%: 0.03 is not enough.
    let shared = |p, comparisons| {
        Some(Uplift {
            p,
            comparisons,
            ..uplift
        })
    };
    arm.uplift = shared(0.03, 2);
    assert_eq!(verdict(&arm, &at), Verdict::NoDifferenceShown);
    arm.uplift = shared(0.02, 2);
    assert_eq!(verdict(&arm, &at), Verdict::Higher);
    arm.uplift = Some(Uplift {
        difference: -1.0,
        anytime_low: -2.0,
        anytime_high: -0.1,
        ..uplift
    });
    at.ended = false;
    assert_eq!(verdict(&arm, &at), Verdict::Lower);
    at.sample_ratio_p = Some(0.0009);
    assert_eq!(verdict(&arm, &at), Verdict::UnevenGroups);
    at.sample_ratio_p = None;
    arm.uplift = None;
    arm.reason = Some(NotComputed::TooFewCustomers {
        control: 0,
        variant: 0,
    });
    assert_eq!(verdict(&arm, &at), Verdict::TooEarly);
    at.waiting = false;
    assert_eq!(verdict(&arm, &at), Verdict::NotComputed);
    arm.reason = Some(NotComputed::NoSpread);
    at.waiting = true;
    assert_eq!(verdict(&arm, &at), Verdict::NotComputed);
}
