//! Warnings of a source, with how much they weigh.

/// What a warning says of the rows of a source, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Rows that should be there are not.
    Missing,
    /// Rows, files or keys that are there are left out.
    LeftOut,
    /// Values are read as others than those of the files, or as null.
    Changed,
    /// Rows may mean something else than the pipeline file says.
    Meaning,
}

impl Weight {
    /// The word of the table `sources`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::LeftOut => "left out",
            Self::Changed => "changed",
            Self::Meaning => "meaning",
        }
    }
}

/// The warnings of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warnings(Vec<(Weight, String)>);

impl Warnings {
    pub(super) fn add(&mut self, weight: Weight, text: String) {
        self.0.push((weight, text));
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What the worst says.
    pub(super) fn worst(&self) -> Option<Weight> {
        self.0.iter().map(|(weight, _)| *weight).min()
    }

    /// All of them, the worst first, one a line.
    pub(super) fn lines(&self) -> Option<String> {
        let mut sorted: Vec<&(Weight, String)> = self.0.iter().collect();
        sorted.sort_by_key(|(weight, _)| *weight);
        one_a_line(sorted.into_iter().map(|(_, text)| text))
    }
}

/// Texts, one a line, also those that quote a condition of several lines; none without texts.
pub(super) fn one_a_line<'t>(texts: impl Iterator<Item = &'t String>) -> Option<String> {
    let line = |text: &String| {
        let parts = text.lines().map(str::trim).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(" ")
    };
    let lines: Vec<String> = texts.map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_stands_first_and_equals_keep_their_order() {
        let mut warnings = Warnings::default();
        assert_eq!((warnings.lines(), warnings.worst()), (None, None));
        for (weight, text) in [
            (Weight::Meaning, "d"),
            (Weight::LeftOut, "b"),
            (Weight::Missing, "a"),
            (Weight::LeftOut, "c\n  of two lines\n"),
        ] {
            warnings.add(weight, text.to_owned());
        }
        assert_eq!(warnings.lines().as_deref(), Some("a\nb\nc of two lines\nd"));
        assert_eq!(warnings.worst(), Some(Weight::Missing));
        assert_eq!(warnings.count(), 4);
    }
}
