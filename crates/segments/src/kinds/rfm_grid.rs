//! `kind = "rfm_grid"`: scores for recency, frequency and monetary value, then a grid of named cells.

mod cells;
mod keys;
mod margin;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::Array as _;
use rayon::prelude::*;
use tessera_spec::pipeline::{LifecycleLimits, Refit, Scheme, SchemeKind};

use crate::assignment::{AssignedBy, Assignment, Extra, Reasons, SegmentInfo, Warning, WorstValue};
use crate::cells::{Axis, Cells};
use crate::customers::Customers;
use crate::edges::{CLOSED, DIMENSIONS, FrozenEdges, MODEL, check_edges, edges_of_bins};
use crate::error::SegmentError;
use crate::fit::Fit;
use crate::grid::{CellMap, OTHERS, grid_name, lint};
use crate::kind::{Kind, Learning, Nearest, Vacant, declared, never_too_few, settings};
use crate::parameter::Parameter;
use crate::quality::{Quality, Threshold};
use crate::rank::Ranking;
use crate::rfm::{Closed, NOT_SCORED, RfmGrid, ScoreMethod};
use crate::rule_reasons::write_cell;
use crate::score::{Good, by_edges, midrank, quantile_edges};
use cells::{GridCells, missing_words};

pub use margin::{cells_within, within_margin};

/// The name of the form in which it stores what it learned.
const FORM: &str = "edges";

pub(super) static KIND: Kind = Kind {
    syntax: keys::SYNTAX,
    docs: "Decides: each of the three features becomes a score from 1 to k (5 by default), higher is better, small recency is good. \
           Methods: `midrank` (mid-distribution rank), `quantile` (type-7 quantiles of this run, optionally shifted, closed left or \
           right), `threshold` (edges as given, right-closed), `frozen` (edges of an earlier version; the first run computes them, and `quality` says where features or sources changed since). \
           Equal values always get equal scores. The grid then names the cell.\n\
           Missing values: a customer with one of the three missing is `Not Scored` and is left out of ranks and edges.\n\
           Publishes: `<scheme>_score` (the digits R, F, M), `<scheme>_r`, `<scheme>_f` and `<scheme>_m` (each alone), `<scheme>_weighted` where weights are set, and in `models` the method, \
           the features, the edges (`recency_edge_1` …, `edges_closed`) and the number of distinct values; in `quality` a row `told apart` \
           for a feature whose worst value, such as one order, so many customers have that their score is in the middle or above, \
           unless the edges are stated.",
    words: "recency, frequency and money scores",
    example: "grid = \"eleven\"\nscore_method = \"midrank\"",
    nearest: Nearest::Limits(limits),
    declared: declared::<RfmGrid>,
    assign,
    learning: Some(Learning {
        form: FORM,
        files: &[
            "crates/segments/src/edges.rs",
            "crates/segments/src/rank.rs",
            "crates/segments/src/rfm.rs",
            "crates/segments/src/score.rs",
            "crates/segments/src/kinds/rfm_grid",
        ],
        restore: Fit::restored::<FrozenEdges>,
        too_few: never_too_few,
        apply,
    }),
    vacant: |scheme, _, segment| {
        let config: &RfmGrid = scheme.kind.of()?;
        let is_missing = segment == NOT_SCORED;
        is_missing.then(|| Vacant::Stated(missing_words(config)))
    },
};

/// Scores of the three dimensions, per customer, and the edges they were cut at.
struct Scored {
    scores: [Vec<u8>; 3],
    edges: Option<FrozenEdges>,
}

