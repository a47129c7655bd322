//! The text of a first pipeline file: its head and its sources; `shown` knows what the parts say of each other, `made` writes features,
//! scores and schemes.

mod made;
mod shown;

use std::fmt::Write as _;

use chrono::NaiveDate;
use tessera_expr::Type;
use tessera_spec::shown::grouped;

use super::look::{Column, quoted};
use super::roles::{Attribute, Kind, Money, Role, Roles};
use super::words::slug;
use super::{AMBIGUOUS, Wanted, words};
use shown::Shown;

/// First and last day of a source.
pub(super) type Dates = (Option<NaiveDate>, Option<NaiveDate>);

/// The pipeline file. `dates` are those of the sources, in their order; `unread` are tables that could not be read.
pub(super) fn file(
    roles: &Roles<'_>,
    wanted: &Wanted,
    dates: &[Dates],
    unread: &[(String, String)],
) -> String {
    let shown = Shown::new(roles, dates);
    let mut text = String::new();
    head(&mut text, roles, wanted, dates);
    for (number, role) in roles.sources.iter().enumerate() {
        let dates = dates.get(number).copied().unwrap_or_default();
        source(&mut text, role, &shown, wanted, dates);
    }
    let left_out = roles.left_out.iter();
    let left_out = left_out.map(|(table, why)| (table.name.as_str(), why.as_str()));
    let unread = unread
        .iter()
        .map(|(name, why)| (name.as_str(), why.as_str()));
    for (name, why) in left_out.chain(unread) {
        let _ = writeln!(text, "\n# The table `{name}` is not read: {why}.");
    }
    made::features(&mut text, &shown);
    made::scores(&mut text, &shown);
    made::schemes(&mut text, &shown);
    text
}

/// The day by which half of the sources have their last event: a stray later row of one is not the end of the data.
pub(super) fn first_day(dates: &[Dates]) -> Option<NaiveDate> {
    let mut last: Vec<NaiveDate> = dates.iter().filter_map(|(_, last)| *last).collect();
    last.sort_unstable();
    last.get(last.len().saturating_sub(1) / 2).copied()
}

/// One line for each table: what it is in the pipeline, or why it is not read.
pub(super) fn lines(roles: &Roles<'_>, unread: &[(String, String)]) -> Vec<String> {
    let read = roles.sources.iter().map(|role| {
        let kind = kind(role.kind);
        let mut line = format!("{}: {kind}, key `{}`", role.table.name, role.key.name);
        if let Some(time) = role.time {
            let _ = write!(line, ", time `{}`", time.name);
        }
        match role.money {
            Some(Money::In(money)) => {
                let _ = write!(line, ", money `{}`", money.name);
            }
            Some(Money::Product(pieces, price)) => {
                let _ = write!(line, ", money `{}` x `{}`", pieces.name, price.name);
            }
            None => {}
        }
        line
    });
    let left_out = roles.left_out.iter();
    let left_out = left_out.map(|(table, why)| format!("{}: not read, {why}", table.name));
    let unread = unread
        .iter()
        .map(|(name, why)| format!("{name}: not read, {why}"));
    read.chain(left_out).chain(unread).collect()
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Events => "events",
        Kind::Attributes => "attributes",
        Kind::Intervals => "intervals",
    }
}

/// A name within an expression.
pub(super) fn ident(name: &str) -> String {
    let mut letters = name.chars();
    let is_plain = letters.next().is_some_and(|c| c.is_ascii_lowercase())
        && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    match is_plain && !RESERVED.contains(&name) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// Words that expressions use otherwise.
const RESERVED: [&str; 20] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "null",
    "case",
    "when",
    "then",
    "else",
    "end",
    "like",
    "between",
    "true",
    "false",
    "date",
    "timestamp",
    "interval",
    "cast",
    "as",
];

/// An expression as TOML.
pub(super) fn toml_expr(text: &str) -> String {
    match text.contains('"') && !text.contains('\'') {
        true => format!("'{text}'"),
        false => quoted(text),
    }
}

