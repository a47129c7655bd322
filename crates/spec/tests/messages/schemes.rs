//! `[schemes.NAME]`

use super::family;

#[test]
fn kinds() {
    assert_told!(family(&[
        ("no kind", "kind = \"attribute\"\n", ""),
        ("a kind of numbers", "kind = \"attribute\"", "kind = 1"),
        (
            "a scheme that is a text",
            "[schemes.market]\nkind = \"attribute\"\nby = \"country\"\nmin_share = 0.01",
            "[schemes]\nmarket = \"country\""
        ),
        (
            "a key of another kind",
            "by = \"country\"",
            "by = \"country\"\notherwise = \"x\""
        ),
        ("a share of everyone", "min_share = 0.01", "min_share = 1.5"),
    ]));
}

#[test]
fn refit() {
    assert_told!(family(&[
        (
            "a refit of what learns nothing",
            "min_share = 0.01",
            "refit = \"1mo\""
        ),
        (
            "a time of another form",
            "min_share = 0.01",
            "min_share = 0.01\nrefit = \"monthly\""
        ),
        (
            "no time at all",
            "min_share = 0.01",
            "min_share = 0.01\nrefit = \"0d\""
        ),
        (
            "a number of days",
            "min_share = 0.01",
            "min_share = 0.01\nrefit = 30"
        ),
    ]));
}

#[test]
fn quantiles() {
    assert_told!(family(&[
        ("tiers that fall", "high = 0.20", "high = 0.01"),
        ("tiers that end early", "low = 1.0", "low = 0.9"),
        ("tiers beyond everyone", "low = 1.0", "low = 100"),
        ("tiers of nobody", "top = 0.05", "top = 0"),
        (
            "no tiers",
            "tiers = { top = 0.05, high = 0.20, low = 1.0 }\n",
            ""
        ),
        (
            "empty tiers",
            "tiers = { top = 0.05, high = 0.20, low = 1.0 }",
            "tiers = {}"
        ),
        (
            "names in a circle",
            "tiers = { top = 0.05, high = 0.20, low = 1.0 }",
            "tiers = { top = 0.05, high = 0.20, low = 1.0 }\nwas = { top = \"high\", high = \"low\", low = \"top\" }"
        ),
        (
            "a tier named as the missing",
            "low = 1.0 }",
            "unknown = 1.0 }"
        ),
        ("a share in quotes", "high = 0.20", "high = \"20%\""),
        ("no number to rank by", "by = \"spend_90d\"\n", ""),
    ]));
}

#[test]
fn rules() {
    assert_told!(family(&[
        ("no otherwise", "otherwise = \"tech-touch\"\n", ""),
        (
            "a rule without a condition",
            "{ segment = \"rescue\", when = \"recency_days > 90\" },",
            "{ segment = \"rescue\" },"
        ),
        ("a rule without a segment", "segment = \"high-touch\", ", ""),
        (
            "a rule that is a text",
            "{ segment = \"high-touch\", when = \"tier = 'top'\" },",
            "\"tier = 'top'\","
        ),
        (
            "a rule with an unknown key",
            "when = \"tier = 'top'\"",
            "when = \"tier = 'top'\", then = \"x\""
        ),
        (
            "no rules",
            "rules = [\n  { segment = \"rescue\", when = \"recency_days > 90\" },\n  { segment = \"high-touch\", when = \"tier = 'top'\" },\n]\notherwise = \"tech-touch\"",
            "rules = []\notherwise = \"rescue\"",
        ),
    ]));
}

#[test]
fn clusters() {
    assert_told!(family(&[
        ("no k", "k = \"auto\"\n", ""),
        ("k by an unknown word", "k = \"auto\"", "k = \"best\""),
        ("k of nothing", "k = \"auto\"", "k = 0"),
        ("an empty range", "k = \"auto\"", "k = { from = 8, to = 3 }"),
        ("half a range", "k = \"auto\"", "k = { from = 3 }"),
        (
            "a range from one",
            "k = \"auto\"",
            "k = { from = 1, to = 4 }"
        ),
        (
            "no features",
            "features = [\"recency_days\", \"spend_90d\"]\n",
            ""
        ),
        (
            "an empty list of features",
            "features = [\"recency_days\", \"spend_90d\"]",
            "features = []"
        ),
        (
            "a feature twice",
            "features = [\"recency_days\", \"spend_90d\"]",
            "features = [\"recency_days\", \"recency_days\"]"
        ),
        (
            "too few names",
            "k = \"auto\"",
            "k = 3\nnames = [\"a\", \"b\"]"
        ),
        (
            "too many names",
            "k = \"auto\"",
            "k = { from = 2, to = 3 }\nnames = [\"a\", \"b\", \"c\", \"d\"]"
        ),
        (
            "all of both tails",
            "k = \"auto\"",
            "k = \"auto\"\nwinsorise = 0.5"
        ),
        (
            "an unknown transform",
            "k = \"auto\"",
            "k = \"auto\"\ntransform = \"log\""
        ),
        (
            "a small sample",
            "k = \"auto\"",
            "k = \"auto\"\nsample = 10"
        ),
    ]));
}
