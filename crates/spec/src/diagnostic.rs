//! Mistakes in a pipeline file: what, where, why, and what to do.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use crate::letters::Names;
use crate::shown;
use crate::spaced::Spaced;

/// Mistakes that are shown at most to people, who begin with the first.
const MOST_SHOWN: usize = 100;

/// Severity of a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The pipeline cannot run.
    Error,
    /// It can run, but probably does not mean this.
    Warning,
}

/// One mistake, with its place in the file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// Stable code: `TS-P…` the file, `TS-D…` the data, `TS-E…` expressions, `TS-F…` features, `TS-G…` schemes and goal.
    pub code: &'static str,
    /// Severity of a mistake.
    pub severity: Severity,
    /// What is wrong, in one sentence without a final stop.
    pub message: String,
    /// Byte range in the file.
    pub span: Range<usize>,
    /// What is at that place.
    pub label: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// Further facts, such as the available names.
    pub notes: Vec<String>,
    /// Whether the rest is checked as if its advice had been followed.
    is_assumed: bool,
    /// The part of the expression at the place, in its one way of spacing, and the length of that.
    within: Option<(Range<usize>, usize)>,
}

impl Diagnostic {
    /// At a part of an expression of so many bytes, which has one way of spacing, in place of all of it.
    #[must_use]
    pub fn within(mut self, expression: usize, part: Range<usize>) -> Self {
        self.within = Some((part, expression));
        self
    }

    /// At the place of its part in the text of the file, unless the expression is written with escapes there.
    fn placed(mut self, text: &str) -> Self {
        let within = self.within.take();
        let found = within.and_then(|(part, len)| {
            let spaced = Spaced::new(text.get(self.span.clone())?);
            spaced.place(&part).filter(|_| spaced.text.len() == len)
        });
        if let Some(found) = found {
            self.span = self.span.start + found.start..self.span.start + found.end;
        }
        self
    }

    /// An error at a place.
    pub fn error(code: &'static str, message: impl Into<String>, span: Range<usize>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            span,
            label: None,
            help: None,
            notes: Vec::new(),
            is_assumed: false,
            within: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, message: impl Into<String>, span: Range<usize>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message, span)
        }
    }

    /// What is the same where the same mistake is made at another place.
    fn words(&self) -> (&'static str, Severity, &str, Option<&str>) {
        let help = self.help.as_deref();
        (self.code, self.severity, &self.message, help)
    }

    /// As a terminal may show it: its texts contain names of files and columns.
    fn shown(&self) -> Self {
        let text = |text: &String| shown::one_line(text).into_owned();
        Self {
            code: self.code,
            severity: self.severity,
            message: text(&self.message),
            span: self.span.clone(),
            label: self.label.as_ref().map(text),
            help: self.help.as_ref().map(text),
            notes: self.notes.iter().map(text).collect(),
            is_assumed: self.is_assumed,
            within: None,
        }
    }

    /// With a label at the place itself.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// An error of which the rest of the pipeline is checked as if its advice had been followed.
    #[must_use]
    pub fn assumed(mut self) -> Self {
        self.is_assumed = true;
        self
    }

    /// With a further fact.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// An unknown name, with the nearest available name and all available names. `what` is a noun, or a noun and its place:
/// `key in [goal]`.
pub fn unknown_name(
    code: &'static str,
    what: &str,
    name: &str,
    span: Range<usize>,
    available: &[&str],
) -> Diagnostic {
    const SHOWN: usize = 32;
    let place_at = what.find(" in ").or_else(|| what.find(" of "));
    let (noun, place) = what.split_at(place_at.unwrap_or(what.len()));
    let found = Diagnostic::error(code, format!("unknown {noun} `{name}`{place}"), span);
    let found = match suggest(name, available) {
        Some(near) => found.with_help(format!("did you mean `{near}`?")),
        None => found,
    };
    if available.is_empty() {
        return found.with_note("none are available");
    }
    let mut names = available[..available.len().min(SHOWN)].join(", ");
    if available.len() > SHOWN {
        names.push_str(&format!(" and {} more", available.len() - SHOWN));
    }
    found.with_note(format!("available: {names}"))
}

/// The candidate that was probably meant, if one is similar.
pub fn suggest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    const NEAR: f64 = 0.8;
    let names = Names::of(candidates.iter().copied());
    names.most_alike(name, NEAR).map(|place| candidates[place])
}

