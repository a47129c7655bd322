//! What happened to the segments of a scheme since the previous version, with the overlaps as evidence.

use crate::matching::Overlap;

/// Least share of a segment's customers that another segment must have to count as a part of it.
const PART: f64 = 0.25;

/// Least share of the part's own customers that must come from that segment, or go to it.
const MOSTLY: f64 = 0.5;

/// What happened to a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// It is in both versions.
    Continued,
    /// It is in both versions under another name.
    Renamed,
    /// A cluster whose customers are now mostly in two or more clusters.
    Split,
    /// A cluster whose customers come mostly from two or more clusters.
    Merged,
    /// It was not in the previous version.
    Born,
    /// It is not in this version.
    Dissolved,
}

impl EventKind {
    /// The value in `segment_events`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Continued => "continued",
            Self::Renamed => "renamed",
            Self::Split => "split",
            Self::Merged => "merged",
            Self::Born => "born",
            Self::Dissolved => "dissolved",
        }
    }
}

/// One event of one segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The segment's id.
    pub segment_id: i64,
    /// Its name, the last one where it is gone.
    pub segment: String,
    /// What happened.
    pub kind: EventKind,
    /// Its name in the previous version, where that is another.
    pub name_before: Option<String>,
    /// Jaccard similarity of its customers then and now; none where it is in one version only.
    pub jaccard: Option<f64>,
    /// Share of its earlier customers that are still in it.
    pub kept_share: Option<f64>,
    /// The parts of a split or a merge, with their shares.
    pub evidence: Option<String>,
}

/// The events of a scheme. `before` and `after` are its segments, in the order of the overlaps. Only clusters split and merge:
/// for declared segments the same numbers mean that customers moved.
pub fn events(
    overlap: &Overlap,
    before: &[(i64, String)],
    after: &[(i64, String)],
    clusters: bool,
) -> Vec<Event> {
    let mut found = Vec::new();
    let (mut told_before, mut told_after) = (vec![false; before.len()], vec![false; after.len()]);
    if clusters {
        for (old, split, parts) in splits(overlap, before, after) {
            found.push(split);
            told_before[old] = true;
            parts.iter().for_each(|&new| told_after[new] = true);
        }
        for (new, merged, parts) in merges(overlap, before, after) {
            found.push(merged);
            told_after[new] = true;
            parts.iter().for_each(|&old| told_before[old] = true);
        }
    }
    let now = |id: i64| after.iter().position(|segment| segment.0 == id);
    for (old, segment) in before.iter().enumerate() {
        match now(segment.0) {
            Some(new) => {
                let name_before = (after[new].1 != segment.1).then(|| segment.1.clone());
                // It may be a part of what became of another one, too.
                let mut is_told = false;
                for one in found.iter_mut().filter(|one| one.segment_id == segment.0) {
                    one.segment.clone_from(&after[new].1);
                    one.name_before.clone_from(&name_before);
                    is_told = true;
                }
                if is_told {
                    continue;
                }
                let kind = match &name_before {
                    None => EventKind::Continued,
                    Some(_) => EventKind::Renamed,
                };
                let mut one = event(kind, &after[new], overlap, old, Some(new), None);
                one.name_before = name_before;
                found.push(one);
            }
            None if !told_before[old] => found.push(alone(EventKind::Dissolved, segment)),
            _ => {}
        }
    }
    for (new, segment) in after.iter().enumerate() {
        if !told_after[new] && !before.iter().any(|known| known.0 == segment.0) {
            found.push(alone(EventKind::Born, segment));
        }
    }
    found.sort_by_key(|one| (one.segment_id, one.kind.as_str()));
    found
}

/// The clusters that were split: place before, event, places of the parts after.
fn splits(
    overlap: &Overlap,
    before: &[(i64, String)],
    after: &[(i64, String)],
) -> Vec<(usize, Event, Vec<usize>)> {
    let of = |(old, segment): (usize, &(i64, String))| {
        let is_part = |&new: &usize| {
            overlap.of_before(old, new) >= PART && overlap.of_after(old, new) >= MOSTLY
        };
        let parts: Vec<usize> = (0..after.len()).filter(is_part).collect();
        let shares = parts
            .iter()
            .map(|&new| (&after[new], overlap.of_before(old, new)));
        let text = Some(words(shares));
        let now = after.iter().position(|known| known.0 == segment.0);
        let split = event(EventKind::Split, segment, overlap, old, now, text);
        (parts.len() >= 2).then_some((old, split, parts))
    };
    before.iter().enumerate().filter_map(of).collect()
}

/// The clusters into which others were merged: place after, event, places of the parts before.
fn merges(
    overlap: &Overlap,
    before: &[(i64, String)],
    after: &[(i64, String)],
) -> Vec<(usize, Event, Vec<usize>)> {
    let of = |(new, segment): (usize, &(i64, String))| {
        let is_part = |&old: &usize| {
            overlap.of_after(old, new) >= PART && overlap.of_before(old, new) >= MOSTLY
        };
        let parts: Vec<usize> = (0..before.len()).filter(is_part).collect();
        let shares = parts
            .iter()
            .map(|&old| (&before[old], overlap.of_after(old, new)));
        let text = Some(words(shares));
        let merged = match before.iter().position(|known| known.0 == segment.0) {
            Some(old) => event(EventKind::Merged, segment, overlap, old, Some(new), text),
            None => Event {
                evidence: text,
                ..alone(EventKind::Merged, segment)
            },
        };
        (parts.len() >= 2).then_some((new, merged, parts))
    };
    after.iter().enumerate().filter_map(of).collect()
}

