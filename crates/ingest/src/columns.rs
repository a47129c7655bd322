//! The columns of a source as the pipeline sees them: the lake's, checked against the contract.
//!
//! Where to look: `types` (which form has a place in which type), `path` (columns of the path), `epoch` (which times integers stand
//! for), `headers` (text files without a header).

mod declarable;
pub(crate) mod epoch;
mod headers;
mod path;
mod types;

use std::collections::HashSet;
use std::ops::Range;

use tessera_expr::rel::{FileGroup, ScanColumn, Stored};
use tessera_expr::{Literal, Schema, Type};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, unknown_name};
use tessera_spec::pipeline::{At, Column, ColumnForm, ColumnType, Duplicates, Source};
use tessera_spec::shown::masked;

use crate::evolution::{Held, LakeColumn, common, groups};
use crate::footer::Found;
use crate::inventory::{Inventory, LakeFile, describe};
use crate::mentioned::Mentioned;
use crate::text;

use declarable::{declarable, of_texts};
use path::path_values;
use types::{casts, exact, natural_type, suggestion, untyped, widens};

pub(crate) use types::bounds;
pub use types::expression_type;

/// A column that the source does not have, with those it has.
pub(crate) fn unknown_column(source: &Source, name: &At<String>, there_are: &[&str]) -> Diagnostic {
    let span = name.span.clone();
    let mut found = unknown_name("TS-D001", "column", &name.value, span, there_are);
    found.message = format!("{} of source `{}`", found.message, source.name.value);
    found
}

/// The columns of a source, and how its files hold them.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    pub(crate) columns: Vec<ScanColumn>,
    pub(crate) groups: Vec<FileGroup>,
    /// For each file, the values of the columns that stand in its path.
    pub(crate) path_values: Vec<Vec<Literal>>,
    pub(crate) problems: Vec<Diagnostic>,
}

/// The columns of the contract that the lake does not have. If it has none of several, that is reported as one mistake: probably
/// the files are the wrong ones, or text files without a header.
fn missing_columns(source: &Source, inventory: &Inventory, there_are: &[&str]) -> Vec<Diagnostic> {
    let declared = &source.contract.columns;
    let known: HashSet<&str> = there_are.iter().copied().collect();
    let missing: Vec<&At<String>> = declared
        .iter()
        .map(|column| &column.name)
        .filter(|name| !known.contains(name.value.as_str()))
        .collect();
    let all = missing.len() == declared.len() && !there_are.is_empty();
    let (true, [first, .., last]) = (all, missing.as_slice()) else {
        let unknown = missing.into_iter();
        return unknown
            .map(|name| unknown_column(source, name, there_are))
            .collect();
    };
    let name = &source.name.value;
    let has_header = inventory.format.has_header();
    // Then the first line is a row of a customer.
    let are_values = has_header && text::are_values(there_are);
    let shown = |name: &&str| match are_values {
        true => masked(name),
        false => (*name).to_owned(),
    };
    let shown: Vec<String> = there_are.iter().map(shown).collect();
    let in_other_case = missing
        .iter()
        .find_map(|own| Some((&own.value, inventory.in_other_case(&own.value)?)));
    let help = if let Some((own, held)) = in_other_case {
        format!(
            "names of columns are case-sensitive: write `{held}` in place of `{own}`, and the others likewise"
        )
    } else if has_header {
        format!(
            "if these are values, the files have no header: set `header = false` in [sources.{name}.text], which uses the contract's columns in their order, or `header = [\"…\"]`; if the names of the columns stand in a later line, set `skip_lines` to the number of lines before it"
        )
    } else {
        "check that `path` is the path of this source's files".to_owned()
    };
    let message = format!(
        "source `{name}` has none of the {} columns of the contract",
        declared.len()
    );
    vec![
        Diagnostic::error("TS-D007", message, first.span.start..last.span.end)
            .with_note(format!("available: {}", shown.join(", ")))
            .with_help(help),
    ]
}