fn assign(
    scheme: &Scheme,
    customers: &Customers,
    extra: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let config: &RfmGrid = settings(&KIND, scheme)?;
    let name = scheme.name.value.as_str();
    let map = CellMap::new(&config.grid.value, config.scores)?;
    let (values, rankings) = ranked(config, customers)?;
    let given = extra.learned.and_then(Fit::get::<FrozenEdges>);
    let mut scored = score(config, &values, &rankings, given)?;
    let learned = learned(config, &values, &scored);
    if let (Some(edges), Refit::Never | Refit::Days(_) | Refit::Months(_), None) =
        (&learned, scheme.refit, &scored.edges)
    {
        // The edges that decide on later days decide on this one.
        scored = by(edges.clone(), &values);
    }

    let cells = GridCells::new(config, &map);
    let codes: Vec<u32> = (0..customers.len())
        .map(|row| cells.code(scored.scores.each_ref().map(|s| s[row])))
        .collect();
    let mut segments: Vec<SegmentInfo> = map
        .segments()
        .iter()
        .zip(map.rules())
        .map(|(segment, rule)| SegmentInfo::new(name, segment, Some(rule.clone())))
        .collect();
    let not_scored = cells.not_scored(&codes, (name, config), &mut segments);
    let segment_of: Vec<u32> = codes
        .iter()
        .map(|&code| cells.segment(code).map_or(not_scored, |index| index as u32))
        .collect();

    let mut assignment = Assignment {
        scheme: name.to_owned(),
        kind: KIND.syntax.name,
        warnings: warnings(config, &rankings, &scored, given.is_some())?,
        quality: worst_values(config, &rankings, &scored),
        columns: cells.columns(name, &codes, config),
        parameters: parameters(config, &rankings, scored.edges.as_ref()),
        reasons: reasons(config, customers, &cells, &map, codes)?,
        segments,
        segment_of,
        assigned_by: AssignedBy::Rule,
        held: BTreeMap::new(),
        fit: learned.map_or_else(Fit::default, |edges| Fit::new(FORM, edges)),
    };
    uncovered_warning(config, &mut assignment)?;
    Ok(assignment)
}

/// Scores by the edges that another assignment learned.
fn apply(
    learned: &Assignment,
    scheme: &Scheme,
    customers: &Customers,
    extra: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let config: &RfmGrid = settings(&KIND, scheme)?;
    let frozen = RfmGrid {
        score_method: ScoreMethod::Frozen { version: None },
        ..config.clone()
    };
    let frozen = Scheme {
        kind: SchemeKind::new(KIND.syntax.name, frozen),
        ..scheme.clone()
    };
    let extra = Extra {
        learned: Some(&learned.fit),
        ..*extra
    };
    assign(&frozen, customers, &extra)
        .and_then(Assignment::checked)
        .map_err(|error| error.in_scheme(&scheme.name.value))
}

/// The cells of the grid between the edges that were fitted or are stated.
fn limits(scheme: &Scheme, _: &LifecycleLimits, fit: &Fit) -> Result<Option<Cells>, SegmentError> {
    let config: &RfmGrid = settings(&KIND, scheme)?;
    let stated = stated_edges(config);
    let Some(edges) = fit.get::<FrozenEdges>().or(stated.as_ref()) else {
        return Ok(None);
    };
    let map = CellMap::new(&config.grid.value, config.scores)?;
    let grid = GridCells::new(config, &map);
    let axis = |(column, limits): (&String, &Vec<f64>)| Axis {
        column: column.clone(),
        limits: limits.clone(),
        closed: edges.closed,
        by_time: false,
    };
    let cells = (0..grid.count()).map(|code| {
        // Ranges rise with the value, scores of recency fall.
        let [r, f, m] = grid.digits(code);
        let code = grid.code([config.scores + 1 - r, f, m]);
        grid.segment(code).unwrap_or_default() as u32
    });
    Ok(Some(Cells {
        axes: edges.features.iter().zip(&edges.edges).map(axis).collect(),
        segments: map.segments().to_vec(),
        cells: cells.collect(),
        within: BTreeMap::new(),
    }))
}

/// The edges that the settings state, if they do.
fn stated_edges(config: &RfmGrid) -> Option<FrozenEdges> {
    let ScoreMethod::Threshold {
        recency,
        frequency,
        monetary,
    } = &config.score_method
    else {
        return None;
    };
    let given = [recency, frequency, monetary].map(Clone::clone);
    Some(edges_of(config, given, Closed::Right))
}

