//! Rows of the published tables that the report shows. Their columns are defined by the program's table schemas; a column that
//! an older version lacks is read as null.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use tessera_spec::figure::{Figure, FigureColumns};

use crate::ReportError;
use crate::column::Table;

/// One row of `segments`.
#[derive(Debug, Clone, Default)]
pub(crate) struct SegmentRow {
    pub(crate) scheme: String,
    pub(crate) name: String,
    pub(crate) customers: i64,
    pub(crate) share: Option<f64>,
    pub(crate) value: Option<f64>,
    pub(crate) value_share: Option<f64>,
    pub(crate) kpi: Option<f64>,
    /// Members with a KPI.
    pub(crate) kpi_customers: Option<i64>,
    pub(crate) playbook: Option<String>,
    pub(crate) touch: Option<String>,
    pub(crate) channel: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) goal: Option<String>,
    /// Probability of churn x future value, summed.
    pub(crate) value_at_risk: Option<f64>,
    /// Whether more members have left than can still churn.
    pub(crate) is_lost: bool,
    pub(crate) left_customers: Option<i64>,
    /// Mean of what those who have left brought per period.
    pub(crate) win_back_value: Option<f64>,
}

impl SegmentRow {
    /// How many members the KPI is the mean of, where most members have none.
    pub(crate) fn few_with_kpi(&self) -> Option<i64> {
        self.kpi_customers
            .filter(|known| self.kpi.is_some() && 2 * known < self.customers)
    }
}

/// One row of `profiles`.
#[derive(Debug, Clone)]
pub(crate) struct ProfileRow {
    pub(crate) scheme: String,
    pub(crate) segment: String,
    pub(crate) feature: String,
    /// Value of a label feature; absent for numbers.
    pub(crate) label: Option<String>,
    /// Customers with a value; for a label, with this label.
    pub(crate) customers: Option<i64>,
    pub(crate) mean: Option<f64>,
    pub(crate) population_mean: Option<f64>,
    /// Cohen's d of the segment against the rest.
    pub(crate) effect_size: Option<f64>,
}

/// One row of `models`.
#[derive(Debug, Clone)]
pub(crate) struct ModelRow {
    pub(crate) score: String,
    pub(crate) model: String,
    pub(crate) name: String,
    pub(crate) value: Option<f64>,
    pub(crate) text: Option<String>,
    /// What it states; `None` where the table does not say so, or says something that this program does not know.
    pub(crate) figure: Option<Figure>,
}

/// One row of `calibration`.
#[derive(Debug, Clone)]
pub(crate) struct CalibrationRow {
    pub(crate) score: String,
    pub(crate) model: String,
    pub(crate) bin: i64,
    pub(crate) predicted: f64,
    pub(crate) observed: f64,
    pub(crate) customers: i64,
    /// Observed over the mean of all bins.
    pub(crate) lift: Option<f64>,
}

/// One row of `quality`.
#[derive(Debug, Clone)]
pub(crate) struct QualityRow {
    /// The scheme, or the score.
    pub(crate) scheme: String,
    /// Empty where the row is of the whole scheme.
    pub(crate) segment: String,
    pub(crate) criterion: String,
    pub(crate) metric: String,
    pub(crate) value: Option<f64>,
    pub(crate) threshold: Option<f64>,
    /// What passes: `at least`, `at most` or `about` the threshold.
    pub(crate) side: Option<String>,
    pub(crate) status: QualityStatus,
    pub(crate) reason: Option<String>,
}

/// One row of `migrations` or `moves`: customers who moved, in one step or in all.
#[derive(Debug, Clone)]
pub(crate) struct MigrationRow {
    pub(crate) scheme: String,
    /// `None` is outside the base.
    pub(crate) from: Option<String>,
    /// `None` is outside the base.
    pub(crate) to: Option<String>,
    /// Empty in `moves`.
    pub(crate) cause: String,
    pub(crate) customers: i64,
    pub(crate) value: f64,
}

