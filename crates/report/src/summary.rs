//! The summary that a run prints at its end: the segments of every scheme, the scores, the sources, what was rejected. Plain
//! text without colour.

use tessera_spec::figure::{Metric, TestPart};

use crate::column::Table;
use crate::due::due;
use crate::facts::{Facts, Scheme};
use crate::mark::Marks;
use crate::number::{Measure, NONE, count, counted, percent};
use crate::record::{QualityStatus, SourceRow};
use crate::score::{Score, scores, unstated};
use crate::text::{printable, shortened, title, words};
use crate::{Options, ReportError, ReportInput};

/// The measure in `quality` that says which definition of a scheme serves where today's falls short of a gate.
const HOLD_PREVIOUS: &str = "hold_previous";
/// The criterion in `quality` of keys that belong to another customer.
const IDENTITY: &str = "identity";
/// What measures of the rows with such keys begin with.
const RESOLVED_ROWS: &str = "resolved_rows_";
/// Longest line in characters.
const LONGEST_LINE: usize = 100;
/// Longest name in a table of the terminal, in characters.
const LONGEST_NAME: usize = 34;
/// Segments of one scheme that are listed; the rest is counted.
const MOST_SEGMENTS: usize = 15;
/// Scores that are listed; the rest is counted.
const MOST_SCORES: usize = 12;
/// Variants of experiments that are listed; the rest is counted.
const MOST_VARIANTS: usize = 12;
/// Rules in the list of rejections; the rest is counted.
const MOST_REJECTIONS: usize = 10;

/// The summary of a version for a terminal: plain text, at most about 100 columns wide, with a newline at its end.
///
/// # Errors
/// [`ReportError::MissingColumn`] and [`ReportError::ColumnType`] where a published table is not what it should be.
pub fn summary(input: &ReportInput) -> Result<String, ReportError> {
    let facts = Facts::read(input, &Options::without_persons())?;
    let mut blocks = vec![heading(&facts)];
    match facts.schemes.as_deref() {
        None | Some([]) => blocks.push("no segments in this version\n".to_owned()),
        Some(schemes) => blocks.extend(schemes.iter().map(|scheme| segments(&facts, scheme))),
    }
    blocks.extend(marked(&facts.marks));
    blocks.extend(scored(&facts));
    blocks.extend(experimented(&facts)?);
    blocks.extend(sources(&facts));
    blocks.extend(rejections(&facts));
    Ok(blocks.join("\n"))
}

fn heading(facts: &Facts<'_>) -> String {
    let meta = facts.meta;
    let mut parts = vec![
        shortened(&printable(&meta.name), LONGEST_NAME),
        format!("as of {}", meta.as_of),
    ];
    parts.extend(meta.version.map(|v| format!("version {v}")));
    parts.extend(facts.customers.map(|n| counted(n, "customer", "customers")));
    let share = meta.sample.map(percent);
    parts.extend(share.map(|share| format!("a sample of {share} of the customers !")));
    let closed = facts.input.closed;
    parts.extend(closed.map(|n| counted(n, "closed account", "closed accounts")));
    let mut out = format!("{}\n", parts.join(" · "));
    if let Some(kpi) = &facts.kpi {
        let mean = kpi.measure.show_opt(kpi.overall, meta);
        let whom = kpi.of_whom(facts.customers);
        let whom = whom.map(|whom| format!(" {whom}")).unwrap_or_default();
        let target = kpi
            .target_words(meta)
            .map(|t| format!(", target {t}"))
            .unwrap_or_default();
        let met = match kpi.met(kpi.overall) {
            Some(true) => match facts.marks.of(&kpi.name) {
                Some(mark) => format!(": would be met, but {}", mark.in_short()),
                None => ": met".to_owned(),
            },
            Some(false) => ": not met".to_owned(),
            None => kpi
                .unvalidated()
                .map_or_else(String::new, |why| format!(": {why}")),
        };
        let review = meta.goal.as_ref().and_then(|g| g.review_by);
        let review = review
            .map(|on| format!(" · review {}", due(on, meta.as_of).0))
            .unwrap_or_default();
        out.push_str(&format!(
            "mean {} {mean}{whom}{target}{met}{review}\n",
            words(&kpi.name)
        ));
    }
    out
}

