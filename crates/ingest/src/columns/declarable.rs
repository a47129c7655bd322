//! Which declaration reads every form in which files hold a column: for messages about columns that none reads as they are declared.

use tessera_expr::rel::Stored;
use tessera_spec::pipeline::ColumnType;

use super::types::widens;

/// Declarations, each with its settings and what it supposes of the values.
type Declaration = (ColumnType, &'static str, &'static str);

/// Those that are named, the more exact ones first. With settings, texts are converted value by value.
const DECLARATIONS: [Declaration; 10] = [
    (ColumnType::Bool, "\"bool\"", ""),
    (
        ColumnType::Bool,
        "{ type = \"bool\", nulls = [] }",
        " where the texts are words for true and false",
    ),
    (ColumnType::I64, "\"i64\"", ""),
    (ColumnType::Decimal, "\"decimal\"", ""),
    (ColumnType::F64, "\"f64\"", ""),
    (
        ColumnType::String,
        "\"string\"",
        " where they are names or ids",
    ),
    (
        ColumnType::F64,
        "{ type = \"f64\", decimal = \".\" }",
        " where all are numbers",
    ),
    (ColumnType::Date, "\"date\"", ""),
    (ColumnType::Timestamp, "\"timestamp\"", ""),
    (
        ColumnType::Timestamp,
        "{ type = \"timestamp\", format = \"%Y-%m-%d %H:%M:%S\" }",
        " where all are times, with the form that the texts have",
    ),
];

/// What to declare so that all these forms are read, as a sentence; none where nothing does. Ids are whole numbers.
pub(super) fn declarable(forms: &[&Stored], is_id: bool) -> Option<String> {
    let fractions =
        |stored: &&Stored| matches!(stored, Stored::Float { .. } | Stored::Decimal { .. });
    let texts = forms.iter().any(|stored| **stored == Stored::String);
    if is_id && forms.iter().any(fractions) {
        let with_texts =
            "declare it as { type = \"i64\", decimal = \".\" } where all are whole numbers";
        let whole = forms
            .iter()
            .all(|stored| reads(stored, ColumnType::I64, texts));
        return whole.then(|| with_texts.to_owned());
    }
    let fitting = DECLARATIONS.iter().filter(|(ty, written, _)| {
        let stated = written.starts_with('{');
        // An integer type reads fractions too, and rejects the rows.
        let loses = *ty == ColumnType::I64 && forms.iter().any(fractions)
            || *ty == ColumnType::Date
                && forms
                    .iter()
                    .any(|stored| matches!(stored, Stored::Timestamp { .. }));
        stated <= texts && !loses && forms.iter().all(|stored| reads(stored, *ty, stated))
    });
    let named: Vec<String> = fitting
        .map(|(_, written, supposed)| format!("{written}{supposed}"))
        .take(2)
        .collect();
    (!named.is_empty()).then(|| format!("declare it as {}", named.join(", or as ")))
}

/// The declaration of a type by which texts of Parquet files are converted to it: one with a setting.
pub(super) fn of_texts(declared: ColumnType) -> &'static str {
    match declared {
        ColumnType::Bool => "{ type = \"bool\", nulls = [] }",
        ColumnType::F32 | ColumnType::F64 => "{ type = \"f64\", decimal = \".\" }",
        ColumnType::Decimal => "{ type = \"decimal(18, 2)\", decimal = \".\" }",
        ColumnType::Money => "\"money\"",
        ColumnType::String => "\"string\"",
        ColumnType::Date => {
            "{ type = \"date\", format = \"%Y-%m-%d\" } with the form that they have"
        }
        ColumnType::Timestamp => {
            "{ type = \"timestamp\", format = \"%Y-%m-%d %H:%M:%S\" } with the form that they have"
        }
        _ => "{ type = \"i64\", decimal = \".\" }",
    }
}

/// Whether the type holds the form; with settings, texts are converted.
fn reads(stored: &Stored, ty: ColumnType, stated: bool) -> bool {
    let converted = stated && *stored == Stored::String;
    widens(if converted { &Stored::Text } else { stored }, ty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_that_reads_all_forms_is_named() {
        let int = Stored::Int {
            bits: 64,
            signed: true,
        };
        let float = Stored::Float { bits: 64 };
        let decimal = Stored::Decimal {
            precision: 10,
            scale: 2,
        };
        let time = Stored::Timestamp {
            ticks_per_second: 1_000,
            zone: None,
        };
        let text = Stored::String;
        let numbers = "{ type = \"f64\", decimal = \".\" } where all are numbers";
        for (forms, is_id, expected) in [
            (vec![&int, &float, &text], false, Some(numbers.to_owned())),
            (vec![&decimal, &text], false, Some(numbers.to_owned())),
            (
                vec![&int, &text],
                false,
                Some(format!(
                    "\"string\" where they are names or ids, or as {numbers}"
                )),
            ),
            (
                vec![&int, &float, &text],
                true,
                Some("{ type = \"i64\", decimal = \".\" } where all are whole numbers".to_owned()),
            ),
            (vec![&decimal, &float], false, Some("\"f64\"".to_owned())),
            (
                vec![&Stored::Date, &time, &text],
                false,
                Some("{ type = \"timestamp\", format = \"%Y-%m-%d %H:%M:%S\" } where all are times, with the form that the texts have".to_owned()),
            ),
            (
                vec![&Stored::Bool, &text],
                false,
                Some("{ type = \"bool\", nulls = [] } where the texts are words for true and false".to_owned()),
            ),
            (vec![&Stored::Bool, &int], false, None),
            (vec![&int, &time, &text], false, None),
        ] {
            let found = declarable(&forms, is_id);
            let expected = expected.map(|expected| format!("declare it as {expected}"));
            assert_eq!(found, expected, "{forms:?}");
        }
    }
}
