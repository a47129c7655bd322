//! `kind = "clv"`: buy till you die, and spend. Fitted at the date of the run; judged by what the same models, fitted on what
//! was known a holdout earlier, would have said about the holdout.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use rayon::prelude::*;
use tessera_expr::rel::{Agg, AggOp, Window};
use tessera_expr::{Expr, Node, Type};
use tessera_model::btyd::{
    Backtest, BtydFit, BtydModel, ForecastPlan, Forecaster, Ladder, LifetimeValue, PurchaseHistory,
    Served, TimeUnit, naive_purchases,
};
use tessera_model::laplace::Estimate;
use tessera_model::spend::{SpendFit, SpendHistory};
use tessera_segments::{Parameter, Quality, QualityStatus};
use tessera_spec::pipeline::{
    CLV_ESTIMATES, ClvScore, INTERVAL_ENDS, PurchaseModel, PurchaseTimeUnit,
};

use super::columns::{days, floats};
use super::{Asked, CalibrationRow, Given, NotComputed, ScoreModel, Scored, not_computed};

/// Parameter draws behind the intervals.
const DRAWS: usize = 200;

/// Points at which predicted and actual purchases of the holdout are compared.
const CHECKPOINTS: u32 = 8;

/// Days held out where nothing is stated.
const HOLDOUT_DAYS: u32 = 91;

/// Correlation of frequency and spend above which Gamma-Gamma's assumption is doubtful.
const CORRELATION_LIMIT: f64 = 0.3;

/// Predicted over actual purchases in the holdout: further from 1 is flagged.
const TRACKING_LIMIT: f64 = 0.1;

impl ScoreModel for ClvScore {
    fn hidden(&self, asked: &Asked<'_>) -> Vec<(String, Vec<Agg>)> {
        let before = Some(Window {
            days: None,
            offset_days: self.holdout(),
        });
        let agg = |what: &str, func, window| Agg {
            name: hidden(asked.name, what),
            func,
            window,
            filter: None,
        };
        let mut aggs = vec![
            agg("occasions", AggOp::CountDistinctDays, None),
            agg("first", AggOp::FirstDay, None),
            agg("last", AggOp::LastDay, None),
            agg("occasions_before", AggOp::CountDistinctDays, before),
            agg("first_before", AggOp::FirstDay, before),
            agg("last_before", AggOp::LastDay, before),
        ];
        for (number, window) in self.checkpoints().into_iter().enumerate() {
            let name = format!("held_out_{number}");
            aggs.push(agg(&name, AggOp::CountDistinctDays, Some(window)));
        }
        if let (true, Some(amount)) = (self.spend, self.amount(asked)) {
            aggs.push(agg("spend", AggOp::Sum(amount.clone()), None));
            aggs.push(agg("first_spend", AggOp::SumOnFirstDay(amount), None));
        }
        vec![(self.from.value.clone(), aggs)]
    }

    fn compute(&self, given: &Given<'_>) -> Result<Scored, NotComputed> {
        let buyers = Buyers::read(given, self.spend)?;
        if buyers.rows.is_empty() {
            return Err(NotComputed::Data(format!(
                "no customer has a row in `{}`",
                self.from.value
            )));
        }
        let history = buyers.history(self.unit())?;
        let mut scored = Scored::default();
        let mut report = Report::new(&mut scored);
        let ladder = Ladder::fit(model_of(self.purchases[0].value), &history)?;
        report.ladder(&ladder);
        let mut fits = Vec::new();
        if let Served::Model(fit) = &ladder.served {
            fits.push(fit.clone());
        }
        for model in self.purchases.iter().skip(1).map(|m| model_of(m.value)) {
            match BtydFit::fit(model, &history) {
                Ok(fit) if !fits.iter().any(|known| known.model == fit.model) => fits.push(fit),
                Ok(_) => {}
                Err(error) => report.not_computed(model.name(), &error.to_string()),
            }
        }
        for fit in &fits {
            report.purchases(fit);
        }
        let spend = self.spend_fit(&buyers, &mut report);
        self.backtest(given, &fits, &mut report)?;
        let columns = self.columns_of(&buyers, &history, &ladder, spend.as_ref(), given)?;
        scored.columns = columns;
        Ok(scored)
    }
}

