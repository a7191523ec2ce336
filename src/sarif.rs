//! Logs in SARIF 2.1.0 (OASIS), which code scanning annotates pull requests with.

use std::path::{Component, Path};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// What a path segment of a URI holds as it is (RFC 3986's unreserved characters).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A kind of finding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// Its name, which stays.
    pub(crate) id: &'static str,
    /// What is wrong, in a sentence.
    pub(crate) summary: &'static str,
    /// `error`, `warning` or `note`.
    pub(crate) level: &'static str,
}

/// Something that was found.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Found {
    /// The id of its rule.
    pub(crate) rule_id: &'static str,
    /// The place of the rule among all; [`log`] sees to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule_index: Option<usize>,
    /// `error`, `warning` or `note`.
    pub(crate) level: &'static str,
    /// What there is to say.
    pub(crate) message: Message,
    /// Where it stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) locations: Vec<Location>,
    /// What stays the same when the file changes elsewhere.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) partial_fingerprints: Map<String, Value>,
    /// Whatever else programs may want.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) properties: Map<String, Value>,
}

/// A text.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Message {
    /// The text.
    pub(crate) text: String,
}

/// A place in a file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Location {
    physical_location: Physical,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Debug, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<usize>,
}

/// How the run went.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invocation {
    /// Whether all was looked at.
    pub(crate) execution_successful: bool,
    /// What the program ends with, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<u8>,
    /// What kept it from looking.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tool_execution_notifications: Vec<Notification>,
}

/// Something that kept the program from its work.
#[derive(Debug, Serialize)]
pub(crate) struct Notification {
    level: &'static str,
    message: Message,
    locations: [Location; 1],
}

/// A log of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    column_kind: &'static str,
    invocations: [Invocation; 1],
    results: Vec<Found>,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    short_description: Message,
    default_configuration: Configuration,
}

#[derive(Debug, Serialize)]
struct Configuration {
    level: &'static str,
}

/// A log of `results`, each of which is of one of `rules`.
pub(crate) fn log(rules: impl IntoIterator<Item = Rule>, invocation: Invocation, mut results: Vec<Found>) -> Log {
    let descriptor = |rule: Rule| Descriptor {
        id: rule.id,
        short_description: rule.summary.into(),
        default_configuration: Configuration { level: rule.level },
    };
    let rules: Vec<Descriptor> = rules.into_iter().map(descriptor).collect();
    for result in &mut results {
        result.rule_index = rules.iter().position(|rule| rule.id == result.rule_id);
    }
    let driver = Driver { name: "namewall", semantic_version: env!("CARGO_PKG_VERSION"), rules };
    let run = Run { tool: Tool { driver }, column_kind: "unicodeCodePoints", invocations: [invocation], results };
    Log { schema: SCHEMA, version: "2.1.0", runs: [run] }
}

impl<T: Into<String>> From<T> for Message {
    fn from(text: T) -> Self {
        Self { text: text.into() }
    }
}

impl Location {
    /// A line of a file, from 1, and a column in it, from 1 in characters, where they are known.
    pub(crate) fn new(path: &Path, line: Option<usize>, column: Option<usize>) -> Self {
        let region = line.map(|start_line| Region { start_line, start_column: column });
        Self { physical_location: Physical { artifact_location: Artifact { uri: uri(path) }, region } }
    }
}

impl Notification {
    /// Says that `path` could not be looked at.
    pub(crate) fn unread(path: &Path, why: &str) -> Self {
        let message = format!("not read: {why}").into();
        Self { level: "error", message, locations: [Location::new(path, None, None)] }
    }
}

/// The file as a URI: relative to the working folder if it is in there, as code scanning wants it.
fn uri(path: &Path) -> String {
    let inside = std::env::current_dir().ok().and_then(|folder| path.strip_prefix(folder).ok());
    let path = inside.unwrap_or(path);
    if let Ok(url) = url::Url::from_file_path(path) {
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
    fn uris_are_relative_where_they_can_be() {
        for (path, expected) in [
            ("./conf/name wall.toml", "conf/name%20wall.toml"),
            ("namewall.toml", "namewall.toml"),
            ("../uv.lock", "../uv.lock"),
        ] {
            assert_eq!(uri(Path::new(path)), expected);
        }
        if cfg!(unix) {
            assert_eq!(uri(Path::new("/a b/uv.lock")), "file:///a%20b/uv.lock");
            let inside = std::env::current_dir().unwrap().join("conf/n.toml");
            assert_eq!(uri(&inside), "conf/n.toml");
        }
    }
}
