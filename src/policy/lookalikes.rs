//! Finds the protected names that a name looks like: those that PyPI itself would call too similar, and those that are
//! one slip of a finger away.

use super::matcher::{PatternId, Texts};
use super::neighbours::{Neighbours, is_one_edit};
use crate::name::NameRef;
use crate::name::project::MAX_NAME;

/// What stands before the protected name in answers and logs.
pub(super) const LOOKS_LIKE: &str = "looks like ";

/// The shortest protected name whose neighbours are looked out for: half of all short names are neighbours of another.
const SHORTEST: usize = 5;

/// The exact names of the rules that want it, indexed so that a name that looks like none costs no allocation.
#[derive(Debug, Default)]
pub(super) struct Lookalikes {
    /// In the order of their ids.
    names: Vec<Protected>,
    similar: Texts,
    neighbours: Neighbours,
}

/// A protected name, as a match shows it.
#[derive(Debug)]
struct Protected {
    id: PatternId,
    shown: Box<str>,
}

impl Lookalikes {
    /// Indexes exact names, in the order of their ids.
    pub(super) fn new<'a>(exact: impl IntoIterator<Item = (PatternId, &'a str)>) -> Self {
        let mut similar = Texts::default();
        let mut names = Vec::new();
        for (id, name) in exact {
            ultranormalized(name, |form| similar.add(form, id));
            names.push(Protected { id, shown: format!("{LOOKS_LIKE}{name}").into() });
        }
        let long = names.iter().enumerate().filter(|(_, name)| name.folded().len() >= SHORTEST);
        let neighbours = Neighbours::new(long.map(|(index, name)| (index, name.folded())));
        Self { names, similar, neighbours }
    }

    /// Appends the protected names that `name` looks like to `found`, in no order; `name` itself may be among them.
    #[inline]
    pub(super) fn find(&self, name: NameRef<'_>, found: &mut Vec<PatternId>) {
        if !self.names.is_empty() {
            self.find_any(name.as_str(), found);
        }
    }

    fn find_any(&self, text: &str, found: &mut Vec<PatternId>) {
        ultranormalized(text, |form| self.similar.find(form.as_bytes(), found));
        self.neighbours.each_near(text, |index| {
            let near = self.names.get(index).filter(|name| is_one_edit(name.folded().as_bytes(), text.as_bytes()));
            found.extend(near.map(|name| name.id));
        });
    }

    /// What a match shows: that it looks like something, and like what.
    pub(super) fn shown(&self, id: PatternId) -> Option<(&str, &str)> {
        let at = self.names.binary_search_by_key(&id, |name| name.id).ok()?;
        self.names.get(at).map(|name| (&*name.shown, name.folded()))
    }
}

impl Protected {
    fn folded(&self) -> &str {
        self.shown.strip_prefix(LOOKS_LIKE).unwrap_or(&self.shown)
    }
}

