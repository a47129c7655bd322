//! Whether a column, or the mix of segments, is distributed as in the version before.
//!
//! The customers of the previous version are the reference: its deciles are the bins of both versions; a value that many of them have
//! in common lies in the middle of a bin, not at its end.

use crate::critical::{LEVEL, chi_squared_critical, kolmogorov_critical};

/// Population stability index from which a change counts as moderate.
pub const MODERATE: f64 = 0.1;

/// Population stability index above which a change counts as severe.
pub const SEVERE: f64 = 0.25;

/// Bins of a number: as many hold the same number of customers of the previous version, where values differ.
const BINS: usize = 10;

/// Two distributions beside each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// Customers with a value in the previous version.
    pub before: u64,
    /// Customers with a value now.
    pub now: u64,
    /// Share of the previous version's customers without a value.
    pub missing_before: Option<f64>,
    /// Share of the customers without a value now.
    pub missing: Option<f64>,
    /// How far the customers with a value differ; none where either version has none.
    pub shape: Option<Shape>,
    /// What follows from it.
    pub status: DriftStatus,
    /// Why, unless it is stable.
    pub reason: Option<String>,
}

/// How far two distributions differ, with what samples of one distribution would exceed in one of twenty cases.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Bins that hold a customer of either version.
    pub bins: usize,
    /// Population stability index over the bins.
    pub psi: f64,
    /// Its critical value for these numbers of customers; none with a single bin.
    pub psi_critical: Option<f64>,
    /// Largest distance between the distributions (Kolmogorov and Smirnov), of numbers.
    pub ks: Option<f64>,
    /// Its critical value.
    pub ks_critical: Option<f64>,
    /// Pearson's chi-squared of equal distribution over the bins, of labels and segments.
    pub chi_squared: Option<f64>,
    /// Its critical value; none with a single bin.
    pub chi_squared_critical: Option<f64>,
}

/// How large a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriftStatus {
    /// Small, or no larger than by chance.
    Stable,
    /// The index is at least [`MODERATE`], or that share of values came or went.
    Moderate,
    /// The index is above [`SEVERE`], or that share of values came or went.
    Severe,
    /// The column or the scheme is defined in another way than in the previous version.
    Redefined,
    /// The data cannot say.
    NotComputed,
}

impl DriftStatus {
    /// The value in the table `drift`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Moderate => "moderate",
            Self::Severe => "severe",
            Self::Redefined => "redefined",
            Self::NotComputed => "not computed",
        }
    }

    fn of(index: f64) -> Self {
        if index > SEVERE {
            Self::Severe
        } else if index >= MODERATE {
            Self::Moderate
        } else {
            Self::Stable
        }
    }
}

impl Drift {
    /// Nothing can be said, and why.
    pub fn not_computed(reason: String) -> Self {
        Self {
            before: 0,
            now: 0,
            missing_before: None,
            missing: None,
            shape: None,
            status: DriftStatus::NotComputed,
            reason: Some(reason),
        }
    }

    /// The same figures of what is defined in another way since, so that they say nothing of the customers.
    #[must_use]
    pub fn redefined(self, reason: String) -> Self {
        Self {
            status: DriftStatus::Redefined,
            reason: Some(reason),
            ..self
        }
    }

    fn judged(before: (u64, u64), now: (u64, u64), shape: Option<Shape>) -> Self {
        let share = |(missing, present): (u64, u64)| {
            let all = missing + present;
            (all > 0).then(|| missing as f64 / all as f64)
        };
        let mut drift = Self {
            before: before.1,
            now: now.1,
            missing_before: share(before),
            missing: share(now),
            shape,
            status: DriftStatus::Stable,
            reason: None,
        };
        let missing = drift
            .missing_change()
            .map_or(DriftStatus::Stable, |change| DriftStatus::of(change.abs()));
        let shape = match &drift.shape {
            None if missing > DriftStatus::Stable => missing,
            None => DriftStatus::NotComputed,
            Some(shape)
                if shape
                    .psi_critical
                    .is_none_or(|critical| shape.psi <= critical) =>
            {
                DriftStatus::Stable
            }
            Some(shape) => DriftStatus::of(shape.psi),
        };
        drift.status = shape.max(missing);
        drift.reason = drift.why(missing);
        drift
    }

