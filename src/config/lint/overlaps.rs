//! Patterns that add nothing to others: repeated, shadowed by an earlier one, or audited although they are enforced.

use std::collections::{HashMap, HashSet};

use time::Date;

use super::{Lint, LintKind};
use crate::name::{NameBuffer, NameRef, Subject};
use crate::policy::{Mode, Pattern, Policy, Relation, Rule};

/// What bounds the pairs of expressions that are compared: each may take a millisecond.
const MAX_WALKS: usize = 1_000;

/// One pattern on names, and the rule that has it.
#[derive(Clone, Copy)]
struct Entry<'r> {
    rule: &'r Rule,
    pattern: &'r Pattern,
}

/// The patterns of the enforcing rules in force, in their order.
struct Enforced<'r> {
    entries: Vec<Entry<'r>>,
    /// The first pattern that asks for this prefix and nothing else.
    prefixes: HashMap<&'r str, usize>,
    /// Those that are neither exact nor a prefix.
    expressions: Vec<usize>,
    policy: Option<Policy>,
    walks_left: usize,
}

/// All patterns that add nothing.
pub(super) fn all(rules: &[Rule], today: Date) -> Vec<Lint> {
    let mut twins = HashSet::new();
    let repeated = repeated(rules, today, &mut twins);
    let mut enforced = Enforced::of(rules, today);
    let mut lints = Vec::new();
    for entry in entries(rules, today, Mode::Audit) {
        if let Some(earlier) = enforced.cover(entry, None) {
            lints.push(moot(entry, earlier));
        }
    }
    for index in 0..enforced.entries.len() {
        // An expression says more than the names that it matches: it stands where somebody wanted just these.
        let is_plain = |entry: &Entry<'_>| entry.pattern.exact().is_some() || entry.pattern.prefix().is_some();
        let entry = enforced.entries.get(index).copied();
        let Some(entry) = entry.filter(|entry| is_plain(entry) && !twins.contains(&std::ptr::from_ref(entry.pattern)))
        else {
            continue;
        };
        if let Some(earlier) = enforced.cover(entry, Some(index)) {
            lints.push(shadowed(entry, earlier));
        }
    }
    lints.extend(repeated);
    lints
}

fn entries(rules: &[Rule], today: Date, mode: Mode) -> impl Iterator<Item = Entry<'_>> {
    // A rule on single releases neither covers another nor is covered by one, nor does one that is not for everybody.
    let whole = rules.iter().filter(|rule| rule.versions.is_none() && rule.audience.is_everybody());
    let of_mode = whole.filter(move |rule| rule.mode == mode && rule.is_in_force(today));
    of_mode.flat_map(|rule| rule.names.iter().map(move |pattern| Entry { rule, pattern }))
}

/// Patterns on names that an earlier one of the same mode repeats, folded as they are compared; they become `twins`.
fn repeated(rules: &[Rule], today: Date, twins: &mut HashSet<*const Pattern>) -> Vec<Lint> {
    let mut first: HashMap<_, Entry<'_>> = HashMap::new();
    let mut lints = Vec::new();
    for (rule, pattern) in rules.iter().flat_map(|rule| rule.names.iter().map(move |pattern| (rule, pattern))) {
        let entry = Entry { rule, pattern };
        let versions = rule.versions.as_ref().map(ToString::to_string);
        let force = (rule.mode == Mode::Audit, rule.is_in_force(today), rule.expires, rule.lookalikes);
        let audience = (!rule.audience.is_everybody()).then(|| rule.audience.to_string());
        let key = (pattern.folded(), force, versions, audience);
        if let Some(earlier) = first.get(&key) {
            twins.insert(std::ptr::from_ref(pattern));
            let message = format!("the pattern `{}` repeats {}", pattern.written(), earlier.shown());
            lints.push(Lint::of_pattern(LintKind::Repeated, rule, pattern, message, "remove one of the two"));
        } else {
            first.insert(key, entry);
        }
    }
    lints
}

fn shadowed(entry: Entry<'_>, earlier: Entry<'_>) -> Lint {
    let written = entry.pattern.written();
    let message = format!("the pattern `{written}` adds nothing: {} matches all that it matches", earlier.shown());
    let help = "remove it, or move it before the other if its rule is to be the one that is named";
    Lint::of_pattern(LintKind::Shadowed, entry.rule, entry.pattern, message, help)
}

fn moot(entry: Entry<'_>, enforced: Entry<'_>) -> Lint {
    let written = entry.pattern.written();
    let message = format!("the audit pattern `{written}` is moot: {} hides all that it would count", enforced.shown());
    let help = "remove it: what is hidden is counted under the rule that hides it";
    Lint::of_pattern(LintKind::MootAudit, entry.rule, entry.pattern, message, help)
}

