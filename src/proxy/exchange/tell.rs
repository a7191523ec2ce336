//! Turns what happened in an exchange into a decision for the log.

use http::StatusCode;

use super::super::judge::Hit;
use super::Exchange;
use crate::name::FileName;
use crate::policy::{Match, Mode};
use crate::telemetry::decision::timestamp;
use crate::telemetry::{Decision, Outcome};

/// The rule by which something was decided, and the pattern of it that matched, as it is written.
#[derive(Clone, Copy)]
pub(super) struct By<'a> {
    rule: &'a str,
    pattern: &'a str,
    mode: Mode,
}

impl<'a> From<&Match<'a>> for By<'a> {
    fn from(found: &Match<'a>) -> Self {
        Self { rule: &found.rule.id, pattern: found.written, mode: found.rule.mode }
    }
}

/// What one rule did to a page: its own, so that it can be told again when the page is given to somebody else.
#[derive(Clone, Debug)]
pub(in super::super) struct Fired {
    rule: String,
    pattern: String,
    mode: Mode,
    hides: bool,
    count: u64,
}

impl From<&Hit<'_>> for Fired {
    fn from(hit: &Hit<'_>) -> Self {
        let By { rule, pattern, mode } = (&hit.found).into();
        Self { rule: rule.to_owned(), pattern: pattern.to_owned(), mode, hides: hit.hides, count: hit.count }
    }
}

/// What each rule did.
pub(super) fn fired(hits: &[Hit<'_>]) -> Vec<Fired> {
    hits.iter().map(Fired::from).collect()
}

/// The ids of the rules that hid something.
pub(super) fn hiding_rules(fired: &[Fired]) -> String {
    fired.iter().filter(|fired| fired.hides).map(|fired| fired.rule.as_str()).collect::<Vec<_>>().join(", ")
}

/// What there is to tell beside what the request itself says.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) outcome: Outcome,
    pub(super) status: StatusCode,
    /// The project; that of the URL when it is left out.
    pub(super) project: Option<&'a str>,
    pub(super) file: Option<&'a FileName>,
    pub(super) by: Option<By<'a>>,
    /// Entries taken from a page.
    pub(super) removed: u64,
    /// Why an answer failed.
    pub(super) reason: Option<&'static str>,
}

impl Told<'_> {
    /// This, and nothing more.
    pub(super) const fn new(outcome: Outcome, status: StatusCode) -> Self {
        Self { outcome, status, project: None, file: None, by: None, removed: 0, reason: None }
    }
}

impl Exchange {
    /// Tells of each rule that did something to a page.
    pub(super) fn tell_fired(&self, fired: &[Fired], outcome: Outcome, status: StatusCode) {
        for fired in fired {
            let outcome = if fired.hides { outcome } else { Outcome::Allowed };
            let by = Some(By { rule: &fired.rule, pattern: &fired.pattern, mode: fired.mode });
            self.tell(&Told { by, removed: fired.count, ..Told::new(outcome, status) });
        }
    }

    /// Tells of a decision. Never waits.
    pub(super) fn tell(&self, told: &Told<'_>) {
        let of_url = || self.resource.projects.first().map(ToString::to_string);
        self.shared.decisions.record(Decision {
            ts: timestamp(),
            request_id: self.id.clone(),
            decision: told.outcome,
            surface: self.surface,
            project: told.project.map(str::to_owned).or_else(of_url),
            file: told.file.map(|file| file.as_str().to_owned()),
            rule: told.by.map(|by| by.rule.to_owned()),
            pattern: told.by.map(|by| by.pattern.to_owned()),
            mode: told.by.map(|by| by.mode.as_str()),
            removed: told.removed,
            client: self.visit.client,
            user: self.visit.user.as_deref().map(str::to_owned),
            method: self.method.to_string(),
            host: self.visit.site.host.to_string(),
            path: self.path.clone(),
            status: told.status.as_u16(),
            policy: self.policy.fingerprint().to_owned(),
            reason: told.reason,
        });
    }
}
