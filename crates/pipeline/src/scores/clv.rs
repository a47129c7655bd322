//! `kind = "clv"`: buy-till-you-die models of purchases, and models of spend. They are fitted at the date of the run, and judged
//! by a backtest: the same models, fitted on the data before a holdout period, predict the holdout.
//!
//! Where to look: `settings` (its keys and columns), `buyers` (from the customer table to purchase histories), `evidence` (what was fitted, and its backtest),
//! `spend` (the spend model), `forecast` (the columns of the score).

mod buyers;
mod evidence;
mod forecast;
mod settings;
mod spend;

use serde::{Deserialize, Serialize};
use tessera_expr::Expr;
use tessera_expr::aggregates::{COUNT_DAYS, FIRST_DAY, LAST_DAY, SUM_AS_FLOAT, SUM_ON_FIRST_DAY};
use tessera_expr::rel::{Agg, Window};
use tessera_model::btyd::{BtydModel, Fallback, PurchaseFit, PurchaseModel, Served, TimeUnit};
use tessera_model::spend::SpendFit;
use tessera_segments::Fit;
use tessera_spec::ScoreSyntax;
use tessera_spec::pipeline::{Base, Refit};

use super::kind::{Kind, model};
use super::learned::{Fitted, InUse, LearnedScore};
use super::{Asked, Given, NotComputed, ScoreModel, Scored, hidden_name};
use buyers::Buyers;
use evidence::Evidence;
use settings::{ClvScore, PurchaseModel as Listed, PurchaseTimeUnit};

/// Points at which predicted and actual purchases of the holdout are compared.
const CHECKPOINTS: u32 = 8;

/// Days held out by default.
const HOLDOUT_DAYS: u32 = 91;

pub(super) static KIND: Kind = Kind {
    syntax: ScoreSyntax {
        name: settings::NAME,
        summary: "Buy till you die, and spend: who still buys, how often, for how much.",
        keys: settings::KEYS,
        refit: Refit::Months(1),
        read: settings::read,
    },
    reads: "events",
    example: r#"[scores.value]
kind = "clv"
from = "orders"
models = ["mbg_nbd", "pareto_nbd", "gamma_gamma"]
time_unit = "weeks"          # or days; weeks by default
horizon = "365d"
holdout = "180d"             # for the backtest; by default 91 days, at most the horizon
discount_per_year = 0.1      # 0.1 by default; only with gamma_gamma
margin = 0.3                 # share of spend, above 0, up to 1; 1 by default; only with gamma_gamma
prefix = "value_"            # before the names of the columns; none by default
"#,
    docs: include_str!("clv/page.md"),
    files: &[
        "crates/model/src/btyd",
        "crates/model/src/laplace.rs",
        "crates/model/src/spend",
        "crates/pipeline/src/scores/clv",
    ],
    criteria: &["assumption", "calibrated"],
    model: model::<ClvScore>,
    restore: Fit::restored::<ClvArtifact>,
};

/// Fitted models of purchases and spend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ClvArtifact {
    /// The model of purchases that is used, and those that could not be fitted.
    fallback: Fallback,
    /// `None` where no spend is modelled, or it could not be.
    spend: Option<SpendFit>,
}

impl ScoreModel for ClvScore {
    fn base(&self) -> Base {
        Base::Value
    }

    fn hidden(&self, asked: &Asked<'_>) -> Vec<(String, Vec<Agg>)> {
        let before = Some(Window {
            days: None,
            offset_days: holdout(self),
        });
        let purchase = asked.purchase(&self.from.value);
        let agg = |what: &str, func, window| Agg {
            name: hidden_name(asked.name, what),
            func,
            window,
            filter: purchase.clone(),
        };
        let mut aggs = vec![
            agg("occasions", COUNT_DAYS.of_rows(), None),
            agg("first", FIRST_DAY.of_rows(), None),
            agg("last", LAST_DAY.of_rows(), None),
        ];
        // For the test of a fit.
        if asked.fits {
            aggs.push(agg("occasions_before", COUNT_DAYS.of_rows(), before));
            aggs.push(agg("first_before", FIRST_DAY.of_rows(), before));
            aggs.push(agg("last_before", LAST_DAY.of_rows(), before));
            for (number, window) in checkpoints(self).into_iter().enumerate() {
                let name = format!("held_out_{number}");
                aggs.push(agg(&name, COUNT_DAYS.of_rows(), Some(window)));
            }
        }
        if let (true, Some(amount)) = (self.spend, amount(self, asked)) {
            // Refunds are subtracted, whatever counts as a purchase.
            let spend = agg("spend", SUM_AS_FLOAT.of(amount.clone()), None);
            aggs.push(Agg {
                filter: None,
                ..spend
            });
            aggs.push(agg("first_spend", SUM_ON_FIRST_DAY.of(amount), None));
        }
        vec![(self.from.value.clone(), aggs)]
    }

