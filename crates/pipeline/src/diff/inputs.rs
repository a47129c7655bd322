//! What two versions were made of and by: definitions, and the files and rows of every source.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use tessera_snapshot::{Store, Version};

use super::chain::{integers, texts};
use crate::error::PipelineError;
use crate::history::{DEFINITIONS, MAP};
use crate::identity::DECLARED;

/// What is declared in another way, by the canonical form of the pipeline, so that comments and the order of tables are no
/// difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Definitions {
    /// Something differs that features, scores or rows depend on.
    pub features_changed: bool,
    /// Schemes that are defined in another way, or use one that is.
    pub schemes_changed: Vec<String>,
    /// Whether both versions state their pipeline; else `texts` is empty.
    pub texts_known: bool,
    /// Every key whose value differs.
    pub texts: Vec<TextDiff>,
}

/// A key whose value differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextDiff {
    /// Where it stands, such as `schemes.touch.kind.rules[1].when`.
    pub what: String,
    /// The value in the one version; none where that has no such key.
    pub before: Option<String>,
    /// The value in the other version.
    pub after: Option<String>,
}

/// Files and rows of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceDiff {
    /// Its name.
    pub source: String,
    /// `both`, `added` or `removed`.
    pub state: &'static str,
    /// Files that only the other version has.
    pub files_added: u64,
    /// Files that only the one version has.
    pub files_removed: u64,
    /// Files whose content differs.
    pub files_changed: u64,
    /// Files that are the same.
    pub files_same: u64,
    /// Size of all files in the one version.
    pub bytes_before: u64,
    /// Size of all files in the other version.
    pub bytes_after: u64,
    /// Rows that took part in the one version.
    pub used_before: i64,
    /// Rows that took part in the other version.
    pub used_after: i64,
    /// Rows that broke the contract in the one version: quarantined and dropped.
    pub rejected_before: i64,
    /// Rows that broke the contract in the other version.
    pub rejected_after: i64,
}

/// Compares what two pipelines declare, as commits state them.
pub(crate) fn definitions(from: &Value, to: &Value) -> Definitions {
    let (then, now) = (&from[DEFINITIONS], &to[DEFINITIONS]);
    let names = |of: &Value| -> BTreeSet<String> {
        let schemes = of["schemes"].as_object();
        schemes
            .into_iter()
            .flat_map(|schemes| schemes.keys().cloned())
            .collect()
    };
    let (a, b) = (names(then), names(now));
    let both = a
        .intersection(&b)
        .filter(|name| then["schemes"][*name] != now["schemes"][*name]);
    let (before, after) = (&from[DECLARED], &to[DECLARED]);
    let texts_known = !before.is_null() && !after.is_null();
    let mut texts = Vec::new();
    if texts_known {
        differences("", before, after, &mut texts);
    }
    Definitions {
        features_changed: then["features"] != now["features"] || then[MAP] != now[MAP],
        schemes_changed: both.cloned().collect(),
        texts_known,
        texts,
    }
}

/// Appends every place at which two values differ. Elements of lists are told apart by their names where they have some.
fn differences(path: &str, before: &Value, after: &Value, to: &mut Vec<TextDiff>) {
    if before == after {
        return;
    }
    let below = |key: &str| match path.is_empty() {
        true => key.to_owned(),
        false => format!("{path}.{key}"),
    };
    if let (Some(a), Some(b)) = (members(before), members(after)) {
        let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let of = |members: &BTreeMap<String, Value>| members.get(key).cloned();
            let (a, b) = (of(&a), of(&b));
            differences(
                &below(key),
                &a.unwrap_or_default(),
                &b.unwrap_or_default(),
                to,
            );
        }
        return;
    }
    match (before, after) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (place, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{place}]"), a, b, to);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            let gone = a.iter().enumerate().filter(|(_, one)| !b.contains(one));
            let come = b.iter().enumerate().filter(|(_, one)| !a.contains(one));
            let gone = gone.map(|(place, one)| (place, as_text(one), None));
            let come = come.map(|(place, one)| (place, None, as_text(one)));
            to.extend(gone.chain(come).map(|(place, before, after)| TextDiff {
                what: format!("{path}[{place}]"),
                before,
                after,
            }));
        }
        _ => to.push(TextDiff {
            what: path.to_owned(),
            before: as_text(before),
            after: as_text(after),
        }),
    }
}