/// The scan's columns, or how the lake breaks the contract.
pub(crate) fn resolve(pipeline: &Pipeline, source: &Source, inventory: &Inventory) -> Resolved {
    let mut resolved = Resolved::default();
    let names: Vec<&str> = inventory
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    resolved.problems = missing_columns(source, inventory, &names);
    let mentioned = Mentioned::of(pipeline, source);
    let headers = headers::missing(source, inventory, &mentioned);
    resolved.problems.extend(headers);
    for column in &inventory.columns {
        let judge = Judge {
            source,
            inventory,
            column,
            declared: declared(source, &column.name),
            mentioned: mentioned.contains(&column.name),
            by_name: mentioned.by_name(&column.name),
        };
        resolved.problems.extend(judge.lacking());
        match judge.scan_column() {
            Ok(made) => resolved.columns.extend(made),
            Err(problem) => resolved.problems.push(problem),
        }
    }
    path_values(pipeline, source, inventory, &mut resolved);
    if !resolved.problems.is_empty() {
        return resolved;
    }
    let forms = |file: &LakeFile| {
        let columns = resolved.columns.iter();
        columns.map(|c| form(source, inventory, file, c)).collect()
    };
    let groups = groups(inventory.files.iter().map(forms));
    for (number, column) in resolved.columns.iter_mut().enumerate() {
        let mut held: Vec<&Stored> = Vec::new();
        for stored in groups
            .iter()
            .filter_map(|group| group.stored[number].as_ref())
        {
            if !held.contains(&stored) {
                held.push(stored);
            }
        }
        column.may_break = held.iter().any(|stored| column.breaks_as(stored));
        if !held.is_empty() {
            column.stored = common(&held);
        }
    }
    resolved.groups = groups;
    resolved
}

/// How a file holds a column of the scan.
fn form(source: &Source, inventory: &Inventory, file: &LakeFile, column: &ScanColumn) -> Held {
    if column.stored == Stored::HivePath {
        return Held::As(Stored::HivePath);
    }
    match inventory.layouts.get(file.layout, &column.name) {
        Some(Found::Flat(stored)) => Held::As(as_read(source, &column.name, stored)),
        Some(Found::Untyped | Found::Unusable(_)) => Held::Nulls,
        None => Held::Absent,
    }
}

/// The type that the contract declares for a column.
pub(crate) fn declared<'s>(source: &'s Source, name: &str) -> Option<&'s At<ColumnType>> {
    declared_column(source, name).map(|column| &column.ty)
}

fn declared_column<'s>(source: &'s Source, name: &str) -> Option<&'s Column> {
    let columns = &source.contract.columns;
    columns.iter().find(|column| column.name.value == name)
}

/// How a column is read: texts of Parquet files are converted where the contract states their form.
fn as_read(source: &Source, name: &str, stored: &Stored) -> Stored {
    let stated = declared_column(source, name).is_some_and(|column| !column.form.is_default());
    match stored {
        Stored::String if stated => Stored::Text,
        other => other.clone(),
    }
}

/// The form of a column's values: its own, and what it does not state from the source.
fn column_form(source: &Source, name: &str) -> ColumnForm {
    let outer = source.text.as_ref().map(|text| text.form.clone());
    let outer = outer.unwrap_or_default();
    declared_column(source, name).map_or_else(|| outer.clone(), |c| c.form.within(&outer))
}

/// A column that is checked against the pipeline.
struct Judge<'a> {
    source: &'a Source,
    inventory: &'a Inventory,
    column: &'a LakeColumn,
    declared: Option<&'a At<ColumnType>>,
    /// The pipeline uses it; others are left out where they cannot be read.
    mentioned: bool,
    /// The pipeline names it, so that a nested or binary column is a mistake.
    by_name: bool,
}

