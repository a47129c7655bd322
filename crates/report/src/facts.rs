//! The tables, read once for all sections.

use crate::column::Table;
use crate::input::{GoalMeta, ReportMeta, TargetMeta};
use crate::mark::Marks;
use crate::number::{Measure, count, counted, percent};
use crate::record::{
    self, CalibrationRow, ModelRow, ProfileRow, QualityRow, RejectGroup, SegmentRow, SourceRow,
};
use crate::version::ACTIVE;
use crate::{Before, Options, ReportError, ReportInput, sql, text};

/// Everything the sections read. A table that the version does not have is `None`.
pub(crate) struct Facts<'a> {
    pub(crate) input: &'a ReportInput,
    pub(crate) meta: &'a ReportMeta,
    /// Schemes in the order of the pipeline file, then those it does not name in the order of the table.
    pub(crate) schemes: Option<Vec<Scheme>>,
    pub(crate) profiles: Option<Vec<ProfileRow>>,
    pub(crate) models: Option<Vec<ModelRow>>,
    pub(crate) calibration: Option<Vec<CalibrationRow>>,
    pub(crate) quality: Option<Vec<QualityRow>>,
    pub(crate) sources: Option<Vec<SourceRow>>,
    pub(crate) rejects: Option<Vec<RejectGroup>>,
    /// Number of customers.
    pub(crate) customers: Option<i64>,
    /// Sum of the value over all customers.
    pub(crate) value: Option<f64>,
    pub(crate) kpi: Option<Kpi>,
    /// What is known against numbers.
    pub(crate) marks: Marks,
    /// Customers on the first page.
    pub(crate) on_first_page: usize,
}

/// `customers` of the version before.
#[derive(Clone, Copy)]
pub(crate) struct Earlier<'a> {
    pub(crate) input: &'a ReportInput,
    pub(crate) customers: Table<'a>,
}

/// One scheme, with its segments.
#[derive(Debug, Clone)]
pub(crate) struct Scheme {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// How the customers are assigned, for a reader who does not know the pipeline file.
    pub(crate) words: String,
    /// Highest score of an RFM grid, where the pipeline says so.
    pub(crate) scores: Option<u8>,
    /// Anchor of its heading, unique in the document.
    pub(crate) anchor: String,
    /// Segments in the order they are shown.
    pub(crate) segments: Vec<SegmentRow>,
}

/// Kinds of schemes, as far as they are drawn differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    RfmGrid,
    Quantile,
    Rules,
    Attribute,
    Lifecycle,
    Other,
}

impl Kind {
    fn parse(kind: &str) -> Self {
        match kind {
            "rfm_grid" => Self::RfmGrid,
            "quantile" => Self::Quantile,
            "rules" => Self::Rules,
            "attribute" => Self::Attribute,
            "lifecycle" => Self::Lifecycle,
            _ => Self::Other,
        }
    }
}

/// The goal's KPI.
#[derive(Debug, Clone)]
pub(crate) struct Kpi {
    pub(crate) name: String,
    pub(crate) measure: Measure,
    pub(crate) target: Option<TargetMeta>,
    /// Mean over all customers with a value.
    pub(crate) overall: Option<f64>,
    /// Customers with a value, where the table of customers says so.
    pub(crate) known: Option<i64>,
    /// It is a probability that is the base rate for every customer, since no model is used: it does not distinguish segments
    /// and cannot meet a target.
    pub(crate) is_base_rate: bool,
}

impl Kpi {
    /// "below 25.0%".
    pub(crate) fn target_words(&self, meta: &ReportMeta) -> Option<String> {
        self.target.map(|target| match target {
            TargetMeta::Below(limit) => format!("below {}", self.measure.show(limit, meta)),
            TargetMeta::Above(limit) => format!("above {}", self.measure.show(limit, meta)),
        })
    }

    /// "of 8,813 customers", where not every customer has a value.
    pub(crate) fn of_whom(&self, customers: Option<i64>) -> Option<String> {
        let known = self.known.filter(|known| Some(*known) != customers)?;
        Some(format!("of {}", counted(known, "customer", "customers")))
    }

