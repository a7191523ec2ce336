//! Says of nearly every name that none of the expressions matches it, by one small automaton of them all: a list of all
//! projects has a million names, and most rules have an expression or two.

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};

use super::language::whole_names;

/// What bounds the automaton, in bytes, and so the time that it takes to build. Beyond it there is none.
const MAX_SIEVE: usize = 256 * 1024;

/// What matches when any of some expressions does; without an automaton, perhaps.
#[derive(Clone, Debug)]
pub(super) struct Sieve(Option<(StateID, Box<dense::DFA<Vec<u32>>>)>);

impl Sieve {
    /// A sieve for expressions that are anchored at both ends.
    pub(super) fn of(sources: &[String]) -> Self {
        let automaton = || {
            let automaton = dense::Builder::new()
                // Names are short: to look ahead in them takes longer than to walk them.
                .configure(whole_names(MAX_SIEVE).accelerate(false))
                .syntax(syntax::Config::new().unicode(false).utf8(false))
                .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(4 * MAX_SIEVE)))
                .build_many(sources)
                .ok()?;
            let begin = automaton.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
            Some((begin, Box::new(automaton)))
        };
        Self((!sources.is_empty()).then(automaton).flatten())
    }

    /// Whether some expression matches `text`; `None` if there is no saying.
    #[inline]
    pub(super) fn passes(&self, text: &[u8]) -> Option<bool> {
        let (begin, automaton) = self.0.as_ref()?;
        let mut state = *begin;
        for byte in text {
            state = automaton.next_state(state, *byte);
            if automaton.is_special_state(state) {
                if automaton.is_dead_state(state) {
                    return Some(false);
                }
                if automaton.is_quit_state(state) {
                    return None;
                }
            }
        }
        // All are anchored at the end, so it is there that they match.
        Some(automaton.is_match_state(automaton.next_eoi_state(state)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::RegexSetBuilder;

    use super::*;
    use crate::policy::expression::anchored;

    const SOURCES: [&str; 7] =
        ["acme[0-9]+", "(?s:.*)-internal", "a|ab|abc-[a-c]+", "x(?:y|z)*", "(?i)BIG", r"\bw\b.", "[^a-y]{2,3}"];

    proptest! {
        #[test]
        fn it_says_what_the_set_says(
            text in "(acme|a|ab|abc-|x|y|z|big|w|-internal|[0-9]|[a-z.-]){0,5}",
            odd in proptest::collection::vec(any::<u8>(), 0..4),
        ) {
            let sources: Vec<String> = SOURCES.iter().map(|source| anchored(source)).collect();
            let set = RegexSetBuilder::new(&sources).unicode(false).build().unwrap();
            let sieve = Sieve::of(&sources);
            for text in [text.as_bytes(), &odd] {
                prop_assert_eq!(sieve.passes(text), Some(set.is_match(text)));
            }
        }
    }

    #[test]
    fn what_would_be_large_is_not_built() {
        let sources: Vec<String> =
            (0..2_000).map(|n| anchored(&format!("unit{n}-(core|[a-z]+-tools)[0-9]*"))).collect();
        assert_eq!(Sieve::of(&sources).passes(b"requests"), None);
        assert_eq!(Sieve::of(&[]).passes(b"requests"), None);
    }
}
