//! A check: what was looked at, how it stands, and what to do about it. Programs read this shape.

use std::collections::HashMap;

use serde::Serialize;

/// The version of the shape.
const VERSION: u32 = 1;

/// What a check is about, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Group {
    /// The variables of this shell.
    Shell,
    /// Who answers at the proxy, and what comes through it.
    Proxy,
    /// Whose certificates the clients believe.
    Trust,
    /// The programs that install packages.
    Clients,
    /// What they hold from before.
    Caches,
    /// The config, the service, the network and the clock.
    Machine,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warn,
    /// Broken, or unprotected.
    Fail,
    /// Not looked at; the message says why.
    Skipped,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// Stable: `group.what`.
    pub(crate) id: String,
    pub(crate) group: Group,
    pub(crate) status: Status,
    /// What was looked at, and what was found.
    pub(crate) message: String,
    /// The command to run, or the line to write.
    pub(crate) remedy: Option<String>,
}

/// All checks.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    version: u32,
    pub(crate) checks: Vec<Check>,
}

impl Group {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Proxy => "proxy",
            Self::Trust => "trust",
            Self::Clients => "clients",
            Self::Caches => "caches",
            Self::Machine => "machine",
        }
    }

    pub(crate) fn ok(self, id: &str, message: impl Into<String>) -> Check {
        self.check(id, Status::Ok, message, None)
    }

    pub(crate) fn warn(self, id: &str, message: impl Into<String>, remedy: impl Into<String>) -> Check {
        self.check(id, Status::Warn, message, Some(remedy.into()))
    }

    pub(crate) fn fail(self, id: &str, message: impl Into<String>, remedy: impl Into<String>) -> Check {
        self.check(id, Status::Fail, message, Some(remedy.into()))
    }

    pub(crate) fn skipped(self, id: &str, message: impl Into<String>) -> Check {
        self.check(id, Status::Skipped, message, None)
    }

    fn check(self, id: &str, status: Status, message: impl Into<String>, remedy: Option<String>) -> Check {
        Check { id: format!("{}.{id}", self.as_str()), group: self, status, message: message.into(), remedy }
    }
}

impl Report {
    /// The checks by group, within one in the order in which they were made. Of two with one id (there are two pips, two
    /// proxies), the second gets `.2` behind its own.
    pub(crate) fn of(mut checks: Vec<Check>) -> Self {
        checks.sort_by_key(|check| check.group);
        let mut seen: HashMap<String, usize> = HashMap::new();
        for check in &mut checks {
            let times = seen.entry(check.id.clone()).or_default();
            *times += 1;
            if *times > 1 {
                check.id = format!("{}.{times}", check.id);
            }
        }
        Self { version: VERSION, checks }
    }

    /// How many checks stand so.
    pub(crate) fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }
}