    fn fit(&self, given: &Given<'_>, in_use: Option<InUse<'_>>) -> Result<Fitted, NotComputed> {
        let buyers = self.buyers(given)?;
        let history = buyers.history(unit(self))?;
        let mut scored = Scored::default();
        let mut evidence = Evidence::new(&mut scored);
        let requested = model_of(self.purchases[0].value);
        let fallback = Fallback::fit(requested, &history, given.interrupt)?;
        let in_use = in_use.and_then(|in_use| {
            let learned: &ClvArtifact = in_use.learned.model.get()?;
            let purchases = learned.purchases()?;
            Some((purchases, in_use.fitted_on))
        });
        if in_use.is_some() && !matches!(fallback.served, Served::Model(_)) {
            let reason = "no model of purchases could be fitted, and one is in use";
            return Err(NotComputed::Data(reason.to_owned()));
        }
        evidence.fallback(given.name, requested.name(), &fallback);
        evidence.repeat_customers(history.repeat_customers());
        let mut fits = Vec::new();
        if let Served::Model(fit) = &fallback.served {
            fits.push(fit.clone());
        }
        for model in self.purchases.iter().skip(1).map(|m| model_of(m.value)) {
            // The model that is used and those tried before it are fitted already.
            let tried = fallback
                .failed
                .iter()
                .any(|failed| failed.model == model.name());
            if tried || fits.iter().any(|known| known.model() == model) {
                continue;
            }
            match model.fit(&history, given.interrupt) {
                Ok(fit) => fits.push(fit),
                Err(error) => evidence.not_computed(model.name(), &error.to_string()),
            }
        }
        for fit in &fits {
            evidence.purchases(fit);
        }
        let spend = spend::spend(self, &buyers, &mut evidence, (given.name, given.interrupt));
        let comparison = evidence::backtest(self, given, (&fits, in_use), &mut evidence)?;
        Ok(Fitted {
            learned: LearnedScore {
                model: Fit::new(settings::NAME, ClvArtifact { fallback, spend }),
                findings: scored.into(),
            },
            backtest: None,
            comparison,
        })
    }

    fn apply(&self, learned: &LearnedScore, given: &Given<'_>) -> Result<Scored, NotComputed> {
        let Some(ClvArtifact { fallback, spend }) = learned.model.get() else {
            return Ok(Scored::default());
        };
        let buyers = self.buyers(given)?;
        let history = buyers.history(unit(self))?;
        let models = (fallback, spend.as_ref());
        Ok(Scored {
            columns: forecast::columns(self, given, &buyers, &history, models)?,
            ..Scored::default()
        })
    }
}

impl ClvArtifact {
    fn purchases(&self) -> Option<&PurchaseFit> {
        match &self.fallback.served {
            Served::Model(fit) => Some(fit),
            Served::Heuristic(_) | Served::Nothing => None,
        }
    }
}

trait Bought {
    /// Who has bought; an error where nobody has.
    fn buyers(&self, given: &Given<'_>) -> Result<Buyers, NotComputed>;
}

impl Bought for ClvScore {
    fn buyers(&self, given: &Given<'_>) -> Result<Buyers, NotComputed> {
        let buyers = Buyers::read(given, self.spend)?;
        if buyers.rows.is_empty() {
            return Err(NotComputed::Data(format!(
                "no customer has a row in `{}`",
                self.from.value
            )));
        }
        Ok(buyers)
    }
}

fn model_of(model: Listed) -> PurchaseModel {
    match model {
        Listed::BgNbd => PurchaseModel::Btyd(BtydModel::BgNbd),
        Listed::MbgNbd => PurchaseModel::Btyd(BtydModel::MbgNbd),
        Listed::ParetoNbd => PurchaseModel::Btyd(BtydModel::ParetoNbd),
        Listed::Nbd => PurchaseModel::Nbd,
    }
}

fn unit(score: &ClvScore) -> TimeUnit {
    match score.time_unit {
        PurchaseTimeUnit::Days => TimeUnit::Days,
        PurchaseTimeUnit::Weeks => TimeUnit::Weeks,
    }
}

fn holdout(score: &ClvScore) -> u32 {
    score
        .holdout_days
        .unwrap_or_else(|| HOLDOUT_DAYS.min(score.horizon_days))
}

/// Consecutive windows of whole weeks that cover the holdout.
fn checkpoints(score: &ClvScore) -> Vec<Window> {
    let holdout = holdout(score);
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

/// The amount of a row.
fn amount(score: &ClvScore, asked: &Asked<'_>) -> Option<Expr> {
    let source = asked.pipeline.source(&score.from.value)?;
    let name = source
        .amount
        .as_ref()
        .map_or("amount", |amount| amount.value.as_str());
    let ty = asked.inputs.get(&score.from.value)?.schema.get(name)?;
    ty.is_number().then(|| Expr::column(name, ty))
}
