//! What experiments show, from the table `experiments` of a version.
//!
//! The types that matter: [`Readout`] with its parts [`ExperimentRead`] and [`VariantRead`].
//!
//! Where to look: `advice` says what to do about a verdict, `text` shows it.

mod advice;
mod text;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tessera_snapshot::{Store, Version};
use tessera_spec::diagnostic::suggest;

use crate::error::PipelineError;
use crate::explain::value;

/// The table that is read.
const TABLE: &str = "experiments";

/// The experiments of a version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Readout {
    /// The version.
    pub version: u64,
    /// Its day.
    pub as_of: NaiveDate,
    /// The experiments asked for, by name.
    pub experiments: Vec<ExperimentRead>,
}

/// An experiment: what its variants have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExperimentRead {
    /// Its name.
    pub experiment: String,
    /// The scheme whose customers it draws; none where it draws of all.
    pub scheme: Option<String>,
    /// Their segment.
    pub segment: Option<String>,
    /// First day whose customers are drawn.
    pub starts: Option<NaiveDate>,
    /// Last day whose customers are drawn.
    pub ends: Option<NaiveDate>,
    /// The column of `customers` that is compared.
    pub metric: String,
    /// Days after which a customer is compared.
    pub measured_days: i64,
    /// Whether the comparison takes account of what the metric was when customers were drawn.
    pub adjusted: bool,
    /// Probability of groups at least as uneven by chance.
    pub srm_p: Option<f64>,
    /// Whether the last customers drawn have been measured for long enough.
    pub ended: bool,
    /// The variants: control first, then by name.
    #[serde(skip_deserializing)]
    pub variants: Vec<VariantRead>,
}

/// A variant of an experiment, as the table has it, and what to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantRead {
    /// The variant.
    pub variant: String,
    /// Whether the others are compared with it.
    pub control: bool,
    /// The share of customers that the pipeline gives it.
    pub share: f64,
    /// Customers drawn into it so far.
    pub enrolled: i64,
    /// Customers drawn into it who are no customers any more.
    pub lost: i64,
    /// Customers drawn too recently to be compared.
    pub too_recent: i64,
    /// Customers whose metric is not known.
    pub missing: i64,
    /// Customers compared.
    pub customers: i64,
    /// Mean of the metric.
    pub mean: Option<f64>,
    /// Standard deviation of the metric.
    pub std: Option<f64>,
    /// Mean of the metric, adjusted.
    pub adjusted_mean: Option<f64>,
    /// Mean less that of control.
    pub difference: Option<f64>,
    /// Low end of its 95% interval, if looked at once.
    pub difference_low: Option<f64>,
    /// High end of its 95% interval, if looked at once.
    pub difference_high: Option<f64>,
    /// Difference as a share of control's mean.
    pub uplift: Option<f64>,
    /// Low end of its 95% interval, if looked at once.
    pub uplift_low: Option<f64>,
    /// High end of its 95% interval, if looked at once.
    pub uplift_high: Option<f64>,
    /// Low end of the difference's interval that holds however often it is looked at.
    pub anytime_low: Option<f64>,
    /// High end of that interval.
    pub anytime_high: Option<f64>,
    /// Probability of a difference at least as large by chance, if looked at once.
    pub p: Option<f64>,
    /// Smallest difference that so many customers would show four times of five.
    pub smallest_effect: Option<f64>,
    /// What the comparison shows.
    pub verdict: String,
    /// Why, in one sentence.
    pub reason: String,
    /// What to do about it; none of control.
    #[serde(skip_deserializing)]
    pub next: Option<String>,
}