/// The form under which PyPI refuses a new name as too similar to one that exists (warehouse's `ultranormalize_name`):
/// without separators, `1` for what looks like it, `0` for `o`. Names are lower-case here already.
fn ultranormalized<T>(name: &str, show: impl FnOnce(&str) -> T) -> Option<T> {
    let mut room = [0; MAX_NAME];
    let mut length = 0;
    let kept = name.bytes().filter(|byte| *byte != b'-');
    for (slot, byte) in room.iter_mut().zip(kept) {
        *slot = match byte {
            b'l' | b'i' => b'1',
            b'o' => b'0',
            other => other,
        };
        length += 1;
    }
    let form = room.get(..length).and_then(|form| str::from_utf8(form).ok())?;
    Some(show(form))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::matcher::List;
    use super::*;
    use crate::name::ProjectName;

    fn index(names: &[&str]) -> Lookalikes {
        Lookalikes::new(names.iter().enumerate().map(|(at, name)| (PatternId::new(0, List::Lookalikes, at), *name)))
    }

    fn found<'l>(lookalikes: &'l Lookalikes, text: &str) -> Vec<&'l str> {
        let mut found = Vec::new();
        lookalikes.find(ProjectName::parse(text).unwrap().as_name(), &mut found);
        found.sort();
        found.dedup();
        found.into_iter().map(|id| lookalikes.shown(id).unwrap().0).collect()
    }

    #[test]
    fn what_looks_like_a_name() {
        let lookalikes = index(&["acme-tools", "acme", "solo"]);
        for alike in [
            "acmetools",
            "acme-t00ls",
            "acme-too1s",
            "ac-me-tools",
            "acme-toois", // As PyPI sees it.
            "acme-tool",
            "acme-toolss",
            "acme-topls",
            "acem-tools",
            "cme-tools",
            "xacme-tools",
            "acmet-ools",
        ] {
            assert_eq!(found(&lookalikes, alike), ["looks like acme-tools"], "{alike}");
        }
        assert_eq!(found(&lookalikes, "s0lo"), ["looks like solo"]);
        for other in
            ["acme-toolxx", "amce", "acne", "acm", "acmes", "solos", "tools-acme", "requests", "a", "acme-core"]
        {
            assert_eq!(found(&lookalikes, other), [""; 0], "{other}");
        }
        assert_eq!(found(&index(&[]), "acme"), [""; 0]);
    }

    #[test]
    fn the_longest_names_are_looked_at_whole() {
        let longest = "a".repeat(MAX_NAME - 1) + "b";
        let lookalikes = index(&[&longest]);
        for alike in ["a".repeat(MAX_NAME), "a".repeat(MAX_NAME - 1), "a".repeat(MAX_NAME - 2) + "ba"] {
            assert_eq!(found(&lookalikes, &alike).len(), 1);
        }
    }

    fn any_name() -> impl Strategy<Value = String> {
        "[a-c][a-c1lo]{3,7}(-[abo]{1,3})?"
    }

    proptest! {
        #[test]
        fn the_index_agrees_with_a_naive_search(
            names in proptest::collection::vec(any_name(), 1..30),
            others in proptest::collection::vec(any_name(), 1..30),
        ) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let lookalikes = index(&names);
            let form = |name: &str| name.replace('-', "").replace(['l', 'i'], "1").replace('o', "0");
            for other in names.iter().copied().chain(others.iter().map(String::as_str)) {
                let alike = |name: &&&str| {
                    form(name) == form(other) || (name.len() >= SHORTEST && strsim::osa_distance(name, other) == 1)
                };
                let naive: Vec<String> = names.iter().filter(alike).map(|name| format!("looks like {name}")).collect();
                prop_assert_eq!(found(&lookalikes, other), naive, "{}", other);
            }
        }

        #[test]
        fn every_slip_of_a_finger_is_found(
            // No part of one letter: without it, the separators on its sides would be one, which is two slips.
            name in "[a-z0-9]{2,20}(-[a-z0-9]{2,10}){0,2}[a-z0-9]{3}",
            at in any::<proptest::sample::Index>(),
            key in "[a-z0-9]",
            slip in 0..4,
        ) {
            let lookalikes = index(&["innocent", &name, "bystander"]);
            let at = at.index(name.len() - 1);
            let mut letters: Vec<char> = name.chars().collect();
            let key = key.chars().next().unwrap();
            match slip {
                0 => letters.insert(at, key),
                1 => { letters.remove(at); }
                2 => letters[at] = key,
                _ => letters.swap(at, at + 1),
            }
            let typed: String = letters.into_iter().collect();
            let shown = format!("looks like {name}");
            prop_assert!(found(&lookalikes, &typed).contains(&shown.as_str()), "{} {}", name, typed);
        }

        #[test]
        fn unrelated_names_are_not_found(name in "[a-m]{5,12}", other in "[n-z2-9]{1,15}") {
            let lookalikes = index(&[&name]);
            prop_assert_eq!(found(&lookalikes, &other.replace('o', "p")), [""; 0]);
        }
    }
}
