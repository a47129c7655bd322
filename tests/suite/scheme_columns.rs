//! Rules that read other columns of a scheme than its segment: their scheme is known to use the other one, so that an edit, a refit
//! and time have the same effect as where they read the segment or the score as a text.

use std::collections::BTreeMap;

use crate::versions::Case;

/// The permanent id of segment `top` of scheme `tier`, which follows from the names.
const TOP: i64 = 6_463_010_776_399_357;

/// Pairs of schemes that mean the same: by a column of another scheme, and by what that column is made from.
fn schemes(least: u8) -> String {
    let id = TOP;
    let digits: Vec<String> = (least..=5)
        .map(|digit| format!("rfm_score like '{digit}__'"))
        .collect();
    let fresh = digits.join(" or ");
    format!(
        r#"
[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = {{ top = 0.25, rest = 1.0 }}
refit = "never"

[schemes.rfm]
kind = "rfm_grid"
grid = "eleven"
score_method = "frozen"

[schemes.by_score]
kind = "rules"
rules = [{{ segment = "fresh", when = "rfm_r >= {least}" }}, {{ segment = "big", when = "rfm_m >= 4" }}]
otherwise = "rest"

[schemes.by_text]
kind = "rules"
rules = [{{ segment = "fresh", when = "{fresh}" }}, {{ segment = "big", when = "rfm_score like '__4' or rfm_score like '__5'" }}]
otherwise = "rest"

[schemes.by_id]
kind = "rules"
rules = [{{ segment = "one", when = "tier_segment_id = {id} and recency_days < {days}" }}]
otherwise = "two"

[schemes.by_name]
kind = "rules"
rules = [{{ segment = "one", when = "tier = 'top' and recency_days < {days}" }}]
otherwise = "two"

[memberships]
leaves_within = "60d"
"#,
        days = 10 * u32::from(least)
    )
}

/// Segment, day of entering, segment before, cause, day of leaving and segment then, by customer.
fn stays(case: &Case, scheme: &str) -> BTreeMap<String, Vec<String>> {
    let table = case.table("memberships");
    let leaves = (table.days("leaves_on"), table.texts("leaves_to"));
    let rows = table
        .texts("scheme")
        .into_iter()
        .zip(table.texts("customer_id"));
    let leaves = leaves.0.into_iter().zip(leaves.1).map(|(on, to)| [on, to]);
    let leaves = rows
        .zip(leaves)
        .filter(|((of, _), _)| of.as_deref() == Some(scheme));
    let mut all: BTreeMap<String, Vec<String>> = case
        .memberships(scheme)
        .into_iter()
        .map(|(key, stay)| (key, stay.to_vec()))
        .collect();
    for ((_, key), leaves) in leaves {
        let stay = all.get_mut(&key.unwrap()).unwrap();
        stay.extend(leaves.map(|one| one.unwrap_or_default()));
    }
    all
}

#[test]
fn a_rule_that_reads_any_column_of_a_scheme_is_as_one_that_reads_its_segment() {
    let case = Case::new();
    case.pipeline(&schemes(4));
    case.day("2026-02-01");
    let mut causes: BTreeMap<String, usize> = BTreeMap::new();
    let mut leave = 0;
    // Nothing, time, new rows, an edit of the rules, an edit and new rows.
    let nights = [
        ("02", 4, None),
        ("10", 4, None),
        ("14", 4, Some("large03")),
        ("20", 3, None),
        ("26", 2, Some("small06")),
    ];
    for (day, least, customer) in nights {
        case.pipeline(&schemes(least));
        let day = format!("2026-02-{day}");
        if let Some(customer) = customer {
            case.orders(
                &format!("{day}.csv"),
                &[(customer.to_owned(), &day, 4_000.0)],
            );
        }
        case.day(&day);
        for (one, other) in [("by_score", "by_text"), ("by_id", "by_name")] {
            let (one, other) = (stays(&case, one), stays(&case, other));
            assert_eq!(one, other, "{day}");
            leave += one.values().filter(|stay| !stay[4].is_empty()).count();
            for cause in one
                .into_values()
                .map(|stay| stay[3].clone())
                .filter(|cause| !cause.is_empty())
            {
                *causes.entry(cause).or_default() += 1;
            }
        }
    }
    assert!(leave > 0, "somebody leaves by time alone");
    for cause in ["definition", "ageing", "activity"] {
        assert!(causes.contains_key(cause), "{cause} in {causes:?}");
    }
}

/// Clusters are numbered, and a renamed segment keeps the id of its first name: neither follows from the name. Oracle: rules that read
/// the name mean the same, on the day, on later days without a row, and in every step of a move.
#[test]
fn a_rule_that_reads_an_id_is_as_one_that_reads_the_name_that_the_id_has() {
    let used = |tier: &str, was: &str| {
        format!(
            "[schemes.tier]\nkind = \"quantile\"\nby = \"spend_total\"\ntiers = {{ {tier} = 0.25, rest = 1.0 }}\n{was}\n\
             [schemes.spend]\nkind = \"kmeans\"\nfeatures = [\"spend_total\"]\nk = 2\ntransform = \"none\"\nnames = [\"much\", \"little\"]\n"
        )
    };
    let case = Case::new();
    case.pipeline(&used("top", ""));
    case.day("2026-02-01");
    let id = |scheme: &str, segment: &str| case.ids()[&(scheme.to_owned(), segment.to_owned())];
    let pairs = [
        ("tier", "best", id("tier", "top")),
        ("spend", "much", id("spend", "much")),
    ];
    let rule = |name: &str, when: String| {
        format!(
            "[schemes.{name}]\nkind = \"rules\"\nrules = [{{ segment = \"one\", when = \"{when} and recency_days < 40\" }}]\notherwise = \"two\"\n"
        )
    };
    let mut text = used("best", "was = { best = \"top\" }\n");
    for (scheme, segment, id) in pairs {
        text += &rule(
            &format!("{scheme}_by_id"),
            format!("{scheme}_segment_id = {id}"),
        );
        text += &rule(
            &format!("{scheme}_by_name"),
            format!("{scheme} = '{segment}'"),
        );
    }
    case.pipeline(&format!("{text}[memberships]\nleaves_within = \"60d\"\n"));
    let (mut leave, mut moved) = (0, 0);
    for (night, day) in ["2026-02-02", "2026-02-10", "2026-02-27", "2026-03-05"]
        .into_iter()
        .enumerate()
    {
        let order = |number: usize| (format!("small{:02}", 3 * number + night), day, 2_000.0);
        let orders: Vec<_> = (0..3).map(order).collect();
        case.orders(&format!("night{night}.csv"), &orders);
        case.day(day);
        for (scheme, _, _) in pairs {
            let by_id = stays(&case, &format!("{scheme}_by_id"));
            assert_eq!(
                by_id,
                stays(&case, &format!("{scheme}_by_name")),
                "{scheme} on {day}"
            );
            leave += by_id.values().filter(|stay| !stay[4].is_empty()).count();
            moved += by_id.values().filter(|stay| !stay[3].is_empty()).count();
        }
    }
    assert!(leave > 100 && moved > 20, "{leave} {moved}");
}
