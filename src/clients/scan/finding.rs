//! What a scan found, and what it could not read.

use std::fmt::Display;
use std::path::PathBuf;

use super::remedy::Tool;
use crate::name::ProjectName;

/// A protected name where it should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How sure it is that it came from the public index.
    pub level: Level,
    /// Whose file, environment or cache it is.
    pub tool: Tool,
    /// The file or the folder.
    pub path: PathBuf,
    /// The line in it, from 1.
    pub line: Option<usize>,
    /// The project, as names are compared.
    pub project: ProjectName,
    /// Its version as written there.
    pub version: Option<String>,
    /// The file that is protected, when it isn't the project that is.
    pub file: Option<String>,
    /// Where it came from: a URL without credentials, or words.
    pub from: String,
    /// The rule that protects it.
    pub rule: String,
    /// The pattern of it that matched, as written.
    pub pattern: String,
    /// Why the rule is there.
    pub reason: Option<String>,
    /// The command that puts it right, or what to do.
    pub remedy: String,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It came from the public index.
    Error,
    /// It may have: nothing says where it came from.
    Warning,
}

/// What could not be read, or not wholly: the rest was scanned all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The file or the folder.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// All that a scan found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// By path and line.
    pub findings: Vec<Finding>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// How many lock files, requirement files, installed projects and cache entries were read.
    pub sources: u64,
    /// How many protected names were found that came from elsewhere, as they should.
    pub elsewhere: u64,
}

impl Level {
    /// The word for it, which is SARIF's too.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Report {
    /// How many findings there are of `level`.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    pub(super) fn could_not_read(&mut self, path: impl Into<PathBuf>, why: &dyn Display) {
        self.unread.push(Unread { path: path.into(), why: why.to_string() });
    }

    /// Orders the findings, and keeps the gravest of those that say the same.
    pub(super) fn settle(&mut self) {
        let place = |finding: &Finding| (finding.path.clone(), finding.line, finding.project.clone());
        self.findings.sort_by_cached_key(|finding| (place(finding), finding.level, finding.version.clone()));
        self.findings.dedup_by(|later, kept| place(later) == place(kept) && later.version == kept.version);
        self.unread.sort_by(|one, other| one.path.cmp(&other.path));
        self.unread.dedup();
    }
}
