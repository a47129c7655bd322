//! Warnings of keys that are written differently in several sources, with the expression that makes them the same.

use tessera_engine::{Apart, Difference, Meeting, Twins, Written};
use tessera_spec::Pipeline;
use tessera_spec::pipeline::{Join, Source};
use tessera_spec::shown::{grouped, masked, one_line};

use super::{SourceOutcome, Weight};

/// The sources whose keys were compared, and what messages may show of them.
#[derive(Clone, Copy)]
pub(crate) struct Compared<'a> {
    /// The pipeline.
    pub(crate) pipeline: &'a Pipeline,
    /// The sources, in the order of the tables that were compared.
    pub(crate) sources: &'a [&'a Source],
    /// Whether messages show keys as they are.
    pub(crate) values: bool,
}

impl Compared<'_> {
    /// Warns of what was found in the keys of a source of the base.
    pub(crate) fn warn(&self, source: &Source, written: &Written, outcome: &mut SourceOutcome) {
        if let Some(apart) = &written.apart {
            self.tell(Weight::Meaning, outcome, |compared| {
                compared.meets_nobody(apart)
            });
        }
        for twins in &written.twins {
            self.tell(Weight::Meaning, outcome, |compared| {
                compared.twice(source, twins)
            });
        }
    }

    /// Adds a warning. What is published never has a key as it is.
    pub(super) fn tell(
        &self,
        weight: Weight,
        outcome: &mut SourceOutcome,
        found: impl Fn(&Self) -> String,
    ) {
        let masked = Self {
            values: false,
            ..*self
        };
        outcome.warn_as(weight, &found(self), found(&masked));
    }

    /// A key as a message may show it.
    fn shown(&self, key: &str) -> String {
        shown(key, self.values)
    }

    fn meets_nobody(&self, apart: &Apart) -> String {
        let list = |keys: &[String]| {
            let mut keys: Vec<String> = keys.iter().map(|key| self.shown(key)).collect();
            keys.dedup();
            keys.join(", ")
        };
        let found = format!(
            "{} of its {} keys {} among the {} keys of the other sources of customers: keys are of the form {} here and {} there",
            match apart.shared {
                0 => "none".to_owned(),
                shared => format!("only {}", grouped(shared)),
            },
            grouped(apart.keys),
            if apart.shared <= 1 { "is" } else { "are" },
            grouped(apart.others),
            list(&apart.shown[0]),
            list(&apart.shown[1])
        );
        match self.would_meet(apart) {
            Some(advice) => format!("{found}. {advice}"),
            None => format!(
                "{found}. Each of them is a customer of its own: if they are the same customers, write their keys in one way in `derive`; if they are others, nothing is to be done"
            ),
        }
    }

    /// How many keys would meet, and what to set for that.
    pub(super) fn would_meet(&self, apart: &Apart) -> Option<String> {
        let meeting = apart.meeting.as_ref()?;
        let changed = meeting.tables.iter();
        let changes = changed
            .filter_map(|table| self.change(self.sources.get(*table)?, &meeting.without))
            .collect();
        Some(would(
            meeting,
            changes,
            self.values,
            ["them would be", "customers"],
        ))
    }

    fn twice(&self, source: &Source, twins: &Twins) -> String {
        let [own, other] = &twins.example;
        let change = self.change(source, &[twins.without]);
        format!(
            "{} of its keys {} the key of another customer but for {}, such as {} beside {}: if they are the same customers, {}",
            number(twins.keys, twins.is_estimate),
            if twins.keys == 1 { "is" } else { "are" },
            words(twins.without),
            self.shown(own),
            self.shown(other),
            change.unwrap_or_else(|| "write the keys in one way".to_owned())
        )
    }

    /// What to set so that the keys of a source are without differences. Where keys are replaced by a map, its keys would have to be
    /// changed, too, so that there is no such sentence.
    fn change(&self, source: &Source, without: &[Difference]) -> Option<String> {
        if self.pipeline.customer.identity.is_some() {
            return None;
        }
        Some(change(source, &source.key.value, without))
    }
}

