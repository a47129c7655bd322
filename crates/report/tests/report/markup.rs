//! A strict reader of HTML: every element closed in order, every attribute quoted, no stray angle bracket.

/// An element as it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
}

/// A parsed document.
#[derive(Debug, Default)]
pub struct Document {
    pub elements: Vec<Element>,
    pub text: String,
}

const BLOCKS: [&str; 12] = [
    "p", "div", "details", "section", "article", "figure", "table", "ul", "ol", "dl", "h3", "pre",
];
const VOID: [&str; 3] = ["meta", "br", "img"];

/// Reads a document, or says what is wrong with it and where.
pub fn parse(html: &str) -> Result<Document, String> {
    let mut document = Document::default();
    let mut open: Vec<String> = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap_or(html);
    while !rest.is_empty() {
        let at = |rest: &str| rest.chars().take(60).collect::<String>();
        let Some(tag) = rest.strip_prefix('<') else {
            let end = rest.find('<').unwrap_or(rest.len());
            let text = &rest[..end];
            if text.contains('>') && open.last().is_none_or(|o| o != "style" && o != "script") {
                return Err(format!("stray > in {}", at(text)));
            }
            document.text.push_str(&entities(text)?);
            rest = &rest[end..];
            continue;
        };
        if let Some(closing) = tag.strip_prefix('/') {
            let end = closing
                .find('>')
                .ok_or_else(|| format!("unclosed tag at {}", at(rest)))?;
            let expected = open.pop();
            if expected.as_deref() != Some(&closing[..end]) {
                return Err(format!("</{}> closes {expected:?}", &closing[..end]));
            }
            rest = &closing[end + 1..];
            continue;
        }
        let (element, self_closed, after) =
            element(tag).map_err(|e| format!("{e} at {}", at(rest)))?;
        // A browser closes a paragraph where one of these begins, and what follows is outside it.
        if BLOCKS.contains(&element.name.as_str()) && open.iter().any(|o| o == "p") {
            return Err(format!("<{}> in <p> at {}", element.name, at(rest)));
        }
        if !self_closed && !VOID.contains(&element.name.as_str()) {
            open.push(element.name.clone());
        }
        rest = after;
        if ["style", "script"].contains(&element.name.as_str()) {
            let end = format!("</{}>", element.name);
            rest = &rest[rest.find(&end).ok_or("style or script is not closed")?..];
        }
        document.elements.push(element);
    }
    if open.is_empty() {
        Ok(document)
    } else {
        Err(format!("not closed: {open:?}"))
    }
}

fn element(tag: &str) -> Result<(Element, bool, &str), String> {
    let name_end = tag
        .find(|c: char| !c.is_ascii_alphanumeric())
        .ok_or("tag without end")?;
    if name_end == 0 {
        return Err("stray <".to_owned());
    }
    let mut element = Element {
        name: tag[..name_end].to_owned(),
        attributes: Vec::new(),
    };
    let mut rest = &tag[name_end..];
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>") {
            return Ok((element, true, after));
        }
        if let Some(after) = rest.strip_prefix('>') {
            return Ok((element, false, after));
        }
        let (name, value) = rest
            .split_once("=\"")
            .ok_or("attribute without a quoted value")?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(format!("attribute name {name:?}"));
        }
        let (value, after) = value.split_once('"').ok_or("attribute without end")?;
        if value.contains('<') {
            return Err(format!("unescaped < in attribute {name}"));
        }
        if element.attributes.iter().any(|(n, _)| n == name) {
            return Err(format!("attribute {name} twice"));
        }
        element.attributes.push((name.to_owned(), entities(value)?));
        rest = after;
    }
}

/// Text with its character references resolved.
fn entities(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut parts = text.split('&');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (name, rest) = part
            .split_once(';')
            .ok_or_else(|| format!("unescaped & before {part:.20}"))?;
        out.push_str(match name {
            "lt" => "<",
            "gt" => ">",
            "amp" => "&",
            "quot" | "#34" => "\"",
            "#x27" => "'",
            "#x2f" => "/",
            "nbsp" => "\u{a0}",
            _ => return Err(format!("unknown reference &{name};")),
        });
        out.push_str(rest);
    }
    Ok(out)
}

#[test]
fn the_reader_refuses_what_is_wrong() {
    for wrong in [
        "<p>",
        "<p></b>",
        "<p a=b></p>",
        "<p title=\"<\"></p>",
        "a > b",
        "a & b",
        "<p",
        "< p></p>",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
    let right = parse("<p title=\"a &lt; b\">1 &gt; 0<br></p>").unwrap();
    assert_eq!(
        right.elements[0].attributes,
        [("title".to_owned(), "a < b".to_owned())]
    );
    assert_eq!(right.text, "1 > 0");
}