    /// Whether a mean meets the target; `None` without target or mean, and of a base rate.
    pub(crate) fn met(&self, mean: Option<f64>) -> Option<bool> {
        let target = self.target.filter(|_| !self.is_base_rate)?;
        Some(target.met_by(mean?))
    }

    /// Why it cannot be compared with the target.
    pub(crate) fn unvalidated(&self) -> Option<&'static str> {
        self.is_base_rate
            .then_some("not validated: no model is used, and every customer has the base rate")
    }
}

impl<'a> Facts<'a> {
    /// Whether a segment's mean of the KPI is shown as meeting the target. A KPI in doubt can be shown as missing it, but never
    /// as good.
    pub(crate) fn meets(&self, mean: Option<f64>) -> Option<bool> {
        let kpi = self.kpi.as_ref()?;
        let in_doubt = self.marks.of(&kpi.name).is_some();
        kpi.met(mean).filter(|is_met| !(*is_met && in_doubt))
    }

    /// Reads the tables. The options state how many rejected rows of each rule are kept, and how many customers are shown on
    /// the first page.
    pub(crate) fn read(input: &'a ReportInput, options: &Options) -> Result<Self, ReportError> {
        let reject_examples = options.reject_examples;
        let open = |name| Table::open(input, name);
        let meta = &input.meta;
        let segments = open("segments").map(record::segments).transpose()?;
        let schemes = segments.map(|rows| schemes(meta, rows, open("customers")));
        let profiles = open("profiles").map(record::profiles).transpose()?;
        let models = open("models").map(record::models).transpose()?;
        let mut kpi = match &meta.goal {
            Some(goal) => Some(kpi(goal, meta, profiles.as_deref(), open("customers"))?),
            None => None,
        };
        let quality = open("quality").map(record::quality).transpose()?;
        let marks = Marks::read(input, quality.as_deref().unwrap_or_default())?;
        if let Some(kpi) = &mut kpi {
            kpi.is_base_rate = marks.is_base_rate(&kpi.name);
        }
        let largest = |schemes: &Vec<Scheme>| schemes.iter().map(Scheme::customers).max();
        let customers = match open("customers") {
            Some(table) => Some(table.rows() as i64),
            None => schemes.as_ref().and_then(largest),
        };
        let value = schemes.iter().flatten().find_map(Scheme::value);
        Ok(Self {
            input,
            meta,
            profiles,
            models,
            calibration: open("calibration").map(record::calibration).transpose()?,
            quality,
            marks,
            sources: open("sources").map(record::sources).transpose()?,
            rejects: match (open("reject_rules"), open("rejects")) {
                (Some(rules), _) => Some(record::reject_rules(rules, reject_examples)?),
                (None, Some(rows)) => Some(record::rejects(rows, reject_examples)?),
                (None, None) => None,
            },
            customers,
            value,
            schemes,
            kpi,
            on_first_page: options.customers,
        })
    }

