//! What each kind decides and the reasons it gives, on bases small enough to check by hand.

use arrow::array::AsArray;
use tessera_segments::{
    Assignment, Closed, Extra, Grid, GridInterval, QualityStatus, QuantileScheme, RfmGrid,
    ScoreMethod, SegmentError, Warning, WhyEmpty, WorstValue, assign, segment_id,
};
use tessera_spec::pipeline::SchemeKind;

use crate::customer_base::{
    Row, attribute, believable, customers, edit, lifecycle, rfm, rules, scheme, tiers,
};

pub(crate) fn run(kind: SchemeKind, rows: &[Row]) -> Assignment {
    assign(&scheme("s", kind), &customers(rows), &Extra::default()).unwrap()
}

pub(crate) fn refusal(kind: SchemeKind, rows: &[Row], extra: &Extra<'_>) -> String {
    assign(&scheme("s", kind), &customers(rows), extra)
        .unwrap_err()
        .to_string()
}

fn spenders(spend: &[Option<f64>]) -> Vec<Row> {
    spend
        .iter()
        .zip(1..)
        .map(|(&spend, key)| Row {
            key,
            spend,
            ..Row::default()
        })
        .collect()
}

pub(crate) fn names(assignment: &Assignment) -> Vec<&str> {
    (0..assignment.len())
        .map(|row| assignment.segment(row).name.as_str())
        .collect()
}

#[test]
fn segment_ids_are_a_fixed_function_of_the_names() {
    // The low 53 bits of xxh3-64 as Python's xxhash 3 computes it; published ids never change.
    assert_eq!(segment_id("rfm", "Champions"), 3_487_612_302_468_466);
    assert_eq!(segment_id("tier", "top"), 6_463_010_776_399_357);
    assert_ne!(
        segment_id("rfm", "Champions"),
        segment_id("rf", "mChampions")
    );
}

#[test]
fn quantile_tiers_hold_their_exact_share_and_say_the_rank() {
    let rows = spenders(&(1..=40).map(|v| Some(f64::from(v))).collect::<Vec<_>>());
    let found = run(
        tiers(&[("top", 0.05), ("high", 0.2), ("mid", 0.5), ("low", 1.0)]),
        &rows,
    );
    assert_eq!(found.counts(), [2, 6, 12, 20]);
    assert_eq!(found.segment(39).name, "top");
    assert_eq!(found.reason(39), "top 5% by spend_total (rank 1 of 40)");
    assert_eq!(
        found.reason(37),
        "top 20% by spend_total, below the top 5% (rank 3 of 40)"
    );
    assert_eq!(
        found.reason(0),
        "below the top 50% by spend_total (rank 40 of 40)"
    );
    let lowest = |name: &str| {
        found
            .parameters
            .iter()
            .find(|row| row.name == name)
            .unwrap()
            .value
    };
    assert_eq!(
        (lowest("lowest_top"), lowest("lowest_low")),
        (Some(39.0), Some(1.0))
    );
}

/// As many tiers as customers: each has its own, and the one without a value is in none of them.
#[test]
fn quantile_has_any_number_of_tiers() {
    const TIERS: usize = 600;
    let values = (1..=TIERS).map(|v| Some(v as f64)).chain([None]);
    let names_of: Vec<String> = (0..TIERS).map(|tier| format!("t{tier:03}")).collect();
    let shares = (1..=TIERS).map(|tier| tier as f64 / TIERS as f64);
    let stated: Vec<(&str, f64)> = names_of.iter().map(String::as_str).zip(shares).collect();
    let found = run(tiers(&stated), &spenders(&values.collect::<Vec<_>>()));
    let expected: Vec<&str> = stated
        .iter()
        .rev()
        .map(|tier| tier.0)
        .chain(["missing"])
        .collect();
    assert_eq!(names(&found), expected);
}

#[test]
fn quantile_keeps_ties_together_and_the_missing_apart() {
    let rows = spenders(&[
        Some(5.0),
        None,
        Some(5.0),
        Some(5.0),
        Some(1.0),
        Some(f64::NAN),
    ]);
    let found = run(tiers(&[("top", 0.25), ("high", 0.5), ("low", 1.0)]), &rows);
    // The three equal ones have p = 1.5 / 4, the single lowest 3.5 / 4.
    assert_eq!(
        names(&found),
        ["high", "missing", "high", "high", "low", "missing"]
    );
    assert_eq!(found.reason(1), "spend_total is missing");
    assert_eq!(
        found.reason(2),
        "top 50% by spend_total, below the top 25% (rank 1 of 4)"
    );
    assert_eq!(
        found.warnings,
        [Warning::EmptyTiers {
            why: WhyEmpty::Ties,
            tiers: vec!["top".to_owned()]
        }]
    );
}

