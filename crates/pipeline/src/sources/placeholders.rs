//! Keys that hold a large part of a source's rows: a placeholder such as `UNKNOWN`, or the id of a till, is one customer like all others.
//!
//! Where rows per customer have a tail of powers (Pareto), whatever its exponent, the gaps between their sorted numbers, i·ln(cᵢ/cᵢ₊₁), are
//! independent and exponential with one mean (Rényi 1953; Hill 1975): the gap below the first, over the mean of the next
//! [`GAPS`], is distributed as F(2, 2·[`GAPS`]), which exceeds t with the probability (1 + t/[`GAPS`])^-[`GAPS`]. With thinner tails
//! (Poisson, negative binomial, lognormal) the next gaps are larger, so that it is exceeded less often.

use tessera_engine::Outside;
use tessera_expr::Type;
use tessera_expr::rel::SourceRows;
use tessera_spec::pipeline::Source;
use tessera_spec::shown::{grouped, is_missing_word};

use super::customers::types;
use super::keys::{Compared, column, shown};
use super::{SourceOutcome, Weight, percent};

/// Words that stand for no customer, beside those for a missing value.
const WORDS: [&str; 16] = [
    "anonymous",
    "anon",
    "guest",
    "default",
    "dummy",
    "empty",
    "no customer",
    "not available",
    "nobody",
    "other",
    "others",
    "test",
    "walk-in",
    "gast",
    "unbekannt",
    "anonym",
];

/// Share of the rows from which a word that stands for no customer is named.
const FROM_WORD: f64 = 0.01;

/// The same of a number that often stands for none and has five times as many rows as any other key, among this many customers: a
/// customer of that number has it by chance in at most one of 100 sources whose rows per customer have a tail of exponent 1.
const FROM_NUMBER: (f64, f64, usize) = (0.05, 5.0, 20);

/// The same of any other key: share, multiple of the next key, customers for each such key. In simulated sources of 100 to 10,000 customers
/// less than one of 200 has such a customer where rows per customer are negative binomial, or have a tail of exponent 2 or a lognormal one (σ 1.5).
const FROM_ANY: (f64, f64, usize) = (0.25, 20.0, 100);

/// The same by the gap below it: share, probability of the gap, customers.
const FROM_GAP: (f64, f64, usize) = (0.05, 0.0003, 1_000);

/// Gaps that one is compared with.
const GAPS: usize = 20;

/// Keys that hold as much together, so that none of them stands out from the next.
const MOST_KEYS: usize = 3;

/// Customers with most rows of a source, most first, among all its customers and rows.
#[derive(Clone, Copy)]
struct Holders<'a> {
    leading: &'a [(String, u64)],
    customers: usize,
    rows: u64,
}

/// What a key looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// A word for no customer.
    Word,
    /// A number that often stands for none.
    Number,
    /// A customer's.
    Own,
}

impl Look {
    fn of(key: &str) -> Self {
        let key = key.trim().to_lowercase();
        let digits = key.trim_start_matches('-').replace('-', "");
        let all = |digit: char| !digits.is_empty() && digits.chars().all(|c| c == digit);
        match key.as_str() {
            key if is_missing_word(key) || WORDS.contains(&key) => Self::Word,
            "-1" => Self::Number,
            _ if all('0') || (all('9') && digits.len() >= 3) => Self::Number,
            _ => Self::Own,
        }
    }
}

/// Warns of customers that hold so large a part of the rows that they are probably placeholders.
pub(crate) fn warn(
    compared: &Compared<'_>,
    (source, rows): (&Source, &SourceRows),
    found: &Outside,
    outcome: &mut SourceOutcome,
) {
    let customers = found.keys - found.keys_outside;
    let holders = Holders {
        leading: &found.leading,
        customers: usize::try_from(customers).unwrap_or(usize::MAX),
        rows: outcome.counts.used,
    };
    let is_text = types(rows).get(&source.key.value) == Some(Type::String);
    for (key, held, times) in named(holders) {
        let found = format!(
            "{} of {} rows that take part ({}){}",
            grouped(held),
            grouped(holders.rows),
            percent(held, holders.rows),
            times.map_or_else(String::new, |times| format!(
                ", {} times as many as the next",
                grouped(times)
            ))
        );
        compared.tell(Weight::Meaning, outcome, |compared| {
            let shows = compared.values || Look::of(key) != Look::Own;
            format!(
                "the key {} holds {found}, and is one customer. {}",
                shown(key, shows),
                advice(compared, source, (key, is_text, shows))
            )
        });
    }
}

