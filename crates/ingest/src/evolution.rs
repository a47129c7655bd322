//! Schema evolution: the columns of files whose schemas differ, as one table.
//!
//! The types that matter: [`Layouts`] (the distinct schemas of the files), [`LakeColumn`] (one column over all of them).

use std::collections::HashMap;

use tessera_expr::Type;
use tessera_expr::rel::{FileGroup, Stored};

use crate::footer::{Found, Unusable};
use crate::found::Names;

/// The distinct schemas of the files, in the order in which they are met.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layouts {
    list: Vec<Vec<(String, Found)>>,
    /// Of each, the places of its columns.
    places: Vec<HashMap<String, usize>>,
    known: HashMap<Vec<(String, Found)>, usize>,
}

impl Layouts {
    /// The number of a file's schema.
    pub(crate) fn number(&mut self, columns: Vec<(String, Found)>) -> usize {
        let next = self.list.len();
        let number = *self.known.entry(columns.clone()).or_insert(next);
        if number == next {
            let names = columns.iter().map(|(name, _)| name.clone());
            self.places.push(names.zip(0..).collect());
            self.list.push(columns);
        }
        number
    }

    /// What a layout holds under a name.
    pub(crate) fn get(&self, layout: usize, name: &str) -> Option<&Found> {
        let place = *self.places.get(layout)?.get(name)?;
        let (_, found) = self.list.get(layout)?.get(place)?;
        Some(found)
    }

    /// The names of the columns of a layout.
    pub(crate) fn names(&self, layout: usize) -> Vec<&str> {
        let columns = self.list.get(layout).into_iter().flatten();
        columns.map(|(name, _)| name.as_str()).collect()
    }

    /// The columns of all layouts, those of earlier ones first. `files` gives the layout and the name of each file.
    pub(crate) fn columns<'f>(
        &self,
        files: impl Iterator<Item = (usize, &'f str)> + Clone,
    ) -> Vec<LakeColumn> {
        let mut columns: Vec<LakeColumn> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (name, _) in self.list.iter().flatten() {
            places.entry(name).or_insert_with(|| {
                columns.push(LakeColumn {
                    name: name.clone(),
                    held: Vec::new(),
                    absent: Names::default(),
                    in_path: false,
                    path_type: None,
                    differs_from_path: Names::default(),
                    beside_path: Names::default(),
                });
                columns.len() - 1
            });
        }
        let found: Vec<HashMap<&str, &Found>> = self
            .list
            .iter()
            .map(|layout| layout.iter().map(|(name, held)| (name.as_str(), held)))
            .map(Iterator::collect)
            .collect();
        for (layout, file) in files {
            for column in &mut columns {
                let held = found
                    .get(layout)
                    .and_then(|found| found.get(column.name.as_str()));
                match held.copied() {
                    None => column.absent.add(file),
                    Some(found) => column.add(found, file),
                }
            }
        }
        columns
    }
}

/// A column of a source as its files hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeColumn {
    /// Its name.
    pub name: String,
    /// The forms in which files hold it, each with its files.
    pub(crate) held: Vec<(Found, Names)>,
    /// Files without the column; of a column in the path those whose path does not state it either.
    pub(crate) absent: Names,
    /// It stands in the path.
    pub(crate) in_path: bool,
    /// The type that the log of a table states for it.
    pub(crate) path_type: Option<Type>,
    /// Files that hold other values than their path states.
    pub(crate) differs_from_path: Names,
    /// Files that hold it where the path of others states it, and their own does not.
    pub(crate) beside_path: Names,
}

