//! What the policy says of a name.

use super::lookalikes::LOOKS_LIKE;
use super::rule::{Place, Rule};

/// The answer to "may this be seen?".
#[derive(Clone, Debug)]
pub struct Verdict<'p> {
    /// The first rule in force that protects it: it must not be seen.
    pub protected: Option<Match<'p>>,
    /// The first audit rule that matches: it may be seen, and that is to be counted.
    pub audited: Option<Match<'p>>,
    /// Whether the name alone decides whether it is protected.
    ///
    /// Always so of a project. A file's verdict is not certain when the projects that it could belong to are judged
    /// differently, or when its name points at none: whoever can learn the owner (PyPI tells it with every file) asks
    /// [`Policy::judge_owned`](super::Policy::judge_owned) then, and whoever can't obeys `protected`.
    pub certain: bool,
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

impl<'p> Match<'p> {
    /// The protected name that was taken for the one that was judged, if it matched only for looking like it.
    #[must_use]
    pub fn looks_like(&self) -> Option<&'p str> {
        // No pattern has a space in it.
        self.written.strip_prefix(LOOKS_LIKE)
    }
}

impl Verdict<'_> {
    /// Whether it must not be seen.
    #[must_use]
    pub const fn is_protected(&self) -> bool {
        self.protected.is_some()
    }
}

impl Default for Verdict<'_> {
    /// Allowed, certainly, and no rule has anything to say.
    fn default() -> Self {
        Self { protected: None, audited: None, certain: true }
    }
}
