//! Shipped pipelines with other comments, quotation marks, blanks and line breaks in expressions, and another order of tables and keys,
//! are the same pipelines.

use std::fs;
use std::path::PathBuf;

use tessera_pipeline::syntax;
use tessera_spec::{canonical, parse};

/// Keys whose texts are expressions.
const EXPRESSIONS: [&str; 12] = [
    "when",
    "where",
    "filter",
    "purchase",
    "check",
    "of",
    "expr",
    "active",
    "population",
    "now",
    "future",
    "past",
];

/// Tables whose keys may stand in any order, by the beginning of their names.
const UNORDERED: [&str; 5] = [
    "[goal]",
    "[customer]",
    "[sources.",
    "[scores.",
    "[features]",
];

/// Numbers below a limit, the same ones for the same seed.
fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    }
}

/// An expression with other blanks, outside of its quotes.
fn spread(text: &str, next: &mut impl FnMut(usize) -> usize) -> String {
    let mut spread = String::new();
    let mut quote = None;
    for c in text.chars() {
        if quote.is_none() && c == ' ' {
            spread.push_str([" ", "  ", "\n", " \n\t"][next(4)]);
            continue;
        }
        let around = quote.is_none() && "(),".contains(c) && next(2) == 0;
        if around && c != '(' {
            spread.push(' ');
        }
        quote = match quote {
            None if "'\"".contains(c) => Some(c),
            Some(open) if open == c => None,
            other => other,
        };
        spread.push(c);
        if around && c != ')' {
            spread.push(' ');
        }
    }
    spread
}

/// A text of TOML in other quotation marks.
fn quoted(text: &str, next: &mut impl FnMut(usize) -> usize) -> String {
    let has_lines = text.contains('\n');
    match next(3) {
        0 if !text.contains('\'') && !has_lines => format!("'{text}'"),
        1 if !text.contains('"') => format!("\"\"\"{text}\"\"\""),
        2 if !text.contains("'''") && !text.ends_with('\'') => format!("'''{text}'''"),
        _ => format!(
            "\"{}\"",
            text.replace('"', "\\\"")
                .replace('\n', "\\n")
                .replace('\t', "\\t")
        ),
    }
}

/// A line with other texts and comments; the key before a text says whether it is an expression.
fn rewritten(line: &str, next: &mut impl FnMut(usize) -> usize) -> String {
    let (mut written, mut rest) = (String::new(), line);
    while let Some(at) = rest.find(['"', '#']) {
        written.push_str(&rest[..at]);
        if rest[at..].starts_with('#') {
            rest = "";
            break;
        }
        let (text, behind) = rest[at + 1..].split_once('"').unwrap();
        assert!(!text.contains('\\'), "{line}");
        let key: String = written
            .trim_end()
            .trim_end_matches('=')
            .trim_end()
            .chars()
            .rev()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let key: String = key.chars().rev().collect();
        let is_value = written.trim_end().ends_with(['=', '[', ',', '{'])
            && !behind.trim_start().starts_with('=');
        let is_expression =
            written.trim_end().ends_with('=') && EXPRESSIONS.contains(&key.as_str());
        let text = if is_expression {
            spread(text, next)
        } else {
            text.to_owned()
        };
        written.push_str(&if is_value {
            quoted(&text, next)
        } else {
            format!("\"{text}\"")
        });
        rest = behind;
    }
    written.push_str(rest);
    if next(3) == 0 && !line.trim_start().starts_with('#') {
        written.push_str("   # seen");
    }
    written
}

fn shuffle<T>(all: &mut [T], next: &mut impl FnMut(usize) -> usize) {
    for at in (1..all.len()).rev() {
        all.swap(at, next(at + 1));
    }
}

/// A table with its keys in another order, where each stands on one line of its own.
fn reordered(table: &str, next: &mut impl FnMut(usize) -> usize) -> String {
    let (head, body) = table.split_once('\n').unwrap_or((table, ""));
    let is_whole = |line: &str| {
        let count = |of: &str| line.matches(|c| of.contains(c)).count();
        line.contains('=') && count("[{") == count("]}")
    };
    let mut lines: Vec<&str> = body
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .collect();
    let may = UNORDERED.iter().any(|name| head.starts_with(name)) && !head.contains("derive");
    // The order of the parts of a score has meaning.
    let may = may && !(head.starts_with("[scores.") && head.matches('.').count() > 1);
    if may && lines.iter().all(|line| is_whole(line)) {
        shuffle(&mut lines, next);
    }
    let lines: Vec<String> = lines
        .into_iter()
        .map(|line| rewritten(line, next))
        .collect();
    format!("{head}\n{}\n", lines.join("\n"))
}

fn of(text: &str) -> String {
    let (pipeline, found) = parse(text, "p.toml", &[], &syntax());
    assert!(!found.has_errors(), "{}\n{text}", found.render(false));
    canonical(&pipeline.unwrap())
}

#[test]
fn a_reformatted_pipeline_is_the_same() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
    let mut tested = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|end| end != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let wanted = of(&text);
        let mut tables: Vec<String> = vec![String::new()];
        for line in text.lines() {
            if line.starts_with('[')
                && line
                    .trim_end()
                    .split(" #")
                    .next()
                    .unwrap()
                    .trim_end()
                    .ends_with(']')
            {
                tables.push(String::new());
            }
            let last = tables.last_mut().unwrap();
            last.push_str(line);
            last.push('\n');
        }
        for seed in 0..40 {
            let mut next = random(seed);
            // Tables of arrays stay in their order.
            let (mut named, arrays): (Vec<&String>, Vec<&String>) = tables[1..]
                .iter()
                .partition(|table| !table.starts_with("[["));
            shuffle(&mut named, &mut next);
            let mut other = reordered(&format!("\n{}", tables[0]), &mut next);
            for table in named.into_iter().chain(arrays) {
                other.push_str(&reordered(table, &mut next));
            }
            assert_eq!(
                of(&other),
                wanted,
                "{}, seed {seed}:\n{other}",
                path.display()
            );
            tested += 1;
        }
    }
    assert_eq!(tested, 5 * 40);
}
