//! Simulated customers: purchases drawn from a model with a seed.
//!
//! Used to check that fits recover the simulated parameters, to measure speed, and to measure how far single customers
//! deviate from their expectation.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Beta, Distribution, Exp1, Gamma};

use super::models::BtydModel;
use crate::lifetime_error::LifetimeError;

/// One simulated customer: when it bought after its first purchase, in time units since then, up to the end asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedCustomer {
    /// Times of repeat purchases, ascending.
    pub purchases: Vec<f64>,
    /// Whether it is still alive at the end.
    pub alive: bool,
}

impl SimulatedCustomer {
    /// (x, t_x) as seen at time `tenure`.
    pub fn seen_at(&self, tenure: f64) -> (u32, f64) {
        let x = self.purchases.partition_point(|t| *t <= tenure);
        (x as u32, if x == 0 { 0.0 } else { self.purchases[x - 1] })
    }
}

/// Draws customers of one model.
pub struct Simulator {
    model: BtydModel,
    rate: Gamma<f64>,
    dropout: Dropout,
    random: ChaCha8Rng,
}

enum Dropout {
    Chance(Beta<f64>),
    Rate(Gamma<f64>),
}

impl Simulator {
    /// `parameters` in the order of [`BtydModel::parameter_names`].
    ///
    /// # Errors
    /// [`LifetimeError::OutOfRange`] for a parameter that is not positive and finite.
    pub fn new(model: BtydModel, parameters: [f64; 4], seed: u64) -> Result<Self, LifetimeError> {
        let bad = |value| LifetimeError::OutOfRange {
            model: model.name(),
            what: "a parameter",
            value,
            range: "positive and finite",
        };
        if let Some(value) = parameters.iter().find(|p| !(**p > 0.0 && p.is_finite())) {
            return Err(bad(*value));
        }
        let [r, alpha, third, fourth] = parameters;
        let rate = Gamma::new(r, 1.0 / alpha).map_err(|_| bad(r))?;
        let dropout = match model {
            BtydModel::BgNbd | BtydModel::MbgNbd => {
                Dropout::Chance(Beta::new(third, fourth).map_err(|_| bad(third))?)
            }
            BtydModel::ParetoNbd => {
                Dropout::Rate(Gamma::new(third, 1.0 / fourth).map_err(|_| bad(third))?)
            }
        };
        Ok(Self {
            model,
            rate,
            dropout,
            random: ChaCha8Rng::seed_from_u64(seed),
        })
    }

    /// The next customer, followed for `end` time units.
    pub fn customer(&mut self, end: f64) -> SimulatedCustomer {
        let rate = self.rate.sample(&mut self.random);
        let (chance, death) = match &self.dropout {
            Dropout::Chance(beta) => (beta.sample(&mut self.random), f64::INFINITY),
            Dropout::Rate(gamma) => {
                let hazard = gamma.sample(&mut self.random);
                (0.0, exponential(&mut self.random) / hazard)
            }
        };
        let mut purchases = Vec::new();
        let mut time = 0.0;
        let mut alive = self.model != BtydModel::MbgNbd || unit(&mut self.random) >= chance;
        while alive {
            time += exponential(&mut self.random) / rate;
            if time > end.min(death) {
                break;
            }
            purchases.push(time);
            alive = unit(&mut self.random) >= chance;
        }
        SimulatedCustomer {
            purchases,
            alive: alive && death > end,
        }
    }
}

fn exponential(random: &mut ChaCha8Rng) -> f64 {
    Exp1.sample(random)
}

fn unit(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 * 2f64.powi(-53)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_customers_and_bad_parameters_are_refused() {
        let run = || {
            Simulator::new(BtydModel::MbgNbd, [0.5, 6.0, 0.9, 1.6], 4)
                .unwrap()
                .customer(50.0)
        };
        assert_eq!(run(), run());
        assert!(Simulator::new(BtydModel::BgNbd, [0.5, -6.0, 0.9, 1.6], 4).is_err());
        assert!(Simulator::new(BtydModel::BgNbd, [0.5, f64::NAN, 0.9, 1.6], 4).is_err());
    }

    #[test]
    fn seen_at_counts_up_to_the_day() {
        let customer = SimulatedCustomer {
            purchases: vec![1.0, 2.5],
            alive: true,
        };
        assert_eq!(customer.seen_at(0.5), (0, 0.0));
        assert_eq!(customer.seen_at(2.5), (2, 2.5));
    }
}
