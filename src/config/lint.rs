//! What a valid config says that its author may not mean: warnings for `check`.

use std::collections::HashMap;
use std::fmt;

use time::Date;

use super::settings::Settings;
use crate::policy::{Place, Rule};

/// A warning: the config is valid, but probably not what is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// What is odd.
    pub message: String,
    /// Where; `None` for the config as a whole and on the command line.
    pub place: Option<Place>,
}

impl Settings {
    /// The warnings as of `today`.
    #[must_use]
    pub fn lints(&self, today: Date) -> Vec<Lint> {
        let mut lints = Vec::new();
        if !self.rules.iter().any(|rule| is_in_force(rule, today)) {
            lints.push(Lint { message: "no rule is in force, so nothing is protected".to_owned(), place: None });
        }
        if let Some(network) = self.allow.iter().find(|network| network.prefix_len() == 0) {
            let message = format!("`allow` has `{network}`: whoever reaches the proxy is served");
            lints.push(Lint { message, place: None });
        }
        for rule in &self.rules {
            lints.extend(expired(rule, today));
            lints.extend(excepts_everything(rule));
        }
        lints.extend(repeated(&self.rules));
        lints
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "warning: {}", self.message)?;
        self.place.iter().try_for_each(|place| write!(f, "\n --> {place}"))
    }
}

fn is_in_force(rule: &Rule, today: Date) -> bool {
    rule.expires.is_none_or(|last| today <= last)
}

fn expired(rule: &Rule, today: Date) -> Option<Lint> {
    let last = rule.expires.filter(|last| *last < today)?;
    let message = format!("rule `{}` expired on {last} and protects nothing any more", rule.id);
    Some(Lint { message, place: rule.place.clone() })
}

fn excepts_everything(rule: &Rule) -> Option<Lint> {
    let pattern = rule.except.iter().find(|pattern| pattern.matches_everything())?;
    let message = format!(
        "`{}` in `except` of rule `{}` matches everything, so the rule protects nothing",
        pattern.written(),
        rule.id
    );
    Some(Lint { message, place: pattern.place().cloned() })
}

/// Patterns on names that an earlier one repeats, folded as they are compared.
fn repeated(rules: &[Rule]) -> Vec<Lint> {
    let mut first = HashMap::new();
    let mut lints = Vec::new();
    for (rule, pattern) in rules.iter().flat_map(|rule| rule.names.iter().map(move |pattern| (rule, pattern))) {
        if let Some(earlier) = first.get(pattern.folded()) {
            let message = format!("the pattern `{}` repeats one of rule `{earlier}`", pattern.written());
            lints.push(Lint { message, place: pattern.place().cloned() });
        } else {
            first.insert(pattern.folded(), &rule.id);
        }
    }
    lints
}
