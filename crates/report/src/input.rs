//! What a report is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::ReportError;

/// The tables of one published version, and what the report says about the pipeline.
#[derive(Debug, Clone)]
pub struct ReportInput {
    /// Tables by name, as published. Sections of an absent table state that it is absent; without `calibration` and
    /// `quality`, which only scores have, their sections are left out. Of `customers` the report reads the scheme columns,
    /// their scores and the KPI; other columns may be left out.
    pub tables: BTreeMap<String, Vec<RecordBatch>>,
    /// Files of each table, relative to the folder of the store, so that the SQL of a number can read them. For a table
    /// without files the SQL has the table's name.
    pub files: BTreeMap<String, Vec<String>>,
    /// The pipeline and the version.
    pub meta: ReportMeta,
    /// Number of closed accounts, which `customers` does not hold here; `None` where the pipeline does not declare them.
    pub closed: Option<i64>,
    /// The version before, as far as the report compares with it.
    pub before: Before,
}

/// The version before, as the commit names it: that of the greatest earlier day.
#[derive(Debug, Clone, Default)]
pub enum Before {
    /// There is none.
    #[default]
    None,
    /// It cannot be read any more.
    Gone {
        /// Why, as the report says it.
        reason: String,
        /// What was found.
        error: Arc<ReportError>,
    },
    /// It is of another pipeline that shares the store, so that nothing is compared with it.
    Other {
        /// The name of that pipeline.
        pipeline: String,
    },
    /// Its `customers`: key, KPI, value, value at risk, the schemes.
    Known(Box<ReportInput>),
}

impl ReportInput {
    /// The tables of a version of which nothing else is known.
    pub fn new(meta: ReportMeta) -> Self {
        Self {
            tables: BTreeMap::new(),
            files: BTreeMap::new(),
            meta,
            closed: None,
            before: Before::None,
        }
    }
}

/// What the report says about the pipeline: the commit's `pipeline` object, plus version and date.
///
/// Serialise it to write the commit's object; [`ReportMeta::from_json`] reads it again. Missing keys mean "not declared", and
/// unknown keys are ignored, so that old and new versions of the program can read each other's commits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportMeta {
    /// Name of the pipeline.
    #[serde(default)]
    pub name: String,
    /// Version of the store, from 1; absent for a report of tables that were not published.
    #[serde(skip)]
    pub version: Option<u64>,
    /// The day whose close the version describes.
    #[serde(skip)]
    pub as_of: NaiveDate,
    /// Time zone whose calendar days the pipeline counts in.
    #[serde(default)]
    pub timezone: Option<String>,
    /// ISO 4217 code shown with money.
    #[serde(default)]
    pub currency: Option<String>,
    /// Name of the key column.
    #[serde(default)]
    pub key: Option<String>,
    /// The feature summed up as `value` in `segments`.
    #[serde(default)]
    pub value: Option<String>,
    /// The period of that value, if it is one of a period: `month`.
    #[serde(default)]
    pub value_per: Option<String>,
    /// The scores of whose probabilities a stated `risk` of `[value]` is made, in the order in which it names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risk: Vec<String>,
    /// The probability of losing a customer, by which customers are put in order where nothing says what they are worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<String>,
    /// The share of the customers that the pipeline draws, where it does not read all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<f64>,
    /// The goal of the segmentation.
    #[serde(default)]
    pub goal: Option<GoalMeta>,
    /// Schemes in file order.
    #[serde(default)]
    pub schemes: Vec<SchemeMeta>,
    /// Features in the order of the `customers` columns.
    #[serde(default)]
    pub features: Vec<FeatureMeta>,
}

impl ReportMeta {
    /// Metadata of a pipeline that declares nothing but its name.
    pub fn new(name: impl Into<String>, as_of: NaiveDate) -> Self {
        Self {
            name: name.into(),
            version: None,
            as_of,
            timezone: None,
            currency: None,
            key: None,
            value: None,
            value_per: None,
            risk: Vec::new(),
            loss: None,
            sample: None,
            goal: None,
            schemes: Vec::new(),
            features: Vec::new(),
        }
    }

    /// Reads the commit's `pipeline` object.
    ///
    /// # Errors
    /// [`ReportError::Meta`] where a key has a value of the wrong type.
    pub fn from_json(
        json: &serde_json::Value,
        version: Option<u64>,
        as_of: NaiveDate,
    ) -> Result<Self, ReportError> {
        if json.is_null() {
            return Ok(Self {
                version,
                ..Self::new("", as_of)
            });
        }
        let meta = Self::deserialize(json)?;
        Ok(Self {
            version,
            as_of,
            ..meta
        })
    }

    /// What is declared about a feature.
    pub(crate) fn feature(&self, name: &str) -> Option<&FeatureMeta> {
        self.features.iter().find(|f| f.name == name)
    }
}

