//! Finds which of very many patterns match a text: exact ones and prefixes by look-up, all others in one automaton.

use std::collections::HashMap;

use regex::bytes::{RegexSet, RegexSetBuilder};

use super::expression::anchored;
use super::pattern::Kind;
use super::policy::CompileError;
use super::prefixes::Prefixes;

/// What bounds all expressions together, in bytes of their compiled form: some fifty thousand usual ones.
const MAX_EXPRESSIONS: usize = 256 << 20;

/// What bounds the part of the automaton that is kept between searches, in bytes a thread.
const MAX_CACHE: usize = 16 << 20;

/// One pattern of one rule. In the order in which matches are reported: the rules' own, then names before files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PatternId {
    /// The rule's index.
    pub(super) rule: usize,
    /// Which list of the rule.
    pub(super) list: List,
    /// The pattern's index in that list.
    pub(super) index: usize,
}

/// The lists of patterns that a rule has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Names,
    /// What an inventory lists: no pattern, so never in a [`Matcher`].
    Listed,
    Except,
    Files,
}

/// Patterns of many rules, compiled together.
#[derive(Debug)]
pub(super) struct Matcher {
    exact: HashMap<Box<str>, Vec<PatternId>>,
    prefixes: Prefixes,
    expressions: RegexSet,
    expression_ids: Vec<PatternId>,
}

impl Matcher {
    /// Compiles `patterns`.
    pub(super) fn compile<'a>(patterns: impl IntoIterator<Item = (PatternId, Kind<'a>)>) -> Result<Self, CompileError> {
        let mut exact: HashMap<Box<str>, Vec<PatternId>> = HashMap::new();
        let mut prefixes = Prefixes::default();
        let mut sources = Vec::new();
        let mut expression_ids = Vec::new();
        for (id, kind) in patterns {
            match kind {
                Kind::Exact(text) => exact.entry(text.into()).or_default().push(id),
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
        Ok(Self { exact, prefixes, expressions, expression_ids })
    }

    /// Appends the patterns that match `text` to `found`, in no order. Allocates nothing unless there is one.
    pub(super) fn find(&self, text: &str, found: &mut Vec<PatternId>) {
        if let Some(ids) = self.exact.get(text) {
            found.extend_from_slice(ids);
        }
        self.prefixes.find(text, found);
        // `matches` allocates for its answer; `is_match` does not, and mostly says that there is none.
        if !self.expressions.is_empty() && self.expressions.is_match(text.as_bytes()) {
            let matched = self.expressions.matches(text.as_bytes());
            found.extend(matched.iter().filter_map(|index| self.expression_ids.get(index)));
        }
    }
}
