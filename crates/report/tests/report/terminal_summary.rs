//! What a run prints at its end.

use tessera_report::summary;

use crate::fixture;

#[test]
fn the_summary_fits_a_terminal_and_needs_no_colour() {
    let text = summary(&fixture::version("Champions", "At Risk")).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 100));
    // Of four customers one has a KPI; of three, two.
    assert_eq!(text.matches("% of 1").count(), 1, "{text}");
    assert!(!text.contains("% of 2"), "{text}");
    insta::assert_snapshot!(text);
}
