//! Profiles and summaries: identities that hold on any base, and figures by hand.

use proptest::prelude::*;
use tessera_segments::{
    Assignment, Extra, OTHER_LABEL, Profile, SegmentSummary, assign, profiles, summarise,
};

use crate::customer_base::{
    Row, attribute, believable, customers, lifecycle, one_of_each, scheme, tiers, touch_hits,
};

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

fn assigned(rows: &[Row]) -> Vec<Assignment> {
    let hits = touch_hits(rows);
    let extra = Extra {
        rule_hits: Some(&hits),
        ..Extra::default()
    };
    one_of_each()
        .iter()
        .map(|scheme| assign(scheme, &customers(rows), &extra).unwrap())
        .collect()
}

fn check_profiles(found: &[Profile], assignments: &[Assignment]) {
    for assignment in assignments {
        let of_scheme = |feature: &str| -> Vec<&Profile> {
            found
                .iter()
                .filter(|p| p.scheme == assignment.scheme && p.feature == feature)
                .collect()
        };
        for feature in ["recency_days", "order_count", "spend_total", "first_seen"] {
            let rows = of_scheme(feature);
            assert_eq!(rows.len(), assignment.segments.len());
            let (all, sum) = rows.iter().fold((0, 0.0), |(n, sum), p| {
                (
                    n + p.customers,
                    sum + p.customers as f64 * p.mean.unwrap_or(0.0),
                )
            });
            match rows.first().and_then(|p| p.population_mean) {
                Some(mean) => assert!(
                    near(sum / all as f64, mean),
                    "weighted segment means are the population mean"
                ),
                None => assert_eq!(all, 0),
            }
            for p in rows {
                assert_eq!(p.mean.is_some(), p.customers > 0);
                if let (Some(low), Some(middle), Some(high)) = (p.p10, p.median, p.p90) {
                    assert!(low <= middle && middle <= high);
                }
            }
        }
        for feature in ["country", "subscribed", "lifecycle_stage"] {
            let rows = of_scheme(feature);
            for segment in &assignment.segments {
                let own: Vec<&&Profile> =
                    rows.iter().filter(|p| p.segment_id == segment.id).collect();
                if own.iter().map(|p| p.customers).sum::<u64>() > 0 {
                    assert!(
                        near(own.iter().filter_map(|p| p.share).sum(), 1.0),
                        "shares sum to one"
                    );
                    assert!(near(
                        own.iter().filter_map(|p| p.population_share).sum(),
                        1.0
                    ));
                }
            }
        }
    }
}

fn check_summaries(found: &[SegmentSummary], assignments: &[Assignment], rows: &[Row]) {
    for assignment in assignments {
        let own: Vec<&SegmentSummary> = found
            .iter()
            .filter(|s| s.scheme == assignment.scheme)
            .collect();
        assert_eq!(
            own.iter().map(|s| s.customers).sum::<u64>(),
            rows.len() as u64
        );
        let total: f64 = rows.iter().filter_map(|r| r.spend).sum();
        assert!(near(own.iter().filter_map(|s| s.value).sum(), total));
        if total > 0.0 {
            assert!(near(own.iter().filter_map(|s| s.value_share).sum(), 1.0));
        }
        if !rows.is_empty() {
            assert!(near(own.iter().map(|s| s.share).sum(), 1.0));
        }
    }
}

