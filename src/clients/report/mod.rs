//! What became of a command behind the proxy, as a file for CI: JSON, JUnit's XML or SARIF, as the file's name says.

mod json;
mod junit;
mod sarif;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::{self, Readers, folder_of};
use crate::policy::Rule;
use crate::telemetry::Outcome;
use crate::telemetry::decision::Tally;

/// A command that has ended, and what was decided meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The command and its arguments.
    pub command: &'a [OsString],
    /// What it ended with.
    pub code: u8,
    /// What `run` ends with.
    pub exit_code: u8,
    /// What was hidden, refused and failed.
    pub tally: &'a Tally,
    /// The rules that were in force.
    pub rules: &'a [Rule],
    /// The policy's fingerprint.
    pub policy: &'a str,
}

/// What became of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The gravest of what was decided.
    pub outcome: Outcome,
    /// How often.
    pub count: u64,
}

/// What was decided under one rule, by name or file; failures have no rule.
pub type Decided<'a> = BTreeMap<Option<&'a str>, BTreeMap<&'a str, Told>>;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Nobody knows which report is meant.
    #[error("--report {}: the name says what it is to be: write *.json, *.xml for JUnit, or *.sarif", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// It can't be written.
    #[error("cannot write the report {}: {cause}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Json,
    JUnit,
    Sarif,
}

impl Kind {
    fn of(path: &Path) -> Result<Self, ReportError> {
        match path.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("json") => Ok(Self::Json),
            Some("xml") => Ok(Self::JUnit),
            Some("sarif") => Ok(Self::Sarif),
            _ => Err(ReportError::Kind { path: path.to_owned() }),
        }
    }
}

impl Report<'_> {
    /// What was decided, by rule and by thing.
    #[must_use]
    pub fn decided(&self) -> Decided<'_> {
        let mut decided = Decided::new();
        for (key, count) in &self.tally.entries {
            let things = decided.entry(key.rule.as_deref()).or_default();
            let told = things.entry(&key.subject).or_insert(Told { outcome: key.outcome, count: 0 });
            // A refusal says more than a hidden page: something has asked for the very file.
            if key.outcome == Outcome::Refused {
                told.outcome = Outcome::Refused;
            }
            told.count += count;
        }
        decided
    }

    /// The rule that is called `id`.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// How many things met with `outcome`.
    fn count(&self, outcome: Outcome) -> usize {
        self.decided().values().flat_map(BTreeMap::values).filter(|told| told.outcome == outcome).count()
    }

    /// The program's name alone: its arguments may hold a password.
    fn program(&self) -> String {
        let program = self.command.first().map(PathBuf::from).unwrap_or_default();
        program.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Told {
    /// What was done, in a word or a few.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self.outcome {
            Outcome::Refused => "refused",
            Outcome::Filtered => "hidden on the page of",
            Outcome::Failed => "failed:",
            Outcome::Hidden | Outcome::Allowed => "hidden",
        }
    }
}

/// Finds out before a command runs whether its reports can be written.
///
/// # Errors
/// [`ReportError`].
pub fn check(paths: &[PathBuf]) -> Result<(), ReportError> {
    for path in paths {
        Kind::of(path)?;
        let folder = folder_of(path);
        if path.is_dir() || !folder.is_dir() {
            let cause = if path.is_dir() { io::ErrorKind::IsADirectory } else { io::ErrorKind::NotFound }.into();
            return Err(ReportError::Unwritable { path: path.clone(), cause });
        }
    }
    Ok(())
}

/// Writes `report` to `path`.
///
/// # Errors
/// [`ReportError`].
pub fn write(report: &Report<'_>, path: &Path) -> Result<(), ReportError> {
    let text = match Kind::of(path)? {
        Kind::Json => format!("{:#}\n", json::of(report)),
        Kind::JUnit => junit::of(report),
        Kind::Sarif => sarif::of(report),
    };
    files::replace(path, text.as_bytes(), Readers::All)
        .map_err(|cause| ReportError::Unwritable { path: path.to_owned(), cause })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::policy::Place;
    use crate::telemetry::Surface;
    use crate::telemetry::decision::TallyKey;

    pub(in crate::clients) fn key(rule: Option<&str>, outcome: Outcome, subject: &str) -> TallyKey {
        TallyKey { rule: rule.map(str::to_owned), outcome, surface: Surface::Page, subject: subject.into() }
    }

    pub(in crate::clients) fn acme() -> Rule {
        Rule {
            id: "acme".into(),
            reason: Some("Internal".into()),
            private_index: Some("https://pypi.acme.example/simple/".into()),
            place: Some(Place { file: Path::new("namewall.toml").into(), line: 3 }),
            ..Rule::default()
        }
    }

    #[test]
    fn the_three_reports() {
        let mut tally = Tally::default();
        tally.entries.insert(key(Some("acme"), Outcome::Hidden, "acme-core"), 2);
        tally.entries.insert(key(Some("acme"), Outcome::Refused, "acme_x-1.0-py3-none-any.whl"), 1);
        tally.entries.insert(key(None, Outcome::Failed, "upstream-timeout"), 1);
        let command =
            ["/usr/bin/pip", "install", "--index-url", "https://u:hunter2@pypi.acme.example/"].map(OsString::from);
        let rules = [acme()];
        let report =
            Report { command: &command, code: 0, exit_code: 1, tally: &tally, rules: &rules, policy: "54ff4e8f854e" };
        let folder = tempfile::tempdir().unwrap();
        for name in ["report.json", "report.xml", "report.sarif"] {
            let path = folder.path().join(name);
            write(&report, &path).unwrap();
            let text = std::fs::read_to_string(path).unwrap();
            assert!(!text.contains("hunter2"), "{text}");
            insta::assert_snapshot!(name, text);
        }
        let quiet = Report { tally: &Tally::default(), exit_code: 0, ..report };
        insta::assert_snapshot!("quiet.xml", junit::of(&quiet));
        assert_eq!(json::of(&quiet)["rules"], serde_json::json!([]));
    }

    #[test]
    fn what_cannot_be_written_is_told_before_the_command_runs() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["report", "report.txt"] {
            let error = check(&[folder.path().join(name)]).unwrap_err().to_string();
            assert!(error.contains("*.sarif"), "{error}");
        }
        assert!(check(&[folder.path().join("gone/report.json")]).is_err());
        check(&[folder.path().join("report.json"), "report.XML".into()]).unwrap();
    }
}