    /// Share without a value now less that of the previous version.
    pub fn missing_change(&self) -> Option<f64> {
        Some(self.missing? - self.missing_before?)
    }

    fn why(&self, missing: DriftStatus) -> Option<String> {
        let percent = |share: Option<f64>| format!("{:.1}%", 100.0 * share.unwrap_or(0.0));
        match (&self.shape, self.status) {
            (_, DriftStatus::Stable) => None,
            (None, DriftStatus::NotComputed) => {
                let version = if self.before == 0 {
                    "the previous version"
                } else {
                    "this version"
                };
                Some(format!("no customer of {version} has a value"))
            }
            (_, status) if status == missing => Some(format!(
                "{} of the customers have no value, {} had none in the previous version",
                percent(self.missing),
                percent(self.missing_before)
            )),
            (Some(shape), _) => Some(format!(
                "the index is {:.3}; {MODERATE} is a moderate change, above {SEVERE} a severe one",
                shape.psi
            )),
            (None, _) => None,
        }
    }
}

/// Numbers of the customers of the previous version and of now; NaN is missing. `passed` is by how much they change with time alone:
/// the days between the versions where they count days since something, less than 0 where they count those until something, else 0. What is nearer is compared: the numbers as they were, as where customers
/// come and go evenly, or as time alone makes them.
pub fn of_numbers(mut before: Vec<f64>, mut now: Vec<f64>, passed: f64) -> Drift {
    let counted = |values: &mut Vec<f64>| {
        let all = values.len();
        values.retain(|value| !value.is_nan());
        sort(values);
        ((all - values.len()) as u64, values.len() as u64)
    };
    let (then, today) = (counted(&mut before), counted(&mut now));
    let shape = (then.1 > 0 && today.1 > 0).then(|| {
        let as_it_was = of_rising(&before, &now);
        if passed == 0.0 {
            return as_it_was;
        }
        before.iter_mut().for_each(|value| *value += passed);
        let older = of_rising(&before, &now);
        match older.psi < as_it_was.psi {
            true => older,
            false => as_it_was,
        }
    });
    Drift::judged(then, today, shape)
}

fn of_rising(before: &[f64], now: &[f64]) -> Shape {
    let edges = edges(before);
    let (left, right) = (binned(before, &edges), binned(now, &edges));
    let (n, m) = (before.len() as f64, now.len() as f64);
    Shape {
        ks: Some(largest_distance(before, now)),
        ks_critical: Some(kolmogorov_critical(LEVEL) * ((n + m) / (n * m)).sqrt()),
        chi_squared: None,
        chi_squared_critical: None,
        ..over_bins(&left, &right)
    }
}

/// Different whole numbers up to which values are counted instead of compared.
const MOST_COUNTED: usize = 1 << 16;

/// Puts numbers in their total order. Whole numbers of a short range, such as counts and days, are counted, in a fraction of the time.
fn sort(values: &mut [f64]) {
    let (mut least, mut greatest) = (i64::MAX, i64::MIN);
    let whole = values.iter().all(|value| {
        let number = *value as i64;
        (least, greatest) = (least.min(number), greatest.max(number));
        // Neither fractions, infinities nor the negative zero come back from integers.
        (number as f64).to_bits() == value.to_bits()
    });
    let range = greatest.checked_sub(least).map(usize::try_from);
    let Some(Ok(range)) = range.filter(|_| whole && !values.is_empty()) else {
        return values.sort_unstable_by(f64::total_cmp);
    };
    if range >= MOST_COUNTED {
        return values.sort_unstable_by(f64::total_cmp);
    }
    let mut counts = vec![0_usize; range + 1];
    values
        .iter()
        .for_each(|value| counts[(*value as i64 - least) as usize] += 1);
    let mut rest = values;
    for (count, number) in counts.into_iter().zip(least..=greatest) {
        let (equal, others) = std::mem::take(&mut rest).split_at_mut(count);
        equal.fill(number as f64);
        rest = others;
    }
}

