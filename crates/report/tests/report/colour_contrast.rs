//! Contrast of text with its background, by the formula of WCAG 2.2 (relative luminance, contrast ratio), in both themes.

use std::collections::BTreeMap;

const STYLE: &str = include_str!("../../templates/style.css");

/// The variables of the light and the dark theme.
fn themes() -> [BTreeMap<String, [f64; 3]>; 2] {
    let mut blocks = STYLE
        .split(":root {")
        .skip(1)
        .map(|block| block.split('}').next().unwrap());
    let mut read = || {
        let colour = |declaration: &str| {
            let (name, value) = declaration.trim().split_once(": #")?;
            let channel = |i: usize| {
                f64::from(u8::from_str_radix(&value[2 * i..2 * i + 2], 16).unwrap()) / 255.0
            };
            Some((
                name.trim_start_matches("--").to_owned(),
                [channel(0), channel(1), channel(2)],
            ))
        };
        blocks
            .next()
            .unwrap()
            .split(';')
            .filter_map(colour)
            .collect()
    };
    [read(), read()]
}

fn luminance(colour: [f64; 3]) -> f64 {
    let linear = |c: f64| {
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
}

fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn black_on_white_is_21_to_1() {
    assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
}

#[test]
fn text_reaches_aa_in_both_themes() {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for text in ["ink", "soft", "link", "good", "bad"] {
        pairs.extend(["paper", "card"].map(|ground| (text.to_owned(), ground.to_owned())));
    }
    pairs.extend(["h0", "h1", "h2", "h3"].map(|ground| ("h-ink".to_owned(), ground.to_owned())));
    pairs.extend(["h4", "h5"].map(|ground| ("h-ink-dark".to_owned(), ground.to_owned())));
    pairs.extend(
        [
            "a1", "a2", "a3", "b1", "b2", "b3", "g1", "g2", "g3", "d1", "d2", "d3",
        ]
        .map(|ground| ("ink".to_owned(), ground.to_owned())),
    );
    pairs.extend((0..6).map(|i| (format!("s{i}-ink"), format!("s{i}"))));
    pairs.push(("soft".to_owned(), "h0".to_owned()));
    for (theme, colours) in ["light", "dark"].iter().zip(themes()) {
        for (text, ground) in &pairs {
            let ratio = contrast(colours[text], colours[ground]);
            assert!(ratio >= 4.5, "{theme}: {text} on {ground} is {ratio:.2}");
        }
    }
}

#[test]
fn bars_and_dots_stand_out_in_both_themes() {
    for (theme, colours) in ["light", "dark"].iter().zip(themes()) {
        for mark in [
            "customers",
            "value",
            "risk",
            "above",
            "below",
            "bad",
            "quarantined",
            "dropped",
        ] {
            let ratio = contrast(colours[mark], colours["paper"]);
            assert!(ratio >= 3.0, "{theme}: {mark} on paper is {ratio:.2}");
        }
    }
}
