//! `[vars]` and `${name}`.

use super::{GOOD, changed, family, messages};
use crate::syntax;

#[test]
fn variables() {
    assert_told!(family(&[
        (
            "an unknown variable",
            "path = \"${lake}/orders\"",
            "path = \"${lak}/orders\""
        ),
        (
            "a variable that is declared later",
            "lake = \"data/lake\"",
            "lake = \"${out}/lake\""
        ),
        (
            "no closing brace",
            "path = \"${lake}/orders\"",
            "path = \"${lake/orders\""
        ),
        (
            "a secret where none belongs",
            "path = \"${lake}/orders\"",
            "path = \"${env:LAKE}/orders\""
        ),
        (
            "a variable that is no text",
            "lake = \"data/lake\"",
            "lake = 5"
        ),
        (
            "a variable of an odd name",
            "lake = \"data/lake\"",
            "\"lake dir\" = \"x\"\nlake = \"data/lake\""
        ),
    ]));
}

#[test]
fn variables_of_the_command_line() {
    assert_told!("misspelt", messages(GOOD, &[("lke", "/data")]));
    let none = changed("[vars]\nlake = \"data/lake\"\nout = \"data/store\"\n", "")
        .replace("${lake}", "lake")
        .replace("${out}", "out");
    assert_told!("none_declared", messages(&none, &[("lake", "/data")]));
}

#[test]
fn growth_is_bounded() {
    let mut vars = String::from("a0 = \"0123456789\"\n");
    for i in 1..40 {
        vars.push_str(&format!("a{i} = \"${{a{0}}}${{a{0}}}\"\n", i - 1));
    }
    let found = messages(
        &changed(
            "lake = \"data/lake\"",
            &format!("lake = \"data/lake\"\n{vars}"),
        ),
        &[],
    );
    assert!(
        found.contains("TS-P010") && found.contains("longer than 65536 bytes"),
        "{found}"
    );
}

#[test]
fn the_command_line_wins_and_variables_may_use_earlier_ones() {
    let text = changed("out = \"data/store\"", "out = \"${lake}/store\"");
    let vars = [("lake".to_owned(), "/mnt".to_owned())];
    let (pipeline, found) = tessera_spec::parse(&text, "p.toml", &vars, &syntax());
    assert!(found.is_empty());
    let pipeline = pipeline.unwrap();
    assert_eq!(pipeline.store, "/mnt/store/retail");
    assert_eq!(pipeline.sources[0].path.value, "/mnt/orders");
    // The last of several wins, as everywhere on the command line.
    let vars = [vars[0].clone(), ("lake".to_owned(), "/srv".to_owned())];
    let (pipeline, _) = tessera_spec::parse(&text, "p.toml", &vars, &syntax());
    assert_eq!(pipeline.unwrap().store, "/srv/store/retail");
}
