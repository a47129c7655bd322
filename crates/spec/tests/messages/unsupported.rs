//! Keys and values that are not supported yet are errors, never ignored.

use super::family;

#[test]
fn tables_and_keys_of_later_versions() {
    assert_told!(family(&[
        (
            "engines",
            "currency = \"GBP\"",
            "currency = \"GBP\"\nengine = { kind = \"spark\" }"
        ),
        (
            "lakes in object stores",
            "path = \"${lake}/orders\"",
            "path = \"s3://lake/orders\""
        ),
        (
            "snapshots in object stores",
            "out = \"data/store\"",
            "out = \"gs://bucket/store\""
        ),
        (
            "ages of attributes",
            "base = \"geographic\"",
            "base = \"geographic\", max_age_days = 30"
        ),
    ]));
}
