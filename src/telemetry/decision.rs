//! Decisions: one record for each thing hidden, refused, filtered or failed; told to the log, to a file and to a tally.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::{debug, info, warn};

use super::line_file::{Line, LineFile};
use super::metrics::{Log, Metrics};
use super::recent::Recent;
use crate::tasks::Tasks;

/// Distinct things that a tally remembers.
const MAX_TALLY: usize = 10_000;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing stood against it.
    Allowed,
    /// A page that isn't there: 404.
    Hidden,
    /// A file that may not be fetched: 403.
    Refused,
    /// A page without some of its entries.
    Filtered,
    /// An answer that can't be trusted: 502.
    Failed,
}

/// Which of an index's surfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Surface {
    /// The list of all projects.
    Root,
    /// A project's simple page.
    Page,
    /// A distribution file.
    File,
    /// A file's sibling.
    Metadata,
    /// `/pypi/NAME/json`.
    LegacyJson,
    /// PEP 740 objects.
    Provenance,
    /// RSS.
    Feed,
    /// Pages for people, and routes nobody told us of.
    Web,
    /// XML-RPC.
    #[serde(rename = "xmlrpc")]
    XmlRpc,
    /// Uploads.
    Upload,
}

/// One decision, as the decision log has it. Holds no credential, no query string, no body.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// When (RFC 3339, milliseconds, UTC).
    pub ts: String,
    /// The request's id, as in the answer's `namewall-request-id`.
    pub request_id: String,
    /// What was decided.
    pub decision: Outcome,
    /// On which surface.
    pub surface: Surface,
    /// The project.
    pub project: Option<String>,
    /// The file.
    pub file: Option<String>,
    /// The rule's id.
    pub rule: Option<String>,
    /// The pattern that matched, as written.
    pub pattern: Option<String>,
    /// `enforce` or `audit`.
    pub mode: Option<&'static str>,
    /// Entries taken from a page.
    pub removed: u64,
    /// The client's address.
    pub client: IpAddr,
    /// The client's name, where users are asked for one.
    pub user: Option<String>,
    /// The request's method.
    pub method: String,
    /// The host asked.
    pub host: String,
    /// The path asked, without its query.
    pub path: String,
    /// The answer's status.
    pub status: u16,
    /// The policy's fingerprint.
    pub policy: String,
    /// Why an answer failed; a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// RFC 3339 with three digits behind the second, always.
const MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The present moment as the log writes it.
#[must_use]
pub fn timestamp() -> String {
    written(OffsetDateTime::now_utc())
}

/// A moment (UTC) as the logs write it.
pub(super) fn written(moment: OffsetDateTime) -> String {
    moment.format(MILLISECONDS).unwrap_or_default()
}

impl Outcome {
    /// The word in headers, log and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Hidden => "hidden",
            Self::Refused => "refused",
            Self::Filtered => "filtered",
            Self::Failed => "failed",
        }
    }
}

impl Surface {
    /// The word in log and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Page => "page",
            Self::File => "file",
            Self::Metadata => "metadata",
            Self::LegacyJson => "legacy-json",
            Self::Provenance => "provenance",
            Self::Feed => "feed",
            Self::Web => "web",
            Self::XmlRpc => "xmlrpc",
            Self::Upload => "upload",
        }
    }
}

/// Where decisions go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Decisions {
    file: Option<LineFile<Arc<Decision>>>,
    tally: Arc<Mutex<Tally>>,
    /// `None` if nobody can look.
    recent: Option<Arc<Recent>>,
    metrics: Arc<Metrics>,
}

impl Line for Arc<Decision> {
    const LOG: Log = Log::Decision;

    fn write(&self, line: &mut Vec<u8>) {
        // Strings and numbers: nothing of it can fail.
        let _written = serde_json::to_writer(line, &**self);
    }
}

/// What was hidden, refused and failed so far, by rule and by name.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often, and of how many entries, for each thing.
    pub entries: BTreeMap<TallyKey, u64>,
    /// Decisions that no longer found room in `entries`.
    pub untold: u64,
}

/// What a tally counts by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TallyKey {
    /// The rule; `None` for failures.
    pub rule: Option<String>,
    /// What was decided.
    pub outcome: Outcome,
    /// On which surface.
    pub surface: Surface,
    /// The file, or the project, or the reason of a failure.
    pub subject: String,
}

impl Decisions {
    /// Opens the decision log, appending; `None` writes decisions to the program's log.
    ///
    /// # Errors
    /// The file can't be opened for appending.
    pub async fn open(path: Option<&Path>, metrics: Arc<Metrics>, tasks: &Tasks) -> io::Result<Self> {
        let file = match path {
            None => None,
            Some(path) => Some(LineFile::open(path, Arc::clone(&metrics), tasks).await?),
        };
        Ok(Self { file, tally: Arc::default(), recent: None, metrics })
    }

