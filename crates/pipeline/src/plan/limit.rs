//! How many customers a plan may move.

use super::Plan;
use crate::diff::{SchemeDiff, percent};

/// `moved > 5%`, `touch.moved > 200`: a number of customers or a share of those in both, in any scheme or in one.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    scheme: Option<String>,
    most: Most,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Most {
    Customers(u64),
    Share(f64),
}

impl Limit {
    /// Reads a limit.
    pub fn parse(text: &str) -> Option<Self> {
        let (what, most) = text.split_once('>')?;
        let (what, most) = (what.trim(), most.trim());
        let scheme = match what.strip_suffix("moved")? {
            "" => None,
            scheme => Some(
                scheme
                    .strip_suffix('.')
                    .filter(|scheme| !scheme.is_empty())?
                    .to_owned(),
            ),
        };
        let most = match most.strip_suffix('%') {
            Some(share) => Most::Share(share.trim().parse().ok().filter(|share| *share >= 0.0)?),
            None => Most::Customers(most.parse().ok()?),
        };
        Some(Self { scheme, most })
    }

    /// The schemes in which a plan moves more, in words; the error names schemes that it does not have.
    pub fn exceeded(&self, plan: &Plan) -> Result<Vec<String>, String> {
        let own =
            |scheme: &&SchemeDiff| self.scheme.as_ref().is_none_or(|own| *own == scheme.scheme);
        let schemes: Vec<&SchemeDiff> = plan.schemes.iter().filter(own).collect();
        if let Some(scheme) = self.scheme.as_ref().filter(|_| schemes.is_empty()) {
            return Err(format!("the pipeline has no scheme `{scheme}`"));
        }
        let exceeds = |scheme: &&&SchemeDiff| match self.most {
            Most::Customers(most) => scheme.moved > most,
            Most::Share(most) => scheme.moved as f64 * 100.0 > most * scheme.compared as f64,
        };
        let words = |scheme: &&SchemeDiff| {
            let (moved, of) = (scheme.moved, scheme.compared);
            format!(
                "{}: {moved} of {of} customers ({})",
                scheme.scheme,
                percent(moved, of)
            )
        };
        Ok(schemes.iter().filter(exceeds).map(words).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_numbers_or_shares_of_one_scheme_or_all() {
        let limit = |scheme: Option<&str>, most| {
            Some(Limit {
                scheme: scheme.map(str::to_owned),
                most,
            })
        };
        assert_eq!(Limit::parse("moved > 5%"), limit(None, Most::Share(5.0)));
        assert_eq!(
            Limit::parse("touch.moved>200"),
            limit(Some("touch"), Most::Customers(200))
        );
        for wrong in [
            "",
            "moved",
            "moved < 5",
            ".moved > 5",
            "left > 5%",
            "moved > 5.5",
            "moved > -1%",
        ] {
            assert_eq!(Limit::parse(wrong), None, "{wrong}");
        }
    }
}