/// Reads the experiments of a version; with `name` only that one. `declared` are the experiments of the pipeline file as it is now:
/// those that a version does not have yet are no mistake.
pub fn readout(
    store: &Store,
    version: &Version,
    name: Option<&str>,
    declared: &[String],
) -> Result<Readout, PipelineError> {
    let mut experiments = experiments(version)?;
    if let Some(name) = name {
        let known: Vec<String> = experiments.iter().map(|e| e.experiment.clone()).collect();
        experiments.retain(|experiment| experiment.experiment == name);
        if experiments.is_empty() {
            return Err(absent(store, version, name, &known, declared));
        }
    } else if experiments.is_empty() {
        return Err(match declared.first() {
            Some(name) => absent(store, version, name, &[], declared),
            None => PipelineError::NoExperiment {
                experiment: None,
                version: version.number(),
                as_of: version.as_of(),
                why: "the pipeline file declares none either; `[experiments.NAME]` does, see docs/experiments.md".to_owned(),
            },
        });
    }
    Ok(Readout {
        version: version.number(),
        as_of: version.as_of(),
        experiments,
    })
}

impl Readout {
    /// As text for people.
    pub fn to_text(&self) -> String {
        text::text(self)
    }
}

/// All experiments of a version, by name.
fn experiments(version: &Version) -> Result<Vec<ExperimentRead>, PipelineError> {
    let mut found: Vec<ExperimentRead> = Vec::new();
    if !version.has(TABLE) {
        return Ok(found);
    }
    for batch in version.read(TABLE)? {
        for row in 0..batch.num_rows() {
            let schema = batch.schema();
            let fields = schema.fields().iter().zip(batch.columns());
            let row: Map<String, Value> = fields
                .map(|(field, column)| (field.name().clone(), value(column, row)))
                .collect();
            let row = Value::Object(row);
            let variant: VariantRead = of_row(&row)?;
            let own: ExperimentRead = of_row(&row)?;
            match found.last_mut() {
                Some(last) if last.experiment == own.experiment => last.variants.push(variant),
                _ => found.push(ExperimentRead {
                    variants: vec![variant],
                    ..own
                }),
            }
        }
    }
    for experiment in &mut found {
        experiment.variants.sort_by_key(|variant| !variant.control);
        let advised: Vec<Option<String>> = experiment
            .variants
            .iter()
            .map(|variant| advice::next(experiment, variant))
            .collect();
        for (variant, next) in experiment.variants.iter_mut().zip(advised) {
            variant.next = next;
        }
    }
    Ok(found)
}

/// A row as a struct. Every column of the table is one that it has always had, so that only another program's table fails.
fn of_row<T: for<'a> Deserialize<'a>>(row: &Value) -> Result<T, PipelineError> {
    T::deserialize(row).map_err(|error| PipelineError::OtherTable {
        table: TABLE,
        reason: error.to_string(),
    })
}

/// Why a version lacks an experiment: its name is another one, or it was declared later.
fn absent(
    store: &Store,
    version: &Version,
    name: &str,
    known: &[String],
    declared: &[String],
) -> PipelineError {
    let why = if let Some((number, day)) = first_with(store, version, name) {
        format!("version {number} of {day} is the first after it that has: `--version {number}`")
    } else if declared.iter().any(|one| one == name) {
        "it was made before the pipeline file had it; `tessera run` makes one that has it"
            .to_owned()
    } else {
        let names: Vec<&str> = known.iter().chain(declared).map(String::as_str).collect();
        match (suggest(name, &names), known) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, []) => "it has none".to_owned(),
            (None, known) => format!("it has {}", known.join(", ")),
        }
    };
    PipelineError::NoExperiment {
        experiment: Some(name.to_owned()),
        version: version.number(),
        as_of: version.as_of(),
        why,
    }
}

/// The first version of a later day that has the experiment, of those that can be read.
fn first_with(store: &Store, version: &Version, name: &str) -> Option<(u64, NaiveDate)> {
    let listed = store.list().ok()?.into_iter();
    let mut later: Vec<(NaiveDate, u64)> = listed
        .filter(|known| known.as_of > version.as_of())
        .map(|known| (known.as_of, known.version))
        .collect();
    later.sort_unstable();
    let has = |number: u64| {
        let found = store
            .version(number)
            .ok()
            .and_then(|at| experiments(&at).ok());
        found.is_some_and(|found| found.iter().any(|one| one.experiment == name))
    };
    let first = later.into_iter().find(|(_, number)| has(*number));
    first.map(|(day, number)| (number, day))
}
