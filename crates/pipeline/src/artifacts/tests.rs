//! A stored artifact, loaded and applied to the same features, gives what fitting and applying in one run gives: for every kind
//! of score and scheme that learns.

use std::fmt::Write as _;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use chrono::{Days, NaiveDate};
use tessera_snapshot::Gate;

use crate::artifacts::{of_scheme, of_score};
use crate::compute::{Computed, compute};
use crate::memory::Memory;
use crate::options::RunOptions;
use crate::prepare::{Reading, Records, prepare};
use crate::prepared::Prepared;
use crate::run::publish;
use crate::stage::{Silent, Stage, stages};
use crate::work::WorkFolder;

const DAY: &str = "2026-06-30";

const PIPELINE: &str = r#"
spec_version = 1
name = "shop"
timezone = "UTC"
currency = "EUR"
store = "DIR/store"
[customer]
key = "customer_id"
from = ["orders"]
[sources.orders]
kind = "events"
path = "DIR/orders.csv"
key = "customer_id"
time = "ordered_at"
contract = { columns = { customer_id = "string", ordered_at = "date", amount = "f64" }, missing_key = "quarantine" }
[sources.contracts]
kind = "intervals"
path = "DIR/contracts.csv"
key = "customer_id"
time = "begins"
until = "ends"
contract = { columns = { customer_id = "string", begins = "date", ends = "date" }, missing_key = "quarantine" }
[sources.accounts]
kind = "attributes"
path = "DIR/accounts.csv"
key = "customer_id"
attributes = { country = { base = "geographic" } }
contract = { columns = { customer_id = "string", country = "string" }, missing_key = "quarantine" }
[features]
use = ["rfm"]
orders = "orders"
orders_90d = { from = "orders", agg = "count", window = "90d" }
[scores.churn]
kind = "supervised"
from = "orders"
horizon = "60d"
models = ["random_forest", "logistic"]
observations = 3
[scores.value]
kind = "clv"
from = "orders"
models = ["mbg_nbd", "gamma_gamma"]
horizon = "180d"
[scores.renewal]
kind = "contractual"
from = "contracts"
horizon = "90d"
[scores.health]
kind = "health"
from = "orders"
[scores.health.components]
frequency = { feature = "orders_90d", weight = 1, percentile = "high" }
recency = { feature = "recency_days", weight = 2, worst = 200, best = 0 }
[schemes.rfm]
kind = "rfm_grid"
grid = "eleven"
refit = "30d"
[schemes.fixed]
kind = "rfm_grid"
grid = "eleven"
score_method = "frozen"
[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.1, mid = 0.5, low = 1.0 }
refit = "never"
[schemes.country_group]
kind = "attribute"
by = "country"
min_share = 0.1
refit = "1mo"
[schemes.behaviour]
kind = "kmeans"
features = ["recency_days", "order_count", "spend_total"]
k = 4
[schemes.merged]
kind = "hierarchical"
features = ["recency_days", "order_count", "spend_total"]
k = 3
sample = 500
[schemes.touch]
kind = "rules"
rules = [ { segment = "call", when = "churn_probability > 0.5" } ]
otherwise = "mail"
"#;

/// Numbers that look random, from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn lake(folder: &Path) {
    let mut chance = Chance(7);
    let begin: NaiveDate = "2025-01-01".parse().unwrap();
    let day = |number: u64| begin.checked_add_days(Days::new(number)).unwrap();
    let mut orders = String::from("customer_id,ordered_at,amount\n");
    let mut contracts = String::from("customer_id,begins,ends\n");
    let mut accounts = String::from("customer_id,country\n");
    for customer in 0..500 {
        let first = chance.below(300);
        let gap = 5 + chance.below(60);
        let leaves = first + 60 + chance.below(600);
        let mut at = first;
        while at < leaves.min(545) {
            let amount = 5 + chance.below(10 + customer % 90);
            writeln!(orders, "c{customer},{},{amount}", day(at)).unwrap();
            at += 1 + chance.below(2 * gap);
        }
        let leaves = 2 + chance.below(40);
        let mut periods = 1;
        while chance.below(100) >= leaves && periods < 24 {
            periods += 1;
        }
        let ends = first + 30 * periods;
        let ends = (ends < 540).then(|| day(ends).to_string());
        writeln!(
            contracts,
            "c{customer},{},{}",
            day(first),
            ends.unwrap_or_default()
        )
        .unwrap();
        let country = ["DE", "FR", "AT", "IS"][(chance.below(20) / 6) as usize];
        writeln!(accounts, "c{customer},{country}").unwrap();
    }
    std::fs::write(folder.join("orders.csv"), orders).unwrap();
    std::fs::write(folder.join("contracts.csv"), contracts).unwrap();
    std::fs::write(folder.join("accounts.csv"), accounts).unwrap();
    let text = PIPELINE.replace("DIR", &folder.display().to_string());
    std::fs::write(folder.join("shop.toml"), text).unwrap();
}

fn prepared(folder: &Path, work: &WorkFolder) -> Prepared {
    let reading = Reading {
        records: Records::Kept(work.path().to_owned()),
        ..Reading::default()
    };
    prepare(&folder.join("shop.toml"), DAY.parse().unwrap(), &reading).unwrap()
}

