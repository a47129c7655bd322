//! `[experiments.NAME]`

use super::{GOOD, family_below};

/// An experiment without mistakes.
const MAIL: &str = r#"
[experiments.mail]
scheme = "touch"
segment = "rescue"
variants = { control = 0.2, offer = 0.8 }
metric = "spend_90d"
starts = 2026-10-01
ends = 2026-12-31
"#;

#[test]
fn experiments() {
    assert_told!(family_below(
        GOOD,
        MAIL,
        &[
            ("an unknown scheme", "\"touch\"", "\"tuoch\""),
            ("an unknown segment", "\"rescue\"", "\"resuce\""),
            ("a scheme without a segment", "segment = \"rescue\"\n", ""),
            ("a segment without a scheme", "scheme = \"touch\"\n", ""),
            (
                "no variants",
                "variants = { control = 0.2, offer = 0.8 }\n",
                ""
            ),
            ("one variant", "control = 0.2, offer = 0.8", "control = 0.2"),
            ("too much", "offer = 0.8", "offer = 0.81"),
            ("nothing", "offer = 0.8", "offer = 0"),
            ("percent", "offer = 0.8", "offer = 80"),
            ("no control", "control = 0.2", "none = 0.2"),
            (
                "another control that is no variant",
                "metric =",
                "control = \"none\"\nmetric ="
            ),
            ("no metric", "metric = \"spend_90d\"\n", ""),
            ("an end before the start", "2026-12-31", "2026-09-30"),
            (
                "a day in quotes",
                "starts = 2026-10-01",
                "starts = \"2026-10-01\""
            ),
            ("months after", "metric =", "after = \"1mo\"\nmetric ="),
            (
                "the name of a scheme",
                "[experiments.mail]",
                "[experiments.rfm]"
            ),
            (
                "a name with a dash",
                "[experiments.mail]",
                "[experiments.win-back]"
            ),
        ]
    ));
}

#[test]
fn an_experiment_of_all_customers() {
    let text = "\n[experiments.holdout]\nvariants = { treated = 0.9, none = 0.1 }\ncontrol = \"none\"\nmetric = \"spend_90d\"\n";
    assert_eq!(super::messages(&format!("{GOOD}{text}"), &[]), "");
}