#[test]
fn quantile_refuses_tiers_that_do_not_rise_to_one() {
    for bad in [
        &[("a", 0.5), ("b", 0.9)][..],
        &[("a", 0.5), ("b", 0.5), ("c", 1.0)],
        &[("a", 1.5)],
        &[("a", f64::NAN)],
        &[],
    ] {
        let message = refusal(tiers(bad), &believable(5), &Extra::default());
        assert!(message.starts_with("[schemes.s]: "), "{message}");
    }
}

/// A value that is called as the segment of something else is in it, and both are counted.
#[test]
fn attribute_says_where_a_segment_has_two_meanings() {
    let countries = [
        "GB",
        "GB",
        "unknown",
        "unknown",
        "",
        "elsewhere",
        "elsewhere",
        "FR",
        "DE",
        "",
    ];
    let rows: Vec<Row> = countries
        .iter()
        .zip(1..)
        .map(|(country, key)| Row {
            key,
            country: Some((*country).to_owned()),
            ..Row::default()
        })
        .collect();
    let found = run(attribute("country", 0.2), &rows);
    let shared = |segment: &str, rare| Warning::SharedSegment {
        segment: segment.to_owned(),
        with_value: 2,
        others: 2,
        rare,
    };
    let expected = [shared("unknown", false), shared("elsewhere", true)];
    assert_eq!(found.warnings, expected);
    let quality: Vec<(&str, &str, Option<f64>)> = found
        .quality
        .iter()
        .map(|row| (row.segment.as_str(), row.metric.as_str(), row.value))
        .collect();
    let expected = [
        ("unknown", "customers_without_value", Some(2.0)),
        ("elsewhere", "customers_with_rare_values", Some(2.0)),
    ];
    assert_eq!(quality, expected);
    let plain = run(attribute("country", 0.2), &rows[..2]);
    assert!(plain.warnings.is_empty() && plain.quality.is_empty());
}

#[test]
fn attribute_gathers_the_rare_and_the_missing() {
    let countries = ["GB", "GB", "GB", "GB", "DE", "DE", "FR", " ", "", "GB"];
    let mut rows: Vec<Row> = countries
        .iter()
        .zip(1..)
        .map(|(country, key)| Row {
            key,
            country: Some((*country).to_owned()),
            ..Row::default()
        })
        .collect();
    rows[9].country = None;
    let found = run(attribute("country", 0.2), &rows);
    let expected = [
        "GB",
        "GB",
        "GB",
        "GB",
        "DE",
        "DE",
        "elsewhere",
        "unknown",
        "unknown",
        "unknown",
    ];
    assert_eq!(names(&found), expected);
    assert_eq!(found.reason(0), "country is GB");
    assert_eq!(
        found.reason(6),
        "country is FR, which fewer than 20% of the customers have"
    );
    assert_eq!(found.reason(9), "country is missing");
}

#[test]
fn rules_take_the_first_true_one_and_quote_it() {
    let rows = believable(4);
    let touch = rules(
        &[
            ("rescue", "churn_probability > 0.6"),
            ("care", "tickets_30d > 3"),
            ("rescue", "nps < 3"),
        ],
        "care",
    );
    let hits = [Some(2), None, Some(1), Some(0)];
    let extra = Extra {
        rule_hits: Some(&hits),
        ..Extra::default()
    };
    let found = assign(&scheme("touch", touch.clone()), &customers(&rows), &extra).unwrap();
    assert_eq!(names(&found), ["rescue", "care", "care", "rescue"]);
    assert_eq!(found.reason(0), "rule 3: nps < 3");
    assert_eq!(found.reason(1), "none of the 3 rules is true");
    assert_eq!(found.reason(3), "rule 1: churn_probability > 0.6");
    assert_eq!(
        found.segments[0].rule.as_deref(),
        Some("churn_probability > 0.6; or nps < 3")
    );
    assert_eq!(
        found.segments[1].rule.as_deref(),
        Some("tickets_30d > 3; or otherwise")
    );

    assert!(refusal(touch.clone(), &rows, &Extra::default()).contains("rule_hits"));
    let short = Extra {
        rule_hits: Some(&hits[..2]),
        ..Extra::default()
    };
    assert!(refusal(touch.clone(), &rows, &short).contains("2 customers"));
    let wrong = [Some(3), None, None, None];
    let wrong = Extra {
        rule_hits: Some(&wrong),
        ..Extra::default()
    };
    assert!(refusal(touch, &rows, &wrong).contains("rule 4"));
}

