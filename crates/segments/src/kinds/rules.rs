//! `kind = "rules"`: the first predicate that is true.

use tessera_spec::pipeline::{RulesScheme, Scheme, SchemeKind};

use super::Kind;
use crate::assignment::{AssignedBy, Assignment, Extra, Parameter, Reasons, SegmentInfo};
use crate::customers::Customers;
use crate::error::SegmentError;

pub(super) static KIND: Kind = Kind {
    name: "rules",
    summary: "The first rule that is true names the segment.",
    docs: "Decides: rules are tried in order and the first whose predicate is true names the segment; where none is, `otherwise`. The \
           predicates are evaluated by the engine, which hands over the number of the first true rule.\n\
           Missing values: a predicate that is null is not true, so the next rule is tried.\n\
           Publishes: in `models` every rule and how many customers it decided.",
    accepts: |kind| matches!(kind, SchemeKind::Rules(_)),
    inputs: |_| Vec::new(),
    divide,
};

fn divide(
    scheme: &Scheme,
    customers: &Customers,
    extra: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let SchemeKind::Rules(config) = &scheme.kind else {
        return Err(SegmentError::WrongKind { kind: KIND.name });
    };
    let hits = extra.rule_hits.ok_or(SegmentError::RuleHitsMissing)?;
    if hits.len() != customers.len() {
        return Err(SegmentError::RuleHitsLength {
            found: hits.len(),
            expected: customers.len(),
        });
    }
    let otherwise = config.rules.len() as u32;
    let mut codes = Vec::with_capacity(hits.len());
    let mut decided = vec![0u64; config.rules.len() + 1];
    for (row, hit) in hits.iter().enumerate() {
        let code = match *hit {
            Some(index) if index >= otherwise => {
                return Err(SegmentError::RuleIndex {
                    row,
                    index,
                    rules: config.rules.len(),
                });
            }
            Some(index) => index,
            None => otherwise,
        };
        decided[code as usize] += 1;
        codes.push(code);
    }

    let name = scheme.name.value.as_str();
    let (segments, of_code) = segments(name, config);
    Ok(Assignment {
        scheme: name.to_owned(),
        kind: KIND.name,
        segments,
        segment_of: codes.iter().map(|&code| of_code[code as usize]).collect(),
        reasons: Reasons::PerCode {
            codes,
            texts: reasons(config),
        },
        assigned_by: AssignedBy::Rule,
        columns: Vec::new(),
        parameters: parameters(config, &decided),
        warnings: Vec::new(),
    })
}

/// The segments in the order of the rules, and the segment of each rule (`otherwise` last). Rules that name the same segment
/// share it; its rule in words joins theirs.
fn segments(scheme: &str, config: &RulesScheme) -> (Vec<SegmentInfo>, Vec<u32>) {
    let mut segments: Vec<SegmentInfo> = Vec::new();
    let mut of_code = Vec::with_capacity(config.rules.len() + 1);
    let rules = config
        .rules
        .iter()
        .map(|rule| (rule.segment.value.as_str(), rule.when.value.trim()));
    for (segment, words) in rules.chain([(config.otherwise.as_str(), "otherwise")]) {
        let place = segments.iter().position(|info| info.name == segment);
        match place {
            Some(place) => {
                segments[place].rule = segments[place]
                    .rule
                    .take()
                    .map(|before| format!("{before}; or {words}"));
                of_code.push(place as u32);
            }
            None => {
                segments.push(SegmentInfo::new(scheme, segment, Some(words.to_owned())));
                of_code.push(segments.len() as u32 - 1);
            }
        }
    }
    (segments, of_code)
}

fn reasons(config: &RulesScheme) -> Vec<String> {
    let mut texts: Vec<String> = config
        .rules
        .iter()
        .enumerate()
        .map(|(index, rule)| format!("rule {}: {}", index + 1, rule.when.value.trim()))
        .collect();
    texts.push(match config.rules.len() {
        0 => "there are no rules".to_owned(),
        1 => "the rule is not true".to_owned(),
        rules => format!("none of the {rules} rules is true"),
    });
    texts
}

fn parameters(config: &RulesScheme, decided: &[u64]) -> Vec<Parameter> {
    let row = |(index, rule): (usize, &tessera_spec::pipeline::SegmentRule)| Parameter {
        model: KIND.name.to_owned(),
        name: format!("rule_{}", index + 1),
        value: Some(decided[index] as f64),
        text: Some(rule.when.value.trim().to_owned()),
    };
    let mut rows: Vec<Parameter> = config.rules.iter().enumerate().map(row).collect();
    rows.push(Parameter {
        model: KIND.name.to_owned(),
        name: "otherwise".to_owned(),
        value: decided.last().map(|customers| *customers as f64),
        text: Some(config.otherwise.clone()),
    });
    rows
}
