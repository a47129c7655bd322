//! What a run prints at its end.

use tessera_report::summary;

use crate::fixture;

#[test]
fn the_summary_fits_a_terminal_and_needs_no_colour() {
    let text = summary(&fixture::version("Champions", "At Risk")).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 100));
    insta::assert_snapshot!(text);
}