impl Entry<'_> {
    fn shown(&self) -> String {
        let place = self.pattern.place().map(|place| format!(" ({place})")).unwrap_or_default();
        format!("`{}` of rule `{}`{place}", self.pattern.written(), self.rule.id)
    }
}

impl<'r> Enforced<'r> {
    fn of(rules: &'r [Rule], today: Date) -> Self {
        let entries: Vec<Entry<'r>> = entries(rules, today, Mode::Enforce).collect();
        let mut prefixes = HashMap::new();
        let mut expressions = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            if let Some(prefix) = entry.pattern.prefix() {
                prefixes.entry(prefix).or_insert(index);
            } else if entry.pattern.exact().is_none() {
                expressions.push(index);
            }
        }
        let is_whole =
            |rule: &&Rule| rule.mode == Mode::Enforce && rule.versions.is_none() && rule.audience.is_everybody();
        let enforcing = rules.iter().filter(is_whole).cloned().collect();
        let policy = Policy::compile(enforcing, today).ok();
        Self { entries, prefixes, expressions, policy, walks_left: MAX_WALKS }
    }

    /// A pattern before `limit` that matches all that `entry` matches, the rules' exceptions considered.
    fn cover(&mut self, entry: Entry<'r>, limit: Option<usize>) -> Option<Entry<'r>> {
        let limit = limit.unwrap_or(self.entries.len());
        match (entry.pattern.exact(), entry.pattern.prefix()) {
            // It says more than its name: what looks like it is protected, too.
            (Some(_), _) if entry.rule.lookalikes => None,
            (Some(exact), _) => self.cover_of_name(exact, limit).filter(|earlier| outlives(earlier.rule, entry.rule)),
            (None, Some(prefix)) => self.cover_of_prefix(prefix, entry, limit).or_else(|| self.walk(entry, limit)),
            (None, None) => self.walk(entry, limit),
        }
    }

    fn cover_of_name(&self, exact: &str, limit: usize) -> Option<Entry<'r>> {
        let mut buffer = NameBuffer::default();
        let name = NameRef::fold(exact.as_bytes(), &mut buffer).ok()?;
        let found = self.policy.as_ref()?.judge(Subject::Project(name)).protected?;
        let is_found = |entry: &&Entry<'_>| {
            entry.rule.id == found.rule.id
                && entry.pattern.written() == found.written
                && entry.pattern.place() == found.place
        };
        // Mostly the name is found under its own pattern, and there is nothing to look for.
        if self.entries.get(limit).is_some_and(|own| is_found(&own)) {
            return None;
        }
        self.entries.iter().take(limit).find(is_found).copied()
    }

    fn cover_of_prefix(&self, prefix: &str, entry: Entry<'r>, limit: usize) -> Option<Entry<'r>> {
        let ends = (1..=prefix.len()).filter_map(|end| self.prefixes.get(prefix.get(..end)?));
        ends.copied().filter(|&index| index < limit).find_map(|index| self.spares_nothing(index, entry))
    }

    fn walk(&mut self, entry: Entry<'r>, limit: usize) -> Option<Entry<'r>> {
        if self.walks_left == 0 {
            return None;
        }
        let mut candidates = self.expressions.clone();
        // An expression may be within a prefix; of a prefix that was asked before.
        if entry.pattern.prefix().is_none() {
            candidates.extend(self.prefixes.values());
        }
        candidates.retain(|&index| index < limit);
        candidates.sort_unstable();
        for index in candidates {
            let candidate = self.entries.get(index)?;
            self.walks_left = self.walks_left.checked_sub(1)?;
            if entry.pattern.relation(candidate.pattern) == Relation::Within
                && let Some(found) = self.spares_nothing(index, entry)
            {
                return Some(found);
            }
        }
        None
    }

    /// The entry at `index`, unless its rule may except something that `of` matches.
    fn spares_nothing(&self, index: usize, of: Entry<'r>) -> Option<Entry<'r>> {
        let entry = self.entries.get(index)?;
        let same_rule = std::ptr::eq(entry.rule, of.rule);
        let disjoint = |exception: &Pattern| exception.relation(of.pattern) == Relation::Disjoint;
        let spares = !same_rule && !entry.rule.except.iter().all(disjoint);
        (!spares && outlives(entry.rule, of.rule)).then_some(*entry)
    }
}

/// Whether `earlier` is in force as long as `later` is: else `later` adds something, once `earlier` has expired.
fn outlives(earlier: &Rule, later: &Rule) -> bool {
    earlier.expires.is_none_or(|last| later.expires.is_some_and(|own| own <= last))
}