/// One row of `cohorts`: a month of the customers who first ordered in another one.
#[derive(Debug, Clone)]
pub(crate) struct CohortRow {
    /// First day of the month of the first order.
    pub(crate) cohort: NaiveDate,
    /// Months since.
    pub(crate) age: i64,
    pub(crate) customers: i64,
    /// Those who ordered in the month; `None` where it has not begun.
    pub(crate) active: Option<i64>,
    pub(crate) retention: Option<f64>,
    /// Whether the month is not over.
    pub(crate) is_partial: bool,
}

/// The result of a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QualityStatus {
    Ok,
    Flagged,
    NotComputed,
}

/// One row of `sources`.
#[derive(Debug, Clone)]
pub(crate) struct SourceRow {
    pub(crate) source: String,
    pub(crate) kind: Option<String>,
    pub(crate) files: Option<i64>,
    pub(crate) bytes: Option<i64>,
    /// Files at its path that were not read.
    pub(crate) files_passed_over: i64,
    pub(crate) rows: i64,
    pub(crate) used: i64,
    pub(crate) filtered: i64,
    pub(crate) quarantined: i64,
    pub(crate) dropped: i64,
    pub(crate) duplicates: Option<i64>,
    pub(crate) age_hours: Option<f64>,
    pub(crate) status: Option<String>,
    /// Rows of its files; `None` in versions that did not count them.
    pub(crate) file_rows: Option<i64>,
    /// Rows after `as_of`.
    pub(crate) future: i64,
    /// Rows that were not known at `as_of`.
    pub(crate) unknown: i64,
    /// Rows that nothing uses.
    pub(crate) pruned: i64,
    /// Notes on the source, one sentence each.
    pub(crate) notes: Vec<String>,
    /// Those that are warnings, the worst first.
    pub(crate) warnings: Vec<String>,
    /// What the first of them says of the rows.
    pub(crate) worst_warning: Option<String>,
}

impl SourceRow {
    /// How bad its warnings are, 0 being the worst: rows are missing.
    pub(crate) fn badness(&self) -> usize {
        const WORST_FIRST: [&str; 3] = ["missing", "left out", "changed"];
        let worst = self.worst_warning.as_deref();
        let place = WORST_FIRST.iter().position(|known| Some(*known) == worst);
        place.unwrap_or(WORST_FIRST.len())
    }

    /// Whether every row is accounted for: file rows = future + unknown + pruned + rows, and rows = used + filtered +
    /// quarantined + dropped.
    pub(crate) fn adds_up(&self) -> bool {
        let sum = |parts: &[i64]| {
            let mut parts = parts.iter();
            parts.try_fold(0_i64, |sum, part| sum.checked_add(*part))
        };
        let visible = sum(&[self.used, self.filtered, self.quarantined, self.dropped]);
        let all = sum(&[self.rows, self.future, self.unknown, self.pruned]);
        visible == Some(self.rows) && self.file_rows.is_none_or(|rows| all == Some(rows))
    }
}

/// Rows that a rule of a source rejected.
#[derive(Debug, Clone)]
pub(crate) struct RejectGroup {
    pub(crate) source: String,
    pub(crate) rule: String,
    /// `quarantined` or `dropped`.
    pub(crate) outcome: String,
    pub(crate) rows: i64,
    /// The first of them by file and row number.
    pub(crate) examples: Vec<RejectExample>,
}