/// Customers by label or segment, in the same order, with those who have none.
pub fn of_counts(before: (&[u64], u64), now: (&[u64], u64)) -> Drift {
    let then = (before.1, before.0.iter().sum());
    let today = (now.1, now.0.iter().sum());
    let shape = (then.1 > 0 && today.1 > 0).then(|| over_bins(before.0, now.0));
    Drift::judged(then, today, shape)
}

/// Population stability index of two samples by bins: the sum of (q - p) ln(q / p), where half a customer is added to each bin
/// so that no share is 0.
pub fn psi(before: &[u64], now: &[u64]) -> f64 {
    let share = |counts: &[u64]| -> Vec<f64> {
        let all = counts.iter().sum::<u64>() as f64 + 0.5 * counts.len() as f64;
        counts
            .iter()
            .map(|&count| (count as f64 + 0.5) / all)
            .collect()
    };
    let pairs = share(before).into_iter().zip(share(now));
    pairs.map(|(p, q)| (q - p) * (q / p).ln()).sum()
}

fn over_bins(before: &[u64], now: &[u64]) -> Shape {
    let pairs = before.iter().zip(now).filter(|(p, q)| **p + **q > 0);
    let (left, right): (Vec<u64>, Vec<u64>) = pairs.unzip();
    let (n, m) = (
        left.iter().sum::<u64>() as f64,
        right.iter().sum::<u64>() as f64,
    );
    let critical = chi_squared_critical(left.len().saturating_sub(1), LEVEL);
    let deviation = |(&p, &q): (&u64, &u64)| {
        let of_bin = (p + q) as f64;
        let (then, today) = (of_bin * n / (n + m), of_bin * m / (n + m));
        (p as f64 - then).powi(2) / then + (q as f64 - today).powi(2) / today
    };
    Shape {
        bins: left.len(),
        psi: psi(&left, &right),
        // Yurdakul (2018): of two samples of one distribution the index is about chi-squared, times 1/n + 1/m.
        psi_critical: critical.map(|critical| (1.0 / n + 1.0 / m) * critical),
        ks: None,
        ks_critical: None,
        chi_squared: Some(left.iter().zip(&right).map(deviation).sum()),
        chi_squared_critical: critical,
    }
}

/// Share of the customers of the previous version from which a value that they have in common has a bin of its own, where a decile
/// falls on it.
const SHARED: f64 = 0.05;

/// How far such a bin reaches to both sides at most, as a share of the value and of the standard deviation, whichever is less: a value of
/// many customers that is estimated anew is another one by a little, and a bin that ends at the value would lose all of them.
const REACH: f64 = 0.1;