/// The cell's reason with the three values: `R5 (recency_days 3) F4 (order_count 12) M5 (spend_total 4,310) is Champions in …`.
fn reasons(
    config: &RfmGrid,
    customers: &Customers,
    cells: &GridCells,
    map: &CellMap,
    codes: Vec<u32>,
) -> Result<Reasons, SegmentError> {
    let texts = cells.endings(map);
    let names = features(config).map(str::to_owned);
    let [r, f, m] = features(config);
    let values = [
        customers.column(r)?.clone(),
        customers.column(f)?.clone(),
        customers.column(m)?.clone(),
    ];
    let digits: Vec<[u8; 3]> = (0..cells.count()).map(|code| cells.digits(code)).collect();
    Ok(Reasons::Written(Arc::new(move |row, to| {
        let code = codes[row] as usize;
        let Some(digits) = digits.get(code) else {
            to.push_str("not scored: ");
            let missing = names.iter().zip(&values);
            let missing = missing.filter(|(_, values)| values.is_null(row));
            let missing: Vec<&str> = missing.map(|(name, _)| name.as_str()).collect();
            to.push_str(&missing.join(", "));
            to.push_str(if missing.len() == 1 {
                " is missing"
            } else {
                " are missing"
            });
            return;
        };
        for (place, digit) in digits.iter().enumerate() {
            let sign = ["R", "F", "M"][place];
            // Writing to a String cannot fail.
            let _ = write!(to, "{sign}{digit} ({} ", names[place]);
            write_cell(&values[place], row, &[], to);
            to.push_str(") ");
        }
        to.push_str(&texts[code]);
    })))
}

fn features(config: &RfmGrid) -> [&str; 3] {
    [&config.recency, &config.frequency, &config.monetary].map(|feature| feature.value.as_str())
}

/// The three features, NaN for customers with any of the three missing: only customers that get a score are ranked.
fn complete_values(config: &RfmGrid, customers: &Customers) -> Result<[Vec<f64>; 3], SegmentError> {
    let [mut r, mut f, mut m] = {
        let [r, f, m] = features(config);
        [
            customers.numeric(r)?,
            customers.numeric(f)?,
            customers.numeric(m)?,
        ]
        .map(crate::customers::Numeric::into_values)
    };
    for ((r, f), m) in r.iter_mut().zip(&mut f).zip(&mut m) {
        if r.is_nan() || f.is_nan() || m.is_nan() {
            (*r, *f, *m) = (f64::NAN, f64::NAN, f64::NAN);
        }
    }
    Ok([r, f, m])
}

/// The values of the three dimensions, and the customers ranked by each.
fn ranked(
    config: &RfmGrid,
    customers: &Customers,
) -> Result<([Vec<f64>; 3], Vec<Ranking>), SegmentError> {
    let values = complete_values(config, customers)?;
    let rankings = values.par_iter().map(|values| Ranking::new(values));
    let rankings = rankings.collect();
    Ok((values, rankings))
}

fn score(
    config: &RfmGrid,
    values: &[Vec<f64>; 3],
    rankings: &[Ranking],
    given: Option<&FrozenEdges>,
) -> Result<Scored, SegmentError> {
    if let Some(given) = given {
        given.fits(config)?;
        return Ok(by(given.clone(), values));
    }
    let computed = |closed, offset| {
        let edges = [0, 1, 2].map(|index| quantile_edges(&rankings[index], config.scores, offset));
        (!rankings[0].values().is_empty()).then(|| edges_of(config, edges, closed))
    };
    let edges = match &config.score_method {
        ScoreMethod::Midrank => None,
        ScoreMethod::Quantile {
            closed,
            edge_offset,
        } => computed(*closed, *edge_offset),
        ScoreMethod::Threshold { .. } => stated_edges(config),
        ScoreMethod::Frozen { .. } => computed(Closed::Right, 0.0),
    };
    if let Some(edges) = edges {
        for (index, dimension) in edges.edges.iter().enumerate() {
            check_edges(index, dimension, usize::from(config.scores) - 1)?;
        }
        return Ok(by(edges, values));
    }
    let scores = [0, 1, 2].map(|index| {
        midrank(
            &rankings[index],
            values[index].len(),
            config.scores,
            good(index),
        )
    });
    Ok(Scored {
        scores,
        edges: None,
    })
}

