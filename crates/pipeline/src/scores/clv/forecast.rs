//! The columns of the score: expected values of each customer, with intervals.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use rayon::prelude::*;
use tessera_model::btyd::{
    Fallback, ForecastPlan, Forecaster, LifetimeValue, PurchaseFit, PurchaseHistory, Served,
};
use tessera_model::laplace::Estimate;
use tessera_model::spend::SpendFit;
use tessera_spec::pipeline::INTERVAL_ENDS;

use super::buyers::Buyers;
use super::settings::{ClvScore, ESTIMATES};
use super::unit;
use crate::scores::{Given, NotComputed};

/// Parameter draws behind the intervals.
const DRAWS: usize = 200;

/// The columns of the score by name.
pub(super) fn columns(
    score: &ClvScore,
    given: &Given<'_>,
    buyers: &Buyers,
    history: &PurchaseHistory,
    (fallback, spend): (&Fallback, Option<&SpendFit>),
) -> Result<BTreeMap<String, ArrayRef>, NotComputed> {
    let table = given.table;
    let mut columns = Columns::new(&score.prefix, buyers, table);
    let horizon = f64::from(score.horizon_days) / unit(score).days();
    match &fallback.served {
        Served::Model(fit) => {
            let plan = ForecastPlan {
                horizon,
                discount_per_year: score.discount_per_year,
                draws: DRAWS,
                seed: given.prepared.pipeline.seed,
            };
            let forecaster = Forecaster::new(fit, plan)?.watching(given.interrupt);
            let forecasts = forecaster.forecast(history);
            let of = |place: usize| &forecasts[history.row_of()[place] as usize];
            // NBD assumes that nobody leaves: publishing 1 for everyone would look like a result.
            if !matches!(fit, PurchaseFit::Nbd(_)) {
                columns.estimates(0, |place| of(place).p_alive);
            }
            columns.estimates(1, |place| of(place).purchases);
            columns.estimates(2, |place| of(place).p_no_purchase);
            if let Some(spend) = spend {
                let values =
                    forecaster.residual_values(history, &buyers.mean_spend, spend, score.margin)?;
                columns.estimates(4, |place| values[place]);
            }
        }
        Served::Nothing => {}
        Served::Heuristic(rate) => {
            let tenure = unit(score).days();
            columns.numbers("expected_purchases", |place| {
                let tenure = buyers.tenure_days[place] / tenure;
                rate.expected_purchases(buyers.x[place], tenure, horizon)
            });
        }
    }
    if let Some(spend) = spend {
        let draws = spend.draws(DRAWS, given.prepared.pipeline.seed);
        let estimates: Vec<Estimate> = (0..buyers.rows.len())
            .into_par_iter()
            .map_init(Vec::new, |drawn, place| {
                let (x, mean) = (buyers.x[place], buyers.mean_spend[place]);
                let expected = spend.expected_spend(x, mean);
                let Some(draws) = &draws else {
                    return Estimate::without_interval(expected);
                };
                drawn.clear();
                drawn.extend(draws.iter().map(|draw| draw.expected_spend(x, mean)));
                Estimate::from_draws(expected, drawn)
            })
            .collect();
        columns.estimates(3, |place| estimates[place]);
    }
    if score.spend {
        columns.numbers("past_value", |place| {
            let nothing = Estimate::exact(0.0);
            LifetimeValue::new(buyers.past_spend[place], score.margin, nothing).past
        });
    }
    if let Some(name) = fallback.name() {
        columns.texts("model_fallback", name);
    }
    Ok(columns.made)
}

/// The columns of the score, null for customers who never bought.
struct Columns<'a> {
    prefix: &'a str,
    buyers: &'a Buyers,
    rows: usize,
    made: BTreeMap<String, ArrayRef>,
}

impl<'a> Columns<'a> {
    fn new(prefix: &'a str, buyers: &'a Buyers, table: &RecordBatch) -> Self {
        Self {
            prefix,
            buyers,
            rows: table.num_rows(),
            made: BTreeMap::new(),
        }
    }

    fn numbers(&mut self, name: &str, value: impl Fn(usize) -> f64) {
        let mut column = vec![None; self.rows];
        for (place, &row) in self.buyers.rows.iter().enumerate() {
            column[row] = Some(value(place)).filter(|value| value.is_finite());
        }
        let column = Arc::new(Float64Array::from(column));
        self.made.insert(format!("{}{name}", self.prefix), column);
    }

    fn texts(&mut self, name: &str, text: &str) {
        let mut column = vec![None; self.rows];
        for &row in &self.buyers.rows {
            column[row] = Some(text);
        }
        let column = Arc::new(StringArray::from(column));
        self.made.insert(format!("{}{name}", self.prefix), column);
    }

    /// The estimate of that number in [`ESTIMATES`], with its intervals.
    fn estimates(&mut self, number: usize, of: impl Fn(usize) -> Estimate) {
        let name = ESTIMATES[number].0;
        self.numbers(name, |place| of(place).value);
        let ends: [fn(&Estimate) -> f64; 4] =
            [|e| e.low_95, |e| e.low_80, |e| e.high_80, |e| e.high_95];
        for (suffix, end) in INTERVAL_ENDS.into_iter().zip(ends) {
            self.numbers(&format!("{name}_{suffix}"), |place| end(&of(place)));
        }
    }
}
