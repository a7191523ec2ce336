//! The compiled policy: all rules at once, and the one judge that every surface asks.

use time::Date;

use super::rule::Rule;
use super::verdict::Verdict;
use crate::name::Subject;

/// All rules in force, compiled. Immutable: a request is judged by the one that was in force when it began.
#[derive(Debug)]
pub struct Policy {
    rules: Vec<Rule>,
}

/// Why the rules can't be compiled together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The expressions together need more memory than is sane.
    #[error("the `re:` patterns together are too large to compile: {0}")]
    TooLarge(String),
}

impl Policy {
    /// Compiles `rules` as of `today`: a rule that expired before is not in force.
    ///
    /// # Errors
    /// [`CompileError`].
    pub fn compile(rules: Vec<Rule>, today: Date) -> Result<Self, CompileError> {
        let _ = (rules, today);
        todo!()
    }

    /// The one verdict that every surface asks.
    ///
    /// A project is protected when a rule's `names` match and its `except` doesn't. A file is protected when a rule's
    /// `files` match its raw name, or when any of its candidate projects is protected.
    #[must_use]
    pub fn judge(&self, subject: Subject<'_>) -> Verdict<'_> {
        let _ = subject;
        todo!()
    }

    /// Twelve hex digits over everything that can change a verdict or a rendered page (the program's version included).
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        todo!()
    }

    /// All rules as given, expired ones included.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}
