//! The page opens anywhere: well formed, no scripts, nothing fetched, every link within the page.

use std::collections::BTreeSet;

use tessera_report::{Options, render};

use crate::{company, fixture, markup};

#[test]
fn the_page_is_well_formed() {
    for input in [company::input(), fixture::version("a", "b")] {
        markup::parse(&render(&input, &Options::default()).unwrap()).unwrap();
    }
}

#[test]
fn nothing_is_run_or_fetched() {
    let html = render(&company::input(), &Options::default()).unwrap();
    for word in [
        "http:", "https:", "url(", "@import", "<script", "src=", "<link",
    ] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn anchors_are_unique_and_links_lead_to_them() {
    let document = markup::parse(&render(&company::input(), &Options::default()).unwrap()).unwrap();
    let attributes = |name: &'static str| {
        document
            .elements
            .iter()
            .flat_map(|e| &e.attributes)
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.clone())
    };
    let ids: Vec<String> = attributes("id").collect();
    let unique: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    for link in attributes("href") {
        assert!(
            ids.contains(&link.trim_start_matches('#').to_owned()),
            "{link}"
        );
    }
}

#[test]
fn the_first_screen_answers_what_a_lead_asks() {
    let text = markup::parse(&render(&company::input(), &Options::default()).unwrap())
        .unwrap()
        .text;
    let first = text.split("Goal and KPI").nth(1).unwrap();
    for answer in [
        "20,000",
        "misses the target: below 25.0%",
        "Most value:",
        "Most at stake off target:",
        "Rows read",
    ] {
        assert!(first.contains(answer), "{answer}");
    }
    assert!(text.contains("due in 39 days"));
}
