//! Renewal models against the published figures of Fader & Hardie (2007).

use std::path::PathBuf;

use tessera_model::contractual::{RenewalFit, RenewalHistory, RenewalModel};

/// Alive of 1,000 by year, 0 to 7.
fn cohort(name: &str) -> Option<Vec<f64>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !root.is_dir() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "CI=true, and there is no ../shared/data"
        );
        println!("skipped: no ../shared/data");
        return None;
    }
    let text = std::fs::read_to_string(root.join("sbg/fader_hardie_2007_survival.csv")).unwrap();
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix(&format!("{name},")));
    Some(
        rows.map(|row| row.split(',').nth(1).unwrap().trim().parse().unwrap())
            .collect(),
    )
}

#[test]
fn sbg_matches_fader_hardie_2007() {
    let published = [
        ("regular", [0.70408, 1.18204], -1680.265, 0.1700),
        ("highend", [0.66809, 3.80609], -1611.158, 0.3780),
    ];
    for (name, parameters, log_likelihood, survival_12) in published {
        let Some(alive) = cohort(name) else { return };
        assert_eq!(alive.len(), 8);
        let fit = RenewalFit::fit(
            RenewalModel::Sbg,
            &RenewalHistory::from_cohort(&alive).unwrap(),
        )
        .unwrap();
        for (got, want) in fit.parameters.iter().zip(parameters) {
            assert!(
                (got / want - 1.0).abs() < 1e-3,
                "{name}: {got} is not {want}"
            );
        }
        assert!(
            (fit.log_likelihood - log_likelihood).abs() < 1e-2,
            "{name}: {}",
            fit.log_likelihood
        );
        assert!(
            (fit.survival(12.0) - survival_12).abs() < 1e-4,
            "{name}: {}",
            fit.survival(12.0)
        );
    }
}

#[test]
fn bdw_contains_sbg_and_does_not_fit_worse() {
    for name in ["regular", "highend"] {
        let Some(alive) = cohort(name) else { return };
        let history = RenewalHistory::from_cohort(&alive).unwrap();
        let sbg = RenewalFit::fit(RenewalModel::Sbg, &history).unwrap();
        let bdw = RenewalFit::fit(RenewalModel::Bdw, &history).unwrap();
        assert!(
            bdw.log_likelihood >= sbg.log_likelihood - 1e-9,
            "{name}: {bdw:?}"
        );
        let estimate = bdw.conditional_survival_estimate(7.0, 1.0, 400, 1);
        assert!(estimate.low_95 < estimate.low_80 && estimate.low_80 < estimate.value);
        assert!(estimate.value < estimate.high_80 && estimate.high_80 < estimate.high_95);
    }
}
