//! How many customers a plan may move, lose or win.

use super::Plan;
use crate::diff::SchemeDiff;
use crate::sources::percent;

/// `moved > 5%`, `left > 200`, `touch.came > 1%`: a number of customers or a share. Of those who moved it is the share of those in both,
/// in any scheme or in one; of those who left or came the share of those before, of all customers or in one scheme.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    scheme: Option<String>,
    what: What,
    most: Most,
}

/// Whom a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Moved,
    Left,
    Came,
}

impl What {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Moved, "moved"),
        (Self::Left, "left"),
        (Self::Came, "came"),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Most {
    Customers(u64),
    Share(f64),
}

impl Most {
    fn exceeded(self, customers: u64, of: u64) -> bool {
        match self {
            Self::Customers(most) => customers > most,
            Self::Share(most) => customers as f64 * 100.0 > most * of as f64,
        }
    }
}

impl Limit {
    /// Reads a limit.
    pub fn parse(text: &str) -> Option<Self> {
        let (counted, most) = text.split_once('>')?;
        let (counted, most) = (counted.trim(), most.trim());
        let (scheme, word) = match counted.rsplit_once('.') {
            None => (None, counted),
            Some(("", _)) => return None,
            Some((scheme, word)) => (Some(scheme.to_owned()), word),
        };
        let (what, _) = What::ALL.into_iter().find(|(_, known)| *known == word)?;
        let most = match most.strip_suffix('%') {
            Some(share) => Most::Share(share.trim().parse().ok().filter(|share| *share >= 0.0)?),
            None => Most::Customers(most.parse().ok()?),
        };
        Some(Self { scheme, what, most })
    }

    /// Where a plan exceeds it, in words; the error names schemes that it does not have.
    pub fn exceeded(&self, plan: &Plan) -> Result<Vec<String>, String> {
        let own =
            |scheme: &&SchemeDiff| self.scheme.as_ref().is_none_or(|own| *own == scheme.scheme);
        let schemes: Vec<&SchemeDiff> = plan.schemes.iter().filter(own).collect();
        if let Some(scheme) = self.scheme.as_ref().filter(|_| schemes.is_empty()) {
            return Err(format!("the pipeline has no scheme `{scheme}`"));
        }
        // Without a version before, nobody came, and a new scheme nobody came to.
        if plan.against.is_none() {
            return Ok(Vec::new());
        }
        let all = &plan.customers;
        let counted: Vec<(&str, u64, u64)> = match (self.what, &self.scheme) {
            (What::Left, None) => vec![("all", all.left, all.before)],
            (What::Came, None) => vec![("all", all.came, all.before)],
            _ => schemes.iter().map(|scheme| self.of(scheme)).collect(),
        };
        let exceeds = |(_, customers, of): &(&str, u64, u64)| self.most.exceeded(*customers, *of);
        let word = match self.what {
            What::Moved => "",
            What::Left => "left, ",
            What::Came => "came, ",
        };
        let words = |(name, customers, of): (&str, u64, u64)| {
            let share = percent(customers, of);
            let before = if word.is_empty() { "" } else { " before" };
            format!("{name}: {word}{customers} of {of} customers{before} ({share})")
        };
        Ok(counted.into_iter().filter(exceeds).map(words).collect())
    }

    /// The scheme, whom the limit counts in it, and of how many.
    fn of<'s>(&self, scheme: &'s SchemeDiff) -> (&'s str, u64, u64) {
        let before = scheme
            .segments
            .iter()
            .map(|one| one.customers_before)
            .sum::<i64>();
        let before = u64::try_from(before).unwrap_or(0);
        let moves = scheme.moves.iter();
        let (counted, of) = match self.what {
            What::Moved => (scheme.moved, scheme.compared),
            What::Left => (
                moves
                    .filter(|one| one.to_segment_id.is_none())
                    .map(|one| one.customers)
                    .sum(),
                before,
            ),
            What::Came => (
                moves
                    .filter(|one| one.from_segment_id.is_none())
                    .map(|one| one.customers)
                    .sum(),
                before,
            ),
        };
        (scheme.scheme.as_str(), counted, of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_numbers_or_shares_of_one_scheme_or_all() {
        let limit = |scheme: Option<&str>, what, most| {
            Some(Limit {
                scheme: scheme.map(str::to_owned),
                what,
                most,
            })
        };
        assert_eq!(
            Limit::parse("moved > 5%"),
            limit(None, What::Moved, Most::Share(5.0))
        );
        assert_eq!(
            Limit::parse("touch.moved>200"),
            limit(Some("touch"), What::Moved, Most::Customers(200))
        );
        assert_eq!(
            Limit::parse("left > 1%"),
            limit(None, What::Left, Most::Share(1.0))
        );
        assert_eq!(
            Limit::parse("touch.came > 0"),
            limit(Some("touch"), What::Came, Most::Customers(0))
        );
        for wrong in [
            "",
            "moved",
            "moved < 5",
            ".moved > 5",
            "lost > 5%",
            "moved > 5.5",
            "moved > -1%",
        ] {
            assert_eq!(Limit::parse(wrong), None, "{wrong}");
        }
    }
}