    /// The table of customers.
    pub(crate) fn people(&self) -> Option<Table<'a>> {
        Table::open(self.input, "customers")
    }

    /// That every figure is that of a sample, and of about how many customers.
    pub(crate) fn sample_words(&self) -> Option<String> {
        let share = self.meta.sample?;
        let drawn = match self.customers.filter(|drawn| *drawn > 0) {
            Some(drawn) => {
                let all = significant(drawn as f64 / share);
                format!(
                    "{} of about {}",
                    count(drawn),
                    counted(all, "customer", "customers")
                )
            }
            None => "some of the customers".to_owned(),
        };
        Some(format!(
            "{drawn} ({}), drawn by their keys. Every number and every sum of money in this report is that of the sample, not of the business",
            percent(share)
        ))
    }

    /// The customers of the version before.
    pub(crate) fn earlier(&self) -> Option<Earlier<'a>> {
        let Before::Known(input) = &self.input.before else {
            return None;
        };
        let customers = Table::open(input, "customers")?;
        Some(Earlier { input, customers })
    }

    /// The same, where that version has the column as numbers: otherwise nothing of it can be compared.
    pub(crate) fn earlier_with(&self, column: &str) -> Option<Earlier<'a>> {
        self.earlier()
            .filter(|before| before.customers.has_numbers(column))
    }

    /// The `from` of a table in SQL; of `customers` only those in the base.
    pub(crate) fn from(&self, table: &str) -> String {
        from(self.input, table)
    }

    /// Whether `segments` has that column.
    pub(crate) fn segments_have(&self, column: &str) -> bool {
        Table::open(self.input, "segments").is_some_and(|table| table.has(column))
    }

    /// The column of `customers` that is summed up as value, where the table has it.
    pub(crate) fn value_column(&self) -> Option<&'a str> {
        let name = self.meta.value.as_deref()?;
        self.people()?.has(name).then_some(name)
    }

    /// The scheme to act by: the one with most segments that have a playbook; where none has one, the leading one.
    pub(crate) fn action_scheme(&self) -> Option<&Scheme> {
        let schemes = self.schemes.as_deref()?;
        let playbooks = |scheme: &&Scheme| {
            let with = scheme.segments.iter().filter(|s| s.playbook.is_some());
            with.count()
        };
        let most = schemes.iter().map(|s| playbooks(&s)).max()?;
        match most {
            0 => self.leading_scheme(),
            most => schemes.iter().find(|s| playbooks(s) == most),
        }
    }

    /// Schemes in the order they are shown: the one to act by, then those by value, lifecycle and RFM, then the others.
    pub(crate) fn in_order(&self) -> Vec<&Scheme> {
        let action = self.action_scheme().map(|scheme| scheme.name.as_str());
        let place = |scheme: &&Scheme| match scheme.kind {
            _ if Some(scheme.name.as_str()) == action => 0,
            Kind::Quantile => 1,
            Kind::Lifecycle => 2,
            Kind::RfmGrid => 3,
            Kind::Rules => 4,
            Kind::Other => 5,
            Kind::Attribute => 6,
        };
        let mut schemes: Vec<&Scheme> = self.schemes.iter().flatten().collect();
        schemes.sort_by_key(place);
        schemes
    }

    /// The scheme a reader should see first: the first RFM grid, else the first scheme.
    pub(crate) fn leading_scheme(&self) -> Option<&Scheme> {
        let schemes = self.schemes.as_deref()?;
        schemes
            .iter()
            .find(|s| s.kind == Kind::RfmGrid)
            .or_else(|| schemes.first())
    }

    /// A sum of the value feature, rounded for a headline.
    pub(crate) fn value_short(&self, value: f64) -> String {
        match self.value_measure() {
            Measure::Money => crate::number::money_short(value, self.meta.currency.as_deref()),
            measure => measure.show(value, self.meta),
        }
    }

    /// How the value feature is written: money, unless it is declared to be something else.
    pub(crate) fn value_measure(&self) -> Measure {
        match &self.meta.value {
            Some(value) if self.meta.feature(value).is_some_and(|f| f.unit.is_some()) => {
                Measure::of(self.meta, value)
            }
            _ => Measure::Money,
        }
    }
}

/// To two significant digits: a number that a sample estimates.
fn significant(number: f64) -> i64 {
    let unit = 10_f64.powf((number.abs().max(1.0).log10().floor() - 1.0).max(0.0));
    ((number / unit).round() * unit) as i64
}

fn from(input: &ReportInput, table: &str) -> String {
    let from = sql::from(table, input.files.get(table));
    match table == "customers" && input.closed.is_some() {
        true => format!("(select * from {from} where {ACTIVE})"),
        false => from,
    }
}

impl Earlier<'_> {
    /// The `from` of `customers` in SQL.
    pub(crate) fn from(&self) -> String {
        from(self.input, "customers")
    }

    /// "30 September 2026".
    pub(crate) fn date(&self) -> String {
        text::date(self.input.meta.as_of)
    }
}

impl Scheme {
    /// Customers over all segments.
    pub(crate) fn customers(&self) -> i64 {
        self.segments.iter().map(|s| s.customers).sum()
    }

    /// Value over all segments, where any has one.
    pub(crate) fn value(&self) -> Option<f64> {
        let known: Vec<f64> = self.segments.iter().filter_map(|s| s.value).collect();
        (!known.is_empty()).then(|| known.iter().sum())
    }