/// What to set if a key stands for no customer.
fn advice(
    compared: &Compared<'_>,
    source: &Source,
    (key, is_text, shows): (&str, bool, bool),
) -> String {
    let name = &source.name.value;
    if compared.pipeline.customer.identity.is_some() {
        return format!(
            "If it stands for none, leave out the rows of the keys that belong to it, with a `filter` in [sources.{name}]"
        );
    }
    let literal = match (shows, is_text) {
        (true, true) => format!("'{}'", key.replace('\'', "''")),
        (true, false) => key.to_owned(),
        (false, _) => "…".to_owned(),
    };
    let condition = format!("{} is distinct from {literal}", column(&source.key.value));
    let filter = match source.filter {
        Some(_) => format!("add `and {condition}` to `filter`"),
        None => format!("set `filter = {condition:?}`"),
    };
    let hidden = if shows {
        ""
    } else {
        "; `values = true` in [log] shows it"
    };
    format!(
        "If it stands for none, such as guests or a till, {filter} in [sources.{name}], or quarantine its rows with a rule of the contract \
         that checks the same{hidden}"
    )
}

/// The keys that are named, with their rows, and how many times as many these are as those of the next key that is not.
fn named(holders: Holders<'_>) -> Vec<(&str, u64, Option<u64>)> {
    let of_look = |wanted: &dyn Fn(Look) -> bool| -> Vec<(&str, u64)> {
        let all = holders
            .leading
            .iter()
            .map(|(key, rows)| (key.as_str(), *rows));
        all.filter(|(key, _)| wanted(Look::of(key))).collect()
    };
    let words = of_look(&|look| look == Look::Word);
    let numbers = of_look(&|look| look == Look::Number);
    let own = of_look(&|look| look == Look::Own);
    let counts: Vec<f64> = own.iter().map(|(_, rows)| *rows as f64).collect();
    let total = holders.rows as f64;
    let standing_out = standing_out(&counts, holders.customers, total);
    let next = counts.get(standing_out).copied().filter(|next| *next > 0.0);
    let (share, times, customers) = FROM_NUMBER;
    let is_placeholder = |rows: u64| {
        let leads = next.is_some_and(|next| rows as f64 >= times * next);
        leads && rows as f64 >= share * total && holders.customers >= customers
    };
    let words = words
        .into_iter()
        .filter(|(_, rows)| *rows as f64 >= FROM_WORD * total);
    let numbers = numbers
        .into_iter()
        .filter(|(_, rows)| is_placeholder(*rows));
    let mut all: Vec<(&str, u64)> = words
        .chain(numbers)
        .chain(own.iter().take(standing_out).copied())
        .collect();
    all.sort_by_key(|(key, rows)| (std::cmp::Reverse(*rows), *key));
    let times = |rows: u64| {
        next.map(|next| (rows as f64 / next) as u64)
            .filter(|times| *times >= 2)
    };
    all.into_iter()
        .map(|(key, rows)| (key, rows, times(rows)))
        .collect()
}

/// How many of the largest counts stand out from all others.
fn standing_out(counts: &[f64], customers: usize, total: f64) -> usize {
    let found = (1..=MOST_KEYS).rev().find(|&keys| {
        let (Some(least), Some(next)) = (counts.get(keys - 1), counts.get(keys)) else {
            return false;
        };
        let held = |share: f64| *least >= share * total;
        // Few wholesale customers among many others are no placeholders: several keys stand out in a large source only.
        let enough = |each: usize| customers >= if keys == 1 { each } else { 10 * each };
        let (any, gap) = (FROM_ANY, FROM_GAP);
        (enough(any.2) && held(any.0) && *least >= any.1 * next)
            || (customers >= gap.2 && held(gap.0) && gap_chance(counts, keys) < gap.1)
    });
    found.unwrap_or(0)
}

