//! Times the crate on a million customers, fifteen features and four schemes:
//! `cargo run --release -p tessera-segments --example million_customers`.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use tessera_segments::{
    AttributeScheme, Customers, Extra, Grid, KmeansScheme, QuantileScheme, RfmGrid, ScoreMethod,
    assign, memberships, profiles, summarise,
};
use tessera_spec::pipeline::{At, KChoice, Refit, Scheme, SchemeKind, Transform};

const CUSTOMERS: usize = 1_000_000;

fn at<T>(value: T) -> At<T> {
    At::new(value, 0..0)
}

/// Pseudo-random numbers in [0, 1), the same for the same seed.
fn draws(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    })
    .take(CUSTOMERS)
}

fn base() -> Result<RecordBatch, ArrowError> {
    let keys = StringArray::from_iter_values((0..CUSTOMERS).map(|key| format!("C{key:09}")));
    let mut columns: Vec<(String, ArrayRef)> = vec![("customer_id".into(), Arc::new(keys))];
    let days = draws(1).map(|u| (u * u * 700.0) as i64);
    columns.push((
        "recency_days".into(),
        Arc::new(Int64Array::from_iter_values(days)),
    ));
    let orders = draws(2).map(|u| (1.0 / (1.001 - u)) as i64);
    columns.push((
        "order_count".into(),
        Arc::new(Int64Array::from_iter_values(orders)),
    ));
    let spend = draws(3).map(|u| (u * 12.0).exp());
    columns.push((
        "spend_total".into(),
        Arc::new(Float64Array::from_iter_values(spend)),
    ));
    for number in 4..15u64 {
        let values = draws(number).map(|u| (u > 0.1).then(|| (u * 9.0).exp()));
        columns.push((
            format!("feature_{number}"),
            Arc::new(values.collect::<Float64Array>()),
        ));
    }
    let countries = ["GB", "DE", "FR", "IE", "NO", "SE", "ES"];
    let country = draws(15).map(|u| countries[(u * 7.0) as usize]);
    columns.push((
        "country".into(),
        Arc::new(StringArray::from_iter_values(country)),
    ));
    RecordBatch::try_from_iter(columns)
}

fn schemes() -> Vec<Scheme> {
    let rfm = RfmGrid {
        recency: at("recency_days".into()),
        frequency: at("order_count".into()),
        monetary: at("spend_total".into()),
        score_method: ScoreMethod::Midrank,
        scores: 5,
        grid: at(Grid::Eleven),
        weights: [100.0, 10.0, 1.0],
    };
    let tier = |(name, share): (&str, f64)| (name.to_owned(), share);
    let tiers = QuantileScheme {
        by: at("spend_total".into()),
        tiers: [("top", 0.05), ("high", 0.2), ("mid", 0.5), ("low", 1.0)]
            .map(tier)
            .to_vec(),
        missing: "missing".into(),
    };
    let country = AttributeScheme {
        by: at("country".into()),
        missing: "unknown".into(),
        min_share: 0.01,
        other: "other".into(),
    };
    let kmeans = KmeansScheme {
        features: [
            "recency_days",
            "order_count",
            "spend_total",
            "feature_4",
            "feature_5",
        ]
        .map(|name| at(name.to_owned()))
        .to_vec(),
        k: KChoice::Fixed(6),
        transform: Transform::Auto,
        winsorise: None,
        restarts: 10,
        sample: 50_000,
        names: Vec::new(),
        max_unmatched: 0.3,
    };
    vec![
        Scheme {
            name: at("rfm".into()),
            kind: SchemeKind::new("rfm_grid", rfm),
            refit: Refit::Always,
            naming: Default::default(),
        },
        Scheme {
            name: at("tier".into()),
            kind: SchemeKind::new("quantile", tiers),
            refit: Refit::Always,
            naming: Default::default(),
        },
        Scheme {
            name: at("country".into()),
            kind: SchemeKind::new("attribute", country),
            refit: Refit::Always,
            naming: Default::default(),
        },
        Scheme {
            name: at("behaviour".into()),
            kind: SchemeKind::new("kmeans", kmeans),
            refit: Refit::Always,
            naming: Default::default(),
        },
    ]
}

fn main() -> Result<(), Box<dyn Error>> {
    let batch = base()?;
    let timed = |what: &str, since: Instant| {
        eprintln!("{what:<12} {:>7.0} ms", since.elapsed().as_secs_f64() * 1e3)
    };
    let start = Instant::now();
    let customers = Customers::new(batch)?;
    timed("check", start);
    let mut assignments = Vec::new();
    for scheme in schemes() {
        let start = Instant::now();
        assignments.push(assign(&scheme, &customers, &Extra::default())?);
        timed(&scheme.name.value, start);
    }
    let start = Instant::now();
    let found = profiles(&customers, &assignments)?;
    timed("profiles", start);
    let start = Instant::now();
    let sums = summarise(
        &customers,
        &assignments,
        Some("spend_total"),
        Some("recency_days"),
    )?;
    timed("summaries", start);
    let start = Instant::now();
    let mut rows = 0;
    for batch in memberships(20_000, &customers, &assignments, &[])? {
        rows += batch?.num_rows();
    }
    timed("memberships", start);
    eprintln!(
        "{} profiles, {} segments, {rows} memberships",
        found.len(),
        sums.len()
    );
    Ok(())
}
