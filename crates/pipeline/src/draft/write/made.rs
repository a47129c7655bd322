//! What a first pipeline makes of its sources: features, scores, schemes, playbooks.

use std::fmt::Write as _;

use tessera_expr::Type;

use super::super::look::quoted;
use super::super::roles::{Kind, Money, Role};
use super::super::words;
use super::shown::Shown;
use super::{ident, toml_expr};

/// Most attributes by which clusters are formed.
const MOST_IN_CLUSTERS: usize = 8;

pub(super) fn features(text: &mut String, shown: &Shown<'_, '_>) {
    text.push_str("\n# One number or label per customer, as of the day of the run.\n[features]\n");
    if let Some(main) = shown.main {
        purchases(text, main);
    }
    for role in &shown.roles.sources {
        let is_main = shown
            .main
            .is_some_and(|main| main.table.name == role.table.name);
        match role.kind {
            Kind::Intervals => contracts(text, role),
            Kind::Events if !is_main => {
                let name = &role.table.name;
                let _ = writeln!(
                    text,
                    "{name}_90d = {{ from = \"{name}\", agg = \"count\", window = \"90d\", base = \"engagement\" }}"
                );
            }
            Kind::Events | Kind::Attributes => {}
        }
    }
    if let Some(worth) = &shown.worth {
        let said = match shown.has_spend() {
            true => format!(
                "now  = \"spend_90d / 3\"    # guess: what they spend in a month\nper  = \"month\"\npast = \"{worth}\"\n"
            ),
            false => format!("now = \"{worth}\"    # guess: what they pay now\n"),
        };
        let _ = write!(
            text,
            "\n# What customers are worth. With `future` too, such as `clv` of a score, the report has value at risk.\n[value]\n{said}"
        );
    }
}

fn purchases(text: &mut String, main: &Role<'_>) {
    let name = &main.table.name;
    let rows = match words::is_no_purchase(name) {
        true => "say that a customer is active",
        false => "are purchases",
    };
    let catalogue = match main.money {
        Some(_) => "\"rfm\", \"lifecycle\", \"overdue_ratio\"",
        None => {
            "\"recency_days\", \"tenure_days\", \"order_count\", \"lifecycle\", \"overdue_ratio\""
        }
    };
    let _ = write!(
        text,
        "use = [{catalogue}]\norders = \"{name}\"    # guess: whose rows {rows}\n\
         lifecycle = {{ kind = \"cadence\", prior_gaps = 3 }}    # active, slipping, at risk, lapsed: by each customer's own rhythm\n\
         {name}_90d = {{ from = \"{name}\", agg = \"count\", window = \"90d\", base = \"behavioural\" }}\n\
         {name}_prev_90d = {{ from = \"{name}\", agg = \"count\", window = \"90d\", offset = \"90d\", base = \"behavioural\" }}\n"
    );
    if let Some(money) = main.money {
        let of = match money {
            Money::In(column) => toml_expr(&ident(&column.name)),
            Money::Product(..) => "\"amount\"".to_owned(),
        };
        let _ = writeln!(
            text,
            "spend_90d = {{ from = \"{name}\", agg = \"sum\", of = {of}, window = \"90d\", base = \"value\", unit = \"currency\" }}"
        );
    }
}

fn contracts(text: &mut String, role: &Role<'_>) {
    let Some(until) = role.until else {
        return;
    };
    let name = &role.table.name;
    let running = toml_expr(&format!("{} is null", ident(&until.name)));
    let _ = writeln!(
        text,
        "{name}_running = {{ from = \"{name}\", agg = \"count\", where = {running}, base = \"lifecycle\" }}"
    );
    if let Some(Money::In(column)) = role.money {
        let of = toml_expr(&ident(&column.name));
        let _ = writeln!(
            text,
            "{name}_money = {{ from = \"{name}\", agg = \"sum\", of = {of}, where = {running}, base = \"value\", unit = \"currency\" }}"
        );
    }
}

pub(super) fn scores(text: &mut String, shown: &Shown<'_, '_>) {
    if let Some((role, _, label)) = &shown.label {
        let others: Vec<String> = shown
            .attributes()
            .map(|other| quoted(&other.name))
            .collect();
        let _ = write!(
            text,
            "\n# The data says who has churned: who else is like them?\n[scores.churn]\nkind = \"supervised\"\nfrom = \"{}\"\nlabel = {}\n\
             features = [{}]\nmodels = [\"logistic\", \"random_forest\"]\n",
            role.table.name,
            toml_expr(label),
            others.join(", "),
        );
        return;
    }
    let Some((role, learns)) = shown.churns else {
        return;
    };
    let name = &role.table.name;
    let who = match role.kind {
        Kind::Intervals => "whose last contract ends within it",
        _ => "who has no row for so long has churned",
    };
    let churn = format!(
        "[scores.churn]\nkind = \"supervised\"\nfrom = \"{name}\"\nhorizon = \"90d\"    # guess: {who}\nmodels = [\"logistic\", \"recency_rule\"]\n"
    );
    if learns {
        let _ = write!(
            text,
            "\n# The probability that a customer is gone within a horizon, learned from earlier dates and tested on later ones.\n{churn}"
        );
    } else {
        text.push_str(
            "\n# The history is too short to learn churn from: less than a year. Later:\n",
        );
        for line in churn.lines() {
            let _ = writeln!(text, "# {line}");
        }
    }
    if shown.has_spend() {
        let _ = write!(
            text,
            "\n# How often they will buy, what they will spend, and what that is worth today; then [value] can have future = \"clv\".\n\
             # [scores.value]\n# kind = \"clv\"\n# from = \"{name}\"\n# models = [\"mbg_nbd\", \"gamma_gamma\"]\n# horizon = \"365d\"\n\
             # margin = 0.3    # the share of what they spend that stays\n"
        );
    }
}

