//! Edges that `rfm_grid` schemes with frozen scores take from an earlier version.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use chrono::NaiveDate;
use serde_json::{Value, json};
use tessera_segments::FrozenEdges;
use tessera_snapshot::{Store, StoreError, Version};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics};
use tessera_spec::pipeline::{RfmGrid, Scheme, SchemeKind, ScoreMethod};

use crate::error::PipelineError;

/// Name, number and text of a parameter.
type Row = (String, Option<f64>, Option<String>);

/// Frozen edges by scheme.
#[derive(Debug, Default)]
pub(crate) struct Frozen(BTreeMap<String, Taken>);

#[derive(Debug)]
struct Taken {
    edges: FrozenEdges,
    version: u64,
    rows: Vec<Row>,
}

impl Frozen {
    /// The edges of a scheme.
    pub(crate) fn get(&self, scheme: &str) -> Option<&FrozenEdges> {
        self.0.get(scheme).map(|taken| &taken.edges)
    }

    /// The edges and the versions they come from, since both appear in published tables.
    pub(crate) fn identity(&self) -> Value {
        self.0
            .iter()
            .map(|(scheme, taken)| json!([scheme, taken.version, taken.rows]))
            .collect()
    }
}

/// Takes the edges of every scheme with frozen scores from the pipeline's store, if there is one.
pub(crate) fn frozen_edges(
    pipeline: &Pipeline,
    as_of: NaiveDate,
    found: &mut Diagnostics,
) -> Result<Frozen, PipelineError> {
    let mut frozen = Frozen::default();
    let schemes: Vec<(&Scheme, Option<u64>)> = pipeline
        .schemes
        .iter()
        .filter_map(|scheme| frozen_version(&scheme.kind).map(|version| (scheme, version)))
        .collect();
    if schemes.is_empty() {
        return Ok(frozen);
    }
    let path = Path::new(&pipeline.store);
    let store = path
        .join("FORMAT")
        .exists()
        .then(|| Store::open(path))
        .transpose()?;
    for (scheme, wanted) in schemes {
        let name = &scheme.name.value;
        let taken = match (&store, wanted) {
            (Some(store), Some(number)) => edges_of_version(store, scheme, number, found)?,
            (Some(store), None) => first_edges(store, name, as_of)?,
            (None, Some(number)) => {
                let place = path.display();
                let what = format!("there is no store in {place}, so there is no version {number}");
                found.extend([missing(scheme, what)]);
                None
            }
            (None, None) => None,
        };
        if let (Some(taken), SchemeKind::RfmGrid(rfm)) = (&taken, &scheme.kind)
            && let Err(error) = taken.edges.fits(rfm)
        {
            let span = scheme.name.span.clone();
            found.extend([Diagnostic::error("TS-G006", error.to_string(), span)]);
        }
        frozen.0.extend(taken.map(|taken| (name.clone(), taken)));
    }
    Ok(frozen)
}

/// The edges of the version that a scheme names; an error if it has none.
fn edges_of_version(
    store: &Store,
    scheme: &Scheme,
    number: u64,
    found: &mut Diagnostics,
) -> Result<Option<Taken>, PipelineError> {
    let name = &scheme.name.value;
    let what = match store.version(number) {
        Ok(version) => match edges_of(&version, name)? {
            Some(taken) => return Ok(Some(taken)),
            None => format!("version {number} has no edges of the scheme `{name}`"),
        },
        Err(error @ (StoreError::NoVersion { .. } | StoreError::Expired { .. })) => {
            error.to_string()
        }
        Err(error) => return Err(error.into()),
    };
    found.extend([missing(scheme, what)]);
    Ok(None)
}

/// The version that a scheme names for its edges, `Some(None)` where it uses the first version that has edges.
fn frozen_version(kind: &SchemeKind) -> Option<Option<u64>> {
    match kind {
        SchemeKind::RfmGrid(RfmGrid {
            score_method: ScoreMethod::Frozen { version },
            ..
        }) => Some(*version),
        _ => None,
    }
}

fn missing(scheme: &Scheme, what: String) -> Diagnostic {
    Diagnostic::error("TS-G006", what, scheme.name.span.clone()).with_help(
        "choose a version of `tessera snapshots STORE` that has this scheme, or write \
         `score_method = \"frozen\"` without a version: then the first run computes the edges",
    )
}

/// The edges of the oldest version that has edges. Versions of the same day do not count: running a day again must not depend on
/// earlier versions of that day.
fn first_edges(
    store: &Store,
    scheme: &str,
    as_of: NaiveDate,
) -> Result<Option<Taken>, PipelineError> {
    let standings = store.standings()?;
    for listed in store.list()? {
        let replaced = standings
            .get(&listed.version)
            .is_some_and(|standing| standing.damaged_replaced_by.is_some());
        if listed.as_of == as_of || replaced || store.is_expired(listed.version)? {
            continue;
        }
        let version = store.version(listed.version)?;
        if let Some(taken) = edges_of(&version, scheme)? {
            return Ok(Some(taken));
        }
    }
    Ok(None)
}

fn edges_of(version: &Version, scheme: &str) -> Result<Option<Taken>, PipelineError> {
    let mut rows: Vec<Row> = Vec::new();
    for batch in version.read("models")? {
        let text = |name: &str| {
            batch
                .column_by_name(name)
                .and_then(|column| column.as_string_opt::<i32>())
        };
        let (Some(scores), Some(models), Some(names), Some(texts)) =
            (text("score"), text("model"), text("name"), text("text"))
        else {
            continue;
        };
        let values = batch
            .column_by_name("value")
            .and_then(|column| column.as_primitive_opt::<Float64Type>());
        for row in 0..batch.num_rows() {
            if scores.value(row) == scheme && models.value(row) == "rfm_grid" {
                let value = values.and_then(|values| values.iter().nth(row).flatten());
                let text = texts.iter().nth(row).flatten().map(str::to_owned);
                rows.push((names.value(row).to_owned(), value, text));
            }
        }
    }
    let edges = FrozenEdges::from_parameters(
        Some(version.number()),
        rows.iter()
            .map(|(name, value, text)| (name.as_str(), *value, text.as_deref())),
    )?;
    Ok(edges.map(|edges| Taken {
        edges,
        version: version.number(),
        rows,
    }))
}