fn head(text: &mut String, roles: &Roles<'_>, wanted: &Wanted, dates: &[Dates]) {
    let name = wanted
        .name
        .clone()
        .unwrap_or_else(|| pipeline_name(&wanted.lake));
    let day = first_day(dates).map_or_else(|| "YYYY-MM-DD".to_owned(), |day| day.to_string());
    let store = format!("\"${{out}}/{name}\"");
    let _ = write!(
        text,
        "# A first pipeline for {lake}\n\
         # written by `tessera init` from the names of tables and columns and from a look at some rows (docs/init.md). What is a guess\n\
         # says so: correct it, and look at what the commands say:\n\
         #\n\
         #   tessera check FILE\n\
         #   tessera run FILE --as-of {day}\n\
         #\n\
         # `tessera features` lists the features of the catalogue; `tessera schema` has all keys, with what they mean.\n\n\
         spec_version = 1\n\
         name     = {name}\n\
         timezone = {zone}    # windows and recency count the calendar days of this zone\n\
         currency = {currency}    # the unit of all money; it converts nothing\n\
         store    = {store}\n\n\
         [vars]\n\
         lake = {lake_text}\n\
         out  = \"store\"\n\n\
         # Why customers are divided; the report shows the KPI of each segment against its target.\n\
         # [goal]\n\
         # objective = \"retention\"\n\
         # kpi       = \"recency_days\"\n\
         # target    = {{ below = 60 }}\n\
         # owner     = \"customer-success\"\n\n\
         [customer]\n\
         key = {key}\n",
        lake = wanted.lake.replace(['\n', '\r'], " "),
        name = quoted(&name),
        zone = quoted(&wanted.timezone),
        currency = quoted(&wanted.currency),
        lake_text = quoted(&wanted.lake),
        key = quoted(&slug(&roles.key)),
    );
}

fn pipeline_name(lake: &str) -> String {
    let stem = std::path::Path::new(lake).file_stem();
    let stem = stem
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name = slug(&stem);
    match name.as_str() {
        "c_" => "first".to_owned(),
        _ => name,
    }
}

/// A column with what it was guessed from.
fn guess(column: &Column) -> String {
    match column.missing() {
        share if share > 0.0005 => format!("guess: {:.1}% of the rows have none", share * 100.0),
        _ => "guess".to_owned(),
    }
}