/// The probability of a gap as large as that below the first `keys` counts, by those below it.
fn gap_chance(counts: &[f64], keys: usize) -> f64 {
    let gap = |above: usize| {
        let pair = counts.get(above - 1).zip(counts.get(above));
        pair.map(|(larger, smaller)| above as f64 * (larger / smaller).ln())
    };
    let next: Option<Vec<f64>> = (keys + 1..=keys + GAPS).map(gap).collect();
    let (Some(own), Some(next), Some(below)) = (gap(keys), next, counts.get(keys)) else {
        return 1.0;
    };
    let gaps = GAPS as f64;
    // Whole numbers that are equal may differ by half a row.
    let mean = (next.iter().sum::<f64>() / gaps).max((0.5 / below).ln_1p());
    (1.0 + own / mean / gaps).powf(-gaps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(holders: &[(&str, u64)], customers: usize, rows: u64) -> Vec<(String, u64)> {
        let mut leading: Vec<(String, u64)> = holders
            .iter()
            .map(|(key, rows)| ((*key).to_owned(), *rows))
            .collect();
        let held: u64 = holders.iter().map(|(_, rows)| rows).sum();
        let others = (customers - holders.len()) as u64;
        leading.extend((0..others.min(100)).map(|n| (format!("c{n}"), (rows - held) / others)));
        leading.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
        leading
    }

    fn found(holders: &[(&str, u64)], customers: usize, rows: u64) -> Vec<String> {
        let leading = keys(holders, customers, rows);
        let holders = Holders {
            leading: &leading,
            customers,
            rows,
        };
        let named = named(holders).into_iter();
        named.map(|(key, ..)| key.to_owned()).collect()
    }

    #[test]
    fn words_and_numbers_of_no_customer_are_told_from_keys() {
        for word in ["UNKNOWN", " n/a", "Guest", "null", "-"] {
            assert_eq!(Look::of(word), Look::Word, "{word}");
        }
        for number in ["0", "-1", "999", "00000000-0000-0000-0000-000000000000"] {
            assert_eq!(Look::of(number), Look::Number, "{number}");
        }
        for own in ["9", "99", "17850", "-17", "C0", "9990", "testa"] {
            assert_eq!(Look::of(own), Look::Own, "{own}");
        }
    }

    #[test]
    fn one_large_customer_of_a_small_source_is_none() {
        assert_eq!(found(&[("c-1", 900)], 50, 1_000), [""; 0]);
        assert_eq!(found(&[("0", 20)], 10, 100), [""; 0]);
        assert_eq!(found(&[("17850", 500)], 10, 1_000), [""; 0]);
        // A source with customer 0 among others.
        assert_eq!(found(&[("0", 9)], 1_000, 5_000), [""; 0]);
        // Wholesale customers among others.
        assert_eq!(
            found(&[("a", 300), ("b", 250), ("d", 280)], 100, 1_200),
            [""; 0]
        );
    }

    #[test]
    fn placeholders_are_named_beside_each_other() {
        assert_eq!(found(&[("till", 500)], 150, 1_000), ["till"]);
        assert_eq!(found(&[("till", 600)], 2_000, 10_600), ["till"]);
        assert_eq!(found(&[("UNKNOWN", 30)], 10, 1_000), ["UNKNOWN"]);
        assert_eq!(found(&[("0", 100), ("N/A", 90)], 200, 1_000), ["0", "N/A"]);
        let several = [("till", 600), ("till-2", 550), ("guest", 200)];
        assert_eq!(found(&several, 2_000, 11_000), ["till", "till-2", "guest"]);
    }

    /// Uniform numbers above 0 and up to 1, the same in every run.
    fn uniform(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            ((state >> 11) as f64 + 1.0) / (1_u64 << 53) as f64
        }
    }

    /// Rows per customer of a generated source.
    fn drawn(kind: &str, next: &mut impl FnMut() -> f64) -> f64 {
        let gamma_of_half = |u: f64, v: f64| -u.ln() * (std::f64::consts::PI * v).cos().powi(2);
        match kind {
            "Pareto 2" => (1.0 + 3.0 * (next().powf(-0.5) - 1.0)).floor(),
            "lognormal 1.5" => {
                let normal = (-2.0 * next().ln()).sqrt() * (std::f64::consts::TAU * next()).cos();
                (1.0 + 1.5 * normal).exp().ceil()
            }
            // A geometric number is a Poisson one whose mean is exponential.
            "geometric" => (next().ln() / 0.8_f64.ln()).ceil().max(1.0),
            // Poisson, whose mean has a gamma distribution of the shape one half: negative binomial.
            "negative binomial" => {
                let mean = 10.0 * gamma_of_half(next(), next());
                let (mut left, mut rows) = (mean, 1.0);
                loop {
                    left += next().ln();
                    if left < 0.0 {
                        return rows;
                    }
                    rows += 1.0;
                }
            }
            _ => 1.0,
        }
    }

    /// How many of 2,000 generated sources have a warning; `share` of the rows are a till's.
    fn alarms(kind: &str, customers: usize, share: f64) -> usize {
        let mut next = uniform(customers as u64);
        let sources = (0..2_000).filter(|_| {
            let mut counts: Vec<f64> = (0..customers).map(|_| drawn(kind, &mut next)).collect();
            let all: f64 = counts.iter().sum();
            if share > 0.0 {
                counts.push((all * share / (1.0 - share)).ceil());
            }
            let all: f64 = counts.iter().sum();
            counts.sort_by(|a, b| b.total_cmp(a));
            counts.truncate(128);
            standing_out(&counts, customers, all) > 0
        });
        sources.count()
    }

    /// One of 200 sources at most: of 2,000 more than 24 have a warning with a probability below 1e-4 (binomial, mean 10).
    #[test]
    fn generated_sources_of_customers_have_no_placeholder() {
        for kind in [
            "Pareto 2",
            "lognormal 1.5",
            "geometric",
            "negative binomial",
            "one each",
        ] {
            for customers in [20, 100, 300, 1_000] {
                let found = alarms(kind, customers, 0.0);
                assert!(found <= 24, "{kind} of {customers}: {found}");
            }
        }
    }

    /// Nine of ten at least: of 2,000 fewer than 1,749 with a probability below 1e-4 (binomial, mean 1,800).
    #[test]
    fn a_till_in_generated_sources_is_found() {
        let cases = [
            ("geometric", 150, 0.5),
            ("geometric", 2_000, 0.1),
            ("negative binomial", 300, 0.5),
            ("negative binomial", 1_000, 0.35),
            ("lognormal 1.5", 4_000, 0.5),
            ("one each", 150, 0.5),
            ("one each", 1_000, 0.1),
        ];
        for (kind, customers, share) in cases {
            let found = alarms(kind, customers, share);
            assert!(
                found >= 1_749,
                "{kind} of {customers} with {share}: {found}"
            );
        }
    }
}