fn segments(facts: &Facts<'_>, scheme: &Scheme) -> String {
    let kpi = facts
        .kpi
        .as_ref()
        .filter(|_| scheme.segments.iter().any(|s| s.kpi.is_some()));
    let mut table = Grid::new(&["segment", "customers", "share"]);
    if scheme.value().is_some() {
        table
            .head
            .extend(["value".to_owned(), "of value".to_owned()]);
    }
    if scheme.at_risk().is_some() {
        table.head.push("at risk".to_owned());
    }
    table.head.extend(kpi.map(|k| words(&k.name)));
    for s in scheme.segments.iter().take(MOST_SEGMENTS) {
        let mut row = vec![
            printable(&s.name),
            count(s.customers),
            percent(scheme.share(s)),
        ];
        if scheme.value().is_some() {
            row.push(facts.value_measure().show_beside(
                s.value,
                scheme.largest_value(),
                facts.meta,
            ));
            row.push(s.value_share.map_or_else(|| NONE.to_owned(), percent));
        }
        if scheme.at_risk().is_some() {
            let largest = scheme.largest_at_risk();
            row.push(Measure::Money.show_beside(s.value_at_risk, largest, facts.meta));
        }
        row.extend(kpi.map(|k| {
            let sign = match facts.meets(s.kpi) {
                Some(true) => " ok",
                Some(false) => "  !",
                None => "",
            };
            let few = s.few_with_kpi();
            let few = few.map_or_else(String::new, |known| format!(" of {}", count(known)));
            format!(
                "{}{few}{sign}",
                k.measure
                    .show_beside(s.kpi, scheme.largest_kpi(), facts.meta)
            )
        }));
        table.rows.push(row);
    }
    let hidden = scheme.segments.len().saturating_sub(MOST_SEGMENTS);
    let more = if hidden > 0 {
        format!("  … and {hidden} more in the table `segments`\n")
    } else {
        String::new()
    };
    format!(
        "{} ({})\n{}{}{more}",
        title(&scheme.name),
        scheme.words,
        held(facts, scheme),
        table.draw()
    )
}

/// Why an earlier definition serves a scheme, or none could; nothing for other schemes.
fn held(facts: &Facts<'_>, scheme: &Scheme) -> String {
    let mut rows = facts.quality.iter().flatten();
    let found = rows.find(|row| row.scheme == scheme.name && row.metric == HOLD_PREVIOUS);
    let reason = found.and_then(|row| row.reason.as_deref());
    reason.map_or_else(String::new, |reason| format!("  {}\n", printable(reason)))
}

/// Numbers above that are to be read with care, each status and reason once; nothing where there are none.
fn marked(marks: &Marks) -> Option<String> {
    let groups = marks.groups().into_iter();
    let lines: Vec<String> = groups
        .filter(|group| !group.figures.is_empty())
        .map(|group| {
            let names: Vec<String> = group.figures.iter().map(|name| words(name)).collect();
            let (status, reason) = (&group.mark.status, &group.mark.reason);
            let (status, reason) = (printable(status), printable(reason));
            format!("  {} ({status}): {reason}\n", names.join(", "))
        })
        .collect();
    (!lines.is_empty()).then(|| format!("To be read with care\n{}", lines.concat()))
}