/// The fields of an object, or the elements of a list by their names; nothing where elements have none.
fn members(of: &Value) -> Option<BTreeMap<String, Value>> {
    match of {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            Some(
                fields
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
            )
        }
        Value::Array(elements) => {
            let named = elements
                .iter()
                .map(|one| Some((one["name"].as_str()?.to_owned(), one.clone())));
            let named: BTreeMap<String, Value> = named.collect::<Option<_>>()?;
            (named.len() == elements.len()).then_some(named)
        }
        _ => None,
    }
}

/// A value as text; none where there is none.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Rows of a source: used, and rejected.
type Rows = BTreeMap<String, (i64, i64)>;

/// Compares files and rows of every source.
pub(super) fn sources(
    store: &Store,
    from: &Version,
    to: &Version,
) -> Result<Vec<SourceDiff>, PipelineError> {
    let (then, now) = (files(store, from)?, files(store, to)?);
    let (rows_then, rows_now) = (rows(from)?, rows(to)?);
    let mut names: Vec<&String> = then.keys().chain(now.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let none = BTreeMap::new();
    let of = |name: &String| {
        let (a, b) = (then.get(name), now.get(name));
        let state = match (a, b) {
            (Some(_), Some(_)) => "both",
            (None, _) => "added",
            (_, None) => "removed",
        };
        let (a, b) = (a.unwrap_or(&none), b.unwrap_or(&none));
        let same = |path: &&String| a.get(*path) == b.get(*path);
        let both = a.keys().filter(|path| b.contains_key(*path));
        let same = both.clone().filter(same).count();
        let both = both.count();
        let (used_before, rejected_before) = rows_then.get(name).copied().unwrap_or_default();
        let (used_after, rejected_after) = rows_now.get(name).copied().unwrap_or_default();
        SourceDiff {
            source: name.clone(),
            state,
            files_added: (b.len() - both) as u64,
            files_removed: (a.len() - both) as u64,
            files_changed: (both - same) as u64,
            files_same: same as u64,
            bytes_before: a.values().map(|file| file.0).sum(),
            bytes_after: b.values().map(|file| file.0).sum(),
            used_before,
            used_after,
            rejected_before,
            rejected_after,
        }
    };
    Ok(names.into_iter().map(of).collect())
}

/// Size and fingerprint of every file, by source and path.
type Files = BTreeMap<String, BTreeMap<String, (u64, String)>>;

fn files(store: &Store, version: &Version) -> Result<Files, PipelineError> {
    let inputs = store.inputs(version.commit())?;
    let mut found = Files::new();
    for source in inputs.as_array().into_iter().flatten() {
        let name = source["source"].as_str().unwrap_or_default().to_owned();
        let files = source["files"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|file| {
                let path = file["path"].as_str().unwrap_or_default().to_owned();
                let bytes = file["bytes"].as_u64().unwrap_or_default();
                (path, (bytes, file["fingerprint"].to_string()))
            });
        found.insert(name, files.collect());
    }
    Ok(found)
}

fn rows(version: &Version) -> Result<Rows, PipelineError> {
    let mut found = Rows::new();
    for batch in version.read("sources")? {
        let names = texts(&batch, "source");
        let used = integers(&batch, "used");
        let (quarantined, dropped) = (integers(&batch, "quarantined"), integers(&batch, "dropped"));
        for (row, name) in names.into_iter().enumerate() {
            let rejected = quarantined[row].unwrap_or(0) + dropped[row].unwrap_or(0);
            let name = name.unwrap_or_default();
            found.insert(name, (used[row].unwrap_or(0), rejected));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_that_differ_are_named_and_order_of_names_is_none() {
        let before = json!({"schemes": [{"name": "touch", "rules": [{"when": "a > 1"}, {"when": "b"}]}, {"name": "x"}], "seed": 1});
        let after = json!({"schemes": [{"name": "x"}, {"name": "touch", "rules": [{"when": "a > 2"}, {"when": "b"}]}, {"name": "new"}]});
        let mut found = Vec::new();
        differences("", &before, &after, &mut found);
        let said: Vec<String> = found
            .iter()
            .map(|one| format!("{}: {:?} {:?}", one.what, one.before, one.after))
            .collect();
        assert_eq!(
            said,
            [
                "schemes.new: None Some(\"{\\\"name\\\":\\\"new\\\"}\")",
                "schemes.touch.rules[0].when: Some(\"a > 1\") Some(\"a > 2\")",
                "seed: Some(\"1\") None",
            ]
        );
        let mut added = Vec::new();
        differences("r", &json!(["a", "b"]), &json!(["a", "c", "b"]), &mut added);
        assert_eq!(
            (
                added.len(),
                added[0].what.as_str(),
                added[0].after.as_deref()
            ),
            (1, "r[1]", Some("c"))
        );
    }
}
