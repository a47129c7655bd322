//! What a section shows of every model of every score: first the model that is used, the others collapsed.

use serde::Serialize;

use crate::score::Score;
use crate::sql::key;
use crate::text::{title, words};

/// Largest number of scores shown.
const MOST_SCORES: usize = 40;

/// What is shown of a score; the macro `each_model` draws it.
#[derive(Serialize)]
pub(crate) struct ByModel<M> {
    key: String,
    title: String,
    models: Vec<OfModel<M>>,
}

#[derive(Serialize)]
struct OfModel<M> {
    key: String,
    name: String,
    serves: bool,
    #[serde(flatten)]
    shown: M,
}

/// Calls `show` for the models that `named` finds in a score; scores of which nothing is shown are left out.
pub(crate) fn by_model<'a, M>(
    scores: &[Score<'a>],
    named: impl Fn(&Score<'a>) -> Vec<&'a str>,
    show: impl Fn(&Score<'a>, &str) -> Option<M>,
) -> Vec<ByModel<M>> {
    let of_score = |score: &Score<'a>| {
        let models: Vec<OfModel<M>> = score
            .models(named(score).into_iter())
            .into_iter()
            .filter_map(|name| {
                Some(OfModel {
                    key: key(name),
                    name: words(name),
                    serves: score.served == Some(name),
                    shown: show(score, name)?,
                })
            })
            .collect();
        (!models.is_empty()).then(|| ByModel {
            key: key(score.name),
            title: title(score.name),
            models,
        })
    };
    scores
        .iter()
        .filter_map(of_score)
        .take(MOST_SCORES)
        .collect()
}
