//! One JSON object as keys and the texts of its values (RFC 8259, strictly).
//!
//! Numbers stay as they are written, so that no digit is lost. A lone surrogate and a repeated key are faults: neither has one
//! meaning that readers agree upon.

use std::borrow::Cow;

/// Deepest nesting of arrays and objects.
pub(crate) const MAX_DEPTH: usize = 128;

/// The value of a key as a text; null where it is null.
pub(crate) type Value<'t> = Option<Cow<'t, str>>;

/// Reads an object and hands over its keys and values. The error is a sentence about it.
pub(crate) fn object<'t>(
    text: &'t str,
    mut take: impl FnMut(Cow<'t, str>, Value<'t>) -> Result<(), String>,
) -> Result<(), String> {
    let mut parser = Parser { text, at: 0 };
    parser.blank();
    if !parser.eat(b'{') {
        return Err("not a JSON object".to_owned());
    }
    parser.blank();
    if !parser.eat(b'}') {
        loop {
            parser.blank();
            let key = parser.string()?;
            parser.blank();
            parser.expect(b':')?;
            parser.blank();
            let value = parser
                .value()
                .map_err(|error| format!("{error}, in `{}`", shortened(&key)))?;
            take(key, value)?;
            parser.blank();
            if parser.eat(b'}') {
                break;
            }
            parser.expect(b',')?;
        }
    }
    parser.blank();
    match parser.rest().is_empty() {
        true => Ok(()),
        false => Err(parser.unexpected()),
    }
}

fn shortened(key: &str) -> String {
    key.chars().take(60).collect()
}

