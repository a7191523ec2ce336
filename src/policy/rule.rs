//! One `[[protect]]` rule, as its author means it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use time::Date;

use super::pattern::{FilePattern, Pattern};

/// One rule: which names and files it protects, and what it says of itself.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Unique; shown in every answer, log line and metric.
    pub id: String,
    /// The names it protects.
    pub names: Vec<Pattern>,
    /// Names that it doesn't protect after all; beats `names` and `files` of the same rule.
    pub except: Vec<Pattern>,
    /// File names that it protects on every project's page.
    pub files: Vec<FilePattern>,
    /// Why, for the one who is refused.
    pub reason: Option<String>,
    /// Whom to ask.
    pub owner: Option<String>,
    /// Where the private copies are.
    pub private_index: Option<String>,
    /// The last day on which the rule is in force.
    pub expires: Option<Date>,
    /// Whether it hides or only reports.
    pub mode: Mode,
    /// Its author means it when it matches everything.
    pub everything: bool,
    /// Where it begins; `None` on the command line.
    pub place: Option<Place>,
}

/// What a rule does when it matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Hides and refuses.
    #[default]
    Enforce,
    /// Counts and logs, never hides.
    Audit,
}

/// A line of a config file. Shown as `file:line`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl Mode {
    /// The word in config, log and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Audit => "audit",
        }
    }
}
