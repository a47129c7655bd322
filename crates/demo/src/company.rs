//! The CRM's data of a customer: name, place, industry, size, plans over time.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};

use crate::DemoError;
use crate::calendar::{LAST_DAY, day_at, day_number};
use crate::customer::{Customer, choose};
use crate::streams::{Purpose, stream};

/// Names that break careless programs: markup, quotes, right-to-left text, emoji, formulas, templates, very long names.
pub(crate) const HOSTILE_NAMES: &[&str] = &[
    "O'Brien & <b>Sons</b>",
    "<script>alert(\"tessera\")</script> GmbH",
    "\u{634}\u{631}\u{643}\u{629} \u{627}\u{644}\u{646}\u{648}\u{631} \u{644}\u{644}\u{62a}\u{62c}\u{627}\u{631}\u{629}",
    "\u{202e}desrever\u{202c} Ltd",
    "\u{1f984} Unicorn \u{1f680} Labs \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "\"Quoted\", Inc.; 'single', and\\backslash",
    "=HYPERLINK(\"http://example.com\",\"click\")",
    "Line\nBreak\tand Tab Ltd",
    "'; DROP TABLE customers; --",
    "{{ 7 * 7 }} ${env:HOME} %s Templates",
    "Mu\u{308}ller & Sohne (decomposed)",
    "\u{ff21}\u{ff43}\u{ff4d}\u{ff45} \u{682a}\u{5f0f}\u{4f1a}\u{793e}",
];

const FIRST_PARTS: &[&str] = &[
    "Nord", "Alpen", "Rhein", "Blue", "Silver", "Quant", "Terra", "Vela", "Luma", "Kron", "Hanse",
    "Iber", "Gallo", "Brit", "Polar", "Delta", "Sol", "Verde", "Astra", "Orbi",
];
const SECOND_PARTS: &[&str] = &[
    "wind", "tech", "werk", "soft", "labs", "trade", "form", "line", "craft", "med", "logic",
    "port", "farm", "net",
];
const SUFFIXES: &[&str] = &[
    "GmbH",
    "AG",
    "Ltd",
    "SARL",
    "BV",
    "Inc",
    "SL",
    "Oy",
    "Sp. z o.o.",
    "& Co. KG",
];

const COUNTRIES: &[(&str, f64)] = &[
    ("DE", 0.30),
    ("GB", 0.15),
    ("FR", 0.13),
    ("US", 0.12),
    ("NL", 0.08),
    ("PL", 0.06),
    ("ES", 0.05),
    ("AT", 0.04),
    ("CH", 0.03),
    ("SE", 0.02),
    ("IE", 0.012),
    ("PT", 0.005),
    ("IS", 0.003),
];
const INDUSTRIES: &[(Option<&str>, f64)] = &[
    (Some("Manufacturing"), 0.22),
    (Some("Retail & Wholesale"), 0.18),
    (Some("Software"), 0.16),
    (Some("Health"), 0.12),
    (Some("Logistics"), 0.10),
    (Some("Food & Beverage"), 0.09),
    (Some("R&D <Labs>"), 0.04),
    (Some("Public sector"), 0.05),
    (None, 0.04),
];
const ROLES: &[(Option<&str>, f64)] = &[
    (Some("owner"), 0.25),
    (Some("buyer"), 0.30),
    (Some("engineer"), 0.22),
    (Some("finance"), 0.13),
    (Some("assistant"), 0.05),
    (None, 0.05),
];
const TOUCHES: &[(Option<&str>, f64)] = &[
    (Some("low"), 0.30),
    (Some("high"), 0.15),
    (Some("tech"), 0.20),
    (Some("none"), 0.05),
    (None, 0.30),
];

/// Software plans, ascending by price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Plan {
    /// No software.
    None,
    /// Free, for prospects.
    Trial,
    /// For small teams.
    Starter,
    /// The usual one.
    Team,
    /// With a contract.
    Enterprise,
}

impl Plan {
    /// Name in the sources.
    pub fn name(self) -> &'static str {
        match self {
            Plan::None => "none",
            Plan::Trial => "trial",
            Plan::Starter => "starter",
            Plan::Team => "team",
            Plan::Enterprise => "enterprise",
        }
    }

    /// Price of a seat and month, in cents.
    pub fn seat_cents(self) -> i64 {
        match self {
            Plan::None | Plan::Trial => 0,
            Plan::Starter => 900,
            Plan::Team => 1_950,
            Plan::Enterprise => 4_400,
        }
    }

    fn next(self) -> Plan {
        match self {
            Plan::Starter => Plan::Team,
            Plan::Team => Plan::Enterprise,
            other => other,
        }
    }
}

/// A plan and the day it began, in days since 1970-01-01.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlanStep {
    pub plan: Plan,
    pub from: i32,
    pub seats: i64,
}

/// The CRM's data of a customer. Days are since 1970-01-01.
#[derive(Debug, Clone)]
pub(crate) struct Company {
    pub name: String,
    pub country: &'static str,
    pub industry: Option<&'static str>,
    pub employees: i32,
    pub contact_role: Option<&'static str>,
    pub preferred_touch: Option<&'static str>,
    pub signed_up: i32,
    /// Plans by date, the first from the sign-up on.
    pub plans: Vec<PlanStep>,
    /// Day the subscription ended or will end, exclusive; may lie after the last day.
    pub subscription_end: Option<i32>,
    /// Day the account was closed, exclusive end of its validity.
    pub closed: Option<i32>,
}