fn table(of: &Computed<'_>, name: &str) -> RecordBatch {
    let batches = of.table(name).unwrap().unwrap_or_default();
    let schema = batches.first().map(RecordBatch::schema).unwrap();
    arrow::compute::concat_batches(&schema, &batches).unwrap()
}

/// The rows of a table that do not depend on there being a previous version.
fn alone(name: &str, table: RecordBatch) -> RecordBatch {
    if name != "quality" {
        return table;
    }
    let metrics = table.column_by_name("metric").unwrap().as_string::<i32>();
    let compared = ["kept_share", "mix_psi"];
    let alone = metrics
        .iter()
        .map(|metric| Some(!compared.contains(&metric.unwrap())));
    arrow::compute::filter_record_batch(&table, &alone.collect()).unwrap()
}

#[test]
fn a_loaded_artifact_gives_the_bytes_of_fitting_and_applying_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    lake(folder.path());
    let work = WorkFolder::new(Some(folder.path())).unwrap();
    let (memory, gate) = (Memory::new(4 << 30, work.path()), Gate::new());
    let options = RunOptions {
        threads: 2,
        work: &work,
        replace_damaged: false,
        gate: &gate,
        planned: None,
        memory: &memory,
    };
    let first = prepared(folder.path(), &work);
    let looks_back = |prepared: &Prepared| {
        let past = |stage: &&Stage| matches!(stage, Stage::Past { .. });
        stages(prepared).iter().filter(past).count()
    };
    assert_eq!(
        looks_back(&first),
        5,
        "three dates of churn, of health three with one in common"
    );
    let mut fitted = compute(&first, &options, &Silent).unwrap();
    let names = [
        "customers",
        "models",
        "quality",
        "calibration",
        "segments",
        "profiles",
    ];
    let expected: Vec<RecordBatch> = names
        .iter()
        .map(|name| alone(name, table(&fitted, name)))
        .collect();
    let memberships = table(&fitted, "memberships");
    // As the version of the day before, so that this day comes after it.
    let before = first.as_of.pred_opt().unwrap();
    fitted.walk.job.identity.as_of = before;
    publish(fitted).unwrap();

    let second = prepared(folder.path(), &work);
    let scores = ["churn", "value", "renewal", "health"].map(of_score);
    let schemes = [
        "rfm",
        "fixed",
        "tier",
        "country_group",
        "behaviour",
        "merged",
    ];
    for name in scores.into_iter().chain(schemes.map(of_scheme)) {
        let learned = second.artifacts.get(&name);
        assert!(!second.artifacts.fits(&name), "{name}: {learned:?}");
    }
    assert_eq!(looks_back(&second), 0, "nothing is read to learn from");
    let applied = compute(&second, &options, &Silent).unwrap();
    for (name, expected) in names.iter().zip(&expected) {
        let found = alone(name, table(&applied, name));
        assert_eq!(found.schema(), expected.schema(), "{name}");
        assert_eq!(&found, expected, "{name}");
    }
    let found = table(&applied, "memberships");
    for column in [
        "customer_id",
        "scheme",
        "segment_id",
        "segment",
        "reason",
        "assigned_by",
    ] {
        assert_eq!(
            found.column_by_name(column),
            memberships.column_by_name(column),
            "{column}"
        );
    }
}

#[test]
fn an_edit_of_what_is_learned_is_named_and_others_keep_their_artifacts() {
    let folder = tempfile::tempdir().unwrap();
    lake(folder.path());
    let work = WorkFolder::new(Some(folder.path())).unwrap();
    let (memory, gate) = (Memory::new(4 << 30, work.path()), Gate::new());
    let options = RunOptions {
        threads: 2,
        work: &work,
        replace_damaged: false,
        gate: &gate,
        planned: None,
        memory: &memory,
    };
    let first = prepared(folder.path(), &work);
    let mut fitted = compute(&first, &options, &Silent).unwrap();
    fitted.walk.job.identity.as_of = first.as_of.pred_opt().unwrap();
    publish(fitted).unwrap();
    let file = folder.path().join("shop.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let why = |from: &str, to: &str, of: String| {
        assert!(text.contains(from), "{from}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
        let now = prepared(folder.path(), &work);
        now.artifacts
            .get(&of)
            .and_then(|decision| decision.fit.clone())
    };
    let k = why("k = 4", "k = 5", of_scheme("behaviour"));
    assert_eq!(
        k.as_deref(),
        Some("its settings changed since version 1 fitted it")
    );
    assert_eq!(why("k = 4", "k = 5", of_score("churn")), None);
    let window = ("window = \"90d\"", "window = \"80d\"");
    let health = why(window.0, window.1, of_score("health"));
    assert_eq!(
        health.as_deref(),
        Some("its features changed since version 1 fitted it")
    );
    assert_eq!(
        why(window.0, window.1, of_scheme("behaviour")),
        None,
        "it does not read it"
    );
    let named = why(
        "k = 4",
        "k = 4\nnames = [\"a\", \"b\", \"c\", \"d\"]",
        of_scheme("behaviour"),
    );
    assert_eq!(named, None, "names are given to clusters that are found");
    let other = why(
        "key = \"customer_id\"\ntime = \"begins\"",
        "filter = \"customer_id <> 'c1'\"\nkey = \"customer_id\"\ntime = \"begins\"",
        of_score("renewal"),
    );
    assert_eq!(
        other.as_deref(),
        Some("the sources changed since version 1 fitted it")
    );
}