impl LakeColumn {
    /// A column that only paths have.
    pub(crate) fn of_path(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            held: Vec::new(),
            absent: Names::default(),
            in_path: true,
            path_type: None,
            differs_from_path: Names::default(),
            beside_path: Names::default(),
        }
    }

    fn add(&mut self, found: &Found, file: &str) {
        let at = match self.held.iter().position(|(known, _)| known == found) {
            Some(at) => at,
            None => {
                self.held.push((found.clone(), Names::default()));
                self.held.len() - 1
            }
        };
        self.held[at].1.add(file);
    }

    /// The forms that have a type: columns with only nulls have none.
    pub(crate) fn forms(&self) -> impl Iterator<Item = (&Stored, &Names)> {
        self.held.iter().filter_map(|(found, files)| match found {
            Found::Flat(stored) => Some((stored, files)),
            Found::Untyped | Found::Unusable(_) => None,
        })
    }

    /// Forms that no pipeline can use, with their files.
    pub(crate) fn unusable(&self) -> impl Iterator<Item = (Unusable, &Names)> {
        self.held.iter().filter_map(|(found, files)| match found {
            Found::Unusable(what) => Some((*what, files)),
            Found::Flat(_) | Found::Untyped => None,
        })
    }
}

/// How one file holds a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// It has no such column.
    Absent,
    /// It has only nulls, so its form says nothing about the values.
    Nulls,
    /// In this form.
    As(Stored),
}

/// Files as groups of consecutive ones that are read alike: `forms` gives, for each file, the form of each column of the scan.
pub(crate) fn groups(files: impl Iterator<Item = Vec<Held>>) -> Vec<FileGroup> {
    let mut groups: Vec<(FileGroup, Vec<Held>)> = Vec::new();
    for forms in files {
        if let Some((last, held)) = groups.last_mut()
            && let Some(both) = merged(held, &forms)
        {
            last.has_gaps |= gaps(held, &forms);
            *held = both;
            last.files += 1;
            continue;
        }
        let group = FileGroup {
            files: 1,
            has_gaps: false,
            stored: Vec::new(),
        };
        groups.push((group, forms));
    }
    let read = |held: Held| match held {
        Held::As(stored) => Some(stored),
        Held::Absent | Held::Nulls => None,
    };
    let finished = |(group, held): (FileGroup, Vec<Held>)| FileGroup {
        stored: held.into_iter().map(read).collect(),
        ..group
    };
    groups.into_iter().map(finished).collect()
}

fn gaps(a: &[Held], b: &[Held]) -> bool {
    let absent = |held: &Held| *held == Held::Absent;
    a.iter().zip(b).any(|(a, b)| absent(a) != absent(b))
}

/// One scan fills in columns that are absent, and reads a column that is there in one form: a column with only nulls has no form.
fn merged(a: &[Held], b: &[Held]) -> Option<Vec<Held>> {
    let one = |(a, b): (&Held, &Held)| match (a, b) {
        (Held::As(a), Held::As(b)) => read_alike(a, b).map(Held::As),
        (Held::As(one), Held::Absent) | (Held::Absent, Held::As(one)) => {
            Some(Held::As(one.clone()))
        }
        (Held::As(_), Held::Nulls) | (Held::Nulls, Held::As(_)) => None,
        (Held::Nulls, _) | (_, Held::Nulls) => Some(Held::Nulls),
        (Held::Absent, Held::Absent) => Some(Held::Absent),
    };
    a.iter().zip(b).map(one).collect()
}

/// The form in which one scan reads both without loss; `None` where a scan cannot. Milliseconds that no other unit can hold, such as
/// the largest number for "never", are told by their own unit.
fn read_alike(a: &Stored, b: &Stored) -> Option<Stored> {
    let in_millis = |stored: &Stored| {
        matches!(
            stored,
            Stored::Timestamp {
                ticks_per_second: 1_000,
                ..
            }
        )
    };
    unified(a, b).filter(|_| in_millis(a) == in_millis(b))
}

/// The form in which values of both can be told apart; `None` where there is none.
fn unified(a: &Stored, b: &Stored) -> Option<Stored> {
    use Stored::{Float, Int, Timestamp};
    if a == b {
        return Some(a.clone());
    }
    Some(match (a, b) {
        (Int { bits: x, signed: s }, Int { bits: y, signed: t }) if s == t => Int {
            bits: *x.max(y),
            signed: *s,
        },
        (
            Int {
                bits,
                signed: false,
            },
            Int {
                bits: other,
                signed: true,
            },
        )
        | (
            Int {
                bits: other,
                signed: true,
            },
            Int {
                bits,
                signed: false,
            },
        ) if *bits < 64 => Int {
            bits: (*bits * 2).max(*other),
            signed: true,
        },
        (Float { .. }, Float { .. }) => Float { bits: 64 },
        (Timestamp { zone: x, .. }, Timestamp { zone: y, .. }) if x == y => Timestamp {
            ticks_per_second: 1_000_000,
            zone: x.clone(),
        },
        _ => return None,
    })
}