/// Name of a hidden aggregate.
fn hidden(score: &str, what: &str) -> String {
    format!("__{score}_{what}")
}

fn model_of(model: PurchaseModel) -> BtydModel {
    match model {
        PurchaseModel::BgNbd => BtydModel::BgNbd,
        PurchaseModel::MbgNbd => BtydModel::MbgNbd,
        PurchaseModel::ParetoNbd => BtydModel::ParetoNbd,
    }
}

trait Settings {
    fn unit(&self) -> TimeUnit;
    fn holdout(&self) -> u32;
    fn checkpoints(&self) -> Vec<Window>;
    fn amount(&self, asked: &Asked<'_>) -> Option<Expr>;
}

impl Settings for ClvScore {
    fn unit(&self) -> TimeUnit {
        match self.time_unit {
            PurchaseTimeUnit::Days => TimeUnit::Days,
            PurchaseTimeUnit::Weeks => TimeUnit::Weeks,
        }
    }

    fn holdout(&self) -> u32 {
        self.holdout_days
            .unwrap_or_else(|| HOLDOUT_DAYS.min(self.horizon_days))
    }

    /// Whole weeks of the holdout that follow one another and cover it.
    fn checkpoints(&self) -> Vec<Window> {
        let holdout = self.holdout();
        let step = holdout.div_ceil(7).div_ceil(CHECKPOINTS).max(1) * 7;
        (0..holdout.div_ceil(step))
            .map(|number| {
                let begin = number * step;
                let end = (begin + step).min(holdout);
                Window {
                    days: Some(end - begin),
                    offset_days: holdout - end,
                }
            })
            .collect()
    }

    fn amount(&self, asked: &Asked<'_>) -> Option<Expr> {
        let source = asked.pipeline.source(&self.from.value)?;
        let name = source
            .amount
            .as_ref()
            .map_or("amount", |amount| amount.value.as_str());
        let ty = asked.inputs.get(&self.from.value)?.schema.get(name)?;
        let column = Expr {
            node: Node::Column(name.to_owned()),
            ty,
            span: 0..0,
        };
        match ty {
            Type::Float => Some(column),
            Type::Int => Some(Expr {
                node: Node::Cast(Box::new(column)),
                ty: Type::Float,
                span: 0..0,
            }),
            _ => None,
        }
    }
}

/// Who has bought at least once, one entry a customer.
struct Buyers {
    /// Rows of the customer table.
    rows: Vec<usize>,
    x: Vec<u32>,
    t_x_days: Vec<f64>,
    tenure_days: Vec<f64>,
    /// Mean spend over repeat occasions, NaN where there is none or it is unknown.
    mean_spend: Vec<f64>,
    past_spend: Vec<f64>,
}

impl Buyers {
    fn read(given: &Given<'_>, with_spend: bool) -> Result<Self, NotComputed> {
        let mut buyers = Self::at(given, "", 0)?;
        if !with_spend {
            return Ok(buyers);
        }
        let name = |what| hidden(given.name, what);
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
                // Refunds may outweigh what was bought: such customers have no mean spend to learn from.
                let mean = (spend[row] - first[row]) / f64::from(x);
                buyers.mean_spend[place] = mean.max(0.0);
            }
            buyers.past_spend[place] = spend[row];
        }
        Ok(buyers)
    }

    /// The state `ago` days before the date of the run, from the aggregates whose names end in `suffix`.
    fn at(given: &Given<'_>, suffix: &str, ago: u32) -> Result<Self, NotComputed> {
        let name = |what: &str| hidden(given.name, &format!("{what}{suffix}"));
        let occasions = floats(given.table, &name("occasions"))?;
        let (first, last) = (
            days(given.table, &name("first"))?,
            days(given.table, &name("last"))?,
        );
        let end = crate::sources::epoch_day(given.prepared.as_of) - ago as i32;
        let mut buyers = Self {
            rows: Vec::new(),
            x: Vec::new(),
            t_x_days: Vec::new(),
            tenure_days: Vec::new(),
            mean_spend: Vec::new(),
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
            buyers.past_spend.push(f64::NAN);
        }
        Ok(buyers)
    }

    fn history(&self, unit: TimeUnit) -> Result<PurchaseHistory, NotComputed> {
        Ok(PurchaseHistory::from_days(
            unit,
            &self.x,
            &self.t_x_days,
            &self.tenure_days,
        )?)
    }
}

