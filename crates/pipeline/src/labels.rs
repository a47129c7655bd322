//! Values that can occur: texts and numbers that rules and expressions compare with, and segments that playbooks name, must be among
//! them.
//!
//! A column's labels are known if they follow from the pipeline file: segments of schemes, and features and stages that are
//! computed by `case` with constant texts. Labels of columns of the lake are not known. Of numbers those of scores are known to be
//! shares of 1 or points out of 100.

use std::collections::{BTreeMap, BTreeSet};

use tessera_expr::{BinaryOp, Expr, Function, Literal, Node, Type, children};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics, unknown_name};
use tessera_spec::pipeline::{At, ExprText, LifecycleLimits, Scheme, SchemeColumnKind, Subject};

use crate::scores;
use crate::units::constant;

/// The labels of each column whose labels are known, and the smallest and largest number of each column of which these are known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Labels {
    known: BTreeMap<String, Vec<String>>,
    ranges: BTreeMap<String, (f64, f64)>,
}

impl Labels {
    /// The labels of computed features and of scores.
    pub(crate) fn new<'a>(
        pipeline: &Pipeline,
        computed: impl Iterator<Item = &'a (String, Expr)>,
    ) -> Self {
        let mut labels = Self::default();
        for (name, expr) in computed {
            labels.take(name, labels.of(expr));
        }
        for score in &pipeline.scores {
            for (column, known) in scores::of(&score.kind).labels(&score.name.value) {
                labels.take(&column, Some(known));
            }
            let columns = score.columns().into_iter();
            let ranges = columns.filter_map(|column| Some((column.range()?, column.name)));
            let ranges = ranges.map(|(range, name)| (name, range));
            labels.ranges.extend(ranges);
        }
        labels
    }

    fn take(&mut self, column: &str, labels: Option<Vec<String>>) {
        if let Some(labels) = labels {
            self.known.insert(column.to_owned(), labels);
        }
    }

    /// Adds the segments of a scheme, whose column later rules may use.
    pub(crate) fn take_scheme(&mut self, scheme: &Scheme, limits: &LifecycleLimits) {
        self.take(&scheme.name.value, segments(scheme, limits));
    }

    /// The labels that a column can have; `None` where they are not known.
    pub(crate) fn of_column(&self, column: &str) -> Option<&[String]> {
        self.known.get(column).map(Vec::as_slice)
    }

    /// The labels that an expression can have; `None` where they depend on the data.
    fn of(&self, expr: &Expr) -> Option<Vec<String>> {
        if expr.ty != Type::String && expr.ty != Type::Null {
            return None;
        }
        let of_all = |parts: &mut dyn Iterator<Item = &Expr>| {
            let mut all: Vec<String> = Vec::new();
            for part in parts {
                for label in self.of(part)? {
                    if !all.contains(&label) {
                        all.push(label);
                    }
                }
            }
            Some(all)
        };
        match &expr.node {
            Node::Literal(Literal::String(text)) => Some(vec![text.clone()]),
            Node::Literal(Literal::Null) => Some(Vec::new()),
            Node::Column(name) => self.known.get(name).cloned(),
            Node::Case {
                branches,
                otherwise,
            } => {
                let otherwise = otherwise.as_deref();
                of_all(&mut branches.iter().map(|(_, value)| value).chain(otherwise))
            }
            Node::Call(Function::Coalesce, parts) => of_all(&mut parts.iter()),
            Node::Cast(inner) => self.of(inner),
            _ => None,
        }
    }

    /// Reports every text and every number that a column is compared with but cannot have.
    pub(crate) fn check(&self, text: &ExprText, expr: &Expr, found: &mut Diagnostics) {
        for (op, of, with) in compared(expr) {
            if op.is_none_or(is_equality) {
                self.check_pair(text, of, with, found);
            }
            if op.is_some() {
                self.check_number(text, of, with, found);
            }
        }
    }

    fn check_pair(&self, text: &ExprText, of: &Expr, with: &Expr, found: &mut Diagnostics) {
        let (Node::Column(column), Node::Literal(Literal::String(label))) = (&of.node, &with.node)
        else {
            return;
        };
        let Some(known) = self
            .known
            .get(column)
            .filter(|known| !known.contains(label))
        else {
            return;
        };
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        let span = text.span.clone();
        let what = format!("value of `{column}`");
        found.extend([unknown_name("TS-G007", &what, label, span, &names)
            .with_label(format!("`{column}` never has this value"))
            .within(text.value.len(), with.span.clone())]);
    }

    fn check_number(&self, text: &ExprText, of: &Expr, with: &Expr, found: &mut Diagnostics) {
        let of = match &of.node {
            Node::Cast(inner) => inner.as_ref(),
            _ => of,
        };
        let (Node::Column(column), Some(number)) = (&of.node, constant(with)) else {
            return;
        };
        let range = self.ranges.get(column);
        let Some((from, to)) = range.filter(|(from, to)| !(*from..=*to).contains(&number)) else {
            return;
        };
        let span = text.span.clone();
        let message =
            format!("`{column}` is compared with {number}, but its values are from {from} to {to}");
        let help = match *to > 1.0 {
            true => format!("compare with a number from {from} to {to}"),
            false => "compare with a share of 1: 0.5 is 50%".to_owned(),
        };
        let problem = Diagnostic::error("TS-G027", message, span).with_help(help);
        found.extend([problem.within(text.value.len(), with.span.clone())]);
    }
}

