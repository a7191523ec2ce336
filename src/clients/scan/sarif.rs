//! The report as SARIF 2.1.0, for code scanning.

use std::path::{Component, Path};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::finding::{Finding, Level, Report, Unread};

/// What a path segment of a URI holds as it is (RFC 3986's unreserved characters).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The one rule for each level; namewall's own rules are in the properties, for they are the user's words.
const RULES: [(&str, Level, &str); 2] = [
    ("protected-from-public-index", Level::Error, "A protected name was taken from the public index"),
    ("protected-of-unknown-origin", Level::Warning, "A protected name may have been taken from the public index"),
];

/// The report as a SARIF log with one run.
#[must_use]
pub fn as_sarif(report: &Report) -> Value {
    let rule = |(id, level, text): (&str, Level, &str)| {
        json!({
            "id": id,
            "shortDescription": { "text": text },
            "defaultConfiguration": { "level": level.as_str() },
        })
    };
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "namewall",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": RULES.into_iter().map(rule).collect::<Vec<_>>(),
            } },
            "invocations": [{
                "executionSuccessful": report.unread.is_empty(),
                "toolExecutionNotifications": report.unread.iter().map(notification).collect::<Vec<_>>(),
            }],
            "results": report.findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let index = RULES.iter().position(|(_, level, _)| *level == finding.level);
    let version = finding.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let text = format!(
        "{}{version} is protected by the rule {}; from: {}. To put it right: {}",
        finding.project, finding.rule, finding.from, finding.remedy
    );
    json!({
        "ruleId": index.and_then(|index| RULES.get(index)).map(|(id, ..)| id),
        "ruleIndex": index,
        "level": finding.level.as_str(),
        "message": { "text": text },
        "locations": [location(&finding.path, finding.line)],
        // The same finding in the next version of the file, whatever its line.
        "partialFingerprints": {
            "namewall/v1": format!("{}:{}:{}", finding.tool.as_str(), finding.project, finding.rule),
        },
        "properties": { "rule": finding.rule, "pattern": finding.pattern, "project": finding.project.as_str() },
    })
}

fn notification(unread: &Unread) -> Value {
    json!({
        "level": "error",
        "message": { "text": format!("not read: {}", unread.why) },
        "locations": [location(&unread.path, None)],
    })
}

fn location(path: &Path, line: Option<usize>) -> Value {
    let mut physical = Map::new();
    physical.insert("artifactLocation".into(), json!({ "uri": uri(path) }));
    if let Some(line) = line {
        physical.insert("region".into(), json!({ "startLine": line }));
    }
    json!({ "physicalLocation": physical })
}

/// A `file:` URL of an absolute path; a relative one stays relative, to the folder that the scan was started in.
fn uri(path: &Path) -> String {
    if path.is_absolute()
        && let Ok(url) = url::Url::from_file_path(path)
    {
        return url.into();
    }
    let segments = path.components().filter(|part| *part != Component::CurDir);
    let segments = segments.map(|part| utf8_percent_encode(&part.as_os_str().to_string_lossy(), SEGMENT).to_string());
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        assert_eq!(uri(Path::new("./a b/uv.lock")), "a%20b/uv.lock");
        assert_eq!(uri(Path::new("../uv.lock")), "../uv.lock");
        #[cfg(unix)]
        assert_eq!(uri(Path::new("/a b/uv.lock")), "file:///a%20b/uv.lock");
    }
}
