//! A plan as Markdown, for a pull request.

use std::fmt::Write as _;

use tessera_spec::shown::{grouped, one_line};

use super::Plan;
use super::text::{against, judged, not_compared, reads};
use crate::diff::{SchemeDiff, figure, from_to};
use crate::sources::percent;

/// How many moves of a scheme are listed.
const MOVES: usize = 15;

pub(super) fn markdown(plan: &Plan) -> String {
    let mut to = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(to, "### Plan of `{}` as of {}\n", plan.pipeline, plan.as_of);
    let _ = writeln!(
        to,
        "{}.\n{}.\n",
        sentence(&against(plan)),
        sentence(&reads(plan))
    );
    if plan.is_empty() {
        to.push_str("**No customer would move, and no column would change.**\n");
        gates(plan, &mut to);
        edits(plan, &mut to);
        return to;
    }
    if let Some(line) = not_compared(plan) {
        let _ = writeln!(to, "**{}.**\n", sentence(&line));
    }
    to.push_str("| scheme | would move | of customers | share | value |\n|---|--:|--:|--:|--:|\n");
    for scheme in &plan.schemes {
        let _ = match scheme.state {
            "both" => writeln!(
                to,
                "| {} | {} | {} | {} | {} |",
                cell(&scheme.scheme),
                grouped(scheme.moved),
                grouped(scheme.compared),
                percent(scheme.moved, scheme.compared),
                figure(scheme.moved_value)
            ),
            state => writeln!(to, "| {} | {state} | | | |", cell(&scheme.scheme)),
        };
    }
    let customers = &plan.customers;
    if customers.came + customers.left > 0 {
        let (came, left) = (grouped(customers.came), grouped(customers.left));
        let _ = writeln!(to, "\n{came} customers would come, {left} would leave.");
    }
    gates(plan, &mut to);
    edits(plan, &mut to);
    for scheme in &plan.schemes {
        of_scheme(scheme, &mut to);
    }
    columns(plan, &mut to);
    to
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// A text within a table.
fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

/// A text of a pipeline within a table.
fn code(text: &Option<String>) -> String {
    text.as_ref().map_or_else(String::new, |text| {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("`{}`", cell(&text.replace('`', "'")))
    })
}

/// What gates and expectations say, as a list.
fn gates(plan: &Plan, to: &mut String) {
    to.push('\n');
    for line in judged(plan) {
        let _ = writeln!(to, "- {}", one_line(&sentence(&line)));
    }
}

fn edits(plan: &Plan, to: &mut String) {
    if plan.definitions.texts.is_empty() {
        return;
    }
    to.push_str(
        "\n<details><summary>Edited keys</summary>\n\n| key | before | after |\n|---|---|---|\n",
    );
    for text in &plan.definitions.texts {
        let what = cell(&text.what);
        let _ = writeln!(
            to,
            "| `{what}` | {} | {} |",
            code(&text.before),
            code(&text.after)
        );
    }
    to.push_str("\n</details>\n");
}

fn of_scheme(scheme: &SchemeDiff, to: &mut String) {
    let differs = scheme.state != "both"
        || !scheme.moves.is_empty()
        || scheme
            .segments
            .iter()
            .any(|one| one.state != "both" || one.name_before.is_some());
    if !differs {
        return;
    }
    let _ = writeln!(
        to,
        "\n#### {}\n\n| segment | customers | value |  |\n|---|---|---|---|",
        cell(&scheme.scheme)
    );
    for segment in &scheme.segments {
        let note = match (&segment.name_before, segment.state) {
            (Some(before), _) => format!("renamed, before: {}", cell(before)),
            (None, "both") => String::new(),
            (None, state) => state.to_owned(),
        };
        let value = |value: Option<f64>| value.map_or_else(String::new, figure);
        let (before, after) = (value(segment.value_before), value(segment.value_after));
        let value = if before == after {
            after
        } else {
            format!("{before} -> {after}")
        };
        let _ = writeln!(
            to,
            "| {} | {} | {value} | {note} |",
            cell(&segment.segment),
            from_to(segment.customers_before, segment.customers_after)
        );
    }
    if scheme.moves.is_empty() {
        return;
    }
    to.push_str("\n| from | to | customers | value |\n|---|---|--:|--:|\n");
    for one in scheme.moves.iter().take(MOVES) {
        let end = |name: &Option<String>| {
            name.as_ref()
                .map_or_else(|| "*(not in the base)*".to_owned(), |name| cell(name))
        };
        let _ = writeln!(
            to,
            "| {} | {} | {} | {} |",
            end(&one.from_segment),
            end(&one.to_segment),
            grouped(one.customers),
            figure(one.value)
        );
    }
    if let Some(more) = scheme
        .moves
        .len()
        .checked_sub(MOVES)
        .filter(|more| *more > 0)
    {
        let _ = writeln!(to, "\n{more} smaller moves are not listed.");
    }
    if !scheme.sample.is_empty() {
        to.push_str("\n| customer | from | to |\n|---|---|---|\n");
    }
    for one in &scheme.sample {
        let end = |name: &Option<String>| name.as_ref().map_or_else(String::new, |name| cell(name));
        let (from, into) = (end(&one.from_segment), end(&one.to_segment));
        let _ = writeln!(to, "| {} | {from} | {into} |", cell(&one.customer));
    }
}

fn columns(plan: &Plan, to: &mut String) {
    if plan.columns.is_empty() {
        to.push_str("\nThe columns of `customers` stay the same.\n");
        return;
    }
    to.push_str("\n#### Columns of `customers`\n\n| column | change | type | breaking |\n|---|---|---|---|\n");
    for column in &plan.columns {
        let types: Vec<&str> = [&column.before, &column.after]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let _ = writeln!(
            to,
            "| `{}` | {} | {} | {} |",
            cell(&column.column),
            column.change,
            types.join(" -> "),
            if column.breaking { "yes" } else { "no" }
        );
    }
}
