//! The fit of the spend model, and what it leaves out.

use tessera_model::interrupt::Interrupt;
use tessera_model::spend::{SpendFit, SpendHistory};
use tessera_segments::Threshold;

use super::buyers::Buyers;
use super::evidence::Evidence;
use super::settings::ClvScore;

/// Share of repeat customers that the spend model may leave out because of their refunds before it is flagged.
const WITHOUT_MONEY_LIMIT: f64 = 0.05;

/// Correlation of frequency and spend above which Gamma-Gamma's assumption is doubtful.
const CORRELATION_LIMIT: f64 = 0.3;

/// The spend model, where one is asked for and the data is enough.
pub(super) fn spend(
    score: &ClvScore,
    buyers: &Buyers,
    evidence: &mut Evidence<'_>,
    (name, interrupt): (&str, Interrupt<'_>),
) -> Option<SpendFit> {
    if !score.spend {
        return None;
    }
    let fitted = SpendHistory::from_columns(&buyers.x, &buyers.mean_spend, None)
        .and_then(|history| {
            history.with_first_spend(&buyers.x, &buyers.mean_spend, &buyers.first_spend)
        })
        .and_then(|history| Ok((SpendFit::fit_unless(&history, interrupt)?, history)));
    let (fit, history) = match fitted {
        Ok(fitted) => fitted,
        Err(error) => {
            for what in ["gamma_gamma", "expected_spend", "clv"] {
                evidence.not_computed(what, &error.to_string());
            }
            return None;
        }
    };
    match &fit {
        SpendFit::GammaGamma(gamma) => {
            let named = [("p", gamma.p), ("q", gamma.q), ("gamma", gamma.v)];
            for ((name, value), error) in named.into_iter().zip(gamma.standard_errors) {
                evidence.estimate("gamma_gamma", name, value, error);
            }
            evidence.number("gamma_gamma", "log_likelihood", gamma.log_likelihood);
            evidence.number("gamma_gamma", "customers", gamma.customers);
            evidence.number("gamma_gamma", "gradient_norm", gamma.gradient_norm);
            evidence.number("gamma_gamma", "population_mean", gamma.population_mean());
        }
        SpendFit::CredibilityMean { fit, reason } => {
            evidence.not_computed("gamma_gamma", reason);
            tracing::warn!(
                score = name,
                "score `{name}`: credibility_mean is used instead of gamma_gamma: {reason}"
            );
            let meaning = "expected spend is the customer's own mean, shrunk towards that of all; neither it nor lifetime value has an interval";
            evidence.stands_in(("gamma_gamma", "credibility_mean"), meaning, reason);
            evidence.number("credibility_mean", "mean", fit.mean);
            evidence.number("credibility_mean", "kappa", fit.kappa);
            evidence.number("credibility_mean", "customers", fit.customers);
        }
    }
    without_repeat_money(evidence, (name, fit.name()), &history);
    if let Some(correlation) = history.correlation() {
        evidence.number(fit.name(), "correlation", correlation);
        let strong = correlation.abs() > CORRELATION_LIMIT;
        let reason = "the spend model assumes that frequency and spend are independent";
        evidence.flag(
            "size of the correlation of frequency and spend",
            correlation.abs(),
            Threshold::at_most(CORRELATION_LIMIT),
            strong.then(|| reason.to_owned()),
        );
    }
    Some(fit)
}

/// Counts the repeat customers whose refunds are no smaller than their repeat purchases: a spend model cannot learn from them.
fn without_repeat_money(
    evidence: &mut Evidence<'_>,
    (score, model): (&str, &str),
    history: &SpendHistory,
) {
    let without = history.without_spend();
    if without == 0.0 {
        return;
    }
    evidence.number(model, "customers_without_repeat_money", without);
    let repeat = without + history.customers();
    let share = without / repeat;
    let reason = (share > WITHOUT_MONEY_LIMIT).then(|| {
            format!(
                "{without} of {repeat} customers who bought again are not in the spend model: refunds are subtracted from their repeat purchases, also refunds of the first purchase, and nothing is left. For customers with smaller refunds of the first purchase the money of a repeat purchase is too low"
            )
        });
    if let Some(reason) = &reason {
        tracing::warn!(score, "score `{score}`: {reason}");
    }
    evidence.flag(
        "share of repeat customers without money of repeat purchases",
        share,
        Threshold::at_most(WITHOUT_MONEY_LIMIT),
        reason,
    );
}