impl Judge<'_> {
    fn scan_column(&self) -> Result<Option<ScanColumn>, Diagnostic> {
        let made = |ty: Type, stored: Stored| {
            let mut column = ScanColumn {
                name: self.column.name.clone(),
                ty,
                may_break: false,
                bounds: self.declared.and_then(|declared| bounds(declared.value)),
                stored,
                form: column_form(self.source, &self.column.name),
            };
            column.may_break = column.breaks_as(&column.stored);
            Ok(Some(column))
        };
        let held: Vec<Stored> = self.column.forms().map(|(s, _)| self.as_read(s)).collect();
        let forms: Vec<&Stored> = held.iter().collect();
        let scale = declared_column(self.source, &self.column.name).and_then(|column| column.scale);
        let wanted = self
            .declared
            .map(|declared| expression_type(declared.value, scale, &forms));
        if self.column.in_path {
            // Files with other values of it are not read together, so it is left out where nothing reads it.
            if !self.mentioned {
                return Ok(None);
            }
            if self.column.beside_path.count > 0 {
                return Err(self.beside_path());
            }
            let natural = self.column.path_type.unwrap_or(Type::String);
            return made(wanted.unwrap_or(natural), Stored::HivePath);
        }
        let unusable = self.column.unusable().next().is_some();
        let bytes = forms.iter().any(|stored| {
            // The text of a UUID is all of it.
            **stored == Stored::Bytes || **stored == Stored::Uuid && !self.mentioned
        });
        if self.by_name && unusable {
            return Err(self.unusable());
        }
        // Bytes are text only where the pipeline takes them for text.
        if unusable || bytes && !self.by_name {
            return match self.mentioned {
                true => Err(self.not_compared()),
                false => Ok(None),
            };
        }
        let Some(first) = forms.first() else {
            // Nothing but nulls: any type will do.
            return made(wanted.unwrap_or(Type::String), untyped(wanted));
        };
        match self.declared {
            Some(declared) => {
                if forms.iter().all(|stored| self.fits(stored, declared.value)) {
                    return made(
                        expression_type(declared.value, scale, &forms),
                        (*first).clone(),
                    );
                }
                Err(self.narrower(declared))
            }
            None => match self.widest(&forms) {
                Some(ty) => made(ty, (*first).clone()),
                None if !self.mentioned => Ok(None),
                None => Err(self.disagreement()),
            },
        }
    }

    fn as_read(&self, stored: &Stored) -> Stored {
        as_read(self.source, &self.column.name, stored)
    }

    /// Files without a column that the contract requires in each.
    fn lacking(&self) -> Option<Diagnostic> {
        let (name, absent) = (&self.column.name, &self.column.absent);
        let column = declared_column(self.source, name)?;
        if !column.required || absent.count == 0 {
            return None;
        }
        let message = format!(
            "column `{name}` of source `{}` is missing in {}, and the contract requires it",
            self.source.name.value,
            absent.text()
        );
        let found = Diagnostic::error("TS-D008", message, column.name.span.clone());
        Some(found.with_help(
            "write these files again with the column, or remove `required = true`: then it is null there",
        ))
    }

    /// Some files hold the column, and folders with its name state it for others.
    fn beside_path(&self) -> Diagnostic {
        let (name, source) = (&self.column.name, &self.source.name.value);
        let message = format!(
            "column `{name}` of source `{source}` stands in the path of some files, as a folder `{name}=…`, and within {} whose path does not state it",
            self.column.beside_path.text()
        );
        Diagnostic::error("TS-D013", message, self.span()).with_help(format!(
            "move it into folders such as `{name}=…`, one for each value, or rename the column in one of both"
        ))
    }

    /// Whether every value of a form, as it is read, has a place in the declared type.
    fn fits(&self, stored: &Stored, declared: ColumnType) -> bool {
        let temporal = matches!(declared, ColumnType::Date | ColumnType::Timestamp);
        let column = declared_column(self.source, &self.column.name);
        let epoch = column.is_some_and(|column| column.form.epoch.is_some());
        widens(stored, declared) || epoch && temporal && matches!(stored, Stored::Int { .. })
    }

    /// The type that holds what all files hold; that of an id where both integers and floats stand for one.
    fn widest(&self, forms: &[&Stored]) -> Option<Type> {
        let mut types: Vec<Type> = Vec::new();
        for ty in forms.iter().map(|stored| natural_type(stored)) {
            if !types.contains(&ty) {
                types.push(ty);
            }
        }
        let within = |allowed: [Type; 2]| types.iter().all(|ty| allowed.contains(ty));
        match types.as_slice() {
            [one] => Some(*one),
            _ if exact(types.iter().copied()).is_some() => exact(types.iter().copied()),
            _ if within([Type::Int, Type::Float]) => {
                Some(if self.is_id() { Type::Int } else { Type::Float })
            }
            _ if within([Type::Date, Type::Timestamp]) => Some(Type::Timestamp),
            _ => None,
        }
    }

    fn is_id(&self) -> bool {
        let name = &self.column.name;
        let joined = self.source.joins.iter().flat_map(|join| &join.on);
        let ids = self.source.keys().chain(&self.source.order_id);
        let mut ids = ids.chain(joined.map(|(own, _)| own));
        ids.any(|id| id.value == *name)
            || matches!(&self.source.contract.duplicates, Duplicates::Unique { columns, .. }
                if columns.iter().any(|column| column.value == *name))
    }

    /// The most exact known place in the pipeline file that names the column.
    fn span(&self) -> Range<usize> {
        let source = self.source;
        let single = [
            &source.time,
            &source.until,
            &source.known_at,
            &source.order_id,
        ];
        let single = single.into_iter().flatten().chain(source.keys());
        let named = single.chain(source.attributes.iter().map(|a| &a.column));
        let mut named = named.filter(|name| name.value == self.column.name);
        match (self.declared, named.next()) {
            (Some(declared), _) => declared.span.clone(),
            (None, Some(name)) => name.span.clone(),
            (None, None) => source.name.span.clone(),
        }
    }

    fn unusable(&self) -> Diagnostic {
        Diagnostic::error(
            "TS-D002",
            format!(
                "column `{}` of source `{}` holds {}, which a pipeline cannot use",
                self.column.name,
                self.source.name.value,
                self.unusable_forms().join(", ")
            ),
            self.span(),
        )
        .with_help(
            self.column
                .unusable()
                .next()
                .map_or("", |(what, _)| what.advice()),
        )
    }

    /// Forms that no pipeline can use, each with its files.
    fn unusable_forms(&self) -> Vec<String> {
        let forms = self.column.unusable();
        forms
            .map(|(what, files)| format!("{} in {}", what.words(), files.text()))
            .collect()
    }

    /// Rows are compared in every column, and the values of this one cannot be compared.
    fn not_compared(&self) -> Diagnostic {
        let (name, source) = (&self.column.name, &self.source.name.value);
        let mut forms = self.unusable_forms();
        let has_bytes = forms.is_empty();
        if has_bytes {
            forms.push(self.forms_text());
        }
        let setting = match self.source.contract.duplicates {
            Duplicates::Fail => "fail",
            _ => "drop_exact",
        };
        let message = format!(
            "column `{name}` of source `{source}` holds {}, which cannot be compared; with `duplicates = \"{setting}\"` rows are the same only if every column is",
            forms.join(", ")
        );
        let as_text = match has_bytes {
            true => format!(
                "declare `{name} = \"string\"` in the contract's columns where it holds text, or "
            ),
            false => String::new(),
        };
        Diagnostic::error("TS-D002", message, self.span()).with_help(format!(
            "{as_text}name the columns by which rows are told apart: `duplicates = {{ unique = [\"…\"], on_fail = \"drop\" }}`"
        ))
    }

    fn forms_text(&self) -> String {
        let forms: Vec<String> = self
            .column
            .forms()
            .map(|(stored, files)| format!("{} in {}", describe(stored), files.text()))
            .collect();
        forms.join(", ")
    }

    fn narrower(&self, declared: &At<ColumnType>) -> Diagnostic {
        let bad = self
            .column
            .forms()
            .find(|(stored, _)| !self.fits(&self.as_read(stored), declared.value))
            .map(|(stored, _)| stored);
        let found = bad.map_or_else(String::new, describe);
        let diagnostic = Diagnostic::error(
            "TS-D003",
            format!(
                "column `{}` is {found} in the lake, which cannot be converted to the declared type without loss",
                self.column.name,
            ),
            declared.span.clone(),
        )
        .with_label(format!("the files hold {found}"))
        .with_help(self.help(bad, declared.value));
        if self.column.forms().count() > 1 {
            return diagnostic.with_note(format!("it is {}", self.forms_text()));
        }
        diagnostic
    }

    /// What to do about a form that has no place in the declared type.
    fn help(&self, held: Option<&Stored>, declared: ColumnType) -> String {
        let name = &self.column.name;
        let temporal = matches!(declared, ColumnType::Date | ColumnType::Timestamp);
        let has_texts = self.column.forms().any(|(s, _)| *s == Stored::String);
        match held {
            Some(Stored::Int { .. }) if temporal && !has_texts => {
                epoch::help(self.inventory, name, declared == ColumnType::Date)
            }
            Some(Stored::Float { .. }) if temporal => format!(
                "declare it as \"f64\" and derive the time, such as `derive = {{ {name}_time = \"to_timestamp({name}, 's')\" }}` where it is seconds since 1970, or {}",
                epoch::of_sheet(name, true)
            ),
            Some(held) if self.column.forms().count() > 1 => self.readable().unwrap_or_else(|| {
                format!(
                    "no declaration reads all forms of the column: write the files with {} again, or put them into a separate source",
                    describe(held)
                )
            }),
            Some(Stored::String) => format!(
                "declare it as {}, so that each text is converted, or as \"string\"",
                of_texts(declared)
            ),
            // A cast would give `7.0`.
            Some(Stored::Float { .. } | Stored::Decimal { .. })
                if declared == ColumnType::String =>
            {
                format!(
                    "declare it as \"i64\" where it holds whole numbers, such as ids of which some are missing: 7.0 is then the key 7 of other sources; other numbers are {}",
                    held.map_or_else(String::new, suggestion)
                )
            }
            Some(held) if !casts(held, declared) => {
                format!("declare it as {}", suggestion(held))
            }
            _ => format!(
                "declare it as {}, and convert it in `derive` with `cast`",
                held.map_or_else(String::new, suggestion)
            ),
        }
    }

    /// What to declare so that every form of the column is read.
    fn readable(&self) -> Option<String> {
        let forms: Vec<&Stored> = self.column.forms().map(|(stored, _)| stored).collect();
        declarable(&forms, self.is_id())
    }

    fn disagreement(&self) -> Diagnostic {
        Diagnostic::error(
            "TS-D010",
            format!(
                "column `{}` of source `{}` has different types in its files, and no type holds all of them without loss: {}",
                self.column.name,
                self.source.name.value,
                self.forms_text()
            ),
            self.span(),
        )
        .with_help(self.readable().unwrap_or_else(|| {
            "no declaration reads all of these: write the files again with one type, or put them into a separate source".to_owned()
        }))
    }
}

