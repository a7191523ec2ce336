//! What the rules would hide of a list of names: counts a rule, and the most downloaded names first.

mod list;

use std::collections::{BinaryHeap, HashMap};
use std::path::Path;

use serde::Serialize;
use time::Date;

use crate::name::{NameRef, Subject};
use crate::policy::{Match, Policy};

/// What the rules would do to a list of names.
#[derive(Debug, Serialize)]
pub(super) struct Preview {
    /// Names in the list, the invalid ones included.
    pub(super) names: u64,
    /// Lines that no project can be called.
    pub(super) invalid: u64,
    /// Names that some enforcing rule hides.
    pub(super) hidden: u64,
    /// Names that audit rules alone match.
    pub(super) audited: u64,
    /// What each rule in force does. A name counts for the first enforcing rule and the first audit rule that match it.
    pub(super) rules: Vec<OfRule>,
}

/// What one rule would do.
#[derive(Debug, Serialize)]
pub(super) struct OfRule {
    /// Its id.
    pub(super) rule: String,
    /// `enforce` or `audit`.
    pub(super) mode: &'static str,
    /// The releases that it hides, if it hides no project as a whole; its names don't count as hidden.
    pub(super) versions: Option<String>,
    /// How many names it matches.
    pub(super) count: u64,
    /// The first of them: those with the best ranks, then in the order of the list.
    pub(super) top: Vec<Victim>,
}

/// A name that a rule matches. Ordered as it is to be shown.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Victim {
    /// The rank that the list gives; names without one come last.
    #[serde(serialize_with = "rank")]
    pub(super) rank: u64,
    #[serde(skip)]
    position: u64,
    /// The folded name.
    pub(super) name: String,
    /// The pattern as written.
    pub(super) pattern: String,
}

/// The rank of a name that has none.
pub(super) const UNRANKED: u64 = u64::MAX;

/// Why there is no preview.
#[derive(Debug)]
pub(super) enum PreviewError {
    /// The list can't be read.
    Unreadable(String),
    /// It is no list of names.
    Untrusted(String),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn rank<S: serde::Serializer>(rank: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    if *rank == UNRANKED { serializer.serialize_none() } else { serializer.serialize_u64(*rank) }
}

/// Reads the list at `path` and judges every name of it.
pub(super) fn of(policy: &Policy, path: &Path, top: usize, today: Date) -> Result<Preview, PreviewError> {
    let mut tally = Tally::new(policy, top, today);
    list::read(path, &mut tally)?;
    Ok(tally.into_preview())
}

/// What was counted so far.
struct Tally<'p> {
    policy: &'p Policy,
    top: usize,
    names: u64,
    invalid: u64,
    hidden: u64,
    audited: u64,
    rules: Vec<Counted<'p>>,
    indexes: HashMap<&'p str, usize>,
    /// Most policies have no such rule, and a list has a million names.
    some_hide_releases: bool,
}

/// One rule's names. The worst of those that are kept is on top, so that a better one replaces it.
struct Counted<'p> {
    rule: &'p str,
    mode: &'static str,
    versions: Option<String>,
    count: u64,
    best: BinaryHeap<Victim>,
}

impl<'p> Tally<'p> {
    fn new(policy: &'p Policy, top: usize, today: Date) -> Self {
        let in_force = policy.heard().filter(|rule| rule.is_in_force(today));
        let rules: Vec<Counted<'p>> = in_force
            .map(|rule| Counted {
                rule: &rule.id,
                mode: rule.mode.as_str(),
                versions: rule.versions.as_ref().map(ToString::to_string),
                count: 0,
                best: BinaryHeap::new(),
            })
            .collect();
        let some_hide_releases = rules.iter().any(|counted| counted.versions.is_some());
        let indexes = rules.iter().enumerate().map(|(index, counted)| (counted.rule, index)).collect();
        Self { policy, top, names: 0, invalid: 0, hidden: 0, audited: 0, rules, indexes, some_hide_releases }
    }

