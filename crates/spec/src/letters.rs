//! Letters of names, which say in few steps that two names are not alike: the names of a wide table are many.

/// Kinds of letters that are told apart; others share one.
const KINDS: usize = 64;

/// How often each letter occurs in a name.
#[derive(Debug, Clone)]
pub struct Letters {
    counts: [u16; KINDS],
    len: usize,
}

impl Letters {
    /// The letters of a name.
    pub fn of(name: &str) -> Self {
        let (mut counts, mut len) = ([0_u16; KINDS], 0);
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
        let pairs = self.counts.iter().zip(&other.counts);
        pairs.map(|(a, b)| usize::from(*a.min(b))).sum()
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
}
