//! Why the customers are divided: the KPI of every scheme's segments against the target, and when the review is due.

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::{Facts, Kpi, Scheme};
use crate::number::position;
use crate::record::SegmentRow;
use crate::text::{self, Name, title, words};

pub(super) const SECTION: Section = Section {
    name: "goal",
    title: "Goal and KPI",
    template: include_str!("../../templates/sections/goal.html"),
    build: Build::Opening(build),
};

#[derive(Serialize)]
struct View {
    objective: Option<String>,
    kpi: String,
    overall: String,
    target: Option<String>,
    met: Option<bool>,
    /// Why it cannot be held against the target.
    unvalidated: Option<&'static str>,
    owner: Option<String>,
    review: Option<Review>,
    strips: Vec<Strip>,
    /// Position of the target on the axis of the strips, in percent.
    target_at: Option<String>,
    axis: Option<Axis>,
}

#[derive(Serialize)]
struct Review {
    date: String,
    due: String,
    overdue: bool,
}

#[derive(Serialize)]
struct Axis {
    low: String,
    high: String,
}

/// One scheme: its segments as dots on the KPI's axis.
#[derive(Serialize)]
struct Strip {
    anchor: String,
    scheme: String,
    dots: Vec<Dot>,
    lowest: Labelled,
    highest: Labelled,
    verdict: Option<String>,
}

#[derive(Serialize)]
struct Dot {
    at: String,
    /// Radius in pixels; the area grows with the number of customers.
    radius: String,
    label: String,
    meets: Option<bool>,
}

#[derive(Serialize)]
struct Labelled {
    name: Name,
    kpi: String,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let (Some(goal), Some(kpi)) = (&facts.meta.goal, &facts.kpi) else {
        return Part::not_computed(
            "the pipeline declares no [goal] with a KPI, so segments have nothing to be judged by",
        );
    };
    let schemes = facts.schemes.as_deref().unwrap_or_default();
    let scale = Scale::over(kpi, schemes);
    let strips = scale.map(|scale| {
        schemes
            .iter()
            .filter_map(|s| strip(facts, kpi, s, scale))
            .collect()
    });
    let review = goal.review_by.map(|on| {
        let (due, overdue) = text::due(on, facts.meta.as_of);
        Review {
            date: text::date(on),
            due,
            overdue,
        }
    });
    Part::ready(View {
        objective: goal.objective.as_deref().map(title),
        kpi: words(&kpi.name),
        overall: kpi.measure.show_opt(kpi.overall, facts.meta),
        target: kpi.target_words(facts.meta),
        met: kpi.met(kpi.overall),
        unvalidated: kpi.unvalidated(),
        owner: goal.owner.as_deref().map(|owner| Name::new(owner).shown),
        review,
        strips: strips.unwrap_or_default(),
        target_at: scale.and_then(|scale| kpi.target.map(|t| scale.at(t.limit()))),
        axis: scale.map(|scale| Axis {
            low: kpi.measure.show(scale.low, facts.meta),
            high: kpi.measure.show(scale.high, facts.meta),
        }),
    })
}

/// The KPI's axis, the same for all schemes.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// From 0, or the lowest value where one is negative, to the highest value; `None` where no segment has a KPI.
    fn over(kpi: &Kpi, schemes: &[Scheme]) -> Option<Self> {
        let means: Vec<f64> = schemes
            .iter()
            .flat_map(|s| &s.segments)
            .filter_map(|s| s.kpi)
            .collect();
        if means.is_empty() {
            return None;
        }
        let all = means
            .into_iter()
            .chain(kpi.target.map(crate::TargetMeta::limit))
            .chain(kpi.overall);
        let (low, high) = all.fold((0.0_f64, 0.0_f64), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        (high > low).then_some(Self { low, high })
    }

    /// Position in percent of the width, with room for the dots at both ends.
    fn at(self, value: f64) -> String {
        position(0.03 + 0.94 * (value - self.low) / (self.high - self.low))
    }
}

fn strip(facts: &Facts<'_>, kpi: &Kpi, scheme: &Scheme, scale: Scale) -> Option<Strip> {
    let mut known: Vec<(&SegmentRow, f64)> = scheme
        .segments
        .iter()
        .filter_map(|s| s.kpi.map(|k| (s, k)))
        .collect();
    known.sort_by(|a, b| a.1.total_cmp(&b.1));
    let labelled = |(segment, mean): &(&SegmentRow, f64)| Labelled {
        name: Name::new(&segment.name),
        kpi: kpi
            .measure
            .show_beside(Some(*mean), scheme.largest_kpi(), facts.meta),
    };
    let (lowest, highest) = (labelled(known.first()?), labelled(known.last()?));
    let dot = |(segment, mean): &(&SegmentRow, f64)| Dot {
        at: scale.at(*mean),
        radius: format!("{:.1}", 3.0 + 9.0 * scheme.share(segment).max(0.0).sqrt()),
        label: format!(
            "{}: {}",
            Name::new(&segment.name).shown,
            kpi.measure.show(*mean, facts.meta)
        ),
        meets: kpi.met(Some(*mean)),
    };
    let meeting = known
        .iter()
        .filter(|(_, mean)| kpi.met(Some(*mean)) == Some(true))
        .count();
    let verdict = kpi
        .target
        .map(|_| format!("{meeting} of {} meet the target", known.len()));
    let dots = known.iter().map(dot).collect();
    Some(Strip {
        anchor: scheme.anchor.clone(),
        scheme: title(&scheme.name),
        dots,
        lowest,
        highest,
        verdict,
    })
}
