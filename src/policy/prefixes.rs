//! Finds those of many prefixes that a text begins with, at the price of one look-up when there is none.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::matcher::{PatternId, Texts};

/// How many leading bytes decide whether there is anything to look for.
const LEAD: usize = 4;

/// Prefixes, and the patterns that each belongs to.
///
/// The leading bytes of a text say which lengths of prefixes are worth a look-up: for nearly every name, none. Only the
/// prefixes that are shorter than that are looked up for every name, and they have three lengths between them.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    patterns: Texts,
    lengths: HashMap<[u8; LEAD], Vec<usize>, RandomState>,
    short: Vec<usize>,
}

impl Prefixes {
    /// Adds `prefix` for the pattern `id`.
    pub(super) fn add(&mut self, prefix: &str, id: PatternId) {
        let lengths = match prefix.as_bytes().first_chunk() {
            Some(lead) => self.lengths.entry(*lead).or_default(),
            None => &mut self.short,
        };
        if let Err(at) = lengths.binary_search(&prefix.len()) {
            lengths.insert(at, prefix.len());
        }
        self.patterns.add(prefix, id);
    }

    /// Appends the patterns whose prefix `text` begins with to `found`.
    #[inline]
    pub(super) fn find(&self, text: &[u8], found: &mut Vec<PatternId>) {
        self.find_of(&self.short, text, found);
        if let Some(lengths) = text.first_chunk().and_then(|lead| self.lengths.get(lead)) {
            self.find_of(lengths, text, found);
        }
    }

    fn find_of(&self, lengths: &[usize], text: &[u8], found: &mut Vec<PatternId>) {
        for &length in lengths {
            let Some(prefix) = text.get(..length) else { break };
            self.patterns.find(prefix, found);
        }
    }
}
