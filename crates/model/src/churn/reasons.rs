//! Why a customer's probability differs from that of a typical one.
//!
//! The typical customer has the median of each number over the customers that are scored, and the most frequent label of
//! each label column. The contribution of an input is by how much the log-odds before calibration fall when its value is
//! replaced by the typical one and all other values stay. Calibration never decreases, so the calibrated probability moves the
//! same way, or not at all.

use rayon::prelude::*;

use super::encoding::{Design, Encoding, Origin};
use super::error::ChurnError;
use super::fit::{ChurnFit, in_chunks};
use super::forest::Forest;
use super::inputs::{InputValue, Inputs};
use super::logistic::LogisticModel;
use super::predictor::Predictor;
use crate::metrics::log_odds;

/// Reasons given per customer.
pub const REASONS: usize = 3;

/// Inputs named per customer, from which the caller may leave some out.
pub const CONSIDERED: usize = 6;

/// Least change of the log-odds that is a reason: the odds change by a tenth.
const LEAST_LOG_ODDS: f64 = 0.1;

/// Share of the largest importance below which a model hardly uses an input.
const HARDLY_USED: f64 = 0.02;

/// An input that can be a reason.
#[derive(Debug, Clone, PartialEq)]
pub struct TypicalInput {
    /// Its column.
    pub column: String,
    /// What the typical customer has.
    pub typical: InputValue,
}

/// An input that moves a customer's probability away from the typical one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// Its place in [`Reasons::inputs`].
    pub input: usize,
    /// By how much the log-odds before calibration fall when the customer's value is replaced by the typical one: above 0 the
    /// value raises the probability.
    pub log_odds: f64,
}

/// The reasons of one customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CustomerReasons {
    /// Whether the probability is at least the base rate. If so, the reasons raise it; if not, they lower it.
    pub raised: bool,
    /// The strongest first; all on the same side.
    pub strongest: [Option<Contribution>; CONSIDERED],
}

/// The reasons of all customers that were scored.
#[derive(Debug, Clone, PartialEq)]
pub struct Reasons {
    /// The inputs of the fit, with what is typical.
    pub inputs: Vec<TypicalInput>,
    /// One entry per row.
    pub customers: Vec<CustomerReasons>,
    /// The calibrated probability of each row, as [`ChurnFit::probabilities`] has it.
    pub probabilities: Vec<f64>,
}

/// What reasons are measured against: see [`ChurnFit::typical`].
#[derive(Debug)]
pub struct Typical {
    /// One row.
    inputs: Inputs,
    design: Design,
}

impl ChurnFit {
    /// Up to [`CONSIDERED`] inputs per customer that move its probability most: those that raise it where it is at least the base
    /// rate, those that lower it where it is below. Inputs that the model hardly uses, by their importance on the test
    /// customers, and changes of the odds below a tenth are not reasons. The base rate has no reasons.
    ///
    /// # Errors
    /// A column of the fit is missing.
    pub fn reasons(&self, inputs: &Inputs) -> Result<Reasons, ChurnError> {
        self.reasons_beside(inputs, &self.typical(inputs.typical())?)
    }

    /// The typical customer of all that are scored, from what [`Inputs::typical`] finds among them, for
    /// [`ChurnFit::reasons_beside`].
    ///
    /// # Errors
    /// A column of the fit is missing.
    pub fn typical(&self, typical: Inputs) -> Result<Typical, ChurnError> {
        let design = self.encoding.encode(&typical)?;
        Ok(Typical {
            inputs: typical,
            design,
        })
    }

    /// As [`ChurnFit::reasons`], for a part of the customers that are scored.
    ///
    /// # Errors
    /// A column of the fit is missing.
    pub fn reasons_beside(
        &self,
        inputs: &Inputs,
        typical: &Typical,
    ) -> Result<Reasons, ChurnError> {
        let origins = self.encoding.origins();
        let used = self.used(&origins);
        let mut customers = Vec::with_capacity(inputs.rows());
        let mut probabilities = Vec::with_capacity(inputs.rows());
        let of = |inputs: &Inputs| self.chunk_reasons(inputs, typical, &origins, &used);
        in_chunks(inputs, of, |chunk: Vec<(f64, CustomerReasons)>| {
            for (probability, reasons) in chunk {
                probabilities.push(probability);
                customers.push(reasons);
            }
        })?;
        let named = origins.iter().map(|&origin| TypicalInput {
            column: self.encoding.origin_name(origin).to_owned(),
            typical: typical.value(&self.encoding, origin),
        });
        Ok(Reasons {
            inputs: named.collect(),
            customers,
            probabilities,
        })
    }

    /// Which inputs the served model uses, by importance; of the recency rule its own.
    fn used(&self, origins: &[Origin]) -> Vec<bool> {
        let name = |origin: &Origin| self.encoding.origin_name(*origin);
        if let Predictor::RecencyRule(rule) = &self.predictor {
            return origins.iter().map(|o| name(o) == rule.column()).collect();
        }
        let served = self.candidates.iter().find(|c| c.model == self.served());
        let importances = served.map_or(&[][..], |candidate| &candidate.importances);
        let largest = importances.iter().map(|(_, i)| *i).fold(0.0, f64::max);
        let enough = |origin: &Origin| {
            let found = importances
                .iter()
                .find(|(column, _)| column == name(origin));
            found.is_none_or(|(_, importance)| *importance >= HARDLY_USED * largest)
        };
        origins.iter().map(enough).collect()
    }

