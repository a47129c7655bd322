//! Which forms of dates and times read the texts of a column.

use tessera_spec::pipeline::{ColumnForm, EpochUnit, TimeFormat};

use super::observed::{Observed, Value, value};
use crate::Type;
use crate::forms::read_epoch;

/// Forms of dates that are in wide use, each with the one it is confused with.
const DATES: [(&str, Option<&str>); 10] = [
    ("%Y-%m-%d", None),
    ("%d.%m.%Y", None),
    ("%d/%m/%Y", Some("%m/%d/%Y")),
    ("%m/%d/%Y", Some("%d/%m/%Y")),
    ("%d-%m-%Y", Some("%m-%d-%Y")),
    ("%m-%d-%Y", Some("%d-%m-%Y")),
    ("%Y/%m/%d", None),
    ("%d.%m.%y", None),
    ("%d %b %Y", None),
    ("%d-%b-%Y", None),
];

/// Times of day behind a date.
const TIMES: [&str; 7] = [
    "",
    " %H:%M",
    " %H:%M:%S",
    "T%H:%M:%S",
    " %H:%M:%S.%f",
    "T%H:%M:%S.%f",
    " %I:%M %p",
];

/// Further forms that are read where no form is stated.
const ISO: [&str; 7] = [
    "%Y%m%d",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y-%m-%d %H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S.%f%z",
    "%Y-%m-%d %H:%M:%S %z",
];

/// Ends advice of a form that changes what is read.
pub(super) const READS_ALL: &str =
    ", which reads all values; those that are read now become other times";

/// Forms that one column may be advised to have: more are a matter for who writes the files.
const MOST_FORMS: usize = 6;

/// A form and the one it is confused with.
struct Candidate {
    format: TimeFormat,
    other: Option<TimeFormat>,
}

/// The settings of times that read all that was read and most of what was not, and how many of the latter; in TOML.
/// `as_meant` ends advice of two settings that give different values.
pub(super) fn times(
    read: &[Observed],
    broken: &[Observed],
    ty: Type,
    form: &ColumnForm,
    as_meant: &str,
) -> Option<(String, u64)> {
    let by_number = epoch(read, broken, form);
    let by_form = formats(read, broken, ty, form, as_meant);
    let count = |found: &Option<(String, u64)>| found.as_ref().map_or(0, |(_, count)| *count);
    if count(&by_number) >= count(&by_form) {
        by_number
    } else {
        by_form
    }
}

/// The unit in which most of the numbers that were not read are times between 1990 and 2100.
fn epoch(read: &[Observed], broken: &[Observed], form: &ColumnForm) -> Option<(String, u64)> {
    const FROM_MICROS: i64 = 631_152_000_000_000;
    const TO_MICROS: i64 = 4_102_444_800_000_000;
    // Of times as numbers and as texts a column can have one.
    if form.epoch.is_some() || !read.is_empty() {
        return None;
    }
    let likely = |text: &str, unit: EpochUnit| {
        read_epoch(text, unit).is_some_and(|micros| (FROM_MICROS..TO_MICROS).contains(&micros))
    };
    let units = [
        ("s", EpochUnit::S),
        ("ms", EpochUnit::Ms),
        ("us", EpochUnit::Us),
        ("ns", EpochUnit::Ns),
    ];
    let counted = units.into_iter().map(|(word, unit)| {
        let fits = broken.iter().filter(|seen| likely(&seen.text, unit));
        (word, fits.map(|seen| seen.count).sum::<u64>())
    });
    let (word, count) = counted.rev().max_by_key(|(_, count)| *count)?;
    (count > 0).then(|| (format!("epoch = \"{word}\""), count))
}

