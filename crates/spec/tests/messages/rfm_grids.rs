//! `kind = "rfm_grid"`

use super::family;

const GRID: &str = "grid = \"eleven\"";
const METHOD: &str = "score_method = \"midrank\"";

#[test]
fn grids() {
    assert_told!(family(&[
        ("no grid", "grid = \"eleven\"\n", ""),
        (
            "a named grid of four scores",
            GRID,
            "scores = 4\ngrid = \"eleven\""
        ),
        ("too many scores", GRID, "scores = 10\ngrid = \"eleven\""),
        ("a grid that is a number", GRID, "grid = 11"),
        ("a grid of no lines", GRID, "grid = []"),
        ("a line that is a text", GRID, "grid = [\"best\"]"),
        ("a line without a segment", GRID, "grid = [{ r = [4, 5] }]"),
        (
            "a line with the name of those without scores",
            GRID,
            "grid = [{ segment = \"Not Scored\", r = [4, 5] }]"
        ),
        (
            "a range that falls",
            GRID,
            "grid = [{ segment = \"best\", r = [5, 4] }]"
        ),
        (
            "a range beyond the scores",
            GRID,
            "grid = [{ segment = \"best\", f = [4, 6] }]"
        ),
        (
            "a range of fractions",
            GRID,
            "grid = [{ segment = \"best\", m = [4.5, 5] }]"
        ),
        (
            "a line with an unknown key",
            GRID,
            "grid = [{ segment = \"best\", recency = [4, 5] }]"
        ),
    ]));
}

#[test]
fn score_methods() {
    assert_told!(family(&[
        ("an unknown method", METHOD, "score_method = \"ntile\""),
        (
            "thresholds without edges",
            METHOD,
            "score_method = \"threshold\""
        ),
        ("a method that is a number", METHOD, "score_method = 5"),
        (
            "a table without a kind",
            METHOD,
            "score_method = { closed = \"left\" }"
        ),
        (
            "an unknown side",
            METHOD,
            "score_method = { kind = \"quantile\", closed = \"both\" }"
        ),
        (
            "edges for two of three",
            METHOD,
            "score_method = { kind = \"threshold\", recency = [1, 2, 3, 4], frequency = [1, 2, 3, 4] }",
        ),
        (
            "too few edges",
            METHOD,
            "score_method = { kind = \"threshold\", recency = [1, 2, 3], frequency = [1, 2, 3, 4], monetary = [1, 2, 3, 4] }",
        ),
        (
            "edges that do not rise",
            METHOD,
            "score_method = { kind = \"threshold\", recency = [1, 2, 2, 4], frequency = [1, 2, 3, 4], monetary = [1, 2, 3, 4] }",
        ),
        (
            "a version before the first",
            METHOD,
            "score_method = { kind = \"frozen\", version = 0 }"
        ),
        ("two weights", METHOD, "weights = [10, 1]"),
        ("weights of nothing", METHOD, "weights = [0, 0, 0]"),
    ]));
}
