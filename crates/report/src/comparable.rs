//! Whether a figure of the version before can be compared with today's: both are of the same customers, in the same currency, unit
//! and period, and defined in the same way.

use crate::column::Table;
use crate::facts::Facts;
use crate::input::ReportMeta;
use crate::number::{Measure, percent};
use crate::text::printable;

/// What a figure is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Figure<'a> {
    /// A number of customers.
    Customers,
    /// A sum or mean of this column, which may be the value of a period.
    Column(&'a str, Measure),
}

impl Figure<'_> {
    /// Why it cannot be compared.
    fn apart(self, now: &ReportMeta, before: &ReportMeta) -> Option<String> {
        let of_whom = || {
            (now.sample != before.sample).then(|| match before.sample {
                Some(share) => format!("of a sample ({})", percent(share)),
                None => "of all customers".to_owned(),
            })
        };
        let currency = || {
            let both = now.currency.as_deref().zip(before.currency.as_deref());
            let (_, then) = both.filter(|(now, then)| now != then)?;
            Some(format!("in {}", printable(then)))
        };
        let unit = |column: &str| {
            let of = |meta: &ReportMeta| meta.feature(column)?.unit.clone();
            let (_, then) = of(now).zip(of(before)).filter(|(now, then)| now != then)?;
            Some(format!("of the unit {}", printable(&then)))
        };
        let period = |column: &str| {
            let is_value = |meta: &ReportMeta| meta.value.as_deref() == Some(column);
            let is_same = is_value(now) && is_value(before);
            (is_same && now.value_per != before.value_per).then(|| match &before.value_per {
                Some(per) => format!("per {}", printable(per)),
                None => "of no period".to_owned(),
            })
        };
        let money = |measure| (measure == Measure::Money).then(currency).flatten();
        let apart = match self {
            Self::Customers => of_whom(),
            Self::Column(column, measure) => of_whom()
                .or_else(|| unit(column))
                .or_else(|| money(measure))
                .or_else(|| period(column)),
        };
        apart.map(|apart| format!("the version before is {apart}"))
    }
}

impl Facts<'_> {
    /// Why a figure cannot be compared with that of the version before; none where it can, or where there is no such version.
    pub(crate) fn incomparable(&self, figure: Figure<'_>) -> Option<String> {
        let apart = figure.apart(self.meta, &self.earlier()?.input.meta);
        let redefined = || match figure {
            Figure::Column(column, _) if self.is_redefined(column) => {
                Some("the version before has it by another definition".to_owned())
            }
            _ => None,
        };
        apart.or_else(redefined)
    }

    /// Whether a column is defined in another way than in the version before, by table `drift`.
    fn is_redefined(&self, column: &str) -> bool {
        let Some(drift) = Table::open(self.input, "drift") else {
            return false;
        };
        let [kinds, names, all] = ["kind", "name", "status"].map(|name| drift.text(name));
        let (Ok(kinds), Ok(names), Ok(all)) = (kinds, names, all) else {
            return false;
        };
        let mut rows = kinds.iter().zip(&names).zip(&all);
        rows.any(|((kind, name), status)| {
            *kind != Some("scheme") && *name == Some(column) && *status == Some("redefined")
        })
    }

    /// As [`Self::incomparable`], of a figure over `customers` of both versions: the version before may not have the column.
    pub(crate) fn uncompared(&self, figure: Figure<'_>) -> Option<String> {
        let before = self.earlier()?;
        let has_it = match figure {
            Figure::Customers => true,
            Figure::Column(column, _) => before.customers.has_numbers(column),
        };
        match has_it {
            true => self.incomparable(figure),
            false => Some("the version before has no such number".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::input::FeatureMeta;

    fn meta() -> ReportMeta {
        let feature = |unit: &str| FeatureMeta {
            name: "value_now".to_owned(),
            unit: Some(unit.to_owned()),
            ..FeatureMeta::default()
        };
        ReportMeta {
            currency: Some("EUR".to_owned()),
            value: Some("value_now".to_owned()),
            value_per: Some("month".to_owned()),
            features: vec![feature("currency")],
            ..ReportMeta::new("shop", NaiveDate::default())
        }
    }

    #[test]
    fn what_changed_is_said_of_the_figures_that_it_concerns() {
        // Its sum, or its mean as the KPI.
        let value = Figure::Column("value_now", Measure::Money);
        let risk = Figure::Column("value_at_risk", Measure::Money);
        let share = Figure::Column("churn_probability", Measure::Percent);
        let all = [Figure::Customers, share, risk, value];
        let (now, mut before) = (meta(), meta());
        let apart = |before: &ReportMeta| all.map(|figure| figure.apart(&now, before));
        assert_eq!(apart(&before), [const { None }; 4]);
        before.value_per = Some("year".to_owned());
        let year = Some("the version before is per year".to_owned());
        assert_eq!(apart(&before), [None, None, None, year.clone()]);
        before.currency = Some("USD".to_owned());
        let dollars = Some("the version before is in USD".to_owned());
        assert_eq!(apart(&before), [None, None, dollars.clone(), dollars]);
        before.features[0].unit = Some("count".to_owned());
        let unit = Some("the version before is of the unit count".to_owned());
        assert_eq!(apart(&before)[3], unit);
        before.sample = Some(0.01);
        let sample = Some("the version before is of a sample (1.0%)".to_owned());
        assert_eq!(
            apart(&before),
            [const { None }; 4].map(|_: Option<()>| sample.clone())
        );
    }
}