    fn add(&mut self, name: NameRef<'_>, rank: u64) {
        self.names += 1;
        let verdict = self.policy.judge(Subject::Project(name));
        self.hidden += u64::from(verdict.protected.is_some());
        self.audited += u64::from(verdict.protected.is_none() && verdict.audited.is_some());
        for found in [verdict.protected, verdict.audited].into_iter().flatten() {
            self.count(name, rank, &found);
        }
        if self.some_hide_releases {
            for found in self.policy.hiding_releases_of(name) {
                self.count(name, rank, &found);
            }
        }
    }

    fn add_invalid(&mut self, count: u64) {
        self.names += count;
        self.invalid += count;
    }

    fn count(&mut self, name: NameRef<'_>, rank: u64, found: &Match<'p>) {
        let index = self.indexes.get(&*found.rule.id);
        let Some(counted) = index.and_then(|&index| self.rules.get_mut(index)) else { return };
        counted.count += 1;
        let position = self.names;
        if counted.best.len() >= self.top {
            let is_better = |worst: &Victim| (rank, position) < (worst.rank, worst.position);
            if !counted.best.peek().is_some_and(is_better) {
                return;
            }
            counted.best.pop();
        }
        counted.best.push(Victim { rank, position, name: name.to_string(), pattern: found.written.to_owned() });
    }

    fn into_preview(self) -> Preview {
        let of_rule = |counted: Counted<'_>| OfRule {
            rule: counted.rule.to_owned(),
            mode: counted.mode,
            versions: counted.versions,
            count: counted.count,
            top: counted.best.into_sorted_vec(),
        };
        let rules = self.rules.into_iter().map(of_rule).collect();
        let Self { names, invalid, hidden, audited, .. } = self;
        Preview { names, invalid, hidden, audited, rules }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Mode, Pattern, Rule};

    fn rule(id: &str, names: &[&str], mode: Mode) -> Rule {
        let names = names.iter().map(|written| Pattern::parse(written).unwrap()).collect();
        Rule { id: id.to_owned(), names, mode, ..Rule::default() }
    }

    fn preview(list: &str, top: usize) -> Preview {
        let rules = vec![
            rule("acme", &["acme", "Acme_*"], Mode::Enforce),
            rule("watch", &["acme-data", "six"], Mode::Audit),
            rule("none", &["nothing"], Mode::Enforce),
        ];
        let policy = Policy::compile(rules, Date::MIN).unwrap();
        let mut tally = Tally::new(&policy, top, Date::MIN);
        list::names(list.as_bytes(), &mut tally).unwrap();
        tally.into_preview()
    }

    #[test]
    fn the_most_downloaded_are_shown_first() {
        let preview = preview(
            "# a comment\nacme-a\nAcme.Data\t12\nacme\t900\r\n\nsix,1\nrequests 2\nbad name\n-bad-\nacme-z\n",
            3,
        );
        assert_eq!((preview.names, preview.invalid, preview.hidden, preview.audited), (8, 1, 4, 1));
        insta::assert_snapshot!(serde_json::to_string_pretty(&preview.rules).unwrap());
    }

    #[test]
    fn none_need_be_shown() {
        let preview = preview("acme\nacme-a\n", 0);
        assert!(preview.rules.iter().all(|rule| rule.top.is_empty()));
        assert_eq!(preview.rules[0].count, 2);
    }

    #[test]
    fn projects_of_which_releases_are_hidden_are_counted_apart() {
        let old = Rule { versions: Some("<2".parse().unwrap()), ..rule("old", &["six", "acme"], Mode::Enforce) };
        let policy = Policy::compile(vec![old, rule("acme", &["acme"], Mode::Enforce)], Date::MIN).unwrap();
        let mut tally = Tally::new(&policy, 1, Date::MIN);
        list::names(&b"six\nacme\nrequests\n"[..], &mut tally).unwrap();
        let preview = tally.into_preview();
        assert_eq!((preview.hidden, preview.rules[0].count, preview.rules[1].count), (1, 2, 1));
        assert_eq!((preview.rules[0].versions.as_deref(), &preview.rules[1].versions), (Some("<2"), &None));
    }
}
