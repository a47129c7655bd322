//! `kind = "hierarchical"`: customers grouped by merging similar ones.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tessera_model::Matrix;
use tessera_model::cluster::{self, ContentOrder, Preparation, PreparationParams};
use tessera_spec::pipeline::{
    At, KChoice, Learns, LifecycleLimits, Refit, Scheme, SchemeInput, SchemeKind, SchemeSettings,
    Transform,
};
use tessera_spec::reader::Reader;
use tessera_spec::{Key, KeyValue, SchemeSyntax};

use crate::assignment::{Assignment, Extra};
use crate::clusters::keys::{self, FEATURES, MAX_UNMATCHED, NAMES, TRANSFORM, WINSORISE};
use crate::clusters::{self, Clustering, Clusters, Learned};
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::fit::Fit;
use crate::kind::{Kind, Learning, Nearest, declared, none_vacant, settings};

const K: Key = Key::required(
    "k",
    KeyValue::Whole(1, 50),
    "Number of clusters that are left when merging stops.",
    "add `k = 5`, the number of clusters that are left when merging stops",
);

const SAMPLE: Key = Key::optional(
    "sample",
    KeyValue::Whole(100, 5_000),
    "Most customers that are merged: time and memory grow with its square; 2000 by default.",
);

pub(super) static KIND: Kind = Kind {
    syntax: SchemeSyntax {
        name: "hierarchical",
        summary: "Groups customers by merging, again and again, the two groups that are most alike.",
        keys: &[
            FEATURES,
            K,
            TRANSFORM,
            WINSORISE,
            SAMPLE,
            NAMES,
            MAX_UNMATCHED,
        ],
        refit: Some(Refit::Months(1)),
        clusters: true,
        read,
    },
    docs: "Decides: the features are transformed, winsorised and standardised as stated; a sample of the customers, drawn by content, \
           is merged until k clusters are left, always the two whose merger adds least to the sum of squared distances to the centres \
           (Ward 1963); each customer belongs to the nearest centre of these. Unlike k-means there are no random starts, and the clusters \
           of a smaller k are unions of those of a larger one. Clusters are numbered by the descending mean of the first feature and take \
           the scheme's names in that order, else names from their most distinctive features.\n\
           Missing values: count as the feature's median; the reason says so.\n\
           Publishes: in `models` and `quality` what `kmeans` publishes, without the criteria of several k; how well clusters are found \
           again when customers are resampled (`stability_…`) is measured with k-means from their centres.",
    words: "clusters found by merging",
    example: "features = [\"recency_days\", \"order_count\", \"spend_total\"]\nk = 5",
    nearest: Nearest::Centres,
    declared: declared::<HierarchicalScheme>,
    assign,
    learning: Some(Learning {
        form: clusters::FORM,
        files: &[
            "crates/model/src/cluster",
            "crates/segments/src/cluster_evidence.rs",
            "crates/segments/src/clusters",
            "crates/segments/src/kinds/hierarchical.rs",
        ],
        restore: Fit::restored::<Clusters>,
        too_few: |scheme, fit| {
            let config: &HierarchicalScheme = scheme.kind.of()?;
            clusters::too_few(fit, keys::fewest(KChoice::Fixed(config.k)))
        },
        apply: clusters::apply,
    }),
    vacant: none_vacant,
};

/// `kind = "hierarchical"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct HierarchicalScheme {
    /// Numeric features.
    features: Vec<At<String>>,
    /// Number of clusters.
    k: u32,
    /// What is done to each number before it is standardised.
    transform: Transform,
    /// Share cut at each tail after the transform; none by default.
    winsorise: Option<f64>,
    /// Most customers that are merged.
    sample: u32,
    /// Names of the clusters, ordered by the mean of the first feature, highest first.
    names: Vec<String>,
    /// Largest share of customers in clusters that continue none of the previous version, up to which a refit is used.
    max_unmatched: f64,
}

impl SchemeSettings for HierarchicalScheme {
    fn inputs(&self) -> Vec<SchemeInput<'_>> {
        self.features.iter().map(SchemeInput::number).collect()
    }

    fn learns(&self) -> Learns {
        Learns::Again
    }

    fn declared(&self) -> Option<Vec<&str>> {
        keys::declared(KChoice::Fixed(self.k), &self.names)
    }

    fn segments(&self, _: &LifecycleLimits) -> Option<Vec<String>> {
        None
    }

    fn made_of(&self) -> Vec<&str> {
        Vec::new()
    }

    fn learned_by(&self) -> Option<Value> {
        // What is done with clusters once they are found decides nothing about them.
        Some(json!(Self {
            names: Vec::new(),
            max_unmatched: 0.0,
            ..self.clone()
        }))
    }

    fn max_unmatched(&self) -> Option<f64> {
        Some(self.max_unmatched)
    }
}

fn read(table: &Reader<'_>) -> Option<SchemeKind> {
    let features = keys::features(table);
    table.require(&K);
    let k = table.whole(&K);
    let settings = HierarchicalScheme {
        features,
        transform: keys::transform(table),
        winsorise: table.small_share(&WINSORISE),
        sample: table.whole(&SAMPLE).unwrap_or(2_000),
        names: keys::names(table, k.map(KChoice::Fixed)),
        max_unmatched: keys::max_unmatched(table),
        k: k?,
    };
    Some(SchemeKind::new(KIND.syntax.name, settings))
}

fn assign(
    scheme: &Scheme,
    customers: &Customers,
    extra: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let config: &HierarchicalScheme = settings(&KIND, scheme)?;
    let of = Clustering {
        kind: KIND.syntax.name,
        features: &config.features,
        names: &config.names,
        shown: Vec::new(),
    };
    clusters::assign(&of, scheme, customers, extra, |raw| {
        learn(config, raw, extra.seed)
    })
}

/// Finds the clusters, and how far they can be trusted.
fn learn(
    config: &HierarchicalScheme,
    raw: &Matrix<'_>,
    seed: u64,
) -> Result<Learned, SegmentError> {
    let params = PreparationParams {
        winsorise: config.winsorise,
        ..PreparationParams::new(config.transform)
    };
    let (preparation, prepared) = Preparation::fit(raw, &params)?;
    let order = ContentOrder::new(&prepared, seed);
    let fit = cluster::fit_merged(&order, config.k as usize, config.sample as usize)?;
    let k = KChoice::Fixed(config.k);
    let found = clusters::judged(raw, (preparation, &order), (fit, k), seed)?;
    Ok((found, prepared))
}
