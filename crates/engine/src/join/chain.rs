//! Keys that lead to keys: where each chain of them ends.

use super::keys::{KeyColumns, Keys};

/// Keys that lead from one to the next and back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Circle {
    /// How many keys are in a circle.
    pub(super) keys: u64,
    /// Numbers of the keys of the first one.
    pub(super) of_one: Vec<u32>,
}

/// The number of the key that each key leads to, where that is one of them.
pub(super) fn next(keys: &Keys, to: &KeyColumns) -> Vec<Option<u32>> {
    let mut key = Vec::new();
    let next = |row| to.write(row, &mut key).then(|| keys.find(&key)).flatten();
    (0..to.len()).map(next).collect()
}

/// The last key of each one's chain, which leads to no other key. A key that leads to itself is such an end.
pub(super) fn ends(next: &[Option<u32>]) -> Result<Vec<u32>, Circle> {
    const OPEN: u32 = u32::MAX;
    let mut ends = vec![OPEN; next.len()];
    let mut circled: Vec<u32> = Vec::new();
    let mut of_one = Vec::new();
    // Which walk met a key: one that it meets again is in a circle.
    let mut met_by = vec![OPEN; next.len()];
    for start in 0..next.len() {
        let (mut path, mut at) = (Vec::new(), start);
        let end = loop {
            if ends[at] != OPEN {
                break Some(ends[at]);
            }
            if met_by[at] != OPEN {
                break None;
            }
            met_by[at] = start as u32;
            path.push(at);
            match next[at] {
                Some(to) if to as usize != at => at = to as usize,
                _ => break Some(at as u32),
            }
        };
        match end {
            Some(end) => path.iter().for_each(|&key| ends[key] = end),
            // Keys that lead into a circle of an earlier walk have no end either.
            None => {
                let circle = path.iter().skip_while(|&&key| key != at);
                let circle: Vec<u32> = circle.map(|&key| key as u32).collect();
                circled.extend(&circle);
                if of_one.is_empty() {
                    of_one = circle;
                }
            }
        }
    }
    match of_one.is_empty() {
        true => Ok(ends),
        false => Err(Circle {
            keys: circled.len() as u64,
            of_one,
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn chains_end_where_no_key_leads_on() {
        let next = [Some(1), Some(2), None, Some(2), Some(4), None];
        assert_eq!(ends(&next).unwrap(), [2, 2, 2, 2, 4, 5]);
    }

    #[test]
    fn a_circle_has_no_end_and_what_leads_into_it_is_not_counted() {
        let next = [Some(1), Some(2), Some(3), Some(1), None, Some(6), Some(5)];
        let circle = ends(&next).unwrap_err();
        assert_eq!((circle.keys, circle.of_one), (5, vec![1, 2, 3]));
    }

    proptest! {
        /// Oracle: following the chain one key at a time, as many steps as there are keys.
        #[test]
        fn ends_are_those_of_single_steps(next in proptest::collection::vec(proptest::option::of(0_u32..30), 30)) {
            let step = |at: u32| match next[at as usize] {
                Some(to) if to != at => Some(to),
                _ => None,
            };
            let walked: Vec<Option<u32>> = (0..30_u32).map(|start| {
                let mut at = start;
                for _ in 0..30 {
                    match step(at) {
                        Some(to) => at = to,
                        None => return Some(at),
                    }
                }
                None
            }).collect();
            let in_circle = (0..30_u32).filter(|&start| {
                let mut at = start;
                (0..30).any(|_| match step(at) {
                    Some(to) => { at = to; at == start }
                    None => false,
                })
            }).count() as u64;
            match ends(&next) {
                Ok(found) => {
                    prop_assert_eq!(in_circle, 0);
                    prop_assert_eq!(found.into_iter().map(Some).collect::<Vec<_>>(), walked);
                }
                Err(circle) => prop_assert_eq!(circle.keys, in_circle),
            }
        }
    }
}
