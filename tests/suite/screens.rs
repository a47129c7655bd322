//! The size of the demo's report in a browser: a first page of one screen and one sheet, nine screens before the appendix, nothing
//! wider than the window of a phone.

use std::path::PathBuf;
use std::process::Command;

use crate::oracle::{python, script};
use crate::program::{root, run};

/// Chromium, where it is installed: the gate does not bring it.
fn has_chromium() -> bool {
    let named = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    Command::new(named)
        .arg("--version")
        .output()
        .is_ok_and(|found| found.status.success())
}

/// The Python of the oracles, where there is a Chromium, too.
fn python_and_chromium() -> Option<PathBuf> {
    let python = python()?;
    if !has_chromium() {
        println!("skipped: there is no Chromium");
        return None;
    }
    Some(python)
}

#[test]
fn the_report_of_the_demo_fits_screen_sheet_and_phone() {
    let Some(python) = python_and_chromium() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    run(&["demo", &path, "--customers", "6000", "--quiet"], 0);
    // Of three versions, so that the first page has moves.
    let report = format!("{path}/store/demo/reports/version-3.html");
    script(&python, "screens.py", &[&report, "9"]);
}

/// Names as long as they may be, in words and in one word, from left to right and from right to left.
#[test]
fn the_longest_names_stay_in_their_tables_and_charts() {
    let Some(python) = python_and_chromium() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    run(&["demo", &path, "--customers", "1500", "--quiet"], 0);
    let mut text = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    for (name, long) in [
        (
            "high-touch",
            "لقاء شخصي مع العملاء ذوي القيمة العالية الذين يفضلون الاتصال المباشر بنا دائما",
        ),
        (
            "listen",
            "לקוחות שאינם מרוצים ופתחו לפחות שתי פניות דחופות בחצי השנה האחרונה לצערנו כי",
        ),
        (
            "win-back",
            "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverkäuferkundenkreis",
        ),
        (
            "tech-touch",
            "Everybody else, who is served by newsletters and the self-service portal alone",
        ),
    ] {
        for key in ["segment = ", "segment   = ", "otherwise = "] {
            text = text.replace(&format!("{key}\"{name}\""), &format!("{key}\"{long}\""));
        }
        let playbook = format!("[playbooks.{name}]\n");
        text = text.replace(&playbook, &format!("{playbook}segment = \"{long}\"\n"));
    }
    let file = dir.path().join("long.toml").display().to_string();
    std::fs::write(&file, text).unwrap();
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/long"));
    for day in ["2026-09-30", "2026-10-31"] {
        let arguments = [
            "run", &file, "--var", &lake, "--var", &out, "--as-of", day, "--quiet",
        ];
        run(&arguments, 0);
    }
    let report = format!("{path}/long/demo/reports/version-2.html");
    script(&python, "screens.py", &[&report, "0"]);
}