/// Draws the CRM's data of a customer.
pub(crate) fn found(seed: u64, customer: &Customer) -> Result<Company, DemoError> {
    let rng = &mut stream(seed, Purpose::Accounts, customer.index);
    let size =
        LogNormal::new(3.6_f64, 1.4).map_err(|_| DemoError::Distribution { what: "log-normal" })?;
    let employees = (size.sample(rng).round() as i32).clamp(1, 60_000);
    let signed_up = day_at(customer.arrived)
        - if customer.purchases.is_empty() {
            0
        } else {
            rng.random_range(0..30)
        };
    let subscription_end = subscription_end(rng, customer);
    let plans = plan_steps(rng, customer, employees, signed_up, subscription_end);
    let closed = subscription_end
        .filter(|_| rng.random_bool(0.05))
        .map(|end| end + rng.random_range(1..60))
        .filter(|day| *day <= day_number(LAST_DAY) && plans.iter().all(|step| step.from < *day));
    Ok(Company {
        name: name(rng),
        country: choose(rng, COUNTRIES).copied().unwrap_or("DE"),
        industry: choose(rng, INDUSTRIES).copied().flatten(),
        employees,
        contact_role: choose(rng, ROLES).copied().flatten(),
        preferred_touch: choose(rng, TOUCHES).copied().flatten(),
        signed_up,
        plans,
        subscription_end,
        closed,
    })
}

fn name(rng: &mut ChaCha8Rng) -> String {
    let first = FIRST_PARTS[rng.random_range(0..FIRST_PARTS.len())];
    let second = SECOND_PARTS[rng.random_range(0..SECOND_PARTS.len())];
    let suffix = SUFFIXES[rng.random_range(0..SUFFIXES.len())];
    format!("{first}{second} {suffix}")
}

/// Customers who left give notice within two months; the notice may end after the last day. One in fifty of the others has a
/// contract with a known end in the future.
fn subscription_end(rng: &mut ChaCha8Rng, customer: &Customer) -> Option<i32> {
    if !customer.subscribes {
        return None;
    }
    match customer.left {
        Some(left) => Some(day_at(left) + rng.random_range(1..61)),
        None => rng
            .random_bool(0.02)
            .then(|| day_number(LAST_DAY) + rng.random_range(1..365)),
    }
}

fn plan_steps(
    rng: &mut ChaCha8Rng,
    customer: &Customer,
    employees: i32,
    signed_up: i32,
    end: Option<i32>,
) -> Vec<PlanStep> {
    let first = match employees {
        _ if !customer.subscribes => Plan::None,
        _ if customer.purchases.is_empty() => Plan::Trial,
        0..=25 => Plan::Starter,
        26..=400 => Plan::Team,
        _ => Plan::Enterprise,
    };
    let seats = i64::from((f64::from(employees) * rng.random_range(0.05..0.6)).ceil() as i32);
    let mut steps = vec![PlanStep {
        plan: first,
        from: signed_up,
        seats,
    }];
    let last = end
        .unwrap_or(day_number(LAST_DAY))
        .min(day_number(LAST_DAY));
    let mut chance = 0.22;
    while let Some(step) = steps.last().copied() {
        let room = last - step.from;
        if step.plan == step.plan.next() || room < 60 || !rng.random_bool(chance) {
            break;
        }
        let from = step.from + rng.random_range(30..room - 20);
        let seats = step.seats + rng.random_range(0..=step.seats);
        steps.push(PlanStep {
            plan: step.plan.next(),
            from,
            seats,
        });
        chance = 0.3;
    }
    steps
}

/// The hostile name at a position; every seventh is repeated until it is several thousand bytes long.
pub(crate) fn hostile_name(position: usize) -> String {
    let base = HOSTILE_NAMES[position % HOSTILE_NAMES.len()];
    if position % 7 == 6 {
        format!("{base} ").repeat(4_000 / base.len())
    } else {
        base.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DemoConfig;
    use crate::customer::live;

    #[test]
    fn plans_follow_one_another_within_the_subscription() {
        for customer in live(&DemoConfig {
            seed: 3,
            customers: 500,
        })
        .unwrap()
        {
            let company = found(3, &customer).unwrap();
            assert_eq!(company.plans[0].from, company.signed_up);
            for pair in company.plans.windows(2) {
                assert!(pair[0].from < pair[1].from && pair[0].plan < pair[1].plan);
            }
            if let (Some(end), Some(step)) = (company.subscription_end, company.plans.last()) {
                assert!(step.from < end);
            }
            if let Some(closed) = company.closed {
                assert!(closed > company.subscription_end.unwrap());
            }
        }
    }

    #[test]
    fn some_hostile_names_are_very_long() {
        assert!(hostile_name(6).len() > 3_000);
        assert_eq!(hostile_name(0), "O'Brien & <b>Sons</b>");
    }
}