/// Writes what was fitted into the rows of the published tables.
struct Report<'s> {
    scored: &'s mut Scored,
}

impl<'s> Report<'s> {
    fn new(scored: &'s mut Scored) -> Self {
        Self { scored }
    }

    fn number(&mut self, model: &str, name: impl Into<String>, value: f64) {
        let parameter = Parameter::number(model, name, value);
        self.scored.parameters.push(parameter);
    }

    fn text(&mut self, model: &str, name: &str, text: &str) {
        let parameter = Parameter::text(model, name.to_owned(), text.to_owned());
        self.scored.parameters.push(parameter);
    }

    fn not_computed(&mut self, metric: &str, reason: &str) {
        let row = not_computed(metric, reason);
        self.scored.quality.push(row);
    }

    fn ladder(&mut self, ladder: &Ladder) {
        self.text("choice", "served", ladder.rung());
        let reason = match ladder.failed.as_slice() {
            [] => "the first purchase model of the pipeline; its fit converged".to_owned(),
            failed => {
                let tried = failed.iter().map(|f| format!("{}: {}", f.rung, f.reason));
                tried.collect::<Vec<_>>().join("; ")
            }
        };
        self.text("choice", "reason", &reason);
        for failed in &ladder.failed {
            self.not_computed(&failed.rung, &failed.reason);
        }
    }

    fn purchases(&mut self, fit: &BtydFit) {
        let model = fit.model.name();
        let names = fit.model.parameter_names();
        for ((name, value), error) in names.iter().zip(fit.parameters).zip(fit.standard_errors) {
            self.number(model, *name, value);
            self.number(model, format!("{name}_standard_error"), error);
        }
        self.number(model, "log_likelihood", fit.log_likelihood);
        self.number(model, "customers", fit.customers);
        self.number(model, "distinct_histories", fit.distinct_histories as f64);
        self.number(model, "gradient_norm", fit.gradient_norm);
        self.text(model, "time_unit", fit.unit.name());
    }
}

/// Fitting spend, and judging purchases.
trait Fitting {
    fn spend_fit(&self, buyers: &Buyers, report: &mut Report<'_>) -> Option<SpendFit>;
    fn backtest(
        &self,
        given: &Given<'_>,
        fits: &[BtydFit],
        report: &mut Report<'_>,
    ) -> Result<(), NotComputed>;
    fn columns_of(
        &self,
        buyers: &Buyers,
        history: &PurchaseHistory,
        ladder: &Ladder,
        spend: Option<&SpendFit>,
        given: &Given<'_>,
    ) -> Result<BTreeMap<String, ArrayRef>, NotComputed>;
}

impl Fitting for ClvScore {
    fn spend_fit(&self, buyers: &Buyers, report: &mut Report<'_>) -> Option<SpendFit> {
        if !self.spend {
            return None;
        }
        let fitted = SpendHistory::from_columns(&buyers.x, &buyers.mean_spend, None)
            .and_then(|history| Ok((SpendFit::fit(&history)?, history)));
        let (fit, history) = match fitted {
            Ok(fitted) => fitted,
            Err(error) => {
                report.not_computed("gamma_gamma", &error.to_string());
                return None;
            }
        };
        match &fit {
            SpendFit::GammaGamma(gamma) => {
                let named = [("p", gamma.p), ("q", gamma.q), ("gamma", gamma.v)];
                for ((name, value), error) in named.into_iter().zip(gamma.standard_errors) {
                    report.number("gamma_gamma", name, value);
                    report.number("gamma_gamma", format!("{name}_standard_error"), error);
                }
                report.number("gamma_gamma", "log_likelihood", gamma.log_likelihood);
                report.number("gamma_gamma", "customers", gamma.customers);
                report.number("gamma_gamma", "gradient_norm", gamma.gradient_norm);
                report.number("gamma_gamma", "population_mean", gamma.population_mean());
            }
            SpendFit::CredibilityMean { fit, reason } => {
                report.not_computed("gamma_gamma", reason);
                report.number("credibility_mean", "mean", fit.mean);
                report.number("credibility_mean", "kappa", fit.kappa);
                report.number("credibility_mean", "customers", fit.customers);
            }
        }
        if let Some(correlation) = history.correlation() {
            report.number(fit.name(), "correlation", correlation);
            let strong = correlation.abs() > CORRELATION_LIMIT;
            report.scored.quality.push(Quality {
                segment: String::new(),
                criterion: "assumption",
                metric: "correlation of frequency and spend".to_owned(),
                value: Some(correlation),
                threshold: Some(CORRELATION_LIMIT),
                status: if strong {
                    QualityStatus::Flagged
                } else {
                    QualityStatus::Ok
                },
                reason: strong.then(|| {
                    "the spend model takes frequency and spend to be independent".to_owned()
                }),
            });
        }
        Some(fit)
    }