/// One form for what several groups hold, where there is one by which values can be told apart as the files hold them.
pub(crate) fn common(forms: &[&Stored]) -> Stored {
    let instants = forms
        .iter()
        .all(|stored| matches!(stored, Stored::Timestamp { zone: Some(_), .. }));
    let mut merged = forms.first().map(|first| (*first).clone());
    for form in forms {
        merged = merged.and_then(|known| unified(&known, form));
    }
    match merged {
        Some(stored) => stored,
        None if instants => Stored::Timestamp {
            ticks_per_second: 1_000_000,
            zone: Some("UTC".to_owned()),
        },
        None => Stored::Mixed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(bits: u8) -> Held {
        Held::As(Stored::Int { bits, signed: true })
    }

    fn instant(zone: &str) -> Stored {
        Stored::Timestamp {
            ticks_per_second: 1_000,
            zone: Some(zone.to_owned()),
        }
    }

    #[test]
    fn files_that_one_scan_reads_are_one_group() {
        let float = Held::As(Stored::Float { bits: 64 });
        let files = [
            vec![int(32), Held::Absent],
            vec![int(64), int(8)],
            vec![Held::Absent, int(8)],
            vec![float.clone(), int(8)],
            vec![float.clone(), int(8)],
            vec![int(64), int(8)],
        ];
        let found = groups(files.into_iter());
        let sizes: Vec<usize> = found.iter().map(|group| group.files).collect();
        assert_eq!(sizes, [3, 2, 1]);
        let stored = |held: [Held; 2]| {
            held.map(|held| match held {
                Held::As(stored) => Some(stored),
                Held::Absent | Held::Nulls => None,
            })
        };
        assert_eq!(found[0].stored, stored([int(64), int(8)]));
        let gaps: Vec<bool> = found.iter().map(|group| group.has_gaps).collect();
        assert_eq!(gaps, [true, false, false]);
        assert_eq!(found[1].stored, stored([float, int(8)]));
    }

    /// A writer without type information writes integers: one form for integers and decimals could be read from neither.
    #[test]
    fn columns_of_nulls_are_not_read_in_the_form_of_others() {
        let sizes = |files: Vec<Held>| -> Vec<usize> {
            let found = groups(files.into_iter().map(|held| vec![held]));
            found.iter().map(|group| group.files).collect()
        };
        assert_eq!(sizes(vec![int(8), Held::Nulls, int(8)]), [1, 1, 1]);
        assert_eq!(sizes(vec![Held::Nulls, Held::Absent, Held::Nulls]), [3]);
        assert_eq!(sizes(vec![Held::Absent, Held::Nulls, int(8)]), [2, 1]);
    }

    /// The largest number of milliseconds is no number of microseconds.
    #[test]
    fn milliseconds_are_read_by_themselves() {
        let files = [1_000, 1_000, 1_000_000, 1_000_000_000, 1_000];
        let files = files.map(|ticks_per_second| {
            let zone = None;
            vec![Held::As(Stored::Timestamp {
                ticks_per_second,
                zone,
            })]
        });
        let found = groups(files.into_iter());
        let sizes: Vec<usize> = found.iter().map(|group| group.files).collect();
        assert_eq!(sizes, [2, 2, 1]);
    }

    #[test]
    fn what_several_groups_have_in_common_is_told_from_what_they_have_not() {
        let day = Stored::Date;
        assert_eq!(common(&[&day, &day]), day);
        assert_eq!(common(&[&day, &instant("UTC")]), Stored::Mixed);
        let micros = Stored::Timestamp {
            ticks_per_second: 1_000_000,
            zone: Some("UTC".to_owned()),
        };
        assert_eq!(common(&[&instant("UTC"), &instant("Z")]), micros);
    }
}
