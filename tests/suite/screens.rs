//! The size of the demo's report in a browser: a first page of one screen and one sheet, nine screens before the appendix, nothing
//! wider than the window of a phone.

use std::process::Command;

use crate::oracle::{python, script};
use crate::program::run;

/// Chromium, where it is installed: the gate does not bring it.
fn has_chromium() -> bool {
    let named = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    Command::new(named)
        .arg("--version")
        .output()
        .is_ok_and(|found| found.status.success())
}

#[test]
fn the_report_of_the_demo_fits_screen_sheet_and_phone() {
    let Some(python) = python() else { return };
    if !has_chromium() {
        println!("skipped: there is no Chromium");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    run(&["demo", &path, "--customers", "6000", "--quiet"], 0);
    // Of three versions, so that the first page has moves.
    let report = format!("{path}/store/demo/reports/version-3.html");
    script(&python, "screens.py", &[&report, "9"]);
}
