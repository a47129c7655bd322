//! `kind = "kmeans"`: customers grouped by similarity over several numbers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tessera_model::Matrix;
use tessera_model::cluster::{self, ContentOrder, KmeansParams, Preparation, PreparationParams};
use tessera_spec::pipeline::{
    At, KChoice, Learns, LifecycleLimits, Refit, Scheme, SchemeInput, SchemeKind, SchemeSettings,
    Transform,
};
use tessera_spec::reader::Reader;
use tessera_spec::{Key, KeyValue, SchemeSyntax};

use crate::assignment::{Assignment, Extra};
use crate::clusters::keys::{self, FEATURES, K, MAX_UNMATCHED, NAMES, TRANSFORM, WINSORISE};
use crate::clusters::{self, Clustering, Clusters, Learned};
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::fit::Fit;
use crate::kind::{Kind, Learning, Nearest, declared, none_vacant, settings};

const RESTARTS: Key = Key::optional(
    "restarts",
    KeyValue::Whole(1, 1_000),
    "Restarts of the fit; 10 by default.",
);

const SAMPLE: Key = Key::optional(
    "sample",
    KeyValue::Whole(1_000, 10_000_000),
    "Most customers of the sample for the fit, before it is refined on all customers; 20000 by default.",
);

pub(super) static KIND: Kind = Kind {
    syntax: SchemeSyntax {
        name: "kmeans",
        summary: "Groups customers that are similar over several numbers.",
        keys: &[
            FEATURES,
            K,
            TRANSFORM,
            WINSORISE,
            RESTARTS,
            SAMPLE,
            NAMES,
            MAX_UNMATCHED,
        ],
        refit: Some(Refit::Months(1)),
        clusters: true,
        read,
    },
    docs: "Decides: the features are transformed, winsorised and standardised as stated; k-means is fitted on a sample from several \
           starts, the best is refined over all customers, and each customer belongs to the nearest centre. k is given, or the one \
           of a range with the highest mean silhouette. Clusters are numbered by the descending mean of the first feature and take \
           the scheme's names in that order, else names from their most distinctive features, such as `high spend, longer inactive`.\n\
           Missing values: count as the feature's median; the reason says so.\n\
           Publishes: in `models` k, inertia, silhouette, the preparation of every feature, the centres (`centroid_…` standardised, \
           `centroid_units_…` in the feature's unit), the criteria of every k that was tried, a rule of depth 3 that approximates \
           each cluster with its balanced accuracy on held-out customers (`surrogate_…`), how well each cluster is found again when \
           customers are resampled (`stability_…`) and the comparison with rows without clusters (`structure_…`: columns shuffled, a \
           box along the principal axes, and, of rows that are above both, columns that keep their distribution and how strongly they \
           rise together; where k was chosen, the choice is repeated on those rows); in `quality` whether the clusters pass both tests.",
    words: "clusters found by k-means",
    example: "features = [\"recency_days\", \"order_count\", \"spend_total\"]\nk = \"auto\"\nwinsorise = 0.01",
    nearest: Nearest::Centres,
    declared: declared::<KmeansScheme>,
    assign,
    learning: Some(Learning {
        form: clusters::FORM,
        files: &[
            "crates/model/src/cluster",
            "crates/segments/src/cluster_evidence.rs",
            "crates/segments/src/clusters",
            "crates/segments/src/kinds/kmeans.rs",
        ],
        restore: Fit::restored::<Clusters>,
        too_few: |scheme, fit| {
            let config: &KmeansScheme = scheme.kind.of()?;
            clusters::too_few(fit, keys::fewest(config.k))
        },
        apply: clusters::apply,
    }),
    vacant: none_vacant,
};

/// `kind = "kmeans"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KmeansScheme {
    /// Numeric features.
    pub features: Vec<At<String>>,
    /// Number of clusters.
    pub k: KChoice,
    /// What is done to each number before it is standardised.
    pub transform: Transform,
    /// Share cut at each tail after the transform, 0.01 = p1 and p99; none by default.
    pub winsorise: Option<f64>,
    /// Restarts of the fit; 10 by default.
    pub restarts: u32,
    /// Most customers of the sample for the fit, before it is refined on all customers; 20,000 by default.
    pub sample: u32,
    /// Names of the clusters, ordered by the mean of the first feature, highest first; `cluster 1` … by default.
    pub names: Vec<String>,
    /// Largest share of customers in clusters that continue none of the previous version, up to which a refit is used.
    pub max_unmatched: f64,
}

impl SchemeSettings for KmeansScheme {
    fn inputs(&self) -> Vec<SchemeInput<'_>> {
        self.features.iter().map(SchemeInput::number).collect()
    }

    fn learns(&self) -> Learns {
        Learns::Again
    }

    fn declared(&self) -> Option<Vec<&str>> {
        keys::declared(self.k, &self.names)
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
    let k = keys::clusters(table);
    let settings = KmeansScheme {
        features,
        transform: keys::transform(table),
        winsorise: table.small_share(&WINSORISE),
        restarts: table.whole(&RESTARTS).unwrap_or(10),
        sample: table.whole(&SAMPLE).unwrap_or(20_000),
        names: keys::names(table, k),
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
    let config: &KmeansScheme = settings(&KIND, scheme)?;
    let of = Clustering {
        kind: KIND.syntax.name,
        features: &config.features,
        names: &config.names,
        shown: vec![("restarts", f64::from(config.restarts))],
    };
    clusters::assign(&of, scheme, customers, extra, |raw| {
        learn(config, raw, extra.seed)
    })
}

/// Finds the clusters, and how far they can be trusted.
fn learn(config: &KmeansScheme, raw: &Matrix<'_>, seed: u64) -> Result<Learned, SegmentError> {
    let params = PreparationParams {
        winsorise: config.winsorise,
        ..PreparationParams::new(config.transform)
    };
    let (preparation, prepared) = Preparation::fit(raw, &params)?;
    let params = KmeansParams {
        restarts: config.restarts,
        sample: config.sample as usize,
        seed,
        ..KmeansParams::new(config.k)
    };
    let order = ContentOrder::new(&prepared, seed);
    let fit = cluster::fit_ordered(&order, &params.check()?)?;
    let found = clusters::judged(raw, (preparation, &order), (fit, config.k), seed)?;
    Ok((found, prepared))
}
