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

/// One name per cluster, all different: its one or two most distinctive features, more where two clusters would share a name. Where all
/// that are notable are the same, the feature that differs most between those of one name tells them apart: "long age, the longer age".
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
            return numbered(told_apart(features, profiles, names));
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

/// Differences between profiles below this are rounding.
const SAME: f64 = 1e-9;

fn is_apart(low: f64, high: f64) -> bool {
    high - low > SAME
}

/// Adds to each of several equal names the place of its cluster by the feature that differs most between them, until all names differ
/// or no feature does.
fn told_apart(
    features: &[NamedFeature],
    profiles: &[ClusterProfile],
    mut names: Vec<String>,
) -> Vec<String> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in 0..names.len() {
        match groups.iter_mut().find(|group| names[group[0]] == names[i]) {
            Some(group) => group.push(i),
            None => groups.push(vec![i]),
        }
    }
    while let Some(group) = groups.pop() {
        let range = |feature: &usize| {
            let known = group.iter().map(|&i| profiles[i][*feature]);
            let ends = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), z| {
                (low.min(z), high.max(z))
            });
            ends.1 - ends.0
        };
        let widest = (0..features.len()).max_by(|a, b| range(a).total_cmp(&range(b)));
        let Some(feature) = widest.filter(|feature| group.len() > 1 && range(feature) > SAME)
        else {
            continue;
        };
        let place = |i: &usize| profiles[*i][feature];
        let mut ordered = group.clone();
        ordered.sort_by(|a, b| place(a).total_cmp(&place(b)));
        let alike: Vec<&[usize]> = ordered
            .chunk_by(|a, b| !is_apart(place(a), place(b)))
            .collect();
        for (rank, alike_here) in alike.iter().enumerate() {
            let phrase = ranked(&features[feature], rank, alike.len());
            for &i in *alike_here {
                names[i] = format!("{}, {phrase}", names[i]);
            }
            groups.push(alike_here.to_vec());
        }
    }
    names
}

/// What the cluster of a rank from the lowest, of so many, at least two, is called beside the others.
fn ranked(feature: &NamedFeature, rank: usize, of: usize) -> String {
    let high = 2 * rank >= of;
    let words = degrees(feature, high);
    if of == 2 {
        return format!("the {}", words[0]);
    }
    let from_end = if high { of - 1 - rank } else { rank };
    match from_end {
        0 => format!("the {}", words[1]),
        1 => format!("the second {}", words[1]),
        2 => format!("the third {}", words[1]),
        more => format!("the {}th {}", more + 1, words[1]),
    }
}

/// A high or low value of a feature beside another one, and beside all others.
fn degrees(feature: &NamedFeature, high: bool) -> [String; 2] {
    let label = label(feature);
    let pick = |high_words: [&'static str; 2], low_words: [&'static str; 2]| {
        if high { high_words } else { low_words }
    };
    let of_label = |words: [&str; 2]| words.map(|word| format!("{word} {label}"));
    match (feature.name.as_str(), feature.unit) {
        (name, Unit::Days) if name.starts_with("recency") => pick(
            ["longer inactive", "longest inactive"],
            ["more recently active", "most recently active"],
        )
        .map(str::to_owned),
        (name, Unit::Days) if name.starts_with("tenure") => {
            pick(["longer-standing", "longest-standing"], ["newer", "newest"]).map(str::to_owned)
        }
        (_, Unit::Days) => of_label(pick(["longer", "longest"], ["shorter", "shortest"])),
        (name, Unit::Count) => {
            let plural = if name.contains("_count") { "s" } else { "" };
            of_label(pick(["more", "most"], ["fewer", "fewest"])).map(|words| words + plural)
        }
        (_, Unit::Date) => of_label(pick(["later", "latest"], ["earlier", "earliest"])),
        (_, Unit::Currency | Unit::Ratio | Unit::Score | Unit::Label | Unit::Number) => {
            of_label(pick(["higher", "highest"], ["lower", "lowest"]))
        }
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
                "average, the lower spend",
                "average, the higher spend"
            ]
        );
    }

    /// Four clusters of one feature, and two that no feature distinguishes: only those are numbered.
    #[test]
    fn a_number_is_given_only_where_no_feature_differs() {
        let age = [NamedFeature {
            name: "age_days".to_owned(),
            unit: Unit::Days,
        }];
        let of = |ages: &[f64]| {
            let profiles: Vec<ClusterProfile> = ages.iter().map(|z| vec![*z]).collect();
            cluster_names(&age, &profiles)
        };
        assert_eq!(
            of(&[-0.8, 0.5, 1.9]),
            [
                "short age",
                "long age, the shorter age",
                "long age, the longer age"
            ]
        );
        assert_eq!(
            of(&[1.9, 0.5, 0.9, 1.9]),
            [
                "long age, the longest age",
                "long age, the shortest age",
                "long age, the second shortest age",
                "long age, the longest age 2"
            ]
        );
        let profiles = [vec![1.0, 1.0, 0.1], vec![1.1, 1.0, -0.2]];
        assert_eq!(
            cluster_names(&features(), &profiles),
            [
                "longer inactive, many orders, the higher spend",
                "longer inactive, many orders, the lower spend"
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
