//! The simulated history of a customer: the truth tables hold it, the sources show only a part of it.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};

use crate::archetype::{ARCHETYPES, Archetype, Purchases, SEASON, SEASON_PEAK};
use crate::calendar::{month_of_year, span_days};
use crate::streams::{Purpose, beta, gamma, pick, stream};
use crate::{DemoConfig, DemoError};

/// A customer's history. Times are days since [`FIRST_DAY`](crate::FIRST_DAY), with fractions.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    /// Position, from 0.
    pub index: u32,
    /// The kind of customer.
    pub archetype: &'static Archetype,
    /// λ, purchases per day while alive; prospects have none.
    pub purchase_rate: Option<f64>,
    /// p, the probability of leaving after a repeat purchase; prospects have none.
    pub dropout: Option<f64>,
    /// ν, the rate of an order's value.
    pub spend_rate: f64,
    /// First purchase; for a prospect, the sign-up.
    pub arrived: f64,
    /// Times of purchases, ascending, the first included, up to the last day.
    pub purchases: Vec<f64>,
    /// The purchase after which the customer left, if that lies before the end.
    pub left: Option<f64>,
    /// Whether it subscribes to the software.
    pub subscribes: bool,
}

impl Customer {
    /// The key in every source.
    pub fn id(&self) -> String {
        customer_id(self.index)
    }

    /// Last moment of activity: departure, or the end of the last day.
    pub fn active_until(&self) -> f64 {
        self.left.unwrap_or_else(|| f64::from(span_days()))
    }
}

/// The key of the customer at a position.
pub(crate) fn customer_id(index: u32) -> String {
    format!("C{:06}", index + 1)
}

/// The histories of all customers of a company.
pub(crate) fn live(config: &DemoConfig) -> Result<Vec<Customer>, DemoError> {
    (0..config.customers)
        .map(|index| live_one(config.seed, index))
        .collect()
}

fn live_one(seed: u64, index: u32) -> Result<Customer, DemoError> {
    let rng = &mut stream(seed, Purpose::Life, index);
    let archetype = archetype_at(rng.random());
    let arrived = rng.random_range(archetype.arrives[0]..archetype.arrives[1]);
    let spend_rate = gamma(rng, archetype.spend.q, archetype.spend.gamma)?;
    let subscribes = rng.random_bool(archetype.subscribes);
    let mut customer = Customer {
        index,
        archetype,
        purchase_rate: None,
        dropout: None,
        spend_rate,
        arrived,
        purchases: Vec::new(),
        left: None,
        subscribes,
    };
    if let Some(law) = &archetype.purchases {
        let rate = gamma(rng, law.r, law.alpha)?;
        let dropout = beta(rng, law.a, law.b)?;
        let (purchases, left) = buy(rng, law, arrived, rate, dropout)?;
        customer.purchase_rate = Some(rate);
        customer.dropout = Some(dropout);
        customer.purchases = purchases;
        customer.left = left;
    }
    Ok(customer)
}

fn archetype_at(uniform: f64) -> &'static Archetype {
    let mut left = uniform;
    for archetype in ARCHETYPES {
        if left < archetype.share {
            return archetype;
        }
        left -= archetype.share;
    }
    &ARCHETYPES[ARCHETYPES.len() - 1]
}

/// Purchases from the first on, and the one after which the customer left. Seasonal purchases are drawn by thinning a process at
/// the peak rate.
fn buy(
    rng: &mut ChaCha8Rng,
    law: &Purchases,
    arrived: f64,
    rate: f64,
    dropout: f64,
) -> Result<(Vec<f64>, Option<f64>), DemoError> {
    let peak = if law.seasonal {
        rate * SEASON_PEAK
    } else {
        rate
    };
    let gap = Exp::new(peak).map_err(|_| DemoError::Distribution {
        what: "exponential",
    })?;
    let end = f64::from(span_days());
    let mut purchases = vec![arrived];
    let mut time = arrived;
    loop {
        time += gap.sample(rng);
        if time >= end {
            return Ok((purchases, None));
        }
        if law.seasonal && !rng.random_bool(SEASON[month_of_year(time) as usize - 1] / SEASON_PEAK)
        {
            continue;
        }
        purchases.push(time);
        if rng.random_bool(dropout) {
            return Ok((purchases, Some(time)));
        }
    }
}

/// `count` positions spread evenly over `len` items; all of them where there are fewer.
pub(crate) fn spread(len: usize, count: usize) -> impl Iterator<Item = usize> {
    let count = count.min(len);
    (0..count).map(move |i| (2 * i + 1) * len / (2 * count))
}

/// A uniform pick from weighted items, by a customer's stream.
pub(crate) fn choose<'a, T>(rng: &mut ChaCha8Rng, items: &'a [(T, f64)]) -> Option<&'a T> {
    pick(rng.random(), items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_picks_distinct_positions_within_range() {
        assert_eq!(spread(10, 3).collect::<Vec<_>>(), [1, 5, 8]);
        assert_eq!(spread(2, 5).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(spread(0, 5).count(), 0);
    }

    #[test]
    fn a_larger_company_begins_with_the_same_lives() {
        let small = live(&DemoConfig {
            seed: 7,
            customers: 50,
        })
        .unwrap();
        let large = live(&DemoConfig {
            seed: 7,
            customers: 80,
        })
        .unwrap();
        for (a, b) in small.iter().zip(&large) {
            assert_eq!(a.purchases, b.purchases);
        }
    }
}