/// How to declare a column of integers that is a time.
pub(crate) fn time_of_integers(inventory: &Inventory, name: &str) -> String {
    epoch::help(inventory, name, false)
}

/// Columns that the pipeline names and that some files lack, where they are null.
fn partly_absent<'a>(
    source: &'a Source,
    mentioned: &'a Mentioned,
    inventory: &'a Inventory,
) -> impl Iterator<Item = &'a LakeColumn> {
    let required =
        |column: &LakeColumn| declared_column(source, &column.name).is_some_and(|c| c.required);
    inventory.columns.iter().filter(move |column| {
        mentioned.contains(&column.name)
            && column.absent.count > 0
            && (column.in_path || !column.held.is_empty())
            && !required(column)
    })
}

/// How many columns that the pipeline names are null in the files that lack them.
pub fn absent_columns(pipeline: &Pipeline, source: &Source, inventory: &Inventory) -> u64 {
    let mentioned = Mentioned::of(pipeline, source);
    partly_absent(source, &mentioned, inventory).count() as u64
}

/// Warnings about what files hold: texts read in another encoding, and of columns that the pipeline names files without them, and
/// files that contradict their path.
pub fn warnings(pipeline: &Pipeline, source: &Source, inventory: &Inventory) -> Vec<Diagnostic> {
    let mentioned = Mentioned::of(pipeline, source);
    let span = |column: &LakeColumn| {
        declared(source, &column.name).map_or(source.name.span.clone(), |named| named.span.clone())
    };
    let mut found = Vec::from_iter(inventory.misread_as_letters(source));
    // Files without a header are a mistake of their own.
    let has_headers = headers::missing(source, inventory, &mentioned).is_none();
    let absent = partly_absent(source, &mentioned, inventory);
    for column in absent.filter(|_| has_headers) {
        let message = format!(
            "column `{}` of source `{}` is missing in {}; it is null there",
            column.name,
            source.name.value,
            column.absent.text()
        );
        let absent = Diagnostic::warning("TS-L003", message, span(column));
        found.push(match inventory.in_other_case(&column.name) {
            Some(held) => absent.with_help(format!(
                "names of columns are case-sensitive, and there are files that have `{held}`: write them again with one name"
            )),
            None => absent,
        });
    }
    for column in inventory
        .columns
        .iter()
        .filter(|c| mentioned.contains(&c.name))
    {
        if column.differs_from_path.count > 0 {
            let message = format!(
                "the values of column `{}` of source `{}` differ from the path in {}; the values of the path are used",
                column.name,
                source.name.value,
                column.differs_from_path.text()
            );
            found.push(Diagnostic::warning("TS-L004", message, span(column)));
        }
    }
    found
}

/// Names and types that expressions over the source may use.
pub(crate) fn schema(columns: &[ScanColumn]) -> Schema {
    Schema {
        columns: columns
            .iter()
            .map(|column| (column.name.clone(), column.ty))
            .collect(),
    }
}