#[test]
fn identities_hold_on_a_believable_base_and_on_degenerate_ones() {
    for rows in [
        believable(3_000),
        believable(1),
        vec![],
        (1..9)
            .map(|key| Row {
                key,
                ..Row::default()
            })
            .collect(),
    ] {
        let assignments = assigned(&rows);
        check_profiles(
            &profiles(&customers(&rows), &assignments).unwrap(),
            &assignments,
        );
        let summaries = summarise(
            &customers(&rows),
            &assignments,
            Some("spend_total"),
            Some("subscribed"),
        )
        .unwrap();
        check_summaries(&summaries, &assignments, &rows);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn identities_hold_on_any_base(spend in prop::collection::vec(prop::option::of(-1e6f64..1e6), 0..80)) {
        let rows: Vec<Row> = spend.iter().zip(believable(80)).map(|(&spend, row)| Row { spend, ..row }).collect();
        let assignments = assigned(&rows);
        check_profiles(&profiles(&customers(&rows), &assignments).unwrap(), &assignments);
    }
}

#[test]
fn profiles_do_not_depend_on_the_order_of_rows() {
    let rows = believable(700);
    let mut turned = rows.clone();
    turned.reverse();
    let of = |rows: &[Row]| profiles(&customers(rows), &assigned(rows)).unwrap();
    assert_eq!(of(&rows), of(&turned));
    let sums = |rows: &[Row]| {
        summarise(
            &customers(rows),
            &assigned(rows),
            Some("spend_total"),
            Some("recency_days"),
        )
        .unwrap()
    };
    assert_eq!(sums(&rows), sums(&turned));
}

/// Spend 1, 2, 3 in DE and 5, 7, 9, 11 in GB, one customer without a country.
fn by_hand() -> Vec<Row> {
    let facts = [
        (1.0, "DE"),
        (2.0, "DE"),
        (3.0, "DE"),
        (5.0, "GB"),
        (7.0, "GB"),
        (9.0, "GB"),
        (11.0, "GB"),
        (2.0, ""),
    ];
    let row = |((spend, country), key): ((f64, &str), i64)| Row {
        key,
        spend: Some(spend),
        country: (!country.is_empty()).then(|| country.to_owned()),
        subscribed: Some(spend > 6.0),
        ..Row::default()
    };
    facts.into_iter().zip(1..).map(row).collect()
}

#[test]
fn figures_by_hand() {
    let rows = by_hand();
    let assignment = assign(
        &scheme("country", attribute("country", 0.0)),
        &customers(&rows),
        &Extra::default(),
    )
    .unwrap();
    let found = profiles(&customers(&rows), std::slice::from_ref(&assignment)).unwrap();
    let spend = found
        .iter()
        .find(|p| p.segment == "GB" && p.feature == "spend_total")
        .unwrap();
    assert_eq!(
        (
            spend.customers,
            spend.mean,
            spend.median,
            spend.population_mean
        ),
        (4, Some(8.0), Some(8.0), Some(5.0))
    );
    // Places 0.3 and 2.7 of 5, 7, 9, 11.
    assert!(near(spend.p10.unwrap(), 5.6) && near(spend.p90.unwrap(), 10.4));
    assert_eq!(spend.index, Some(160.0));
    // Rest 1, 2, 3, 2: mean 2, squares 2; GB: squares 20; pooled variance 22 / 6.
    assert!(near(
        spend.effect_size.unwrap(),
        6.0 / (22.0f64 / 6.0).sqrt()
    ));
    assert!(spend.label.is_none() && spend.share.is_none() && spend.population_share.is_none());

    let label = |value: &str| {
        let same = |p: &&Profile| {
            p.segment == "GB" && p.feature == "subscribed" && p.label.as_deref() == Some(value)
        };
        found.iter().find(same).unwrap()
    };
    let (yes, no) = (label("true"), label("false"));
    assert_eq!(
        (yes.customers, yes.share, yes.population_share, yes.index),
        (3, Some(0.75), Some(0.375), Some(200.0))
    );
    assert_eq!((no.customers, no.share, no.mean), (1, Some(0.25), None));

    let summary = summarise(
        &customers(&rows),
        &[assignment],
        Some("spend_total"),
        Some("subscribed"),
    )
    .unwrap();
    let gb = summary.iter().find(|s| s.segment == "GB").unwrap();
    assert_eq!(
        (gb.customers, gb.share, gb.value, gb.value_share, gb.kpi),
        (4, 0.5, Some(32.0), Some(0.8), Some(0.75))
    );
}

#[test]
fn rare_labels_are_summed_up() {
    let country = |key: i64| {
        format!(
            "country {:02}",
            if key <= 60 { key % 20 } else { key % 7 + 20 }
        )
    };
    let rows: Vec<Row> = (1..=67)
        .map(|key| Row {
            key,
            country: Some(country(key)),
            spend: Some(1.0),
            ..Row::default()
        })
        .collect();
    let assignment = assign(
        &scheme("all", tiers(&[("all", 1.0)])),
        &customers(&rows),
        &Extra::default(),
    )
    .unwrap();
    let found = profiles(&customers(&rows), &[assignment]).unwrap();
    let countries: Vec<&Profile> = found.iter().filter(|p| p.feature == "country").collect();
    assert_eq!(countries.len(), 21);
    let other = countries
        .iter()
        .find(|p| p.label.as_deref() == Some(OTHER_LABEL))
        .unwrap();
    assert_eq!((other.customers, other.index), (7, Some(100.0)));
}

#[test]
fn a_date_has_no_index() {
    let rows = believable(50);
    let assignment = assign(
        &scheme("stage", lifecycle()),
        &customers(&rows),
        &Extra::default(),
    )
    .unwrap();
    let found = profiles(&customers(&rows), &[assignment]).unwrap();
    let dates: Vec<&Profile> = found.iter().filter(|p| p.feature == "first_seen").collect();
    assert!(!dates.is_empty() && dates.iter().all(|p| p.index.is_none()));
    assert!(
        dates
            .iter()
            .any(|p| p.mean.is_some() && p.effect_size.is_some())
    );
}

#[test]
fn an_assignment_of_another_base_is_refused() {
    let assignments = assigned(&believable(5));
    let message = profiles(&customers(&believable(6)), &assignments)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("assigns 5 customers, and the table has 6"),
        "{message}"
    );
}
