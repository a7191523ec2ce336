//! Exceptions that take nothing away, and those that leave nothing.

use super::{Lint, LintKind, matcher_of};
use crate::name::{NameBuffer, NameRef, Subject};
use crate::policy::{Pattern, Policy, Relation, Rule};

/// What bounds the pairs of wide patterns of a rule that are compared: each may take a millisecond. Beyond it nothing is
/// said of them.
const MAX_WALKS: usize = 1_000;

/// What is odd about each rule's `except`.
pub(super) fn of_each(rules: &[Rule]) -> Vec<Lint> {
    rules.iter().filter(|rule| !rule.except.is_empty()).flat_map(of_rule).collect()
}

fn of_rule(rule: &Rule) -> Vec<Lint> {
    if let Some(pattern) = rule.except.iter().find(|pattern| pattern.matches_everything()) {
        let message = format!(
            "`{}` in `except` of rule `{}` matches everything, so the rule protects nothing",
            pattern.written(),
            rule.id
        );
        let help = "narrow it to the names that may be seen, or remove the rule";
        return vec![Lint::of_pattern(LintKind::NothingInForce, rule, pattern, message, help)];
    }
    let cancelled = cancelled(rule);
    if cancelled.len() == rule.names.len() && !cancelled.is_empty() && rule.files.is_empty() {
        let message =
            format!("`except` of rule `{}` takes away all of its names, so the rule protects nothing", rule.id);
        let help = "remove the exceptions that aren't meant, or the rule";
        return vec![Lint::of_rule(LintKind::NothingInForce, rule, message, help)];
    }
    let mut lints: Vec<Lint> =
        cancelled.into_iter().map(|(name, exception)| never_matches(rule, name, exception)).collect();
    // What looks like a name is excepted by its own name.
    let idle = if rule.lookalikes { Vec::new() } else { idle(rule) };
    lints.extend(idle.into_iter().map(|pattern| {
        let message = format!(
            "the exception `{}` of rule `{}` excepts nothing: none of the rule's names matches what it matches",
            pattern.written(),
            rule.id
        );
        let help = "remove it, or correct its spelling; an exception counts in its own rule only";
        Lint::of_pattern(LintKind::IdleExcept, rule, pattern, message, help)
    }));
    lints
}

fn never_matches(rule: &Rule, name: &Pattern, exception: &Pattern) -> Lint {
    let message = format!(
        "`{}` of rule `{}` protects nothing: the rule's exception `{}` takes away all that it matches",
        name.written(),
        rule.id,
        exception.written()
    );
    Lint::of_pattern(LintKind::NeverMatches, rule, name, message, "remove one of the two, or narrow the exception")
}

/// The names of which an exception of their own rule leaves nothing, each with that exception.
fn cancelled(rule: &Rule) -> Vec<(&Pattern, &Pattern)> {
    let excepted = matcher_of(&rule.except);
    let wide: Vec<&Pattern> = if too_wide(rule) { Vec::new() } else { wide(&rule.except).collect() };
    let by = |name: &Pattern| match name.exact() {
        Some(exact) => {
            let written = first_match(excepted.as_ref()?, exact)?;
            rule.except.iter().find(|pattern| pattern.written() == written)
        }
        None => wide.iter().copied().find(|exception| name.relation(exception) == Relation::Within),
    };
    rule.names.iter().filter_map(|name| Some((name, by(name)?))).collect()
}

fn wide(patterns: &[Pattern]) -> impl Iterator<Item = &Pattern> {
    patterns.iter().filter(|pattern| pattern.exact().is_none())
}

fn too_wide(rule: &Rule) -> bool {
    wide(&rule.names).count().saturating_mul(wide(&rule.except).count()) > MAX_WALKS
}

/// The exceptions that take nothing away. Where a rule is on files, too, an exception may be for them.
fn idle(rule: &Rule) -> Vec<&Pattern> {
    let Some(names) = matcher_of(&rule.names).filter(|_| rule.files.is_empty()) else { return Vec::new() };
    let skip_wide = too_wide(rule);
    let is_idle = |exception: &&Pattern| match exception.exact() {
        Some(exact) => first_match(&names, exact).is_none(),
        None if skip_wide => false,
        None => {
            let alone = matcher_of(std::slice::from_ref(exception));
            let matches = |exact: &str| alone.as_ref().and_then(|policy| first_match(policy, exact)).is_some();
            rule.names.iter().all(|name| match name.exact() {
                Some(exact) => !matches(exact),
                None => name.relation(exception) == Relation::Disjoint,
            })
        }
    };
    rule.except.iter().filter(is_idle).collect()
}

/// The pattern, as written, that matches the folded name `exact` first.
fn first_match(policy: &Policy, exact: &str) -> Option<String> {
    let mut buffer = NameBuffer::default();
    let name = NameRef::fold(exact.as_bytes(), &mut buffer).ok()?;
    policy.judge(Subject::Project(name)).protected.map(|found| found.written.to_owned())
}