/// Upper ends of all bins but the last: the different type-7 deciles of rising values, and in place of one that many customers have in
/// common, both ends of its own bin.
fn edges(values: &[f64]) -> Vec<f64> {
    let last = values.len() - 1;
    let decile = |part: usize| {
        // Tenths in integers: an edge between whole numbers is exact, and falls on a value or does not.
        let (low, tenths) = (last * part / BINS, last * part % BINS);
        let (low_value, high_value) = (values[low], values[(low + 1).min(last)]);
        low_value + (high_value - low_value) * tenths as f64 / BINS as f64
    };
    let mut deciles: Vec<f64> = (1..BINS).map(decile).collect();
    deciles.dedup();
    // Equal values deviate by nothing; of their mean rounding would leave a little.
    let deviation = match values.first() == values.last() {
        true => 0.0,
        false => standard_deviation(values),
    };
    let is_shared = |value: &f64| {
        let less = values.partition_point(|known| known < value);
        let equal = values.partition_point(|known| known <= value) - less;
        (equal as f64) >= SHARED * values.len() as f64 && value.is_finite()
    };
    let shared: Vec<f64> = deciles.iter().copied().filter(is_shared).collect();
    let own = |place: usize| {
        let value = shared[place];
        let reach = match deviation > 0.0 {
            true => value.abs().min(deviation),
            false => value.abs(),
        };
        // No further than to the middle between two such values, so that each keeps a bin.
        let before = place.checked_sub(1).and_then(|place| shared.get(place));
        let others = before.into_iter().chain(shared.get(place + 1));
        let half = others.map(|other| (other - value).abs() / 2.0);
        let reach = half.fold(REACH * reach, f64::min);
        [(value - reach).next_down(), value + reach]
    };
    let own: Vec<[f64; 2]> = (0..shared.len()).map(own).collect();
    // Deciles within such a bin end none.
    let is_outside = |decile: &f64| own.iter().all(|[low, high]| decile <= low || decile > high);
    deciles.retain(is_outside);
    let mut edges: Vec<f64> = own.into_iter().flatten().chain(deciles).collect();
    edges.sort_unstable_by(f64::total_cmp);
    edges.dedup();
    edges
}

/// Of all values as a population; NaN where one is infinite.
fn standard_deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / count).sqrt()
}

/// Rising values by bin; an edge belongs to the bin below it.
fn binned(values: &[f64], edges: &[f64]) -> Vec<u64> {
    let mut start = 0;
    let mut counts = Vec::with_capacity(edges.len() + 1);
    for edge in edges {
        let end = start + values[start..].partition_point(|value| value <= edge);
        counts.push((end - start) as u64);
        start = end;
    }
    counts.push((values.len() - start) as u64);
    counts
}