#[test]
fn lifecycle_takes_the_stage_and_names_those_without() {
    let stages = [Some("active"), None, Some("churned")];
    let rows: Vec<Row> = stages
        .iter()
        .zip(1..)
        .map(|(stage, key)| Row {
            key,
            stage: stage.map(str::to_owned),
            recency: stage.map(|_| 45.0),
            ..Row::default()
        })
        .collect();
    let found = run(lifecycle(), &rows);
    assert_eq!(names(&found), ["active", "no stage", "churned"]);
    assert_eq!(
        found.reason(0),
        "lifecycle stage is active, 45 days since the last activity"
    );
    assert_eq!(
        found.reason(1),
        "no lifecycle stage: no activity up to this date, or too little to tell"
    );
}

#[test]
fn rfm_says_the_scores_and_leaves_the_unscored_out_of_the_ranks() {
    let mut rows = believable(200);
    rows[7].spend = None;
    let found = run(rfm(ScoreMethod::Midrank, Grid::Eleven, 5), &rows);
    let scores = &found.columns[0];
    assert_eq!(scores.name, "s_score");
    assert_eq!(found.segment(7).name, "Not Scored");
    assert_eq!(found.reason(7), "not scored: spend_total is missing");
    let row = (0..200)
        .find(|row| found.segment(*row).name == "Champions")
        .unwrap();
    let digits = scores.values.as_string::<i32>().value(row).to_owned();
    let number = |number: f64| number.to_string();
    assert_eq!(
        found.reason(row).replace(',', ""),
        format!(
            "R{} (recency_days {}) F{} (order_count {}) M{} (spend_total {}) is Champions in the eleven-segment grid",
            &digits[..1],
            number(rows[row].recency.unwrap()),
            &digits[1..2],
            rows[row].orders.unwrap(),
            &digits[2..],
            number((rows[row].spend.unwrap() * 100.0).round() / 100.0),
        )
    );

    let scored: Vec<Row> = rows
        .iter()
        .filter(|r| r.recency.is_some() && r.orders.is_some() && r.spend.is_some())
        .cloned()
        .collect();
    let alone = run(rfm(ScoreMethod::Midrank, Grid::Eleven, 5), &scored);
    let with: Vec<&str> = names(&found)
        .into_iter()
        .filter(|name| *name != "Not Scored")
        .collect();
    assert_eq!(names(&alone), with);
}

/// Most customers bought once, so three of the four edges are 1 although there are more values than scores.
#[test]
fn rfm_warns_of_edges_that_are_equal() {
    let row = |key: i64| Row {
        key,
        recency: Some(key as f64),
        orders: Some((key - 13).max(1)),
        spend: Some(key as f64),
        ..Row::default()
    };
    let rows: Vec<Row> = (1..=20).map(row).collect();
    let quantile = ScoreMethod::Quantile {
        closed: Closed::Right,
        edge_offset: 0.0,
    };
    let equal = Warning::EqualEdges {
        feature: "order_count".to_owned(),
        value: 1.0,
        equal: 3,
        edges: 4,
        empty: vec![2, 3],
    };
    let said = "3 of the 4 edges of `order_count` are 1, because many customers have the same value; no customer has score 2, 3";
    assert_eq!(equal.to_string(), said);
    let found = run(rfm(quantile, Grid::Eleven, 5), &rows);
    assert_eq!(found.warnings, [equal]);
    let found = run(rfm(ScoreMethod::Midrank, Grid::Eleven, 5), &rows);
    assert!(found.warnings.is_empty());
}

/// Of 40 customers 34 bought once: mid-ranks give all of them a score in the middle, so that `Loyal` ones bought once.
#[test]
fn rfm_warns_of_the_worst_value_with_a_score_in_the_middle() {
    let rows = |once: i64| -> Vec<Row> {
        let row = |key: i64| Row {
            key,
            recency: Some(key as f64),
            orders: Some((key - once + 1).max(1)),
            spend: Some(key as f64),
            ..Row::default()
        };
        (1..=40).map(row).collect()
    };
    let found = run(rfm(ScoreMethod::Midrank, Grid::Eleven, 5), &rows(34));
    let worst = WorstValue {
        feature: "order_count".to_owned(),
        value: 1.0,
        customers: 34,
        scored: 40,
        score: 3,
        scores: 5,
    };
    let said = "`order_count` is 1, the worst value, for 34 of 40 customers (85%), who all get score 3 of 5: names of segments that speak of it, such as `Loyal` of frequency, are wrong for them; `score_method = { kind = \"threshold\", … }` states which values get which score";
    assert_eq!(worst.to_string(), said);
    assert_eq!(found.warnings, [Warning::WorstValue(worst)]);
    let [quality] = found.quality.as_slice() else {
        panic!("{:?}", found.quality);
    };
    assert_eq!(
        (quality.criterion, quality.value),
        ("told apart", Some(3.0))
    );
    assert_eq!(quality.status, QualityStatus::Flagged);
    // A score below the middle is a low one.
    let found = run(rfm(ScoreMethod::Midrank, Grid::Eleven, 5), &rows(30));
    assert!(found.warnings.is_empty() && found.quality.is_empty());
    // Stated limits give one order the score that is meant.
    let stated = ScoreMethod::Threshold {
        recency: vec![8.0, 16.0, 24.0, 32.0],
        frequency: vec![1.0, 2.0, 4.0, 6.0],
        monetary: vec![8.0, 16.0, 24.0, 32.0],
    };
    let found = run(rfm(stated, Grid::Eleven, 5), &rows(34));
    assert!(found.warnings.is_empty() && found.quality.is_empty());
}

