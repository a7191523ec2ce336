//! What a private index serves: a set of exact names, compact enough for a million of them.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::rule::Rule;
use crate::name::{NameRef, ProjectName};

/// What stands in a place of the table that holds no name.
const FREE: u32 = u32::MAX;

/// Names of projects: one text, where each ends, and a hash table of their numbers. Some 30 bytes a name.
#[derive(Clone, Default)]
pub struct Names {
    text: String,
    /// Where each name ends in `text`.
    ends: Vec<u32>,
    /// Numbers of names, by hash; its length is a power of two, or nothing.
    table: Vec<u32>,
    hasher: RandomState,
}

/// One private index as the policy sees it.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// Its id, exceptions and what those who are refused are told; what else the rule has counts, too.
    pub rule: Rule,
    /// What it serves; `None` if that isn't known.
    pub names: Option<Arc<Names>>,
    /// Whether PyPI may be seen while it isn't known.
    pub dispensable: bool,
}

impl Names {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The name with this number.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)?;
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(start as usize..end as usize)
    }

    /// The number of `name`, if it is one of them.
    #[must_use]
    pub fn find(&self, name: NameRef<'_>) -> Option<usize> {
        let mut place = self.place(name.as_str());
        // A quarter of the table is free at least, so the search ends.
        for _ in 0..self.table.len() {
            let number = *self.table.get(place)?;
            if number == FREE {
                return None;
            }
            if self.get(number as usize) == Some(name.as_str()) {
                return Some(number as usize);
            }
            place = (place + 1) & (self.table.len() - 1);
        }
        None
    }

    /// All names in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|number| self.get(number))
    }

    fn place(&self, name: &str) -> usize {
        // Cut off on purpose: the lower bits of a hash are as good as all.
        let hash = self.hasher.hash_one(name) as usize;
        hash & self.table.len().wrapping_sub(1)
    }
}

impl FromIterator<ProjectName> for Names {
    fn from_iter<I: IntoIterator<Item = ProjectName>>(names: I) -> Self {
        let mut sorted: Vec<ProjectName> = names.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut all = Self::default();
        for name in &sorted {
            let Ok(end) = u32::try_from(all.text.len() + name.as_str().len()) else { break };
            all.text.push_str(name.as_str());
            all.ends.push(end);
        }
        drop(sorted);
        all.text.shrink_to_fit();
        all.table = vec![FREE; (all.len() + all.len() / 3 + 1).next_power_of_two()];
        for number in 0..all.len() {
            let mut place = all.get(number).map_or(0, |name| all.place(name));
            while all.table.get(place).is_some_and(|taken| *taken != FREE) {
                place = (place + 1) & (all.table.len() - 1);
            }
            if let (Some(free), Ok(number)) = (all.table.get_mut(place), u32::try_from(number)) {
                *free = number;
            }
        }
        all
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.ends == other.ends
    }
}

impl Eq for Names {}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} names", self.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;
    use crate::name::Subject;
    use crate::policy::{Pattern, Policy};

    fn names(list: &[&str]) -> Names {
        list.iter().map(|name| ProjectName::parse(name).unwrap()).collect()
    }

    fn has(names: &Names, name: &str) -> bool {
        names.find(ProjectName::parse(name).unwrap().as_name()).is_some()
    }

    fn inventory(list: Option<&[&str]>, dispensable: bool) -> Inventory {
        let except = vec![Pattern::parse("acme-sdk").unwrap()];
        let rule = Rule {
            id: "corp".to_owned(),
            except,
            reason: Some("served by the private index".to_owned()),
            ..Rule::default()
        };
        Inventory { rule, names: list.map(|list| Arc::new(names(list))), dispensable }
    }

    fn policy(rules: Vec<Rule>, inventories: Vec<Inventory>) -> Policy {
        Policy::with_inventories(rules, inventories, date!(2026 - 01 - 01)).unwrap()
    }

    fn protected_by(policy: &Policy, name: &str) -> Option<(String, String)> {
        let name = ProjectName::parse(name).unwrap();
        let found = policy.judge(Subject::Project(name.as_name())).protected?;
        Some((found.rule.id.clone(), found.written.to_owned()))
    }

    #[test]
    fn a_set_knows_its_names_and_no_others() {
        let set = names(&["Acme_Core", "acme-core", "b", "zebra"]);
        assert_eq!(set.iter().collect::<Vec<_>>(), ["acme-core", "b", "zebra"]);
        assert!(has(&set, "ACME.core") && has(&set, "b") && !has(&set, "acme") && !has(&set, "bzebra"));
        assert!(!has(&Names::default(), "acme") && !has(&names(&[]), "acme"));
    }

    #[test]
    fn what_is_listed_is_protected_as_by_a_rule() {
        let policy = policy(vec![], vec![inventory(Some(&["Acme_Core", "acme-sdk"]), false)]);
        assert_eq!(protected_by(&policy, "acme.core"), Some(("corp".to_owned(), "acme-core".to_owned())));
        assert_eq!(protected_by(&policy, "acme-sdk"), None);
        assert_eq!(protected_by(&policy, "requests"), None);
        let file = crate::name::FileName::parse("acme_core-1.0-py3-none-any.whl").unwrap();
        assert!(policy.judge(Subject::File(&file)).is_protected());
        assert_eq!(policy.missing().count(), 0);
    }

    #[test]
    fn a_rule_comes_before_an_inventory_and_excepts_only_for_itself() {
        let pattern = |text: &str| vec![Pattern::parse(text).unwrap()];
        let rule =
            Rule { id: "acme".to_owned(), names: pattern("acme-*"), except: pattern("acme-x"), ..Rule::default() };
        let policy = policy(vec![rule], vec![inventory(Some(&["acme-core", "acme-x"]), false)]);
        assert_eq!(protected_by(&policy, "acme-core").unwrap().0, "acme");
        assert_eq!(protected_by(&policy, "acme-x").unwrap().0, "corp");
    }

    #[test]
    fn what_is_missing_is_told_and_everything_counts_in_the_fingerprint() {
        let missing = policy(vec![], vec![inventory(None, false)]);
        assert_eq!(missing.missing().collect::<Vec<_>>(), ["corp"]);
        let ignored = policy(vec![], vec![inventory(None, true)]);
        assert_eq!(ignored.missing().count(), 0);
        let prints = [
            policy(vec![], vec![]),
            missing,
            ignored,
            policy(vec![], vec![inventory(Some(&[]), false)]),
            policy(vec![], vec![inventory(Some(&["a", "b"]), false)]),
            policy(vec![], vec![inventory(Some(&["ab"]), false)]),
        ];
        let mut prints: Vec<String> = prints.iter().map(|policy| policy.fingerprint().to_owned()).collect();
        prints.sort();
        prints.dedup();
        // What is missing and may be so protects as little as an empty list, yet is another state.
        assert_eq!(prints.len(), 6);
    }

    #[test]
    fn a_million_names_are_small() {
        let set: Names =
            (0..1_000_000).map(|number| ProjectName::parse(format!("acme-project-{number}")).unwrap()).collect();
        let bytes = set.text.capacity() + 4 * (set.ends.capacity() + set.table.capacity());
        assert!(bytes < 60 << 20, "{bytes}");
        assert!(has(&set, "acme-project-999999") && !has(&set, "acme-project-1000000"));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_tree(list in proptest::collection::vec("[a-c]{1,3}", 0..40), asked in "[a-c]{1,3}") {
            let set: Names = list.iter().map(|name| ProjectName::parse(name).unwrap()).collect();
            prop_assert_eq!(has(&set, &asked), list.contains(&asked));
        }
    }
}
