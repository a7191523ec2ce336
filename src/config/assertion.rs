//! `[[assert]]`: what must be so under the rules, and what was found instead.

use std::fmt;

use super::settings::Settings;
use crate::name::{NameBuffer, NameRef, Subject};
use crate::policy::{Match, Mode, Place, Policy, Somebody};

/// One name of an `[[assert]]` table: what must be so under the rules, with its place for the message.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// The name as written.
    pub written: String,
    /// Whether it must be protected, or allowed.
    pub protected: bool,
    /// For whom; as long as nothing is said, for a client on this machine without a name.
    pub asker: Somebody,
    /// Where it stands.
    pub place: Option<Place>,
}

/// An assertion that doesn't hold. Prints as config mistakes do.
#[derive(Clone, Debug, thiserror::Error)]
pub struct FailedAssertion {
    /// What was asserted.
    pub assertion: Assertion,
    /// What was found instead.
    pub found: Found,
}

/// Why an assertion doesn't hold.
#[derive(Clone, Debug)]
pub enum Found {
    /// It must be allowed, and this rule protects it.
    Protected(Culprit),
    /// It must be protected, and only this audit rule matches.
    OnlyAudited(Culprit),
    /// It must be protected, and this rule hides only some of its releases.
    OnlyReleases(Culprit),
    /// It must be protected, and no rule in force matches.
    NoRule,
}

/// The rule and the pattern that decided.
#[derive(Clone, Debug)]
pub struct Culprit {
    /// The rule's id.
    pub rule: String,
    /// The pattern as its author wrote it.
    pub pattern: String,
    /// Where the pattern stands; `None` on the command line.
    pub place: Option<Place>,
}

impl Settings {
    /// The assertions that don't hold under `policy`.
    #[must_use]
    pub fn check_assertions(&self, policy: &Policy) -> Vec<FailedAssertion> {
        failures(&self.assertions, policy)
    }

    /// Those that fail whatever the lists say that have never come.
    #[must_use]
    pub fn sure_failures(&self, policy: &Policy) -> Vec<FailedAssertion> {
        sure_failures(&self.assertions, policy)
    }
}

/// Those of `assertions` that don't hold under `policy`.
pub(crate) fn failures(assertions: &[Assertion], policy: &Policy) -> Vec<FailedAssertion> {
    let failed = |assertion: &Assertion| {
        let found = contradiction(assertion, policy)?;
        Some(FailedAssertion { assertion: assertion.clone(), found })
    };
    assertions.iter().filter_map(failed).collect()
}

/// Those that fail whatever the lists say that have never come: nobody knows yet what such an inventory protects.
pub(crate) fn sure_failures(assertions: &[Assertion], policy: &Policy) -> Vec<FailedAssertion> {
    let mut failed = failures(assertions, policy);
    failed.retain(|failed| policy.knows_all() || !failed.assertion.protected);
    failed
}

/// What speaks against `assertion`, if anything does.
fn contradiction(assertion: &Assertion, policy: &Policy) -> Option<Found> {
    let mut buffer = NameBuffer::default();
    // The config's names were checked when it was read; what is no name at all is on no index.
    let Ok(name) = NameRef::fold(assertion.written.as_bytes(), &mut buffer) else {
        return assertion.protected.then_some(Found::NoRule);
    };
    let narrowed = policy.narrowed_to(&assertion.asker.asks());
    let policy = narrowed.as_ref().unwrap_or(policy);
    let verdict = policy.judge(Subject::Project(name));
    match (assertion.protected, verdict.protected, verdict.audited) {
        (true, Some(_), _) | (false, None, _) => None,
        (false, Some(matched), _) => Some(Found::Protected(matched.into())),
        (true, None, Some(matched)) => Some(Found::OnlyAudited(matched.into())),
        (true, None, None) => {
            let partly = policy.hiding_releases_of(name).into_iter().find(|found| found.rule.mode == Mode::Enforce);
            Some(partly.map_or(Found::NoRule, |found| Found::OnlyReleases(found.into())))
        }
    }
}

impl From<Match<'_>> for Culprit {
    fn from(matched: Match<'_>) -> Self {
        Self { rule: matched.rule.id.clone(), pattern: matched.written.to_owned(), place: matched.place.cloned() }
    }
}