#[test]
fn rfm_warns_of_few_values_dead_lines_and_uncovered_cells() {
    let row = |key| Row {
        key,
        recency: Some(3.0),
        orders: Some(1),
        spend: Some(9.5),
        ..Row::default()
    };
    let rows: Vec<Row> = (1..=9).map(row).collect();
    let line = |segment: &str, r| GridInterval {
        segment: segment.to_owned(),
        r,
        f: [1, 5],
        m: [1, 5],
    };
    let grid = Grid::Own(vec![line("fresh", [4, 5]), line("freshest", [5, 5])]);
    let found = run(rfm(ScoreMethod::Midrank, grid, 5), &rows);
    assert!(
        names(&found).iter().all(|name| *name == "Others"),
        "all equal is 333"
    );
    assert_eq!(
        found.reason(0),
        "R3 (recency_days 3) F3 (order_count 1) M3 (spend_total 9.5) is in no line of the pipeline's grid, hence Others"
    );
    let few = |feature: &str| Warning::FewDistinctValues {
        feature: feature.to_owned(),
        distinct: 1,
        scores: 5,
    };
    let expected = [
        few("recency_days"),
        few("order_count"),
        few("spend_total"),
        Warning::DeadLines {
            segments: vec!["freshest".to_owned()],
        },
        Warning::UncoveredCells {
            cells: 75,
            customers: 9,
        },
    ];
    assert_eq!(found.warnings, expected);
}

#[test]
fn rfm_weighted_score_follows_the_weights() {
    let mut kind = rfm(ScoreMethod::Midrank, Grid::Eleven, 5);
    edit(&mut kind, |config: &mut RfmGrid| {
        config.weights = [0.5, 0.3, 0.2];
    });
    let found = run(kind, &believable(50));
    let names: Vec<&str> = found.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["s_score", "s_r", "s_f", "s_m", "s_weighted"]);
    let (codes, weighted) = (&found.columns[0].values, &found.columns[4].values);
    let codes = arrow::array::AsArray::as_string::<i32>(codes);
    let weighted = arrow::array::AsArray::as_primitive::<arrow::datatypes::Float64Type>(weighted);
    for (code, weighted) in codes.iter().zip(weighted) {
        let expected = code.map(|code| {
            let digits: Vec<f64> = code.bytes().map(|digit| f64::from(digit - b'0')).collect();
            digits[0] * 0.5 + digits[1] * 0.3 + digits[2] * 0.2
        });
        assert_eq!(weighted, expected);
    }
}

#[test]
fn rfm_refuses_edges_that_do_not_fit() {
    let threshold = |recency: &[f64]| ScoreMethod::Threshold {
        recency: recency.to_vec(),
        frequency: vec![1.0, 2.0, 3.0, 4.0],
        monetary: vec![1.0, 2.0, 3.0, 4.0],
    };
    for bad in [
        &[1.0, 2.0][..],
        &[4.0, 3.0, 2.0, 1.0],
        &[1.0, 2.0, 3.0, f64::NAN],
    ] {
        let message = refusal(
            rfm(threshold(bad), Grid::Eleven, 5),
            &believable(5),
            &Extra::default(),
        );
        assert!(message.contains("recency has"), "{message}");
    }
}

#[test]
fn a_feature_that_is_missing_or_of_another_type_is_named() {
    let message = refusal(attribute("county", 0.0), &believable(3), &Extra::default());
    assert!(
        message.contains("no feature `county`") && message.contains("country, subscribed"),
        "{message}"
    );
    let message = refusal(
        attribute("spend_total", 0.0),
        &believable(3),
        &Extra::default(),
    );
    assert!(
        message.contains("`spend_total` is Float64") && message.contains("quantile"),
        "{message}"
    );
    let mut by_country = tiers(&[("all", 1.0)]);
    edit(&mut by_country, |config: &mut QuantileScheme| {
        config.by.value = "country".to_owned();
    });
    let error = assign(
        &scheme("s", by_country),
        &customers(&believable(3)),
        &Extra::default(),
    )
    .unwrap_err();
    let SegmentError::InScheme { source, .. } = error else {
        panic!("{error}")
    };
    assert!(matches!(*source, SegmentError::NotNumeric { .. }));
}
