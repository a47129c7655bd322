//! Marks on numbers: columns and schemes that come from a score with something against it. The tables hold them (`status` of
//! `features`, `kpi_status` of `segments`, `made from scores` in `quality`); every picture and sentence uses them from here.

use std::collections::BTreeMap;

use crate::column::Table;
use crate::record::QualityRow;
use crate::text::{printable, shortened, words};
use crate::{ReportError, ReportInput};

/// The criterion under which `quality` names values and schemes that are made from a score with something against it.
pub(crate) const MADE_FROM_SCORES: &str = "made from scores";

/// What a column that nothing is known against is called in published tables.
const OK: &str = "ok";

/// Longest reason, in characters.
const LONGEST: usize = 160;

/// Something that is known against a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// `not validated`, `flagged`, `base rate` or `not computed`.
    pub(crate) status: String,
    /// Of which score, and why: "score `churn`: no model is used".
    pub(crate) reason: String,
}

impl Mark {
    /// Whether every customer has the same number, which says nothing of a segment.
    fn is_base_rate(&self) -> bool {
        self.status == "base rate"
    }

    /// The score that it is about, and why; no score where the reason does not begin with one.
    fn parts(&self) -> (Option<&str>, &str) {
        let parts = self.reason.strip_prefix("score `");
        match parts.and_then(|rest| rest.split_once("`: ")) {
            Some((score, why)) => (Some(score), why),
            None => (None, &self.reason),
        }
    }

    /// The score that it is about.
    pub(crate) fn score(&self) -> Option<&str> {
        self.parts().0
    }

    /// The status in a sentence.
    fn is(&self) -> String {
        match self.is_base_rate() {
            true => "not validated".to_owned(),
            false => printable(&self.status),
        }
    }

    /// "score value (flagged)".
    pub(crate) fn in_short(&self) -> String {
        match self.score() {
            Some(score) => format!("score {} ({})", words(score), self.is()),
            None => self.is(),
        }
    }

    /// "is flagged: the order of customers may hold, the level does not".
    pub(crate) fn predicate(&self) -> String {
        format!("is {}: {}", self.is(), first_clause(self.parts().1))
    }

    /// As one sentence.
    pub(crate) fn sentence(&self) -> String {
        let whom = self.score().map(|score| format!("score {}", words(score)));
        let whom = whom.unwrap_or_else(|| "it".to_owned());
        format!("{whom} {}", self.predicate())
    }
}

/// Everything that is marked.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// By column of `customers`; schemes are columns too.
    of: BTreeMap<String, Mark>,
    /// The KPI, values and schemes, in the order in which they are read.
    figures: Vec<String>,
}

/// A mark with the figures that bear it.
pub(crate) struct Group<'a> {
    pub(crate) mark: &'a Mark,
    /// KPI, values and schemes; none where only the score's own columns bear it.
    pub(crate) figures: Vec<&'a str>,
}

impl Marks {
    /// Reads what the tables say.
    pub(crate) fn read(input: &ReportInput, quality: &[QualityRow]) -> Result<Self, ReportError> {
        let mut marks = Self::default();
        if let (Some(table), Some(goal)) = (Table::open(input, "segments"), &input.meta.goal) {
            let (status, reason) = (table.text("kpi_status")?, table.text("kpi_reason")?);
            let first =
                |texts: &[Option<&str>]| texts.first().copied().flatten().map(str::to_owned);
            marks.figure(&goal.kpi, first(&status), first(&reason));
        }
        let made = quality
            .iter()
            .filter(|row| row.criterion == MADE_FROM_SCORES);
        for row in made {
            marks.figure(&row.scheme, Some(row.metric.clone()), row.reason.clone());
        }
        if let Some(table) = Table::open(input, "features") {
            let names = table.text("name")?;
            let (status, reason) = (table.text("status")?, table.text("status_reason")?);
            for (row, name) in names.into_iter().enumerate() {
                let (status, reason) = (status[row], reason[row]);
                if let Some(name) = name {
                    marks.add(name, status.map(str::to_owned), reason.map(str::to_owned));
                }
            }
        }
        Ok(marks)
    }

    fn figure(&mut self, name: &str, status: Option<String>, reason: Option<String>) {
        if self.add(name, status, reason) && !self.figures.iter().any(|known| known == name) {
            self.figures.push(name.to_owned());
        }
    }

    fn add(&mut self, name: &str, status: Option<String>, reason: Option<String>) -> bool {
        let Some(status) = status.filter(|status| status != OK) else {
            return false;
        };
        let reason = reason.unwrap_or_default();
        self.of.insert(name.to_owned(), Mark { status, reason });
        true
    }

    /// What is known against a column or a scheme.
    pub(crate) fn of(&self, name: &str) -> Option<&Mark> {
        self.of.get(name)
    }

    /// Whether this column is one base rate for every customer.
    pub(crate) fn is_base_rate(&self, name: &str) -> bool {
        self.of(name).is_some_and(Mark::is_base_rate)
    }

    /// Each mark once, with the figures that bear it: first those that most readers meet.
    pub(crate) fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let figures = self.figures.iter().map(|name| (name.as_str(), true));
        let others = self.of.keys().map(|name| (name.as_str(), false));
        for (name, is_figure) in figures.chain(others) {
            let Some(mark) = self.of(name) else {
                continue;
            };
            let known = groups.iter_mut().find(|group| group.mark == mark);
            match known {
                Some(group) if is_figure => group.figures.push(name),
                Some(_) => {}
                None => groups.push(Group {
                    mark,
                    figures: is_figure.then_some(name).into_iter().collect(),
                }),
            }
        }
        groups
    }
}

/// A reason up to its first semicolon: what was found, without what else there is to say of it.
pub(crate) fn first_clause(reason: &str) -> String {
    let clause = reason.split(';').next().unwrap_or_default().trim();
    shortened(printable(clause).trim_end_matches('.'), LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(status: &str, reason: &str) -> Mark {
        Mark {
            status: status.to_owned(),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn a_mark_names_its_score_and_the_first_reason() {
        let flagged = mark("flagged", "score `value`: too high by a tenth; season.");
        assert_eq!(flagged.in_short(), "score value (flagged)");
        assert_eq!(
            flagged.sentence(),
            "score value is flagged: too high by a tenth"
        );
        let base = mark("base rate", "score `churn`: no model is used");
        assert_eq!(base.in_short(), "score churn (not validated)");
        assert_eq!(
            mark("flagged", "too high").sentence(),
            "it is flagged: too high"
        );
    }

    #[test]
    fn each_mark_is_named_once_with_its_figures() {
        let mut marks = Marks::default();
        let said = |text: &str| Some(text.to_owned());
        marks.figure(
            "churn_probability",
            said("flagged"),
            said("score `churn`: x"),
        );
        marks.figure("touch", said("flagged"), said("score `churn`: x"));
        marks.figure("rfm", said("ok"), None);
        marks.add(
            "churn_probability",
            said("flagged"),
            said("score `churn`: x"),
        );
        marks.add("renewal_days", said("flagged"), said("score `renewal`: y"));
        let groups = marks.groups();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].figures, ["churn_probability", "touch"]);
        assert_eq!(groups[1].mark.score(), Some("renewal"));
        assert!(groups[1].figures.is_empty());
        assert!(marks.of("rfm").is_none());
    }
}
