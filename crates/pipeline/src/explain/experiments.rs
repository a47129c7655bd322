//! The experiments that a customer takes part in.

use serde::Serialize;
use serde_json::Value;

use super::rows::Rows;

/// An experiment that the customer takes part in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExperimentExplained {
    /// The experiment.
    pub experiment: String,
    /// The variant.
    pub variant: String,
    /// The day on which the customer was drawn.
    pub enrolled_on: Option<String>,
    /// Whether the variant is the control.
    pub control: bool,
    /// The scheme and the segment whose playbook a control is not in; none where it is in no playbook at all.
    pub of: Option<(String, String)>,
}

/// The experiments of the customer of a row, as the pipeline declares them.
pub(super) fn experiments(
    declared: &Value,
    customers: &Rows,
    row: usize,
) -> Vec<ExperimentExplained> {
    let declared = declared["experiments"].as_array();
    let of = |experiment: &Value| {
        let name = experiment["name"].as_str()?;
        let variant = customers.text(name, row)?;
        let text = |key: &str| Some(experiment["of"][key].as_str()?.to_owned());
        Some(ExperimentExplained {
            control: experiment["variants"][0]["name"].as_str() == Some(&variant),
            enrolled_on: customers.text(&format!("{name}_enrolled_on"), row),
            of: text("scheme").zip(text("segment")),
            experiment: name.to_owned(),
            variant,
        })
    };
    declared.into_iter().flatten().filter_map(of).collect()
}

impl ExperimentExplained {
    /// In one line.
    pub(super) fn words(&self) -> String {
        let since = self.enrolled_on.as_ref();
        let since = since.map_or_else(String::new, |day| format!(" since {day}"));
        let kept_out = match (self.control, &self.of) {
            (false, _) => String::new(),
            (true, Some((scheme, segment))) => {
                format!(": in no playbook of segment {segment} of {scheme}")
            }
            (true, None) => ": in no playbook".to_owned(),
        };
        format!("{}: {}{since}{kept_out}", self.experiment, self.variant)
    }
}
