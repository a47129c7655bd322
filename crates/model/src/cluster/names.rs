//! Names for clusters from the features that distinguish them: "high spend, longer inactive".

use tessera_spec::pipeline::Unit;

/// Least distance from the mean of all customers, in standard deviations, at which a feature may appear in a name.
const NOTABLE: f64 = 0.3;

/// A second feature joins the name where it is at least this share as far from the mean as the first.
const COMPARABLE: f64 = 0.4;

/// A feature that may appear in a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFeature {
    /// Its name in the pipeline, such as `spend_365d`.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
}

/// Mean of every feature over one cluster, less the mean over all customers, in standard deviations over all customers.
/// For standardised columns this is the cluster's centre. One entry per feature; NaN is ignored.
pub type ClusterProfile = Vec<f64>;

/// One name per cluster, all different: its one or two most distinctive features, more where two clusters would share a name.
pub fn cluster_names(features: &[NamedFeature], profiles: &[ClusterProfile]) -> Vec<String> {
    let phrases: Vec<Vec<String>> = profiles
        .iter()
        .map(|profile| ranked_phrases(features, profile))
        .collect();
    let mut lengths: Vec<usize> = profiles
        .iter()
        .map(|profile| first_length(profile))
        .collect();
    loop {
        let names: Vec<String> = phrases
            .iter()
            .zip(&lengths)
            .map(|(phrases, &length)| joined(phrases, length))
            .collect();
        let shared = |i: usize| names.iter().filter(|name| **name == names[i]).count() > 1;
        let extendable: Vec<usize> = (0..names.len())
            .filter(|&i| shared(i) && lengths[i] < phrases[i].len())
            .collect();
        if extendable.is_empty() {
            return numbered(names);
        }
        extendable.into_iter().for_each(|i| lengths[i] += 1);
    }
}

/// Phrases of the features that may appear in a name, the most distinctive first.
fn ranked_phrases(features: &[NamedFeature], profile: &[f64]) -> Vec<String> {
    let mut notable: Vec<(&NamedFeature, f64)> = features
        .iter()
        .zip(profile.iter().copied())
        .filter(|(_, z)| z.abs() >= NOTABLE)
        .collect();
    notable.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let mut phrases: Vec<String> = Vec::new();
    for (feature, z) in notable {
        let phrase = phrase(feature, z > 0.0);
        if !phrases.contains(&phrase) {
            phrases.push(phrase);
        }
    }
    phrases
}

/// How many features the name starts with: 1 or 2.
fn first_length(profile: &[f64]) -> usize {
    let mut sizes: Vec<f64> = profile
        .iter()
        .map(|z| z.abs())
        .filter(|z| *z >= NOTABLE)
        .collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    match sizes[..] {
        [first, second, ..] if second >= COMPARABLE * first => 2,
        _ => 1,
    }
}

fn joined(phrases: &[String], length: usize) -> String {
    if phrases.is_empty() {
        "average".to_owned()
    } else {
        phrases[..length.min(phrases.len())].join(", ")
    }
}

/// Adds a number to the second and later of equal names, so that all names differ.
fn numbered(names: Vec<String>) -> Vec<String> {
    let mut given: Vec<String> = Vec::with_capacity(names.len());
    for name in &names {
        let fresh = |candidate: &String| !given.contains(candidate);
        let candidates =
            std::iter::once(name.clone()).chain((2..).map(|number| format!("{name} {number}")));
        let unique = candidates
            .into_iter()
            .find(fresh)
            .unwrap_or_else(|| name.clone());
        given.push(unique);
    }
    given
}

/// What a high or low value of a feature is called, beside that of all customers: who is more recently active than most may still have
/// left long ago.
fn phrase(feature: &NamedFeature, high: bool) -> String {
    let pick = |when_high: &str, when_low: &str| {
        if high {
            when_high.to_owned()
        } else {
            when_low.to_owned()
        }
    };
    let label = label(feature);
    match (feature.name.as_str(), feature.unit) {
        (name, Unit::Days) if name.starts_with("recency") => {
            pick("longer inactive", "more recently active")
        }
        (name, Unit::Days) if name.starts_with("tenure") => pick("longer-standing", "newer"),
        (_, Unit::Days) => pick(&format!("long {label}"), &format!("short {label}")),
        (name, Unit::Count) => {
            let things = if name.contains("_count") {
                format!("{label}s")
            } else {
                label
            };
            pick(&format!("many {things}"), &format!("few {things}"))
        }
        (_, Unit::Date) => pick(&format!("late {label}"), &format!("early {label}")),
        (_, Unit::Currency | Unit::Ratio | Unit::Score | Unit::Label | Unit::Number) => {
            pick(&format!("high {label}"), &format!("low {label}"))
        }
    }
}

/// A feature's name in words, without the window and the way it is aggregated: `spend_total` and `spend_365d` are "spend". Days
/// that are counted stay: `active_days_90d` is "active days".
fn label(feature: &NamedFeature) -> String {
    let name = feature.name.as_str();
    let counts_days = feature.unit == Unit::Count;
    let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
    let is_window = |word: &str| {
        word.strip_suffix('d')
            .is_some_and(|days| !days.is_empty() && days.chars().all(|c| c.is_ascii_digit()))
    };
    let says_how = |word: &str| {
        is_window(word)
            || matches!(word, "total" | "mean" | "count" | "sum")
            || (word == "days" && !counts_days)
    };
    let kept = words
        .iter()
        .rposition(|word| !says_how(word))
        .map_or(words.len(), |last| last + 1);
    words[..kept].join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features() -> Vec<NamedFeature> {
        let named = |name: &str, unit| NamedFeature {
            name: name.to_owned(),
            unit,
        };
        vec![
            named("recency_days", Unit::Days),
            named("order_count", Unit::Count),
            named("spend_365d", Unit::Currency),
        ]
    }

    #[test]
    fn names_say_what_sets_a_cluster_apart() {
        let profiles = [
            vec![1.0, 0.1, 1.4],
            vec![-0.9, 2.0, 0.5],
            vec![0.1, -0.1, 0.2],
        ];
        let names = cluster_names(&features(), &profiles);
        assert_eq!(
            names,
            [
                "high spend, longer inactive",
                "many orders, more recently active",
                "average"
            ]
        );
    }

    #[test]
    fn names_differ() {
        let profiles = [
            vec![1.0, 0.5, 0.9],
            vec![1.0, -0.5, 0.9],
            vec![0.0; 3],
            vec![f64::NAN, 0.0, 0.1],
        ];
        let names = cluster_names(&features(), &profiles);
        assert_eq!(
            names,
            [
                "longer inactive, high spend, many orders",
                "longer inactive, high spend, few orders",
                "average",
                "average 2"
            ]
        );
    }

    #[test]
    fn labels_leave_out_window_and_aggregate() {
        let label_of = |name: &str, unit| {
            label(&NamedFeature {
                name: name.to_owned(),
                unit,
            })
        };
        assert_eq!(label_of("order_value_mean", Unit::Currency), "order value");
        assert_eq!(label_of("spend_prev_90d", Unit::Currency), "spend prev");
        assert_eq!(label_of("total", Unit::Number), "total");
        assert_eq!(label_of("active_days_90d", Unit::Count), "active days");
        assert_eq!(label_of("unseen_days", Unit::Days), "unseen");
    }
}