/// The forms that read all that was read, with the same values, and of the rest as much as some forms can.
fn formats(
    read: &[Observed],
    broken: &[Observed],
    ty: Type,
    form: &ColumnForm,
    as_meant: &str,
) -> Option<(String, u64)> {
    let trial = Trial {
        read: read
            .iter()
            .filter_map(|seen| value(&seen.text, ty, form).map(|value| (seen, value)))
            .collect(),
        broken,
        ty,
    };
    let candidates = candidates(ty == Type::Timestamp);
    let mut list = form.formats.clone();
    let mut best = trial.judge(&list);
    while list.len() < MOST_FORMS {
        let added = candidates.iter().filter_map(|candidate| {
            let tried = with(&list, &candidate.format);
            Some((trial.judge(&tried)?, tried))
        });
        // Of equal ones the first.
        let Some((found, tried)) = added.rev().max_by_key(|(found, _)| *found) else {
            break;
        };
        if best.is_some_and(|best| found <= best) {
            break;
        }
        best = Some(found);
        list = tried;
    }
    let all = trial.all();
    let kept = best.filter(|(kept, gained)| *kept == all && *gained > 0);
    let Some((_, gained)) = kept else {
        return of_all(read, broken, ty, &candidates);
    };
    let mut words = words(&list);
    let known = form.formats.len();
    for (place, format) in list.iter().enumerate().skip(known) {
        let candidate = candidates.iter().find(|known| known.format == *format);
        let Some(other) = candidate.and_then(|candidate| candidate.other.clone()) else {
            continue;
        };
        let mut swapped = list.clone();
        swapped[place] = other;
        if trial.judge(&swapped) == best {
            words = format!("{words} or {}{as_meant}", self::words(&swapped));
            break;
        }
    }
    Some((words, gained))
}

/// The form that reads every value, where what was read has been read as other times: then the stated form is the wrong one.
fn of_all(
    read: &[Observed],
    broken: &[Observed],
    ty: Type,
    candidates: &[Candidate],
) -> Option<(String, u64)> {
    let reads = |candidate: &&Candidate| {
        let form = ColumnForm {
            formats: vec![candidate.format.clone()],
            ..ColumnForm::default()
        };
        let mut all = read.iter().chain(broken);
        all.all(|seen| value(&seen.text, ty, &form).is_some())
    };
    let found = candidates.iter().find(reads)?;
    let words = words(std::slice::from_ref(&found.format));
    let gained = broken.iter().map(|seen| seen.count).sum();
    Some((format!("{words}{READS_ALL}"), gained)).filter(|_| !broken.is_empty())
}

/// What was read, with its values, and what was not.
struct Trial<'a> {
    read: Vec<(&'a Observed, Value)>,
    broken: &'a [Observed],
    ty: Type,
}

impl Trial<'_> {
    /// Of the values that were read, how many are read by these forms with the same value; and how many of the others are read. None
    /// where one is read as something else.
    fn judge(&self, formats: &[TimeFormat]) -> Option<(u64, u64)> {
        let form = ColumnForm {
            formats: formats.to_vec(),
            ..ColumnForm::default()
        };
        if formats.is_empty() {
            return Some((0, 0));
        }
        let mut kept = 0;
        for (seen, known) in &self.read {
            match value(&seen.text, self.ty, &form) {
                Some(found) if found != *known => return None,
                Some(_) => kept += seen.count,
                None => {}
            }
        }
        let fits = |seen: &&Observed| value(&seen.text, self.ty, &form).is_some();
        let gained = self.broken.iter().filter(fits);
        Some((kept, gained.map(|seen| seen.count).sum()))
    }

    /// How many values were read.
    fn all(&self) -> u64 {
        self.read.iter().map(|(seen, _)| seen.count).sum()
    }
}

fn with(list: &[TimeFormat], format: &TimeFormat) -> Vec<TimeFormat> {
    let more = std::iter::once(format.clone());
    list.iter().cloned().chain(more).collect()
}

fn candidates(times: bool) -> Vec<Candidate> {
    let mut found = Vec::new();
    let parsed = |format: &str| TimeFormat::parse(format).ok();
    for (date, other) in DATES {
        for time in TIMES.iter().filter(|time| times || time.is_empty()) {
            let other = other.and_then(|other| parsed(&format!("{other}{time}")));
            let format = parsed(&format!("{date}{time}"));
            found.extend(format.map(|format| Candidate { format, other }));
        }
    }
    let iso = ISO.into_iter().filter_map(parsed);
    let iso = iso.filter(|format| times || !format.has_time());
    found.extend(iso.map(|format| Candidate {
        format,
        other: None,
    }));
    found
}

/// The forms as a setting in TOML.
fn words(formats: &[TimeFormat]) -> String {
    let quoted: Vec<String> = formats.iter().map(|f| format!("{:?}", f.text())).collect();
    match quoted.as_slice() {
        [one] => format!("format = {one}"),
        several => format!("format = [{}]", several.join(", ")),
    }
}
