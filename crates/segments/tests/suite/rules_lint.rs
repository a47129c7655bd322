//! The lint of rules: its counts against a count customer by customer, and its warnings.

use arrow::array::BooleanArray;
use proptest::prelude::*;
use tessera_segments::{
    Assignment, Extra, QualityStatus, RulesLint, RulesScheme, SegmentError, assign, repeated_rules,
};
use tessera_spec::pipeline::SchemeKind;

use crate::customer_base::{believable, customers, rules, scheme};

fn run(
    kind: SchemeKind,
    matches: &[BooleanArray],
    rows: usize,
) -> Result<Assignment, SegmentError> {
    let extra = Extra {
        rule_matches: Some(matches),
        ..Extra::default()
    };
    assign(
        &scheme("touch", kind),
        &customers(&believable(rows as i64)),
        &extra,
    )
}

fn said(found: &Assignment) -> Vec<String> {
    found.warnings.iter().map(ToString::to_string).collect()
}

/// Five rules over six customers: the fourth is true for nobody, the fifth repeats the first.
fn five() -> (SchemeKind, Vec<BooleanArray>) {
    let kind = rules(
        &[
            ("rescue", "churn_probability > 0.6"),
            ("care", "tickets_30d > 3"),
            ("rescue", "nps < 3"),
            ("gold", "spend_total > 1e9"),
            ("late", "churn_probability>0.6"),
        ],
        "rest",
    );
    let column = |bits: [Option<bool>; 6]| BooleanArray::from(bits.to_vec());
    let (t, f, n) = (Some(true), Some(false), None);
    let matches = vec![
        column([t, t, f, f, n, f]),
        column([f, t, t, f, f, f]),
        column([t, f, f, t, f, n]),
        column([f, f, n, f, f, f]),
        column([t, t, f, f, n, f]),
    ];
    (kind, matches)
}

#[test]
fn the_first_true_rule_wins_and_null_is_not_true() {
    let (kind, matches) = five();
    let found = run(kind, &matches, 6).unwrap();
    let names: Vec<&str> = (0..6).map(|row| found.segment(row).name.as_str()).collect();
    assert_eq!(
        names,
        ["rescue", "rescue", "care", "rescue", "rest", "rest"]
    );
    assert_eq!(found.reason(3), "rule 3: nps < 3");
    assert_eq!(found.reason(4), "none of the 5 rules is true");
}

#[test]
fn gaps_overlaps_and_dead_rules_are_told_apart_and_named() {
    let (kind, matches) = five();
    let found = run(kind, &matches, 6).unwrap();
    assert_eq!(
        said(&found),
        [
            "rule 5 (`late`) repeats the predicate of rule 1 (`rescue`), which always wins",
            "rule 4 (`gold`) is true for no customer, so it decides nothing",
            "rule 5 (`late`) is true for 2 customers and decides none of them: earlier rules take them all, \
             rule 1 (`rescue`), rule 2 (`care`), rule 3 (`rescue`)",
            "several rules are true for the same customers, and the first wins: \
             rule 1 (`rescue`) before rule 5 (`late`) for 2 customers; rule 1 (`rescue`) before rule 2 (`care`) for 1 customer; \
             rule 2 (`care`) before rule 5 (`late`) for 1 customer; and 1 further pair, see `overlap_…` in `models`",
            "no rule is true for 2 customers (33.33% of all); they are in `rest`, as `otherwise` says",
        ]
    );
    let value = |name: &str| {
        let row = found.parameters.iter().find(|row| row.name == name);
        row.map(|row| (row.model.as_str(), row.value, row.text.as_deref()))
    };
    assert_eq!(
        value("rule_2_matched"),
        Some(("rules", Some(2.0), Some("care")))
    );
    assert_eq!(
        value("rule_2_reached"),
        Some(("rules", Some(1.0), Some("care")))
    );
    assert_eq!(
        value("overlap_1_3"),
        Some(("rules", Some(1.0), Some("rescue")))
    );
    assert_eq!(value("overlap_2_3"), None);
    assert_eq!(value("uncovered"), Some(("rules", Some(2.0), Some("rest"))));
    let flagged: Vec<(&str, &str)> = found
        .quality
        .iter()
        .filter(|row| row.status == QualityStatus::Flagged)
        .map(|row| (row.segment.as_str(), row.metric.as_str()))
        .collect();
    assert_eq!(
        flagged,
        [
            ("gold", "rule_4_reached"),
            ("late", "rule_5_reached"),
            ("", "overlap")
        ]
    );
    let reached = found
        .quality
        .iter()
        .filter(|row| row.metric.ends_with("_reached"));
    assert_eq!(reached.count(), 5, "one row per rule");
    assert!(
        found
            .quality
            .iter()
            .all(|row| (row.status == QualityStatus::Ok) == row.reason.is_none())
    );
}

