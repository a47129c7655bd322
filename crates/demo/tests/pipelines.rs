//! The shipped pipelines parse as expected, and take their folders from variables.

use std::path::{Path, PathBuf};

use tessera_expr::{Schema, Type};
use tessera_segments::{Grid, RfmGrid, ScoreMethod};
use tessera_spec::Loaded;
use tessera_spec::pipeline::{At, ColumnType, FeatureBody, OnBadRow, Source};

/// Name of the file, default lake, `as_of` of the examples in its comments.
const SHIPPED: &[(&str, &str, &str)] = &[
    ("cdnow", "../shared/data/cdnow", "1997-09-30"),
    ("demo", "data/lake", "2026-10-31"),
    (
        "online_retail",
        "../shared/data/online_retail",
        "2011-12-10",
    ),
    ("ravenstack", "../shared/data/ravenstack", "2024-12-31"),
    ("rfm_reference", "../shared/data/rfm", "2006-12-31"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines")
}

fn load(name: &str, vars: &[(&str, &str)]) -> Loaded {
    let vars: Vec<(String, String)> = vars
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let path = folder().join(format!("{name}.toml"));
    tessera_spec::load(&path, &vars, &tessera_pipeline::syntax())
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

#[test]
fn every_shipped_pipeline_is_named_here() {
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    found.sort();
    let named: Vec<&str> = SHIPPED.iter().map(|(name, ..)| *name).collect();
    assert_eq!(found, named);
}

#[test]
fn shipped_pipelines_parse_without_a_word() {
    for (name, _, as_of) in SHIPPED {
        let loaded = load(name, &[]);
        assert!(
            loaded.warnings.is_empty(),
            "{}",
            loaded.warnings.render(false)
        );
        assert_eq!(&loaded.pipeline.name, name);
        assert!(
            loaded.pipeline.goal.is_some() && !loaded.pipeline.playbooks.is_empty(),
            "{name}"
        );
        let text = std::fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
        assert_eq!(
            text.lines().next(),
            Some("#:schema ../schema/pipeline.schema.json"),
            "{name}"
        );
        let example = format!("tessera run pipelines/{name}.toml --as-of {as_of}");
        assert!(text.contains(&example), "{name} does not say `{example}`");
    }
}

#[test]
fn shipped_pipelines_take_lake_and_out() {
    for (name, lake, _) in SHIPPED {
        let default = load(name, &[]).pipeline;
        assert!(
            default
                .sources
                .iter()
                .all(|s| s.path.value.starts_with(lake)),
            "{name}"
        );
        assert_eq!(default.store, format!("data/store/{name}"));
        let moved = load(
            name,
            &[("lake", "/elsewhere/lake"), ("out", "/elsewhere/out")],
        )
        .pipeline;
        assert!(
            moved
                .sources
                .iter()
                .all(|s| s.path.value.starts_with("/elsewhere/lake")),
            "{name}"
        );
        assert_eq!(moved.store, format!("/elsewhere/out/{name}"));
    }
}

#[test]
fn demo_uses_every_source_of_its_lake_and_every_kind_of_scheme() {
    let pipeline = load("demo", &[]).pipeline;
    let sources: Vec<&str> = pipeline
        .sources
        .iter()
        .map(|s| s.name.value.as_str())
        .collect();
    assert_eq!(
        sources,
        [
            "orders",
            "accounts",
            "product_events",
            "subscriptions",
            "tickets",
            "surveys"
        ]
    );
    let mut bases: Vec<_> = pipeline.features.declared.iter().map(|f| f.base).collect();
    bases.extend(
        pipeline
            .sources
            .iter()
            .flat_map(|s| &s.attributes)
            .map(|a| a.base),
    );
    bases.sort();
    bases.dedup();
    assert_eq!(bases.len(), 9, "not every base: {bases:?}");
    let kinds: Vec<&str> = pipeline.schemes.iter().map(|s| s.kind.name()).collect();
    assert_eq!(
        kinds,
        [
            "rfm_grid",
            "quantile",
            "lifecycle",
            "attribute",
            "kmeans",
            "rules"
        ]
    );
}

#[test]
fn online_retail_states_the_clean_rule() {
    let pipeline = load("online_retail", &[]).pipeline;
    let orders = pipeline.source("orders").unwrap();
    let filter = orders.filter.as_ref().unwrap();
    assert_eq!(
        filter.value,
        "quantity > 0 and unit_price > 0 and invoice_no not like 'C%'"
    );
    assert_eq!(orders.contract.missing_key, OnBadRow::Quarantine);
    assert_eq!(orders.order_id.as_ref().unwrap().value, "invoice_no");
}

#[test]
fn cdnow_reads_the_sample_or_the_master() {
    let path =
        |pipeline: &tessera_spec::Pipeline| pipeline.source("orders").unwrap().path.value.clone();
    assert_eq!(
        path(&load("cdnow", &[]).pipeline),
        "../shared/data/cdnow/sample.parquet"
    );
    let master = load("cdnow", &[("file", "master.parquet")]).pipeline;
    assert_eq!(path(&master), "../shared/data/cdnow/master.parquet");
    assert!(
        master.source("orders").unwrap().filter.is_none(),
        "the published figures count $0 rows"
    );
}

#[test]
fn rfm_reference_states_the_published_edges_and_grid() {
    let pipeline = load("rfm_reference", &[]).pipeline;
    let grid: &RfmGrid = pipeline.scheme("rfm").unwrap().kind.of().unwrap();
    assert_eq!(grid.grid.value, Grid::IntervalReadme);
    let ScoreMethod::Quantile {
        edge_offset,
        closed,
    } = &grid.score_method
    else {
        panic!("not quantiles")
    };
    assert_eq!(
        (*edge_offset, *closed),
        (1.0, tessera_segments::Closed::Left)
    );
    assert!(
        pipeline.source("orders").unwrap().order_id.is_none(),
        "transaction_count counts rows"
    );
}

/// Columns of a source by its contract, then joined and derived ones.
fn schema(pipeline: &tessera_spec::Pipeline, source: &Source) -> Schema {
    let ty = |column: ColumnType| match column {
        ColumnType::Bool => Type::Bool,
        ColumnType::F32 | ColumnType::F64 | ColumnType::Decimal => Type::Float,
        ColumnType::String => Type::String,
        ColumnType::Date => Type::Date,
        ColumnType::Timestamp => Type::Timestamp,
        _ => Type::Int,
    };
    let declared = source
        .contract
        .columns
        .iter()
        .map(|column| (column.name.value.clone(), ty(column.ty.value)));
    let mut schema_of = Schema {
        columns: declared.collect(),
    };
    for join in &source.joins {
        let lookup = schema(pipeline, pipeline.source(&join.from.value).unwrap());
        for (name, of) in &join.columns {
            let ty = lookup.get(&of.value).unwrap();
            schema_of.columns.push((name.value.clone(), ty));
        }
    }
    for (name, text) in &source.derive {
        let derived = check(text, &schema_of);
        schema_of.columns.push((name.value.clone(), derived));
    }
    schema_of
}

fn check(text: &At<String>, schema: &Schema) -> Type {
    tessera_expr::parse(&text.value, schema)
        .unwrap_or_else(|errors| panic!("{}: {errors:?}", text.value))
        .ty
}

#[test]
fn contracts_hold_all_columns_that_expressions_over_sources_use() {
    for (name, ..) in SHIPPED {
        let pipeline = load(name, &[]).pipeline;
        for source in &pipeline.sources {
            let schema = schema(&pipeline, source);
            for text in source
                .filter
                .iter()
                .chain(source.contract.rules.iter().map(|rule| &rule.check))
            {
                assert_eq!(check(text, &schema), Type::Bool, "{}", text.value);
            }
            let columns = [
                Some(&source.key),
                source.time.as_ref(),
                source.until.as_ref(),
                source.order_id.as_ref(),
            ];
            let attributes = source.attributes.iter().map(|attribute| &attribute.column);
            for column in columns
                .into_iter()
                .flatten()
                .chain(source.amount.as_ref())
                .chain(attributes)
            {
                assert!(
                    schema.get(&column.value).is_some(),
                    "{name}: no column {}",
                    column.value
                );
            }
        }
        for feature in &pipeline.features.declared {
            if let FeatureBody::Aggregate {
                from, of, filter, ..
            } = &feature.body
            {
                let schema = schema(&pipeline, pipeline.source(&from.value).unwrap());
                of.iter()
                    .for_each(|text| assert_ne!(check(text, &schema), Type::Null));
                filter.iter().for_each(|text| {
                    assert_eq!(check(text, &schema), Type::Bool, "{}", text.value)
                });
            }
        }
    }
}
