//! Scores of customers: the weighted mean of the components that are present.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::HealthError;
use super::plan::HealthPlan;
use super::points::FittedScale;
use crate::Matrix;

/// A health score with the ranks it learnt; scores the customers of the fit and later ones in the same way. Stored as numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthFit {
    plan: HealthPlan,
    scales: Vec<FittedScale>,
}

/// The scores of a table of customers, in its row order.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthScores {
    /// 0 (worst) to 100 (best); NaN where too little of the weight is present.
    pub score: Vec<f64>,
    /// Share of the weight that is present, in [0, 1].
    pub coverage: Vec<f64>,
    /// Place of the band among [`HealthPlan::bands`]; `None` where there is no score.
    pub band: Vec<Option<u32>>,
    /// One bit per component in the plan's order, the first lowest: set where the component is missing.
    pub missing: Vec<u64>,
}

/// One customer.
#[derive(Clone, Copy)]
struct Scored {
    score: f64,
    coverage: f64,
    missing: u64,
}

impl HealthFit {
    /// Learns from `columns`, one row per customer, one column per component with the component's name; other columns are
    /// not read. NaN is missing. Only percentile scales learn anything.
    ///
    /// # Errors
    /// [`HealthError::Columns`] when a component has no column.
    pub fn fit(plan: &HealthPlan, columns: &Matrix<'_>) -> Result<Self, HealthError> {
        let scales = plan
            .components()
            .iter()
            .map(|component| {
                let column = columns.column_named(&component.name)?;
                Ok(FittedScale::fit(&component.scale, column))
            })
            .collect::<Result<_, HealthError>>()?;
        Ok(Self {
            plan: plan.clone(),
            scales,
        })
    }

    /// What was declared.
    pub fn plan(&self) -> &HealthPlan {
        &self.plan
    }

    /// The scales with what they learnt, in the order of the components.
    pub fn scales(&self) -> &[FittedScale] {
        &self.scales
    }

    /// The scores of the customers in `columns`: Σ w s / Σ w over the components present, NaN where these have less than
    /// the least share of the weight, or none at all.
    ///
    /// # Errors
    /// [`HealthError::Columns`] when a component has no column.
    pub fn score(&self, columns: &Matrix<'_>) -> Result<HealthScores, HealthError> {
        let components = self
            .plan
            .components()
            .iter()
            .zip(&self.scales)
            .map(|(component, scale)| {
                let column = columns.column_named(&component.name)?;
                Ok((column, component.weight, scale))
            })
            .collect::<Result<Vec<_>, HealthError>>()?;
        // Weights are divided by the largest first, so that their sum does not overflow.
        let largest = components.iter().fold(0.0, |most: f64, c| most.max(c.1));
        let whole: f64 = components.iter().map(|c| c.1 / largest).sum();
        let scored: Vec<Scored> = (0..columns.rows())
            .into_par_iter()
            .with_min_len(4096)
            .map(|row| {
                let (mut sum, mut present, mut missing) = (0.0, 0.0, 0_u64);
                for (place, (column, weight, scale)) in components.iter().enumerate() {
                    let points = scale.points(column[row]);
                    if points.is_nan() {
                        missing |= 1 << place;
                    } else {
                        sum += weight / largest * points;
                        present += weight / largest;
                    }
                }
                let coverage = present / whole;
                // `coverage` is a sum: a rounding error must not withhold a score whose coverage is exactly at the limit.
                let enough = present > 0.0 && coverage >= self.plan.min_coverage() - 1e-12;
                Scored {
                    score: if enough {
                        (sum / present).clamp(0.0, 100.0)
                    } else {
                        f64::NAN
                    },
                    coverage,
                    missing,
                }
            })
            .collect();
        Ok(HealthScores {
            score: scored.iter().map(|s| s.score).collect(),
            coverage: scored.iter().map(|s| s.coverage).collect(),
            band: scored
                .iter()
                .map(|s| self.plan.band_of(s.score).map(|band| band as u32))
                .collect(),
            missing: scored.iter().map(|s| s.missing).collect(),
        })
    }

    /// The names of the components that a mask of [`HealthScores::missing`] names, in the plan's order.
    pub fn missing_components(&self, mask: u64) -> Vec<&str> {
        self.plan
            .components()
            .iter()
            .enumerate()
            .filter(|(place, _)| mask >> place & 1 == 1)
            .map(|(_, component)| component.name.as_str())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{HealthBand, HealthComponent, HealthScale};

    fn bands() -> Vec<HealthBand> {
        [("red", Some(36.0)), ("yellow", Some(71.0)), ("green", None)]
            .map(|(name, below)| HealthBand {
                name: name.to_owned(),
                below,
            })
            .to_vec()
    }

    fn natero() -> HealthPlan {
        let components = [
            ("usage", 7.0),
            ("support", 5.0),
            ("value", 8.0),
            ("nps", 3.0),
        ];
        let components = components.map(|(name, weight)| HealthComponent {
            name: name.to_owned(),
            weight,
            scale: HealthScale::Linear {
                worst: 0.0,
                best: 100.0,
            },
        });
        HealthPlan::new(components.to_vec(), 0.6, bands()).unwrap()
    }

    fn table(rows: &[[f64; 4]]) -> Matrix<'static> {
        let names = ["usage", "support", "value", "nps"].map(str::to_owned);
        let columns = (0..4).map(|j| rows.iter().map(|row| row[j]).collect());
        Matrix::from_columns(names.to_vec(), columns.collect()).unwrap()
    }

