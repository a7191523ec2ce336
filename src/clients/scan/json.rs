//! The report as JSON. Its keys are kept: scripts read them.

use serde_json::{Value, json};

use super::finding::{Finding, Level, Report};

/// The report: `version` (1), `findings`, `unread` (`path`, `why`) and `counts`.
#[must_use]
pub fn as_json(report: &Report) -> Value {
    let unread = |it: &super::Unread| json!({ "path": it.path.to_string_lossy(), "why": it.why });
    json!({
        "version": 1,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "unread": report.unread.iter().map(unread).collect::<Vec<_>>(),
        "counts": {
            "sources": report.sources,
            "errors": report.count(Level::Error),
            "warnings": report.count(Level::Warning),
            "elsewhere": report.elsewhere,
            "unread": report.unread.len(),
        },
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "level": finding.level.as_str(),
        "tool": finding.tool.as_str(),
        "path": finding.path.to_string_lossy(),
        "line": finding.line,
        "project": finding.project.as_str(),
        "version": finding.version,
        "file": finding.file,
        "from": finding.from,
        "rule": finding.rule,
        "pattern": finding.pattern,
        "reason": finding.reason,
        "remedy": finding.remedy,
    })
}