/// One rejected row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RejectExample {
    pub(crate) file: String,
    pub(crate) row_number: Option<i64>,
    /// The value that the rule rejected; in versions that do not publish it, the whole row.
    pub(crate) row: String,
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn or_empty(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

/// Reads `segments`, in the order of the table.
pub(crate) fn segments(table: Table<'_>) -> Result<Vec<SegmentRow>, ReportError> {
    table.require(&["scheme", "segment", "customers"])?;
    let (scheme, name) = (table.text("scheme")?, table.text("segment")?);
    let customers = table.integers("customers")?;
    let (share, value) = (table.numbers("share")?, table.numbers("value")?);
    let (value_share, kpi) = (table.numbers("value_share")?, table.numbers("kpi")?);
    let kpi_customers = table.integers("kpi_customers")?;
    let (playbook, touch) = (table.text("playbook")?, table.text("touch")?);
    let (channel, owner, rule) = (
        table.text("channel")?,
        table.text("owner")?,
        table.text("rule")?,
    );
    let (goal, value_at_risk) = (table.text("goal")?, table.numbers("value_at_risk")?);
    let standing = table.text("standing")?;
    let left = table.integers("left_customers")?;
    let win_back = table.numbers("win_back_value")?;
    let row = |i: usize| SegmentRow {
        scheme: or_empty(scheme[i]),
        name: or_empty(name[i]),
        customers: customers[i].unwrap_or(0),
        share: share[i],
        value: value[i],
        value_share: value_share[i],
        kpi: kpi[i],
        kpi_customers: kpi_customers[i],
        playbook: owned(playbook[i]),
        touch: owned(touch[i]),
        channel: owned(channel[i]),
        owner: owned(owner[i]),
        rule: owned(rule[i]),
        goal: owned(goal[i]),
        value_at_risk: value_at_risk[i],
        is_lost: standing[i] == Some("lost"),
        left_customers: left[i],
        win_back_value: win_back[i],
    };
    Ok((0..table.rows()).map(row).collect())
}

/// Reads `profiles`, in the order of the table.
pub(crate) fn profiles(table: Table<'_>) -> Result<Vec<ProfileRow>, ReportError> {
    table.require(&["scheme", "segment", "feature"])?;
    let (scheme, segment) = (table.text("scheme")?, table.text("segment")?);
    let (feature, label) = (table.text("feature")?, table.text("label")?);
    let customers = table.integers("customers")?;
    let (mean, population_mean) = (table.numbers("mean")?, table.numbers("population_mean")?);
    let effect_size = table.numbers("effect_size")?;
    let row = |i: usize| ProfileRow {
        scheme: or_empty(scheme[i]),
        segment: or_empty(segment[i]),
        feature: or_empty(feature[i]),
        label: owned(label[i]),
        customers: customers[i],
        mean: mean[i],
        population_mean: population_mean[i],
        effect_size: effect_size[i],
    };
    Ok((0..table.rows()).map(row).collect())
}

/// Reads `models`, in the order of the table.
pub(crate) fn models(table: Table<'_>) -> Result<Vec<ModelRow>, ReportError> {
    table.require(&["score", "model", "name"])?;
    let (score, model, name) = (
        table.text("score")?,
        table.text("model")?,
        table.text("name")?,
    );
    let (value, text) = (table.numbers("value")?, table.text("text")?);
    let (figure, of) = (table.text("figure")?, table.text("figure_of")?);
    let days = table.integers("figure_days")?;
    let stated = |i: usize| {
        Figure::read(FigureColumns {
            figure: figure[i]?,
            of: of[i],
            days: days[i].and_then(|days| u32::try_from(days).ok()),
        })
    };
    let row = |i: usize| ModelRow {
        score: or_empty(score[i]),
        model: or_empty(model[i]),
        name: or_empty(name[i]),
        value: value[i],
        text: owned(text[i]),
        figure: stated(i),
    };
    Ok((0..table.rows()).map(row).collect())
}

/// Reads `calibration`, in the order of the table. A bin without a number is left out.
pub(crate) fn calibration(table: Table<'_>) -> Result<Vec<CalibrationRow>, ReportError> {
    table.require(&["score", "model", "bin", "predicted", "observed"])?;
    let (score, model, bin) = (
        table.text("score")?,
        table.text("model")?,
        table.integers("bin")?,
    );
    let (predicted, observed) = (table.numbers("predicted")?, table.numbers("observed")?);
    let (customers, lift) = (table.integers("customers")?, table.numbers("lift")?);
    let row = |i: usize| {
        Some(CalibrationRow {
            score: or_empty(score[i]),
            model: or_empty(model[i]),
            bin: bin[i]?,
            predicted: predicted[i]?,
            observed: observed[i]?,
            customers: customers[i].unwrap_or(0).max(0),
            lift: lift[i],
        })
    };
    Ok((0..table.rows()).filter_map(row).collect())
}

/// Reads `quality`, in the order of the table. A status that is not known counts as flagged, so that it is seen.
pub(crate) fn quality(table: Table<'_>) -> Result<Vec<QualityRow>, ReportError> {
    table.require(&["scheme", "criterion", "metric", "status"])?;
    let (scheme, criterion) = (table.text("scheme")?, table.text("criterion")?);
    let (metric, status) = (table.text("metric")?, table.text("status")?);
    let (value, threshold) = (table.numbers("value")?, table.numbers("threshold")?);
    let (segment, reason) = (table.text("segment")?, table.text("reason")?);
    let side = table.text("side")?;
    let row = |i: usize| QualityRow {
        scheme: or_empty(scheme[i]),
        segment: or_empty(segment[i]),
        criterion: or_empty(criterion[i]),
        metric: or_empty(metric[i]),
        value: value[i],
        threshold: threshold[i],
        side: owned(side[i]),
        status: match status[i] {
            Some("ok") => QualityStatus::Ok,
            Some("not computed") => QualityStatus::NotComputed,
            _ => QualityStatus::Flagged,
        },
        reason: owned(reason[i]),
    };
    Ok((0..table.rows()).map(row).collect())
}

/// Reads `migrations`, in the order of the table.
pub(crate) fn migrations(table: Table<'_>) -> Result<Vec<MigrationRow>, ReportError> {
    table.require(&["cause"])?;
    moves(table)
}

/// Reads `moves`, in the order of the table.
pub(crate) fn moves(table: Table<'_>) -> Result<Vec<MigrationRow>, ReportError> {
    table.require(&["scheme", "from_segment", "to_segment", "customers"])?;
    let (scheme, cause) = (table.text("scheme")?, table.text("cause")?);
    let (from, to) = (table.text("from_segment")?, table.text("to_segment")?);
    let (customers, value) = (table.integers("customers")?, table.numbers("value")?);
    let row = |i: usize| MigrationRow {
        scheme: or_empty(scheme[i]),
        from: owned(from[i]),
        to: owned(to[i]),
        cause: or_empty(cause[i]),
        customers: customers[i].unwrap_or(0),
        value: value[i].unwrap_or(0.0),
    };
    Ok((0..table.rows()).map(row).collect())
}

/// Reads `cohorts`, in the order of the table. A row without a cohort or age is left out.
pub(crate) fn cohorts(table: Table<'_>) -> Result<Vec<CohortRow>, ReportError> {
    table.require(&[
        "cohort",
        "age",
        "customers",
        "active",
        "retention",
        "status",
    ])?;
    let (cohort, age) = (table.dates("cohort")?, table.integers("age")?);
    let (customers, active) = (table.integers("customers")?, table.integers("active")?);
    let (retention, status) = (table.numbers("retention")?, table.text("status")?);
    let row = |i: usize| {
        Some(CohortRow {
            cohort: cohort[i]?,
            age: age[i]?,
            customers: customers[i].unwrap_or(0),
            active: active[i],
            retention: retention[i],
            is_partial: status[i] == Some("partial"),
        })
    };
    Ok((0..table.rows()).filter_map(row).collect())
}

/// Reads `sources`, in the order of the table.
pub(crate) fn sources(table: Table<'_>) -> Result<Vec<SourceRow>, ReportError> {
    table.require(&[
        "source",
        "rows",
        "used",
        "filtered",
        "quarantined",
        "dropped",
    ])?;
    let (source, kind, status) = (
        table.text("source")?,
        table.text("kind")?,
        table.text("status")?,
    );
    let (files, bytes) = (table.integers("files")?, table.integers("bytes")?);
    let files_passed_over = table.integers("files_passed_over")?;
    let (rows, used) = (table.integers("rows")?, table.integers("used")?);
    let (filtered, quarantined) = (table.integers("filtered")?, table.integers("quarantined")?);
    let (dropped, duplicates) = (table.integers("dropped")?, table.integers("duplicates")?);
    let age_hours = table.numbers("age_hours")?;
    let (file_rows, future) = (table.integers("file_rows")?, table.integers("future")?);
    let (unknown, pruned) = (table.integers("unknown")?, table.integers("pruned")?);
    let (notes, warnings) = (table.text("notes")?, table.text("warnings")?);
    let worst_warning = table.text("worst_warning")?;
    let lines = |text: Option<&str>| -> Vec<String> {
        let lines = text.unwrap_or_default().lines();
        lines.map(str::to_owned).collect()
    };
    let row = |i: usize| SourceRow {
        source: or_empty(source[i]),
        kind: owned(kind[i]),
        files: files[i],
        bytes: bytes[i],
        files_passed_over: files_passed_over[i].unwrap_or(0),
        rows: rows[i].unwrap_or(0),
        used: used[i].unwrap_or(0),
        filtered: filtered[i].unwrap_or(0),
        quarantined: quarantined[i].unwrap_or(0),
        dropped: dropped[i].unwrap_or(0),
        duplicates: duplicates[i],
        age_hours: age_hours[i],
        status: owned(status[i]),
        file_rows: file_rows[i],
        future: future[i].unwrap_or(0),
        unknown: unknown[i].unwrap_or(0),
        pruned: pruned[i].unwrap_or(0),
        notes: lines(notes[i]),
        warnings: lines(warnings[i]),
        worst_warning: owned(worst_warning[i]),
    };
    Ok((0..table.rows()).map(row).collect())
}

/// Reads `reject_rules`, most rows first, with at most `examples` examples of each; filtered rows are not rejects.
pub(crate) fn reject_rules(
    table: Table<'_>,
    examples: usize,
) -> Result<Vec<RejectGroup>, ReportError> {
    table.require(&["source", "rule", "outcome", "rows"])?;
    let (source, rule) = (table.text("source")?, table.text("rule")?);
    let (outcome, rows) = (table.text("outcome")?, table.integers("rows")?);
    let (example, file) = (table.text("example")?, table.text("file")?);
    let row_number = table.integers("row_number")?;
    let group = |i: usize| {
        let first = file[i].map(|file| RejectExample {
            file: file.to_owned(),
            row_number: row_number[i],
            row: or_empty(example[i]),
        });
        RejectGroup {
            source: or_empty(source[i]),
            rule: or_empty(rule[i]),
            outcome: or_empty(outcome[i]),
            rows: rows[i].unwrap_or(0),
            examples: first.into_iter().take(examples).collect(),
        }
    };
    let rejecting = (0..table.rows()).filter(|&i| outcome[i] != Some("filtered"));
    let mut out: Vec<RejectGroup> = rejecting.map(group).collect();
    sort_groups(&mut out);
    Ok(out)
}

fn sort_groups(groups: &mut [RejectGroup]) {
    groups.sort_by(|a, b| {
        let more = b.rows.cmp(&a.rows);
        more.then_with(|| (&a.source, &a.rule).cmp(&(&b.source, &b.rule)))
    });
}

/// Counts `rejects` by source and rule, most rows first, keeping that many examples of each: for versions from before rules
/// were counted in a table of their own.
pub(crate) fn rejects(table: Table<'_>, examples: usize) -> Result<Vec<RejectGroup>, ReportError> {
    table.require(&["source", "rule"])?;
    let (source, rule) = (table.text("source")?, table.text("rule")?);
    let (file, row, row_number) = (
        table.text("file")?,
        table.text("row")?,
        table.integers("row_number")?,
    );
    let mut groups: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for i in 0..table.rows() {
        groups
            .entry((source[i].unwrap_or_default(), rule[i].unwrap_or_default()))
            .or_default()
            .push(i);
    }
    let mut out: Vec<RejectGroup> = groups
        .into_iter()
        .map(|((source, rule), mut rows)| {
            rows.sort_by_key(|&i| (file[i], row_number[i], row[i]));
            let example = |&i: &usize| RejectExample {
                file: or_empty(file[i]),
                row_number: row_number[i],
                row: or_empty(row[i]),
            };
            RejectGroup {
                source: source.to_owned(),
                rule: rule.to_owned(),
                outcome: "quarantined".to_owned(),
                rows: rows.len() as i64,
                examples: rows.iter().take(examples).map(example).collect(),
            }
        })
        .collect();
    sort_groups(&mut out);
    Ok(out)
}
