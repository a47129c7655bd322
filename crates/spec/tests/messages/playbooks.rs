//! `[playbooks.NAME]`

use super::family;

#[test]
fn playbooks() {
    assert_told!(family(&[
        ("no scheme", "scheme = \"touch\"\n", ""),
        (
            "an unknown scheme",
            "scheme = \"touch\"",
            "scheme = \"tuoch\""
        ),
        (
            "an unknown segment",
            "scheme = \"touch\"",
            "scheme = \"touch\"\nsegment = \"high touch\""
        ),
        (
            "a name that is no segment",
            "[playbooks.rescue]",
            "[playbooks.winback]"
        ),
        (
            "an unknown tier",
            "scheme = \"touch\"",
            "scheme = \"tier\"\nsegment = \"mid\""
        ),
        (
            "two for one segment",
            "touch = \"high\"",
            "touch = \"high\"\n[playbooks.save]\nscheme = \"touch\"\nsegment = \"rescue\"",
        ),
        (
            "a name with spaces",
            "[playbooks.rescue]",
            "[playbooks.\"to the rescue\"]\nsegment = \"rescue\""
        ),
    ]));
}