/// The largest distance between the distributions of two samples of rising values.
fn largest_distance(one: &[f64], other: &[f64]) -> f64 {
    let (mut left, mut right, mut largest) = (0, 0, 0.0_f64);
    while let (Some(a), Some(b)) = (one.get(left), other.get(right)) {
        let value = a.min(*b);
        while one.get(left).is_some_and(|next| *next <= value) {
            left += 1;
        }
        while other.get(right).is_some_and(|next| *next <= value) {
            right += 1;
        }
        let distance = left as f64 / one.len() as f64 - right as f64 / other.len() as f64;
        largest = largest.max(distance.abs());
    }
    largest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counted_values_are_in_the_order_of_compared_ones(
            mut values in prop_oneof![
                prop::collection::vec((-300_i64..300).prop_map(|whole| whole as f64), 0..200),
                prop::collection::vec(
                    prop_oneof![
                        any::<i64>().prop_map(|whole| whole as f64),
                        any::<f64>().prop_filter("a number", |value| !value.is_nan()),
                        Just(-0.0),
                        Just(0.0),
                        Just(f64::NEG_INFINITY),
                    ],
                    0..60,
                ),
            ],
        ) {
            let mut compared = values.clone();
            compared.sort_by(f64::total_cmp);
            sort(&mut values);
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&values), bits(&compared));
        }
    }

    #[test]
    fn equal_distributions_are_stable() {
        let values: Vec<f64> = (0..500).map(f64::from).collect();
        let drift = of_numbers(values.clone(), values, 0.0);
        let shape = drift.shape.unwrap();
        assert_eq!((shape.bins, shape.psi, shape.ks), (10, 0.0, Some(0.0)));
        assert_eq!((drift.status, drift.reason), (DriftStatus::Stable, None));
    }

    #[test]
    fn index_by_hand() {
        // p = (3.5, 1.5) / 5, q = (1.5, 3.5) / 5: 2 x 0.4 ln(3.5 / 1.5).
        let by_hand = 0.8 * (3.5_f64 / 1.5).ln();
        assert!((psi(&[3, 1], &[1, 3]) - by_hand).abs() < 1e-15);
    }

    #[test]
    fn a_shift_is_severe_with_many_customers_and_chance_with_few() {
        let of = |count: u32, shift: f64| -> Vec<f64> {
            (0..count)
                .map(|value| f64::from(value) / f64::from(count) + shift)
                .collect()
        };
        let many = of_numbers(of(5_000, 0.0), of(5_000, 0.3), 0.0);
        assert_eq!(many.status, DriftStatus::Severe);
        assert!(many.reason.unwrap().starts_with("the index is "));
        let few = of_numbers(of(5, 0.0), of(5, 0.3), 0.0);
        assert_eq!(few.status, DriftStatus::Stable);
    }

    #[test]
    fn ties_share_a_bin_and_a_value_that_was_not_there_has_its_own() {
        let mut before = vec![0.0; 90];
        before.extend([1.0; 10]);
        let drift = of_numbers(before.clone(), before, 0.0);
        assert_eq!(drift.shape.unwrap().bins, 2);
        let constant = of_numbers(vec![2.0; 50], vec![2.0; 50], 0.0).shape.unwrap();
        assert_eq!((constant.bins, constant.psi_critical), (1, None));
        let moved = of_numbers(vec![2.0; 50], vec![3.0; 50], 0.0);
        assert_eq!(moved.shape.as_ref().unwrap().ks, Some(1.0));
        assert_eq!(moved.status, DriftStatus::Severe);
    }

    /// Customers without an order, with one, and with several, whose expected spend differs.
    fn with_a_shared(value: f64) -> Vec<f64> {
        let mut values = vec![0.0; 300];
        values.extend(vec![value; 350]);
        values.extend((0..350).map(|number| 60.0 + f64::from(number)));
        values
    }

    #[test]
    fn a_shared_value_that_moves_by_a_little_is_stable_and_by_much_severe_either_way() {
        for (factor, status) in [
            (0.999, DriftStatus::Stable),
            (1.001, DriftStatus::Stable),
            (0.95, DriftStatus::Stable),
            (1.05, DriftStatus::Stable),
            (0.65, DriftStatus::Severe),
            (1.35, DriftStatus::Severe),
        ] {
            let drift = of_numbers(with_a_shared(120.0), with_a_shared(120.0 * factor), 0.0);
            assert_eq!(drift.status, status, "{factor}");
        }
        // A decile lies beside it, nearer than it moves.
        let beside = |value: f64| {
            let near = (0..250).map(|number| 120.4 + f64::from(number) / 500.0);
            near.chain(with_a_shared(value)).collect::<Vec<f64>>()
        };
        for (factor, status) in [
            (0.98, DriftStatus::Stable),
            (1.02, DriftStatus::Stable),
            (0.65, DriftStatus::Severe),
        ] {
            let drift = of_numbers(beside(120.0), beside(120.0 * factor), 0.0);
            assert_eq!(drift.status, status, "{factor}");
        }
        // All customers have it.
        for (now, status) in [(2.002, DriftStatus::Stable), (1.5, DriftStatus::Severe)] {
            let drift = of_numbers(vec![2.0; 500], vec![now; 500], 0.0);
            assert_eq!(drift.status, status, "{now}");
        }
        let fees = |fee: f64| [vec![0.0; 700], vec![fee; 950], vec![99.0; 350]].concat();
        for fee in [19.0, 39.0] {
            let drift = of_numbers(fees(29.0), fees(fee), 0.0);
            assert_eq!(drift.status, DriftStatus::Severe, "{fee}");
        }
    }

    #[test]
    fn counts_have_the_bins_of_their_values() {
        let counts = [
            vec![0.0; 400],
            vec![1.0; 300],
            vec![2.0; 200],
            vec![3.0; 100],
        ]
        .concat();
        let shape = of_numbers(counts.clone(), counts, 0.0).shape.unwrap();
        assert_eq!((shape.bins, shape.psi), (4, 0.0));
        let days = |first: i32| -> Vec<f64> {
            let days = (first..first + 12).flat_map(|day| vec![f64::from(day); 80]);
            days.collect()
        };
        let shape = of_numbers(days(100), days(100), 0.0).shape.unwrap();
        assert!(shape.bins >= 9, "{shape:?}");
        assert_eq!(
            of_numbers(days(100), days(105), 0.0).status,
            DriftStatus::Severe
        );
    }

    #[test]
    fn values_that_are_missing_now_are_a_change_of_their_own() {
        let before: Vec<f64> = (0..100).map(f64::from).collect();
        let mut now = before.clone();
        now[..40].fill(f64::NAN);
        let gone = of_numbers(before.clone(), vec![f64::NAN; 10], 0.0);
        assert_eq!((gone.shape, gone.status), (None, DriftStatus::Severe));
        let some = of_numbers(before, now, 0.0);
        assert_eq!(some.missing_change(), Some(0.4));
        assert_eq!(some.status, DriftStatus::Severe);
        assert_eq!(
            some.reason.unwrap(),
            "40.0% of the customers have no value, 0.0% had none in the previous version"
        );
        let never = of_numbers(vec![f64::NAN; 3], vec![1.0], 0.0);
        assert_eq!(never.status, DriftStatus::Severe);
        let nobody = of_numbers(vec![f64::NAN; 3], vec![f64::NAN; 3], 0.0);
        assert_eq!(nobody.status, DriftStatus::NotComputed);
        assert_eq!(
            nobody.reason.unwrap(),
            "no customer of the previous version has a value"
        );
    }

    #[test]
    fn chi_squared_of_labels_by_hand() {
        // Expected 20 in each cell: 4 x 25 / 20.
        let shape = of_counts((&[25, 15, 0], 0), (&[15, 25, 0], 3))
            .shape
            .unwrap();
        assert_eq!((shape.bins, shape.chi_squared), (2, Some(5.0)));
        assert!((shape.chi_squared_critical.unwrap() - 3.841_458_820_694_124).abs() < 1e-9);
    }

    /// Everybody has the base rate, estimated anew.
    #[test]
    fn one_value_for_all_that_moves_by_a_little_is_no_drift() {
        for (before, now) in [(0.018_40, 0.018_46), (0.1 + 0.2, 0.31), (1e-9, 1.05e-9)] {
            let drift = of_numbers(vec![before; 3_000], vec![now; 3_000], 0.0);
            assert_eq!(drift.status, DriftStatus::Stable, "{before} {now}");
            let drift = of_numbers(vec![before; 3_000], vec![2.0 * now; 3_000], 0.0);
            assert_eq!(drift.status, DriftStatus::Severe, "{before} {now}");
        }
    }

    /// After a day on which two of five customers order, nothing happens: of a count of days that is no drift, of a price it is one.
    #[test]
    fn days_that_pass_are_no_drift() {
        let spread = |day: u32| (0..600).map(move |row| f64::from(1 + row % 300 + day));
        for day in 0..12 {
            let of = |day: u32| {
                spread(day)
                    .chain(vec![f64::from(day); 400])
                    .collect::<Vec<_>>()
            };
            let drift = of_numbers(of(day), of(day + 1), 1.0);
            assert_eq!(drift.status, DriftStatus::Stable, "{day}: {drift:?}");
        }
        let of = |value: f64| spread(0).chain(vec![value; 400]).collect::<Vec<_>>();
        assert_eq!(
            of_numbers(of(2.0), of(3.0), 0.0).status,
            DriftStatus::Severe
        );
        // Who comes back is a change, whatever the days.
        assert_eq!(
            of_numbers(of(200.0), of(0.0), 1.0).status,
            DriftStatus::Severe
        );
    }
}
