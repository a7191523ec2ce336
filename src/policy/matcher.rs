//! Finds which of very many patterns match a text: exact ones and prefixes by look-up, all others in one automaton.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use regex::bytes::{RegexSet, RegexSetBuilder};

use super::expression::anchored;
use super::pattern::Kind;
use super::policy::CompileError;
use super::prefixes::Prefixes;
use super::sieve::Sieve;

/// What bounds all expressions together, in bytes of their compiled form: some fifty thousand usual ones.
const MAX_EXPRESSIONS: usize = 256 << 20;

/// What bounds the part of the automaton that is kept between searches, in bytes a thread.
const MAX_CACHE: usize = 16 << 20;

/// One pattern of one rule. In the order in which matches are reported: the rules' own, then names before files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PatternId {
    /// The rule's index.
    pub(super) rule: u32,
    /// Which list of the rule.
    pub(super) list: List,
    /// The pattern's index in that list.
    pub(super) index: u32,
}

/// The lists of patterns that a rule has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Names,
    /// The exact ones among the names, for what looks like them.
    Lookalikes,
    /// What an inventory lists: no pattern, so never in a [`Matcher`].
    Listed,
    Except,
    Files,
}

/// Texts, and the patterns that each belongs to: mostly one, which needs no list of its own.
///
/// Strangers choose what is looked up, and the rules' author what is in the tables: whoever can't add to a table can't
/// make its chains long. So they get by with a fast hash, which is seeded nevertheless.
#[derive(Debug, Default)]
pub(super) struct Texts {
    first: HashMap<Box<[u8]>, PatternId, RandomState>,
    others: HashMap<Box<[u8]>, Vec<PatternId>, RandomState>,
}

/// Patterns of many rules, compiled together.
#[derive(Debug)]
pub(super) struct Matcher {
    exact: Texts,
    prefixes: Prefixes,
    expressions: RegexSet,
    sieve: Sieve,
    expression_ids: Vec<PatternId>,
}

impl PatternId {
    /// The pattern at `index` in a list of the rule at `rule`.
    pub(super) fn new(rule: usize, list: List, index: usize) -> Self {
        // Nobody writes four billion rules; the last id then belongs to no pattern.
        let narrow = |wide: usize| u32::try_from(wide).unwrap_or(u32::MAX);
        Self { rule: narrow(rule), list, index: narrow(index) }
    }

    /// The rule's index.
    pub(super) const fn rule(self) -> usize {
        self.rule as usize
    }

    /// The pattern's index in its list.
    pub(super) const fn index(self) -> usize {
        self.index as usize
    }
}

impl Matcher {
    /// Compiles `patterns`.
    pub(super) fn compile<'a>(patterns: impl IntoIterator<Item = (PatternId, Kind<'a>)>) -> Result<Self, CompileError> {
        let mut exact = Texts::default();
        let mut prefixes = Prefixes::default();
        let mut sources = Vec::new();
        let mut expression_ids = Vec::new();
        for (id, kind) in patterns {
            match kind {
                Kind::Exact(text) => exact.add(text, id),
                Kind::Prefix(prefix) => prefixes.add(prefix, id),
                Kind::Expression(source) => {
                    sources.push(anchored(source));
                    expression_ids.push(id);
                }
            }
        }
        let expressions = RegexSetBuilder::new(&sources)
            .unicode(false)
            .size_limit(MAX_EXPRESSIONS)
            .dfa_size_limit(MAX_CACHE)
            .build()
            .map_err(|error| CompileError::TooLarge(error.to_string()))?;
        let sieve = Sieve::of(&sources);
        Ok(Self { exact, prefixes, expressions, sieve, expression_ids })
    }

    /// Appends the patterns that match `text` to `found`, in no order. Allocates nothing unless there is one.
    #[inline]
    pub(super) fn find(&self, text: &[u8], found: &mut Vec<PatternId>) {
        self.exact.find(text, found);
        self.prefixes.find(text, found);
        // `matches` allocates for its answer; `is_match` does not, and mostly says that there is none.
        let matches = || self.sieve.passes(text).unwrap_or_else(|| self.expressions.is_match(text));
        if !self.expressions.is_empty() && matches() {
            let matched = self.expressions.matches(text);
            found.extend(matched.iter().filter_map(|index| self.expression_ids.get(index)));
        }
    }
}

impl Texts {
    /// Adds `text` for the pattern `id`.
    pub(super) fn add(&mut self, text: &str, id: PatternId) {
        let text = text.as_bytes();
        if self.first.contains_key(text) {
            self.others.entry(text.into()).or_default().push(id);
        } else {
            self.first.insert(text.into(), id);
        }
    }

    /// Appends the patterns that `text` belongs to to `found`.
    #[inline]
    pub(super) fn find(&self, text: &[u8], found: &mut Vec<PatternId>) {
        let Some(first) = self.first.get(text) else { return };
        found.push(*first);
        if let Some(others) = self.others.get(text) {
            found.extend_from_slice(others);
        }
    }
}
