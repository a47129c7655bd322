//! What k-means decides and the reasons it gives, on bases with planted groups and without any.

use tessera_segments::{Extra, KmeansScheme, NamedFeature, QualityStatus, Warning, assign};
use tessera_spec::pipeline::{KChoice, Transform, Unit};

use crate::customer_base::{Row, believable, customers, edit, kmeans, scheme};
use crate::scheme_kinds::{names, refusal, run};

/// Three groups far apart: lapsed one-timers, the middle, and frequent recent buyers; the last customer's spend is missing.
fn planted() -> Vec<Row> {
    let group = |key: i64| ((key - 1) % 3) as usize;
    let row = |key: i64| {
        let noise = ((key * 37) % 11) as f64;
        Row {
            key,
            recency: Some([400.0, 120.0, 5.0][group(key)] + noise),
            orders: Some([1, 8, 40][group(key)] + key % 2),
            spend: (key != 300).then(|| [20.0, 300.0, 2_000.0][group(key)] + noise),
            ..Row::default()
        }
    };
    (1..=300).map(row).collect()
}

/// The units of the features of the clusters.
fn units() -> [NamedFeature; 3] {
    [
        ("recency_days", Unit::Days),
        ("order_count", Unit::Count),
        ("spend_total", Unit::Currency),
    ]
    .map(|(name, unit)| NamedFeature {
        name: name.to_owned(),
        unit,
    })
}

#[test]
fn kmeans_recovers_planted_groups_numbers_them_and_says_why() {
    let rows = planted();
    let features = units();
    let extra = Extra {
        named_features: &features,
        ..Extra::default()
    };
    let found = assign(
        &scheme("s", kmeans(KChoice::Fixed(3))),
        &customers(&rows),
        &extra,
    )
    .unwrap();
    // By descending recency, the first feature: the lapsed come first.
    let of_group = [
        "longer inactive, few orders",
        "low spend, few orders",
        "many orders, high spend",
    ];
    assert_eq!(names(&found)[..3], of_group);
    for (row, name) in names(&found).into_iter().enumerate() {
        assert_eq!(name, of_group[row % 3]);
    }
    assert_eq!(found.assigned_by.as_str(), "model");
    let reason = found.reason(2);
    assert!(
        reason.starts_with("most like 'many orders, high spend', ")
            && reason.contains(" times as far from 'low spend, few orders': "),
        "{reason}"
    );
    assert!(
        reason.contains("order_count 41 (typical of all ") && reason.contains("spend_total 2,0"),
        "{reason}"
    );
    let rule = found.segments[0].rule.as_deref().unwrap();
    assert!(
        rule.ends_with(" (balanced accuracy 1.00 on 150 held-out customers)"),
        "{rule}"
    );

    let value = |name: &str| {
        found
            .parameters
            .iter()
            .find(|row| row.name == name)
            .and_then(|row| row.value)
    };
    assert_eq!(
        (value("k"), value("cluster_1"), value("missing_spend_total")),
        (Some(3.0), Some(100.0), Some(1.0))
    );
    // The surrogate rule of each group is one limit on one feature, which every customer held out agrees with.
    for group in 1..=3 {
        assert_eq!(value(&format!("surrogate_{group}")), Some(1.0));
        assert!(value(&format!("stability_{group}")).unwrap() > 0.99);
    }
    assert_eq!(
        (value("structure"), value("stability_rows")),
        (Some(1.0), Some(300.0))
    );
    assert!(
        found
            .quality
            .iter()
            .all(|row| row.status == QualityStatus::Ok)
    );
    let judged = "structure, and stability and the short rule of each";
    assert_eq!(found.quality.len(), 7, "{judged}");
    assert!(value("silhouette").unwrap() > 0.8 && value("inertia").unwrap() > 0.0);
    assert!(value("centroid_1_recency_days").unwrap() > 1.0);
    assert!((400.0..=411.0).contains(&value("centroid_units_1_recency_days").unwrap()));
    assert!(
        found
            .warnings
            .iter()
            .any(|warning| warning.to_string().contains("spend_total")),
        "missing values are said"
    );
}