/// One line per score: the model that is used, its results on later data, what is flagged or was not computed.
fn scored(facts: &Facts<'_>) -> Option<String> {
    let found = scores(facts);
    if found.is_empty() {
        return None;
    }
    let hidden = found.len().saturating_sub(MOST_SCORES);
    let mut out = String::from("Scores\n");
    for score in found.iter().take(MOST_SCORES) {
        out.push_str(&format!("  {}\n", score_line(score)));
    }
    if hidden > 0 {
        out.push_str(&format!("  … and {hidden} more in the table `models`\n"));
    }
    let unstated = unstated(&found);
    if unstated > 0 {
        let rows = counted(unstated as i64, "row", "rows");
        out.push_str(&format!(
            "  what {rows} of the table `models` state is not known: the report says why\n"
        ));
    }
    Some(out)
}

/// One line per variant of an experiment: its verdict.
fn experimented(facts: &Facts<'_>) -> Result<Option<String>, ReportError> {
    let Some(table) = Table::open(facts.input, "experiments") else {
        return Ok(None);
    };
    let (experiments, variants) = (table.text("experiment")?, table.text("variant")?);
    let (verdicts, control) = (table.text("verdict")?, table.truths("control")?);
    let name = |text: Option<&str>| shortened(&printable(text.unwrap_or_default()), LONGEST_NAME);
    let rows = (0..table.rows()).filter(|row| control[*row] != Some(true));
    let lines: Vec<String> = rows
        .map(|row| {
            let mark = match verdicts[row] {
                Some("worse" | "uneven groups" | "not computed") => " !",
                _ => "",
            };
            format!(
                "  {}: {}: {}{mark}\n",
                name(experiments[row]),
                name(variants[row]),
                verdicts[row].unwrap_or(NONE)
            )
        })
        .collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let mut out = String::from("Experiments\n");
    out.extend(lines.iter().take(MOST_VARIANTS).map(String::as_str));
    if lines.len() > MOST_VARIANTS {
        let hidden = lines.len() - MOST_VARIANTS;
        out.push_str(&format!(
            "  … and {hidden} more in the table `experiments`\n"
        ));
    }
    Ok(Some(out))
}

fn score_line(score: &Score<'_>) -> String {
    let name = |text: &str| shortened(&printable(text), LONGEST_NAME);
    let mut parts = vec![match score.served {
        Some(model) => format!("{}: {} is used", name(score.name), name(model)),
        None if score.unstated > 0 => format!("{}: model not stated", name(score.name)),
        None => format!("{}: no model is used", name(score.name)),
    }];
    let tested = score.tested();
    let figure = |metric: Metric| {
        let of_served = tested.iter().filter(|found| {
            let is_used = score.served.is_none_or(|served| served == found.model);
            is_used && (found.test.metric, found.test.part) == (metric, TestPart::All)
        });
        // Of several horizons the worst counts.
        of_served.map(|found| found.cell.value).reduce(f64::min)
    };
    parts.extend(figure(Metric::Auc).map(|auc| format!("AUC {auc:.3}")));
    parts.extend(figure(Metric::Tracking).map(|ratio| format!("{} of actual", percent(ratio))));
    let flagged = score.criteria(QualityStatus::Flagged).count();
    if flagged > 0 {
        parts.push(format!("{flagged} flagged !"));
    }
    let absent = score.criteria(QualityStatus::NotComputed).count();
    if absent > 0 {
        parts.push(format!("{absent} not computed"));
    }
    parts.join(" · ")
}

fn sources(facts: &Facts<'_>) -> Option<String> {
    let sources = facts.sources.as_deref().filter(|s| !s.is_empty())?;
    let mut table = Grid::new(&[
        "source",
        "rows",
        "= used",
        "+ filtered",
        "+ quarantined",
        "+ dropped",
        "status",
    ]);
    for s in sources {
        let status = s.status.as_deref().unwrap_or("ok");
        let status = if s.adds_up() {
            printable(status)
        } else {
            format!("{} (does not add up)", printable(status))
        };
        let numbers = [s.rows, s.used, s.filtered, s.quarantined, s.dropped].map(count);
        table.rows.push(
            [printable(&s.source)]
                .into_iter()
                .chain(numbers)
                .chain([status])
                .collect(),
        );
    }
    let lost: String = sources.iter().filter_map(lost).collect();
    let doubtful: String = sources.iter().filter_map(doubtful).collect();
    let merged = merged(facts).unwrap_or_default();
    Some(format!("Sources\n{}{lost}{doubtful}{merged}", table.draw()))
}