struct Parser<'t> {
    text: &'t str,
    /// Always at a character's first byte where a `Cow` is cut from the text.
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn blank(&mut self) {
        let blank = self
            .rest()
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += blank.count();
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.rest().first() == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        match self.eat(byte) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    fn unexpected(&self) -> String {
        let place = self.at + 1;
        let found = self
            .text
            .get(self.at..)
            .and_then(|rest| rest.chars().next());
        match found {
            Some(found) => format!("not a JSON object: unexpected {found:?} at byte {place}"),
            None => format!("not a JSON object: it ends at byte {place}"),
        }
    }

    fn value(&mut self) -> Result<Value<'t>, String> {
        let from = self.at;
        match self.rest().first() {
            Some(b'"') => return self.string().map(Some),
            Some(b'n') => {
                self.word("null")?;
                return Ok(None);
            }
            Some(b'{' | b'[') => self.nested()?,
            _ => self.scalar()?,
        }
        Ok(self.text.get(from..self.at).map(Cow::Borrowed))
    }

    fn scalar(&mut self) -> Result<(), String> {
        match self.rest().first() {
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'"') => self.string().map(|_| ()),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        if self.rest().starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.unexpected())
    }

    fn digits(&mut self) -> Result<(), String> {
        let count = self
            .rest()
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        self.at += count;
        match count {
            0 => Err(self.unexpected()),
            _ => Ok(()),
        }
    }

    fn number(&mut self) -> Result<(), String> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'-') {
                self.eat(b'+');
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Passes over an array or object, whose text stays as it is.
    fn nested(&mut self) -> Result<(), String> {
        // Whether each open one is an object.
        let mut open: Vec<bool> = Vec::new();
        loop {
            self.blank();
            // A value begins here.
            let opened = match self.rest().first() {
                Some(b'{') => Some(true),
                Some(b'[') => Some(false),
                _ => None,
            };
            if let Some(object) = opened {
                if open.len() >= MAX_DEPTH {
                    return Err(format!("nested deeper than {MAX_DEPTH} levels"));
                }
                self.at += 1;
                self.blank();
                if !self.eat(if object { b'}' } else { b']' }) {
                    open.push(object);
                    if object {
                        self.key()?;
                    }
                    continue;
                }
            } else {
                self.scalar()?;
            }
            // A value has ended here.
            loop {
                let Some(object) = open.last().copied() else {
                    return Ok(());
                };
                self.blank();
                if self.eat(b',') {
                    if object {
                        self.blank();
                        self.key()?;
                    }
                    break;
                }
                self.expect(if object { b'}' } else { b']' })?;
                open.pop();
            }
        }
    }

    fn key(&mut self) -> Result<(), String> {
        self.string()?;
        self.blank();
        self.expect(b':')
    }

    fn string(&mut self) -> Result<Cow<'t, str>, String> {
        self.expect(b'"')?;
        let from = self.at;
        let mut owned: Option<String> = None;
        let mut copied = from;
        loop {
            let rest = self.rest();
            let Some(length) = rest
                .iter()
                .position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f))
            else {
                self.at = self.text.len();
                return Err(self.unexpected());
            };
            self.at += length;
            let plain = self.text.get(copied..self.at).unwrap_or_default();
            match rest[length] {
                b'"' => {
                    self.at += 1;
                    return Ok(match owned {
                        None => Cow::Borrowed(plain),
                        Some(text) => Cow::Owned(text + plain),
                    });
                }
                b'\\' => {
                    let text = owned.get_or_insert_with(String::new);
                    text.push_str(plain);
                    let escaped = self.escape()?;
                    owned.get_or_insert_with(String::new).push(escaped);
                    copied = self.at;
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        self.at += 1;
        let Some(code) = self.rest().first().copied() else {
            return Err(self.unexpected());
        };
        let simple = match code {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(simple)
    }

    /// `uXXXX`, or two of them for one character beyond the first plane.
    fn unicode(&mut self) -> Result<char, String> {
        let first = self.hex()?;
        let code = match first {
            0xd800..=0xdbff => {
                let paired = self.rest().starts_with(b"\\u");
                self.at += usize::from(paired);
                let second = if paired { self.hex()? } else { 0 };
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(format!("a lone surrogate \\u{first:04x}"));
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            code => code,
        };
        char::from_u32(code).ok_or_else(|| format!("a lone surrogate \\u{code:04x}"))
    }

    /// The four digits behind a `u`.
    fn hex(&mut self) -> Result<u32, String> {
        let digits = self
            .rest()
            .get(1..5)
            .and_then(|digits| str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                self.at += 5;
                Ok(code)
            }
            None => Err(self.unexpected()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Option<String>)>, String> {
        let mut found = Vec::new();
        object(text, |key, value| {
            found.push((key.into_owned(), value.map(Cow::into_owned)));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn values_are_texts_as_they_are_written() {
        let found = read(r#" {"a": 9007199254740993.10, "b":"x\n\u00e9\ud83d\ude00", "c":null, "d":[1, {"e":"}"}] ,"f":true} "#).unwrap();
        let found: Vec<Option<&str>> = found.iter().map(|(_, value)| value.as_deref()).collect();
        assert_eq!(
            found,
            [
                Some("9007199254740993.10"),
                Some("x\né😀"),
                None,
                Some(r#"[1, {"e":"}"}]"#),
                Some("true")
            ]
        );
        assert_eq!(read("{}").unwrap(), []);
    }

    #[test]
    fn what_has_no_meaning_is_named() {
        for (text, said) in [
            (r#"{"a":"\ud800"}"#, "a lone surrogate \\ud800, in `a`"),
            (r#"{"a":"\ude00x"}"#, "a lone surrogate \\ude00"),
            (r#"{"a":"\ud800\u0041"}"#, "a lone surrogate"),
            ("[1]", "not a JSON object"),
            ("{\"a\":1", "it ends at byte 7"),
            ("{\"a\":1}}", "unexpected '}' at byte 8"),
            ("{\"a\":NaN}", "unexpected 'N'"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        let deep = format!(
            "{{\"a\":{}1{}}}",
            "[".repeat(MAX_DEPTH + 1),
            "]".repeat(MAX_DEPTH + 1)
        );
        assert!(read(&deep).unwrap_err().contains("nested deeper than 128"));
        let deep = format!(
            "{{\"a\":{}1{}}}",
            "[".repeat(MAX_DEPTH),
            "]".repeat(MAX_DEPTH)
        );
        assert!(read(&deep).is_ok());
    }

    proptest! {
        /// serde_json accepts and refuses the same texts.
        #[test]
        fn the_same_objects_as_serde_json(text in r#"\{("[ab\\u0-9d]{0,8}":([-0-9.eE+]{1,5}|null|true|\[[0-9,\[\]]{0,4}\]|"[é\\nu0-9]{0,6}")[,} ]?){0,3}\}?"#) {
            let expected = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
            let found = read(&text);
            // serde_json takes numbers beyond a float for faults, and takes the last of repeated keys.
            let huge = expected.as_ref().err().is_some_and(|error| error.to_string().contains("out of range"));
            prop_assert!(huge || expected.is_ok() == found.is_ok(), "{} {:?} {:?}", text, expected, found);
            if let (Ok(expected), Ok(found)) = (expected, found) {
                for (key, value) in &expected {
                    let last = found.iter().rev().find(|(name, _)| name == key).unwrap();
                    match (value, &last.1) {
                        (serde_json::Value::String(text), Some(read)) => prop_assert_eq!(text, read),
                        (serde_json::Value::Null, read) => prop_assert!(read.is_none()),
                        (value, Some(read)) => prop_assert_eq!(value, &serde_json::from_str::<serde_json::Value>(read).unwrap()),
                        (_, None) => prop_assert!(false),
                    }
                }
            }
        }
    }
}
