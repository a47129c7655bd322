//! Why features have no value.

use serde::Serialize;
use serde_json::Value;
use tessera_snapshot::Version;

use super::rows::Rows;
use crate::identity::DECLARED;

/// A feature without a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The feature.
    pub feature: String,
    /// What people call it.
    pub label: String,
    /// Why there is no value.
    pub why: String,
}

/// The features of a customer that have no value.
pub(super) fn missing(version: &Version, customers: &Rows, row: usize) -> Vec<Missing> {
    let pipeline = &version.commit().pipeline;
    let features: Vec<&Value> = pipeline["features"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let of_score = |feature: &&&Value| !feature["score"].is_null();
    let is_missing = |name: &str| customers.value(name, row).is_null();
    let names: Vec<&str> = features
        .iter()
        .filter_map(|feature| feature["name"].as_str())
        .collect();
    features
        .iter()
        .filter(|feature| !of_score(feature))
        .filter_map(|feature| {
            let name = feature["name"].as_str().filter(|name| is_missing(name))?;
            let notes = feature["notes"].as_str().unwrap_or_default();
            let made_of = words(notes).filter(|word| *word != name && names.contains(word));
            let lacking: Vec<&str> = made_of.filter(|word| is_missing(word)).collect();
            let why = match (catalogue(name, pipeline), origin(name, pipeline)) {
                _ if !lacking.is_empty() => {
                    format!(
                        "it is made of {}, which is missing: {notes}",
                        lacking.join(", ")
                    )
                }
                (Some(missing), _) => missing,
                (None, Some(origin)) => format!("{}: {notes}", origin.why(&is_missing)),
                (None, None) => format!("the expression has no value for this customer: {notes}"),
            };
            Some(Missing {
                feature: name.to_owned(),
                label: feature["label"].as_str().unwrap_or_default().to_owned(),
                why,
            })
        })
        .collect()
}

/// What the catalogue says of missing values, of features that the pipeline does not declare itself.
fn catalogue(name: &str, pipeline: &Value) -> Option<String> {
    let declared = pipeline[DECLARED]["features"]["declared"].as_array();
    let own = declared
        .into_iter()
        .flatten()
        .any(|feature| feature["name"] == name);
    let found = tessera_features::catalogue::find(name).filter(|_| !own)?;
    Some(found.missing.to_owned())
}

/// What a feature is made of.
struct Origin<'a> {
    source: String,
    /// The attributes of the source; none of a feature that is declared over its rows.
    attributes: Option<Vec<&'a str>>,
}

impl Origin<'_> {
    /// Why there is no value. A customer with another attribute of the source has a row that counts.
    fn why(&self, is_missing: &dyn Fn(&str) -> bool) -> String {
        let source = &self.source;
        match &self.attributes {
            None => format!(
                "no row of `{source}` counts for this customer, or those that count give no value"
            ),
            Some(all) if all.iter().all(|one| is_missing(one)) => {
                format!("no row of `{source}` counts for this customer, or it is empty in that row")
            }
            Some(_) => {
                format!("it is empty in the row of `{source}` that counts for this customer")
            }
        }
    }
}

/// The source whose rows a feature is made of: of attributes, and of what is declared over a source.
fn origin<'a>(name: &str, pipeline: &'a Value) -> Option<Origin<'a>> {
    let declared = &pipeline[DECLARED];
    let features = declared["features"]["declared"].as_array();
    let mut features = features.into_iter().flatten();
    if let Some(feature) = features.find(|feature| feature["name"] == name) {
        return Some(Origin {
            source: find_text(feature, "from")?,
            attributes: None,
        });
    }
    let sources = declared["sources"].as_array().into_iter().flatten();
    let mut sources = sources.map(|source| (source, attributes(source)));
    let (source, attributes) = sources.find(|(_, attributes)| attributes.contains(&name))?;
    Some(Origin {
        source: source["name"].as_str()?.to_owned(),
        attributes: Some(attributes),
    })
}

/// The columns of a source that are attributes of customers.
fn attributes(source: &Value) -> Vec<&str> {
    let attributes = source["attributes"].as_array();
    let columns = attributes.into_iter().flatten();
    columns
        .filter_map(|attribute| attribute["column"].as_str())
        .collect()
}

/// The text of the first field of this name, at any depth.
fn find_text(value: &Value, field: &str) -> Option<String> {
    let fields = value.as_object()?;
    if let Some(text) = fields.get(field).and_then(Value::as_str) {
        return Some(text.to_owned());
    }
    fields.values().find_map(|value| find_text(value, field))
}

/// The words of a definition that can be columns.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let outside = text.split('\'').step_by(2);
    outside.flat_map(|text| text.split(|c: char| !(c.is_alphanumeric() || c == '_')))
}