fn source(
    text: &mut String,
    role: &Role<'_>,
    shown: &Shown<'_, '_>,
    wanted: &Wanted,
    dates: Dates,
) {
    let table = role.table;
    let of = match dates {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    let path = match table.path.is_empty() {
        true => "${lake}".to_owned(),
        false => format!("${{lake}}/{}", table.path),
    };
    let _ = write!(
        text,
        "\n# {} rows in {} file{}{of}; {} rows were looked at.\n[sources.{}]\nkind = {}    # {}\npath = {}\nkey  = {}    # {}\n",
        grouped(table.rows),
        grouped(table.files as u64),
        if table.files == 1 { "" } else { "s" },
        grouped(table.seen as u64),
        table.name,
        quoted(kind(role.kind)),
        match role.kind {
            Kind::Events => "rows in time",
            Kind::Attributes => "properties of a customer",
            Kind::Intervals => "rows with a beginning and an end",
        },
        quoted(&path),
        quoted(&role.key.name),
        guess(role.key),
    );
    times(text, role, wanted);
    money(text, role);
    if let Some(id) = role.order_id {
        let _ = writeln!(
            text,
            "order_id = {}    # guess: an order has several rows",
            quoted(&id.name)
        );
    }
    if !table.settings.is_empty() {
        let _ = writeln!(text, "text = {{ {} }}", table.settings);
    }
    derived(text, role);
    for Attribute { name, column } in &role.attributes {
        let unit = match column.ty {
            Type::Bool | Type::String => "",
            _ if words::of_money(&column.name) > 0 => ", unit = \"currency\"",
            Type::Int => ", unit = \"count\"",
            _ => "",
        };
        let base = words::base(&column.name);
        let _ = writeln!(text, "attributes.{name} = {{ base = \"{base}\"{unit} }}");
    }
    contract(text, role, shown);
}

fn times(text: &mut String, role: &Role<'_>, wanted: &Wanted) {
    if let Some(time) = role.time {
        let _ = writeln!(text, "time = {}    # {}", quoted(&time.name), guess(time));
        let others = role.table.columns.iter();
        let others = others.filter(|column| column.is_time() && column.name != time.name);
        let others: Vec<String> = others
            .filter(|column| role.until.is_none_or(|until| until.name != column.name))
            .map(|column| format!("`{}`", column.name))
            .collect();
        if !others.is_empty() {
            let _ = writeln!(text, "# other times: {}", others.join(", "));
        }
    }
    if let Some(until) = role.until {
        let _ = writeln!(
            text,
            "until = {}    # exclusive; without one the row still holds",
            quoted(&until.name)
        );
    }
    if [role.time, role.until]
        .into_iter()
        .flatten()
        .any(|column| column.is_naive)
    {
        let _ = writeln!(
            text,
            "time_zone = {}    # guess: the zone of timestamps that state none",
            quoted(&wanted.timezone)
        );
    }
}

fn money(text: &mut String, role: &Role<'_>) {
    let Some(money) = role.money.filter(|_| role.kind == Kind::Events) else {
        return;
    };
    let (named, values) = match money {
        Money::In(column) => {
            let _ = writeln!(
                text,
                "amount = {}    # {}: the money of a row",
                quoted(&column.name),
                guess(column)
            );
            (ident(&column.name), column)
        }
        // Pieces tell returns; prices are seldom below zero.
        Money::Product(pieces, _) => ("amount".to_owned(), pieces),
    };
    let (mut below, mut all) = (0_u64, 0_u64);
    for number in values.numbers() {
        all += 1;
        below += u64::from(number < 0.0);
    }
    if below > 0 {
        let _ = write!(
            text,
            "# {} of {} rows that were looked at are below zero, such as refunds and cancellations: they lower what customers spent, and are\n\
             # no purchases. `filter` would leave them out.\n\
             purchase = {}    # guess\n",
            grouped(below),
            grouped(all),
            toml_expr(&format!("{named} >= 0")),
        );
    }
}

/// Columns under names that expressions and features can use.
fn derived(text: &mut String, role: &Role<'_>) {
    let mut made: Vec<String> = Vec::new();
    if let Some(Money::Product(pieces, price)) = role.money.filter(|_| role.kind == Kind::Events) {
        let product = format!("{} * {}", ident(&pieces.name), ident(&price.name));
        made.push(format!("amount = {}", toml_expr(&product)));
    }
    for Attribute { name, column } in &role.attributes {
        if *name != column.name {
            made.push(format!("{name} = {}", toml_expr(&ident(&column.name))));
        }
    }
    if !made.is_empty() {
        let _ = writeln!(text, "derive = {{ {} }}", made.join(", "));
    }
}

fn contract(text: &mut String, role: &Role<'_>, shown: &Shown<'_, '_>) {
    let mut used: Vec<&Column> = [role.time, role.until].into_iter().flatten().collect();
    match role.money {
        Some(Money::In(column)) => used.push(column),
        Some(Money::Product(a, b)) => used.extend([a, b]),
        None => {}
    }
    used.extend(role.attributes.iter().map(|attribute| attribute.column));
    let mut columns: Vec<String> = Vec::new();
    let is_stored_as_number = |role: &Role<'_>| role.key.ty.is_number() && !role.key.is_text;
    let is_number = role.key.ty.is_number();
    let is_among_numbers = shown.roles.sources.iter().any(is_stored_as_number);
    // Ids that programs keep as decimals or floats, and texts where the keys of other sources are numbers.
    if is_number
        && (role.key.is_text && is_among_numbers || !role.key.is_text && role.key.ty != Type::Int)
    {
        columns.push(format!("{} = \"i64\"", toml_key(&role.key.name)));
    }
    let mut ambiguous = Vec::new();
    for column in used {
        let Some(declared) = &column.declared else {
            continue;
        };
        if declared.ends_with(AMBIGUOUS) {
            ambiguous.push(format!("`{}`", column.name));
        }
        columns.push(format!(
            "{} = {}",
            toml_key(&column.name),
            declared.trim_end_matches(AMBIGUOUS)
        ));
    }
    let _ = writeln!(text, "\n[sources.{}.contract]", role.table.name);
    if !ambiguous.is_empty() {
        let _ = writeln!(
            text,
            "# guess: {} can be read in another form as well; `tessera check` shows values",
            ambiguous.join(", ")
        );
    }
    if !columns.is_empty() {
        let _ = writeln!(text, "columns = {{ {} }}", columns.join(", "));
    }
    let _ = write!(
        text,
        "missing_key = \"quarantine\"    # rows without a customer are kept apart and counted; or \"drop\", \"fail\"\n\
         duplicates  = \"keep\"    # or \"drop_exact\" where rows are delivered twice\n"
    );
}

fn toml_key(name: &str) -> String {
    let is_bare = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match is_bare {
        true => name.to_owned(),
        false => quoted(name),
    }
}
