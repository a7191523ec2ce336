//! Introduces the policy to the pages: judges each entry by the policy, and remembers which rules did what.

use crate::name::Subject;
use crate::policy::{Match, Policy, Session};
use crate::pypi::Judge;

/// A [`Judge`] over a [`Policy`] that counts by rule.
#[derive(Debug)]
pub struct PolicyJudge<'p> {
    session: Session<'p>,
    hits: Vec<Hit<'p>>,
}

/// What one rule did to one page.
#[derive(Clone, Debug)]
pub struct Hit<'p> {
    /// The rule and the pattern that matched first.
    pub found: Match<'p>,
    /// Whether entries were hidden, or only would have been (audit).
    pub hides: bool,
    /// How many entries.
    pub count: u64,
}

impl<'p> PolicyJudge<'p> {
    /// A judge that has seen nothing yet.
    #[must_use]
    pub const fn new(policy: &'p Policy) -> Self {
        Self { session: Session::new(policy), hits: Vec::new() }
    }

    /// What each rule did so far.
    #[must_use]
    pub fn hits(&self) -> &[Hit<'p>] {
        &self.hits
    }

    /// Whether the entry must go, and the rule that matched it.
    #[inline]
    pub(super) fn judged(&mut self, subject: Subject<'_>) -> (bool, Option<Match<'p>>) {
        if let Subject::Project(name) = subject
            && self.session.is_silent_about(name)
        {
            return (false, None);
        }
        let verdict = self.session.judge(subject);
        let hides = verdict.protected.is_some();
        let found = verdict.protected.or(verdict.audited);
        found.iter().for_each(|found| self.count(*found, hides));
        (hides, found)
    }

    fn count(&mut self, found: Match<'p>, hides: bool) {
        let same = |hit: &&mut Hit<'_>| hit.found.rule.id == found.rule.id && hit.hides == hides;
        match self.hits.iter_mut().find(same) {
            Some(hit) => hit.count += 1,
            None => self.hits.push(Hit { found, hides, count: 1 }),
        }
    }
}

impl Judge for PolicyJudge<'_> {
    fn hides(&mut self, subject: Subject<'_>) -> bool {
        self.judged(subject).0
    }
}
