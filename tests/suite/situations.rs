//! Failures of nightly runs in one table: the exit code, whether a version was published, and the message, which names the
//! operation, the path and the operating system error where there is one. Schedulers rely on what the snapshot shows.

#[path = "situations/place.rs"]
mod place;
#[path = "situations/table.rs"]
mod table;

use std::fmt::Write;
use std::fs;

use crate::changing_lake::library;
use crate::inject::injector;
use place::{Place, summary};
use table::{OF_THE_COMMIT, OF_THE_DATA, OF_THE_DISK, OF_THE_FILE, OF_THE_STORE};

const DAY: &str = "2026-10-31";

#[test]
fn each_situation_has_its_exit_code_and_a_message_that_says_what_to_do() {
    if injector().is_none() || library().is_none() {
        return;
    }
    let groups = [
        OF_THE_FILE,
        OF_THE_DATA,
        OF_THE_DISK,
        OF_THE_STORE,
        OF_THE_COMMIT,
    ];
    let (mut all, mut wrong) = (String::new(), Vec::new());
    for situation in groups.into_iter().flatten() {
        let place = Place::new();
        let output = (situation.meet)(&place);
        let said = place.said(&output);
        let code = output.status.code().unwrap_or(-1);
        let versions = place.versions();
        let published = versions.iter().any(|day| day == DAY);
        writeln!(
            all,
            "## {}\nexit code {code}; {}{}\n{said}\n",
            situation.name,
            match (published, versions.len()) {
                (true, _) => "the day has a version",
                (false, 0) => "no version",
                (false, _) => "no version of the day",
            },
            summary(&output).map_or_else(String::new, |state| format!("; {state}"))
        )
        .unwrap();
        let stated = situation.errno.is_none_or(|errno| {
            said.contains(&format!("(os error {errno})"))
                && (said.contains("DIR") || said.contains("stdout"))
        });
        // The last line of a run states whether a version is published, and so does the message of a failure after the commit.
        let told = summary(&output).is_none_or(|state| {
            let is_published = state.starts_with("version ") || state.contains("in doubt");
            is_published == situation.published
        });
        if (code, published) != (situation.code, situation.published) || !stated || !told {
            wrong.push(format!("{}: {code}, {published}: {said}", situation.name));
        }
        let left: Vec<_> = fs::read_dir(place.path("work"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("tessera-work"))
            .collect();
        if !left.is_empty() {
            wrong.push(format!("{}: left {left:?}", situation.name));
        }
    }
    insta::assert_snapshot!("messages", all);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
