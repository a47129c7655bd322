//! From the customer table to purchase histories.

use tessera_model::btyd::{PurchaseHistory, TimeUnit};

use crate::scores::columns::{days, floats};
use crate::scores::{Given, NotComputed, hidden_name};
use crate::sources::epoch_day;

/// The customers who have bought at least once, one entry per customer.
pub(super) struct Buyers {
    /// Rows of the customer table.
    pub(super) rows: Vec<usize>,
    /// Repeat occasions.
    pub(super) x: Vec<u32>,
    t_x_days: Vec<f64>,
    pub(super) tenure_days: Vec<f64>,
    /// Mean spend over repeat occasions, NaN where there is none or it is unknown.
    pub(super) mean_spend: Vec<f64>,
    /// Money of the first occasion, NaN where it is unknown.
    pub(super) first_spend: Vec<f64>,
    pub(super) past_spend: Vec<f64>,
}

impl Buyers {
    pub(super) fn read(given: &Given<'_>, with_spend: bool) -> Result<Self, NotComputed> {
        let mut buyers = Self::at(given, "", 0)?;
        if !with_spend {
            return Ok(buyers);
        }
        let name = |what| hidden_name(given.name, what);
        if given.table.schema().index_of(&name("spend")).is_err() {
            let reason =
                "spend cannot be modelled without an amount: add `amount = \"…\"` to the source";
            return Err(NotComputed::Data(reason.to_owned()));
        }
        let spend = floats(given.table, &name("spend"))?;
        let first = floats(given.table, &name("first_spend"))?;
        for (place, &row) in buyers.rows.iter().enumerate() {
            let x = buyers.x[place];
            if x > 0 {
                // Refunds may exceed purchases: such customers have no mean spend to learn from.
                let mean = (spend[row] - first[row]) / f64::from(x);
                buyers.mean_spend[place] = mean.max(0.0);
            }
            buyers.first_spend[place] = first[row];
            buyers.past_spend[place] = spend[row];
        }
        Ok(buyers)
    }

    /// The state `ago` days before the date of the run, from the aggregates whose names end in `suffix`.
    pub(super) fn at(given: &Given<'_>, suffix: &str, ago: u32) -> Result<Self, NotComputed> {
        let name = |what: &str| hidden_name(given.name, &format!("{what}{suffix}"));
        let occasions = floats(given.table, &name("occasions"))?;
        let (first, last) = (
            days(given.table, &name("first"))?,
            days(given.table, &name("last"))?,
        );
        let end = epoch_day(given.as_of) - ago as i32;
        let mut buyers = Self {
            rows: Vec::new(),
            x: Vec::new(),
            t_x_days: Vec::new(),
            tenure_days: Vec::new(),
            mean_spend: Vec::new(),
            first_spend: Vec::new(),
            past_spend: Vec::new(),
        };
        for (row, (first, last)) in first.iter().zip(&last).enumerate() {
            let (Some(first), Some(last)) = (first, last) else {
                continue;
            };
            buyers.rows.push(row);
            buyers.x.push((occasions[row] - 1.0).max(0.0) as u32);
            buyers.t_x_days.push(f64::from(last - first));
            buyers.tenure_days.push(f64::from(end - first));
            buyers.mean_spend.push(f64::NAN);
            buyers.first_spend.push(f64::NAN);
            buyers.past_spend.push(f64::NAN);
        }
        Ok(buyers)
    }

    /// Days since each customer's last purchase.
    pub(super) fn silent_days(&self) -> Vec<f64> {
        let tenure = self.tenure_days.iter().zip(&self.t_x_days);
        tenure.map(|(tenure, t_x)| tenure - t_x).collect()
    }

    pub(super) fn history(&self, unit: TimeUnit) -> Result<PurchaseHistory, NotComputed> {
        Ok(PurchaseHistory::from_days(
            unit,
            &self.x,
            &self.t_x_days,
            &self.tenure_days,
        )?)
    }
}