    fn backtest(
        &self,
        given: &Given<'_>,
        fits: &[BtydFit],
        report: &mut Report<'_>,
    ) -> Result<(), NotComputed> {
        let before = Buyers::at(given, "_before", self.holdout())?;
        let windows = self.checkpoints();
        let held_out = windows
            .iter()
            .enumerate()
            .map(|(number, _)| {
                let name = hidden(given.name, &format!("held_out_{number}"));
                let all = floats(given.table, &name)?;
                Ok(before
                    .rows
                    .iter()
                    .map(|&row| all[row])
                    .collect::<Vec<f64>>())
            })
            .collect::<Result<Vec<_>, NotComputed>>()?;
        let actual: Vec<f64> = (0..before.rows.len())
            .map(|place| held_out.iter().map(|part| part[place]).sum())
            .collect();
        let unit = self.unit();
        let horizon = f64::from(self.holdout()) / unit.days();
        let history = match before.history(unit) {
            Ok(history) if !history.is_empty() => history,
            _ => {
                report.not_computed("backtest", "nobody had bought before the holdout");
                return Ok(());
            }
        };
        for (rank, fit) in fits.iter().enumerate() {
            let model = fit.model.name();
            let earlier = match BtydFit::fit(fit.model, &history) {
                Ok(earlier) => earlier,
                Err(error) => {
                    report.not_computed(&format!("backtest of {model}"), &error.to_string());
                    continue;
                }
            };
            let predicted = purchases_within(&earlier, &history, horizon)?;
            let result = Backtest::new(&before.x, &predicted, &actual)?;
            report.backtest(model, &result, rank == 0);
            let mut sum = 0.0;
            for (window, part) in windows.iter().zip(&held_out) {
                sum += part.iter().sum::<f64>();
                let days = self.holdout() - window.offset_days;
                let ahead = f64::from(days) / unit.days();
                let total: f64 = purchases_within(&earlier, &history, ahead)?.iter().sum();
                let week = days.div_ceil(7);
                report.number(model, format!("tracking_week_{week}_actual"), sum);
                report.number(model, format!("tracking_week_{week}_predicted"), total);
            }
        }
        let tenure = before.tenure_days.iter().map(|days| days / unit.days());
        let naive: Vec<f64> = before
            .x
            .iter()
            .zip(tenure)
            .map(|(&x, tenure)| naive_purchases(x, tenure, horizon))
            .collect();
        let result = Backtest::new(&before.x, &naive, &actual)?;
        report.backtest("naive_rate", &result, false);
        Ok(())
    }

