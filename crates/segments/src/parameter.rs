//! One row of the published table `models`.

use serde::{Deserialize, Serialize};
use tessera_spec::figure::Figure;

/// One row of the `models` table: something that was fitted, derived from the data or set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// What the parameter belongs to, such as `rfm_grid` or `kmeans`.
    pub model: String,
    /// Its name, for people.
    pub name: String,
    /// A number.
    pub value: Option<f64>,
    /// A text.
    pub text: Option<String>,
    /// What the row states; `None` in rows of stored artifacts of programs that did not say so.
    #[serde(default)]
    pub figure: Option<Figure>,
}

impl Parameter {
    /// A number; null where it is not finite.
    pub fn number(model: &str, name: impl Into<String>, value: f64) -> Self {
        Self {
            model: model.to_owned(),
            name: name.into(),
            value: Some(value).filter(|value| value.is_finite()),
            text: None,
            figure: Some(Figure::Parameter),
        }
    }

    /// A text.
    pub fn text(model: &str, name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            value: None,
            text: Some(text.into()),
            ..Self::number(model, name, f64::NAN)
        }
    }

    /// An estimate of a parameter, and its standard error.
    pub fn estimate(model: &str, name: &str, value: f64, standard_error: f64) -> [Self; 2] {
        let error = Self::number(model, format!("{name}_standard_error"), standard_error);
        [
            Self::number(model, name, value).stating(Figure::Estimate(name.to_owned())),
            error.stating(Figure::StandardError(name.to_owned())),
        ]
    }

    /// Which model of a score is used, and why.
    pub fn choice(served: &str, reason: &str) -> [Self; 2] {
        const MODEL: &str = "choice";
        [
            Self::text(MODEL, "served", served).stating(Figure::Served),
            Self::text(MODEL, "reason", reason).stating(Figure::Reason),
        ]
    }

    /// The same row, with what it states.
    pub fn stating(self, figure: Figure) -> Self {
        Self {
            figure: Some(figure),
            ..self
        }
    }

    /// The same row, with a text beside its number.
    pub fn with_text(self, text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stored_without_a_figure_states_nothing() {
        let stored = r#"{"model": "choice", "name": "served", "value": null, "text": "logistic"}"#;
        let row: Parameter = serde_json::from_str(stored).unwrap();
        assert_eq!(row.figure, None);
        let now = serde_json::to_string(&Parameter::choice("logistic", "")[0]).unwrap();
        let read: Parameter = serde_json::from_str(&now).unwrap();
        assert_eq!(read.figure, Some(Figure::Served));
    }
}
