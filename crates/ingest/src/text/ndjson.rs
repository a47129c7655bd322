//! NDJSON: one JSON object a line; a column is a key of any of them.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::footer;
use crate::digest::{BUFFER, Digested};
use crate::footer::Footer;

/// Reads the file. The error is a sentence about it, with the line.
pub(crate) fn ndjson(path: &Path) -> Result<Footer, String> {
    let mut input = BufReader::with_capacity(BUFFER, Digested::open(path)?);
    let mut names: Vec<String> = Vec::new();
    let mut line = Vec::new();
    let mut rows = 0;
    for number in 1_u64.. {
        line.clear();
        let length = input
            .read_until(b'\n', &mut line)
            .map_err(|error| error.to_string())?;
        if length == 0 {
            break;
        }
        let text = str::from_utf8(&line).map_err(|_| format!("line {number}: not UTF-8"))?;
        if !text.trim().is_empty() {
            rows += 1;
            keys(text, &mut names)
                .map_err(|error| format!("line {number}: not a JSON object ({error})"))?;
        }
    }
    if names.is_empty() {
        return Err("the file is empty".to_owned());
    }
    Ok(footer(input.into_inner(), names, rows))
}

/// Adds the keys of an object that are new.
fn keys(text: &str, names: &mut Vec<String>) -> serde_json::Result<()> {
    let mut parser = serde_json::Deserializer::from_str(text);
    parser.deserialize_map(Keys { names })?;
    parser.end()
}

struct Keys<'n> {
    names: &'n mut Vec<String>,
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, words: &mut fmt::Formatter<'_>) -> fmt::Result {
        words.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if !self.names.contains(&key) {
                self.names.push(key);
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}
