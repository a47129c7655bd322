//! Likely mistakes in a list of rules: customers for whom no rule is true, customers for whom two rules are true, rules that
//! decide no customer, rules that are equal.

use std::fmt;

use crate::quality::share_of_all;
use crate::rule_list::RulesScheme;
use crate::wording::counted;
use arrow::array::{Array, BooleanArray};
use arrow::buffer::BooleanBuffer;

/// Number of pairs of overlapping rules that a warning names.
const NAMED_PAIRS: usize = 3;

/// How many customers each rule of a scheme is true for and decides. Rules are counted from 0, in the order in which they are
/// tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesLint {
    /// Customers.
    pub customers: u64,
    /// Per rule: customers it is true for.
    pub matched: Vec<u64>,
    /// Per rule: customers it decides, being true for them where no earlier rule is.
    pub reached: Vec<u64>,
    /// Pairs of rules that are both true for customers, with their number; the first of the pair comes first in the list.
    pub overlaps: Vec<(usize, usize, u64)>,
    /// Customers no rule is true for.
    pub uncovered: u64,
}

/// A warning about the rules of a scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulesWarning {
    /// No rule is true for these customers, so they are in the segment of `otherwise`.
    Uncovered {
        /// The segment of `otherwise`.
        otherwise: String,
        /// The customers.
        customers: u64,
        /// All customers.
        all: u64,
    },
    /// Rules that name different segments are both true for customers; the first of each pair wins.
    Overlaps {
        /// Every pair: number of both rules (from 1) with their segments, and the customers; most customers first.
        pairs: Vec<(RuleName, RuleName, u64)>,
    },
    /// A rule that is true for no customer.
    MatchesNobody {
        /// The rule.
        rule: RuleName,
    },
    /// A rule whose customers are all decided by earlier rules.
    AlwaysTaken {
        /// The rule.
        rule: RuleName,
        /// Customers it is true for.
        customers: u64,
        /// Earlier rules that are true for some of them.
        by: Vec<RuleName>,
    },
    /// A rule that repeats the predicate of an earlier one and so never decides.
    Repeated {
        /// The earlier rule.
        first: RuleName,
        /// The rule that repeats it.
        second: RuleName,
    },
}

/// A rule as it is found in the pipeline file: its number in the list, from 1, and its segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleName {
    /// Its number, from 1.
    pub number: usize,
    /// Its segment.
    pub segment: String,
}

impl RulesLint {
    /// Counts per rule: one column per rule, in order, with one value per customer; null is not true.
    pub fn of(rules: &[BooleanArray], customers: usize) -> Self {
        let masks: Vec<BooleanBuffer> = rules.iter().map(true_rows).collect();
        let mut taken = BooleanBuffer::new_unset(customers);
        let mut reached = Vec::with_capacity(masks.len());
        for mask in &masks {
            reached.push((mask & &!&taken).count_set_bits() as u64);
            taken = &taken | mask;
        }
        let mut overlaps = Vec::new();
        for (second, mask) in masks.iter().enumerate() {
            for (first, earlier) in masks[..second].iter().enumerate() {
                let both = (earlier & mask).count_set_bits() as u64;
                if both > 0 {
                    overlaps.push((first, second, both));
                }
            }
        }
        overlaps.sort_unstable();
        Self {
            customers: customers as u64,
            matched: masks
                .iter()
                .map(|mask| mask.count_set_bits() as u64)
                .collect(),
            reached,
            overlaps,
            uncovered: (customers - taken.count_set_bits()) as u64,
        }
    }

    /// The warnings. Overlaps of rules that name the same segment are left out: they change no customer's segment. Without
    /// customers there are no warnings.
    pub fn warnings(&self, config: &RulesScheme) -> Vec<RulesWarning> {
        let mut warnings = Vec::new();
        if self.customers == 0 {
            return warnings;
        }
        let name = |index: usize| rule_name(config, index);
        for (index, (&matched, &reached)) in self.matched.iter().zip(&self.reached).enumerate() {
            match (matched, reached) {
                (0, _) => warnings.push(RulesWarning::MatchesNobody { rule: name(index) }),
                (customers, 0) => warnings.push(RulesWarning::AlwaysTaken {
                    rule: name(index),
                    customers,
                    by: self
                        .overlaps
                        .iter()
                        .filter(|pair| pair.1 == index)
                        .map(|pair| name(pair.0))
                        .collect(),
                }),
                _ => {}
            }
        }
        let segment = |index: usize| &config.rules[index].segment.value;
        let mut pairs: Vec<_> = self
            .overlaps
            .iter()
            .filter(|pair| segment(pair.0) != segment(pair.1))
            .map(|&(first, second, both)| (name(first), name(second), both))
            .collect();
        // The sort is stable: of equal counts the earlier pair comes first.
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.2));
        if !pairs.is_empty() {
            warnings.push(RulesWarning::Overlaps { pairs });
        }
        if self.uncovered > 0 {
            warnings.push(RulesWarning::Uncovered {
                otherwise: config.otherwise.clone(),
                customers: self.uncovered,
                all: self.customers,
            });
        }
        warnings
    }
}