fn alone(kind: EventKind, segment: &(i64, String)) -> Event {
    Event {
        segment_id: segment.0,
        segment: segment.1.clone(),
        kind,
        name_before: None,
        jaccard: None,
        kept_share: None,
        evidence: None,
    }
}

fn event(
    kind: EventKind,
    segment: &(i64, String),
    overlap: &Overlap,
    old: usize,
    new: Option<usize>,
    evidence: Option<String>,
) -> Event {
    // Without customers in both versions there is nothing to compare.
    let compared = new.filter(|&new| overlap.before[old] + overlap.after[new] > 0);
    Event {
        jaccard: compared.map(|new| overlap.jaccard(old, new)),
        kept_share: compared
            .filter(|_| overlap.before[old] > 0)
            .map(|new| overlap.of_before(old, new)),
        evidence,
        ..alone(kind, segment)
    }
}

/// `3 "weekenders" 0.52, 7 "new" 0.31`.
fn words<'a>(shares: impl Iterator<Item = (&'a (i64, String), f64)>) -> String {
    let words: Vec<String> = shares
        .map(|((id, name), share)| format!("{id} \"{name}\" {share:.2}"))
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(ids: &[i64]) -> Vec<(i64, String)> {
        ids.iter().map(|id| (*id, format!("s{id}"))).collect()
    }

    /// Groups of customers: index before, index after, how many.
    fn told(
        groups: &[(u32, u32, usize)],
        before: &[i64],
        after: &[i64],
        clusters: bool,
    ) -> Vec<String> {
        let pairs = groups
            .iter()
            .flat_map(|&(from, to, many)| std::iter::repeat_n((from, to), many));
        let overlap = Overlap::count(pairs, before.len(), after.len());
        let found = events(&overlap, &named(before), &named(after), clusters);
        found
            .iter()
            .map(|one| format!("{} {}", one.segment_id, one.kind.as_str()))
            .collect()
    }

    #[test]
    fn a_planted_split_merge_birth_and_end_give_one_event_each() {
        let split = told(
            &[(0, 0, 60), (0, 1, 40), (1, 2, 50)],
            &[1, 2],
            &[1, 3, 2],
            true,
        );
        assert_eq!(split, ["1 split", "2 continued"]);
        let merged = told(
            &[(0, 0, 60), (1, 0, 40), (2, 1, 50)],
            &[1, 2, 3],
            &[1, 3],
            true,
        );
        assert_eq!(merged, ["1 merged", "3 continued"]);
        let born = told(&[(0, 0, 60)], &[1], &[1, 2], true);
        assert_eq!(born, ["1 continued", "2 born"]);
        let ended = told(&[(0, 0, 60)], &[1, 2], &[1], true);
        assert_eq!(ended, ["1 continued", "2 dissolved"]);
    }

    /// Half of cluster 1 becomes another one, the rest joins cluster 2, of which the name is another: both have their row.
    #[test]
    fn a_cluster_that_takes_a_part_of_another_continues_itself() {
        let groups = [(0, 0, 500), (0, 1, 500), (1, 1, 50)];
        assert_eq!(
            told(&groups, &[1, 2], &[3, 2], true),
            ["1 split", "2 continued"]
        );
        let pairs = groups
            .iter()
            .flat_map(|&(from, to, many)| std::iter::repeat_n((from, to), many));
        let overlap = Overlap::count(pairs, 2, 2);
        let after = [(1, "loyal".to_owned()), (2, "quiet".to_owned())];
        let found = events(&overlap, &named(&[1, 2]), &after, true);
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.kind, one.segment.as_str(), one.name_before.as_deref()))
            .collect();
        assert_eq!(
            found,
            [
                (EventKind::Split, "loyal", Some("s1")),
                (EventKind::Renamed, "quiet", Some("s2"))
            ]
        );
    }

    #[test]
    fn customers_who_move_between_declared_segments_split_nothing() {
        let moved = told(
            &[(0, 0, 60), (0, 1, 40), (1, 1, 10)],
            &[1, 2],
            &[1, 2],
            false,
        );
        assert_eq!(moved, ["1 continued", "2 continued"]);
    }

    #[test]
    fn an_event_names_its_evidence() {
        let pairs = [(0, 0); 6].into_iter().chain([(0, 1); 4]);
        let overlap = Overlap::count(pairs, 1, 2);
        let found = events(&overlap, &named(&[1]), &named(&[1, 2]), true);
        assert_eq!(
            found[0].evidence.as_deref(),
            Some("1 \"s1\" 0.60, 2 \"s2\" 0.40")
        );
        assert_eq!(
            (found[0].jaccard, found[0].kept_share),
            (Some(0.6), Some(0.6))
        );
        let renamed = events(
            &overlap,
            &named(&[1]),
            &[(1, "other".to_owned()), (5, "x".to_owned())],
            false,
        );
        assert_eq!(
            (renamed[0].kind, renamed[0].name_before.as_deref()),
            (EventKind::Renamed, Some("s1"))
        );
    }
}
