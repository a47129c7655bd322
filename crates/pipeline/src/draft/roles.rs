//! What the tables of a lake are to a pipeline: by the names of their columns, and by the values that were looked at.

use std::collections::{BTreeMap, HashSet};

use tessera_expr::Type;

use super::look::{Column, Table};
use super::words;

/// Least share of a column's values that must be keys of customers elsewhere.
const LEAST_SHARED: f64 = 0.05;

/// Most different values of an attribute that divides customers.
const MOST_LABELS: usize = 50;

/// Attributes of a source at most.
const MOST_ATTRIBUTES: usize = 40;

/// What the rows of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Events,
    Attributes,
    Intervals,
}

/// Where the money of a row stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Money<'t> {
    /// In a column.
    In(&'t Column),
    /// The number of pieces times the price of each.
    Product(&'t Column, &'t Column),
}

/// A table that a pipeline can read.
#[derive(Debug)]
pub(super) struct Role<'t> {
    pub(super) table: &'t Table,
    pub(super) kind: Kind,
    pub(super) key: &'t Column,
    pub(super) time: Option<&'t Column>,
    pub(super) until: Option<&'t Column>,
    pub(super) money: Option<Money<'t>>,
    pub(super) order_id: Option<&'t Column>,
    pub(super) attributes: Vec<Attribute<'t>>,
}

/// A property of customers.
#[derive(Debug, Clone)]
pub(super) struct Attribute<'t> {
    /// What it is called in the pipeline.
    pub(super) name: String,
    pub(super) column: &'t Column,
}

/// The tables in their roles, and those that have none with the reason.
#[derive(Debug)]
pub(super) struct Roles<'t> {
    /// The name of the customer's key.
    pub(super) key: String,
    pub(super) sources: Vec<Role<'t>>,
    pub(super) left_out: Vec<(&'t Table, String)>,
}

/// Finds the key of the customers and the role of each table; `None` where no column is a key.
pub(super) fn roles<'t>(tables: &'t [Table], wanted: Option<&str>) -> Option<Roles<'t>> {
    let (key, keys) = keys(tables, wanted)?;
    let mut sources = Vec::new();
    let mut left_out = Vec::new();
    for (table, key) in tables.iter().zip(keys) {
        let role = key
            .ok_or_else(|| "no column with the keys of customers was found in it".to_owned())
            .and_then(|key| role(table, key));
        match role {
            Ok(role) => sources.push(role),
            Err(why) => left_out.push((table, why)),
        }
    }
    name_apart(&key, &mut sources);
    Some(Roles {
        key,
        sources,
        left_out,
    })
}

/// Renames attributes that would have the name of something else: of columns of one name all but the first source's.
fn name_apart(key: &str, sources: &mut [Role<'_>]) {
    let mut taken: HashSet<String> = HashSet::from([words::slug(key), "as_of".to_owned()]);
    taken.extend(
        tessera_features::catalogue::CATALOGUE
            .iter()
            .map(|feature| feature.name.to_owned()),
    );
    for source in sources {
        let table = &source.table.name;
        for attribute in &mut source.attributes {
            let of_others = |name: &str| {
                let begins = [
                    "rfm",
                    "churn_",
                    "value_",
                    "spend_",
                    "amount",
                    "lifecycle",
                    "touch",
                    "behaviour",
                    "by_",
                ];
                begins.iter().any(|begin| name.starts_with(begin))
            };
            if taken.contains(&attribute.name) || of_others(&attribute.name) {
                attribute.name = format!("{table}_{}", attribute.name);
            }
        }
        source
            .attributes
            .retain(|attribute| taken.insert(attribute.name.clone()));
    }
}

fn may_be_key(column: &Column) -> bool {
    column.held > 0 && (column.ty == Type::String || column.is_whole())
}

/// The name of the key, and the column of each table that holds it.
fn keys<'t>(
    tables: &'t [Table],
    wanted: Option<&str>,
) -> Option<(String, Vec<Option<&'t Column>>)> {
    let of = |table: &'t Table, column: &Column| match wanted {
        Some(wanted) => 100 * u32::from(words::words(wanted) == words::words(&column.name)),
        None if words::is_bare_id(&column.name) && words::is_of_customers(&table.name) => 1,
        None => words::of_customer(&column.name),
    };
    let mut weights: BTreeMap<String, u32> = BTreeMap::new();
    for table in tables {
        for column in table.columns.iter().filter(|column| may_be_key(column)) {
            let weight = of(table, column);
            if weight > 0 {
                *weights
                    .entry(words::words(&column.name).join("_"))
                    .or_insert(0) += weight;
            }
        }
    }
    let best = weights
        .into_iter()
        .max_by(|(a, x), (b, y)| x.cmp(y).then(b.cmp(a)));
    let (name, _) = best?;
    let named = |table: &'t Table| {
        let mut columns = table.columns.iter().filter(|column| may_be_key(column));
        columns.find(|column| words::words(&column.name).join("_") == name && of(table, column) > 0)
    };
    let mut keys: Vec<Option<&Column>> = tables.iter().map(named).collect();
    let known: HashSet<&str> = keys.iter().flatten().flat_map(|key| key.texts()).collect();
    for (table, key) in tables.iter().zip(&mut keys) {
        if key.is_none() {
            *key = shared(table, &known);
        }
    }
    // `id` of a table of customers is called after them.
    let name = match name.as_str() {
        "id" => "customer_id".to_owned(),
        _ => name,
    };
    Some((name, keys))
}

