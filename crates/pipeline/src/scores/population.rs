//! Which customers can churn at a date, from what was known at that date. Customers who have left already or never bought cannot
//! churn.

use arrow::array::{AsArray, RecordBatch};
use tessera_expr::aggregates::COUNT;
use tessera_expr::rel::{Agg, Window};
use tessera_segments::{Parameter, Quality, QualityStatus, Threshold};
use tessera_spec::pipeline::SourceKind;

use super::churned::running_at;
use super::columns::floats;
use super::supervised::settings::SupervisedScore;
use super::{Asked, Given, NotComputed, hidden_name};
use crate::base;
use crate::error::PipelineError;

/// The model name in `models` of the rows about the population of a score.
pub(super) const POPULATION: &str = "population";

/// Whether a customer can churn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It can.
    Living,
    /// No event within the horizon before the date, or no running interval.
    ChurnedBefore,
    /// No event and no interval up to the date.
    NeverBought,
    /// It could churn, but the pipeline's own condition leaves it out.
    Outside,
    /// Its account is closed.
    Closed,
}

impl Standing {
    /// The standings of customers that cannot churn, in the order of tables.
    pub(crate) const EXCLUDED: [Self; 4] = [
        Self::ChurnedBefore,
        Self::NeverBought,
        Self::Outside,
        Self::Closed,
    ];

    /// Whether the customer can churn.
    pub(crate) fn lives(self) -> bool {
        self == Self::Living
    }

    /// The standing of a customer by [`Self::excluded`]; `None` for another text.
    pub(crate) fn of(excluded: Option<&str>) -> Option<Self> {
        let mut all = std::iter::once(Self::Living).chain(Self::EXCLUDED);
        all.find(|standing| standing.excluded() == excluded)
    }

    /// Why there is no probability; `None` where there is one.
    pub(crate) fn excluded(self) -> Option<&'static str> {
        match self {
            Self::Living => None,
            Self::ChurnedBefore => Some("churned before"),
            Self::NeverBought => Some("never bought"),
            Self::Outside => Some("outside the population"),
            Self::Closed => Some("closed"),
        }
    }
}

/// The aggregates that show who can churn at `asked.as_of`: events in the `days` up to the date, or running intervals; and
/// whether there was ever one.
pub(crate) fn hidden(asked: &Asked<'_>, from: &str, days: &[u32]) -> Vec<Agg> {
    let Some(source) = asked.pipeline.source(from) else {
        return Vec::new();
    };
    let count = |name: String, window, filter| Agg {
        name,
        func: COUNT.of_rows(),
        window,
        filter,
    };
    let intervals = source.kind == SourceKind::Intervals;
    let purchase = || (!intervals).then(|| asked.purchase(from)).flatten();
    let mut aggs = vec![count(hidden_name(asked.name, EVER), None, purchase())];
    for &days in days {
        let name = alive_name(asked.name, days);
        if intervals {
            let running = running_at(asked, from, asked.as_of);
            aggs.extend(running.map(|running| count(name, None, Some(running))));
        } else {
            let window = Window {
                days: Some(days),
                offset_days: 0,
            };
            aggs.push(count(name, Some(window), purchase()));
        }
    }
    aggs
}

const EVER: &str = "ever";

fn alive_name(score: &str, days: u32) -> String {
    hidden_name(score, &format!("alive_{days}"))
}

/// Name of the hidden column that holds the pipeline's own condition.
pub(crate) fn condition_name(score: &str) -> String {
    hidden_name(score, "population")
}

/// The definition of the population of a score.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Population<'a> {
    /// The score.
    pub(crate) score: &'a str,
    /// A customer with an event within this number of days before the date can churn.
    pub(crate) days: u32,
    /// Whether `population` is stated; for events it replaces `days`.
    pub(crate) stated: bool,
    /// Whether the score is over intervals, of which one must run in any case.
    pub(crate) intervals: bool,
}

impl Population<'_> {
    /// Whether each customer of a table can churn at its date.
    pub(crate) fn standings(self, table: &RecordBatch) -> Result<Vec<Standing>, NotComputed> {
        let ever = floats(table, &hidden_name(self.score, EVER))?;
        let alive = floats(table, &alive_name(self.score, self.days))?;
        let condition = match self.stated {
            true => Some(truths(table, &condition_name(self.score))?),
            false => None,
        };
        let active = base::active(table);
        let standing = |row: usize| {
            if active.as_ref().is_some_and(|active| !active.value(row)) {
                return Standing::Closed;
            }
            let (ever, alive) = (ever[row] > 0.0, alive[row] > 0.0);
            let fits = condition.as_ref().map(|fits| fits[row] == Some(true));
            let lives = match fits {
                Some(fits) => fits && (alive || !self.intervals),
                None => alive,
            };
            match (ever, lives, alive) {
                (false, _, _) => Standing::NeverBought,
                (true, true, _) => Standing::Living,
                (true, false, true) => Standing::Outside,
                (true, false, false) => Standing::ChurnedBefore,
            }
        };
        Ok((0..table.num_rows()).map(standing).collect())
    }
}

/// What a condition over features says of each customer; null where it is not known.
pub(super) fn truths(table: &RecordBatch, name: &str) -> Result<Vec<Option<bool>>, NotComputed> {
    let place = table.schema().index_of(name);
    let column = table.column(place.map_err(PipelineError::from)?);
    // A condition that is null for everyone has no type.
    let found = column.as_boolean_opt().map(|found| found.iter().collect());
    Ok(found.unwrap_or_else(|| vec![None; table.num_rows()]))
}

/// The population of the score, and the number of customers left out by reason.
pub(super) fn rows(score: &SupervisedScore, standings: &[Standing]) -> Vec<Parameter> {
    let of = |wanted: Standing| standings.iter().filter(|s| **s == wanted).count() as f64;
    let mut rows = vec![Parameter::number(
        POPULATION,
        "customers",
        of(Standing::Living),
    )];
    let stated = score.population.as_ref().map(|text| text.value.trim());
    rows.extend(stated.map(|text| Parameter::text(POPULATION, "condition", text)));
    for excluded in Standing::EXCLUDED {
        let why = excluded.excluded().unwrap_or_default();
        let name = format!("excluded: {why}");
        let number = of(excluded);
        if excluded != Standing::Closed || number > 0.0 {
            rows.push(Parameter::number(POPULATION, name, number));
        }
    }
    rows
}

/// Number of customers in the population.
pub(super) fn quality(
    score: &SupervisedScore,
    standings: &[Standing],
    given: &Given<'_>,
) -> Quality {
    let living = standings.iter().filter(|s| s.lives()).count();
    let rule = match (&score.population, living > 0) {
        (_, true) => None,
        _ if score.label.is_some() => Some(
            "the label says of every customer of the population that it has churned".to_owned(),
        ),
        (Some(text), false) => Some(format!("`{}` is true for no customer", text.value.trim())),
        (None, false) => Some(format!(
            "no customer has a row of `{}` within {} days before {}, or one that runs",
            score.from.value, score.horizon_days, given.as_of
        )),
    };
    Quality {
        segment: String::new(),
        criterion: "population",
        metric: "customers who can churn".to_owned(),
        value: Some(living as f64),
        threshold: Some(Threshold::at_least(1.0)),
        status: if living > 0 {
            QualityStatus::Ok
        } else {
            QualityStatus::Flagged
        },
        reason: rule,
    }
}
