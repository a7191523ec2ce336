//! The report as a SARIF log: each thing stands at the rule that decided on it.

use std::path::Path;

use serde_json::{Map, Value};

use super::{Report, Told};
use crate::sarif::{self, Found, Invocation, Location, Rule};
use crate::telemetry::Outcome;

const REFUSED: Rule =
    Rule { id: "protected-refused", summary: "A protected file was asked of the public index", level: "error" };
const HIDDEN: Rule =
    Rule { id: "protected-hidden", summary: "A protected name was asked of the public index", level: "note" };
const FAILED: Rule = Rule { id: "untrusted-answer", summary: "An answer could not be trusted", level: "warning" };

/// The report as JSON text.
pub(super) fn of(report: &Report<'_>) -> String {
    let decided = report.decided();
    let results = decided
        .iter()
        .flat_map(|(rule, things)| things.iter().map(move |(name, told)| found(report, rule.as_deref(), name, *told)));
    let invocation = Invocation {
        execution_successful: true,
        exit_code: Some(report.exit_code),
        tool_execution_notifications: Vec::new(),
    };
    let log = sarif::log([REFUSED, HIDDEN, FAILED], invocation, results.collect());
    // Strings and numbers alone are in it.
    serde_json::to_string_pretty(&log).unwrap_or_default() + "\n"
}

fn found(report: &Report<'_>, rule: Option<&str>, name: &str, told: Told) -> Found {
    let kind = match told.outcome {
        Outcome::Refused => REFUSED,
        Outcome::Failed => FAILED,
        Outcome::Hidden | Outcome::Filtered | Outcome::Allowed => HIDDEN,
    };
    let written = rule.and_then(|id| report.rule(id));
    let place = written.and_then(|rule| rule.place.as_ref());
    let location = match place {
        Some(place) => Location::new(&place.file, Some(place.line), None),
        None => Location::new(Path::new("namewall.toml"), Some(1), None),
    };
    let mut text = format!("{} {name}", told.words());
    if let Some(rule) = rule {
        text.push_str(&format!(" by rule {rule}"));
    }
    let reason = written.and_then(|rule| rule.reason.as_deref()).map(|reason| format!(": {reason}"));
    text.push_str(&reason.unwrap_or_default());
    let fingerprint = format!("{}:{name}", rule.unwrap_or_default());
    Found {
        rule_id: kind.id,
        level: kind.level,
        message: text.into(),
        locations: vec![location],
        partial_fingerprints: Map::from_iter([("namewall/v1".to_owned(), Value::from(fingerprint))]),
        ..Found::default()
    }
}
