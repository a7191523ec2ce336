//! The findings as a SARIF log.

use std::path::Path;

use super::locate::Location;
use super::report::Report;
use crate::config::LintKind;
use crate::sarif::{self, Found, Invocation, Log, Rule};

/// The rule of what makes the config unusable.
const CONFIG: Rule = Rule { id: "config-error", summary: "The config can't be used.", level: "error" };

/// The rule of assertions that don't hold.
const ASSERTION: Rule =
    Rule { id: "failed-assertion", summary: "What an `[[assert]]` says isn't so under the rules.", level: "error" };

/// `report` as a log.
pub(super) fn of(report: &Report) -> Log {
    // Code scanning takes no result without a place: what has none is shown at the head of the config.
    let config = report.sources.first().map_or_else(|| "namewall.toml".to_owned(), ToString::to_string);
    let found = |rule_id, level, message: &str, help: Option<&str>, location: Option<&Location>| {
        let text = help.map_or_else(|| message.to_owned(), |help| format!("{message}\nHelp: {help}"));
        // The name of a variable stands where a file's would.
        let at = location.filter(|location| !location.file.starts_with('$'));
        let at = match at {
            Some(at) => sarif::Location::new(Path::new(&at.file), Some(at.line), Some(at.column)),
            None => sarif::Location::new(Path::new(&config), Some(1), None),
        };
        Found { rule_id, level, message: text.into(), locations: vec![at], ..Found::default() }
    };
    let errors = report
        .errors
        .iter()
        .map(|error| found(CONFIG.id, "error", &error.message, error.help.as_deref(), error.location.as_ref()));
    let assertions = report
        .assertions
        .iter()
        .map(|failed| found(ASSERTION.id, "error", &failed.message, Some(failed.help), failed.location.as_ref()));
    let lints = report
        .lints
        .iter()
        .map(|lint| found(lint.id, lint.level, &lint.message, Some(&lint.help), lint.location.as_ref()));
    let of_lint = |kind: LintKind| Rule { id: kind.as_str(), summary: kind.summary(), level: kind.level().as_str() };
    let invocation = Invocation {
        execution_successful: report.errors.is_empty(),
        exit_code: Some(report.exit_code),
        tool_execution_notifications: Vec::new(),
    };
    let rules = [CONFIG, ASSERTION].into_iter().chain(LintKind::ALL.map(of_lint));
    sarif::log(rules, invocation, errors.chain(assertions).chain(lints).collect())
}