    fn columns_of(
        &self,
        buyers: &Buyers,
        history: &PurchaseHistory,
        ladder: &Ladder,
        spend: Option<&SpendFit>,
        given: &Given<'_>,
    ) -> Result<BTreeMap<String, ArrayRef>, NotComputed> {
        let table = given.table;
        let mut columns = Columns::new(&self.prefix, buyers, table);
        let horizon = f64::from(self.horizon_days) / self.unit().days();
        match &ladder.served {
            Served::Model(fit) => {
                let plan = ForecastPlan {
                    horizon,
                    discount_per_year: self.discount_per_year,
                    draws: DRAWS,
                    seed: given.prepared.pipeline.seed,
                };
                let forecaster = Forecaster::new(fit, plan)?;
                let forecasts = forecaster.forecast(history);
                let of = |place: usize| &forecasts[history.row_of()[place] as usize];
                columns.estimates(0, |place| of(place).p_alive);
                columns.estimates(1, |place| of(place).purchases);
                columns.estimates(2, |place| of(place).p_no_purchase);
                if let Some(spend) = spend {
                    let values = forecaster.residual_values(
                        history,
                        &buyers.mean_spend,
                        spend,
                        self.margin,
                    )?;
                    columns.estimates(4, |place| values[place]);
                }
            }
            Served::Heuristic(rate) => {
                let tenure = self.unit().days();
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
                    drawn.clear();
                    drawn.extend(draws.iter().map(|draw| draw.expected_spend(x, mean)));
                    Estimate::from_draws(spend.expected_spend(x, mean), drawn)
                })
                .collect();
            columns.estimates(3, |place| estimates[place]);
            columns.numbers("past_value", |place| {
                let nothing = Estimate::exact(0.0);
                LifetimeValue::new(buyers.past_spend[place], self.margin, nothing).past
            });
        }
        columns.texts("model_rung", ladder.rung());
        Ok(columns.made)
    }
}

/// Expected purchases of every customer of `history` within `horizon` units.
fn purchases_within(
    fit: &BtydFit,
    history: &PurchaseHistory,
    horizon: f64,
) -> Result<Vec<f64>, NotComputed> {
    let plan = ForecastPlan {
        horizon,
        discount_per_year: 0.0,
        draws: 0,
        seed: 0,
    };
    let forecasts = Forecaster::new(fit, plan)?.forecast(history);
    let value = |&row: &u32| forecasts[row as usize].purchases.value;
    Ok(history.row_of().iter().map(value).collect())
}

impl Report<'_> {
    fn backtest(&mut self, model: &str, result: &Backtest, serves: bool) {
        self.number(model, "backtest_customers", result.customers as f64);
        self.number(model, "backtest_predicted", result.predicted_total);
        self.number(model, "backtest_actual", result.actual_total);
        if let Some(tracking) = result.tracking {
            self.number(model, "backtest_tracking", tracking);
        }
        if let Some(correlation) = result.correlation {
            self.number(model, "backtest_correlation", correlation);
        }
        self.number(model, "backtest_mae", result.mean_absolute_error);
        self.number(model, "backtest_rmse", result.root_mean_square_error);
        for bin in &result.by_x {
            let name = format!("backtest_x_{}", bin.bin);
            self.number(model, format!("{name}_predicted"), bin.predicted);
            self.number(model, format!("{name}_actual"), bin.actual);
        }
        for decile in &result.deciles {
            self.scored.calibration.push(CalibrationRow {
                model: model.to_owned(),
                bin: i64::from(decile.bin),
                predicted: decile.predicted,
                observed: decile.actual,
                customers: decile.customers.round() as i64,
                lift: decile.lift,
            });
        }
        if serves {
            let tracking = result.tracking.unwrap_or(f64::NAN);
            let off = !((tracking - 1.0).abs() <= TRACKING_LIMIT);
            self.scored.quality.push(Quality {
                segment: String::new(),
                criterion: "calibrated",
                metric: "predicted over actual purchases in the holdout".to_owned(),
                value: result.tracking,
                threshold: Some(1.0 + TRACKING_LIMIT),
                status: if off { QualityStatus::Flagged } else { QualityStatus::Ok },
                reason: off.then(|| {
                    "predicted and actual purchases differ by more than a tenth; buying may be seasonal, or the holdout too short"
                        .to_owned()
                }),
            });
        }
    }
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

    /// The estimate of that number in [`CLV_ESTIMATES`], with its intervals.
    fn estimates(&mut self, number: usize, of: impl Fn(usize) -> Estimate) {
        let name = CLV_ESTIMATES[number].0;
        self.numbers(name, |place| of(place).value);
        let ends: [fn(&Estimate) -> f64; 4] =
            [|e| e.low_95, |e| e.low_80, |e| e.high_80, |e| e.high_95];
        for (suffix, end) in INTERVAL_ENDS.into_iter().zip(ends) {
            self.numbers(&format!("{name}_{suffix}"), |place| end(&of(place)));
        }
    }
}
