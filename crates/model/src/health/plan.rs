//! The declaration of a health score: components, weights, coverage, bands.

use serde::{Deserialize, Serialize};

use super::error::HealthError;

/// How a number becomes points from 0 (worst) to 100 (best).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthScale {
    /// A straight line from `worst` (0 points) to `best` (100 points), flat outside; `worst` may lie above `best`.
    Linear {
        /// The value of 0 points.
        worst: f64,
        /// The value of 100 points.
        best: f64,
    },
    /// 100 times the mid-distribution rank among the customers of the fit; reversed where small is good.
    Percentile {
        /// Small values are good.
        small_is_good: bool,
    },
    /// `(limit, points)`, limits ascending: a value gets the points of the first step whose limit is above it. The last step
    /// takes all other values; its limit is not read.
    Steps(Vec<(f64, f64)>),
}

/// One component of a health score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthComponent {
    /// Its name; the column it is made from has the same.
    pub name: String,
    /// Its weight, > 0; only the proportions of the weights matter.
    pub weight: f64,
    /// How the column's values become points.
    pub scale: HealthScale,
}

/// A range of scores with a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthBand {
    /// Its name.
    pub name: String,
    /// Scores below this belong to it, unless to a worse band; `None` for the last band, which takes all other scores.
    pub below: Option<f64>,
}

/// A health score as declared, checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthPlan {
    components: Vec<HealthComponent>,
    min_coverage: f64,
    bands: Vec<HealthBand>,
}

impl HealthPlan {
    /// Largest number of components: one bit of a 64-bit mask marks each missing component.
    pub const MOST_COMPONENTS: usize = 64;

    /// `components` in the order of publication; `min_coverage`: the least share of the weight that must be present, in
    /// [0, 1]; `bands` from worst to best.
    ///
    /// # Errors
    /// [`HealthError`] for no or too many components, a repeated name, a weight that is not positive, a line from a value to
    /// the same value, steps or bands whose limits do not rise, points outside 0 to 100, no bands.
    pub fn new(
        mut components: Vec<HealthComponent>,
        min_coverage: f64,
        mut bands: Vec<HealthBand>,
    ) -> Result<Self, HealthError> {
        let found = components.len();
        if found == 0 || found > Self::MOST_COMPONENTS {
            let limit = Self::MOST_COMPONENTS;
            return Err(HealthError::ComponentCount { found, limit });
        }
        distinct("component", components.iter().map(|c| &c.name))?;
        components.iter().try_for_each(HealthComponent::check)?;
        if !(0.0..=1.0).contains(&min_coverage) {
            return Err(out_of_range(
                "the least coverage",
                "min_coverage",
                min_coverage,
                "from 0 to 1",
            ));
        }
        distinct("band", bands.iter().map(|b| &b.name))?;
        let Some((best, others)) = bands.split_last_mut() else {
            return Err(HealthError::NoBands);
        };
        best.below = None;
        let mut last = f64::NEG_INFINITY;
        for band in others {
            let below = band.below.unwrap_or(f64::NAN);
            // Written so that NaN fails.
            if !(below.is_finite() && below > last) {
                let range = "finite and above the limit of the band before";
                return Err(out_of_range("the limit", &band.name, below, range));
            }
            last = below;
        }
        for component in &mut components {
            if let HealthScale::Steps(steps) = &mut component.scale
                && let Some((limit, _)) = steps.last_mut()
            {
                // The limit of the last step is not read; a finite number can be stored.
                *limit = f64::MAX;
            }
        }
        Ok(Self {
            components,
            min_coverage,
            bands,
        })
    }

    /// The components, in order.
    pub fn components(&self) -> &[HealthComponent] {
        &self.components
    }

    /// Least share of the weight that must be present, in [0, 1].
    pub fn min_coverage(&self) -> f64 {
        self.min_coverage
    }

    /// The bands from worst to best.
    pub fn bands(&self) -> &[HealthBand] {
        &self.bands
    }

    /// The place of a score's band, 0 the worst; `None` for NaN.
    pub fn band_of(&self, score: f64) -> Option<usize> {
        let place = self
            .bands
            .iter()
            .position(|band| band.below.is_none_or(|below| score < below));
        place.filter(|_| !score.is_nan())
    }
}

impl HealthComponent {
    fn check(&self) -> Result<(), HealthError> {
        let bad = |what, value, range| -> Result<(), _> {
            Err(out_of_range(what, &self.name, value, range))
        };
        if !(self.weight > 0.0 && self.weight.is_finite()) {
            return bad("the weight", self.weight, "positive and finite");
        }
        match &self.scale {
            HealthScale::Linear { worst, best } => {
                if !worst.is_finite() {
                    return bad("`worst`", *worst, "finite");
                }
                if !best.is_finite() || best == worst {
                    return bad("`best`", *best, "finite and not the same as `worst`");
                }
            }
            HealthScale::Percentile { .. } => {}
            HealthScale::Steps(steps) => {
                if steps.is_empty() {
                    return bad("the number of steps", 0.0, "at least 1");
                }
                if let Some((_, points)) = steps.iter().find(|s| !(0.0..=100.0).contains(&s.1)) {
                    return bad("the points of a step", *points, "from 0 to 100");
                }
                let limits = &steps[..steps.len() - 1];
                if let Some((limit, _)) = limits.iter().find(|s| !s.0.is_finite()) {
                    return bad("the limit of a step", *limit, "finite");
                }
                if let Some(pair) = limits.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
                    return bad(
                        "the limit of a step",
                        pair[1].0,
                        "above the limit before it",
                    );
                }
            }
        }
        Ok(())
    }
}

fn out_of_range(what: &'static str, name: &str, value: f64, range: &'static str) -> HealthError {
    HealthError::OutOfRange {
        what,
        name: name.to_owned(),
        value,
        range,
    }
}

fn distinct<'a>(
    what: &'static str,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), HealthError> {
    let mut seen: Vec<&String> = Vec::new();
    for name in names {
        if seen.contains(&name) {
            return Err(HealthError::DuplicateName {
                what,
                name: name.clone(),
            });
        }
        seen.push(name);
    }
    Ok(())
}