/// What is compared with what in an expression, either way round; without an operator the candidates of `in`.
pub(crate) fn compared(expr: &Expr) -> Vec<(Option<BinaryOp>, &Expr, &Expr)> {
    let (mut found, mut pending) = (Vec::new(), vec![expr]);
    while let Some(expr) = pending.pop() {
        match &expr.node {
            Node::Binary(op, left, right) if is_equality(*op) || is_order(*op) => {
                found.push((Some(*op), &**left, &**right));
                found.push((Some(*op), &**right, &**left));
            }
            Node::In { of, list, .. } => {
                found.extend(list.iter().map(|candidate| (None, &**of, candidate)));
            }
            _ => {}
        }
        pending.extend(children(expr));
    }
    found
}

fn is_order(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Less | BinaryOp::LessOrEqual | BinaryOp::Greater | BinaryOp::GreaterOrEqual
    )
}

fn is_equality(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::IsDistinctFrom
            | BinaryOp::IsNotDistinctFrom
    )
}

/// The segments that a scheme can give, in the order in which a report shows them; `None` where they depend on the data.
pub(crate) fn segments(scheme: &Scheme, limits: &LifecycleLimits) -> Option<Vec<String>> {
    let mut segments = scheme.kind.settings().segments(limits)?;
    let mut seen = BTreeSet::new();
    segments.retain(|name| seen.insert(name.clone()));
    Some(segments)
}

/// The type of a column of a scheme.
pub(crate) fn type_of(holds: SchemeColumnKind) -> Type {
    match holds {
        SchemeColumnKind::Segment | SchemeColumnKind::Scores => Type::String,
        SchemeColumnKind::SegmentId | SchemeColumnKind::Score => Type::Int,
        SchemeColumnKind::Weighted => Type::Float,
    }
}

/// Reports playbooks and expectations of segments that no customer can have.
pub(crate) fn segment_names(pipeline: &Pipeline, found: &mut Diagnostics) {
    playbooks(pipeline, found);
    for of in pipeline.experiments.iter().filter_map(|e| e.of.as_ref()) {
        let known = unnamed_segments(pipeline, &of.scheme.value);
        if let Some(known) = known.filter(|known| !known.contains(&of.segment.value)) {
            found.extend([unknown_segment((&of.scheme, &of.segment), &known)]);
        }
    }
    for expect in &pipeline.expect {
        let Subject::Segment { scheme, segment } = &expect.subject else {
            continue;
        };
        let stated = pipeline.scheme(&scheme.value);
        let known = stated.and_then(|scheme| segments(scheme, &pipeline.features.lifecycle));
        if let Some(known) = known.filter(|known| !known.contains(&segment.value)) {
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            let what = format!("segment of scheme `{}`", scheme.value);
            let span = segment.span.clone();
            found.extend([unknown_name("TS-P019", &what, &segment.value, span, &names)]);
        }
    }
}

/// Reports playbooks whose segment no customer can have, where the parser of the file could not know it: segments that the file
/// does not name, of grids and lifecycle schemes.
fn playbooks(pipeline: &Pipeline, found: &mut Diagnostics) {
    for playbook in &pipeline.playbooks {
        let (scheme, segment) = (&playbook.scheme, &playbook.segment);
        let known = unnamed_segments(pipeline, &scheme.value);
        let Some(known) = known.filter(|known| !known.contains(&segment.value)) else {
            continue;
        };
        let missing = unknown_segment((scheme, segment), &known);
        let by_name = missing.help.is_none() && segment.span == playbook.name.span;
        found.extend([match by_name {
            true => missing.with_help(
                "a playbook is for the segment with its own name, unless `segment = \"…\"` names another",
            ),
            false => missing,
        }]);
    }
}

/// The segments of a scheme that customers can have, where the file does not name them; none where they depend on data.
fn unnamed_segments(pipeline: &Pipeline, scheme: &str) -> Option<Vec<String>> {
    let scheme = pipeline.scheme(scheme)?;
    let is_unnamed = scheme.kind.settings().declared().is_none();
    is_unnamed.then(|| segments(scheme, &pipeline.features.lifecycle))?
}

fn unknown_segment((scheme, segment): (&At<String>, &At<String>), known: &[String]) -> Diagnostic {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let what = format!("segment of scheme `{}`", scheme.value);
    unknown_name(
        "TS-P019",
        &what,
        &segment.value,
        segment.span.clone(),
        &names,
    )
}