    #[test]
    fn natero_example_of_the_definitions() {
        // (83·7 + 71·5 + 78·8 + 54·3) / 23 = 1722 / 23.
        let table = table(&[[83.0, 71.0, 78.0, 54.0]]);
        let fit = HealthFit::fit(&natero(), &table).unwrap();
        let scores = fit.score(&table).unwrap();
        assert!((scores.score[0] - 1722.0 / 23.0).abs() < 1e-12);
        assert_eq!(format!("{:.1}", scores.score[0]), "74.9");
        assert_eq!(
            (scores.band[0], scores.coverage[0], scores.missing[0]),
            (Some(2), 1.0, 0)
        );
    }

    #[test]
    fn missing_components_lower_coverage_and_then_the_score_is_refused() {
        let n = f64::NAN;
        let table = table(&[
            [83.0, 71.0, 78.0, n], // 20/23
            [83.0, n, n, 54.0],    // 10/23
            [n, n, n, n],
        ]);
        let fit = HealthFit::fit(&natero(), &table).unwrap();
        let scores = fit.score(&table).unwrap();
        assert!((scores.score[0] - 1560.0 / 20.0).abs() < 1e-12);
        assert!(scores.score[1].is_nan() && scores.score[2].is_nan());
        assert_eq!(scores.band, [Some(2), None, None]);
        assert_eq!(
            fit.missing_components(scores.missing[1]),
            ["support", "value"]
        );
    }

    #[test]
    fn coverage_exactly_at_the_limit_is_enough() {
        let component = |name: &str, weight| HealthComponent {
            name: name.to_owned(),
            weight,
            scale: HealthScale::Linear {
                worst: 0.0,
                best: 1.0,
            },
        };
        // 0.1 + 0.2 + 0.3 of 1.0 is 0.6000000000000001 or 0.6 depending on the order of adding.
        let components = ["a", "b", "c", "d"]
            .into_iter()
            .zip([0.3, 0.2, 0.1, 0.4])
            .map(|(name, weight)| component(name, weight))
            .collect();
        let plan = HealthPlan::new(components, 0.6, bands()).unwrap();
        let table = Matrix::from_columns(
            ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            vec![vec![1.0], vec![1.0], vec![1.0], vec![f64::NAN]],
        )
        .unwrap();
        let scores = HealthFit::fit(&plan, &table)
            .unwrap()
            .score(&table)
            .unwrap();
        assert_eq!(scores.score, [100.0]);
    }

    #[test]
    fn later_customers_are_ranked_among_those_of_the_fit() {
        let scale = HealthScale::Percentile {
            small_is_good: true,
        };
        let component = HealthComponent {
            name: "days_silent".to_owned(),
            weight: 1.0,
            scale,
        };
        let plan = HealthPlan::new(vec![component], 0.6, bands()).unwrap();
        let column = |values: Vec<f64>| {
            Matrix::from_columns(vec!["days_silent".to_owned()], vec![values]).unwrap()
        };
        let fit = HealthFit::fit(&plan, &column((1..=100).map(f64::from).collect())).unwrap();
        let stored = serde_json::to_string(&fit).unwrap();
        let loaded: HealthFit = serde_json::from_str(&stored).unwrap();
        let later = column(vec![1.0, 100.0, 50.5, 1000.0]);
        let scores = loaded.score(&later).unwrap();
        assert_eq!(scores, fit.score(&later).unwrap());
        for (got, want) in scores.score.iter().zip([99.5, 0.5, 50.0, 0.0]) {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
    }

    #[test]
    fn plans_that_cannot_be_meant_are_refused() {
        let good = natero();
        let parts = || (good.components().to_vec(), good.bands().to_vec());
        let refused = |change: fn(&mut Vec<HealthComponent>, &mut Vec<HealthBand>), says: &str| {
            let (mut components, mut bands) = parts();
            change(&mut components, &mut bands);
            let error = HealthPlan::new(components, 0.6, bands)
                .unwrap_err()
                .to_string();
            assert!(error.contains(says), "{error}");
        };
        refused(|c, _| c.clear(), "needs 1 to 64 components");
        refused(|c, _| c[1].name = c[0].name.clone(), "`usage`");
        refused(|c, _| c[2].weight = 0.0, "the weight of `value` is 0");
        refused(
            |c, _| c[2].weight = f64::NAN,
            "the weight of `value` is NaN",
        );
        refused(
            |c, _| {
                c[0].scale = HealthScale::Linear {
                    worst: 3.0,
                    best: 3.0,
                }
            },
            "`best` of `usage` is 3",
        );
        refused(
            |c, _| c[0].scale = HealthScale::Steps(vec![(2.0, 10.0), (2.0, 20.0), (0.0, 30.0)]),
            "above the limit before it",
        );
        refused(
            |c, _| c[0].scale = HealthScale::Steps(vec![(2.0, 130.0)]),
            "from 0 to 100",
        );
        refused(|_, b| b.clear(), "at least one band");
        refused(
            |_, b| b[1].below = Some(30.0),
            "the limit of `yellow` is 30",
        );
        let (components, bands) = parts();
        assert!(HealthPlan::new(components, 1.5, bands).is_err());
    }

    #[test]
    fn a_component_without_a_column_is_named() {
        let table = Matrix::from_columns(vec!["usage".to_owned()], vec![vec![1.0]]).unwrap();
        let error = HealthFit::fit(&natero(), &table).unwrap_err().to_string();
        assert!(error.contains("`support`"), "{error}");
    }
}