/// What a source lost to its contract, in one line.
fn lost(source: &SourceRow) -> Option<String> {
    let rows = source.quarantined.saturating_add(source.dropped);
    (rows > 0).then(|| {
        format!(
            "  {} lost {} of {} ({})\n",
            shortened(&printable(&source.source), LONGEST_NAME),
            count(rows),
            counted(source.rows, "row", "rows"),
            percent(rows as f64 / source.rows.max(1) as f64)
        )
    })
}

/// How many warnings a source has, and the worst, in one line.
fn doubtful(source: &SourceRow) -> Option<String> {
    let worst = printable(source.warnings.first()?);
    let line = format!(
        "  {}: {}, the worst: {worst}",
        shortened(&printable(&source.source), LONGEST_NAME),
        counted(source.warnings.len() as i64, "warning !", "warnings !"),
    );
    Some(format!("{}\n", shortened(&line, LONGEST_LINE)))
}

/// How many keys belong to another customer, in one line; nothing without a map of keys.
fn merged(facts: &Facts<'_>) -> Option<String> {
    let rows = facts.quality.as_deref()?.iter();
    let rows: Vec<_> = rows.filter(|row| row.criterion == IDENTITY).collect();
    let value = |metric: &str| {
        let row = rows.iter().find(|row| row.metric == metric)?;
        Some(row.value? as i64)
    };
    let (keys, customers) = (value("merged_keys")?, value("merged_into")?);
    let resolved = rows
        .iter()
        .filter(|row| row.metric.starts_with(RESOLVED_ROWS));
    let resolved: f64 = resolved.filter_map(|row| row.value).sum();
    Some(format!(
        "  {} merged into {}: {} used\n",
        counted(keys, "key is", "keys are"),
        counted(customers, "customer", "customers"),
        counted(resolved as i64, "row of theirs is", "rows of theirs are"),
    ))
}

fn rejections(facts: &Facts<'_>) -> Option<String> {
    let groups = facts.rejects.as_deref().filter(|g| !g.is_empty())?;
    let mut table = Grid::new(&["rejected because", "rows", "source"]);
    for group in groups.iter().take(MOST_REJECTIONS) {
        table.rows.push(vec![
            printable(&group.rule),
            count(group.rows),
            printable(&group.source),
        ]);
    }
    let hidden = groups.len().saturating_sub(MOST_REJECTIONS);
    let more = if hidden > 0 {
        format!("  … and {hidden} more in the table `reject_rules`\n")
    } else {
        String::new()
    };
    Some(format!("Rejected\n{}{more}", table.draw()))
}

/// A table of text: the first column to the left, numbers to the right.
struct Grid {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    fn new(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(|h| (*h).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    fn draw(&self) -> String {
        let cell = |text: &String| shortened(text, LONGEST_NAME);
        let lines: Vec<Vec<String>> = std::iter::once(&self.head)
            .chain(&self.rows)
            .map(|line| line.iter().map(cell).collect())
            .collect();
        let width = |column: usize| {
            lines
                .iter()
                .filter_map(|l| l.get(column))
                .map(|c| c.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| width(column).unwrap_or(0))
            .collect();
        let is_words = |column: usize| {
            column == 0 || matches!(self.head[column].as_str(), "status" | "source")
        };
        let mut out = String::new();
        for line in &lines {
            let padded = line.iter().enumerate().map(|(i, cell)| {
                let gap = " ".repeat(widths[i].saturating_sub(cell.chars().count()));
                if is_words(i) {
                    format!("{cell}{gap}")
                } else {
                    format!("{gap}{cell}")
                }
            });
            let text = padded.collect::<Vec<_>>().join("  ");
            out.push_str(&format!("  {}\n", text.trim_end()));
        }
        out
    }
}
