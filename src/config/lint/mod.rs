//! What a valid config says that its author may not mean: warnings for `check`.

mod exceptions;
mod kind;
mod overlaps;
mod rules;
mod well_known;

use std::fmt;

use time::Date;

pub use self::kind::{Level, LintKind};
use super::settings::Settings;
use crate::policy::{Pattern, Place, Policy, Rule};

/// A warning: the config is valid, but probably not what is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Which of the things that `check` looks for.
    pub kind: LintKind,
    /// What is odd.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// The rule that it is about.
    pub rule: Option<String>,
    /// Where; `None` for the config as a whole and on the command line.
    pub place: Option<Place>,
    /// The text that is meant on that line, when it is a part of it.
    pub marked: Option<String>,
}

impl Settings {
    /// The warnings as of `today`, those of the config as a whole first, then in the order of the file.
    #[must_use]
    pub fn lints(&self, today: Date) -> Vec<Lint> {
        let mut lints = rules::of_each(&self.rules, today);
        lints.extend(rules::of_users(self));
        lints.extend(rules::of_nobody(self));
        lints.extend(exceptions::of_each(&self.rules));
        lints.extend(overlaps::all(&self.rules, today));
        lints.extend(well_known::hidden(&self.rules, &self.assertions, today));
        lints.sort_by(|one, other| order(one).cmp(&order(other)));
        let mut all = rules::of_config(self, today);
        all.append(&mut lints);
        all
    }
}

fn order(lint: &Lint) -> Option<(&std::path::Path, usize)> {
    lint.place.as_ref().map(|place| (&*place.file, place.line))
}

impl Lint {
    /// A warning about no rule.
    pub(crate) fn of_config(kind: LintKind, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: help.into(), rule: None, place: None, marked: None }
    }

    fn of_rule(kind: LintKind, rule: &Rule, message: impl Into<String>, help: impl Into<String>) -> Self {
        let (rule, place) = (Some(rule.id.clone()), rule.place.clone());
        Self { rule, place, ..Self::of_config(kind, message, help) }
    }

    fn of_pattern(
        kind: LintKind,
        rule: &Rule,
        pattern: &Pattern,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let (place, marked) = (pattern.place().cloned(), Some(pattern.written().to_owned()));
        Self { place, marked, ..Self::of_rule(kind, rule, message, help) }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: {}", self.kind.level().as_str(), self.kind.as_str(), self.message)?;
        if let Some(place) = &self.place {
            write!(f, "\n --> {place}")?;
        }
        write!(f, "\n  = help: {}", self.help)
    }
}

/// The policy of one rule that has these `names` and nothing else: whether any of them matches, at the price of one
/// look-up however many they are.
fn matcher_of(names: &[Pattern]) -> Option<Policy> {
    let rule = Rule { names: names.to_vec(), ..Rule::default() };
    // Together they were compiled before, so that they are not too large now.
    Policy::compile(vec![rule], Date::MIN).ok()
}