/// How many keys for which a join finds no row would find one if they were written as in its lookup, and what to set for that.
pub(super) fn would_join(
    join: &Join,
    source: &Source,
    lookup: Option<&Source>,
    (meeting, values): (&Meeting, bool),
) -> String {
    let sides = join.on.first().into_iter().flat_map(|(own, key)| {
        let own = (0, Some(source), own);
        [own, (1, lookup, key)]
    });
    let changes = sides
        .filter(|(table, ..)| meeting.tables.contains(table))
        .filter_map(|(_, side, column)| Some(change(side?, &column.value, &meeting.without)));
    would(
        meeting,
        changes.collect(),
        values,
        ["its keys would", "things"],
    )
}

/// A sentence on how many keys would meet. `nouns` are what the number is of, and what the keys stand for.
fn would(meeting: &Meeting, changes: Vec<String>, values: bool, [of, same]: [&str; 2]) -> String {
    let advice = match changes.is_empty() {
        true => "write the keys in one way".to_owned(),
        false => changes.join(" and "),
    };
    let differences: Vec<&str> = meeting.without.iter().map(|what| words(*what)).collect();
    let [own, other] = &meeting.example;
    format!(
        "Without {} {} of {of}, such as {} here and {} there: if these are the same {same}, {advice}",
        differences.join(" and "),
        number(meeting.keys, meeting.is_estimate),
        shown(own, values),
        shown(other, values)
    )
}

/// What to set so that a column of keys is without differences.
fn change(source: &Source, key: &str, without: &[Difference]) -> String {
    let derived = source.derive.iter().find(|(name, _)| name.value == key);
    let written = derived.map_or_else(|| column(key), |(_, derived)| derived.value.clone());
    let expression = without
        .iter()
        .fold(written, |of, difference| match difference {
            Difference::Blanks => format!("trim({of})"),
            Difference::Point => format!("regexp_extract({of}, '^(.+?)([.]0+)?$', 1)"),
            Difference::Zeros => format!("regexp_extract({of}, '^0*(.+)$', 1)"),
            Difference::Case => format!("lower({of})"),
        });
    to_derive(source, key, &expression)
}

/// What to set so that a source has a derived column.
pub(super) fn to_derive(source: &Source, column: &str, expression: &str) -> String {
    let (name, key) = (&source.name.value, toml_key(column));
    // The escapes of a Rust literal are those of TOML.
    match source.derive.is_empty() {
        true => format!("set `derive = {{ {key} = {expression:?} }}` in [sources.{name}]"),
        false => format!("set `{key} = {expression:?}` in `derive` of [sources.{name}]"),
    }
}

/// A key as a message may show it.
pub(super) fn shown(key: &str, values: bool) -> String {
    let text = match values {
        true => key.to_owned(),
        false => masked(key),
    };
    format!("`{}`", one_line(&text))
}

/// "100", "about 1,024".
fn number(keys: u64, is_estimate: bool) -> String {
    let about = if is_estimate { "about " } else { "" };
    format!("{about}{}", grouped(keys))
}

fn words(difference: Difference) -> &'static str {
    match difference {
        Difference::Blanks => "white space around the key",
        Difference::Point => "`.0` at the end of the key",
        Difference::Zeros => "leading zeros",
        Difference::Case => "a difference of upper and lower case",
    }
}

/// A column as expressions name it.
pub(super) fn column(name: &str) -> String {
    match is_bare(name) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// A key of a TOML table.
fn toml_key(name: &str) -> String {
    match is_bare(name) {
        true => name.to_owned(),
        false => format!("{name:?}"),
    }
}

fn is_bare(name: &str) -> bool {
    let mut letters = name.chars();
    let first = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
