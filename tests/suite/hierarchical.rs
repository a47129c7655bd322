//! `kind = "hierarchical"`: merged once, applied on the nights after, ids by customers, gates and evidence as for other clusters.

use serde_json::Value;

use crate::versions::Case;

const SCHEMES: &str = "[schemes.spend]\nkind = \"hierarchical\"\nfeatures = [\"spend_total\"]\nk = 2\ntransform = \"none\"\n\
                       sample = 100\nrefit = \"1mo\"\n[gates]\nsubstantial = { min_customers = 1000, on_fail = \"flag\" }\n";

fn artifact(case: &Case, version: u64) -> Value {
    let file = case.path(&format!("store/commits/{version:020}.json"));
    let commit: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let artifacts = commit["artifacts"].as_array().unwrap();
    let found = artifacts.iter().find(|one| one["of"] == "schemes.spend");
    found.unwrap().clone()
}

#[test]
fn merged_clusters_are_stored_applied_and_keep_their_ids() {
    let case = Case::new();
    case.pipeline(SCHEMES).day("2026-02-01");
    let members = case.memberships("spend");
    let of = |customer: &str| members[customer][0].clone();
    let large: Vec<&String> = members
        .keys()
        .filter(|key| key.starts_with("large"))
        .collect();
    assert!(large.len() > 3);
    // Ward's merging of well separated spends: the groups that made the lake.
    for (customer, segment) in &members {
        let is_large = customer.starts_with("large");
        assert_eq!(segment[0] == of("large00"), is_large, "{customer}");
    }
    let ids = case.ids();
    let models = case.table("models");
    let (kinds, names, values) = (
        models.texts("model"),
        models.texts("name"),
        models.floats("value"),
    );
    let figure = |name: &str| {
        let is = |row: &usize| {
            kinds[*row].as_deref() == Some("hierarchical") && names[*row].as_deref() == Some(name)
        };
        (0..models.rows()).find(is).and_then(|row| values[row])
    };
    assert_eq!(figure("k"), Some(2.0));
    assert!(figure("silhouette").is_some_and(|silhouette| silhouette > 0.7));
    let quality = case.table("quality");
    let criteria = quality.texts("criterion");
    for wanted in ["stable", "identifiable", "substantial", "clustered"] {
        assert!(
            criteria.contains(&Some(wanted.to_owned())),
            "{wanted}: {criteria:?}"
        );
    }
    case.day("2026-02-02");
    let (then, now) = (artifact(&case, 1), artifact(&case, 2));
    assert_eq!(then["id"], now["id"]);
    assert_eq!(
        (&now["version"], &now["fitted_on"]),
        (&1.into(), &"2026-02-01".into())
    );
    assert_eq!(case.ids(), ids);
    // A month later it is fitted again; the same customers keep the ids.
    case.day("2026-03-02");
    assert_eq!(artifact(&case, 3)["fitted_on"], "2026-03-02");
    assert_eq!(case.ids(), ids);
    for (customer, [_, entered, by, cause]) in case.memberships("spend") {
        assert_eq!(
            (entered.as_str(), cause.as_str()),
            ("2026-02-01", ""),
            "{customer} {by}"
        );
    }
}
