//! `kind = "rules"`: the first predicate that is true.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use schemars::JsonSchema;
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{Scheme, SchemeInput, SchemeKind, SchemeSettings};
use tessera_spec::reader::Reader;
use tessera_spec::{Key, KeyValue, SchemeSyntax, shape_of};

use crate::assignment::{AssignedBy, Assignment, Extra, Reasons, SegmentInfo, Warning};
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::fit::Fit;
use crate::gates::distinguishable::MAX_OVERLAP;
use crate::kind::{Kind, Nearest, declared, none_vacant, settings};
use crate::parameter::Parameter;
use crate::quality::{Quality, Threshold};
use crate::rule_list::{RulesScheme, SegmentRule};
use crate::rules_lint::{RulesLint, RulesWarning, repeated_rules, true_rows};

const RULES: Key = Key::required(
    "rules",
    KeyValue::Of(shape_of::<Vec<SegmentRuleTable>>),
    "Rules in order.",
    "add `rules = [ { segment = \"…\", when = \"…\" } ]`; the first rule that is true decides",
);

const OTHERWISE: Key = Key::required(
    "otherwise",
    KeyValue::Text,
    "Segment if no rule is true.",
    "add `otherwise = \"…\"`, the segment where no rule is true",
);

/// One rule of a scheme.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct SegmentRuleTable {
    /// Segment of the customers for whom `when` is true.
    segment: String,
    /// SQL condition over features and schemes declared earlier.
    when: String,
}

pub(super) static KIND: Kind = Kind {
    syntax: SchemeSyntax {
        name: "rules",
        summary: "The first rule that is true names the segment.",
        keys: &[RULES, OTHERWISE],
        refit: None,
        clusters: false,
        read,
    },
    docs: "Decides: rules are tried in order and the first whose predicate is true names the segment; where none is, `otherwise`. The \
           predicates are evaluated by the engine, which returns the rules that are true, or the number of the first.\n\
           Missing values: a predicate that is null is not true, so the next rule is tried.\n\
           Publishes: in `models` every rule and how many customers it decided; where the engine returns all rules that are true, also \
           `rule_N_matched`, `rule_N_reached`, `overlap_N_M` and `uncovered`, a row of `quality` per rule, and warnings about rules that \
           overlap or decide no customer.",
    words: "first matching rule",
    example: "rules = [\n  { segment = \"rescue\", when = \"recency_days > 180 and spend_total > 1000\" },\n  { segment = \"grow\", when = \"order_count >= 3\" },\n]\notherwise = \"rest\"",
    nearest: Nearest::Rules,
    declared: declared::<RulesScheme>,
    assign,
    learning: None,
    vacant: none_vacant,
};

impl SchemeSettings for RulesScheme {
    fn inputs(&self) -> Vec<SchemeInput<'_>> {
        Vec::new()
    }

    fn declared(&self) -> Option<Vec<&str>> {
        let named = self.rules.iter().map(|rule| rule.segment.value.as_str());
        Some(named.chain([self.otherwise.as_str()]).collect())
    }
}

fn read(table: &Reader<'_>) -> Option<SchemeKind> {
    table.require(&RULES);
    let items = table.tables(RULES.name, "a rule", "a table { segment, when }");
    if items.as_ref().is_some_and(Vec::is_empty) {
        let message = format!("`rules` of {} is empty", table.name);
        table.note(
            Diagnostic::error("TS-P009", message, table.value_span("rules"))
                .with_help("add a rule { segment = \"…\", when = \"…\" }"),
        );
    }
    let mut rules = Vec::new();
    for inner in items.into_iter().flatten().flatten() {
        let segment = inner.required_text("segment", "add `segment = \"…\"`");
        inner.check_segment(&segment);
        if !inner.has("when") {
            inner.missing(
                "when",
                "add `when = \"…\"`, a condition over features and schemes declared earlier",
            );
        }
        let when = inner.expression("when");
        inner.finish();
        rules.extend(when.map(|when| SegmentRule { segment, when }));
    }
    let otherwise = table.stated(&OTHERWISE);
    table.check_segment(&otherwise);
    let settings = RulesScheme {
        rules,
        otherwise: otherwise.value,
    };
    Some(SchemeKind::new(KIND.syntax.name, settings))
}