    /// Value at risk over all segments, where any has one.
    pub(crate) fn at_risk(&self) -> Option<f64> {
        self.segments
            .iter()
            .filter_map(|s| s.value_at_risk)
            .reduce(|a, b| a + b)
    }

    /// The largest value at risk of a segment, by which the column is formatted.
    pub(crate) fn largest_at_risk(&self) -> f64 {
        let sizes = self.segments.iter().filter_map(|s| s.value_at_risk);
        sizes.fold(0.0, f64::max)
    }

    /// The largest value of a segment, by which the column is formatted.
    pub(crate) fn largest_value(&self) -> f64 {
        let sizes = self.segments.iter().filter_map(|s| s.value).map(f64::abs);
        sizes.fold(0.0, f64::max)
    }

    /// The largest KPI of a segment, by which the column is formatted.
    pub(crate) fn largest_kpi(&self) -> f64 {
        let sizes = self.segments.iter().filter_map(|s| s.kpi).map(f64::abs);
        sizes.fold(0.0, f64::max)
    }

    /// The segment's share of the customers: as published, else from the counts.
    pub(crate) fn share(&self, segment: &SegmentRow) -> f64 {
        let all = self.customers();
        segment.share.unwrap_or(if all == 0 {
            0.0
        } else {
            segment.customers as f64 / all as f64
        })
    }
}

fn schemes(meta: &ReportMeta, rows: Vec<SegmentRow>, customers: Option<Table<'_>>) -> Vec<Scheme> {
    let mut names: Vec<&str> = meta.schemes.iter().map(|s| s.name.as_str()).collect();
    for row in &rows {
        if !names.contains(&row.scheme.as_str()) {
            names.push(&row.scheme);
        }
    }
    let scheme = |(i, name): (usize, &str)| {
        let declared = meta.schemes.iter().find(|s| s.name == name);
        let scored =
            customers.is_some_and(|table| table.rows() > 0 && table.has(&format!("{name}_score")));
        let kind = match declared {
            Some(declared) if !declared.kind.is_empty() => Kind::parse(&declared.kind),
            _ if scored => Kind::RfmGrid,
            _ => Kind::Other,
        };
        let mut segments: Vec<SegmentRow> = rows
            .iter()
            .filter(|row| row.scheme == name)
            .cloned()
            .collect();
        let place = |name: &str| {
            let order = declared.map_or(&[][..], |d| &d.segments);
            order.iter().position(|s| s == name).unwrap_or(order.len())
        };
        segments.sort_by(|a, b| {
            let declared = place(&a.name).cmp(&place(&b.name));
            declared
                .then(b.customers.cmp(&a.customers))
                .then_with(|| a.name.cmp(&b.name))
        });
        let anchor = format!("scheme-{}-{}", i + 1, text::slug(name))
            .trim_end_matches('-')
            .to_owned();
        Scheme {
            name: name.to_owned(),
            kind,
            words: match declared {
                Some(declared) if !declared.words.is_empty() => declared.words.clone(),
                _ => "segments".to_owned(),
            },
            scores: declared.and_then(|d| d.scores),
            anchor,
            segments,
        }
    };
    names
        .into_iter()
        .enumerate()
        .map(scheme)
        .filter(|s| !s.segments.is_empty())
        .collect()
}

fn kpi(
    goal: &GoalMeta,
    meta: &ReportMeta,
    profiles: Option<&[ProfileRow]>,
    customers: Option<Table<'_>>,
) -> Result<Kpi, ReportError> {
    let profiled = profiles.and_then(|rows| {
        rows.iter()
            .find(|r| r.feature == goal.kpi && r.label.is_none())
            .and_then(|r| r.population_mean)
    });
    let known: Option<Vec<f64>> = match customers {
        Some(table) if table.has(&goal.kpi) => {
            Some(table.numbers(&goal.kpi)?.into_iter().flatten().collect())
        }
        _ => None,
    };
    let mean = |known: &Vec<f64>| {
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    let overall = profiled.or_else(|| known.as_ref().and_then(mean));
    Ok(Kpi {
        name: goal.kpi.clone(),
        measure: Measure::of(meta, &goal.kpi),
        target: goal.target,
        overall,
        known: known.map(|known| known.len() as i64),
        is_base_rate: false,
    })
}