/// All mistakes of one file, ordered by place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    file_name: String,
    text: String,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// No mistakes in this text yet.
    pub fn new(file_name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            file_name: file_name.into(),
            text: text.into(),
            list: Vec::new(),
        }
    }

    /// The text of the file in which they are.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds mistakes; they are kept in the order of places, without duplicates.
    pub fn extend(&mut self, found: impl IntoIterator<Item = Diagnostic>) {
        let known = self.list.len();
        let text = &self.text;
        self.list
            .extend(found.into_iter().map(|one| one.placed(text)));
        if self.list.len() == known {
            return;
        }
        self.list.sort_by_key(|d| (d.span.start, d.span.end));
        let mut seen = HashSet::with_capacity(self.list.len());
        let is_first: Vec<bool> = self.list.iter().map(|d| seen.insert(d)).collect();
        drop(seen);
        let mut is_first = is_first.into_iter();
        self.list.retain(|_| is_first.next() == Some(true));
    }

    /// Whether the pipeline cannot run.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|d| d.severity == Severity::Error)
    }

    /// Whether the rest cannot be checked because of them.
    pub fn end_the_check(&self) -> bool {
        let mut errors = self.list.iter();
        errors.any(|one| one.severity == Severity::Error && !one.is_assumed)
    }

    /// Whether there are no mistakes and no warnings.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds a fact to every mistake that is an error.
    pub fn note_errors(&mut self, note: &str) {
        let errors = self.list.iter_mut();
        for one in errors.filter(|one| one.severity == Severity::Error) {
            one.notes.push(note.to_owned());
        }
    }

    /// The mistakes, ordered by place.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// As a compiler prints them: place, source line, caret, advice; then the number of errors.
    pub fn render(&self, coloured: bool) -> String {
        let renderer = if coloured {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut text = String::new();
        let groups = self.groups();
        let file = shown::one_line(&self.file_name);
        let errors = groups
            .iter()
            .filter(|(d, _)| d.severity == Severity::Error)
            .count();
        let mut room = [MOST_SHOWN, MOST_SHOWN.saturating_sub(errors)];
        let shown = groups.iter().filter(|(d, _)| {
            let room = &mut room[usize::from(d.severity == Severity::Warning)];
            let has_room = *room > 0;
            *room = room.saturating_sub(1);
            has_room
        });
        for (diagnostic, again) in shown {
            let again = self.again(again);
            let shown = diagnostic.shown();
            text.push_str(&renderer.render(&self.report(&file, &shown, again.as_deref())));
            text.push_str("\n\n");
        }
        if groups.len() > MOST_SHOWN {
            let more = groups.len() - MOST_SHOWN;
            text.push_str(&format!(
                "{file}: {more} further mistakes are not shown; `tessera check --json` lists all of them\n"
            ));
        }
        if errors > 0 {
            let plural = if errors == 1 { "" } else { "s" };
            text.push_str(&format!("{file}: {errors} error{plural}\n"));
        }
        text
    }

    /// One mistake is one message: equal messages about several places become one, at the first place, that names the others.
    fn groups(&self) -> Vec<(&Diagnostic, Vec<&Diagnostic>)> {
        let mut groups: Vec<(&Diagnostic, Vec<&Diagnostic>)> = Vec::new();
        let mut places: HashMap<_, usize> = HashMap::new();
        for diagnostic in &self.list {
            match places.entry(diagnostic.words()) {
                Entry::Occupied(place) => groups[*place.get()].1.push(diagnostic),
                Entry::Vacant(place) => {
                    place.insert(groups.len());
                    groups.push((diagnostic, Vec::new()));
                }
            }
        }
        groups
    }

    /// The further places of a mistake, as text.
    fn again(&self, again: &[&Diagnostic]) -> Option<String> {
        const SHOWN: usize = 8;
        if again.is_empty() {
            return None;
        }
        let mut lines: Vec<String> = again
            .iter()
            .take(SHOWN)
            .map(|d| self.place(d.span.start).0.to_string())
            .collect();
        lines.dedup();
        let more = again.len().saturating_sub(SHOWN);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let plural = if lines.len() == 1 { "" } else { "s" };
        Some(format!(
            "the same mistake in {} places: also at line{plural} {}{more}",
            again.len() + 1,
            lines.join(", ")
        ))
    }

    fn report<'a>(
        &'a self,
        file: &'a str,
        diagnostic: &'a Diagnostic,
        again: Option<&'a str>,
    ) -> Vec<Group<'a>> {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let span = self.clamped(&diagnostic.span);
        let annotation = AnnotationKind::Primary.span(span);
        let annotation = match &diagnostic.label {
            Some(label) => annotation.label(label.as_str()),
            None => annotation,
        };
        let snippet = Snippet::source(self.text.as_str())
            .path(file)
            .annotation(annotation);
        let mut group = Group::with_title(
            level
                .primary_title(diagnostic.message.as_str())
                .id(diagnostic.code),
        )
        .element(snippet);
        for note in &diagnostic.notes {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        if let Some(again) = again {
            group = group.element(Level::NOTE.message(again));
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        vec![group]
    }

    /// A span that lies in the text, on the borders of characters.
    fn clamped(&self, span: &Range<usize>) -> Range<usize> {
        let floor = |mut at: usize| {
            at = at.min(self.text.len());
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = floor(span.start);
        start..floor(span.end).max(start)
    }

    /// For machines: file, line and column (from 1), code, severity, message, label, notes, help, and the further places of
    /// the same mistake.
    pub fn to_json(&self) -> Value {
        let ends = self.text.match_indices('\n').map(|(at, _)| at + 1);
        let starts: Vec<usize> = std::iter::once(0).chain(ends).collect();
        let line_and_column = |d: &Diagnostic| {
            let at = self.clamped(&d.span).start;
            let line = starts.partition_point(|start| *start <= at);
            (line, self.text[starts[line - 1]..at].chars().count() + 1)
        };
        let place = |d: &Diagnostic| {
            let (line, column) = line_and_column(d);
            json!({"line": line, "column": column})
        };
        self.groups()
            .into_iter()
            .map(|(d, again)| {
                let (line, column) = line_and_column(d);
                let also: Vec<Value> = again.into_iter().map(place).collect();
                json!({
                    "file": self.file_name, "line": line, "column": column, "code": d.code,
                    "severity": if d.severity == Severity::Error { "error" } else { "warning" },
                    "message": d.message, "label": d.label, "notes": d.notes, "help": d.help, "also": also,
                })
            })
            .collect()
    }

    /// Line and column of a byte, both from 1; columns count characters.
    pub fn place(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..self.clamped(&(at..at)).start];
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |tail| tail.chars().count())
            + 1;
        (line, column)
    }
}
