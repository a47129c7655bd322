//! What was rejected and why: rows by source and rule, with the first of each.

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::column::Table;
use crate::facts::Facts;
use crate::number::{count, counted, percent};
use crate::record::RejectExample;
use crate::sql::{self, Num, Piece, Query};
use crate::text::{Name, printable, shortened};

pub(super) const SECTION: Section = Section {
    name: "rejects",
    title: "What was rejected, and why",
    template: include_str!("../../templates/sections/rejects.html"),
    build: Build::Appendix(build),
};

/// Longest row shown, in characters; the table holds the whole.
const LONGEST_ROW: usize = 240;

#[derive(Serialize)]
struct View {
    sentence: Vec<Piece>,
    groups: Vec<Group>,
    totals: Query,
    query: Query,
}

#[derive(Serialize)]
struct Group {
    source: Name,
    rule: Name,
    outcome: String,
    source_key: String,
    rule_key: String,
    rows: Num,
    /// Share of the source's rows, where the source is known.
    share: Option<Num>,
    examples: Vec<Example>,
}

#[derive(Serialize)]
struct Example {
    place: String,
    row: String,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let Some(rejects) = &facts.rejects else {
        return Part::no_table("reject_rules");
    };
    let all: i64 = rejects.iter().map(|g| g.rows).sum();
    let groups = rejects.iter().map(|group| {
        let source = facts
            .sources
            .iter()
            .flatten()
            .find(|s| s.source == group.source && s.rows > 0);
        Group {
            source: Name::new(&group.source),
            rule: Name::new(&group.rule),
            outcome: printable(&group.outcome),
            source_key: sql::key(&group.source),
            rule_key: sql::key(&group.rule),
            rows: Num::count(group.rows, "rejected").at(&group.outcome),
            share: source.map(|s| {
                let share = group.rows as f64 / s.rows as f64;
                Num::new(percent(share), share, "share").at(&group.outcome)
            }),
            examples: group.examples.iter().map(example).collect(),
        }
    });
    let sentence = match all {
        0 => vec!["No row was rejected.".into()],
        n => vec![
            Num::count(n, "rejected")
                .shown_as(counted(n, "row was", "rows were"))
                .into(),
            " rejected and not used.".into(),
        ],
    };
    let (query, totals) = queries(facts);
    Part::ready(View {
        sentence,
        groups: groups.collect(),
        totals,
        query,
    })
}

/// Rows by source, rule and outcome, and all of them.
fn queries(facts: &Facts<'_>) -> (Query, Query) {
    // Versions without `reject_rules` have only the rows themselves.
    let counted = match Table::open(facts.input, "reject_rules").is_some() {
        true => format!(
            "select source, rule, outcome, sum(rows) as rejected\n  from {} where outcome <> 'filtered' group by all",
            facts.from("reject_rules")
        ),
        false => format!(
            "select source, rule, 'quarantined' as outcome, count(*) as rejected\n  from {} group by all",
            facts.from("rejects")
        ),
    };
    let sources = match facts.sources {
        Some(_) => facts.from("sources"),
        None => "(select null as source, null as rows)".to_owned(),
    };
    (
        Query::by(
            &["source", "rule", "outcome"],
            format!(
                "with counted as (\n  {counted})\nselect source, rule, outcome, rejected, rejected / rows as share\nfrom counted left join {sources} using (source)"
            ),
        ),
        Query::one(format!(
            "with counted as (\n  {counted})\nselect coalesce(sum(rejected), 0) as rejected from counted"
        )),
    )
}

fn example(example: &RejectExample) -> Example {
    let row = example.row_number.map(|n| format!("row {}", count(n)));
    let file = Some(printable(&example.file)).filter(|f| !f.is_empty());
    Example {
        place: [file, row]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", "),
        row: shortened(&printable(&example.row), LONGEST_ROW),
    }
}
