//! The forms of the values of a column, each with a value that has it: settings are tried with these instead of all values.

use std::collections::HashMap;

use tessera_expr::Type;
use tessera_expr::forms::Observed;
use tessera_spec::shown::{grouped, masked};

/// Forms that are remembered of a column.
const MOST_FORMS: usize = 4096;

/// Longest text that is remembered.
const LONGEST: usize = 100;

/// Forms of values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    texts: Vec<Observed>,
    places: HashMap<String, usize>,
    /// The form of the present value.
    form: String,
    /// Values whose form is not remembered.
    forgotten: u64,
}

impl Seen {
    /// A value without white space around it.
    pub(crate) fn add(&mut self, text: &str, ty: Type) {
        if text.len() > LONGEST {
            self.forgotten += 1;
            return;
        }
        self.form.clear();
        write_form(text, ty, &mut self.form);
        if let Some(place) = self.places.get(&self.form) {
            self.texts[*place].count += 1;
        } else if self.texts.len() < MOST_FORMS {
            self.places.insert(self.form.clone(), self.texts.len());
            self.texts.push(Observed {
                text: text.to_owned(),
                count: 1,
            });
        } else {
            self.forgotten += 1;
        }
    }

    /// A value of each form.
    pub(crate) fn texts(&self) -> &[Observed] {
        &self.texts
    }

    /// Every value has one of the forms.
    pub(crate) fn complete(&self) -> bool {
        self.forgotten == 0
    }

    /// The most frequent forms, each with how many values have it, as a message shows them.
    pub(crate) fn most_frequent(&self, most: usize) -> String {
        let mut forms: Vec<(String, u64)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for seen in &self.texts {
            let form = masked(&seen.text);
            let place = *places.entry(form.clone()).or_insert(forms.len());
            match forms.get_mut(place) {
                Some((_, count)) => *count += seen.count,
                None => forms.push((form, seen.count)),
            }
        }
        forms.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        let others: u64 = forms.iter().skip(most).map(|(_, count)| *count).sum();
        let shown = forms.iter().take(most);
        let mut shown: Vec<String> = shown
            .map(|(form, count)| format!("{} as `{form}`", grouped(*count)))
            .collect();
        if others + self.forgotten > 0 {
            shown.push(format!(
                "{} in other forms",
                grouped(others + self.forgotten)
            ));
        }
        shown.join(", ")
    }
}

/// What tells whether a setting reads a text, and whether as the same value. Of numbers these are the places of the signs; of times
/// also which numbers can be days, months and hours, and whether the first two are equal.
fn write_form(text: &str, ty: Type, form: &mut String) {
    if !matches!(ty, Type::Date | Type::Timestamp) {
        let digit = |c: char| if c.is_ascii_digit() { '9' } else { c };
        form.extend(text.chars().map(digit));
        return;
    }
    let mut numbers: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let is_digit = next.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != is_digit);
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        if !is_digit {
            form.push_str(part);
            continue;
        }
        if part.len() > 2 {
            form.extend(part.chars().map(|_| '9'));
            continue;
        }
        numbers.push(part);
        // Digits of a text that is not longer than two of them are a number.
        let class = match part.parse::<u8>().unwrap_or(u8::MAX) {
            0 => 'a',
            1..=12 => 'b',
            13..=23 => 'c',
            24..=31 => 'd',
            32..=59 => 'e',
            _ => 'f',
        };
        form.push('\u{0}');
        form.push(class);
        form.extend(part.chars().map(|_| '9'));
    }
    if let [one, other, ..] = numbers.as_slice()
        && one == other
    {
        form.push('=');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(texts: &[&str], ty: Type) -> Vec<(String, u64)> {
        let mut seen = Seen::default();
        for text in texts {
            seen.add(text, ty);
        }
        let texts = seen.texts().iter();
        texts.map(|seen| (seen.text.clone(), seen.count)).collect()
    }

    fn counted(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        let counted = expected.iter();
        counted
            .map(|(t, count)| ((*t).to_owned(), *count))
            .collect()
    }

    #[test]
    fn values_are_counted_by_what_tells_their_settings() {
        assert_eq!(
            forms(&["1.459", "2.000", "1.234,50", "12"], Type::Float),
            counted(&[("1.459", 2), ("1.234,50", 1), ("12", 1)])
        );
        assert_eq!(
            forms(
                &["03/04/2025", "05/06/2025", "05/05/2025", "03/14/2025"],
                Type::Date
            ),
            counted(&[("03/04/2025", 2), ("05/05/2025", 1), ("03/14/2025", 1)])
        );
    }

    #[test]
    fn what_is_not_remembered_is_counted() {
        let mut seen = Seen::default();
        seen.add(&"9".repeat(LONGEST + 1), Type::Float);
        seen.add("1.5", Type::Float);
        seen.add("2.5", Type::Float);
        assert!(!seen.complete());
        assert_eq!(seen.most_frequent(2), "2 as `9.9`, 1 in other forms");
    }
}
