//! Ravenstack's churn is nearly independent of everything that is known about its accounts, so the base rate must be used.

use std::collections::BTreeMap;
use std::path::Path;

use tessera_model::churn::{ChurnFit, ChurnPlan, ChurnServed, Inputs, Observation, Panel};

const HORIZON: i32 = 90;

/// 2024-10-02: its 90 days end with the data.
const NEWEST: i32 = 19_998;

/// A file as rows of fields by name; no field is quoted.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(folder: &Path, name: &str) -> Self {
        let text = std::fs::read_to_string(folder.join(format!("ravenstack_{name}.csv"))).unwrap();
        let mut lines = text
            .lines()
            .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        Self {
            header: lines.next().unwrap(),
            rows: lines.collect(),
        }
    }

    fn column(&self, name: &str) -> impl Iterator<Item = &str> {
        let at = self.header.iter().position(|h| h == name).unwrap();
        self.rows.iter().map(move |row| row[at].as_str())
    }
}

/// Days since 1970-01-01 of the ISO date that a text starts with (Hinnant: days_from_civil).
fn day(text: &str) -> i32 {
    let part = |range: std::ops::Range<usize>| text[range].parse::<i32>().unwrap();
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The events of an account, by day.
#[derive(Default)]
struct Account {
    signup: i32,
    seats: f64,
    labels: [String; 4],
    churned: Vec<i32>,
    /// Start, end, monthly revenue.
    subscriptions: Vec<(i32, Option<i32>, f64)>,
    /// Day, number of errors.
    usage: Vec<(i32, f64)>,
    tickets: Vec<i32>,
}

const LABELS: [&str; 4] = ["industry", "country", "referral_source", "plan_tier"];

fn accounts(folder: &Path) -> BTreeMap<String, Account> {
    let table = Table::read(folder, "accounts");
    let mut accounts: BTreeMap<String, Account> = BTreeMap::new();
    let labels: Vec<Vec<&str>> = LABELS.map(|name| table.column(name).collect()).to_vec();
    let facts = table.column("signup_date").zip(table.column("seats"));
    for (row, (id, (signup, seats))) in table.column("account_id").zip(facts).enumerate() {
        let account = accounts.entry(id.to_owned()).or_default();
        account.signup = day(signup);
        account.seats = seats.parse().unwrap();
        account.labels = std::array::from_fn(|label| labels[label][row].to_owned());
    }
    let table = Table::read(folder, "churn_events");
    for (id, date) in table.column("account_id").zip(table.column("churn_date")) {
        accounts.get_mut(id).unwrap().churned.push(day(date));
    }
    let table = Table::read(folder, "support_tickets");
    for (id, date) in table.column("account_id").zip(table.column("submitted_at")) {
        accounts.get_mut(id).unwrap().tickets.push(day(date));
    }
    let table = Table::read(folder, "subscriptions");
    let owner: BTreeMap<&str, &str> = table
        .column("subscription_id")
        .zip(table.column("account_id"))
        .collect();
    let spans = table.column("start_date").zip(table.column("end_date"));
    let spans = spans.zip(table.column("mrr_amount"));
    for (id, ((start, end), mrr)) in table.column("account_id").zip(spans) {
        let end = (!end.is_empty()).then(|| day(end));
        let span = (day(start), end, mrr.parse().unwrap());
        accounts.get_mut(id).unwrap().subscriptions.push(span);
    }
    let used = Table::read(folder, "feature_usage");
    let usage = used.column("usage_date").zip(used.column("error_count"));
    for (subscription, (date, errors)) in used.column("subscription_id").zip(usage) {
        let account = accounts.get_mut(owner[subscription]).unwrap();
        account.usage.push((day(date), errors.parse().unwrap()));
    }
    accounts
}

/// What is known about an account up to a date.
fn facts(account: &Account, date: i32) -> [(&'static str, f64); 9] {
    let recent = |on: i32| on <= date && on > date - HORIZON;
    let count = |days: &mut dyn Iterator<Item = i32>| days.filter(|&on| recent(on)).count() as f64;
    let active = || {
        let running =
            |span: &&(i32, Option<i32>, f64)| span.0 <= date && span.1.is_none_or(|end| end > date);
        account.subscriptions.iter().filter(running)
    };
    let used = account.usage.iter().filter(|(on, _)| *on <= date);
    let last = used.map(|(on, _)| *on).max();
    let errors = account.usage.iter().filter(|(on, _)| recent(*on));
    [
        (
            "recency_days",
            last.map_or(f64::NAN, |last| f64::from(date - last)),
        ),
        ("tenure_days", f64::from(date - account.signup)),
        ("seats", account.seats),
        ("subscriptions", active().count() as f64),
        ("mrr", active().map(|span| span.2).sum()),
        (
            "usage_90d",
            count(&mut account.usage.iter().map(|(on, _)| *on)),
        ),
        ("errors_90d", errors.map(|(_, errors)| errors).sum()),
        ("tickets_90d", count(&mut account.tickets.iter().copied())),
        (
            "churned_before",
            account.churned.iter().filter(|&&on| on <= date).count() as f64,
        ),
    ]
}

fn observe(accounts: &BTreeMap<String, Account>, date: i32) -> Observation {
    let there: Vec<(u64, &Account)> = (0..)
        .zip(accounts.values())
        .filter(|(_, account)| account.signup <= date)
        .collect();
    let known: Vec<_> = there
        .iter()
        .map(|(_, account)| facts(account, date))
        .collect();
    let mut inputs = Inputs::new(there.len());
    for (place, (name, _)) in known[0].into_iter().enumerate() {
        let values = known.iter().map(|facts| facts[place].1);
        inputs = inputs.number(name, values.collect()).unwrap();
    }
    for (place, name) in LABELS.into_iter().enumerate() {
        let values = there
            .iter()
            .map(|(_, account)| Some(account.labels[place].as_str()));
        inputs = inputs.label(name, values).unwrap();
    }
    let left = |account: &Account| {
        let mut days = account.churned.iter();
        days.any(|&on| on > date && on <= date + HORIZON)
    };
    Observation {
        inputs,
        churned: there.iter().map(|(_, account)| left(account)).collect(),
        customer: there.iter().map(|(id, _)| *id).collect(),
        observed_on: date,
    }
}

#[test]
fn on_ravenstack_nothing_beats_the_base_rate() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/ravenstack");
    if !folder.is_dir() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "CI=true, and there is no ../shared/data"
        );
        println!("skipped: no ../shared/data");
        return;
    }
    let accounts = accounts(&folder);
    assert_eq!(accounts.len(), 500);
    let panel = Panel::stack((0..10).map(|back| observe(&accounts, NEWEST - 30 * back))).unwrap();
    for seed in 0..5 {
        let plan = ChurnPlan {
            seed,
            ..ChurnPlan::new(90).with_recency("recency_days")
        };
        let fit = ChurnFit::fit(&panel, &plan).unwrap();
        println!("{}", fit.reason());
        for c in fit.candidates() {
            println!(
                "{:13} auc {:.4} ({:.4} to {:.4}) log loss {:.4}",
                c.model.name(),
                c.auc.value,
                c.auc.low_95,
                c.auc.high_95,
                c.log_loss
            );
        }
        assert_eq!(fit.served(), ChurnServed::BaseRate, "{}", fit.reason());
    }
}