    /// Keeps the last ones for who looks at them.
    #[must_use]
    pub(crate) fn remembering(self) -> Self {
        Self { recent: Some(Arc::default()), ..self }
    }

    /// The last ones, if they are kept.
    pub(crate) fn recent(&self) -> Option<&Arc<Recent>> {
        self.recent.as_ref()
    }

    /// Tells of one decision. Never waits.
    pub fn record(&self, decision: Decision) {
        self.metrics.decided(&decision);
        if decision.decision == Outcome::Allowed {
            if decision.mode.is_none() {
                debug!(surface = decision.surface.as_str(), host = decision.host, path = decision.path, "allowed");
                return;
            }
        } else {
            self.tally.lock().unwrap_or_else(PoisonError::into_inner).add(&decision);
        }
        let decision = Arc::new(decision);
        if let Some(recent) = &self.recent {
            recent.add(Arc::clone(&decision));
        }
        match &self.file {
            Some(file) => {
                if !file.send(decision) {
                    self.metrics.dropped(Log::Decision, 1);
                }
            }
            None => tell(&decision),
        }
    }

    /// Opens the decision log anew: it was renamed, and what comes belongs into a file with its old name.
    pub fn reopen(&self) {
        if let Some(file) = &self.file {
            file.reopen();
        }
    }

    /// What was decided so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Tally {
    fn add(&mut self, decision: &Decision) {
        let subject = match decision.decision {
            Outcome::Failed => decision.reason.map(str::to_owned),
            _ => decision.file.clone().or_else(|| decision.project.clone()),
        };
        let key = TallyKey {
            rule: decision.rule.clone(),
            outcome: decision.decision,
            surface: decision.surface,
            subject: subject.unwrap_or_else(|| decision.path.clone()),
        };
        let count = decision.removed.max(1);
        if self.entries.len() < MAX_TALLY || self.entries.contains_key(&key) {
            *self.entries.entry(key).or_default() += count;
        } else {
            self.untold += count;
        }
    }
}

fn tell(decision: &Decision) {
    let Decision { request_id, project, file, rule, surface, client, host, path, status, removed, reason, .. } =
        decision;
    let (user, pattern, mode) = (decision.user.as_deref(), decision.pattern.as_deref(), decision.mode);
    let (method, policy) = (decision.method.as_str(), &decision.policy);
    let surface = surface.as_str();
    let (project, file, rule) = (project.as_deref(), file.as_deref(), rule.as_deref());
    match decision.decision {
        Outcome::Failed => {
            warn!(request_id, reason, surface, method, host, path, status, %client, user, policy, "failed");
        }
        Outcome::Allowed => {
            info!(request_id, rule, pattern, mode, project, file, surface, %client, user, policy, "audit: would have been hidden");
        }
        outcome => info!(
            request_id, rule, pattern, mode, project, file, removed, surface, method, host, path, status, %client, user, policy,
            "{}",
            outcome.as_str()
        ),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn decision(outcome: Outcome, project: &str) -> Decision {
        Decision {
            ts: timestamp(),
            request_id: "0".into(),
            decision: outcome,
            surface: Surface::Page,
            project: Some(project.into()),
            file: None,
            rule: Some("acme".into()),
            pattern: Some("acme-*".into()),
            mode: Some("enforce"),
            removed: 0,
            client: IpAddr::from([127, 0, 0, 1]),
            user: None,
            method: "GET".into(),
            host: "pypi.org".into(),
            path: "/simple/acme-core/".into(),
            status: 404,
            policy: "0123456789ab".into(),
            reason: None,
        }
    }

    #[test]
    fn timestamps_are_rfc_3339_in_milliseconds() {
        let stamp = timestamp();
        assert_eq!(stamp.len(), "2026-11-23T00:00:00.000Z".len(), "{stamp}");
        assert!(OffsetDateTime::parse(&stamp, &time::format_description::well_known::Rfc3339).is_ok(), "{stamp}");
    }

    #[tokio::test]
    async fn decisions_reach_the_file_and_the_tally() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions.jsonl");
        let tasks = Tasks::default();
        let decisions = Decisions::open(Some(&path), Arc::default(), &tasks).await.unwrap();
        decisions.record(decision(Outcome::Hidden, "acme-core"));
        decisions.record(decision(Outcome::Hidden, "acme-core"));
        let tally = decisions.tally();
        drop(decisions);
        tasks.shut_down(std::time::Duration::from_secs(5), std::future::pending()).await;
        let lines: Vec<serde_json::Value> =
            std::fs::read_to_string(&path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["decision"], &lines[0]["surface"]), (&"hidden".into(), &"page".into()));
        assert_eq!(tally.entries.values().copied().collect::<Vec<_>>(), [2]);
    }
}
