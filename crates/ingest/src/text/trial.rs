//! Which values of text files do not convert, and which setting would read them: for `tessera check`, which reads the files but
//! runs no plan.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tessera_expr::Type;
use tessera_expr::forms::{Texts, advice, is_null, read_integer, reads, trimmed};
use tessera_expr::rel::Stored;
use tessera_spec::pipeline::{ColumnForm, Source};

use super::seen::Seen;
use crate::columns::{bounds, epoch, expression_type};

/// What was tried of one column.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    pub(crate) name: String,
    pub(crate) ty: Type,
    /// Smallest and largest integer of its type.
    pub(crate) bounds: Option<(i64, i64)>,
    form: ColumnForm,
    /// Values that are not missing.
    pub(crate) values: u64,
    /// Of those, that do not convert.
    pub(crate) broken: u64,
    /// The first that does not.
    pub(crate) example: Option<Example>,
    /// The forms of those that convert.
    read: Seen,
    /// The forms of those that do not.
    unread: Seen,
}

/// A value or record with its place.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    pub(crate) text: String,
    pub(crate) file: PathBuf,
    pub(crate) line: u64,
}

/// Values of declared columns, and broken records.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trial {
    pub(crate) columns: Vec<Tried>,
    pub(crate) rows_broken: u64,
    /// The first broken record, and what is wrong with it.
    pub(crate) record: Option<Example>,
    file: PathBuf,
    /// For each column of the present file its place in `columns`.
    places: Vec<Option<usize>>,
}

/// Forms that a message shows of those that convert, and of those that do not.
const SHOWN_FORMS: usize = 3;

impl Trial {
    /// A trial of the declared columns of a source.
    pub(crate) fn of(source: &Source) -> Self {
        let outer = source.text.as_ref().map(|text| text.form.clone());
        let outer = outer.unwrap_or_default();
        let declared = source.contract.columns.iter();
        let columns = declared.map(|column| Tried {
            name: column.name.value.clone(),
            ty: expression_type(column.ty.value, column.scale, &[&Stored::Text]),
            bounds: bounds(column.ty.value),
            form: column.form.within(&outer),
            values: 0,
            broken: 0,
            example: None,
            read: Seen::default(),
            unread: Seen::default(),
        });
        Self {
            columns: columns.filter(|column| column.ty != Type::String).collect(),
            ..Self::default()
        }
    }

    /// The next file, with these columns.
    pub(super) fn begin(&mut self, file: &Path, names: &[String]) {
        file.clone_into(&mut self.file);
        let by_name: HashMap<&str, usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(place, column)| (column.name.as_str(), place))
            .collect();
        let places = names.iter().map(|name| by_name.get(name.as_str()).copied());
        self.places = places.collect();
    }

    /// A column of the present file that was not there at its start.
    pub(super) fn add_column(&mut self, name: &str) {
        let place = self.columns.iter().position(|column| column.name == name);
        self.places.push(place);
    }

    pub(super) fn value(&mut self, column: usize, text: &str, line: u64) {
        let Some(place) = self.places.get(column).copied().flatten() else {
            return;
        };
        let tried = &mut self.columns[place];
        let bare = trimmed(text);
        if is_null(bare, &tried.form) {
            return;
        }
        tried.values += 1;
        let in_bounds = |(least, most)| {
            read_integer(bare, &tried.form).is_none_or(|value| (least..=most).contains(&value))
        };
        if reads(bare, tried.ty, &tried.form) && tried.bounds.is_none_or(in_bounds) {
            tried.read.add(bare, tried.ty);
            return;
        }
        tried.broken += 1;
        let file = &self.file;
        tried.example.get_or_insert_with(|| Example {
            text: text.to_owned(),
            file: file.clone(),
            line,
        });
        tried.unread.add(bare, tried.ty);
    }

    pub(super) fn broken(&mut self, line: u64, problem: &str) {
        self.rows_broken += 1;
        let file = &self.file;
        self.record.get_or_insert_with(|| Example {
            text: problem.to_owned(),
            file: file.clone(),
            line,
        });
    }
}

impl Tried {
    /// The settings that would read most of the broken values, and all that are read without them as the same values.
    pub(crate) fn advice(&self) -> Option<String> {
        if !self.read.complete() {
            return None;
        }
        advice(&Texts {
            read: self.read.texts(),
            broken: self.unread.texts(),
            ty: self.ty,
            bounds: self.bounds,
            form: &self.form,
        })
    }

    /// Whether no value converts to a time since all are dates of sheets as numbers, and whether some have a fraction.
    pub(crate) fn are_days_of_sheets(&self) -> Option<bool> {
        let is_time = matches!(self.ty, Type::Date | Type::Timestamp);
        if !is_time || self.broken < self.values || !self.unread.complete() {
            return None;
        }
        let mut texts = self.unread.texts().iter().map(|seen| seen.text.as_str());
        let is_day = |text: &str| text.parse().is_ok_and(epoch::is_day_of_sheet);
        let is_float = texts.clone().any(|text| text.contains('.'));
        texts.all(is_day).then_some(is_float)
    }

    /// How many values of which form convert, and how many do not: the most frequent forms.
    pub(crate) fn forms(&self) -> (String, String) {
        let shown = |seen: &Seen| seen.most_frequent(SHOWN_FORMS);
        (shown(&self.read), shown(&self.unread))
    }
}
