//! Decides exactly whether an expression matches some, or every, valid name: its automaton is walked together with the
//! automaton of the valid names.
//!
//! A sample of names can only suggest that a pattern matches nothing, or everything. The walk proves it, and a pattern
//! that hides nothing is refused before anybody relies on it.

use std::collections::HashSet;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::NFA;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};

use crate::name::file::{MAX_FILE_NAME, is_file_byte};
use crate::name::project::MAX_NAME;

/// What bounds the automaton of one expression, in bytes. Beyond it the questions stay open, and nothing is refused.
const MAX_AUTOMATON: usize = 1 << 20;

/// A set of names: what a kind of pattern is matched against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// Normalized project names: letters and digits, with single dashes between them.
    Projects,
    /// File names, as [`FileName`](crate::name::FileName) takes them.
    Files,
}

/// How much of a language an expression matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coverage {
    /// At least one name.
    pub(super) some: bool,
    /// All names.
    pub(super) all: bool,
}

/// How far into a name: as much as must be remembered of what was read so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reading {
    Start,
    Separator,
    OneDot,
    TwoDots,
    Name,
}

/// An automaton of what an expression matches as a whole, of at most `limit` bytes.
pub(super) fn whole_names(limit: usize) -> dense::Config {
    dense::Config::new()
        .start_kind(StartKind::Anchored)
        // Else the search would stop at the match that the expression prefers, though a longer one is the whole name.
        .match_kind(MatchKind::All)
        // Names are ASCII, so a Unicode word boundary is an ASCII one.
        .unicode_word_boundary(true)
        .dfa_size_limit(Some(limit))
        .determinize_size_limit(Some(4 * limit))
}

impl Coverage {
    /// How much of `language` the expression `nfa` matches as a whole; `None` if that would take too long to find out.
    pub(super) fn of(nfa: &NFA, language: Language) -> Option<Self> {
        let automaton = dense::Builder::new().configure(whole_names(MAX_AUTOMATON)).build_from_nfa(nfa).ok()?;
        Self::walk(&automaton, language)
    }

    /// Breadth first, so that the depth is the length of the shortest name that leads somewhere, and names that are
    /// longer than any name may be don't count.
    fn walk(automaton: &dense::DFA<Vec<u32>>, language: Language) -> Option<Self> {
        let bytes = language.representatives(automaton);
        let begin = automaton.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        let mut coverage = Self { some: false, all: true };
        let mut level = vec![(begin, Reading::Start)];
        let mut seen: HashSet<(StateID, Reading)> = level.iter().copied().collect();
        for _length in 0..=language.longest() {
            let mut next_level = Vec::new();
            for (state, reading) in level {
                if reading == Reading::Name {
                    let matches = automaton.is_match_state(automaton.next_eoi_state(state));
                    coverage.some |= matches;
                    coverage.all &= matches;
                }
                for &byte in &bytes {
                    let Some(reading) = language.read(reading, byte) else { continue };
                    let next = (automaton.next_state(state, byte), reading);
                    if automaton.is_quit_state(next.0) {
                        return None;
                    }
                    if seen.insert(next) {
                        next_level.push(next);
                    }
                }
            }
            if next_level.is_empty() || (coverage.some && !coverage.all) {
                break;
            }
            level = next_level;
        }
        Some(coverage)
    }
}

impl Language {
    /// One byte of each kind that neither the language nor the expression tells apart.
    fn representatives(self, automaton: &dense::DFA<Vec<u32>>) -> Vec<u8> {
        let mut kinds = HashSet::new();
        let mut is_new = |byte: u8| kinds.insert((automaton.byte_classes().get(byte), matches!(byte, b'-' | b'.')));
        (0x20..0x7f).filter(|&byte| self.read(Reading::Name, byte).is_some() && is_new(byte)).collect()
    }

    /// What is known after one more byte; `None` if no name goes on like this.
    const fn read(self, before: Reading, byte: u8) -> Option<Reading> {
        match self {
            Self::Projects => match (before, byte) {
                (_, b'a'..=b'z' | b'0'..=b'9') => Some(Reading::Name),
                (Reading::Name, b'-') => Some(Reading::Separator),
                _ => None,
            },
            Self::Files if !is_file_byte(byte) => None,
            Self::Files => Some(match (before, byte) {
                (Reading::Start, b'.') => Reading::OneDot,
                (Reading::OneDot, b'.') => Reading::TwoDots,
                _ => Reading::Name,
            }),
        }
    }

    /// The length of the longest name.
    const fn longest(self) -> usize {
        match self {
            Self::Projects => MAX_NAME,
            Self::Files => MAX_FILE_NAME,
        }
    }
}
