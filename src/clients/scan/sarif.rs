//! The report as a SARIF log.

use serde_json::{Map, Value};

use super::finding::{Finding, Level, Report};
use crate::sarif::{self, Found, Invocation, Location, Log, Notification, Rule};

/// The one rule for each level; namewall's own rules are in the properties, for they are the user's words.
const TAKEN: Rule = Rule {
    id: "protected-from-public-index",
    summary: "A protected name was taken from the public index",
    level: Level::Error.as_str(),
};
const OF_UNKNOWN_ORIGIN: Rule = Rule {
    id: "protected-of-unknown-origin",
    summary: "A protected name may have been taken from the public index",
    level: Level::Warning.as_str(),
};

/// The report as a log.
pub(crate) fn as_sarif(report: &Report) -> Log {
    let unread = report.unread.iter().map(|unread| Notification::unread(&unread.path, &unread.why));
    let invocation = Invocation {
        execution_successful: report.unread.is_empty(),
        exit_code: None,
        tool_execution_notifications: unread.collect(),
    };
    sarif::log([TAKEN, OF_UNKNOWN_ORIGIN], invocation, report.findings.iter().map(found).collect())
}

fn found(finding: &Finding) -> Found {
    let rule = match finding.level {
        Level::Error => TAKEN,
        Level::Warning => OF_UNKNOWN_ORIGIN,
    };
    let version = finding.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let text = format!(
        "{}{version} is protected by the rule {}; from: {}. To put it right: {}",
        finding.project, finding.rule, finding.from, finding.remedy
    );
    let map = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect::<Map<_, _>>()
    };
    let project = finding.project.as_str();
    // The same finding in the next version of the file, whatever its line.
    let fingerprint = format!("{}:{project}:{}", finding.tool.as_str(), finding.rule);
    Found {
        rule_id: rule.id,
        level: rule.level,
        message: text.into(),
        locations: vec![Location::new(&finding.path, finding.line, None)],
        partial_fingerprints: map(&[("namewall/v1", &fingerprint)]),
        properties: map(&[("rule", &finding.rule), ("pattern", &finding.pattern), ("project", project)]),
        ..Found::default()
    }
}
