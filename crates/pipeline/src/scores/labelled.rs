//! Churn that the data states: `label` of a supervised score is a condition over the features of today. There are no observation
//! dates, so models learn from all customers with a label, and are tested on other customers, not at a later date.

use arrow::array::RecordBatch;
use tessera_features::FeatureInfo;
use tessera_model::churn::{ChurnError, Observation, Panel};
use tessera_segments::{Parameter, Quality, QualityStatus};

use super::inputs::{customer_hashes, inputs, label_name, made_of_label};
use super::population::{POPULATION, Standing, condition_name, truths};
use super::supervised::settings::SupervisedScore;
use super::telling::telling;
use super::{Given, NotComputed, not_computed};
use crate::base;
use crate::sources::epoch_day;
use crate::untimed::named;

/// The criterion of features that know the label.
pub(super) const WITHOUT_LABEL: &str = "known without the label";

/// Whether each customer can churn: it is in the population, and the label does not say that it has. And the label itself, of those
/// who are in the population.
fn standings(
    score: &SupervisedScore,
    name: &str,
    table: &RecordBatch,
) -> Result<(Vec<Standing>, Vec<Option<bool>>), NotComputed> {
    let mut labels = truths(table, &label_name(name))?;
    let fits = match score.population {
        Some(_) => Some(truths(table, &condition_name(name))?),
        None => None,
    };
    let active = base::active(table);
    let standing = |row: usize| {
        if active.as_ref().is_some_and(|active| !active.value(row)) {
            return Standing::Closed;
        }
        let fits = fits.as_ref().is_none_or(|fits| fits[row] == Some(true));
        match labels[row] {
            Some(true) => Standing::ChurnedBefore,
            _ if fits => Standing::Living,
            _ => Standing::Outside,
        }
    };
    let standings: Vec<Standing> = (0..table.num_rows()).map(standing).collect();
    for (row, label) in labels.iter_mut().enumerate() {
        let fits = fits.as_ref().is_none_or(|fits| fits[row] == Some(true));
        // A closed account that churned by the label is one to learn from; another one was closed for a reason that it does not
        // state.
        let closed = standings[row] == Standing::Closed && *label != Some(true);
        if !fits || closed {
            *label = None;
        }
    }
    Ok((standings, labels))
}

/// Whether each customer can churn.
pub(super) fn living(
    score: &SupervisedScore,
    given: &Given<'_>,
) -> Result<Vec<Standing>, NotComputed> {
    standings(score, given.name, given.table).map(|(standings, _)| standings)
}

/// The customers whose label is known, or as many of them as are trained on.
pub(super) struct Labelled {
    rows: Vec<u32>,
    churned: Vec<bool>,
    customer: Vec<u64>,
}

/// Those customers.
pub(super) fn labelled(
    score: &SupervisedScore,
    given: &Given<'_>,
    most: usize,
    parameters: &mut Vec<Parameter>,
) -> Result<Labelled, NotComputed> {
    let (_, labels) = standings(score, given.name, given.table)?;
    let known = labels.iter().flatten().count();
    let churned = labels.iter().filter(|label| **label == Some(true)).count();
    for (what, number) in [
        ("labelled customers", known),
        ("labelled as churned", churned),
    ] {
        parameters.push(Parameter::number(POPULATION, what, number as f64));
    }
    if known == 0 {
        let reason = "`label` is known of no customer of the population";
        return Err(NotComputed::Data(reason.to_owned()));
    }
    let customers = customer_hashes(given.table.column(0));
    let share = most as f64 / known as f64;
    let (mut rows, mut churned, mut customer) = (Vec::new(), Vec::new(), Vec::new());
    for (row, label) in labels.into_iter().enumerate() {
        // The same customers in every run, whatever the order of rows.
        let drawn = || (customers[row] >> 11) as f64 / (1u64 << 53) as f64 <= share;
        if let Some(label) = label.filter(|_| drawn()) {
            rows.push(row as u32);
            churned.push(label);
            customer.push(customers[row]);
        }
    }
    Ok(Labelled {
        rows,
        churned,
        customer,
    })
}

/// Why nothing was learned, in the terms of a label: there are no dates of which there could be more.
pub(super) fn not_learned(error: ChurnError) -> NotComputed {
    match error {
        ChurnError::TooLittleData {
            what,
            slice,
            found,
            needed,
        } => NotComputed::Data(format!(
            "by `label`, {found} customers of the {slice} slice {what}, but {needed} are needed; learn from more customers, or from a label that tells more of them apart"
        )),
        other => other.into(),
    }
}

/// The features that do not state the label; the others are named in `quality`.
pub(super) fn untelling<'p>(
    found: &Labelled,
    given: &Given<'_>,
    features: &[&'p FeatureInfo],
    quality: &mut Vec<Quality>,
) -> Result<Vec<&'p FeatureInfo>, NotComputed> {
    let known = (found.rows.as_slice(), found.churned.as_slice());
    let telling = telling(given.table, features, known, given.as_of)?;
    if telling.is_empty() {
        return Ok(features.to_vec());
    }
    let said: Vec<String> = telling
        .iter()
        .map(|(info, how)| format!("`{}`: {how}", info.name))
        .collect();
    let reason = format!(
        "features that state the label are left out: {}",
        said.join("; ")
    );
    tracing::warn!(score = given.name, "score `{}`: {reason}", given.name);
    quality.push(Quality {
        segment: String::new(),
        criterion: WITHOUT_LABEL,
        metric: "features that state the label".to_owned(),
        value: Some(telling.len() as f64),
        threshold: None,
        status: QualityStatus::Ok,
        reason: Some(reason.clone()),
    });
    let tells = |info: &FeatureInfo| telling.iter().any(|(own, _)| own.name == info.name);
    let kept: Vec<&FeatureInfo> = features
        .iter()
        .copied()
        .filter(|info| !tells(info))
        .collect();
    match kept.is_empty() {
        true => Err(NotComputed::Data(format!(
            "no other feature is there; {reason}"
        ))),
        false => Ok(kept),
    }
}

/// The features of these customers, and their labels.
pub(super) fn panel(
    found: Labelled,
    given: &Given<'_>,
    features: &[&FeatureInfo],
) -> Result<Panel, NotComputed> {
    let day = given.as_of;
    Ok(Panel::stack(vec![Observation {
        inputs: inputs(given.table, features, day, Some(&found.rows))?,
        churned: found.churned,
        customer: found.customer,
        observed_on: epoch_day(day),
    }])?)
}

/// What is said of a score with a label: it was not tested at a later date, and which features it does not use.
pub(super) fn stated(score: &SupervisedScore, given: &Given<'_>) -> Vec<Quality> {
    let Some(label) = &score.label else {
        return Vec::new();
    };
    let mut rows = vec![not_computed(
        "backtest on later data",
        format!(
            "who has churned is stated by `{}` and not when: models are tested on other customers, not at a later date",
            label.value.trim()
        ),
    )];
    let plan = &given.prepared.features;
    let hidden = made_of_label(given.name, plan);
    let published = plan.published.iter().map(|info| info.name.as_str());
    let left: Vec<&str> = published
        .filter(|name| hidden.contains(name))
        .filter(|name| {
            score.features.is_empty() || score.features.iter().any(|f| f.value == **name)
        })
        .collect();
    rows.push(Quality {
        segment: String::new(),
        criterion: WITHOUT_LABEL,
        metric: "features left out".to_owned(),
        value: Some(left.len() as f64),
        threshold: None,
        status: QualityStatus::Ok,
        reason: (!left.is_empty())
            .then(|| format!("{}: the label is made of them, or they of it", named(&left))),
    });
    rows
}
