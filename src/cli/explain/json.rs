//! The findings for programs: one object a thing. Members may be added; none is renamed or removed.

use serde_json::{Value, json};

use super::findings::Findings;
use super::thing::Thing;
use super::{advice, text};
use crate::name::{FileName, ProjectName};
use crate::policy::Match;

/// The object for one thing.
pub(super) fn of(thing: &Thing, findings: &Findings<'_>) -> Value {
    let verdict = &findings.verdict;
    let found = verdict.protected.or(verdict.audited);
    let advice = verdict.protected.map(|found| advice::of(thing, findings, &found));
    json!({
        "thing": thing.written,
        "kind": thing.kind,
        "projects": thing.projects.iter().map(ProjectName::as_str).collect::<Vec<_>>(),
        "files": thing.files.iter().map(FileName::as_str).collect::<Vec<_>>(),
        "verdict": if verdict.protected.is_some() { "protected" } else { "allowed" },
        "certain": verdict.certain,
        "rule": found.map(|found| &found.rule.id),
        "mode": found.map(|found| found.rule.mode.as_str()),
        "pattern": found.map(|found| found.written),
        "folded": found.map(|found| found.folded),
        "place": found.and_then(|found| found.place).map(ToString::to_string),
        "versions": found.and_then(|found| found.hidden_releases()).map(ToString::to_string),
        "for": found.and_then(|found| audience(&found)),
        "reason": found.and_then(|found| found.rule.reason.as_deref()),
        "owner": found.and_then(|found| found.rule.owner.as_deref()),
        "private_index": found.and_then(|found| found.rule.private_index.as_deref()),
        "subject": findings.subject,
        "what_happens": verdict.protected.map(|_| text::what_happens(thing, findings)),
        "possible_owners": findings.owners.iter().map(of_owner).collect::<Vec<_>>(),
        "next": advice.as_ref().map(|advice| &advice.commands),
        "advice": advice.as_ref().and_then(|advice| advice.words.as_deref()),
        "audited": verdict.audited.as_ref().map(of_match),
        "excepted": findings.excepted.as_ref().map(|excepted| json!({
            "rule": excepted.found.rule.id,
            "pattern": excepted.found.written,
            "exception": excepted.exception,
            "place": excepted.place.map(ToString::to_string),
        })),
        "expired": findings.expired.as_ref().map(of_match),
        "for_others": findings.for_others.as_ref().map(|found| json!({
            "rule": found.rule.id,
            "pattern": found.written,
            "place": found.place.map(ToString::to_string),
            "for": audience(found),
        })),
        "hides_releases": findings.hiding.iter().map(of_hiding).collect::<Vec<_>>(),
    })
}

/// For whom the rule is, unless it is for everybody.
fn audience(found: &Match<'_>) -> Option<String> {
    let audience = &found.rule.audience;
    (!audience.is_everybody()).then(|| audience.to_string())
}

fn of_owner((project, protected): &(ProjectName, bool)) -> Value {
    json!({ "project": project.as_str(), "verdict": if *protected { "protected" } else { "allowed" } })
}

/// A rule that hides some releases of what is allowed, or all that are taken.
fn of_hiding(found: &Match<'_>) -> Value {
    json!({
        "rule": found.rule.id,
        "mode": found.rule.mode.as_str(),
        "versions": found.rule.versions.as_ref().map(ToString::to_string),
        "pattern": found.written,
        "place": found.place.map(ToString::to_string),
        "reason": found.rule.reason,
        "owner": found.rule.owner,
    })
}

fn of_match(found: &Match<'_>) -> Value {
    json!({
        "rule": found.rule.id,
        "pattern": found.written,
        "place": found.place.map(ToString::to_string),
        "expires": found.rule.expires.map(|last| last.to_string()),
    })
}