pub(super) fn schemes(text: &mut String, shown: &Shown<'_, '_>) {
    text.push_str("\n# Each scheme puts every customer into one segment, with the reason.\n");
    if shown.has_spend() {
        text.push_str(
            "[schemes.rfm]\nkind = \"rfm_grid\"\ngrid = \"eleven\"\nscore_method = \"midrank\"\n\n",
        );
    }
    if let Some(worth) = &shown.worth {
        let _ = write!(
            text,
            "[schemes.value_tier]\nkind = \"quantile\"\nby = \"{worth}\"\ntiers = {{ top = 0.05, high = 0.20, mid = 0.50, low = 1.0 }}    # shares of customers, highest first\n\n"
        );
    }
    if shown.main.is_some() {
        text.push_str("[schemes.lifecycle]\nkind = \"lifecycle\"\n\n");
    }
    if let Some(label) = shown
        .attributes()
        .find(|attribute| attribute.column.ty == Type::String)
    {
        let name = &label.name;
        let _ = write!(
            text,
            "[schemes.by_{name}]\nkind = \"attribute\"\nby = \"{name}\"\nmissing = \"unknown\"\nmin_share = 0.01    # rarer ones are merged …\nother = \"elsewhere\"    # … into this segment\n\n"
        );
    }
    clusters(text, shown);
    touch(text, shown);
}

/// Groups of customers who are alike in several numbers.
fn clusters(text: &mut String, shown: &Shown<'_, '_>) {
    let mut by: Vec<String> = Vec::new();
    if shown.main.is_some() {
        by.extend(["recency_days", "order_count"].map(str::to_owned));
    }
    by.extend(shown.worth.clone());
    if by.is_empty() {
        let numbers = shown
            .attributes()
            .filter(|attribute| attribute.column.ty.is_number());
        let several = numbers.filter(|attribute| attribute.column.distinct > 2);
        by.extend(
            several
                .map(|attribute| attribute.name.clone())
                .take(MOST_IN_CLUSTERS),
        );
    }
    if by.len() < 2 {
        return;
    }
    let by: Vec<String> = by.iter().map(|name| quoted(name)).collect();
    let _ = write!(
        text,
        "# Groups of customers who are alike in these numbers.\n[schemes.behaviour]\nkind = \"kmeans\"\nfeatures = [{}]    # guess\nk = \"auto\"\n\n",
        by.join(", ")
    );
}

/// What to do with whom.
fn touch(text: &mut String, shown: &Shown<'_, '_>) {
    let is_worth = shown
        .worth
        .is_some()
        .then_some("value_tier in ('top', 'high')");
    let is_leaving = match (shown.has_churn(), shown.main.is_some()) {
        (true, _) => Some("churn_probability > 0.5"),
        (false, true) => Some("lifecycle_stage in ('at risk', 'lapsed')"),
        (false, false) => None,
    };
    let mut rules: Vec<(&str, String, &str, &str)> = Vec::new();
    if let Some(is_leaving) = is_leaving {
        let both: Vec<&str> = is_worth.into_iter().chain([is_leaving]).collect();
        rules.push((
            "rescue",
            both.join(" and "),
            "high",
            "find out what went wrong before they are gone",
        ));
    }
    if let Some(is_worth) = is_worth {
        rules.push((
            "high-touch",
            is_worth.to_owned(),
            "high",
            "know them, and call them before they call",
        ));
    }
    if shown.main.is_some() {
        rules.push((
            "win-back",
            "lifecycle_stage = 'lapsed'".to_owned(),
            "tech",
            "one offer, then silence",
        ));
    }
    if rules.is_empty() {
        return;
    }
    text.push_str("# What to do with whom: the first rule that is true decides. The limits are guesses.\n[schemes.touch]\nkind = \"rules\"\nrules = [\n");
    for (segment, when, ..) in &rules {
        let _ = writeln!(
            text,
            "  {{ segment = \"{segment}\", when = {} }},",
            quoted(when)
        );
    }
    text.push_str("]\notherwise = \"tech-touch\"\n");
    for (segment, _, touch, goal) in &rules {
        let _ = write!(
            text,
            "\n[playbooks.{segment}]\nscheme = \"touch\"\ngoal = \"{goal}\"\ntouch = \"{touch}\"\n"
        );
    }
}
