//! What the parts of a first pipeline file say of each other.

use tessera_expr::Type;

use super::super::roles::{Attribute, Kind, Money, Role, Roles};
use super::super::words;
use super::{Dates, ident};

/// Days of history from which churn is learned: some dates, each with a time before and after it.
const LEAST_HISTORY_DAYS: i64 = 365;

/// What the parts of the file say of each other.
pub(super) struct Shown<'r, 't> {
    pub(super) roles: &'r Roles<'t>,
    /// The source of purchases, or where there is none of what customers do.
    pub(super) main: Option<&'r Role<'t>>,
    /// The feature with what customers brought or pay.
    pub(super) worth: Option<String>,
    /// The attribute that says who has churned, and the condition for it.
    pub(super) label: Option<(&'r Role<'t>, &'r Attribute<'t>, String)>,
    /// The source that says who churned, and whether its history is long enough.
    pub(super) churns: Option<(&'r Role<'t>, bool)>,
}

impl<'r, 't> Shown<'r, 't> {
    pub(super) fn new(roles: &'r Roles<'t>, dates: &[Dates]) -> Self {
        let main = main(roles);
        let contracts = || {
            let intervals = roles
                .sources
                .iter()
                .filter(|role| role.kind == Kind::Intervals);
            intervals.max_by_key(|role| role.table.rows)
        };
        let with_fees = || contracts().filter(|role| matches!(role.money, Some(Money::In(_))));
        let worth = match main {
            Some(main) if main.money.is_some() => Some("spend_total".to_owned()),
            _ => with_fees().map(|role| format!("{}_money", role.table.name)),
        };
        let churns = main.or_else(contracts);
        Self {
            roles,
            main,
            worth,
            label: label(roles),
            churns: churns.map(|role| (role, learns(roles, role, dates))),
        }
    }

    /// Whether what customers brought is that of purchases.
    pub(super) fn has_spend(&self) -> bool {
        self.main.is_some_and(|main| main.money.is_some())
    }

    /// Whether there is a probability of churn.
    pub(super) fn has_churn(&self) -> bool {
        self.label.is_some() || self.churns.is_some_and(|(_, learns)| learns)
    }

    /// The attributes of customers but the one that says who has churned.
    pub(super) fn attributes(&self) -> impl Iterator<Item = &'r Attribute<'t>> {
        let label = self.label.as_ref().map(|(_, label, _)| label.name.as_str());
        let all = self.roles.sources.iter().flat_map(|role| &role.attributes);
        all.filter(move |attribute| Some(attribute.name.as_str()) != label)
    }
}

/// The source of purchases: the largest with money; otherwise, where there are no contracts, the largest of events, and where none may
/// be purchases, of what customers do.
fn main<'r, 't>(roles: &'r Roles<'t>) -> Option<&'r Role<'t>> {
    let events = roles
        .sources
        .iter()
        .filter(|role| role.kind == Kind::Events);
    let has_contracts = roles
        .sources
        .iter()
        .any(|role| role.kind == Kind::Intervals);
    let is_purchase = |role: &Role<'_>| !words::is_no_purchase(&role.table.name);
    let is_alone = roles.sources.len() == 1;
    let may_be = |role: &&Role<'_>| match has_contracts {
        true => role.money.is_some() && (is_purchase(role) || is_alone),
        false => is_purchase(role) || is_alone || words::is_activity(&role.table.name),
    };
    events
        .filter(may_be)
        .max_by_key(|role| (is_purchase(role), role.money.is_some(), role.table.rows))
}

/// An attribute with two values that says who has churned.
fn label<'r, 't>(roles: &'r Roles<'t>) -> Option<(&'r Role<'t>, &'r Attribute<'t>, String)> {
    let all = roles.sources.iter();
    let mut all = all.flat_map(|role| {
        role.attributes
            .iter()
            .map(move |attribute| (role, attribute))
    });
    all.find_map(|(role, attribute)| Some((role, attribute, churned(attribute)?)))
}

/// The condition that an attribute says churned.
fn churned(attribute: &Attribute<'_>) -> Option<String> {
    let column = attribute.column;
    let says = words::has(
        &column.name,
        &["churn", "churned", "attrition", "exited", "attrited"],
    );
    if !says || column.distinct != 2 {
        return None;
    }
    let name = ident(&attribute.name);
    if column.ty == Type::Bool {
        return Some(name);
    }
    if column.ty.is_number() {
        return Some(format!("{name} = 1"));
    }
    let is_yes = |text: &&str| {
        let text = text.trim().to_lowercase();
        text.starts_with("attrited")
            || ["yes", "true", "y", "churned", "left", "exited"].contains(&text.as_str())
    };
    let yes = column.texts().find(is_yes)?.trim().replace('\'', "''");
    Some(format!("{name} = '{yes}'"))
}

/// Whether the rows of a source go back far enough.
fn learns(roles: &Roles<'_>, role: &Role<'_>, dates: &[Dates]) -> bool {
    let place = roles
        .sources
        .iter()
        .position(|known| known.table.name == role.table.name);
    let Some((Some(first), Some(last))) = place.and_then(|place| dates.get(place)) else {
        return false;
    };
    (*last - *first).num_days() >= LEAST_HISTORY_DAYS
}
