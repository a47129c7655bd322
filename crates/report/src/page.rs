//! The whole page: sections are rendered one by one and inserted into the frame.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::facts::{Facts, Scheme};
use crate::section::{Build, Part, SECTIONS, Section};
use crate::text::{self, Name};
use crate::{ReportError, ReportInput};

/// The templates of the frame, and those used by all sections.
const FRAME: &[(&str, &str)] = &[
    ("page.html", include_str!("../templates/page.html")),
    ("style.css", include_str!("../templates/style.css")),
    ("draw.html", include_str!("../templates/draw.html")),
    ("script.js", include_str!("../templates/script.js")),
];

/// How a report is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Templates that replace embedded ones, by the names of [`template_names`].
    pub templates: BTreeMap<String, String>,
    /// Rejected rows shown for each rule; 0 shows none, for reports that may not hold personal data.
    pub reject_examples: usize,
    /// Customers shown on the first page, those to act on first; 0 shows none, since reports are sent by mail.
    pub customers: usize,
}

impl Options {
    /// No row of a customer is shown.
    pub(crate) fn without_persons() -> Self {
        Self {
            reject_examples: 0,
            customers: 0,
            ..Self::default()
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            templates: BTreeMap::new(),
            reject_examples: 3,
            customers: 20,
        }
    }
}

/// Names of the templates that [`Options::templates`] can replace.
pub fn template_names() -> Vec<String> {
    embedded().map(|(name, _)| name).collect()
}

/// Renders one version as one HTML file without references to other files. Its only script sorts, filters and copies; the page
/// is complete without it. The same input gives the same bytes.
///
/// # Errors
/// [`ReportError::MissingColumn`] and [`ReportError::ColumnType`] where a published table is not what it should be,
/// [`ReportError::Template`] and [`ReportError::UnknownTemplate`] where a replaced template is wrong.
pub fn render(input: &ReportInput, options: &Options) -> Result<String, ReportError> {
    let facts = Facts::read(input, options)?;
    let templates = environment(options)?;
    let (mut front, mut middle, mut appendix) = (Vec::new(), Vec::new(), Vec::new());
    for section in SECTIONS {
        let (list, build) = match section.build {
            Build::Front(build) => (&mut front, build),
            Build::Middle(build) => (&mut middle, build),
            Build::Appendix(build) => (&mut appendix, build),
            Build::Scheme(_) => continue,
        };
        list.extend(block(&templates, section, section.name, build(&facts)?)?);
    }
    let mut schemes = Vec::new();
    for scheme in facts.in_order() {
        schemes.push(chapter(&templates, &facts, scheme)?);
    }
    // The content security policy of the page allows only the script with this hash.
    let script = templates.get_template("script.js")?.render(())?;
    let meta = facts.meta;
    let page = context! {
        pipeline => text::title(&meta.name.replace('-', "_")),
        as_of => text::date(meta.as_of),
        as_of_iso => meta.as_of.to_string(),
        version => meta.version,
        sample => meta.sample.map(crate::number::percent),
        generator => concat!("tessera ", env!("CARGO_PKG_VERSION")),
        before => facts.earlier().map(|before| before.date()),
        script_hash => Value::from_safe_string(base64(&Sha256::digest(script.as_bytes()))),
        script => Value::from_safe_string(script),
        front => Serde(front),
        middle => Serde(middle),
        schemes => Serde(schemes),
        appendix => Serde(appendix),
    };
    Ok(templates.get_template("page.html")?.render(page)?)
}

/// A rendered section. `html` is the output of its template and thus escaped already.
#[derive(Serialize)]
struct Block {
    name: &'static str,
    anchor: String,
    title: &'static str,
    html: Option<Value>,
    not_computed: Option<String>,
}

/// A scheme with its sections.
#[derive(Serialize)]
struct Chapter {
    title: String,
    column: Name,
    kind: String,
    anchor: String,
    parts: Vec<Block>,
}

fn chapter(
    templates: &Environment<'_>,
    facts: &Facts<'_>,
    scheme: &Scheme,
) -> Result<Chapter, ReportError> {
    let mut parts = Vec::new();
    for section in SECTIONS {
        if let Build::Scheme(build) = section.build {
            let anchor = format!("{}-{}", scheme.anchor, section.name);
            parts.extend(block(templates, section, &anchor, build(facts, scheme)?)?);
        }
    }
    Ok(Chapter {
        title: text::title(&scheme.name),
        column: Name::new(&scheme.name),
        kind: scheme.words.clone(),
        anchor: scheme.anchor.clone(),
        parts,
    })
}

fn block(
    templates: &Environment<'_>,
    section: &Section,
    anchor: &str,
    part: Part,
) -> Result<Option<Block>, ReportError> {
    let (html, not_computed) = match part {
        Part::NotApplicable => return Ok(None),
        Part::NotComputed(reason) => (None, Some(reason)),
        Part::Ready(values) => {
            let html = templates
                .get_template(&section_template(section))?
                .render(values)?;
            (Some(Value::from_safe_string(html)), None)
        }
    };
    Ok(Some(Block {
        name: section.name,
        anchor: anchor.to_owned(),
        title: section.title,
        html,
        not_computed,
    }))
}

fn section_template(section: &Section) -> String {
    format!("sections/{}.html", section.name)
}

fn embedded() -> impl Iterator<Item = (String, &'static str)> {
    let frame = FRAME.iter().map(|(name, text)| ((*name).to_owned(), *text));
    frame.chain(
        SECTIONS
            .iter()
            .map(|section| (section_template(section), section.template)),
    )
}

/// The templates: every `.html` escapes its values, and an unknown name is an error.
fn environment(options: &Options) -> Result<Environment<'static>, ReportError> {
    let names = template_names();
    if let Some(name) = options.templates.keys().find(|name| !names.contains(name)) {
        return Err(ReportError::UnknownTemplate {
            name: name.clone(),
            available: names,
        });
    }
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".html") {
            AutoEscape::Html
        } else {
            AutoEscape::None
        }
    });
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    for (name, text) in embedded() {
        let text = options
            .templates
            .get(&name)
            .cloned()
            .unwrap_or_else(|| text.to_owned());
        environment.add_template_owned(name, text)?;
    }
    Ok(environment)
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let mut bits = [0_u8; 4];
        bits[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(bits);
        for place in 0..4 {
            match place <= three.len() {
                true => out.push(char::from(
                    LETTERS[(bits >> (18 - 6 * place) & 63) as usize],
                )),
                false => out.push('='),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ];
        for (bytes, text) in vectors {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
