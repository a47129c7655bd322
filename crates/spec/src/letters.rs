//! Letters of names, which say in few steps that two names are not alike: the names of a wide table are many, and so may be those that are
//! not among them.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

/// Kinds of letters that are told apart; others share one.
const KINDS: usize = 64;

/// How often each letter occurs in a name.
#[derive(Debug, Clone)]
pub struct Letters {
    counts: [u8; KINDS],
    len: usize,
}

impl Letters {
    /// The letters of a name.
    pub fn of(name: &str) -> Self {
        let (mut counts, mut len) = ([0_u8; KINDS], 0);
        for letter in name.chars() {
            let count = &mut counts[letter as usize % KINDS];
            *count = count.saturating_add(1);
            len += 1;
        }
        Self { counts, len }
    }

    /// How many letters there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// At most so many letters of one name can be letters of the other.
    pub fn common(&self, other: &Self) -> usize {
        let shorter = self.len.min(other.len);
        if shorter > usize::from(u8::MAX) {
            return shorter;
        }
        let pairs = self.counts.iter().zip(&other.counts);
        usize::from(pairs.map(|(a, b)| u16::from(*a.min(b))).sum::<u16>())
    }

    /// At least so many letters have to be inserted, deleted, replaced or exchanged with their neighbour to make one name of the other.
    pub fn least_distance(&self, other: &Self) -> usize {
        self.len.max(other.len) - self.common(other)
    }

    /// At most so much do the names resemble each other by Jaro and Winkler.
    pub fn most_alike(&self, other: &Self) -> f64 {
        // Of equal first letters, four count.
        const PREFIX: f64 = 0.1 * 4.0;
        // Sums of floats may be rounded up.
        const ROUNDED: f64 = 1e-9;
        let common = self.common(other) as f64;
        let jaro = (common / self.len as f64 + common / other.len as f64 + 1.0) / 3.0;
        match self.is_empty() || other.is_empty() {
            true => 1.0,
            false => jaro + PREFIX * (1.0 - jaro) + ROUNDED,
        }
    }
}

/// Names with which others are compared.
#[derive(Debug, Default)]
pub struct Names {
    all: Vec<String>,
    each: Vec<(String, Letters)>,
    different: HashSet<String>,
}

impl Names {
    /// These names. Those that were compared last are kept, since mistakes often are many in one place, where names are added.
    pub fn of<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Rc<Self> {
        thread_local! {
            static LAST: RefCell<Rc<Names>> = RefCell::default();
        }
        LAST.with_borrow_mut(|last| {
            let mut given = names.clone();
            let begins = last
                .all
                .iter()
                .all(|name| given.next() == Some(name.as_str()));
            match Rc::get_mut(last).filter(|_| begins) {
                Some(last) => last.extend(given),
                None => {
                    let mut all = Self::default();
                    all.extend(names);
                    *last = Rc::new(all);
                }
            }
            last.clone()
        })
    }

    fn extend<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        for name in names {
            let lower = name.to_lowercase();
            let letters = Letters::of(&lower);
            self.each.push((lower, letters));
            self.different.insert(name.to_owned());
            self.all.push(name.to_owned());
        }
    }

    /// How many different ones there are.
    pub fn distinct(&self) -> usize {
        self.different.len()
    }

    /// The place of the first of those at the smallest distance from a name, upper and lower case aside, if that is below a limit.
    pub fn nearest(&self, name: &str, limit: usize) -> Option<usize> {
        let lower = name.to_lowercase();
        let letters = Letters::of(&lower);
        let least = |(_, other): &(String, Letters)| letters.least_distance(other);
        let near: Vec<(usize, usize)> = self
            .each
            .iter()
            .map(least)
            .enumerate()
            .map(|(at, least)| (least, at))
            .filter(|(least, _)| *least < limit)
            .collect();
        let mut best: Option<(usize, usize)> = None;
        for wanted in 0..limit {
            if best.is_some_and(|(distance, _)| distance < wanted) {
                break;
            }
            for (_, at) in near.iter().filter(|(least, _)| *least == wanted) {
                let distance = strsim::osa_distance(&lower, &self.each[*at].0);
                if distance < limit && best.is_none_or(|best| (distance, *at) < best) {
                    best = Some((distance, *at));
                }
            }
        }
        best.map(|(_, at)| at)
    }

    /// The place of the last of those that resemble a name most by Jaro and Winkler, upper and lower case aside, if they do at least so
    /// much.
    pub fn most_alike(&self, name: &str, least: f64) -> Option<usize> {
        let lower = name.to_lowercase();
        let letters = Letters::of(&lower);
        let bounds = self.each.iter().map(|(_, other)| letters.most_alike(other));
        let mut bounds: Vec<(f64, usize)> = bounds
            .zip(0..)
            .filter(|(bound, _)| *bound >= least)
            .collect();
        let score = |at: usize| strsim::jaro_winkler(&lower, &self.each[at].0);
        // The one that may be most alike shows that many others are not.
        let (_, first) = *bounds.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
        let enough = least.max(score(first));
        bounds.retain(|(bound, _)| *bound >= enough);
        let scores = bounds.into_iter().map(|(_, at)| (score(at), at));
        let best = scores.max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        best.filter(|(score, _)| *score >= least).map(|(_, at)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All names of up to five letters of three: no bound is passed by what strsim computes.
    #[test]
    fn bounds_are_never_passed() {
        let mut names = vec![String::new()];
        let mut from = 0;
        for _ in 0..5 {
            let longer = names[from..].to_vec();
            from = names.len();
            let with = |name: String| ['a', 'b', 'ä'].map(|letter| format!("{name}{letter}"));
            names.extend(longer.into_iter().flat_map(with));
        }
        for a in &names {
            let of_a = Letters::of(a);
            for b in names.iter().rev().step_by(3) {
                let of_b = Letters::of(b);
                assert!(
                    of_a.least_distance(&of_b) <= strsim::osa_distance(a, b),
                    "{a} {b}"
                );
                assert!(
                    of_a.most_alike(&of_b) >= strsim::jaro_winkler(a, b),
                    "{a} {b}"
                );
            }
        }
    }

    /// All names of up to four letters of three, as before there were bounds: every name is compared.
    #[test]
    fn the_nearest_name_is_that_of_all_comparisons() {
        let mut names = vec![String::new()];
        for _ in 0..4 {
            let with = |name: &String| ['a', 'B', 'c'].map(|letter| format!("{name}{letter}"));
            names.extend(names.clone().iter().flat_map(with));
        }
        let among: Vec<&str> = names.iter().step_by(7).map(String::as_str).collect();
        let same = Names::of(among.iter().copied());
        for name in &names {
            let lower = name.to_lowercase();
            let mut nearest = (3, None);
            let mut alike = (0.8, None);
            for other in &among {
                let distance = strsim::osa_distance(&lower, &other.to_lowercase());
                if distance < nearest.0 {
                    nearest = (distance, Some(*other));
                }
                let score = strsim::jaro_winkler(&lower, &other.to_lowercase());
                if score >= alike.0 {
                    alike = (score, Some(*other));
                }
            }
            assert_eq!(
                same.nearest(name, 3).map(|at| among[at]),
                nearest.1,
                "{name}"
            );
            assert_eq!(
                same.most_alike(name, 0.8).map(|at| among[at]),
                alike.1,
                "{name}"
            );
        }
    }
}
