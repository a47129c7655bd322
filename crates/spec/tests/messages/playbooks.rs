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
        (
            "an unknown format of its export",
            "touch = \"high\"",
            "touch = \"high\"\nexport = { format = \"cvs\" }"
        ),
        (
            "an unknown key of its export",
            "touch = \"high\"",
            "touch = \"high\"\nexport = { fields = [\"customer_id\"] }"
        ),
        (
            "an export that is no table",
            "touch = \"high\"",
            "touch = \"high\"\nexport = \"csv\""
        ),
        (
            "an exported column that is listed twice",
            "touch = \"high\"",
            "touch = \"high\"\nexport = { columns = [\"customer_id\", \"country\", \"country\"] }"
        ),
        (
            "an export without columns",
            "touch = \"high\"",
            "touch = \"high\"\nexport = { columns = [] }"
        ),
        (
            "an export without the key",
            "touch = \"high\"",
            "touch = \"high\"\nexport = { columns = [\"country\", \"spend_90d\"] }"
        ),
    ]));
}
