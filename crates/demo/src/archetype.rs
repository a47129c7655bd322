//! Kinds of customers and the parameters of their distributions.

/// A kind of customer. The company has all of them in fixed shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Archetype {
    /// Name in `truth/`.
    pub name: &'static str,
    /// Share of the customers; all shares add up to 1.
    pub share: f64,
    /// First purchases fall uniformly into these days after [`FIRST_DAY`](crate::FIRST_DAY), end exclusive.
    pub arrives: [f64; 2],
    /// How they buy; `None` for prospects, who never bought.
    pub purchases: Option<Purchases>,
    /// What they spend on an order.
    pub spend: Spend,
    /// Share of them that subscribes to the software.
    pub subscribes: f64,
    /// Mean product events per day of a subscriber who is still there.
    pub events_per_day: f64,
    /// Mean support tickets per year.
    pub tickets_per_year: f64,
    /// Centre of their answers to "would you recommend us", 0 to 10.
    pub nps_centre: f64,
}

/// BG/NBD (Fader, Hardie and Lee 2005): purchases come as a Poisson process of rate λ ~ Gamma(r, rate alpha) per day; after
/// each repeat purchase the customer leaves for good with probability p ~ Beta(a, b).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Purchases {
    /// Shape of λ.
    pub r: f64,
    /// Rate of λ, in days.
    pub alpha: f64,
    /// First parameter of p.
    pub a: f64,
    /// Second parameter of p.
    pub b: f64,
    /// Whether λ is multiplied by the month's factor of `SEASON`: purchases then do not follow BG/NBD.
    pub seasonal: bool,
}

/// Gamma-gamma (Fader and Hardie 2013): an order's value is Gamma(p, rate ν) with ν ~ Gamma(q, rate gamma).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spend {
    /// Shape of an order's value.
    pub p: f64,
    /// Shape of ν.
    pub q: f64,
    /// Rate of ν, in euros.
    pub gamma: f64,
}

/// Factors of the purchase rate of seasonal customers, January to December; their mean is 1.
pub(crate) const SEASON: [f64; 12] = [0.3, 0.3, 0.5, 0.5, 1.2, 2.4, 0.6, 0.3, 0.5, 0.8, 2.6, 2.0];

/// The largest factor of `SEASON`, for thinning.
pub(crate) const SEASON_PEAK: f64 = 2.6;

/// All kinds of customers.
pub const ARCHETYPES: &[Archetype] = &[
    Archetype {
        name: "champions",
        share: 0.08,
        arrives: [0.0, 400.0],
        purchases: Some(Purchases {
            r: 8.0,
            alpha: 100.0,
            a: 1.0,
            b: 60.0,
            seasonal: false,
        }),
        spend: Spend {
            p: 6.0,
            q: 5.0,
            gamma: 140.0,
        },
        subscribes: 0.9,
        events_per_day: 0.45,
        tickets_per_year: 1.5,
        nps_centre: 9.0,
    },
    Archetype {
        name: "steady",
        share: 0.24,
        arrives: [0.0, 550.0],
        purchases: Some(Purchases {
            r: 5.0,
            alpha: 150.0,
            a: 1.0,
            b: 30.0,
            seasonal: false,
        }),
        spend: Spend {
            p: 6.0,
            q: 5.0,
            gamma: 80.0,
        },
        subscribes: 0.75,
        events_per_day: 0.20,
        tickets_per_year: 1.0,
        nps_centre: 8.0,
    },
    Archetype {
        name: "seasonal",
        share: 0.12,
        arrives: [0.0, 450.0],
        purchases: Some(Purchases {
            r: 4.0,
            alpha: 150.0,
            a: 1.2,
            b: 24.0,
            seasonal: true,
        }),
        spend: Spend {
            p: 5.0,
            q: 4.0,
            gamma: 110.0,
        },
        subscribes: 0.4,
        events_per_day: 0.08,
        tickets_per_year: 0.5,
        nps_centre: 7.5,
    },
    Archetype {
        name: "slipping",
        share: 0.18,
        arrives: [0.0, 600.0],
        purchases: Some(Purchases {
            r: 3.0,
            alpha: 60.0,
            a: 2.5,
            b: 10.0,
            seasonal: false,
        }),
        spend: Spend {
            p: 5.0,
            q: 4.0,
            gamma: 60.0,
        },
        subscribes: 0.7,
        events_per_day: 0.18,
        tickets_per_year: 2.5,
        nps_centre: 5.0,
    },
    Archetype {
        name: "one-timers",
        share: 0.22,
        arrives: [0.0, 730.0],
        purchases: Some(Purchases {
            r: 0.5,
            alpha: 400.0,
            a: 1.0,
            b: 3.0,
            seasonal: false,
        }),
        spend: Spend {
            p: 4.0,
            q: 4.0,
            gamma: 45.0,
        },
        subscribes: 0.2,
        events_per_day: 0.04,
        tickets_per_year: 0.4,
        nps_centre: 6.5,
    },
    Archetype {
        name: "new",
        share: 0.10,
        arrives: [655.0, 730.0],
        purchases: Some(Purchases {
            r: 4.0,
            alpha: 100.0,
            a: 1.0,
            b: 20.0,
            seasonal: false,
        }),
        spend: Spend {
            p: 6.0,
            q: 4.0,
            gamma: 60.0,
        },
        subscribes: 0.8,
        events_per_day: 0.35,
        tickets_per_year: 1.8,
        nps_centre: 8.0,
    },
    Archetype {
        name: "prospects",
        share: 0.06,
        arrives: [200.0, 730.0],
        purchases: None,
        spend: Spend {
            p: 6.0,
            q: 4.0,
            gamma: 60.0,
        },
        subscribes: 1.0,
        events_per_day: 0.06,
        tickets_per_year: 0.3,
        nps_centre: 6.5,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_names_are_unique() {
        let total: f64 = ARCHETYPES.iter().map(|a| a.share).sum();
        assert!((total - 1.0).abs() < 1e-12);
        let names: std::collections::BTreeSet<_> = ARCHETYPES.iter().map(|a| a.name).collect();
        assert_eq!(names.len(), ARCHETYPES.len());
    }

    #[test]
    fn seasons_average_to_one_and_none_exceeds_the_peak() {
        assert!((SEASON.iter().sum::<f64>() / 12.0 - 1.0).abs() < 1e-12);
        assert!(SEASON.iter().all(|factor| *factor <= SEASON_PEAK));
    }
}