/// Warnings that need no customers: predicates that repeat an earlier one, ignoring blanks.
pub fn repeated_rules(config: &RulesScheme) -> Vec<RulesWarning> {
    let texts: Vec<String> = config
        .rules
        .iter()
        .map(|rule| without_blanks(&rule.when.value))
        .collect();
    let earlier = |second: usize| {
        texts[..second]
            .iter()
            .position(|text| *text == texts[second])
    };
    (0..texts.len())
        .filter_map(|second| {
            Some(RulesWarning::Repeated {
                first: rule_name(config, earlier(second)?),
                second: rule_name(config, second),
            })
        })
        .collect()
}

/// The predicate with one blank where there are several and none around operators and brackets; text in quotes stays as it is.
fn without_blanks(predicate: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\'' | '"');
    let mut text = String::with_capacity(predicate.len());
    let (mut quote, mut blank) = (None, false);
    for c in predicate.chars() {
        if quote.is_none() && c.is_whitespace() {
            blank = true;
            continue;
        }
        // A blank is needed between two words, but not beside an operator.
        if blank && is_word(c) && text.chars().last().is_some_and(is_word) {
            text.push(' ');
        }
        blank = false;
        text.push(c);
        quote = match quote {
            Some(open) if open == c => None,
            None if matches!(c, '\'' | '"') => Some(c),
            unchanged => unchanged,
        };
    }
    text
}

fn rule_name(config: &RulesScheme, index: usize) -> RuleName {
    RuleName {
        number: index + 1,
        segment: config.rules[index].segment.value.clone(),
    }
}

/// Where a column is true; null is not.
pub(crate) fn true_rows(column: &BooleanArray) -> BooleanBuffer {
    match column.nulls() {
        Some(nulls) => column.values() & nulls.inner(),
        None => column.values().clone(),
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} (`{}`)", self.number, self.segment)
    }
}

impl fmt::Display for RulesWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uncovered {
                otherwise,
                customers,
                all,
            } => write!(
                f,
                "no rule is true for {} ({}); they are in `{otherwise}`, as `otherwise` says",
                counted(*customers, "customer"),
                share_of_all(*customers, *all)
            ),
            Self::Overlaps { pairs } => {
                f.write_str("several rules are true for the same customers, and the first wins: ")?;
                for (index, (first, second, both)) in pairs.iter().take(NAMED_PAIRS).enumerate() {
                    let comma = if index > 0 { "; " } else { "" };
                    write!(
                        f,
                        "{comma}{first} before {second} for {}",
                        counted(*both, "customer")
                    )?;
                }
                match pairs.len().saturating_sub(NAMED_PAIRS) {
                    0 => Ok(()),
                    more => write!(
                        f,
                        "; and {}, see `overlap_…` in `models`",
                        counted(more as u64, "further pair")
                    ),
                }
            }
            Self::MatchesNobody { rule } => {
                write!(f, "{rule} is true for no customer, so it decides nothing")
            }
            Self::AlwaysTaken {
                rule,
                customers,
                by,
            } => {
                let by: Vec<String> = by.iter().map(RuleName::to_string).collect();
                write!(
                    f,
                    "{rule} is true for {} and decides none of them: earlier rules take them all, {}",
                    counted(*customers, "customer"),
                    by.join(", ")
                )
            }
            Self::Repeated { first, second } => {
                write!(
                    f,
                    "{second} repeats the predicate of {first}, which always wins"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_matter_only_between_words_and_within_quotes() {
        assert_eq!(
            without_blanks(" a  >  1\n and b = 'x  y' "),
            "a>1 and b='x  y'"
        );
        assert_ne!(without_blanks("a = 'x y'"), without_blanks("a = 'xy'"));
        assert_ne!(without_blanks("is null"), without_blanks("isnull"));
        assert_eq!(without_blanks("a in ( 'x' , 'y' )"), "a in('x','y')");
    }
}