    fn chunk_reasons(
        &self,
        inputs: &Inputs,
        typical: &Typical,
        origins: &[Origin],
        used: &[bool],
    ) -> Result<Vec<(f64, CustomerReasons)>, ChurnError> {
        let design = self.encoding.encode(inputs)?;
        let raw = self.predictor.probabilities(inputs, &design)?;
        let exchanged = self.contributions(&design, &raw, typical, origins)?;
        let rows = raw
            .par_iter()
            .zip(exchanged.par_chunks_exact(origins.len().max(1)));
        Ok(rows
            .map(|(&raw, terms)| {
                let probability = self.calibrator.apply(raw);
                let raised = probability >= self.base_rate;
                let strongest = strongest(terms, used, raised);
                (probability, CustomerReasons { raised, strongest })
            })
            .collect())
    }

    /// Row after row, what each input contributes.
    fn contributions(
        &self,
        design: &Design,
        raw: &[f64],
        typical: &Typical,
        origins: &[Origin],
    ) -> Result<Vec<f64>, ChurnError> {
        let groups = self.encoding.groups(origins);
        let width = origins.len().max(1);
        let mut terms = vec![0.0; raw.len() * width];
        let base: Vec<f64> = typical.design.columns.iter().map(|c| c[0]).collect();
        let exchange = Exchange {
            design,
            base: &base,
            groups: &groups,
            width,
        };
        match &self.predictor {
            Predictor::Logistic(model) => exchange.add_of_line(model, &mut terms),
            Predictor::RandomForest(forest) => exchange.add_of_forest(forest, raw, &mut terms),
            Predictor::Combined(model, forest) => {
                exchange.add_of_line(model, &mut terms);
                exchange.add_of_forest(forest, &forest.probabilities(design), &mut terms);
                terms.iter_mut().for_each(|term| *term *= 0.5);
            }
            Predictor::RecencyRule(rule) => {
                let without = rule.probabilities(&typical.inputs)?[0];
                let place = self.encoding.position_of_number(rule.column());
                let origin = place.map(Origin::Number);
                if let Some(at) = origins.iter().position(|o| Some(*o) == origin) {
                    for (terms, &raw) in terms.chunks_exact_mut(width).zip(raw) {
                        terms[at] = log_odds(raw) - log_odds(without);
                    }
                }
            }
            Predictor::BaseRate(_) => {}
        }
        Ok(terms)
    }
}

impl Typical {
    fn value(&self, encoding: &Encoding, origin: Origin) -> InputValue {
        let name = encoding.origin_name(origin);
        self.inputs.value(name, 0).unwrap_or(InputValue::Missing)
    }
}

/// Inputs, of which each is a group of columns, and the typical values that replace them.
struct Exchange<'a> {
    design: &'a Design,
    base: &'a [f64],
    groups: &'a [usize],
    width: usize,
}

impl Exchange<'_> {
    fn add_of_line(&self, model: &LogisticModel, terms: &mut [f64]) {
        let rows = terms.par_chunks_exact_mut(self.width).enumerate();
        rows.for_each(|(row, terms)| {
            let columns = self.design.columns.iter().zip(self.base);
            for (((column, base), weight), &group) in columns.zip(&model.weights).zip(self.groups) {
                terms[group] += weight * (column[row] - base);
            }
        });
    }

    fn add_of_forest(&self, forest: &Forest, raw: &[f64], terms: &mut [f64]) {
        let exchanged = forest.exchanged(self.design, self.base, self.groups, self.width);
        let rows = terms.par_chunks_exact_mut(self.width).zip(raw);
        let rows = rows.zip(exchanged.par_chunks_exact(self.width));
        rows.for_each(|((terms, &raw), exchanged)| {
            for (term, &without) in terms.iter_mut().zip(exchanged) {
                *term += log_odds(raw) - log_odds(without);
            }
        });
    }
}

/// The terms that move to the wanted side, the strongest first; of equal ones the earlier input.
fn strongest(terms: &[f64], used: &[bool], raised: bool) -> [Option<Contribution>; CONSIDERED] {
    let side = if raised { 1.0 } else { -1.0 };
    let mut wanted: Vec<Contribution> = terms
        .iter()
        .zip(used)
        .enumerate()
        .filter(|(_, (term, used))| **used && side * **term >= LEAST_LOG_ODDS)
        .map(|(input, (&log_odds, _))| Contribution { input, log_odds })
        .collect();
    wanted.sort_by(|a, b| b.log_odds.abs().total_cmp(&a.log_odds.abs()));
    let mut wanted = wanted.into_iter();
    std::array::from_fn(|_| wanted.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_terms_of_the_wanted_side_are_reasons_and_the_strongest_come_first() {
        let terms = [0.5, -2.0, 0.05, 0.9, 3.0, -0.2, 0.6];
        let used = [true, true, true, true, false, true, true];
        let of = |raised| {
            let found = strongest(&terms, &used, raised).into_iter().flatten();
            found.map(|c| c.input).collect::<Vec<_>>()
        };
        assert_eq!(of(true), [3, 6, 0]);
        assert_eq!(of(false), [1, 5]);
    }
}