impl FailedAssertion {
    /// What was asserted, and what is so instead.
    #[must_use]
    pub fn message(&self) -> String {
        let Assertion { written: name, asker, .. } = &self.assertion;
        let whom = if asker.is_anybody() { String::new() } else { format!(" for {asker}") };
        match &self.found {
            Found::Protected(culprit) => format!("`{name}` is asserted to be allowed{whom}, but {culprit} protects it"),
            Found::OnlyAudited(culprit) => {
                format!("`{name}` is asserted to be protected{whom}, but {culprit} only audits it")
            }
            Found::OnlyReleases(culprit) => {
                format!("`{name}` is asserted to be protected{whom}, but {culprit} hides only some of its releases")
            }
            Found::NoRule => {
                format!("`{name}` is asserted to be protected{whom}, but no rule in force matches it")
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match &self.found {
            Found::Protected(_) => "add it to the rule's `except`, or narrow the pattern",
            Found::OnlyAudited(_) => "set the rule's `mode = \"enforce\"`",
            Found::OnlyReleases(_) => "take `versions` out of the rule, or write a rule for the whole project",
            Found::NoRule => "add it to the `names` of a rule, and look at `except`, `expires` and `for`",
        }
    }

    /// Whether it is the list of an inventory that protects what is asserted to be allowed. Such a list changes by itself,
    /// so that it must not keep a proxy from starting.
    #[must_use]
    pub fn is_by_list(&self, policy: &Policy) -> bool {
        let of_inventory = |culprit: &Culprit| policy.own_rules().iter().all(|rule| rule.id != culprit.rule);
        !self.assertion.protected && self.culprit().is_some_and(of_inventory)
    }

    /// The rule and the pattern that decided; `None` if no rule matched.
    #[must_use]
    pub const fn culprit(&self) -> Option<&Culprit> {
        match &self.found {
            Found::Protected(culprit) | Found::OnlyAudited(culprit) | Found::OnlyReleases(culprit) => Some(culprit),
            Found::NoRule => None,
        }
    }
}

impl fmt::Display for FailedAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message())?;
        if let Some(place) = &self.assertion.place {
            write!(f, "\n --> {place}")?;
        }
        write!(f, "\n  = help: {}", self.help())
    }
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the pattern `{}` of rule `{}`", self.pattern, self.rule)?;
        self.place.iter().try_for_each(|place| write!(f, " ({place})"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn failed(protected: bool, found: Found) -> String {
        let place = |line| Some(Place { file: Path::new("namewall.toml").into(), line });
        let found = match found {
            Found::Protected(culprit) => Found::Protected(Culprit { place: place(7), ..culprit }),
            other => other,
        };
        let asker = Somebody::default();
        let assertion = Assertion { written: "Acme_SDK".to_owned(), protected, asker, place: place(12) };
        FailedAssertion { assertion, found }.to_string()
    }

    #[test]
    fn a_failure_says_which_pattern_decided() {
        let culprit = || Culprit { rule: "acme".to_owned(), pattern: "acme-*".to_owned(), place: None };
        insta::assert_snapshot!(failed(false, Found::Protected(culprit())), @r#"
error: `Acme_SDK` is asserted to be allowed, but the pattern `acme-*` of rule `acme` (namewall.toml:7) protects it
 --> namewall.toml:12
  = help: add it to the rule's `except`, or narrow the pattern
"#);
        insta::assert_snapshot!(failed(true, Found::OnlyAudited(culprit())), @r#"
error: `Acme_SDK` is asserted to be protected, but the pattern `acme-*` of rule `acme` only audits it
 --> namewall.toml:12
  = help: set the rule's `mode = "enforce"`
"#);
        insta::assert_snapshot!(failed(true, Found::OnlyReleases(culprit())), @r#"
error: `Acme_SDK` is asserted to be protected, but the pattern `acme-*` of rule `acme` hides only some of its releases
 --> namewall.toml:12
  = help: take `versions` out of the rule, or write a rule for the whole project
"#);
        insta::assert_snapshot!(failed(true, Found::NoRule), @r#"
error: `Acme_SDK` is asserted to be protected, but no rule in force matches it
 --> namewall.toml:12
  = help: add it to the `names` of a rule, and look at `except`, `expires` and `for`
"#);
    }
}