fn assign(
    scheme: &Scheme,
    customers: &Customers,
    extra: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let config: &RulesScheme = settings(&KIND, scheme)?;
    let lint = match extra.rule_matches {
        Some(matches) => Some(lint(config, matches, customers.len())?),
        None => None,
    };
    let (codes, decided) = match (extra.rule_matches, extra.rule_hits) {
        (Some(matches), _) => first_true(matches, customers.len()),
        (None, Some(hits)) => checked_hits(config, hits, customers.len())?,
        (None, None) => return Err(SegmentError::RuleHitsMissing),
    };
    let mut parameters = parameters(config, &decided);
    let mut warnings = repeated_rules(config);
    let mut quality = Vec::new();
    if let Some(lint) = &lint {
        parameters.extend(lint_parameters(config, lint));
        quality = judged(config, lint);
        let criteria = extra.criteria.cloned().unwrap_or_default();
        quality.extend(overlap(config, lint, MAX_OVERLAP.of(&criteria)));
        warnings.extend(lint.warnings(config));
    }

    let name = scheme.name.value.as_str();
    let (segments, of_code) = segments(name, config);
    Ok(Assignment {
        scheme: name.to_owned(),
        kind: KIND.syntax.name,
        segments,
        segment_of: codes.iter().map(|&code| of_code[code as usize]).collect(),
        reasons: match extra.rule_reasons {
            Some(reasons) => {
                let reasons = Arc::clone(reasons);
                Reasons::Written(Arc::new(move |row, to| {
                    reasons.write(codes[row] as usize, row, to);
                }))
            }
            None => Reasons::PerCode {
                codes,
                texts: reasons(config),
            },
        },
        assigned_by: AssignedBy::Rule,
        held: BTreeMap::new(),
        columns: Vec::new(),
        parameters,
        warnings: warnings.into_iter().map(Warning::Rules).collect(),
        quality,
        fit: Fit::default(),
    })
}

/// The lint of rules that were evaluated for these customers.
fn lint(
    config: &RulesScheme,
    matches: &[BooleanArray],
    customers: usize,
) -> Result<RulesLint, SegmentError> {
    if matches.len() != config.rules.len() {
        return Err(SegmentError::RuleMatchesCount {
            found: matches.len(),
            expected: config.rules.len(),
        });
    }
    match matches.iter().find(|column| column.len() != customers) {
        Some(column) => Err(SegmentError::RuleHitsLength {
            found: column.len(),
            expected: customers,
        }),
        None => Ok(RulesLint::of(matches, customers)),
    }
}

/// Per customer the first rule that is true, else the number of rules; and how many customers each of these decides.
fn first_true(matches: &[BooleanArray], customers: usize) -> (Vec<u32>, Vec<u64>) {
    let mut codes = vec![matches.len() as u32; customers];
    let mut decided = vec![0u64; matches.len() + 1];
    // From the last rule to the first, so that earlier ones overwrite later ones.
    for (rule, column) in matches.iter().enumerate().rev() {
        for row in true_rows(column).set_indices() {
            codes[row] = rule as u32;
        }
    }
    codes.iter().for_each(|&code| decided[code as usize] += 1);
    (codes, decided)
}