/// Which values of a dimension are good.
fn good(dimension: usize) -> Good {
    if dimension == 0 {
        Good::Small
    } else {
        Good::Large
    }
}

/// The scores by these edges.
fn by(edges: FrozenEdges, values: &[Vec<f64>; 3]) -> Scored {
    let scores = [0, 1, 2].map(|index| {
        by_edges(
            &values[index],
            &edges.edges[index],
            edges.closed,
            good(index),
        )
    });
    Scored {
        scores,
        edges: Some(edges),
    }
}

/// The edges that give customers in another state the scores they would have had in this run.
fn learned(config: &RfmGrid, values: &[Vec<f64>; 3], scored: &Scored) -> Option<FrozenEdges> {
    match (&config.score_method, &scored.edges) {
        (ScoreMethod::Threshold { .. }, _) => None,
        (_, Some(edges)) => Some(edges.clone()),
        (_, None) if values[0].iter().all(|value| value.is_nan()) => None,
        (_, None) => {
            let edges = [0, 1, 2].map(|index| {
                let score = &scored.scores[index];
                // Scores of recency fall with the value.
                let bin = |row: usize| match (values[index][row].is_nan(), index) {
                    (true, _) => None,
                    (false, 0) => Some(config.scores - score[row]),
                    (false, _) => Some(score[row] - 1),
                };
                edges_of_bins(&values[index], bin, config.scores)
            });
            Some(edges_of(config, edges, CLOSED))
        }
    }
}

fn edges_of(config: &RfmGrid, edges: [Vec<f64>; 3], closed: Closed) -> FrozenEdges {
    FrozenEdges {
        edges,
        closed,
        features: features(config).map(str::to_owned),
    }
}

fn warnings(
    config: &RfmGrid,
    rankings: &[Ranking],
    scored: &Scored,
    learned_before: bool,
) -> Result<Vec<Warning>, SegmentError> {
    let mut warnings = Vec::new();
    let edges_of_these = |index: usize, feature: &str| {
        let equal = || equal_edges(config, feature, (index, scored));
        (!learned_before).then(equal).flatten()
    };
    for (index, (feature, ranking)) in features(config).iter().zip(rankings).enumerate() {
        let distinct = ranking.distinct();
        if distinct < usize::from(config.scores) {
            warnings.push(Warning::FewDistinctValues {
                feature: (*feature).to_owned(),
                distinct,
                scores: config.scores,
            });
        } else if let Some(equal) = edges_of_these(index, feature) {
            warnings.push(equal);
        } else {
            let worst = worst_value(config, (index, feature), ranking, scored);
            warnings.extend(worst.map(Warning::WorstValue));
        }
    }
    let lint = lint(&config.grid.value, config.scores)?;
    if !lint.dead.is_empty() {
        warnings.push(Warning::DeadLines {
            segments: lint.dead,
        });
    }
    Ok(warnings)
}

/// A feature whose worst value so many customers have that their score is no low one, unless the limits of scores are stated.
fn worst_value(
    config: &RfmGrid,
    (index, feature): (usize, &str),
    ranking: &Ranking,
    scored: &Scored,
) -> Option<WorstValue> {
    let worst = match good(index) {
        Good::Small => ranking.ties().last()?,
        Good::Large => ranking.ties().next()?,
    };
    let score = scored.scores[index][ranking.rows()[worst.start] as usize];
    let stated = matches!(config.score_method, ScoreMethod::Threshold { .. });
    // Fewer customers than scores cannot have all of them.
    let enough = ranking.len() >= usize::from(config.scores);
    (!stated && enough && score > highest_low(config)).then(|| WorstValue {
        feature: feature.to_owned(),
        value: ranking.values()[worst.start],
        customers: worst.len() as u64,
        scored: ranking.len() as u64,
        score,
        scores: config.scores,
    })
}

