//! Causes of moves of customers of a real lake, compared with an independent computation.

use crate::oracle::{python, script};
use crate::program::{public_data, run};

#[test]
fn causes_of_online_retail_are_those_of_a_replay_in_duckdb() {
    let (Some(data), Some(python)) = (public_data("online_retail"), python()) else {
        return;
    };
    let store = tempfile::tempdir().unwrap();
    let lake = format!("lake={}", data.display());
    let out = format!("out={}", store.path().display());
    let file = "pipelines/online_retail.toml";
    for day in ["2011-10-31", "2011-11-30"] {
        let arguments = [
            "run", file, "--as-of", day, "--var", &lake, "--var", &out, "--quiet",
        ];
        run(&arguments, 0);
    }
    let store = store.path().join("online_retail").display().to_string();
    script(
        &python,
        "replay.py",
        &[&data.display().to_string(), &store, "2"],
    );
    script(&python, "drift.py", &[&store, "2"]);
}
