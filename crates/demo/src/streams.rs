//! Random streams: one per purpose and customer, so that no table's randomness depends on another's.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, Gamma};

use crate::DemoError;

/// What a stream is used for. The numbers determine what a seed gives, so they must not change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Life = 1,
    Orders = 2,
    Accounts = 3,
    Events = 4,
    Tickets = 5,
    Surveys = 6,
    OrderDirt = 7,
    EventDirt = 8,
}

/// The stream of one purpose and one customer (0 where the purpose is not about a customer).
pub(crate) fn stream(seed: u64, purpose: Purpose, index: u32) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((purpose as u64) << 32) | u64::from(index));
    rng
}

/// A gamma variate of the given shape and rate (mean = shape / rate).
pub(crate) fn gamma(rng: &mut ChaCha8Rng, shape: f64, rate: f64) -> Result<f64, DemoError> {
    let law =
        Gamma::new(shape, 1.0 / rate).map_err(|_| DemoError::Distribution { what: "gamma" })?;
    Ok(law.sample(rng))
}

/// A beta variate.
pub(crate) fn beta(rng: &mut ChaCha8Rng, a: f64, b: f64) -> Result<f64, DemoError> {
    let law = Beta::new(a, b).map_err(|_| DemoError::Distribution { what: "beta" })?;
    Ok(law.sample(rng))
}

/// The item whose weight a uniform number in [0, 1) falls on. Weights need not add up to 1; the last item takes the rest.
pub(crate) fn pick<T>(uniform: f64, items: &[(T, f64)]) -> Option<&T> {
    let total: f64 = items.iter().map(|(_, weight)| weight).sum();
    let mut left = uniform * total;
    for (item, weight) in items {
        if left < *weight {
            return Some(item);
        }
        left -= weight;
    }
    items.last().map(|(item, _)| item)
}
