//! Texts of customers, each kept once.

use std::collections::HashMap;

use super::TABLE_ENTRY_BYTES;
use crate::aggregate::batch::Code;

/// Texts by code, in the order in which they were first seen.
#[derive(Default)]
pub(crate) struct Texts {
    /// By the hashes of the texts.
    codes: HashMap<u128, u64>,
    texts: Vec<Box<str>>,
    /// Bytes of the texts.
    text_bytes: usize,
}

impl Texts {
    /// The code of a text with this hash, which is kept if it is new.
    pub(super) fn code<'t>(&mut self, hash: Code, text: impl FnOnce() -> &'t str) -> u64 {
        let next = self.texts.len() as u64;
        let code = *self.codes.entry(hash.bits()).or_insert(next);
        if code == next {
            let text = text();
            self.texts.push(text.into());
            self.text_bytes += text.len();
        }
        code
    }

    /// The text of a code; none of a word that stands for null.
    pub(crate) fn get(&self, code: u64) -> Option<&str> {
        let place = usize::try_from(code).ok()?;
        self.texts.get(place).map(|text| &**text)
    }

    /// The texts by code.
    pub(super) fn all(&self) -> &[Box<str>] {
        &self.texts
    }

    /// Bytes of what is kept.
    pub(super) fn bytes(&self) -> usize {
        2 * self.texts.len() * TABLE_ENTRY_BYTES + self.text_bytes
    }
}