#[test]
fn first_rules_alone_divide_alike_and_say_only_what_they_can() {
    let (kind, matches) = five();
    let all = run(kind.clone(), &matches, 6).unwrap();
    let hits = [Some(0), Some(0), Some(1), Some(2), None, None];
    let extra = Extra {
        rule_hits: Some(&hits),
        ..Extra::default()
    };
    let first = assign(&scheme("touch", kind), &customers(&believable(6)), &extra).unwrap();
    assert_eq!(all.segment_of, first.segment_of);
    assert!(first.quality.is_empty());
    assert_eq!(
        said(&first),
        ["rule 5 (`late`) repeats the predicate of rule 1 (`rescue`), which always wins"]
    );
}

#[test]
fn outcomes_of_other_rules_or_customers_are_refused() {
    let (kind, matches) = five();
    let error = run(kind.clone(), &matches[..4], 6).unwrap_err().to_string();
    assert_eq!(
        error,
        "[schemes.touch]: 4 rules were evaluated, and the scheme has 5"
    );
    let error = run(kind, &matches, 7).unwrap_err().to_string();
    assert!(error.contains("evaluated for 6 customers"), "{error}");
}

#[test]
fn rules_that_part_the_customers_are_nothing_to_speak_of() {
    let kind = rules(&[("a", "x > 1"), ("b", "x <= 1")], "never");
    let matches = [
        BooleanArray::from(vec![true, false, true]),
        BooleanArray::from(vec![false, true, false]),
    ];
    let found = run(kind, &matches, 3).unwrap();
    assert_eq!(said(&found), [""; 0]);
    let nobody = run(
        rules(&[("a", "x > 1")], "b"),
        &[BooleanArray::from(Vec::<bool>::new())],
        0,
    )
    .unwrap();
    assert_eq!(said(&nobody), [""; 0]);
    assert!(nobody.quality.is_empty());
}

#[test]
fn predicates_repeat_whatever_their_blanks() {
    let kind = rules(
        &[
            ("a", "x > 1 and y = 'a b'"),
            ("b", "x>1  and y='a  b'"),
            ("c", " x>1 and\ny = 'a b' "),
        ],
        "d",
    );
    let said: Vec<String> = repeated_rules(kind.of::<RulesScheme>().unwrap())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said,
        ["rule 3 (`c`) repeats the predicate of rule 1 (`a`), which always wins"]
    );
}

proptest! {
    /// Oracle: a count customer by customer, over lengths that do and do not fill whole bytes and words.
    #[test]
    fn counts_equal_a_count_customer_by_customer(
        table in (0usize..150, 1usize..6).prop_flat_map(|(rows, rules)| {
            prop::collection::vec(prop::collection::vec(prop::option::of(any::<bool>()), rows), rules)
        })
    ) {
        let rows = table[0].len();
        let columns: Vec<BooleanArray> =
            table.iter().map(|column| BooleanArray::from(column.clone())).collect();
        let lint = RulesLint::of(&columns, rows);
        let holds = |rule: usize, row: usize| table[rule][row] == Some(true);
        for rule in 0..table.len() {
            let matched = (0..rows).filter(|&row| holds(rule, row)).count() as u64;
            let decides = |row: &usize| holds(rule, *row) && !(0..rule).any(|earlier| holds(earlier, *row));
            prop_assert_eq!(lint.matched[rule], matched);
            prop_assert_eq!(lint.reached[rule], (0..rows).filter(decides).count() as u64);
            for second in rule + 1..table.len() {
                let both = (0..rows).filter(|&row| holds(rule, row) && holds(second, row)).count() as u64;
                let found = lint.overlaps.iter().find(|pair| (pair.0, pair.1) == (rule, second));
                prop_assert_eq!(found.map_or(0, |pair| pair.2), both);
            }
        }
        let free = (0..rows).filter(|&row| !(0..table.len()).any(|rule| holds(rule, row))).count() as u64;
        prop_assert_eq!(lint.uncovered, free);
    }
}
