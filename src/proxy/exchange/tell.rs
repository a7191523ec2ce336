//! Turns what happened in an exchange into a decision for the log.

use http::StatusCode;

use super::Exchange;
use crate::name::FileName;
use crate::policy::Match;
use crate::telemetry::decision::timestamp;
use crate::telemetry::{Decision, Outcome};

/// What there is to tell beside what the request itself says.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) outcome: Outcome,
    pub(super) status: StatusCode,
    /// The project; that of the URL when it is left out.
    pub(super) project: Option<&'a str>,
    pub(super) file: Option<&'a FileName>,
    pub(super) found: Option<&'a Match<'a>>,
    /// Entries taken from a page.
    pub(super) removed: u64,
    /// Why an answer failed.
    pub(super) reason: Option<&'static str>,
}

impl Told<'_> {
    /// This, and nothing more.
    pub(super) const fn new(outcome: Outcome, status: StatusCode) -> Self {
        Self { outcome, status, project: None, file: None, found: None, removed: 0, reason: None }
    }
}

impl Exchange {
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
            rule: told.found.map(|found| found.rule.id.clone()),
            pattern: told.found.map(|found| found.written.to_owned()),
            mode: told.found.map(|found| found.rule.mode.as_str()),
            removed: told.removed,
            client: self.visit.client,
            user: None,
            method: self.method.to_string(),
            host: self.visit.site.host.to_string(),
            path: self.path.clone(),
            status: told.status.as_u16(),
            policy: self.policy.fingerprint().to_owned(),
            reason: told.reason,
        });
    }
}
