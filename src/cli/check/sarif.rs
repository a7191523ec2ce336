//! The findings as SARIF 2.1.0 (OASIS), which code scanning annotates pull requests with.

use serde::Serialize;

use super::locate::Location;
use super::report::Report;
use crate::config::LintKind;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The rule of what makes the config unusable.
const CONFIG: &str = "config-error";

/// The rule of assertions that don't hold.
const ASSERTION: &str = "failed-assertion";

/// A log of one run.
#[derive(Debug, Serialize)]
pub(super) struct Log {
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

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    exit_code: u8,
}

#[derive(Debug, Serialize)]
struct Message {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: &'static str,
    level: &'static str,
    message: Message,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Where>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Where {
    physical_location: Physical,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Debug, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
}

/// `report` as a log.
pub(super) fn of(report: &Report) -> Log {
    let errors = report
        .errors
        .iter()
        .map(|error| Found::new(CONFIG, "error", &error.message, error.help.as_deref(), error.location.as_ref()));
    let assertions = report
        .assertions
        .iter()
        .map(|failed| Found::new(ASSERTION, "error", &failed.message, Some(failed.help), failed.location.as_ref()));
    let lints = report
        .lints
        .iter()
        .map(|lint| Found::new(lint.id, lint.level, &lint.message, Some(&lint.help), lint.location.as_ref()));
    let driver = Driver { name: "namewall", semantic_version: env!("CARGO_PKG_VERSION"), rules: descriptors() };
    let run = Run {
        tool: Tool { driver },
        column_kind: "unicodeCodePoints",
        invocations: [Invocation { execution_successful: report.errors.is_empty(), exit_code: report.exit_code }],
        results: errors.chain(assertions).chain(lints).collect(),
    };
    Log { schema: SCHEMA, version: "2.1.0", runs: [run] }
}

fn descriptors() -> Vec<Descriptor> {
    let errors = [
        (CONFIG, "The config can't be used.", "error"),
        (ASSERTION, "What an `[[assert]]` says isn't so under the rules.", "error"),
    ];
    let lints = LintKind::ALL.map(|kind| (kind.as_str(), kind.summary(), kind.level().as_str()));
    let descriptor = |(id, summary, level): (&'static str, &str, &'static str)| Descriptor {
        id,
        short_description: Message { text: summary.to_owned() },
        default_configuration: Configuration { level },
    };
    errors.into_iter().chain(lints).map(descriptor).collect()
}

impl Found {
    fn new(
        rule_id: &'static str,
        level: &'static str,
        message: &str,
        help: Option<&str>,
        location: Option<&Location>,
    ) -> Self {
        let text = help.map_or_else(|| message.to_owned(), |help| format!("{message}\nHelp: {help}"));
        let locations = location.map(|location| Where {
            physical_location: Physical {
                artifact_location: Artifact { uri: location.uri() },
                region: Region { start_line: location.line, start_column: location.column },
            },
        });
        Self { rule_id, level, message: Message { text }, locations: locations.into_iter().collect() }
    }
}
