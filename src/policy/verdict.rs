//! What the policy says of a name.

use super::rule::{Place, Rule};

/// The answer to "may this be seen?".
#[derive(Clone, Debug, Default)]
pub struct Verdict<'p> {
    /// The first rule in force that protects it: it must not be seen.
    pub protected: Option<Match<'p>>,
    /// The first audit rule that matches: it may be seen, and that is to be counted.
    pub audited: Option<Match<'p>>,
}

/// A rule, and the pattern of it that matched.
#[derive(Clone, Copy, Debug)]
pub struct Match<'p> {
    /// The rule.
    pub rule: &'p Rule,
    /// The pattern as its author wrote it.
    pub written: &'p str,
    /// The pattern as it was compared.
    pub folded: &'p str,
    /// Where the pattern was written.
    pub place: Option<&'p Place>,
}