/// `[goal]` of the pipeline file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoalMeta {
    /// retention, upsell, adoption or acquisition.
    #[serde(default)]
    pub objective: Option<String>,
    /// The feature or score shown per segment.
    pub kpi: String,
    /// Where its mean over all customers should be.
    #[serde(default)]
    pub target: Option<TargetMeta>,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Option<String>,
    /// When the segmentation is due for review.
    #[serde(default, with = "iso_date")]
    pub review_by: Option<NaiveDate>,
}

/// A target for the KPI's mean, in the KPI's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetMeta {
    /// The mean should lie below this.
    Below(f64),
    /// The mean should lie above this.
    Above(f64),
}

impl TargetMeta {
    /// The limit itself.
    pub(crate) fn limit(self) -> f64 {
        match self {
            Self::Below(limit) | Self::Above(limit) => limit,
        }
    }

    /// Whether a mean meets the target.
    pub(crate) fn met_by(self, mean: f64) -> bool {
        match self {
            Self::Below(limit) => mean < limit,
            Self::Above(limit) => mean > limit,
        }
    }
}

/// One scheme of the pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SchemeMeta {
    /// Name of the scheme, and of its column in `customers`.
    pub name: String,
    /// Its kind, such as `rfm_grid` or `quantile`.
    #[serde(default)]
    pub kind: String,
    /// How the customers are assigned, for a reader who does not know the pipeline file.
    #[serde(default)]
    pub words: String,
    /// Highest score of an `rfm_grid`; 5 when absent.
    #[serde(default)]
    pub scores: Option<u8>,
    /// Features that the segments are made of, and what these are computed from; empty for clusters, which their features describe.
    #[serde(default)]
    pub by: Vec<String>,
    /// Segments in the order they are shown: from best to worst, from new to gone, from first to last rule. Segments that are
    /// not named follow, the largest first.
    #[serde(default)]
    pub segments: Vec<String>,
}

/// One feature of the pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureMeta {
    /// Name of the feature and of its column in `customers`.
    pub name: String,
    /// days, count, currency, ratio, score, date, label or number.
    #[serde(default)]
    pub unit: Option<String>,
    /// Its base: behavioural, value, lifecycle, …
    #[serde(default)]
    pub base: Option<String>,
    /// What it means, as text.
    #[serde(default)]
    pub notes: Option<String>,
    /// Its name in the report.
    #[serde(default)]
    pub label: Option<String>,
    /// `high is good`, `low is good` or `none`, where it is declared or known.
    #[serde(default)]
    pub direction: Option<String>,
    /// The score that it is a column of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
}

/// Dates as `2026-12-31`.
mod iso_date {
    use chrono::NaiveDate;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        date: &Option<NaiveDate>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match date {
            Some(date) => to.collect_str(date),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<NaiveDate>, D::Error> {
        let text: Option<String> = Option::deserialize(from)?;
        text.map(|text| text.parse().map_err(D::Error::custom))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_survives_the_commit() {
        let as_of = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let meta = ReportMeta {
            version: Some(3),
            currency: Some("GBP".into()),
            goal: Some(GoalMeta {
                objective: None,
                kpi: "churn_probability".into(),
                target: Some(TargetMeta::Below(0.25)),
                owner: None,
                review_by: NaiveDate::from_ymd_opt(2026, 12, 31),
            }),
            schemes: vec![SchemeMeta {
                name: "rfm".into(),
                kind: "rfm_grid".into(),
                words: "recency, frequency and money scores".into(),
                scores: Some(5),
                by: vec!["recency_days".into()],
                segments: vec!["Champions".into()],
            }],
            ..ReportMeta::new("retail", as_of)
        };
        let json = serde_json::to_value(&meta).unwrap();
        assert_eq!(json["goal"]["target"], serde_json::json!({ "below": 0.25 }));
        assert_eq!(json["goal"]["review_by"], "2026-12-31");
        assert_eq!(ReportMeta::from_json(&json, Some(3), as_of).unwrap(), meta);
    }

    #[test]
    fn metadata_of_other_versions_of_the_program_can_be_read() {
        let as_of = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let json = serde_json::json!({ "name": "retail", "later": [1], "goal": { "kpi": "clv" } });
        assert_eq!(
            ReportMeta::from_json(&json, None, as_of)
                .unwrap()
                .goal
                .unwrap()
                .kpi,
            "clv"
        );
        assert_eq!(
            ReportMeta::from_json(&serde_json::Value::Null, None, as_of)
                .unwrap()
                .name,
            ""
        );
        let wrong =
            serde_json::json!({ "name": "retail", "goal": { "kpi": "clv", "review_by": "soon" } });
        assert!(matches!(
            ReportMeta::from_json(&wrong, None, as_of),
            Err(ReportError::Meta { .. })
        ));
    }
}
