//! What `check` says of text files that are read in part or in another way than they were written, and that following it helps.

use crate::text_forms::{Lake, PLAIN, pipeline, texts};

/// One file in latin1 among those in UTF-8: no setting reads both, and what `encoding` would spoil is said.
#[test]
fn files_in_utf_8_that_are_read_in_another_encoding_are_named() {
    let head = "id,at,amount\n";
    let utf8 = format!("{head}K\u{fc}ster,2026-10-01,1\n");
    let plain = format!("{head}x,2026-10-01,1\n");
    let latin1 = [
        head.as_bytes(),
        b"M\xfcller,2026-10-02,2\nG\xf6\xdf,2026-10-02,2\n",
    ]
    .concat();
    let marked = format!("\u{feff}{utf8}");
    let files: [(&str, &[u8]); 4] = [
        ("a.csv", utf8.as_bytes()),
        ("b.csv", plain.as_bytes()),
        ("c.csv", &latin1),
        ("d.csv", marked.as_bytes()),
    ];
    let (code, said) = Lake::new(&pipeline("", PLAIN), &files).check();
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("c.csv line 2: its byte 2 (0xfc) is not UTF-8"),
        "{said}"
    );
    let help =
        "if other files of the source are not written like this one, write it again like them";
    assert!(said.contains(help), "{said}");

    let stated = pipeline("[sources.orders.text]\nencoding = \"latin1\"", PLAIN);
    let lake = Lake::new(&stated, &files);
    let named = "1 file (a.csv) holds UTF-8 and is read as `latin1`";
    let (code, said) = lake.check();
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains(&format!("warning[TS-L006]: source `orders`: {named}")),
        "{said}"
    );
    lake.run();
    let warnings = lake.table("sources").texts("warnings")[0].clone();
    assert!(warnings.is_some_and(|warnings| warnings.contains(named)));
    let worst = lake.table("sources").texts("worst_warning");
    assert_eq!(worst, texts(&["changed"]));
    let (_, said) = Lake::new(&stated, &files[1..]).check();
    assert!(!said.contains("TS-L006"), "{said}");
}

/// What `check` advises reads the values.
#[test]
fn what_is_advised_of_signs_and_of_times_of_day_reads_all_values() {
    let text = "id,at,amount\na,2026-10-01 00:00:00,\"1.234,50\"\nb,2026-10-02 10:30:00,1.000\nc,2026-10-02 10:30:00,\"12,5\"\n";
    let dates = PLAIN.replace("\"timestamp\"", "\"date\"");
    let files: [(&str, &[u8]); 1] = [("a.csv", text.as_bytes())];
    let (code, said) = Lake::new(&pipeline("", &dates), &files).check();
    assert_eq!(code, Some(0), "{said}");
    let numbers = "decimal = \",\", thousands = \".\"";
    for part in [
        &format!(
            "for `amount`: {numbers}, which reads all values; those that are read now become other numbers"
        ),
        "for `at`: type = \"timestamp\"",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let advised = PLAIN.replace("\"f64\"", &format!("{{ type = \"f64\", {numbers} }}"));
    let customers = Lake::new(&pipeline("", &advised), &files).run();
    assert_eq!(
        customers.floats("spend"),
        [Some(1234.5), Some(1000.0), Some(12.5)]
    );
}

/// Excel shows 46023 as 2026-01-01; the fraction is the time of day.
#[test]
fn dates_of_a_sheet_as_numbers_are_named_with_what_reads_them() {
    for (second, ty, derived) in [
        ("46024", "i64", "date '1899-12-30' + at"),
        ("46024.25", "f64", "date '1899-12-30' + cast(at as bigint)"),
    ] {
        let text = format!("id,at,amount\na,46023,1\nb,{second},2\n");
        let files: [(&str, &[u8]); 1] = [("a.csv", text.as_bytes())];
        let (_, said) = Lake::new(&pipeline("", PLAIN), &files).check();
        let advice = format!(
            "declare it as \"{ty}\" and derive the date: `derive = {{ at_day = \"{derived}\" }}`"
        );
        assert!(said.contains(&advice), "{said}");
        let columns = PLAIN.replace("\"timestamp\"", &format!("\"{ty}\""));
        let text = format!("derive = {{ at_day = \"{derived}\" }}\n");
        let followed = pipeline(&text, &columns)
            .replace("time = \"at\"", "time = \"at_day\"")
            .replace("of = \"at\"", "of = \"at_day\"");
        let lake = Lake::new(&followed, &files);
        let customers = lake.run();
        assert_eq!(customers.shown("last_at"), "2026-01-01");
        assert_eq!(customers.texts("id"), texts(&["a", "b"]));
    }
}

#[test]
fn names_in_another_case_and_titles_before_the_header_are_named() {
    let upper: [(&str, &[u8]); 1] = [("a.csv", b"ID,AT,AMOUNT\na,2026-10-01,1\n")];
    let (code, said) = Lake::new(&pipeline("", PLAIN), &upper).check();
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("case-sensitive: write `ID` in place of `id`"),
        "{said}"
    );
    let title: [(&str, &[u8]); 1] = [("a.csv", b"Orders of 2026\nid,at,amount\na,2026-10-01,1\n")];
    let (_, said) = Lake::new(&pipeline("", PLAIN), &title).check();
    assert!(
        said.contains("stand in a later line, set `skip_lines`"),
        "{said}"
    );
    let mixed: [(&str, &[u8]); 2] = [
        ("a.csv", b"id,at,amount\na,2026-10-01,1\n"),
        ("b.csv", b"id,at,Amount\na,2026-10-01,1\n"),
    ];
    let (_, said) = Lake::new(&pipeline("", PLAIN), &mixed).check();
    assert!(
        said.contains("there are files that have `Amount`"),
        "{said}"
    );
}
