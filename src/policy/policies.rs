//! One policy as each who asks has it: of rules with `for` and `except-for`, those that are in force for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::audience::Asker;
use super::policy::Policy;

/// Kept at once; more than this many different audiences take turns.
const MOST: usize = 1024;

/// A policy and what is left of it for whom: one snapshot, so that a reload changes all of it at once.
#[derive(Debug)]
pub struct Policies {
    whole: Arc<Policy>,
    /// By the rules that are not in force.
    narrowed: Mutex<HashMap<Box<[bool]>, Arc<Policy>>>,
}

impl Policies {
    /// Those of `whole`.
    #[must_use]
    pub fn new(whole: Policy) -> Self {
        Self { whole: Arc::new(whole), narrowed: Mutex::default() }
    }

    /// All rules, whoever they are for.
    #[must_use]
    pub const fn whole(&self) -> &Arc<Policy> {
        &self.whole
    }

    /// The policy by which what `asker` asks is judged: the same one for all for whom the same rules are in force.
    #[must_use]
    pub fn for_asker(&self, asker: &Asker<'_>) -> Arc<Policy> {
        let Some(silent) = self.whole.silent_for(asker) else { return Arc::clone(&self.whole) };
        let mut narrowed = self.narrowed();
        if let Some(policy) = narrowed.get(&silent) {
            return Arc::clone(policy);
        }
        if narrowed.len() >= MOST {
            narrowed.clear();
        }
        let policy = Arc::new(self.whole.without(silent.clone()));
        narrowed.insert(silent, Arc::clone(&policy));
        policy
    }

    /// Whether `policy` is one of them.
    #[must_use]
    pub fn holds(&self, policy: &Arc<Policy>) -> bool {
        Arc::ptr_eq(&self.whole, policy) || self.narrowed().values().any(|known| Arc::ptr_eq(known, policy))
    }

    fn narrowed(&self) -> MutexGuard<'_, HashMap<Box<[bool]>, Arc<Policy>>> {
        self.narrowed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use crate::name::{FileName, NameRef, ProjectName, Subject};
    use crate::policy::audience::{Audience, Who};
    use crate::policy::{FilePattern, Inventory, Mode, Names, Pattern, Rule};

    fn rule(id: &str, name: &str, only: &[&str], except: &[&str]) -> Rule {
        let who = |list: &[&str]| list.iter().map(|name| Who::User((*name).to_owned())).collect();
        Rule {
            id: id.to_owned(),
            names: vec![Pattern::parse(name).unwrap()],
            audience: Audience { only: who(only), except: who(except) },
            ..Rule::default()
        }
    }

    fn user(name: &str) -> Asker<'_> {
        Asker { user: Some(name), ..Asker::LOCAL }
    }

    fn policies() -> Policies {
        let names: Names = ["listed"].iter().map(|name| ProjectName::parse(name).unwrap()).collect();
        let listed = |id, names: Option<Names>| Inventory {
            rule: Rule { names: Vec::new(), ..rule(id, "x", &["ci"], &[]) },
            names: names.map(Arc::new),
            dispensable: false,
        };
        let rules = vec![
            rule("all", "all", &[], &[]),
            rule("ci", "re:acme-(core|x)", &["ci"], &[]),
            Rule { mode: Mode::Audit, ..rule("spared", "spared", &[], &["ci"]) },
            Rule { versions: "<2".parse().ok(), ..rule("old", "old", &["ci"], &[]) },
            Rule { lookalikes: true, ..rule("alike", "alike", &["ci"], &[]) },
            Rule { files: vec![FilePattern::parse("*.egg").unwrap()], ..rule("files", "zzz", &["ci"], &[]) },
        ];
        let lists = vec![listed("list", Some(names)), listed("missing", None)];
        Policies::new(Policy::with_inventories(rules, lists, date!(2026 - 01 - 01)).unwrap())
    }

    fn rules_on(policy: &Policy, name: &str) -> (Option<String>, Option<String>) {
        let mut buffer = crate::name::NameBuffer::default();
        let name = NameRef::fold(name.as_bytes(), &mut buffer).unwrap();
        let verdict = policy.judge(Subject::Project(name));
        let id = |found: Option<crate::policy::Match<'_>>| found.map(|found| found.rule.id.clone());
        (id(verdict.protected), id(verdict.audited))
    }

    #[test]
    fn each_kind_of_rule_is_silent_for_whom_it_is_not() {
        let policies = policies();
        let (ci, other) = (policies.for_asker(&user("ci")), policies.for_asker(&user("dev")));
        let egg = FileName::parse("any-1.0.egg").unwrap();
        for (name, rule) in [("acme-core", "ci"), ("alike", "alike"), ("a1ike", "alike"), ("listed", "list")] {
            assert_eq!(rules_on(&ci, name), (Some(rule.to_owned()), None), "{name}");
            assert_eq!(rules_on(&other, name), (None, None), "{name}");
            assert_eq!(rules_on(policies.whole(), name), (Some(rule.to_owned()), None), "{name}");
        }
        assert_eq!(rules_on(&other, "all"), (Some("all".to_owned()), None));
        assert_eq!((rules_on(&ci, "spared").1, rules_on(&other, "spared").1), (None, Some("spared".to_owned())));
        assert!(ci.judge(Subject::File(&egg)).is_protected() && !other.judge(Subject::File(&egg)).is_protected());
        let old = ProjectName::parse("old").unwrap();
        assert_eq!((ci.hiding_releases_of(old.as_name()).len(), other.hiding_releases_of(old.as_name()).len()), (1, 0));
        assert_eq!((ci.missing().count(), other.missing().count()), (1, 0));
        let heard = |policy: &Policy| policy.heard().map(|rule| rule.id.clone()).collect::<Vec<_>>().join(" ");
        assert_eq!((heard(&ci), heard(&other)), ("all ci old alike files list missing".into(), "all spared".into()));
        assert_eq!((other.own_rules().len(), other.rules().len()), (6, 8));
    }

    #[test]
    fn who_falls_under_the_same_rules_has_the_same_snapshot() {
        let policies = policies();
        let (one, two) = (policies.for_asker(&user("dev")), policies.for_asker(&Asker::LOCAL));
        assert!(Arc::ptr_eq(&one, &two) && policies.holds(&one));
        let ci = policies.for_asker(&user("ci"));
        let prints = [one.fingerprint(), ci.fingerprint(), policies.whole().fingerprint()];
        assert!(prints[0] != prints[1] && prints[1] != prints[2] && prints[0] != prints[2], "{prints:?}");
        assert!(prints.iter().all(|print| print.len() == 12));
        assert!(!policies.holds(&Arc::new(Policy::compile(Vec::new(), date!(2026 - 01 - 01)).unwrap())));
        let everybody = Policy::compile(vec![rule("all", "all", &[], &[])], date!(2026 - 01 - 01)).unwrap();
        let everybody = Policies::new(everybody);
        assert!(Arc::ptr_eq(&everybody.for_asker(&user("x")), everybody.whole()));
    }
}
