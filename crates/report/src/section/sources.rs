//! The sources: every row of every source accounted for.

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::Facts;
use crate::number::{bytes, counted, percent, plain, position};
use crate::record::SourceRow;
use crate::sql::{self, Num, Piece, Query};
use crate::text::{Name, printable};

pub(super) const SECTION: Section = Section {
    name: "sources",
    title: "What came in",
    template: include_str!("../../templates/sections/sources.html"),
    build: Build::Appendix(build),
};

#[derive(Serialize)]
struct View {
    sentence: Vec<Piece>,
    totals: Query,
    rows: Vec<Row>,
    query: Query,
}

#[derive(Serialize)]
struct Row {
    name: Name,
    kind: String,
    key: String,
    rows: Num,
    used: Num,
    used_share: Num,
    filtered: Num,
    quarantined: Num,
    dropped: Num,
    duplicates: Num,
    /// used, filtered, quarantined and dropped: left edge and width in percent.
    parts: Vec<(&'static str, String, String)>,
    adds_up: bool,
    status: String,
    /// `good`, `bad` or empty, where nothing was judged.
    judged: &'static str,
    /// Rows of the files that are not visible, in words.
    unseen: Option<String>,
    warnings: Vec<String>,
    /// The notes that are no warnings.
    notes: Vec<String>,
    age: Option<String>,
    volume: String,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let Some(sources) = &facts.sources else {
        return Part::no_table("sources");
    };
    if sources.is_empty() {
        return Part::not_computed("the `sources` table is empty");
    }
    let rows: i64 = sources.iter().map(|s| s.rows).sum();
    let used: i64 = sources.iter().map(|s| s.used).sum();
    let unexplained = sources.iter().filter(|s| !s.adds_up()).count();
    let account = match unexplained {
        0 => "every row is accounted for".to_owned(),
        n => format!(
            "the rows of {} do not add up",
            counted(n as i64, "source", "sources")
        ),
    };
    let sentence = vec![
        Num::count(rows, "rows")
            .shown_as(counted(rows, "row", "rows"))
            .into(),
        format!(
            " read from {}, ",
            counted(sources.len() as i64, "source", "sources")
        )
        .into(),
        share(used, rows, "used_share").into(),
        format!(" used; {account}.").into(),
    ];
    let from = facts.from("sources");
    Part::ready(View {
        sentence,
        totals: Query::one(format!(
            "select sum(rows) as rows, sum(used) / greatest(sum(rows), 1) as used_share\nfrom {from}"
        )),
        query: Query::by(
            &["source"],
            format!(
                "select source, rows, used, used / greatest(rows, 1) as used_share, filtered, quarantined, dropped, duplicates\nfrom {from}"
            ),
        ),
        rows: sources.iter().map(row).collect(),
    })
}

fn share(part: i64, all: i64, column: &'static str) -> Num {
    let share = part as f64 / all.max(1) as f64;
    Num::new(percent(share), share, column)
}

fn row(s: &SourceRow) -> Row {
    let status = s.status.as_deref().unwrap_or("ok");
    let mut volume = match (s.files, s.bytes) {
        (Some(files), Some(size)) => {
            format!("{}, {}", counted(files, "file", "files"), bytes(size))
        }
        (Some(files), None) => counted(files, "file", "files"),
        _ => String::new(),
    };
    if s.files_passed_over > 0 {
        let missed = counted(s.files_passed_over, "file", "files");
        volume.push_str(&format!("; {missed} not read"));
    }
    Row {
        name: Name::new(&s.source),
        kind: s.kind.as_deref().map(printable).unwrap_or_default(),
        key: sql::key(&s.source),
        rows: Num::count(s.rows, "rows"),
        used: Num::count(s.used, "used"),
        used_share: share(s.used, s.rows, "used_share"),
        filtered: Num::count(s.filtered, "filtered"),
        quarantined: Num::count(s.quarantined, "quarantined"),
        dropped: Num::count(s.dropped, "dropped"),
        duplicates: s.duplicates.map_or_else(
            || Num::opt(crate::number::NONE, None, "duplicates"),
            |duplicates| Num::count(duplicates, "duplicates"),
        ),
        parts: parts(s),
        adds_up: s.adds_up(),
        status: printable(status),
        judged: match status {
            "ok" => "good",
            "unjudged" => "",
            _ => "bad",
        },
        unseen: unseen(s),
        warnings: s.warnings.iter().map(|note| printable(note)).collect(),
        notes: s
            .notes
            .iter()
            .filter(|note| !s.warnings.contains(note))
            .map(|note| printable(note))
            .collect(),
        age: s.age_hours.map(age),
        volume,
    }
}

/// "120 rows are after this day, 3 were not known yet".
fn unseen(s: &SourceRow) -> Option<String> {
    let parts = [
        (s.future, "after this day"),
        (s.unknown, "not known yet"),
        (s.pruned, "too old to be used"),
    ];
    let shown = parts.into_iter().filter(|(rows, _)| *rows > 0);
    let shown: Vec<String> = shown
        .map(|(rows, why)| format!("{} {why}", counted(rows, "row", "rows")))
        .collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

fn parts(s: &SourceRow) -> Vec<(&'static str, String, String)> {
    let all = s.rows.max(1) as f64;
    let mut before = 0.0;
    let parts = [
        ("used", s.used),
        ("filtered", s.filtered),
        ("quarantined", s.quarantined),
        ("dropped", s.dropped),
    ];
    parts
        .into_iter()
        .map(|(name, n)| {
            let width = n as f64 / all;
            let part = (name, position(before), position(width));
            before += width;
            part
        })
        .collect()
}

/// Age of the newest used row at the close of the day.
fn age(hours: f64) -> String {
    if hours.abs() < 48.0 {
        format!("newest row {} h old", plain(hours.round()))
    } else {
        format!("newest row {} days old", plain((hours / 24.0).round()))
    }
}
