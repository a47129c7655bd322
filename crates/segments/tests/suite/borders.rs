//! Customers at the borders of scores and tiers, on bases small enough to check by hand.

use tessera_segments::{
    Closed, Extra, Fit, Grid, GridInterval, QuantileScheme, RfmGrid, ScoreMethod, Warning,
    WhyEmpty, assign, within_margin,
};
use tessera_spec::pipeline::SchemeKind;

use crate::customer_base::{Row, attribute, customers, edit, rfm, scheme, tiers};

/// Seventy customers with one order, and thirty with two to five.
fn orders() -> Vec<Row> {
    let row = |key: i64| Row {
        key,
        recency: Some(key as f64),
        orders: Some(if key <= 70 { 1 } else { 2 + key % 4 }),
        spend: Some((key * 37 % 101) as f64),
        ..Row::default()
    };
    (1..=100).map(row).collect()
}

/// A segment for each score of frequency.
fn by_frequency() -> Grid {
    let line = |score: u8| GridInterval {
        segment: format!("F{score}"),
        r: [1, 5],
        f: [score, score],
        m: [1, 5],
    };
    Grid::Own((1..=5).map(line).collect())
}

/// Oracle: of 100 customers 70 have the least value, so that the type-7 quantile at a share is another value from 70% on. The edges of
/// scores 2 to 4 are at 20%, 40% and 60%: the score of these 70 is another one only where an edge moves by more than 10%.
#[test]
fn a_margin_of_quantile_scores_reaches_as_far_as_its_edges_move() {
    let rows = customers(&orders());
    let held = |closed, margin: f64, before: &'static str| {
        let method = ScoreMethod::Quantile {
            closed,
            edge_offset: 0.0,
        };
        let kind = rfm(method, by_frequency(), 5);
        let config: &RfmGrid = kind.of().unwrap();
        let found = within_margin(config, margin, &rows, |_| Some(before)).unwrap();
        found.iter().filter(|one| one.row < 70).count()
    };
    // Closed left their score is 4, closed right it is 1, whatever the margin.
    for margin in [0.001, 0.05, 0.09] {
        for before in ["F1", "F2", "F3", "F5"] {
            assert_eq!(held(Closed::Left, margin, before), 0, "{margin} {before}");
        }
        for before in ["F2", "F3", "F4", "F5"] {
            assert_eq!(held(Closed::Right, margin, before), 0, "{margin} {before}");
        }
    }
    assert_eq!(held(Closed::Left, 0.11, "F3"), 70);
    assert_eq!(held(Closed::Left, 0.19, "F2"), 0);
    assert_eq!(held(Closed::Right, 0.19, "F2"), 0);
}

#[test]
fn a_tier_whose_share_is_less_than_one_customer_says_so() {
    let row = |key: i64| Row {
        key,
        spend: Some(key as f64),
        ..Row::default()
    };
    let rows: Vec<Row> = (1..=400).map(row).collect();
    let kind = tiers(&[("vip", 0.001), ("high", 0.2), ("low", 1.0)]);
    let found = assign(&scheme("s", kind), &customers(&rows), &Extra::default()).unwrap();
    let expected = Warning::EmptyTiers {
        tiers: vec!["vip".to_owned()],
        why: WhyEmpty::Share { customers: 400 },
    };
    assert_eq!(found.warnings, [expected]);
    assert_eq!(
        found.warnings[0].to_string(),
        "tiers without customers, because their share of 400 customers is less than one: vip"
    );
    let rule = found.segments[1].rule.as_deref().unwrap();
    assert_eq!(rule, "top 20% by spend_total, below the top 0.1%");
}

#[test]
fn of_nobody_nothing_is_learned() {
    let none: Vec<Row> = (1..=5)
        .map(|key| Row {
            key,
            ..Row::default()
        })
        .collect();
    for kind in [
        tiers(&[("top", 0.5), ("low", 1.0)]),
        attribute("country", 0.1),
        rfm(ScoreMethod::Midrank, Grid::Eleven, 5),
    ] {
        let found = assign(&scheme("s", kind), &customers(&none), &Extra::default()).unwrap();
        assert!(found.fit.is_none(), "{}: {:?}", found.kind, found.fit);
    }
}

/// What is called differently is assigned by the same fit, also where some tier had nobody.
#[test]
fn a_fit_is_applied_by_the_names_of_the_day() {
    let rows = customers(&orders());
    let mut kind = tiers(&[("none", 0.0001), ("top", 0.3), ("low", 1.0)]);
    let fit = assign(&scheme("s", kind.clone()), &rows, &Extra::default());
    let fit: Fit = fit.unwrap().fit;
    let names = |kind: &SchemeKind| {
        let extra = Extra {
            learned: Some(&fit),
            ..Extra::default()
        };
        let found = assign(&scheme("s", kind.clone()), &rows, &extra).unwrap();
        let name = |row: usize| found.segment(row).name.clone();
        (0..100).map(name).collect::<Vec<_>>()
    };
    let before = names(&kind);
    let learned = kind.learned_by();
    edit(&mut kind, |config: &mut QuantileScheme| {
        config.tiers[1].0 = "best".to_owned();
        config.missing = "none of these".to_owned();
    });
    assert_eq!(learned, kind.learned_by());
    let renamed: Vec<String> = before
        .iter()
        .map(|name| name.replace("top", "best"))
        .collect();
    assert_eq!(names(&kind), renamed);
    assert_eq!(before.iter().filter(|name| *name == "top").count(), 30);
    edit(&mut kind, |config: &mut QuantileScheme| {
        config.tiers[1].1 = 0.4
    });
    assert_ne!(learned, kind.learned_by());
}

#[test]
fn a_line_called_others_is_told_apart_from_cells_without_a_line() {
    let mut grid = by_frequency();
    if let Grid::Own(lines) = &mut grid {
        lines.truncate(2);
        lines[1].segment = "Others".to_owned();
    }
    let method = ScoreMethod::Threshold {
        recency: vec![1.0, 2.0, 3.0, 4.0],
        frequency: vec![0.0, 1.0, 2.0, 3.0],
        monetary: vec![1.0, 2.0, 3.0, 4.0],
    };
    let found = assign(
        &scheme("s", rfm(method, grid, 5)),
        &customers(&orders()),
        &Extra::default(),
    );
    let found = found.unwrap();
    assert!(
        found
            .reason(0)
            .ends_with(" is Others in the pipeline's grid"),
        "{}",
        found.reason(0)
    );
    let last = found.reason(99);
    assert!(
        last.ends_with(" is in no line of the pipeline's grid, hence Others"),
        "{last}"
    );
    let rule = found.segment(0).rule.as_deref();
    assert_eq!(rule, Some("F 2, or no line of the grid covers the scores"));
}

/// Seventy customers with one order are in the second score of midranks, so that the lowest has nobody and no edge.
#[test]
fn an_edge_below_which_there_is_no_number_is_not_published() {
    let mut of = scheme("s", rfm(ScoreMethod::Midrank, by_frequency(), 5));
    of.refit = tessera_spec::pipeline::Refit::Never;
    let found = assign(&of, &customers(&orders()), &Extra::default()).unwrap();
    let edges: Vec<(&str, f64)> = found
        .parameters
        .iter()
        .filter(|row| row.name.starts_with("frequency_edge_"))
        .filter_map(|row| Some((row.name.as_str(), row.value?)))
        .collect();
    assert_eq!(edges.len(), 3, "{edges:?}");
    assert_eq!(edges[0], ("frequency_edge_2", 1.0));
}