/// The highest score that is below the middle: 2 of 5.
fn highest_low(config: &RfmGrid) -> u8 {
    config.scores / 2
}

/// Customers with the worst value whose score is no low one.
fn worst_values(config: &RfmGrid, rankings: &[Ranking], scored: &Scored) -> Vec<Quality> {
    let features = features(config).into_iter().zip(rankings).enumerate();
    let found = features.filter_map(|(index, (feature, ranking))| {
        let worst = worst_value(config, (index, feature), ranking, scored)?;
        Some(Quality::judged(
            "",
            "told apart",
            format!("score_of_worst_{feature}"),
            (
                f64::from(worst.score),
                Threshold::at_most(f64::from(highest_low(config))),
            ),
            Some(worst.to_string()),
        ))
    });
    found.collect()
}

/// Edges that were made of these customers and fall on one value, so that no customer has the scores between them.
fn equal_edges(
    config: &RfmGrid,
    feature: &str,
    (index, scored): (usize, &Scored),
) -> Option<Warning> {
    let of_customers = matches!(
        config.score_method,
        ScoreMethod::Quantile { .. } | ScoreMethod::Frozen { .. }
    );
    let edges = &scored.edges.as_ref().filter(|_| of_customers)?.edges[index];
    let equal = edges.chunk_by(|a, b| a == b).max_by_key(|run| run.len())?;
    let scores = &scored.scores[index];
    let empty: Vec<u8> = (1..=config.scores)
        .filter(|score| !scores.contains(score))
        .collect();
    (equal.len() > 1 && !empty.is_empty()).then(|| Warning::EqualEdges {
        feature: feature.to_owned(),
        value: equal[0],
        equal: equal.len(),
        edges: edges.len(),
        empty,
    })
}

fn uncovered_warning(config: &RfmGrid, assignment: &mut Assignment) -> Result<(), SegmentError> {
    let cells = lint(&config.grid.value, config.scores)?.uncovered.len();
    let others = assignment
        .segments
        .iter()
        .position(|segment| segment.name == OTHERS);
    if let (Some(index), true) = (others, cells > 0) {
        let customers = assignment.counts()[index];
        if customers > 0 {
            assignment
                .warnings
                .push(Warning::UncoveredCells { cells, customers });
        }
    }
    Ok(())
}

fn parameters(
    config: &RfmGrid,
    rankings: &[Ranking],
    edges: Option<&FrozenEdges>,
) -> Vec<Parameter> {
    let method = match config.score_method {
        ScoreMethod::Midrank => "midrank",
        ScoreMethod::Quantile { .. } => "quantile",
        ScoreMethod::Threshold { .. } => "threshold",
        ScoreMethod::Frozen { .. } => "frozen",
    };
    let mut rows = vec![
        Parameter::text(MODEL, "grid", grid_name(&config.grid.value)),
        Parameter::text(MODEL, "score_method", method),
        Parameter::number(MODEL, "scores", f64::from(config.scores)),
        Parameter::number(MODEL, "customers_scored", rankings[0].len() as f64),
    ];
    if let ScoreMethod::Quantile { edge_offset, .. } = config.score_method {
        rows.push(Parameter::number(MODEL, "edge_offset", edge_offset));
    }
    for (index, dimension) in DIMENSIONS.iter().enumerate() {
        rows.push(Parameter::text(
            MODEL,
            format!("{dimension}_feature"),
            features(config)[index],
        ));
        rows.push(Parameter::number(
            MODEL,
            format!("{dimension}_distinct"),
            rankings[index].distinct() as f64,
        ));
        rows.push(Parameter::number(
            MODEL,
            format!("{dimension}_weight"),
            config.weights[index],
        ));
    }
    if let Some(edges) = edges {
        rows.extend(edges.parameters());
    }
    rows
}
