//! Decides what two patterns have to do with each other: whether some name matches both, whether one adds to the other.

use std::collections::HashSet;

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};

use super::language::whole_names;
use super::pattern::{Kind, Pattern};

/// What bounds the automaton of one pattern, in bytes. Beyond it the questions stay open.
const MAX_AUTOMATON: usize = 1 << 18;

/// What bounds the walk through two automata, in pairs of their states.
const MAX_PAIRS: usize = 20_000;

/// What the names that match one pattern are to those that match another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// No name matches both.
    Disjoint,
    /// Every name that matches the first matches the second.
    Within,
    /// Some names match both, and some only the first.
    Overlapping,
    /// It would take too long to find out.
    Unknown,
}

/// What stands before the next byte of a project name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Before {
    Nothing,
    Letter,
    Dash,
}

impl Pattern {
    /// The one name that it matches, if it is a bare word.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        match self.kind() {
            Kind::Exact(name) => Some(name),
            Kind::Prefix(_) | Kind::Expression(_) => None,
        }
    }

    /// What every name that it matches begins with, if that is all that it asks for.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        match self.kind() {
            Kind::Prefix(prefix) => Some(prefix),
            Kind::Exact(_) | Kind::Expression(_) => None,
        }
    }

    /// What the names that it matches are to those that match `other`.
    #[must_use]
    pub fn relation(&self, other: &Self) -> Relation {
        match (self.kind(), other.kind()) {
            (Kind::Exact(one), Kind::Exact(two)) => of_one_name(one == two),
            (Kind::Exact(one), Kind::Prefix(two)) => of_one_name(one.starts_with(two)),
            (Kind::Prefix(one), Kind::Prefix(two)) if one.starts_with(two) => Relation::Within,
            (Kind::Prefix(one), Kind::Prefix(two)) if two.starts_with(one) => Relation::Overlapping,
            (Kind::Prefix(_), Kind::Prefix(_)) => Relation::Disjoint,
            (one, two) => automaton(one).zip(automaton(two)).map_or(Relation::Unknown, |(one, two)| walk(&one, &two)),
        }
    }
}

const fn of_one_name(matches: bool) -> Relation {
    if matches { Relation::Within } else { Relation::Disjoint }
}

fn automaton(kind: Kind<'_>) -> Option<dense::DFA<Vec<u32>>> {
    let source = match kind {
        Kind::Exact(name) => regex::escape(name),
        Kind::Prefix(prefix) => format!("{}(?s:.*)", regex::escape(prefix)),
        Kind::Expression(source) => source.to_owned(),
    };
    let syntax = syntax::Config::new().unicode(false).utf8(false);
    dense::Builder::new().configure(whole_names(MAX_AUTOMATON)).syntax(syntax).build(&source).ok()
}

/// Walks both automata together through all names.
fn walk(one: &dense::DFA<Vec<u32>>, two: &dense::DFA<Vec<u32>>) -> Relation {
    let begin =
        |automaton: &dense::DFA<Vec<u32>>| automaton.start_state(&start::Config::new().anchored(Anchored::Yes)).ok();
    let Some((first, second)) = begin(one).zip(begin(two)) else { return Relation::Unknown };
    let bytes = representatives(one, two);
    let matches =
        |automaton: &dense::DFA<Vec<u32>>, state: StateID| automaton.is_match_state(automaton.next_eoi_state(state));
    let (mut both, mut only_one) = (false, false);
    let mut seen = HashSet::from([(first, second, Before::Nothing)]);
    let mut open = vec![(first, second, Before::Nothing)];
    while let Some((first, second, before)) = open.pop() {
        if before == Before::Letter && matches(one, first) {
            let by_two = matches(two, second);
            both |= by_two;
            only_one |= !by_two;
        }
        if both && only_one {
            return Relation::Overlapping;
        }
        for &byte in &bytes {
            let after = match (before, byte) {
                (Before::Letter, b'-') => Before::Dash,
                (_, b'-') => continue,
                _ => Before::Letter,
            };
            let next = (one.next_state(first, byte), two.next_state(second, byte), after);
            if one.is_quit_state(next.0) || two.is_quit_state(next.1) {
                return Relation::Unknown;
            }
            if !one.is_dead_state(next.0) && seen.insert(next) {
                open.push(next);
            }
        }
        if seen.len() > MAX_PAIRS {
            return Relation::Unknown;
        }
    }
    if both { Relation::Within } else { Relation::Disjoint }
}

/// One byte of each kind that neither automaton tells apart.
fn representatives(one: &dense::DFA<Vec<u32>>, two: &dense::DFA<Vec<u32>>) -> Vec<u8> {
    let mut kinds = HashSet::new();
    let mut is_new =
        |byte: u8| kinds.insert((one.byte_classes().get(byte), two.byte_classes().get(byte), byte == b'-'));
    (b'a'..=b'z').chain(b'0'..=b'9').chain([b'-']).filter(|&byte| is_new(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_patterns_are_to_each_other() {
        use Relation::{Disjoint, Overlapping, Within};
        for (one, two, relation) in [
            ("acme", "Acme", Within),
            ("acme", "acme-*", Disjoint),
            ("acme-core", "acme-*", Within),
            ("acme-core-*", "acme-*", Within),
            ("acme-*", "acme-core-*", Overlapping),
            ("acme-*", "other-*", Disjoint),
            ("acme-*", "acme-core", Overlapping),
            ("acme-?", "acme-*", Within),
            ("*-internal", "acme-*", Overlapping),
            ("re:acme-(core|data)", "acme-*", Within),
            ("re:acme-(core|data)", "re:acme-[a-z]+", Within),
            ("re:acme-[0-9]+", "re:acme-[a-z]+", Disjoint),
            ("acme-core", "re:acme-[a-z]+", Within),
            // Only names count: what one has beyond the other must be one.
            ("re:acme[-_]core", "acme-core", Within),
        ] {
            let of = |text| Pattern::parse(text).unwrap();
            assert_eq!(of(one).relation(&of(two)), relation, "{one} {two}");
        }
    }

    #[test]
    fn what_takes_too_long_stays_open() {
        let large = Pattern::parse("re:(?:.*a.{20}b)?.*c").unwrap();
        assert_eq!(large.relation(&Pattern::parse("*b*").unwrap()), Relation::Unknown);
    }
}