#[test]
fn kmeans_chooses_k_by_silhouette_and_publishes_what_it_tried() {
    let found = run(kmeans(KChoice::Range(2, 5)), &planted());
    assert_eq!(found.segments.len(), 3);
    for k in 2..=5 {
        assert!(
            found
                .parameters
                .iter()
                .any(|row| row.name == format!("choice_{k}_silhouette")),
            "{k}"
        );
    }
}

#[test]
fn kmeans_says_so_where_there_are_no_clusters() {
    // Points spread evenly over a square (the R2 sequence of Roberts 2018): clusters split a continuum.
    let evenly = |key: i64, step: f64| (key as f64 * step).fract();
    let rows: Vec<Row> = (1..=600)
        .map(|key| Row {
            key,
            recency: Some(1.0 + 100.0 * evenly(key, 0.754_877_666_246_692_7)),
            orders: Some(1),
            spend: Some(1.0 + 100.0 * evenly(key, 0.569_840_290_998_053_3)),
            ..Row::default()
        })
        .collect();
    let mut kind = kmeans(KChoice::Fixed(5));
    edit(&mut kind, |config: &mut KmeansScheme| {
        config.features.remove(1);
        config.transform = Transform::None;
    });
    let found = run(kind, &rows);
    let structure = found
        .quality
        .iter()
        .find(|row| row.criterion == "clustered")
        .unwrap();
    assert_eq!(structure.status, QualityStatus::Flagged);
    assert_eq!(
        (structure.segment.as_str(), structure.threshold),
        ("", Some(tessera_segments::Threshold::at_most(0.05)))
    );
    assert!(structure.value.unwrap() > 0.05 && structure.reason.is_some());
    assert!(found.warnings.iter().any(|warning| {
        warning
            .to_string()
            .starts_with("no evidence of clusters: 5 clusters")
    }));
    let unstable: Vec<&str> = found
        .quality
        .iter()
        .filter(|row| row.criterion == "stable" && row.status == QualityStatus::Flagged)
        .map(|row| row.segment.as_str())
        .collect();
    let warned = found
        .warnings
        .iter()
        .find_map(|warning| match warning {
            Warning::UnstableClusters { clusters } => Some(clusters.clone()),
            _ => None,
        })
        .unwrap_or_default();
    assert_eq!(
        warned.iter().map(|cluster| &cluster.0).collect::<Vec<_>>(),
        unstable
    );
}

#[test]
fn kmeans_takes_the_names_of_the_scheme() {
    let mut kind = kmeans(KChoice::Fixed(3));
    edit(&mut kind, |config: &mut KmeansScheme| {
        config.names = ["lapsed", "steady", "keen"].map(str::to_owned).to_vec();
    });
    let found = run(kind, &planted());
    assert_eq!(names(&found)[..3], ["lapsed", "steady", "keen"]);
    assert!(found.reason(0).starts_with("most like 'lapsed', "));
    assert_eq!(
        found
            .parameters
            .iter()
            .find(|row| row.name == "cluster_2")
            .unwrap()
            .text
            .as_deref(),
        Some("steady")
    );
}

#[test]
fn kmeans_refuses_what_has_no_distance() {
    let mut kind = kmeans(KChoice::Fixed(3));
    edit(&mut kind, |config: &mut KmeansScheme| {
        config.features.clear();
    });
    assert!(refusal(kind, &believable(9), &Extra::default()).contains("at least one column"));
    let mut kind = kmeans(KChoice::Fixed(3));
    edit(&mut kind, |config: &mut KmeansScheme| {
        config.transform = Transform::Log1p;
    });
    let mut rows = believable(9);
    rows[3].spend = Some(-2.0);
    assert!(refusal(kind, &rows, &Extra::default()).contains("below 0"));
}
