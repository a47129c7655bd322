//! The page needs no other file: well formed, no script but its own, nothing fetched, every link within the page.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
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
        "http:",
        "https:",
        "url(",
        "@import",
        "src=",
        "<link",
        "eval(",
        "fetch(",
        "innerHTML",
    ] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.contains("default-src 'none'"));
    assert_eq!(html.matches("<script").count(), 1);
}

#[test]
fn the_policy_lets_only_the_pages_own_script_run() {
    let html = render(&company::input(), &Options::default()).unwrap();
    let script = html.split("<script>").nth(1).unwrap();
    let script = script.split("</script>").next().unwrap();
    assert!(script.len() < 30_000, "{} bytes", script.len());
    let policy = html.split("script-src 'sha256-").nth(1).unwrap();
    let stated = policy.split('\'').next().unwrap();
    let decoded = stated.bytes().filter(|b| *b != b'=').fold(
        (Vec::new(), 0_u32, 0),
        |(mut out, bits, n), letter| {
            let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let value = letters.find(char::from(letter)).unwrap() as u32;
            let (bits, n) = (bits << 6 | value, n + 6);
            if n >= 8 {
                out.push((bits >> (n - 8)) as u8);
            }
            (out, bits, if n >= 8 { n - 8 } else { n })
        },
    );
    assert_eq!(decoded.0[..], Sha256::digest(script.as_bytes())[..]);
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
    let first = text.split("Value tier").next().unwrap();
    for answer in [
        "20,000",
        "misses the target: below 25.0%",
        "By segment",
        "Warnings",
    ] {
        assert!(first.contains(answer), "{answer}");
    }
    assert!(text.contains("due in 39 days"));
}