/// The column of a table that holds keys under another name.
fn shared<'t>(table: &'t Table, known: &HashSet<&str>) -> Option<&'t Column> {
    let named = |column: &&Column| {
        words::of_customer(&column.name) > 0
            || words::is_bare_id(&column.name) && words::is_of_customers(&table.name)
    };
    let columns = table.columns.iter().filter(|column| may_be_key(column));
    let held = columns.filter(named).filter_map(|column| {
        let texts: HashSet<&str> = column.texts().collect();
        let shared = texts.iter().filter(|text| known.contains(*text)).count();
        let share = shared as f64 / texts.len().max(1) as f64;
        (share >= LEAST_SHARED).then_some((share, column))
    });
    held.max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, column)| column)
}

/// The role of a table with this key; or why it has none.
fn role<'t>(table: &'t Table, key: &'t Column) -> Result<Role<'t>, String> {
    let times = || {
        let columns = table.columns.iter();
        columns.filter(|column| column.is_time() && column.held > 0 && column.name != key.name)
    };
    let begin = times().find(|column| words::begins(&column.name));
    let end = times().find(|column| words::ends(&column.name));
    let span = begin.zip(end).filter(|(a, b)| a.name != b.name);
    let rank =
        |column: &&Column| words::of_event(&column.name) - 6 * i32::from(column.missing() > 0.05);
    // Of equal ones the first.
    let event = times().rev().max_by_key(rank);
    let money = money(table, key);
    let is_unique = key.is_unique();
    let named = words::is_of_customers(&table.name);
    let bought_once = is_unique && !named && event.is_some() && money.is_some();
    let has_validity = span.is_some_and(|(a, b)| {
        words::has(&a.name, &["valid", "effective"]) || words::has(&b.name, &["valid", "effective"])
    });
    let (kind, time, until) = match (span, event) {
        _ if is_unique && !bought_once && !has_validity => (Kind::Attributes, None, None),
        (Some((begin, end)), _) if has_validity => (Kind::Attributes, Some(begin), Some(end)),
        (Some((begin, end)), _) => (Kind::Intervals, Some(begin), Some(end)),
        (None, Some(event)) => (Kind::Events, Some(event), None),
        (None, None) => {
            return Err(
                "it has several rows of a customer, and no column with dates or times was found in it".to_owned(),
            );
        }
    };
    let order_id = table.columns.iter().find(|column| {
        words::is_of_order(&column.name)
            && column.name != key.name
            && !column.is_unique()
            && column.held > 0
    });
    let taken = [Some(key), time, until].into_iter().flatten();
    let taken: Vec<&str> = taken.map(|column| column.name.as_str()).collect();
    Ok(Role {
        table,
        kind,
        key,
        time,
        until,
        money: money.filter(|_| kind != Kind::Attributes),
        order_id: order_id.filter(|_| kind == Kind::Events),
        attributes: match kind {
            Kind::Attributes => attributes(table, &taken),
            _ => Vec::new(),
        },
    })
}

/// The money of a row.
fn money<'t>(table: &'t Table, key: &Column) -> Option<Money<'t>> {
    let numbers = || {
        let columns = table.columns.iter();
        columns.filter(|column| {
            column.ty.is_number()
                && column.held > 0
                && column.name != key.name
                && !words::is_id(&column.name)
        })
    };
    // Texts with the sign of a currency are money, whatever their name.
    let has_sign = |column: &Column| column.declared.as_deref() == Some("\"money\"");
    let weight = |column: &&Column| words::of_money(&column.name) + 3 * i32::from(has_sign(column));
    let best = numbers().rev().max_by_key(weight);
    let best = best.filter(|column| weight(column) > 0);
    let pieces = numbers().find(|column| words::is_quantity(&column.name));
    let price = numbers().find(|column| words::is_unit_price(&column.name));
    match (pieces, price, best) {
        (Some(pieces), Some(price), best) if best.is_none_or(|best| best.name == price.name) => {
            Some(Money::Product(pieces, price))
        }
        (_, _, best) => best.map(Money::In),
    }
}

/// The columns that customers can be divided by.
fn attributes<'t>(table: &'t Table, taken: &[&str]) -> Vec<Attribute<'t>> {
    let divides = |column: &&Column| {
        let is_free = !taken.contains(&column.name.as_str());
        let is_personal = words::is_personal(&column.name) || words::is_id(&column.name);
        let fits = match column.ty {
            Type::Bool => true,
            Type::String => {
                column.distinct <= MOST_LABELS && column.distinct * 4 <= column.held.max(8)
            }
            ty => ty.is_number(),
        };
        is_free && !is_personal && fits && column.distinct > 1
    };
    let columns = table.columns.iter().filter(divides);
    let named = columns.map(|column| Attribute {
        name: words::slug(&column.name),
        column,
    });
    named.take(MOST_ATTRIBUTES).collect()
}