/// The same from the caller's own list of first rules.
fn checked_hits(
    config: &RulesScheme,
    hits: &[Option<u32>],
    customers: usize,
) -> Result<(Vec<u32>, Vec<u64>), SegmentError> {
    if hits.len() != customers {
        return Err(SegmentError::RuleHitsLength {
            found: hits.len(),
            expected: customers,
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
    Ok((codes, decided))
}

/// The segments in the order of the rules, and the segment of each rule (`otherwise` last). Rules that name the same segment
/// share it; its rule joins theirs.
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
    let model = KIND.syntax.name;
    let row = |(index, rule): (usize, &SegmentRule)| {
        let customers = decided[index] as f64;
        Parameter::number(model, format!("rule_{}", index + 1), customers)
            .with_text(rule.when.value.trim())
    };
    let mut rows: Vec<Parameter> = config.rules.iter().enumerate().map(row).collect();
    rows.push(Parameter {
        value: decided.last().map(|customers| *customers as f64),
        ..Parameter::text(model, "otherwise", config.otherwise.clone())
    });
    rows
}

fn lint_parameters(config: &RulesScheme, lint: &RulesLint) -> Vec<Parameter> {
    let row = |name: String, value: u64, text: &str| {
        Parameter::number(KIND.syntax.name, name, value as f64).with_text(text)
    };
    let mut rows = Vec::with_capacity(2 * config.rules.len() + lint.overlaps.len() + 1);
    for (index, rule) in config.rules.iter().enumerate() {
        let (number, segment) = (index + 1, &rule.segment.value);
        rows.push(row(
            format!("rule_{number}_matched"),
            lint.matched[index],
            segment,
        ));
        rows.push(row(
            format!("rule_{number}_reached"),
            lint.reached[index],
            segment,
        ));
    }
    for &(first, second, both) in &lint.overlaps {
        let winner = &config.rules[first].segment.value;
        rows.push(row(
            format!("overlap_{}_{}", first + 1, second + 1),
            both,
            winner,
        ));
    }
    rows.push(row(
        "uncovered".to_owned(),
        lint.uncovered,
        &config.otherwise,
    ));
    rows
}

/// The largest overlap of rules of two segments: customers for whom both are true, of those for whom one of them is.
fn overlap(config: &RulesScheme, lint: &RulesLint, limit: f64) -> Option<Quality> {
    if config.rules.len() < 2 || lint.customers == 0 {
        return None;
    }
    let segment = |rule: usize| config.rules[rule].segment.value.as_str();
    let shares = lint
        .overlaps
        .iter()
        .filter(|(first, second, _)| segment(*first) != segment(*second))
        .map(|&(first, second, both)| {
            let either = lint.matched[first] + lint.matched[second] - both;
            (both as f64 / either.max(1) as f64, first, second)
        });
    let largest = shares.max_by(|a, b| a.0.total_cmp(&b.0));
    let value = largest.map_or(0.0, |found| found.0);
    let reason = largest.filter(|_| value > limit).map(|(_, first, second)| {
        format!(
            "rule {} (`{}`) and rule {} (`{}`) are true for many of the same customers; a condition that tells them apart would pass",
            first + 1,
            segment(first),
            second + 1,
            segment(second)
        )
    });
    let row = Quality::judged(
        "",
        "distinguishable",
        "overlap",
        (value, Threshold::at_most(limit)),
        reason,
    );
    Some(row)
}

/// One row per rule: it is flagged if it decides no customer.
fn judged(config: &RulesScheme, lint: &RulesLint) -> Vec<Quality> {
    if lint.customers == 0 {
        return Vec::new();
    }
    let warnings = lint.warnings(config);
    let why_dead = |number: usize| {
        let of_rule = |warning: &&RulesWarning| match warning {
            RulesWarning::MatchesNobody { rule } | RulesWarning::AlwaysTaken { rule, .. } => {
                rule.number == number
            }
            _ => false,
        };
        warnings.iter().find(of_rule).map(ToString::to_string)
    };
    (1..)
        .zip(&config.rules)
        .zip(&lint.reached)
        .map(|((number, rule), &reached)| {
            Quality::judged(
                &rule.segment.value,
                "rule decides",
                format!("rule_{number}_reached"),
                (reached as f64, Threshold::at_least(1.0)),
                why_dead(number),
            )
        })
        .collect()
}
